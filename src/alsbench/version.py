"""The version of the program: every result, log entry and document carries it."""

__version__ = "0.1.0"
