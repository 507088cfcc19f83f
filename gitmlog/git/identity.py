"""Who the user is, as git knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitmlog.core.errors import GitError
from gitmlog.git.plumbing import identity_variables, names_config_files, run_git
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

_FORBIDDEN = re.compile("[<>\x00-\x1f\x7f]")
_WHO = ("user", "author", "committer")
_KEYS = tuple(f"{who}.{what}" for who in _WHO for what in ("name", "email"))
_EDGES = " .,:;\"\\'"  # git takes these off, too


@dataclass(frozen=True)
class Identity:
    """Who commits; `fallback` when git was told neither name nor address, or only one of them."""

    name: str
    email: str
    fallback: bool = False


def identity(repo: GitRepo) -> Identity:
    """The user's name and address: from the environment, else from git's configuration, else `USER <USER@HOST>`. Never fails."""
    variables = identity_variables()
    name, email = (_first([variables.get(f"GIT_{who}_{what}") for who in ("COMMITTER", "AUTHOR")]) for what in ("NAME", "EMAIL"))
    if not (name and email):
        known = _configured(repo)
        name, email = name or _from(known, "name"), email or _from(known, "email")
    email = email or _first([variables.get("EMAIL")])
    if name and email:
        return Identity(name, email)
    user, host = _machine_user()
    return Identity(name or user, email or f"{user}@{host}", fallback=True)


def _configured(repo: GitRepo) -> Mapping[str, str | None]:
    """What git's configuration says: libgit2 reads it in no time, but not the files that variables name instead of the usual."""
    config = _config(repo)
    known = {key: _value(config, key) for key in _KEYS}
    if not names_config_files() and _from(known, "name") and _from(known, "email"):
        return known
    try:
        return _asked(repo)
    except (GitError, OSError):
        return known


def _asked(repo: GitRepo) -> dict[str, str | None]:
    """What git says. Raises GitError: also where nothing is configured."""
    said = run_git(repo.gitdir, None, ["config", "-z", "--get-regexp", r"^(user|author|committer)\.(name|email)$"])
    pairs = (entry.partition("\n") for entry in said.decode("utf-8", "surrogateescape").split("\0") if entry)
    return {key: value for key, _, value in pairs}  # the last one counts, as for git


def _from(known: Mapping[str, str | None], what: str) -> str:
    return _first(known.get(f"{who}.{what}") for who in _WHO)


def _config(repo: GitRepo) -> pygit2.Config | None:
    import pygit2

    try:
        return repo.handle.config
    except pygit2.GitError:
        return None


def _value(config: pygit2.Config | None, key: str) -> str | None:
    import pygit2

    if config is None:
        return None
    try:
        return config[key]
    except (KeyError, ValueError, pygit2.GitError):
        return None


def _first(values: Iterable[str | None]) -> str:
    return next((clean for value in values if value and (clean := _clean(value))), "")


def _clean(text: str) -> str:
    """What git would keep of a name: no brackets, no line end; always UTF-8."""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _FORBIDDEN.sub("", plain).strip(_EDGES)


def _machine_user() -> tuple[str, str]:
    import getpass
    import os
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user in the password database, as in many containers
        user = f"uid{os.getuid()}"
    return _clean(user) or "unknown", _clean(socket.gethostname()) or "localhost"
