"""How objects lie in a remote (spec: remote.md, Layout). No other module knows."""

from __future__ import annotations

from dataclasses import dataclass

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import RemoteError
from gitmlog.core.toml import TomlError, parse_toml

VERSION = 1
MAX_MARKER = 64 << 10
MARKER_TEXT = f'version = {VERSION}\nlayout = "objects"\n'.encode()


@dataclass(frozen=True)
class Layout:
    """The places below `root`, a path of the remote's file system."""

    root: str

    def _below(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    @property
    def marker(self) -> str:
        """Which layout this is."""
        return self._below("gitmlog-remote.toml")

    @property
    def objects(self) -> str:
        """The folder of all objects."""
        return self._below("objects")

    @property
    def temporary(self) -> str:
        """The folder of uploads under way, where the store has no atomic put of its own."""
        return self._below("tmp")


def object_path(objects: str, oid: str) -> str:
    """Where the object is, below the folder of all objects."""
    return f"{objects}/{oid[:2]}/{oid[2:]}"


def shard_of(objects: str, oid: str) -> str:
    """The folder that the object is in; all 256 of them hold about the same number."""
    return f"{objects}/{oid[:2]}"


def object_of(path: str) -> ObjectId:
    """The id that `object_path` made `path` of."""
    shard, _, rest = path.rpartition("/")
    return ObjectId(shard[-2:] + rest)


def check_marker(data: bytes, remote: str) -> None:
    """Whether this gitmlog can read a remote with this marker.

    Raises:
        RemoteError: kinds `newer-version`, `bad-remote`.
    """
    try:
        facts = parse_toml(data.decode("utf-8")) if len(data) <= MAX_MARKER else {}
    except (UnicodeDecodeError, TomlError):
        facts = {}
    version = facts.get("version")
    if type(version) is not int or not 1 <= version < 1 << 63:
        hint = "something else wrote there: look at it, or choose another folder or prefix"
        raise RemoteError(f"the marker gitmlog-remote.toml of remote {remote} is damaged", kind="bad-remote", hint=hint)
    if version > VERSION:
        message = f"remote {remote} has version {version}; this gitmlog reads up to {VERSION}"
        raise RemoteError(message, kind="newer-version", hint="upgrade gitmlog: `python -m pip install -U gitmlog`")
    if facts.get("layout") != "objects":
        raise RemoteError(f"remote {remote} has an unknown layout", kind="bad-remote", hint="upgrade gitmlog")
