"""One git repository, read in process by pygit2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gitmlog.core.errors import GitError, NotFoundError
from gitmlog.core.paths import METAFILE_SUFFIX, display

if TYPE_CHECKING:
    import pygit2

# Of these libgit2 knows nothing, and need not: they change how git fetches or packs, not what objects mean.
_EXTENSIONS = ["partialclone", "worktreeconfig", "preciousobjects", "noop"]
_UNDER_WAY = ("MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "sequencer")
_MAX_METAFILE = (1 << 20) + 1
_INDEX_FORMS = {
    "link": ("is split", "join it: `git update-index --no-split-index`, and `git config core.splitIndex false`"),
    "sdir": ("is sparse", "write it in full: `git sparse-checkout init --no-sparse-index`"),
}


class GitRepo:
    """A repository with a working tree.

    Attributes:
        worktree: the top folder of the working tree.
        gitdir: the git directory of this worktree.
        commondir: the git directory that all worktrees share.
        foreign: somebody else's, opened in place: its configuration may name commands, so git is never run on it.
    """

    def __init__(self, handle: pygit2.Repository, *, foreign: bool = False) -> None:
        self.handle = handle
        self.foreign = foreign
        self.worktree = Path(handle.workdir).resolve()
        self.gitdir = Path(handle.path).resolve()
        self.commondir = common_dir(self.gitdir)

    @classmethod
    def discover(cls, start: Path, *, foreign: bool = False) -> GitRepo:
        """The repository that `start` lies in.

        Raises:
            NotFoundError: kind `no-repository`.
            GitError: kinds `bare-repository`, `unsafe-repository`, `unsupported-repository`.
        """
        return cls(_open(start), foreign=foreign)

    @cached_property
    def index(self) -> pygit2.Index:
        """The index as it was when first asked for.

        Raises:
            GitError: kinds `damaged-index`, `unsupported-index`.
        """
        import pygit2

        try:
            index: pygit2.Index = self.handle.index
        except pygit2.GitError as error:
            raise index_error(self.gitdir / "index", str(error)) from error
        return index

    @property
    def is_unborn(self) -> bool:
        """Whether there is no commit yet."""
        return self.handle.head_is_unborn

    @property
    def is_busy(self) -> bool:
        """Whether a merge, rebase, cherry-pick, revert or bisect is under way."""
        return any((self.gitdir / name).exists() for name in _UNDER_WAY)

    def is_tracked(self, path: str) -> bool:
        """Whether git's index has `path`, or something below it."""
        try:
            if path in self.index:
                return True
        except (UnicodeError, OSError):
            return False
        prefix = f"{path}/"
        return any(entry.path.startswith(prefix) for entry in self.index)

    def tracked_below(self, path: str) -> list[str]:
        """The paths in git's index at `path` or below it."""
        prefix = f"{path}/"
        return [entry.path for entry in self.index if entry.path == path or entry.path.startswith(prefix)]

    def index_metafiles(self) -> dict[str, bytes]:
        """The metafiles in the index: path -> text."""
        return {path: data for path, data in self._index_blobs() if path.endswith(METAFILE_SUFFIX)}

    def _index_blobs(self) -> Iterator[tuple[str, bytes]]:
        for entry in self.index:
            if entry.path.endswith(METAFILE_SUFFIX):
                yield entry.path, self._blob(entry.id)

    def index_blob(self, path: str) -> bytes | None:
        """All that the index has at `path`, or None."""
        try:
            return self.blob(self.index[path].id)
        except KeyError:
            return None

    def conflict_metafiles(self, side: Literal["ours", "theirs"]) -> dict[str, bytes]:
        """The metafiles that a merge left in conflict, as one side has them: path -> text."""
        found = {}
        for _, ours, theirs in self.index.conflicts or ():
            entry = ours if side == "ours" else theirs
            if entry is not None and entry.path.endswith(METAFILE_SUFFIX):
                found[entry.path] = self._blob(entry.id)
        return found

    def index_mode(self, path: str) -> int:
        """The mode that the index has at `path`, or 0."""
        try:
            return int(self.index[path].mode)
        except KeyError:
            return 0

    def resolve(self, revision: str) -> pygit2.Commit:
        """The commit that `revision` names.

        Raises:
            NotFoundError: kinds `no-revision`, `no-commit`.
        """
        import pygit2

        if self.is_unborn and revision == "HEAD":
            raise NotFoundError("there is no commit yet", kind="no-commit", hint="make one with `git commit`")
        try:
            return self.handle.revparse_single(revision).peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError) as error:
            hint = "`git log --oneline` and `git tag` list what there is"
            raise NotFoundError(f"no revision {revision!r} in this repository", kind="no-revision", hint=hint) from error

    def metafiles_at(self, revision: str) -> dict[str, bytes]:
        """The metafiles of a commit: path -> text. Raises NotFoundError."""
        return dict(self.metafiles_of(self.resolve(revision).tree))

    def metafiles_of(self, tree: pygit2.Tree, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """The metafiles in a git tree and below it."""
        for entry in tree:
            name = prefix + (entry.name or "")
            if entry.type_str == "tree":
                yield from self.metafiles_of(self.handle[entry.id], f"{name}/")  # type: ignore[arg-type]
            elif name.endswith(METAFILE_SUFFIX) and entry.type_str == "blob":
                yield name, self._blob(entry.id)

    def blob_at(self, revision: str, path: str) -> bytes:
        """The bytes that git has at `path` in a revision. Raises NotFoundError, kind `no-path`."""
        data = self.file_at(revision, path)
        if data is None:
            raise NotFoundError(f"{display(path)} is not in {revision}", kind="no-path")
        return data

    def file_at(self, revision: str, path: str) -> bytes | None:
        """The bytes of the file that git has at `path` in a revision, or None. Raises NotFoundError, kind `no-revision`."""
        try:
            entry = self.resolve(revision).tree[path]
        except (KeyError, ValueError):
            return None
        return self.blob(entry.id) if entry.type_str == "blob" else None

    def entry_of(self, tree: str, path: str) -> TreeItem | None:
        """What a git tree (by its id) holds at `path`, or None."""
        import pygit2

        try:
            found = self.handle[tree][path]  # type: ignore[index]
        except (KeyError, ValueError):
            return None
        size = found.size if isinstance(found, pygit2.Blob) else sum(_sizes(found)) if isinstance(found, pygit2.Tree) else 0
        return TreeItem(str(found.id), size, isinstance(found, pygit2.Tree))

    def bytes_in(self, tree: str, path: str) -> bytes | None:
        """The bytes of the file that a git tree (by its id) holds at `path`, or None."""
        found = self.entry_of(tree, path)
        return None if found is None or found.is_folder else bytes(self.handle[found.id].data)  # type: ignore[attr-defined]

    def blob_id(self, data: bytes) -> str:
        """The id that git gives these bytes; nothing is written."""
        import pygit2

        return str(pygit2.hash(data))

    def blob(self, oid: pygit2.Oid) -> bytes:
        """All bytes of a blob; git itself fetches what a partial clone lacks, but never into a foreign one. Raises GitError."""
        try:
            return bytes(self.handle[oid].data)  # type: ignore[attr-defined]
        except KeyError as error:
            if self.foreign:
                raise lacks(self, oid) from error
            from gitmlog.git.plumbing import run_git

            return run_git(self.gitdir, self.worktree, ["cat-file", "blob", str(oid)])

    def _blob(self, oid: pygit2.Oid) -> bytes:
        return self.blob(oid)[:_MAX_METAFILE]

    def untracked(self) -> list[str]:
        """The files in the working tree that git neither has nor ignores."""
        from pygit2.enums import FileStatus

        status = self.handle.status(untracked_files="all", ignored=False)
        return [path for path, flags in status.items() if flags & FileStatus.WT_NEW]

    def is_ignored(self, path: str) -> bool:
        """Whether git ignores `path`."""
        return self.handle.path_is_ignored(path)

    def worktree_names(self) -> list[str]:
        """The names of the linked worktrees."""
        return list(self.handle.list_worktrees())


@dataclass(frozen=True)
class TreeItem:
    """What a git tree holds at a path: its id, bytes (of a folder: of all files below it), whether it is a folder."""

    id: str
    size: int
    is_folder: bool


def _sizes(tree: pygit2.Tree) -> Iterator[int]:
    import pygit2

    for entry in tree:
        if isinstance(entry, pygit2.Tree):
            yield from _sizes(entry)
        elif isinstance(entry, pygit2.Blob):
            yield entry.size


def lacks(repo: GitRepo, oid: pygit2.Oid) -> GitError:
    """The error for an object of git's that a foreign repository does not have."""
    hint = "a partial clone fetches it itself: run `git fsck` there, or name the address that it was cloned from"
    return GitError(f"the repository at {display(repo.worktree)} does not have {oid}", kind="damaged-repository", hint=hint)


def read_index(path: Path) -> pygit2.Index:
    """The index file of any worktree. Raises GitError, kinds `damaged-index`, `unsupported-index`."""
    import pygit2
    from pygit2.ffi import ffi

    index = pygit2.Index.__new__(pygit2.Index)
    index._index = ffi.NULL  # or else its destructor complains when the constructor fails
    try:
        index.__init__(os.fspath(path))  # type: ignore[misc]
    except pygit2.GitError as error:
        raise index_error(path, str(error)) from error
    return index


def index_error(path: Path, said: str) -> GitError:
    """What is the matter with an index file that libgit2 does not read."""
    if "mandatory extension" not in said:
        hint = f"make it anew from the last commit: rm {display(path)} && git reset; no file is touched"
        return GitError(f"git's index is damaged: {said}", kind="damaged-index", hint=hint)
    name = next((name for name in _INDEX_FORMS if f"'{name}'" in said), "")
    form, hint = _INDEX_FORMS.get(name, ("has an extension", "switch off in git's configuration what needs it"))
    return GitError(f"git's index {display(path)} {form}, which gitmlog cannot read: {said}", kind="unsupported-index", hint=hint)


def open_handle(start: Path) -> pygit2.Repository:
    """The repository that `start` lies in, which may be bare.

    Raises:
        NotFoundError: kind `no-repository`.
        GitError: kinds `unsafe-repository`, `unsupported-repository`.
    """
    import pygit2

    pygit2.settings.set_extensions(_EXTENSIONS)
    pygit2.settings.enable_fsync_gitdir(True)
    try:
        found = pygit2.discover_repository(os.fspath(start))
        if found is None:
            raise NotFoundError(
                f"no git repository at {display(start)} or above it",
                kind="no-repository",
                hint="run `git init`, then `gitmlog init`",
            )
        return pygit2.Repository(found)
    except pygit2.GitError as error:
        raise _open_error(start, str(error)) from error


def _open(start: Path) -> pygit2.Repository:
    handle = open_handle(start)
    if handle.is_bare or not handle.workdir:
        hint = "clone it, and run the command in the clone"
        raise GitError(
            f"{display(handle.path)} is a bare repository: it has no files to work on", kind="bare-repository", hint=hint
        )
    return handle


def _open_error(start: Path, said: str) -> GitError:
    if "owner" in said or "owned" in said:
        hint = f"if you trust it: git config --global --add safe.directory {display(start)}"
        return GitError(f"the repository at {display(start)} belongs to another user", kind="unsafe-repository", hint=hint)
    hint = "`git status` and `git fsck` may say more; SHA-256 repositories and reftable are not supported yet"
    return GitError(f"the repository at {display(start)} cannot be opened: {said}", kind="unsupported-repository", hint=hint)


def common_dir(gitdir: Path) -> Path:
    """The git directory that the worktree of `gitdir` shares with all others."""
    try:
        return (gitdir / (gitdir / "commondir").read_text().strip()).resolve()
    except (FileNotFoundError, NotADirectoryError):
        return gitdir
