"""Removing what lies at a tracked path, without following a link."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress

from gitmlog.core.atomic import open_folder
from gitmlog.repo.workspace import Workspace


def remove_content(ws: Workspace, path: str) -> None:
    """Remove the file or the whole directory at `path`, if there is one.

    Raises:
        RefusedError: kind `link-in-path`: a parent folder is a link.
    """
    *parents, name = path.split("/")
    root = os.open(ws.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(FileNotFoundError):
        try:
            folder = open_folder(root, tuple(parents))
        finally:
            os.close(root)
        try:
            if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                shutil.rmtree(name, dir_fd=folder)  # follows no link, even one swapped in meanwhile
            else:
                os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)
