"""The repository on a server that a push comes to: bare or not, with the objects that wait in git's quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gitmlog.core.errors import GitError, RefusedError
from gitmlog.core.paths import display
from gitmlog.git.plumbing import Answer, ask_git, run_git
from gitmlog.git.repository import common_dir, open_handle

if TYPE_CHECKING:
    import pygit2

ObjectKind = Literal["commit", "tree", "blob", "tag"]
_KINDS: tuple[ObjectKind, ...] = ("commit", "tree", "blob", "tag")  # by git's own numbers, from 1
_BRANCH = "refs/heads/"


@dataclass(frozen=True)
class Quarantine:
    """Where git keeps what a push brings until the hook has spoken.

    Attributes:
        folders: object directories, beside the repository's own.
        variables: what makes a child git look there.
    """

    folders: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


class BareRepo:
    """A repository of which only the git directory counts.

    Attributes:
        gitdir: the git directory.
        commondir: the one that all worktrees share: `gitdir`, but for a linked worktree.
    """

    def __init__(self, handle: pygit2.Repository, quarantine: Quarantine | None = None) -> None:
        self.handle = handle
        self.gitdir = Path(handle.path).resolve()
        self.commondir = common_dir(self.gitdir)
        # A ref below refs/replace would show other objects than the ones that are named.
        self._variables = {"GIT_NO_REPLACE_OBJECTS": "1", **(quarantine.variables if quarantine else {})}
        for folder in quarantine.folders if quarantine else ():
            handle.odb.add_disk_alternate(str(folder))

    @classmethod
    def open(cls, start: Path, quarantine: Quarantine | None = None) -> BareRepo:
        """The repository that `start` lies in. Raises NotFoundError, GitError."""
        return cls(open_handle(start), quarantine)

    @property
    def variables(self) -> Mapping[str, str]:
        """What a child git must be told to see the same objects."""
        return self._variables

    def git(self, *arguments: str, data: bytes = b"") -> bytes:
        """What git prints. Raises GitError."""
        return run_git(self.gitdir, None, arguments, data=data, extra=self._variables)

    def ask(self, *arguments: str) -> Answer:
        """How git ends. Raises GitError, kind `no-git`."""
        return ask_git(self.gitdir, None, arguments, extra=self._variables)

    @property
    def head_branch(self) -> str | None:
        """The branch that HEAD names, whether it is there or not; None when HEAD is detached."""
        target = self.resolve_symbolic("HEAD")
        return target.removeprefix(_BRANCH) if target.startswith(_BRANCH) else None

    @property
    def head_commit(self) -> str | None:
        """The commit of HEAD, or None when there is none yet."""
        return None if self.handle.head_is_unborn else str(self.handle.head.target)

    def resolve_symbolic(self, ref: str) -> str:
        """The ref that a push to `ref` moves: git follows symbolic ones."""
        for _ in range(5):
            try:
                found = self.handle.references.get(ref)
            except ValueError:  # a name that is not UTF-8, or none: not symbolic
                return ref
            if found is None or not isinstance(found.raw_target, bytes):
                return ref
            ref = found.raw_target.decode("utf-8", "surrogateescape")
        return ref

    def look(self, oid: str) -> tuple[ObjectKind, int]:
        """The kind of an object, and its bytes. Raises GitError, kind `damaged-repository`."""
        try:
            kind, size = self.handle.odb.read_header(_oid(oid))
        except (KeyError, ValueError) as error:
            raise _lacks(oid) from error
        return _KINDS[int(kind) - 1], size

    def read(self, oid: str) -> bytes:
        """The bytes of an object, without its head. Raises GitError, kind `damaged-repository`."""
        try:
            return bytes(self.handle.odb.read(_oid(oid))[1])
        except (KeyError, ValueError) as error:
            raise _lacks(oid) from error

    def entry_at(self, commit: str, path: str) -> tuple[int, str] | None:
        """Mode and object of what a commit has at `path`, or None; also for what is no commit."""
        import pygit2

        try:
            found = self.handle[commit].peel(pygit2.Tree)[path]
        except (KeyError, ValueError, pygit2.GitError):
            return None
        return int(found.filemode), str(found.id)

    def tree_of(self, oid: str) -> str | None:
        """The top folder of the commit that an object is or leads to; None when there is none."""
        import pygit2

        try:
            return str(self.handle[oid].peel(pygit2.Tree).id)
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def file_at(self, commit: str, path: str, most: int) -> bytes | None:
        """The file that a commit has at `path`; None when there is no regular file. Raises RefusedError, kind `too-large`."""
        entry = self.entry_at(commit, path)
        if entry is None or entry[0] & 0o170000 != 0o100000:
            return None
        if (size := self.look(entry[1])[1]) > most:
            hint = "make it shorter, and commit that"
            raise RefusedError(f"{display(path)} has {size:,} bytes (at most {most:,})", kind="too-large", hint=hint)
        return self.read(entry[1])

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether the commit `old` is `new`, or one of its ancestors; False for what is no commit."""
        return self.ask("merge-base", "--is-ancestor", old, new).code == 0

    def refs(self, prefixes: Iterable[str]) -> dict[str, str]:
        """The refs that begin so or match the pattern: name -> object, tags not peeled. Raises GitError."""
        lines = self.git("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
        pairs = (line.split(" ", 1) for line in lines.decode("utf-8", "surrogateescape").split("\n") if line)
        return {name: oid for oid, name in pairs}

    def commit_of(self, oid: str) -> str | None:
        """The commit that an object is, or as a tag leads to; None when it leads to none."""
        import pygit2

        try:
            return str(self.handle[oid].peel(pygit2.Commit).id)
        except (KeyError, ValueError, pygit2.GitError):
            return None


def _oid(oid: str) -> pygit2.Oid:
    import pygit2

    return pygit2.Oid(hex=oid)


def _lacks(oid: str) -> GitError:
    hint = "`git fsck` says more, here and on the server"
    return GitError(f"the repository on the server does not have {display(oid)}", kind="damaged-repository", hint=hint)
