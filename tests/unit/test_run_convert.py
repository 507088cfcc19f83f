"""What users log becomes parameters, numbers and bytes, or an error that says what to do."""

from __future__ import annotations

import argparse
import csv
import enum
import io
import json
import math
import sys
import time
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gitmlog.core.errors import GitmlogError, UsageError
from gitmlog.ops.runs.convert import (
    MAX_PARAM,
    dict_bytes,
    figure_bytes,
    flatten_params,
    image_bytes,
    metric_value,
    plain_param,
    table_bytes,
    text_bytes,
)


class Color(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


@dataclass
class Optimizer:
    name: str = "adam"
    betas: tuple[float, float] = (0.9, 0.999)


@dataclass
class Settings:
    lr: float = 0.1
    optimizer: Optimizer = field(default_factory=Optimizer)


def refused(kind: str, function: Any, *arguments: Any, **options: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        function(*arguments, **options)
    assert caught.value.kind == kind
    assert caught.value.hint and caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.5, 0.5),
        (3, 3.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.float16(0.5), 0.5),
        (np.int64(-3), -3.0),
        (np.bool_(True), 1.0),
        (np.array(2.5), 2.5),
        (np.array([[2.5]]), 2.5),
        (Decimal("0.25"), 0.25),
        (Fraction(1, 4), 0.25),
        (float("inf"), math.inf),
        (np.float32("-inf"), -math.inf),
    ],
)
def test_metrics(value: Any, number: float) -> None:
    found = metric_value(value)
    assert type(found) is float
    assert found == number


def test_nan_is_a_metric() -> None:
    assert math.isnan(metric_value(float("nan"))) and math.isnan(metric_value(np.float32("nan")))


@pytest.mark.parametrize(
    "value",
    [
        *(
            "0.5",
            None,
            1j,
            [1.0],
            (1,),
            {},
            np.array([1.0, 2.0]),
            np.array([]),
            np.array(["a"]),
            np.complex64(1),
            object(),
            b"1",
            10**400,
        ),
        *(
            np.datetime64("2026-01-01"),
            np.timedelta64(1, "s"),
            Decimal("sNaN"),
            datetime(2026, 1, 1, tzinfo=UTC),
            float,
            np.array([None]),
        ),
    ],
)
def test_what_is_no_metric(value: Any) -> None:
    assert refused("bad-metric", metric_value, value).message.isprintable()


def test_what_is_no_metric_is_named() -> None:
    assert "shape (2,)" in refused("bad-metric", metric_value, np.zeros(2)).message
    assert "'0.5'" in refused("bad-metric", metric_value, "0.5").message


def test_a_float_costs_next_to_nothing() -> None:
    begun = time.process_time()
    for _ in range(200_000):
        metric_value(0.5)
    assert time.process_time() - begun < 0.2


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("adam", "adam"),
        (1, 1),
        (0.1, 0.1),
        (True, True),
        (None, "None"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(False), False),
        (np.str_("x"), "x"),
        (np.array(3), 3),
        (np.array([1, 2]), (1, 2)),
        (np.dtype("float32"), "float32"),
        (Path("a/b"), "a/b"),
        (Color.RED, "Color.RED"),
        (Number.ONE, 1),
        ([1, 2.5, "x", True], (1, 2.5, "x", True)),
        ((0.9, np.float32(0.5)), (0.9, 0.5)),
        ([], ()),
        ([1, None], "[1, null]"),
        ([[1, 2], [3]], "[[1, 2], [3]]"),
        ([{"a": 1}], '[{"a": 1}]'),
        ([Path("a")], "[PosixPath('a')]"),
        ({"b", "a"}, ("a", "b")),
        (1 << 70, str(1 << 70)),
        (-(1 << 63), str(-(1 << 63))),
        ((1 << 63) - 1, (1 << 63) - 1),
        (1j, "1j"),
        (len, "len"),
        (datetime, "datetime.datetime"),
        (Optimizer, f"{__name__}.Optimizer"),
        (date(2026, 11, 23), "2026-11-23"),
    ],
)
def test_parameters(value: Any, kept: Any) -> None:
    found = plain_param(value)
    assert found == kept
    assert type(found) is type(kept)
    assert type(found) is not tuple or all(type(each) in (str, int, float, bool) for each in found)


