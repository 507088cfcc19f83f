"""What is asked of a repository from another thread, or of another repository: nothing is run, nothing is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pygit2


def head_of(folder: Path) -> str:
    """The commit that is checked out in the repository that `folder` lies in; "" without one, or where it may not be read."""
    import pygit2

    try:
        found = pygit2.discover_repository(os.fspath(folder))
        return str(pygit2.Repository(found).head.target) if found is not None else ""
    except (pygit2.GitError, KeyError, ValueError, OSError):
        return ""


def remote_url(gitdir: Path) -> str:
    """The URL of the git remote that the branch follows, else of `origin`, else of the only one; "" when there is none.

    The repository is opened anew: a handle of libgit2 is for one thread.
    """
    import pygit2

    try:
        handle = pygit2.Repository(os.fspath(gitdir))
        urls = {remote.name: remote.url for remote in handle.remotes if remote.name and remote.url}
        followed = _followed(handle)
    except (pygit2.GitError, KeyError, ValueError, OSError):
        return ""
    for name in (followed, "origin"):
        if name in urls:
            return urls[name]
    return next(iter(urls.values())) if len(urls) == 1 else ""


def _followed(handle: pygit2.Repository) -> str:
    if handle.head_is_unborn or handle.head_is_detached:
        return ""
    key = f"branch.{handle.head.shorthand}.remote"
    return str(handle.config[key]) if key in handle.config else ""
