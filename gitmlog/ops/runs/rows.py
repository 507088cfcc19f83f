"""Runs as rows of a table for other programs: the same columns, in the same order, wherever a table is made."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

COLUMNS = (
    *("id", "name", "status", "started", "ended", "seconds", "exit"),
    *("commit", "branch", "parent", "user", "host", "command"),
)
"""Those that are always there."""

_SPACES = ("params", "metrics", "tags")


def row(run: Found) -> dict[str, Any]:
    """COLUMNS, None for what is not known; then `params.NAME`, `metrics.NAME` (the value logged last), `tags.NAME`."""
    record = run.record
    found: dict[str, Any] = {name: getattr(record, name, None) for name in COLUMNS}
    found |= {"commit": run.commit or None, "branch": record.code.branch or None}
    found |= {name: found[name] or None for name in ("parent", "user", "host")}
    found["command"] = shlex.join(record.command)
    found |= {f"params.{key}": value for key, value in record.params.items()}
    found |= {f"metrics.{key}": facts.last for key, facts in record.metrics.items()}
    return found | {f"tags.{key}": value for key, value in record.tags.items()}


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """COLUMNS, and all others that any row has: parameters, metrics, tags, each sorted."""
    return [*COLUMNS, *sorted(_others(rows), key=lambda name: (_SPACES.index(name.partition(".")[0]), name))]


def _others(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    return {name for each in rows for name in each}.difference(COLUMNS)
