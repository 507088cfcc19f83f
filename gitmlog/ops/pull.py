"""Fetch, then check out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gitmlog.core.errors import UsageError
from gitmlog.core.progress import SILENT, Progress
from gitmlog.ops.carry import CheckedOut
from gitmlog.ops.checkout import checkout
from gitmlog.ops.sync import SyncOptions, SyncReport, fetch
from gitmlog.repo.workspace import Workspace


def pull(
    ws: Workspace,
    paths: Sequence[str],
    base: Path,
    options: SyncOptions | None = None,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> tuple[SyncReport | None, list[CheckedOut]]:
    """Fetch what is needed and write it into the working tree; the report is None when nothing is tracked.

    Raises:
        as `fetch` and `checkout` do.
    """
    options = options or SyncOptions()
    if options.revision and not paths:
        hint = "gitmlog pull --rev REV PATH…; to have all of that revision: git checkout REV, then gitmlog pull"
        raise UsageError("--rev needs the paths to take from that revision", hint=hint)
    if not paths and not options.all and not ws.tracked():
        return None, []
    report = fetch(ws, paths, base, options, progress=progress)
    return report, checkout(ws, paths, base, revision=options.revision, force=force, progress=progress)
