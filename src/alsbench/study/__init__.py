"""What the protocol says; no data, no numbers."""

SYNTHETIC = "SYNTHETIC DATA"  # said wherever data are shown that come from no real patient
