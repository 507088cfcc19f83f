"""`gitmlog bisect`: the first commit whose recorded metric is bad, by git's own bisect."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Sandbox
from tests.runs import Made, make_run


def record(box: Sandbox, acc: float, number: int, metric: str = "acc", **facts: Any) -> Made:
    """A run of the code that is checked out."""
    return make_run(
        box,
        f"20260101-{number // 3600:02}{number // 60 % 60:02}{number % 60:02}-quick-fox",
        metrics={metric: [(0, acc)]},
        **facts,
    )


def history(box: Sandbox, values: list[float | None]) -> list[str]:
    """A commit for each value, with a run of its code where there is one; the ids."""
    ids = []
    for number, value in enumerate(values):
        box.write("code.py", str(number))
        ids.append(box.commit(f"commit {number}"))
        if value is not None:
            record(box, value, number, params={"lr": number, "same": 1})
    return ids


def found(box: Sandbox, *words: str) -> dict[str, Any]:
    done = box.here("bisect", *words, "--json")
    assert done.code == 0, done
    result: dict[str, Any] = json.loads(done.out)
    return result


def state(box: Sandbox) -> list[str]:
    """What a bisect could change."""
    files = {path.relative_to(box.root).as_posix() for path in (box.root / ".git").iterdir()} - {".git/packed-refs"}
    refs = box.git("for-each-ref")
    return [
        box.git("status", "--porcelain", "--branch"),
        box.git("rev-parse", "HEAD"),
        refs,
        *sorted(files),
        box.git("ls-files", "-s"),
    ]


ACC = ["--metric", "acc", "--below", "0.9"]


def test_the_first_bad_commit(sandbox: Sandbox) -> None:
    ids = history(sandbox, [0.95, 0.94, 0.96, 0.93, 0.95, 0.81, 0.8, 0.82, 0.7])
    sandbox.write("untracked", "x")
    sandbox.write("code.py", "not committed")
    assert sandbox.here("runs", "list").code == 0  # the index of runs is made
    assert sandbox.here("init").code == 0
    before = state(sandbox)
    result = found(sandbox, *ACC, ids[0], "HEAD")
    assert result["first_bad"]["commit"]["id"] == ids[5]
    assert (result["first_bad"]["value"], result["first_bad"]["run"]["id"]) == (0.81, "20260101-000005-quick-fox")
    assert (result["last_good"]["commit"]["id"], result["last_good"]["value"]) == (ids[4], 0.95)
    assert result["params"] == [{"name": "lr", "old": 4, "new": 5}]
    assert (result["commits"], result["without_value"], result["candidates"]) == (8, 0, [])
    assert 1 <= result["tested"] <= 4, "as few as git asks for"
    assert state(sandbox) == before
    text = sandbox.here("bisect", *ACC, ids[0], "HEAD").out
    assert ids[5][:10] in text
    assert "0.81" in text
    assert "5, was 4" in text


def test_above_and_the_other_names_of_a_metric(sandbox: Sandbox) -> None:
    ids = []
    for number, loss in enumerate([0.1, 0.2, 0.5, 0.6]):
        sandbox.write("code.py", str(number))
        ids.append(sandbox.commit())
        make_run(sandbox, f"20260101-{number:06d}-quick-fox", metrics={"val/loss": [(0, loss), (1, loss + 1), (2, loss + 0.5)]})
    for metric, bound in (("val/loss", "0.9"), ("metrics.val/loss", "0.9"), ("min.val/loss", "0.4"), ("max.val/loss", "1.4")):
        words = ["--metric", metric, "--above", bound, ids[0], ids[3]]
        assert found(sandbox, *words)["first_bad"]["commit"]["id"] == ids[2], metric


def test_not_a_number_is_bad(sandbox: Sandbox) -> None:
    ids = history(sandbox, [0.95, 0.95, float("nan"), float("nan")])
    for bound in ("--below", "--above"):
        limit = "0.9" if bound == "--below" else "1"
        result = found(sandbox, "--metric", "acc", bound, limit, ids[0], ids[3])
        assert (result["first_bad"]["commit"]["id"], result["first_bad"]["value"]) == (ids[2], "NaN")


def test_commits_without_a_value_are_left_out(sandbox: Sandbox) -> None:
    ids = history(sandbox, [0.95, None, 0.94, None, None, None, 0.7, None, 0.7])
    result = found(sandbox, *ACC, ids[0], ids[8])
    assert result["first_bad"] is None
    assert [each["commit"]["id"] for each in result["candidates"]] == [ids[6], ids[5], ids[4], ids[3]]
    assert result["last_good"]["commit"]["id"] == ids[2]
    assert (result["without_value"], result["tested"]) == (5, 2)
    assert sandbox.here("bisect", *ACC, ids[0], ids[8]).out.startswith("one of these 4 is the first bad commit")
    record(sandbox, 0.5, 99)  # of HEAD: no help
    sandbox.git("checkout", "-q", "--detach", ids[5])
    record(sandbox, 0.91, 100)
    assert found(sandbox, *ACC, ids[0], ids[8])["first_bad"]["commit"]["id"] == ids[6]


def test_runs_of_changed_code_do_not_count(sandbox: Sandbox) -> None:
    ids = history(sandbox, [0.95, None, 0.7])
    sandbox.git("checkout", "-q", "--detach", ids[1])
    made = record(sandbox, 0.1, 50)
    code = made.record.code
    sandbox.git("tag", "-d", made.record.tag)
    record(sandbox, 0.1, 51, code=replace(code, changed=1))
    record(sandbox, 0.1, 52, code=replace(code, untracked=1))
    assert found(sandbox, *ACC, ids[0], ids[2])["first_bad"] is None
    record(sandbox, 0.95, 53)
    assert found(sandbox, *ACC, ids[0], ids[2])["first_bad"]["commit"]["id"] == ids[2]


def test_the_newest_run_counts(sandbox: Sandbox) -> None:
    ids = history(sandbox, [0.95, 0.1, 0.7])
    sandbox.git("checkout", "-q", "--detach", ids[1])
    record(sandbox, 0.96, 500)
    make_run(sandbox, "20260101-000600-quick-fox", metrics={"other": [(0, 1)]})
    assert found(sandbox, *ACC, ids[0], ids[2])["first_bad"]["commit"]["id"] == ids[2]


def test_accepted_runs_and_what_they_changed(sandbox: Sandbox) -> None:
    """A run's own commit, by fast-forward; and the merge of a run."""
    sandbox.write("m.pt", "first")
    assert sandbox.here("add", "m.pt").code == 0
    sandbox.commit()
    good = make_run(
        sandbox, "20260101-000001-good-fox", metrics={"acc": [(0, 0.95)]}, outputs={"m.pt": b"good"}, params={"lr": 0.1}
    )
    assert sandbox.here("runs", "accept", good.record.id).code == 0
    worse = {"lr": 9.0, "new": "x"}
    outputs = {"m.pt": b"bad bytes"}
    bad = make_run(sandbox, "20260101-000002-bad-fox", metrics={"acc": [(0, 0.5)]}, outputs=outputs, params=worse)
    sandbox.write("code.py", "x")
    sandbox.commit("in between")
    record(sandbox, 0.96, 20)
    assert sandbox.here("runs", "accept", bad.record.id).code == 0
    merge = sandbox.git("rev-parse", "HEAD").strip()
    sandbox.write("code.py", "y")
    sandbox.commit("after")
    record(sandbox, 0.4, 21)
    result = found(sandbox, *ACC, "good-fox", "HEAD")
    assert result["first_bad"]["run"]["id"] == bad.record.id
    assert result["first_bad"]["commit"]["id"] == bad.commit, "its own commit is in the history"
    assert result["last_good"]["commit"]["id"] == good.commit
    assert result["metafiles"] == [
        {"path": "m.pt", "kind": "changed", "old_path": None, "words": "9 B, was 4 B"},
    ]
    assert {each["name"]: (each["old"], each["new"]) for each in result["params"]} == {"lr": (0.1, 9.0), "new": (None, "x")}
    text = sandbox.here("bisect", *ACC, "good-fox", "HEAD").out
    assert "m.pt  9 B, was 4 B" in text
    assert "lr   9.0, was 0.1" in text
    squashed = found(sandbox, *ACC, "good-fox", merge)
    assert squashed["first_bad"]["commit"]["id"] == bad.commit


