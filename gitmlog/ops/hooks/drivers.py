"""Diff and merge drivers: named by the committed .gitattributes, made known to git by this clone's own configuration."""

from __future__ import annotations

from pathlib import Path

from gitmlog.core.atomic import write_atomic
from gitmlog.git.hookplace import HookPlace, get_local, set_local, unset_local
from gitmlog.ops.hooks.scripts import DRIVERS, SHARED, script

ATTRIBUTES = (b"*.gitmlog diff=gitmlog merge=gitmlog", b".gitignore merge=union")
"""Two branches that each track another path add a line at the same place of .gitignore: git's own `union` keeps both."""

_SETTINGS = {
    "diff.gitmlog.textconv": 'sh "$(git rev-parse --git-common-dir)/gitmlog/drivers/textconv"',
    "merge.gitmlog.name": "metafiles of gitmlog",
    "merge.gitmlog.driver": 'sh "$(git rev-parse --git-common-dir)/gitmlog/drivers/merge" %O %A %B %L %P',
}


def install_drivers(place: HookPlace, python: str) -> None:
    """Put the scripts into the git directory and name them in the clone's configuration. Raises GitError, OSError."""
    folder = _folder(place)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (SHARED, *DRIVERS):
        write_atomic(folder / name, script(name), mode=0o777)
    if python:
        set_local(place, "gitmlog.python", python)
    for key, value in _SETTINGS.items():
        set_local(place, key, value)


def uninstall_drivers(place: HookPlace) -> None:
    """Take the drivers out of the clone's configuration; .gitattributes may stay, it means nothing then."""
    unset_local(place, "diff.gitmlog")
    unset_local(place, "merge.gitmlog")
    unset_local(place, "gitmlog")


def has_drivers(place: HookPlace) -> bool:
    """Whether git knows the drivers, and they are as this gitmlog has them."""
    folder = _folder(place)
    known = all(get_local(place, key) == value for key, value in _SETTINGS.items())
    return known and all((folder / name).is_file() and (folder / name).read_bytes() == script(name) for name in DRIVERS)


def _folder(place: HookPlace) -> Path:
    return place.common / "gitmlog" / "drivers"
