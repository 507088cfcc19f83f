"""The facts of a branch, between its merge base and its end, read from git's objects: nothing is checked out, nothing is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import ConfigError, DataError, GitmlogError, NotFoundError, UsageError
from gitmlog.core.paths import METAFILE_SUFFIX, display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.between import blob_at, changes_between, is_regular, merge_base, new_blobs, read_bounded, size_of
from gitmlog.git.history import is_listing
from gitmlog.git.merge import Change, Entry
from gitmlog.metafile.change import Kind, MetafileChange, pair_renames
from gitmlog.metafile.schema import MAX_BYTES, DirectoryFacts, Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.ops.ci.facts import FilesChanged, LargeFile, PathChange, RemoteFacts, Report, RunAdded, Unreadable
from gitmlog.ops.ci.placed import open_of, placed, sizes_of
from gitmlog.ops.content import load_tree
from gitmlog.ops.listed import listed
from gitmlog.ops.revision import as_revision
from gitmlog.repo.config import SHARED_PATH, Config, load_config, parse_config
from gitmlog.repo.schema import Layer, Value
from gitmlog.repo.workspace import Workspace, check_tracked_name
from gitmlog.runs.record import FOLDER, RunRecord, parse_run

PARTIAL_LIMIT = 10 << 20
"""The templates' clones leave out blobs from this size on: what is not here is at least as large."""

_REMOTE_BASES = ("refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master")
_BASES = (*_REMOTE_BASES, "refs/heads/main", "refs/heads/master")


@dataclass(frozen=True)
class ReportOptions:
    """What to compare.

    Attributes:
        range: `BASE...HEAD`, `BASE` (against HEAD), or "" (against the default branch).
        check_remote: whether to ask the remote for the new objects.
        remote: its name, or None for the default of the base.
    """

    range: str = ""
    check_remote: bool = False
    remote: str | None = None


def report(ws: Workspace, options: ReportOptions | None = None, *, progress: Progress = SILENT) -> Report:
    """What the branch does.

    Raises:
        UsageError: the range is none.
        NotFoundError: kinds `no-revision`, `no-merge-base`, `no-remote`, `which-remote`.
        RefusedError: kinds `too-large`, `remote-changed`, `remote-untrusted`.
        ConfigError, GitError, RemoteError.
    """
    options = options or ReportOptions()
    base, head = _ends(ws, options.range)
    fork = merge_base(ws.git, base, head)
    config, notes = _config_of(ws, fork)
    gathered = _Gathered(ws)
    for change in changes_between(ws.git, fork, head):
        gathered.take(change)
    paths = gathered.paths()
    runs, remote = gathered.runs, RemoteFacts(why_not="not asked for")
    if options.check_remote:
        opened = open_of(ws, config, options.remote)
        paths, runs = placed(opened, paths, runs, gathered.objects, progress)
        remote = RemoteFacts(opened.spec.name)
    limit = config.integer("status.large")
    return Report(
        base=base,
        head=head,
        merge_base=fork,
        paths=tuple(paths),
        unreadable=tuple(gathered.unreadable),
        runs=tuple(sorted(runs, key=lambda run: run.record.id)),
        large=tuple(_large(ws, base, head, limit)),
        large_limit=limit,
        remote=remote,
        notes=(*notes, *gathered.notes),
    )


def _ends(ws: Workspace, text: str) -> tuple[str, str]:
    """The two commits. Raises UsageError, NotFoundError."""
    first, dots, second = text.partition("...")
    if ".." in first or ".." in second:
        hint = "three dots: `gitmlog ci report main...HEAD`, from where the branch left main"
        raise UsageError(f"{text!r} is no range BASE...HEAD", hint=hint)
    names = (first if first else _default_base(ws), second if dots and second else "HEAD")
    base, head = (str(ws.git.resolve(as_revision(ws, name)).id) for name in names)
    return base, head


def _default_base(ws: Workspace) -> str:
    for name in _BASES:
        try:
            ws.git.resolve(name)
        except NotFoundError:
            continue
        return name
    hint = "name it: `gitmlog ci report BASE...HEAD`"
    raise NotFoundError("there is no origin/HEAD, main or master to compare with", kind="no-revision", hint=hint)


def _config_of(ws: Workspace, commit: str) -> tuple[Config, list[str]]:
    """The settings of the base, never those of the branch that is looked at; what this machine sets comes first as ever."""
    own: dict[Layer, Mapping[str, Value]] = dict(_own_layers(ws).layers)
    blob = blob_at(ws.git, commit, SHARED_PATH)
    data = read_bounded(ws.git, blob, MAX_BYTES) if blob else None
    try:
        return Config({**own, "shared": parse_config(data, f"{commit[:10]}:{SHARED_PATH}", "shared") if data else {}}), []
    except ConfigError as error:
        return Config(own), [f"the settings of the base were not used: {error.message}"]


