"""Looking into runs: show, compare, diff, log, artifacts, export."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

import gitmlog
from gitmlog.cli.commands.runs.log import for_terminal
from gitmlog.core.digest import hash_bytes
from gitmlog.core.errors import NotFoundError, UsageError
from gitmlog.ops.runs import contents
from gitmlog.ops.runs.find import find
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import CodeFacts
from tests.conftest import Sandbox
from tests.runs import ENVIRONMENT, make_run

ONE, TWO, THREE = "20260101-000000-swift-otter", "20260101-000100-brave-fox", "20260102-000000-calm-heron"
CURVE = [(0, 0.5), (1, 0.9), (2, 0.75)]
HOSTILE = "x\x1b[2J\x9b31m\r\ny"


@pytest.fixture
def box(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A commit, and two runs that differ in everything."""
    monkeypatch.setenv("COLUMNS", "80")
    sandbox.write("train.py", "one\ntwo\nthree\n")
    sandbox.write("logo.bin", b"\0\1")
    commit = sandbox.commit()
    make_run(
        sandbox,
        ONE,
        params={"lr": 0.1, "layers": [64, 32], "optimizer.name": "adam"},
        metrics={"acc": CURVE, "val_loss": [(0, 2.0), (1, 0.5)]},
        files={"train.py": "one\n2\nthree\n", "new.py": "fresh\n"},
        artifacts={
            "plots/roc.txt": [b"first", b"second one"],
            "report.md": b"# report",
            "tables": {"a/b.csv": b"1,2", "c.csv": b"3"},
        },
        outputs={"model.bin": b"weights"},
        log=b"epoch 1\n\x1b[32mepoch 2\x1b[0m\n10%\r50%\r100%\ndone\n",
        tags={"purpose": "first try"},
        models={"classifier": "model.bin"},
        code=CodeFacts("a" * 40, commit, "main", 1, 1),
    )
    make_run(
        sandbox,
        TWO,
        name="wide",
        params={"lr": 0.01, "layers": [64, 32], "optimizer.name": "adam", "flag": True},
        metrics={"acc": [(0, 0.8)], "val_loss": [(0, 0.7)]},
        files={"train.py": "one\n2\nthree\nfour\n", "logo.bin": b"\0\2"},
        outputs={"model.bin": b"other weights"},
        environment={**ENVIRONMENT, "packages": {"numpy": "2.5.0", "torch": "2.13.0"}},
        status="FAILED",
        exit=1,
        error="ValueError: bad",
        warnings=("no driver",),
    )
    return sandbox


def runs(box: Sandbox, *arguments: str) -> str:
    """What a command prints; it must succeed, in 80 columns of what a terminal may be shown."""
    done = box.here("runs", *arguments)
    assert done.code == 0, done
    return done.out


def laid_out(box: Sandbox, *arguments: str) -> list[str]:
    lines = runs(box, *arguments).splitlines()
    assert [line for line in lines if len(line) > 80 or not line.isprintable() or line != line.rstrip()] == []
    return lines


def on_terminal(box: Sandbox, *arguments: str) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)) as terminal:
        command = [sys.executable, "-m", "gitmlog", "runs", *arguments]
        child = subprocess.Popen(command, cwd=box.root, stdout=theirs, env={**os.environ, "TERM": "xterm", "LINES": "24"})
        os.close(theirs)
        data = b""
        with suppress(OSError):  # EIO: the other side is closed
            while piece := terminal.read(65536):
                data += piece
        assert child.wait(60) == 0
    return data.decode().replace("\r\n", "\n")


def workspace(box: Sandbox) -> Workspace:
    return Workspace.open(box.root)


