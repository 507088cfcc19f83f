"""Removing what lies at a tracked path, without following a link."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

from gitmlog.repo.workspace import Workspace


def remove_content(ws: Workspace, path: str) -> None:
    """Remove the file or the whole directory at `path`, if there is one."""
    full = ws.root / path
    if full.is_dir() and not full.is_symlink():
        shutil.rmtree(full)  # safe against links that are swapped in (shutil.rmtree.avoids_symlink_attacks)
        return
    with suppress(FileNotFoundError):
        os.unlink(full)
