"""`with gitmlog.start_run(): …`: what is recorded, and what is an error at the call."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gitmlog
from gitmlog.api import process
from gitmlog.core.digest import hash_bytes
from gitmlog.runs.artifacts import Artifact, Artifacts, format_artifacts, parse_artifacts
from tests.conftest import Sandbox


@pytest.fixture
def repo(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The current folder is a repository with one commit; no run is left behind."""
    sandbox.write("train.py", "print('training')\n")
    sandbox.commit("first")
    monkeypatch.chdir(sandbox.root)
    monkeypatch.delenv(process.VARIABLE, raising=False)
    yield sandbox
    while gitmlog.active_run() is not None:
        gitmlog.end_run("KILLED")


def state(repo: Sandbox) -> tuple[str, ...]:
    """All that a run must not move."""
    index = (repo.root / ".git/index").read_bytes()
    head = (repo.root / ".git/HEAD").read_text()
    return (head, repo.git("rev-parse", "HEAD"), repo.git("status", "--porcelain"), index.hex(), repo.git("branch", "-a"))


def script(repo: Sandbox, text: str, *arguments: str, code: int = 0) -> str:
    """Run a Python program in the repository."""
    repo.write("../program.py", text)
    done = subprocess.run(
        [sys.executable, "../program.py", *arguments], cwd=repo.root, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, done
    return done.stdout


def run_file(repo: Sandbox, run: gitmlog.Run, name: str) -> str:
    return repo.git("show", f"{run.tag}:.gitmlog/runs/{run.id}/{name}")


def test_a_run_is_one_commit_and_one_tag(repo: Sandbox) -> None:
    repo.write("train.py", "print('changed')\n")
    repo.write("new.py", "untracked\n")
    before = state(repo)
    with gitmlog.start_run("baseline", params={"lr": 0.1}, tags={"team": "vision"}) as run:
        gitmlog.log_metric("acc", 0.5)
        gitmlog.log_metric("acc", 0.9)
    assert state(repo) == before
    assert run.is_recorded
    assert run.status == "FINISHED"
    assert repo.git("cat-file", "-t", f"refs/tags/{run.tag}").strip() == "tag"
    assert repo.git("rev-parse", f"{run.tag}^{{commit}}").strip() == run.commit
    assert repo.git("rev-parse", f"{run.commit}^").strip() == repo.git("rev-parse", "HEAD").strip()
    assert repo.git("show", f"{run.tag}:train.py") == "print('changed')\n"
    assert repo.git("show", f"{run.tag}:new.py") == "untracked\n"
    assert "acc = {last = 0.9, min = 0.5, max = 0.9, step = 1, count = 2}" in repo.git("cat-file", "tag", run.tag)
    assert repo.git("log", "-1", "--format=%s", run.tag).strip().startswith("baseline: FINISHED in ")
    assert repo.git("for-each-ref", "refs/gitmlog/live") == ""
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    assert [path.name for path in (repo.root / ".git/gitmlog/runs").iterdir() if path.is_dir()] == []


def test_what_is_recorded_can_be_read(repo: Sandbox) -> None:
    with gitmlog.start_run("baseline", params={"lr": 0.1, "opt": {"name": "adam"}}) as run:
        for step in range(3):
            gitmlog.log_metrics({"loss": 1.0 / (step + 1), "odd": math.nan}, step=step * 10)
        gitmlog.log_text("hello", "notes/a.txt")
        live = (run.params, run.metrics["loss"], run.status, len(run.history("loss")))
    assert live == ({"lr": 0.1, "opt.name": "adam"}, 1.0 / 3, "RUNNING", 3)
    for found in (run, gitmlog.get_run("last"), gitmlog.get_run(run.id), gitmlog.get_run("baseline"), gitmlog.last_run()):
        assert found is not None
        assert found.id == run.id
        assert found.params == {"lr": 0.1, "opt.name": "adam"}
        assert [(point.step, point.value) for point in found.history("loss")] == [(0, 1.0), (10, 0.5), (20, 1.0 / 3)]
        assert math.isnan(found.metrics["odd"])
        with found.open("notes/a.txt") as stream:
            assert stream.read() == b"hello"
    assert run.download(dir="out") == [Path("out/notes/a.txt")] or (repo.root / "out/notes/a.txt").read_text() == "hello"


def test_searching(repo: Sandbox) -> None:
    for lr in (0.1, 0.01, 0.001):
        with gitmlog.start_run(params={"lr": lr}):
            gitmlog.log_metric("acc", 1 - lr)
    found = gitmlog.search_runs("params.lr < 0.05", order_by="-metrics.acc")
    assert [run.params["lr"] for run in found] == [0.001, 0.01]
    frame = found.to_pandas()
    assert list(frame["metrics.acc"]) == [0.999, 0.99]
    assert len(gitmlog.search_runs(limit=1)) == 1


def test_logging_without_a_run_says_to_start_one(repo: Sandbox) -> None:
    for call in (
        lambda: gitmlog.log_metric("a", 1),
        lambda: gitmlog.log_metrics({"a": 1}),
        lambda: gitmlog.log_param("a", 1),
        lambda: gitmlog.log_params({"a": 1}),
        lambda: gitmlog.log_artifact("train.py"),
        lambda: gitmlog.log_text("x", "a.txt"),
        lambda: gitmlog.set_tag("a", "b"),
        lambda: gitmlog.log_model("train.py", "m"),
    ):
        with pytest.raises(gitmlog.GitmlogError, match="start_run") as caught:
            call()
        assert caught.value.kind == "no-active-run"


def test_logging_after_the_end_is_an_error(repo: Sandbox) -> None:
    with gitmlog.start_run() as run:
        run.log_metric("a", 1.0)
    for call in (lambda: run.log_metric("a", 1.0), lambda: run.log_param("b", 1), lambda: run.log_text("x", "x.txt")):
        with pytest.raises(gitmlog.GitmlogError) as caught:
            call()
        assert caught.value.kind == "run-ended"


@pytest.mark.parametrize("value", ["0.9", None, [1.0], {"a": 1}, 1j, object(), b"1"])
def test_what_is_no_number_is_an_error_at_the_call(repo: Sandbox, value: object) -> None:
    with gitmlog.start_run() as run:
        with pytest.raises(gitmlog.GitmlogError) as caught:
            gitmlog.log_metric("a", value)
        assert caught.value.kind == "bad-metric"
        with pytest.raises(gitmlog.GitmlogError):
            gitmlog.log_metrics({"good": 1.0, "bad": value})
    assert run.metrics == {}


def test_numbers_of_every_kind_are_metrics(repo: Sandbox) -> None:
    import numpy as np

    with gitmlog.start_run() as run:
        for key, value in {
            "int": 3,
            "bool": True,
            "np": np.float32(0.5),
            "zero-d": np.array(2.0),
            "inf": math.inf,
            "minus": -math.inf,
        }.items():
            gitmlog.log_metric(key, value)
    assert run.metrics == {"int": 3.0, "bool": 1.0, "np": 0.5, "zero-d": 2.0, "inf": math.inf, "minus": -math.inf}


@pytest.mark.parametrize("key", ["", " a", "a\n", "x" * 251, "\x1b[31m"])
def test_keys_that_cannot_be_used(repo: Sandbox, key: object) -> None:
    with gitmlog.start_run():
        for call in (
            lambda: gitmlog.log_metric(key, 1.0),
            lambda: gitmlog.log_params({key: 1}),
            lambda: gitmlog.set_tag(key, "x"),
        ):  # type: ignore[arg-type]
            with pytest.raises(gitmlog.GitmlogError) as caught:
                call()
            assert caught.value.kind in ("bad-key", "bad-value")


def test_a_parameter_has_one_value(repo: Sandbox) -> None:
    with gitmlog.start_run(params={"lr": 0.1}) as run:
        gitmlog.log_param("lr", 0.1)
        with pytest.raises(gitmlog.GitmlogError, match="another run") as caught:
            gitmlog.log_params({"new": 1, "lr": 0.2})
        assert caught.value.kind == "param-changed"
    assert run.params == {"lr": 0.1}


def test_a_list_given_to_log_artifact_names_log_artifacts(repo: Sandbox) -> None:
    with gitmlog.start_run(), pytest.raises(gitmlog.GitmlogError, match="log_artifacts"):
        gitmlog.log_artifact(["a.txt", "b.txt"])  # type: ignore[arg-type]


def test_a_name_logged_twice_has_two_versions(repo: Sandbox) -> None:
    with gitmlog.start_run() as run:
        for text in ("one", "two", "two"):
            repo.write("plot.svg", text)
            gitmlog.log_artifact("plot.svg")
    assert [(each.path, each.version) for each in run.artifacts] == [("plot.svg", 1), ("plot.svg", 2)]
    with run.open("plot.svg") as newest, run.open("plot.svg", 1) as oldest:
        assert (newest.read(), oldest.read()) == (b"two", b"one")


def test_folders_of_artifacts(repo: Sandbox) -> None:
    for name in ("plots/a.txt", "plots/deep/b.txt"):
        repo.write(name, name)
    with gitmlog.start_run() as run:
        gitmlog.log_artifacts("plots")
        gitmlog.log_artifacts("plots", "kept")
        gitmlog.log_artifact("plots")
        gitmlog.log_artifact("train.py", "code")
    expected = {"a.txt", "deep/b.txt", "kept/a.txt", "kept/deep/b.txt", "plots/a.txt", "plots/deep/b.txt", "code/train.py"}
    assert {each.path for each in run.artifacts} == expected


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", "", "a\x00", ".git/config", "-x", "a//b"])
def test_hostile_names_of_artifacts(repo: Sandbox, name: str) -> None:
    with gitmlog.start_run(), pytest.raises(gitmlog.GitmlogError) as caught:
        gitmlog.log_text("x", name)
    assert caught.value.kind == "bad-name"


@pytest.mark.parametrize(
    "name", ["refs/heads/main", "a..b", "x~1", "ü ñ 模型", "-rf", "a b", "@{-1}", "x.lock", "'; rm -rf /", "[37m"]
)
def test_names_hostile_to_git_refs_name_a_run(repo: Sandbox, name: str) -> None:
    with gitmlog.start_run(name) as run:
        pass
    assert run.is_recorded, run.failure
    assert gitmlog.get_run("last").name == name


@pytest.mark.parametrize("name", ["", "\n", "a\nb", "\x1b[0m", "x" * 251, " x"])
def test_names_that_cannot_be_used(repo: Sandbox, name: str) -> None:
    with pytest.raises(gitmlog.GitmlogError) as caught:
        gitmlog.start_run(name)
    assert caught.value.kind == "bad-name"
    assert gitmlog.active_run() is None


def test_an_exception_closes_the_run_as_failed_and_is_raised_on(repo: Sandbox) -> None:
    with pytest.raises(ZeroDivisionError), gitmlog.start_run() as run:
        _ = 1 / 0
    assert run.status == "FAILED"
    assert run.record.error == "ZeroDivisionError: division by zero"
    with run.open("traceback.txt") as stream:
        assert b"_ = 1 / 0" in stream.read()
    assert gitmlog.active_run() is None


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (KeyboardInterrupt(), "KILLED", None),
        (SystemExit(0), "FINISHED", 0),
        (SystemExit(3), "FAILED", 3),
        (SystemExit("no"), "FAILED", 1),
    ],
)
def test_other_ends(repo: Sandbox, error: BaseException, status: str, code: int | None) -> None:
    with pytest.raises(type(error)), gitmlog.start_run() as run:
        raise error
    assert (run.status, run.record.exit) == (status, code)


