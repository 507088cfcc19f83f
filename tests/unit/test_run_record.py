"""The texts of a run: the examples of the specifications, round trips, and what anybody may have pushed."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmlog.core.canonical import value_text
from gitmlog.core.canonical_read import fast, read_canonical
from gitmlog.core.errors import DataError
from gitmlog.core.toml import TomlError
from gitmlog.runs.artifacts import format_artifacts, parse_artifacts
from gitmlog.runs.reader import MAX_BYTES, key_problem
from gitmlog.runs.record import CodeFacts, DataFacts, MetricFacts, RunRecord, format_run, parse_run
from gitmlog.runs.stored import dump_record, load_record, plain
from gitmlog.runs.tags import SEPARATOR, duration, format_commit, format_tag, parse_tag, summary
from tests.unit.test_docs import blocks, page

OBJECT = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
EXAMPLE = blocks(page("run", "spec"), "toml")[0]
RECORD = parse_run(EXAMPLE, "example")

texts = st.text(st.characters(codec="utf-8"), max_size=30)
keys = texts.filter(lambda text: not key_problem(text))
numbers = st.floats() | st.integers(-(2**53), 2**53).map(float)
scalars = texts | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats()
params = st.dictionaries(keys, scalars | st.lists(scalars, max_size=3).map(tuple), max_size=5)
metrics = st.dictionaries(keys, st.builds(MetricFacts, numbers, numbers, numbers, st.integers(0, 10**9), st.integers(1, 10**9)))
paths = st.from_regex(r"[a-z]{1,8}(/[a-zé ]{1,7}x){0,2}", fullmatch=True)
data = st.builds(DataFacts, st.integers(0, 2**40), st.just(OBJECT), st.none() | st.integers(0, 99)) | st.builds(
    DataFacts, st.integers(0, 2**40), git=st.just(BLOB)
)
times = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants it so
records = st.builds(
    RunRecord,
    id=st.just("20261123-091502-swift-otter"),
    name=keys,
    status=st.sampled_from(["FINISHED", "FAILED", "KILLED"]),
    started=times,
    ended=st.none() | times,
    seconds=st.floats(0, 1e9),
    command=st.lists(texts, max_size=4).map(tuple),
    folder=texts,
    code=st.builds(CodeFacts, st.just(BLOB), st.sampled_from(["", BLOB]), texts, st.integers(0, 9), st.integers(0, 9), texts),
    exit=st.none() | st.integers(-64, 255),
    user=texts,
    host=texts,
    parent=st.sampled_from(["", "20261122-091502-calm-heron"]),
    error=texts,
    warnings=st.lists(texts, max_size=2).map(tuple),
    params=params,
    metrics=metrics,
    inputs=st.dictionaries(paths, data, max_size=2),
    outputs=st.dictionaries(paths, data, max_size=2),
    models=st.dictionaries(keys, texts, max_size=2),
    tags=st.dictionaries(keys, texts, max_size=3),
)


def test_the_example_of_the_specification_is_canonical() -> None:
    assert format_run(RECORD).decode() == EXAMPLE
    assert RECORD.metrics["acc"] == MetricFacts(0.93, 0.11, 0.94, 99, 100)
    assert RECORD.params == {"lr": 0.1, "optimizer.name": "adam"}
    assert RECORD.started == datetime(2026, 11, 23, 9, 15, 2, 123456, UTC)


def test_the_example_of_artifacts_is_canonical() -> None:
    (example,) = (text for text in blocks(page("run", "spec"), "toml") if "artifact = [" in text)
    assert format_artifacts(parse_artifacts(example.encode(), "example")).decode() == example


def test_the_example_of_a_tag_is_what_is_written() -> None:
    (example,) = (text for text in blocks(page("tags", "spec"), "") if SEPARATOR in text)
    shown = replace(
        RECORD,
        params={"lr": 0.1, "epochs": 10},
        metrics={"acc": MetricFacts(0.93, 0.11, 0.94, 99, 100), "loss": MetricFacts(0.21, 0.2, 0.21, 99, 100)},
        inputs={"data": RECORD.inputs["data"]},
        command=("python", "train.py", "--lr", "0.1"),
        seconds=12.4,
    )
    assert format_tag(shown).startswith(example.partition("…\n")[0].partition("version = 1")[0])


@given(records)
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_back(record: RunRecord) -> None:
    text = format_run(record)
    again = parse_run(text, "x")
    assert format_run(again) == text
    if "nan" not in text.decode():
        assert again == replace(record, started=again.started, ended=again.ended)
    assert (again.started, again.ended) == (record.started, record.ended)


@given(records)
@settings(max_examples=25, deadline=None)
def test_a_tag_is_read_back_also_when_it_is_signed(record: RunRecord) -> None:
    message = format_tag(record)
    signed = f"{message}-----BEGIN PGP SIGNATURE-----\n\niQEzBAABCAAdFiEE\n-----END PGP SIGNATURE-----\n"
    for text in (message, signed):
        assert format_run(parse_tag(text, record.tag)) == format_run(record)
    subject, blank, *lines = summary(record).splitlines()
    assert len(subject) <= 72 and not blank
    assert all(line.isprintable() and len(line) <= 120 for line in (subject, *lines))
    assert format_commit(record).endswith(f"\n\nGitmlog-Run: {record.id}\n") or format_commit(record).endswith(
        f"\nGitmlog-Run: {record.id}\n"
    )


@given(records)
@settings(max_examples=25, deadline=None)
def test_the_index_keeps_a_record_whole(record: RunRecord) -> None:
    assert format_run(load_record(dump_record(record))) == format_run(record)
    plain(record)


def test_a_key_that_looks_like_a_signature_ends_nothing() -> None:
    record = replace(RECORD, params={"-----BEGIN": "PGP SIGNATURE-----", "z": 1})
    assert parse_tag(format_tag(record), record.tag) == record


def test_no_number_is_shown_to_programs_as_text() -> None:
    facts = MetricFacts(math.nan, -math.inf, math.inf, 0, 1)
    shown = plain(replace(RECORD, metrics={"loss": facts}, params={"x": (math.nan, 1.5)}))
    assert shown["metrics"]["loss"] == {"last": "NaN", "min": "-Infinity", "max": "Infinity", "step": 0, "count": 1}
    assert shown["params"] == {"x": ["NaN", 1.5]}


def same(left: Any, right: Any) -> bool:
    """Equal in value and type, a NaN being one."""
    return repr(left) == repr(right)


@given(records)
@settings(max_examples=40, deadline=None)
def test_the_quick_reader_reads_as_the_real_one(record: RunRecord) -> None:
    text = format_run(record).decode()
    found = fast(text)
    assert found is not None, "it was not quick"
    assert same(found, tomllib.loads(text))


@given(
    records,
    st.integers(0, 2_000),
    st.text(st.sampled_from('"\\[]{}=,.-+_#\n\r\t 01eEniafTZ:u\x00é'), max_size=3),
    st.integers(0, 3),
)
@settings(max_examples=100, deadline=None)
def test_the_quick_reader_never_takes_what_the_real_one_refuses(record: RunRecord, at: int, put: str, less: int) -> None:
    text = format_run(record).decode()
    at %= len(text)
    changed = text[:at] + put + text[at + less :]
    found = fast(changed)
    if found is not None:
        assert same(found, tomllib.loads(changed))


@pytest.mark.parametrize(
    "text",
    [
        'a = "b"\na = "c"\n',
        "[t]\na = 1\n[t]\nb = 2\n",
        "t = 1\n[t]\na = 2\n",
        "a = {b = 1, b = 2}\n",
        'a = "\\uD800"\n',
        "a = 2026-02-30T00:00:00.000000Z\n",
        "a = 01\n",
        "a = 1_000__0\n",
        "a = [1, 2\n",
        "a = 1 b = 2\n",
        "a = 1.\n",
    ],
)
def test_what_is_no_toml_is_refused_quickly_too(text: str) -> None:
    assert fast(text) is None
    with pytest.raises(TomlError):
        read_canonical(text)


@pytest.mark.parametrize(
    "text",
    [
        "a=1\n",
        "a = 1 # why\n",
        "a.b = 1\n",
        "a = '''x'''\n",
        "a = [\n 1,\n]\n",
        "a = 1_000\r\n",
        "[a.b]\nc = 1e5\n",
        "a = 0x1F\n",
    ],
)
def test_other_forms_of_toml_are_read_as_well(text: str) -> None:
    assert fast(text) is None
    assert read_canonical(text) == tomllib.loads(text)


def changed(old: str, new: str) -> str:
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (changed("version = 1", "version = 2"), "newer-version"),
        (changed("version = 1", 'version = "1"'), "bad-run"),
        (changed("version = 1", "version = 0"), "bad-run"),
        (changed("version = 1\n", ""), "bad-run"),
        (changed('name = "baseline"', 'name = "base\\nline"'), "bad-run"),
        (changed('name = "baseline"', 'name = ""'), "bad-run"),
        (changed('name = "baseline"', f'name = "{"x" * 251}"'), "bad-run"),
        (changed('id = "20261123-091502-swift-otter"', 'id = "../../etc"'), "bad-run"),
        (changed('status = "FINISHED"', 'status = "RUNNING"'), "bad-run"),
        (changed("seconds = 12.376544", 'seconds = "long"'), "bad-run"),
        (changed("exit = 0", "exit = true"), "bad-run"),
        (changed("exit = 0", f"exit = {1 << 64}"), "bad-run"),
        (changed("started = 2026-11-23T09:15:02.123456Z", "started = 2026-11-23T09:15:02"), "bad-run"),
        (changed("started = 2026-11-23T09:15:02.123456Z", "started = 2026-11-23"), "bad-run"),
        (changed("count = 100}", "count = 100, more = 1}"), "bad-run"),
        (changed("count = 100}", "count = 1.5}"), "bad-run"),
        (changed("acc = {last = 0.93", 'acc = {last = "high"'), "bad-run"),
        (changed('"config.yaml" =', '"../config.yaml" ='), "bad-run"),
        (changed('"config.yaml" =', '".git/config" ='), "bad-run"),
        (changed('"config.yaml" =', '"-rf" ='), "bad-run"),
        (changed("size = 120", "size = -1"), "bad-run"),
        (changed('git = "e69de29', 'git = "E69DE29'), "bad-run"),
        (changed("lr = 0.1", "lr = {deep = 1}"), "bad-run"),
        (changed("lr = 0.1", "lr = [[1]]"), "bad-run"),
        (changed("lr = 0.1", '" lr" = 0.1'), "bad-run"),
        (changed('purpose = "first try"', "purpose = 1"), "bad-run"),
        (changed("[models]", "[surprise]"), "bad-run"),
        (changed("exit = 0", "exit = 0\nsurprise = 1"), "bad-run"),
        (changed('user = "ada"', 'parent = "; rm -rf /"'), "bad-run"),
        (changed("lr = 0.1", "lr = " + "[" * 100 + "]" * 100), "bad-run"),
        ("not toml at all", "bad-run"),
        ("", "bad-run"),
        (EXAMPLE + "#" * MAX_BYTES, "bad-run"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused(text: str, kind: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_run(text, "tag x")
    assert caught.value.kind == kind
    assert caught.value.hint
    assert caught.value.message.isprintable() and len(caught.value.message) < 600


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(DataError, match="not UTF-8 at byte"):
        parse_run(EXAMPLE.encode().replace(b"baseline", b"base\xffline"), "x")


@pytest.mark.parametrize(
    "message",
    [
        "no separator\n",
        f"x\n{SEPARATOR}",
        f"x\n {SEPARATOR}\n{EXAMPLE}",
        f"x\n{SEPARATOR} \n{EXAMPLE}",
        "x" * (MAX_BYTES + 1),
    ],
)
def test_a_message_without_a_record_is_refused(message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_tag(message, RECORD.tag)
    assert caught.value.kind == "bad-run"


def test_a_tag_under_another_name_is_refused() -> None:
    with pytest.raises(DataError, match="it says that it is run/20261123-091502-swift-otter"):
        parse_tag(format_tag(RECORD), "run/20261123-091502-calm-heron")


def test_what_people_read_is_no_source_of_facts() -> None:
    lied = format_tag(RECORD).replace("acc 0.93", "acc 0.99").replace("metrics     acc=0.93", "metrics     acc=1")
    assert parse_tag(lied, RECORD.tag) == RECORD


def test_a_time_with_an_offset_is_the_same_moment() -> None:
    found = parse_run(changed("started = 2026-11-23T09:15:02.123456Z", "started = 2026-11-23T10:15:02.123456+01:00"), "x")
    assert found.started == RECORD.started and found.started.utcoffset() == timedelta(0)


def test_floats_are_the_shortest_that_read_back() -> None:
    assert [value_text(each) for each in (0.1, 1e-7, 1e22, math.nan, math.inf, -math.inf, 1.0)] == [
        "0.1", "1e-07", "1e+22", "nan", "inf", "-inf", "1.0",
    ]  # fmt: skip
    assert re.fullmatch(r'"a\\u001Bb\\nc"', value_text("a\x1bb\nc"))


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, -1.0])
def test_a_time_that_is_none_has_words_all_the_same(seconds: float) -> None:
    assert duration(seconds) == "an unknown time"
    with pytest.raises(DataError, match="seconds"):
        parse_run(changed("seconds = 12.376544", f"seconds = {seconds!r}"), "x")


def test_integers_of_64_bits_are_read_and_no_longer_ones() -> None:
    for value in (-(1 << 63), (1 << 63) - 1):
        assert parse_run(changed("lr = 0.1", f"lr = {value}"), "x").params["lr"] == value
    for text in (f"{1 << 63}", f"[{1 << 63}]", "0x" + "f" * 4000):
        with pytest.raises(DataError, match="too large"):
            parse_run(changed("lr = 0.1", f"lr = {text}"), "x")
