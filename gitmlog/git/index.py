"""git's index in process. What libgit2 cannot read, a split or sparse one, git itself writes in full, aside."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitmlog.core.errors import GitError
from gitmlog.core.paths import display
from gitmlog.git.plumbing import run_git

if TYPE_CHECKING:
    import pygit2

_SKIP_WORKTREE = 1 << 14
"""git's flag for a file that a sparse checkout leaves out."""

_FORMS = {
    "link": ("is split", "join it: `git update-index --no-split-index`, and `git config core.splitIndex false`"),
    "sdir": ("is sparse", "write it in full: `git sparse-checkout init --no-sparse-index`"),
}
# A copy for our eyes alone need not survive a power cut.
_IN_FULL = ("-c", "core.fsync=none", "-c", "core.splitIndex=false", "-c", "index.sparse=false")
_WRITE = ("update-index", "--no-split-index", "--force-write-index")


class OwnIndex:
    """The index of one open repository, as libgit2 itself sees it when it is asked for status, attributes and the like."""

    def __init__(self, handle: pygit2.Repository, gitdir: Path, *, foreign: bool) -> None:
        self._handle = handle
        self._gitdir = gitdir
        self._foreign = foreign
        self._stands_for: tuple[int, ...] | None = None

    def read(self, *, force: bool = False) -> pygit2.Index:
        """The index as its file is now; with `force` also where its times say that it did not change.

        Raises:
            GitError: kinds `damaged-index`, `unsupported-index`.
        """
        import pygit2

        if self._stands_for is None:
            try:
                self._handle.index.read(force)
            except pygit2.GitError as error:
                check_form(self._gitdir / "index", str(error), foreign=self._foreign)
            else:
                return self._handle.index  # type: ignore[no-any-return]
        state = _state(self._gitdir / "index")
        if force or state != self._stands_for:
            _hand_over(self._handle, _in_full(self._gitdir))
            self._stands_for = state
        return self._handle.index  # type: ignore[no-any-return]


def read_index(gitdir: Path, *, foreign: bool = False) -> pygit2.Index:
    """The index of any worktree, by its git directory. Raises GitError, kinds `damaged-index`, `unsupported-index`."""
    import pygit2

    try:
        return _open(gitdir / "index")
    except pygit2.GitError as error:
        check_form(gitdir / "index", str(error), foreign=foreign)
    return _in_full(gitdir)


def is_skipped(index: pygit2.Index, path: str) -> bool:
    """Whether a sparse checkout leaves `path` out of the working tree."""
    from pygit2.ffi import C, ffi

    entry = C.git_index_get_bypath(index._index, os.fsencode(path), 0)
    return entry != ffi.NULL and bool(entry.flags_extended & _SKIP_WORKTREE)


def check_form(path: Path, said: str, *, foreign: bool = False) -> None:
    """Raise for an index that git would not help with: it is damaged, or git may not be run there, or does not know it either."""
    if "mandatory extension" not in said:
        hint = f"make it anew from the last commit: rm {display(path)} && git reset; no file is touched"
        raise GitError(f"git's index is damaged: {said}", kind="damaged-index", hint=hint)
    name = next((name for name in _FORMS if f"'{name}'" in said), "")
    if foreign or not name:
        raise _unsupported(path, name, said)


def _unsupported(path: Path, name: str, said: str) -> GitError:
    form, hint = _FORMS.get(name, ("has an extension", "switch off in git's configuration what needs it"))
    return GitError(f"git's index {display(path)} {form}, which gitmlog cannot read: {said}", kind="unsupported-index", hint=hint)


def _open(path: Path) -> pygit2.Index:
    import pygit2
    from pygit2.ffi import ffi

    index = pygit2.Index.__new__(pygit2.Index)
    index._index = ffi.NULL  # or else its destructor complains when the constructor fails
    index.__init__(os.fspath(path))  # type: ignore[misc]
    return index


def _in_full(gitdir: Path) -> pygit2.Index:
    """The index without splits and folders, flags and all sides of conflicts kept.

    git gets no working tree: with one it would read files that changed as the index was written, by filters that the
    configuration names. The copy has the time of the original instead, so that libgit2 suspects the same files as git.

    Raises:
        GitError: kind `unsupported-index`.
    """
    import pygit2

    with tempfile.TemporaryDirectory(prefix="gitmlog-") as folder:
        copy = Path(folder) / "index"
        written = _copy(gitdir / "index", copy)
        try:
            run_git(gitdir, None, [*_IN_FULL, *_WRITE], extra={"GIT_INDEX_FILE": os.fspath(copy)})
            os.utime(copy, ns=(written, written))
            return _open(copy)
        except (GitError, pygit2.GitError) as error:
            message = f"git's index {display(gitdir / 'index')} cannot be written in full: {error}"
            raise GitError(message, kind="unsupported-index", hint="`git status` and `git fsck` may say more") from error


def _copy(source: Path, target: Path) -> int:
    """The time of the source. Without an index nothing is tracked."""
    with suppress(FileNotFoundError), open(source, "rb") as stream, open(target, "wb") as copy:
        shutil.copyfileobj(stream, copy)
        return os.fstat(stream.fileno()).st_mtime_ns
    return 0


def _state(path: Path) -> tuple[int, ...]:
    try:
        info = os.stat(path)
    except FileNotFoundError:
        return ()
    return info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_size


def _hand_over(handle: pygit2.Repository, index: pygit2.Index) -> None:
    """Let libgit2 take `index` for the repository's own, whatever it is asked. pygit2 has no name for that function of it.

    Raises:
        GitError: kind `unsupported-index`.
    """
    import ctypes

    from pygit2 import _pygit2
    from pygit2.ffi import ffi

    try:
        function = ctypes.CDLL(_pygit2.__file__).git_repository_set_index
    except (OSError, AttributeError) as error:
        path = Path(handle.path) / "index"
        raise _unsupported(path, "", f"this pygit2 was built without what it needs ({error})") from error
    function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_void_p), ctypes.c_int
    function(int.from_bytes(handle._pointer, sys.byteorder), int(ffi.cast("uintptr_t", index._index)))
