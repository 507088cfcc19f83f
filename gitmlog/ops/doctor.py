"""`doctor`: what is not as it should be on this machine and in this repository, and what to do about it."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from gitmlog.core.atomic import CREATE_FLAGS
from gitmlog.core.errors import GitmlogError, NotFoundError
from gitmlog.core.locks import is_free
from gitmlog.core.paths import METAFILE_SUFFIX, display, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.session import session
from gitmlog.git.hookplace import hook_place
from gitmlog.git.plumbing import run_git
from gitmlog.ops.hooks.drivers import has_drivers
from gitmlog.ops.hooks.install import python_of, status
from gitmlog.ops.hooks.unwanted import PATH as UNWANTED
from gitmlog.ops.runs.folder import run_folders
from gitmlog.ops.sync import check_kept, connect
from gitmlog.repo.config import load_config, read_layer
from gitmlog.repo.remotes import default_remote, is_first, is_trusted
from gitmlog.repo.workspace import Workspace
from gitmlog.store.ingest import clone

Verdict = Literal["ok", "warning", "problem"]
_OLDEST_GIT = (2, 30)
_LITTLE_SPACE = 1 << 30


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: a stable name.
        verdict: how it is.
        detail: what was found.
        hint: what to do, when it is not ok.
    """

    name: str
    verdict: Verdict
    detail: str
    hint: str = ""


def doctor(start: Path, user_config: Path | None, *, remote: bool = False, progress: Progress = SILENT) -> list[Check]:
    """Look at everything; nothing is changed. The network is used only with `remote`. Never raises for what it finds."""
    checks = [*_run("git", _git), *_run("packages", _packages), *_run("user-config", lambda: _user_config(user_config))]
    try:
        ws = Workspace.open(start, user_config)
    except NotFoundError as error:
        return [*checks, Check("repository", "warning", error.message, error.hint)]
    except GitmlogError as error:
        return [*checks, Check("repository", "problem", error.message, error.hint)]
    try:
        return [*checks, *_repository_checks(ws, remote, progress)]
    finally:
        ws.close()


def _repository_checks(ws: Workspace, remote: bool, progress: Progress) -> Iterator[Check]:
    checks: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("repository", lambda: _repository(ws)),
        ("index-lock", lambda: _index_lock(ws)),
        ("config", lambda: _config(ws)),
        ("leftovers", lambda: _leftovers(ws)),
        ("runs", lambda: _runs(ws)),
        ("cache", lambda: _cache(ws)),
        ("space", lambda: _space(ws)),
        ("state", lambda: _state(ws)),
        ("hooks", lambda: _hooks(ws)),
        ("metafiles", lambda: _metafiles(ws)),
        ("gitignore", lambda: _ignored(ws)),
        ("remotes", lambda: _remotes(ws, remote, progress)),
    ]
    for name, check in checks:
        yield from _run(name, check)


def _run(name: str, check: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """A check that fails is itself a finding."""
    try:
        yield from check()
    except GitmlogError as error:
        yield Check(name, "problem", error.message, error.hint)
    except (OSError, sqlite3.Error) as error:
        yield Check(name, "problem", str(error), "look at that path's owner, permissions and file system")


def _git() -> Iterator[Check]:
    said = run_git(Path("/"), None, ["version"]).decode().strip()
    found = re.search(r"(\d+)\.(\d+)", said)
    new_enough = found is not None and (int(found[1]), int(found[2])) >= _OLDEST_GIT
    yield Check("git", "ok" if new_enough else "problem", said, "" if new_enough else "install git 2.30 or newer")


def _packages() -> Iterator[Check]:
    wrong = []
    for requirement in requires("gitmlog") or []:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0]
        try:
            found = version(name)
        except PackageNotFoundError:
            wrong.append(f"{name} is not installed")
            continue
        exact = re.search(r"==([\w.]+)", requirement)
        if exact and exact[1] != found:
            wrong.append(f"{name} is {found}, not {exact[1]}")
    hint = "python -m pip install --force-reinstall gitmlog"
    yield Check("packages", "problem" if wrong else "ok", "; ".join(wrong) or "all there", hint if wrong else "")


def _user_config(path: Path | None) -> Iterator[Check]:
    if path is None or not path.exists():
        return
    keys = read_layer(path, "user")
    if path.stat().st_mode & 0o077 and any(key.rpartition(".")[2] in ("secret_key", "password", "token") for key in keys):
        yield Check("user-config", "warning", f"others may read {display(path)}", f"chmod 600 {display(path)}")
    else:
        yield Check("user-config", "ok", str(path))


