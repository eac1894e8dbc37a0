"""Words that stand for a missing value where a cell should be empty. One of them among numbers makes a CSV column text."""

WORDS_FOR_MISSING = frozenset({".", "-", "--", "?", "N/A", "NA", "NAN", "ND", "NONE", "NULL", "MISSING", "UNK", "UNKNOWN"})
