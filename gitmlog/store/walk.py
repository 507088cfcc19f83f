"""What lies in a directory: one scandir a folder, one stat a file, no link followed."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field

UNREADABLE = "an unreadable folder"
"""How the reason in `Listing.odd` begins for a folder that could not be listed."""

TOO_LONG = "a folder whose path is too long for this system"


@dataclass
class Listing:
    """What a walk found; paths are relative to its root, "/"-separated.

    Attributes:
        files: plain files with their stat.
        links: symbolic links with their own stat.
        folders: every folder below the root.
        objects: files that are links to objects of the cache (filled in by who knows the cache), with the object.
        odd: what can be neither kept nor read (devices, sockets, FIFOs, unreadable folders), with the reason.
    """

    files: dict[str, os.stat_result] = field(default_factory=dict)
    links: dict[str, os.stat_result] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)


def walk(root: str | os.PathLike[str]) -> Listing:
    """List everything below the folder `root`.

    Raises:
        OSError: `root` itself cannot be read.
    """
    listing = Listing()
    _scan(os.fspath(root), "", listing)
    pending = list(listing.folders)
    while pending:
        before = len(listing.folders)
        folder = pending.pop()
        try:
            _scan(f"{os.fspath(root)}/{folder}", f"{folder}/", listing)
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            listing.odd[folder] = TOO_LONG if error.errno == errno.ENAMETOOLONG else f"{UNREADABLE} ({said})"
        pending += listing.folders[before:]
    return listing


def _scan(folder: str, prefix: str, listing: Listing) -> None:
    files = listing.files
    with os.scandir(folder) as entries:
        for entry in entries:
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(info.st_mode):
                files[prefix + entry.name] = info
            else:
                _sort_out(prefix + entry.name, info, listing)


def _sort_out(path: str, info: os.stat_result, listing: Listing) -> None:
    if stat.S_ISDIR(info.st_mode):
        listing.folders.append(path)
    elif stat.S_ISLNK(info.st_mode):
        listing.links[path] = info
    else:
        listing.odd[path] = kind_of(info.st_mode)


def kind_of(mode: int) -> str:
    """What a file of this mode is, in words."""
    kinds = {stat.S_ISFIFO: "a FIFO", stat.S_ISSOCK: "a socket", stat.S_ISBLK: "a device", stat.S_ISCHR: "a device"}
    return next((name for test, name in kinds.items() if test(mode)), "not a plain file")
