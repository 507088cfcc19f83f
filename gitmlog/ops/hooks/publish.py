"""pre-push: the objects before the refs, so that nobody finds a metafile whose bytes are nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitmlog.core.errors import DataError, GitmlogError, NotFoundError
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.history import new_metafiles, tips_of
from gitmlog.ops.sync import SyncOptions, SyncReport, ask_for, of_history, send_named
from gitmlog.repo.workspace import Workspace

_WAY_OUT = "git push --no-verify pushes all the same, and others have the names without the bytes until `gitmlog push`"


@dataclass(frozen=True)
class PushedRef:
    """What git is about to push: the local ref and its object, the remote's ref and the object it names now."""

    local: str
    new: str
    remote: str
    old: str

    @property
    def is_deletion(self) -> bool:
        """Whether the ref goes."""
        return set(self.new) == {"0"}


def publish(
    ws: Workspace, git_remote: str, refs: Sequence[PushedRef], *, send: bool = True, progress: Progress = SILENT
) -> SyncReport | None:
    """Send what the commits name that `git_remote` does not have; without `send`, only ask whether it is there.

    None: they name nothing.

    Raises:
        MissingDataError: objects are neither here nor there.
        NotFoundError: kinds `no-remote`, `which-remote`.
        RemoteError, DataError, StorageError: as `push`. Every hint says how to push all the same.
    """
    tips = [ref.new for ref in refs if not ref.is_deletion and _leads_to_commit(ws, ref.new)]
    hidden = [ref.old for ref in refs] + tips_of(ws.git, git_remote)
    notes: list[str] = []
    try:
        chosen = list(of_history(new_metafiles(ws.git, tips, hidden), notes))
        if notes:
            message = notes[0].removeprefix("in an old revision: ")
            raise DataError(message, kind="bad-metafile", hint="mend it, and commit again")
        if not chosen:
            return None
        transfer = send_named if send else ask_for
        return transfer(ws, chosen, SyncOptions(), progress=progress)
    except GitmlogError as error:
        error.hint = f"{error.hint}; {_WAY_OUT}" if error.hint else _WAY_OUT
        raise


def _leads_to_commit(ws: Workspace, oid: str) -> bool:
    """A tag of a blob or of a tree names no object of ours."""
    try:
        ws.git.resolve(oid)
    except NotFoundError:
        return False
    return True
