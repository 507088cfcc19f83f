"""A record that a reader accepts, whatever was logged: the calls have limits, which several processes together may pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gitmlog.runs.reader import MAX_BYTES
from gitmlog.runs.record import RunRecord, format_run

_ROOM = 64 << 10
"""Bytes of a tag's message that are not the record's."""

_WORDS = 200
_LONGEST = 1000
_CUTS = {
    "metrics": "metrics than a record holds: metrics.csv has them all",
    "tags": "tags than a record holds: the rest is lost",
    "inputs": "inputs than a record holds: the rest is not named",
    "outputs": "outputs than a record holds: the commit's tree has them all",
    "models": "models than a record holds: the rest is lost",
    "params": "parameters than a record holds: the rest is lost",
}
"""What goes first, and what is said of it."""


def fitting(record: RunRecord) -> RunRecord:
    """The record, or as much of it as fits; a warning says what was cut."""
    if _fits(record):
        return record
    short = replace(record, command=_cut(record.command), warnings=record.warnings[:20])
    for name, lost in _CUTS.items():
        if _fits(short):
            break
        facts: Mapping[str, Any] = getattr(short, name)
        short = replace(short, warnings=(*short.warnings, f"there are more {lost}")) if facts else short
        while facts and not _fits(short):
            facts = dict(sorted(facts.items())[: len(facts) * 3 // 4])
            changed: dict[str, Any] = {name: facts}
            short = replace(short, **changed)
    return short


def _fits(record: RunRecord) -> bool:
    return len(format_run(record)) <= MAX_BYTES - _ROOM


def _cut(command: tuple[str, ...]) -> tuple[str, ...]:
    """A command that is shown, not run."""
    words = tuple(word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…" for word in command[:_WORDS])
    return words if len(command) <= _WORDS else (*words, "…")