def test_show(box: Sandbox) -> None:
    text = "\n".join(laid_out(box, "show", "swift-otter"))
    for part in (
        "swift-otter  FINISHED  12.5 s, 2026-01-01 00:00:00 UTC\n20260101-000000-swift-otter\n",
        "parameters\n  layers          [64, 32]\n  lr              0.1\n  optimizer.name  adam\n",
        "metrics     last  min  max  values  last step\n  acc       0.75  0.5  0.9       3          2\n",
        f"outputs\n  model.bin  {hash_bytes(b'weights')[:12]}  7 B\n",
        "models\n  classifier  model.bin\n",
        f"  plots/roc.txt  {hash_bytes(b'second one')[:12]}  10 B  2 versions\n",
        "  4 B  2 files\n",
        "tags\n  purpose  first try\n",
        " on main, 1 changed, 1 untracked\n             untracked  new.py\n             changed    train.py\n",
        "environment  Python 3.11.7, 2 packages, Linux, a CPU, 4 threads, 8.0 GB memory\n",
        "command      python train.py\n",
        "ran          in ., exit 0, by ada on lab1\n",
        f"\ngit show run/{ONE}\ngitmlog runs log {ONE}\ngitmlog runs artifacts {ONE} -o DIR",
    ):
        assert part in text
    failed = "\n".join(laid_out(box, "show", "wide"))
    assert "wide  FAILED" in failed
    assert "error\n  ValueError: bad\n" in failed
    assert "warning      no driver\n" in failed


def test_show_is_short_where_values_are_long(box: Sandbox) -> None:
    long = "x" * 5_000
    make_run(box, THREE, params={"p": long}, tags={"t": long}, command=("run", long))
    lines = laid_out(box, "show", THREE)
    assert len(lines) < 30
    assert sum(line.endswith("…") for line in lines) == 3
    found = json.loads(runs(box, "show", THREE, "--json"))
    assert (found["params"]["p"], found["tags"]["t"], found["command"][1]) == (long, long, long)


def test_show_of_nested_runs(box: Sandbox) -> None:
    for number in range(23):
        make_run(box, f"20260103-0000{number:02}-calm-heron", name="n" * 99, parent=TWO, metrics={"acc": [(0, number / 7)]})
    text = "\n".join(laid_out(box, "show", TWO))
    assert "nested runs\n  20260103-000000-calm-heron  nnnnnnnnnnnnnnn…  FINISHED  acc 0\n" in text
    assert f"  … and 3 more: gitmlog runs list --where 'parent = {TWO}'" in text
    assert len(json.loads(runs(box, "show", TWO, "--json"))["nested"]) == 23
    assert f"part of run {TWO} (wide)" in " ".join(runs(box, "show", "20260103-000000").split())
    make_run(box, THREE, parent="20250101-000000-lost-owl")
    assert "part of run 20250101-000000-lost-owl\n" in runs(box, "show", THREE)


@pytest.mark.parametrize(
    ("code", "said"),
    [(-2, "killed by SIGINT"), (-99, "killed by signal 99"), (137, "exit 137 (SIGKILL)"), (255, "exit 255"), (1, "exit 1")],
)
def test_exit_codes_in_words(box: Sandbox, code: int, said: str) -> None:
    make_run(box, THREE, exit=code, user="", host="")
    assert f"ran          in ., {said}\n" in runs(box, "show", THREE)


def test_the_traceback_of_a_failed_run(box: Sandbox) -> None:
    trace = b'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: bad\n'
    facts = {"status": "FAILED", "error": "ValueError: bad", "exit": 1}
    make_run(box, THREE, artifacts={"traceback.txt": trace}, log=b"epoch 1", **facts)
    assert f"error\n  ValueError: bad\n  traceback.txt: gitmlog runs log {THREE} ends with it\n" in runs(box, "show", THREE)
    assert runs(box, "log", THREE) == "epoch 1\n" + trace.decode()
    assert runs(box, "log", THREE, "--tail", "1") == "ValueError: bad\n"
    other = "20260104-000000-calm-heron"
    make_run(box, other, artifacts={"traceback.txt": trace}, log=b"epoch 1\n" + trace, **facts)
    assert runs(box, "log", other).count("ValueError") == 1
    make_run(box, "20260105-000000-calm-heron", artifacts={"traceback.txt": trace + b"lost\n"}, log=b"kept", **facts)
    (oid_file,) = (
        path for path in (box.root / ".git/gitmlog/cache").rglob(f"*{hash_bytes(trace + b'lost' + chr(10).encode())[2:]}")
    )
    oid_file.unlink()
    assert runs(box, "log", "20260105") == "kept"


