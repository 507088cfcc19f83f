"""The message of a run's tag: a summary for people, then the record (spec: tags.md)."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable

from gitmlog.runs.reader import MAX_BYTES, bad_run
from gitmlog.runs.record import DataFacts, MetricFacts, RunRecord, format_run, parse_run

PREFIX = "refs/tags/run/"
ARCHIVE = "refs/gitmlog/runs/"
LIVE = "refs/gitmlog/live/"
SEPARATOR = "--- gitmlog run 1 ---"
TRAILER = "Gitmlog-Run"

_SUBJECT = 72
_LINE = 100
_SIGNATURE = re.compile(r"^-----BEGIN [A-Z0-9 ]+-----$", re.MULTILINE)
_SPLIT = re.compile(rf"^{re.escape(SEPARATOR)}\n", re.MULTILINE)


def format_tag(record: RunRecord) -> str:
    """The message of the run's tag."""
    return f"{summary(record)}\n{SEPARATOR}\n{format_run(record).decode()}"


def format_commit(record: RunRecord) -> str:
    """The message of the run's commit."""
    return f"{summary(record)}\n{TRAILER}: {record.id}\n"


def parse_tag(message: str, name: str) -> RunRecord:
    """The record in a tag's message; `name` is the tag's own, "run/ID".

    Raises:
        DataError: kinds `bad-run` and `newer-version`.
    """
    if len(message) > MAX_BYTES:
        raise bad_run(f"tag {name}", f"{len(message)} characters (at most {MAX_BYTES})")
    text = body(message, name)
    record = parse_run(text, f"tag {name}")
    if record.tag != name:
        raise bad_run(f"tag {name}", f"it says that it is {record.tag}")
    return record


def body(message: str, name: str) -> str:
    """The record's text in a tag's message. Raises DataError, kind `bad-run`."""
    parts = _SPLIT.split(message, maxsplit=1)
    if len(parts) != 2:
        raise bad_run(f"tag {name}", f"there is no line {SEPARATOR!r}")
    signature = _SIGNATURE.search(parts[1])
    return parts[1][: signature.start()] if signature else parts[1]


def summary(record: RunRecord) -> str:
    """The subject, a blank line, and a line for each kind of fact; ends with a line feed."""
    lines = [_subject(record), ""]
    lines += _section("parameters", (f"{key}={_plain(value)}" for key, value in sorted(record.params.items())))
    lines += _section("metrics", (_metric(key, facts) for key, facts in sorted(record.metrics.items())))
    lines += _section("inputs", (_data(path, facts) for path, facts in sorted(record.inputs.items())))
    lines += _section("outputs", (_data(path, facts) for path, facts in sorted(record.outputs.items())))
    lines += _section("code", _code(record))
    lines += _section("command", [_plain(shlex.join(record.command))] if record.command else [])
    by = f", by {record.user} on {record.host}" if record.user and record.host else ""
    lines += _section("ran", [_plain(f"{record.started:%Y-%m-%d %H:%M:%S} UTC, {duration(record.seconds)}{by}")])
    lines += _section("error", [_plain(record.error)] if record.error else [])
    return "\n".join(lines) + "\n"


def _subject(record: RunRecord) -> str:
    took = f"{record.status} in {duration(record.seconds)}"
    values = [f"{_plain(key)} {short(facts.last)}" for key, facts in sorted(record.metrics.items())]
    subject = f"{_cut(_plain(record.name), 30)}: {took}"
    for value in values:
        if len(subject) + 2 + len(value) > _SUBJECT:
            break
        subject += f", {value}"
    return subject


def _section(title: str, items: Iterable[str]) -> list[str]:
    line = ""
    for item in items:
        if line and len(line) + 1 + len(item) > _LINE:
            line += " …"
            break
        line = f"{line} {item}" if line else _cut(item, _LINE)
    return [f"{title:<11} {line}"] if line else []


def _metric(key: str, facts: MetricFacts) -> str:
    text = f"{_plain(key)}={short(facts.last)}"
    if facts.count > 1:
        extremes = [f"{word} {short(value)}" for word, value in (("min", facts.min), ("max", facts.max)) if value != facts.last]
        text += f" ({', '.join(extremes)})" if extremes else ""
    return text


def _data(path: str, facts: DataFacts) -> str:
    return f"{_plain(path)}@{(facts.blake3 or facts.git or '')[:12]}"


def _code(record: RunRecord) -> list[str]:
    code = record.code
    base = f"{code.commit[:10]}{f' on {_plain(code.branch)}' if code.branch else ''}" if code.commit else "no commit yet"
    counts = [f"{count} {word}" for count, word in ((code.changed, "changed"), (code.untracked, "untracked")) if count]
    return [", ".join([base, *counts])]


def _plain(value: object) -> str:
    """On one line, without control characters."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{','.join(_plain(each) for each in value)}]"
    text = " ".join(str(value).split())
    return _cut(text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text), 60)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def short(value: float) -> str:
    """A number with four significant digits."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """Seconds in words: "0.31 s", "12.4 s", "3 min 05 s", "2 h 07 min"."""
    if not 0 <= seconds < math.inf:
        return "an unknown time"
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
