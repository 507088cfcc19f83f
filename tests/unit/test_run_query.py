"""The language of --where and --sort: against the same conditions in Python, and what it says to mistakes."""

from __future__ import annotations

import math
import operator
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmlog.core.errors import UsageError
from gitmlog.runs.direction import direction
from gitmlog.runs.index import _matches
from gitmlog.runs.index_schema import Entry, create, insert, showing
from gitmlog.runs.query import parse_field, parse_fields, parse_sort, parse_where
from gitmlog.runs.query_nodes import Field, fields_of
from gitmlog.runs.query_sql import condition, number_of, ordering, time_span
from gitmlog.runs.record import CodeFacts, MetricFacts, ParamValue, RunRecord

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def run(number: int = 0, *, metrics: dict[str, float] | None = None, **facts: Any) -> RunRecord:
    started = START + timedelta(days=number)
    record = RunRecord(
        id=f"{started:%Y%m%d-%H%M%S}-swift-otter",
        name="baseline",
        status="FINISHED",
        started=started,
        ended=started + timedelta(minutes=1),
        seconds=60.0,
        command=("python",),
        folder=".",
        code=CodeFacts("a" * 40, "2f1b0e3e" + "0" * 32, "main"),
        exit=0,
        user="ada",
        metrics={key: MetricFacts(value, value - 1, value + 1, 0, 2) for key, value in (metrics or {}).items()},
    )
    return replace(record, **facts)


def table(runs: Sequence[RunRecord], archived: Sequence[int] = ()) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.create_function("matches", 2, _matches)
    create(connection)
    insert(connection, [(n, Entry(each, f"{n:040x}", "b" * 40, "ref", n in archived)) for n, each in enumerate(runs)])
    return connection


def ask(connection: sqlite3.Connection, where: str = "", sort: str = "") -> list[int]:
    sql, arguments = condition(parse_where(where), where)
    order, more = ordering(parse_sort(sort)) if sort else ("n", ())
    rows = connection.execute(f"SELECT n, {sql} FROM runs WHERE {sql} ORDER BY {order}", (*arguments, *arguments, *more))
    found = list(rows)
    assert {truth for _, truth in found} <= {1}
    return [n for n, _ in found]