def test_the_ends_must_be_what_they_are_called(sandbox: Sandbox) -> None:
    ids = history(sandbox, [0.95, 0.8, 0.7, None])
    before = state(sandbox)
    error = sandbox.fails("bisect", *ACC, ids[1], ids[2], code=2, kind="not-good")
    assert "0.8" in error["message"]
    assert "below 0.9" in error["message"]
    sandbox.fails("bisect", "--metric", "acc", "--below", "0.1", ids[0], ids[2], code=2, kind="not-bad")
    sandbox.fails("bisect", *ACC, ids[2], ids[0], code=2, kind="not-good")
    sandbox.fails("bisect", *ACC, ids[2], ids[2], code=2, kind="not-bad")
    done = sandbox.here("bisect", *ACC, ids[0], ids[3])
    assert done.code == 0 and f"taken was the nearest commit before it that has a value, {ids[2][:10]}" in done.err
    error = sandbox.fails("bisect", "--metric", "acb", "--below", "1", ids[0], ids[2], code=3, kind="no-metric")
    assert "did you mean acc?" in error["hint"]
    sandbox.fails("bisect", "--metric", "params.lr", "--below", "1", ids[0], ids[2], code=3, kind="no-metric")
    sandbox.fails("bisect", "--metric", "a b(", "--below", "1", ids[0], ids[2], code=2, kind="bad-query")
    sandbox.fails("bisect", *ACC, "nothing", ids[2], code=3, kind="no-revision")
    for words in ([], ["--below", "1", "--above", "2"], ["--below", "nan"], ["--below", "x"]):
        sandbox.fails("bisect", "--metric", "acc", *words, ids[0], ids[2], code=2, kind="usage")
    assert state(sandbox) == before


