"""Use-cases of runs, one a module."""
