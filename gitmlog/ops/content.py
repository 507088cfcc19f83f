"""What a tracked path holds in the working tree, hashed only where the state database does not know it.

A tracked file is treated as a tree of one entry with the path "", so that files and directories share all that follows.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from gitmlog.core.digest import ObjectId, hash_bytes, hash_fd, is_object_id
from gitmlog.core.errors import MissingDataError, NotFoundError, RefusedError
from gitmlog.core.paths import METAFILE_SUFFIX, display, link_problem, path_problem
from gitmlog.core.progress import SILENT, Progress
from gitmlog.metafile.schema import DirectoryFacts, FileFacts, Metafile
from gitmlog.metafile.tree import Kind, TreeEntry, parse_tree
from gitmlog.repo.workspace import Workspace
from gitmlog.store.cache import Cache
from gitmlog.store.ingest import changed, changed_while_read, not_a_file, open_source
from gitmlog.store.state import Row, matches, row_of
from gitmlog.store.walk import TOO_LONG, UNREADABLE, Listing, kind_of, walk

Entries = dict[str, TreeEntry]


@dataclass
class Content:
    """What lies at a tracked path.

    Attributes:
        entries: by path below the tracked path ("" for a file itself).
        rows: their state rows.
        observed: when reading began, nanoseconds since the epoch.
        listing: what the walk found.
    """

    entries: Entries = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    observed: int = 0
    listing: Listing = field(default_factory=Listing)


def list_path(ws: Workspace, path: str) -> Listing | None:
    """What lies at `path`, or None when nothing does. A file or link is listed under ""."""
    full = ws.root / path
    try:
        info = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    listing = walk(full) if stat.S_ISDIR(info.st_mode) else _list_one(info)
    if listing.links:
        _adopt_cache_links(ws.cache, full, listing)
    return listing


def _list_one(info: os.stat_result) -> Listing:
    if stat.S_ISREG(info.st_mode):
        return Listing(files={"": info})
    if stat.S_ISLNK(info.st_mode):
        return Listing(links={"": info})
    return Listing(odd={"": kind_of(info.st_mode)})


def _adopt_cache_links(cache: Cache, root: Path, listing: Listing) -> None:
    """Files that checkout linked into the cache (`cache.link = symlink`) are files, not links."""
    prefix = f"{cache.objects}/"
    for name in list(listing.links):
        full = root / name if name else root
        target = os.readlink(full)
        oid = target.removeprefix(prefix).replace("/", "", 1)
        if target.startswith(prefix) and is_object_id(oid) and os.path.exists(full):
            listing.files[name] = os.stat(full)
            listing.objects[name] = oid
            del listing.links[name]


def is_unchanged(ws: Workspace, path: str, oid: ObjectId, listing: Listing) -> bool:
    """Whether the state database alone shows that `path` still is `oid`: one stat a file, nothing read."""
    if listing.odd or ws.state.snapshot(path) != oid:
        return False
    return ws.state.is_unchanged(path, {**listing.files, **listing.links} if listing.links else listing.files)


def known_rows(ws: Workspace, path: str, listing: Listing, *, rehash: bool = False) -> dict[str, Row]:
    """The rows of those files in `listing` that have not changed since they were hashed."""
    if rehash:
        return {}
    rows = ws.state.load(path)
    return {name: rows[name] for name, info in listing.files.items() if matches(rows.get(name), info)}


def read_content(ws: Workspace, path: str, listing: Listing, *, rehash: bool = False, progress: Progress = SILENT) -> Content:
    """Hash what is not known; nothing is stored.

    Raises:
        DataError: kind `changed-while-read`.
        NotFoundError: kind `unreadable`.
    """
    observed = time.time_ns()
    rows = known_rows(ws, path, listing, rehash=rehash)
    unknown = {name: info.st_size for name, info in listing.files.items() if name not in rows}
    with progress.task(f"hashing {path}", sum(unknown.values()), "bytes") as task:
        rows |= hash_files(ws, path, listing, unknown, task.advance)
    return make_content(ws.root / path, listing, rows, observed)


def hash_files(
    ws: Workspace, path: str, listing: Listing, names: Collection[str], advance: Callable[[int], None]
) -> dict[str, Row]:
    """Hash files of `listing` where they are; a link into the cache is followed there, and nowhere else."""
    root = ws.root / path

    def one(name: str) -> tuple[str, Row]:
        where = f"{path}/{name}" if name else path
        linked = listing.objects.get(name)
        source = ws.cache.path_of(ObjectId(linked)) if linked else (root / name if name else root)
        return name, _hash_file(source, where, advance)

    if ws.jobs <= 1 or len(names) < 64:
        return dict(map(one, names))
    with ThreadPoolExecutor(ws.jobs) as pool:
        return dict(pool.map(one, names, chunksize=64))


def _hash_file(path: Path, name: str, advance: Callable[[int], None]) -> Row:
    fd = open_source(path, name)
    try:
        before = os.fstat(fd)
        oid, _ = hash_fd(fd, before.st_size)
        if changed(before, os.fstat(fd)):
            raise changed_while_read(name)
    finally:
        os.close(fd)
    advance(before.st_size)
    return row_of(before, oid)


def make_content(root: Path, listing: Listing, rows: dict[str, Row], observed: int) -> Content:
    """Put entries together from rows of all files, and the links of `listing`."""
    entries = {name: TreeEntry(name, kind_of_file(listing.files[name]), row.oid, row.size) for name, row in rows.items()}
    for name, info in listing.links.items():
        target = os.fsencode(os.readlink(root / name if name else root))
        entries[name] = TreeEntry(name, "l", hash_bytes(target), len(target))
        rows[name] = row_of(info, entries[name].oid)
    return Content(entries, rows, observed, listing)


def kind_of_file(info: os.stat_result) -> Kind:
    """Executable for its owner, or plain."""
    return "x" if info.st_mode & 0o100 else "-"


def check_listing(path: str, listing: Listing, known: Iterable[str]) -> None:
    """Refuse what a tree cannot hold (spec: tree.md, Names, Links).

    Raises:
        RefusedError: kinds `bad-name`, `not-a-file`, `nested-repository`, `nested-metafile`.
        NotFoundError: kind `unreadable`.
    """
    if listing.odd:
        name, what = next(iter(listing.odd.items()))
        _check_name(path, name)
        where = f"{path}/{name}" if name else path
        if what == TOO_LONG:
            raise RefusedError(f"{display(where)} is {what}", kind="bad-name", hint="shorten its names, then add again")
        if what.startswith(UNREADABLE):
            raise NotFoundError(f"{display(where)} is {what}", kind="unreadable", hint=f"chmod u+rx {display(where)}")
        raise not_a_file(where, what)
    for name in (*(listing.files.keys() - set(known)), *listing.links):
        _check_name(path, name)


def _check_name(path: str, name: str) -> None:
    if not name:
        return
    where = display(f"{path}/{name}")
    if ".git" in name.split("/"):
        hint = "add it as a git submodule, or move its .git away"
        raise RefusedError(f"{where} belongs to another git repository", kind="nested-repository", hint=hint)
    if problem := path_problem(name):
        raise RefusedError(f"{where} cannot be tracked: {problem}", kind="bad-name", hint="rename it, then add again")
    if name.endswith(METAFILE_SUFFIX):
        raise nested_metafile(f"{path}/{name}")


def nested_metafile(name: str) -> RefusedError:
    """The error for a metafile below a directory that is to be tracked as one."""
    hint = f"gitmlog rm --cached {display(name.removesuffix(METAFILE_SUFFIX))}, or add its folder's files one by one"
    return RefusedError(f"{display(name)} is a metafile inside a directory to be tracked", kind="nested-metafile", hint=hint)


def check_links(ws: Workspace, path: str, listing: Listing) -> None:
    """Refuse links that lead out of the directory. Raises RefusedError, kind `link-outside`."""
    for name in listing.links:
        target = os.readlink(ws.root / path / name)
        if problem := link_problem(name, target):
            hint = "replace the link by a copy of what it points to"
            raise RefusedError(f"{display(f'{path}/{name}')} -> {display(target)}: {problem}", kind="link-outside", hint=hint)


def wanted_entries(cache: Cache, metafile: Metafile) -> Entries:
    """What a metafile says that its path holds. Raises MissingDataError (the tree), DataError."""
    facts = metafile.facts
    if isinstance(facts, FileFacts):
        return {"": TreeEntry("", "x" if facts.executable else "-", facts.blake3, facts.size)}
    return {entry.path: entry for entry in load_tree(cache, facts)}


def load_tree(cache: Cache, facts: DirectoryFacts) -> tuple[TreeEntry, ...]:
    """The tree of a tracked directory, checked against its id and its metafile."""
    where = f"the tree of {display(facts.path)}"
    try:
        text = cache.read(facts.blake3)
    except MissingDataError as error:
        raise MissingDataError(f"the listing of {display(facts.path)} is not in the cache", hint=error.hint) from error
    return parse_tree(text, where)
