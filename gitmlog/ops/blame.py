"""`blame`: which commit and which run last changed the bytes of a tracked path, or of each file in one."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from gitmlog.core.errors import DataError, GitError, MissingDataError, NotFoundError
from gitmlog.core.paths import METAFILE_SUFFIX, display, metafile_of
from gitmlog.core.progress import SILENT, Progress, Task
from gitmlog.git.ancestry import Ancestry, Signed
from gitmlog.metafile.schema import DirectoryFacts, Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.metafile.tree import TreeEntry
from gitmlog.ops.content import load_tree
from gitmlog.ops.revision import as_revision
from gitmlog.ops.runs.find import Found
from gitmlog.ops.runs.makers import Makers
from gitmlog.repo.workspace import Workspace

End = Literal["shallow", "no-tree", "no-git-object", "unreadable"]
Items: TypeAlias = Mapping[str, object]
"""What is followed, by name: the whole path or a part of it under "", or every file; two are the same when they are equal."""


@dataclass(frozen=True)
class Blamed:
    """What last changed one path.

    Attributes:
        path: as it is called in the revision that was asked about.
        commit: which changed it; who wrote that, and when.
        old_path: what it was called in that commit, when that is another name, or "".
        run: the run that made these bytes, or None.
        end: why an older commit may have changed it, or None: the shallow clone ends, the tree of the version before is not in
            the cache, git lacks an object, the metafile before cannot be read.
        before: the commit, and the path there, that could not be looked into, or "".
    """

    path: str
    commit: Signed
    old_path: str = ""
    run: Found | None = None
    end: End | None = None
    before: str = ""


@dataclass(frozen=True)
class Blame:
    """A path, and, when they were asked for, its files.

    Attributes:
        revision: the commit that was looked at.
        whole: the path itself.
        files: each file of a directory, by path.
    """

    revision: str
    whole: Blamed
    files: tuple[Blamed, ...] = ()


@dataclass(frozen=True)
class _Version:
    """A metafile of a commit: where it stands, what it says."""

    commit: str
    path: str
    metafile: Metafile


@dataclass(frozen=True)
class _Verdict:
    """The commit that some items go back to, and why perhaps an older one."""

    version: _Version
    end: End | None
    before: str


@dataclass
class _Suspect:
    version: _Version
    items: dict[str, object] = field(default_factory=dict)


def blame(
    ws: Workspace, path: str, base: Path, revision: str = "HEAD", *, files: bool = False, progress: Progress = SILENT
) -> Blame:
    """Follow `path` (a tracked file or directory, or a path in one; as written in the folder `base`) back from `revision`.

    Only git's objects and the trees in the cache are read; the working tree is not.

    Raises:
        NotFoundError: kinds `no-revision`, `no-commit`, `not-tracked`, `no-path`.
        MissingDataError: the tree of the revision itself is needed, and not in the cache.
        DataError: kinds `bad-metafile`, `newer-version`, `bad-tree`, `corrupt`.
    """
    name = ws.relative(path.removesuffix(METAFILE_SUFFIX), base)
    start = str(ws.git.resolve(as_revision(ws, revision)).id)
    ancestry = Ancestry(ws.git)
    version = _find(ancestry, start, name, revision)
    part = name.removeprefix(version.path).lstrip("/")
    with progress.task("following history", None) as task, ws.cache.in_use(), Makers(ws) as makers:
        whole = _Walk(ws, ancestry, part, False, task).run(version)
        found = _Walk(ws, ancestry, part, True, task).run(version) if files and version.metafile.is_directory else {}
        return Blame(
            start,
            _blamed(ancestry, makers, name, version, whole[""]),
            tuple(_blamed(ancestry, makers, f"{version.path}/{item}", version, found[item]) for item in sorted(found)),
        )


def _find(ancestry: Ancestry, commit: str, name: str, revision: str) -> _Version:
    parts = name.split("/")
    for owner in ("/".join(parts[:count]) for count in range(1, len(parts) + 1)):
        blob = ancestry.file_id(commit, metafile_of(owner)) if owner else None
        if blob is None:
            continue
        metafile = parse_metafile(ancestry.text(blob), f"{revision}:{metafile_of(owner)}")
        if owner != name and not metafile.is_directory:
            break
        return _Version(commit, owner, metafile)
    if name and ancestry.file_id(commit, name) is not None:
        hint = f"git itself keeps it: git log --follow -- {display(name)}"
    else:
        hint = f"`git ls-tree -r --name-only {display(revision)} | grep gitmlog` lists what is tracked there"
    raise NotFoundError(f"{display(name or '.')} is not tracked in {revision}", kind="not-tracked", hint=hint)


def _blamed(ancestry: Ancestry, makers: Makers, path: str, start: _Version, found: _Verdict) -> Blamed:
    version = found.version
    moved = version.path != start.path
    old_path = version.path + path.removeprefix(start.path) if moved else ""
    run = makers.of_commit(version.commit) or makers.of_object(version.metafile.oid, version.path)
    return Blamed(path, ancestry.signed(version.commit), old_path, run, found.end, found.before)


class _Walk:
    """As git's blame: items go from a commit to the parents that have the same; what no parent has is the commit's own."""

    def __init__(self, ws: Workspace, ancestry: Ancestry, part: str, each: bool, task: Task) -> None:
        self.ws = ws
        self.ancestry = ancestry
        self.part = part
        self.each = each
        self.task = task
        self.found: dict[str, _Verdict] = {}
        self._waiting: dict[tuple[str, str], _Suspect] = {}
        self._order: list[tuple[int, str, str]] = []

    def run(self, start: _Version) -> dict[str, _Verdict]:
        """The verdict on every item. Raises NotFoundError, kind `no-path`."""
        items = self._items(start)
        if self.part and items in ({}, {"": ()}):
            raise NotFoundError(f"there is no {display(f'{start.path}/{self.part}')}", kind="no-path", hint="check the name")
        self._suspect(start, items)
        while self._order:
            _, commit, path = heapq.heappop(self._order)
            suspect = self._waiting.pop((commit, path), None)
            if suspect is not None:
                self.task.advance()
                self._judge(suspect)
        return self.found

    def _suspect(self, version: _Version, items: Items) -> None:
        key = version.commit, version.path
        if key not in self._waiting:
            self._waiting[key] = _Suspect(version)
            heapq.heappush(self._order, (-self.ancestry.time(version.commit), *key))
        self._waiting[key].items.update(items)

    def _judge(self, suspect: _Suspect) -> None:
        version, left = suspect.version, dict(suspect.items)
        end: End | None = "shallow" if self.ancestry.is_cut(version.commit) else None
        before = ""
        for parent in self.ancestry.parents(version.commit):
            same: Items = {}
            try:
                older = self._before(version, parent)
                if older is not None:
                    same = self._same(older, version, left)
                    self._suspect(older, same)
            except MissingDataError:
                end, before = "no-tree", parent
            except DataError:
                end, before = "unreadable", parent
            except GitError:
                end, before = "no-git-object", parent
            left = {name: value for name, value in left.items() if name not in same}
            if not left:
                return
        self.found |= dict.fromkeys(left, _Verdict(version, end, before))

    def _same(self, older: _Version, version: _Version, left: Items) -> Items:
        """Those of `left` that the older version has just so."""
        if older.metafile.oid == version.metafile.oid and older.metafile.is_directory == version.metafile.is_directory:
            return left
        there = self._items(older)
        return {name: value for name, value in left.items() if name in there and there[name] == value}

    def _items(self, version: _Version) -> Items:
        """Raises MissingDataError, DataError."""
        facts = version.metafile.facts
        if not self.part and not self.each:
            return {"": (version.metafile.is_directory, facts.blake3)}
        below = self._below(facts) if isinstance(facts, DirectoryFacts) else {}
        if self.each:
            return {name: entry[1:3] for name, entry in below.items()}
        return {"": tuple(below.values())}

    def _below(self, facts: DirectoryFacts) -> dict[str, TreeEntry]:
        prefix = f"{self.part}/" if self.part else ""
        return {entry.path: entry for entry in load_tree(self.ws.cache, facts)
                if entry.path.startswith(prefix) or entry.path == self.part}  # fmt: skip

    def _before(self, version: _Version, parent: str) -> _Version | None:
        """The same path in a parent, under the name that it had there. Raises DataError, GitError."""
        blob = self.ancestry.file_id(parent, metafile_of(version.path))
        if blob is not None:
            return self._read(parent, version.path, blob)
        return self._renamed(version, parent)

    def _renamed(self, version: _Version, parent: str) -> _Version | None:
        """Of the metafiles that this commit took away the one of the same object, or the directory that has most in common."""
        gone: list[_Version] = []
        for name, blob in self.ancestry.removed(parent, version.commit, METAFILE_SUFFIX):
            try:
                gone.append(self._read(parent, name.removesuffix(METAFILE_SUFFIX), blob))
            except DataError:
                continue
        exact = next((older for older in gone if older.metafile.oid == version.metafile.oid), None)
        if exact is not None or not version.metafile.is_directory:
            return exact
        common = {older.path: self._common(older, version) for older in gone if older.metafile.is_directory}
        best = max(common, key=lambda path: common[path], default="")
        return next(older for older in gone if older.path == best) if best and common[best] else None

    def _common(self, older: _Version, version: _Version) -> int:
        try:
            facts = [each.metafile.facts for each in (older, version)]
            one, other = ({entry[:3] for entry in load_tree(self.ws.cache, each)} for each in facts)  # type: ignore[arg-type]
        except DataError:
            return 0
        return len(one & other)

    def _read(self, commit: str, path: str, blob: str) -> _Version:
        return _Version(commit, path, parse_metafile(self.ancestry.text(blob), f"{commit[:10]}:{metafile_of(path)}"))


def notes(found: Blame) -> list[str]:
    """Where it is not known whether an older commit was it, and the way out: each reason once."""
    said: dict[str, None] = {}
    for each in (found.whole, *found.files):
        if each.end is not None:
            said.setdefault(_note(each))
    return list(said)


def _note(each: Blamed) -> str:
    at, before = each.commit.id[:10], each.before[:10]
    return {
        "shallow": f"this shallow clone ends at {at}: it or an older commit (git fetch --unshallow)",
        "no-tree": f"known up to {at}: the tree that {before} has before it is not in the cache (gitmlog fetch --all)",
        "no-git-object": f"known up to {at}: git cannot bring what {before} has before it (a partial clone, and no network?)",
        "unreadable": f"known up to {at}: the metafile or tree that {before} has before it cannot be read",
    }[each.end or ""]
