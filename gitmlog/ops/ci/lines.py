"""The report as sections of lines, each a list of pieces: what is ours, and what anybody may have written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gitmlog.core.paths import display
from gitmlog.core.shown import harmless
from gitmlog.core.sizes import human_size, plural
from gitmlog.metafile.change import MetafileChange, describe, in_words
from gitmlog.ops.ci.facts import LargeFile, PathChange, Report, RunAdded

MAX_PIECE = 300
MAX_METRICS = 8
MAX_FILES = 20


@dataclass(frozen=True)
class Theirs:
    """Text of the branch: a name, a description, an error that quotes one. On one line, and not too long."""

    text: str


Piece = str | Theirs
Line = tuple[Piece, ...]


@dataclass(frozen=True)
class Section:
    """A title and its lines; `urgent` ones come first and stay visible."""

    title: str
    lines: tuple[Line, ...]
    urgent: bool = False
    below: dict[int, tuple[Line, ...]] = field(default_factory=dict)


def theirs(text: str) -> Theirs:
    """`text`, made fit for one line."""
    flat = " ".join(harmless(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")).split())
    return Theirs(flat if len(flat) <= MAX_PIECE else f"{flat[: MAX_PIECE - 1]}…")


def name(path: str) -> Theirs:
    """A path, quoted as in all messages."""
    return theirs(display(path))


def headline(report: Report) -> str:
    """One sentence: what changes, and whether all is well."""
    totals = report.totals
    counts = [f"{count:,} {word}" for word in ("added", "changed", "renamed", "removed") if (count := getattr(totals, word))]
    what = f"{', '.join(counts)}; {human_size(totals.new_bytes)} of new objects" if counts else "No tracked path changes"
    runs = f"; {plural(len(report.runs), 'run')}" if report.runs else ""
    return f"{what}{runs}"


def sections(report: Report) -> list[Section]:
    """All that there is to say, what is urgent first."""
    missing = tuple((name(path), " is not on remote ", theirs(report.remote.name)) for path in report.missing)
    found = [
        Section("Cannot be read", tuple((name(each.path), ": ", theirs(each.reason)) for each in report.unreadable), urgent=True),
        Section("Missing on the remote", missing, urgent=True),
        Section("Large files in git", tuple(_large(each) for each in report.large), urgent=True),
        _tracked(report),
        Section("Runs", tuple(_run(each) for each in report.runs)),
        Section("Look at", tuple((theirs(note),) for note in report.notes)),
    ]
    return [section for section in found if section.lines]


def hints(report: Report) -> list[str]:
    """What to do about what is wrong."""
    found = []
    if report.missing:
        found.append("Whoever added the missing objects still has to run `gitmlog push`.")
    if report.large:
        found.append("A large file stays in git's history when it is deleted: take it out of its commit, then `gitmlog add`.")
    if report.unreadable:
        found.append("`gitmlog help metafile` has the rules; `gitmlog add` writes a metafile anew.")
    return found


def ends(report: Report) -> str:
    """What was compared, and whether the remote was asked."""
    whole = "not all new objects are on the remote" if report.missing else "all new objects are on the remote"
    place = whole if report.remote.name else f"the remote was not checked ({report.remote.why_not})"
    return f"{report.merge_base[:10]} (where it left {report.base[:10]}) to {report.head[:10]}; {place}"


def _tracked(report: Report) -> Section:
    lines, below = [], {}
    for number, each in enumerate(report.paths):
        lines.append(_path(each))
        if each.files is not None:
            below[number] = _files(each)
    return Section("Tracked paths", tuple(lines), below=below)


def _path(each: PathChange) -> Line:
    change = each.change
    words: list[Piece] = [name(change.path), " "]
    if change.kind == "renamed":
        words += ["renamed from ", name(change.old_path), *_size(change)]
    else:
        words.append(in_words(change))
    if each.files is not None:
        files = each.files
        words.append(f" (+{len(files.added):,} −{len(files.removed):,} ~{len(files.changed):,} files)")
    if each.place == "missing":
        words.append(", not on the remote")
    if change.new is not None and change.new.desc and (change.old is None or change.old.desc != change.new.desc):
        words += [": ", theirs(change.new.desc)]
    return tuple(words)


def _size(change: MetafileChange) -> list[Piece]:
    return [f", {describe(change.new)}"] if change.new is not None else []


def _files(each: PathChange) -> tuple[Line, ...]:
    assert each.files is not None
    lines: list[Line] = []
    for word in ("added", "removed", "changed"):  # no signs: for Markdown they would begin a list
        paths = getattr(each.files, word)
        lines += [(f"{word} ", name(path)) for path in paths[:MAX_FILES]]
        if len(paths) > MAX_FILES:
            lines.append((f"{word} {len(paths) - MAX_FILES:,} more",))
    return tuple(lines)


def _run(each: RunAdded) -> Line:
    record = each.record
    words: list[Piece] = [theirs(record.id), f" {record.status}"]
    if record.name:
        words += [", ", theirs(record.name)]
    shown = sorted(record.metrics.items())[:MAX_METRICS]
    for key, facts in shown:
        words += [", ", theirs(key), f" {_number(facts.last)}"]
    if len(record.metrics) > len(shown):
        words.append(f", and {plural(len(record.metrics) - len(shown), 'more metric')}")
    return tuple(words)


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else str(value)


def _large(each: LargeFile) -> Line:
    size = human_size(each.size) if each.exact else f"{human_size(each.size)} or more"
    where = f" {size}, in commit {each.commit[:10]}"
    if not each.kept:
        return (name(each.path), f"{where}, deleted again, but still in the history: rebase it away")
    return (name(each.path), f"{where}: ", theirs(f"gitmlog add {display(each.path)}"))
