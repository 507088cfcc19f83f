"""Which tracked paths, and which parts of tracked directories, a command was asked for."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitmlog.core.errors import GitmlogError, NotFoundError
from gitmlog.core.paths import METAFILE_SUFFIX, display, metafile_of
from gitmlog.repo.workspace import Workspace

Match = Callable[[str], bool]


@dataclass(frozen=True)
class Selection:
    """A tracked path, and which part of it is meant.

    Attributes:
        path: the tracked path.
        parts: paths or patterns below it; empty means all of it.
    """

    path: str
    parts: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether the entry `name` of a tree is meant."""
        return not self.parts or any(_takes(part, name) for part in self.parts)


def _takes(part: str, name: str) -> bool:
    if name == part or name.startswith(f"{part}/"):
        return True
    return glob.has_magic(part) and (fnmatch.fnmatchcase(name, part) or fnmatch.fnmatchcase(name, f"{part}/*"))


def select(
    ws: Workspace, paths: Sequence[str], base: Path, tracked: Sequence[str] | None = None, *, left_out: bool = False
) -> list[Selection]:
    """The selections that `paths` (as written in the folder `base`) name; all tracked paths when there are none.

    Those that a sparse checkout leaves out of this working tree are not among them, unless with `left_out`, or of `tracked`.

    Raises:
        NotFoundError: kinds `not-tracked`: a path that names nothing tracked; `left-out`: only what is not in this working tree.
    """
    known = ws.tracked() if tracked is None else sorted(tracked)
    absent = {path for path in known if ws.is_left_out(path)} if tracked is None and not left_out else set()
    if not paths:
        return [Selection(path) for path in known if path not in absent]
    chosen: dict[str, tuple[str, ...]] = {}
    for given in paths:
        found = _select_one(ws, given, base, known)
        here = [selection for selection in found if selection.path not in absent]
        if found and not here:
            raise left_out_error(found[0].path)
        for selection in here:
            _merge(chosen, selection)
    return [Selection(path, parts) for path, parts in chosen.items()]


def left_out_error(path: str) -> NotFoundError:
    """The error for a tracked path that a sparse checkout leaves out."""
    folder = path.rpartition("/")[0]
    hint = f"git sparse-checkout add {display(folder or '/' + metafile_of(path))}, then gitmlog pull {display(path)}"
    return NotFoundError(f"{display(path)} is not in this sparse checkout", kind="left-out", hint=hint)


def _merge(chosen: dict[str, tuple[str, ...]], selection: Selection) -> None:
    if selection.path in chosen and (not chosen[selection.path] or not selection.parts):
        chosen[selection.path] = ()
    else:
        chosen[selection.path] = chosen.get(selection.path, ()) + selection.parts


def _select_one(ws: Workspace, given: str, base: Path, known: Sequence[str]) -> list[Selection]:
    text = given.removesuffix(METAFILE_SUFFIX) if given.endswith(METAFILE_SUFFIX) else given
    name = ws.relative(text, base)
    owner = ws.owner(name, list(known)) if name else None
    if owner is not None:
        return [Selection(owner, (name.removeprefix(f"{owner}/"),) if owner != name else ())]
    prefix = f"{name}/" if name else ""
    inside = [Selection(path) for path in known if path.startswith(prefix)]
    if not inside and glob.has_magic(name):
        inside = _matching(name, known)
    if not inside and name:
        raise not_tracked(ws, given, name, known)
    return inside


def not_tracked(ws: Workspace, given: str, name: str, known: Sequence[str]) -> NotFoundError:
    """The error for `given` (as written; `name` in the working tree), which names nothing tracked, with what was likely meant."""
    return NotFoundError(f"{display(given)} is not tracked by gitmlog", kind="not-tracked", hint=_meant(ws, given, name, known))


def _meant(ws: Workspace, given: str, name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    if os.path.lexists(ws.root / name):
        return f"to track it: gitmlog add {display(given)}"
    if _is_remote(ws, given):
        return f"it is the name of a remote: --remote {given}"
    if near := get_close_matches(name, known, 1, 0.7):
        return f"did you mean {display(near[0])}? `gitmlog status` lists what is tracked"
    if _is_revision(ws, given):
        return f"it is a revision: --rev {given} (where the command has it), then the paths"
    return "there is no such file either; `gitmlog status` lists what is tracked"


def _is_remote(ws: Workspace, name: str) -> bool:
    try:
        return name in ws.config.remotes()
    except GitmlogError:
        return False


def _is_revision(ws: Workspace, name: str) -> bool:
    try:
        ws.git.resolve(name)
    except GitmlogError:
        return False
    return True


def _matching(pattern: str, known: Sequence[str]) -> list[Selection]:
    whole = [Selection(path) for path in known if fnmatch.fnmatchcase(path, pattern)]
    if whole:
        return whole
    parts = pattern.split("/")
    for count in range(len(parts) - 1, 0, -1):
        head, tail = "/".join(parts[:count]), "/".join(parts[count:])
        found = [Selection(path, (tail,)) for path in known if fnmatch.fnmatchcase(path, head)]
        if found:
            return found
    return []
