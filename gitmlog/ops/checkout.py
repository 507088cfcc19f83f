"""Writing tracked files into the working tree, never over bytes that are kept nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import MissingDataError, NotFoundError, RefusedError, UsageError
from gitmlog.core.paths import METAFILE_SUFFIX, display, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.merge import other_side
from gitmlog.git.staging import stage
from gitmlog.metafile.merge import Side
from gitmlog.metafile.schema import DirectoryFacts, Metafile
from gitmlog.metafile.text import format_metafile, parse_metafile
from gitmlog.metafile.tree import TreeEntry, format_tree
from gitmlog.ops.carry import CheckedOut, Plan, carry_out
from gitmlog.ops.content import Entries, is_unchanged, list_path, read_content, wanted_entries
from gitmlog.ops.drivers import keep_tree, merged_tree
from gitmlog.ops.ignore import IgnoreEdits
from gitmlog.ops.revision import as_revision
from gitmlog.ops.select import Selection, left_out_error, select
from gitmlog.repo.workspace import Workspace, check_tracked_name
from gitmlog.store.walk import Listing


def checkout(
    ws: Workspace,
    paths: Sequence[str],
    base: Path,
    *,
    revision: str | None = None,
    side: Side | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> list[CheckedOut]:
    """Make the working tree hold what the metafiles say, or, with `revision`, what they said there (and stage those).

    `side` takes that side of a merge whose metafiles are in conflict, and so resolves it; of a directory, where the listings of
    both are in the cache, it decides about the paths that both changed, as in git.

    Raises:
        RefusedError: kind `would-overwrite`: bytes that are kept nowhere else would be lost; nothing was changed.
        MissingDataError: an object is not in the cache; nothing was changed.
        NotFoundError: kinds `not-tracked`, `no-revision`, `left-out`.
        DataError: kinds `corrupt`, `bad-tree`, `bad-metafile`.
    """
    with storage_errors("checking out"), ws.changing(progress):
        if side is not None:
            chosen = _in_conflict(ws, paths, base, side)
        elif revision is None:
            chosen = [(selection, ws.metafile(selection.path)) for selection in select(ws, paths, base)]
        else:
            chosen = _at_revision(ws, paths, base, revision)
        plans = [plan for selection, metafile in chosen if (plan := make_plan(ws, selection, metafile, progress)) is not None]
        _check(ws, plans, force, revision)
        done = {plan.path: carry_out(ws, plan, force, progress) for plan in plans}
        if revision is not None or side is not None:
            _adopt_metafiles(ws, chosen)
    return [done.get(selection.path, CheckedOut(selection.path)) for selection, _ in chosen]


def _at_revision(ws: Workspace, paths: Sequence[str], base: Path, revision: str) -> list[tuple[Selection, Metafile]]:
    if not paths:
        raise UsageError("--rev needs the paths to take from that revision", hint="gitmlog checkout --rev REV PATH…")
    texts = ws.git.metafiles_at(as_revision(ws, revision))
    tracked = [name.removesuffix(".gitmlog") for name in texts]
    chosen = []
    for selection in select(ws, paths, base, tracked):
        check_tracked_name(selection.path)
        if ws.is_left_out(selection.path):
            raise left_out_error(selection.path)
        name = metafile_of(selection.path)
        metafile = parse_metafile(texts[name], f"{revision}:{name}")
        chosen.append((selection, _blend(ws, selection, metafile)))
    if not chosen:
        raise NotFoundError(f"nothing is tracked in {revision}", kind="not-tracked")
    return chosen


def _in_conflict(ws: Workspace, paths: Sequence[str], base: Path, side: Side) -> list[tuple[Selection, Metafile]]:
    texts = ws.git.conflict_metafiles(side)
    if not texts:
        raise _no_conflict(ws, side)
    chosen = []
    for selection in select(ws, paths, base, [name.removesuffix(".gitmlog") for name in texts]):
        check_tracked_name(selection.path)
        name = metafile_of(selection.path)
        chosen.append((Selection(selection.path), _side_of(ws, name, side)))
    return chosen


def _no_conflict(ws: Workspace, side: Side) -> NotFoundError:
    """Nothing is in conflict, or what is was removed by the side that is asked for."""
    removed = sorted({name for each in ("ours", "theirs") for name in ws.git.conflict_metafiles(each)})
    if removed:
        name = display(removed[0])
        hint = f"to take that side: git rm {name}; to keep it: --{'theirs' if side == 'ours' else 'ours'}"
        return NotFoundError(f"{side} has removed {name}", kind="no-conflict", hint=hint)
    hint = "`git status` shows whether a merge is under way"
    return NotFoundError("no metafile is in conflict", kind="no-conflict", hint=hint)


def _side_of(ws: Workspace, name: str, side: Side) -> Metafile:
    """A directory is taken path by path, as git does with its own: what only the other side changed is kept."""
    sides = {each: ws.git.conflict_metafiles(each).get(name) for each in ("base", "ours", "theirs")}
    found = {each: parse_metafile(text, f"{each} of {name}") for each, text in sides.items() if text is not None}
    chosen, ours, theirs = found[side], found.get("ours"), found.get("theirs")
    if ours is None or theirs is None or not (ours.is_directory and theirs.is_directory):
        return chosen
    tree = merged_tree(ws, found.get("base"), ours, theirs, side)
    if tree is None:
        path = display(name.removesuffix(METAFILE_SUFFIX))
        get = f"gitmlog fetch --rev {other_side(ws.git) or 'REV'} {path}"
        hint = f"{get}; the whole of one side: git checkout --{side} {display(name)} && git add {display(name)}"
        raise MissingDataError(f"{path} cannot be merged file by file: a listing is not in the cache", hint=hint)
    return replace(chosen, facts=keep_tree(ws, chosen.facts.path, tree))


def _blend(ws: Workspace, selection: Selection, old: Metafile) -> Metafile:
    """Part of a directory at a revision: that part, in the tree that the working tree's metafile names."""
    if not selection.parts or ws.metafile_text(selection.path) is None:
        return old
    now = ws.metafile(selection.path)
    if not now.is_directory or not old.is_directory:
        return old
    entries = {name: entry for name, entry in wanted_entries(ws.cache, now).items() if not selection.takes(name)}
    entries |= {name: entry for name, entry in wanted_entries(ws.cache, old).items() if selection.takes(name)}
    with ws.cache.writing() as writer:
        oid = writer.put(format_tree(entries.values()))
    size = sum(entry.size for entry in entries.values())
    return replace(now, facts=DirectoryFacts(PurePosixPath(selection.path).name, oid, size, len(entries)))


