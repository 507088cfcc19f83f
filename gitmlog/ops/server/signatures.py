"""Whether somebody who may has signed a tag. The keys are those that the server's branch had before the push."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from gitmlog.git.signed import GPG, allowed_signers, signers_of
from gitmlog.registry.policy import MAX_BYTES, SIGNERS_PATH
from gitmlog.repo.server import Server

_SIGNATURE = "\n-----BEGIN "


class Signatures:
    """Answers for one push; `close` takes the temporary file away."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stack = ExitStack()

    def close(self) -> None:
        """No more is asked."""
        self._stack.close()

    @cached_property
    def _allowed(self) -> Path:
        text = self._server.committed(SIGNERS_PATH, MAX_BYTES)
        return self._stack.enter_context(allowed_signers(text or b""))

    def problem(self, tag: str, message: str, signers: Sequence[str] | None) -> str:
        """Why the tag object `tag` counts as signed by none of `signers` (None: of the allowed signers), or "".

        Raises:
            GitError: kind `no-git`; RefusedError: kind `too-large`: the file of allowed signers.
        """
        if _SIGNATURE not in f"\n{message}":
            return "it is not signed"
        found = signers_of(self._server.git, tag, self._allowed)
        if not found:
            return f"its signature is by nobody in the {SIGNERS_PATH} of the server's branch, or is not good"
        known = {name for name in found if not name.startswith(GPG)} if signers is None else found & set(signers)
        return "" if known else f"it is signed by {', '.join(sorted(found))}, who may not"
