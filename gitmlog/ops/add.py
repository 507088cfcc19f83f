"""Track files and directories: bytes into the cache, a metafile beside each, both staged (spec: metafile.md, Writing)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gitmlog.core.atomic import storage_errors
from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError, NotFoundError, RefusedError, UsageError
from gitmlog.core.paths import display, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.staging import stage
from gitmlog.metafile.schema import DirectoryFacts, FileFacts, Metafile, Type
from gitmlog.metafile.text import desc_problem, format_metafile
from gitmlog.metafile.tree import TreeEntry, format_tree
from gitmlog.ops.content import (
    Entries,
    check_links,
    check_listing,
    hash_files,
    is_unchanged,
    known_rows,
    list_path,
    make_content,
    wanted_entries,
)
from gitmlog.ops.drift import behind_error, is_behind, never_here, older_entries, partly_behind_error
from gitmlog.ops.ignore import IgnoreEdits
from gitmlog.ops.relink import relink
from gitmlog.ops.targets import Target, choose_targets
from gitmlog.repo.workspace import Workspace
from gitmlog.store.adopt import adopt
from gitmlog.store.cache import Writer, corrupt_object
from gitmlog.store.ingest import flush_young, ingest, not_a_file
from gitmlog.store.state import Row, row_of
from gitmlog.store.walk import Listing


@dataclass(frozen=True)
class Added:
    """One path that is tracked now.

    Attributes:
        path: relative to the working tree.
        oid: its object, or its tree's.
        size: bytes of all files.
        files: how many.
        changed: whether its metafile is new or another than before.
    """

    path: str
    oid: ObjectId
    size: int
    files: int
    changed: bool


@dataclass(frozen=True)
class AddOptions:
    """How to add.

    Attributes:
        rehash: believe nothing that was hashed before.
        link: replace the working files by links of this kind into the cache (`hardlink`, `symlink`, `reflink`), or None.
        desc: a new description, or None to keep the one there is.
        type: a new type, or None to keep the one there is.
        force: make an older version the new one, and take what is not here out of a directory.
    """

    rehash: bool = False
    link: str | None = None
    desc: str | None = None
    type: Type | None = None
    force: bool = False


@dataclass(frozen=True)
class AddResult:
    """What `add` did, and what the user should know about it."""

    added: tuple[Added, ...]
    notes: tuple[str, ...] = ()


def add(
    ws: Workspace, paths: Sequence[str], base: Path, options: AddOptions | None = None, *, progress: Progress = SILENT
) -> AddResult:
    """Track `paths` (as written by a user in the folder `base`; patterns are expanded).

    Raises:
        NotFoundError: kinds `no-path`, `unreadable`.
        RefusedError: kinds `outside-repository`, `tracked-by-git`, `not-a-file`, `bad-name`, `link-outside`, `metafile-ignored`,
            `nested-metafile`, `nested-repository`, `submodule`, `behind`.
        DataError: kind `changed-while-read`.
        StorageError: the disk is full or read-only; nothing was changed.
    """
    options = options or AddOptions()
    if options.desc and (problem := desc_problem(options.desc)):
        raise UsageError(f"the description cannot be kept: {problem}", kind="bad-desc")
    with storage_errors("adding"), ws.changing(progress):
        targets = choose_targets(ws, paths, base)
        metafiles = {target.path: _add_one(ws, target, options, progress) for target in targets.values()}
        changed = _write_metafiles(ws, metafiles)
        if options.link:
            for target in targets.values():
                relink(ws, target.path, target.content, options.link)
        for target in targets.values():
            if target.content.rows:
                ws.state.record(target.path, target.content.rows, target.content.observed, whole=target.oid)
    added = [_report(path, metafile, path in changed) for path, metafile in metafiles.items()]
    return AddResult(tuple(added), tuple(note for target in targets.values() for note in _notes(target)))


def keep(ws: Workspace, path: str, progress: Progress = SILENT) -> FileFacts | DirectoryFacts:
    """Put what the working tree has at `path` into the cache; neither metafile nor index nor .gitignore is touched.

    Durable when this returns. Raises as `add`.
    """
    target = Target(path)
    listing = list_path(ws, path)
    if listing is None:
        raise NotFoundError(f"there is no {display(path)}", kind="no-path", hint="check the name with `ls`")
    facts = _store(ws, target, _old_metafile(ws, path), listing, AddOptions(), progress)
    if target.content.rows:  # not as `whole`: the metafile still says another version, and `status` shall say so
        ws.state.record(path, target.content.rows, target.content.observed)
    return facts


def _add_one(ws: Workspace, target: Target, options: AddOptions, progress: Progress) -> Metafile:
    old = _old_metafile(ws, target.path)
    listing = list_path(ws, f"{target.path}/{target.below}" if target.below else target.path)
    if listing is None and not target.below:
        raise NotFoundError(f"there is no {display(target.path)}", kind="no-path", hint="check the name with `ls`")
    listing = listing or Listing()
    if (
        old is not None
        and not target.below
        and not options.rehash
        and not options.link
        and _is_done(ws, target.path, old, listing)
    ):
        return _metafile(target.path, old, old.facts, options)
    facts = _store(ws, target, old, listing, options, progress)
    target.oid = facts.blake3 if not target.kept else None
    if old is not None and not target.below and not options.force:
        _check_not_behind(ws, target, old, facts.blake3)
    return _metafile(target.path, old, facts, options)


def _check_not_behind(ws: Workspace, target: Target, old: Metafile, oid: ObjectId) -> None:
    """Raises RefusedError, kind `behind`: all of it, or a part, is of an older version than the metafile's."""
    if is_behind(ws, target.path, old, oid):
        raise behind_error(target.path)
    if older := older_entries(ws, target.path, old, target.content.entries):
        raise partly_behind_error(target.path, older)


