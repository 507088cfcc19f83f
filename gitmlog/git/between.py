"""What a branch brings, read from git's objects alone and in bounds: no index, no working tree, no blob that is not asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitmlog.core.errors import GitError, NotFoundError, RefusedError
from gitmlog.core.paths import display
from gitmlog.git.merge import Change, Entry
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

MAX_PATHS = 200_000
MAX_COMMITS = 10_000
MAX_DEPTH = 200
_FOLDER = 0o040000
_REGULAR = (0o100644, 0o100755, 0o100664)


@dataclass(frozen=True)
class NewBlob:
    """A blob that a branch brings into git's history.

    Attributes:
        path: where it stood first.
        blob: its id.
        commit: that which brought it.
        size: bytes; None where a partial clone has left it out.
    """

    path: str
    blob: str
    commit: str
    size: int | None


def merge_base(repo: GitRepo, base: str, head: str) -> str:
    """The commit that a branch left another one at. Raises NotFoundError, kinds `no-revision`, `no-merge-base`; GitError."""
    import pygit2

    try:
        found = repo.handle.merge_base(repo.resolve(base).id, repo.resolve(head).id)
    except (KeyError, pygit2.GitError) as error:
        raise _incomplete(error) from error
    if found is None:
        hint = "a shallow clone may lack it: `git fetch --unshallow`"
        raise NotFoundError(f"{display(base)} and {display(head)} have no commit in common", kind="no-merge-base", hint=hint)
    return str(found)


def changes_between(repo: GitRepo, old: str | None, new: str) -> list[Change]:
    """The paths in which two commits (`old` None: an empty tree) differ, in order.

    Raises:
        NotFoundError: kind `no-revision`.
        RefusedError: kind `too-large`: more paths, or deeper ones, than anybody reviews.
        GitError: kind `damaged-repository`: a tree is not there.
    """
    before = str(repo.resolve(old).tree_id) if old is not None else ""
    return _tree_changes(repo, before, str(repo.resolve(new).tree_id))


def _tree_changes(repo: GitRepo, old: str, new: str) -> list[Change]:
    """Not by recursion, and counted: a few hundred bytes of trees can name more paths than there are atoms."""
    found: list[Change] = []
    pending = [(old, new, "", 0)]
    visited = 0
    while pending:
        old, new, prefix, depth = pending.pop()
        visited += 1
        for name, before, after in _differing(repo, old, new):
            path = prefix + name
            folders = tuple(each.id if each and each.mode == _FOLDER else "" for each in (before, after))
            files = tuple(None if each and each.mode == _FOLDER else each for each in (before, after))
            if files[0] != files[1]:
                found.append(Change(path, files[0], files[1]))
            if folders[0] != folders[1]:
                pending.append((folders[0], folders[1], f"{path}/", depth + 1))
        if len(found) > MAX_PATHS or visited > MAX_PATHS or depth > MAX_DEPTH:
            hint = "it may be an attack, or a mistake: look at it with `git log --stat`"
            message = f"more than {MAX_PATHS:,} paths differ, or they lie more than {MAX_DEPTH} folders deep"
            raise RefusedError(message, kind="too-large", hint=hint)
    return sorted(found, key=lambda each: each.path)


def _differing(repo: GitRepo, old: str, new: str) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    ours, theirs = _entries(repo, old), _entries(repo, new)
    for name in ours.keys() | theirs.keys():
        before, after = ours.get(name), theirs.get(name)
        if before != after:
            yield name, before, after


def _entries(repo: GitRepo, tree: str) -> dict[str, Entry]:
    if not tree:
        return {}
    try:
        found = repo.handle[tree]
    except KeyError as error:
        raise _incomplete(error) from error
    return {os.fsdecode(each.raw_name): Entry(int(each.filemode), str(each.id)) for each in found}  # type: ignore[attr-defined]


def is_regular(entry: Entry | None) -> bool:
    """Whether an entry is a file: neither a link nor a submodule."""
    return entry is not None and entry.mode in _REGULAR


def blob_at(repo: GitRepo, commit: str, path: str) -> str:
    """The id of what a commit has at `path`, or ""."""
    try:
        return str(repo.resolve(commit).tree[path].id)
    except (KeyError, ValueError):
        return ""


def size_of(repo: GitRepo, blob: str) -> int | None:
    """Bytes of a blob, without reading it; None where it is not here, as in a partial clone. Nothing is fetched."""
    import pygit2

    try:
        return int(repo.handle.odb.read_header(pygit2.Oid(hex=blob))[1])
    except (KeyError, pygit2.GitError):
        return None


def read_bounded(repo: GitRepo, blob: str, limit: int) -> bytes | None:
    """The bytes of a blob; None where it is not here, or is larger than `limit`. Nothing is fetched."""
    size = size_of(repo, blob)
    if size is None or size > limit:
        return None
    return bytes(repo.handle[blob].data)  # type: ignore[attr-defined]


def new_blobs(repo: GitRepo, base: str, head: str) -> Iterator[NewBlob]:
    """The files that commits of `head` which `base` has not bring, each blob once: also what a later commit took away again.

    Raises as `changes_between`; RefusedError, kind `too-large`, for more than 10,000 commits.
    """
    seen: set[str] = set()
    for number, commit in enumerate(_commits(repo, base, head)):
        if number >= MAX_COMMITS:
            hint = "name a nearer base: `gitmlog ci report BASE...HEAD`"
            raise RefusedError(f"more than {MAX_COMMITS:,} commits to look through", kind="too-large", hint=hint)
        for change in _brought(repo, commit):
            if change.new is not None and is_regular(change.new) and change.new.id not in seen:
                seen.add(change.new.id)
                yield NewBlob(change.path, change.new.id, str(commit.id), size_of(repo, change.new.id))


def _brought(repo: GitRepo, commit: pygit2.Commit) -> list[Change]:
    """What no parent has: of a merge only what it changed itself, as far as paths go."""
    new = str(commit.tree_id)
    parents = [str(repo.resolve(str(parent)).tree_id) for parent in commit.parent_ids if parent in repo.handle]
    if len(parents) < len(commit.parent_ids):  # a shallow clone: who made it cannot be known
        return []
    brought = _tree_changes(repo, parents[0] if parents else "", new)
    for parent in parents[1:]:
        others = {change.path for change in _tree_changes(repo, parent, new)}
        brought = [change for change in brought if change.path in others]
    return brought


def _commits(repo: GitRepo, base: str, head: str) -> Iterator[pygit2.Commit]:
    import pygit2
    from pygit2.enums import SortMode

    try:
        walker = repo.handle.walk(repo.resolve(head).id, SortMode.TOPOLOGICAL | SortMode.REVERSE)
        walker.hide(repo.resolve(base).id)
        yield from walker
    except (KeyError, pygit2.GitError) as error:
        raise _incomplete(error) from error


def _incomplete(error: Exception) -> GitError:
    hint = "a shallow or treeless clone lacks what a comparison needs: `git fetch --unshallow`; `git fsck` says more"
    return GitError(f"git's history is not whole here: {error}", kind="damaged-repository", hint=hint)
