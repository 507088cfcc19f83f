"""One git repository, read in process by pygit2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from gitmlog.core.errors import GitError, NotFoundError
from gitmlog.core.paths import METAFILE_SUFFIX, display
from gitmlog.git.index import OwnIndex, is_skipped
from gitmlog.git.plumbing import run_git

if TYPE_CHECKING:
    import pygit2

# Of these libgit2 knows nothing, and need not: they change how git fetches or packs, not what objects mean.
_EXTENSIONS = ["partialclone", "worktreeconfig", "preciousobjects", "noop"]
_UNDER_WAY = ("MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "sequencer")
GitObject: TypeAlias = Any  # pygit2's stubs do not derive Commit, Tree, Tag and Blob from Object
_MAX_METAFILE = (1 << 20) + 1


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
        self._own_index = OwnIndex(handle, self.gitdir, foreign=foreign)

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
        return self._own_index.read()

    def refresh_index(self) -> None:
        """Look at the index again: another git may have changed it. Raises as `index`."""
        self.__dict__["index"] = self._own_index.read(force=True)

    def is_left_out(self, path: str) -> bool:
        """Whether a sparse checkout leaves the file `path` out of the working tree, and it is not there all the same."""
        return is_skipped(self.index, path) and not os.path.lexists(self.worktree / path)

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

    def conflict_metafiles(self, side: Literal["base", "ours", "theirs"]) -> dict[str, bytes]:
        """The metafiles that a merge left in conflict, as one side or their ancestor has them: path -> text."""
        found = {}
        for base, ours, theirs in self.index.conflicts or ():
            entry = {"base": base, "ours": ours, "theirs": theirs}[side]
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
        return dict(self.metafiles_of(self.load(self.resolve(revision).tree_id)))

    def metafiles_of(self, tree: pygit2.Tree, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """The metafiles in a git tree and below it."""
        for entry in tree:
            name = prefix + (entry.name or "")
            if entry.type_str == "tree":
                yield from self.metafiles_of(self.load(entry.id), f"{name}/")
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
        entry = self._entry(self.resolve(revision).tree_id, path)
        return self.blob(entry.id) if entry is not None and entry.type_str == "blob" else None

    def _entry(self, tree: pygit2.Oid, path: str) -> GitObject | None:
        """What a git tree holds at `path`, step by step: a partial clone may lack each of the folders on the way."""
        found: GitObject | None = None
        for name in path.split("/"):
            if found is not None and found.type_str != "tree":
                return None
            folder = self.load(tree if found is None else found.id)
            try:
                found = folder[name]
            except (KeyError, ValueError):
                return None
        return found

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

    def load(self, oid: pygit2.Oid | str) -> GitObject:
        """Any object; git itself fetches what a partial clone lacks, but never into a foreign one.

        Raises:
            GitError: kind `damaged-repository`.
        """
        found: GitObject | None = self.handle.get(oid)
        if found is None and self.foreign:
            raise lacks(self, oid)
        if found is None:
            from gitmlog.git.lazy import bring

            try:
                bring(self, str(oid))
                run_git(self.gitdir, self.worktree, ["cat-file", "-e", str(oid)])
                found = self.handle[oid]
            except (GitError, KeyError) as error:
                raise damaged(f"something that can be reached needs {oid}") from error
        return found

    def blob(self, oid: pygit2.Oid) -> bytes:
        """All bytes of a blob; git itself fetches what a partial clone lacks, but never into a foreign one. Raises GitError."""
        try:
            return bytes(self.handle[oid].data)  # type: ignore[attr-defined]
        except KeyError as error:
            if self.foreign:
                raise lacks(self, oid) from error
            from gitmlog.git.lazy import bring

            bring(self, str(oid))
            return run_git(self.gitdir, self.worktree, ["cat-file", "blob", str(oid)])

    def blob_of(self, oid: str) -> bytes:
        """As `blob`, by the id's text."""
        import pygit2

        return self.blob(pygit2.Oid(hex=oid))

    def _blob(self, oid: pygit2.Oid) -> bytes:
        return self.blob(oid)[:_MAX_METAFILE]

    def untracked(self) -> list[str]:
        """The files in the working tree that git neither has nor ignores."""
        from pygit2.enums import FileStatus

        return [path for path, flags in self.status().items() if flags & FileStatus.WT_NEW]

    def status(self) -> dict[str, int]:
        """What differs between HEAD, index and working tree: path -> flags; untracked files one by one, no ignored ones."""
        from pygit2.enums import FileStatus

        self.__dict__["index"] = self._own_index.read()
        found = self.handle.status(untracked_files="all", ignored=False)
        if not self.is_sparse:
            return found
        fresh = self._fresh()
        return {path: flags for path, flags in found.items() if not flags & FileStatus.WT_NEW or path in fresh}

    @property
    def is_sparse(self) -> bool:
        """Whether a sparse checkout may leave files out of the working tree."""
        config = self.handle.config
        return not self.foreign and "core.sparseCheckout" in config and config.get_bool("core.sparseCheckout")

    def _fresh(self) -> set[str]:
        """As git sees it: it obeys a .gitignore that a sparse checkout leaves out, of which libgit2 knows nothing."""
        said = run_git(self.gitdir, self.worktree, ["ls-files", "--others", "--exclude-standard", "-z"])
        return set(said.decode("utf-8", "surrogateescape").split("\0"))

    def is_ignored(self, path: str) -> bool:
        """Whether git ignores `path`."""
        self.index  # noqa: B018 - libgit2 reads it on its own, and not every form of it
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


def damaged(what: str) -> GitError:
    """The error for an object of git's that is not there."""
    hint = "`git fsck` says more; `git fetch` may bring it back"
    return GitError(f"{what}, which is not in the repository", kind="damaged-repository", hint=hint)


def lacks(repo: GitRepo, oid: pygit2.Oid | str) -> GitError:
    """The error for an object of git's that a foreign repository does not have."""
    hint = "a partial clone fetches it itself: run `git fsck` there, or name the address that it was cloned from"
    return GitError(f"the repository at {display(repo.worktree)} does not have {oid}", kind="damaged-repository", hint=hint)


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
