"""The second program: the study's endpoints computed again with pandas, SciPy and statsmodels, to be held against the first.

It shares no derivation, design or formula with :mod:`alsbench.analysis` and :mod:`alsbench.stats`: it reads the snapshot
itself and takes of :mod:`alsbench.study` the parsed file and its expression trees only (an import contract). What it cannot
do it says, by raising :class:`alsbench.second.numbers.NotCovered` or by not naming a statistic among those it covers.
"""
