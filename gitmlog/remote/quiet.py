"""dvc-data's transfer() without its voice: it logs failures with tracebacks and draws bars of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import Callback

from gitmlog.core.digest import ObjectId
from gitmlog.core.progress import Task

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB

_TRANSFER = logging.getLogger("dvc_data.hashfile.transfer")
_BARS = logging.getLogger("dvc_data.callbacks")


@dataclass
class Outcome:
    """What transfer() found and did: sets of objects, and why some failed."""

    present: set[ObjectId] = field(default_factory=set)
    new: set[ObjectId] = field(default_factory=set)
    missing: set[ObjectId] = field(default_factory=set)
    failed: dict[ObjectId, BaseException] = field(default_factory=dict)


class Bytes(Callback):  # type: ignore[misc]
    """Hands bytes on to a task; transfer()'s own counts of files are not wanted."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task

    def set_size(self, size: int) -> None:
        return None

    def relative_update(self, inc: int = 1) -> None:
        self._task.advance(inc)


class _Failures(logging.Filter):
    """Takes the failures that this thread's transfer() logs, and keeps them from every handler."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: dict[ObjectId, BaseException] = {}
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread or record.levelno < logging.ERROR:
            return True
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(record.args, tuple) and record.args and error is not None:
            self.failed[ObjectId(str(record.args[0]))] = error
        return False


@contextmanager
def _listening() -> Iterator[_Failures]:
    # dvc-data draws its bars by tqdm whenever stderr is a terminal, unless its logger is silent
    if _BARS.level <= logging.CRITICAL:
        _BARS.setLevel(logging.CRITICAL + 1)
    failures = _Failures()
    _TRANSFER.addFilter(failures)
    try:
        yield failures
    finally:
        _TRANSFER.removeFilter(failures)


def transfer_flat(
    source: HashFileDB,
    target: HashFileDB,
    oids: Collection[ObjectId],
    *,
    jobs: int | None,
    callback: Callback,
    begin: Callable[[set[ObjectId]], object] = lambda _: None,
) -> Outcome:
    """Copy single objects by dvc-data's transfer(); trees are objects like any other.

    Args:
        begin: called with the objects that will be copied, before the first one is.

    Raises:
        GitmlogError: whatever source or target raise to end the whole transfer.
    """
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    outcome = Outcome()

    def validate(status: Any) -> None:
        outcome.present = _ids(status.ok | status.deleted)
        outcome.new = _ids(status.new)
        outcome.missing = _ids(status.missing)
        begin(outcome.new)

    infos = {HashInfo("blake3", oid) for oid in oids}
    with _listening() as failures:
        transfer(source, target, infos, jobs=jobs, validate_status=validate, callback=callback)
    outcome.failed = failures.failed
    return outcome


def _ids(infos: Any) -> set[ObjectId]:
    return {ObjectId(info.value) for info in infos}
