"""The one comment: found again by its marker and its author, changed in place, made when there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gitmlog.core.errors import RemoteError
from gitmlog.ops.ci.hosts import Comment, Host
from gitmlog.ops.ci.http import BusyError
from gitmlog.ops.ci.markdown import MARKER

ATTEMPTS = 5
_LONGEST_WAIT = 60.0
_CUT = "\n\n…\n\n**Cut here**: it does not fit a comment. The full report is in the pipeline's artifact `gitmlog-report`.\n"


@dataclass(frozen=True)
class Posted:
    """What became of the comment: made, changed, or already as it should be; its id, and where people see it ("": unknown)."""

    done: Literal["created", "updated", "unchanged"]
    id: int
    url: str = ""


def post(host: Host, body: str, *, pause: Callable[[float], None] = time.sleep) -> Posted:
    """Let the pull request have this as its one comment of gitmlog's; `body` gets the marker when it lacks it.

    A request that was cut may have done its work: before the next attempt the comments are listed again, so none is made twice.

    Raises:
        RemoteError: kinds `host`, `host-auth`, `host-missing`, `host-unreachable`.
    """
    body = _fitted(body if body.startswith(MARKER) else f"{MARKER}\n{body}", host.limit)
    for attempt in range(ATTEMPTS):
        try:
            return _post(host, body)
        except BusyError as error:
            if attempt == ATTEMPTS - 1:
                hint = "run the job again later"
                raise RemoteError(f"{error}, after {ATTEMPTS} attempts", kind="host-unreachable", hint=hint) from error
            pause(min(max(error.wait, 2.0**attempt), _LONGEST_WAIT))
    raise AssertionError  # the last attempt returned or raised


def _post(host: Host, body: str) -> Posted:
    known = _ours(host)
    if known is None:
        made = host.create(body)
        return Posted("created", made.id, made.url)
    if known.body.replace("\r\n", "\n").strip() == body.strip():
        return Posted("unchanged", known.id, known.url)
    changed = host.update(known, body)
    return Posted("updated", changed.id, changed.url or known.url)


def _ours(host: Host) -> Comment | None:
    """The oldest with the marker that this token's owner wrote: anybody can write the marker, and nobody's words are replaced."""
    me = host.me()
    return next((each for each in host.comments() if me and each.author == me and each.body.startswith(MARKER)), None)


def _fitted(body: str, limit: int) -> str:
    if len(body.encode()) <= limit:
        return body
    kept = body.encode()[: limit - len(_CUT.encode()) - 16].decode("utf-8", "ignore")
    closing = "\n\n</details>" if kept.count("\n<details>") > kept.count("\n</details>") else ""
    return f"{kept[: kept.rfind(chr(10))]}{closing}{_CUT}"
