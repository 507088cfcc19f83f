"""`gitmlog runs plot`: in the terminal, and as PNG, SVG and HTML."""

from __future__ import annotations

import json
import math
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitmlog.cli.charts import Look, draw
from gitmlog.cli.ticks import log_ticks, ticks
from gitmlog.ops.runs.plot import Chart, Line, thinned
from tests.cli.test_runs_look import on_terminal
from tests.conftest import Sandbox
from tests.runs import make_run

NAN, INF = math.nan, math.inf
PLAIN = Look(80, 24, color=False, unicode=True)


@pytest.fixture
def box(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Six runs with a loss, one of them with another metric too."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    sandbox.write("train.py", "one\n")
    sandbox.commit()
    for number in range(6):
        values = [(step, 10.0 / (step + 1 + number)) for step in range(50)]
        extra = {"odd": [(0, 1.0), (1, NAN), (2, INF), (3, -1.0), (4, 4.0)]} if number == 5 else {}
        make_run(
            sandbox,
            f"2026010{number + 1}-000000-swift-otter",
            name=f"run {number}",
            params={"number": number},
            metrics={"val/loss": values, **extra},
            system={"cpu.percent": [(0, 5.0), (1, 95.0)]} if number < 2 else None,
        )
    return sandbox


def plot(box: Sandbox, *arguments: str) -> str:
    done = box.here("runs", "plot", *arguments)
    assert done.code == 0, done
    return done.out


def line(y: list[float], x: list[float] | None = None, label: str = "a run") -> Line:
    finite = [value for value in y if math.isfinite(value)] or [NAN]
    where = x or [float(number) for number in range(len(y))]
    return Line("20260101-000000-swift-otter", label, tuple(where), tuple(y), finite[-1], min(finite), max(finite), len(y))


def chart(*lines: Line, log: bool = False) -> Chart:
    return Chart("loss", "step", log, lines, ())


def test_the_newest_five_by_default(box: Sandbox) -> None:
    done = box.here("runs", "plot", "val/loss")
    lines = done.out.splitlines()
    assert lines[0] == "val/loss"
    assert [row.split("  ")[1] for row in lines[-5:]] == [f"{letter} run {5 - place}" for place, letter in enumerate("abcde")]
    assert lines[-1] == "  e run 1  last 0.196078, min 0.196078, max 5"
    assert done.err == "note: the 5 newest of 6 runs that have it; --limit N shows more\n"
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert re.search(r"^ *1┤.*[abcde]", done.out, re.MULTILINE)
    assert "\x1b" not in done.out


def test_which_runs(box: Sandbox) -> None:
    assert plot(box, "val/loss", "--limit", "6").splitlines()[-1].startswith("  f run 0")
    assert plot(box, "val/loss", "run 2", "run 2", "last").count("  last ") == 2
    assert "run 3" in (text := plot(box, "val/loss", "--where", "params.number = 3"))
    assert text.count("  last ") == 1
    assert "⠒ run 3" in text, "one run is drawn in dots"
    assert plot(box, "val/loss", "--where", "params.number = 3 or params.number = 1").count("  last ") == 2
    make_run(box, "20260401-000000-calm-crow", metrics={'a "b" (c': [(0, 1.0)]})
    assert "calm-crow" in plot(box, 'a "b" (c')
    assert plot(box, "cpu.percent").splitlines()[-2:] == [
        "  a run 1  last 95, min 5, max 95",
        "  b run 0  last 95, min 5, max 95",
    ]


def test_runs_of_one_name_are_told_apart(box: Sandbox) -> None:
    for words in ("calm-crow", "odd-crow"):
        make_run(box, f"20260201-000000-{words}", name="same", metrics={"f1": [(0, 1.0)]})
    assert "same (calm-crow)" in (text := plot(box, "f1"))
    assert "same (odd-crow)" in text


def test_what_has_no_number_is_left_out_and_said(box: Sandbox) -> None:
    done = box.here("runs", "plot", "odd")
    assert done.err == "note: run 5: 1 infinite value left out\n"
    done = box.here("runs", "plot", "odd", "--log")
    assert done.out.startswith("odd (log)\n")
    assert "note: run 5: 1 value that is not above zero left out\n" in done.err
    make_run(box, "20260301-000000-calm-crow", metrics={"nothing": [(0, NAN)]})
    assert "there is nothing to draw" in plot(box, "nothing")


def test_time_and_json(box: Sandbox) -> None:
    assert "seconds since the start" in plot(box, "val/loss", "--x", "time")
    found = json.loads(plot(box, "odd", "--x", "time", "--json"))
    assert (found["metric"], found["x"]) == ("odd", "time")
    assert found["runs"][0]["y"] == [1.0, None, None, -1.0, 4.0]
    times = found["runs"][0]["x"]
    assert [time - times[0] for time in times] == [0, 1, 2, 3, 4]


def test_refusals(box: Sandbox) -> None:
    error = box.fails("runs", "plot", "val/los", "last", code=3, kind="no-metric")
    assert "val/loss" in error["hint"]
    box.fails("runs", "plot", "nothing", code=3, kind="no-metric")
    box.fails("runs", "plot", "val/loss", "nobody", code=3, kind="no-run")
    box.fails("runs", "plot", "val/loss", "--where", "params.number >", code=2, kind="bad-query")
    box.fails("runs", "plot", "val/loss", "-o", "x.pdf", code=2, kind="bad-format")
    box.write("x.png", "mine")
    box.fails("runs", "plot", "val/loss", "-o", "x.png", code=6, kind="exists")
    assert (box.root / "x.png").read_text() == "mine"
    plot(box, "val/loss", "-o", "x.png", "--force")
    assert (box.root / "x.png").read_bytes().startswith(b"\x89PNG")
    assert list(box.root.glob(".gitmlog-*")) == []


def test_a_damaged_history_is_no_plot(box: Sandbox) -> None:
    make_run(
        box,
        "20260301-000000-calm-crow",
        metrics={"val/loss": [(0, 1.0)]},
        history=b"key,step,time,value\nval/loss,0,1.0,\x1b[2J\n",
    )
    error = box.fails("runs", "plot", "val/loss", "last", code=5, kind="bad-run")
    assert error["message"].isprintable()


@pytest.mark.parametrize("env", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}])
def test_without_unicode(box: Sandbox, env: dict[str, str]) -> None:
    text = box.ok("runs", "plot", "val/loss", "last", env=env)
    assert text.isascii()
    assert re.search(r"^ *1\+ .*\*", text, re.MULTILINE)


