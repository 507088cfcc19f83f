"""push, fetch and pull: objects between the cache and a remote, files before the trees that list them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitmlog.core.atomic import storage_errors
from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError, MissingDataError, NotFoundError, RefusedError, RemoteError, UsageError
from gitmlog.core.paths import METAFILE_SUFFIX, display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.history import (
    metafiles_between,
    metafiles_in,
    metafiles_since,
    published_commits,
    reachable_metafiles,
    unpublished_metafiles,
)
from gitmlog.metafile.schema import DirectoryFacts, Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.metafile.tree import parse_tree
from gitmlog.ops.content import load_tree
from gitmlog.ops.listed import listed
from gitmlog.ops.revision import as_revision
from gitmlog.ops.select import Selection, select
from gitmlog.remote.base import Remote, SyncResult
from gitmlog.remote.open import open_remote
from gitmlog.repo.remotes import check_trust, choose_remote, remote_spec
from gitmlog.repo.workspace import Workspace

_SOON = 5  # seconds


@dataclass(frozen=True)
class SyncOptions:
    """What to transfer.

    Attributes:
        remote: the remote's name, or None for the default.
        revision: the metafiles of this revision instead of the working tree's.
        all: those of all revisions that can be reached.
        jobs: transfers at once, or None for the configured number.
    """

    remote: str | None = None
    revision: str | None = None
    all: bool = False
    jobs: int | None = None


@dataclass(frozen=True)
class SyncReport:
    """What a push or fetch did.

    Attributes:
        remote: its name.
        url: its address.
        sent: objects transferred.
        bytes: of those.
        present: objects that were there already.
        notes: metafiles of old revisions that could not be read.
    """

    remote: str
    url: str
    sent: int
    bytes: int
    present: int
    notes: tuple[str, ...] = ()


@dataclass
class Needed:
    """The objects that some metafiles name: files and trees with their sizes in bytes (None: not known)."""

    files: dict[ObjectId, int] = field(default_factory=dict)
    trees: dict[ObjectId, str] = field(default_factory=dict)
    names: dict[ObjectId, str] = field(default_factory=dict)
    partial: set[ObjectId] = field(default_factory=set)


def connect(ws: Workspace, name: str | None) -> Remote:
    """Open the remote to use. Raises NotFoundError, RefusedError (`remote-changed`), RemoteError."""
    chosen = choose_remote(ws.config, name)
    check_trust(ws.config, chosen, ws.trust_file, explicit=name is not None)
    return open_remote(remote_spec(ws.config, chosen))


def push(
    ws: Workspace, paths: Sequence[str], base: Path, options: SyncOptions | None = None, *, progress: Progress = SILENT
) -> SyncReport:
    """Send what the remote does not have: of the working tree, the index and the commits that no git remote has yet.

    Raises:
        MissingDataError: objects are neither in the cache nor on the remote; all others were sent.
        RemoteError: some could not be sent; run it again, what was sent is not sent again.
    """
    options = options or SyncOptions()
    remote = _writable(ws, options)
    notes: list[str] = []
    with storage_errors("pushing"), ws.cache.in_use():
        needed = Needed()
        for selection, metafile in _chosen(ws, paths, base, options, notes, publishing=True):
            _collect(ws, selection, metafile, needed, tree_may_miss=True)
        report, missing = _send(ws, remote, needed, options, progress, notes)
        if not missing and not paths and options.revision is None and not ws.git.is_unborn:
            ws.pushed.record_commit(remote.spec.url, str(ws.git.resolve("HEAD").id))
    _raise_missing(needed, missing, f"neither in the cache nor on remote {remote.spec.name!r}")
    return report


def _writable(ws: Workspace, options: SyncOptions) -> Remote:
    remote = connect(ws, options.remote)
    if remote.read_only:
        hint = "push to another: --remote NAME"
        raise RemoteError(f"remote {remote.spec.name!r} can only be read", kind="remote-read-only", hint=hint)
    check_kept(ws, remote)
    return remote


def check_kept(ws: Workspace, remote: Remote) -> None:
    """Refuse a remote that held objects and is empty now: a share that is not mounted looks like a new folder.

    Raises:
        RefusedError: kind `remote-empty`.
        RemoteError.
    """
    if not remote.is_begun() and ws.pushed.holds_objects(remote.spec.url):
        message = f"remote {remote.spec.name!r} is empty ({remote.spec.url}), and objects were sent to it from here before"
        hint = f"is it mounted? If it was emptied on purpose: gitmlog remote trust {remote.spec.name}, then gitmlog push --all"
        raise RefusedError(message, kind="remote-empty", hint=hint)


def _send(
    ws: Workspace, remote: Remote, needed: Needed, options: SyncOptions, progress: Progress, notes: list[str]
) -> tuple[SyncReport, frozenset[ObjectId]]:
    from gitmlog.store.odb import CacheDB

    source = CacheDB(ws.cache)
    files = remote.send(source, needed.files, progress=progress, jobs=options.jobs)
    _raise_failed(files, needed, "sent")
    trees = remote.send(source, _whole_trees(ws, needed, files.missing), progress=progress, jobs=options.jobs)
    _raise_failed(trees, needed, "sent")
    done = (files.sent | files.present | trees.sent | trees.present) - trees.missing
    ws.pushed.record(remote.spec.url, done)
    size = sum(ws.cache.size(oid) or 0 for oid in files.sent | trees.sent)
    report = SyncReport(
        remote.spec.name, remote.spec.url, len(files.sent | trees.sent), size, len(files.present | trees.present), tuple(notes)
    )
    return report, files.missing | trees.missing


def _whole_trees(ws: Workspace, needed: Needed, missing: frozenset[ObjectId]) -> list[ObjectId]:
    """A tree on the remote promises all that it lists: one that lists something missing is not sent."""
    if not missing:
        return list(needed.trees)
    return [oid for oid in needed.trees if not ws.cache.has(oid) or not missing & _listed(ws, oid, needed)]


def _listed(ws: Workspace, oid: ObjectId, needed: Needed) -> set[ObjectId]:
    return {entry.oid for entry in parse_tree(ws.cache.read(oid), f"the tree of {needed.trees[oid]}")}


def fetch(
    ws: Workspace, paths: Sequence[str], base: Path, options: SyncOptions | None = None, *, progress: Progress = SILENT
) -> SyncReport:
    """Bring what the cache does not have; the working tree is not touched.

    Raises:
        MissingDataError: the remote does not have some of it; all else was fetched.
        DataError: kind `corrupt`: the remote holds something damaged; it was not let in.
        RemoteError: some could not be fetched; run it again, what was fetched is kept.
    """
    options = options or SyncOptions()
    remote = connect(ws, options.remote)
    notes: list[str] = []
    with storage_errors("fetching"), ws.cache.in_use():
        chosen = list(_chosen(ws, paths, base, options, notes, publishing=False))
        trees = {metafile.oid: selection.path for selection, metafile in chosen if metafile.is_directory}
        needed = Needed(names=dict(trees))
        first = _receive(ws, remote, trees, needed, options, progress)
        for selection, metafile in chosen:
            _collect(ws, selection, metafile, needed, tree_may_miss=False)
        second = _receive(ws, remote, needed.files, needed, options, progress)
    got = first.sent | second.sent
    ws.pushed.record(remote.spec.url, got - first.sent | {oid for oid in first.sent if oid not in needed.partial})
    size = sum(ws.cache.size(oid) or 0 for oid in got)
    return SyncReport(remote.spec.name, remote.spec.url, len(got), size, len(first.present | second.present), tuple(notes))


def fetch_listings(ws: Workspace, oids: Sequence[ObjectId]) -> None:
    """Bring trees, not the files that they list. One attempt, and seconds of patience: git waits for it. Raises as `fetch`."""
    name = choose_remote(ws.config, None)
    check_trust(ws.config, name, ws.trust_file, explicit=False)
    spec = remote_spec(ws.config, name)
    remote = open_remote(replace(spec, options={**spec.options, "retries": 0, "timeout": _SOON}))
    with storage_errors("fetching"), ws.cache.in_use():
        _receive(ws, remote, oids, Needed(), SyncOptions(), SILENT)


def push_commits(
    ws: Workspace, commits: Sequence[str], options: SyncOptions, *, progress: Progress = SILENT
) -> SyncReport | None:
    """Send what these commits need; of their ancestors that no git remote has, what is here. None: they need nothing.

    Raises as `push`, and NotFoundError, kind `no-remote`.
    """
    notes: list[str] = []
    with storage_errors("pushing"), ws.cache.in_use():
        needed = Needed()
        for selection, metafile in of_history(metafiles_in(ws.git, commits), notes):
            _collect(ws, selection, metafile, needed, tree_may_miss=True)
        if notes:  # what they name is not known: nothing is published before its objects
            hint = "`git show` it; the other runs can be sent by --run or --where"
            raise DataError(notes[0].removeprefix("in an old revision: "), kind="bad-run", hint=hint)
        for selection, metafile in of_history(metafiles_between(ws.git, commits, published_commits(ws.git)), notes):
            if ws.cache.has(metafile.oid):
                _collect(ws, selection, metafile, needed, tree_may_miss=True)
        if not needed.files and not needed.trees:
            return None
        remote = _writable(ws, options)
        report, missing = _send(ws, remote, needed, options, progress, notes)
    _raise_missing(needed, missing, f"neither in the cache nor on remote {remote.spec.name!r}")
    return report


def fetch_commits(
    ws: Workspace, commits: Sequence[str], options: SyncOptions, *, progress: Progress = SILENT
) -> SyncReport | None:
    """Bring what these commits need; no remote is asked, and the answer is None, when all of it is here. Raises as `fetch`."""
    notes: list[str] = []
    with storage_errors("fetching"), ws.cache.in_use():
        chosen = list(of_history(metafiles_in(ws.git, commits), notes))
        trees = {metafile.oid: selection.path for selection, metafile in chosen if metafile.is_directory}
        needed, remote, results = Needed(names=dict(trees)), None, []
        if ws.cache.missing(trees):
            remote = connect(ws, options.remote)
            results.append(_receive(ws, remote, trees, needed, options, progress))
        for selection, metafile in chosen:
            _collect(ws, selection, metafile, needed, tree_may_miss=False)
        if ws.cache.missing(needed.files):
            remote = remote or connect(ws, options.remote)
            results.append(_receive(ws, remote, needed.files, needed, options, progress))
    if remote is None:
        return None
    got = {oid for result in results for oid in result.sent}
    ws.pushed.record(remote.spec.url, got)
    size = sum(ws.cache.size(oid) or 0 for oid in got)
    present = len(needed.files.keys() | needed.trees.keys()) - len(got)
    return SyncReport(remote.spec.name, remote.spec.url, len(got), size, present, tuple(notes))


def send_named(
    ws: Workspace, chosen: Iterable[tuple[Selection, Metafile]], options: SyncOptions, *, progress: Progress = SILENT
) -> SyncReport:
    """Send what these metafiles name. Raises as `push`."""
    with storage_errors("pushing"), ws.cache.in_use():
        needed = _needed(ws, chosen)
        remote = _writable(ws, options)
        report, missing = _send(ws, remote, needed, options, progress, [])
    fix = "whoever has them can run `gitmlog push --all`; which commits name them: git log -- PATH.gitmlog"
    _raise_missing(needed, missing, f"neither in the cache nor on remote {remote.spec.name!r}", fix)
    return report


def ask_for(
    ws: Workspace, chosen: Iterable[tuple[Selection, Metafile]], options: SyncOptions, *, progress: Progress = SILENT
) -> SyncReport:
    """Ask whether the remote holds what these metafiles name. Raises MissingDataError, RemoteError, NotFoundError."""
    needed, remote = _needed(ws, chosen), connect(ws, options.remote)
    check_kept(ws, remote)
    wanted = needed.files.keys() | needed.trees.keys()
    there = remote.exist(wanted, progress, sizes=needed.files)
    ws.pushed.record(remote.spec.url, there)
    _raise_missing(needed, wanted - there, f"not on remote {remote.spec.name!r}", "gitmlog push")
    return SyncReport(remote.spec.name, remote.spec.url, 0, 0, len(there))


def _needed(ws: Workspace, chosen: Iterable[tuple[Selection, Metafile]]) -> Needed:
    needed = Needed()
    for selection, metafile in chosen:
        _collect(ws, selection, metafile, needed, tree_may_miss=True)
    return needed


def _receive(
    ws: Workspace, remote: Remote, oids: Iterable[ObjectId], needed: Needed, options: SyncOptions, progress: Progress
) -> SyncResult:
    from gitmlog.store.odb import CacheDB

    wanted = list(oids)
    absent = ws.cache.missing(wanted)
    if not absent:
        return SyncResult(present=frozenset(wanted))
    result = remote.receive(CacheDB(ws.cache), absent, progress=progress, jobs=options.jobs, sizes=needed.files)
    _raise_failed(result, needed, "fetched")
    _raise_missing(needed, result.missing, f"not on remote {remote.spec.name!r}")
    return SyncResult(result.sent, frozenset(wanted) - result.sent)


def _chosen(
    ws: Workspace, paths: Sequence[str], base: Path, options: SyncOptions, notes: list[str], *, publishing: bool
) -> Iterator[tuple[Selection, Metafile]]:
    if options.all and options.revision:
        raise UsageError("--all and --rev do not go together")
    if options.revision:
        texts = ws.git.metafiles_at(as_revision(ws, options.revision))
        for selection in select(ws, paths, base, [name.removesuffix(METAFILE_SUFFIX) for name in texts]):
            name = selection.path + METAFILE_SUFFIX
            yield selection, parse_metafile(texts[name], f"{options.revision}:{name}")
        return
    for selection in select(ws, paths, base):
        yield selection, ws.metafile(selection.path)
    if options.all:
        yield from of_history(reachable_metafiles(ws.git), notes)
    elif publishing and not paths:
        yield from of_history(unpublished_metafiles(ws.git), notes)
        yield from of_history(iter(ws.git.index_metafiles().items()), notes)
        yield from _published_too_early(ws, options, notes)


def _published_too_early(ws: Workspace, options: SyncOptions, notes: list[str]) -> Iterator[tuple[Selection, Metafile]]:
    """Versions that `git push` published before `gitmlog push` sent them; those that were never here are somebody else's."""
    url = remote_spec(ws.config, choose_remote(ws.config, options.remote)).url
    known = ws.pushed.known(url)
    for selection, metafile in of_history(metafiles_since(ws.git, ws.pushed.commits(url)), notes):
        if metafile.oid not in known and ws.cache.has(metafile.oid):
            yield selection, metafile


