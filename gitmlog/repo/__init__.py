"""Floor 3: the repository that a command works in, its configuration, and the order in which things become visible."""
