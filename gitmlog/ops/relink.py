"""Replacing working files by links into the cache, once their bytes are safe there."""

from __future__ import annotations

import os

from gitmlog.core.atomic import is_regular, process_umask
from gitmlog.ops.content import Content
from gitmlog.repo.workspace import Workspace
from gitmlog.store.materialize import target
from gitmlog.store.state import Row, row_of


def relink(ws: Workspace, path: str, content: Content, link: str) -> None:
    """Replace the files of `content` by links of one kind; a file that changed since it was read stays as it is."""
    base = f"{path}/" if "" not in content.entries else ""
    with ws.temporary() as temporary, target(ws.root, temporary, [link, "copy"], process_umask()) as folder:
        for name, entry in content.entries.items():
            full = base + name if base else path
            now = _stat(ws, full)
            if entry.kind != "-" or now is None:
                continue
            if link == "hardlink" and now.st_ino == os.stat(ws.cache.name_of(entry.oid)).st_ino:
                content.rows[name] = row_of(now, entry.oid)  # it became the object itself
            elif _is_same(content.rows.get(name), now):
                content.rows[name] = row_of(folder.write(ws.cache, full, entry.oid, entry.size), entry.oid)


def _stat(ws: Workspace, path: str) -> os.stat_result | None:
    try:
        info = os.lstat(ws.root / path)
    except FileNotFoundError:
        return None
    return info if is_regular(info) else None


def _is_same(row: Row | None, now: os.stat_result) -> bool:
    """The change time is left out: taking a file in by a link moves it."""
    return row is not None and (row.size, row.mtime, row.ino) == (now.st_size, now.st_mtime_ns, now.st_ino)
