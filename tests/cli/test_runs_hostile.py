"""Runs that somebody else made: pushed tags and handed-over folders may say anything, and break no command."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitmlog.core.errors import DataError
from gitmlog.ops.runs.begin import Begin, begin
from gitmlog.ops.runs.folder import RunFolder
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import CodeFacts, RunRecord
from tests.conftest import Sandbox
from tests.runs import FIRST, git, make_run

BAD = "20260202-000000-bad-fox"


@pytest.fixture
def repo(sandbox: Sandbox) -> Sandbox:
    """One commit, one good run."""
    sandbox.write("train.py", "print(1)\n")
    sandbox.commit("first")
    make_run(sandbox, params={"lr": 0.1}, metrics={"acc": [(0, 0.5)]})
    return sandbox


def push_tag(box: Sandbox, old: str, new: str) -> None:
    """A tag beside the good one, whose text says `new` where that says `old`."""
    text = git(box, "cat-file", "tag", f"refs/tags/run/{FIRST}") + "\n"
    assert old in text
    text = text.replace(FIRST, BAD).replace(old, new)
    oid = git(box, "hash-object", "-t", "tag", "-w", "--stdin", data=text.encode())
    git(box, "update-ref", f"refs/tags/run/{BAD}", oid)


HUGE = "9" * 400
LONG = "1" + "0" * 4000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("started = 2026-01-01T00:00:00.000000Z", "started = 0001-01-01T00:00:00+01:00"),
        ("ended = 2026-01-01T00:00:12.500000Z", "ended = 9999-12-31T23:59:59-01:00"),
        ("seconds = 12.5", f"seconds = {HUGE}"),
        ("seconds = 12.5", f"seconds = {LONG}"),
        ("seconds = 12.5", "seconds = nan"),
        ("seconds = 12.5", "seconds = inf"),
        ("seconds = 12.5", "seconds = -1.0"),
        ("last = 0.5", f"last = {HUGE}"),
        ("lr = 0.1", f"lr = {LONG}"),
        ("lr = 0.1", f"lr = {'9' * 5000}"),
        ("lr = 0.1", f"lr = [1, {LONG}]"),
        ("lr = 0.1", f"lr = {1 << 63}"),
        ("exit = 0", f"exit = {LONG}"),
    ],
)
def test_one_bad_tag_is_told_and_all_else_is_listed(repo: Sandbox, old: str, new: str) -> None:
    push_tag(repo, old, new)
    for command in (["runs", "list"], ["runs", "show", "last"], ["runs", "list", "--where", "seconds > 0"]):
        done = repo.here(*command)
        assert done.code == 0, done
        assert "swift-otter" in done.out
        assert "Traceback" not in done.err
    done = repo.here("runs", "list")
    assert BAD in done.err
    assert "bad-fox" not in done.out
    assert max(map(len, done.err.splitlines())) < 400


def test_whatever_a_tag_does_to_the_index_is_that_tags_problem(repo: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no rule of the reader has thought of."""
    from gitmlog.runs import index, index_schema

    push_tag(repo, "lr = 0.1", "lr = 0.25")
    read, word = index.parse_tag, index_schema.word

    def refuse(message: str, name: str) -> RunRecord:
        if BAD in name:
            raise OverflowError("a value that nobody has thought of")
        return read(message, name)

    with monkeypatch.context() as patched:
        patched.setattr(index, "parse_tag", refuse)
        done = repo.here("runs", "list")
        assert (done.code, "OverflowError" in done.err, "swift-otter" in done.out) == (0, True, True), done
    (repo.root / ".git/gitmlog/runs.db").unlink()

    def refuse_value(value: object) -> object:
        if value == 0.25:
            raise OverflowError("a value that has no room")
        return word(value)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(index_schema, "word", refuse_value)
        done = repo.here("runs", "list")
        assert (done.code, "has no room" in done.err, "swift-otter" in done.out) == (0, True, True), done


# Arguments


NOT_UTF8 = "bad\udcffname"


@pytest.mark.parametrize(
    "command",
    [
        ["show"],
        ["accept"],
        ["archive"],
        ["compare"],
        ["log"],
        ["rm"],
        ["recover"],
        ["artifacts"],
        ["export", "-o", "x.csv"],
        ["diff", "last"],
    ],
)
def test_a_name_that_is_not_utf8_is_no_run(repo: Sandbox, command: list[str]) -> None:
    error = repo.fails("runs", *command, NOT_UTF8, code=3, kind="no-run")
    assert error["message"].isprintable()
    for spec in (f"{NOT_UTF8}~1", f"run/{NOT_UTF8}"):
        assert repo.here("runs", *command, spec).code == 3


