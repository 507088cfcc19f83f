"""Tracked paths whose files are not what their metafiles say: a run's commit has the version of the metafile."""

from __future__ import annotations

from contextlib import suppress

from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.ops.content import is_unchanged, list_path
from gitmlog.ops.status import status
from gitmlog.repo.workspace import Workspace

_HASHED = 256 << 20
"""Bytes up to which a suspicion is made sure of by hashing: a run does not wait for more."""


def drifted(ws: Workspace) -> list[str]:
    """The tracked paths that were changed since they were added or checked out here, as far as that is seen quickly.

    Never raises for what it finds: what cannot be told is not told.
    """
    found = []
    for path in _tracked(ws):
        with suppress(GitmlogError, OSError):
            if _has_drifted(ws, path):
                found.append(path)
    return found


def _tracked(ws: Workspace) -> list[str]:
    ws.git.refresh_index()
    return [entry.path.removesuffix(METAFILE_SUFFIX) for entry in ws.git.index if entry.path.endswith(METAFILE_SUFFIX)]


def _has_drifted(ws: Workspace, path: str) -> bool:
    listing, metafile = list_path(ws, path), ws.metafile(path)
    if listing is None or ws.state.last(path) is None or is_unchanged(ws, path, metafile.oid, listing):
        return False
    if sum(info.st_size for info in listing.files.values()) > _HASHED:
        return True
    found = status(ws, [path], ws.root).paths
    return any({"modified", "behind"} & set(item.conditions) for item in found)
