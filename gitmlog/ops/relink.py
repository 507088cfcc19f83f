"""Replacing working files by links into the cache, once their bytes are safe there."""

from __future__ import annotations

from gitmlog.ops.content import Content, list_path
from gitmlog.repo.workspace import Workspace
from gitmlog.store.materialize import target
from gitmlog.store.state import matches, row_of


def relink(ws: Workspace, path: str, content: Content, link: str) -> None:
    """Replace the files of `content` by links of one kind; a file that changed since it was read stays as it is."""
    base = f"{path}/" if "" not in content.entries else ""
    with ws.temporary() as temporary, target(ws.root, temporary, [link, "copy"], 0o022) as folder:
        for name, entry in content.entries.items():
            full = base + name if base else path
            now = list_path(ws, full)
            if entry.kind != "-" or now is None or "" not in now.files or not matches(content.rows.get(name), now.files[""]):
                continue
            info = folder.write(ws.cache, full, entry.oid, entry.size)
            content.rows[name] = row_of(info, entry.oid)