def make_plan(ws: Workspace, selection: Selection, metafile: Metafile, progress: Progress) -> Plan | None:
    """What is to be done so that the path holds what `metafile` says; None: it does.

    Raises:
        RefusedError: kind `not-a-file`.
        NotFoundError: kind `no-path`.
        DataError, MissingDataError: of the tree.
    """
    listing = list_path(ws, selection.path)
    if listing is not None and is_unchanged(ws, selection.path, metafile.oid, listing):
        _check_parts(selection, (*listing.files, *listing.links))
        return None
    current = read_content(ws, selection.path, _without_odd(selection, listing), progress=progress)
    plan = Plan(selection, metafile, wanted_entries(ws.cache, metafile), current)
    for name, entry in plan.wanted.items():
        if selection.takes(name) and current.entries.get(name) != entry:
            plan.write.append(entry)
            if name in current.entries and not is_saved(ws, current.entries[name]):
                plan.unsaved.append(name)
    _check_parts(selection, (*plan.wanted, *current.entries))
    for name in current.entries.keys() - plan.wanted.keys():
        if selection.takes(name):
            (plan.remove if is_saved(ws, current.entries[name]) else plan.keep).append(name)
    _find_clashes(plan)
    return plan


def _check_parts(selection: Selection, names: Sequence[str]) -> None:
    if selection.parts and not any(map(selection.takes, names)):
        parts = " or ".join(display(part) for part in selection.parts)
        raise NotFoundError(f"nothing in {display(selection.path)} matches {parts}", kind="no-path", hint="check the pattern")


