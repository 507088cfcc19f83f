"""The working tree as a git tree, made in memory: no index, branch or file of the user moves (spec: run.md, The commit)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display
from gitmlog.git.durable import git_errors, patiently, quick_writes, synced_writes
from gitmlog.git.index import is_skipped
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

MAX_UNTRACKED = 10_000
_FEW = 16
_SHOWN = 3
_GITLINK = 0o160000
_LINK = 0o120000
_TRIES = 5
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
        new: bytes of each file that git does not know.
        results: blobs of the files that git tracks and runs have written: not in `tree`, which is the code.
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
    new: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _File:
    """A file or link of the working tree that is to be taken in; `new` when HEAD has none there, staged or not."""

    path: str
    untracked: bool
    new: bool
    info: os.stat_result
    is_result: bool = False


@dataclass
class _Found:
    files: list[_File] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    entries: list[tuple[str, pygit2.Oid, int]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)

    def lose(self, path: str) -> None:
        self.gone.append(path)
        self.changed.append(path)

    def put(self, path: str, oid: pygit2.Oid, mode: int, *, untracked: bool = False) -> None:
        self.entries.append((path, oid, mode))
        (self.untracked if untracked else self.changed).append(path)

    def leave(self, path: str, why: str) -> None:
        self.notes.append(f"{display(path)} {why}")


def take_snapshot(
    repo: GitRepo, limit: int, leave_out: Callable[[str], str | None], is_result: Callable[[str], bool] = lambda _: False
) -> Snapshot:
    """Write the working tree's files as git objects; those objects are durable when this returns.

    Args:
        repo: the repository.
        limit: bytes that one file may have.
        leave_out: of an untracked path: None to take it in, else why it is left out: "" when that is worth no word.
        is_result: whether a path that git tracks holds what a run wrote, which is in its commit: then it is as in HEAD.

    Raises:
        RefusedError: kind `untracked-large`: a file is larger, or there are more than 10,000 untracked files.
        GitError: the repository cannot be read; OSError: it cannot be written.
    """
    with git_errors():
        for _ in range(_TRIES):
            head = _head(repo)
            found = _look(repo, leave_out, is_result)
            _check(found.files, limit)
            with quick_writes(repo) if len(found.files) > _FEW else synced_writes():
                for file in found.files:
                    _take(repo, file, found)
                tree = _tree(repo, head, found)
            if _head(repo) == head:  # else somebody committed meanwhile, and what changed was told against another commit
                break
    new = {file.path: file.info.st_size for file in found.files if file.untracked}
    return Snapshot(
        tree=str(tree),
        commit=head,
        branch=_branch(repo),
        changed=tuple(found.changed),
        untracked=tuple(found.untracked),
        state=_state(repo),
        notes=tuple(found.notes),
        new=new,
        results=found.results,
    )


def _head(repo: GitRepo) -> str:
    import pygit2

    return "" if repo.is_unborn else str(repo.handle.head.peel(pygit2.Commit).id)


def _look(repo: GitRepo, leave_out: Callable[[str], str | None], is_result: Callable[[str], bool]) -> _Found:
    """What is not as in HEAD; the files are not read yet."""
    from pygit2.enums import FileStatus

    found = _Found()
    for path, flags in repo.status().items():
        untracked = bool(flags & FileStatus.WT_NEW)
        if not flags & ~FileStatus.IGNORED:
            continue
        if flags == FileStatus.WT_MODIFIED and is_result(path):
            found.files.append(_File(path, False, False, os.lstat(repo.worktree / path), is_result=True))
            continue
        why = leave_out(path) if untracked else None
        if why:
            found.leave(path, f"is not in the snapshot: {why}")
        if why is not None or (flags & FileStatus.INDEX_DELETED and not untracked):
            _drop(flags & FileStatus.INDEX_DELETED, path, found)
        elif flags & FileStatus.WT_DELETED and repo.index_mode(path) != _GITLINK:
            _deleted(repo, path, found)
        else:
            _sort(repo, path, untracked, untracked or bool(flags & FileStatus.INDEX_NEW), found)
    return found


def _drop(was_known: int, path: str, found: _Found) -> None:
    """What is not taken in, although the file is there: git ignores it, or a run has written it."""
    if was_known:
        found.lose(path)


def _deleted(repo: GitRepo, path: str, found: _Found) -> None:
    """A file that is not there; where that is so because of a sparse checkout, it is as git's index has it."""
    if is_skipped(repo.index, path):
        entry = repo.index[path]
        found.entries.append((path, entry.id, int(entry.mode)))
    elif _is_hidden(repo.worktree / path):
        found.leave(path, "is in a folder that may not be read: it is as in HEAD")
    else:
        found.lose(path)


