"""Taking files into the cache by a hard link: no byte is copied, the working file itself becomes the object."""

from __future__ import annotations

import os
from collections.abc import Callable

from gitmlog.core.atomic import is_regular
from gitmlog.core.digest import hash_fd
from gitmlog.store.cache import Writer
from gitmlog.store.ingest import Stored, changed, changed_while_read, copy_in, not_a_file, open_source
from gitmlog.store.walk import kind_of


def adopt(writer: Writer, path: str, name: str, advance: Callable[[int], None]) -> Stored:
    """Hash the file where it is and stage a hard link to it; it is read-only from then on.

    It is copied where the file system cannot link it, or where it is executable (an object's mode is the cache's).

    Raises:
        DataError: kind `changed-while-read`.
        RefusedError: kind `not-a-file`.
    """
    fd = open_source(path, name)
    try:
        before = os.fstat(fd)
        if not is_regular(before):
            raise not_a_file(name, kind_of(before.st_mode))
        temporary = writer.fresh_name()
        if before.st_mode & 0o111 or not _link(path, temporary):
            return copy_in(writer, path, name, advance)
        try:
            os.fchmod(fd, 0o444)
            ready = os.fstat(fd)
            oid, size = hash_fd(fd, before.st_size)
            if size != before.st_size or changed(ready, os.fstat(fd)) or os.lstat(temporary).st_ino != before.st_ino:
                raise changed_while_read(name)
        except BaseException:
            os.fchmod(fd, before.st_mode & 0o7777)
            raise
    finally:
        os.close(fd)
    writer.stage(temporary, oid, size, sealed=True)
    advance(size)
    return Stored(oid, ready)


def _link(path: str, temporary: str) -> bool:
    try:
        os.link(path, temporary, follow_symlinks=False)
    except OSError:
        return False
    return True
