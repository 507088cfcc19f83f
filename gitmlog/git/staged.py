"""What is about to be committed, from whichever index git commits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitmlog.core.errors import GitError, NotFoundError
from gitmlog.git.index import check_form
from gitmlog.git.plumbing import run_git
from gitmlog.git.repository import GitRepo

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_NOTHING = "0" * 40
LINK = 0o120000
FILE = 0o100644


@dataclass(frozen=True)
class StagedChange:
    """A path that the index has otherwise than the commit before.

    Attributes:
        path: from the top of the working tree.
        old_mode, mode: as git writes them; 0 where there is none.
        old, new: the blobs, "" where there is none.
    """

    path: str
    old_mode: int
    mode: int
    old: str
    new: str

    @property
    def is_new(self) -> bool:
        """Whether the commit before has no such path."""
        return not self.old

    @property
    def is_gone(self) -> bool:
        """Whether the index has no such path."""
        return not self.new


def staged_changes(
    repo: GitRepo, index: Path | None = None, *, base: str = "HEAD", patterns: Sequence[str] = ()
) -> list[StagedChange]:
    """The differences between a commit and `index` (`git commit -a` and `git commit PATH` use one of their own), by path.

    `patterns` are pathspecs that limit it. Raises GitError.
    """
    base = _EMPTY_TREE if base == "HEAD" and repo.is_unborn else base
    extra = {"GIT_INDEX_FILE": os.fspath(index)} if index is not None else {}
    options = ["diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--ignore-submodules=all", base, "--"]
    try:
        said = run_git(repo.gitdir, repo.worktree, [*options, *patterns], extra=extra).decode("utf-8", "surrogateescape")
    except GitError as error:
        if "index" in error.message:
            check_form(index or repo.gitdir / "index", error.message)
        raise
    return list(_parse(iter(said.split("\0"))))


def indexed_paths(repo: GitRepo, pattern: str) -> list[str]:
    """The paths in the index that a pathspec matches. Raises GitError."""
    said = run_git(repo.gitdir, repo.worktree, ["ls-files", "-z", "--", pattern]).decode("utf-8", "surrogateescape")
    return [path for path in said.split("\0") if path]


def _parse(fields: Iterator[str]) -> Iterator[StagedChange]:
    for facts in fields:
        if not facts:
            return
        old_mode, mode, old, new, _ = facts.lstrip(":").split(" ")
        yield StagedChange(next(fields), int(old_mode, 8), int(mode, 8), _known(old), _known(new))


def _known(oid: str) -> str:
    return "" if oid.startswith(_NOTHING) else oid


def blob_sizes(repo: GitRepo, blobs: Iterable[str]) -> dict[str, int]:
    """Bytes of each blob, nothing of it read; one that a partial clone lacks is fetched by git. Raises GitError."""
    wanted = list(dict.fromkeys(blobs))
    if not wanted:
        return {}
    data = "".join(f"{blob}\n" for blob in wanted).encode()
    lines = run_git(repo.gitdir, repo.worktree, ["cat-file", "--batch-check=%(objectname) %(objectsize)"], data=data)
    pairs = (line.split(" ") for line in lines.decode().splitlines())
    return {oid: int(size) for oid, size in pairs if size.isdigit()}


def blob_start(repo: GitRepo, blob: str, count: int) -> bytes:
    """The first bytes of a blob."""
    import pygit2

    found = repo.handle.get(blob)
    return bytes(memoryview(found)[:count]) if isinstance(found, pygit2.Blob) else b""


def parents_to_be(repo: GitRepo) -> list[str]:
    """The commits whose content the next commit takes over: HEAD, and what is merged, picked or reverted."""
    names = ["HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", *_merge_heads(repo)]
    return [commit for name in names if (commit := _commit(repo, name))]


def _merge_heads(repo: GitRepo) -> list[str]:
    try:
        return (repo.gitdir / "MERGE_HEAD").read_text().split()
    except FileNotFoundError:
        return []


def _commit(repo: GitRepo, name: str) -> str:
    try:
        return str(repo.resolve(name).id)
    except NotFoundError:
        return ""