def test_one_run_at_a_time_unless_nested(repo: Sandbox) -> None:
    with gitmlog.start_run("outer") as outer:
        with pytest.raises(gitmlog.GitmlogError, match="nested=True") as caught:
            gitmlog.start_run()
        assert caught.value.kind == "run-active"
        with gitmlog.start_run("inner", nested=True) as inner:
            gitmlog.log_metric("a", 1.0)
        gitmlog.log_metric("b", 2.0)
    assert inner.record.parent == outer.id
    assert (inner.metrics, outer.metrics) == ({"a": 1.0}, {"b": 2.0})


def test_by_hand(repo: Sandbox) -> None:
    run = gitmlog.start_run()
    assert gitmlog.active_run() is run
    with pytest.raises(gitmlog.GitmlogError):
        gitmlog.end_run("DONE")
    gitmlog.end_run("KILLED")
    gitmlog.end_run()
    assert run.status == "KILLED"


def test_outputs_are_tracked_paths_of_the_commit(repo: Sandbox) -> None:
    with gitmlog.start_run(outputs=["model.pt", "never.bin"]) as run:
        repo.write("model.pt", "weights")
        repo.write("data/x.bin", "x")
        gitmlog.log_output("data")
    assert set(run.outputs) == {"model.pt", "data"}
    assert run.outputs["data"].files == 1
    assert 'blake3 = "' in repo.git("show", f"{run.tag}:model.pt.gitmlog")
    assert repo.git("show", f"{run.tag}:.gitignore").split() == ["/data", "/model.pt"]
    assert any("never.bin" in text for text in run.record.warnings)
    assert not (repo.root / "model.pt.gitmlog").exists()
    with gitmlog.start_run() as second:
        pass
    assert "model.pt" not in repo.git("ls-tree", "-r", "--name-only", second.tag).split()


