"""Tables that users log, as bytes: DataFrames, columns, rows."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from gitmlog.core.errors import GitmlogError, UsageError

_HINT = "a DataFrame, a dictionary of columns, a list of dictionaries, or a list of rows with columns=[…]"


@dataclass(frozen=True)
class Table:
    """Names and rows, each row as long as the names."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def table_bytes(table: Any, path: str, *, columns: Sequence[str] | None = None) -> bytes:
    """A table as .csv (also where the path has no ending), .tsv, .json (one object a row), or .parquet.

    Raises:
        UsageError: kind `bad-value`: it is no table, its rows are not of one length, or the path ends otherwise.
        GitmlogError: kind `missing-extra`: .parquet without pandas and pyarrow.
    """
    extension = PurePath(path).suffix.lower()
    if extension not in ("", ".csv", ".tsv", ".txt", ".json", ".parquet"):
        hint = "end the name in .csv, .tsv, .json or .parquet"
        raise UsageError(f"log_table does not write {extension}", kind="bad-value", hint=hint)
    found = _table(table, columns)
    if extension == ".parquet":
        return _parquet(found)
    if extension == ".json":
        rows = [dict(zip(found.columns, map(_json_cell, row), strict=True)) for row in found.rows]
        return f"{json.dumps(rows, ensure_ascii=False, indent=1)}\n".encode("utf-8", "backslashreplace")
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t" if extension == ".tsv" else ",", lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows([_cell(each) for each in row] for row in found.rows)
    return text.getvalue().encode("utf-8", "replace")


def _bad(problem: str) -> UsageError:
    return UsageError(problem, kind="bad-value", hint=f"log_table takes {_HINT}")


def _table(table: Any, columns: Sequence[str] | None) -> Table:
    if hasattr(table, "to_frame") and not hasattr(table, "columns"):
        table = table.to_frame()
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        return _of_frame(table, columns)
    for method in ("to_dicts", "to_pylist"):  # polars, pyarrow
        if hasattr(table, method):
            return _of_dicts(getattr(table, method)(), columns)
    if isinstance(table, Mapping):
        return _of_columns(table, columns)
    if isinstance(table, str | bytes) or not isinstance(table, Iterable):
        raise _bad(f"a table is not {type(table).__name__}")
    rows = list(table)
    if rows and all(isinstance(row, Mapping) for row in rows):
        return _of_dicts(rows, columns)
    return _of_rows(rows, columns)


def _of_frame(frame: Any, columns: Sequence[str] | None) -> Table:
    """A DataFrame; its index is a column too, unless it only counts."""
    if type(frame.index).__name__ != "RangeIndex":
        frame = frame.reset_index()
    names = [str(each) if not isinstance(each, tuple) else ".".join(map(str, each)) for each in frame.columns]
    found = Table(tuple(names), [tuple(row) for row in frame.itertuples(index=False, name=None)])
    return found if columns is None else _chosen(found, columns)


def _chosen(table: Table, columns: Sequence[str]) -> Table:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise _bad(f"the table has no column {missing[0]!r}")
    places = [table.columns.index(name) for name in columns]
    return Table(tuple(columns), [tuple(row[place] for place in places) for row in table.rows])


def _of_dicts(rows: Iterable[Mapping[Any, Any]], columns: Sequence[str] | None) -> Table:
    kept = [{str(key): value for key, value in row.items()} for row in rows]
    names = tuple(columns) if columns is not None else tuple(dict.fromkeys(key for row in kept for key in row))
    return Table(names, [tuple(row.get(name) for name in names) for row in kept])


def _of_columns(table: Mapping[Any, Any], columns: Sequence[str] | None) -> Table:
    lists = {str(key): _listed(values) for key, values in table.items()}
    if lists and all(values is None for values in lists.values()):
        lists = {key: [value] for key, value in zip(lists, table.values(), strict=True)}
    lengths = {len(values) if values is not None else -1 for values in lists.values()}
    if len(lengths) > 1 or -1 in lengths:
        raise _bad("the columns of the table are not of one length")
    found = Table(tuple(lists), list(zip(*(values or [] for values in lists.values()), strict=True)))
    return found if columns is None else _chosen(found, columns)


def _listed(values: Any) -> list[Any] | None:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable) or getattr(values, "shape", None) == ():
        return None
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _of_rows(rows: Sequence[Any], columns: Sequence[str] | None) -> Table:
    if columns is None:
        if rows:
            raise _bad("the columns of the table have no names")
        return Table((), [])
    kept = []
    for number, row in enumerate(rows):
        cells = _listed(row)
        if cells is None or len(cells) != len(columns):
            raise _bad(f"row {number} of the table has not {len(columns)} cells")
        kept.append(tuple(cells))
    return Table(tuple(map(str, columns)), kept)


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value


def _cell(value: Any) -> Any:
    value = _scalar(value)
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def _json_cell(value: Any) -> Any:
    value = _scalar(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else json.loads(json.dumps(value, default=str))


def _parquet(table: Table) -> bytes:
    target = io.BytesIO()
    try:
        import pandas

        frame = pandas.DataFrame(table.rows, columns=list(table.columns))
        frame.to_parquet(target, index=False)
    except ImportError as error:
        hint = "python -m pip install 'gitmlog[pandas]'; or log the table as .csv"
        raise GitmlogError("writing .parquet needs pandas and pyarrow", kind="missing-extra", hint=hint) from error
    return target.getvalue()
