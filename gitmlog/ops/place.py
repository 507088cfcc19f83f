"""Whether a path belongs to this repository, or to another one that lies inside it."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display
from gitmlog.repo.workspace import Workspace

_GITLINK = 0o160000


def check_own(ws: Workspace, path: str) -> None:
    """Refuse a path in a submodule or in a repository of its own: staging it here would take the submodule out of the index.

    Raises:
        RefusedError: kinds `submodule`, `nested-repository`.
    """
    for folder in (path, *(parent.as_posix() for parent in PurePosixPath(path).parents)):
        if folder == ".":
            continue
        if ws.git.index_mode(folder) == _GITLINK:
            hint = f"work in it: cd {display(folder)}, then gitmlog add there"
            raise RefusedError(f"{display(folder)} is a submodule", kind="submodule", hint=hint)
        if os.path.lexists(ws.root / folder / ".git"):
            hint = f"work in it: cd {display(folder)}, then gitmlog add there; or move its .git away"
            raise RefusedError(f"{display(folder)} is another git repository", kind="nested-repository", hint=hint)
