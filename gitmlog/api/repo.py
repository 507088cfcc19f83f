"""One repository, and files of it: the public API of everything but runs."""

from __future__ import annotations

import io
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gitmlog.api.process import USER_CONFIG, AnyPath, config_file
from gitmlog.core.progress import SILENT, Progress

if TYPE_CHECKING:
    from gitmlog.metafile.schema import Type
    from gitmlog.ops.add import AddResult
    from gitmlog.ops.carry import CheckedOut
    from gitmlog.ops.gc import GcReport
    from gitmlog.ops.remotes import RemoteInfo
    from gitmlog.ops.status import Status
    from gitmlog.ops.sync import SyncReport
    from gitmlog.ops.verify import VerifyReport
    from gitmlog.repo.workspace import Workspace


class Repo:
    """A git repository that gitmlog works in.

    Paths given to its methods are relative to the top of its working tree, or absolute. Every call sees the repository as it is
    then; nothing is held open between calls, so one Repo may be used from several threads and for as long as wanted.
    """

    def __init__(self, root: Path, *, user_config: AnyPath | None = USER_CONFIG, progress: Progress = SILENT) -> None:
        self._root = root
        self._user_config = config_file(user_config)
        self._progress = progress

    @classmethod
    def open(cls, path: AnyPath = ".", *, user_config: AnyPath | None = USER_CONFIG, progress: Progress = SILENT) -> Repo:
        """The repository that `path` lies in.

        Args:
            path: a folder of the working tree.
            user_config: the user's own configuration file; None reads none.
            progress: told how far long work is (gitmlog.core.progress).

        Raises:
            NotFoundError: kind `no-repository`.
            GitError: kinds `bare-repository`, `unsafe-repository`, `unsupported-repository`.
        """
        from gitmlog.repo.workspace import Workspace

        root = Workspace.open(Path(path), config_file(user_config)).root
        return cls(root, user_config=user_config, progress=progress)

    @classmethod
    def init(
        cls,
        path: AnyPath = ".",
        *,
        hooks: bool = True,
        drivers: bool = True,
        user_config: AnyPath | None = USER_CONFIG,
        progress: Progress = SILENT,
    ) -> Repo:
        """Prepare the git repository that `path` lies in; repeatable (spec: cache.md, Place; guide: hooks.md).

        Args:
            path: a folder of the working tree.
            hooks: put git's hooks in place.
            drivers: tell git how to show and merge metafiles.
            user_config: the user's own configuration file; None reads none.
            progress: told how far long work is (gitmlog.core.progress).

        Raises:
            as `open`; StorageError; GitError: kind `index-locked`.
        """
        import sys

        from gitmlog.ops.init import init

        repo = cls.open(path, user_config=user_config, progress=progress)
        with repo._workspace() as ws:
            init(ws, sys.executable, hooks=hooks, drivers=drivers)
        return repo

    def __repr__(self) -> str:
        return f"Repo({str(self._root)!r})"

    @property
    def root(self) -> Path:
        """The top folder of the working tree."""
        return self._root

    @property
    def cache(self) -> Path:
        """The folder of the cache (spec: cache.md). Raises ConfigError."""
        with self._workspace() as ws:
            return ws.cache.root

    @property
    def tracked(self) -> list[str]:
        """The tracked paths, sorted."""
        with self._workspace() as ws:
            return ws.tracked()

    @property
    def remotes(self) -> list[RemoteInfo]:
        """The configured remotes (spec: config.md). Raises ConfigError."""
        from gitmlog.ops.remotes import list_remotes

        with self._workspace() as ws:
            return list_remotes(ws)

    def add(
        self,
        *paths: AnyPath,
        desc: str | None = None,
        type: Type | None = None,  # noqa: A002 - the word of the metafile
        link: str | None = None,
        rehash: bool = False,
    ) -> AddResult:
        """Track files and directories: bytes into the cache, metafiles written and staged (spec: metafile.md, cache.md).

        Args:
            paths: files, directories, or patterns.
            desc: a description; None keeps the one there is.
            type: "model", "dataset" or "artifact"; None keeps the one there is.
            link: "reflink", "hardlink" or "symlink": replace the working files by links into the cache.
            rehash: believe nothing that was hashed before.

        Raises:
            NotFoundError, RefusedError, DataError (`changed-while-read`), StorageError: as `gitmlog.ops.add.add`.
        """
        from gitmlog.ops.add import AddOptions, add

        with self._workspace() as ws:
            return add(ws, _texts(paths), ws.root, AddOptions(rehash, link, desc, type), progress=self._progress)

    def status(self, *paths: AnyPath, rehash: bool = False) -> Status:
        """What differs between metafiles, working tree, cache and remote; the network is not used.

        Raises:
            NotFoundError: kind `not-tracked`.
        """
        from gitmlog.ops.status import status

        with self._workspace() as ws:
            return status(ws, _texts(paths), ws.root, rehash=rehash, progress=self._progress)

    def checkout(self, *paths: AnyPath, rev: str | None = None, force: bool = False) -> list[CheckedOut]:
        """Write tracked files into the working tree; with `rev`, as they were there, and stage those metafiles.

        Raises:
            RefusedError: kind `would-overwrite`: bytes that are kept nowhere else would be lost, and `force` is false.
            MissingDataError: an object is not in the cache: `pull`.
            NotFoundError, DataError, StorageError.
        """
        from gitmlog.ops.checkout import checkout

        with self._workspace() as ws:
            return checkout(ws, _texts(paths), ws.root, revision=rev, force=force, progress=self._progress)

    def push(
        self,
        *paths: AnyPath,
        remote: str | None = None,
        rev: str | None = None,
        all: bool = False,  # noqa: A002 - the option's word
        jobs: int | None = None,
    ) -> SyncReport:
        """Send objects to a remote (spec: remote.md, Sending).

        Args:
            paths: tracked paths or parts of them; none means everything of this branch that no git remote has.
            remote: its name; None is the default remote.
            rev: the metafiles of this revision instead of the working tree's.
            all: those of all revisions that can be reached.
            jobs: transfers at once.

        Raises:
            MissingDataError: objects are neither in the cache nor on the remote.
            RemoteError, RefusedError (`remote-changed`), NotFoundError (`no-remote`).
        """
        from gitmlog.ops.sync import SyncOptions, push

        with self._workspace() as ws:
            return push(ws, _texts(paths), ws.root, SyncOptions(remote, rev, all, jobs), progress=self._progress)

    def fetch(
        self,
        *paths: AnyPath,
        remote: str | None = None,
        rev: str | None = None,
        all: bool = False,  # noqa: A002 - the option's word
        jobs: int | None = None,
    ) -> SyncReport:
        """Bring objects into the cache; the working tree is not touched. Arguments as `push`.

        Raises:
            MissingDataError: the remote does not have some of it.
            DataError: kind `corrupt`: the remote holds something damaged.
            RemoteError, RefusedError, NotFoundError.
        """
        from gitmlog.ops.sync import SyncOptions, fetch

        with self._workspace() as ws:
            return fetch(ws, _texts(paths), ws.root, SyncOptions(remote, rev, all, jobs), progress=self._progress)

    def pull(
        self,
        *paths: AnyPath,
        remote: str | None = None,
        rev: str | None = None,
        all: bool = False,  # noqa: A002 - the option's word
        jobs: int | None = None,
        force: bool = False,
    ) -> list[CheckedOut]:
        """Fetch, then check out. Arguments and errors as `fetch` and `checkout`."""
        from gitmlog.ops.pull import pull
        from gitmlog.ops.sync import SyncOptions

        with self._workspace() as ws:
            options = SyncOptions(remote, rev, all, jobs)
            return pull(ws, _texts(paths), ws.root, options, force=force, progress=self._progress)[1]

    def verify(
        self,
        *paths: AnyPath,
        remote: bool = False,
        remote_name: str | None = None,
        repair: bool = False,
        all: bool = False,  # noqa: A002 - the option's word
    ) -> VerifyReport:
        """Read every byte and compare (spec: cache.md, Objects). Damage is reported, not raised: look at `.is_whole`.

        Args:
            paths: only the objects of these; none means all in the cache.
            remote: read what is needed on the remote too.
            remote_name: the remote to read and repair from; None is the default remote.
            repair: replace what is damaged or missing, here and (with `remote`) there.
            all: what all reachable revisions need, not only this one.

        Raises:
            NotFoundError, RemoteError, RefusedError, StorageError.
        """
        from gitmlog.ops.verify import VerifyOptions, verify

        with self._workspace() as ws:
            options = VerifyOptions(remote, remote_name, repair, all)
            return verify(ws, _texts(paths), ws.root, options, progress=self._progress)

    def gc(self, *, prune: bool = False, grace: int | None = None, unpushed: bool = False) -> GcReport:
        """Find, and with `prune` remove, what nothing reaches (spec: cache.md, gc).

        Args:
            prune: do it; else only say what would be done.
            grace: days that an object stays in the trash; None is the configured number.
            unpushed: also what no remote holds.

        Raises:
            RefusedError: kinds `shared-cache`, `newer-version`, `missing-trees`: it cannot be known what is needed.
            GitError, StorageError.
        """
        from gitmlog.ops.gc import GcOptions, gc

        with self._workspace() as ws:
            return gc(ws, GcOptions(prune, grace, unpushed), progress=self._progress)

    def open_file(self, path: AnyPath, rev: str | None = None) -> BinaryIO:
        """As `gitmlog.open`, in this repository: `path` is relative to its top."""
        with self._workspace() as ws:
            return _open_own(ws, ws.relative(path, ws.root), rev, self._progress)

    def get(self, path: AnyPath, rev: str | None = None, out: AnyPath | None = None, force: bool = False) -> Path:
        """As `gitmlog.get`, from this repository."""
        from gitmlog.ops.get import get as get_

        with self._workspace() as ws:
            return get_(ws, os.fspath(path), Path.cwd(), revision=rev, out=out, force=force, progress=self._progress).path

    def _workspace(self) -> AbstractContextManager[Workspace]:
        from gitmlog.repo.workspace import Workspace

        return Workspace.opened(self._root, self._user_config)


