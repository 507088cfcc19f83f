"""What users may name things, and what they may log: errors at the call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitmlog.core.errors import NotFoundError, UsageError
from gitmlog.core.paths import display, path_problem
from gitmlog.runs.events import is_moment
from gitmlog.runs.reader import key_problem


def check_key(what: str, key: object) -> None:
    """Raise UsageError, kind `bad-key`, for what may not name a parameter, metric, tag or model."""
    if problem := key_problem(key):
        raise UsageError(f"{key!r:.80} cannot name a {what}: {problem}", kind="bad-key", hint="use 1 to 250 printable characters")


def check_name(name: str) -> None:
    """Raise UsageError, kind `bad-name`, for what may not name an artifact."""
    if problem := path_problem(name):
        raise UsageError(
            f"{display(name)} cannot name an artifact: {problem}", kind="bad-name", hint="use a relative path, like plots/roc.png"
        )


def whole(value: Any, what: str) -> int:
    """A whole number. Raises UsageError, kind `bad-metric`."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or isinstance(value, str) or number != value or abs(number) >= 1 << 62:
        raise UsageError(
            f"the {what} must be a whole number, not {value!r:.80}", kind="bad-metric", hint="log_metric(key, value, step=3)"
        )
    return number


def existing_file(path: str | os.PathLike[str], base: Path) -> Path:
    """A file or folder that a user named. Raises NotFoundError, kind `no-path`."""
    full = base / os.fspath(path)
    if not full.exists():
        raise NotFoundError(f"there is no {display(os.fspath(path))}", kind="no-path", hint="check the name with `ls`")
    return full


def mapping(value: Any, what: str) -> Mapping[Any, Any]:
    """A dictionary. Raises UsageError, kind `bad-value`."""
    if not isinstance(value, Mapping):
        hint = "names with their values: {'acc': 0.9}"
        raise UsageError(f"{what} takes a dictionary, not {type(value).__name__}", kind="bad-value", hint=hint)
    return value


def moment(value: Any) -> float:
    """Seconds since 1970. Raises UsageError, kind `bad-metric`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_moment(value):
        hint = "seconds since 1970, as time.time() gives them; leave it out for now"
        raise UsageError(f"the time of a metric cannot be {value!r:.80}", kind="bad-metric", hint=hint)
    return float(value)
