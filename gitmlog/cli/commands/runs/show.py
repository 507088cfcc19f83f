"""gitmlog runs show."""

from __future__ import annotations

import shlex
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gitmlog.cli.columns import cut, grid, number_text, plain, terminal_width, value_text, wrapped
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json, human_size, plural
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.git.treediff import FileChange
    from gitmlog.ops.runs.details import Details
    from gitmlog.ops.runs.find import Found
    from gitmlog.runs.artifacts import Artifact
    from gitmlog.runs.record import DataFacts, RunRecord

_MANY = 20
_LABEL = 13
_LONGEST = 200


@click.command("show")
@click.argument("run", metavar="RUN")
@json_option
@pass_app
def command(app: App, run: str, as_json: bool) -> None:
    """Show everything about one run.

    \b
    Examples:
      gitmlog runs show last
      gitmlog runs show best:metrics.acc
      gitmlog runs show swift-otter --json
    """
    from gitmlog.ops.runs.details import details
    from gitmlog.ops.runs.find import find

    found = details(app.workspace, find(app.workspace, run))
    if as_json:
        echo_json(_document(found))
    else:
        for line in _lines(found):
            echo(line)


def _document(found: Details) -> dict[str, Any]:
    from gitmlog.runs.stored import plain as plain_record

    run = found.found
    where = {"commit": run.commit, "tag": run.record.tag, "ref": run.ref, "archived": run.archived, "live": run.live}
    changes = [{"path": change.path, "old_path": change.old_path, "kind": change.kind} for change in found.changes]
    artifacts = {name: getattr(found.artifacts, name) for name in ("artifact", "output", "record")}
    more = {"artifacts": artifacts, "environment": found.environment, "changes": changes, "notes": list(found.notes)}
    nested = [{"id": each.record.id, "name": each.record.name, "status": each.record.status} for each in found.nested]
    return plain_record(run.record) | where | more | {"nested": nested}


def _lines(found: Details) -> Iterator[str]:
    record = found.found.record
    yield from _verdict(found)
    yield from _section("error", _error(found))
    yield from _table("parameters", [(plain(key), _short(value_text(value))) for key, value in sorted(record.params.items())])
    yield from _metrics(record)
    yield from _table("inputs", _data(record.inputs), right=(2,))
    yield from _table("outputs", _data(record.outputs), right=(2,))
    yield from _table("models", [(plain(name), display(path)) for name, path in sorted(record.models.items())])
    yield from _table("artifacts", _artifacts(found.artifacts.artifact), right=(2,))
    yield from _table("tags", [(plain(key), _short(plain(value))) for key, value in sorted(record.tags.items())])
    yield from _section("nested runs", _nested(found))
    yield ""
    yield from _facts("code", _code(record), _changes(found.changes))
    yield from _facts("environment", ", ".join(_environment(found.environment)))
    yield from _facts("command", _short(plain(shlex.join(record.command))))
    yield from _facts("ran", _ran(found))
    yield from (line for text in (*record.warnings, *found.notes) for line in _facts("warning", plain(text)))
    yield from _next(found)


def _verdict(found: Details) -> Iterator[str]:
    from gitmlog.runs.tags import duration

    record = found.found.record
    mark = " (archived)" if found.found.archived else ""
    took = "started" if found.found.live else f"{duration(record.seconds)},"
    yield f"{plain(record.name)}  {record.status}  {took} {record.started:%Y-%m-%d %H:%M:%S} UTC{mark}"
    if record.name != record.id:
        yield record.id


def _short(text: str) -> str:
    """--json has it whole."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _error(found: Details) -> Iterator[str]:
    from gitmlog.ops.runs.details import TRACEBACK, has_traceback

    record = found.found.record
    for line in wrapped(_short(plain(record.error)), terminal_width() - 2):
        yield from [f"  {line}"] if line else []
    if has_traceback(found.artifacts):
        yield f"  {TRACEBACK}: gitmlog runs log {record.id} ends with it"


def _nested(found: Details) -> Iterator[str]:
    rows = [(each.record.id, cut(plain(each.record.name), 16), each.record.status, _figure(found, each)) for each in found.nested]
    yield from grid(rows[:_MANY])
    if len(rows) > _MANY:
        yield f"  … and {len(rows) - _MANY:,} more: gitmlog runs list --where 'parent = {found.found.record.id}'"


def _figure(found: Details, run: Found) -> str:
    """The metric that most of the nested runs have."""
    counts = Counter(key for each in found.nested for key in each.record.metrics)
    key = min(counts, key=lambda key: (-counts[key], key), default="")
    return f"{cut(plain(key), 10)} {number_text(run.record.metrics[key].last)}" if key in run.record.metrics else ""


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    if found := list(lines):
        yield from ("", title, *found)


def _table(title: str, rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Two columns are a name and a text, which is wrapped; more are figures."""
    if rows and len(rows[0]) == 2:
        name = min(max(len(row[0]) for row in rows), 30)
        room = max(20, terminal_width() - name - 4)
        rows = [(head if not number else "", line) for head, text in rows for number, line in enumerate(wrapped(text, room))]
    yield from _section(title, grid(rows, right=right))


