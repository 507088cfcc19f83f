"""Which objects anything can still reach. Where something cannot be read, more is reached, never less (spec: cache.md, gc)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from gitmlog.core.atomic import READ_FLAGS
from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError, MissingDataError
from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.git.history import reachable_metafiles, worktree_roots
from gitmlog.git.repository import GitRepo
from gitmlog.metafile.schema import DirectoryFacts
from gitmlog.metafile.tree import parse_tree
from gitmlog.ops.listed import listed
from gitmlog.store.cache import Cache

_ID_ANYWHERE = re.compile(rb"(?=([0-9a-f]{64}))")
_TREE = b"gitmlog-tree "
_PIECE = 8 << 20


@dataclass
class Reach:
    """What is reached.

    Attributes:
        oids: every object.
        missing_trees: trees that are neither in the cache nor in its trash; what they list is not known.
        newer: metafiles and trees of a newer version, with the reason.
        notes: what could not be read, and was taken to reach every id in it.
    """

    oids: set[ObjectId] = field(default_factory=set)
    missing_trees: set[ObjectId] = field(default_factory=set)
    newer: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_reachable(cache: Cache, repos: Sequence[GitRepo]) -> Reach:
    """All that the metafiles of these repositories reach: refs, reflogs, stashes, indexes and files of all worktrees.

    Raises:
        GitError: kind `damaged-repository`: what is reachable is not known.
        OSError: a working tree cannot be read.
    """
    reach, texts = Reach(), set[bytes]()
    for repo in repos:
        _follow_all_ids(cache, _in_live_runs(repo), reach)  # first: a run that ends meanwhile makes its ref, then its folder goes
        for name, text in chain(reachable_metafiles(repo), _in_worktrees(repo)):
            if text not in texts:
                texts.add(text)
                _follow(cache, name, text, reach)
    return reach


def _in_worktrees(repo: GitRepo) -> Iterator[tuple[str, bytes]]:
    """Also those that are in no index, and those that git ignores."""
    for root in worktree_roots(repo):
        for folder, folders, names in os.walk(root, onerror=_fail):
            folders[:] = [name for name in folders if name != ".git"]
            for name in names:
                if name.endswith(METAFILE_SUFFIX) and (text := _read(Path(folder, name))) is not None:
                    yield name, text


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _read(path: Path) -> bytes | None:
    """None: it is gone, or a link, which is never read."""
    try:
        fd = os.open(path, READ_FLAGS)
    except OSError:
        if path.is_symlink() or not path.exists():
            return None
        raise
    with open(fd, "rb") as stream:
        return stream.read()


def _follow(cache: Cache, name: str, text: bytes, reach: Reach) -> None:
    try:
        found = [metafile.facts for _, metafile in listed(name, text)]
    except DataError as error:
        (reach.newer if error.kind == "newer-version" else reach.notes).append(error.message)
        _follow_all_ids(cache, _ID_ANYWHERE.findall(text), reach)
        return
    for facts in found:
        reach.oids.add(facts.blake3)
        if isinstance(facts, DirectoryFacts):
            _follow_tree(cache, facts.blake3, name, reach)


def _follow_all_ids(cache: Cache, ids: Iterable[bytes], reach: Reach) -> None:
    """Of a metafile in conflict or damaged, or of a run's journal: each may be a file's or a tree's."""
    for oid in dict.fromkeys(ObjectId(found.decode()) for found in ids):
        reach.oids.add(oid)
        if cache.has(oid) and is_tree(cache, oid):
            _follow_tree(cache, oid, "a tree in an unreadable metafile", reach)


def _in_live_runs(repo: GitRepo) -> Iterator[bytes]:
    """Every id in the folders of runs that are under way, or that wait for `runs recover` (spec: run.md, While it runs)."""
    for folder, _, names in os.walk(repo.commondir / "gitmlog" / "runs", onerror=_fail):
        for name in names:
            yield from _ids_in(Path(folder, name))


def _ids_in(path: Path) -> Iterator[bytes]:
    """Piece by piece: a log may be large. A piece begins with the end of the one before, where an id may have been cut."""
    try:
        fd = os.open(path, READ_FLAGS)
    except OSError:
        if path.is_symlink() or not path.exists():
            return
        raise
    with open(fd, "rb") as stream:
        before = b""
        while data := stream.read(_PIECE):
            yield from _ID_ANYWHERE.findall(before + data)
            before = (before + data)[-63:]


def _follow_tree(cache: Cache, oid: ObjectId, name: str, reach: Reach) -> None:
    try:
        text = cache.read(oid)
    except MissingDataError:
        reach.missing_trees.add(oid)
        return
    except DataError as error:
        reach.missing_trees.add(oid)
        reach.notes.append(f"{name}: {error.message}")
        return
    reach.missing_trees.discard(oid)
    try:
        reach.oids.update(entry.oid for entry in parse_tree(text, f"the tree of {name}"))
    except DataError as error:
        (reach.newer if error.kind == "newer-version" else reach.notes).append(error.message)
        reach.oids.update(ObjectId(found.decode()) for found in _ID_ANYWHERE.findall(text))


def is_tree(cache: Cache, oid: ObjectId) -> bool:
    """Whether the object begins as a tree does."""
    with cache.open(oid) as stream:
        return stream.read(len(_TREE)) == _TREE
