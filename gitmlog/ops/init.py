"""Prepare a git repository; repeatable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display
from gitmlog.git.hookplace import hook_place
from gitmlog.git.staging import stage
from gitmlog.ops.hooks.drivers import ATTRIBUTES, install_drivers
from gitmlog.ops.hooks.install import install
from gitmlog.ops.hooks.unwanted import DEFAULT, PATH
from gitmlog.ops.ignore import IgnoreEdits
from gitmlog.repo.workspace import Workspace


@dataclass(frozen=True)
class Initialised:
    """What `init` found or made.

    Attributes:
        root: the working tree.
        cache: where the cache is.
        created: whether this was the first time.
        staged: files that were written and staged, to be committed.
        hooks: the folder that the hooks were put into, or None.
        notes: what was not done, and why.
    """

    root: Path
    cache: Path
    created: bool
    staged: tuple[str, ...] = ()
    hooks: Path | None = None
    notes: tuple[str, ...] = ()


def init(ws: Workspace, python: str = "", *, hooks: bool = True, drivers: bool = True) -> Initialised:
    """Make the cache's folders; put git's hooks in place; name drivers, and what should not be logged, in files to be committed.

    `python` is the interpreter that hooks and drivers shall start. Nothing is committed.

    Raises:
        ConfigError, StorageError, GitError: kind `index-locked`.
    """
    mark = ws.home / "initialised"  # other commands make the folders too
    created = not mark.exists()
    with storage_errors("initialising"):
        ws.cache.objects.mkdir(parents=True, exist_ok=True)
        with ws.changing():
            mark.touch()
            staged = _commit_to_be(ws, drivers, hooks)
            if drivers:
                install_drivers(hook_place(ws.root), python)
    folder, notes = _hooks(ws, python) if hooks else (None, ())
    return Initialised(ws.root, ws.cache.root, created, staged, folder, notes)


def _commit_to_be(ws: Workspace, drivers: bool, hooks: bool) -> tuple[str, ...]:
    edits = IgnoreEdits(ws)
    if drivers:
        for line in ATTRIBUTES:
            edits.add_line(".gitattributes", line)
    if hooks:
        edits.add_file(PATH, DEFAULT)
    changes = edits.write()
    stage(ws.git, changes)
    return tuple(sorted(changes))


def _hooks(ws: Workspace, python: str) -> tuple[Path | None, tuple[str, ...]]:
    """Into a folder that other repositories share, or that is committed, only when somebody asks for it."""
    place = hook_place(ws.root)
    if not place.is_own:
        return None, (f"git's hooks are in {display(place.hooks)} (core.hooksPath): gitmlog hooks install puts ours there",)
    try:
        done = install(place, python)
    except RefusedError as error:
        return None, (f"{error.message}: no hook was installed; {error.hint}",)
    return done.folder, tuple(f"the {name} hook that was there is called first" for name in done.chained)
