"""Metafiles that `git mv` renamed: their files, the lines in .gitignore and the names in them follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import METAFILE_SUFFIX, metafile_of
from gitmlog.git.staged import StagedChange, staged_changes
from gitmlog.git.staging import stage
from gitmlog.metafile.schema import Metafile
from gitmlog.metafile.text import format_metafile, parse_metafile
from gitmlog.ops.follow import METAFILES, Followed, leaving_paths, metafile_now, move_files
from gitmlog.ops.ignore import IgnoreEdits, ignore_file, ignore_line
from gitmlog.repo.workspace import Workspace


def renamed(ws: Workspace, index: Path | None = None) -> dict[str, str]:
    """The tracked paths that are renamed since HEAD, new -> old: the same object under a new name, and the old one is gone.

    Raises:
        GitError: git cannot read the index.
    """
    changes = staged_changes(ws.git, index, patterns=[METAFILES])
    places = {oid: each.path for each in changes if each.is_gone and (oid := _oid(ws, each.old, each.path))}
    pairs = {}
    for each in changes:
        if each.is_new and (old := places.pop(_oid(ws, each.new, each.path), None)) is not None:
            pairs[each.path.removesuffix(METAFILE_SUFFIX)] = old.removesuffix(METAFILE_SUFFIX)
    return pairs


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
        GitError: kind `index-locked`.
        StorageError.
    """
    pairs = unfinished(ws, renamed(ws))
    if not pairs:
        return {}
    with ws.changing():
        wanted = {new: found for new in pairs if (found := metafile_now(ws, new, Followed())) is not None}
        move_files(ws, dict(wanted), _leaving(ws, pairs), Followed())
        edits = IgnoreEdits(ws)
        texts: dict[str, bytes | None] = {}
        for new, metafile in wanted.items():
            edits.unignore(pairs[new])
            edits.ignore(new)
            texts[metafile_of(new)] = _write(ws, new, metafile)
        stage(ws.git, edits.write() | texts)
    return {new: pairs[new] for new in wanted}


def _leaving(ws: Workspace, pairs: dict[str, str]) -> dict[str, Metafile]:
    old = {metafile_of(path) for path in pairs.values()}
    gone: list[StagedChange] = [each for each in staged_changes(ws.git, patterns=[METAFILES]) if each.path in old]
    return leaving_paths(ws, gone, Followed())


def _write(ws: Workspace, path: str, metafile: Metafile) -> bytes:
    text = format_metafile(replace(metafile, facts=replace(metafile.facts, path=PurePosixPath(path).name)))
    ws.write(metafile_of(path), text)
    return text
