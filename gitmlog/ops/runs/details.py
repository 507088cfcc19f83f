"""Everything about one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from gitmlog.core.errors import DataError, GitmlogError
from gitmlog.git.treediff import FileChange
from gitmlog.ops.runs.codediff import uncommitted
from gitmlog.ops.runs.contents import environment_of, listing
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.artifacts import Artifacts

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

T = TypeVar("T")


@dataclass(frozen=True)
class Details:
    """One run.

    Attributes:
        found: its record, and where it is.
        artifacts: its files, with the outputs that the cache keeps.
        environment: the tables of environment.toml.
        changes: files that were not as in the commit it started from.
        notes: what could not be read, and why.
    """

    found: Found
    artifacts: Artifacts
    environment: dict[str, Any]
    changes: tuple[FileChange, ...]
    notes: tuple[str, ...]


def details(ws: Workspace, found: Found) -> Details:
    """What there is to say about a run. What cannot be read is a note: the record alone is worth showing."""
    if found.live:
        return Details(found, listing(ws, found), {}, (), ("it is still going: this is what it has logged so far",))
    notes: list[str] = []
    artifacts = _read(lambda: listing(ws, found), Artifacts(), notes)
    environment: dict[str, Any] = _read(lambda: environment_of(ws, found), {}, notes)
    changes: list[FileChange] = _read(lambda: uncommitted(ws, found), [], notes)
    return Details(found, artifacts, environment, tuple(changes), tuple(notes))


def _read(read: Callable[[], T], default: T, notes: list[str]) -> T:
    try:
        return read()
    except GitmlogError as error:
        if isinstance(error, DataError) and error.kind == "newer-version":
            raise
        notes.append(error.message)
        return default