def _old_metafile(ws: Workspace, path: str) -> Metafile | None:
    """What the metafile says now; one that cannot be read (a merge conflict in it) is replaced by adding."""
    if ws.metafile_text(path) is None:
        return None
    try:
        return ws.metafile(path)
    except DataError as error:
        if error.kind != "bad-metafile":
            raise
    return None


def _is_done(ws: Workspace, path: str, old: Metafile, listing: Listing) -> bool:
    """Whether the state database and the cache show that there is nothing to add."""
    if not is_unchanged(ws, path, old.oid, listing) or not ws.cache.has(old.oid):
        return False
    return not old.is_directory or ws.state.objects(path) <= set(ws.cache)


def _metafile(path: str, old: Metafile | None, facts: FileFacts | DirectoryFacts, options: AddOptions) -> Metafile:
    named = replace(facts, path=PurePosixPath(path).name)
    kind = options.type or (old.type if old else None)
    desc = options.desc if options.desc is not None else (old.desc if old else "")
    return Metafile(named, kind, desc)


def _store(
    ws: Workspace, target: Target, old: Metafile | None, listing: Listing, options: AddOptions, progress: Progress
) -> FileFacts | DirectoryFacts:
    listing = _whole_listing(target, listing)
    known = known_rows(ws, target.path, listing, rehash=options.rehash)
    check_listing(target.path, listing, known)
    check_links(ws, target.path, listing)
    flush_young(ws.root / target.path, {name: info for name, info in listing.files.items() if name not in known})
    observed = time.time_ns()
    with ws.cache.writing() as writer:
        rows = _ingest(ws, writer, target, listing, known, options, progress)
        target.content = make_content(ws.root / target.path, listing, rows, observed)
        for name in listing.links:
            writer.put(os.fsencode(os.readlink(ws.root / target.path / name)))
        writer.commit()
        return _facts(ws, writer, target, old, options)


def _whole_listing(target: Target, listing: Listing) -> Listing:
    """The listing of a part, seen from the tracked directory."""
    if not target.below:
        return listing
    below = target.below

    def moved(name: str) -> str:
        return f"{below}/{name}" if name else below

    return Listing(
        {moved(name): info for name, info in listing.files.items()},
        {moved(name): info for name, info in listing.links.items()},
        [moved(name) for name in listing.folders],
        {moved(name): why for name, why in listing.odd.items()},
        {moved(name): oid for name, oid in listing.objects.items()},
    )


def _ingest(
    ws: Workspace,
    writer: Writer,
    target: Target,
    listing: Listing,
    known: dict[str, Row],
    options: AddOptions,
    progress: Progress,
) -> dict[str, Row]:
    known |= _linked_rows(ws, target, listing, known)
    present = _present(ws, known)
    rows = {name: row for name, row in known.items() if row.oid in present}
    sizes = {name: info.st_size for name, info in listing.files.items() if name not in rows}
    take = adopt if options.link in ("hardlink", "symlink") else None
    with progress.task(f"adding {target.path}", sum(sizes.values()), "bytes") as task:
        for name, stored in ingest(writer, ws.root / target.path, target.path, sizes, task, jobs=ws.jobs, take=take):
            rows[name] = row_of(stored.info, stored.oid)
    return rows


def _linked_rows(ws: Workspace, target: Target, listing: Listing, known: dict[str, Row]) -> dict[str, Row]:
    """Working files that are links into the cache: hashed there, since somebody may have written through the link."""
    names = [name for name in listing.objects if name not in known]
    rows = hash_files(ws, target.path, listing, names, lambda _: None)
    for name, row in rows.items():
        if row.oid != listing.objects[name]:
            raise corrupt_object(ObjectId(listing.objects[name]))
    return rows


