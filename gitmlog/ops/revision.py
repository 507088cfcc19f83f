"""What a user may write where a revision is asked for: anything that git knows, else anything that names a run."""

from __future__ import annotations

from gitmlog.core.errors import GitmlogError, NotFoundError
from gitmlog.repo.workspace import Workspace


def as_revision(ws: Workspace, text: str) -> str:
    """`text` itself where git knows it, or else the commit of the run that it names: an id, a name, `last`, `best:metrics.acc`.

    Where neither is so, `text`: whoever uses it says what is wrong. A foreign repository's runs are not looked for.
    """
    try:
        ws.git.resolve(text)
    except NotFoundError:
        return text if ws.git.foreign else _commit_of(ws, text)
    return text


def _commit_of(ws: Workspace, text: str) -> str:
    from gitmlog.ops.runs.find import find

    try:
        return find(ws, text).commit or text
    except GitmlogError:
        return text