def _own_layers(ws: Workspace) -> Config:
    return load_config({layer: path for layer, path in ws.config_files.items() if layer != "shared"})


@dataclass
class _Gathered:
    """What the changes of a branch come to, one path after the other."""

    ws: Workspace
    changes: list[MetafileChange] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    runs: list[RunAdded] = field(default_factory=list)
    objects: dict[str, dict[ObjectId, int | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, change: Change) -> None:
        """Add one path."""
        if change.path == SHARED_PATH:
            self.notes.append(f"{SHARED_PATH} changes: addresses of remotes stand there, look at its lines")
        elif is_listing(change.path):
            self._listing(change)
        elif _is_record(change.path):
            self._record(change)
        elif change.path.endswith(METAFILE_SUFFIX):
            self._metafile(change)

    def _metafile(self, change: Change) -> None:
        path = change.path.removesuffix(METAFILE_SUFFIX)
        old, new = self._parse(change.path, change.old, new=False), self._parse(change.path, change.new, new=True)
        kind: Kind = "added" if change.old is None else "removed" if change.new is None else "changed"
        if old is not None or new is not None:
            self.changes.append(MetafileChange(path, kind, old, new))

    def _parse(self, path: str, entry: Entry | None, *, new: bool) -> Metafile | None:
        """What one side says; of the new side, what is wrong with it is kept."""
        if entry is None:
            return None
        try:
            check_tracked_name(path.removesuffix(METAFILE_SUFFIX))
            return parse_metafile(self._read(path, entry), path)
        except GitmlogError as error:
            if new:
                self.unreadable.append(Unreadable(path, error.message, error.kind))
            return None

    def _read(self, path: str, entry: Entry) -> bytes:
        if not is_regular(entry):
            raise DataError(f"{display(path)} is no file in git, but a link or a submodule", kind="bad-metafile")
        data = read_bounded(self.ws.git, entry.id, MAX_BYTES)
        if data is None:
            size = size_of(self.ws.git, entry.id)
            reason = f"{size:,} bytes" if size is not None else "so large that this clone has left it out"
            raise DataError(f"{display(path)} is {reason}: there are {MAX_BYTES:,} at most", kind="bad-metafile")
        return data

    def _record(self, change: Change) -> None:
        if change.old is not None or change.new is None:
            if change.new is not None:
                self.notes.append(f"the record {display(change.path)} changes: what a run was is not edited afterwards")
            return
        try:
            record = parse_run(self._read(change.path, change.new), change.path)
            _check_place(change.path, record)
            self.runs.append(RunAdded(record))
        except GitmlogError as error:
            self.unreadable.append(Unreadable(change.path, error.message, error.kind))

    def _listing(self, change: Change) -> None:
        if change.new is None or change.old is not None:
            return
        try:
            data = self._read(change.path, change.new)
            run = change.path.split("/")[-2]
            self.objects[run] = sizes_of(each for _, each in listed(change.path, data))
        except GitmlogError as error:
            self.unreadable.append(Unreadable(change.path, error.message, error.kind))

    def paths(self) -> list[PathChange]:
        """The tracked paths; one that went and one that came with the same object are one that was renamed."""
        return [PathChange(each, self._files(each)) for each in pair_renames(self.changes)]

    def _files(self, change: MetafileChange) -> FilesChanged | None:
        old, new = change.old, change.new
        if change.kind != "changed" or old is None or new is None or old.oid == new.oid:
            return None
        before, after = self._entries(old), self._entries(new)
        if before is None or after is None:
            return None
        both = before.keys() & after.keys()
        return FilesChanged(
            tuple(sorted(after.keys() - both)),
            tuple(sorted(before.keys() - both)),
            tuple(sorted(path for path in both if before[path] != after[path])),
        )

    def _entries(self, metafile: Metafile) -> dict[str, object] | None:
        facts = metafile.facts
        if not isinstance(facts, DirectoryFacts) or not self.ws.cache.has(facts.blake3):
            return None
        try:
            return {entry.path: entry for entry in load_tree(self.ws.cache, facts)}
        except GitmlogError:
            return None


def _is_record(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 4 and "/".join(parts[:2]) == FOLDER and parts[3] == "run.toml"


def _check_place(path: str, record: RunRecord) -> None:
    if path.split("/")[2] != record.id:
        raise DataError(f"{display(path)} says that it is run {record.id}", kind="bad-run")


def _large(ws: Workspace, base: str, head: str, limit: int) -> Iterable[LargeFile]:
    """Files of at least `limit` bytes in the commits of the branch; of one that is not here only its least size is known."""
    for new in new_blobs(ws.git, base, head):
        size = PARTIAL_LIMIT if new.size is None else new.size
        if size >= limit or new.size is None:
            yield LargeFile(new.path, new.commit, size, new.size is not None, blob_at(ws.git, head, new.path) == new.blob)
