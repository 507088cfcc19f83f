"""Going back through history along one file: commits, what they have at a path, and where it was called something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from gitmlog.git.repository import GitRepo

MAX_TEXT = (1 << 20) + 1
_FOLDER, _BLOB = "tree", "blob"


@dataclass(frozen=True)
class Signed:
    """A commit, as people know it: who wrote it, when (their own clock), and its first line."""

    id: str
    author: str
    email: str
    date: datetime
    subject: str


class Ancestry:
    """The commits of one repository. A partial clone fetches what it lacks, one object after another.

    Whatever is asked may raise GitError, kind `damaged-repository`: an object is not here, and git cannot bring it.
    """

    def __init__(self, repo: GitRepo) -> None:
        self.repo = repo
        self._entry = lru_cache(maxsize=100_000)(self._entry_of)
        self._shallow = _shallow(repo)

    def signed(self, commit: str) -> Signed:
        """Who, when and what."""
        found = self.repo.load(commit)
        author = found.author
        zone = timezone(timedelta(minutes=max(-1439, min(1439, author.offset))))
        lines = _text(found.raw_message).strip().splitlines()
        return Signed(commit, _text(author.raw_name), _text(author.raw_email), _moment(author.time, zone), (lines or [""])[0])

    def time(self, commit: str) -> int:
        """Seconds since 1970 at which it was committed, as its committer says."""
        return int(self.repo.load(commit).commit_time)

    def parents(self, commit: str) -> list[str]:
        """Its parents; none where a shallow clone ends."""
        return [str(oid) for oid in self.repo.load(commit).parent_ids]

    def reaches(self, later: str, earlier: str) -> bool:
        """Whether a commit is, or comes after, another one."""
        return later == earlier or self.repo.handle.descendant_of(later, earlier)

    def walk(self, tip: str, hidden: str = "") -> Iterator[str]:
        """A commit and all before it, children first; not what `hidden` reaches."""
        from pygit2.enums import SortMode

        walker = self.repo.handle.walk(tip, SortMode.TOPOLOGICAL | SortMode.TIME)
        if hidden:
            walker.hide(hidden)
        return (str(commit.id) for commit in walker)

    def is_cut(self, commit: str) -> bool:
        """Whether a shallow clone ends here: what was before is not known."""
        return commit in self._shallow

    def file_id(self, commit: str, path: str) -> str | None:
        """The blob that a commit has at `path`, or None."""
        here = str(self.repo.load(commit).tree_id)
        *folders, name = path.split("/")
        for folder in folders:
            found = self._entry(here, folder)
            if found is None or found[0] != _FOLDER:
                return None
            here = found[1]
        found = self._entry(here, name)
        return found[1] if found is not None and found[0] == _BLOB else None

    def text(self, blob: str) -> bytes:
        """The bytes of a blob, or so many of them that they show it to be too large."""
        return bytes(self.repo.load(blob).data[:MAX_TEXT])

    def removed(self, old: str, new: str, suffix: str) -> Iterator[tuple[str, str]]:
        """The files whose names end in `suffix` that commit `old` has and commit `new` has not: path and blob."""
        pending: list[tuple[str, str | None, str]] = [(str(self.repo.load(old).tree_id), str(self.repo.load(new).tree_id), "")]
        while pending:  # not by recursion: a hostile tree may be deeper than Python's stack
            before, after, prefix = pending.pop()
            there = self._entries(after) if after else {}
            for name, (kind, oid) in self._entries(before).items() if before != after else ():
                other = there.get(name)
                if kind == _FOLDER:
                    below = other[1] if other is not None and other[0] == _FOLDER else None
                    pending.append((oid, below, f"{prefix}{name}/"))
                elif kind == _BLOB and name.endswith(suffix) and (other is None or other[0] != _BLOB):
                    yield prefix + name, oid

    def _entries(self, tree: str) -> dict[str, tuple[str, str]]:
        return {_text(entry.raw_name): (entry.type_str, str(entry.id)) for entry in self.repo.load(tree)}

    def _entry_of(self, tree: str, name: str) -> tuple[str, str] | None:
        try:
            found = self.repo.load(tree)[name]
        except (KeyError, ValueError):
            return None
        return found.type_str, str(found.id)


def _shallow(repo: GitRepo) -> frozenset[str]:
    try:
        return frozenset((repo.commondir / "shallow").read_text("ascii", "replace").split())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _moment(seconds: int, zone: timezone) -> datetime:
    """A commit can say any number."""
    try:
        return datetime.fromtimestamp(seconds, zone)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, zone)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
