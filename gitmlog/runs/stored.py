"""Records as JSON: for the index, which reads them back, and for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime
from typing import Any

from gitmlog.runs.record import CodeFacts, DataFacts, MetricFacts, ParamValue, RunRecord

_METRIC = ("last", "min", "max", "step", "count")
_DATA = ("size", "blake3", "files", "git")
_CODE = tuple(field.name for field in dataclasses.fields(CodeFacts))


def dump_record(record: RunRecord) -> str:
    """One line of JSON, extended by NaN and Infinity: for `load_record` alone."""
    return json.dumps(
        [
            [record.id, record.name, record.status, _stamp(record.started), _stamp(record.ended), record.seconds],
            [record.command, record.folder, record.exit, record.user, record.host, record.parent, record.resumes],
            [record.error, record.warnings],
            [getattr(record.code, name) for name in _CODE],
            dict(record.params),
            {key: [getattr(facts, name) for name in _METRIC] for key, facts in record.metrics.items()},
            {path: [getattr(facts, name) for name in _DATA] for path, facts in record.inputs.items()},
            {path: [getattr(facts, name) for name in _DATA] for path, facts in record.outputs.items()},
            dict(record.models),
            dict(record.tags),
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def load_record(text: str) -> RunRecord:
    """What `dump_record` wrote. Raises ValueError, TypeError when it is damaged."""
    main, process, said, code, params, metrics, inputs, outputs, models, tags = json.loads(text)
    identity, name, status, started, ended, seconds = main
    command, folder, code_exit, user, host, parent, resumes = process
    return RunRecord(
        identity,
        name,
        status,
        datetime.fromisoformat(started),
        datetime.fromisoformat(ended) if ended else None,
        seconds,
        tuple(command),
        folder,
        CodeFacts(*code),
        code_exit,
        user,
        host,
        parent,
        resumes,
        said[0],
        tuple(said[1]),
        {key: tuple(value) if isinstance(value, list) else value for key, value in params.items()},
        {key: MetricFacts(*facts) for key, facts in metrics.items()},
        {path: DataFacts(*facts) for path, facts in inputs.items()},
        {path: DataFacts(*facts) for path, facts in outputs.items()},
        models,
        tags,
    )


def _stamp(time: datetime | None) -> str | None:
    return time.isoformat() if time is not None else None


def plain(record: RunRecord) -> dict[str, Any]:
    """What a program is shown: the keys of run.toml; times as ISO 8601 texts, no number as "NaN", "Infinity", "-Infinity"."""
    found: dict[str, Any] = {"id": record.id, "name": record.name, "status": record.status}
    found |= {"started": iso(record.started), "ended": iso(record.ended), "seconds": plain_value(record.seconds)}
    found |= {"command": list(record.command), "folder": record.folder, "exit": record.exit}
    found |= {key: getattr(record, key) for key in ("user", "host", "parent", "resumes", "error")}
    found |= {"warnings": list(record.warnings), "code": {name: getattr(record.code, name) for name in _CODE}}
    found |= {"params": {key: plain_value(value) for key, value in record.params.items()}}
    found |= {"metrics": {key: _metric(facts) for key, facts in record.metrics.items()}}
    found |= {"inputs": {path: _data(facts) for path, facts in record.inputs.items()}}
    found |= {"outputs": {path: _data(facts) for path, facts in record.outputs.items()}}
    return found | {"models": dict(record.models), "tags": dict(record.tags)}


def iso(time: datetime | None) -> str | None:
    """ISO 8601, UTC, microseconds: as run.toml has it."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z" if time is not None else None


def plain_value(value: ParamValue) -> Any:
    """A value for JSON, which has no NaN."""
    if isinstance(value, tuple):
        return [plain_value(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _metric(facts: MetricFacts) -> dict[str, Any]:
    return {name: plain_value(getattr(facts, name)) for name in _METRIC}


def _data(facts: DataFacts) -> dict[str, Any]:
    return {name: value for name in _DATA if (value := getattr(facts, name)) is not None}