def open(
    path: AnyPath,
    rev: str | None = None,
    repo: AnyPath | None = None,
    *,
    user_config: AnyPath | None = USER_CONFIG,
    progress: Progress = SILENT,
) -> BinaryIO:
    """A seekable binary stream of one file, hashed whole before it is handed out, fetched first when it is not cached.

    Args:
        path: a tracked file, a file in a tracked directory, or a file that git keeps itself. Without `repo` it is relative to the
            current folder, like that of the built-in open; with `repo`, to the top of that repository.
        rev: a branch, tag or commit. None is what the working tree's metafile says, never a working file that was edited since
            (a path that has no metafile is the working tree's own file); with `repo`, None is HEAD.
        repo: another repository: a folder, or any address that git clones.
        user_config: the user's own configuration file; None reads none.
        progress: told how far a fetch is.

    Raises:
        NotFoundError: kinds `no-repository`, `no-revision`, `no-path`.
        MissingDataError: neither the cache nor the remote has it.
        DataError: kind `corrupt`.
        RemoteError, RefusedError (`remote-changed`), UsageError (`is-directory`, `bad-url`).
    """
    if repo is None:
        return _open_here(Path(os.path.abspath(path)), rev, config_file(user_config), progress)
    from gitmlog.ops.get import foreign

    with foreign(os.fspath(repo), rev, Path.cwd(), config_file(user_config), progress=progress) as other:
        source = other.source(os.fspath(path))
        if source.plain is not None:
            return io.BytesIO(source.plain)
        return other.objects.open(source.file(other.objects))