def _present(ws: Workspace, known: dict[str, Row]) -> set[ObjectId]:
    """Those objects of `known` that are in the cache: by listing when they are many, else one by one."""
    if len(known) > 1000:
        return set(ws.cache)
    return {row.oid for row in known.values() if ws.cache.size(row.oid) == row.size}


def _facts(
    ws: Workspace, writer: Writer, target: Target, old: Metafile | None, options: AddOptions
) -> FileFacts | DirectoryFacts:
    entries = target.content.entries
    name = PurePosixPath(target.path).name
    if "" in entries:
        entry = entries[""]
        if entry.kind == "l":
            raise not_a_file(target.path, "a symbolic link")
        return FileFacts(name, entry.oid, entry.size, entry.kind == "x")
    if target.below:
        entries = _merged(ws, target, old, entries, options)
        target.content.rows = {}
    elif old is not None and old.is_directory and not options.force:
        entries = _with_unfetched(ws, target, old, entries)
    oid = writer.put(format_tree(entries.values()))
    return DirectoryFacts(name, oid, sum(entry.size for entry in entries.values()), len(entries))


def _with_unfetched(ws: Workspace, target: Target, old: Metafile, entries: Entries) -> Entries:
    """What was never fetched here was not removed here either: it stays in the tree."""
    if ws.state.last(target.path) == old.oid:
        return entries
    wanted = wanted_entries(ws.cache, old)
    unfetched = never_here(ws, target.path, old, wanted.keys() - entries.keys())
    target.kept = len(unfetched)
    return entries | {name: wanted[name] for name in unfetched}


def _merged(ws: Workspace, target: Target, old: Metafile | None, part: Entries, options: AddOptions) -> Entries:
    """The old tree with the part that was added in place of what it had there; a part that is gone is taken out."""
    name = display(target.path)
    if old is None or not old.is_directory:
        raise RefusedError(f"{name} is tracked as a file", kind="not-a-folder", hint=f"gitmlog add {name}")
    wanted, prefix = wanted_entries(ws.cache, old), f"{target.below}/"
    replaced = {entry for entry in wanted if entry == target.below or entry.startswith(prefix)}
    if not part:
        where = display(f"{target.path}/{target.below}")
        if not replaced:
            raise NotFoundError(f"there is no {where}", kind="no-path", hint="check the name with `ls`")
        if not options.force and never_here(ws, target.path, old, replaced):
            hint = f"to have it: gitmlog pull {where}; to take it out of {name} all the same: gitmlog add --force {where}"
            raise NotFoundError(f"{where} was never fetched here", kind="no-path", hint=hint)
    kept = {entry: wanted[entry] for entry in wanted if entry not in replaced}
    return kept | {entry: TreeEntry(entry, *facts[1:]) for entry, facts in part.items()}


def _write_metafiles(ws: Workspace, metafiles: dict[str, Metafile]) -> set[str]:
    """Metafiles, then .gitignore, then the index; returns the paths whose metafile changed."""
    changed = {path for path, metafile in metafiles.items() if ws.metafile_text(path) != format_metafile(metafile)}
    edits = IgnoreEdits(ws)
    for path, metafile in metafiles.items():
        if path in changed:
            ws.write(metafile_of(path), format_metafile(metafile))
        edits.ignore(path)
    changes = edits.write()
    for path, metafile in metafiles.items():
        text = format_metafile(metafile)
        if ws.git.index_blob(metafile_of(path)) != text:
            changes[metafile_of(path)] = text
    stage(ws.git, changes)
    return changed


def _report(path: str, metafile: Metafile, changed: bool) -> Added:
    facts = metafile.facts
    return Added(path, facts.blake3, facts.size, facts.files if isinstance(facts, DirectoryFacts) else 1, changed)


def _notes(target: Target) -> list[str]:
    listing = target.content.listing
    notes = []
    if target.kept:
        notes.append(
            f"{target.kept:,} files of {display(target.path)} that were never fetched here stay in it "
            f"(to take them out: gitmlog add --force {display(target.path)})"
        )
    folders = (
        {str(parent) for name in (*listing.files, *listing.links) for parent in PurePosixPath(name).parents}
        if listing.folders
        else set()
    )
    empty = [name for name in listing.folders if name not in folders]
    if empty:
        notes.append(f"{len(empty)} empty folder(s) in {target.path} are not kept, as in git ({empty[0]})")
    seen: dict[str, str] = {}
    for name in listing.files:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            notes.append(
                f"{display(other)} and {display(name)} in {target.path} differ only in case: they collide on macOS and Windows"
            )
            break
    return notes