RUNS = [
    run(0, metrics={"acc": 0.95, "val/loss": 0.1, "val acc": 0.8}, params={"lr": 0.001, "optimizer.name": "adam", "amp": True}),
    run(
        1,
        metrics={"acc": 0.85},
        params={"lr": 0.1, "optimizer.name": "sgd", "amp": False},
        name="wide net",
        status="FAILED",
        exit=1,
    ),
    run(
        2,
        metrics={"acc": math.nan, "loss": math.inf},
        params={"lr": "0.01", "layers": (1, 2)},
        tags={"purpose": "first try", "n": "3"},
    ),
    run(3, params={"lr": 10**30, "x": math.nan}, user="", exit=None, parent="20261101-120000-swift-otter"),
]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("  ", [0, 1, 2, 3]),
        ("metrics.acc > 0.9", [0]),
        ("metrics.acc>0.9", [0]),
        ("metrics.acc > 0.9 and params.lr < 1e-2", [0]),
        ("metrics.acc <= 0.85 OR params.lr == 0.001", [0, 1]),
        ("not metrics.acc > 0.9", [1, 2, 3]),
        ("metrics.acc != 0.95", [1]),
        ("metrics.acc", [0, 1, 2]),
        ("not metrics.acc", [3]),
        ("metrics.acc = nan", [2]),
        ("metrics.acc != nan", [0, 1]),
        ("metrics.acc < nan", []),
        ("metrics.loss = inf", [2]),
        ("metrics.loss > 1e300", [2]),
        ("metrics.loss > -inf", [2]),
        ("metrics.nothing < 5 or metrics.nothing >= 5", []),
        ("metrics.val/loss < 0.5", [0]),
        ('metrics."val acc" >= 0.8', [0]),
        ("metrics.'val acc' >= '0.8'", [0]),
        ("max.acc > 1.9 and min.acc < 0", [0]),
        ("min.acc = -0.15000000000000002", [1]),
        ("params.optimizer.name = adam", [0]),
        ("params.optimizer.name = 'adam'", [0]),
        ("params.optimizer.name <> adam", [1]),
        ("params.optimizer.name in ('adam', sgd)", [0, 1]),
        ("params.optimizer.name not in (adam)", [1, 2, 3]),
        ("params.optimizer.name like 'A%'", [0]),
        ("params.optimizer.name not like 'a%'", [1, 2, 3]),
        ("params.optimizer.name ~ '^(adam|lion)$'", [0]),
        ("params.optimizer.name !~ '^a'", [1]),
        ("params.lr = 0.01", [2]),
        ("params.lr < 0.05", [0, 2]),
        ("params.lr < '0.05'", [0, 2]),
        ("params.lr > 1e29", [3]),
        ("params.lr in (0.1, 0.001)", [0, 1]),
        ("params.lr = 1e-3", [0]),
        ("params.lr != 0.001", [1, 2, 3]),
        ("params.amp = true", [0]),
        ("params.amp = false", [1]),
        ("params.layers = '[1, 2]'", [2]),
        ("params.x = nan", [3]),
        ("tags.purpose = 'first try'", [2]),
        ("tags.n > 2", [2]),
        ("status = failed", [1]),
        ("status in (finished, failed) and exit != 0", [1]),
        ("exit", [0, 1, 2]),
        ("exit = nan", []),
        ("not user", [3]),
        ("user = ada", [0, 1, 2]),
        ("user != bob", [0, 1, 2]),
        ("user !~ b", [0, 1, 2]),
        ("name = 'wide net'", [1]),
        ("name ~ net", [1]),
        ("name like 'BASE____'", [0, 2, 3]),
        ("id ~ '^20261102'", [1]),
        ("parent", [3]),
        ("parent = 20261101-120000-swift-otter", [3]),
        ("seconds >= 60 and seconds < 60.5", [0, 1, 2, 3]),
        ("started > '2026-11-03'", [2, 3]),
        ("started > 2026-11-03", [2, 3]),
        ("started = '2026-11-03'", [2]),
        ("started != '2026-11-03'", [0, 1, 3]),
        ("started <= '2026-11-02'", [0, 1]),
        ("started = '2026-11-02 12:00'", [1]),
        ("started = '2026-11-02T13:00:00+01:00'", [1]),
        ("ended > '2026-11-04T12:00:59Z'", [3]),
        ("started in ('2026-11-01', '2026-11-04')", [0, 3]),
        ("branch = main and commit = 2f1b0e3e", [0, 1, 2, 3]),
        ("commit = 2F1B", [0, 1, 2, 3]),
        ("commit = 0000000000000000000000000000000000000002", [2]),
        ("commit != 2f1b0e3e", []),
        ("commit = 2f1", []),
        ("commit in (2f1b0e3e, dead)", [0, 1, 2, 3]),
        ("archived", [3]),
        ("not archived", [0, 1, 2]),
        ("archived = true", [3]),
        ("archived != true", [0, 1, 2]),
        ("not (metrics.acc > 0.9 or not metrics.acc)", [1, 2]),
        ("not not metrics.acc", [0, 1, 2]),
        ("exit = 0 or exit = 1 and name = 'wide net'", [0, 1, 2]),
        ("(exit = 0 or exit = 1) and name = 'wide net'", [1]),
        ("name = 'it''s'", []),
        ("name = '); DROP TABLE runs; --'", []),
        ("params.'x'' or 1=1 --' = 1", []),
    ],
)
def test_conditions(where: str, expected: list[int]) -> None:
    assert ask(table(RUNS, archived=[3]), where) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("metrics.acc", [1, 0, 2, 3]),
        ("-metrics.acc", [0, 1, 2, 3]),
        ("metrics.acc desc", [0, 1, 2, 3]),
        ("-started", [3, 2, 1, 0]),
        ("started ASC", [0, 1, 2, 3]),
        ("params.lr", [0, 2, 1, 3]),
        ("-params.lr", [3, 1, 2, 0]),
        ("params.optimizer.name,-started", [0, 1, 3, 2]),
        ("params.x", [3, 2, 1, 0]),
        ("-exit,started", [1, 0, 2, 3]),
        ("status, +started", [1, 0, 2, 3]),
        ("name,-max.acc", [0, 2, 3, 1]),
    ],
)
def test_orders(sort: str, expected: list[int]) -> None:
    assert ask(table(RUNS), "", sort) == expected


def test_runs_that_go_on_are_asked_like_the_others_and_kept_nowhere() -> None:
    connection = table(RUNS)
    live = {-1: Entry(run(9, status="RUNNING", ended=None, params={"lr": 0.5, "fresh": 1}, tags={"purpose": "live"}))}
    for _ in range(2):
        with showing(connection, live):
            assert ask(connection, "status = running") == [-1]
            assert ask(connection, "params.fresh = 1") == [-1]
            assert ask(connection, "params.lr > 0.05 and not metrics.acc") == [-1, 3]
            assert ask(connection, "", "-params.lr") == [3, -1, 1, 2, 0]
            assert ask(connection, "ended") == [0, 1, 2, 3]
            assert ask(connection, "commit != dead and commit") == [0, 1, 2, 3]
        assert ask(connection, "params.fresh or status = running") == []


