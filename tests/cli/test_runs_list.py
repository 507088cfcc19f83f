"""gitmlog runs list, and how one run is named."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitmlog.core.errors import NotFoundError, UsageError
from gitmlog.core.locks import locked
from gitmlog.ops.runs.find import Found, find, search
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import CodeFacts, MetricFacts, RunRecord
from gitmlog.runs.tags import ARCHIVE, PREFIX, format_tag
from tests.benchmarks.runs_list import import_tags
from tests.conftest import Sandbox
from tests.runs import git

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIVE = "20260401-000000-calm-heron"


def run(number: int, words: str = "swift-otter", *, metrics: dict[str, float] | None = None, **facts: Any) -> RunRecord:
    started = START + timedelta(hours=number)
    identity = f"{started:%Y%m%d-%H%M%S}-{words}"
    record = RunRecord(
        id=identity,
        name=words,
        status="FINISHED",
        started=started,
        ended=started + timedelta(minutes=1),
        seconds=72.5,
        command=("python", "train.py"),
        folder=".",
        code=CodeFacts("a" * 40, "b" * 40, "main", 0, 0),
        exit=0,
        user="ada",
        host="lab1",
        metrics={key: MetricFacts(value, value / 2, value * 2, 9, 10) for key, value in (metrics or {}).items()},
    )
    return replace(record, **facts)


RUNS = [
    run(0, "swift-otter", metrics={"acc": 0.912345678, "loss": 0.25}, params={"lr": 0.1, "optimizer": "adam"}),
    run(1, "calm-lynx", metrics={"acc": 0.95, "loss": math.nan}, params={"lr": 0.001}, name="base, line"),
    run(2, "bold-wren", metrics={"acc": 0.5}, status="FAILED", error="ValueError: no", exit=1, tags={"purpose": "ünï"}),
    run(3, "shy-heron", metrics={"loss": 0.01}, name="base, line", status="KILLED", params={"lr": 0.01, "amp": True}),
    run(4, "dry-finch", metrics={"acc": math.inf, "loss": 0.02}, status="KILLED", seconds=7_500.0),
]


@pytest.fixture
def filled(sandbox: Sandbox) -> Sandbox:
    import_tags(sandbox.root, RUNS)
    return sandbox


@pytest.fixture
def lookup(filled: Sandbox) -> Callable[..., Found]:
    return lambda spec, **how: find(Workspace.open(filled.root), spec, **how)


def shown(text: str) -> list[str]:
    """The ids in a table or a JSON document, in order."""
    return re.findall(r"\d{8}-\d{6}-[a-z]+-[a-z]+", text)


def listed(sandbox: Sandbox, *arguments: str) -> list[str]:
    """The words of the ids that are listed."""
    done = sandbox.here("runs", "list", "--columns", "id", *arguments)
    assert done.code == 0, done
    return [identity[16:] for identity in shown(done.out)]


def go_on(sandbox: Sandbox, identity: str = LIVE, text: str | None = None, **facts: Any) -> AbstractContextManager[None]:
    """A folder of a run that goes on for as long as the block."""
    folder = sandbox.root / ".git/gitmlog/runs" / identity
    folder.mkdir(parents=True, exist_ok=True)
    said = {"version": 1, "id": identity, "name": "now", "started": "2026-04-01T00:00:00.000001+00:00", "command": ["python"]}
    logged = [["param", key, value] for key, value in facts.pop("params", {}).items()]
    logged += [["tag", key, value] for key, value in facts.pop("tags", {}).items()]
    (folder / "journal-1-a.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in logged))
    said |= {"folder": ".", "code": {"tree": "a" * 40, "branch": "main", "changed": 1, "untracked": 0}, **facts}
    (folder / "start.json").write_text(json.dumps(said) if text is None else text)
    return locked(folder / "owner")


def test_the_table_fits_eighty_columns(filled: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = filled.here("runs", "list")
    assert done.err == ""
    assert done.out.splitlines() == [
        "id                           name        status      when   took     acc  loss",
        "20260301-160000-dry-finch                KILLED    Mar  1  2h05m     inf  0.02",
        "20260301-150000-shy-heron    base, line  KILLED    Mar  1  1m12s          0.01",
        "20260301-140000-bold-wren                FAILED    Mar  1  1m12s     0.5",
        "20260301-130000-calm-lynx    base, line  FINISHED  Mar  1  1m12s    0.95   nan",
        "20260301-120000-swift-otter              FINISHED  Mar  1  1m12s  0.9123  0.25",
        "1 more column: --columns '*'",
    ]
    assert max(map(len, done.out.splitlines())) <= 80


def test_many_metrics_are_as_many_as_fit(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {f"metric/{number}": number / 7 for number in range(12)}
    import_tags(sandbox.root, [run(0, metrics=metrics), run(1, metrics={"metric/7": 1e-9, "x": 12345678.9}, name="n" * 99)])
    for width, count in (("80", 1), ("100", 3), ("220", 13)):
        monkeypatch.setenv("COLUMNS", width)
        lines = sandbox.here("runs", "list").out.splitlines()
        assert max(map(len, lines)) <= int(width)
        assert len(lines[0].split()) == 5 + count
        assert lines[0].split()[5] == "metric/7", "the most common first"
    assert lines[1].split() == f"{run(1).id} nnnnnnnnnnnnn… FINISHED Mar 1 1m12s 1e-09 1.235e+07".split()


def test_a_name_that_is_the_words_of_the_id_is_left_out(sandbox: Sandbox) -> None:
    import_tags(sandbox.root, [RUNS[0], RUNS[2]])
    done = sandbox.here("runs", "list")
    assert done.out.splitlines() == [
        "id                           status      when   took     acc  loss   lr  optimizer",
        "20260301-140000-bold-wren    FAILED    Mar  1  1m12s     0.5",
        "20260301-120000-swift-otter  FINISHED  Mar  1  1m12s  0.9123  0.25  0.1  adam",
    ]


def test_parameters_that_differ_are_shown_where_there_is_room(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    params: list[dict[str, Any]] = [{"lr": 0.1, "acc": "x", "same": 1}, {"lr": 0.2, "acc": "y", "same": 1}]
    import_tags(sandbox.root, [run(number, metrics={"acc": 0.5}, params=each) for number, each in enumerate(params)])
    for width, more in (("100", ["acc", "params.acc", "lr"]), ("65", ["acc", "lr"]), ("53", [])):
        monkeypatch.setenv("COLUMNS", width)
        assert sandbox.here("runs", "list").out.splitlines()[0].split()[4:] == more


def test_an_empty_repository_says_how_to_begin(sandbox: Sandbox) -> None:
    assert sandbox.here("runs", "list").out == "no run yet: gitmlog run -- python train.py\n"
    assert sandbox.here("runs", "list", "--where", "exit").out == "no run is like that: gitmlog runs list\n"
    assert json.loads(sandbox.here("runs", "list", "--json").out) == {"runs": [], "total": 0, "notes": []}
    assert sandbox.here("runs", "list", "--csv").out.startswith("id,name,status,started,")
    assert sandbox.here("runs", "ls").code == 0


def test_where_and_sort(filled: Sandbox) -> None:
    assert listed(filled, "--where", "metrics.acc > 0.9 and params.lr < 1e-2") == ["calm-lynx"]
    assert listed(filled, "--sort", "-metrics.acc") == ["dry-finch", "calm-lynx", "swift-otter", "bold-wren", "shy-heron"]
    assert listed(filled, "--sort", "metrics.loss") == ["shy-heron", "dry-finch", "swift-otter", "calm-lynx", "bold-wren"]
    assert listed(filled, "--where", "status = killed", "--sort", "started") == ["shy-heron", "dry-finch"]
    assert listed(filled, "--where", "tags.purpose = 'ünï'") == ["bold-wren"]


def test_bare_names_are_metrics_else_parameters(filled: Sandbox) -> None:
    assert listed(filled, "--where", "acc > 0.9 and lr < 1e-2") == ["calm-lynx"]
    assert listed(filled, "--sort", "-acc", "--limit", "2") == ["dry-finch", "calm-lynx"]
    assert filled.here("runs", "list", "--sort", "-lr").out.splitlines()[0].split()[5] == "lr"
    with go_on(filled, params={"depth": 5}):
        assert listed(filled, "--where", "depth = 5") == ["calm-heron"]
    filled.fails("runs", "list", "--where", "depth = 5", code=2, kind="bad-query")


def test_a_parent_is_named_like_any_run(sandbox: Sandbox) -> None:
    parents = [run(number, "swift-otter", name="search") for number in (0, 1)]
    children = [run(number, "calm-lynx", parent=parents[number - 2].id) for number in (2, 3)]
    last = run(9, "dry-finch", parent=children[0].id)
    import_tags(sandbox.root, [*parents, *children, last])

    def ids(where: str) -> list[str]:
        return shown(sandbox.here("runs", "list", "--columns", "id", "--where", where).out)

    assert ids("parent = search") == [children[1].id, children[0].id]
    assert ids("parent = swift-otter") == [children[1].id]
    for where in (f"parent = '{parents[0].id[:13]}'", f"parent = {parents[0].id}", "parent = 'search~1'"):
        assert ids(where) == [children[0].id]
    assert ids("parent != search") == [last.id]
    assert ids("id in (last, 'search~1')") == [last.id, parents[0].id]
    assert "no run 'serch'" in sandbox.here("runs", "list", "--where", "parent = serch").err
    sandbox.fails("runs", "list", "--where", "parent = 2026", code=2, kind="ambiguous-run")


def test_what_is_sorted_by_is_shown_first(filled: Sandbox) -> None:
    head = filled.here("runs", "list", "--sort", "-params.lr,min.loss").out.splitlines()[0].split()
    assert head[5:9] == ["lr", "min.loss", "acc", "loss"]


def test_columns(filled: Sandbox) -> None:
    done = filled.here(
        "runs", "list", "--columns", "name,status,metrics.*,params.lr,min.loss,error,code,took,command", "--limit", "3"
    )
    assert done.out.splitlines() == [
        "name        status  metrics.acc  metrics.loss  params.lr  min.loss  error           code         took  command",
        "dry-finch   KILLED          inf          0.02                 0.01                  bbbbbbbbbb  2h05m  python train.py",
        "base, line  KILLED                       0.01       0.01     0.005                  bbbbbbbbbb  1m12s  python train.py",
        "bold-wren   FAILED          0.5                                     ValueError: no  bbbbbbbbbb  1m12s  python train.py",
        "… 2 more: --limit 0 lists all",
    ]


def test_all_columns(filled: Sandbox) -> None:
    head = filled.here("runs", "list", "--columns", "*,exit").out.splitlines()[0].split()
    assert head[:7] == ["id", "name", "status", "when", "took", "metrics.acc", "metrics.loss"]
    assert head[7:] == ["params.amp", "params.lr", "params.optimizer", "tags.purpose", "exit"]
    assert filled.here("runs", "list", "--columns", "acc,lr").out.split()[:2] == ["metrics.acc", "params.lr"]


def test_long_titles_are_shortened_where_more_columns_fit_so(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {"train/accuracy_top_five": 0.5, "train/loss": 0.25, "val/accuracy_top_five": 0.5, "val/loss": 0.125}
    import_tags(sandbox.root, [run(0, metrics=metrics, params={"only": 1}), *(run(n, metrics=metrics) for n in (1, 2))])
    for width, titles in (
        ("80", ["tra…ive", "tra…oss", "val…ive"]),
        ("120", ["train…p_five", "train/loss", "val/a…p_five", "val/loss"]),
        ("140", list(metrics)),
    ):
        monkeypatch.setenv("COLUMNS", width)
        lines = sandbox.here("runs", "list").out.splitlines()
        assert lines[0].split()[4:] == titles
        assert max(map(len, lines)) <= int(width)
        assert lines[-1] == "1 more column: --columns '*'" if width == "80" else lines[-1].startswith("2026")


def test_rare_metrics_come_after_the_parameters(sandbox: Sandbox) -> None:
    import_tags(sandbox.root, [run(n, metrics={"rare": 1.0} if not n else {"common": 2.0}, params={"lr": n}) for n in range(3)])
    assert sandbox.here("runs", "list").out.splitlines()[0].split()[4:] == ["common", "lr", "rare"]


def test_a_run_with_warnings_is_marked(sandbox: Sandbox) -> None:
    import_tags(sandbox.root, [run(0, warnings=("output model.pt was not written",)), run(1)])
    lines = sandbox.here("runs", "list").out.splitlines()
    assert "FINISHED!" in lines[2] and "!" not in lines[1]
    assert lines[-1] == "! has warnings: gitmlog runs show RUN"
    assert "!" not in sandbox.here("runs", "list", "--columns", "name").out


def test_nested_runs_are_marked(sandbox: Sandbox) -> None:
    import_tags(sandbox.root, [run(0, name="search"), run(1, name="try", parent=run(0).id), run(2, parent=run(0).id)])
    names = [line[29:37].rstrip() for line in sandbox.here("runs", "list").out.splitlines()]
    assert names == ["name", "└", "└ try", "search"]
    assert "└" not in sandbox.here("runs", "list", "--where", "parent").out


def test_limits(sandbox: Sandbox) -> None:
    import_tags(sandbox.root, [run(number) for number in range(60)])
    lines = sandbox.here("runs", "list").out.splitlines()
    assert len(lines) == 52 and lines[-1] == "… 10 more: --limit 0 lists all"
    assert len(sandbox.here("runs", "list", "--limit", "0").out.splitlines()) == 61
    assert len(json.loads(sandbox.here("runs", "list", "--json").out)["runs"]) == 60
    assert len(sandbox.here("runs", "list", "--csv").out.splitlines()) == 61
    found = json.loads(sandbox.here("runs", "list", "--json", "-n", "2").out)
    assert (len(found["runs"]), found["total"]) == (2, 60)
    assert shown(sandbox.here("-q", "runs", "list", "-n", "1").out) == [run(59).id]


def test_json_is_exact_and_standard(filled: Sandbox) -> None:
    out = filled.here("runs", "list", "--json").out
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["total"] == 5
    by_id = {each["id"]: each for each in found["runs"]}
    first = by_id[RUNS[0].id]
    assert first["metrics"]["acc"] == {"last": 0.912345678, "min": 0.456172839, "max": 1.824691356, "step": 9, "count": 10}
    assert first["started"] == "2026-03-01T12:00:00.000000Z"
    assert (first["tag"], first["archived"], first["params"]) == (RUNS[0].tag, False, {"lr": 0.1, "optimizer": "adam"})
    assert first["commit"] == git(filled, "rev-parse", f"{RUNS[0].tag}^{{commit}}")
    assert first["code"]["branch"] == "main"
    assert by_id[RUNS[1].id]["metrics"]["loss"]["last"] == "NaN"
    assert by_id[RUNS[4].id]["metrics"]["acc"]["max"] == "Infinity"
    few = json.loads(filled.here("runs", "list", "--json", "--columns", "name,metrics.acc,took", "-n", "2").out)["runs"]
    assert few[0] == {"name": "dry-finch", "metrics.acc": "Infinity", "took": 7500.0}
    assert few[1]["metrics.acc"] is None


def test_csv_is_exact(filled: Sandbox) -> None:
    rows = list(csv.DictReader(io.StringIO(filled.here("runs", "list", "--csv").out)))
    assert [row["id"] for row in rows] == [record.id for record in reversed(RUNS)]
    first = rows[-1]
    assert (first["metrics.acc"], first["params.lr"], first["params.optimizer"], first["archived"]) == (
        "0.912345678",
        "0.1",
        "adam",
        "false",
    )
    assert (rows[0]["metrics.acc"], rows[3]["metrics.loss"], rows[3]["name"]) == ("inf", "nan", "base, line")
    assert (rows[1]["params.amp"], rows[1]["metrics.acc"]) == ("true", "")
    text = filled.here("runs", "list", "--csv", "--columns", "id,metrics.acc", "-n", "1").out
    assert text == f"id,metrics.acc\n{RUNS[4].id},inf\n"


def test_archived_runs_are_listed_and_marked(filled: Sandbox) -> None:
    tag = git(filled, "rev-parse", RUNS[0].tag)
    git(filled, "update-ref", ARCHIVE + RUNS[0].id, tag)
    git(filled, "tag", "-d", RUNS[0].tag)
    out = filled.here("runs", "list").out
    assert "FINISHED*" in out and out.endswith("\n* archived\n")
    assert listed(filled, "--where", "archived") == ["swift-otter"]
    assert "* archived" not in filled.here("runs", "list", "--where", "not archived").out


def test_what_is_going_on_is_listed(filled: Sandbox) -> None:
    with go_on(filled, params={"lr": 0.5}, tags={"purpose": "see"}):
        assert listed(filled, "--where", "status = running") == ["calm-heron"]
        assert listed(filled, "--where", "params.lr > 0.05") == ["calm-heron", "swift-otter"]
        found = json.loads(filled.here("runs", "list", "--json", "-n", "1").out)
        assert found["total"] == 6 and found["notes"] == []
        (live,) = found["runs"]
        assert (live["status"], live["name"], live["commit"], live["tag"], live["ended"]) == ("RUNNING", "now", "", "", None)
        assert live["seconds"] > 0 or datetime.now(UTC) < datetime(2026, 4, 1, tzinfo=UTC)
        assert filled.here("runs", "list").out.splitlines()[1].startswith(f"{LIVE}   now         RUNNING")
        ws = Workspace.open(filled.root)
        assert find(ws, LIVE).live and find(ws, "20260401").live and find(ws, "now").live
        assert find(ws, "last").record.id == RUNS[-1].id


def test_one_that_was_killed_is_counted_until_it_is_recovered(filled: Sandbox) -> None:
    go_on(filled)
    done = filled.here("runs", "list")
    assert LIVE not in done.out
    said = f"1 run was killed and not recorded ({LIVE} now): gitmlog runs recover"
    assert done.err == f"note: {said}\n"
    assert json.loads(filled.here("runs", "list", "--json").out)["notes"] == [said]
    for spec in (LIVE, "now", "calm-heron", "20260401", f"run/{LIVE}"):
        error = filled.fails("runs", "show", spec, code=3, kind="no-run")
        assert error["message"] == f"run {LIVE} was killed, and is not recorded"
        assert error["hint"] == f"gitmlog runs recover {LIVE}"
    go_on(filled, RUNS[0].id)  # recorded, and killed before its folder was cleared away
    assert filled.here("runs", "list").err == done.err
    go_on(filled, "20260402-000000-calm-heron")
    for day in ("03", "04"):
        go_on(filled, f"202604{day}-000000-calm-heron")
    text = filled.here("runs", "list").err
    assert "4 runs were killed and not recorded (" in text and " and 1 more)" in text
    assert filled.here("-q", "runs", "list").err == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "null", '{"name": 5, "started": "x", "code": [], "params": {"": 1}, "command": 1}', "[" * 100_000]
)
def test_a_start_that_cannot_be_read_is_listed_all_the_same(filled: Sandbox, text: str) -> None:
    with go_on(filled, text=text):
        assert listed(filled, "--where", "status = RUNNING") == ["calm-heron"]
    with go_on(filled, "20269999-999999-calm-heron", text=text):
        assert filled.here("runs", "list").code == 0


def test_bad_queries(filled: Sandbox) -> None:
    assert (
        "at character 14"
        in filled.fails("runs", "list", "--where", "metrics.acc", "--where", "metrics.acc ~~", code=2, kind="bad-query")[
            "message"
        ]
    )
    filled.fails("runs", "list", "--sort", "accc", code=2, kind="bad-query")
    assert "max" in filled.fails("runs", "show", "best:metrics.acc:mix", code=3, kind="no-run")["hint"]
    assert "there is no column 'acd'" in filled.fails("runs", "list", "--columns", "id,acd", code=2, kind="bad-query")["message"]
    filled.fails("runs", "list", "--columns", "id,,name", code=2, kind="bad-query")
    filled.fails("runs", "list", "--csv", code=2, kind="usage")
    filled.fails("runs", "list", "--limit", "-1", code=2, kind="usage")


def test_a_name_that_no_run_has_is_worth_a_word(filled: Sandbox) -> None:
    assert (
        filled.here("runs", "list", "--where", "metrics.accc > 1").err
        == "note: no run has metrics.accc: did you mean metrics.acc?\n"
    )
    assert filled.here("runs", "list", "--sort", "-min.lss").err == "note: no run has min.lss: did you mean min.loss?\n"
    assert filled.here("runs", "list", "--where", "metrics.acc > 5 and metrics.acc < 6").err == ""


def test_bad_tags_are_named_and_the_rest_is_listed(filled: Sandbox) -> None:
    for number in range(8):
        git(filled, "tag", f"run/mine-{number}", "refs/heads/run")
    done = filled.here("runs", "list")
    assert done.code == 0 and len(shown(done.out)) == 5
    notes = done.err.splitlines()
    assert notes[0] == "note: tag run/mine-0: its name has not the form of a run's id"
    assert notes[-1] == "note: 3 more tags under run/ could not be read"
    assert len(notes) == 6


def test_nothing_that_a_tag_says_reaches_the_terminal_as_a_command(sandbox: Sandbox) -> None:
    evil = run(
        0,
        params={"x": "\x1b]0;owned\x07\r\nfake"},
        error="\x1b[2J",
        command=("a\nb", "\u202ec"),
        user="\x9b31m",
        metrics={"acc": 1.0},
    )
    import_tags(sandbox.root, [evil])
    for arguments in ((), ("--columns", "id,params.x,error,command,user")):
        out = sandbox.here("runs", "list", *arguments).out
        assert all(line.isprintable() for line in out.splitlines())
        assert len(out.splitlines()) == 2


def test_colours_are_for_terminals(filled: Sandbox) -> None:
    assert "\x1b" not in filled.here("runs", "list").out
    code = (
        "import os, pty, sys; pid, fd = pty.fork()\n"
        "if pid == 0: os.execv(sys.executable, [sys.executable, '-m', 'gitmlog', 'runs', 'list'])\n"
        "data = b''\n"
        "try:\n"
        "    while part := os.read(fd, 9999): data += part\n"
        "except OSError: pass\n"
        "os.waitpid(pid, 0); sys.stdout.buffer.write(data)"
    )
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=filled.root, capture_output=True, env={**os.environ, **environment}, check=True
        )
        assert (b"\x1b[31mFAILED" in done.stdout) == coloured
        assert b"finch" in done.stdout


def test_a_subfolder_a_worktree_and_a_process_of_its_own(filled: Sandbox) -> None:
    (filled.root / "sub").mkdir()
    assert shown(filled.ok("runs", "list", cwd=filled.root / "sub")) == [record.id for record in reversed(RUNS)]
    git(filled, "worktree", "add", "-q", "--detach", "../other", "refs/heads/run")
    assert shown(filled.ok("runs", "list", cwd=filled.root.parent / "other")) == [record.id for record in reversed(RUNS)]


def test_listing_imports_only_what_it_needs(filled: Sandbox) -> None:
    from tests.unit.test_imports import imported_by

    imported = imported_by("runs", "list", cwd=filled.root)
    assert (
        imported & {"numpy", "git", "dvc_data", "dvc_objects", "fsspec", "rich", "asyncio", "tomllib", "pandas", "matplotlib"}
        == set()
    )


def test_a_clone_finds_them_by_its_tags_alone(filled: Sandbox, tmp_path: Path) -> None:
    git(filled, "clone", "-q", str(filled.root), str(tmp_path / "clone"), "-b", "run")
    assert shown(filled.here("runs", "list", cwd=tmp_path / "clone").out) == [record.id for record in reversed(RUNS)]


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        ("20260301-140000-bold-wren", 2),
        ("run/20260301-140000-bold-wren", 2),
        ("refs/tags/run/20260301-140000-bold-wren", 2),
        ("20260301-14", 2),
        ("20260301-140000-b", 2),
        ("bold-wren", 2),
        ("base, line", 3),
        ("base, line~1", 1),
        ("calm-lynx", 1),
        ("last", 4),
        ("last~0", 4),
        ("last~2", 2),
        ("20260301-140000-bold-wren~1", 1),
        ("best:metrics.acc", 1),
        ("best:acc", 1),
        ("best:metrics.acc:min", 0),
        ("best:loss", 0),
        ("best:loss:max", 0),
        ("best:max.acc", 1),
        ("best:min.loss", 0),
        ("best:seconds", 1),
    ],
)
def test_a_run_is_found_by_what_it_is_called(lookup: Callable[..., Found], spec: str, number: int) -> None:
    found = lookup(spec)
    assert found.record == RUNS[number] or found.record.id == RUNS[number].id
    assert found.ref == PREFIX + RUNS[number].id and not found.live


@pytest.mark.parametrize(
    "spec",
    [
        "", "nobody", "20270101", "20260301-140000-bold-wrenx", "20260301-140000-calm-wren", "last~5", "last~x", "base, line~2",
        "bold-wren~1", "best:metrics.nothing", "best:min.nothing", "~1", "run/", "%", "_", "2026030_", "'; DROP TABLE runs; --",
        "\x1b[31m",
        "20260301-120000-swift-otter~1", "last~999999",
    ],
)  # fmt: skip
def test_what_names_no_run(lookup: Callable[..., Found], spec: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        lookup(spec)
    assert caught.value.kind == "no-run" and caught.value.hint
    assert caught.value.message.isprintable()


def test_what_names_several_runs(lookup: Callable[..., Found]) -> None:
    for spec in ("2026", "20260301-1"):
        with pytest.raises(UsageError, match="means 5 runs: 20260301-160000-dry-finch, ") as caught:
            lookup(spec)
        assert caught.value.kind == "ambiguous-run"
    with pytest.raises(UsageError, match="means 2 runs") as caught:
        lookup("base, line", unique=True)
    assert caught.value.kind == "ambiguous-run"
    assert RUNS[1].id in caught.value.message and RUNS[3].id in caught.value.message
    assert lookup("base, line~1", unique=True).record.id == RUNS[1].id
    assert lookup("bold-wren", unique=True).record.id == RUNS[2].id


def test_the_hint_says_what_is_near(lookup: Callable[..., Found]) -> None:
    with pytest.raises(NotFoundError) as caught:
        lookup("bold-wern")
    assert "did you mean bold-wren" in caught.value.hint
    for spec in ("best:", "best:foo bar", "best:metrics."):
        with pytest.raises((UsageError, NotFoundError)) as other:
            lookup(spec)
        assert other.value.kind in ("bad-query", "no-run")


def test_a_name_may_look_like_a_step_back(filled: Sandbox) -> None:
    import_tags(filled.root, [run(9, "odd-swan", name="bold-wren~1"), run(10, "sad-swan", name="run/deep")])
    ws = Workspace.open(filled.root)
    assert find(ws, "bold-wren~1").record.id == run(9, "odd-swan").id
    assert find(ws, "run/deep").record.id == run(10, "sad-swan").id
    assert find(ws, f"{ARCHIVE}{RUNS[0].id}").record == RUNS[0]


def test_nothing_is_found_where_nothing_is(sandbox: Sandbox) -> None:
    ws = Workspace.open(sandbox.root)
    for spec in ("last", "last~1", "best:acc", "2026", "x"):
        with pytest.raises(NotFoundError) as caught:
            find(ws, spec)
        assert caught.value.kind == "no-run"
    assert search(ws).runs == ()


def test_a_run_is_found_after_it_was_tagged_in_the_same_moment(sandbox: Sandbox) -> None:
    """The state of the refs is not trusted within one tick of the clock."""
    ws = Workspace.open(sandbox.root)
    for number in range(20):
        record = run(number)
        if number == 0:
            import_tags(sandbox.root, [record])
        else:
            git(
                sandbox,
                "tag",
                "-a",
                "--cleanup=verbatim",
                "-F",
                "-",
                record.tag,
                "refs/heads/run",
                data=format_tag(record).encode(),
            )
        assert find(ws, "last").record.id == record.id
