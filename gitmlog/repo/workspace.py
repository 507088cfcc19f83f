"""The repository that a command works in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from gitmlog.core.atomic import READ_FLAGS, replace_below, write_new
from gitmlog.core.errors import DataError, NotFoundError, RefusedError, UsageError
from gitmlog.core.locks import locked
from gitmlog.core.paths import METAFILE_SUFFIX, display, metafile_of, tracked_problem
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.session import Session, clean_sessions, session
from gitmlog.git.repository import GitRepo
from gitmlog.git.staging import remove_dead_lock
from gitmlog.metafile.schema import MAX_BYTES, Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.repo.config import SHARED_PATH, Config, Source, Text, load_config
from gitmlog.repo.pushed import Pushed
from gitmlog.repo.schema import Layer
from gitmlog.store.cache import Cache
from gitmlog.store.state import State


class Workspace:
    """A git repository with what gitmlog keeps in it. Opening one writes nothing.

    Attributes:
        git: the repository.
        root: the top folder of the working tree.
        user_config: the user's own configuration file, or None to read none.
    """

    def __init__(self, git: GitRepo, user_config: Path | None = None) -> None:
        self.git = git
        self.root = git.worktree
        self.user_config = user_config
        self.home = git.commondir / "gitmlog"
        self._private = git.gitdir / "gitmlog"

    @classmethod
    def open(cls, start: Path, user_config: Path | None = None) -> Workspace:
        """The repository that `start` lies in. Raises NotFoundError, GitError."""
        return cls(GitRepo.discover(start), user_config)

    @classmethod
    @contextmanager
    def opened(cls, start: Path, user_config: Path | None = None) -> Iterator[Workspace]:
        """As `open`, and closed at the end."""
        ws = cls.open(start, user_config)
        try:
            yield ws
        finally:
            ws.close()

    def close(self) -> None:
        """Let go of what was opened; what nobody asked for is not opened for this."""
        if "state" in self.__dict__:
            self.state.close()

    @property
    def config_files(self) -> dict[Layer, Path]:
        """Where each layer of the configuration is."""
        files: dict[Layer, Path] = {"local": self.home / "config.toml", "shared": self.root / SHARED_PATH}
        if self.git.foreign:
            del files["local"]
        if self.user_config is not None:
            files["user"] = self.user_config
        return files

    @property
    def config_sources(self) -> dict[Layer, Source]:
        """Where each layer is read: the committed file that a sparse checkout leaves out, in the index."""
        found: dict[Layer, Source] = {**self.config_files}
        if self.git.is_sparse and self.git.is_left_out(SHARED_PATH):
            found["shared"] = Text(SHARED_PATH, self.git.index_blob(SHARED_PATH) or b"")
        return found

    @cached_property
    def config(self) -> Config:
        """The settings, as they were when first asked for. Raises ConfigError."""
        self._refuse_link(SHARED_PATH)
        return load_config(self.config_sources)

    @cached_property
    def cache(self) -> Cache:
        """The local object database; that of a foreign repository is only read."""
        if self.git.foreign:
            return Cache(self.home / "cache", read_only=True)
        configured = self.config.get("cache.dir")
        place = os.path.expanduser(configured) if isinstance(configured, str) else "cache"
        return Cache(self.home / place, user=self.git.commondir)

    @cached_property
    def state(self) -> State:
        """What was hashed in this working tree."""
        return State(self._private / "state.db")

    @cached_property
    def pushed(self) -> Pushed:
        """What remotes were seen to hold."""
        return Pushed(self.home / "pushed.db")

    @property
    def trust_file(self) -> Path:
        """Where trusted remote addresses are remembered."""
        return self.home / "trust.toml"

    @property
    def jobs(self) -> int:
        """Threads that hash and copy."""
        configured = self.config.get("core.jobs")
        return configured if isinstance(configured, int) else (os.cpu_count() or 1)

    @property
    def links(self) -> list[str]:
        """How files are taken out of the cache, in the order to try."""
        configured = self.config.get("cache.link")
        return list(configured) if isinstance(configured, list) else ["copy"]

    @contextmanager
    def changing(self, progress: Progress = SILENT) -> Iterator[None]:
        """Be the only gitmlog that changes this working tree, and keep gc away."""
        with locked(self._private / "lock", progress=progress), self.cache.in_use():
            remove_dead_lock(self.git.gitdir / "index.lock")
            clean_sessions(self._private / "tmp")
            clean_sessions(self.cache.root / "tmp")
            yield

    @contextmanager
    def temporary(self) -> Iterator[Session]:
        """A temporary folder on the git directory's file system."""
        with session(self._private / "tmp") as opened:
            yield opened

    def write(self, path: str, data: bytes) -> None:
        """Replace a file of the working tree, durably, without following a link and without a trace when killed.

        Raises:
            RefusedError: kind `link-in-path`.
            OSError: the disk is full or read-only; the file is as it was.
        """
        with self.temporary() as temporary:
            source = temporary.name()
            write_new(source, data)
            replace_below(self.root, tuple(path.split("/")), source, data)

    def relative(self, path: str | os.PathLike[str], base: Path) -> str:
        """`path` (as a user in the folder `base` wrote it), relative to the working tree, "/"-separated; "" is the root.

        A folder that is a link is followed when it leads inside, so that one file has one path.

        Raises:
            UsageError: kind `empty-path`.
            RefusedError: kind `outside-repository`.
        """
        text = os.fspath(path)
        if not text:
            raise UsageError("a path is empty", kind="empty-path", hint="`.` is the folder you are in")
        given = Path(os.path.normpath(base / text))
        found = given if given == self.root else given.parent.resolve() / given.name
        try:
            relative = found.relative_to(self.root).as_posix()
        except ValueError:
            hint = f"copy it into {display(self.root)} first"
            raise RefusedError(f"{display(text)} is outside the repository", kind="outside-repository", hint=hint) from None
        if relative.split("/")[0] == ".git" or found.is_relative_to(self.git.gitdir):
            raise RefusedError(
                f"{display(text)} is git's own", kind="outside-repository", hint="choose a path of the working tree"
            )
        return "" if relative == "." else relative

    def metafile(self, path: str) -> Metafile:
        """What the working tree's metafile of `path` says.

        Raises:
            NotFoundError: kind `not-tracked`.
            DataError: kinds `bad-metafile`, `newer-version`.
        """
        check_tracked_name(path)
        data = self.metafile_text(path)
        if data is None:
            hint = f"gitmlog add {display(path)}"
            raise NotFoundError(f"{display(path)} is not tracked by gitmlog", kind="not-tracked", hint=hint)
        return parse_metafile(data, metafile_of(path))

    def metafile_text(self, path: str) -> bytes | None:
        """The text of the working tree's metafile of `path`, or None. Never read through a link."""
        name = metafile_of(path)
        try:
            fd = os.open(self.root / name, READ_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._refuse_link(name)
            raise DataError(f"{display(name)} cannot be read: {error.strerror}", kind="bad-metafile") from error
        with open(fd, "rb") as stream:
            return stream.read(MAX_BYTES + 1)

    def _refuse_link(self, path: str) -> None:
        if (self.root / path).is_symlink():
            hint = f"take it back from git: `git checkout HEAD -- {display(path)}`"
            raise RefusedError(f"{display(path)} is a symbolic link", kind="link-in-path", hint=hint)

    def tracked(self) -> list[str]:
        """The paths that have a metafile in the index or, not yet staged, in the working tree; sorted."""
        staged = (entry.path for entry in self.git.index if entry.path.endswith(METAFILE_SUFFIX))
        fresh = (path for path in self.git.untracked() if path.endswith(METAFILE_SUFFIX))
        paths = {name.removesuffix(METAFILE_SUFFIX) for name in (*staged, *fresh)}
        return sorted(path for path in paths if path and not path.endswith("/"))

    def is_left_out(self, path: str) -> bool:
        """Whether a sparse checkout leaves the metafile of `path` out of this working tree."""
        return self.git.is_left_out(metafile_of(path))

    def owner(self, path: str, tracked: list[str] | None = None) -> str | None:
        """The tracked path that `path` is or lies in, or None."""
        parts = path.split("/")
        candidates = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        if tracked is not None:
            known = set(tracked)
            return next((candidate for candidate in candidates if candidate in known), None)
        return next((candidate for candidate in candidates if os.path.lexists(self.root / metafile_of(candidate))), None)


def check_tracked_name(path: str) -> None:
    """Refuse a metafile that stands where none may: a commit by anybody can hold `x/.git.gitmlog` (spec: metafile.md, Threats).

    Raises:
        DataError: kind `bad-metafile`.
    """
    if problem := tracked_problem(path):
        name = display(metafile_of(path))
        hint = f"nothing was written; it is hostile or a mistake: git rm --cached -- {name}, then delete it"
        raise DataError(f"{name} may not track anything: {problem}", kind="bad-metafile", hint=hint)
