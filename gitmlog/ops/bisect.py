"""`bisect`: the first commit whose recorded metric is bad, found by `git bisect`; nothing is checked out, nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from gitmlog.core.errors import GitError, NotFoundError, UsageError
from gitmlog.core.paths import display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.ancestry import Ancestry, Signed
from gitmlog.git.bisect import Bisect, Verdict, bisecting, check_no_bisect
from gitmlog.metafile.change import MetafileChange
from gitmlog.ops.changes import metafile_changes
from gitmlog.ops.revision import as_revision
from gitmlog.ops.runs.measured import Measured, Value
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import ParamValue

_FAR = 10_000


@dataclass(frozen=True)
class Bound:
    """Which values are bad: those below, or above, a number. NaN always is."""

    number: float
    below: bool

    def is_bad(self, value: float) -> bool:
        """Whether a value is bad."""
        return not (value >= self.number if self.below else value <= self.number)

    def __str__(self) -> str:
        """As in "which is not below 0.9"."""
        return f"{'below' if self.below else 'above'} {self.number:g}"


@dataclass(frozen=True)
class Point:
    """A commit, and what a run says of it; None: no run does."""

    commit: Signed
    value: Value | None


@dataclass(frozen=True)
class ParamChange:
    """A parameter that two runs do not have alike; None: it is not there."""

    name: str
    old: ParamValue | None
    new: ParamValue | None


@dataclass(frozen=True)
class Bisection:
    """What was found.

    Attributes:
        metric: its name, with its namespace.
        first_bad: the first bad commit, or None when several may be.
        candidates: those several, newest first; only commits without a value lie between the bad and the good.
        last_good: the nearest ancestor (of the first bad commit, or of all candidates) that is known to be good.
        metafiles: what differs in the first bad commit.
        params: what differs between its run and that of the last good commit.
        commits: how many there were to choose from.
        unknown: how many of them have no value.
        tested: how many git asked about.
        notes: ends that were taken otherwise than named.
    """

    metric: str
    first_bad: Point | None
    candidates: tuple[Point, ...]
    last_good: Point
    metafiles: tuple[MetafileChange, ...] = ()
    params: tuple[ParamChange, ...] = ()
    commits: int = 0
    unknown: int = 0
    tested: int = 0
    notes: tuple[str, ...] = ()


def bisect(ws: Workspace, metric: str, bound: Bound, good: str, bad: str, *, progress: Progress = SILENT) -> Bisection:
    """Find the first commit, after `good` and up to `bad` (revisions or runs), whose `metric` is bad.

    Raises:
        UsageError: kinds `bad-query`; `not-good`, `not-bad`: an end is not what it was called.
        NotFoundError: kinds `no-revision`, `no-commit`; `no-metric`: no run, or no run of an end, has it.
        GitError: kind `under-way`: another bisect; `good` does not lead to `bad`.
    """
    search = _Search(ws, Measured(ws, metric, progress), bound)
    check_no_bisect(ws.git)
    given = [str(ws.git.resolve(as_revision(ws, each)).id) for each in (good, bad)]
    first, last = map(search.nearest, given)
    search.check_ends((good, first), (bad, last))
    between = list(search.ancestry.walk(last, first))
    with ws.changing(progress), bisecting(ws.git, first, last) as steps:
        search.run(steps, between, progress)
    found = search.result(steps.found, between, first)
    ends = zip((good, bad), given, (first, last), strict=True)
    return replace(found, notes=tuple(_moved(name, taken) for name, commit, taken in ends if commit != taken))


def _moved(name: str, taken: str) -> str:
    return f"no run says what it is at {display(name)}: taken was the nearest commit before it that has a value, {taken[:10]}"


class _Search:
    def __init__(self, ws: Workspace, measured: Measured, bound: Bound) -> None:
        self.ws = ws
        self.measured = measured
        self.bound = bound
        self.ancestry = Ancestry(ws.git)
        self.tested: dict[str, Verdict] = {}

    def value(self, commit: str) -> Value | None:
        return self.measured.at(commit, self.ancestry.parents(commit))

    def nearest(self, commit: str) -> str:
        """The commit, or the nearest of its first parents that has a value; itself when none has."""
        found = commit
        for _ in range(_FAR):
            if self.value(found) is not None:
                return found
            parents = self.ancestry.parents(found)
            if not parents:
                break
            found = parents[0]
        return commit

    def check_ends(self, good: tuple[str, str], bad: tuple[str, str]) -> None:
        if good[1] == bad[1]:
            raise UsageError(
                "GOOD and BAD are the same commit", kind="not-bad", hint="name the last good and the first known bad one"
            )
        if self.ancestry.reaches(good[1], bad[1]):
            hint = "GOOD first, then BAD; where a metric got better, look for the good one: --above for --below"
            raise UsageError(f"{display(good[0])} comes after {display(bad[0])}", kind="not-good", hint=hint)
        for name, commit, wanted in ((*good, False), (*bad, True)):
            self._check_end(name, commit, wanted_bad=wanted)

    def _check_end(self, name: str, commit: str, *, wanted_bad: bool) -> None:
        found, called = self.value(commit), "BAD" if wanted_bad else "GOOD"
        if found is None:
            known = display(str(self.measured.field))
            hint = f"name one that a run speaks of: gitmlog runs list --where {known} --columns id,commit"
            message = f"no run says what {self.measured.field} is at {display(name)} ({commit[:10]})"
            raise NotFoundError(message, kind="no-metric", hint=hint)
        if self.bound.is_bad(found.number) != wanted_bad:
            is_not = "is not" if wanted_bad else "is"
            message = (
                f"{display(name)} is not {called}: {self.measured.field} is {found.number:g} there, which {is_not} {self.bound}"
            )
            hint = f"run {found.run.record.id} says so: gitmlog runs show {found.run.record.id}"
            raise UsageError(message, kind="not-bad" if wanted_bad else "not-good", hint=hint)

    def run(self, steps: Bisect, between: Sequence[str], progress: Progress) -> None:
        """Those without a value are left out at once: else git would ask for each of them."""
        steps.tell("skip", [commit for commit in between if self.value(commit) is None])
        with progress.task("bisecting", None) as task:
            while not steps.found:
                commit = steps.next()
                if commit in self.tested:
                    raise GitError(f"git bisect asks for {commit[:10]} again", hint="`git bisect` by hand may say why")
                found = self.value(commit)
                self.tested[commit] = "skip" if found is None else "bad" if self.bound.is_bad(found.number) else "good"
                steps.tell(self.tested[commit], [commit])
                task.advance()

    def result(self, found: Sequence[str], between: Sequence[str], good: str) -> Bisection:
        first_bad = self._point(found[0]) if len(found) == 1 else None
        last_good = self._last_good(found, good)
        counts = len(between), sum(self.value(commit) is None for commit in between), len(self.tested)
        candidates = () if first_bad else tuple(self._point(commit) for commit in between if commit in found)
        metafiles = self._metafiles(found[0]) if first_bad else ()
        params = tuple(_params(last_good.value, first_bad.value)) if first_bad else ()
        return Bisection(str(self.measured.field), first_bad, candidates, last_good, metafiles, params, *counts)

    def _point(self, commit: str) -> Point:
        return Point(self.ancestry.signed(commit), self.value(commit))

    def _last_good(self, found: Sequence[str], good: str) -> Point:
        """GOOD itself where no nearer one is known."""
        candidates = set(found)
        for commit in self.ancestry.walk(found[-1]):
            value = self.value(commit) if commit not in candidates else None
            if value is not None and not self.bound.is_bad(value.number):
                return self._point(commit)
            if commit == good:
                break
        return self._point(good)

    def _metafiles(self, commit: str) -> tuple[MetafileChange, ...]:
        """Against the first parent, as `git show` has it."""
        parents = self.ancestry.parents(commit)
        return tuple(metafile_changes(self.ws.git, parents[0] if parents else None, commit))


def _params(old: Value | None, new: Value | None) -> Iterator[ParamChange]:
    if old is None or new is None:
        return
    before, after = old.run.record.params, new.run.record.params
    for name in sorted(dict.fromkeys(chain(before, after))):
        if before.get(name) != after.get(name):
            yield ParamChange(name, before.get(name), after.get(name))
