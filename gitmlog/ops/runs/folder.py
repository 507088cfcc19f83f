"""The folder of a run that goes on, and what the clone remembers between runs (spec: run.md, While it runs)."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitmlog.core.atomic import write_atomic
from gitmlog.core.errors import DataError, NotFoundError
from gitmlog.core.locks import is_free
from gitmlog.runs.record import is_run_id
from gitmlog.runs.tags import LIVE

_MAX_START = 8 << 20
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
        return (self.path / "start.json").exists()

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
        """
        fd = os.open(self.owner, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(fd)
            if os.fstat(fd).st_ino != os.stat(self.owner).st_ino:  # what was locked is no longer what others would lock
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
            return (self.path / "blobs" / oid).read_bytes()
        except FileNotFoundError:
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
            with open(self.path / "start.json", "rb") as stream:
                found = json.loads(stream.read(_MAX_START))
        except FileNotFoundError as error:
            raise NotFoundError(f"run {self.id} is not going on", kind="no-run", hint="gitmlog runs list") from error
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{self.path / 'start.json'}: {error}", kind="bad-run", hint="look at it; then delete the folder"
            ) from error
        if not isinstance(found, dict) or found.get("version") != 1:
            hint = "upgrade gitmlog, or look at it and delete the folder"
            raise DataError(f"{self.path / 'start.json'} is not of version 1", kind="newer-version", hint=hint)
        return found

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
        if is_run_id(name) and (folder / name).is_dir():
            yield RunFolder(folder / name)


def newest_start(home: Path) -> datetime | None:
    """When the newest run of this clone started."""
    with suppress(OSError, ValueError):
        return datetime.fromisoformat((runs_folder(home) / "newest").read_text("ascii").strip()).astimezone(UTC)
    return None


def note_newest(home: Path, started: datetime) -> None:
    """Remember it. Lost or late, it costs the order of two runs and nothing else."""
    path = runs_folder(home) / "newest"
    temporary = path.with_name(f"newest.{os.getpid()}")
    with suppress(OSError):
        temporary.write_text(started.isoformat(), "ascii")
        os.replace(temporary, path)