def test_a_run_can_stand_where_a_revision_is_asked_for(repo: Sandbox) -> None:
    for value in (0.5, 0.9, 0.7):
        with gitmlog.start_run(f"try {value}", outputs=["model.pt"]):
            repo.write("model.pt", f"weights {value}")
            gitmlog.log_metric("acc", value)
    assert repo.ok("cat", "best:metrics.acc:model.pt") == "weights 0.9"
    assert repo.ok("cat", "last~2:model.pt") == "weights 0.5"
    assert repo.here("checkout", "--rev", "try 0.9", "model.pt").code == 0
    assert (repo.root / "model.pt").read_text() == "weights 0.9"
    repo.fails("checkout", "--rev", "nothing", "model.pt", code=3, kind="no-revision")


def test_an_output_of_before_is_not_this_runs(repo: Sandbox) -> None:
    repo.write("model.pt", "of yesterday")
    with gitmlog.start_run(outputs=["model.pt"]) as run:
        pass
    assert run.outputs == {}
    assert any("was not written" in text for text in run.record.warnings)


def test_an_output_logged_twice_keeps_both(repo: Sandbox) -> None:
    with gitmlog.start_run() as run:
        for text in ("one", "two"):
            repo.write("model.pt", text)
            gitmlog.log_output("model.pt")
    assert run.outputs["model.pt"].size == 3
    listing = run_file(repo, run, "artifacts.toml")
    assert 'output = [\n  {path = "model.pt", version = 1' in listing


