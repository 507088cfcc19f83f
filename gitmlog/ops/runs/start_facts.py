"""What start.json must look like, before anybody relies on it: its folder may have been handed over (spec: run.md, Threats)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from gitmlog.core.paths import is_utf8
from gitmlog.runs.reader import fits, key_problem
from gitmlog.runs.record import is_run_id

_GIT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
Check = Callable[[Any], bool]


def start_problem(found: Mapping[str, Any], run_id: str) -> str:
    """Why this cannot be what was known at the start of the run, or ""."""
    if found.get("id") != run_id:
        return "it is about another run"
    return _problem(found, _NEEDED, _OTHERS)


def _problem(found: Mapping[str, Any], needed: Mapping[str, Check], others: Mapping[str, Check], prefix: str = "") -> str:
    for key, check in {**needed, **others}.items():
        if key not in found:
            if key in needed:
                return f"{prefix}{key} is missing"
        elif not check(found[key]):
            return f"{prefix}{key} is not what it should be"
    return ""


def _text(value: Any) -> bool:
    return isinstance(value, str) and is_utf8(value) and "\0" not in value


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0 and fits(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _git_id(value: Any) -> bool:
    return isinstance(value, str) and _GIT_ID.fullmatch(value) is not None


def _run_id(value: Any) -> bool:
    return value == "" or (isinstance(value, str) and is_run_id(value))


def _path(value: Any) -> bool:
    """One that leads nowhere else; whether it may be tracked is found out where it is."""
    return _text(value) and value != "" and not value.startswith("/") and ".." not in value.split("/")


def _name(value: Any) -> bool:
    return not key_problem(value)


def moment(value: Any) -> datetime | None:
    """The time that a text with an offset from UTC says, in UTC; None where it says none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.astimezone(UTC) if found is not None and found.tzinfo else None
    except (ValueError, OverflowError):  # 0001-01-01T00:00:00+05:00
        return None


def _time(value: Any) -> bool:
    return moment(value) is not None


def _stats(value: Any) -> bool:
    return isinstance(value, dict) and all(_path(path) and _stat(stat) for path, stat in value.items())


def _stat(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and fits(each) for each in value)


def _blobs(value: Any) -> bool:
    return isinstance(value, dict) and all(_path(path) and (oid is None or _git_id(oid)) for path, oid in value.items())


def _person(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"name", "email"} and all(map(_plain, value.values()))


def _plain(value: Any) -> bool:
    """What may stand in a commit: git takes these off, and whoever puts them there adds lines of its own."""
    return _text(value) and not re.search("[<>\x00-\x1f\x7f]", value)


def _code(value: Any) -> bool:
    return isinstance(value, dict) and not _problem(value, _CODE, {})


_CODE: dict[str, Check] = {
    "tree": _git_id,
    "commit": lambda value: value == "" or _git_id(value),
    "branch": _text,
    "changed": _count,
    "untracked": _count,
    "state": _text,
}
_NEEDED: dict[str, Check] = {
    "name": _name,
    "started": _time,
    "command": _texts,
    "folder": _text,
    "user": _text,
    "host": _text,
    "parent": _run_id,
    "resumes": _run_id,
    "worktree": _text,
    "person": _person,
    "code": _code,
    "outputs": _stats,
    "warnings": _texts,
}
_OTHERS: dict[str, Check] = {"named": _flag, "linked": _flag, "results": _blobs, "drifted": _texts}
