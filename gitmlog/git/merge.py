"""Bringing a commit into the current branch: which tree that gives, which files it changes, what they are now."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gitmlog.core.atomic import READ_FLAGS, sync_filesystem
from gitmlog.core.errors import GitError, RefusedError
from gitmlog.core.paths import display
from gitmlog.git.durable import git_errors, write_commit
from gitmlog.git.identity import identity
from gitmlog.git.plumbing import ask_git
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

LINK = 0o120000
SUBMODULE = 0o160000
EXECUTABLE = 0o100755
_FOLDER = 0o040000
_SLACK = 1 << 16  # line ends can double a file, and $Id$ adds a little
How = Literal["already", "fast-forward", "merge"]


@dataclass(frozen=True)
class Entry:
    """What a tree or the index has at a path: the mode of git's, and the id of the blob (of a submodule: the commit)."""

    mode: int
    id: str


@dataclass(frozen=True)
class Change:
    """A path that differs; None: it is not there."""

    path: str
    old: Entry | None
    new: Entry | None


@dataclass(frozen=True)
class Merged:
    """What bringing a commit in comes to: how, the tree that the branch has then, and that it has now ("": no commit)."""

    how: How
    tree: str
    old_tree: str


def merge_in_memory(repo: GitRepo, head: str, commit: str, name: str, results: Collection[str] = ()) -> Merged:
    """Bring `commit` into `head` ("": an unborn branch) without touching anything. `name` is what hints call it.

    Where both sides changed one of `results`, paths that are written and not edited, that of `commit` is taken; of a .gitignore
    the lines of both.

    Raises:
        RefusedError: kind `merge-conflict`.
    """
    tree = str(repo.resolve(commit).tree_id)
    if not head:
        return Merged("fast-forward", tree, "")
    old = str(repo.resolve(head).tree_id)
    if head == commit or repo.handle.descendant_of(head, commit):
        return Merged("already", old, old)
    if repo.handle.descendant_of(commit, head):
        return Merged("fast-forward", tree, old)
    index = _merged_index(repo, head, commit, name)
    _settle(repo, index, results)
    if index.conflicts is not None:
        raise _conflict(index, name)
    return Merged("merge", str(index.write_tree(repo.handle)), old)


def _merged_index(repo: GitRepo, head: str, commit: str, name: str) -> pygit2.Index:
    """A partial clone may lack what both sides changed; git itself fetches it."""
    import pygit2

    try:
        return repo.handle.merge_commits(head, commit)
    except (KeyError, pygit2.GitError) as error:
        raise GitError(f"the run cannot be merged in memory: {error}", hint=f"git merge {name}") from error


def _settle(repo: GitRepo, index: pygit2.Index, results: Collection[str]) -> None:
    import pygit2

    for _, ours, theirs in list(index.conflicts or ()):
        path = next(entry.path for entry in (ours, theirs) if entry is not None)
        if path in results:
            taken = theirs
        elif path.rpartition("/")[2] == ".gitignore" and ours is not None and theirs is not None:
            lines = dict.fromkeys(line for entry in (ours, theirs) for line in repo.blob(entry.id).splitlines())
            blob = repo.handle.create_blob(b"".join(line + b"\n" for line in lines))
            taken = pygit2.IndexEntry(path, blob, ours.mode)
        else:
            continue
        del index.conflicts[path]
        if taken is not None:
            index.add(taken)


def _conflict(index: pygit2.Index, name: str) -> RefusedError:
    sides = (next(entry for entry in entries if entry is not None) for entries in index.conflicts or ())
    paths = sorted({display(entry.path) for entry in sides})
    shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    return RefusedError(
        f"the branch and the run changed the same lines of {shown}", kind="merge-conflict", hint=f"git merge {name}"
    )


def tree_changes(repo: GitRepo, old: str, new: str) -> list[Change]:
    """The paths in which two trees ("": the empty one) differ, in order; equal folders are not entered."""
    return list(_changes(repo, _entries(repo, old), _entries(repo, new), ""))


def _changes(repo: GitRepo, old: dict[str, Entry], new: dict[str, Entry], prefix: str) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        path = prefix + name
        folders = [_entries(repo, each.id) if each and each.mode == _FOLDER else {} for each in (before, after)]
        before, after = (None if each and each.mode == _FOLDER else each for each in (before, after))
        if before != after:
            yield Change(path, before, after)
        yield from _changes(repo, folders[0], folders[1], f"{path}/")


def _entries(repo: GitRepo, tree: str) -> dict[str, Entry]:
    if not tree:
        return {}
    return {os.fsdecode(each.raw_name): Entry(int(each.filemode), str(each.id)) for each in repo.load(tree)}


def index_entry(repo: GitRepo, path: str) -> Entry | None:
    """What the index has at `path`; of a path in conflict an entry that equals no other."""
    try:
        found = repo.index[path]
    except KeyError:
        conflicts = repo.index.conflicts
        return Entry(0, "conflict") if conflicts is not None and path in conflicts else None
    return Entry(int(found.mode), str(found.id))


def blob_as_file(repo: GitRepo, path: str, entry: Entry) -> bytes:
    """The bytes that git would write at `path`: with its line ends. Filters that the configuration names are never run."""
    import pygit2

    data = blob_of(repo, entry)
    blob = repo.handle.get(entry.id)
    if entry.mode == LINK or not isinstance(blob, pygit2.Blob):
        return data
    with pygit2.BlobIO(blob, as_path=path) as stream:
        return bytes(stream.read())


