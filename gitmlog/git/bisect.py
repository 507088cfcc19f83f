"""`git bisect` over commits that nobody checks out: index, files and branch stay as they are.

The user's hook `reference-transaction` hears of it all the same: git (2.39) moves BISECT_HEAD before it reads where hooks are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from gitmlog.core.errors import GitError
from gitmlog.git.plumbing import Answer, ask_git, last_words, run_git
from gitmlog.git.repository import GitRepo

Verdict = Literal["good", "bad", "skip"]
_STATE = ("BISECT_START", "BISECT_LOG", "BISECT_HEAD")
_FIRST = re.compile(r"^([0-9a-f]{40,64}) is the first bad commit$", re.MULTILINE)
_ALONE = re.compile(r"^([0-9a-f]{40,64})$", re.MULTILINE)
_ONLY_SKIPPED = 2
_CHUNK = 1000
# What it keeps of its way is worth nothing after a power cut, and each commit that is left out is a file.
_GIT = ("-c", "core.fsync=none", "bisect")


class Bisect:
    """A bisect that is under way.

    Attributes:
        found: the first bad commit; several, newest first, when those between could not be told apart; empty until then.
    """

    def __init__(self, repo: GitRepo) -> None:
        self._repo = repo
        self.found: tuple[str, ...] = ()

    def start(self, good: str, bad: str) -> None:
        """Begin between two commits. Raises GitError: one does not lead to the other."""
        self._read(self._ask("start", "--no-checkout", bad, good))

    def tell(self, verdict: Verdict, commits: Sequence[str]) -> None:
        """What these commits are. Raises GitError: it contradicts what was said before."""
        for place in range(0, len(commits), _CHUNK):
            self._read(self._ask(verdict, *commits[place : place + _CHUNK]))

    def next(self) -> str:
        """The commit that git wants to know of."""
        return str(self._repo.handle.references["BISECT_HEAD"].target)

    def _ask(self, *words: str) -> Answer:
        return ask_git(self._repo.gitdir, self._repo.worktree, [*_GIT, *words])

    def _read(self, ended: Answer) -> None:
        said = ended.out.decode("utf-8", "replace")
        first = _FIRST.search(said)
        if first is not None:
            self.found = (first[1],)
        elif ended.code == _ONLY_SKIPPED:
            self.found = tuple(_ALONE.findall(said))
        elif ended.code != 0:
            raise GitError(
                f"git bisect cannot go on: {_words(ended)}", hint="check which is GOOD and which is BAD: git log --graph"
            )


def _words(ended: Answer) -> str:
    said = ended.err.decode("utf-8", "replace") or ended.out.decode("utf-8", "replace")
    return " ".join(said.split()) if len(said) < 1000 else last_words(said)


def check_no_bisect(repo: GitRepo) -> None:
    """Raise GitError, kind `under-way`, when one waits for its end: the user's own, or one that was killed."""
    if any((repo.gitdir / name).exists() for name in _STATE):
        hint = "`git bisect log` shows it; `git bisect reset` ends it, also one that a killed `gitmlog bisect` left; then go on"
        raise GitError("a bisect is under way in this working tree", kind="under-way", hint=hint)


@contextmanager
def bisecting(repo: GitRepo, good: str, bad: str) -> Iterator[Bisect]:
    """A bisect between two commits, which is gone at the end, whatever happens. Raises GitError, kind `under-way`, as well."""
    check_no_bisect(repo)
    made = Bisect(repo)
    try:
        made.start(good, bad)
        yield made
    finally:
        try:
            _reset(repo)
        except KeyboardInterrupt:  # the second one: git heard it too, and may have stopped half-way
            _reset(repo)
            raise


def _reset(repo: GitRepo) -> None:
    """Where git finds no BISECT_HEAD it would check out the branch."""
    if (repo.gitdir / "BISECT_START").exists() and not (repo.gitdir / "BISECT_HEAD").exists():
        run_git(repo.gitdir, None, ["update-ref", "--no-deref", "BISECT_HEAD", "HEAD"])
    run_git(repo.gitdir, repo.worktree, [*_GIT, "reset"])
