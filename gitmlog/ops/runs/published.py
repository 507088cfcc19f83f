"""Which runs git remotes are known to have, without asking them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from gitmlog.core.errors import GitmlogError
from gitmlog.git.exchange import git_remotes
from gitmlog.git.refs import read_refs
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.artifacts import NAME, parse_artifacts
from gitmlog.runs.record import FOLDER, is_run_id
from gitmlog.runs.tags import PREFIX

_CLONED = re.compile(rb"> (\d{1,12}) [+-]\d{4}\tclone: ")
_LOOK_AT = 1000


def published_runs(ws: Workspace, tags: Mapping[str, str]) -> set[str]:
    """Those of `tags` (id -> tag object) that a git remote was seen to have, or that are older than this clone."""
    known, cloned = ws.pushed.published(git_remotes(ws.git)), _cloned(ws)
    return {run for run, tag in tags.items() if tag in known or run[:15] < cloned}


def unpublished_runs(ws: Workspace) -> int:
    """How many runs that were made here no git remote is known to have; 0 when git has no remote.

    Somebody else's run, which `git fetch --tags` brought, has no object in the cache.
    """
    if not git_remotes(ws.git):
        return 0
    refs = read_refs(ws.git, [PREFIX])
    tags = {run: tag for ref, tag in refs.items() if is_run_id(run := ref.removeprefix(PREFIX))}
    unknown = sorted(tags.keys() - published_runs(ws, tags), reverse=True)
    return sum(_is_from_here(ws, run) for run in unknown[:_LOOK_AT]) + len(unknown[_LOOK_AT:])


def _is_from_here(ws: Workspace, run: str) -> bool:
    with suppress(GitmlogError):
        data = ws.git.file_at(PREFIX + run, f"{FOLDER}/{run}/{NAME}")
        objects = [each.blake3 for each in parse_artifacts(data, run).all] if data is not None else []
        return not objects or any(ws.cache.has(oid) for oid in objects)
    return True


def _cloned(ws: Workspace) -> str:
    """When this clone was made, as ids begin; "" when it is none."""
    try:
        with open(ws.git.commondir / "logs" / "HEAD", "rb") as stream:
            found = _CLONED.search(stream.readline(1 << 16))
    except OSError:
        return ""
    return f"{datetime.fromtimestamp(int(found[1]), UTC):%Y%m%d-%H%M%S}" if found else ""
