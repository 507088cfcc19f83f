"""The merge driver: git calls it for a metafile that both sides changed; also how a conflict is settled for one side."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.git.merge import last_change, other_side
from gitmlog.metafile.merge import MergedTree, Side, SideText, conflict_text, merge_facts, merge_trees, with_facts
from gitmlog.metafile.schema import MAX_BYTES, DirectoryFacts, Metafile
from gitmlog.metafile.text import format_metafile, parse_metafile
from gitmlog.metafile.tree import format_tree
from gitmlog.ops.content import Entries, wanted_entries
from gitmlog.repo.workspace import Workspace

_LONGEST = 160


def merge_files(ws: Workspace, base: Path, ours: Path, theirs: Path, name: str, width: int, other: str = "") -> bool:
    """Merge the texts of three files into `ours`; whether it is settled. Otherwise `ours` holds both sides between markers.

    `other` is the commit that is merged, where git said which.

    Listings of directories that the cache lacks are fetched, unless the configuration says otherwise (`hooks.merge`).

    Raises:
        DataError: a side is no metafile: nothing was written.
        StorageError.
    """
    path = name.removesuffix(METAFILE_SUFFIX)
    texts = [_read(each) for each in (base, ours, theirs)]
    old = _parsed(texts[0], name) if texts[0].strip() else None
    left, right = parse_metafile(texts[1], f"ours:{name}"), parse_metafile(texts[2], f"theirs:{name}")
    left, right = _named(left, path), _named(right, path)
    merged, conflicts = _merge(ws, _named(old, path) if old is not None else None, left, right)
    if merged is not None:
        ours.write_bytes(format_metafile(merged))
        return True
    sides = (
        SideText(left, _origin(ws, "HEAD", name, left)),
        SideText(right, _origin(ws, other or other_side(ws.git), name, right)),
    )
    ours.write_bytes(conflict_text(*sides, path, conflicts, width))
    return False


def _origin(ws: Workspace, revision: str, name: str, metafile: Metafile) -> str:
    """The commit that last changed the metafile there, and the run that made the bytes: size alone tells no two models apart."""
    from gitmlog.ops.runs.makers import Makers

    commit, day, subject = last_change(ws.git, revision, name) if revision else ("", "", "")
    parts = [f"{day} {commit} {subject}"] if commit else []
    with suppress(GitmlogError), Makers(ws) as makers:
        run = makers.of_object(metafile.oid, name.removesuffix(METAFILE_SUFFIX))
        if run is not None:
            metrics = (f" {key} {facts.last:.4g}" for key, facts in sorted(run.record.metrics.items())[:3])
            parts.append(f"run {run.record.id}{''.join(metrics)}")
    text = "".join(c if c.isprintable() else "?" for c in ", ".join(parts))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _parsed(text: bytes, name: str) -> Metafile | None:
    """An ancestor that cannot be read is none: each side then counts as changed."""
    try:
        return parse_metafile(text, name)
    except GitmlogError:
        return None


def _named(metafile: Metafile, path: str) -> Metafile:
    """A side on which it was renamed has the other name in it."""
    return replace(metafile, facts=replace(metafile.facts, path=PurePosixPath(path).name))


def _merge(
    ws: Workspace, base: Metafile | None, ours: Metafile, theirs: Metafile
) -> tuple[Metafile | None, tuple[str, ...] | None]:
    """What both become, and the paths in conflict; None for those when the cache lacks a tree."""
    merged = merge_facts(base, ours, theirs)
    if merged is not None or not (ours.is_directory and theirs.is_directory):
        return merged, ()
    tree = merged_tree(ws, base, ours, theirs)
    if tree is None:
        return None, None
    if tree.conflicts:
        return None, tree.conflicts
    return with_facts(base, ours, theirs, keep_tree(ws, ours.facts.path, tree)), ()


def merged_tree(
    ws: Workspace, base: Metafile | None, ours: Metafile, theirs: Metafile, favour: Side = "ours"
) -> MergedTree | None:
    """The two directories brought together path by path; None where a listing can be had from neither cache nor remote."""
    old = base if base is not None and base.is_directory else None
    _bring(ws, [each for each in (old, ours, theirs) if each is not None])
    try:
        entries: Entries = wanted_entries(ws.cache, old) if old is not None else {}
        return merge_trees(entries, wanted_entries(ws.cache, ours), wanted_entries(ws.cache, theirs), favour)
    except GitmlogError:
        return None


def _bring(ws: Workspace, directories: Sequence[Metafile]) -> None:
    """Fetch listings that the cache lacks; a remote that does not answer soon is no reason to keep git waiting."""
    from gitmlog.ops.sync import fetch_listings

    absent = ws.cache.missing([each.oid for each in directories])
    if absent and ws.config.get("hooks.merge") == "fetch":
        with suppress(GitmlogError):
            fetch_listings(ws, absent)


def keep_tree(ws: Workspace, name: str, tree: MergedTree) -> DirectoryFacts:
    """Put a merged tree into the cache, durably; returns what a metafile says of it."""
    with ws.cache.in_use(), ws.cache.writing() as writer:
        oid = writer.put(format_tree(tree.entries.values()))
    size = sum(entry.size for entry in tree.entries.values())
    return DirectoryFacts(name, oid, size, len(tree.entries))
