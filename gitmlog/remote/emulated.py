"""Google Cloud Storage at another address (`endpoint`), by gcsfs: obstore speaks to Google's own servers only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import MethodType
from typing import Any

from fsspec.asyn import sync
from gcsfs.core import GCSFileSystem, initiate_upload, upload_chunk
from gcsfs.retry import retry_request

from gitmlog.core.atomic import storage_errors, write_all
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.errors import kind_of, plain_error, remote_errors, wrong_size
from gitmlog.remote.filesystem import DEFAULT_JOBS, PART, RemoteFileSystem, Report, Upload, checked_bytes, checked_pieces
from gitmlog.remote.layout import object_of
from gitmlog.remote.urls import Location, check_endpoint

# it logs every failure with its traceback, before it raises it
logging.getLogger("gcsfs").setLevel(logging.CRITICAL + 1)

_CHUNK = 1 << 20
"""Bytes of one part; aiohttp warns of larger bodies."""


def open_emulated_gs(spec: RemoteSpec, location: Location) -> RemoteFileSystem:
    """A server that speaks the protocol of GCS."""
    return EmulatedFileSystem(spec, location.host)


class EmulatedFileSystem(RemoteFileSystem):
    """gcsfs, with objects hashed on their way out."""

    protocol = "gs"

    def __init__(self, spec: RemoteSpec, bucket: str) -> None:
        self.bucket = bucket
        # the class of the package's top level would ask Google's control service for the kind of bucket, by gRPC, at any endpoint
        fs = GCSFileSystem(
            token=str(spec.options["credentials"]) if "credentials" in spec.options else "anon",
            endpoint_url=check_endpoint(str(spec.options["endpoint"])),
            requests_timeout=int(spec.options.get("timeout", 60)),
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        # gcsfs has a fixed number of attempts, and pauses that add up to half a minute
        attempts = max(1, int(spec.options.get("retries", 5)))
        fs._request = MethodType(retry_request(GCSFileSystem._request.__wrapped__, retries=attempts), fs)
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
        with remote_errors(self.remote), self.budget.take(min(upload.size, 2 * _CHUNK)):
            if upload.size <= _CHUNK // 2:
                self.fs.pipe_file(upload.path, checked_bytes(upload), mode="overwrite")
                report(upload.size)
            else:
                sync(self.fs.loop, _send_parts, self.fs, upload, report)

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
                self._check_bucket()
                raise

    def _check_bucket(self) -> None:
        """gcsfs says the same of a missing bucket as of a missing object."""
        try:
            self.fs.call("GET", "b/{}", self.bucket, json_out=True)
        except FileNotFoundError as error:
            raise plain_error(self.remote, "remote-missing") from error
        except Exception as error:
            # one may be allowed to use the objects of a bucket and not to ask about the bucket
            if kind_of(error) != "remote-auth":
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


async def _send_parts(fs: Any, upload: Upload, report: Report) -> None:
    bucket, _, key = upload.path.partition("/")
    location = await initiate_upload(fs, bucket, key)
    offset = 0
    for piece in checked_pieces(upload, _CHUNK, report):
        # the last piece completes the object: it comes only when the hash fits
        await upload_chunk(fs, location, piece, offset, upload.size, "application/octet-stream")
        offset += len(piece)