def test_ends_that_do_not_lead_to_each_other(sandbox: Sandbox) -> None:
    """git then asks for the commit where they part."""
    ids = history(sandbox, [0.95, 0.94, 0.5])
    sandbox.git("switch", "-q", "-c", "side", ids[0])
    sandbox.write("side.py", "x")
    side = sandbox.commit()
    record(sandbox, 0.97, 70)
    assert found(sandbox, *ACC, side, ids[2])["first_bad"]["commit"]["id"] == ids[2]
    before = state(sandbox)
    low = ["--metric", "acc", "--above", "0.96"]
    sandbox.git("switch", "-q", "--orphan", "other")
    sandbox.write("other.py", "x")
    other = sandbox.commit()
    record(sandbox, 0.5, 71)
    sandbox.git("switch", "-q", "side")
    assert found(sandbox, *low, other, side)["first_bad"]["commit"]["id"]
    assert state(sandbox)[:2] == before[:2]


def test_a_bisect_of_the_users_own(sandbox: Sandbox) -> None:
    ids = history(sandbox, [0.95, 0.9, 0.8, 0.7])
    sandbox.git("bisect", "start", ids[3], ids[0])
    log = sandbox.git("bisect", "log")
    error = sandbox.fails("bisect", *ACC, ids[0], ids[3], code=1, kind="under-way")
    assert "git bisect reset" in error["hint"]
    assert sandbox.git("bisect", "log") == log
    sandbox.git("bisect", "reset")
    assert found(sandbox, *ACC, ids[0], ids[3])["first_bad"]["commit"]["id"] == ids[2]


