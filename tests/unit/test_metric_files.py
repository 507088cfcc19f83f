"""Metrics of programs in any language: files and lines, and what is wrong with them."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.errors import DataError, NotFoundError
from gitmlog.ops.runs import metric_files
from gitmlog.ops.runs.metric_files import parse_metric_line, read_metrics
from gitmlog.ops.runs.metric_values import Value


def read(tmp_path: Path, name: str, text: str | bytes, notes: list[str] | None = None) -> list[Value]:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = read_metrics(path)
    if notes is not None:
        notes += found.notes
    return found.values


FLAT = [("acc", 0.9, None), ("val.loss", 0.2, None)]


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("m.json", '{"acc": 0.9, "val": {"loss": 0.2}}', FLAT),
        ("m.json", '{"metrics": {"acc": 0.9, "val": {"loss": 0.2}}, "name": "x"}', FLAT),
        ("m.json", '\ufeff{"acc": "0.9", "val.loss": 2e-1}', FLAT),
        ("M.JSON", '{"step": 3, "metrics": {"acc": true}}', [("acc", 1.0, 3)]),
        ("m.json", '{"loss": [0.5, 0.4], "acc": 1}', [("loss", 0.5, 0), ("loss", 0.4, 1), ("acc", 1.0, None)]),
        (
            "m.json",
            '{"step": [10, 20], "loss": [0.5, 0.4], "best": 1}',
            [("loss", 0.5, 10), ("loss", 0.4, 20), ("best", 1.0, None)],
        ),
        ("m.json", '[{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}]', [("loss", 0.5, 1), ("loss", 0.4, 2)]),
        ("m.json", '{"metrics": [{"step": 5, "loss": 0.5}, {"loss": 0.4}]}', [("loss", 0.5, 5), ("loss", 0.4, None)]),
        ("m.json", '{"history": [{"loss": 0.5}, {"loss": 0.4}]}', [("history.loss", 0.5, 0), ("history.loss", 0.4, 1)]),
        ("m.json", '{"epoch": 5, "loss": 0.5}', [("epoch", 5.0, None), ("loss", 0.5, None)]),
        ("m.json", '{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n', [("a", 1.0, 1), ("a", 2.0, 2)]),
        ("m.jsonl", '{"epoch": 1, "a": 1}\n\n{"a": 2}\r\n', [("a", 1.0, 1), ("a", 2.0, None)]),
        ("m.ndjson", '{"global_step": 1, "epoch": 0.5, "a": 1}', [("epoch", 0.5, 1), ("a", 1.0, 1)]),
        ("m.yaml", "acc: 0.9\nval:\n  loss: 2e-1\n", FLAT),
        ("m.yml", "- {step: 1, a: 1}\n- {step: 2, a: .5}\n", [("a", 1.0, 1), ("a", 0.5, 2)]),
        ("m.toml", "acc = 0.9\n[val]\nloss = 0.2\n", FLAT),
        ("m.csv", "step,loss,acc\n1,0.5,\n2,0.4,0.9\n", [("loss", 0.5, 1), ("loss", 0.4, 2), ("acc", 0.9, 2)]),
        ("m.csv", "Epoch, loss\r\n1.0,0.5\r\n", [("loss", 0.5, 1)]),
        ("m.csv", ",loss\n0,0.5\n1,0.4\n", [("loss", 0.5, None), ("loss", 0.4, None)]),
        ("m.csv", 'iteration,"val, loss"\n1,"0.5"\n\n', [("val, loss", 0.5, 1)]),
        ("m.csv", "key,step,time,value\na,1,5.0,0.5\nb,,,inf\n", [("a", 0.5, 1), ("b", math.inf, None)]),
        ("m.csv", "metric,value\nacc,0.9\n", [("acc", 0.9, None)]),
        ("m.tsv", "step\tloss\n1\t0.5\n", [("loss", 0.5, 1)]),
        ("m.json", "{}", []),
        ("m.yaml", "", []),
        ("m.csv", "loss\n", []),
        ("m.json", '{"a": Infinity, "b": "-inf"}', [("a", math.inf, None), ("b", -math.inf, None)]),
    ],
)
def test_files(tmp_path: Path, name: str, text: str, values: list[Value]) -> None:
    assert read(tmp_path, name, text) == values


def test_nan(tmp_path: Path) -> None:
    for name, text in (("m.json", '{"a": NaN}'), ("m.yaml", "a: .nan"), ("m.toml", "a = nan"), ("m.csv", "a\nnan\n")):
        ((key, value, _),) = read(tmp_path, name, text)
        assert key == "a" and math.isnan(value)


def test_what_is_no_number_is_left_out_with_a_note(tmp_path: Path) -> None:
    notes: list[str] = []
    assert read(tmp_path, "m.csv", "name,loss,when\nx,0.5,2026\ny,0.4,never\n", notes) == [
        ("loss", 0.5, None),
        ("loss", 0.4, None),
    ]
    assert len(notes) == 1 and "name, when" in notes[0]
    notes.clear()
    assert read(
        tmp_path, "m.json", '{"a": 1, "model": "bert", "c": null, "d": [[1]], "e": [], "f": 1e4, "g": [1, "x"]}', notes
    ) == [
        ("a", 1.0, None),
        ("f", 10000.0, None),
        ("g", 1.0, 0),
    ]
    assert all(name in notes[0] for name in ("model", "c", "d", "e", "g"))
    notes.clear()
    read(tmp_path, "m.json", json.dumps({f"n{number}": "x" for number in range(50)} | {"\x1b[31m": None}), notes)
    assert "46 more" in notes[0] and notes[0].isprintable()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.json", '{"a": 1,\n "b"}', "m.json:2: not JSON"),
        ("m.json", "5", "not a dictionary"),
        ("m.json", "[1, 2]", "not a dictionary"),
        ("m.json", "", "m.json:1: not JSON"),
        ("m.json", b'{"a":\n "\xff"}', "m.json:2: not UTF-8"),
        ("m.json", '{"a": 1}\n{"b"\n', "m.json:2: not JSON"),
        ("m.json", "[" * 100_000, "not JSON"),
        ("m.json", '{"a": ' * 100 + "1" + "}" * 100, "nested deeper"),
        ("m.json", '{"metrics": [' * 200 + "]}" * 200, "not a dictionary"),
        ("m.json", '{"a": ' + "9" * 10_000 + "}", "not JSON"),
        ("m.json", '{"\\u001b[31m": 1}', "cannot be printed"),
        ("m.json", '{"": 1}', "0 characters"),
        ("m.json", '{"step": 1.5, "a": 1}', "the step 1.5 is no integer"),
        ("m.jsonl", '{"a": 1}\n[1]\n', "m.jsonl:2"),
        ("m.yaml", "a: [1, 2", "not YAML"),
        ("m.yaml", "a: &x [1]\nb: *x\n", "m.yaml:2: an alias"),
        ("m.yaml", "[" * 100_000, "nest"),
        ("m.yaml", "[" * 40 + "]" * 40, "m.yaml:1: nested deeper than 32"),
        ("m.yaml", "a: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("m.yaml", "a: 1\n---\nb: 2\n", "not YAML"),
        ("m.yaml", "? {a: 1}\n: 2\n", "not YAML"),
        ("m.yaml", "a: " + "9" * 10_000, "not YAML"),
        ("m.toml", "a = \n", "m.toml:1: not TOML"),
        ("m.csv", "", "must name the columns"),
        ("m.csv", "1,0.5\n2,0.4\n", "must name the columns"),
        ("m.csv", "a,a\n1,2\n", "two columns are called 'a'"),
        ("m.csv", "a\n1\n1,2\n", "m.csv:3: 2 cells under 1 names"),
        ("m.csv", "step,a\nx,1\n", "m.csv:2: the step 'x' is no integer"),
        ("m.csv", "step,a\n,1\n", "m.csv:2: the step '' is no integer"),
        ("m.csv", "key,value\na,b\n", "m.csv:2: the value 'b' is no number"),
        ("m.csv", f"a\n{'x' * 200_000}\n", "m.csv:2: not CSV"),
        ("m.csv", " \x1b[31m\n1\n", "cannot be printed"),
        ("m.txt", "a=1", "its ending is none of"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    begun = time.process_time()
    with pytest.raises(DataError) as caught:
        read(tmp_path, name, text)
    assert time.process_time() - begun < 2
    assert caught.value.kind == "bad-metrics-file"
    assert said in caught.value.message
    assert caught.value.message.isprintable() and len(caught.value.message) < 500
    assert caught.value.hint


def test_an_alias_bomb_costs_nothing(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30))]
    with pytest.raises(DataError, match="alias"):
        read(tmp_path, "m.yaml", "\n".join(lines))


def test_places_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        read_metrics(tmp_path / "m.json")
    assert caught.value.kind == "no-path"
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name in ("pipe.json", "folder.json"):
        with pytest.raises(DataError, match="no file"):
            read_metrics(tmp_path / name)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_files, "MAX_BYTES", 1 << 20)
    with pytest.raises(DataError, match="more than 1 MiB"):
        read(tmp_path, "m.json", " " * ((1 << 20) + 1))
    monkeypatch.setattr(metric_files, "MAX_SLOW", 1 << 19)
    with pytest.raises(DataError, match="MiB of YAML or TOML"):
        read(tmp_path, "m.toml", "a=1" + "\n" * (1 << 19))


@pytest.mark.long
@pytest.mark.parametrize("name", ["m.json", "m.csv"])
def test_too_many_values(tmp_path: Path, name: str) -> None:
    many = json.dumps({"a": [1] * 1_000_001}) if name == "m.json" else "a,b\n" + "1,2\n" * 500_001
    with pytest.raises(DataError, match="more than 1,000,000 values"):
        read(tmp_path, name, many)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("metric acc=0.9", [("acc", 0.9, None)]),
        ("metric acc=0.9 step=3\n", [("acc", 0.9, 3)]),
        ("metric acc=0.9 val/loss=2e-1 step=12\r\n", [("acc", 0.9, 12), ("val/loss", 0.2, 12)]),
        ("  metric a=nan", [("a", math.nan, None)]),
        ("metric a=-inf b=+Infinity", [("a", -math.inf, None), ("b", math.inf, None)]),
        ("\x1b[32mmetric\x1b[0m \x1b[1macc=.5\x1b[0m", [("acc", 0.5, None)]),
        ("metric step=3", [("step", 3.0, None)]),
        ("metric a=1 step=9007199254740993", [("a", 1.0, 9007199254740993)]),
    ],
)
def test_lines(line: str, values: list[Value]) -> None:
    assert str(parse_metric_line(line)) == str(values)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "",
            "metric",
            "metric ",
            "metric acc",
            "metric acc=",
            "metric acc=x",
            "metric =1",
            "metric acc=1 x",
            "metric acc=1 step=x",
        ),
        *(
            "metrics acc=1",
            "the metric acc=1",
            "METRIC acc=1",
            "metric acc = 1",
            "metric acc=1 step=1.5",
            "metric acc=1_000",
            "metric acc=0x10",
        ),
        *(
            "metric a=b=1",
            "metric acc=1,",
            "metric: acc=1",
            "metric \x07a=1",
            "metric a=" + "9" * 20_000,
            "metric " + "a" * 300 + "=1",
            "metric a=١",
        ),
    ],
)
def test_other_lines(line: str) -> None:
    assert parse_metric_line(line) == []


@given(st.text(alphabet="metric acc=0.9step\x1b[m ", max_size=40))
def test_any_line(line: str) -> None:
    for key, value, step in parse_metric_line(f"metric {line}"):
        assert key and isinstance(value, float) and (step is None or isinstance(step, int))


def test_ordinary_lines_cost_nothing() -> None:
    line = "epoch 1: loss=0.1 acc=0.2 " * 5
    begun = time.process_time()
    for _ in range(100_000):
        parse_metric_line(line)
    for hostile in ("metric " + "\x1b[" * 8000, "metric " + "a=1 " * 4000, "metric " + "=" * 16_000):
        parse_metric_line(hostile)
    assert time.process_time() - begun < 0.5
