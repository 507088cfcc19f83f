"""Prepare a git repository; repeatable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitmlog.core.atomic import storage_errors
from gitmlog.repo.workspace import Workspace


@dataclass(frozen=True)
class Initialised:
    """What `init` found or made: the working tree, the cache, and whether this was the first time."""

    root: Path
    cache: Path
    created: bool


def init(ws: Workspace) -> Initialised:
    """Make the cache's folders. Nothing is committed and no file of the user is touched.

    Raises:
        ConfigError, StorageError.
    """
    mark = ws.home / "initialised"  # other commands make the folders too
    created = not mark.exists()
    with storage_errors("initialising"):
        ws.cache.objects.mkdir(parents=True, exist_ok=True)
        with ws.changing():
            mark.touch()
    return Initialised(ws.root, ws.cache.root, created)
