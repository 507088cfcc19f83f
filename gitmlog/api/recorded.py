"""Runs that are recorded: found, read, listed (spec: run.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gitmlog.api.process import USER_CONFIG, AnyPath, config_file

if TYPE_CHECKING:
    from datetime import datetime

    from gitmlog.ops.runs.find import Found
    from gitmlog.repo.workspace import Workspace
    from gitmlog.runs.artifacts import Artifact
    from gitmlog.runs.history import Point
    from gitmlog.runs.record import DataFacts, ParamValue, RunRecord, Status


class Run:
    """A run. What it says was read when it was found; artifacts and histories are read when they are asked for."""

    def __init__(self, root: Path, user_config: Path | None, found: Found) -> None:
        self._root = root
        self._user_config = user_config
        self._found = found

    def __repr__(self) -> str:
        return f"<run {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """The id: `20261123-091502-swift-otter`."""
        return self.record.id

    @property
    def name(self) -> str:
        """The user's name for it, or the words of its id."""
        return self.record.name

    @property
    def tag(self) -> str:
        """The name of its tag: `run/ID`."""
        return f"run/{self.id}"

    @property
    def commit(self) -> str | None:
        """The id of its commit; None while it goes on."""
        return self._found.commit or None

    @property
    def status(self) -> Status:
        """RUNNING, FINISHED, FAILED or KILLED."""
        return self.record.status

    @property
    def record(self) -> RunRecord:
        """All facts, typed (`gitmlog help run`)."""
        return self._found.record

    @property
    def is_archived(self) -> bool:
        """Whether its tag was moved out of `git tag`'s sight."""
        return self._found.archived

    @property
    def started(self) -> datetime:
        """When it started, UTC."""
        return self.record.started

    @property
    def params(self) -> Mapping[str, ParamValue]:
        """The parameters."""
        return self.record.params

    @property
    def metrics(self) -> Mapping[str, float]:
        """The value of each metric that was logged last; `record.metrics` has the smallest and largest too."""
        return {key: facts.last for key, facts in self.record.metrics.items()}

    @property
    def tags(self) -> Mapping[str, str]:
        """The user's own words about it."""
        return self.record.tags

    @property
    def inputs(self) -> Mapping[str, DataFacts]:
        """What it read, by path."""
        return self.record.inputs

    @property
    def outputs(self) -> Mapping[str, DataFacts]:
        """What it wrote, by path: tracked files of its commit."""
        return self.record.outputs

    @property
    def artifacts(self) -> Sequence[Artifact]:
        """What was logged: `.path`, `.version`, `.blake3`, `.size`; every version. Raises DataError."""
        from gitmlog.ops.runs.contents import artifacts_of

        with self._workspace() as ws:
            return artifacts_of(ws, self._found).artifact

    def history(self, key: str) -> list[Point]:
        """All values of a metric, in the order they were logged: `.step`, `.time` (seconds since 1970), `.value`.

        Fetched first when the cache does not have them.

        Raises:
            NotFoundError: kind `no-metric`. MissingDataError, DataError, RemoteError.
        """
        from gitmlog.ops.runs.contents import history

        with self._workspace() as ws:
            return history(ws, self._found, key)

    def open(self, artifact: str, version: int | None = None) -> BinaryIO:
        """A seekable stream of an artifact, hashed whole before it is handed out; fetched first when it is not cached.

        Args:
            artifact: its path; `log.txt` and `metrics.csv` too.
            version: None is the last one.

        Raises:
            NotFoundError: kind `no-artifact`. MissingDataError, DataError, RemoteError.
        """
        from gitmlog.ops.runs.contents import open_artifact

        with self._workspace() as ws:
            return open_artifact(ws, self._found, artifact, version)

    def download(self, artifact: str | None = None, dir: AnyPath = ".") -> list[Path]:  # noqa: A002 - the parameter's word
        """Write an artifact (None: all, the last version of each) below the folder `dir`; returns the files.

        Raises:
            NotFoundError: kind `no-artifact`. RefusedError: kind `exists`.
            MissingDataError, DataError, RemoteError, StorageError.
        """
        from gitmlog.ops.runs.contents import download

        with self._workspace() as ws:
            return download(ws, self._found, artifact, Path(dir))

    def _workspace(self) -> AbstractContextManager[Workspace]:
        from gitmlog.repo.workspace import Workspace

        return Workspace.opened(self._root, self._user_config)


class Runs(list[Run]):
    """A list of runs.

    Attributes:
        notes: what could not be read.
    """

    def __init__(self, runs: Sequence[Run], notes: Sequence[str] = ()) -> None:
        super().__init__(runs)
        self.notes = tuple(notes)

    def to_pandas(self) -> Any:
        """A DataFrame: a row a run, the columns of `gitmlog runs export -o runs.csv`, those below also when there is no run.

        `id`, `name`, `status`, `started`, `ended`, `seconds`, `exit`, `commit` (the run's own), `branch`, `parent`, `user`,
        `host`, `command`; then `params.NAME`, `metrics.NAME` (the value logged last), `tags.NAME`, each sorted.

        Raises:
            GitmlogError: kind `missing-extra`: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            from gitmlog.core.errors import GitmlogError

            hint = "python -m pip install 'gitmlog[pandas]'"
            raise GitmlogError("pandas is not installed", kind="missing-extra", hint=hint) from error
        from gitmlog.ops.runs.rows import columns_of, row

        rows = [row(run._found) for run in self]
        return pandas.DataFrame(rows, columns=columns_of(rows))


def get_run(id: str, *, repo: AnyPath | None = None, user_config: AnyPath | None = USER_CONFIG) -> Run:  # noqa: A002
    """The run that `id` names: its id, a unique beginning of it, its name, `last`, `last~2`, or `best:metrics.acc`.

    Args:
        id: which.
        repo: a folder of the repository; None is the one that the current folder lies in.
        user_config: the user's own configuration file; None reads none.

    Raises:
        NotFoundError: kinds `no-run`, `no-repository`. UsageError: kind `ambiguous-run`.
    """
    from gitmlog.ops.runs.find import find

    with _open(repo, user_config) as ws:
        return Run(ws.root, config_file(user_config), find(ws, id))


def search_runs(
    where: str | None = None,
    order_by: str | Sequence[str] | None = None,
    limit: int | None = None,
    *,
    repo: AnyPath | None = None,
    user_config: AnyPath | None = USER_CONFIG,
) -> Runs:
    """The runs that fulfil a condition, those that go on too: a list with `.to_pandas()`.

    Args:
        where: as `gitmlog runs list --where`: "metrics.acc > 0.9 and params.lr < 1e-2"; None is all.
        order_by: as `--sort`: "-metrics.acc"; None is the newest first.
        limit: at most so many; None is all.
        repo: a folder of the repository; None is the one that the current folder lies in.
        user_config: the user's own configuration file; None reads none.

    Raises:
        UsageError: kind `bad-query`. NotFoundError: kind `no-repository`.
    """
    from gitmlog.ops.runs.find import search

    with _open(repo, user_config) as ws:
        found = search(ws, where, order_by, limit)
        return Runs([Run(ws.root, config_file(user_config), each) for each in found.runs], found.notes)


def _open(repo: AnyPath | None, user_config: AnyPath | None) -> AbstractContextManager[Workspace]:
    from gitmlog.repo.workspace import Workspace

    return Workspace.opened(Path.cwd() if repo is None else Path(repo), config_file(user_config))