def test_long_and_odd_parameters() -> None:
    assert len(plain_param("x" * 10_000)) == MAX_PARAM  # type: ignore[arg-type]
    assert len(plain_param(["x" * 5000, "y" * 5000])) == MAX_PARAM  # type: ignore[arg-type]
    assert len(plain_param(list(range(5000)))) <= MAX_PARAM  # type: ignore[arg-type]
    assert math.isnan(plain_param(float("nan")))  # type: ignore[arg-type]
    assert " at 0x" not in str(plain_param(object())) and " at 0x" not in str(plain_param([object()]))
    assert plain_param(lambda: 0).endswith("<lambda>")  # type: ignore[union-attr]
    endless: list[Any] = []
    endless.append(endless)
    assert "[...]" in str(plain_param(endless))
    assert plain_param(np.zeros((2, 2))) == str(np.zeros((2, 2)))


def test_parameters_are_flattened() -> None:
    flat = {"lr": 0.1, "optimizer.name": "adam", "optimizer.betas": (0.9, 0.999)}
    assert flatten_params(Settings()) == flat
    assert flatten_params(argparse.Namespace(lr=0.1, optimizer={"name": "adam", "betas": [0.9, 0.999]})) == flat
    assert flatten_params({"a": {}, 1: {"b": None}, "c": {"d": {"e": 2}}}) == {"a": "{}", "1.b": "None", "c.d.e": 2}
    assert flatten_params({}) == {}


def test_parameters_that_cannot_be() -> None:
    assert "a.b" in refused("bad-value", flatten_params, {"a.b": 1, "a": {"b": 2}}).message
    for value in ([("lr", 1)], "lr=1", None, 5, Settings):
        refused("bad-value", flatten_params, value)


def test_parameters_that_hold_themselves() -> None:
    loop: dict[str, Any] = {"x": 1}
    loop["me"], loop["too"] = loop, {"me": loop}
    assert flatten_params(loop)["x"] == 1
    assert set(flatten_params(loop)) == {"x", "me", "too.me"}


def test_texts() -> None:
    assert text_bytes("ä\n") == "ä\n".encode()
    assert text_bytes("\udc80") == b"?"
    refused("bad-value", text_bytes, b"x")


RICH = {
    "text": "ä",
    "number": np.float32(0.5),
    "array": np.arange(4).reshape(2, 2),
    "path": Path("a"),
    "when": datetime(2026, 1, 2, tzinfo=UTC),
    "took": timedelta(seconds=1.5),
    "settings": Settings(),
    "set": {3, 1, 2},
    "color": Color.RED,
    "exact": Decimal("0.5"),
    1: True,
}
PLAIN = {
    "text": "ä",
    "number": 0.5,
    "array": [[0, 1], [2, 3]],
    "path": "a",
    "when": "2026-01-02T00:00:00+00:00",
    "took": 1.5,
    "settings": {"lr": 0.1, "optimizer": {"name": "adam", "betas": [0.9, 0.999]}},
    "set": [1, 2, 3],
    "color": "red",
    "exact": 0.5,
    "1": True,
}


def test_dictionaries() -> None:
    import yaml

    assert json.loads(dict_bytes(RICH, "x.json")) == PLAIN
    assert json.loads(dict_bytes(RICH, "x")) == PLAIN
    assert yaml.safe_load(dict_bytes(RICH, "a/x.YAML")) == PLAIN
    assert tomllib.loads(dict_bytes(RICH, "x.toml").decode()) == PLAIN
    assert json.loads(dict_bytes([1, None], "x.json")) == [1, None]
    assert json.loads(dict_bytes({"a": "\udc80"}, "x.json")) == {"a": "\udc80"}


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ({"a": {"b": [1, object()]}}, "x.json", "a.b[1]"),
        ({"a": b"x"}, "x.yaml", "'a'"),
        ({"a": {"b": None}}, "x.toml", "a.b"),
        ([1], "x.toml", "TOML"),
        ({1: 1, "1": 2}, "x.json", "two keys"),
        ({(1, 2): 1}, "x.json", "a key"),
        ({"a": 1j}, "x.json", "complex"),
    ],
)
def test_dictionaries_that_cannot_be(value: Any, path: str, said: str) -> None:
    assert said in refused("bad-value", dict_bytes, value, path).message


