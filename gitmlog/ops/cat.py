"""`cat`: the bytes of one file of any revision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gitmlog.core.progress import SILENT, Progress
from gitmlog.ops.source import Objects, Source, at_revision, clean_path, in_worktree, split_spec
from gitmlog.repo.workspace import Workspace


def find(ws: Workspace, spec: str, base: Path) -> Source:
    """What "REV:PATH" names (PATH from the top of the repository, or from `base` when it begins with "./" or "../"), or
    "PATH" (from `base`, as the working tree's metafile says).

    Raises:
        NotFoundError: kinds `no-revision`, `no-commit`, `no-path`.
        UsageError, RefusedError: the path is none.
    """
    revision, path = split_spec(spec)
    if revision is not None and not os.path.lexists(base / spec):
        relative = ws.relative(path, base) if path.startswith(("./", "../")) else clean_path(path)
        return at_revision(ws, revision, relative)
    return in_worktree(ws, ws.relative(spec, base))


def cat(ws: Workspace, spec: str, base: Path, *, progress: Progress = SILENT) -> Iterator[bytes]:
    """The bytes of one file, in pieces, hashed as they go; fetched first when the cache does not have them.

    Raises:
        NotFoundError, UsageError: as `find`; kind `is-directory`.
        MissingDataError: neither the cache nor the remote has it.
        DataError: kind `corrupt`; raised after the last piece when only then it shows.
    """
    source = find(ws, spec, base)
    if source.plain is not None:
        yield source.plain
        return
    with ws.cache.in_use():
        objects = Objects.of(ws, progress)
        yield from objects.pieces(source.file(objects))