def of_history(texts: Iterator[tuple[str, bytes]], notes: list[str]) -> Iterator[tuple[Selection, Metafile]]:
    """What the texts name, each text once; those that cannot be read are named in `notes`."""
    seen: set[bytes] = set()
    for name, data in texts:
        if data in seen:
            continue
        seen.add(data)
        try:
            yield from listed(name, data)
        except DataError as error:
            notes.append(f"in an old revision: {error.message}")


def _collect(ws: Workspace, selection: Selection, metafile: Metafile, needed: Needed, *, tree_may_miss: bool) -> None:
    facts = metafile.facts
    needed.names.setdefault(facts.blake3, selection.path)
    if not isinstance(facts, DirectoryFacts):
        needed.files[facts.blake3] = facts.size
        return
    needed.trees[facts.blake3] = selection.path
    if selection.parts:
        needed.partial.add(facts.blake3)
    try:
        entries = load_tree(ws.cache, facts)
    except MissingDataError:
        if tree_may_miss:  # never fetched here: whoever pushed the tree pushed what it lists before it
            return
        raise
    if selection.parts and not any(selection.takes(entry.path) for entry in entries):
        parts = " or ".join(display(part) for part in selection.parts)
        raise NotFoundError(f"nothing in {display(selection.path)} matches {parts}", kind="no-path", hint="check the pattern")
    for entry in entries:
        if selection.takes(entry.path):
            needed.files[entry.oid] = entry.size
            needed.names.setdefault(entry.oid, f"{selection.path}/{entry.path}")


def _raise_failed(result: SyncResult, needed: Needed, verb: str) -> None:
    if not result.failed:
        return
    oid, reason = next(iter(result.failed.items()))
    several = f" (and {len(result.failed) - 1} more)" if len(result.failed) > 1 else ""
    name = display(needed.names.get(oid, oid[:12]))
    hint = f"run the command again: what was {verb} is not {verb} again"
    message = f"{name}{several} could not be {verb}: {reason}"
    if "damaged" in reason:
        fix = "whoever has whole copies can run `gitmlog verify --remote --repair`"
        raise DataError(message, hint=fix)
    raise RemoteError(message, hint=hint, kind=f"not-{verb}")


def _raise_missing(needed: Needed, missing: Iterable[ObjectId], where: str, fix: str = "") -> None:
    names = sorted({display(needed.names.get(oid, oid[:12])) for oid in missing})
    if not names:
        return
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    hint = fix or "whoever added them still has to run `gitmlog push`"
    raise MissingDataError(f"{where}: {shown}", hint=hint)
