"""Git's hooks and drivers: putting them in place, and what each of them does when git calls it (guide: hooks.md)."""
