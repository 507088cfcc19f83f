"""What differs between the metafiles, the working tree, the cache and the remote."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from gitmlog.core.digest import ObjectId, hash_bytes
from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import METAFILE_SUFFIX, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.metafile.schema import Metafile
from gitmlog.metafile.text import format_metafile
from gitmlog.metafile.tree import format_tree
from gitmlog.ops.content import is_unchanged, list_path, read_content, wanted_entries
from gitmlog.ops.select import Selection, select
from gitmlog.repo.remotes import choose_remote, remote_spec
from gitmlog.repo.workspace import Workspace
from gitmlog.store.walk import Listing

Condition = Literal["modified", "missing", "not-cached", "not-pushed", "stale", "unstaged", "bad"]


@dataclass(frozen=True)
class PathStatus:
    """How one tracked path stands.

    Attributes:
        path: relative to the working tree.
        conditions: empty when all is well.
        detail: a few words for each condition that needs them.
        added, removed, changed: paths below a modified directory.
    """

    path: str
    conditions: tuple[Condition, ...] = ()
    detail: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """The whole working tree.

    Attributes:
        paths: every tracked path that was asked for, sorted.
        large: untracked files that git does not ignore and that are large: path -> bytes.
        remote: the remote that "not-pushed" speaks of, or None.
    """

    paths: tuple[PathStatus, ...]
    large: dict[str, int]
    remote: str | None

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to say but, perhaps, that something is not pushed."""
        return not self.large and all(set(item.conditions) <= {"not-pushed"} for item in self.paths)


def status(ws: Workspace, paths: Sequence[str], base: Path, *, rehash: bool = False, progress: Progress = SILENT) -> Status:
    """Compare. Nothing is changed but the memory of what was hashed.

    Raises:
        NotFoundError: kind `not-tracked`.
    """
    remote, pushed = _pushed(ws)
    selections = select(ws, paths, base)
    found = tuple(_one(ws, selection, pushed, rehash, progress) for selection in selections)
    return Status(found, {} if paths else _large(ws), remote)


def _pushed(ws: Workspace) -> tuple[str | None, set[ObjectId] | None]:
    try:
        name = choose_remote(ws.config, None)
        return name, ws.pushed.known(remote_spec(ws.config, name).url)
    except GitmlogError:
        return None, None


def _one(ws: Workspace, selection: Selection, pushed: set[ObjectId] | None, rehash: bool, progress: Progress) -> PathStatus:
    path = selection.path
    text = ws.metafile_text(path)
    if text is None:
        return PathStatus(path, ("bad",), f"its metafile {metafile_of(path)} is gone: git checkout -- {metafile_of(path)}")
    try:
        metafile = ws.metafile(path)
        return _compare(ws, selection, metafile, text, pushed, rehash, progress)
    except GitmlogError as error:
        return PathStatus(path, ("bad",), error.message)


def _compare(
    ws: Workspace,
    selection: Selection,
    metafile: Metafile,
    text: bytes,
    pushed: set[ObjectId] | None,
    rehash: bool,
    progress: Progress,
) -> PathStatus:
    path, conditions = selection.path, list[Condition]()
    added, removed, changed = (), (), ()  # type: tuple[str, ...], tuple[str, ...], tuple[str, ...]
    listing = list_path(ws, path)
    cached = ws.cache.has(metafile.oid)
    if listing is None:
        conditions.append("missing")
    elif rehash or not is_unchanged(ws, path, metafile.oid, listing):
        added, removed, changed = _differences(ws, selection, metafile, listing, rehash, progress)
        if added or removed or changed:
            conditions.append("modified")
    if not cached:
        conditions.append("not-cached")
    if pushed is not None and cached and metafile.oid not in pushed:
        conditions.append("not-pushed")
    detail = _stale(path, metafile, text)
    if detail:
        conditions.append("stale")
    if ws.git.index_blob(metafile_of(path)) != text:
        conditions.append("unstaged")
    return PathStatus(path, tuple(conditions), detail, added, removed, changed)


def _stale(path: str, metafile: Metafile, text: bytes) -> str:
    name = PurePosixPath(path).name
    if metafile.facts.path != name:
        return f"renamed from {metafile.facts.path}"
    return "" if format_metafile(metafile) == text else "its text is not canonical"


def _differences(
    ws: Workspace, selection: Selection, metafile: Metafile, listing: Listing, rehash: bool, progress: Progress
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    path = selection.path
    content = read_content(ws, path, listing, rehash=rehash, progress=progress)
    now = content.entries
    if not metafile.is_directory or ws.cache.has(metafile.oid):
        wanted = wanted_entries(ws.cache, metafile)
    else:  # the tree itself is not here: its id alone tells whether the directory still is what it lists
        same = hash_bytes(format_tree(now.values())) == metafile.oid and not listing.odd
        return (), (), () if same else ("",)
    ws.state.record(path, content.rows, content.observed or time.time_ns(), whole=metafile.oid if now == wanted else None)
    added = (*(name for name in now if name not in wanted), *listing.odd)
    removed = (name for name in wanted if name not in now)
    changed = (name for name in wanted if name in now and now[name] != wanted[name])
    return (
        tuple(sorted(filter(selection.takes, added))),
        tuple(filter(selection.takes, removed)),
        tuple(filter(selection.takes, changed)),
    )


def _large(ws: Workspace) -> dict[str, int]:
    limit = ws.config.integer("status.large")
    found = {}
    for path in ws.git.untracked():
        try:
            size = os.lstat(ws.root / path).st_size
        except OSError:
            continue
        if size >= limit and not path.endswith(METAFILE_SUFFIX):
            found[path] = size
    return found
