"""`hooks install`, `uninstall` and `status`: git's hooks in their folder, and what was there before beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gitmlog.core.atomic import storage_errors, sync_path, write_atomic
from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display
from gitmlog.git.hookplace import HookPlace, get_local, set_local
from gitmlog.ops.hooks.scripts import ASIDE, CLIENT, OLD_SERVER, SERVER, SHARED, is_ours, script

State = Literal["installed", "outdated", "called", "absent", "foreign"]


@dataclass(frozen=True)
class HookState:
    """How one hook stands.

    Attributes:
        name: as git calls it.
        state: installed as this gitmlog has it; outdated: of another version; called: another's hook calls ours (pre-commit);
            absent; foreign: somebody else's alone.
        chained: whether ours calls one that was there before.
    """

    name: str
    state: State
    chained: bool = False


@dataclass(frozen=True)
class Installed:
    """What `install` did.

    Attributes:
        folder: where the hooks are.
        hooks: each with its state now.
        chained: those that were somebody else's, and are called by ours from now on.
    """

    folder: Path
    hooks: tuple[HookState, ...]
    chained: tuple[str, ...] = ()


def install(place: HookPlace, python: str, *, update: bool = False) -> Installed:
    """Put the hooks in place; of a bare repository those of a server. May be run again at any time.

    `python` is the interpreter that they shall start, `update` takes the hook of that name instead of pre-receive.

    Raises:
        RefusedError: kind `hook-exists`: somebody's hook would be lost; nothing was changed.
        StorageError, GitError.
    """
    names = _names(place, update)
    foreign = [name for name in names if _is_foreign(place.hooks / name)]
    for name in foreign:
        if os.path.lexists(place.hooks / f"{name}{ASIDE}"):
            hint = f"put both into one hook, or remove one: {display(place.hooks / (name + ASIDE))}"
            message = f"{display(place.hooks / name)} is not gitmlog's, and the one that was there before it is kept already"
            raise RefusedError(message, kind="hook-exists", hint=hint)
    with storage_errors("installing hooks"):
        place.hooks.mkdir(parents=True, exist_ok=True)
        if python:
            set_local(place, "gitmlog.python", python)
        write_atomic(place.hooks / SHARED, script(SHARED))
        for name in names:
            _put(place.hooks, name, name in foreign)
    return Installed(place.hooks, status(place), tuple(foreign))


def _names(place: HookPlace, update: bool) -> Sequence[str]:
    if not place.bare:
        return CLIENT
    return OLD_SERVER if update else SERVER


def _is_foreign(path: Path) -> bool:
    """Somebody's, and not one that calls ours already, as pre-commit's does."""
    return os.path.lexists(path) and not is_ours(path) and not is_ours(path.with_name(f"{path.name}.legacy"))


def _put(folder: Path, name: str, foreign: bool) -> None:
    path = folder / name
    if foreign:
        os.rename(path, folder / f"{name}{ASIDE}")
    elif os.path.lexists(path) and not is_ours(path):
        path = folder / f"{name}.legacy"
    write_atomic(path, script(name), mode=0o777)
    sync_path(folder)


def uninstall(place: HookPlace) -> list[str]:
    """Remove the hooks that are gitmlog's, and put back what was there before; returns their names.

    Which Python they started stays known: the drivers start it, too. Raises StorageError.
    """
    gone = []
    with storage_errors("removing hooks"):
        for name in (*CLIENT, *SERVER, *OLD_SERVER):
            for path in (place.hooks / name, place.hooks / f"{name}.legacy"):
                if is_ours(path):
                    path.unlink()
                    gone.append(name)
            aside = place.hooks / f"{name}{ASIDE}"
            if os.path.lexists(aside) and not os.path.lexists(place.hooks / name):
                os.rename(aside, place.hooks / name)
        if is_ours(place.hooks / SHARED):
            (place.hooks / SHARED).unlink()
    return gone


def status(place: HookPlace) -> tuple[HookState, ...]:
    """How each hook stands; of a server the one that is ours, where there is one: `pre-receive` and `update` do the same."""
    found = [_state(place.hooks, name) for name in (SERVER + OLD_SERVER if place.bare else CLIENT)]
    ours = [each for each in found if each.state not in ("absent", "foreign")]
    return tuple(ours if place.bare and ours else found)


def _state(folder: Path, name: str) -> HookState:
    path = folder / name
    chained = os.path.lexists(folder / f"{name}{ASIDE}")
    if is_ours(path):
        current = path.read_bytes() == script(name) and _is_current(folder / SHARED)
        return HookState(name, "installed" if current else "outdated", chained)
    if not os.path.lexists(path):
        return HookState(name, "absent")
    return HookState(name, "called" if is_ours(folder / f"{name}.legacy") else "foreign")


def _is_current(path: Path) -> bool:
    try:
        return path.read_bytes() == script(SHARED)
    except OSError:
        return False


def python_of(place: HookPlace) -> str:
    """The interpreter that the hooks start, or ""."""
    return get_local(place, "gitmlog.python")
