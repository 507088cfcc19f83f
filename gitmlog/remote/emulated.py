"""Google Cloud Storage at another address (`endpoint`), by gcsfs: obstore speaks to Google's own servers only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gcsfs

from gitmlog.core.atomic import storage_errors, write_all
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.errors import remote_errors, wrong_size
from gitmlog.remote.filesystem import DEFAULT_JOBS, PART, RemoteFileSystem, Report, Upload, checked_bytes, checked_pieces
from gitmlog.remote.layout import object_of
from gitmlog.remote.urls import Location, check_endpoint


def open_emulated_gs(spec: RemoteSpec, location: Location) -> RemoteFileSystem:
    """A server that speaks the protocol of GCS."""
    return EmulatedFileSystem(spec, location.host)


class EmulatedFileSystem(RemoteFileSystem):
    """gcsfs, with objects hashed on their way out."""

    protocol = "gs"

    def __init__(self, spec: RemoteSpec, bucket: str) -> None:
        self.bucket = bucket
        fs = gcsfs.GCSFileSystem(
            token=str(spec.options["credentials"]) if "credentials" in spec.options else "anon",
            endpoint_url=check_endpoint(str(spec.options["endpoint"])),
            requests_timeout=int(spec.options.get("timeout", 60)),
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        super().__init__(spec.name, fs, jobs=int(spec.options.get("jobs", DEFAULT_JOBS)))

    def size_of(self, path: str) -> int | None:
        with remote_errors(self.remote):
            try:
                found = self.fs.info(path)
            except FileNotFoundError:
                return None
            return int(found["size"]) if found["type"] == "file" else None

    def list_sizes(self, folder: str, limit: int = 0) -> dict[str, int]:
        with remote_errors(self.remote):
            found = self.fs.find(folder, detail=True, update_cache=False)
            return {name: int(info["size"]) for name, info in found.items() if info["type"] == "file"}

    def send_one(self, upload: Upload, report: Report) -> None:
        with remote_errors(self.remote):
            if upload.size <= PART:
                with self.budget.take(upload.size):
                    self.fs.pipe_file(upload.path, checked_bytes(upload), mode="overwrite")
                    report(upload.size)
                return
            with self.budget.take(2 * PART):
                for _ in checked_pieces(upload, PART, report):
                    pass
                self.fs.put_file(upload.source, upload.path, chunksize=PART)

    def stream(self, path: str) -> Iterator[bytes]:
        size = self.size_of(path)
        if size is None:
            raise FileNotFoundError(path)
        for start in range(0, size, PART):
            with remote_errors(self.remote):
                yield self.fs.cat_file(path, start=start, end=min(start + PART, size))

    def read_small(self, path: str, limit: int) -> bytes:
        with remote_errors(self.remote):
            try:
                return bytes(self.fs.cat_file(path))[:limit]
            except FileNotFoundError:
                # gcsfs says the same of a missing bucket as of a missing object
                self.fs.call("GET", "b/{}", self.bucket, json_out=True)
                raise

    def create_small(self, path: str, data: bytes) -> None:
        with remote_errors(self.remote):
            self.fs.pipe_file(path, data, mode="overwrite")

    def get_file(self, from_info: str, to_info: str, callback: Any = None, **kwargs: Any) -> None:
        """Fetch one object; a size that was not promised is refused."""
        expected = self.promised.get(from_info)
        received = 0
        with self.budget.take(PART), open(to_info, "wb", buffering=0) as out:
            for piece in self.stream(from_info):
                with storage_errors("receiving an object"):
                    write_all(out.fileno(), piece)
                received += len(piece)
                if callback is not None:
                    callback.relative_update(len(piece))
        if expected is not None and received != expected:
            raise wrong_size(object_of(from_info), received, expected)