@pytest.mark.parametrize("option", ["--where", "--sort", "--columns"])
@pytest.mark.parametrize("query", [NOT_UTF8, f"params.{NOT_UTF8}", f"tags.x = '{NOT_UTF8}'", f"name ~ '{NOT_UTF8}'"])
def test_a_query_that_is_not_utf8_is_a_bad_query(repo: Sandbox, option: str, query: str) -> None:
    before = repo.here("runs", "list").out
    index = (repo.root / ".git/gitmlog/runs.db").stat().st_ino
    error = repo.fails("runs", "list", option, query, code=2, kind="bad-query")
    assert error["message"].isprintable()
    assert (repo.here("runs", "list").out, (repo.root / ".git/gitmlog/runs.db").stat().st_ino) == (before, index)


def test_a_metric_that_is_not_utf8_is_plotted_by_no_one(repo: Sandbox) -> None:
    assert repo.fails("runs", "plot", NOT_UTF8, code=2, kind="bad-query")["message"].isprintable()
    assert repo.fails("runs", "plot", "acc", NOT_UTF8, code=3, kind="no-run")["message"].isprintable()


def test_many_unknown_names_are_a_few_notes(repo: Sandbox) -> None:
    for words in (
        ["--where", " or ".join(f"params.x{number} = 1" for number in range(200))],
        ["--sort", ",".join(f"metrics.x{number}" for number in range(200))],
        ["--where", f"parent in ({', '.join(f'x{number}' for number in range(150))})"],
    ):
        done = repo.here("runs", "list", *words)
        assert done.code == 0, done
        notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
        assert len(notes) == 6, notes
        assert "and " in notes[-1] and "more" in notes[-1]


# Folders of runs that somebody handed over


DEAD = "20260303-000000-calm-heron"
RUNS = ".git/gitmlog/runs"
KINDS = ["pipe", "zero", "dangling", "folder", "huge", "garbage"]


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Whoever waits for a pipe waits for ever: that is a failure, not a test without an end."""

    def give_up(*_: object) -> None:
        raise AssertionError("it waits for something that never comes")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def put(path: Path, kind: str) -> None:
    """Something that is no file of ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind in ("zero", "dangling"):
        path.symlink_to("/dev/zero" if kind == "zero" else "not-there-yet")
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with open(path, "wb") as stream:
            stream.truncate(1 << 40)
    else:
        path.write_bytes(b"\xff{[" * 1000)


@pytest.fixture
def dead(repo: Sandbox) -> Path:
    """The folder of a run that was killed, as it should be."""
    ws = Workspace.open(repo.root)
    begun = begin(ws, Begin(folder=repo.root, name="killed"))
    os.close(begun.owner)
    journal = begun.folder.path / "journal-1-00000000.jsonl"
    journal.write_text('["param","lr",0.5]\n')
    return begun.folder.path


def breaks_nothing(box: Sandbox) -> None:
    """Every command that looks at the folders works, and says no more than it must."""
    for command in (["runs", "list"], ["runs", "show", "swift-otter"], ["doctor"], ["runs", "list", "--json"]):
        done = box.here(*command)
        assert (done.code, "Traceback" in done.err) == (0, False), (command, done)
    done = box.here("runs", "recover")
    assert done.code in (0, 1), done
    assert "Traceback" not in done.err, done
    if done.code:
        assert "damaged" in done.err
        assert done.err.isprintable() or "\n" in done.err


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["owner", "start.json", "journal-1-00000000.jsonl", "environment.json", "system.csv", "log.txt", "blobs"]
)
def test_a_damaged_folder_is_told_and_skipped(repo: Sandbox, dead: Path, name: str, kind: str) -> None:
    put(dead / name, kind)
    breaks_nothing(repo)
    assert not (dead / "not-there-yet").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["newest", "products.json", "products.json.new", "products.lock"])
