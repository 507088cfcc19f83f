"""The folder `.gitmlog` at the top of the new commits: plain files in it, and runs under their ids.

What may stand there depends on the place, so it is found from each commit, and not among the new trees: a folder may have been
pushed under a harmless name before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitmlog.core.paths import MAX_PATH, METAFILE_SUFFIX
from gitmlog.git.bare import BareRepo
from gitmlog.git.history import is_listing
from gitmlog.git.incoming import Entry, find_folder, has_twins, read_commit, read_entry, read_tree, split_tree
from gitmlog.ops.server.push import Problem, Problems, named
from gitmlog.ops.server.trees import HINT
from gitmlog.runs.record import FOLDER, is_run_id


@dataclass(frozen=True)
class _Place:
    """A tree to look at, and those that were at its path in the commits before."""

    tree: str
    path: str
    before: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Below `.gitmlog/runs/ID` the path decides nothing: what is shared is looked at once, however often it is named."""
        is_known = self.path in (METAFILE_SUFFIX, FOLDER) or self.path.startswith(f"{FOLDER}/")
        return self.tree, self.path if is_known and self.path.count("/") <= 2 else ""


def check_folders(git: BareRepo, commits: Iterable[str], problems: Problems) -> dict[tuple[str, str], None]:
    """Path and blob of each new artifacts.toml of a run. Raises GitError, kind `damaged-repository`."""
    return _Folders(git, problems).check(commits)


class _Folders:
    def __init__(self, git: BareRepo, problems: Problems) -> None:
        self._git, self._problems = git, problems
        self._folders: dict[str, str | None] = {}
        self._tops: dict[str, str] = {}
        self._seen: set[tuple[str, str]] = set()
        self._listings: dict[tuple[str, str], None] = {}

    def check(self, commits: Iterable[str]) -> dict[tuple[str, str], None]:
        for commit in commits:
            found = read_commit(self._git, commit)
            if found is None:
                self._problems.add(Problem(f"commit {commit[:10]} is damaged", HINT, kind="hostile-path"))
                continue
            self._tops[commit] = found[0]
            self._check(found[0], found[1])
        return self._listings

    def _check(self, top: str, parents: Iterable[str]) -> None:
        folder = self._folder(top)
        if folder is not None:
            before = tuple(each for parent in parents if (each := self._folder(self._top(parent))) is not None)
            if folder not in before:
                self._walk(_Place(folder, METAFILE_SUFFIX, before))

    def _top(self, commit: str) -> str:
        if commit not in self._tops:
            found = read_commit(self._git, commit)
            self._tops[commit] = found[0] if found else ""
        return self._tops[commit]

    def _folder(self, top: str) -> str | None:
        """The tree of `.gitmlog` in a top folder."""
        if top not in self._folders:
            self._folders[top] = find_folder(self._git, top, METAFILE_SUFFIX) if top else None
        return self._folders[top]

    def _walk(self, start: _Place) -> None:
        """Without recursion, and each tree once: neither depth nor sharing costs more than what was sent."""
        pending = [start]
        while pending:
            place = pending.pop()
            if place.key not in self._seen:
                self._seen.add(place.key)
                pending += self._look(place)

    def _look(self, place: _Place) -> Iterator[_Place]:
        data = read_tree(self._git, place.tree)
        if has_twins(data):
            self._refuse(place.path, "two entries have one name")
        known = {raw for tree in place.before for raw in split_tree(read_tree(self._git, tree)) or ()}
        for raw in split_tree(data) or ():
            if raw not in known:
                yield from self._entry(read_entry(raw), place)

    def _entry(self, entry: Entry, place: _Place) -> Iterator[_Place]:
        path = f"{place.path}/{entry.name}"
        if problem := _problem(entry, place.path, path):
            self._refuse(path, problem)
        elif entry.is_tree:
            before = (find_folder(self._git, tree, entry.name) for tree in place.before)
            yield _Place(entry.oid, path, tuple(each for each in before if each is not None))
        elif is_listing(path):
            self._listings[path, entry.oid] = None

    def _refuse(self, path: str, problem: str) -> None:
        self._problems.add(Problem(f"{named(path)}: {problem}", HINT, kind="hostile-path"))


def _problem(entry: Entry, folder: str, path: str) -> str:
    if len(path) > MAX_PATH:
        return f"the path is longer than {MAX_PATH} characters"
    if not entry.is_tree and entry.mode & 0o170000 != 0o100000:
        return f"{METAFILE_SUFFIX} holds plain files, and this is {entry.what or 'of an unknown kind'}"
    if folder == FOLDER and entry.is_tree and not is_run_id(entry.name):
        return "its name is no id of a run"
    return ""
