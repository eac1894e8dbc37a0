"""Their numbers against ours: how far they agree, and why they differ (METHODS 15)."""
