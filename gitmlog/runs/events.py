"""What a line of a journal may hold: a disk that fails, or a line that was cut, must not make a record that no reader accepts."""

from __future__ import annotations

import re
from typing import Any

from gitmlog.core.digest import ObjectId, is_object_id
from gitmlog.core.paths import path_problem
from gitmlog.runs.reader import fits, key_problem
from gitmlog.runs.record import ParamValue

_LAST_MOMENT = 253_402_300_799.0
"""The end of the year 9999."""

_GIT_ID = re.compile("[0-9a-f]{40}")
_PLAIN = (str, int, float, bool)


def path(value: Any) -> str:
    """A path of the tree, or of an artifact. These all raise ValueError."""
    if not isinstance(value, str) or path_problem(value):
        raise ValueError("not a path")
    return value


def key(value: Any) -> str:
    """The name of a parameter, metric, tag or model."""
    if key_problem(value):
        raise ValueError("not a name")
    return str(value)


def text(value: Any) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def whole(value: Any, least: int = 0) -> int:
    """A whole number of 63 bits."""
    if type(value) is not int or not least <= value < 1 << 63:
        raise ValueError("not a whole number")
    return value


def step(value: Any) -> int | None:
    """A step; None where it follows from the one before."""
    return None if value is None else whole(value, -1 << 63)


def is_moment(value: Any) -> bool:
    """Whether this is a number of seconds since 1970 UTC, up to the year 9999."""
    return type(value) in (int, float) and 0 <= value <= _LAST_MOMENT


def moment(value: Any) -> float:
    """Seconds since 1970 UTC."""
    if not is_moment(value):
        raise ValueError("not a time")
    return float(value)


def param(value: Any) -> ParamValue:
    """The value of a parameter."""
    found = tuple(value) if isinstance(value, list) else value
    for each in found if isinstance(found, tuple) else (found,):
        if type(each) not in _PLAIN or (type(each) is int and not fits(each)):
            raise ValueError("not a value")
    return found


def object_id(value: Any) -> ObjectId:
    """The id of an object in the cache."""
    if not is_object_id(value):
        raise ValueError("not an id")
    return ObjectId(value)


def git_id(value: Any) -> str:
    """The id of an object of git's."""
    if not isinstance(value, str) or not _GIT_ID.fullmatch(value):
        raise ValueError("not a git id")
    return value
