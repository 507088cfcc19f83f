"""What users log, as what a run keeps: parameters, numbers, texts, dictionaries; tables and pictures stand beside."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from gitmlog.core.errors import UsageError
from gitmlog.ops.runs.pictures import figure_bytes, image_bytes
from gitmlog.ops.runs.tables import table_bytes
from gitmlog.runs.reader import MAX_SIZE
from gitmlog.runs.record import ParamValue

__all__ = [
    "dict_bytes",
    "figure_bytes",
    "flatten_params",
    "image_bytes",
    "metric_value",
    "plain_param",
    "table_bytes",
    "text_bytes",
]

MAX_PARAM = 6_000
"""Characters of one parameter; what is longer is cut, and ends with `…`."""
_MAX_ITEMS = 1_000
_MAX_DEPTH = 32
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

Scalar = str | int | float | bool


# Metrics


def metric_value(value: Any) -> float:
    """The number that `value` is: int, float, bool, Decimal, Fraction, or an array or tensor of one number.

    Raises:
        UsageError: kind `bad-metric`: anything else.
    """
    if type(value) is float:
        return value
    try:
        if isinstance(value, int | float):
            return float(value)
        return _number(value)
    except (TypeError, ValueError, OverflowError, RuntimeError, AttributeError):
        hint = (
            "log a number: float(x), or x.item() of an array or tensor with one element; text belongs into log_param or set_tag"
        )
        raise UsageError(f"a metric is one number, not {_described(value)}", kind="bad-metric", hint=hint) from None


def _number(value: Any) -> float:
    from decimal import Decimal
    from fractions import Fraction

    if isinstance(value, Decimal | Fraction):
        return float(value)
    found = value.item() if hasattr(value, "item") else value.numpy().item()
    if not isinstance(found, int | float):
        raise TypeError(type(found).__name__)
    return float(found)


def _described(value: Any) -> str:
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, int):
        return "an integer that no float can hold"
    return "None" if value is None else f"{kind} of shape {tuple(shape)}" if isinstance(shape, tuple) and shape else kind


# Parameters


def flatten_params(params: Any) -> dict[str, ParamValue]:
    """The parameters in a mapping, an argparse.Namespace, a dataclass or a model with `model_dump`; nested ones get dots.

    Raises:
        UsageError: kind `bad-value`: it is none of those, or two of its keys become one.
    """
    found = _as_mapping(params)
    if found is None:
        hint = 'log_params({"lr": 0.1}), or a Namespace or dataclass; log_param("lr", 0.1) takes one'
        raise UsageError(f"parameters are a mapping, not {type(params).__name__}", kind="bad-value", hint=hint)
    flat: dict[str, ParamValue] = {}
    _flatten(found, "", flat, (id(params),))
    return flat


def _flatten(params: Mapping[Any, Any], prefix: str, flat: dict[str, ParamValue], above: tuple[int, ...]) -> None:
    for key, value in params.items():
        name = f"{prefix}{key}"
        inner = _as_mapping(value) if len(above) < _MAX_DEPTH and id(value) not in above else None
        if inner:
            _flatten(inner, f"{name}.", flat, (*above, id(value)))
        elif name in flat:
            hint = "rename one of them: a.b and {'a': {'b': …}} are one name"
            raise UsageError(f"the parameter {name} is there twice", kind="bad-value", hint=hint)
        else:
            flat[name] = plain_param(value)


def _as_mapping(value: Any) -> Mapping[Any, Any] | None:
    from argparse import Namespace

    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    if isinstance(value, Namespace):
        return vars(value)
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    found = dump() if callable(dump) else None
    return found if isinstance(found, Mapping) else None


def plain_param(value: Any) -> ParamValue:
    """`value` as a parameter is kept: a string, number or boolean, or a tuple of those. Never raises for what has a `repr`."""
    scalar = _scalar(value)
    if scalar is not None:
        return scalar
    items = _items(value)
    if items is not None:
        scalars = [_scalar(each) for each in items]
        kept = tuple(each for each in scalars if each is not None)
        if len(kept) == len(scalars) and sum(len(str(each)) for each in kept) <= MAX_PARAM:
            return kept
    return _cut(_text(items if items is not None and not isinstance(value, set | frozenset) else value))


def _scalar(value: Any) -> Scalar | None:
    """`value`, when it is one: also a scalar of numpy or a tensor without dimensions; else None."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _cut(str(value))
    if isinstance(value, int):
        return int(value) if -MAX_SIZE <= value <= MAX_SIZE else _cut(str(value))
    if isinstance(value, float):
        return float(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        found = value.item()
        return _scalar(found) if isinstance(found, bool | str | int | float) else None
    return None


def _items(value: Any) -> list[Any] | None:
    """What a list, tuple, set or one-dimensional array holds, or None."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda each: (type(each).__name__, repr(each)))
    if not isinstance(value, list | tuple):
        short = len(getattr(value, "shape", ())) == 1 and value.shape[0] <= _MAX_ITEMS and hasattr(value, "tolist")
        value = value.tolist() if short else None
    return list(value) if value is not None and len(value) <= _MAX_ITEMS else None


def _text(value: Any) -> str:
    if isinstance(value, list):
        try:
            return json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            return _ADDRESS.sub("", repr(value))
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        module = getattr(value, "__module__", None)
        return value.__qualname__ if module in (None, "builtins", "__main__") else f"{module}.{value.__qualname__}"
    return _ADDRESS.sub("", str(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_PARAM else f"{text[: MAX_PARAM - 1]}…"


# Texts and dictionaries


def text_bytes(text: str) -> bytes:
    """A text, as UTF-8. Raises UsageError, kind `bad-value`, for what is no string."""
    if not isinstance(text, str):
        raise UsageError(f"a text is a string, not {type(text).__name__}", kind="bad-value", hint="log_dict takes dictionaries")
    return text.encode("utf-8", "replace")


def dict_bytes(value: Any, path: str) -> bytes:
    """A dictionary or list as .yaml, .yml, .toml, or JSON for any other path.

    Raises:
        UsageError: kind `bad-value`: something in it has no form there; the message names its key.
    """
    plain = _plain(value, "", 0)
    extension = PurePath(path).suffix.lower()
    if extension in (".yaml", ".yml"):
        import yaml

        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).encode("utf-8", "replace")  # type: ignore[no-any-return]
    if extension == ".toml":
        return _toml(plain)
    return f"{json.dumps(plain, ensure_ascii=False, indent=2)}\n".encode("utf-8", "backslashreplace")


def _toml(plain: Any) -> bytes:
    import tomlkit

    if not isinstance(plain, dict):
        raise _bad("", "a list or a single value has no form in TOML")
    _no_null(plain, "")
    return tomlkit.dumps(plain).encode("utf-8", "replace")


def _no_null(value: Any, where: str) -> None:
    if value is None:
        raise _bad(where, "TOML has no form for None")
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        _no_null(each, f"{where}.{key}" if where else str(key))


def _bad(where: str, problem: str) -> UsageError:
    subject = f"at {where[:200]!r}: " if where else ""
    hint = "convert it first; .json and .yaml hold text, numbers, true, false, null, lists and dictionaries"
    return UsageError(f"{subject}{problem}", kind="bad-value", hint=hint)


def _plain(value: Any, where: str, depth: int) -> Any:
    if value is None or type(value) in (str, int, float, bool):
        return value
    if depth > _MAX_DEPTH:
        raise _bad(where, f"it is nested deeper than {_MAX_DEPTH}")
    mapping = _as_mapping(value)
    if mapping is not None:
        return _plain_dict(mapping, where, depth)
    if isinstance(value, set | frozenset):
        value = sorted(value, key=lambda each: (type(each).__name__, each if isinstance(each, str | int | float) else repr(each)))
    if isinstance(value, list | tuple):
        return [_plain(each, f"{where}[{number}]", depth + 1) for number, each in enumerate(value)]
    return _plain_other(value, where, depth)


def _plain_dict(mapping: Mapping[Any, Any], where: str, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, each in mapping.items():
        name = _plain_key(key, where)
        inside = f"{where}.{name}" if where else name
        if name in found:
            raise _bad(inside, "two keys have this name")
        found[name] = _plain(each, inside, depth + 1)
    return found


def _plain_key(key: Any, where: str) -> str:
    found = _plain(key, where, 0) if not isinstance(key, Mapping | list | tuple | set | frozenset) else None
    if found is not None and not isinstance(found, str | int | float | bool):
        raise _bad(where, f"a key is a string, not {type(key).__name__}")
    if found is None and key is not None:
        raise _bad(where, f"a key is a string, not {type(key).__name__}")
    return found if isinstance(found, str) else json.dumps(found)


def _plain_other(value: Any, where: str, depth: int) -> Any:
    """Members of an Enum, and numbers and arrays of other libraries."""
    from enum import Enum

    if isinstance(value, Enum):
        return _plain(value.value, where, depth + 1)
    if isinstance(value, bool | int | float | str):
        return next(kind(value) for kind in (bool, int, float, str) if isinstance(value, kind))
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return _plain(value.tolist(), where, depth + 1)
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return _plain(value.to_dict(orient="list"), where, depth + 1)
    found = _of_the_library(value)
    if found is None:
        raise _bad(where, f"{type(value).__name__} has no form in such a file")
    return found


def _of_the_library(value: Any) -> str | float | None:
    """Paths, times and exact numbers of Python's own library; None for anything else."""
    from datetime import date, time, timedelta
    from decimal import Decimal
    from fractions import Fraction
    from uuid import UUID

    if isinstance(value, PurePath | UUID):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(value) if isinstance(value, Decimal | Fraction) else None
