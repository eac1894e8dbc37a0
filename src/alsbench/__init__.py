"""alsbench: a terminal workbench for the analysis and scrutiny of ALS trials."""

__version__ = "0.1.0"