def test_a_tracked_output_keeps_its_type_and_the_worktree_says_modified(repo: Sandbox) -> None:
    repo.write("model.pt", "old")
    assert repo.here("add", "--type", "model", "--desc", "mine", "model.pt").code == 0
    repo.commit("model")
    before = repo.git("show", "HEAD:model.pt.gitmlog")
    with gitmlog.start_run() as run:
        repo.write("model.pt", "new weights")
        gitmlog.log_output("model.pt")
    text = repo.git("show", f"{run.tag}:model.pt.gitmlog")
    assert text != before
    assert 'type = "model"' in text
    assert 'desc = "mine"' in text
    assert "modified" in repo.here("status").out
    assert repo.here("add", "model.pt").code == 0


def test_inputs(repo: Sandbox) -> None:
    repo.write("data/a.csv", "1,2\n")
    assert repo.here("add", "data").code == 0
    repo.commit("data")
    repo.write("ignored.bin", "x")
    repo.write(".gitignore", (repo.root / ".gitignore").read_text() + "*.bin\n")
    with gitmlog.start_run(inputs=["data", "train.py"]) as run:
        with pytest.raises(gitmlog.GitmlogError, match=r"gitmlog add ignored\.bin") as caught:
            gitmlog.log_input("ignored.bin")
        assert caught.value.kind == "not-kept"
        with pytest.raises(gitmlog.GitmlogError) as caught:
            gitmlog.log_input("nothing.csv")
        assert caught.value.kind == "no-path"
    assert run.inputs["data"].files == 1
    assert run.inputs["train.py"].git == repo.git("rev-parse", "HEAD:train.py").strip()


def test_a_changed_input_is_kept_as_the_run_saw_it(repo: Sandbox) -> None:
    repo.write("data/a.csv", "1,2\n")
    assert repo.here("add", "data").code == 0
    repo.commit("data")
    repo.write("data/a.csv", "3,4,5\n")
    with gitmlog.start_run(inputs=["data"]) as run:
        pass
    assert run.inputs["data"].blake3 in repo.git("show", f"{run.tag}:data.gitmlog")
    assert run.inputs["data"].blake3 not in repo.git("show", "HEAD:data.gitmlog")


def test_a_run_whose_inputs_are_wrong_never_was(repo: Sandbox) -> None:
    with pytest.raises(gitmlog.GitmlogError):
        gitmlog.start_run(inputs=["nothing"])
    assert gitmlog.active_run() is None
    assert repo.git("for-each-ref", "refs/gitmlog", "refs/tags") == ""
    assert gitmlog.search_runs() == []


