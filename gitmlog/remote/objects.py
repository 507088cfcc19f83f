"""The first form of a remote: whole objects under their ids."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from gitmlog.core.digest import ObjectId, is_object_id
from gitmlog.core.errors import GitmlogError, NotFoundError
from gitmlog.core.progress import SILENT, Progress, Task
from gitmlog.remote.base import Health, RemoteSpec, SyncResult
from gitmlog.remote.db import Presence, RemoteDB
from gitmlog.remote.errors import plain_error
from gitmlog.remote.filesystem import RemoteFileSystem, in_parallel
from gitmlog.remote.layout import MARKER_TEXT, MAX_MARKER, Layout, check_marker
from gitmlog.remote.quiet import Bytes, Outcome, transfer_flat

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB

Sizes = Mapping[ObjectId, int]


class ObjectRemote:
    """A remote that keeps every object as one file (spec: remote.md). Opening one touches nothing; the first call does."""

    def __init__(self, spec: RemoteSpec, fs: RemoteFileSystem, root: str) -> None:
        self._spec = spec
        self._fs = fs
        self._layout = Layout(root)
        self._guard = threading.Lock()
        self._marked: bool | None = None
        self._prepared = False

    @property
    def spec(self) -> RemoteSpec:
        """What it was opened from."""
        return self._spec

    @property
    def read_only(self) -> bool:
        """Whether nothing can be sent to it."""
        return self._fs.read_only

    def is_begun(self) -> bool:
        """Whether anything was ever sent to it: the marker is there. Raises RemoteError."""
        self._check_marker()
        return bool(self._marked)

    def exist(self, oids: Collection[ObjectId], progress: Progress = SILENT, *, sizes: Sizes | None = None) -> set[ObjectId]:
        """Those of `oids` that the remote holds, with the size in `sizes` where it is known. Raises RemoteError."""
        wanted = _checked(oids)
        if not wanted:
            return set()
        self._check_marker()
        found = self._db(expected=sizes).oids_exist(wanted)
        return {ObjectId(oid) for oid in found}

    def send(
        self, source: HashFileDB, oids: Collection[ObjectId], *, progress: Progress = SILENT, jobs: int | None = None
    ) -> SyncResult:
        """Copy objects from `source`; those that are there with the same size are not sent again. Raises RemoteError."""
        return self._send(source, oids, "ask", progress, jobs)

    def replace(self, source: HashFileDB, oids: Collection[ObjectId], *, progress: Progress = SILENT) -> SyncResult:
        """Send objects in place of what is there. Raises RemoteError."""
        return self._send(source, oids, "none", progress, None)

    def receive(
        self,
        target: HashFileDB,
        oids: Collection[ObjectId],
        *,
        progress: Progress = SILENT,
        jobs: int | None = None,
        sizes: Sizes | None = None,
    ) -> SyncResult:
        """Copy objects into `target`, which checks each against its id; other sizes than `sizes` are refused.

        Raises:
            RemoteError: the remote cannot be read.
            StorageError: this machine's disk is full or fails.
        """
        wanted = _checked(oids)
        known = {oid: sizes[oid] for oid in wanted if oid in sizes} if sizes else {}
        absent = wanted - set(target.oids_exist(wanted))
        if not absent:
            return SyncResult(present=frozenset(wanted))
        self._check_marker()
        db = self._db(expected=known, presence="all")
        self._fs.promised.update((db.oid_to_path(oid), size) for oid, size in known.items())
        total = sum(known[oid] for oid in absent) if absent <= known.keys() else None
        with progress.task(f"receiving from {self._spec.name}", total, "bytes") as task:
            outcome = transfer_flat(db, target, wanted, jobs=jobs, callback=Bytes(task))
        landed = {ObjectId(oid) for oid in target.oids_exist(outcome.new)}
        return _result(outcome, landed, "it was not seen after it was received")

    def verify(self, oids: Collection[ObjectId], *, progress: Progress = SILENT) -> dict[ObjectId, Health]:
        """Read every byte of `oids` on the remote and compare. Raises RemoteError."""
        wanted = sorted(_checked(oids))
        if not wanted:
            return {}
        self._check_marker()
        with progress.task(f"verifying {self._spec.name}", len(wanted), "files") as task:
            return dict(zip(wanted, in_parallel(lambda oid: self._health(oid, task), wanted, self._fs.jobs), strict=True))

    def _health(self, oid: ObjectId, task: Task) -> Health:
        try:
            actual = self._fs.digest_of(self._db().oid_to_path(oid), lambda _: None)
        except FileNotFoundError:
            return "missing"
        finally:
            task.advance()
        return "ok" if actual == oid else "corrupt"

    def _send(
        self, source: HashFileDB, oids: Collection[ObjectId], presence: Presence, progress: Progress, jobs: int | None
    ) -> SyncResult:
        if self.read_only:
            raise plain_error(self._spec.name, "remote-read-only")
        wanted = _checked(oids)
        if not wanted:
            return SyncResult()
        sizes = _sizes_here(source, wanted)
        self._check_marker(write=True)
        db = self._db(expected=sizes, presence=presence)
        with ExitStack() as stack:
            callback: Any = _Late()

            def begin(new: set[ObjectId]) -> None:
                total = sum(sizes[oid] for oid in new)
                callback.task = stack.enter_context(progress.task(f"sending to {self._spec.name}", total, "bytes"))

            outcome = transfer_flat(source, db, wanted, jobs=jobs, callback=callback, begin=begin)
        seen = self._db(expected=sizes).oids_exist(outcome.new - outcome.failed.keys(), jobs) if outcome.new else []
        return _result(outcome, {ObjectId(oid) for oid in seen}, "it was not seen whole on the remote after it was sent")

    def _db(self, *, expected: Sizes | None = None, presence: Presence = "ask") -> RemoteDB:
        return RemoteDB(self._fs, self._layout.objects, expected=expected, presence=presence)

    def _check_marker(self, *, write: bool = False) -> None:
        with self._guard:
            if self._marked is None:
                self._marked = self._read_marker()
            if write and not self._prepared:
                self._fs.prepare(self._layout.temporary)
                if not self._marked:
                    self._fs.create_small(self._layout.marker, MARKER_TEXT)
                    self._marked = self._read_marker()
                self._prepared = True

    def _read_marker(self) -> bool:
        try:
            data = self._fs.read_small(self._layout.marker, MAX_MARKER + 1)
        except FileNotFoundError:
            return False
        check_marker(data, self._spec.name)
        return True


class _Late(Bytes):
    """A callback whose task is known only when transfer() has found out what is new."""

    def __init__(self) -> None:
        super().__init__(SILENT.task("", None).__enter__())

    @property
    def task(self) -> Task:
        return self._task

    @task.setter
    def task(self, task: Task) -> None:
        self._task = task


def _checked(oids: Collection[ObjectId]) -> set[ObjectId]:
    for oid in oids:
        if not is_object_id(oid):
            raise NotFoundError(f"{oid!r} is no object id")
    return set(oids)


def _sizes_here(source: HashFileDB, oids: Collection[ObjectId]) -> dict[ObjectId, int]:
    return {ObjectId(oid): os.stat(source.get(oid).path).st_size for oid in source.oids_exist(oids)}


def _result(outcome: Outcome, landed: set[ObjectId], unseen: str) -> SyncResult:
    failed = {oid: _reason(error) for oid, error in outcome.failed.items()}
    missing = outcome.missing | {oid for oid, error in outcome.failed.items() if isinstance(error, FileNotFoundError)}
    for oid in missing:
        failed.pop(oid, None)
    for oid in outcome.new - landed - missing - failed.keys():
        failed[oid] = unseen
    return SyncResult(frozenset(landed - failed.keys()), frozenset(outcome.present), frozenset(missing), failed)


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, GitmlogError) else f"{type(error).__name__}: {error}"