def _without_odd(selection: Selection, listing: Listing | None) -> Listing:
    if listing is None:
        return Listing()
    if "" in listing.odd:
        hint = "move it away, then run the command again"
        raise RefusedError(f"{display(selection.path)} is {listing.odd['']}", kind="not-a-file", hint=hint)
    return listing


def is_saved(ws: Workspace, entry: TreeEntry) -> bool:
    """Whether the cache has these very bytes. They are read: what is about to be replaced may be the only whole copy."""
    return ws.cache.size(entry.oid) == entry.size and ws.cache.is_whole(entry.oid)


def _find_clashes(plan: Plan) -> None:
    """An unsaved file where a folder is wanted, or below where a file is wanted, is in the way."""
    folders = {"/".join(name.split("/")[:depth]) for name in plan.wanted for depth in range(1, name.count("/") + 1)} | {""}
    in_way = [name for name in plan.keep if (name in folders and plan.wanted.keys() != {""}) or _is_below(name, plan.wanted)]
    plan.unsaved += in_way
    plan.keep = [name for name in plan.keep if name not in in_way]


def _is_below(name: str, wanted: Entries) -> bool:
    return "" in wanted or any(parent.as_posix() in wanted for parent in PurePosixPath(name).parents)


def _check(ws: Workspace, plans: list[Plan], force: bool, revision: str | None) -> None:
    unsaved = [plan.full(name) for plan in plans for name in plan.unsaved]
    if unsaved and not force:
        raise would_overwrite(unsaved)
    for plan in plans:
        absent = [entry for entry in plan.write if not ws.cache.has(entry.oid)]
        if absent:
            several = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            rev = f"--rev {revision} " if revision else ""
            hint = f"gitmlog pull {rev}{display(plan.path)}"
            raise MissingDataError(f"the bytes of {display(plan.full(absent[0].path))}{several} are not in the cache", hint=hint)
        check_place(ws, plan)


def would_overwrite(unsaved: Sequence[str]) -> RefusedError:
    """The error for replacing files whose bytes are kept nowhere else."""
    shown = ", ".join(display(name) for name in unsaved[:5]) + (f" and {len(unsaved) - 5} more" if len(unsaved) > 5 else "")
    hint = f"keep them: gitmlog add {display(unsaved[0])} (or copy them away); give them up: --force"
    return RefusedError(f"these bytes are kept nowhere else and would be lost: {shown}", kind="would-overwrite", hint=hint)


def check_place(ws: Workspace, plan: Plan) -> None:
    """Refuse what this place cannot hold. Raises RefusedError, kinds `link-outside`, `case-collision`."""
    _check_links(plan)
    _check_case(ws, plan)


def _check_links(plan: Plan) -> None:
    for entry in plan.write:
        if entry.kind == "l" and not entry.path:
            raise RefusedError(f"{display(plan.path)} is a link in its metafile", kind="link-outside")


def _check_case(ws: Workspace, plan: Plan) -> None:
    """Names that differ only in case need a file system that tells them apart."""
    folded: dict[str, str] = {}
    clash = next((name for name in plan.wanted if folded.setdefault(name.casefold(), name) != name), None)
    if clash is not None and (ws.git.gitdir / "HEAD").exists() and (ws.git.gitdir / "hEAD").exists():
        hint = "check it out on a file system that tells upper from lower case, or rename one of them there"
        names = f"{display(folded[clash.casefold()])} and {display(clash)}"
        raise RefusedError(f"{names} in {display(plan.path)} are one file on this file system", kind="case-collision", hint=hint)


def _adopt_metafiles(ws: Workspace, chosen: list[tuple[Selection, Metafile]]) -> None:
    edits = IgnoreEdits(ws)
    texts = {metafile_of(selection.path): format_metafile(metafile) for selection, metafile in chosen}
    for name, text in texts.items():
        if ws.metafile_text(name.removesuffix(".gitmlog")) != text:
            ws.write(name, text)
        edits.ignore(name.removesuffix(".gitmlog"))
    stage(ws.git, edits.write() | {name: text for name, text in texts.items() if ws.git.index_blob(name) != text})