def test_models(repo: Sandbox, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.pt"
    outside.write_text("weights")
    with gitmlog.start_run() as run:
        repo.write("model.pt", "weights")
        gitmlog.log_model("model.pt", "classifier")
        gitmlog.log_model(outside, "other")
        with pytest.raises(gitmlog.GitmlogError, match="save it first"):
            gitmlog.log_model(object(), "x")  # type: ignore[arg-type]
    assert run.record.models == {"classifier": "model.pt", "other": "artifact:models/other/elsewhere.pt"}
    assert 'type = "model"' in repo.git("show", f"{run.tag}:model.pt.gitmlog")


def test_threads_log_into_the_same_run(repo: Sandbox) -> None:
    def work(number: int) -> None:
        for index in range(200):
            gitmlog.log_metric(f"m{number}", float(index))

    with gitmlog.start_run() as run:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {run.record.metrics[f"m{number}"].count for number in range(8)} == {200}


CHILDREN = """
import multiprocessing, os, subprocess, sys
import gitmlog

def work(number):
    gitmlog.log_metric(f"m{number}", number)
    gitmlog.log_param(f"p{number}", number)
    return number

if __name__ == "__main__":
    with gitmlog.start_run("parent") as run:
        gitmlog.log_metric("before", 1.0)
        with multiprocessing.get_context(sys.argv[1]).Pool(3) as pool:
            pool.map(work, range(6))
        program = "import gitmlog\\nwith gitmlog.start_run() as r: gitmlog.log_metric('sub', 7)\\nprint(r.id)"
        child = [sys.executable, "-c", program]
        assert subprocess.run(child, check=True, capture_output=True, text=True).stdout.strip() == run.id
        if os.fork() == 0:
            gitmlog.log_metric("raw", 8.0)
            os._exit(0)
        os.wait()
        gitmlog.log_metric("after", 1.0)
    assert run.is_recorded, run.failure
    assert "GITMLOG_RUN" not in os.environ
"""


def test_a_program_that_starts_a_run_joins_the_one_it_was_started_in(repo: Sandbox) -> None:
    repo.write(
        "train.py",
        "import gitmlog\n"
        "with gitmlog.start_run('named by the script', params={'lr': 0.1}, outputs=['model.pt']) as run:\n"
        "    open('model.pt', 'w').write('weights')\n    gitmlog.log_metric('acc', 0.5)\n",
    )
    repo.ok("run", "--", sys.executable, "train.py")
    repo.ok("run", "-n", "named by us", "--", sys.executable, "train.py")
    second, first = gitmlog.search_runs()
    assert (first.name, second.name) == ("named by the script", "named by us")
    for run in (first, second):
        assert (run.params, run.metrics, set(run.outputs), run.status) == ({"lr": 0.1}, {"acc": 0.5}, {"model.pt"}, "FINISHED")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_log_into_the_same_run(repo: Sandbox, method: str) -> None:
    script(repo, CHILDREN, method)
    (run,) = gitmlog.search_runs()
    assert run.status == "FINISHED"
    assert set(run.metrics) == {"before", "after", "sub", "raw", *(f"m{number}" for number in range(6))}
    assert run.params == {f"p{number}": number for number in range(6)}


def test_a_run_that_nobody_ended_ends_with_the_interpreter(repo: Sandbox) -> None:
    script(repo, "import gitmlog\ngitmlog.start_run('fine')\ngitmlog.log_metric('a', 1)\n")
    script(repo, "import gitmlog\ngitmlog.start_run('broken')\nraise ValueError('no')\n", code=1)
    found = {run.name: run.status for run in gitmlog.search_runs()}
    assert found == {"fine": "FINISHED", "broken": "FAILED"}
    assert gitmlog.get_run("fine").metrics == {"a": 1.0}


LATE = """
import os, time
import gitmlog
with gitmlog.start_run() as run:
    go, ready = os.pipe()
    child = os.fork()
    if child == 0:
        gitmlog.log_metric("in time", 1.0)
        os.close(ready)
        os.read(go, 1)
        try:
            gitmlog.log_metric("in time", 2.0)
        except gitmlog.GitmlogError as error:
            os._exit(42 if error.kind == "run-ended" else 1)
        os._exit(2)
    os.close(go)
    while "in time" not in run.metrics:
        pass
os.close(ready)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
"""


def test_a_child_that_outlives_the_run_is_told(repo: Sandbox) -> None:
    script(repo, LATE)
    assert gitmlog.get_run("last").metrics == {"in time": 1.0}


def test_a_left_over_variable_joins_nothing(repo: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("/nowhere/20260101-000000-a-b", "../..", "relative", str(repo.root)):
        monkeypatch.setenv(process.VARIABLE, value)
        with gitmlog.start_run() as run:
            pass
        assert run.is_recorded


def test_track(repo: Sandbox) -> None:
    @gitmlog.track
    def train(lr: float, *, epochs: int = 3, data: object = None) -> dict[str, float]:
        gitmlog.log_metric("inner", 1.0)
        return {"acc": 1 - lr, "note": "text"}  # type: ignore[dict-item]

    @gitmlog.track(name="named", tags={"a": "b"})
    def fail() -> None:
        raise RuntimeError("no")

    assert train(0.1, data=object())["acc"] == 0.9
    run = gitmlog.get_run("last")
    assert (run.name, run.metrics) == ("train", {"inner": 1.0, "acc": 0.9})
    assert run.params == {"lr": 0.1, "epochs": 3, "data": "<object>"}
    with pytest.raises(RuntimeError):
        fail()
    assert (gitmlog.get_run("last").name, gitmlog.get_run("last").status) == ("named", "FAILED")


def test_resuming_a_recorded_run_makes_another(repo: Sandbox) -> None:
    with gitmlog.start_run("long", params={"lr": 0.1}) as first:
        gitmlog.log_metric("loss", 1.0, step=0)
    with gitmlog.start_run(resume="last") as second:
        gitmlog.log_metric("loss", 0.5)
    assert second.id != first.id
    assert second.record.resumes == first.id
    assert (second.name, second.params) == ("long", {"lr": 0.1})
    assert [(point.step, point.value) for point in second.history("loss")] == [(0, 1.0), (1, 0.5)]
    assert gitmlog.get_run(first.id).record.metrics["loss"].count == 1


def test_resuming_a_killed_run_goes_on_with_it(repo: Sandbox) -> None:
    script(
        repo,
        "import gitmlog, os, time\n"
        "r = gitmlog.start_run('long', params={'lr': 0.1})\ngitmlog.log_metric('loss', 1.0)\n"
        "r.live.flush()\nos.kill(os.getpid(), 9)\n",
        code=-9,
    )
    assert gitmlog.search_runs() == []
    with gitmlog.start_run(resume="long") as run:
        gitmlog.log_metric("loss", 0.5)
        with pytest.raises(gitmlog.GitmlogError):
            gitmlog.log_param("lr", 0.2)
    assert [point.value for point in run.history("loss")] == [1.0, 0.5]
    assert run.status == "FINISHED"
    assert any("resumed" in text for text in run.record.warnings)


def test_recover_closes_what_was_killed(repo: Sandbox) -> None:
    program = (
        "import gitmlog, os\nr = gitmlog.start_run('dead', outputs=['model.pt'])\n"
        "gitmlog.log_metric('a', 2.0); gitmlog.log_text('kept', 'note.txt'); open('model.pt', 'w').write('w')\n"
        "r.live.flush(); os.kill(os.getpid(), 9)\n"
    )
    script(repo, program, code=-9)
    assert "gitmlog runs recover" in "".join(gitmlog.search_runs().notes)
    assert "killed and are not recorded" in repo.here("doctor").out
    assert "recorded run/" in repo.here("runs", "recover").out
    run = gitmlog.get_run("dead")
    assert (run.status, run.metrics, set(run.outputs)) == ("KILLED", {"a": 2.0}, {"model.pt"})
    assert [each.path for each in run.artifacts] == ["note.txt"]
    assert repo.git("for-each-ref", "refs/gitmlog/live") == ""
    assert "no run was left open" in repo.here("runs", "recover").out


def test_a_live_run_is_not_recovered(repo: Sandbox) -> None:
    with gitmlog.start_run() as run:
        assert "1 go on" in repo.here("runs", "recover").out
        repo.fails("runs", "recover", run.id, code=6, kind="run-live")
        assert gitmlog.get_run(run.id).status == "RUNNING"
    assert run.is_recorded


def test_secrets_are_in_no_record(repo: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-very-secret-value"
    monkeypatch.setenv("MY_SERVICE_PASSWORD", secret)

    def train() -> None:
        gitmlog.set_tag("note", f"used {secret}")
        print("the password is", secret)
        raise RuntimeError(f"cannot log in with {secret}")

    with pytest.raises(RuntimeError), gitmlog.start_run(params={"api_key": secret, "max_tokens": 512}) as run:
        train()
    everything = repo.git("cat-file", "--batch", "--batch-all-objects", "--unordered")
    assert secret not in everything
    for path in (repo.root / ".git/gitmlog").rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert run.params == {"api_key": "[redacted]", "max_tokens": 512}


def test_what_is_printed_is_kept(repo: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    with gitmlog.start_run() as run:
        print("hello from the run")
        sys.stderr.write("and a warning\n")
    print("not this")
    with run.open("log.txt") as stream:
        kept = stream.read().decode()
    assert "hello from the run\n" in kept
    assert "and a warning\n" in kept
    assert "not this" not in kept
    assert "hello from the run" in capsys.readouterr().out


def test_the_environment_is_recorded(repo: Sandbox) -> None:
    with gitmlog.start_run() as run:
        pass
    text = run_file(repo, run, "environment.toml")
    for word in ("[python]", "[packages]", "pygit2 = ", "[system]", "[git]"):
        assert word in text
    with gitmlog.start_run() as second:
        pass
    assert run_file(repo, second, "environment.toml") == text


def test_what_is_not_wanted_is_not_recorded(repo: Sandbox) -> None:
    assert repo.here("config", "runs.without", "code,command,environment,output,system,user").code == 0
    repo.write("new.py", "x")
    with gitmlog.start_run() as run:
        print("unseen")
    assert run.record.command == ()
    assert run.record.user == ""
    assert "new.py" not in repo.git("ls-tree", "-r", "--name-only", run.tag)
    names = repo.git("ls-tree", "-r", "--name-only", run.tag, f".gitmlog/runs/{run.id}").split()
    assert [os.path.basename(name) for name in names] in (["run.toml"], ["environment.toml", "run.toml"])


def test_the_users_own_configuration_is_that_of_the_command_line(
    repo: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    repo.ok("config", "--user", "runs.without", "command")
    with gitmlog.start_run() as run:
        pass
    with gitmlog.start_run(user_config=None) as other:
        pass
    assert run.record.command == ()
    assert other.record.command != ()


def test_objects_of_every_kind_become_artifacts(repo: Sandbox) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2, 3])
    with gitmlog.start_run() as run:
        gitmlog.log_dict({"a": np.float32(1.5)}, "config.yaml")
        gitmlog.log_table({"x": [1, 2], "y": ["a", "b"]}, "table.csv")
        gitmlog.log_figure(figure, "plot.png")
        gitmlog.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "black.png")
    with run.open("plot.png") as stream:
        assert stream.read(4) == b"\x89PNG"
    with run.open("table.csv") as stream:
        assert stream.read().split() == [b"x,y", b"1,a", b"2,b"]
    with run.open("config.yaml") as stream:
        assert stream.read() == b"a: 1.5\n"


def test_one_path_may_stand_for_several(repo: Sandbox) -> None:
    with gitmlog.start_run(inputs="train.py", outputs=Path("model.pt")) as run:
        repo.write("model.pt", "weights")
    assert (set(run.inputs), set(run.outputs)) == ({"train.py"}, {"model.pt"})


def test_an_output_that_is_not_there_is_told(repo: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with gitmlog.start_run(outputs="modle.pt") as run:
        repo.write("model.pt", "weights")
    assert "output modle.pt is not recorded: it is not there" in caplog.text
    assert run.record.warnings == ("output modle.pt is not recorded: it is not there",)


def test_data_that_is_not_as_its_metafile_says_is_told(repo: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    repo.write("data/a.csv", "1\n")
    repo.write("model.pt", "old")
    assert repo.here("add", "data", "model.pt").code == 0
    repo.commit("data")
    with gitmlog.start_run() as run:
        pass
    assert run.record.warnings == ()
    repo.write("data/a.csv", "1\n2\n")
    with gitmlog.start_run(inputs="data") as run:
        pass
    assert run.record.warnings == ()
    with gitmlog.start_run(inputs="train.py") as run:
        repo.write("model.pt", "new weights")
    assert [text.split()[0] for text in run.record.warnings] == ["data", "model.pt"]
    assert "data is not as its metafile says" in caplog.text
    assert "model.pt was written during the run and is no output" in caplog.text


def test_much_that_git_does_not_know_is_told(repo: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    repo.write("last.ckpt", b"x" * 2_000_000)
    with gitmlog.start_run():
        pass
    assert "2.0 MB of untracked files are kept in git with the code (last.ckpt)" in caplog.text


def test_several_runs_of_one_program_stay_several(repo: Sandbox) -> None:
    repo.write(
        "sweep.py",
        "import gitmlog\nfor lr in (0.1, 0.2, 0.3):\n"
        "    with gitmlog.start_run(f'lr {lr}', params={'lr': lr}) as run:\n"
        "        assert run.name == f'lr {lr}'\n        gitmlog.log_metric('acc', lr)\n",
    )
    done = repo.gitmlog("run", "--", sys.executable, "sweep.py")
    assert done.code == 0, done
    runs = gitmlog.search_runs(order_by="started")
    assert [(run.name, run.params, run.metrics) for run in runs] == [
        (f"lr {lr}", {"lr": lr}, {"acc": lr}) for lr in (0.1, 0.2, 0.3)
    ]
    assert [run.record.parent for run in runs] == ["", runs[0].id, runs[0].id]
    assert "it is nested in that one" in done.err


def test_sigterm_records_the_run(repo: Sandbox) -> None:
    """As a scheduler sends it before it kills. A worker of a pool dies of it as before."""
    program = (
        "import gitmlog, multiprocessing, os, signal, time\n"
        "with gitmlog.start_run('preempted'):\n    gitmlog.log_metric('a', 1.0)\n"
        "    child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
        "    child.start()\n    child.terminate()\n    child.join()\n    assert child.exitcode == -15, child.exitcode\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(60)\n"
    )
    script(repo, program, code=143)
    script(repo, program.replace("with gitmlog.start_run('preempted'):", "gitmlog.start_run('by hand')\nif 1:"), code=143)
    found = {run.name: (run.status, run.metrics) for run in gitmlog.search_runs()}
    assert found == {"preempted": ("KILLED", {"a": 1.0}), "by hand": ("KILLED", {"a": 1.0})}


@pytest.mark.parametrize("call", [lambda: gitmlog.log_metrics([("a", 1)]), lambda: gitmlog.set_tags(["a"])])  # type: ignore[arg-type]
def test_what_is_no_dictionary_is_said(repo: Sandbox, call: Callable[[], None]) -> None:
    with gitmlog.start_run():
        with pytest.raises(gitmlog.GitmlogError, match="takes a dictionary, not list"):
            call()
        with pytest.raises(gitmlog.GitmlogError) as caught:
            gitmlog.log_table({"a": [1]}, "table.xlsx")
        assert caught.value.kind == "bad-value"


@pytest.mark.parametrize(("step", "time"), [(10**20, None), (2**63, None), (0, math.nan), (0, math.inf), (0, -1.0), (0, 1e30)])
def test_steps_and_times_that_no_record_holds(repo: Sandbox, step: int, time: float | None) -> None:
    with gitmlog.start_run() as run:
        for call in (lambda: gitmlog.log_metric("a", 1.0, step, time), lambda: gitmlog.log_metrics({"a": 1.0}, step, time)):
            with pytest.raises(gitmlog.GitmlogError) as caught:
                call()
            assert caught.value.kind == "bad-metric"
    assert run.metrics == {}


def test_a_run_is_recorded_whatever_it_logged(repo: Sandbox) -> None:
    with gitmlog.start_run() as run:
        for index in range(40):
            gitmlog.set_tag(f"t{index}", "x " * 2000)
        with pytest.raises(gitmlog.GitmlogError) as caught:
            gitmlog.set_tags({f"more {index}": "x " * 2000 for index in range(20)})
        assert caught.value.kind == "too-large"
        for index in range(6000):
            gitmlog.log_metric(f"metric {index}" * 10, float(index))
    assert run.is_recorded, run.failure
    assert any("metrics.csv has them all" in text for text in run.record.warnings)
    assert len(run.history("metric 5999" * 10)) == 1


def test_very_many_artifacts(repo: Sandbox) -> None:
    """A listing beyond the size of a metafile, which push and gc must understand."""
    names = [f"images/validation_{index:06d}_of_epoch.png" for index in range(9000)]
    entries = tuple(Artifact(name, 1, hash_bytes(name.encode()), 5) for name in names)
    text = format_artifacts(Artifacts(entries))
    assert len(text) > 1 << 20
    assert parse_artifacts(text, "x") == Artifacts(entries)


def test_the_newer_bytes_of_two_processes_win(repo: Sandbox) -> None:
    program = (
        "import os, gitmlog\n"
        "def keep(word):\n    open('model.bin', 'w').write(word)\n    gitmlog.log_output('model.bin')\n"
        "    gitmlog.log_text(word, 'report.txt')\n    gitmlog.set_tag('best', word)\n"
        "with gitmlog.start_run():\n    keep('OLD')\n"
        "    if os.fork() == 0:\n        keep('NEW')\n        os._exit(0)\n    os.wait()\n    gitmlog.log_metric('a', 1)\n"
    )
    script(repo, program)
    run = gitmlog.get_run("last")
    with run.open("report.txt") as stream:
        assert stream.read() == b"NEW"
    assert run.tags == {"best": "NEW"}
    assert repo.ok("cat", "last:model.bin") == "NEW"


def test_a_result_of_an_earlier_run_is_read_as_it_is(repo: Sandbox) -> None:
    repo.write("config.json", '{"lr": 1}')
    repo.commit("config")
    repo.ok("run", "-n", "gen", "-o", "config.json", "--", "sh", "-c", "echo 99 > config.json")
    repo.ok("run", "-n", "train", "-i", "config.json", "--", "cat", "config.json")
    repo.ok("run", "-n", "silent", "--", "cat", "config.json")
    train, silent = gitmlog.get_run("train"), gitmlog.get_run("silent")
    assert train.inputs["config.json"].git == repo.git("hash-object", "config.json").strip()
    for run in (train, silent):
        assert repo.git("show", f"{run.tag}:config.json") == "99\n"
        assert run.record.code.changed == 0


def test_accepting_does_not_lose_what_only_a_removed_run_had(repo: Sandbox) -> None:
    repo.write("res.txt", "start")
    repo.commit("res")
    for name in ("B", "A"):
        repo.ok("run", "-n", name, "-o", "res.txt", "--", "sh", "-c", f"echo {name} > res.txt")
    repo.ok("runs", "rm", "A")
    repo.fails("runs", "accept", "B", code=6, kind="would-overwrite")
    assert (repo.root / "res.txt").read_text() == "A\n"


def test_a_tracked_output_that_became_a_link_is_not_followed(repo: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("private")
    with gitmlog.start_run(outputs="train.py") as run:
        (repo.root / "train.py").unlink()
        (repo.root / "train.py").symlink_to(tmp_path / "secret")
    assert run.outputs == {}
    assert "private" not in repo.git("cat-file", "--batch", "--batch-all-objects", "--unordered")


def test_names_hold_no_secret(repo: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-very-secret-value"
    monkeypatch.setenv("MY_SERVICE_PASSWORD", secret)
    repo.git("switch", "-q", "-c", f"branch-{secret}")
    with gitmlog.start_run(f"with {secret}") as run:
        for call in (
            lambda: gitmlog.log_metric(f"m {secret}", 1.0),
            lambda: gitmlog.log_param(f"p {secret}", 1),
            lambda: gitmlog.set_tag(f"t {secret}", "x"),
            lambda: gitmlog.log_text("x", f"{secret}.txt"),
        ):
            with pytest.raises(gitmlog.GitmlogError, match="looks like a secret"):
                call()
    assert run.name == "with [redacted]"
    assert secret not in repo.git("cat-file", "--batch", "--batch-all-objects", "--unordered")


def test_a_generator_that_is_left_early_is_finished(repo: Sandbox) -> None:
    def steps() -> Iterator[int]:
        with gitmlog.start_run("early"):
            yield from range(10)

    for step in steps():
        if step == 3:
            break
    assert gitmlog.get_run("early").status == "FINISHED"


def test_nested_runs_that_end_in_the_wrong_order(repo: Sandbox) -> None:
    outer = gitmlog.start_run("outer")
    inner = gitmlog.start_run("inner", nested=True)
    outer.end()
    assert os.environ[process.VARIABLE].endswith(inner.id)
    inner.end()
    assert process.VARIABLE not in os.environ


def test_a_killed_run_that_was_resumed_is_not_finished(repo: Sandbox) -> None:
    program = (
        "import gitmlog, os, sys\nfrom gitmlog.ops.runs import finish\n"
        "def full(*a, **k): raise OSError(28, 'full')\n"
        "finish.finish = full\nwith gitmlog.start_run('long'): gitmlog.log_metric('a', 1.0)\n"
    )
    script(repo, program)
    script(
        repo,
        "import gitmlog, os\nrun = gitmlog.start_run(resume='long')\ngitmlog.log_metric('a', 2.0)\n"
        "run.live.flush()\nos.kill(os.getpid(), 9)\n",
        code=-9,
    )
    repo.ok("runs", "recover")
    assert (gitmlog.get_run("long").status, gitmlog.get_run("long").record.metrics["a"].count) == ("KILLED", 2)
