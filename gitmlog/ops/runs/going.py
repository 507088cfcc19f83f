"""Runs that are going on: what their folders in the git directory say (spec: run.md, While it runs)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitmlog.core.atomic import read_plain
from gitmlog.core.paths import is_utf8
from gitmlog.ops.runs.folder import RunFolder, run_folders
from gitmlog.ops.runs.start_facts import moment
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.fold import Folded, fold
from gitmlog.runs.index_schema import Entry
from gitmlog.runs.journal import PATTERN, read_journals
from gitmlog.runs.reader import fits, key_problem
from gitmlog.runs.record import CodeFacts, RunRecord
from gitmlog.runs.stored import dump_record

_MAX_START = 1 << 22
_MAX_JOURNAL = 16 << 20


def started(ws: Workspace) -> tuple[list[Entry], list[RunRecord]]:
    """The runs that are going on, and what was known at the start of those whose process has ended without closing them."""
    live, dead = list[Entry](), list[RunRecord]()
    for folder in run_folders(ws.home):
        record = _start(folder.path / "start.json", folder.id)
        if record is None:
            continue
        if _has_owner(folder):
            live.append(Entry(_with_logged(record, folder)))
        else:
            dead.append(record)
    return live, dead


def logged(ws: Workspace, run_id: str) -> Folded:
    """All that a run which goes on has logged so far; nothing when it has just ended."""
    folder = RunFolder.of(ws.home, run_id)
    try:
        return fold(read_journals(folder.path))
    except FileNotFoundError:  # its folder goes when it is recorded
        return Folded()


def _with_logged(record: RunRecord, folder: RunFolder) -> RunRecord:
    """Its parameters, tags and metrics; not those of a journal whose reading would be noticed."""
    try:
        size = sum(path.lstat().st_size for path in folder.path.glob(PATTERN))
        if size > _MAX_JOURNAL:
            return record
        found = fold(read_journals(folder.path))
        full = replace(
            record, params=found.params, tags=found.tags, metrics=found.metrics, inputs=found.inputs, outputs=found.outputs
        )
        dump_record(full).encode("utf-8")
    except (OSError, ValueError, OverflowError):  # a text that is none, or a number beyond all measure
        return record
    return full


def _has_owner(folder: RunFolder) -> bool:
    try:
        return folder.is_live
    except OSError:  # another user's: it cannot be known
        return True


def _start(path: Path, identity: str) -> RunRecord | None:
    """What start.json says, as far as it can be understood; None when there is none."""
    try:
        found = json.loads(read_plain(path, _MAX_START))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        found = {}
    return _running(found if isinstance(found, dict) else {}, identity)


def _running(found: dict[str, Any], identity: str) -> RunRecord:
    began = moment(found.get("started")) or _moment(identity)
    name = found.get("name")
    command = found.get("command")
    return RunRecord(
        id=identity,
        name=name if isinstance(name, str) and not key_problem(name) else identity[16:],
        status="RUNNING",
        started=began,
        ended=None,
        seconds=max(0.0, (datetime.now(UTC) - began).total_seconds()),
        command=tuple(filter(is_utf8, map(str, command))) if isinstance(command, list) else (),
        folder=_text(found, "folder") or ".",
        code=_code(found.get("code")),
        user=_text(found, "user"),
        host=_text(found, "host"),
        parent=_text(found, "parent"),
        resumes=_text(found, "resumes"),
    )


def _moment(identity: str) -> datetime:
    try:
        return datetime.strptime(identity[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:  # digits, but no day
        return datetime(1970, 1, 1, tzinfo=UTC)


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) and is_utf8(value) else ""


def _code(value: object) -> CodeFacts:
    found = value if isinstance(value, dict) else {}
    changed, untracked = (
        each if isinstance(each := found.get(key), int) and fits(each) else 0 for key in ("changed", "untracked")
    )
    texts = {key: _text(found, key) for key in ("tree", "commit", "branch", "state")}
    return CodeFacts(**texts, changed=changed, untracked=untracked)
