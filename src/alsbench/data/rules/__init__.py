"""What data must satisfy: one module per theme, each registering its rules in :mod:`alsbench.data.rules.core`."""