def _repository(ws: Workspace) -> Iterator[Check]:
    if ws.git.is_unborn:
        yield Check("repository", "ok", f"{ws.root}: no commit yet")
    elif ws.git.is_busy:
        yield Check("repository", "warning", f"{ws.root}: a merge, rebase or bisect is under way", "finish it: git status")
    else:
        yield Check("repository", "ok", str(ws.root))
    if not ws.home.exists():
        yield Check("initialised", "warning", "gitmlog has not worked here yet", "gitmlog init")


def _index_lock(ws: Workspace) -> Iterator[Check]:
    lock = ws.git.gitdir / "index.lock"
    if lock.exists():
        hint = f"if no git runs, it was killed: rm {display(lock)}"
        yield Check("index-lock", "warning", f"{lock} is there", hint)


def _config(ws: Workspace) -> Iterator[Check]:
    config = load_config(ws.config_sources)
    names = config.remotes()
    yield Check("config", "ok", f"{len(names)} remote(s): {', '.join(names)}" if names else "no remote is configured")


def _cache(ws: Workspace) -> Iterator[Check]:
    root = ws.cache.root
    if not root.exists():
        yield Check("cache", "warning", f"{root} is not there yet", "gitmlog init, or gitmlog pull")
        return
    with session(root / "tmp") as temporary:
        probe = temporary.name()
        probe.write_bytes(b"gitmlog")
        shares = _can_clone(probe, ws.root)
    same = os.stat(root).st_dev == os.stat(ws.root).st_dev
    yield Check("cache", "ok", f"{root} can be written" + (", shares blocks with the working tree (reflink)" if shares else ""))
    if not same:
        hint = "hard links and reflinks are not possible: files are copied"
        yield Check("cache-place", "warning", "the cache is on another file system than the working tree", hint)
    damaged = list(ws.cache.quarantine.iterdir()) if ws.cache.quarantine.exists() else []
    if damaged:
        hint = f"gitmlog verify --repair; when all is whole: rm -r {display(ws.cache.quarantine)}"
        yield Check("quarantine", "warning", f"{len(damaged)} damaged object(s) were set aside", hint)


