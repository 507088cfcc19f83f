"""Telling apart, when a working tree and its metafile differ, who moved: the file, the metafile, or nobody (a part is here)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitmlog.core.digest import ObjectId, hash_bytes
from gitmlog.core.errors import DataError, RefusedError
from gitmlog.core.paths import display
from gitmlog.metafile.schema import Metafile
from gitmlog.metafile.tree import TreeEntry, format_tree, parse_tree
from gitmlog.repo.workspace import Workspace


def content_oid(entries: Mapping[str, TreeEntry]) -> ObjectId:
    """The object that these entries together are: of the file itself, or of the tree that lists them."""
    return entries[""].oid if "" in entries else hash_bytes(format_tree(entries.values()))


def is_behind(ws: Workspace, path: str, metafile: Metafile, oid: ObjectId) -> bool:
    """Whether the files are still the version that gitmlog last knew them to be, and the metafile names another by now."""
    return oid != metafile.oid and ws.state.last(path) == oid


def never_here(ws: Workspace, path: str, metafile: Metafile, absent: Iterable[str]) -> set[str]:
    """Those `absent` entries of a tracked directory that this working tree never had: they were not removed, only not fetched."""
    if ws.state.last(path) == metafile.oid:
        return set()
    seen = ws.state.load(path)
    return {name for name in absent if name not in seen}


def older_entries(ws: Workspace, path: str, metafile: Metafile, entries: Mapping[str, TreeEntry]) -> list[str]:
    """The files of a tracked directory that are still those of the version last known here, where the metafile has moved on.

    As after a merge whose files did not follow, since others of the directory were changed and not saved.
    """
    last = ws.state.last(path)
    if last is None or last == metafile.oid or not metafile.is_directory:
        return []
    try:
        before = {entry.path: entry for entry in parse_tree(ws.cache.read(last), "the tree of the last version")}
        wanted = {entry.path: entry for entry in parse_tree(ws.cache.read(metafile.oid), f"the tree of {path}")}
    except DataError:
        return []
    return sorted(name for name, entry in entries.items() if before.get(name) == entry != wanted.get(name))


def partly_behind_error(path: str, older: Sequence[str]) -> RefusedError:
    """The error for adding a directory of which a part is an older version than the metafile's."""
    name, first = display(path), display(f"{path}/{older[0]}")
    several = f" and {len(older) - 1} more" if len(older) > 1 else ""
    hint = (
        f"add what you changed, file by file, then gitmlog checkout {name}; to go back all the same: gitmlog add --force {name}"
    )
    return RefusedError(f"{first}{several} is an older version: the metafile of {name} has moved on", kind="behind", hint=hint)


def behind_error(path: str) -> RefusedError:
    """The error for adding an older version over a newer metafile."""
    name = display(path)
    hint = f"to have the metafile's version: gitmlog pull {name}; to go back to these bytes: gitmlog add --force {name}"
    return RefusedError(f"{name} is an older version: its metafile has moved on, the file has not", kind="behind", hint=hint)
