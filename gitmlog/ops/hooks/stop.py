"""pre-commit: what is about to be committed and should not be, each with what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import METAFILE_SUFFIX, display, tracked_problem
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.sizes import human_size
from gitmlog.git.staged import LINK, StagedChange, blob_sizes, blob_start, indexed_paths, parents_to_be
from gitmlog.metafile.schema import DirectoryFacts, Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.ops.content import is_unchanged, list_path, wanted_entries
from gitmlog.ops.hooks.records import secrets_in
from gitmlog.ops.hooks.unwanted import PATH, matcher
from gitmlog.repo.workspace import Workspace

_START = 8000  # bytes in which git looks for a NUL, to tell a binary file from a text
_SUBMODULE = 0o160000


@dataclass(frozen=True)
class Stop:
    """One reason not to commit.

    Attributes:
        path: what is staged.
        problem: what is wrong with it.
        remedy: a command, or a few words.
    """

    path: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """What was found in what is staged: reasons to stop, and remarks."""

    stops: tuple[Stop, ...]
    notes: tuple[str, ...] = ()


def look_at_staged(ws: Workspace, staged: Sequence[StagedChange], *, progress: Progress = SILENT) -> Verdict:
    """Judge what differs between HEAD and the index. Nothing is changed, no remote is asked.

    Raises:
        GitError: git cannot read a blob.
        ConfigError: kind `bad-patterns`.
    """
    changes = [each for each in staged if not each.is_gone and each.mode != _SUBMODULE]
    stops, notes = _raw(ws, changes)
    stops += _twice(ws, changes)
    matching = matcher(_patterns(ws))
    safe = _Safe(ws)
    for change in changes:
        if change.path.endswith(METAFILE_SUFFIX):
            stops += _of_metafile(ws, change, safe, matching, progress)
        elif change.is_new and (pattern := matching(change.path)):
            stops.append(_unwanted(change.path, pattern, f"git rm --cached --quiet -- {display(change.path)}"))
        stops += _secrets(ws, change)
    return Verdict(tuple(stops), tuple(notes))


def _patterns(ws: Workspace) -> bytes | None:
    """The list that is, or is about to be, committed."""
    return ws.git.index_blob(PATH)


def _raw(ws: Workspace, changes: list[StagedChange]) -> tuple[list[Stop], list[str]]:
    """Large files that git itself would keep, in every clone and for ever."""
    limit, stops, notes = ws.config.integer("status.large"), list[Stop](), list[str]()
    sizes = blob_sizes(ws.git, (each.new for each in changes))
    for each in changes:
        size = sizes.get(each.new, 0)
        if size < limit or each.mode == LINK:
            continue
        name = display(each.path)
        if b"\0" in blob_start(ws.git, each.new, _START):
            remedy = f"git rm --cached --quiet -- {name} && gitmlog add {name}"
            stops.append(Stop(each.path, f"{human_size(size)} of binary data, which git would keep in every clone", remedy))
        else:
            notes.append(f"{name} has {human_size(size)}, and git keeps all of its versions: gitmlog add would not")
    return stops, notes


def _twice(ws: Workspace, changes: list[StagedChange]) -> Iterator[Stop]:
    """Files that gitmlog tracks, alone or in a directory, and that git would keep, too."""
    tracked = {name.removesuffix(METAFILE_SUFFIX) for name in indexed_paths(ws.git, f"*{METAFILE_SUFFIX}")}
    tracked |= {each.path.removesuffix(METAFILE_SUFFIX) for each in changes if each.path.endswith(METAFILE_SUFFIX)}
    for each in changes:
        owner = next((path for path in _and_above(each.path) if path in tracked), None)
        if owner is not None and not each.path.endswith(METAFILE_SUFFIX):
            remedy = f"git rm --cached --quiet -- {display(each.path)}, then gitmlog add {display(owner)}"
            yield Stop(each.path, f"gitmlog tracks {display(owner)}, and git would keep these bytes, too", remedy)


def _and_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _unwanted(path: str, pattern: str, remedy: str) -> Stop:
    more = f"{remedy}; or take the pattern out of {PATH}"
    return Stop(path, f"it should not be logged: {PATH} has {display(pattern)}", more)


def _of_metafile(
    ws: Workspace, change: StagedChange, safe: _Safe, matching: Callable[[str], str], progress: Progress
) -> Iterator[Stop]:
    path, name = change.path.removesuffix(METAFILE_SUFFIX), display(change.path.removesuffix(METAFILE_SUFFIX))
    if problem := _odd(change, path):
        yield Stop(change.path, problem, f"git rm --cached -- {display(change.path)}")
        return
    try:
        metafile = parse_metafile(ws.git.blob_of(change.new), change.path)
    except GitmlogError as error:
        yield Stop(change.path, error.message, error.hint)
        return
    if problem := safe.problem(metafile, name):
        yield Stop(change.path, problem, f"gitmlog add {name}, or gitmlog fetch {name} when it is somebody else's")
    if _disagrees(ws, path, metafile, progress):
        remedy = f"gitmlog add {name} (the file is right), or gitmlog checkout --force {name} (the metafile is right)"
        yield Stop(change.path, f"{name} is not what its metafile says", remedy)
    yield from _unwanted_below(ws, change, path, metafile, matching)


def _odd(change: StagedChange, path: str) -> str:
    if change.mode == LINK:
        return "a metafile may not be a symbolic link"
    problem = tracked_problem(path)
    return f"it may not track anything: {problem}" if problem else ""


class _Safe:
    """Which objects will not be lost: in the cache, seen on the remote, or named by the commits that this one builds upon."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._known: set[ObjectId] | None = None
        self._inherited: set[bytes] | None = None

    def problem(self, metafile: Metafile, name: str) -> str:
        """Why it is not safe to commit, or ""."""
        if self._is_here(metafile) or metafile.oid in self._pushed() or self._is_inherited(metafile):
            return ""
        return f"the bytes of {name} are neither in the cache nor known to be on a remote"

    def _is_here(self, metafile: Metafile) -> bool:
        try:
            entries = wanted_entries(self._ws.cache, metafile)
        except GitmlogError:
            return False
        return all(self._ws.cache.size(entry.oid) == entry.size for entry in entries.values())

    def _pushed(self) -> set[ObjectId]:
        from gitmlog.repo.remotes import default_remote, remote_spec

        if self._known is None:
            name = default_remote(self._ws.config)
            self._known = self._ws.pushed.known(remote_spec(self._ws.config, name).url) if name is not None else set()
        return self._known

    def _is_inherited(self, metafile: Metafile) -> bool:
        if self._inherited is None:
            git = self._ws.git
            self._inherited = {text for commit in parents_to_be(git) for text in git.metafiles_at(commit).values()}
        return any(metafile.oid.encode() in text for text in self._inherited)


