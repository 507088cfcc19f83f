"""Writing git objects in process: each synced, or many at once and then synced together."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gitmlog.core.atomic import sync_filesystem
from gitmlog.core.errors import GitError, RefusedError
from gitmlog.git.identity import Identity
from gitmlog.git.plumbing import run_git
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

T = TypeVar("T")

_SYNCED = threading.RLock()
"""libgit2's switch for syncing is one for the whole process: who relies on it, and who turns it off, hold this."""

_PATIENCE = 1.0
"""Seconds that another git may be in the way of one ref or one object."""

_STEP = 0.02

_DISK = {
    "no space": errno.ENOSPC,
    "quota": errno.EDQUOT,
    "read-only": errno.EROFS,
    "permission denied": errno.EACCES,
}


@contextmanager
def git_errors() -> Iterator[None]:
    """What libgit2 says about a disk, as an OSError; anything else of it, as a GitError."""
    import pygit2

    try:
        yield
    except OSError as error:
        if error.errno is None and (code := _disk_error(error)) is not None:  # pygit2 hands on the text alone
            raise OSError(code, os.strerror(code)) from error
        raise
    except pygit2.GitError as error:
        if (code := _disk_error(error)) is not None:
            raise OSError(code, os.strerror(code)) from error
        raise GitError(f"git objects: {error}", hint="`git fsck` and `gitmlog doctor` say more") from error


def _disk_error(error: Exception) -> int | None:
    said = str(error).lower()
    return next((code for words, code in _DISK.items() if words in said), None)


@contextmanager
def quick_writes(repo: GitRepo) -> Iterator[None]:
    """Objects written inside are synced together at the end (syncfs), not each on its own."""
    import pygit2

    with _SYNCED:
        pygit2.settings.enable_fsync_gitdir(False)
        try:
            yield
        finally:
            pygit2.settings.enable_fsync_gitdir(True)
        sync_filesystem(repo.commondir / "objects")


@contextmanager
def synced_writes() -> Iterator[None]:
    """Objects and refs written inside are each synced before they are there."""
    import pygit2

    with _SYNCED:
        pygit2.settings.enable_fsync_gitdir(True)
        yield


def write_blob(repo: GitRepo, data: bytes) -> str:
    """The id of these bytes, now a blob."""
    return str(patiently(lambda: repo.handle.create_blob(data)))


def write_tree(repo: GitRepo, base: str, changes: Mapping[str, str | None]) -> str:
    """The tree `base` (a tree's id) with blobs put at paths (None takes a path out); only the folders on the way are written."""
    nested: dict[str, dict[str, str | None]] = {}
    here: dict[str, str | None] = {}
    for path, blob in changes.items():
        head, _, rest = path.partition("/")
        if rest:
            nested.setdefault(head, {})[rest] = blob
        else:
            here[head] = blob
    return str(_write_folder(repo, repo.handle[base] if base else None, here, nested))


def _write_folder(
    repo: GitRepo, tree: object, here: Mapping[str, str | None], nested: Mapping[str, Mapping[str, str | None]]
) -> pygit2.Oid:
    import pygit2

    folder = tree if isinstance(tree, pygit2.Tree) else None
    builder = repo.handle.TreeBuilder(folder) if folder is not None else repo.handle.TreeBuilder()
    for name, blob in here.items():
        if blob is None:
            if builder.get(name) is not None:
                builder.remove(name)
        else:
            mode = 0o100755 if folder is not None and name in folder and folder[name].filemode == 0o100755 else 0o100644
            builder.insert(name, blob, mode)
    for name, changes in nested.items():
        below = folder[name] if folder is not None and name in folder else None
        base = str(below.id) if isinstance(below, pygit2.Tree) else ""
        builder.insert(name, write_tree(repo, base, changes), 0o040000)
    return patiently(builder.write)