def _open_here(path: Path, rev: str | None, user_config: Path | None, progress: Progress) -> BinaryIO:
    from gitmlog.repo.workspace import Workspace

    start = path.parent
    while not start.is_dir():  # a revision may have folders that the working tree has not
        start = start.parent
    with Workspace.opened(start, user_config) as ws:
        return _open_own(ws, ws.relative(path, ws.root), rev, progress)


def _open_own(ws: Workspace, path: str, rev: str | None, progress: Progress) -> BinaryIO:
    from gitmlog.ops.source import Objects, at_revision, in_worktree

    source = in_worktree(ws, path) if rev is None else at_revision(ws, rev, path)
    if source.plain is not None:
        return io.BytesIO(source.plain)
    with ws.cache.in_use():
        objects = Objects.of(ws, progress)
        return objects.open(source.file(objects))


def get(
    repo: AnyPath,
    path: AnyPath,
    rev: str | None = None,
    out: AnyPath | None = None,
    force: bool = False,
    *,
    user_config: AnyPath | None = USER_CONFIG,
    progress: Progress = SILENT,
) -> Path:
    """Write a file or directory of another repository; returns where it is.

    Args:
        repo: a folder, or any address that git clones.
        path: from the top of that repository: a tracked file or directory, a part of one, or a file that git keeps itself.
        rev: a branch, tag or commit; None is HEAD.
        out: where to write, relative to the current folder; an existing folder takes it in. None is its own name here.
        force: replace what lies there.
        user_config: the user's own configuration file, for credentials; None reads none.
        progress: told how far it is.

    Raises:
        NotFoundError: kinds `no-repository`, `no-revision`, `no-path`.
        RefusedError: kind `exists`.
        MissingDataError, DataError (`corrupt`), RemoteError, UsageError (`bad-url`, `bad-path`), StorageError.
    """
    from gitmlog.ops.get import get as get_

    return get_(
        os.fspath(repo),
        os.fspath(path),
        Path.cwd(),
        revision=rev,
        out=out,
        force=force,
        user_config=config_file(user_config),
        progress=progress,
    ).path


def _texts(paths: tuple[AnyPath, ...]) -> list[str]:
    return [os.fspath(path) for path in paths]
