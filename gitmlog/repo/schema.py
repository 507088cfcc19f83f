"""The keys of the configuration (spec: config.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

VERSION = 1
Layer = Literal["local", "user", "shared"]
LAYERS: tuple[Layer, ...] = ("local", "user", "shared")
Value = str | int | list[str]

REMOTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
LINKS = ("reflink", "copy", "hardlink", "symlink")
RECORDED = ("code", "command", "environment", "variables", "seeds", "output", "system", "user")
"""What a run records without being asked, by the words that `runs.without` knows."""


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        type: str, int or list (of strings).
        shared: whether it may be committed.
        default: what it is where nothing sets it.
        least: the smallest integer allowed.
        choices: the words that a string may be, or a list may hold; empty where `form` decides.
        form: what each word of a list must match, whole.
    """

    type: type
    shared: bool = False
    default: Value | None = None
    least: int = 0
    choices: tuple[str, ...] = ()
    form: str = "[ -~]+"


KEYS: dict[str, Key] = {
    "version": Key(int, shared=True, least=1),
    "core.remote": Key(str, shared=True),
    "core.jobs": Key(int, least=1),
    "cache.dir": Key(str),
    "cache.link": Key(list, default=["reflink", "copy"], choices=LINKS),
    "status.large": Key(int, shared=True, default=10 << 20),
    "gc.grace": Key(int, default=14),
    "hooks.checkout": Key(str, default="cache", choices=("cache", "fetch", "off")),
    "hooks.merge": Key(str, default="fetch", choices=("fetch", "cache")),
    "hooks.message": Key(str, default="on", choices=("on", "off")),
    "hooks.push": Key(str, default="send", choices=("send", "check", "off")),
    "runs.without": Key(list, choices=RECORDED),
    "runs.variables": Key(list, form=r"[A-Za-z_*][A-Za-z0-9_*]{0,249}"),
    "runs.untracked": Key(int, shared=True, default=10 << 20),
    "runs.interval": Key(int, default=15, least=1),
    "runs.log": Key(int, shared=True, default=16 << 20),
}

REMOTE_KEYS: dict[str, Key] = {
    "url": Key(str, shared=True),
    "endpoint": Key(str, shared=True),
    "region": Key(str, shared=True),
    "profile": Key(str),
    "access_key": Key(str),
    "secret_key": Key(str),
    "session_token": Key(str),
    "account": Key(str),
    "account_key": Key(str),
    "sas_token": Key(str),
    "credentials": Key(str),
    "key_file": Key(str),
    "password": Key(str),
    "known_hosts": Key(str),
    "token": Key(str),
    "jobs": Key(int, default=16, least=1),
    "timeout": Key(int, default=60, least=1),
    "retries": Key(int, default=5),
}

SECRETS = frozenset({"secret_key", "session_token", "account_key", "sas_token", "password", "token"})
CREDENTIALS = SECRETS | {"access_key", "credentials", "key_file"}
"""What proves who somebody is: the user's own goes to no address that a commit chose."""
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")


def find_key(name: str) -> Key | None:
    """The key called `name` ("core.remote", "remote.origin.url"), or None."""
    if name in KEYS:
        return KEYS[name]
    parts = name.split(".")
    if len(parts) == 3 and parts[0] == "remote" and REMOTE_NAME.fullmatch(parts[1]):
        return REMOTE_KEYS.get(parts[2])
    return None


def value_problem(name: str, key: Key, value: object) -> str:
    """Why `value` may not stand at the key `name`, or ""."""
    if key.type is int:
        if type(value) is not int:
            return "must be an integer"
        if value >= 1 << 63:
            return "is too large"
        return f"must be at least {key.least}" if value < key.least else ""
    if name.endswith(".region") and isinstance(value, str) and not _REGION.fullmatch(value):
        return "must be letters, digits and '-': it becomes a part of the server's name"
    if key.type is str and key.choices:
        return "" if value in key.choices else f"must be one of {', '.join(key.choices)}"
    if key.type is str:
        return "" if isinstance(value, str) and value.isprintable() and value else "must be a string that is not empty"
    return _list_problem(key, value)


def _list_problem(key: Key, value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(item, str) and _may_stand(key, item) for item in value):
        return ""
    return f"must be a list of {', '.join(key.choices)}" if key.choices else "must be a list of names, as A_NAME or A_*"


def _may_stand(key: Key, item: str) -> bool:
    return item in key.choices if key.choices else re.fullmatch(key.form, item) is not None


def is_secret(name: str) -> bool:
    """Whether the value of this key is shown to nobody."""
    return name.rpartition(".")[2] in SECRETS
