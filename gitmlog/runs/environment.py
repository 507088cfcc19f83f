"""environment.toml: what a run ran on (spec: run.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitmlog.core.canonical import Plain, table
from gitmlog.core.digest import is_object_id
from gitmlog.runs.reader import MAX_SIZE, VERSION, Reader, read_table

NAME = "environment.toml"
Environment = Mapping[str, Mapping[str, Plain]]

_KEYS: dict[str, dict[str, tuple[type, ...]] | None] = {
    "python": {"version": (str,), "implementation": (str,), "executable": (str,), "prefix": (str,), "virtualenv": (bool,)},
    "packages": None,
    "locks": None,
    "system": {
        "os": (str,),
        "distribution": (str,),
        "release": (str,),
        "machine": (str,),
        "cpu": (str,),
        "cores": (int,),
        "threads": (int,),
        "memory": (int,),
    },
    "gpu": {"driver": (str,), "cuda": (str,), "devices": (list,)},
    "git": {"version": (str,), "remote": (str,)},
    "variables": None,
    "seeds": {"python": (int, str), "numpy": (int,), "torch": (int, str)},
}
"""Table -> key -> types; None where the keys are the user's own, and the values strings."""


def format_environment(environment: Environment) -> bytes:
    """The one text of what was collected. Raises KeyError for a table that is none of the specification's."""
    lines = [f"version = {VERSION}"]
    for name in environment.keys() - _KEYS.keys():
        raise KeyError(name)
    for name, keys in _KEYS.items():
        facts = environment.get(name, {})
        ordered = {key: facts[key] for key in (keys or sorted(facts)) if key in facts}
        lines += table(name, ordered, ordered=True)
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def parse_environment(data: bytes, where: str) -> dict[str, dict[str, Any]]:
    """The tables in `data`; `where` names the file in errors. Raises DataError, kinds `bad-run` and `newer-version`."""
    reader = Reader(read_table(data, where), where)
    found = {name: _table(reader.sub(name), name) for name in _KEYS if name in reader.found}
    reader.end()
    return found


def _table(reader: Reader, name: str) -> dict[str, Any]:
    keys = _KEYS[name]
    for key, value in reader.found.items():
        reader.check_key(key)
        if keys is None:
            _check_own(reader, name, key, value)
        elif key not in keys:
            reader.fail(key, "unknown key")
        elif type(value) not in keys[key]:
            reader.fail(key, f"must be of type {' or '.join(each.__name__ for each in keys[key])}")
        if isinstance(value, int) and not -MAX_SIZE <= value <= MAX_SIZE:
            reader.fail(key, "is too large")
        if isinstance(value, list) and not all(isinstance(each, str) for each in value):
            reader.fail(key, "must be an array of strings")
    return reader.found


def _check_own(reader: Reader, name: str, key: str, value: object) -> None:
    if not isinstance(value, str):
        reader.fail(key, "must be a string")
    if name == "locks" and not is_object_id(value):
        reader.fail(key, "must be 64 lower-case hexadecimal digits")