def test_colours_on_a_terminal_only(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    text = on_terminal(box, "plot", "val/loss", "last", "last~1")
    assert re.search("\x1b\\[94m[\u2800-\u28ff]+\x1b\\[0m", text)
    assert re.search("\x1b\\[33m[\u2800-\u28ff]+\x1b\\[0m", text)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in on_terminal(box, "plot", "val/loss", "last", "last~1")


def test_a_picture(box: Sandbox) -> None:
    assert plot(box, "val/loss", "-o", "loss.png") == "written: loss.png\n"
    data = (box.root / "loss.png").read_bytes()
    assert struct.unpack(">II", data[16:24]) == (1440, 810)
    plot(box, "val/loss", "--log", "-o", "loss.svg")
    first = (box.root / "loss.svg").read_bytes()
    texts = [element.text for element in ElementTree.fromstring(first).iter("{http://www.w3.org/2000/svg}text")]
    assert {"val/loss", "step", "run 5", "run 1"} <= set(texts)
    plot(box, "val/loss", "--log", "-o", "loss.svg", "--force")
    assert (box.root / "loss.svg").read_bytes() == first, "the same values, the same picture"


class Page(HTMLParser):
    """Collects what a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_a_page(box: Sandbox) -> None:
    hostile = "<script>alert(1)</script>\x1b & $\\frac$"
    make_run(box, "20260301-000000-calm-crow", name="_a $x$ <b>", metrics={"<i>loss": [(0, 1.0), (1, 0.5)]})
    make_run(box, "20260302-000000-calm-crow", name=hostile.replace("\x1b", ""), metrics={"<i>loss": [(0, 2.0), (1, 0.25)]})
    plot(box, "<i>loss", "-o", "page.html")
    text = (box.root / "page.html").read_text()
    page = Page(text)
    assert not {"script", "b", "i", "img", "link", "iframe"} & set(page.tags)
    assert all(reference.startswith("#") for reference in page.references)
    assert set(re.findall(r"https?://[^\"\s]+", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert page.texts.count("_a $x$ <b>") == 2, "in the legend and in the table"
    assert {"<i>loss", "0.25", "20260301-000000-calm-crow"} <= set(page.texts)
    assert "prefers-color-scheme: dark" in text
    svg = text[text.index("<figure") : text.index("</figure>")]
    assert re.findall(r": #[0-9a-f]{6}", svg) == [], "every colour follows the scheme"
    assert page.tags.count("tr") == 3


def test_without_matplotlib(box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without/matplotlib.py").write_text("raise ImportError('not installed')\n")
    done = box.gitmlog("runs", "plot", "val/loss", "-o", "x.png", "--json", env={"PYTHONPATH": str(tmp_path / "without")})
    error = json.loads(done.err.splitlines()[-1])["error"]
    assert (done.code, error["kind"], error["hint"]) == (1, "missing-extra", "pip install 'gitmlog[plot]'")
    assert "run 5" in box.ok("runs", "plot", "val/loss", env={"PYTHONPATH": str(tmp_path / "without")}), (
        "the terminal needs nothing"
    )


def test_nothing_heavy_for_the_terminal(box: Sandbox) -> None:
    heavy = "sorted({'numpy', 'matplotlib', 'rich'} & set(sys.modules))"
    script = f"import sys; from gitmlog.cli.main import run; run(['runs', 'plot', 'val/loss']); print({heavy})"
    assert box.run(sys.executable, "-c", script).out.splitlines()[-1] == "[]"


def edges(values: Sequence[float]) -> int:
    """How often a gap begins or ends."""
    return sum(math.isnan(before) != math.isnan(after) for before, after in pairwise(values))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(NAN)), min_size=1, max_size=400), st.integers(2, 40))
def test_thinning_keeps_what_is_seen(values: list[float], columns: int) -> None:
    whole = chart(line(values))
    thin = thinned(whole, columns).lines[0]
    finite = [value for value in values if not math.isnan(value)]
    kept = [value for value in thin.y if not math.isnan(value)]
    assert (min(kept, default=0), max(kept, default=0)) == (min(finite, default=0), max(finite, default=0))
    assert list(thin.x) == sorted(thin.x)
    gaps = edges(values)
    assert edges(thin.y) == gaps
    assert len(thin.x) <= 4 * (columns + 1) + 4 * (gaps + 1)


def test_a_hundred_thousand_points() -> None:
    values = [math.sin(number / 3000) for number in range(100_000)]
    values[50_000] = 7.0
    assert len(thinned(chart(line(values)), 140).lines[0].x) <= 4 * 141
    lines = draw(chart(line(values)), PLAIN)
    assert lines[1].strip("│ "), "one value of 100,000 is seen"
    assert "⡇" in lines[1] or "⢸" in lines[1] or any("\u2800" < c <= "\u28ff" for c in lines[1])


@pytest.mark.parametrize(
    "values",
    [[5.0], [0.0, 0.0], [-1.7e308, 1.7e308], [5e-324, 1e-323], [-1e-300, 1e300], [1e-12, 2e-12], [NAN, 3.0, NAN], [1e6, 1e6 + 1]],
)
@pytest.mark.parametrize("log", [False, True])
def test_odd_values_are_drawn(values: list[float], log: bool) -> None:
    shown = [NAN if log and value <= 0 else value for value in values]
    for look in (PLAIN, replace(PLAIN, width=40, height=12), replace(PLAIN, color=True), replace(PLAIN, unicode=False)):
        lines = draw(chart(line(shown), line(shown, label="another \x1b\u9f8d"), log=log), look)
        assert len(lines) <= look.height
        assert "another ?" in lines[-1]


def test_extremes_have_a_picture(box: Sandbox) -> None:
    """A history may be anybody's: no value may end in a traceback."""
    rows = "".join(
        f"big,{step},{time},{value}\n"
        for step, time, value in ((-(2**63) + 1, "-1.7e308", 1.7e308), (2**63 - 1, "1.7e308", -1.7e308))
    )
    history = f"key,step,time,value\n{rows}".encode()
    make_run(box, "20260301-000000-calm-crow", metrics={"big": [(0, 1.0)]}, history=history)
    for axis in ("step", "time"):
        plot(box, "big", "--x", axis)
        assert "2 infinite values left out" in box.here("runs", "plot", "big", "--x", axis, "--log").err
        for form in ("png", "html"):
            plot(box, "big", "--x", axis, "-o", f"{axis}.{form}")


@pytest.mark.parametrize(
    ("start", "end", "whole", "texts"),
    [
        (0.1818, 5.0, False, "1 2 3 4 5"),
        (0.0, 49.0, True, "0 10 20 30 40"),
        (0.0, 1.0, True, "0 1"),
        (0.0, 3.0, True, "0 1 2 3"),
        (-0.31, 0.29, False, "-0.3 -0.2 -0.1 0 0.1 0.2"),
        (1000.1, 1000.2, False, "1000.1 1000.12 1000.14 1000.16 1000.18 1000.2"),
        (1e-12, 3e-12, False, "1e-12 1.5e-12 2e-12 2.5e-12 3e-12"),
        (-1e308, 1e308, False, "-1e+308 1e+308"),
        (0.0, 5e-324, False, "0 4.941e-324"),
    ],
)
def test_ticks_are_round(start: float, end: float, whole: bool, texts: str) -> None:
    found = list(ticks(start, end, 5, whole=whole).values())
    assert found == texts.split()


@pytest.mark.parametrize(
    ("start", "end", "texts"),
    [
        (-3.2, 2.0, "0.001 0.01 0.1 1 10 100"),
        (0.1, 1.2, "2 5 10"),
        (math.log10(3.1), math.log10(3.4), "3.1 3.15 3.2 3.25 3.3 3.35 3.4"),
    ],
)
def test_ticks_of_logarithms_are_round(start: float, end: float, texts: str) -> None:
    assert list(log_ticks(start, end, 6).values())[: len(texts.split())] == texts.split()


@given(st.floats(-1e300, 1e300), st.floats(1e-6, 1e6), st.integers(2, 12), st.booleans())
@example(1e-9, 1e-6, 2, True)
@settings(deadline=None)
def test_there_are_few_ticks_within_the_ends(start: float, length: float, count: int, whole: bool) -> None:
    end = start + length
    found = ticks(start, end, count, whole=whole)
    assert len(found) <= count / 0.7 + 2
    assert all(start - length * 1e-6 <= value <= end + length * 1e-6 for value in found)


def test_what_is_near_is_named(box: Sandbox) -> None:
    for asked, named in (("loss", "val/loss"), ("val/lss", "val/loss"), ("cpu", "cpu.percent or machine.cpu.percent")):
        assert box.fails("runs", "plot", asked, code=3, kind="no-metric")["hint"] == f"did you mean {named}?"


def test_the_machine_is_drawn_over_time(box: Sandbox) -> None:
    assert "seconds since the start" in plot(box, "cpu.percent")
    assert json.loads(plot(box, "cpu.percent", "--json"))["x"] == "time"
    assert json.loads(plot(box, "cpu.percent", "--x", "step", "--json"))["x"] == "step"
    assert json.loads(plot(box, "val/loss", "--json"))["x"] == "step"


def test_how_a_run_ended_is_in_the_legend(box: Sandbox) -> None:
    make_run(box, "20260107-000000-swift-otter", name="bad", status="FAILED", metrics={"m": [(0, 1.0), (1, NAN)]})
    make_run(box, "20260108-000000-swift-otter", name="cut", status="KILLED", metrics={"m": [(0, 1.0), (1, INF)]})
    lines = plot(box, "m").splitlines()
    assert lines[-2].endswith("cut KILLED  last inf, min 1, max 1")
    assert lines[-1].endswith("bad FAILED  last nan, min 1, max 1")


@pytest.mark.parametrize("value", [0.0, 0.5, 93.0])
def test_a_single_point_has_an_axis(value: float) -> None:
    lines = draw(chart(line([value], [0.0])), PLAIN)
    assert len([each for each in lines if "┤" in each]) >= 3
    assert lines[-2].split() == ["0", "step"]
    assert max(map(len, lines)) <= 80
