"""What the floors above know of a remote; nothing here or above knows how objects lie in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from gitmlog.core.digest import ObjectId
from gitmlog.core.progress import SILENT, Progress

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB

Health = Literal["ok", "missing", "corrupt"]


@dataclass(frozen=True)
class RemoteSpec:
    """A configured remote.

    Attributes:
        name: its name in the configuration, for messages.
        url: where it is.
        options: the other keys of `remote.NAME` (spec: config.md), checked for type.
    """

    name: str
    url: str
    options: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class SyncResult:
    """What one transfer did.

    Attributes:
        sent: the objects that were transferred, and were seen on the other side after it.
        present: those that the other side had already.
        missing: those that the source does not have.
        failed: those that could not be transferred, each with the reason.
    """

    sent: frozenset[ObjectId] = frozenset()
    present: frozenset[ObjectId] = frozenset()
    missing: frozenset[ObjectId] = frozenset()
    failed: Mapping[ObjectId, str] = field(default_factory=dict)


class Remote(Protocol):
    """A place where objects are kept for others."""

    @property
    def spec(self) -> RemoteSpec:
        """What it was opened from."""

    @property
    def read_only(self) -> bool:
        """Whether nothing can be sent to it (http)."""

    def is_begun(self) -> bool:
        """Whether anything was ever sent to it. Raises RemoteError."""

    def exist(
        self, oids: Collection[ObjectId], progress: Progress = SILENT, *, sizes: Mapping[ObjectId, int] | None = None
    ) -> set[ObjectId]:
        """Those of `oids` that the remote holds whole: with the size in `sizes`, where that is known. Raises RemoteError."""

    def send(
        self, source: HashFileDB, oids: Collection[ObjectId], *, progress: Progress = SILENT, jobs: int | None = None
    ) -> SyncResult:
        """Copy objects from `source` to the remote; those that are there are not sent again. Raises RemoteError."""

    def receive(
        self,
        target: HashFileDB,
        oids: Collection[ObjectId],
        *,
        progress: Progress = SILENT,
        jobs: int | None = None,
        sizes: Mapping[ObjectId, int] | None = None,
    ) -> SyncResult:
        """Copy objects from the remote into `target`, which checks each against its id. Raises RemoteError.

        Known `sizes` let progress show a total, large objects come in parallel from the start, and wrong ones be refused early.
        """

    def verify(self, oids: Collection[ObjectId], *, progress: Progress = SILENT) -> dict[ObjectId, Health]:
        """Read every byte of `oids` on the remote and compare. Raises RemoteError."""

    def replace(self, source: HashFileDB, oids: Collection[ObjectId], *, progress: Progress = SILENT) -> SyncResult:
        """Send objects that the remote holds damaged, in place of what is there. Raises RemoteError."""
