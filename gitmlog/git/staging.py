"""Changing the index durably, with a lock that survives no kill.

git's own `index.lock` stays behind when its process is killed. Ours says whose it is: it is a hard link to a file that
its owner holds locked (flock), so that the next command can tell a dead owner's lock from a living git's and remove it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from gitmlog.core.atomic import sync_path, write_new
from gitmlog.core.errors import GitError
from gitmlog.core.session import Session, session
from gitmlog.git.plumbing import ask_git, run_git
from gitmlog.git.repository import GitRepo

_MARK = b"gitmlog index lock\n"
_WAIT = 10.0
_GONE = f"0 {'0' * 40}"


def stage(repo: GitRepo, changes: Mapping[str, bytes | None]) -> None:
    """Put texts into the index (None takes a path out), all or nothing. Durable when this returns.

    Raises:
        GitError: kind `index-locked`, when another git holds the index.
    """
    entries = {
        path: _GONE if data is None else f"{_mode(repo, path)} {repo.handle.create_blob(data)}" for path, data in changes.items()
    }
    _change(repo, entries)


def refresh(repo: GitRepo) -> None:
    """Let git see that files are as the index has them, where their times alone say otherwise. Filters are not run for it.

    Commands of git that do not look themselves (`git subtree`, `git sparse-checkout`) take such files for changed.

    Raises:
        GitError: kind `index-locked`.
    """
    arguments, extra = ["update-index", "-q", "--refresh"], _without_filters(repo)
    _locked(repo, lambda index: ask_git(repo.gitdir, repo.worktree, arguments, extra={**extra, **index}))


def _without_filters(repo: GitRepo) -> dict[str, str]:
    """Variables that leave git no filter to run. A file that needs one is taken for changed, as it was before."""
    done = ask_git(repo.gitdir, None, ["config", "--name-only", "-z", "--get-regexp", r"^filter\..*\.(clean|process|required)$"])
    keys = sorted({key for key in done.out.decode("utf-8", "surrogateescape").split("\0") if key})
    pairs = {f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(keys)}
    pairs |= {f"GIT_CONFIG_VALUE_{number}": "false" if key.endswith(".required") else "" for number, key in enumerate(keys)}
    return {"GIT_CONFIG_COUNT": str(len(keys)), **pairs}


def stage_entries(repo: GitRepo, changes: Mapping[str, tuple[int, str] | None]) -> None:
    """Put blobs into the index, each a mode and an id (None takes a path out), in this order. As `stage` otherwise."""
    _change(repo, {path: f"{entry[0]:o} {entry[1]}" if entry else _GONE for path, entry in changes.items()})


def _change(repo: GitRepo, entries: Mapping[str, str]) -> None:
    if not entries:
        return
    _locked(repo, lambda index: _put(repo, entries, index))


def _locked(repo: GitRepo, edit: Callable[[dict[str, str]], object]) -> None:
    """Change the index; `edit` is given the variable that makes git write a copy. Durable when this returns."""
    with session(repo.gitdir / "gitmlog" / "tmp") as temporary, _index_lock(repo, temporary):
        copy = temporary.name()
        if (repo.gitdir / "index").exists():
            shutil.copyfile(repo.gitdir / "index", copy)
        edit({"GIT_INDEX_FILE": os.fspath(copy)})
        for path in (*repo.gitdir.glob("sharedindex.*"), copy):  # of a split index, the larger part
            sync_path(path)
        os.rename(copy, repo.gitdir / "index")
    sync_path(repo.gitdir)  # the new index is there, and the lock is gone
    repo.refresh_index()


def _mode(repo: GitRepo, path: str) -> str:
    try:
        return f"{int(repo.index[path].mode):o}"
    except KeyError:
        return "100644"


def _put(repo: GitRepo, entries: Mapping[str, str], index: dict[str, str]) -> None:
    lines = (f"{entry}\t{path}\0" for path, entry in entries.items())
    run_git(repo.gitdir, repo.worktree, ["update-index", "-z", "--index-info"], data=_raw(lines), extra=index)
    left_out = [path for path, entry in entries.items() if entry != _GONE and repo.is_left_out(path)]
    if left_out:  # git forgot that of an entry that it was given anew, and would take the file for deleted
        names = (f"{path}\0" for path in left_out)
        run_git(repo.gitdir, repo.worktree, ["update-index", "-z", "--skip-worktree", "--stdin"], data=_raw(names), extra=index)


def _raw(lines: Iterable[str]) -> bytes:
    return "".join(lines).encode("utf-8", "surrogateescape")


@contextmanager
def _index_lock(repo: GitRepo, temporary: Session) -> Iterator[None]:
    marker = temporary.name()
    write_new(marker, _MARK)  # synced: after a power cut the lock must still say whose it is
    fd = os.open(marker, os.O_RDWR | os.O_CLOEXEC)
    lock = repo.gitdir / "index.lock"
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        _take(marker, lock)
        try:
            yield
        finally:
            os.unlink(lock)
    finally:
        os.close(fd)


def _take(marker: Path, lock: Path) -> None:
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            os.link(marker, lock)
        except FileExistsError:
            remove_dead_lock(lock)
        else:
            return
        if time.monotonic() > deadline:
            hint = "wait for the other git to end; if none runs, it was killed: delete that file"
            raise GitError(f"another git holds {lock}", kind="index-locked", hint=hint)
        time.sleep(0.02)


def remove_dead_lock(lock: Path) -> bool:
    """Remove an index lock that a killed gitmlog left; one that git holds is not touched."""
    with suppress(FileNotFoundError):
        fd = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.read(fd, len(_MARK)) != _MARK:
                return False
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_ino == os.stat(lock).st_ino:
                os.unlink(lock)
                return True
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
    return False