def test_after_an_error_nothing_is_left(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = history(sandbox, [0.95, 0.9, 0.8, 0.7])
    assert sandbox.here("bisect", *ACC, ids[0], ids[3]).code == 0
    before = state(sandbox)
    from gitmlog.git import bisect

    def fail(self: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(bisect.Bisect, "next", fail)
    assert sandbox.here("bisect", *ACC, ids[0], ids[3]).code == 130
    assert state(sandbox) == before


SLOW = """
import sys, time
from gitmlog.git import bisect
from gitmlog.cli.main import run
real = bisect.Bisect.next
def slow(self):
    print("ready", flush=True)
    time.sleep(30)
    return real(self)
bisect.Bisect.next = slow
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle(sandbox: Sandbox, how: signal.Signals) -> None:
    """Ctrl-C leaves nothing; what a kill leaves is named with its way out, and the working tree is as it was."""
    ids = history(sandbox, [0.95, 0.9, 0.8, 0.7])
    command = [sys.executable, "-c", SLOW, "bisect", *ACC, ids[0], ids[3]]
    with subprocess.Popen(command, cwd=sandbox.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        os.kill(child.pid, how)
        code = child.wait(30)
    assert code == (130 if how == signal.SIGINT else -9)
    assert sandbox.git("status", "--porcelain") == ""
    assert sandbox.git("rev-parse", "--abbrev-ref", "HEAD").strip() == "main"
    if how == signal.SIGKILL:
        error = sandbox.fails("bisect", *ACC, ids[0], ids[3], code=1, kind="under-way")
        assert "git bisect reset" in error["hint"]
        sandbox.git("bisect", "reset")
        assert sandbox.git("rev-parse", "HEAD").strip() == ids[3]
    assert found(sandbox, *ACC, ids[0], ids[3])["first_bad"]["commit"]["id"] == ids[2]


def test_no_hook_runs_and_the_working_tree_is_busy_with_other_things(sandbox: Sandbox, tmp_path: Path) -> None:
    ids = history(sandbox, [0.95, 0.9, 0.8, 0.7])
    for name in ("post-checkout", "post-index-change"):
        hook = sandbox.write(f".git/hooks/{name}", f"#!/bin/sh\necho {name} >> {tmp_path}/ran\n")
        hook.chmod(0o755)
    sandbox.write("code.py", "x")
    sandbox.run("git", "-c", "core.hooksPath=/dev/null", "stash", check=True)
    sandbox.run("git", "-c", "core.hooksPath=/dev/null", "checkout", "-q", "--detach", ids[1], check=True)
    (tmp_path / "ran").unlink(missing_ok=True)
    assert found(sandbox, *ACC, ids[0], ids[3])["first_bad"]["commit"]["id"] == ids[2]
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
    assert sandbox.git("rev-parse", "HEAD").strip() == ids[1]


def test_in_a_linked_worktree(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each has its own bisect: one in the main working tree is not in the way."""
    ids = history(sandbox, [0.95, 0.9, 0.8, 0.7])
    sandbox.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    sandbox.git("bisect", "start", ids[3], ids[0])
    tree = Sandbox(tmp_path / "tree")
    assert found(tree, *ACC, ids[0], ids[3])["first_bad"]["commit"]["id"] == ids[2]
    assert "git bisect start" in sandbox.git("bisect", "log")


def test_in_a_shallow_clone(sandbox: Sandbox, tmp_path: Path) -> None:
    ids = history(sandbox, [0.95, 0.9, 0.8, 0.7])
    sandbox.git("clone", "-q", "--depth", "3", f"file://{sandbox.root}", str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone")
    clone.git("fetch", "-q", "--depth", "3", "origin", "refs/tags/run/*:refs/tags/run/*")
    assert found(clone, *ACC, ids[1], ids[3])["first_bad"]["commit"]["id"] == ids[2]


def test_many_commits_and_few_runs(sandbox: Sandbox) -> None:
    """1,000 commits, every hundredth measured."""
    sandbox.write("f", "x")
    start = sandbox.commit()
    record(sandbox, 0.95, 0)
    lines = []
    for number in range(1_000):
        lines += [
            "commit refs/heads/main",
            f"mark :{number + 1}",
            f"committer A <a@b> {1_900_000_000 + number} +0000",
            "data 1",
            "x",
        ]
        lines += [f"from {start}"] if number == 0 else []
        lines += ["M 100644 inline f", f"data {len(str(number))}", str(number)]
    marks = sandbox.root / ".git/marks"
    command = ["git", "fast-import", "--quiet", "--force", f"--export-marks={marks}"]
    subprocess.run(command, cwd=sandbox.root, input="\n".join(lines).encode(), check=True)
    ids = dict(line.split() for line in marks.read_text().splitlines())
    for number in range(100, 1_001, 100):
        sandbox.git("update-ref", "--no-deref", "HEAD", ids[f":{number}"])
        record(sandbox, 0.95 if number < 700 else 0.5, number)
    begun = time.monotonic()
    result = found(sandbox, *ACC, start, ids[":1000"])
    assert time.monotonic() - begun < 60
    assert len(result["candidates"]) == 100
    assert result["last_good"]["commit"]["id"] == ids[":600"]
    assert (result["commits"], result["without_value"]) == (1000, 990)
    assert sandbox.git("for-each-ref", "refs/bisect") == ""
