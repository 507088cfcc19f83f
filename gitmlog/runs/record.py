"""The record of a run, as values, and run.toml (spec: run.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gitmlog.core.canonical import Plain, Scalar, lines_of, table
from gitmlog.core.digest import ObjectId, is_object_id
from gitmlog.core.paths import path_problem
from gitmlog.runs.reader import VERSION, Reader, fits, key_problem, read_table

FOLDER = ".gitmlog/runs"
"""Where a run's files are, in its commit's tree: FOLDER/ID/run.toml."""

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
ENDED: tuple[Status, ...] = ("FINISHED", "FAILED", "KILLED")
ParamValue = Scalar | tuple[Scalar, ...]

ID = re.compile(r"[0-9]{8}-[0-9]{6}-[a-z]+-[a-z]+")
_GIT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class MetricFacts:
    """One metric: the value logged last, the smallest, the largest, the step of the last, how many."""

    last: float
    min: float
    max: float
    step: int
    count: int


@dataclass(frozen=True)
class DataFacts:
    """An input or output.

    Attributes:
        size: bytes, of all files.
        blake3: the object of the file, or of the directory's tree; None when git keeps the file itself.
        files: entries of the tree; None for a file.
        git: the blob, when git keeps the file itself.
    """

    size: int
    blake3: ObjectId | None = None
    files: int | None = None
    git: str | None = None


@dataclass(frozen=True)
class CodeFacts:
    """The code: HEAD's commit and branch, the snapshot's tree, files changed and untracked, what was under way."""

    tree: str
    commit: str = ""
    branch: str = ""
    changed: int = 0
    untracked: int = 0
    state: str = ""


@dataclass(frozen=True)
class RunRecord:
    """All that run.toml says. An empty string, None or empty mapping stands for a key that is left out."""

    id: str
    name: str
    status: Status
    started: datetime
    ended: datetime | None
    seconds: float
    command: tuple[str, ...]
    folder: str
    code: CodeFacts
    exit: int | None = None
    user: str = ""
    host: str = ""
    parent: str = ""
    resumes: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    metrics: Mapping[str, MetricFacts] = field(default_factory=dict)
    inputs: Mapping[str, DataFacts] = field(default_factory=dict)
    outputs: Mapping[str, DataFacts] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The name of the run's tag."""
        return f"run/{self.id}"


def is_run_id(text: str) -> bool:
    """Whether `text` has the exact form of a run's id."""
    return ID.fullmatch(text) is not None


def format_run(record: RunRecord) -> bytes:
    """The one text of a record."""
    top: dict[str, Plain] = {"version": VERSION, "id": record.id, "name": record.name, "status": record.status}
    top |= {"started": record.started}
    top |= {"ended": record.ended} if record.ended is not None else {}
    top |= {"seconds": record.seconds, "command": record.command, "folder": record.folder}
    top |= {"exit": record.exit} if record.exit is not None else {}
    top |= {key: value for key in ("user", "host", "parent", "resumes", "error") if (value := getattr(record, key))}
    top |= {"warnings": record.warnings} if record.warnings else {}
    lines = lines_of(top)
    lines += table("code", _code_facts(record.code), ordered=True)
    lines += table("params", record.params)
    lines += table("metrics", {key: _metric_facts(facts) for key, facts in record.metrics.items()})
    lines += table("inputs", {path: data_table(facts) for path, facts in record.inputs.items()})
    lines += table("outputs", {path: data_table(facts) for path, facts in record.outputs.items()})
    lines += table("models", record.models)
    lines += table("tags", record.tags)
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _code_facts(code: CodeFacts) -> dict[str, Plain]:
    facts: dict[str, Plain] = {key: value for key in ("commit", "branch") if (value := getattr(code, key))}
    facts |= {"tree": code.tree, "changed": code.changed, "untracked": code.untracked}
    return facts | ({"state": code.state} if code.state else {})


def _metric_facts(facts: MetricFacts) -> dict[str, Plain]:
    return {"last": facts.last, "min": facts.min, "max": facts.max, "step": facts.step, "count": facts.count}


def data_table(facts: DataFacts) -> dict[str, Plain]:
    """The keys of an input or output that it has, in their order."""
    found = {"blake3": facts.blake3, "git": facts.git, "size": facts.size, "files": facts.files}
    return {key: value for key, value in found.items() if value is not None}


def parse_run(data: bytes | str, where: str) -> RunRecord:
    """The record in the text `data`; `where` names it in errors.

    Raises:
        DataError: kinds `bad-run` and `newer-version`.
    """
    return record_of(read_table(data, where), where)