def test_what_the_clone_remembers_may_be_anything(repo: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str, kind: str) -> None:
    put(repo.root / RUNS / name, kind)
    monkeypatch.chdir(repo.root)
    done = repo.here("run", "--", "true")
    assert done.code == 0, done
    breaks_nothing(repo)
    assert not (repo.root / RUNS / "not-there-yet").exists() or name == "newest"


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59.9+00:00", "0001-01-01T00:00:00+05:00", "2199-01-01T00:00:00+00:00", "2020-01-01T00:00:00"]
)
def test_a_newest_run_that_cannot_be_is_forgotten(repo: Sandbox, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    repo.write(f"{RUNS}/newest", text)
    monkeypatch.chdir(repo.root)
    assert repo.here("run", "--name", "after", "--", "true").code == 0
    started = json.loads(repo.here("runs", "show", "after", "--json").out)["started"]
    assert abs(datetime.fromisoformat(started) - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    "change",
    [
        {"worktree": None},
        {"worktree": 5},
        {"code": []},
        {"code": {}},
        {"code": {"tree": "../../x", "commit": "", "branch": "", "changed": 0, "untracked": 0, "state": ""}},
        {"started": 1},
        {"started": "0001-01-01T00:00:00+05:00"},
        {"started": "2026-01-01T00:00:00"},
        {"name": "\ud800"},
        {"user": "\ud800"},
        {"command": "train.py"},
        {"command": ["\ud800"]},
        {"outputs": ["a"]},
        {"outputs": {"../../etc/passwd": []}},
        {"outputs": {"/etc/passwd": []}},
        {"results": {"a": 1}},
        {"person": {"name": "A\ntree 1", "email": "a@b"}},
        {"parent": "; rm -rf /"},
        {"id": "20260101-000000-other-one"},
        {"warnings": [[[[1]]]]},
    ],
)
def test_a_start_that_says_odd_things_is_refused(repo: Sandbox, dead: Path, change: dict[str, object]) -> None:
    start = dead / "start.json"
    found = json.loads(start.read_text()) | change
    start.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))
    breaks_nothing(repo)
    done = repo.here("runs", "recover")
    assert (done.code, "damaged" in done.err) == (1, True), done
    assert dead.is_dir()
    with pytest.raises(DataError) as caught:
        RunFolder(dead).read_start()
    assert caught.value.kind == "bad-run"


@pytest.mark.parametrize("line", ['["param","lr",1%s]' % ("0" * 4000), '["param","a","\\ud800"]', '["tag","a","\\udfff"]'])
def test_a_live_run_that_logs_odd_things_is_listed(repo: Sandbox, dead: Path, line: str) -> None:
    (dead / "journal-1-00000000.jsonl").write_text(f"{line}\n")
    owner = RunFolder(dead).take()
    try:
        done = repo.here("runs", "list")
        assert (done.code, "killed" in done.out, "swift-otter" in done.out) == (0, True, True), done
        assert repo.here("runs", "show", dead.name).code == 0
    finally:
        os.close(owner)


# What is shown


EVIL = "a\x1b[2Jb\x07\x9b31m\u202ec\u2066\u200e\x7f\r\u2028d"
SHOWS = [
    ["list"],
    ["list", "--csv"],
    ["list", "--json"],
    ["list", "--columns", "*"],
    ["list", "--columns", "id,name,user,host,branch,folder,error,command,params.x,tags.t"],
    ["list", "--csv", "--columns", "user,host,branch,folder,error,command,params.x,params.l,tags.t"],
    ["list", "--json", "--columns", "user,host,branch,folder,error,command,params.x,params.l,tags.t"],
    ["show", BAD],
    ["show", BAD, "--json"],
    ["compare", FIRST, BAD],
    ["compare", FIRST, BAD, "--json"],
    ["compare", FIRST, BAD, "--all"],
    ["log", BAD, "--json"],
    ["diff", FIRST, BAD, "--json"],
    ["artifacts", BAD],
    ["plot", "acc", BAD],
    ["plot", "acc", BAD, "--json"],
    ["export", BAD],
]


@pytest.fixture
def evil(repo: Sandbox) -> Sandbox:
    """A run that says what a terminal would obey, wherever it may. (Logs and patches go byte for byte to whom is no terminal.)"""
    facts = dict.fromkeys(("user", "host", "folder", "error"), EVIL)
    code = CodeFacts(git(repo, "rev-parse", "HEAD^{tree}"), git(repo, "rev-parse", "HEAD"), EVIL, 1, 1, EVIL)
    texts: dict[str, Any] = {"x": EVIL, "l": [EVIL, "y"]}
    make_run(
        repo,
        BAD,
        params=texts,
        metrics={"acc": [(0, 0.5), (1, 0.75)]},
        tags={"t": EVIL},
        command=("python", EVIL),
        warnings=(EVIL,),
        files={"train.py": f"print('{EVIL}')\n"},
        log=EVIL.encode() + b"\n",
        code=code,
        status="FAILED",
        **facts,
    )
    return repo


