"""What a push brings: commits and trees that no ref on the server reaches yet, and the entries of a tree as they are stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gitmlog.core.paths import MAX_PATH
from gitmlog.git.bare import BareRepo
from gitmlog.git.plumbing import git_lines

MAX_TREE = 64 << 20
"""Bytes of one tree of git's that is read: over a million entries."""

_MOST_KEPT = 500_000
_TREE, _LINK, _MODULE, _FILE = 0o040000, 0o120000, 0o160000, 0o100000
_ENTRY = re.compile(rb"[0-7]{5,6} [^\0]+\0.{20}", re.DOTALL)
_NAME = re.compile(rb" ([^\0]+)\0.{20}", re.DOTALL)
_HEAD = re.compile(rb"tree ([0-9a-fA-F]{40})\n((?:parent [0-9a-fA-F]{40}\n)*)")  # as git reads it: capitals are the same to it
_ID = 40


@dataclass(frozen=True)
class Brought:
    """One object.

    Attributes:
        kind: a new commit; an old commit that a new one has as parent; something else that is new: a tree, a tag, or a blob
            that a tag names.
        path: one of the places from the top where it is; "" for a commit, and for the top folder.
    """

    kind: Literal["commit", "edge", "other"]
    oid: str
    path: str = ""


def brought(repo: BareRepo, new: Iterable[str]) -> Iterator[Brought]:
    """What `new` reach and no ref of the repository does, but for blobs; the commits come first.

    Raises:
        GitError: git failed; kind `too-long`: a path is longer than any file system takes.
    """
    arguments = ("rev-list", "--objects", "--boundary", "--filter=blob:none", "--stdin", "--not", "--all")
    data = "".join(f"{oid}\n" for oid in dict.fromkeys(new)).encode()
    for line in git_lines(repo.gitdir, arguments, longest=_ID + 2 + MAX_PATH, data=data, extra=repo.variables):
        oid, separator, path = line.partition(b" ")
        if line.startswith(b"-"):
            yield Brought("edge", oid[1:].decode())
        elif separator:
            yield Brought("other", oid.decode(), path.decode("utf-8", "surrogateescape"))
        else:
            yield Brought("commit", oid.decode())


@dataclass(frozen=True)
class Entry:
    """One entry of a tree: the name may hold anything but NUL, also what git itself would never write."""

    mode: int
    name: str
    oid: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a folder."""
        return self.mode & 0o170000 == _TREE

    @property
    def is_regular(self) -> bool:
        """Whether it is a file that is not executable."""
        return self.mode & 0o170000 == _FILE and not self.mode & 0o111

    @property
    def what(self) -> str:
        """In words."""
        if self.mode & 0o170000 == _FILE:
            return "an executable file" if self.mode & 0o111 else "a file"
        return {_TREE: "a folder", _LINK: "a symbolic link", _MODULE: "a submodule"}.get(self.mode & 0o170000, "")


def split_tree(data: bytes) -> list[bytes] | None:
    """The entries of a tree, each as its bytes; None when it is not what a tree is."""
    found = _ENTRY.findall(data)
    return found if sum(map(len, found)) == len(data) else None


def has_twins(data: bytes) -> bool:
    """Whether two entries of a tree have one name: which of them counts, every reader decides for itself."""
    names = _NAME.findall(data)
    return len(set(names)) != len(names)


def read_entry(raw: bytes) -> Entry:
    """The entry in bytes of `split_tree`."""
    mode, _, rest = raw.partition(b" ")
    return Entry(int(mode, 8), rest[:-21].decode("utf-8", "surrogateescape"), rest[-20:].hex())


def find_folder(repo: BareRepo, tree: str, name: str) -> str | None:
    """The folder `name` in a tree, or None. Raises GitError, kind `damaged-repository`."""
    ending = b" " + name.encode("utf-8", "surrogateescape") + b"\0"
    data = read_tree(repo, tree)
    if ending not in data:
        return None
    found = [read_entry(raw) for raw in split_tree(data) or () if raw.endswith(ending, 0, -20)]
    return next((entry.oid for entry in found if entry.is_tree and entry.name == name), None)


def read_tree(repo: BareRepo, tree: str) -> bytes:
    """The bytes of a tree; none of one that is too large, or no tree. Raises GitError, kind `damaged-repository`."""
    kind, size = repo.look(tree)
    return repo.read(tree) if kind == "tree" and size <= MAX_TREE else b""


def read_entries(repo: BareRepo, tree: str) -> Mapping[str, Entry]:
    """The entries of a tree by name; none of one that is damaged, or too large. Raises GitError, kind `damaged-repository`."""
    return {entry.name: entry for entry in map(read_entry, split_tree(read_tree(repo, tree)) or ())}


def read_commit(repo: BareRepo, commit: str) -> tuple[str, list[str]] | None:
    """The top tree of a commit, and its parents; None of one that is damaged. Raises GitError, kind `damaged-repository`."""
    found = _HEAD.match(repo.read(commit))
    return (found[1].decode().lower(), found[2].decode().lower().split()[1::2]) if found else None


class Before:
    """What some commits have, at many paths: a folder is read once, and forgotten when there are too many."""

    def __init__(self, repo: BareRepo, commits: Iterable[str]) -> None:
        self._repo = repo
        tops = (repo.tree_of(commit) for commit in dict.fromkeys(commits))
        self._tops = [top for top in dict.fromkeys(tops) if top is not None]
        self._folders: dict[tuple[str, str], Mapping[str, Entry]] = {}
        self._entries = 0

    def has(self, path: str, entry: Entry) -> bool:
        """Whether one of them has this very entry at `path`. Raises GitError, kind `damaged-repository`."""
        folder, _, name = path.rpartition("/")
        return any(self._folder(top, folder).get(name) == entry for top in self._tops)

    def _folder(self, top: str, path: str) -> Mapping[str, Entry]:
        if (top, path) not in self._folders:
            found = self._read(top, path)
            self._entries += len(found) + 1
            if self._entries > _MOST_KEPT:
                self._folders.clear()
                self._entries = len(found) + 1
            self._folders[top, path] = found
        return self._folders[top, path]

    def _read(self, top: str, path: str) -> Mapping[str, Entry]:
        tree: str | None = top
        for name in path.split("/") if path else ():
            tree = find_folder(self._repo, tree, name) if tree is not None else None
        return read_entries(self._repo, tree) if tree is not None else {}
