"""What a run reads and writes: the facts of an input or output, its bytes safe in the cache before they are named."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from gitmlog.core.atomic import READ_FLAGS, is_regular
from gitmlog.core.errors import DataError, NotFoundError, RefusedError
from gitmlog.core.paths import display, metafile_of, path_problem, tracked_problem
from gitmlog.core.progress import SILENT, Progress
from gitmlog.metafile.schema import DirectoryFacts, FileFacts, Metafile, Type
from gitmlog.metafile.text import format_metafile, parse_metafile
from gitmlog.ops.add import keep
from gitmlog.ops.content import is_unchanged, list_path
from gitmlog.ops.place import check_own
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import DataFacts

MAX_PLAIN = 64 << 20
"""Bytes of a file that git keeps itself, and a run reads or writes."""


@dataclass(frozen=True)
class Data:
    """An input or output.

    Attributes:
        path: the tracked path that it is or belongs to.
        facts: what its bytes are.
        metafile: the text of its metafile that the run's tree shall hold, or None to leave the one there is.
        ignore: whether the tree shall hold a .gitignore line for it.
        plain: the bytes themselves, when git keeps them and the tree shall hold them.
    """

    path: str
    facts: DataFacts
    metafile: bytes | None = None
    ignore: bool = False
    plain: bytes | None = None


def input_data(ws: Workspace, path: str, tree: str, progress: Progress = SILENT) -> Data:
    """What a run reads at `path`; `tree` is the snapshot.

    A path that gitmlog tracks is known by its object; one that was changed since it was added is kept as the run saw it. What
    git keeps is known by its blob or tree.

    Raises:
        NotFoundError: kind `no-path`.
        RefusedError: kind `bad-name`; kind `not-kept`: neither git nor gitmlog keeps it, so nobody could ever have it again.
    """
    if problem := path_problem(path):
        name = display(path)
        raise RefusedError(
            f"{name} cannot be an input: {problem}", kind="bad-name", hint="rename it; a folder is named as a whole"
        )
    owner = ws.owner(path)
    if owner is not None:
        return _tracked_input(ws, owner, progress)
    found = _in_tree(ws, tree, path)
    if found is not None:
        return found
    if not os.path.lexists(ws.root / path):
        raise NotFoundError(f"there is no {display(path)}", kind="no-path", hint="check the name with `ls`")
    name = display(path)
    raise RefusedError(
        f"neither git nor gitmlog keeps {name}: what the run read could not be had again",
        kind="not-kept",
        hint=f"gitmlog add {name}, then run again",
    )


def _tracked_input(ws: Workspace, owner: str, progress: Progress) -> Data:
    metafile = ws.metafile(owner)
    listing = list_path(ws, owner)
    if listing is None:
        raise NotFoundError(
            f"{display(owner)} is not in the working tree", kind="no-path", hint=f"gitmlog checkout {display(owner)}"
        )
    if is_unchanged(ws, owner, metafile.oid, listing):
        return Data(owner, _facts(metafile.facts))
    facts = keep(ws, owner, progress)
    if facts.blake3 == metafile.oid:
        return Data(owner, _facts(metafile.facts))
    return Data(owner, _facts(facts), _text(metafile, facts, owner))


def _in_tree(ws: Workspace, tree: str, path: str) -> Data | None:
    """What git keeps; a file as it is now, which may be another than in the snapshot: an earlier run's result, say."""
    found = ws.git.entry_of(tree, path)
    if found is None:
        return None
    now = None if found.is_folder else _small(ws, path)
    if now is None or ws.git.blob_id(now) == found.id:
        return Data(path, DataFacts(found.size, git=found.id))
    return Data(path, DataFacts(len(now), git=ws.git.blob_id(now)), plain=now)


def _small(ws: Workspace, path: str) -> bytes | None:
    """The bytes of a plain file that git can keep; None for a link, and for what is not there."""
    full = ws.root / path
    try:
        fd = os.open(full, READ_FLAGS)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ENXIO):
            return None
        raise
    with open(fd, "rb") as stream:
        info = os.fstat(fd)
        if not is_regular(info):
            return None
        if info.st_size > MAX_PLAIN:
            name = display(path)
            hint = f"git rm --cached --quiet -- {name} && gitmlog add {name}"
            raise RefusedError(
                f"{name} has {info.st_size:,} bytes: too large for git, which tracks it", kind="too-large", hint=hint
            )
        return stream.read(MAX_PLAIN)


def check_output(ws: Workspace, path: str) -> str:
    """The tracked path that the output at `path` is or belongs to; whether it is there does not matter.

    Raises:
        RefusedError: kinds `bad-name`, `submodule`, `nested-repository`.
    """
    owner = ws.owner(path) or path
    if problem := tracked_problem(owner):
        raise RefusedError(f"{display(owner)} cannot be an output: {problem}", kind="bad-name", hint="write to another name")
    check_own(ws, owner)
    return owner


def output_data(ws: Workspace, path: str, tree: str, kind: Type | None = None, progress: Progress = SILENT) -> Data:
    """What a run has written at `path`, now safe in the cache, with what the run's tree shall hold of it.

    A file that git itself keeps is written into the tree as it is.

    Raises:
        NotFoundError: kind `no-path`.
        RefusedError: kinds `bad-name`, `not-a-file`, `submodule`, `nested-repository`, ….
        DataError: kind `changed-while-read`; StorageError.
    """
    owner = check_output(ws, path)
    if ws.git.index_mode(owner):
        return _plain_output(ws, owner)
    facts = keep(ws, owner, progress)
    old = _metafile_in(ws, tree, owner)
    return Data(owner, _facts(facts), _text(old, facts, owner, kind), ignore=old is None and not ws.git.is_ignored(owner))


def _metafile_in(ws: Workspace, tree: str, path: str) -> Metafile | None:
    text = ws.git.bytes_in(tree, metafile_of(path))
    try:
        return parse_metafile(text, metafile_of(path)) if text is not None else None
    except DataError:  # in a merge conflict, say: what was trained for hours is kept all the same
        return None


def _plain_output(ws: Workspace, path: str) -> Data:
    data = _small(ws, path)
    if data is None:
        if not os.path.lexists(ws.root / path):
            raise NotFoundError(f"there is no {display(path)}", kind="no-path", hint="check the name with `ls`")
        raise RefusedError(f"{display(path)} is no plain file", kind="not-a-file", hint="git tracks a file there: write one")
    return Data(path, DataFacts(len(data), git=ws.git.blob_id(data)), plain=data)


def _text(old: Metafile | None, facts: FileFacts | DirectoryFacts, path: str, kind: Type | None = None) -> bytes:
    named = replace(facts, path=PurePosixPath(path).name)
    return format_metafile(Metafile(named, kind or (old.type if old else None), old.desc if old else ""))


def _facts(facts: FileFacts | DirectoryFacts) -> DataFacts:
    return DataFacts(facts.size, facts.blake3, facts.files if isinstance(facts, DirectoryFacts) else None)
