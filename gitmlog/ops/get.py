"""`get`: a file or directory out of another repository, without checking it out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gitmlog.core.atomic import CREATE_FLAGS, process_umask, storage_errors, sync_filesystem, sync_path, write_all
from gitmlog.core.errors import NotFoundError, RefusedError
from gitmlog.core.paths import display, link_problem
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.session import Session, session
from gitmlog.git.porcelain import clone, fetch_default_branch, resolve_in_clone
from gitmlog.git.repository import GitRepo
from gitmlog.metafile.tree import TreeEntry
from gitmlog.ops import sync
from gitmlog.ops.source import Objects, Source, at_revision, clean_path
from gitmlog.remote.base import Remote
from gitmlog.remote.open import open_remote
from gitmlog.repo.config import SHARED_PATH, Config, parse_config, read_layer
from gitmlog.repo.remotes import check_bearer, choose_remote, remote_spec
from gitmlog.repo.schema import Layer, Value
from gitmlog.repo.workspace import Workspace
from gitmlog.store.cache import Cache
from gitmlog.store.materialize import target

_STAGING = ".gitmlog-get"


@dataclass(frozen=True)
class Got:
    """What `get` wrote.

    Attributes:
        path: where.
        commit: the commit it is from, 40 hex digits.
        files: how many.
        size: bytes.
    """

    path: Path
    commit: str
    files: int
    size: int


@dataclass(frozen=True)
class Foreign:
    """Another repository at a revision: what is in it, and where its objects come from."""

    ws: Workspace
    revision: str
    objects: Objects

    def source(self, path: str) -> Source:
        """What `path` is there. Raises NotFoundError, UsageError, DataError."""
        return at_revision(self.ws, self.revision, clean_path(path))


@contextmanager
def foreign(
    repo: str | Workspace, revision: str | None, base: Path, user_config: Path | None, *, progress: Progress = SILENT
) -> Iterator[Foreign]:
    """Open another repository: a folder in place, a URL by a partial clone into a temporary folder.

    A workspace is one that the caller works in: its private configuration counts, as for every other command.

    In a folder that is opened in place nothing is written, and its private configuration is not read: it may be anybody's. What
    its cache lacks is fetched into a temporary one.

    Raises:
        NotFoundError: kinds `no-repository`, `no-revision`, `no-commit`.
        UsageError: kind `bad-url`.
        RefusedError: kind `remote-untrusted`, when something has to be fetched.
    """
    with tempfile.TemporaryDirectory(prefix="gitmlog-", ignore_cleanup_errors=True) as temporary:
        folder, store = Path(temporary), Cache(Path(temporary) / "cache")
        ws = repo if isinstance(repo, Workspace) else _open(repo, revision, base, folder, user_config)
        name = resolve_in_clone(ws.git, revision or "HEAD")

        def connect() -> Remote:
            if ws is repo:
                return sync.connect(ws, None)
            config = _config(ws, name)
            chosen = choose_remote(config, None)
            check_bearer(config, chosen, f"clone it, look at its remotes, then there: `gitmlog remote trust {chosen}`")
            return open_remote(remote_spec(config, chosen))

        try:
            yield Foreign(ws, name, Objects(ws.cache, store, connect, progress))
        finally:
            ws.close()


def _open(repo: str, revision: str | None, base: Path, folder: Path, user_config: Path | None) -> Workspace:
    place = Path(os.path.abspath(base / repo)) if "://" not in repo else None
    if place is not None and (place / ".git").exists():
        return Workspace(GitRepo.discover(place, foreign=True), user_config)
    if place is not None and "::" not in repo and place.exists():
        repo = str(place)  # a bare repository
    ws = Workspace(clone(repo, folder / "clone", revision), user_config)
    ws.cache.user = None  # it is gone in a moment: no user of a shared cache that gc should know of
    return ws


def _config(ws: Workspace, revision: str) -> Config:
    """As committed at the revision, or, when there was no remote yet, on the default branch."""
    config = _config_at(ws, revision)
    if config.remotes():
        return config
    return _config_at(ws, "HEAD" if ws.git.foreign else fetch_default_branch(ws.git))


def _config_at(ws: Workspace, revision: str) -> Config:
    text = ws.git.file_at(revision, SHARED_PATH) or b""
    layers: dict[Layer, Mapping[str, Value]] = {"shared": parse_config(text, f"{revision}:{SHARED_PATH}", "shared")}
    if ws.user_config is not None:
        layers["user"] = read_layer(ws.user_config, "user")
    return Config(layers)


def get(
    repo: str | Workspace,
    path: str,
    base: Path,
    *,
    revision: str | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    user_config: Path | None = None,
    progress: Progress = SILENT,
) -> Got:
    """Write a file or directory of another repository to `out` (relative to `base`; default: its own name there).

    Raises:
        NotFoundError: kinds `no-repository`, `no-revision`, `no-path`.
        RefusedError: kind `exists`: something lies at `out` and `force` is false.
        MissingDataError, DataError (`corrupt`), RemoteError, UsageError (`bad-url`, `bad-path`).
    """
    with storage_errors("getting"), foreign(repo, revision, base, user_config, progress=progress) as other:
        source = other.source(path)
        place = _place(base, out, source.name)
        _check_free(place, force)
        entries = source.entries(other.objects)
        other.objects.ensure(
            {entry.oid: entry.size for entry in entries.values()},
            {entry.oid: f"{source.where}/{name}".rstrip("/") for name, entry in entries.items()},
        )
        with _staging(place.parent) as staging:
            staged = staging.name()
            _write(source, entries, other.objects, staging, staged)
            _publish(staged, place, staging.name(), force)
        commit = str(other.ws.git.resolve(other.revision).id)
    size = len(source.plain) if source.plain is not None else sum(entry.size for entry in entries.values())
    return Got(place, commit, len(entries) or 1, size)


def _place(base: Path, out: str | os.PathLike[str] | None, name: str) -> Path:
    if out is None:
        return Path(os.path.abspath(base / name))
    place = Path(os.path.abspath(base / out))
    return place / name if place.is_dir() and not place.is_symlink() else place


def _check_free(place: Path, force: bool) -> None:
    if not place.parent.is_dir():
        raise NotFoundError(
            f"there is no folder {display(place.parent)}", kind="no-path", hint=f"mkdir -p {display(place.parent)}"
        )
    if os.path.lexists(place) and not force:
        hint = "choose another place with -o, or replace it with --force"
        raise RefusedError(f"{display(place)} exists", kind="exists", hint=hint)
    if place.is_dir() and (Path.cwd().is_relative_to(place) or (place / ".git").exists()):
        raise RefusedError(
            f"{display(place)} is a repository or the folder that you are in", kind="exists", hint="choose another"
        )


@contextmanager
def _staging(parent: Path) -> Iterator[Session]:
    """A temporary folder on the file system of the result; the next `get` removes what a killed one left there."""
    try:
        with session(parent / _STAGING) as temporary:
            yield temporary
    finally:
        with suppress(OSError):
            os.rmdir(parent / _STAGING)


def _write(source: Source, entries: Mapping[str, TreeEntry], objects: Objects, staging: Session, staged: Path) -> None:
    if source.plain is not None:
        _write_plain(staged, source.plain)
        return
    single = "" in entries
    root = staging.folder if single else staged
    root.mkdir(exist_ok=True)
    with (
        objects.progress.task(f"writing {source.name}", sum(entry.size for entry in entries.values()), "bytes") as task,
        objects.cache.in_use(),
        target(root, staging, ["copy"], process_umask()) as folder,
    ):
        for name, entry in entries.items():
            place = staged.name if single else name
            if entry.kind == "l":
                folder.write_link(place, _link_target(source, entry, objects))
            else:
                folder.write(objects.holder(entry.oid), place, entry.oid, entry.size, executable=entry.kind == "x")
            task.advance(entry.size)
    sync_filesystem(root)


def _write_plain(path: Path, data: bytes) -> None:
    fd = os.open(path, CREATE_FLAGS, 0o666)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def _link_target(source: Source, entry: TreeEntry, objects: Objects) -> str:
    text = os.fsdecode(objects.holder(entry.oid).read(entry.oid))
    inside = entry.path.removeprefix(f"{source.part}/") if source.part else entry.path
    if problem := link_problem(inside, text):
        hint = "get the whole directory, or the file that it points to"
        raise RefusedError(
            f"{display(source.where)}: {display(inside)} -> {display(text)}: {problem}", kind="link-outside", hint=hint
        )
    return text


def _publish(staged: Path, place: Path, aside: Path, force: bool) -> None:
    """By one rename. What lay there is moved aside first, and removed when the new thing stands."""
    if force and os.path.lexists(place) and (place.is_dir() or staged.is_dir()):
        os.rename(place, aside)
    if force or staged.is_dir() or staged.is_symlink():
        os.rename(staged, place)
    else:
        _rename_new(staged, place)
    sync_path(place.parent)
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside)


def _rename_new(staged: Path, place: Path) -> None:
    """Never over what appeared meanwhile."""
    try:
        os.link(staged, place)
    except FileExistsError:
        raise RefusedError(f"{display(place)} exists", kind="exists", hint="replace it with --force") from None
    except OSError:
        os.rename(staged, place)  # a file system without hard links
        return
    os.unlink(staged)
