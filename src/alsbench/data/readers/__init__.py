"""Readers: one format a file, each giving data sets of named, typed columns (:mod:`alsbench.data.dataset`)."""
