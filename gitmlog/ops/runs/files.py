"""Files that a user asked for by name: whole and durable, or not at all, and never over another one unasked."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from gitmlog.core.atomic import storage_errors, sync_path, write_new
from gitmlog.core.errors import NotFoundError, RefusedError
from gitmlog.core.paths import display


def check_free(path: Path, force: bool) -> None:
    """Refuse a place that is taken, or in no folder.

    Raises:
        NotFoundError: kind `no-path`.
        RefusedError: kind `exists`: something lies there and `force` is false, or it is a folder.
    """
    if not path.parent.is_dir():
        hint = f"mkdir -p {display(path.parent)}"
        raise NotFoundError(f"there is no folder {display(path.parent)}", kind="no-path", hint=hint)
    if os.path.lexists(path) and (not force or (path.is_dir() and not path.is_symlink())):
        raise _exists(path)


def _exists(path: Path) -> RefusedError:
    hint = "choose another place with -o, or replace the file with --force"
    return RefusedError(f"{display(path)} exists", kind="exists", hint=hint)


def publish(path: Path, data: bytes, *, force: bool = False) -> None:
    """Write `data` to `path`; what lies there is replaced only with `force`, a link itself and not what it names.

    Raises:
        RefusedError: kind `exists`.
        StorageError: the disk is full or read-only; what was there is as it was.
    """
    temporary = path.with_name(f".gitmlog-{secrets.token_hex(8)}.tmp")
    with storage_errors("writing"):
        try:
            write_new(temporary, data)
            if force:
                os.rename(temporary, path)
            else:
                _rename_new(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        sync_path(path.parent)


def _rename_new(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:
        os.rename(temporary, path)  # a file system without hard links
