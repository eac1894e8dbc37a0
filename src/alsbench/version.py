"""The version of the program: every result, log entry and document carries it."""

__version__ = "0.2.0"
