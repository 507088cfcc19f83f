"""The start of a run: id, snapshot, and the folder that its logging goes to."""

from __future__ import annotations

import os
import pwd
import shlex
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import GitmlogError, RefusedError, UsageError
from gitmlog.core.paths import display
from gitmlog.core.secret_names import is_secret_file
from gitmlog.git.durable import create_ref, delete_ref, git_errors, ref_target, synced_writes, write_commit, write_tree
from gitmlog.git.identity import Identity, identity
from gitmlog.git.snapshot import Snapshot, take_snapshot
from gitmlog.ops.runs.drift import drifted
from gitmlog.ops.runs.folder import RunFolder, newest_start, note_newest
from gitmlog.ops.runs.products import Products, stat_of
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.names import new_id, start_time, words
from gitmlog.runs.reader import key_problem
from gitmlog.runs.tags import LIVE, PREFIX

_MUCH = 1 << 20
"""Bytes of untracked files above which a run says that it keeps them."""


@dataclass(frozen=True)
class Begin:
    """How a run shall begin.

    Attributes:
        name: the user's name for it, or None for the words of its id.
        command: what runs, with its arguments, secrets left out already; empty where that is not recorded.
        folder: the current folder.
        outputs: paths, as written in `folder`, that it will write.
        results: likewise, files that it writes and that are not kept as outputs: no code either.
        parent: the id of the run that it is nested in, or "".
        resumes: the id of the run that it goes on from, or "".
        scrub: takes secrets out of a text.
        with_code: whether the code is recorded.
        with_user: whether user and host are.
    """

    name: str | None = None
    command: tuple[str, ...] = ()
    folder: Path = field(default_factory=Path.cwd)
    outputs: Sequence[str] = ()
    results: Sequence[str] = ()
    parent: str = ""
    resumes: str = ""
    scrub: Callable[[str], str] = str
    with_code: bool = True
    with_user: bool = True


@dataclass(frozen=True)
class Begun:
    """A run that goes on: its folder, what start.json says, and the descriptor of the owner's lock."""

    folder: RunFolder
    facts: dict[str, Any]
    owner: int


def begin(ws: Workspace, how: Begin, now: datetime | None = None) -> Begun:
    """Begin a run. The user's index, branch and files are not touched.

    Raises:
        UsageError: kind `bad-name`.
        RefusedError: kinds `untracked-large`, `outside-repository`, `exists` (a tag called `run`).
        GitError, StorageError: the repository cannot be read or written: better now than after hours of training.
    """
    if how.name is not None and (problem := key_problem(how.name)):
        raise UsageError(
            f"the name of the run cannot be used: {problem}", kind="bad-name", hint="choose one line of printable text"
        )
    outputs = [ws.relative(path, how.folder) for path in how.outputs]
    _check_refs(ws)
    started, jumped = start_time(now or datetime.now(UTC), newest_start(ws.home))
    with storage_errors("starting a run"), ws.cache.in_use():
        folder, owner = _own_folder(ws, started)
        try:
            facts = _facts(ws, how, folder.id, started, outputs)
            if jumped:
                facts["warnings"].append(
                    "the clock of this machine went back: the run's time is that of the run before it, and later"
                )
            _keep_snapshot(ws, folder, facts)
            folder.write_start(facts)
        except BaseException:
            _undo(ws, folder, owner)
            raise
    note_newest(ws.home, started)
    return Begun(folder, facts, owner)


def _check_refs(ws: Workspace) -> None:
    """Where a ref stands, git can make none below it: better told now than when the run is to be recorded."""
    for prefix in (PREFIX, LIVE):
        parts = prefix.rstrip("/").split("/")
        for name in ("/".join(parts[:count]) for count in range(3, len(parts) + 1)):
            if ref_target(ws.git, name):
                tag = name.removeprefix("refs/tags/")
                hint = (
                    f"call it something else: `git tag {tag}-1 {tag} && git tag -d {tag}`"
                    if tag != name
                    else f"git update-ref -d {name}"
                )
                raise RefusedError(f"{name} is there: no run can be recorded as {prefix}ID beside it", kind="exists", hint=hint)


def _own_folder(ws: Workspace, started: datetime) -> tuple[RunFolder, int]:
    while True:
        folder = RunFolder.of(ws.home, new_id(started))
        # another worktree chose the same words, or `runs recover` took the folder for a dead one's
        with suppress(FileExistsError, BlockingIOError, FileNotFoundError):
            return folder, folder.create()


