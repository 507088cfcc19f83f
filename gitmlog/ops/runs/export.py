"""Runs for other programs: JSON, JSON lines, CSV, or a folder a run."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gitmlog.core.atomic import make_folders, storage_errors
from gitmlog.core.errors import RefusedError, UsageError
from gitmlog.core.paths import display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.shown import cell, escaped
from gitmlog.ops.runs.contents import (
    ENVIRONMENT,
    Chosen,
    artifacts_of,
    check_ended,
    download,
    environment_of,
    histories,
    run_file,
    write,
)
from gitmlog.ops.runs.files import check_free, publish
from gitmlog.ops.runs.rows import columns_of, row
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.artifacts import NAME as ARTIFACTS
from gitmlog.runs.stored import iso, plain, plain_value

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

Format = Literal["json", "jsonl", "csv", "folder"]
_FORMATS: dict[str, Format] = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", "": "folder"}


def select(ws: Workspace, specs: Sequence[str], where: str | None = None) -> tuple[list[Found], tuple[str, ...]]:
    """The runs that were named, else all that fulfil `where`, oldest first; and what is to be said.

    Raises:
        NotFoundError, UsageError: as `find` and `search`.
    """
    from gitmlog.ops.runs.find import find, search

    if specs and where is not None:
        raise UsageError("runs are either named or chosen by --where", hint="leave one of the two out")
    if specs:
        named = [find(ws, spec) for spec in specs]
        return list({run.record.id: run for run in named}.values()), ()
    found = search(ws, where)
    return sorted(found.runs, key=lambda run: run.record.id), found.notes


def format_of(path: Path) -> Format:
    """What the name says; without an ending a folder. Raises UsageError, kind `bad-format`."""
    try:
        return _FORMATS[path.suffix.lower() if not path.is_dir() else ""]
    except KeyError:
        hint = "end the name in .json, .jsonl or .csv, or name a folder without an ending"
        raise UsageError(f"{display(path)} does not say which format is wanted", kind="bad-format", hint=hint) from None


def documents(
    ws: Workspace, runs: Sequence[Found], *, history: bool = False, progress: Progress = SILENT
) -> Iterator[dict[str, Any]]:
    """Each run whole: the record, commit, artifacts and environment, with `history` every value that was logged.

    Raises:
        DataError, MissingDataError, RemoteError.
    """
    with progress.task("reading runs", len(runs)) as task:
        for run in runs:
            yield _document(ws, run, history, progress)
            task.advance()


def _document(ws: Workspace, run: Found, history: bool, progress: Progress) -> dict[str, Any]:
    found = plain(run.record) | {"commit": run.commit, "tag": run.record.tag, "archived": run.archived, "live": run.live}
    if run.live:
        return found
    listed = artifacts_of(ws, run)
    artifacts = [{name: value for name, value in vars(each).items() if value is not None} for each in listed.artifact]
    found |= {"artifacts": artifacts, "environment": environment_of(ws, run)}
    if history:
        values = histories(ws, run, progress=progress)
        found["history"] = {
            key: [[step, time, plain_value(value)] for step, time, value in points] for key, points in values.items()
        }
    return found


def line_of(document: dict[str, Any]) -> str:
    """One line of JSON, which a terminal may be shown."""
    return escaped(json.dumps(document, ensure_ascii=False, allow_nan=False))


def export(
    ws: Workspace,
    runs: Sequence[Found],
    path: Path,
    *,
    history: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> None:
    """Write `runs` to `path`, a file in the format that its name ends in, or a folder.

    Raises:
        UsageError: kind `bad-format`; kind `usage`: histories have no place in CSV.
        RefusedError: kind `exists`, and `force` is false.
        MissingDataError, DataError, RemoteError.
    """
    form = format_of(path)
    if form == "csv" and history:
        raise UsageError("CSV has one row a run, and no place for histories", hint="choose .json or .jsonl, or a folder")
    if form == "folder":
        _folders(ws, runs, path, force, progress)
        return
    check_free(path, force)
    if form == "csv":
        text = to_csv(runs)
    else:
        lines = [line_of(document) for document in documents(ws, runs, history=history, progress=progress)]
        text = "".join(f"{line}\n" for line in lines) if form == "jsonl" else "[" + ",\n".join(lines) + "]\n"
    publish(path, text.encode("utf-8", "replace"), force=force)


def to_csv(runs: Sequence[Found]) -> str:
    """A header, and a row a run: what it is, params.NAME, metrics.NAME (the last value), tags.NAME.

    A text that a spreadsheet would run as a formula gets a ' before it.
    """
    rows = [row(run) for run in runs]
    columns = columns_of(rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(each.get(name)) for name in columns] for each in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(iso(value))
    if isinstance(value, int | float):
        return repr(value)
    text = json.dumps([plain_value(each) for each in value], ensure_ascii=False) if isinstance(value, tuple) else str(value)
    return cell(text)


def _folders(ws: Workspace, runs: Sequence[Found], folder: Path, force: bool, progress: Progress) -> None:
    if folder.is_symlink() or (os.path.lexists(folder) and not folder.is_dir()):
        hint = "choose another place with -o"
        raise RefusedError(f"{display(folder)} is no folder", kind="exists", hint=hint)
    for run in runs:
        check_ended(run)
        if os.path.lexists(folder / run.record.id) and not force:
            hint = "choose another place with -o, or replace its files with --force"
            raise RefusedError(f"{display(folder / run.record.id)} exists", kind="exists", hint=hint)
    with progress.task("writing runs", len(runs)) as task:
        for run in runs:
            _folder(ws, run, folder / run.record.id, force, progress)
            task.advance()


def _folder(ws: Workspace, run: Found, place: Path, force: bool, progress: Progress) -> None:
    """run.toml comes last: a folder without it was cut off."""
    if place.is_symlink():
        raise RefusedError(f"{display(place)} is a symbolic link", kind="link-in-path", hint="move it away")
    with storage_errors("writing a run"):
        make_folders(place)
    listed = artifacts_of(ws, run)
    write(ws, run, [Chosen(each, each.path) for each in listed.record], place, force=force, progress=progress)
    if listed.artifact:
        download(ws, run, None, place / "artifacts", force=force, progress=progress)
    for name in (ENVIRONMENT, ARTIFACTS, "run.toml"):
        data = run_file(ws, run, name)
        if data is not None:
            publish(place / name, data, force=force)