def _disagrees(ws: Workspace, path: str, metafile: Metafile, progress: Progress) -> bool:
    """Whether the file was changed since. That it is missing, or of an older version that gitmlog knows, loses nothing."""
    listing = list_path(ws, path)
    if listing is None or is_unchanged(ws, path, metafile.oid, listing):
        return False
    from gitmlog.ops.select import Selection
    from gitmlog.ops.status import difference

    found = difference(ws, Selection(path), metafile, listing, rehash=False, progress=progress)
    return "modified" in found.conditions


def _unwanted_below(
    ws: Workspace, change: StagedChange, path: str, metafile: Metafile, matching: Callable[[str], str]
) -> Iterator[Stop]:
    if change.is_new and (pattern := matching(path)):
        yield _unwanted(change.path, pattern, f"gitmlog rm --cached {display(path)}")
    if not isinstance(metafile.facts, DirectoryFacts) or not ws.cache.has(metafile.oid):
        return
    fresh = _entries(ws, change.new, change.path) - _entries(ws, change.old, change.path)
    found = [(name, pattern) for name in sorted(fresh) if (pattern := matching(f"{path}/{name}"))]
    if found:
        name, pattern = found[0]
        several = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        remedy = f"remove it, then gitmlog add {display(path)}"
        yield _unwanted(f"{path}/{name}{several}", pattern, remedy)


def _entries(ws: Workspace, blob: str, name: str) -> set[str]:
    """The names in the tree of the directory that a metafile names; none where it is not known."""
    try:
        metafile = parse_metafile(ws.git.blob_of(blob), name) if blob else None
        return set(wanted_entries(ws.cache, metafile)) if metafile is not None and metafile.is_directory else set()
    except GitmlogError:
        return set()


def _secrets(ws: Workspace, change: StagedChange) -> Iterator[Stop]:
    for line, what in secrets_in(ws, change):
        remedy = "take the value out, and change the secret where it is used: whoever saw the file has it"
        yield Stop(change.path, f"line {line} holds what looks like a secret ({what})", remedy)
