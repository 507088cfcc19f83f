"""`mv`: rename a tracked path, its metafile and its line in .gitignore together."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gitmlog.core.atomic import storage_errors, sync_path
from gitmlog.core.digest import ObjectId, hash_bytes
from gitmlog.core.errors import NotFoundError, RefusedError
from gitmlog.core.paths import display, metafile_of, tracked_problem
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.staging import stage
from gitmlog.metafile.text import format_metafile
from gitmlog.metafile.tree import format_tree
from gitmlog.ops.content import list_path, read_content
from gitmlog.ops.ignore import IgnoreEdits, check_metafile_visible
from gitmlog.ops.place import check_own
from gitmlog.ops.select import not_tracked
from gitmlog.repo.workspace import Workspace


@dataclass(frozen=True)
class Moved:
    """From where to where, relative to the working tree."""

    source: str
    target: str


def move(ws: Workspace, source: str, target: str, base: Path, *, progress: Progress = SILENT) -> Moved:
    """Rename. A killed `mv` is finished by running it again.

    Raises:
        NotFoundError: kinds `not-tracked`, `no-path`: the folder to move into is not there.
        RefusedError: kinds `exists`, `bad-name`, `nested-metafile`, `metafile-ignored`.
    """
    with storage_errors("moving"), ws.changing(progress):
        old = ws.relative(source.removesuffix(".gitmlog"), base)
        new = _destination(ws, old, ws.relative(target, base))
        if target.endswith("/") and new == ws.relative(target, base):
            hint = f"mkdir -p {display(target)}"
            raise NotFoundError(f"there is no folder {display(target)}", kind="no-path", hint=hint)
        text = ws.metafile_text(old)
        if text is None:
            raise not_tracked(ws, source, old, ws.tracked())
        _check(ws, old, new)
        moved = replace(ws.metafile(old), facts=replace(ws.metafile(old).facts, path=PurePosixPath(new).name))
        # In this order, a killed `mv` can tell at every step that it was not finished: both metafiles are there.
        ws.write(metafile_of(new), format_metafile(moved))
        _rename(ws, old, new)
        _stage(ws, old, new, format_metafile(moved))
        (ws.root / metafile_of(old)).unlink(missing_ok=True)
        sync_path((ws.root / old).parent)
        ws.state.forget(old)
    return Moved(old, new)


def _destination(ws: Workspace, old: str, new: str) -> str:
    if not new or ((ws.root / new).is_dir() and ws.owner(new) is None):
        return f"{new}/{PurePosixPath(old).name}".lstrip("/")
    return new


def _check(ws: Workspace, old: str, new: str) -> None:
    if problem := tracked_problem(new):
        raise RefusedError(f"{display(new)} cannot be tracked: {problem}", kind="bad-name", hint="choose another name")
    check_own(ws, new)
    owner = ws.owner(new)
    lies = os.path.lexists(ws.root / new)
    both = lies and os.path.lexists(ws.root / old)
    unfinished = owner == new != old and not both and ws.metafile(new).oid == ws.metafile(old).oid
    if owner is not None and not unfinished:
        hint = f"choose another name, or first: gitmlog rm {display(owner)}"
        raise RefusedError(f"{display(owner)} is tracked already", kind="exists", hint=hint)
    if new.startswith(f"{old}/"):
        raise RefusedError(f"{display(old)} cannot move into itself", kind="exists", hint="choose another name")
    if both or (lies and not unfinished and _content(ws, new) != ws.metafile(old).oid):
        raise RefusedError(f"{display(new)} exists", kind="exists", hint="move it away, or choose another name")
    check_metafile_visible(ws, new)


def _content(ws: Workspace, path: str) -> ObjectId | None:
    """The id of what lies at `path`, all read; None when it cannot be one object or tree."""
    listing = list_path(ws, path)
    if listing is None or listing.odd:
        return None
    entries = read_content(ws, path, listing, rehash=True).entries
    if "" in entries:
        return entries[""].oid if entries[""].kind != "l" else None
    return hash_bytes(format_tree(entries.values()))


def _rename(ws: Workspace, old: str, new: str) -> None:
    (ws.root / new).parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(ws.root / old):
        os.rename(ws.root / old, ws.root / new)
        sync_path((ws.root / new).parent)


def _stage(ws: Workspace, old: str, new: str, text: bytes) -> None:
    edits = IgnoreEdits(ws)
    edits.unignore(old)
    edits.ignore(new)
    changes = edits.write() | {metafile_of(new): text}
    if ws.git.index_blob(metafile_of(old)) is not None:
        changes[metafile_of(old)] = None
    stage(ws.git, changes)
