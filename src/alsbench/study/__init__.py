"""What the protocol says; no data, no numbers."""

SYNTHETIC = "SYNTHETIC DATA"  # said wherever data are shown that come from no real patient
NOT_VERIFIED = "the audit log does not verify"  # begins what is said wherever anything is shown while it does not
