"""The end of a run: objects into the cache, then one commit, then one tag (spec: run.md, The end)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args

from gitmlog.core.atomic import read_plain, storage_errors
from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import display, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.durable import (
    create_ref,
    delete_ref,
    free_ref,
    git_errors,
    ref_target,
    synced_writes,
    write_blob,
    write_commit,
    write_tag,
    write_tree,
)
from gitmlog.git.identity import Identity
from gitmlog.git.tags import read_tag
from gitmlog.ops.ignore import ignore_file, ignore_line
from gitmlog.ops.runs.data import Data, output_data
from gitmlog.ops.runs.drift import drifted
from gitmlog.ops.runs.folder import MAX_ENVIRONMENT, RunFolder
from gitmlog.ops.runs.products import Stat, remember, stat_of
from gitmlog.ops.runs.sampler import by_key
from gitmlog.ops.runs.spool import join_pieces
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.artifacts import NAME as ARTIFACTS
from gitmlog.runs.artifacts import Artifact, Artifacts, format_artifacts
from gitmlog.runs.environment import format_environment
from gitmlog.runs.fit import fitting
from gitmlog.runs.fold import Folded, fold, put_output, rows
from gitmlog.runs.history import format_history
from gitmlog.runs.journal import read_journals
from gitmlog.runs.reader import key_problem
from gitmlog.runs.record import FOLDER, CodeFacts, RunRecord, Status, format_run, parse_run
from gitmlog.runs.tags import PREFIX, format_commit, format_tag, parse_tag
from gitmlog.store.cache import Writer
from gitmlog.store.ingest import copy_in

_MAX_WARNINGS = 100
_MAX_WARNING = 500


@dataclass(frozen=True)
class Recorded:
    """A run that is recorded: what the tag says, the commit's id, the tag object's id, the warnings that came up only now."""

    record: RunRecord
    commit: str
    tag_object: str
    fresh: tuple[str, ...] = ()


@dataclass
class _Closing:
    """What is known of the run while it is being closed."""

    ws: Workspace
    folder: RunFolder
    start: dict[str, Any]
    folded: Folded
    recovered: bool
    progress: Progress
    warnings: list[str] = field(default_factory=list)
    blobs: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return str(self.start["code"]["tree"])


def finish(ws: Workspace, folder: RunFolder, *, recovered: bool = False, progress: Progress = SILENT) -> Recorded:
    """Record a run whose body is over, or whose process is dead (`recovered`); its folder is removed at the end.

    Whoever is killed on the way can call it again. The caller holds the owner's lock.

    Raises:
        DataError: kind `bad-run`: the folder is damaged.
        GitError, StorageError: it could not be written; nothing is lost, call it again.
    """
    with storage_errors(f"recording run {folder.id}"), ws.cache.in_use():
        free_ref(ws.git, PREFIX + folder.id)
        folded = fold(read_journals(folder.path))
        done = ref_target(ws.git, PREFIX + folder.id)
        if done:
            recorded = _recorded(ws, folder.id, done)
        else:
            recorded = _record(_Closing(ws, folder, folder.read_start(), folded, recovered, progress))
        _tidy(ws, folder, recorded.record, folded.sources)
    return recorded


def _tidy(ws: Workspace, folder: RunFolder, record: RunRecord, sources: dict[str, list[int]]) -> None:
    """The run is recorded, whatever becomes of this: what fails here is done by the next `runs recover`."""
    with suppress(GitmlogError, OSError):
        remember(ws.home, record.outputs, sources, _kept(ws, record))
        free_ref(ws.git, folder.live_ref)
        with git_errors():
            delete_ref(ws.git, folder.live_ref)
        folder.remove()


def _kept(ws: Workspace, record: RunRecord) -> dict[str, Stat]:
    """The outputs that git tracks, where they are still what the commit took in, with their stat and the run that has them."""
    found = {}
    for path, facts in record.outputs.items():
        stat = stat_of(ws.root / path)
        if facts.git and stat and stat[0] == facts.size and ws.git.blob_id((ws.root / path).read_bytes()) == facts.git:
            found[path] = [*stat, record.id]
    return found


def _recorded(ws: Workspace, run_id: str, oid: str) -> Recorded:
    tag = read_tag(ws.git, PREFIX + run_id, oid)
    return Recorded(parse_tag(tag.message, tag.name), tag.target, oid)


def _record(closing: _Closing) -> Recorded:
    ws, folder = closing.ws, closing.folder
    _take_outputs(closing)
    _look_for_drift(closing)
    with ws.cache.writing() as writer:
        records = list(_records(closing, writer))
        writer.commit()
    record = fitting(_make_record(closing))
    parse_run(format_run(record), record.tag)  # what no reader accepts is never written: it would be a run that nobody sees
    folded = closing.folded
    artifacts = Artifacts(tuple(folded.artifacts), tuple(folded.replaced), tuple(records))
    with git_errors(), synced_writes():
        tree = _write_tree(closing, record, artifacts)
        parents = [record.code.commit] if record.code.commit else []
        person, ended = Identity(**closing.start["person"]), record.ended or datetime.now(UTC)
        commit = write_commit(ws.git, tree, parents, format_commit(record), person, ended)
        tag = write_tag(ws.git, record.tag, commit, format_tag(record), person, ended)
        create_ref(ws.git, PREFIX + folder.id, tag)
    return Recorded(record, commit, tag, tuple(map(_one_line, closing.warnings)))


def _take_outputs(closing: _Closing) -> None:
    """The outputs that were declared at the start and have been written since. What fails is a warning."""
    for path, before in {**closing.folded.expected, **closing.start["outputs"]}.items():
        if path in closing.folded.outputs:
            continue
        if problem := _stale(closing, path, before):
            closing.warnings.append(f"output {display(path)} is not recorded: {problem}")
            continue
        try:
            _put_output(closing, output_data(closing.ws, path, closing.base, progress=closing.progress))
        except GitmlogError as error:
            if error.kind in ("disk-full", "read-only"):
                raise
            closing.warnings.append(f"output {display(path)} is not recorded: {error.message}")


def _look_for_drift(closing: _Closing) -> None:
    """Tracked files that were written while the run went on, and are no outputs: its commit has their older version."""
    if closing.recovered:
        return
    known = {*closing.start.get("drifted", []), *closing.folded.inputs, *closing.folded.outputs}
    for path in drifted(closing.ws):
        if path not in known:
            name = display(path)
            closing.warnings.append(
                f"{name} was written during the run and is no output: its commit has the version before (-o {name})"
            )


def _stale(closing: _Closing, path: str, before: list[int]) -> str:
    """Why what lies at `path` was not written by this run, or ""."""
    full = closing.ws.root / path
    now = stat_of(full)
    if closing.recovered and not _is_home(closing):
        return "its working tree is not there any more"
    if not now:
        return "it is not there"
    if full.is_dir():
        return ""
    if now == before:
        return "it was not written since the run started"
    if closing.recovered and now[1] > _last_sign(closing) * 1e9:
        return "it was written after the run was killed"
    return ""


def _is_home(closing: _Closing) -> bool:
    """Whether this is the working tree that the run went on in; the main one may have been moved with its repository."""
    here, start = closing.ws, closing.start
    return os.fspath(here.root) == start["worktree"] or not (start.get("linked") or here.git.gitdir != here.git.commondir)


def _last_sign(closing: _Closing) -> float:
    """Seconds since 1970 of the last thing that the run is known to have done; a little more, since files are written late."""
    times = [closing.folded.last]
    for path in closing.folder.path.iterdir():
        if path.name != "owner":
            with suppress(FileNotFoundError):
                times.append(path.stat().st_mtime)
    return max(times) + 1.0


def _put_output(closing: _Closing, data: Data) -> None:
    put_output(closing.folded, data.path, data.facts)
    if data.metafile is not None:
        closing.folded.metafiles[metafile_of(data.path)] = data.metafile.decode()
    if data.ignore:
        closing.folded.ignored[data.path] = None
    if data.plain is not None:
        with git_errors(), synced_writes():
            closing.folded.blobs[data.path] = write_blob(closing.ws.git, data.plain)


def _put_blobs(closing: _Closing) -> None:
    """The files that git keeps itself, again: `git gc` may have taken what nothing named."""
    for oid in set(closing.folded.blobs.values()):
        data = closing.folder.blob(oid)
        if data is not None:
            write_blob(closing.ws.git, data)


def _records(closing: _Closing, writer: Writer) -> Iterable[Artifact]:
    if closing.folded.histories:
        data = format_history(rows(closing.folded))
        yield Artifact("metrics.csv", 1, writer.put(data), len(data))
    join_pieces(closing.folder.log)
    path = closing.folder.log
    if path.exists() and path.stat().st_size:
        stored = copy_in(writer, str(path), path.name, lambda _: None)
        yield Artifact(path.name, 1, stored.oid, stored.info.st_size)
    if closing.folder.system.exists():
        data = by_key(closing.folder.system.read_bytes())
        yield Artifact(closing.folder.system.name, 1, writer.put(data), len(data))


def _make_record(closing: _Closing) -> RunRecord:
    start, folded = closing.start, closing.folded
    started = datetime.fromisoformat(start["started"]).astimezone(UTC)
    status, code, ended, seconds = _ending(closing, started)
    facts = start["code"]
    return RunRecord(
        id=closing.folder.id,
        name=_name(closing),
        status=status,
        started=started,
        ended=ended,
        seconds=seconds,
        command=tuple(start["command"]),
        folder=start["folder"],
        code=CodeFacts(facts["tree"], facts["commit"], facts["branch"], facts["changed"], facts["untracked"], facts["state"]),
        exit=code,
        user=start["user"],
        host=start["host"],
        parent=start["parent"],
        resumes=start["resumes"],
        error=_one_line(folded.error) if status == "FAILED" else "",
        warnings=tuple(_warnings([*start["warnings"], *folded.warnings, *_others_error(folded, status), *closing.warnings])),
        params=folded.params,
        metrics=folded.metrics,
        inputs=folded.inputs,
        outputs=folded.outputs,
        models=folded.models,
        tags=folded.tags,
    )


def _name(closing: _Closing) -> str:
    """Whoever started the run names it; a process that joined it may, where nobody did."""
    start, name = closing.start, closing.folded.name
    return name if name and not start.get("named") and not key_problem(name) else str(start["name"])


def _ending(closing: _Closing, started: datetime) -> tuple[Status, int | None, datetime, float]:
    end = closing.folded.end
    if end is not None and end.status in get_args(Status):
        return end.status, end.exit, datetime.fromtimestamp(end.time, UTC), round(end.seconds, 6)  # type: ignore[return-value]
    ended = datetime.fromtimestamp(max(_last_sign(closing) - 1.0, started.timestamp()), UTC)
    return "KILLED", None, ended, round((ended - started).total_seconds(), 6)


def _warnings(texts: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(_one_line(text) for text in texts))
    more = len(found) - _MAX_WARNINGS
    return found if more <= 0 else [*found[:_MAX_WARNINGS], f"and {more} more"]


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    plain = "".join(c if c.isprintable() else "?" for c in flat)
    return plain if len(plain) <= _MAX_WARNING else f"{plain[: _MAX_WARNING - 1]}…"


def _others_error(folded: Folded, status: Status) -> list[str]:
    """A child process ended with an exception, and the run itself did not."""
    return [f"a process of the run ended with {folded.error}"] if folded.error and status != "FAILED" else []


def _write_tree(closing: _Closing, record: RunRecord, artifacts: Artifacts) -> str:
    repo, folder = closing.ws.git, f"{FOLDER}/{record.id}"
    texts: dict[str, bytes] = {path: text.encode() for path, text in closing.folded.metafiles.items()}
    texts |= _ignores(closing, list(closing.folded.ignored))
    texts |= {f"{folder}/run.toml": format_run(record), f"{folder}/environment.toml": format_environment(_environment(closing))}
    texts |= {f"{folder}/{ARTIFACTS}": format_artifacts(artifacts)} if artifacts.all else {}
    _put_blobs(closing)
    blobs: dict[str, str | None] = {path: write_blob(repo, text) for path, text in texts.items()}
    return write_tree(repo, closing.base, closing.start.get("results", {}) | blobs | closing.folded.blobs)


def _ignores(closing: _Closing, paths: list[str]) -> dict[str, bytes]:
    """The .gitignore files of the tree with a line for each path that they have none for."""
    files: dict[str, bytes] = {}
    for path in paths:
        name = ignore_file(path)
        text = files.get(name, closing.ws.git.bytes_in(closing.base, name) or b"")
        if ignore_line(path) not in text.splitlines():
            files[name] = text + (b"" if not text or text.endswith(b"\n") else b"\n") + ignore_line(path) + b"\n"
    return files


def _environment(closing: _Closing) -> Mapping[str, Any]:
    try:
        found = json.loads(read_plain(closing.folder.environment, MAX_ENVIRONMENT))
        return found if isinstance(found, dict) else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        closing.warnings.append("the environment could not be recorded: its file is damaged")
        return {}
