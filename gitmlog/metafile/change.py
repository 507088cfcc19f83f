"""What changed between two versions of a metafile, in words: one line a tracked path."""

from __future__ import annotations

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
