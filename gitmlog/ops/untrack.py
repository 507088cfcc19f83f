"""`rm`: stop tracking a path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitmlog.core.atomic import storage_errors, sync_path
from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.staging import stage
from gitmlog.ops.content import list_path, read_content
from gitmlog.ops.ignore import IgnoreEdits
from gitmlog.ops.remove import remove_content
from gitmlog.ops.select import select
from gitmlog.repo.workspace import Workspace, check_tracked_name


@dataclass(frozen=True)
class Untracked:
    """A path that is not tracked any more, and whether its files are still there."""

    path: str
    kept: bool


def untrack(
    ws: Workspace, paths: Sequence[str], base: Path, *, cached: bool = False, force: bool = False, progress: Progress = SILENT
) -> list[Untracked]:
    """Remove the metafiles, and (unless `cached`) the files; what was committed stays in history and in the cache.

    Raises:
        NotFoundError: kind `not-tracked`.
        RefusedError: kinds `would-overwrite`, `part-of-directory`.
    """
    with storage_errors("removing"), ws.changing(progress):
        selections = select(ws, paths, base)
        for selection in selections:
            check_tracked_name(selection.path)
            if selection.parts:
                name = f"{selection.path}/{selection.parts[0]}"
                hint = f"remove the file itself, then: gitmlog add {display(selection.path)}"
                raise RefusedError(
                    f"{display(name)} is a part of the tracked directory {display(selection.path)}",
                    kind="part-of-directory",
                    hint=hint,
                )
            if not cached and not force:
                _check_saved(ws, selection.path, progress)
        edits = IgnoreEdits(ws)
        changes: dict[str, bytes | None] = {}
        for selection in selections:
            edits.unignore(selection.path)
            changes[metafile_of(selection.path)] = None
        for path in (selection.path for selection in selections):
            if not cached:
                remove_content(ws, path)
            (ws.root / metafile_of(path)).unlink(missing_ok=True)
            sync_path((ws.root / path).parent if (ws.root / path).parent.is_dir() else ws.root)
            ws.state.forget(path)
        staged = {
            name: data
            for name, data in (changes | edits.write()).items()
            if data is not None or ws.git.index_blob(name) is not None
        }
        stage(ws.git, staged)
    return [Untracked(selection.path, os.path.lexists(ws.root / selection.path)) for selection in selections]


def _check_saved(ws: Workspace, path: str, progress: Progress) -> None:
    listing = list_path(ws, path)
    if listing is None:
        return
    content = read_content(ws, path, listing, progress=progress)
    unsaved = [name for name, entry in content.entries.items() if ws.cache.size(entry.oid) != entry.size]
    unsaved += listing.odd
    if unsaved:
        name = f"{path}/{unsaved[0]}" if unsaved[0] else path
        several = f" and {len(unsaved) - 1} more" if len(unsaved) > 1 else ""
        hint = f"keep them: gitmlog add {display(path)}, or gitmlog rm --cached {display(path)}; give them up: --force"
        raise RefusedError(
            f"these bytes are kept nowhere else and would be lost: {display(name)}{several}", kind="would-overwrite", hint=hint
        )