def test_show_as_json(box: Sandbox) -> None:
    found = json.loads(runs(box, "show", ONE, "--json"))
    assert (found["id"], found["tag"], found["archived"], found["params"]["layers"]) == (ONE, f"run/{ONE}", False, [64, 32])
    assert found["commit"] == box.git("rev-parse", f"run/{ONE}^{{}}").strip()
    assert found["environment"]["packages"]["numpy"] == "2.4.6"
    assert [change["path"] for change in found["changes"]] == ["new.py", "train.py"]
    assert [each["path"] for each in found["artifacts"]["record"]] == ["log.txt", "metrics.csv"]


def test_show_of_an_archived_and_of_a_bare_run(box: Sandbox) -> None:
    make_run(box, THREE, ref=f"refs/gitmlog/runs/{THREE}", history=None, environment={})
    lines = laid_out(box, "show", THREE)
    assert lines[0].endswith("UTC (archived)")
    assert lines[-1] == f"git show refs/gitmlog/runs/{THREE}"
    assert "parameters" not in lines


def test_show_says_what_cannot_be_read(box: Sandbox) -> None:
    make_run(box, THREE, texts={"environment.toml": b"nonsense", "artifacts.toml": b"version = 1\nother = 2\n"})
    text = "\n".join(laid_out(box, "show", THREE))
    assert f"warning      run/{THREE}: environment.toml:1: not TOML" in text
    assert "artifacts.toml: other: unknown key" in text


def test_nothing_hostile_reaches_the_terminal(box: Sandbox) -> None:
    make_run(
        box,
        THREE,
        params={"p": HOSTILE, "many": [HOSTILE]},
        tags={"t": HOSTILE},
        error=HOSTILE,
        command=("run", HOSTILE),
        user=HOSTILE,
        host=HOSTILE,
        folder=HOSTILE,
        warnings=(HOSTILE,),
        models={"m": HOSTILE},
        code=CodeFacts("a" * 40, "", HOSTILE, 0, 0, HOSTILE),
        environment={"python": {"version": HOSTILE}, "system": {"os": HOSTILE}, "gpu": {"devices": [HOSTILE]}},
    )
    laid_out(box, "show", THREE)
    laid_out(box, "compare", THREE, ONE, "--all")
    laid_out(box, "diff", THREE, ONE, "--stat")
    assert "\x9b" not in runs(box, "export", THREE)
    assert all(line.isprintable() for line in runs(box, "export", THREE).splitlines())


def test_compare(box: Sandbox) -> None:
    lines = laid_out(box, "compare", "swift-otter", "wide")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ") and line.split()}
    assert rows["lr"] == ["0.1", "0.01"]
    assert rows["flag"] == ["-", "true"]
    assert rows["acc"] == ["0.75", "0.8", "*"]
    assert rows["val_loss"] == ["0.5", "*", "0.7"]
    assert rows["numpy"] == ["2.4.6", "2.5.0"]
    assert rows["torch"] == ["-", "2.13.0"]
    assert rows["status"] == ["FINISHED", "FAILED"]
    assert rows["model.bin"] == [hash_bytes(b"weights")[:12], hash_bytes(b"other weights")[:12]]
    assert set(rows) >= {"train.py", "new.py", "logo.bin"}
    assert "layers" not in rows
    assert lines[-1] == "nothing is the same"
    assert any("layers" in line for line in laid_out(box, "compare", ONE, TWO, "--all"))


def test_compare_says_what_is_the_same(box: Sandbox) -> None:
    make_run(box, THREE, params={"lr": 0.5}, metrics={"acc": CURVE})
    make_run(box, "20260103-000000-dull-crow", params={"lr": 0.5}, metrics={"acc": CURVE})
    make_run(box, "20260104-000000-odd-crow", params={"lr": 0.6}, metrics={"acc": CURVE}, inputs={})
    assert laid_out(box, "compare", THREE, "dull-crow")[-1] == "nothing differs"
    assert laid_out(box, "compare", THREE, "odd-crow")[-1] == "metrics, code and environment are the same"
    found = json.loads(runs(box, "compare", THREE, "odd-crow", "--json"))
    assert found["same"] == ["run", "metrics", "code", "environment"]
    assert found["sections"]["parameters"]["rows"] == [{"name": "lr", "values": [0.5, 0.6], "differs": True, "best": []}]


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_compare_fits_80_columns(box: Sandbox, count: int) -> None:
    for number in range(count):
        make_run(
            box,
            f"2026021{number}-000000-calm-heron",
            name=f"a rather long name {number}",
            params={"a long parameter": "long " * number},
        )
    lines = laid_out(box, "compare", *(f"2026021{number}" for number in range(count)))
    assert lines.count("parameters") == (1 if count <= 4 else 2), "beyond four, in blocks below"


