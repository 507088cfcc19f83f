"""The trees that a push brings, entry by entry: no hostile names, metafiles that are plain files, and which metafiles there are.

Entries are looked at, not blobs: one that was pushed under a harmless name before may be a metafile by its new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitmlog.core.errors import GitError
from gitmlog.core.paths import METAFILE_SUFFIX, git_name_problem, tracked_problem
from gitmlog.git.incoming import MAX_TREE, Before, Brought, Entry, brought, has_twins, read_entry, split_tree
from gitmlog.ops.server.push import Problem, Problems, Push, named

HINT = "take it out of every commit that has it (`git rebase -i`), then push again"
_SUFFIX = METAFILE_SUFFIX.encode()
_PLAIN = re.compile(rb"(?:100644|100755|40000|120000|160000) [^.gG\\/\x80-\xff\0][^\\/\x80-\xff\0]*\0.{20}", re.DOTALL)
_MOST_SEEN = 1 << 20
_MOST_OLD = 50


class NewTrees:
    """Reads what a push brings.

    Attributes:
        commits: the new ones.
        metafiles: path and blob of each entry that is a metafile, in any new tree.
    """

    def __init__(self, push: Push, problems: Problems) -> None:
        self.commits: list[str] = []
        self.metafiles: dict[tuple[str, str], None] = {}
        self._git, self._problems = push.server.git, problems
        self._old: dict[str, None] = {}
        self._others = [update.old for update in push.updates if update.old] + [push.server.git.head_commit or ""]
        self._before: Before | None = None
        self._seen: set[bytes] = set()
        self._done: dict[str, set[bytes]] = {}

    def read(self, new: Iterable[str]) -> None:
        """All that these objects reach and no ref does. Raises GitError."""
        try:
            for item in brought(self._git, new):
                self._take(item)
        except GitError as error:
            if error.kind != "too-long":
                raise
            self._problems.add(Problem("a path in the push is longer than any file system takes", HINT, kind="hostile-path"))

    def _take(self, item: Brought) -> None:
        if item.kind == "commit":
            self.commits.append(item.oid)
        elif item.kind == "edge":
            self._old[item.oid] = None
        else:
            kind, size = self._git.look(item.oid)
            if kind == "tree":
                self._tree(item, size)

    def _tree(self, item: Brought, size: int) -> None:
        data = self._git.read(item.oid) if size <= MAX_TREE else b""
        entries = split_tree(data) if size <= MAX_TREE else None
        if entries is None or (_SUFFIX in data and has_twins(data)):
            problem = "two entries have one name" if entries else f"it is damaged, or has more than {MAX_TREE:,} bytes"
            where = named(item.path) if item.path else "the top folder"
            self._problems.add(Problem(f"{where} (git's tree {item.oid[:10]}): {problem}", HINT, kind="hostile-path"))
            return
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()
        done = self._done.setdefault(item.path, set())
        for raw in entries:
            if raw not in self._seen and raw not in done:
                self._look(raw, item.path, done)

    def _look(self, raw: bytes, folder: str, done: set[bytes]) -> None:
        """A metafile is looked at in every folder where it is, and what is hostile always; of all else once is enough."""
        is_metafile = raw.endswith(_SUFFIX, 0, -21)
        if not is_metafile and _PLAIN.fullmatch(raw):
            self._seen.add(raw)
            return
        entry = read_entry(raw)
        path = f"{folder}/{entry.name}" if folder else entry.name
        if problem := entry_problem(entry, path):
            if not self.is_old(path, entry):
                self._problems.add(Problem(f"{named(path)}: {problem}", HINT, kind="hostile-path"))
        elif is_metafile and not entry.is_tree:
            self.metafiles[path, entry.oid] = None
            done.add(raw)
        else:
            self._seen.add(raw)

    def is_old(self, path: str, entry: Entry) -> bool:
        """Whether a commit that the server had has the very same there: what was taken before keeps nobody out."""
        if self._before is None:
            self._before = Before(self._git, [commit for commit in (*self._old, *self._others) if commit][:_MOST_OLD])
        return self._before.has(path, entry)

    def is_old_metafile(self, path: str, blob: str) -> bool:
        """As `is_old`."""
        return self.is_old(path, Entry(0o100644, path.rpartition("/")[2], blob))


def entry_problem(entry: Entry, path: str) -> str:
    """Why a tree may not have this entry at `path`, or ""."""
    if problem := git_name_problem(entry.name):
        return problem
    if not entry.what:
        return f"git knows no entry of the mode {entry.mode:o}"
    if entry.name.casefold() == METAFILE_SUFFIX != entry.name:
        return f"the name is read as {METAFILE_SUFFIX} by some file systems"
    if entry.is_tree or not entry.name.endswith(METAFILE_SUFFIX):
        return ""
    if entry.name == METAFILE_SUFFIX:
        return f"{METAFILE_SUFFIX} is gitmlog's own folder, and this is {entry.what}"
    if problem := tracked_problem(path.removesuffix(METAFILE_SUFFIX)):
        return f"it may not track anything: {problem}"
    return "" if entry.is_regular else f"a metafile is a plain file, and this is {entry.what}"
