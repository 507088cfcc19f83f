"""Everything about one run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from gitmlog.core.errors import DataError, GitmlogError, MissingDataError, NotFoundError, RemoteError
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.treediff import FileChange
from gitmlog.ops.runs.codediff import uncommitted
from gitmlog.ops.runs.contents import artifacts_of, environment_of, listing, log_text, open_artifact
from gitmlog.ops.runs.find import Found, find, search
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.artifacts import Artifacts

T = TypeVar("T")
TRACEBACK = "traceback.txt"
_LONGEST = 16 << 20


@dataclass(frozen=True)
class Details:
    """One run.

    Attributes:
        found: its record, and where it is.
        artifacts: its files, with the outputs that the cache keeps.
        environment: the tables of environment.toml.
        changes: files that were not as in the commit it started from.
        notes: what could not be read, and why.
        parent: the run that it was nested in, when that is here.
        nested: the runs that were nested in it, oldest first.
    """

    found: Found
    artifacts: Artifacts
    environment: dict[str, Any]
    changes: tuple[FileChange, ...]
    notes: tuple[str, ...]
    parent: Found | None = None
    nested: tuple[Found, ...] = ()


def details(ws: Workspace, found: Found) -> Details:
    """What there is to say about a run. What cannot be read is a note: the record alone is worth showing."""
    around = (_parent(ws, found), _nested(ws, found))
    if found.live:
        return Details(found, listing(ws, found), {}, (), ("it is still going: this is what it has logged so far",), *around)
    notes: list[str] = []
    artifacts = _read(lambda: listing(ws, found), Artifacts(), notes)
    environment: dict[str, Any] = _read(lambda: environment_of(ws, found), {}, notes)
    changes: list[FileChange] = _read(lambda: uncommitted(ws, found), [], notes)
    return Details(found, artifacts, environment, tuple(changes), tuple(notes), *around)


def _parent(ws: Workspace, run: Found) -> Found | None:
    with suppress(NotFoundError):
        return find(ws, run.record.parent) if run.record.parent else None
    return None


def _nested(ws: Workspace, run: Found) -> tuple[Found, ...]:
    return search(ws, f"parent = {run.record.id}", "started").runs


def whole_log(ws: Workspace, found: Found, progress: Progress = SILENT) -> bytes:
    """What the run wrote; of a FAILED one with the traceback at the end, when that is not in it (Python was not to print it).

    Raises as `log_text`.
    """
    said = log_text(ws, found, progress)
    if found.record.status != "FAILED" or not has_traceback(artifacts_of(ws, found)):
        return said
    try:
        with open_artifact(ws, found, TRACEBACK, progress=progress) as stream:
            traceback = stream.read(_LONGEST)
    except (MissingDataError, RemoteError):  # what was printed is worth more than an error about the rest
        return said
    last = traceback.strip().rpartition(b"\n")[2]
    if last in said:
        return said
    return said + (b"\n" if said and not said.endswith(b"\n") else b"") + traceback


def has_traceback(artifacts: Artifacts) -> bool:
    """Whether the run kept one."""
    return any(each.path == TRACEBACK and each.files is None for each in artifacts.artifact)


def _read(read: Callable[[], T], default: T, notes: list[str]) -> T:
    try:
        return read()
    except GitmlogError as error:
        if isinstance(error, DataError) and error.kind == "newer-version":
            raise
        notes.append(error.message)
        return default
