"""What changed between two versions of a metafile, in words: one line a tracked path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from gitmlog.core.sizes import human_size, plural
from gitmlog.metafile.schema import DirectoryFacts, Metafile

Kind = Literal["added", "removed", "changed", "renamed"]


@dataclass(frozen=True)
class MetafileChange:
    """One tracked path that differs between two revisions.

    Attributes:
        path: the tracked path; of a removed one, what it was.
        kind: what happened; `renamed` is the same object under another path.
        old, new: what the metafiles say; None where there is none, or where it cannot be read.
        old_path: what a renamed path was called before, or "".
    """

    path: str
    kind: Kind
    old: Metafile | None
    new: Metafile | None
    old_path: str = ""


def pair_renames(changes: Iterable[MetafileChange]) -> list[MetafileChange]:
    """The changes, with those of one object that went and came made one that is renamed."""
    changes = list(changes)
    gone = {each.path: each for each in changes if each.kind == "removed" and each.old is not None}
    new = {each.path: each.new.oid for each in changes if each.kind == "added" and each.new is not None}
    pairs = pair_by_object({path: each.old.oid for path, each in gone.items() if each.old is not None}, new)
    taken = set(pairs.values())
    found = []
    for each in changes:
        if (old := pairs.get(each.path)) is not None and each.kind == "added":
            found.append(MetafileChange(each.path, "renamed", gone[old].old, each.new, old))
        elif each.kind != "removed" or each.path not in taken:
            found.append(each)
    return found


def pair_by_object(gone: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Paths that came, each with one that went and was the same object (path -> object, both): new -> old.

    Of several alike the one with the same name is taken, else the first.
    """
    left: dict[str, list[str]] = {}
    for path, oid in sorted(gone.items()):
        left.setdefault(oid, []).append(path)
    pairs = {}
    for path, oid in sorted(new.items()):
        if olds := left.get(oid):
            name = path.rpartition("/")[2]
            pairs[path] = next((old for old in olds if old.rpartition("/")[2] == name), olds[0])
            olds.remove(pairs[path])
    return pairs


def describe(metafile: Metafile) -> str:
    """ "90.9 MB", or "25,000 files, 1.2 GB"."""
    facts = metafile.facts
    size = human_size(facts.size)
    return f"{plural(facts.files, 'file')}, {size}" if isinstance(facts, DirectoryFacts) else size


def in_words(change: MetafileChange) -> str:
    """What happened to the path: "added, 90.9 MB", "90.9 MB, was 88.1 MB", "renamed from a.pt", "removed, was 90.9 MB"."""
    old = describe(change.old) if change.old is not None else "unreadable"
    new = describe(change.new) if change.new is not None else "unreadable"
    if change.kind == "added":
        return f"added, {new}"
    if change.kind == "removed":
        return f"removed, was {old}"
    if change.kind == "renamed":
        return f"renamed from {change.old_path}, {new}"
    return f"{new}, was {old}" if new != old else f"{new}, other bytes"