def _metrics(record: RunRecord) -> Iterator[str]:
    rows = [
        (f"  {plain(key)}", *map(number_text, (facts.last, facts.min, facts.max)), f"{facts.count:,}", f"{facts.step:,}")
        for key, facts in sorted(record.metrics.items())
    ]
    if rows:
        yield ""
        yield from grid([("metrics", "last", "min", "max", "values", "last step"), *rows], right=(1, 2, 3, 4, 5), indent=0)


def _data(facts: Mapping[str, DataFacts]) -> list[tuple[str, ...]]:
    return [
        (display(path), (each.blake3 or each.git or "")[:12], human_size(each.size), _kept(each))
        for path, each in sorted(facts.items())
    ]


def _kept(facts: DataFacts) -> str:
    return "kept by git" if facts.git else "" if facts.files is None else plural(facts.files, "file")


def _artifacts(artifacts: Sequence[Artifact]) -> list[tuple[str, ...]]:
    """The last version of each."""
    last = {each.path: each for each in sorted(artifacts)}
    rows = [(display(each.path), each.blake3[:12], human_size(each.size), _versions(each)) for each in last.values()]
    more = len(rows) - _MANY
    return [*rows[:_MANY], *([(f"… and {more:,} more", "", "", "")] if more > 0 else [])]


def _versions(artifact: Artifact) -> str:
    files = [] if artifact.files is None else [plural(artifact.files, "file")]
    return ", ".join([*files, *([plural(artifact.version, "version")] if artifact.version > 1 else [])])


def _facts(label: str, *texts: str | Sequence[str]) -> Iterator[str]:
    """A label and a paragraph; what follows stands below it."""
    lines = [
        line
        for text in texts
        for line in (wrapped(text, terminal_width() - _LABEL) if isinstance(text, str) and text else list(text))
    ]
    yield from (f"{label if not number else '':<{_LABEL}}{line}" for number, line in enumerate(lines))


def _code(record: RunRecord) -> str:
    code = record.code
    base = f"{code.commit[:10]}{f' on {plain(code.branch)}' if code.branch else ''}" if code.commit else "no commit yet"
    state = f", in the middle of a {plain(code.state)}" if code.state else ""
    counts = [f", {count:,} {word}" for count, word in ((code.changed, "changed"), (code.untracked, "untracked")) if count]
    return base + "".join(counts) + state


def _changes(changes: Sequence[FileChange]) -> list[str]:
    words = {"A": "untracked", "D": "deleted", "R": "renamed"}
    lines = [f"{words.get(change.kind, 'changed'):<10} {display(change.path)}" for change in changes[:_MANY]]
    return [*lines, f"… and {len(changes) - _MANY:,} more"] if len(changes) > _MANY else lines


def _environment(tables: Mapping[str, Any]) -> Iterator[str]:
    python, system, gpu = (tables.get(name, {}) for name in ("python", "system", "gpu"))
    if "version" in python:
        yield plain(f"Python {python['version']}")
    if packages := tables.get("packages"):
        yield plural(len(packages), "package")
    yield from (plain(str(system[key])) for key in ("os", "cpu") if key in system)
    if "threads" in system:
        yield plural(system["threads"], "thread")
    if "memory" in system:
        yield f"{human_size(system['memory'])} memory"
    yield from (plain(str(device)) for device in gpu.get("devices", ()))


def _ran(found: Details) -> str:
    record = found.found.record
    parts = [f"in {display(record.folder)}"]
    parts += [_exit(record.exit)] if record.exit is not None else []
    parts += [f"by {plain(record.user)}{f' on {plain(record.host)}' if record.host else ''}"] if record.user else []
    name = plain(found.parent.record.name) if found.parent else record.parent[16:]
    parts += [f"part of run {record.parent}{f' ({name})' if name != record.parent[16:] else ''}"] if record.parent else []
    parts += [f"goes on from run {record.resumes}"] if record.resumes else []
    return ", ".join(parts)


def _exit(code: int) -> str:
    """-N is signal N; a shell says 128 + N."""
    number = -code if code < 0 else code - 128
    name = {each.value: each.name for each in signal.Signals}.get(number, "")
    if code < 0:
        return f"killed by {name or f'signal {number}'}"
    return f"exit {code}{f' ({name})' if name else ''}"


def _next(found: Details) -> Iterator[str]:
    run = found.found
    if run.live:
        return
    name = run.ref if run.archived else run.record.tag
    yield ""
    yield f"git show {name}"
    if any(each.path == "log.txt" for each in found.artifacts.record):
        yield f"gitmlog runs log {run.record.id}"
    if found.artifacts.artifact:
        yield f"gitmlog runs artifacts {run.record.id} -o DIR"
