"""Paired measurements: gitmlog, its peers and plain `cp` take turns in one run. `python -m tests.benchmarks --help`."""
