"""The folder of a run that goes on, and what the clone remembers between runs (spec: run.md, While it runs)."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gitmlog.core.atomic import CREATE_FLAGS, is_regular, read_plain, write_all, write_atomic
from gitmlog.core.errors import DataError, NotFoundError
from gitmlog.core.locks import is_free
from gitmlog.core.paths import display
from gitmlog.core.toml import shorten
from gitmlog.ops.runs.start_facts import moment, start_problem
from gitmlog.runs.record import is_run_id
from gitmlog.runs.tags import LIVE

_MAX_START = 8 << 20
_MAX_TIME = 100
_MAX_BLOB = 1 << 30
MAX_ENVIRONMENT = 16 << 20
_LIMITS = {"start.json": _MAX_START, "environment.json": MAX_ENVIRONMENT, "system.csv": 1 << 30}
_LARGEST = 16 << 30
"""Of a log or a journal: nobody has ever had one like that, and it would be copied for hours."""
_AHEAD = timedelta(days=2)
"""Of a clock that was wrong by more, the mistake does not live on in all runs to come."""
_TAKE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LOOKING = 0.25
"""Seconds that a look at a lock may take."""


class RunFolder:
    """`.git/gitmlog/runs/ID/`.

    Attributes:
        path: the folder.
        id: the run's id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name

    @classmethod
    def of(cls, home: Path, run_id: str) -> RunFolder:
        """That of one run, in `home` (Workspace.home)."""
        return cls(runs_folder(home) / run_id)

    @property
    def owner(self) -> Path:
        """Locked as long as the process lives that will record the run."""
        return self.path / "owner"

    @property
    def log(self) -> Path:
        """What the run printed."""
        return self.path / "log.txt"

    @property
    def system(self) -> Path:
        """How busy the machine was."""
        return self.path / "system.csv"

    @property
    def environment(self) -> Path:
        """The environment, as JSON."""
        return self.path / "environment.json"

    @property
    def live_ref(self) -> str:
        """The ref that keeps the snapshot."""
        return LIVE + self.id

    @property
    def is_started(self) -> bool:
        """Whether the run began at all."""
        return os.path.lexists(self.path / "start.json")

    @property
    def is_live(self) -> bool:
        """Whether the process that will record the run lives."""
        return not is_free(self.owner)

    def create(self) -> int:
        """Make the folder, which must not be there; returns the descriptor whose lock says that its owner lives.

        Raises:
            FileExistsError: the id is taken. BlockingIOError, FileNotFoundError: `runs recover` took it for one of the dead.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir()
        return self.take()

    def take(self) -> int:
        """Become the owner.

        Raises:
            BlockingIOError: somebody else is.
            FileNotFoundError: the folder is gone.
            DataError: kind `bad-run`: what should be its lock is no plain file.
        """
        try:
            fd = os.open(self.owner, _TAKE, 0o666)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise self._damaged("owner is no plain file") from error
            raise
        try:
            info = os.fstat(fd)
            if not is_regular(info):
                raise self._damaged("owner is no plain file")
            _lock(fd)
            if info.st_ino != os.lstat(self.owner).st_ino:  # what was locked is no longer what others would lock
                raise FileNotFoundError(self.owner)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def keep_blob(self, oid: str, data: bytes) -> None:
        """Keep a file that the commit shall hold: until then nothing in git names it, and `git gc` may take it."""
        folder = self.path / "blobs"
        folder.mkdir(exist_ok=True)
        write_atomic(folder / oid, data)

    def blob(self, oid: str) -> bytes | None:
        """What `keep_blob` kept, or None."""
        try:
            return read_plain(self.path / "blobs" / oid, _MAX_BLOB)
        except OSError:  # git has it all the same, unless something has cleared it away
            return None

    def write_start(self, facts: dict[str, Any]) -> None:
        """Say what is known at the start. From here on the folder is a run's."""
        write_atomic(self.path / "start.json", json.dumps(facts, ensure_ascii=False, indent=1).encode("utf-8", "replace"))

    def read_start(self) -> dict[str, Any]:
        """What was known at the start.

        Raises:
            NotFoundError: kind `no-run`.
            DataError: kind `bad-run`.
        """
        try:
            found = json.loads(read_plain(self.path / "start.json", _MAX_START))
        except FileNotFoundError as error:
            raise NotFoundError(f"run {self.id} is not going on", kind="no-run", hint="gitmlog runs list") from error
        except PermissionError:
            raise
        except OSError as error:
            raise self._damaged(f"start.json: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise self._damaged(f"start.json: {shorten(str(error))}") from error
        if not isinstance(found, dict) or found.get("version") != 1:
            hint = "upgrade gitmlog, or look at it and delete the folder"
            raise DataError(f"{self.path / 'start.json'} is not of version 1", kind="newer-version", hint=hint)
        if problem := start_problem(found, self.id):
            raise self._damaged(f"start.json: {problem}")
        return found

    def check(self) -> None:
        """Look at what there is before it is read: no process of ours makes links or pipes here, nor files beyond all measure.

        Raises:
            DataError: kind `bad-run`.
        """
        for name in os.listdir(self.path):
            info = os.lstat(self.path / name)
            if name == "blobs":
                if not stat.S_ISDIR(info.st_mode):
                    raise self._damaged("blobs is no folder")
            elif not is_regular(info):
                raise self._damaged(f"{display(name)} is no plain file")
            elif info.st_size > (limit := _LIMITS.get(name, _LARGEST)):
                raise self._damaged(f"{display(name)} has {info.st_size:,} bytes (at most {limit:,})")

    def _damaged(self, problem: str) -> DataError:
        hint = f"look at it; then delete the folder: rm -r {display(self.path)}"
        return DataError(f"the folder of run {self.id} is damaged: {problem}", kind="bad-run", hint=hint)

    def remove(self) -> None:
        """The run is recorded, or never began. `start.json` goes first: what is left without it is no run."""
        with suppress(FileNotFoundError):
            os.unlink(self.path / "start.json")
        shutil.rmtree(self.path, ignore_errors=True)


def _lock(fd: int) -> None:
    """Whoever looks whether the owner lives holds the lock for a moment: that is no owner. Raises BlockingIOError."""
    deadline = time.monotonic() + _LOOKING
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.005)


def runs_folder(home: Path) -> Path:
    """Where the folders of runs are."""
    return home / "runs"


def run_folders(home: Path) -> Iterator[RunFolder]:
    """Those that there are, the oldest first; such as never began too."""
    folder = runs_folder(home)
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    for name in names:
        if is_run_id(name) and (folder / name).is_dir() and not (folder / name).is_symlink():
            yield RunFolder(folder / name)


def newest_start(home: Path) -> datetime | None:
    """When the newest run of this clone started; None where that is not known, or lies so far ahead that it cannot be."""
    with suppress(OSError, ValueError):
        found = moment(read_plain(runs_folder(home) / "newest", _MAX_TIME).decode("ascii").strip())
        if found is not None and found < datetime.now(UTC) + _AHEAD:
            return found
    return None


def note_newest(home: Path, started: datetime) -> None:
    """Remember it. Lost or late, it costs the order of two runs and nothing else."""
    path = runs_folder(home) / "newest"
    temporary = path.with_name(f"newest.{os.getpid()}")
    with suppress(OSError):
        replace_plain(path, temporary, started.isoformat().encode("ascii"))


def replace_plain(path: Path, temporary: Path, data: bytes) -> None:
    """Replace `path` by way of `temporary`, whatever stands there; not synced. Raises OSError."""
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, CREATE_FLAGS, 0o666)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)
    os.replace(temporary, path)
