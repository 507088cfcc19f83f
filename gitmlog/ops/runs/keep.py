"""Files, inputs, outputs and models of a run that goes on: bytes safe in the cache, then a line in the journal.

Both happen under the cache's lock, so that no garbage collection comes between an object and what names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitmlog.core.errors import StorageError, UsageError
from gitmlog.core.paths import display, metafile_of
from gitmlog.metafile.schema import Type
from gitmlog.ops.runs.checks import check_name
from gitmlog.ops.runs.data import Data, input_data, output_data
from gitmlog.ops.runs.live import LiveRun
from gitmlog.ops.runs.products import stat_of
from gitmlog.runs.artifacts import MAX_ARTIFACTS
from gitmlog.runs.reader import MAX_KEY
from gitmlog.runs.record import data_table
from gitmlog.store.ingest import copy_in


def keep_file(live: LiveRun, source: Path, name: str) -> None:
    """A file becomes the artifact `name`; logged again with other bytes, it has another version.

    Raises:
        UsageError: kinds `bad-name`, `run-ended`; RefusedError: kind `not-a-file`; DataError: kind `changed-while-read`.
    """
    _check_artifact(live, name)
    with _keeping(live, f"artifact {display(name)}"), live.ws.cache.in_use():
        with live.ws.cache.writing() as writer:
            stored = copy_in(writer, os.fspath(source), os.fspath(source), lambda _: None)
        live.journal.write("artifact", name, stored.oid, stored.info.st_size, None)
        note_source(live, source)


def keep_bytes(live: LiveRun, data: bytes, name: str) -> None:
    """These bytes become the artifact `name`. Raises UsageError, kinds `bad-name`, `run-ended`."""
    _check_artifact(live, name)
    with _keeping(live, f"artifact {display(name)}"), live.ws.cache.in_use():
        with live.ws.cache.writing() as writer:
            oid = writer.put(data)
        live.journal.write("artifact", name, oid, len(data), None)


def _check_artifact(live: LiveRun, name: str) -> None:
    live.check()
    check_name(name)
    live.check_key("artifact", name[-MAX_KEY:].strip() or name)
    live.artifacts += 1
    if live.artifacts > MAX_ARTIFACTS:
        hint = "put them into one archive, or track their folder: log_output(folder)"
        raise UsageError(f"more than {MAX_ARTIFACTS:,} artifacts in one run", kind="too-large", hint=hint)


@contextmanager
def _keeping(live: LiveRun, what: str) -> Iterator[None]:
    """A disk that does not take it in is told, and stops nothing."""
    try:
        yield
    except (OSError, StorageError) as error:
        live.trouble(f"{what} could not be kept", error)


def note_source(live: LiveRun, source: Path) -> None:
    """A file that this run has written is no code of the next run's."""
    full = Path(os.path.realpath(source))
    if full.is_relative_to(live.ws.root) and (stat := stat_of(full)) and stat[1] >= live.started_at * 1e9:
        live.journal.write("source", full.relative_to(live.ws.root).as_posix(), stat)


def keep_input(live: LiveRun, path: str, base: Path) -> None:
    """What the run reads at `path`, as written in the folder `base`. Raises as `gitmlog.ops.runs.data.input_data`."""
    live.check()
    with live.ws.cache.in_use():
        _note(live, "input", input_data(live.ws, live.ws.relative(path, base), _tree(live)))


def keep_output(live: LiveRun, path: str, base: Path, kind: Type | None = None) -> str:
    """What the run has written at `path`, as it is now; returns the tracked path. Raises as `output_data` in data.py."""
    live.check()
    kept = live.ws.relative(path, base)
    with _keeping(live, f"output {display(path)}"), live.ws.cache.in_use():
        data = output_data(live.ws, kept, _tree(live), kind)
        _note(live, "output", data)
        return data.path
    return kept  # the disk did not take it in


def expect_output(live: LiveRun, path: str, base: Path) -> None:
    """The run will write `path`: it is taken at the end, when it was written since. Raises as Workspace.relative."""
    live.check()
    kept = live.ws.relative(path, base)
    live.journal.write("expect", kept, stat_of(live.ws.root / kept))


def keep_model(live: LiveRun, name: str, target: str) -> None:
    """The model `name` is this output, or `artifact:PATH`. Raises UsageError, kinds `bad-key`, `run-ended`."""
    live.check()
    live.check_key("model", name)
    live.make_room(f"{name}{target}")
    live.journal.write("model", name, target)


def _tree(live: LiveRun) -> str:
    return str(live.facts["code"]["tree"])


def _note(live: LiveRun, what: str, data: Data) -> None:
    live.make_room(data.path)
    if data.metafile is not None:
        live.journal.write("metafile", metafile_of(data.path), data.metafile.decode())
    if data.ignore:
        live.journal.write("ignore", data.path)
    if data.plain is not None:
        oid = live.ws.git.blob_id(data.plain)
        live.folder.keep_blob(oid, data.plain)
        live.journal.write("blob", data.path, oid)
    live.journal.write(what, data.path, data_table(data.facts))