@pytest.mark.parametrize("command", SHOWS, ids=" ".join)
def test_nothing_that_a_terminal_obeys_is_printed(evil: Sandbox, command: list[str]) -> None:
    done = evil.here("runs", *command)
    assert "Traceback" not in done.err
    odd = {c for c in done.out + done.err if not c.isprintable() and c not in "\n\t"}
    assert odd == set(), done


def test_a_bug_or_an_error_shows_no_such_text_either(evil: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from gitmlog.ops.runs import find

    for words in (["show", EVIL], ["list", "--where", EVIL], ["list", "--columns", EVIL], [EVIL], ["show", f"--{EVIL}"]):
        done = evil.here("runs", *words)
        assert (done.code != 0, [c for c in done.err if not c.isprintable() and c not in "\n\t"]) == (True, []), done

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(EVIL)

    monkeypatch.setattr(find, "search", fail)
    done = evil.here("runs", "list")
    assert "this is a bug" in done.err
    assert [c for c in done.err if not c.isprintable() and c not in "\n\t"] == []


@pytest.mark.parametrize("formula", ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0"])
def test_a_spreadsheet_runs_nothing(repo: Sandbox, formula: str) -> None:
    make_run(repo, BAD, params={"x": formula, "n": -1.5}, tags={"t": formula}, user=formula, metrics={"a": [(0, -2.0)]})
    for words in (["--csv"], ["--csv", "--columns", "user,params.x,tags.t,params.n,metrics.a"]):
        (row,) = list(csv.DictReader(io.StringIO(repo.here("runs", "list", "--where", "params.x", *words).out)))
        assert (row["user"], row["params.x"], row["tags.t"]) == (f"'{formula}",) * 3
        assert (row["params.n"], row["metrics.a"]) == ("-1.5", "-2.0")
    assert json.loads(repo.here("runs", "list", "--where", "params.x", "--json").out)["runs"][0]["user"] == formula


def test_a_variable_that_names_a_damaged_run_is_an_error_that_says_so(repo: Sandbox, dead: Path) -> None:
    (dead / "start.json").write_text('{"version": 1}')
    program = (
        "import gitmlog\ntry:\n    gitmlog.start_run()\nexcept gitmlog.GitmlogError as error:\n    print(error.kind, error.hint)"
    )
    done = repo.run(sys.executable, "-c", program, env={"GITMLOG_RUN": str(dead)})
    assert (done.code, done.out.split()[:1], "Traceback" in done.err) == (0, ["bad-run"], False), done


def test_a_folder_that_is_a_link_is_no_run(repo: Sandbox, dead: Path, tmp_path: Path) -> None:
    """What it leads to is neither locked nor removed."""
    moved = tmp_path / "elsewhere"
    dead.rename(moved)
    dead.symlink_to(moved)
    before = sorted(os.listdir(moved))
    breaks_nothing(repo)
    assert repo.here("runs", "recover").code == 0
    assert (sorted(os.listdir(moved)), dead.is_symlink()) == (before, True)


@pytest.mark.parametrize("kind", ["pipe", "zero", "dangling", "folder", "garbage"])
def test_collecting_garbage_waits_for_nothing(repo: Sandbox, dead: Path, kind: str) -> None:
    for name in ("journal-2-00000000.jsonl", "log.txt", "owner"):
        put(dead / name, kind)
    done = repo.here("gc")
    assert (done.code, "Traceback" in done.err) == (0, False), done


@pytest.mark.parametrize(
    "row",
    [
        f"acc,{LONG},1.0,0.5",
        f"acc,{'9' * 5000},1.0,0.5",
        f"acc,0,{HUGE},0.5",
        "acc,0,nan,0.5",
        "acc,0,inf,0.5",
        "acc,0,1e300,0.5",
        "acc,0,-1e300,0.5",
        f"acc,0,1.0,{HUGE}",
        f"acc,{1 << 63},1.0,0.5",
        "acc,-9223372036854775808,1.0,0.5",
        "acc,0,1.0,1e308\nacc,1,2.0,-1e308",
    ],
)
def test_a_history_that_says_odd_things_is_refused_or_drawn(repo: Sandbox, row: str) -> None:
    history = f"key,step,time,value\n{row}\n".encode()
    make_run(repo, BAD, metrics={"acc": [(0, 0.5)]}, history=history)
    for words in (["plot", "acc", BAD], ["plot", "acc", BAD, "--x", "time"], ["plot", "acc", BAD, "--json"], ["show", BAD]):
        done = repo.here("runs", *words)
        assert (done.code in (0, 5), "Traceback" in done.err) == (True, False), (words, done)
    done = repo.here("runs", "export", BAD, "--history")
    assert (done.code in (0, 5), "Traceback" in done.err) == (True, False), done
