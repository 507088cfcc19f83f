"""Reading and writing the three configuration files (spec: config.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gitmlog.core.atomic import write_atomic
from gitmlog.core.errors import ConfigError, NotFoundError, UsageError
from gitmlog.core.toml import TomlError, parse_toml, shorten
from gitmlog.repo.schema import KEYS, LAYERS, VERSION, Layer, Value, find_key, value_problem

SHARED_PATH = ".gitmlog/config.toml"
_MAX_BYTES = 1 << 20


class Source(Protocol):
    """A file of settings, or what stands for it. As text it is its place."""

    def read_bytes(self) -> bytes:
        """All of it. Raises FileNotFoundError."""


@dataclass(frozen=True)
class Text:
    """What git's index has at a place, when the file itself is not in the working tree."""

    place: str
    data: bytes

    def __str__(self) -> str:
        return self.place

    def read_bytes(self) -> bytes:
        """All of it."""
        return self.data


@dataclass(frozen=True)
class Config:
    """All settings, by layer: flat key ("remote.origin.url") -> value. The first layer that has a key wins."""

    layers: Mapping[Layer, Mapping[str, Value]]

    def find(self, name: str) -> tuple[Value, Layer] | None:
        """The value of a key and the layer it comes from, or None when none sets it."""
        for layer in LAYERS:
            if name in self.layers.get(layer, {}):
                return self.layers[layer][name], layer
        return None

    def get(self, name: str) -> Value | None:
        """The value of a key, or its default."""
        found = self.find(name)
        if found is not None:
            return found[0]
        key = find_key(name)
        return key.default if key else None

    def integer(self, name: str) -> int:
        """The value of an integer key that has a default."""
        value = self.get(name)
        return value if isinstance(value, int) else 0

    def remotes(self) -> list[str]:
        """The names of the configured remotes, sorted."""
        names = {
            key.split(".")[1]
            for layer in self.layers.values()
            for key in layer
            if key.startswith("remote.") and key.endswith(".url")
        }
        return sorted(names)

    def remote_options(self, name: str) -> dict[str, tuple[Value, Layer]]:
        """The keys of one remote, each with its layer."""
        prefix = f"remote.{name}."
        keys = {key for layer in self.layers.values() for key in layer if key.startswith(prefix)}
        return {key.removeprefix(prefix): found for key in keys if (found := self.find(key))}


def load_config(files: Mapping[Layer, Source]) -> Config:
    """Read the files that exist. Raises ConfigError, kinds `bad-config` and `newer-version`."""
    return Config({layer: read_layer(path, layer) for layer, path in files.items()})


def read_layer(path: Source, layer: Layer) -> dict[str, Value]:
    """One file, checked. A file that is not there is empty."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return parse_config(data, str(path), layer)


def parse_config(data: bytes, where: str, layer: Layer) -> dict[str, Value]:
    """The flat settings in `data`. Raises ConfigError."""
    if len(data) > _MAX_BYTES:
        raise _bad(where, "", f"{len(data)} bytes (at most {_MAX_BYTES})")
    try:
        table = parse_toml(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _bad(where, "", f"not UTF-8 at byte {error.start}") from error
    except TomlError as error:
        raise _bad(f"{where}:{error.line}" if error.line else where, "", str(error)) from error
    _check_version(table.get("version", VERSION), where)
    settings = _flatten(table, where)
    for name, value in settings.items():
        _check(name, value, where, layer)
    return settings


def _check_version(version: object, where: str) -> None:
    if type(version) is int and VERSION < version < 1 << 63:
        hint = "upgrade gitmlog: `python -m pip install --upgrade gitmlog`"
        raise ConfigError(f"{where} is of version {version}; this gitmlog reads up to {VERSION}", kind="newer-version", hint=hint)


def _flatten(table: Mapping[str, Any], where: str, prefix: str = "") -> dict[str, Value]:
    flat: dict[str, Value] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            if prefix.count(".") >= 2:
                raise _bad(where, prefix + name, "unknown table")
            flat |= _flatten(value, where, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _check(name: str, value: object, where: str, layer: Layer) -> None:
    key = find_key(name)
    if key is None:
        raise _bad(where, name, "unknown key")
    if layer == "shared" and not key.shared:
        hint = f"`gitmlog config --local {name} VALUE` keeps it in this clone"
        raise ConfigError(f"{where}: {name} may not be committed", kind="bad-config", hint=hint)
    if problem := value_problem(name, key, value):
        raise _bad(where, name, problem)


def _bad(where: str, name: str, problem: str) -> ConfigError:
    subject = f"{shorten(name)}: " if name else ""
    return ConfigError(
        f"{where}: {subject}{problem}", hint="`gitmlog help config` lists the keys; edit the file, or take it back from git"
    )


def parse_value(name: str, text: str) -> Value:
    """The value that `text` means for the key `name`. Raises UsageError, kinds `unknown-key` and `bad-value`."""
    key = find_key(name)
    if key is None:
        raise UsageError(f"there is no key {name!r}", kind="unknown-key", hint=f"the keys: {', '.join(KEYS)}, remote.NAME.…")
    value: Value = text
    if key.type is int:
        value = int(text) if re.fullmatch("-?[0-9]{1,18}", text) else text
    elif key.type is list:
        value = [item.strip() for item in text.split(",")]
    if problem := value_problem(name, key, value):
        raise UsageError(f"{name}: {problem}", kind="bad-value", hint="`gitmlog help config` lists the keys")
    return value


def write_setting(path: Path, layer: Layer, name: str, value: Value | None) -> None:
    """Set one key, or remove it (None), keeping comments and order. Durable when this returns.

    Raises:
        UsageError: the key may not stand in this layer.
        NotFoundError: kind `no-key`: there is nothing to remove.
    """
    key = find_key(name)
    if key is None or (layer == "shared" and not key.shared):
        hint = f"`gitmlog config --local {name} VALUE` keeps it in this clone"
        raise UsageError(f"{name} may not be committed", kind="not-shared", hint=hint)
    read_layer(path, layer)
    text = _edit(path.read_text(encoding="utf-8") if path.exists() else f"version = {VERSION}\n", name, value, path)
    parse_config(text.encode(), str(path), layer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode(), mode=0o666 if layer == "shared" else 0o600)


def remove_remote(path: Path, layer: Layer, name: str) -> bool:
    """Remove all keys of a remote from one file; whether there were any."""
    keys = [key for key in read_layer(path, layer) if key.startswith(f"remote.{name}.")]
    for key in keys:
        write_setting(path, layer, key, None)
    return bool(keys)


def _edit(text: str, name: str, value: Value | None, path: Path) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    *tables, last = name.split(".")
    table: Any = document
    trail = [(document, "")]
    for part in tables:
        if part not in table:
            table[part] = tomlkit.table(is_super_table=part == "remote")
        table = table[part]
        trail.append((table, part))
    if value is not None:
        table[last] = value
        return tomlkit.dumps(document)
    if last not in table:
        raise NotFoundError(f"{name} is not set in {path}", kind="no-key")
    del table[last]
    for (parent, _), (child, part) in zip(reversed(trail[:-1]), reversed(trail[1:]), strict=True):
        if not child:
            del parent[part]
    return tomlkit.dumps(document)
