"""Floor 7: the only place with click, the environment and printing."""
