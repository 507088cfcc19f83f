"""The remote as dvc-data sees it: a HashFileDB whose batches are our own."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from dvc_data.hashfile.db import HashFileDB
from fsspec.callbacks import DEFAULT_CALLBACK

from gitmlog.core.digest import ObjectId
from gitmlog.remote.filesystem import RemoteFileSystem, Upload, in_parallel
from gitmlog.remote.layout import object_path, shard_of

if TYPE_CHECKING:
    from dvc_objects.fs.base import FileSystem

Presence = Literal["ask", "all", "none"]

FEW = 64
"""Up to this many objects are asked for one by one."""

_PER_PAGE = 1000
_ASKED_PER_PAGE = 64
_SHARDS = 256


class RemoteDB(HashFileDB):  # type: ignore[misc]
    """Objects on a remote, for one operation.

    Attributes:
        expected: sizes that objects must have to count as present.
        presence: how `oids_exist` answers: `ask` the remote; `all` to receive without asking first (what is missing shows
            when it is fetched); `none` to send whatever is there.
    """

    fs: RemoteFileSystem

    def __init__(
        self, fs: RemoteFileSystem, objects: str, *, expected: Mapping[ObjectId, int] | None = None, presence: Presence = "ask"
    ) -> None:
        super().__init__(fs, objects, hash_name="blake3")
        self.expected = expected or {}
        self.presence = presence
        self._unfit: set[str] = set()

    def oid_to_path(self, oid: str) -> str:
        return object_path(self.path, oid)

    def oids_exist(self, oids: Iterable[str], jobs: int | None = None, progress: Any = None) -> list[str]:
        """Those of `oids` that are there whole. Raises RemoteError."""
        wanted = list(oids)
        if self.presence == "all":
            return wanted
        if self.presence == "none":
            self._unfit.update(wanted)
            return []
        sizes = self.sizes(wanted, jobs)
        fit = [oid for oid in wanted if oid in sizes and self.expected.get(ObjectId(oid), sizes[oid]) == sizes[oid]]
        self._unfit.update(sizes.keys() - set(fit))
        return fit

    def sizes(self, oids: Collection[str], jobs: int | None = None) -> dict[str, int]:
        """Bytes of those of `oids` that are there, by whichever way of asking needs fewer requests. Raises RemoteError."""
        by_path = {self.oid_to_path(oid): oid for oid in oids}
        folders = self._worth_listing(oids)
        jobs = jobs or self.fs.jobs
        if folders:
            found: dict[str, int] = {}
            for listed in in_parallel(self.fs.list_sizes, folders, jobs):
                found.update((path, size) for path, size in listed.items() if path in by_path)
        else:
            found = self.fs.sizes_of(list(by_path), jobs)
        return {by_path[path]: size for path, size in found.items()}

    def _worth_listing(self, oids: Collection[str]) -> list[str]:
        """The folders to list, or none when asking for each object needs less time."""
        if len(oids) <= FEW or not self.fs.can_list:
            return []
        sample = len(self.fs.list_sizes(shard_of(self.path, "00"), _PER_PAGE))
        pages = max(1, sample * _SHARDS // _PER_PAGE)
        if pages * _ASKED_PER_PAGE > len(oids) and pages > 1:
            return []
        return [self.path] if pages <= FEW else sorted({shard_of(self.path, oid) for oid in oids})

    def add(
        self,
        path: str | list[str],
        fs: FileSystem,
        oid: str | list[str],
        hardlink: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        check_exists: bool = True,
        on_error: Callable[[str, BaseException], None] | None = None,
        **kwargs: Any,
    ) -> int:
        """Send objects that are files of this machine. Raises RemoteError; damaged ones go to `on_error`."""
        paths = [path] if isinstance(path, str) else path
        oids = [oid] if isinstance(oid, str) else oid
        if fs.protocol != "local":
            raise TypeError("objects are sent from files of this machine only")
        uploads = [self._upload(source, ObjectId(name)) for source, name in zip(paths, oids, strict=True)]
        failures = self.fs.send_all(uploads, kwargs.get("batch_size") or self.fs.jobs, callback.relative_update)
        for failed, error in failures.items():
            if on_error is None:
                raise error
            on_error(failed, error)
        return len(uploads) - len(failures)

    def _upload(self, source: str, oid: ObjectId) -> Upload:
        size = self.expected[oid] if oid in self.expected else os.stat(source).st_size
        return Upload(oid, source, self.oid_to_path(oid), size, replace=oid in self._unfit)
