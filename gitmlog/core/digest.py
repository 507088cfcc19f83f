"""BLAKE3-256 (the BLAKE3 paper, section 2), the only hash that names objects."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from blake3 import blake3

ObjectId = NewType("ObjectId", str)
"""64 lower-case hexadecimal digits: the BLAKE3-256 of an object's bytes."""

_OBJECT_ID = re.compile(r"[0-9a-f]{64}")

THREADED_SIZE = 1 << 20
"""Bytes from which BLAKE3's own threads are worth starting (measured: below, one thread is faster)."""

CHUNK = 8 << 20
"""Bytes read at once from a large file."""


def is_object_id(text: object) -> bool:
    """Whether `text` has the exact form of an object id."""
    return isinstance(text, str) and _OBJECT_ID.fullmatch(text) is not None


def new_hasher(*, threads: bool = False) -> blake3:
    """A BLAKE3 hasher; `threads` lets one `update` of a large buffer use every core."""
    from blake3 import blake3

    return blake3(max_threads=blake3.AUTO) if threads else blake3()


def hash_bytes(data: bytes) -> ObjectId:
    """The id of these bytes."""
    hasher = new_hasher(threads=len(data) >= THREADED_SIZE)
    return ObjectId(hasher.update(data).hexdigest())


def hash_fd(fd: int, size: int) -> tuple[ObjectId, int]:
    """The id of what can be read from `fd`, and how many bytes that was. `size` is a guess that sizes the buffer."""
    hasher = new_hasher(threads=size >= THREADED_SIZE)
    buffer = memoryview(bytearray(min(CHUNK, max(size, 1) + 1)))
    total = 0
    while count := os.readv(fd, [buffer]):
        hasher.update(buffer[:count])
        total += count
    return ObjectId(hasher.hexdigest()), total
