"""How long work tells how far it is: the library reports, only the command line prints."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal, Protocol

Unit = Literal["bytes", "files"]


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done. May be called from any thread."""


class Progress(Protocol):
    """Where long work reports to."""

    def task(self, label: str, total: int | None, unit: Unit = "files") -> AbstractContextManager[Task]:
        """Begin a task of `total` units (None: not known)."""

    def note(self, message: str) -> None:
        """Say something that is neither result nor error: a retry, a wait, a fallback."""


class _Silent:
    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def advance(self, amount: int = 1) -> None:
        return None


class NoProgress:
    """Reports to nobody."""

    def task(self, label: str, total: int | None, unit: Unit = "files") -> AbstractContextManager[Task]:
        return _Silent()

    def note(self, message: str) -> None:
        return None


SILENT = NoProgress()