def record_of(found: dict[str, Any], where: str) -> RunRecord:
    """The record in a table that was read (without its version). Raises DataError, kind `bad-run`."""
    reader = Reader(found, where)
    record = RunRecord(
        id=reader.take("id", str),
        name=reader.take("name", str),
        status=reader.take("status", str),
        started=reader.take("started", datetime),
        ended=reader.maybe("ended", datetime, None),
        seconds=reader.length("seconds"),
        command=tuple(reader.texts("command")),
        folder=reader.take("folder", str),
        code=_code(reader.sub("code")),
        exit=reader.maybe("exit", int, None),
        user=reader.maybe("user", str, ""),
        host=reader.maybe("host", str, ""),
        parent=reader.maybe("parent", str, ""),
        resumes=reader.maybe("resumes", str, ""),
        error=reader.maybe("error", str, ""),
        warnings=tuple(reader.texts("warnings")),
        params=_params(reader),
        metrics=_metrics(reader),
        inputs=_data(reader, "inputs"),
        outputs=_data(reader, "outputs"),
        models=reader.strings("models"),
        tags=reader.strings("tags"),
    )
    reader.end()
    _check(record, reader)
    return record


def _check(record: RunRecord, reader: Reader) -> None:
    if not is_run_id(record.id):
        reader.fail("id", "not the form of a run's id")
    for key, value in (("parent", record.parent), ("resumes", record.resumes)):
        if value and not is_run_id(value):
            reader.fail(key, "not the form of a run's id")
    if problem := key_problem(record.name):
        reader.fail("name", problem)
    if record.status not in ENDED:
        reader.fail("status", f"must be one of {', '.join(ENDED)}")
    for key in ("started", "ended"):
        time = getattr(record, key)
        if time is not None and time.tzinfo is None:
            reader.fail(key, "must say its offset from UTC")


def _code(reader: Reader) -> CodeFacts:
    code = CodeFacts(
        tree=reader.take("tree", str),
        commit=reader.maybe("commit", str, ""),
        branch=reader.maybe("branch", str, ""),
        changed=reader.take("changed", int),
        untracked=reader.take("untracked", int),
        state=reader.maybe("state", str, ""),
    )
    for key in ("tree", "commit"):
        value = getattr(code, key)
        if value and not _GIT_ID.fullmatch(value):
            reader.fail(key, "must be a git id")
    reader.end()
    return code


def _params(reader: Reader) -> dict[str, ParamValue]:
    params = reader.sub("params")
    return {key: _param(params, key, value) for key, value in params.found.items()}


def _param(reader: Reader, key: str, value: Any) -> ParamValue:
    reader.check_key(key)
    if isinstance(value, list) and not any(isinstance(each, list) for each in value):
        return tuple(_param(reader, key, each) for each in value)  # type: ignore[misc]
    if type(value) not in (str, int, float, bool):
        reader.fail(key, "must be a string, a number, true or false, or an array of those")
    if isinstance(value, int) and not fits(value):
        reader.fail(key, "is too large")
    return value  # type: ignore[no-any-return]


def _metrics(reader: Reader) -> dict[str, MetricFacts]:
    metrics = reader.sub("metrics")
    return {key: _metric(metrics, key) for key in metrics.found}


def _metric(metrics: Reader, key: str) -> MetricFacts:
    metrics.check_key(key)
    reader = Reader(metrics._checked(key, metrics.found[key], dict), metrics.where, f"{metrics.prefix}{key}.")
    last, least, most = (reader.number(name) for name in ("last", "min", "max"))
    facts = MetricFacts(last, least, most, reader.take("step", int), reader.take("count", int))
    reader.end()
    return facts


def _data(reader: Reader, key: str) -> dict[str, DataFacts]:
    paths = reader.sub(key)
    for path in paths.found:
        if problem := path_problem(path):
            paths.fail(path, problem)
    return {path: data_facts(Reader(paths._checked(path, facts, dict), paths.where, f"{paths.prefix}{path}."))
            for path, facts in paths.found.items()}  # fmt: skip


def data_facts(reader: Reader) -> DataFacts:
    """The facts of one input or output. Raises DataError, kind `bad-run`."""
    facts = DataFacts(
        size=reader.take("size", int),
        blake3=reader.maybe("blake3", str, None),
        files=reader.maybe("files", int, None),
        git=reader.maybe("git", str, None),
    )
    reader.end()
    if (facts.blake3 is None) == (facts.git is None):
        reader.fail("blake3", "exactly one of blake3 and git is needed")
    if facts.blake3 is not None and not is_object_id(facts.blake3):
        reader.fail("blake3", "must be 64 lower-case hexadecimal digits")
    if facts.git is not None and not _GIT_ID.fullmatch(facts.git):
        reader.fail("git", "must be a git id")
    if facts.size < 0 or (facts.files or 0) < 0:
        reader.fail("size", "must not be negative")
    return facts
