"""What a branch does to tracked paths and runs, as values: what every form of the report is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gitmlog.metafile.change import MetafileChange
from gitmlog.runs.record import RunRecord

VERSION = 1
Place = Literal["there", "missing", "not-checked"]


@dataclass(frozen=True)
class FilesChanged:
    """What differs in a tracked directory: paths below it."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class PathChange:
    """One tracked path.

    Attributes:
        change: what its metafiles say.
        files: of a directory, which files differ; None where a tree is not in the cache.
        place: whether the remote has the new object.
    """

    change: MetafileChange
    files: FilesChanged | None = None
    place: Place = "not-checked"


@dataclass(frozen=True)
class Unreadable:
    """A metafile or a run's record that breaks the rules: its path in git, why, and the kind of the error."""

    path: str
    reason: str
    kind: str


@dataclass(frozen=True)
class RunAdded:
    """A run whose record the branch brings; `missing` are those of its objects that the remote was seen not to have."""

    record: RunRecord
    objects: int = 0
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class LargeFile:
    """A file that the branch puts into git itself.

    Attributes:
        path: where it stood first.
        commit: that which brought it.
        size: bytes; of one that a partial clone has left out, the least that it can have.
        exact: whether `size` is known.
        kept: whether the branch still has it at its end; git's history has it in any case.
    """

    path: str
    commit: str
    size: int
    exact: bool
    kept: bool


@dataclass(frozen=True)
class RemoteFacts:
    """Which remote was asked: its name, or "" and why none was."""

    name: str = ""
    why_not: str = ""


@dataclass(frozen=True)
class Totals:
    """Counts of tracked paths, and bytes of the objects that the branch brings."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    renamed: int = 0
    new_bytes: int = 0


@dataclass(frozen=True)
class Report:
    """What a reviewer should know about a branch.

    Attributes:
        base, head, merge_base: commits, 40 hex digits.
        paths: the tracked paths that differ, by path.
        unreadable: what could not be read of the branch.
        runs: the runs that it brings, by id.
        large: large files that went into git.
        large_limit: bytes from which a file is large.
        remote: which remote was asked for the objects.
        notes: what else to look at.
    """

    base: str
    head: str
    merge_base: str
    paths: tuple[PathChange, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    runs: tuple[RunAdded, ...] = ()
    large: tuple[LargeFile, ...] = ()
    large_limit: int = 0
    remote: RemoteFacts = field(default_factory=RemoteFacts)
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The paths whose objects the remote was seen not to have."""
        paths = [each.change.path for each in self.paths if each.place == "missing"]
        return (*paths, *(path for run in self.runs for path in run.missing))

    @property
    def needs_attention(self) -> bool:
        """Whether something is wrong: an unreadable record, an object that the remote lacks, a large file in git."""
        return bool(self.unreadable or self.missing or self.large)

    @property
    def totals(self) -> Totals:
        """How much changes. An object that two paths name counts once."""
        kinds = [each.change.kind for each in self.paths]
        new = {each.change.new.oid: each.change.new.facts.size for each in self.paths if _brings(each.change)}  # type: ignore[union-attr]
        return Totals(
            kinds.count("added"), kinds.count("removed"), kinds.count("changed"), kinds.count("renamed"), sum(new.values())
        )


def _brings(change: MetafileChange) -> bool:
    return change.new is not None and (change.old is None or change.old.oid != change.new.oid)
