"""A push as the checks see it, and the problems that they find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import display
from gitmlog.registry.policy import Policy
from gitmlog.repo.server import Server

MOST_SHOWN = 20
_LONGEST = 200
HEADS, TAGS = "refs/heads/", "refs/tags/"


def named(name: str) -> str:
    """A path or name of anybody's for a message: as `display`, and no longer than a line or two."""
    return display(name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 :]}")


@dataclass(frozen=True)
class Update:
    """One ref of a push.

    Attributes:
        ref: its name.
        old: what it names on the server now; None: it is not there.
        new: what it shall name; None: it shall go.
    """

    ref: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Problem:
    """Why a push is refused: as an error (gitmlog.core.errors)."""

    message: str
    hint: str = ""
    kind: str = field(kw_only=True)


@dataclass
class Problems:
    """All that is wrong with a push; only the first ones are kept.

    Attributes:
        found: the first problems.
        more: how many others there were.
    """

    found: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, problem: Problem) -> None:
        """One more; the same one twice is one."""
        if problem in self.found:
            return
        if len(self.found) < MOST_SHOWN:
            self.found.append(problem)
        else:
            self.more += 1

    def add_error(self, error: GitmlogError, hint: str = "") -> None:
        """An error that keeps the push from being checked: nothing is let through unchecked."""
        self.add(Problem(error.message, hint or error.hint, kind=error.kind))


@dataclass(frozen=True)
class Push:
    """What is checked.

    Attributes:
        server: the repository, as it is before the push.
        policy: its policy, as it is before the push.
        refs: its refs: name -> object.
        updates: what the push wants, with what is there now as `old`: what the client says of that proves nothing.
    """

    server: Server
    policy: Policy
    refs: Mapping[str, str]
    updates: tuple[Update, ...]

    @property
    def after(self) -> dict[str, str]:
        """The refs as they are when all of the push is taken."""
        gone = {update.ref for update in self.updates}
        kept = {ref: oid for ref, oid in self.refs.items() if ref not in gone}
        return kept | {update.ref: update.new for update in self.updates if update.new is not None}


def normal_updates(server: Server, refs: Mapping[str, str], asked: Iterable[tuple[str, str | None]]) -> tuple[Update, ...]:
    """Ref and new object of each, with what is on the server; a symbolic ref stands for what it names."""
    names = ((server.git.resolve_symbolic(ref), new) for ref, new in asked)
    return tuple(Update(ref, refs.get(ref), new) for ref, new in names)