def blob_of(repo: GitRepo, entry: Entry) -> bytes:
    """The bytes that git keeps for it; git itself fetches what a partial clone lacks. Raises GitError."""
    import pygit2

    return repo.blob(pygit2.Oid(hex=entry.id))


def is_filtered(repo: GitRepo, path: str) -> bool:
    """Whether the user's git would pass `path` through a filter of its configuration."""
    name = repo.handle.get_attr(path, "filter")
    return isinstance(name, str) and f"filter.{name}.smudge" in repo.handle.config


def is_as(repo: GitRepo, path: str, entry: Entry | None) -> bool:
    """Whether the working tree has at `path` what git would write for `entry` (None: no file). No link is followed."""
    found = lstat_below(repo.worktree, path)
    if found is None or entry is None or stat.S_ISDIR(found.st_mode):
        return entry is None and (found is None or stat.S_ISDIR(found.st_mode))
    if stat.S_ISLNK(found.st_mode):
        return entry.mode == LINK and _hash(os.fsencode(os.readlink(repo.worktree / path))) == entry.id
    if not stat.S_ISREG(found.st_mode) or (entry.mode == LINK and keeps_links(repo)):
        return False
    if keeps_modes(repo) and entry.mode != LINK and bool(found.st_mode & 0o100) != (entry.mode == EXECUTABLE):
        return False
    return _has_bytes_of(repo, path, entry)


def _has_bytes_of(repo: GitRepo, path: str, entry: Entry) -> bool:
    with open(os.open(repo.worktree / path, READ_FLAGS), "rb") as stream:
        if os.fstat(stream.fileno()).st_size > 2 * len(blob_of(repo, entry)) + _SLACK:
            return False
        data = stream.read()
    if _hash(data) == entry.id or data == blob_as_file(repo, path, entry):
        return True
    return b"\r\n" in data and str(repo.handle.create_blob_fromworkdir(path)) == entry.id


def _hash(data: bytes) -> str:
    import pygit2

    return str(pygit2.hash(data))


def lstat_below(root: Path, path: str) -> os.stat_result | None:
    """What is at `path`; None also for what only a linked folder leads to."""
    parts = path.split("/")
    try:
        for depth in range(1, len(parts)):
            if not stat.S_ISDIR(os.lstat(root / "/".join(parts[:depth])).st_mode):
                return None
        return os.lstat(root / path)
    except FileNotFoundError:
        return None


def keeps_modes(repo: GitRepo) -> bool:
    """Whether the working tree's file system has executable bits (core.fileMode)."""
    return _switch(repo, "core.filemode")


def keeps_links(repo: GitRepo) -> bool:
    """Whether the working tree's file system has symbolic links (core.symlinks)."""
    return _switch(repo, "core.symlinks")


def _switch(repo: GitRepo, key: str) -> bool:
    config = repo.handle.config
    return config.get_bool(key) if key in config else True


_HEX = re.compile(r"[0-9a-f]{7,64}")
_OTHER = ("MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")


def other_side(repo: GitRepo) -> str:
    """The commit that git brings in just now: MERGE_HEAD and the like, of a rebase what its list says; "" when none is known."""
    found = next((name for name in _OTHER if (repo.gitdir / name).exists()), "")
    return found or _picked(repo)


def _picked(repo: GitRepo) -> str:
    """A rebase notes what it picks before it begins, and REBASE_HEAD only when it stops."""
    try:
        words = (repo.gitdir / "rebase-merge" / "done").read_text("utf-8", "replace").splitlines()[-1].split()
    except (FileNotFoundError, NotADirectoryError, IndexError):
        return ""
    return next((word for word in words[1:] if _HEX.fullmatch(word)), "")


def last_change(repo: GitRepo, revision: str, path: str) -> tuple[str, str, str]:
    """The commit, its day and its subject that last changed `path` as of a revision; empty where there is none."""
    options = ["log", "-1", "--no-show-signature", "--date=short", "--format=%h%x00%ad%x00%s", revision, "--", path]
    found = ask_git(repo.gitdir, repo.worktree, options).out.decode("utf-8", "replace").rstrip("\n").split("\0")
    return (found[0], found[1], found[2]) if len(found) == 3 else ("", "", "")


def check_idle(repo: GitRepo) -> None:
    """Raise GitError, kind `under-way`, when a merge, rebase or the like waits for its end."""
    if repo.is_busy:
        hint = "`git status` says which; end it (`--continue`) or give it up (`--abort`) first"
        raise GitError("a merge, rebase, cherry-pick, revert or bisect is under way", kind="under-way", hint=hint)


def head_ref(repo: GitRepo) -> tuple[str, str]:
    """The ref to move, `HEAD` itself when it is detached, and the commit that it names ("": none yet)."""
    symbolic = repo.handle.references["HEAD"].target if not repo.handle.head_is_detached else "HEAD"
    commit = "" if repo.is_unborn else str(repo.resolve("HEAD").id)
    return str(symbolic), commit


def commit_merge(repo: GitRepo, tree: str, parents: tuple[str, str], message: str) -> str:
    """A durable merge commit by the user; no ref is moved."""
    with git_errors():
        commit = write_commit(repo, tree, list(parents), f"{message}\n", identity(repo), datetime.now().astimezone())
    sync_filesystem(repo.commondir / "objects")
    return commit