def test_compare_needs_two(box: Sandbox) -> None:
    box.fails("runs", "compare", ONE, code=2, kind="usage")
    box.fails("runs", "compare", ONE, "nobody", code=3, kind="no-run")


def test_nan_is_not_best_and_is_equal_to_itself(box: Sandbox) -> None:
    nan = float("nan")
    make_run(box, THREE, metrics={"acc": [(0, nan)], "same": [(0, nan)]})
    make_run(box, "20260103-000000-dull-crow", metrics={"acc": [(0, 0.1)], "same": [(0, nan)]})
    found = json.loads(runs(box, "compare", THREE, "dull-crow", "--json"))
    assert [(row["name"], row["values"], row["best"]) for row in found["sections"]["metrics"]["rows"]] == [
        ("acc", ["NaN", 0.1], [])
    ]


def test_diff_is_what_git_says(box: Sandbox) -> None:
    text = runs(box, "diff", "swift-otter", "wide")
    facts, _, patch = text.partition("diff --git")
    patch = f"diff --git{patch}"
    left_out = [":!.gitmlog/runs", ":!*.gitmlog"]
    assert patch == box.git("diff", f"run/{ONE}", f"run/{TWO}", "--", ".", *left_out)
    assert facts.startswith("parameters\n+flag = true\n-lr = 0.1\n+lr = 0.01\n\nmetrics\n-acc = 0.75\n+acc = 0.8\n")
    assert "Binary files a/logo.bin and b/logo.bin differ" in patch
    assert runs(box, "diff", ONE, ONE) == ""


def test_diff_can_be_applied(box: Sandbox) -> None:
    box.git("checkout", "-q", "--detach", f"run/{ONE}")
    box.write("the.patch", runs(box, "diff", ONE, TWO, "train.py", "new.py"))
    box.git("apply", "the.patch")
    assert (box.root / "train.py").read_text() == "one\n2\nthree\nfour\n"
    assert not (box.root / "new.py").exists()


def test_diff_of_paths_stat_and_json(box: Sandbox) -> None:
    lines = laid_out(box, "diff", ONE, TWO, "--stat")
    assert lines[-4:] == [
        " logo.bin | binary",
        " new.py   |      1 -",
        " train.py |      1 +",
        " 3 files changed, 1 added, 1 removed (lines)",
    ]
    (box.root / "sub").mkdir()
    assert box.here("runs", "diff", ONE, TWO, "--stat", "../new.py", cwd=box.root / "sub").out.splitlines()[-2:] == [
        " new.py |      1 -",
        " 1 file changed, 0 added, 1 removed (lines)",
    ]
    found = json.loads(runs(box, "diff", ONE, TWO, "--json", "train.py"))
    assert found["facts"]["parameters"] == {"old": ["lr = 0.1"], "new": ["flag = true", "lr = 0.01"]}
    assert [(file["path"], file["added"], "+four" in file["patch"]) for file in found["files"]] == [("train.py", 1, True)]


def test_diff_on_a_terminal(box: Sandbox) -> None:
    make_run(box, THREE, files={"train.py": "one\n\tred \x1b[31m\x9b\ntwo\n", "na\x1bme": "x"})
    text = on_terminal(box, "diff", THREE, ONE)
    assert "\x1b[31m-\tred ?[31m?\x1b[0m" in text
    assert "\x1b[32m+2\x1b[0m" in text
    assert "\x1b[36m@@" in text
    assert "\x9b" not in text
    assert "na\x1bme" not in text


