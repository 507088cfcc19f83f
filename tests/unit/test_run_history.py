"""metrics.csv: text to values and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.errors import DataError
from gitmlog.runs.history import HEADER, Point, format_history, history_of, parse_history
from gitmlog.runs.reader import key_problem

KEYS = st.text(min_size=1, max_size=20).filter(lambda key: not key_problem(key))
POINTS = st.builds(
    Point,
    st.integers(-(1 << 63) + 1, (1 << 63) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(),
)


@given(st.dictionaries(KEYS, st.lists(POINTS, min_size=1, max_size=5), max_size=5))
def test_what_is_written_is_read(found: dict[str, list[Point]]) -> None:
    data = format_history(found.items())
    assert repr(parse_history(data, "x")) == repr(found), "repr: NaN is not equal to itself"
    for key, points in found.items():
        assert repr(history_of(data, key)) == repr(points)
    assert history_of(data, "no such key at all, I hope") == []


def test_the_text() -> None:
    points = [Point(0, 1.5, 0.1), Point(1, 2.0, math.nan), Point(-1, 2.0, -math.inf)]
    text = format_history([("loss", points), ('a, "b"', points[:1])]).decode()
    assert text == 'key,step,time,value\nloss,0,1.5,0.1\nloss,1,2.0,nan\nloss,-1,2.0,-inf\n"a, ""b""",0,1.5,0.1\n'
    assert parse_history(text.replace("\n", "\r\n").encode(), "x")["loss"][0] == points[0], "as RFC 4180 ends lines"
    assert parse_history(f"{HEADER}\n".encode(), "x") == {}


@pytest.mark.parametrize(
    "rows",
    [
        "loss,0,1.0",
        "loss,0,1.0,1,2",
        "loss,1_0,1.0,1.0",
        "loss,0,1.0, 1.0",
        "loss,0,1.0,0x10",
        "loss,0,1.0,infinity",
        "loss,0,1.0,",
        "loss,1.5,1.0,1.0",
        "loss,0,nan,1.0",
        "loss,9223372036854775808,1.0,1.0",
        "loss," + "9" * 5000 + ",1.0,1.0",
        "loss,\u0661,1.0,1.0",
        ",0,1.0,1.0",
        "a\x1b[2Jb,0,1.0,1.0",
        '"a\nb",0,1.0,1.0',
        '"a"b,0,1.0,1.0',
        '"a,0,1.0,1.0',
        "a,0,1.0,1.0\nb,0,1.0,1.0\na,1,1.0,1.0",
        "a,0,1.0,1.0\n\nb,0,1.0,1.0",
        "x" * 200_000 + ",0,1.0,1.0",
    ],
)
def test_what_breaks_the_rules_is_refused(rows: str) -> None:
    with pytest.raises(DataError) as error:
        parse_history(f"{HEADER}\n{rows}\n".encode(), "metrics.csv")
    assert error.value.kind == "bad-run"
    assert str(error.value).isprintable()


@pytest.mark.parametrize("data", [b"", b"key,value\n", b"key,step,time,value\n\xff,0,1.0,1.0\n"])
def test_another_header_or_encoding_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match=r"metrics\.csv"):
        parse_history(data, "metrics.csv")


def test_a_key_in_two_places_is_refused_when_it_is_read_alone() -> None:
    data = f"{HEADER}\na,0,1.0,1.0\nb,0,1.0,1.0\na,1,1.0,1.0\n".encode()
    assert history_of(data, "b") == [Point(0, 1.0, 1.0)]
    with pytest.raises(DataError, match="two places"):
        history_of(data, "a")
