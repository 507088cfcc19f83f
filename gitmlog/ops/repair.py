"""Whole copies in place of damaged or missing objects: from the working tree, from the remote, and back to the remote."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from gitmlog.core.digest import ObjectId, hash_bytes, hash_fd
from gitmlog.core.errors import GitmlogError
from gitmlog.core.progress import SILENT, Progress
from gitmlog.metafile.schema import DirectoryFacts, Metafile
from gitmlog.metafile.tree import format_tree
from gitmlog.ops.content import list_path, read_content
from gitmlog.ops.needed import Chosen, Needs
from gitmlog.ops.select import Selection
from gitmlog.remote.base import Remote
from gitmlog.repo.workspace import Workspace
from gitmlog.store.cache import Writer
from gitmlog.store.ingest import copy_in, open_source


def repair_here(
    ws: Workspace, chosen: Chosen, broken: Collection[ObjectId], needs: Needs, remote: Remote | None, progress: Progress
) -> set[ObjectId]:
    """Bring whole copies of `broken` into the cache; returns those that are there now.

    Raises:
        RemoteError: the remote cannot be read.
        StorageError: the disk is full or fails.
    """
    with ws.cache.writing() as writer:
        _from_worktree(ws, writer, chosen, set(broken), needs)
    left = ws.cache.missing(broken)
    if left and remote is not None:
        from gitmlog.store.odb import CacheDB

        result = remote.receive(CacheDB(ws.cache), left, progress=progress)
        needs.notes += [f"{oid[:12]} could not be fetched: {reason}" for oid, reason in result.failed.items()]
    return {oid for oid in broken if ws.cache.has(oid)}


def _from_worktree(ws: Workspace, writer: Writer, chosen: Chosen, broken: set[ObjectId], needs: Needs) -> None:
    for selection, metafile in chosen:
        if metafile.oid in broken and isinstance(metafile.facts, DirectoryFacts):
            with suppress(GitmlogError, OSError):  # the directory cannot be read: the remote may have the tree
                _rebuild_tree(ws, writer, selection, metafile)
    for oid in broken:
        for path in sorted(needs.paths.get(oid, ())):
            with suppress(GitmlogError, OSError):  # this one cannot be read: another path may have the same bytes
                if _take_file(ws, writer, path, oid):
                    break


def _rebuild_tree(ws: Workspace, writer: Writer, selection: Selection, metafile: Metafile) -> None:
    listing = list_path(ws, selection.path)
    if listing is None:
        return
    content = read_content(ws, selection.path, listing, rehash=True)
    text = format_tree(content.entries.values())
    if hash_bytes(text) == metafile.oid:
        writer.put(text)


def _take_file(ws: Workspace, writer: Writer, path: str, oid: ObjectId) -> bool:
    """Hash first: what is not the object shall not become another one."""
    full = ws.root / path
    if not full.resolve().is_relative_to(ws.root):
        return False
    if full.is_symlink():
        target = os.fsencode(os.readlink(full))
        return hash_bytes(target) == oid and bool(writer.put(target))
    fd = open_source(full, path)
    try:
        actual, _ = hash_fd(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)
    return actual == oid and copy_in(writer, str(full), path, SILENT.task("", None).__enter__().advance).oid == oid


def repair_remote(
    ws: Workspace, remote: Remote, broken: Mapping[ObjectId, str], trees: set[ObjectId], progress: Progress
) -> set[ObjectId]:
    """Send whole copies from the cache, files before trees; returns what the remote holds whole now. Raises RemoteError."""
    from gitmlog.store.odb import CacheDB

    source = CacheDB(ws.cache)
    repaired: set[ObjectId] = set()
    for batch in _batches(broken, trees):
        here = [oid for oid in batch if ws.cache.has(oid)]
        if here:
            repaired |= remote.replace(source, here, progress=progress).sent
    return repaired


def _batches(broken: Mapping[ObjectId, str], trees: set[ObjectId]) -> Iterator[list[ObjectId]]:
    yield [oid for oid in broken if oid not in trees]
    yield [oid for oid in broken if oid in trees]
