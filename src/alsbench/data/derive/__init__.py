"""Analysis data sets made from data that have none: PRO-ACT's release files, or SDTM domains."""
