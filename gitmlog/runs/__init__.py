"""Floor 4: what a run is, its texts, its journal, the index of all runs, and the language that asks it."""
