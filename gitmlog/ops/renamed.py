"""Metafiles that `git mv` renamed: their files, the lines in .gitignore and the names in them follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import GitmlogError, RefusedError
from gitmlog.core.paths import METAFILE_SUFFIX, display, is_utf8, metafile_of
from gitmlog.git.staged import StagedChange, staged_changes
from gitmlog.git.staging import stage
from gitmlog.metafile.change import pair_by_object
from gitmlog.metafile.schema import Metafile
from gitmlog.metafile.text import format_metafile, parse_metafile
from gitmlog.ops.follow import METAFILES, Followed, is_as_said, is_there, leaving_paths, metafile_now, move_files
from gitmlog.ops.ignore import IgnoreEdits, ignore_file, ignore_line
from gitmlog.repo.workspace import Workspace


def renamed(ws: Workspace, index: Path | None = None) -> dict[str, str]:
    """The tracked paths that are renamed since HEAD, new -> old: the same object under a new name, and the old one is gone.

    Raises:
        GitError: git cannot read the index.
    """
    changes = [each for each in staged_changes(ws.git, index, patterns=[METAFILES]) if is_utf8(each.path)]
    gone = {_tracked(each): oid for each in changes if each.is_gone and (oid := _oid(ws, each.old, each.path))}
    new = {_tracked(each): oid for each in changes if each.is_new and (oid := _oid(ws, each.new, each.path))}
    return pair_by_object(gone, new)


def _tracked(change: StagedChange) -> str:
    return change.path.removesuffix(METAFILE_SUFFIX)


def _oid(ws: Workspace, blob: str, name: str) -> str:
    try:
        return parse_metafile(ws.git.blob_of(blob), name).oid
    except GitmlogError:
        return ""


def unfinished(ws: Workspace, pairs: dict[str, str]) -> dict[str, str]:
    """Those of `renamed` whose metafile or .gitignore has the old name still, in the index or in the working tree."""
    return {new: old for new, old in pairs.items() if _is_unfinished(ws, new, old)}


def _is_unfinished(ws: Workspace, new: str, old: str) -> bool:
    staged = ws.git.index_blob(metafile_of(new))
    if staged is None or metafile_now(ws, new, Followed()) is None:
        return False
    named = parse_metafile(staged, metafile_of(new)).facts.path
    ignored = (ws.git.index_blob(ignore_file(old)) or b"").splitlines()
    return named != PurePosixPath(new).name or not ws.git.is_ignored(new) or ignore_line(old) in ignored


def finish_renames(ws: Workspace) -> dict[str, str]:
    """Do for renames by `git mv` what `gitmlog mv` does: move the file, mend .gitignore and the metafile, stage both.

    Returns those that were finished, new -> old. Killed half-way, it is finished by the next call.

    Raises:
        RefusedError: kind `would-overwrite`: another file has the new name; nothing was changed.
        GitError: kind `index-locked`.
        StorageError.
    """
    pairs = unfinished(ws, renamed(ws))
    if not pairs:
        return {}
    with storage_errors("renaming"), ws.changing():
        wanted = {new: found for new in pairs if (found := metafile_now(ws, new, Followed())) is not None}
        _check_free(ws, wanted, pairs)
        done = Followed()
        move_files(ws, wanted, _leaving(ws, pairs), done, changed=True)
        if done.problems:
            raise done.problems[0]
        edits = IgnoreEdits(ws)
        texts: dict[str, bytes | None] = {}
        for new in wanted:
            edits.unignore(pairs[new])
            edits.ignore(new)
            texts[metafile_of(new)] = _rename_in(ws, new)
        stage(ws.git, edits.write() | texts)
    return {new: pairs[new] for new in wanted}


def _check_free(ws: Workspace, wanted: dict[str, Metafile], pairs: dict[str, str]) -> None:
    for path, metafile in wanted.items():
        if is_there(ws, path) and is_there(ws, pairs[path]) and not is_as_said(ws, path, metafile):
            message = f"the metafile was renamed to that of {display(path)}, which is another file"
            hint = f"move {display(path)} away, or give the metafile another name by git mv"
            raise RefusedError(message, kind="would-overwrite", hint=hint)


def _leaving(ws: Workspace, pairs: dict[str, str]) -> dict[str, Metafile]:
    old = {metafile_of(path) for path in pairs.values()}
    gone: list[StagedChange] = [each for each in staged_changes(ws.git, patterns=[METAFILES]) if each.path in old]
    return leaving_paths(ws, gone, Followed())


def _rename_in(ws: Workspace, path: str) -> bytes:
    """The new name, in the working tree's metafile and in that of the index, which is returned: what differs stays so."""
    name = metafile_of(path)
    now, staged = ws.metafile_text(path), ws.git.index_blob(name)
    assert now is not None and staged is not None  # noqa: PT018 - they are looked at before
    text = _named(now, name)
    ws.write(name, text)
    return text if staged == now else _named(staged, name)


def _named(text: bytes, name: str) -> bytes:
    metafile = parse_metafile(text, name)
    path = PurePosixPath(name).name.removesuffix(METAFILE_SUFFIX)
    return format_metafile(replace(metafile, facts=replace(metafile.facts, path=path)))