def _can_clone(probe: Path, folder: Path) -> bool:
    """Tried with a file that has no name there for longer than a moment."""
    place = folder / f".{probe.parent.name}.gitmlog-probe"
    source = os.open(probe, os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(place, CREATE_FLAGS, 0o600)
        os.unlink(place)
        try:
            return clone(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _space(ws: Workspace) -> Iterator[Check]:
    place = ws.cache.root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    hint = "gitmlog gc lists what can go"
    little = free < _LITTLE_SPACE
    yield Check("space", "warning" if little else "ok", f"{free / 1e9:.1f} GB are free for the cache", hint if little else "")


def _leftovers(ws: Workspace) -> Iterator[Check]:
    folders = [ws.cache.root / "tmp", ws.git.gitdir / "gitmlog" / "tmp"]
    dead = [entry for folder in folders if folder.is_dir() for entry in folder.iterdir() if is_free(entry / "owner")]
    if dead:
        detail = f"{len(dead)} killed command(s) left temporary files"
        yield Check("leftovers", "ok", f"{detail}: the next command removes them")


def _runs(ws: Workspace) -> Iterator[Check]:
    dead = [folder for folder in run_folders(ws.home) if folder.is_started and not folder.is_live]
    if dead:
        yield Check("runs", "warning", f"{len(dead)} run(s) were killed and are not recorded", "gitmlog runs recover")


def _state(ws: Workspace) -> Iterator[Check]:
    path = ws.git.gitdir / "gitmlog" / "state.db"
    if not path.exists():
        return
    try:
        alone = "" if os.path.exists(f"{path}-wal") else "&immutable=1"  # else SQLite makes files beside it even to read
        with closing(sqlite3.connect(f"file:{path}?mode=ro{alone}", uri=True)) as connection:
            said = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said != "ok":
        yield Check("state", "warning", f"{path}: {said}", f"delete it, it costs time only: rm {display(path)}")


def _hooks(ws: Workspace) -> Iterator[Check]:
    place = hook_place(ws.root)
    states = {each.name: each.state for each in status(place)}
    python = python_of(place)
    missing = [name for name, state in states.items() if state not in ("installed", "called")]
    if len(missing) == len(states):
        told = (ws.home / "initialised").exists() or not (ws.root / UNWANTED).exists()
        detail = "none is installed: files follow git when you say `gitmlog checkout`"
        yield Check("hooks", "ok" if told else "warning", detail, "" if told else "gitmlog init")
    elif missing:
        yield Check("hooks", "warning", f"{', '.join(missing)}: {states[missing[0]]}", "gitmlog hooks install")
    elif python and not os.access(python, os.X_OK):
        yield Check("hooks", "problem", f"they start {python}, which is not there", "gitmlog hooks install")
    else:
        yield Check("hooks", "ok", f"installed in {place.hooks}")
    if states and not has_drivers(place) and (ws.root / ".gitattributes").exists():
        yield Check("drivers", "warning", "git does not know how to merge metafiles here", "gitmlog init")


def _metafiles(ws: Workspace) -> Iterator[Check]:
    tracked, bad = ws.tracked(), 0
    for path in (path for path in tracked if not ws.is_left_out(path)):
        try:
            ws.metafile(path)
        except GitmlogError as error:
            bad += 1
            yield Check("metafiles", "problem", error.message, error.hint)
    if not bad:
        yield Check("metafiles", "ok", f"{len(tracked)} tracked path(s)")


def _ignored(ws: Workspace) -> Iterator[Check]:
    for path in (path for path in ws.tracked() if not ws.is_left_out(path)):
        if ws.git.is_tracked(path):
            hint = f"git rm -r --cached --quiet -- {display(path)} && gitmlog add {display(path)}"
            yield Check("gitignore", "problem", f"git itself has {display(path)}, which gitmlog tracks", hint)
        elif os.path.lexists(ws.root / path) and not _is_hidden(ws, path):
            yield Check("gitignore", "problem", f"git does not ignore {display(path)}", f"gitmlog add {display(path)}")
    for name in _hidden_metafiles(ws):
        hint = f"see which rule it is: git check-ignore -v {display(name)}"
        yield Check("gitignore", "warning", f"git ignores the metafile {display(name)}", hint)


def _is_hidden(ws: Workspace, path: str) -> bool:
    return ws.git.is_ignored(path) or ((ws.root / path).is_dir() and ws.git.is_ignored(f"{path}/"))


def _hidden_metafiles(ws: Workspace) -> list[str]:
    """Metafiles that git ignores never reach a colleague. Those in the index are safe whatever the rules say."""
    tracked = {metafile_of(path) for path in ws.tracked()}
    found = []
    for folder, folders, names in os.walk(ws.root):
        folders[:] = [name for name in folders if name not in (".git", ".gitmlog")]
        relative = Path(folder).relative_to(ws.root).as_posix()
        for name in names:
            path = name if relative == "." else f"{relative}/{name}"
            if name.endswith(METAFILE_SUFFIX) and path not in tracked and ws.git.is_ignored(path):
                found.append(path)
    return found


def _remotes(ws: Workspace, ask: bool, progress: Progress) -> Iterator[Check]:
    default = default_remote(ws.config)
    for name in sorted(ws.config.remotes(), key=lambda name: name != default):
        if is_trusted(ws.config, name, ws.trust_file) is False:
            hint = f"look at the change: git log -p -- .gitmlog/config.toml; then: gitmlog remote trust {name}"
            yield Check(f"remote {name}", "problem", "its committed address changed", hint)
        elif ask and not _is_accepted(ws, name):
            hint = f"look at it: git log -p -- .gitmlog/config.toml; then: gitmlog remote trust {name}"
            yield Check(f"remote {name}", "warning", "somebody committed it, and it was not used here before: not asked", hint)
        elif ask:
            yield from _run(f"remote {name}", lambda name=name: [_answers(ws, name, progress)])  # type: ignore[misc]


def _is_accepted(ws: Workspace, name: str) -> bool:
    """Nobody named this remote: credentials go only where they went before, or to the default of a fresh clone."""
    return is_trusted(ws.config, name, ws.trust_file) is not None or is_first(ws.config, name, ws.trust_file)


def _answers(ws: Workspace, name: str, progress: Progress) -> Check:
    """Asked for one object that cannot be there: that takes the address, the network, and the credentials."""
    from gitmlog.core.digest import ObjectId

    remote = connect(ws, name)
    remote.exist([ObjectId("0" * 64)], progress)
    check_kept(ws, remote)
    return Check(f"remote {name}", "ok", f"{remote.spec.url} answers" + (" (can only be read)" if remote.read_only else ""))
