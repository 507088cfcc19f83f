"""Where a repository's hooks are, and its own configuration, as git itself says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitmlog.core.errors import GitError, NotFoundError
from gitmlog.core.paths import display
from gitmlog.git.plumbing import ask_about

_ASKED = ("--is-bare-repository", "--absolute-git-dir", "--git-common-dir", "--git-path", "hooks")


@dataclass(frozen=True)
class HookPlace:
    """A repository, bare or not.

    Attributes:
        start: the folder that git was asked in, or the top of its working tree.
        common: the git directory that all working trees share.
        hooks: the folder that git calls hooks in (core.hooksPath, or `hooks` in the git directory).
        bare: whether it has no working tree.
    """

    start: Path
    common: Path
    hooks: Path
    bare: bool

    @property
    def is_own(self) -> bool:
        """Whether the hooks are in the git directory: no other repository shares them, and nobody commits them."""
        return self.hooks.is_relative_to(self.common)

    @property
    def is_in_worktree(self) -> bool:
        """Whether the hooks are files of the working tree, to be committed."""
        return not self.bare and not self.is_own and self.hooks.is_relative_to(self.start)


def hook_place(start: Path) -> HookPlace:
    """The place of the repository that `start` lies in.

    Raises:
        NotFoundError: kind `no-repository`.
    """
    try:
        bare, _, common, hooks = ask_about(start, ["rev-parse", *_ASKED]).splitlines()
        common, hooks = str(start / common), str(start / hooks)
        start = start if bare == "true" else Path(ask_about(start, ["rev-parse", "--show-toplevel"]).rstrip("\n"))
    except (GitError, ValueError) as error:
        message = f"no git repository at {display(start)} or above it"
        raise NotFoundError(message, kind="no-repository", hint="run `git init`, then `gitmlog init`") from error
    return HookPlace(start, Path(common).resolve(), Path(hooks).resolve(), bare == "true")


def set_local(place: HookPlace, key: str, value: str) -> None:
    """Set a key of the repository's own configuration. Raises GitError."""
    ask_about(place.start, ["config", "--local", "--replace-all", key, value])


def unset_local(place: HookPlace, section: str) -> None:
    """Take a section out of the repository's own configuration; that it is not there is fine."""
    try:
        ask_about(place.start, ["config", "--local", "--remove-section", section])
    except GitError:
        return


def get_local(place: HookPlace, key: str) -> str:
    """The value of a key of the repository's own configuration, or ""."""
    try:
        return ask_about(place.start, ["config", "--local", "--get", key]).rstrip("\n")
    except GitError:
        return ""
