"""Values of metrics that another program wrote, as they are read: numbers, steps, what was left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gitmlog.core.errors import DataError
from gitmlog.core.paths import display
from gitmlog.core.toml import shorten
from gitmlog.runs.reader import MAX_SIZE, key_problem

Value = tuple[str, float, int | None]
"""A metric's key, its value, and its step; None is one more than the last of that key."""

MAX_VALUES = 1_000_000
STEPS = ("step", "global_step", "iteration", "iter", "epoch")
"""What a step is called, the first of these that there is."""

_MAX_DEPTH = 32
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,5})?|nan|inf(?:inity)?)", re.I
)


def number_of(value: object) -> float | None:
    """The number that a value or text is, or None."""
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else None
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def whole_of(value: object) -> int | None:
    """The step that a value or text is, or None."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        return int(value)
    number = number_of(value)
    if number is None or isinstance(value, bool) or not abs(number) < MAX_SIZE or number != int(number):
        return None
    return value if isinstance(value, int) else int(number)


def bad_file(path: Path, problem: str, line: int = 0) -> DataError:
    """The error for a file of metrics, kind `bad-metrics-file`."""
    where = f"{display(path)}:{line}" if line else display(path)
    hint = 'a JSON file {"acc": 0.9}, a CSV file with a line of names, or lines `metric acc=0.9` on stdout'
    return DataError(f"{where}: {problem}", kind="bad-metrics-file", hint=hint)


class Reading:
    """What was found so far, and what was left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: list[Value] = []
        self.line = 0
        self._left_out: dict[str, None] = {}
        self._known: set[str] = set()

    def fail(self, problem: str) -> DataError:
        """The error for what was just read."""
        return bad_file(self.path, problem, self.line)

    def add(self, key: str, value: float, step: int | None) -> None:
        """One value. Raises DataError."""
        if key not in self._known:
            if problem := key_problem(key):
                raise self.fail(f"the name {shorten(repr(key))}: {problem}")
            self._known.add(key)
        if len(self.values) >= MAX_VALUES:
            raise self.fail(f"more than {MAX_VALUES:,} values")
        self.values.append((key, value, step))

    def leave_out(self, key: str) -> None:
        """What is no number."""
        self._left_out.setdefault(key)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        if not self._left_out:
            return ()
        names = [display(name) for name in list(self._left_out)[:5]]
        more = f" and {len(self._left_out) - 5} more" if len(self._left_out) > 5 else ""
        return (f"{display(self.path)}: left out, since they are no numbers: {', '.join(names)}{more}",)

    def walk(self, value: Any, key: str, step: int | None, depth: int = 0) -> None:
        """A value, or what lies below it: dictionaries get dots, the items of a list are steps. Raises DataError."""
        if depth > _MAX_DEPTH:
            raise self.fail(f"nested deeper than {_MAX_DEPTH}")
        if isinstance(value, Mapping):
            for name, each in value.items():
                self.walk(each, f"{key}.{name}" if key else str(name), step, depth + 1)
        elif isinstance(value, list) and value and not any(isinstance(each, list) for each in value):
            for number, each in enumerate(value):
                self.walk(each, key, number, depth + 1)
        elif (found := number_of(value)) is not None:
            self.add(key, found, step)
        else:
            self.leave_out(key)

    def record(self, found: Any, steps: Sequence[str], depth: int = 0) -> None:
        """One dictionary of metrics, with its step when it has one of these keys. Raises DataError."""
        if not isinstance(found, Mapping) or depth > _MAX_DEPTH:
            raise self.fail('not a dictionary of metrics, like {"acc": 0.9}')
        inner = found.get("metrics")
        if isinstance(inner, list):
            for each in inner:
                self.record(each, STEPS, depth + 1)
            return
        if isinstance(inner, Mapping):
            found = {name: found[name] for name in steps if name in found} | dict(inner)
        name = next((name for name in steps if name in found), None)
        rest = {key: each for key, each in found.items() if key != name}
        if name is not None and isinstance(found[name], list):
            self._columns(rest, found[name])
        else:
            self.walk(rest, "", None if name is None else self.step(found[name]))

    def _columns(self, rest: Mapping[str, Any], steps: list[Any]) -> None:
        at = [self.step(each) for each in steps]
        for key, values in rest.items():
            if not isinstance(values, list) or len(values) != len(at):
                self.walk(values, key, None)
                continue
            for step, value in zip(at, values, strict=True):
                self.walk(value, key, step)

    def step(self, value: object) -> int:
        """A step that was read. Raises DataError."""
        found = whole_of(value)
        if found is None:
            raise self.fail(f"the step {shorten(repr(value))} is no integer")
        return found

    def document(self, found: Any) -> None:
        """All of a JSON, YAML or TOML file. Raises DataError."""
        if isinstance(found, list):
            for each in found:
                self.record(each, STEPS)
        elif found is not None:
            self.record(found, STEPS[:2])