def _is_hidden(full: Path) -> bool:
    try:
        os.lstat(full)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _sort(repo: GitRepo, path: str, untracked: bool, new: bool, found: _Found) -> None:
    try:
        info = os.lstat(repo.worktree / path)
    except (FileNotFoundError, NotADirectoryError):
        found.lose(path)
        return
    if stat.S_ISDIR(info.st_mode):
        _take_folder(repo, path.rstrip("/"), untracked, found)
    elif stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode):
        found.files.append(_File(path, untracked, new, info))
    else:
        found.leave(path, "is no plain file: it is not in the snapshot")


def _take(repo: GitRepo, file: _File, found: _Found) -> None:
    full = repo.worktree / file.path
    try:
        link = _look_into(full, file.info)
    except FileNotFoundError:  # it was there a moment ago: a temporary file of some program
        if not file.untracked:
            found.lose(file.path)
        return
    except OSError as error:
        found.leave(file.path, f"could not be read: it is not in the snapshot ({error.strerror})")
        return
    if link is not None:
        oid, mode = patiently(lambda: repo.handle.create_blob(link)), _LINK
    else:
        oid, mode = patiently(lambda: repo.handle.create_blob_fromworkdir(file.path)), _mode(repo, file)
    if file.is_result:
        found.results[file.path] = str(oid)
    else:
        found.put(file.path, oid, mode, untracked=file.new)


def _look_into(full: Path, info: os.stat_result) -> bytes | None:
    """Where a link leads to; of a file, None, when it can be read: libgit2 takes one that may not be read for an empty one."""
    if stat.S_ISLNK(info.st_mode):
        return os.fsencode(os.readlink(full))
    with open(full, "rb"):
        return None


def _mode(repo: GitRepo, file: _File) -> int:
    config = repo.handle.config
    if "core.filemode" in config and not config.get_bool("core.filemode"):
        return repo.index_mode(file.path) or 0o100644
    return 0o100755 if file.info.st_mode & 0o100 else 0o100644


def _take_folder(repo: GitRepo, path: str, untracked: bool, found: _Found) -> None:
    """A submodule is the commit that is checked out in it; another repository in the working tree is not taken in."""
    if repo.index_mode(path) == _GITLINK:
        _take_submodule(repo, path, found)
        return
    if not untracked:  # a file was here
        found.lose(path)
    if untracked or os.path.lexists(repo.worktree / path / ".git"):
        found.leave(path, "is another git repository: it is not in the snapshot")


def _take_submodule(repo: GitRepo, path: str, found: _Found) -> None:
    import pygit2

    try:
        head = pygit2.Oid(hex=str(pygit2.Repository(os.fspath(repo.worktree / path)).head.target))
    except (pygit2.GitError, KeyError):
        found.leave(path, "is a submodule without a commit: it is as git's index has it")
        head = repo.index[path].id
    found.put(path, head, _GITLINK)


def _check(files: list[_File], limit: int) -> None:
    """Before any file is read: there may be very many, or very large ones."""
    large = [file for file in files if file.info.st_size > limit]
    if large:
        worst = max(large, key=lambda file: file.info.st_size)
        others = f" (and {len(large) - 1} more)" if len(large) > 1 else ""
        name = display(worst.path)
        raise RefusedError(
            f"{name}{others} has {worst.info.st_size:,} bytes: too large to be kept with the code of a run (at most {limit:,})",
            kind="untracked-large",
            hint=f"gitmlog add {name}; or, if it is no code, put it into .gitignore; if the run writes it, name it as an output",
        )
    untracked = [file.path for file in files if file.untracked]
    if len(untracked) > MAX_UNTRACKED:
        some = ", ".join(display(path) for path in untracked[:_SHOWN])
        raise RefusedError(
            f"{len(untracked):,} files are untracked ({some}, …): too many to be code (at most {MAX_UNTRACKED:,})",
            kind="untracked-large",
            hint="put their folder into .gitignore, or track it: gitmlog add FOLDER",
        )


def _tree(repo: GitRepo, head: str, found: _Found) -> pygit2.Oid:
    import pygit2

    index = pygit2.Index()
    if head:
        index.read_tree(repo.handle[head].peel(pygit2.Tree))
    for path in found.gone:
        if path in index:
            index.remove(path)
    for path, oid, mode in found.entries:
        index.add(pygit2.IndexEntry(path, oid, mode))  # type: ignore[arg-type]
    return patiently(lambda: index.write_tree(repo.handle))


def _branch(repo: GitRepo) -> str:
    name = (repo.gitdir / "HEAD").read_text("utf-8", "replace").strip()
    return name.removeprefix("ref: refs/heads/") if name.startswith("ref: refs/heads/") else ""


def _state(repo: GitRepo) -> str:
    return next((word for name, word in _STATES.items() if (repo.gitdir / name).exists()), "")
