"""What the metafiles of a working tree, or of all that git can reach, need: objects, and the tracked paths they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError, GitmlogError
from gitmlog.git.history import reachable_metafiles
from gitmlog.metafile.schema import DirectoryFacts, Metafile
from gitmlog.metafile.tree import TreeEntry
from gitmlog.ops.content import load_tree
from gitmlog.ops.listed import listed
from gitmlog.ops.select import Selection, select
from gitmlog.repo.workspace import Workspace

Chosen = list[tuple[Selection, Metafile]]


@dataclass
class Needs:
    """Objects that metafiles name.

    Attributes:
        files: bytes of each object that is a file's.
        trees: the facts of each object that is a directory's tree.
        paths: the tracked paths, or paths in a tracked directory, that each object belongs to.
        unread: the trees that could not be read, with the reason: what they list is not known.
        notes: metafiles of old revisions that could not be read, and other remarks.
        bad: metafiles of the working tree that could not be read.
    """

    files: dict[ObjectId, int] = field(default_factory=dict)
    trees: dict[ObjectId, DirectoryFacts] = field(default_factory=dict)
    paths: dict[ObjectId, set[str]] = field(default_factory=dict)
    unread: dict[ObjectId, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    @property
    def all(self) -> set[ObjectId]:
        """Every object."""
        return self.files.keys() | self.trees.keys()

    def name(self, oid: ObjectId, path: str) -> None:
        """`oid` belongs to `path`."""
        self.paths.setdefault(oid, set()).add(path)


def chosen_now(ws: Workspace, paths: Sequence[str], base: Path, bad: list[str]) -> Chosen:
    """What the working tree's metafiles say; one that cannot be read is named in `bad`. Raises NotFoundError."""
    chosen = []
    for selection in select(ws, paths, base):
        try:
            chosen.append((selection, ws.metafile(selection.path)))
        except GitmlogError as error:
            bad.append(error.message)
    return chosen


def chosen_ever(ws: Workspace, notes: list[str]) -> Iterator[tuple[Selection, Metafile]]:
    """What the metafiles of all that git reaches say, each text once."""
    for name, data in reachable_metafiles(ws.git):
        try:
            yield from listed(name, data)
        except DataError as error:
            notes.append(f"in an old revision: {error.message}")


def collect(ws: Workspace, chosen: Iterable[tuple[Selection, Metafile]], needs: Needs) -> Needs:
    """Add what these metafiles need; trees are read from the cache, each checked against its id."""
    for selection, metafile in chosen:
        facts = metafile.facts
        needs.name(facts.blake3, selection.path)
        if not isinstance(facts, DirectoryFacts):
            needs.files[facts.blake3] = facts.size
            continue
        needs.trees[facts.blake3] = facts
        for entry in _entries(ws, facts, needs):
            if selection.takes(entry.path):
                needs.files[entry.oid] = entry.size
                needs.name(entry.oid, f"{selection.path}/{entry.path}")
    return needs


def _entries(ws: Workspace, facts: DirectoryFacts, needs: Needs) -> tuple[TreeEntry, ...]:
    try:
        entries = load_tree(ws.cache, facts)
    except DataError as error:
        needs.unread[facts.blake3] = error.message
    else:
        needs.unread.pop(facts.blake3, None)
        return entries
    return ()