def test_a_dictionary_that_holds_itself() -> None:
    loop: dict[str, Any] = {}
    loop["me"] = loop
    assert "nested" in refused("bad-value", dict_bytes, loop, "x.json").message


def test_tables_of_every_kind_are_one() -> None:
    pandas = pytest.importorskip("pandas")
    rows = b"a,b\n1,0.5\n2,x y\n"
    assert table_bytes({"a": [1, 2], "b": [0.5, "x y"]}, "t.csv") == rows
    assert table_bytes([{"a": 1, "b": 0.5}, {"a": 2, "b": "x y"}], "t.csv") == rows
    assert table_bytes([[1, 0.5], (2, "x y")], "t", columns=["a", "b"]) == rows
    assert table_bytes(pandas.DataFrame({"a": [1, 2], "b": [0.5, "x y"]}), "t.csv") == rows
    assert table_bytes({"b": [0.5, "x y"], "a": np.array([1, 2])}, "t.csv", columns=["a", "b"]) == rows
    assert table_bytes({"a": 1, "b": 0.5}, "t.csv") == b"a,b\n1,0.5\n"
    assert table_bytes(pandas.Series([1, 2], name="a", index=["x", "y"]), "t.csv") == b"index,a\nx,1\ny,2\n"
    assert table_bytes(np.array([[1, 2]]), "t.csv", columns=["a", "b"]) == b"a,b\n1,2\n"
    assert table_bytes([], "t.csv") == b"\n"


def test_cells() -> None:
    rows = [{"a": None, "b": float("nan"), "c": 'say "x", y\nz'}, {"d": np.float32(0.5), "c": [1, {"x": Path("p")}]}]
    found = list(csv.DictReader(io.StringIO(table_bytes(rows, "t.csv").decode())))
    assert found == [{"a": "", "b": "nan", "c": 'say "x", y\nz', "d": ""}, {"a": "", "b": "", "c": '[1, {"x": "p"}]', "d": "0.5"}]
    assert table_bytes(rows, "t.tsv").startswith(b"a\tb\tc\td\n")
    assert json.loads(table_bytes(rows, "t.json")) == [
        {"a": None, "b": None, "c": 'say "x", y\nz', "d": None},
        {"a": None, "b": None, "c": [1, {"x": "p"}], "d": 0.5},
    ]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ({"a": [1], "b": [1, 2]}, None),
        ({"a": [1], "b": 2}, None),
        ([[1, 2]], None),
        ([[1, 2], [3]], ["a", "b"]),
        ([1, 2], ["a"]),
        ("text", None),
        (5, None),
        ({"a": [1]}, ["b"]),
    ],
)
def test_tables_that_cannot_be(table: Any, columns: Any) -> None:
    refused("bad-value", table_bytes, table, "t.csv", columns=columns)


def test_parquet() -> None:
    import io

    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(table_bytes({"a": [1, 2], "b": ["x", "y"]}, "t.parquet")))
    assert frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_parquet_without_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(GitmlogError) as caught:
        table_bytes({"a": [1]}, "t.parquet")
    assert caught.value.kind == "missing-extra"
    assert "gitmlog[pandas]" in caught.value.hint


def test_figures() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 3])
    assert figure_bytes(figure, "x.png").startswith(b"\x89PNG")
    assert figure_bytes(axes, "x").startswith(b"\x89PNG")
    assert figure_bytes(figure, "x.pdf").startswith(b"%PDF")
    assert figure_bytes(figure, "x.jpg").startswith(b"\xff\xd8")
    assert b"<dc:date>" not in figure_bytes(figure, "x.svg")
    page = figure_bytes(figure, "x.html").decode()
    assert page.startswith("<!doctype html>") and "<svg" in page and "<?xml" not in page
    assert ".png" in refused("bad-value", figure_bytes, figure, "x.exe").message
    refused("bad-value", figure_bytes, [1, 2], "x.png")


