"""Remarks that several commands make."""

from __future__ import annotations

from gitmlog.cli.output import App


def note_hooks(app: App) -> None:
    """In a clone of a repository whose people use hooks, and where nobody has said yet whether to."""
    ws = app.workspace
    if (ws.root / ".gitmlog/unwanted").exists() and not (ws.home / "initialised").exists():
        app.note("git's hooks are not in place in this clone: gitmlog init")
