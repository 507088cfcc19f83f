"""Which paths an `add` means, and whether they may be tracked at all."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import NotFoundError, RefusedError, UsageError
from gitmlog.core.paths import METAFILE_SUFFIX, display, metafile_of, tracked_problem
from gitmlog.ops.content import Content, nested_metafile
from gitmlog.ops.ignore import check_metafile_visible
from gitmlog.ops.place import check_own
from gitmlog.ops.select import left_out_error
from gitmlog.repo.workspace import Workspace


@dataclass
class Target:
    """One tracked path that is being added.

    Attributes:
        path: relative to the working tree.
        below: the part of a tracked directory that was named, or "".
        content: what was read of it.
        oid: what its files together are, when all of them were read.
        kept: entries of a directory that stay in it though they are not here.
    """

    path: str
    below: str = ""
    content: Content = field(default_factory=Content)
    oid: ObjectId | None = None
    kept: int = 0


def choose_targets(ws: Workspace, paths: Sequence[str], base: Path) -> dict[tuple[str, str], Target]:
    """What `paths` (as written in the folder `base`; patterns are expanded) mean. Raises as `gitmlog.ops.add.add`."""
    if not paths:
        raise UsageError("nothing to add", kind="usage", hint="name files or directories: gitmlog add model.pt data/")
    targets = [_target(ws, name, base) for path in paths for name in _expand(path, base)]
    whole = {target.path for target in targets if not target.below}
    return {(target.path, target.below): target for target in targets if not target.below or target.path not in whole}


def _expand(path: str, base: Path) -> list[str]:
    if os.path.lexists(base / path) or not glob.has_magic(path):
        return [path]
    found = sorted(glob.glob(path, root_dir=base, recursive=True))
    names = [name for name in found if not name.endswith((METAFILE_SUFFIX, ".gitignore"))]
    if not names:
        raise NotFoundError(f"nothing matches {display(path)}", kind="no-path", hint="check the pattern with `ls`")
    return names


def _target(ws: Workspace, given: str, base: Path) -> Target:
    name = ws.relative(given.removesuffix(METAFILE_SUFFIX) if given.endswith(METAFILE_SUFFIX) else given, base)
    if not name:
        hint = "name the directories that hold data: gitmlog add data/"
        raise RefusedError("the whole working tree cannot be tracked", kind="outside-repository", hint=hint)
    if problem := tracked_problem(name):
        raise RefusedError(f"{display(given)} cannot be tracked: {problem}", kind="bad-name", hint="rename it, then add again")
    check_own(ws, name)
    _check_here(ws, name)
    owner = ws.owner(name)
    if owner is not None and owner != name:
        return Target(owner, name.removeprefix(f"{owner}/"))
    _check_kind(ws, name)
    _check_git(ws, name)
    check_metafile_visible(ws, name)
    return Target(name)


def _check_here(ws: Workspace, path: str) -> None:
    """As `git add` does: what a sparse checkout leaves out is not changed behind the user's back."""
    parts = path.split("/")
    for owner in ("/".join(parts[:count]) for count in range(1, len(parts) + 1)):
        if ws.is_left_out(owner):
            raise left_out_error(owner)


def _check_kind(ws: Workspace, path: str) -> None:
    try:
        info = os.lstat(ws.root / path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no {display(path)}", kind="no-path", hint="check the name with `ls`") from None
    if not stat.S_ISLNK(info.st_mode) or os.readlink(ws.root / path).startswith(f"{ws.cache.objects}/"):
        return
    if (ws.root / path).resolve().is_relative_to(ws.root):
        hint = f"git keeps links itself: git add -- {display(path)}"
        raise RefusedError(f"{display(path)} is a symbolic link", kind="not-a-file", hint=hint)
    hint = f'replace it by a copy: cp --remove-destination "$(readlink -f {display(path)})" {display(path)}'
    raise RefusedError(f"{display(path)} is a symbolic link that leads out of the repository", kind="link-outside", hint=hint)


def _check_git(ws: Workspace, path: str) -> None:
    tracked = ws.git.tracked_below(path)
    if not tracked:
        return
    entry = ws.git.index[tracked[0]]
    if int(entry.mode) == 0o160000:
        hint = f"work in it: cd {display(tracked[0])}, then gitmlog add there"
        raise RefusedError(f"{display(tracked[0])} is a submodule", kind="submodule", hint=hint)
    nested = [name for name in tracked if name.endswith(METAFILE_SUFFIX) and name != metafile_of(path)]
    if nested:
        raise nested_metafile(nested[0])
    several = f" (and {len(tracked) - 1} more)" if len(tracked) > 1 else ""
    hint = f"git rm -r --cached --quiet -- {display(path)} && gitmlog add {display(path)}"
    raise RefusedError(f"git tracks {display(tracked[0])}{several} already", kind="tracked-by-git", hint=hint)
