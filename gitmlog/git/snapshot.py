"""The working tree as a git tree, made in memory: no index, branch or file of the user moves (spec: run.md, The commit)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display
from gitmlog.git.durable import git_errors, quick_writes, synced_writes
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

MAX_UNTRACKED = 10_000
_FEW = 16
_SHOWN = 3
_GITLINK = 0o160000
_STATES = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


@dataclass(frozen=True)
class Snapshot:
    """The code as it was.

    Attributes:
        tree: the id of the git tree.
        commit: HEAD's commit, "" on an unborn branch.
        branch: the branch that HEAD names, "" when it is detached.
        changed: paths that were not as in that commit, deleted ones among them.
        untracked: paths that were not in it.
        state: what was under way: `merge`, `rebase`, …, or "".
        notes: what could not be taken in, and why.
    """

    tree: str
    commit: str
    branch: str
    changed: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    state: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class _Found:
    gone: list[str] = field(default_factory=list)
    entries: list[tuple[str, pygit2.Oid, int]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    large: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def take_snapshot(repo: GitRepo, limit: int, leave_out: Callable[[str], str | None]) -> Snapshot:
    """Write the working tree's files as git objects; those objects are durable when this returns.

    Args:
        repo: the repository.
        limit: bytes that one file may have.
        leave_out: of an untracked path: None to take it in, else why it is left out: "" when that is worth no word.

    Raises:
        RefusedError: kind `untracked-large`: a file is larger, or there are more than 10,000 untracked files.
        GitError: the repository cannot be read; OSError: it cannot be written.
    """
    import pygit2

    with git_errors():
        found = _Found()
        paths = _look(repo, leave_out, found)
        with quick_writes(repo) if len(paths) > _FEW else synced_writes():
            for path, untracked in paths.items():
                _take(repo, path, untracked, limit, found)
            _check(found, limit)
            tree = _tree(repo, found)
    commit = "" if repo.is_unborn else str(repo.handle.head.peel(pygit2.Commit).id)
    return Snapshot(
        str(tree), commit, _branch(repo), tuple(found.changed), tuple(found.untracked), _state(repo), tuple(found.notes)
    )


def _look(repo: GitRepo, leave_out: Callable[[str], str | None], found: _Found) -> dict[str, bool]:
    """The paths that are not as in HEAD, and whether git does not know them."""
    from pygit2.enums import FileStatus

    paths = {}
    for path, flags in repo.handle.status(untracked_files="all", ignored=False).items():
        if not flags & ~FileStatus.IGNORED:
            continue
        untracked = bool(flags & FileStatus.WT_NEW)
        why = leave_out(path) if untracked else None
        if why is None:
            paths[path] = untracked
        elif why:
            found.notes.append(f"{display(path)} is not in the snapshot: {why}")
    return paths


def _take(repo: GitRepo, path: str, untracked: bool, limit: int, found: _Found) -> None:
    full = repo.worktree / path
    try:
        info = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        found.gone.append(path)
        found.changed.append(path)
        return
    if stat.S_ISDIR(info.st_mode):
        _take_repository(repo, path.rstrip("/"), found)
        return
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
        found.notes.append(f"{display(path)} is no plain file: it is not in the snapshot")
        return
    if info.st_size > limit:
        found.large[path] = info.st_size
        return
    try:
        oid, mode = _blob(repo, full, path, info)
    except (OSError, UnicodeError) as error:
        found.notes.append(f"{display(path)} could not be read: it is not in the snapshot ({error})")
        return
    found.entries.append((path, oid, mode))
    (found.untracked if untracked else found.changed).append(path)


def _blob(repo: GitRepo, full: Path, path: str, info: os.stat_result) -> tuple[pygit2.Oid, int]:
    if stat.S_ISLNK(info.st_mode):
        return repo.handle.create_blob(os.fsencode(os.readlink(full))), 0o120000
    with open(full, "rb"):  # libgit2 takes a file that may not be read for an empty one
        pass
    oid = repo.handle.create_blob_fromworkdir(path)
    config = repo.handle.config
    if "core.filemode" in config and not config.get_bool("core.filemode"):
        return oid, repo.index_mode(path) or 0o100644
    return oid, 0o100755 if info.st_mode & 0o100 else 0o100644


def _take_repository(repo: GitRepo, path: str, found: _Found) -> None:
    """A submodule is the commit that is checked out in it; another repository in the working tree is not taken in."""
    import pygit2

    if repo.index_mode(path) != _GITLINK:
        found.notes.append(f"{display(path)} is another git repository: it is not in the snapshot")
        return
    try:
        head = pygit2.Repository(os.fspath(repo.worktree / path)).head.target
    except (pygit2.GitError, KeyError):
        found.notes.append(f"the submodule {display(path)} has no commit: it is as HEAD has it")
        return
    found.entries.append((path, pygit2.Oid(hex=str(head)), _GITLINK))
    found.changed.append(path)


def _check(found: _Found, limit: int) -> None:
    if found.large:
        path, size = max(found.large.items(), key=lambda item: item[1])
        others = f" (and {len(found.large) - 1} more)" if len(found.large) > 1 else ""
        name = display(path)
        raise RefusedError(
            f"{name}{others} has {size:,} bytes: too large to be kept with the code of a run (at most {limit:,})",
            kind="untracked-large",
            hint=f"gitmlog add {name}; or, if it is no code, put it into .gitignore; if the run writes it, name it as an output",
        )
    if len(found.untracked) > MAX_UNTRACKED:
        some = ", ".join(display(path) for path in found.untracked[:_SHOWN])
        raise RefusedError(
            f"{len(found.untracked):,} files are untracked ({some}, …): too many to be code (at most {MAX_UNTRACKED:,})",
            kind="untracked-large",
            hint="put their folder into .gitignore, or track it: gitmlog add FOLDER",
        )


def _tree(repo: GitRepo, found: _Found) -> pygit2.Oid:
    import pygit2

    index = pygit2.Index()
    if not repo.is_unborn:
        index.read_tree(repo.handle.head.peel(pygit2.Tree))
    for path in found.gone:
        if path in index:
            index.remove(path)
    for path, oid, mode in found.entries:
        index.add(pygit2.IndexEntry(path, oid, mode))  # type: ignore[arg-type]
    return index.write_tree(repo.handle)


def _branch(repo: GitRepo) -> str:
    name = (repo.gitdir / "HEAD").read_text("utf-8", "replace").strip()
    return name.removeprefix("ref: refs/heads/") if name.startswith("ref: refs/heads/") else ""


def _state(repo: GitRepo) -> str:
    return next((word for name, word in _STATES.items() if (repo.gitdir / name).exists()), "")
