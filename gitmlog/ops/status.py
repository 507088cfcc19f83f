"""What differs between the metafiles, the working tree, the cache and the remote."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import METAFILE_SUFFIX, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.metafile.schema import Metafile
from gitmlog.metafile.text import format_metafile
from gitmlog.ops.content import is_unchanged, list_path, read_content, wanted_entries
from gitmlog.ops.drift import content_oid, is_behind, never_here
from gitmlog.ops.select import Selection, select
from gitmlog.repo.remotes import choose_remote, remote_spec
from gitmlog.repo.workspace import Workspace
from gitmlog.store.ingest import YOUNG
from gitmlog.store.walk import Listing

Condition = Literal[
    "modified", "behind", "partial", "missing", "not-cached", "not-pushed", "stale", "unstaged", "bad", "left-out"
]

_FINE = {"not-pushed", "partial", "left-out"}


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
        """Whether there is nothing to say but, perhaps, that something is not pushed, or that only a part is wanted here."""
        return not self.large and all(set(item.conditions) <= _FINE for item in self.paths)


def status(ws: Workspace, paths: Sequence[str], base: Path, *, rehash: bool = False, progress: Progress = SILENT) -> Status:
    """Compare. Nothing is changed but the memory of what was hashed.

    Raises:
        NotFoundError: kind `not-tracked`.
    """
    remote, pushed = _pushed(ws)
    selections = select(ws, paths, base, left_out=True)
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
    if text is None and ws.is_left_out(path):
        return PathStatus(path, ("left-out",))
    if text is None:
        return PathStatus(path, ("bad",), f"its metafile {metafile_of(path)} is gone: git checkout -- {metafile_of(path)}")
    try:
        metafile = ws.metafile(path)
        return _compare(ws, selection, metafile, text, pushed, rehash, progress)
    except GitmlogError as error:
        return PathStatus(path, ("bad",), f"{error.message}: {error.hint}" if error.hint else error.message)


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
    found = Difference()
    listing = list_path(ws, path)
    cached = ws.cache.has(metafile.oid)
    if listing is None:
        conditions.append("missing")
    elif rehash or not is_unchanged(ws, path, metafile.oid, listing):
        found = difference(ws, selection, metafile, listing, rehash=rehash, progress=progress)
        conditions += found.conditions
    if not cached:
        conditions.append("not-cached")
    if pushed is not None and cached and metafile.oid not in pushed:
        conditions.append("not-pushed")
    detail = _stale(path, metafile, text)
    if detail:
        conditions.append("stale")
    if ws.git.index_blob(metafile_of(path)) != text:
        conditions.append("unstaged")
    return PathStatus(path, tuple(conditions), detail, found.added, found.removed, found.changed)


def _stale(path: str, metafile: Metafile, text: bytes) -> str:
    name = PurePosixPath(path).name
    if metafile.facts.path != name:
        return f"renamed from {metafile.facts.path}"
    return "" if format_metafile(metafile) == text else "its text is not canonical"


@dataclass(frozen=True)
class Difference:
    """What a tracked path holds that its metafile does not say, and the other way round."""

    conditions: tuple[Condition, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def difference(
    ws: Workspace, selection: Selection, metafile: Metafile, listing: Listing, *, rehash: bool, progress: Progress
) -> Difference:
    """What differs between `metafile` and what `listing` found. What was hashed is remembered."""
    path = selection.path
    content = read_content(ws, path, listing, rehash=rehash, progress=progress)
    now, oid = content.entries, content_oid(content.entries)
    behind = not listing.odd and is_behind(ws, path, metafile, oid)
    wanted = wanted_entries(ws.cache, metafile) if not metafile.is_directory or ws.cache.has(metafile.oid) else None
    absent = {name for name in wanted or () if name not in now}
    unfetched = never_here(ws, path, metafile, absent)
    same = (oid == metafile.oid if wanted is None else now == wanted) and not listing.odd
    whole = metafile.oid if same else oid if behind else None
    ws.state.record(path, content.rows, (content.observed or time.time_ns()) - YOUNG, whole=whole)
    if same or behind or wanted is None:
        return Difference(() if same else ("behind",) if behind else ("modified",))
    added = (*(name for name in now if name not in wanted), *listing.odd)
    changed = (name for name in wanted if name in now and now[name] != wanted[name])
    sides = [tuple(sorted(filter(selection.takes, names))) for names in (added, absent - unfetched, changed)]
    partial: tuple[Condition, ...] = ("partial",) if any(map(selection.takes, unfetched)) else ()
    modified: tuple[Condition, ...] = ("modified",) if any(sides) else ()
    return Difference(modified + partial, *sides)


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
