"""What a metafile says, as values (spec: metafile.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitmlog.core.digest import ObjectId

VERSION = 1
MAX_BYTES = 1 << 20
MAX_DESC = 1000
MAX_SIZE = (1 << 63) - 1

Type = Literal["model", "dataset", "artifact"]
TYPES: tuple[Type, ...] = ("model", "dataset", "artifact")


@dataclass(frozen=True)
class FileFacts:
    """A tracked file: the name it had, its object, bytes."""

    path: str
    blake3: ObjectId
    size: int
    executable: bool = False


@dataclass(frozen=True)
class DirectoryFacts:
    """A tracked directory: the name it had, the object of its tree, the sum of sizes in bytes, entries."""

    path: str
    blake3: ObjectId
    size: int
    files: int


@dataclass(frozen=True)
class Metafile:
    """The whole content of a metafile.

    Attributes:
        facts: of the file or directory.
        type: what it is for, when the user said so.
        desc: one line or more by the user, or "".
    """

    facts: FileFacts | DirectoryFacts
    type: Type | None = None
    desc: str = ""

    @property
    def oid(self) -> ObjectId:
        """The object of the file, or of the directory's tree."""
        return self.facts.blake3

    @property
    def is_directory(self) -> bool:
        """Whether a directory is tracked."""
        return isinstance(self.facts, DirectoryFacts)
