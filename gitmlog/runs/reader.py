"""Reading TOML of runs that anybody may have written: what is not expected is an error, never guessed."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, NoReturn

from gitmlog.core.canonical_read import read_canonical
from gitmlog.core.errors import DataError
from gitmlog.core.toml import TomlError, shorten

VERSION = 1
MAX_BYTES = 1 << 20
MAX_KEY = 250
MAX_SIZE = (1 << 63) - 1


def fits(value: int) -> bool:
    """Whether an integer has 64 bits, as all readers of TOML have; longer ones cost time, and no text may be made of them."""
    return -MAX_SIZE - 1 <= value <= MAX_SIZE


def key_problem(key: object) -> str:
    """Why `key` may not name a parameter, metric or tag, or ""."""
    if not isinstance(key, str):
        return f"it is no string but {type(key).__name__}"
    if not 1 <= len(key) <= MAX_KEY:
        return f"it has {len(key)} characters (1 to {MAX_KEY})"
    if not key.isprintable():
        return "it holds a character that cannot be printed"
    return "it begins or ends with a space" if key != key.strip() else ""


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
        if isinstance(value, int) and not fits(value):
            self.fail(key, "is too large")
        return self._moment(key, value) if isinstance(value, datetime) and value.tzinfo else value

    def _moment(self, key: str, value: datetime) -> datetime:
        try:
            return value.astimezone(UTC)
        except OverflowError:  # 0001-01-01T00:00:00+01:00
            self.fail(key, "lies in no year from 1 to 9999")

    def number(self, key: str) -> float:
        """A float, or an integer taken for one."""
        value = self.found.pop(key, None)
        if type(value) not in (int, float):
            self.fail(key, "must be a number")
        try:
            return float(value)
        except OverflowError:  # an integer of 400 digits
            self.fail(key, "is too large")

    def length(self, key: str) -> float:
        """A number of seconds, or of anything else that has an end and a beginning."""
        value = self.number(key)
        if not 0 <= value < math.inf:
            self.fail(key, "must not be negative, infinite or no number")
        return value

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
