"""Floor 1: the only importers of GitPython and pygit2."""
