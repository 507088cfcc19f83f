"""Three-way merges of metafiles and of trees, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from gitmlog.core.paths import display
from gitmlog.metafile.change import describe
from gitmlog.metafile.schema import DirectoryFacts, FileFacts, Metafile
from gitmlog.metafile.text import format_metafile
from gitmlog.metafile.tree import TreeEntry

Side = Literal["ours", "theirs"]
Entries = Mapping[str, TreeEntry]
T = TypeVar("T")
_SHOWN = 20


@dataclass(frozen=True)
class MergedTree:
    """Two versions of a directory brought together.

    Attributes:
        entries: by path; where both sides changed one differently, that of the side that was favoured.
        conflicts: those paths, sorted.
    """

    entries: Entries
    conflicts: tuple[str, ...] = ()


def merge_trees(base: Entries, ours: Entries, theirs: Entries, favour: Side = "ours") -> MergedTree:
    """What one side alone changed, and what both changed alike, is taken over; elsewhere the side `favour` wins.

    A path that one side has as a file and the other as a folder is in conflict, too.
    """
    merged, conflicts = dict[str, TreeEntry](), set[str]()
    for path in {*base, *ours, *theirs}:
        old, left, right = base.get(path), ours.get(path), theirs.get(path)
        if right in (left, old):
            found = left
        elif left == old:
            found = right
        else:
            found = left if favour == "ours" else right
            conflicts.add(path)
        if found is not None:
            merged[path] = found
    conflicts |= _clear_folders(merged, ours if favour == "ours" else theirs)
    return MergedTree(merged, tuple(sorted(conflicts)))


def _clear_folders(merged: dict[str, TreeEntry], favoured: Entries) -> set[str]:
    """Files that are folders of others: of each, and of what is below it, that stays which is in `favoured`. Returns them."""
    folders = {path[:at] for path in merged for at in range(len(path)) if path[at] == "/"}
    clashes = folders & merged.keys()
    for clash in clashes:
        below = [path for path in merged if path.startswith(f"{clash}/")]
        for path in below if clash in favoured else [clash]:
            merged.pop(path, None)
    return clashes


def merge_facts(base: Metafile | None, ours: Metafile, theirs: Metafile) -> Metafile | None:
    """The metafile in which each fact is that of the side that changed it; None where both changed one differently.

    The bytes, and all that is said of them, are one fact.
    """
    facts = _pick(base.facts if base else None, ours.facts, theirs.facts)
    kind = _pick(base.type if base else None, ours.type, theirs.type)
    desc = _pick(base.desc if base else None, ours.desc, theirs.desc)
    return None if facts is None or kind is None or desc is None else Metafile(facts[0], kind[0], desc[0])


def _pick(base: object, ours: T, theirs: T) -> tuple[T] | None:
    if theirs in (ours, base):
        return (ours,)
    return (theirs,) if ours == base else None


def with_facts(base: Metafile | None, ours: Metafile, theirs: Metafile, facts: FileFacts | DirectoryFacts) -> Metafile | None:
    """As `merge_facts`, where it was settled what the bytes are."""
    return merge_facts(
        replace(base, facts=facts) if base is not None else None, replace(ours, facts=facts), replace(theirs, facts=facts)
    )


@dataclass(frozen=True)
class SideText:
    """One side of a conflict: its metafile, and in words where it comes from ("" when that is not known)."""

    metafile: Metafile
    origin: str = ""

    def label(self, side: Side) -> str:
        """What stands beside git's marker."""
        return ", ".join(part for part in (f"{side}: {describe(self.metafile)}", self.origin) if part)


def conflict_text(ours: SideText, theirs: SideText, path: str, conflicts: Sequence[str] | None = (), width: int = 7) -> bytes:
    """Both metafiles between git's markers, each with what it is in words; of a directory also the paths in conflict.

    `conflicts` is None where the listings could not be had, so that the directory was not merged path by path.
    """
    name = display(path)
    what = "changed" if ours.metafile.is_directory == theirs.metafile.is_directory else "is a file here and a directory there,"
    lines = [f"# {name} {what} on both sides; take one: gitmlog checkout --ours {name}, or --theirs {name}"]
    if conflicts is None:
        lines += ["# the listings could not be had, so it was not merged file by file: the same commands try it again"]
    lines += [f"# both sides changed {display(each)}" for each in (conflicts or ())[:_SHOWN]]
    lines += [f"# and {len(conflicts) - _SHOWN} more"] if conflicts and len(conflicts) > _SHOWN else []
    left, right = f"{'<' * width} {ours.label('ours')}", f"{'>' * width} {theirs.label('theirs')}"
    texts = [format_metafile(each.metafile).decode() for each in (ours, theirs)]
    return "".join([*(f"{line}\n" for line in (*lines, left)), texts[0], "=" * width, "\n", texts[1], f"{right}\n"]).encode()