def test_the_current_figure_of_pyplot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.figure()
    try:
        assert figure_bytes(pyplot, "x.png").startswith(b"\x89PNG")
    finally:
        pyplot.close("all")


class Plotly:
    """Has what a figure of plotly has."""

    def to_html(self) -> str:
        return "<html></html>"

    def to_image(self, format: str) -> bytes:  # noqa: A002 - plotly's word
        raise ValueError("needs\nkaleido")


def test_figures_of_plotly() -> None:
    assert figure_bytes(Plotly(), "x.html") == b"<html></html>"
    error = refused("bad-value", figure_bytes, Plotly(), "x.png")
    assert "needs kaleido" in error.message and ".html" in error.hint


@pytest.mark.parametrize(
    ("image", "mode", "pixel"),
    [
        (np.zeros((2, 3), np.uint8), "L", 0),
        (np.ones((2, 3), bool), "L", 255),
        (np.full((2, 3), 0.5), "L", 128),
        (np.full((2, 3, 1), 1, np.float32), "L", 255),
        (np.zeros((2, 3, 3), np.uint8), "RGB", (0, 0, 0)),
        (np.zeros((2, 3, 4)), "RGBA", (0, 0, 0, 0)),
        ([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], "L", 0),
    ],
)
def test_images(image: Any, mode: str, pixel: Any) -> None:
    from PIL import Image

    found = Image.open(io.BytesIO(image_bytes(image, "x.png")))
    assert (found.mode, found.size, found.getpixel((0, 0))) == (mode, (3, 2), pixel)
    assert image_bytes(image, "x.jpg").startswith(b"\xff\xd8")
    again = Image.open(io.BytesIO(image_bytes(found, "x.webp")))
    assert again.size == (3, 2)


@pytest.mark.parametrize(
    "image",
    [
        *(
            np.full((2, 2), 1.5),
            np.full((2, 2), -0.1),
            np.full((2, 2), np.nan),
            np.zeros((2, 2), np.int64),
            np.zeros((2, 2), complex),
        ),
        *(np.zeros(4), np.zeros((1, 2, 2, 3)), np.zeros((2, 2, 5)), np.zeros((0, 2)), np.float32(1), "x", object()),
    ],
)
def test_images_that_cannot_be(image: Any) -> None:
    refused("bad-value", image_bytes, image, "x.png")
    refused("bad-value", image_bytes, np.zeros((2, 2)), "x.exe")


def test_images_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(GitmlogError) as caught:
        image_bytes(np.zeros((2, 2)), "x.png")
    assert caught.value.kind == "missing-extra"
    assert "gitmlog[images]" in caught.value.hint


@pytest.mark.long
def test_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    from PIL import Image

    assert metric_value(torch.tensor(0.5, requires_grad=True)) == 0.5
    assert metric_value(torch.tensor([0.5], dtype=torch.bfloat16)) == 0.5
    refused("bad-metric", metric_value, torch.zeros(2))
    assert plain_param(torch.tensor(3)) == 3
    assert plain_param(torch.float32) == "torch.float32"
    assert plain_param(torch.device("cpu")) == "cpu"
    assert plain_param(torch.tensor([1, 2])) == (1, 2)
    assert json.loads(dict_bytes({"x": torch.ones(2, requires_grad=True)}, "x.json")) == {"x": [1.0, 1.0]}
    for shape, size in (((3, 2, 5), (5, 2)), ((1, 2, 5), (5, 2)), ((2, 5), (5, 2)), ((2, 5, 3), (5, 2))):
        assert Image.open(io.BytesIO(image_bytes(torch.rand(shape, dtype=torch.float64).requires_grad_(), "x.png"))).size == size
    assert Image.open(io.BytesIO(image_bytes(torch.rand(2, 5).bfloat16(), "x.png"))).size == (5, 2)
