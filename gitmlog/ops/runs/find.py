"""Finding runs: all that fulfil a condition, or the one that a word names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from gitmlog.core.errors import NotFoundError, UsageError
from gitmlog.core.paths import is_utf8
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.toml import shorten
from gitmlog.ops.runs.going import started
from gitmlog.ops.runs.meant import bare_names, with_ids
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.direction import direction
from gitmlog.runs.index import Index
from gitmlog.runs.index_schema import Entry
from gitmlog.runs.query import parse_field, parse_sort, parse_where
from gitmlog.runs.query_nodes import Field, Key, Literal, Test, fields_of
from gitmlog.runs.query_sql import Sql, condition, ordering
from gitmlog.runs.record import RunRecord, is_run_id
from gitmlog.runs.tags import ARCHIVE

_BACK = re.compile(r"(.+)~(\d{1,6})", re.DOTALL)
_PREFIX = re.compile(r"[0-9]{1,8}|[0-9]{8}-[0-9a-z-]*")
_WORDS = re.compile(r"[a-z]{1,40}-[a-z]{1,40}")
_MAX_NOTES = 5
_NAMED = 3


@dataclass(frozen=True)
class Found:
    """A run.

    Attributes:
        record: what it says.
        commit, tag_object, ref: its commit, its tag and the tag's ref; "" while it is going on.
        archived: whether its tag was moved out of `git tag`'s sight.
        live: whether it is going on; its record holds what was known at its start.
    """

    record: RunRecord
    commit: str
    tag_object: str
    ref: str
    archived: bool
    live: bool


@dataclass(frozen=True)
class FoundRuns:
    """Runs in the order that was asked for.

    Attributes:
        runs: they.
        total: how many there are without the limit.
        notes: what else is to be said.
        sorted_by: the facts that they are ordered by.
    """

    runs: tuple[Found, ...]
    total: int
    notes: tuple[str, ...]
    sorted_by: tuple[Field, ...] = ()


def search(
    ws: Workspace,
    where: str | None = None,
    order_by: str | Sequence[str] | None = None,
    limit: int | None = None,
    *,
    progress: Progress = SILENT,
) -> FoundRuns:
    """The runs that fulfil `where` (all when it is None), newest first or by `order_by`, at most `limit` (None: all).

    Raises:
        UsageError: kinds `bad-query`; `ambiguous-run`: `parent =` the beginning of several ids.
    """
    live, dead = started(ws)
    with closing(Index(ws.git, ws.home / "runs.db", progress)) as index:
        bare = bare_names(index, live)
        asked, nameless = with_ids(parse_where(where or "", bare), _Finder(ws, index).ids)
        keys = parse_sort(order_by or (), bare)
        fields = tuple(key.field for key in keys)
        entries, total = index.search(condition(asked, where or ""), ordering(keys), limit, live=live)
        notes = (*_problems(index.problems()), *_unclosed(dead, index))
        if not total or keys:
            notes += (*_some(nameless, "runs"), *_some(list(_unknown([*fields_of(asked), *fields], index, live)), "names"))
    return FoundRuns(tuple(found_of(entry) for entry in entries), total, notes, fields)


def find(ws: Workspace, spec: str, *, unique: bool = False) -> Found:
    """The run that `spec` names: its id, a unique beginning of it, `run/ID`, its name, the words of its id, `last`, `NAME~2`, or
    `best:metrics.acc`.

    `last`, names and `best:` mean runs that are recorded, the newest of several; one that is going on is named by its id, or by
    its name when no other has it. With `unique`, a name that several runs have is an error.

    Raises:
        NotFoundError: kind `no-run`.
        UsageError: kinds `ambiguous-run` and `bad-query`.
    """
    with closing(Index(ws.git, ws.home / "runs.db")) as index:
        return _Finder(ws, index).find(spec, unique)


class _Finder:
    """Answers from the index, then from what is going on."""

    def __init__(self, ws: Workspace, index: Index) -> None:
        self.ws = ws
        self.index = index

    def find(self, spec: str, unique: bool) -> Found:
        """See `find`."""
        if not is_utf8(spec):
            return self.missing(spec)
        word = spec.removeprefix("refs/tags/").removeprefix("run/").removeprefix(ARCHIVE)
        if word.startswith("best:"):
            return self.best(word.removeprefix("best:"))
        back = _BACK.fullmatch(word)
        if (back or word != spec) and (found := self.named(spec, 0, unique)):  # a name may look like that
            return found
        name, steps = (back[1], int(back[2])) if back else (word, 0)
        if name == "last":
            return self.nth(("1", ()), steps, "run")
        if is_run_id(name):
            return self.identity(name, steps)
        return (
            self.named(name, steps, unique)
            or self.prefixed(name, steps)
            or self.worded(name, steps, unique)
            or self.missing(spec)
        )

    def ids(self, spec: str) -> list[str]:
        """The ids of all runs that a word may mean: an id, as it is, all of a name, or what `find` finds. Raises as that."""
        if is_run_id(spec):
            return [spec]
        entries, _ = self.index.search(("name = ?", (spec,)), live=self._live())
        return [entry.record.id for entry in entries] or [self.find(spec, False).record.id]

    def nth(self, where: Sql, steps: int, what: str) -> Found:
        """The newest but `steps` of the recorded runs that fulfil a condition."""
        entries, total = self.index.search(where, limit=1, offset=steps)
        if not entries:
            has = f"there are only {total}" if total else "there is none yet"
            raise NotFoundError(
                f"no {what} {steps} before the last: {has}" if steps else f"no {what} is recorded yet",
                kind="no-run",
                hint=_list_hint(total),
            )
        return found_of(entries[0])

    def identity(self, identity: str, steps: int) -> Found:
        """The run of this id, or one of those before it."""
        entries, _ = self.index.search(("id = ?", (identity,)), live=self._live())
        if not entries:
            return self.missing(identity)
        return self.nth(("id <= ?", (identity,)), steps, "run") if steps else found_of(entries[0])

    def named(self, name: str, steps: int, unique: bool) -> Found | None:
        """The newest run of this name, but `steps`."""
        return self._newest(("name = ?", (name,)), lambda entry: entry.record.name == name, name, steps, unique)

    def worded(self, words: str, steps: int, unique: bool) -> Found | None:
        """The newest run whose id ends in these words, but `steps`: as plots and comparisons show runs of one name."""
        if not _WORDS.fullmatch(words):
            return None
        return self._newest(("substr(id, 17) = ?", (words,)), lambda entry: entry.record.id[16:] == words, words, steps, unique)

    def _newest(self, where: Sql, fits: Callable[[Entry], bool], name: str, steps: int, unique: bool) -> Found | None:
        entries, total = self.index.search(where, limit=1, offset=steps)
        if not total:
            going = [] if steps else [entry for entry in self._live() if fits(entry)]
            return found_of(going[0]) if going else None
        if not entries:
            raise NotFoundError(f"there are only {total} runs named {shorten(name)}", kind="no-run", hint="gitmlog runs list")
        if unique and total > 1 and not steps:
            several, _ = self.index.search(where, limit=10)
            raise _ambiguous(name, [entry.record.id for entry in several], total)
        return found_of(entries[0])

    def prefixed(self, prefix: str, steps: int) -> Found | None:
        """The one run whose id begins so."""
        if not _PREFIX.fullmatch(prefix):
            return None
        going = [entry for entry in self._live() if entry.record.id.startswith(prefix)]
        where: Sql = ("id >= ? AND id < ?", (prefix, prefix + "\x7f"))
        entries, total = self.index.search(where, limit=10, live=going)
        if total > 1:
            raise _ambiguous(prefix, [entry.record.id for entry in entries], total)
        return self.identity(entries[0].record.id, steps) if entries else None

    def best(self, text: str) -> Found:
        """The FINISHED run whose metric is the best."""
        way = next((suffix for suffix in ("min", "max") if text.endswith(f":{suffix}")), "")
        field = self._measure(text.removesuffix(f":{way}") if way else text)
        descending = (way or direction(field.key)) == "max"
        number = condition(Test(field, ">=", (Literal("-inf", quoted=False, at=0),)), text)  # NaN is never the best
        where: Sql = (f"status = 'FINISHED' AND {number[0]}", number[1])
        entries, _ = self.index.search(where, ordering((Key(field, descending),)), limit=1)
        if not entries:
            hint = f"gitmlog runs list --where {field.space or 'metrics'}.NAME; only runs that are FINISHED are looked at"
            if ":" in field.key and field.key not in self.index.keys("metrics"):
                hint = "after the last colon stands `min` or `max`, as in best:metrics.acc:max"
            raise NotFoundError(f"no finished run has a number as {shorten(str(field))}", kind="no-run", hint=hint)
        return found_of(entries[0])

    def _measure(self, text: str) -> Field:
        known = text.partition(".")[0] in ("metrics", "min", "max") and "." in text
        return parse_field(text if known or text == "seconds" else f"metrics.{text}")

    def _live(self) -> list[Entry]:
        return started(self.ws)[0]

    def missing(self, spec: str) -> Found:
        """Say what is near. Raises NotFoundError."""
        from difflib import get_close_matches

        self._check_killed(spec)
        known = self.index.names()
        words = {word: None for pair in known[:2_000] for word in (pair[1], pair[0])}
        near = get_close_matches(spec, words, 3, 0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else _list_hint(len(known))
        raise NotFoundError(
            f"no run {shorten(spec) if not spec.isprintable() else repr(shorten(spec))}", kind="no-run", hint=hint
        )

    def _check_killed(self, spec: str) -> None:
        word = spec.removeprefix("refs/tags/").removeprefix("run/")
        for dead in started(self.ws)[1]:
            if word in (dead.id, dead.name, dead.id[16:]) or (_PREFIX.fullmatch(word) and dead.id.startswith(word)):
                said = f"run {dead.id} was killed, and is not recorded"
                raise NotFoundError(said, kind="no-run", hint=f"gitmlog runs recover {dead.id}")


def _ambiguous(word: str, identities: Sequence[str], total: int) -> UsageError:
    more = f" and {total - len(identities):,} more" if total > len(identities) else ""
    said = f"{shorten(word)} means {total:,} runs: {', '.join(identities)}{more}"
    return UsageError(said, kind="ambiguous-run", hint="give the id, or more of it")


def _list_hint(total: int) -> str:
    return "`gitmlog runs list` shows them all" if total else "make one: `gitmlog run -- python train.py`"


def found_of(entry: Entry) -> Found:
    """The run that an entry of the index is."""
    live = entry.record.status == "RUNNING"
    return Found(entry.record, entry.commit or "", entry.tag_object or "", entry.ref or "", entry.archived, live)


def _unknown(fields: Sequence[Field], index: Index, live: Sequence[Entry]) -> Iterator[str]:
    """A misspelled name is no error, for the next run may have it, but worth a word."""
    from difflib import get_close_matches

    for field in dict.fromkeys(fields):
        space = "metrics" if field.space in ("min", "max") else field.space
        if not space or any(field.key in getattr(entry.record, space) for entry in live):
            continue
        known = index.keys(space)
        if known and field.key not in known:
            near = get_close_matches(field.key, known, 1, 0.6)
            yield f"no run has {field}" + (f": did you mean {Field(field.space, near[0])}?" if near else "")


def _problems(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _MAX_NOTES
    return [*problems[:_MAX_NOTES], *([f"{more:,} more tags under run/ could not be read"] if more > 0 else [])]


def _some(notes: Sequence[str], what: str) -> list[str]:
    """The first few."""
    more = len(notes) - _MAX_NOTES
    return [*notes[:_MAX_NOTES], *([f"and {more:,} more {what} that no run has"] if more > 0 else [])]


def _unclosed(dead: Sequence[RunRecord], index: Index) -> list[str]:
    """A folder whose run is recorded is only rest that recovering clears away: nobody needs to know."""
    recorded = {identity for identity, _ in index.names()} if dead else set()
    names = [_called(record) for record in dead if record.id not in recorded]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    was = "1 run was" if len(names) == 1 else f"{len(names):,} runs were"
    return [f"{was} killed and not recorded ({', '.join(names[:_NAMED])}{more}): gitmlog runs recover"] if names else []


def _called(record: RunRecord) -> str:
    return record.id if record.name == record.id[16:] else f"{record.id} {shorten(record.name)}"