def test_log(box: Sandbox) -> None:
    raw = "epoch 1\n\x1b[32mepoch 2\x1b[0m\n10%\r50%\r100%\ndone\n"
    assert runs(box, "log", ONE) == raw
    assert runs(box, "log", ONE, "--tail", "2") == "10%\r50%\r100%\ndone\n"
    assert json.loads(runs(box, "log", ONE, "--json"))["log"] == raw
    assert on_terminal(box, "log", ONE) == "epoch 1\nepoch 2\n100%\ndone\n"
    assert runs(box, "log", TWO) == "", "nothing was kept"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\x1b]0;title\x07b\n", ["ab"]),
        ("a\x1b]8;;file:///x\x1b\\b", ["ab"]),
        ("\x1bP1$r\x1b\\x\n\n", ["x", ""]),
        ("\x9b31mx\x00\n", ["?31mx?"]),
        ("a\tb\r\n", ["a\tb"]),
        ("\x1b", ["?"]),
    ],
)
def test_what_a_terminal_would_obey_is_left_out(raw: str, shown: list[str]) -> None:
    assert for_terminal(raw) == shown


def test_artifacts_are_listed(box: Sandbox) -> None:
    lines = laid_out(box, "artifacts", ONE)
    assert lines[0] == "artifacts"
    assert f"  plots/roc.txt  @1    5 B  {hash_bytes(b'first')[:12]}" in lines
    assert "  tables         @1    4 B" in "\n".join(lines)
    assert lines[lines.index("outputs") + 1].split()[:2] == ["model.bin", "@1"]
    found = json.loads(runs(box, "artifacts", ONE, "plots", "metrics.csv", "--json"))
    assert [(each["path"], each["version"]) for each in found["artifact"]] == [("plots/roc.txt", 2)]
    assert [each["path"] for each in found["record"]] == ["metrics.csv"]
    assert runs(box, "artifacts", TWO).startswith("outputs\n")


def test_artifacts_are_written(box: Sandbox) -> None:
    written = laid_out(box, "artifacts", ONE, "-o", "out")
    assert written == ["out/plots/roc.txt", "out/report.md", "out/tables/a/b.csv", "out/tables/c.csv"]
    assert (box.root / "out/plots/roc.txt").read_bytes() == b"second one"
    assert (box.root / "out/tables/a/b.csv").read_bytes() == b"1,2"
    box.fails("runs", "artifacts", ONE, "report.md", "-o", "out", code=6, kind="exists")
    box.write("out/report.md", "mine")
    runs(box, "artifacts", ONE, "report.md", "plots/roc.txt@1", "-o", "out", "--force")
    assert (box.root / "out/report.md").read_bytes() == b"# report"
    assert (box.root / "out/plots/roc.txt").read_bytes() == b"first"
    assert laid_out(box, "artifacts", ONE, "tables/a", "model.bin", "log.txt", "-o", "some") == [
        "some/log.txt",
        "some/model.bin",
        "some/tables/a/b.csv",
    ]


