"""The record of a run, as values, and run.toml (spec: run.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn

from gitmlog.core.canonical import Plain, Scalar, lines_of, table
from gitmlog.core.canonical_read import read_canonical
from gitmlog.core.digest import ObjectId, is_object_id
from gitmlog.core.errors import DataError
from gitmlog.core.paths import path_problem
from gitmlog.core.toml import TomlError, shorten

VERSION = 1
MAX_BYTES = 1 << 20
MAX_KEY = 250
MAX_SIZE = (1 << 63) - 1
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


def key_problem(key: object) -> str:
    """Why `key` may not name a parameter, metric or tag, or ""."""
    if not isinstance(key, str):
        return f"it is no string but {type(key).__name__}"
    if not 1 <= len(key) <= MAX_KEY:
        return f"it has {len(key)} characters (1 to {MAX_KEY})"
    if not key.isprintable():
        return "it holds a character that cannot be printed"
    return "it begins or ends with a space" if key != key.strip() else ""


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


def read_table(data: bytes | str, where: str) -> dict[str, Any]:
    """The TOML table in `data`, of the version that is known. Raises as `parse_run`."""
    if len(data) > MAX_BYTES:
        raise bad_run(where, f"{len(data)} bytes (at most {MAX_BYTES})")
    try:
        found = read_canonical(data if isinstance(data, str) else data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise bad_run(where, f"not UTF-8 at byte {error.start}") from error
    except TomlError as error:
        raise bad_run(f"{where}:{error.line}" if error.line else where, str(error)) from error
    version = found.pop("version", None)
    if type(version) is not int or not 1 <= version <= MAX_SIZE:
        raise bad_run(where, "the first line must be `version = 1`")
    if version > VERSION:
        hint = "upgrade gitmlog: `python -m pip install --upgrade gitmlog`"
        raise DataError(f"{where} is of version {version}; this gitmlog reads up to {VERSION}", kind="newer-version", hint=hint)
    return found


def bad_run(where: str, problem: str) -> DataError:
    """The error for a text of a run that breaks the rules."""
    hint = "nothing of it was used; it is hostile, damaged or edited by hand: `git show` it"
    return DataError(f"{where}: {problem}", kind="bad-run", hint=hint)


def record_of(found: dict[str, Any], where: str) -> RunRecord:
    """The record in a table that was read (without its version). Raises DataError, kind `bad-run`."""
    reader = Reader(found, where)
    record = RunRecord(
        id=reader.take("id", str),
        name=reader.take("name", str),
        status=reader.take("status", str),
        started=reader.take("started", datetime),
        ended=reader.maybe("ended", datetime, None),
        seconds=reader.number("seconds"),
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


class Reader:
    """Takes what is expected out of a table; what is left at the end is an error."""

    def __init__(self, found: dict[str, Any], where: str, prefix: str = "") -> None:
        self.found = dict(found)
        self.where = where
        self.prefix = prefix

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise DataError, kind `bad-run`."""
        raise bad_run(self.where, f"{shorten(self.prefix + key)}: {problem}")

    def take(self, key: str, kind: type) -> Any:
        """A key that must be there."""
        if key not in self.found:
            self.fail(key, "is missing")
        return self._checked(key, self.found.pop(key), kind)

    def maybe(self, key: str, kind: type, default: Any) -> Any:
        """A key that may be missing."""
        return self._checked(key, self.found.pop(key), kind) if key in self.found else default

    def _checked(self, key: str, value: Any, kind: type) -> Any:
        if type(value) is not kind:
            self.fail(key, f"must be of type {kind.__name__}")
        if isinstance(value, int) and not -MAX_SIZE <= value <= MAX_SIZE:
            self.fail(key, "is too large")
        return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value

    def number(self, key: str) -> float:
        """A float, or an integer taken for one."""
        value = self.found.pop(key, None)
        if type(value) not in (int, float):
            self.fail(key, "must be a number")
        return float(value)

    def texts(self, key: str) -> list[str]:
        """An array of strings; empty when it is missing."""
        value = self.maybe(key, list, [])
        if not all(isinstance(each, str) for each in value):
            self.fail(key, "must be an array of strings")
        return list(value)

    def sub(self, key: str) -> Reader:
        """A table; empty when it is missing."""
        return Reader(self.maybe(key, dict, {}), self.where, f"{self.prefix}{key}.")

    def strings(self, key: str) -> dict[str, str]:
        """A table of strings with keys of the user's own."""
        reader = self.sub(key)
        for name, value in reader.found.items():
            reader.check_key(name)
            if not isinstance(value, str):
                reader.fail(name, "must be a string")
        return reader.found

    def check_key(self, key: str) -> None:
        """Refuse what may not name a parameter, metric or tag."""
        if problem := key_problem(key):
            self.fail(key, problem)

    def end(self) -> None:
        """Refuse what is left."""
        for key in self.found:
            self.fail(key, "unknown key")


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
    if isinstance(value, list) and all(type(each) in (str, int, float, bool) for each in value):
        return tuple(value)
    if type(value) not in (str, int, float, bool):
        reader.fail(key, "must be a string, a number, true or false, or an array of those")
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