def mistake(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        condition(parse_where(text), text)
    assert caught.value.kind == "bad-query"
    assert caught.value.hint
    assert caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize(
    ("where", "at", "said"),
    [
        ("acc > 1", 1, "no attribute 'acc'"),
        ("metrics.acc >", 14, "after `>` a value is missing"),
        ("metrics.acc > and x", 15, "after `>` a value is missing"),
        ("metrics.acc > 1 metrics.loss", 17, "`and`, `or` or the end"),
        ("metrics. > 1", 1, "a name is missing"),
        ("metrics.'' > 1", 1, "a name is missing"),
        ("(metrics.acc", 13, "parenthesis at character 1 is not closed"),
        ("metrics.acc)", 12, "`and`, `or` or the end"),
        ("and", 1, "name of a metric"),
        ("not", 4, "name of a metric"),
        ("metrics.acc = 'x", 15, "a string has no end"),
        ("metrics.acc = foo", 15, "a number is expected"),
        ("metrics.acc ~ 5", 15, "`~` is for texts"),
        ("metrics.acc not 5", 17, "`in` or `like` is expected"),
        ("metrics.acc in 5", 16, "a list in parentheses"),
        ("metrics.acc in (5", 18, "`,` or `)` is expected"),
        ("metrics.acc in ()", 17, "a value is missing"),
        ("metrics.acc in (5, foo)", 20, "a number is expected"),
        ("metrics.acc > metrics.loss", 15, "only a value may stand there"),
        ("name ~ '('", 8, "regular expression is wrong"),
        ("started > soon", 11, "a time is expected"),
        ("started > '2026-13-01'", 11, "a time is expected"),
        ("started ~ '2026'", 11, "`~` is for texts"),
        ("archived = maybe", 12, "true or false"),
        ("5 > metrics.acc", 1, "no attribute '5'"),
        ("'name' = x", 1, "name of a metric"),
        ("= 5", 1, "name of a metric"),
        ("name = \x1b[31m", 8, ""),
    ],
)
def test_mistakes_are_pointed_at(where: str, at: int, said: str) -> None:
    if said:
        error = mistake(where)
        assert said in error.message
        assert f"at character {at}: " in error.message
        assert "▸" in error.message
    else:
        condition(parse_where(where), where)


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("acc > 1", "`metrics.acc`, `params.acc` or `tags.acc`?"),
        ("statsu = x", "did you mean `status`?"),
        ("metric.acc > 1", "did you mean `metrics.acc`?"),
        ("param.lr > 1", "did you mean `params.lr`?"),
        ("foo.bar > 1", "before the dot stands one of metrics"),
        ("status = DONE", "FINISHED, FAILED, KILLED or RUNNING"),
        ("status in (finished, done)", "FINISHED, FAILED, KILLED or RUNNING"),
        ("name = mlp a", "goes in quotes: 'mlp a'"),
        ("name = mlp a b and exit = 0", "goes in quotes: 'mlp a b'"),
        ("exit = 0 && archived", "joined with `and`, not with `&&`"),
        ("exit = 0 || archived", "joined with `or`, not with `||`"),
        ("exit = 0&&archived", "joined with `and`"),
        ("archived&&exit", "joined with `and`"),
        ("archived = true )", "compare with"),
    ],
)
def test_what_was_meant_is_guessed(where: str, hint: str) -> None:
    assert hint in mistake(where).hint


def test_long_and_deep_queries_are_refused() -> None:
    assert "10,001 characters" in mistake("x" * 10_001).message
    assert "nested deeper" in mistake("(" * 60 + "exit" + ")" * 60).message
    assert "nested deeper" in mistake("not " * 60 + "exit").message
    assert "more than 200 comparisons" in mistake(" or ".join(["exit"] * 201)).message
    connection = table(RUNS)
    assert ask(connection, " or ".join(["exit"] * 200)) == [0, 1, 2]
    assert ask(connection, "(" * 50 + "exit" + ")" * 50) == [0, 1, 2]
    many = ", ".join(str(number / 10) for number in range(1_500))
    assert ask(connection, f"params.lr in ({many})") == [1]


def test_sort_keys_that_are_wrong() -> None:
    for text in ("", "acc", "-", "started,,id", "started id", "started,", "metrics.", "a" * 20_000):
        with pytest.raises(UsageError) as caught:
            parse_sort(text)
        assert caught.value.kind == "bad-query"
    assert parse_sort(["-metrics.acc", "started desc"]) == (*parse_sort("-metrics.acc"), *parse_sort("-started"))
    assert parse_sort(()) == ()


