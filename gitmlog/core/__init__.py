"""Floor 0: errors, digests, paths, atomic files, locks, progress. Imports nothing of gitmlog."""
