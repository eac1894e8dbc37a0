"""The models of this field on any DataFrame: what ``import alsbench as als`` offers without a workspace.

A room of its own on top of ``stats``: frames and formulas in, frames out. Nothing here knows a trial, a snapshot or a study
file; pandas, patsy and statsmodels are imported when a model is asked for.
"""