def test_names() -> None:
    assert parse_fields("name, metrics.*,min.'a b'") == (Field("", "name"), Field("metrics", "*"), Field("min", "a b"))
    assert parse_field("metrics.a.b-c/d") == Field("metrics", "a.b-c/d")
    assert str(Field("metrics", 'a "b" c')) == 'metrics."a ""b"" c"'
    for field in (Field("metrics", 'a "b" c'), Field("params", "a,b"), Field("tags", "x'"), Field("", "started")):
        assert parse_field(str(field)) == field
    asked = parse_where("not (metrics.a > 1 or params.b) and started = 2026-01-01")
    assert list(fields_of(asked)) == [Field("metrics", "a"), Field("params", "b"), Field("", "started")]
    with pytest.raises(UsageError):
        parse_field("metrics.acc > 1")


def test_numbers_and_times() -> None:
    assert [number_of(text) for text in ("1", "-2", "1e-2", "+.5", "5.", "inf", "-inf")] == [
        1,
        -2,
        0.01,
        0.5,
        5.0,
        math.inf,
        -math.inf,
    ]
    assert [number_of(text) for text in ("", "x", "1_0", "0x1", "١", "1e99999", "infinity", "1 ")] == [None] * 8
    begin, end = time_span("2026-11-01")
    assert end - begin == 86_400_000_000
    assert time_span("2026-11-01T00:00:00.5")[0] == begin + 500_000


CONDITIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne}
values = st.sampled_from([0.0, 0.5, 1.0, -2.0, math.inf])
tests = st.tuples(st.sampled_from(["metrics.a", "metrics.b", "params.p"]), st.sampled_from(sorted(CONDITIONS)), values)
nodes: st.SearchStrategy[Any] = tests
for _ in range(4):  # of bounded depth, as conditions are
    nodes = tests | st.tuples(st.just("not"), nodes) | st.tuples(st.sampled_from(["and", "or"]), nodes, nodes)
facts = st.dictionaries(st.sampled_from(["a", "b"]), values | st.just(math.nan))


def written(node: Any) -> str:
    if node[0] == "not":
        return f"not ({written(node[1])})"
    if node[0] in ("and", "or"):
        return f"({written(node[1])}) {node[0]} ({written(node[2])})"
    return f"{node[0]} {node[1]} {node[2]!r}"


def holds(node: Any, metrics: dict[str, float], params: dict[str, ParamValue]) -> bool:
    if node[0] == "not":
        return not holds(node[1], metrics, params)
    if node[0] in ("and", "or"):
        both = (holds(part, metrics, params) for part in node[1:])
        return all(both) if node[0] == "and" else any(both)
    space, _, key = node[0].partition(".")
    value: Any = (metrics if space == "metrics" else params).get(key)
    return value is not None and not math.isnan(value) and CONDITIONS[node[1]](value, node[2])


@given(st.lists(st.tuples(facts, st.dictionaries(st.just("p"), values)), min_size=1, max_size=4), nodes)
@settings(max_examples=120, deadline=None)
def test_sql_answers_as_python_does(made: list[tuple[dict[str, float], dict[str, Any]]], node: Any) -> None:
    connection = table([run(n, metrics=metrics, params=params) for n, (metrics, params) in enumerate(made)])
    assert ask(connection, written(node)) == [n for n, each in enumerate(made) if holds(node, *each)]


@given(st.text(st.sampled_from("metrics.acc params tags id and or not in like ()=<>~!',\"0123456789e-+.*\x00é\n"), max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_query_or_a_mistake(text: str) -> None:
    try:
        sql, arguments = condition(parse_where(text), text)
    except UsageError as error:
        assert error.kind == "bad-query" and error.message.isprintable()
    else:
        EMPTY.execute(f"SELECT n FROM runs WHERE {sql}", arguments).fetchall()


EMPTY = table([])


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("loss", "min"), ("val_loss", "min"), ("valLoss", "min"), ("train/loss", "min"), ("RMSE", "min"), ("log-loss", "min"),
        ("mean_absolute_error", "min"), ("val.ppl", "min"), ("wer", "min"), ("latency_ms", "min"), ("seconds_per_step", "min"),
        ("epoch_time", "min"), ("loss_per_token", "min"), ("acc", "max"), ("accuracy", "max"), ("f1", "max"), ("auc", "max"),
        ("tokens_per_second", "max"), ("samples/sec", "max"), ("power", "max"), ("layer_norm", "max"), ("glossary", "max"),
        ("", "max"), ("bleu", "max"), ("timely", "max"),
    ],
)  # fmt: skip
def test_which_way_is_better(name: str, way: str) -> None:
    assert direction(name) == way
