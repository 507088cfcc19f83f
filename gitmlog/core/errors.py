"""The families of errors; each has a stable `kind`, a hint, and an exit code (DESIGN section 10)."""

from __future__ import annotations

from typing import ClassVar


class GitmlogError(Exception):
    """Something that gitmlog was asked for cannot be done.

    Attributes:
        message: what happened, one sentence, without a final full stop.
        hint: what to do next, or "".
        kind: a stable name for programs (`gitmlog help errors` lists them).
    """

    exit_code: ClassVar[int] = 1
    default_kind: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kind = kind or self.default_kind

    def __str__(self) -> str:
        """What happened, and what to do next."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(GitmlogError):
    """The call itself is wrong: arguments that do not fit."""

    exit_code = 2
    default_kind = "usage"


class NotFoundError(GitmlogError):
    """No such repository, revision, file, object or remote."""

    exit_code = 3
    default_kind = "not-found"


class FoundError(GitmlogError):
    """A gate or `--exit-code` found something."""

    exit_code = 4
    default_kind = "found"


class DataError(GitmlogError):
    """Data is missing or is not what its name says."""

    exit_code = 5
    default_kind = "corrupt"


class MissingDataError(DataError):
    """The bytes are neither in the cache nor where they were asked for."""

    default_kind = "missing-data"


class RefusedError(GitmlogError):
    """It could be done, but something would be lost or trusted that should not be."""

    exit_code = 6
    default_kind = "refused"


class ConfigError(GitmlogError):
    """A configuration file breaks the rules of `gitmlog help config`."""

    default_kind = "bad-config"


class GitError(GitmlogError):
    """git refused, or the repository is in a state that the command cannot work in."""

    default_kind = "git"


class RemoteError(GitmlogError):
    """A remote did not answer, or refused."""

    default_kind = "remote"


class StorageError(GitmlogError):
    """This machine's disk is full, read-only, or fails."""

    default_kind = "storage"