def test_no_link_is_followed(box: Sandbox, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (box.root / "out").mkdir()
    (box.root / "out/plots").symlink_to(outside)
    (box.root / "out/report.md").symlink_to(outside / "report.md")
    box.fails("runs", "artifacts", ONE, "plots/roc.txt", "-o", "out", "--force", code=6, kind="link-in-path")
    box.fails("runs", "artifacts", ONE, "report.md", "-o", "out", code=6, kind="exists")
    runs(box, "artifacts", ONE, "report.md", "-o", "out", "--force")
    assert list(outside.iterdir()) == []
    assert not (box.root / "out/report.md").is_symlink()


def test_artifacts_that_are_not_there(box: Sandbox) -> None:
    for name in ("nothing", "report.md@2", "report.md/x", "tables/none", "../train.py"):
        box.fails("runs", "artifacts", ONE, name, "-o", "out", code=3, kind="no-artifact")
    assert not (box.root / "out").exists()
    assert box.fails("runs", "artifacts", ONE, "plots/roc.txt@1", "plots/roc.txt@2", "-o", "o", code=2, kind="bad-path")


def test_objects_are_fetched_and_checked(box: Sandbox, tmp_path: Path) -> None:
    assert box.here("remote", "add", "origin", str(tmp_path / "store")).code == 0
    ws = workspace(box)
    run = find(ws, ONE)
    oid = hash_bytes(b"# report")
    place, remote = ws.cache.path_of(oid), tmp_path / "store/objects" / oid[:2] / oid[2:]
    remote.parent.mkdir(parents=True)
    place.rename(remote)
    box.fails("runs", "log", "nobody", code=3, kind="no-run")
    with contents.open_artifact(workspace(box), run, "report.md") as stream:
        assert stream.read() == b"# report"
    place.chmod(0o644)
    place.write_bytes(b"# rep0rt")
    box.fails("runs", "artifacts", ONE, "report.md", "-o", "out", code=5, kind="corrupt")
    remote.unlink()
    box.fails("runs", "artifacts", ONE, "report.md", "-o", "out", code=5, kind="missing-data")
    ws.cache.path_of(hash_bytes(b"weights")).unlink()
    with pytest.raises(UsageError, match="directory"):
        contents.open_artifact(ws, run, "tables")
    with contents.open_artifact(ws, run, "tables/c.csv") as stream:
        assert stream.read() == b"3"
    with contents.open_artifact(ws, run, "plots/roc.txt", 1) as stream:
        assert stream.read() == b"first"


def test_histories(box: Sandbox) -> None:
    make_run(box, THREE, metrics={"acc": CURVE}, system={"cpu.percent": [(0, 12.5)]})
    ws, run = workspace(box), find(workspace(box), THREE)
    assert [(point.step, point.value) for point in contents.history(ws, run, "acc")] == CURVE
    assert contents.history(ws, run, "cpu.percent")[0].value == 12.5
    assert list(contents.histories(ws, run)) == ["acc"]
    assert contents.environment_of(ws, run) == ENVIRONMENT
    with pytest.raises(NotFoundError, match="no metric ac") as error:
        contents.history(ws, run, "ac")
    assert error.value.hint == "it has acc"


def test_a_run_that_is_still_going_shows_what_it_logged_so_far(box: Sandbox) -> None:
    with gitmlog.start_run("going", repo=box.root, params={"lr": 0.5}) as run:
        gitmlog.log_metric("acc", 0.25)
        gitmlog.log_text("so far", "notes.txt")
        print("hello")
        run.live.flush()
        lines = laid_out(box, "show", run.id)
        assert lines[0].startswith("going  RUNNING  started 20")
        assert lines[-1].startswith("warning      it is still going")
        assert json.loads(runs(box, "export", run.id))["live"]
        assert "RUNNING" in runs(box, "compare", run.id, ONE)
        assert any(line.split() == ["lr", "0.5"] for line in lines)
        assert "hello" in runs(box, "log", run.id)
        assert "notes.txt" in runs(box, "artifacts", run.id)
        assert "last 0.25" in runs(box, "plot", "acc", run.id)
        assert json.loads(runs(box, "list", "--where", "metrics.acc = 0.25", "--json"))["runs"][0]["id"] == run.id
        box.fails("runs", "diff", run.id, ONE, code=3, kind="run-live")
        box.fails("runs", "export", run.id, "-o", "folder", code=3, kind="run-live")


def test_export_json(box: Sandbox) -> None:
    lines = [json.loads(line) for line in runs(box, "export").splitlines()]
    assert [line["id"] for line in lines] == [ONE, TWO], "oldest first"
    assert "history" not in lines[0]
    for name in ("all.json", "all.jsonl"):
        assert runs(box, "export", "-o", name, "--history") == f"2 runs written to {name}\n"
    whole = json.loads((box.root / "all.json").read_text())
    assert whole[0]["history"]["acc"] == [[0, 1767225600.0, 0.5], [1, 1767225601.0, 0.9], [2, 1767225602.0, 0.75]]
    assert whole == [json.loads(line) for line in (box.root / "all.jsonl").read_text().splitlines()]
    assert whole[0]["artifacts"][0] == {"path": "plots/roc.txt", "version": 1, "blake3": hash_bytes(b"first"), "size": 5}
    assert [json.loads(line)["id"] for line in runs(box, "export", "--where", "params.lr < 0.05").splitlines()] == [TWO]
    assert [json.loads(line)["id"] for line in runs(box, "export", "wide", TWO).splitlines()] == [TWO]


def test_export_csv(box: Sandbox) -> None:
    make_run(
        box,
        THREE,
        name="=1+1",
        params={"lr": -0.5, "=x": "+cmd|' /C calc'!A0", "n": -3, "t": "-1", "@": True},
        tags={"a": "@SUM(1)", "b": "plain"},
    )
    runs(box, "export", "-o", "runs.csv")
    rows = list(csv.DictReader(io.StringIO((box.root / "runs.csv").read_text())))
    assert [row["id"] for row in rows] == [ONE, TWO, THREE]
    assert rows[0]["params.layers"] == "[64, 32]"
    assert (rows[0]["metrics.acc"], rows[0]["tags.purpose"], rows[0]["params.flag"]) == ("0.75", "first try", "")
    last = rows[2]
    assert (last["name"], last["params.=x"], last["params.t"], last["tags.a"]) == (
        "'=1+1",
        "'+cmd|' /C calc'!A0",
        "'-1",
        "'@SUM(1)",
    )
    assert (last["params.lr"], last["params.n"], last["params.@"], last["tags.b"]) == ("-0.5", "-3", "true", "plain")


def test_a_table_has_the_same_columns_everywhere(box: Sandbox) -> None:
    fixed = [
        "id",
        "name",
        "status",
        "started",
        "ended",
        "seconds",
        "exit",
        "commit",
        "branch",
        "parent",
        "user",
        "host",
        "command",
    ]
    more = [
        "params.flag",
        "params.layers",
        "params.lr",
        "params.optimizer.name",
        "metrics.acc",
        "metrics.val_loss",
        "tags.purpose",
    ]
    runs(box, "export", "-o", "all.csv")
    header, first = list(csv.reader(io.StringIO((box.root / "all.csv").read_text())))[:2]
    assert header == [*fixed, *more]
    assert first[3:5] == ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:12.500000Z"]
    assert (first[7], first[12]) == (box.git("rev-parse", f"run/{ONE}^{{}}").strip(), "python train.py")
    frame = gitmlog.search_runs(order_by="started", repo=box.root).to_pandas()
    assert list(frame.columns) == header
    assert frame["metrics.acc"].tolist() == [0.75, 0.8]
    runs(box, "export", "--where", "name = nobody", "-o", "none.csv")
    assert (box.root / "none.csv").read_text() == f"{','.join(fixed)}\n"
    assert list(gitmlog.search_runs("name = nobody", repo=box.root).to_pandas().columns) == fixed


def test_export_folders(box: Sandbox) -> None:
    runs(box, "export", "-o", "results")
    folder = box.root / "results" / ONE
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == [
        "artifacts.toml",
        "artifacts/plots/roc.txt",
        "artifacts/report.md",
        "artifacts/tables/a/b.csv",
        "artifacts/tables/c.csv",
        "environment.toml",
        "log.txt",
        "metrics.csv",
        "run.toml",
    ]
    assert (folder / "run.toml").read_text() == box.git("show", f"run/{ONE}^{{}}:.gitmlog/runs/{ONE}/run.toml")
    box.fails("runs", "export", "-o", "results", code=6, kind="exists")
    runs(box, "export", "-o", "results", "--force")


def test_an_artifact_called_as_a_record_is(box: Sandbox) -> None:
    make_run(box, THREE, artifacts={"log.txt": [b"mine", b"mine too"]}, log=b"printed\n")
    assert runs(box, "log", THREE) == "printed\n"
    runs(box, "export", THREE, "-o", "results")
    assert (box.root / f"results/{THREE}/log.txt").read_bytes() == b"printed\n"
    assert (box.root / f"results/{THREE}/artifacts/log.txt").read_bytes() == b"mine too"


def test_export_refuses(box: Sandbox) -> None:
    box.write("there.json", "mine")
    box.fails("runs", "export", "-o", "there.json", code=6, kind="exists")
    assert (box.root / "there.json").read_text() == "mine"
    assert json.loads(runs(box, "export", "-o", "there.json", "--force", "--json"))["runs"] == [ONE, TWO]
    box.fails("runs", "export", "-o", "x.parquet", code=2, kind="bad-format")
    box.fails("runs", "export", "-o", "x.csv", "--history", code=2, kind="usage")
    box.fails("runs", "export", ONE, "--where", "params.lr > 0", code=2, kind="usage")
    box.fails("runs", "export", "-o", "nowhere/x.csv", code=3, kind="no-path")
    box.fails("runs", "export", "-o", "train.py/x", code=1, kind="storage")