def write_commit(repo: GitRepo, tree: str, parents: list[str], message: str, person: Identity, time: datetime) -> str:
    """A commit object; no ref is moved. libgit2's own function for it says nothing when the disk is full (1.9.7)."""
    from pygit2.enums import ObjectType

    who = f"{person.name} <{person.email}> {int(time.timestamp())} {time:%z}"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}", "", message]
    data = "\n".join(lines).encode("utf-8", "replace")
    return str(patiently(lambda: repo.handle.write(ObjectType.COMMIT, data)))


def write_tag(repo: GitRepo, name: str, commit: str, message: str, person: Identity, time: datetime) -> str:
    """An annotated tag object called `name`; no ref is made."""
    head = f"object {commit}\ntype commit\ntag {name}\ntagger {person.name} <{person.email}> {int(time.timestamp())} +0000\n"
    from pygit2.enums import ObjectType

    data = f"{head}\n{message}".encode("utf-8", "replace")
    return str(patiently(lambda: repo.handle.write(ObjectType.TAG, data)))


def create_ref(repo: GitRepo, name: str, oid: str) -> None:
    """Make a ref that must not be there yet.

    Raises:
        RefusedError: kind `exists`.
    """
    import pygit2

    try:
        patiently(lambda: repo.handle.references.create(name, oid))
    except pygit2.AlreadyExistsError as error:
        raise RefusedError(f"{name} is there already", kind="exists", hint="nothing was overwritten") from error
    except ValueError as error:
        raise GitError(f"{name} cannot be made: {error}") from error


def ref_target(repo: GitRepo, name: str) -> str:
    """The id that a ref holds, or "" when there is none."""
    reference = repo.handle.references.get(name)
    return str(reference.target) if reference is not None else ""


def delete_ref(repo: GitRepo, name: str) -> None:
    """Take a ref away, and its log; that it is not there is fine.

    A packed one is deleted by git: libgit2 (1.9.7) reads packed-refs before it locks the file, and writes back a list without
    what another git had put into it in between. A loose one is a file: git would lock packed-refs for it too.

    Raises:
        GitError: another git holds a lock for longer than a second.
    """

    def delete() -> None:
        for path in (name, f"logs/{name}"):
            with suppress(FileNotFoundError, NotADirectoryError):
                (repo.commondir / path).unlink()
        if repo.handle.references.get(name) is not None:
            run_git(repo.gitdir, None, ["-c", "core.filesRefLockTimeout=1000", "update-ref", "--no-deref", "-d", name])
            if repo.handle.references.get(name) is not None:  # a `git pack-refs` that had read it has written it once more
                raise OSError(errno.EAGAIN, f"{name} is there again")

    patiently(delete)


def refs_below(repo: GitRepo, prefix: str) -> list[str]:
    """The names of the refs that begin with `prefix`, which ends with "/"."""
    return [name for name in repo.handle.references if name.startswith(prefix)]


def patiently(action: Callable[[], T]) -> T:
    """What `action` returns, tried again for a second: another git may hold packed-refs for a moment, or, as `git gc` does, take
    away the empty folder of a ref or an object just when one is made in it.

    Raises:
        pygit2.GitError, OSError: it fails for another reason, or for that one all the time.
    """
    import pygit2

    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return action()
        except pygit2.AlreadyExistsError:
            raise
        except (pygit2.GitError, OSError) as error:  # which of them it is depends on what libgit2 failed at
            if not _is_passing(error) or time.monotonic() > deadline:
                raise
            time.sleep(_STEP)


def _is_passing(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno == errno.EAGAIN:
        return True
    return _disk_error(error) is None and any(word in str(error).lower() for word in ("lock", "no such file"))


def free_ref(repo: GitRepo, name: str) -> None:
    """Remove the lock that a killed process left on a ref. Only for refs that nobody but the caller makes or deletes.

    A `git pack-refs` may hold it for a moment: who holds it longer is dead.
    """
    lock = repo.commondir / f"{name}.lock"
    deadline, first = time.monotonic() + _PATIENCE, _inode(lock)
    while first and _inode(lock) == first:
        if time.monotonic() > deadline:
            lock.unlink(missing_ok=True)
            return
        time.sleep(_STEP)


def _inode(path: Path) -> int:
    try:
        return path.lstat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return 0
