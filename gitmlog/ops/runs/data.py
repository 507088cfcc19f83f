"""What a run reads and writes: the facts of an input or output, its bytes safe in the cache before they are named."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

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
        return Data(path, found)
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


def _in_tree(ws: Workspace, tree: str, path: str) -> DataFacts | None:
    found = ws.git.entry_of(tree, path)
    return None if found is None else DataFacts(found.size, git=found.id)


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
    if ws.git.is_tracked(owner) and os.path.isfile(ws.root / owner):
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
    data = (ws.root / path).read_bytes()
    return Data(path, DataFacts(len(data), git=ws.git.blob_id(data)), plain=data)


def _text(old: Metafile | None, facts: FileFacts | DirectoryFacts, path: str, kind: Type | None = None) -> bytes:
    named = replace(facts, path=PurePosixPath(path).name)
    return format_metafile(Metafile(named, kind or (old.type if old else None), old.desc if old else ""))


def _facts(facts: FileFacts | DirectoryFacts) -> DataFacts:
    return DataFacts(facts.size, facts.blake3, facts.files if isinstance(facts, DirectoryFacts) else None)