def _facts(ws: Workspace, how: Begin, run_id: str, started: datetime, outputs: list[str]) -> dict[str, Any]:
    who = identity(ws.git)
    results = [ws.relative(path, how.folder) for path in how.results]
    snapshot = _snapshot(ws, [*outputs, *results]) if how.with_code else _head_only(ws)
    warnings = [*snapshot.notes, *_much(snapshot)]
    if who.fallback:
        warnings.append(f"git does not know who commits: {who.name} <{who.email}> was taken (git config user.name, user.email)")
    return {
        "version": 1,
        "id": run_id,
        "name": how.name or words(run_id),
        "named": how.name is not None,
        "started": started.isoformat(),
        "command": list(how.command),
        "folder": _folder(ws, how.folder),
        "user": _user() if how.with_user else "",
        "host": socket.gethostname() if how.with_user else "",
        "parent": how.parent,
        "resumes": how.resumes,
        "worktree": os.fspath(ws.root),
        "linked": ws.git.gitdir != ws.git.commondir,
        "person": {"name": who.name, "email": who.email},
        "code": {
            "tree": snapshot.tree,
            "commit": snapshot.commit,
            "branch": how.scrub(snapshot.branch),
            "changed": len(snapshot.changed),
            "untracked": len(snapshot.untracked),
            "state": snapshot.state,
        },
        "outputs": {path: stat_of(ws.root / path) for path in outputs},
        "results": dict(snapshot.results),
        "drifted": drifted(ws),
        "warnings": warnings,
    }


def _snapshot(ws: Workspace, outputs: list[str]) -> Snapshot:
    known = Products.load(ws.home)
    known.outputs.update(outputs)

    def leave_out(path: str) -> str | None:
        if is_secret_file(path):
            return "by its name it holds secrets (git add it, if it does not)"
        return "" if known.is_product(ws.root, path) else None

    return take_snapshot(ws.git, ws.config.integer("runs.untracked"), leave_out, lambda path: known.is_kept(ws, path))


def _much(snapshot: Snapshot) -> list[str]:
    """Code is small: what is not may be a checkpoint that somebody forgot, and would go to everybody with every clone."""
    total = sum(snapshot.new.values())
    if total <= _MUCH:
        return []
    worst = sorted(snapshot.new, key=lambda path: -snapshot.new[path])[:3]
    named = f"{', '.join(map(display, worst))}{', …' if len(snapshot.new) > len(worst) else ''}"
    size = f"{total / 1e6:.1f} MB of untracked files are kept in git with the code ({named})"
    return [f"{size}: what is no code belongs into .gitignore, or is an output (-o)"]


def _head_only(ws: Workspace) -> Snapshot:
    """The configuration says that the code is not recorded: the tree is HEAD's."""
    if ws.git.is_unborn:
        return Snapshot(str(ws.git.handle.TreeBuilder().write()), "", "")
    commit = ws.git.resolve("HEAD")
    return Snapshot(str(commit.tree_id), str(commit.id), "")


def _folder(ws: Workspace, folder: Path) -> str:
    real = Path(os.path.realpath(folder))
    return real.relative_to(ws.root).as_posix() if real.is_relative_to(ws.root) else os.fspath(real)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _keep_snapshot(ws: Workspace, folder: RunFolder, facts: dict[str, Any]) -> None:
    """A commit and a ref, so that no garbage collection takes the snapshot while the run goes on."""
    code = facts["code"]
    message = f"snapshot of run {folder.id}, which goes on\n"
    started = datetime.fromisoformat(facts["started"])
    with git_errors(), synced_writes():
        parents = [code["commit"]] if code["commit"] else []
        tree = write_tree(ws.git, code["tree"], facts["results"])
        commit = write_commit(ws.git, tree, parents, message, Identity(**facts["person"]), started)
        create_ref(ws.git, folder.live_ref, commit)


def _undo(ws: Workspace, folder: RunFolder, owner: int) -> None:
    with suppress(Exception):
        delete_ref(ws.git, folder.live_ref)
    folder.remove()
    os.close(owner)


def shown_command(command: Sequence[str]) -> str:
    """A command for a message."""
    return shlex.join(command)


def ended_error(run_id: str) -> GitmlogError:
    """The error for logging to a run that is over."""
    return UsageError(
        f"run {run_id} has ended: nothing can be logged to it", kind="run-ended", hint="with gitmlog.start_run(): …"
    )
