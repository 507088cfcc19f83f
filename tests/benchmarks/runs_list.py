"""Listing many runs: `python -m tests.benchmarks.runs_list [--runs 10000] [--peers VENV]`.

The repository is made by `git fast-import` with real run tags. Commands of gitmlog are timed as whole processes, python's start
included; against MLflow, the same questions within a process, so that its start and imports (seconds) do not count. Its SQLite
store is filled with the same runs through its own table classes. It returns a DataFrame, gitmlog returns records.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitmlog.runs.record import CodeFacts, DataFacts, MetricFacts, ParamValue, RunRecord
from gitmlog.runs.tags import format_tag

WHERE = "metrics.acc > 0.9 and params.lr < 1e-2"
SORT = "-metrics.acc"
ROUNDS = 5
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_GIT_ID = "2f1b0e3e0f3c6c4a1d7f6a6f1a2b3c4d5e6f7a8b"
_OBJECT = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def records(count: int) -> Iterator[RunRecord]:
    """Runs of 20 parameters and 10 metrics each; the same ones every time."""
    chance = random.Random(1)
    words = ("swift", "calm", "bold", "shy"), ("otter", "heron", "lynx", "wren")
    for number in range(count):
        started = _FIRST + timedelta(seconds=97 * number)
        params: dict[str, ParamValue] = {f"param.{place}": chance.choice(["a", "b", 3, 0.25]) for place in range(18)}
        params |= {"lr": 10 ** chance.uniform(-4, -1), "optimizer": chance.choice(["adam", "sgd"])}
        metrics = {name: _metric(chance.random()) for name in ("acc", "loss", *(f"val/m{place}" for place in range(8)))}
        yield RunRecord(
            id=f"{started:%Y%m%d-%H%M%S}-{chance.choice(words[0])}-{chance.choice(words[1])}",
            name=chance.choice(["baseline", "wide", "deep"]),
            status="FINISHED" if chance.random() < 0.9 else "FAILED",
            started=started,
            ended=started + timedelta(seconds=90),
            seconds=90.5,
            command=("python", "train.py", "--lr", "0.1"),
            folder=".",
            code=CodeFacts(_GIT_ID, _GIT_ID, "main", 1, 2),
            exit=0,
            user="ada",
            host="lab1",
            params=params,
            metrics=metrics,
            inputs={"data": DataFacts(25_600_000, _OBJECT, 25_000)},
            outputs={"model.pt": DataFacts(90_868_376, _OBJECT)},
        )


def _metric(value: float) -> MetricFacts:
    return MetricFacts(value, value / 2, min(1.0, value * 1.1), 99, 100)


def make_repository(root: Path, made: Iterable[RunRecord]) -> None:
    """A repository with a commit and a packed tag for each run."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    import_tags(root, made)
    subprocess.run(["git", "-C", str(root), "pack-refs", "--all"], check=True)


def import_tags(root: Path, made: Iterable[RunRecord], *, names: Mapping[str, str] | None = None) -> None:
    """A commit and a tag for each run, by one process; `names` are those of tags that are not called as their run is."""
    importer = subprocess.Popen(["git", "-C", str(root), "fast-import", "--quiet", "--force"], stdin=subprocess.PIPE)
    assert importer.stdin is not None
    for record in made:
        who = f"Ada <ada@example.org> {int(record.started.timestamp())} +0000"
        message = format_tag(record).encode()
        name = (names or {}).get(record.id, record.tag)
        importer.stdin.write(f"commit refs/heads/run\nmark :1\ncommitter {who}\ndata 3\nrun\n".encode())
        importer.stdin.write(f"tag {name}\nfrom :1\ntagger {who}\ndata {len(message)}\n".encode() + message + b"\n")
    importer.stdin.close()
    assert importer.wait() == 0


def listing(root: Path, *arguments: str) -> float:
    """The seconds of one `gitmlog runs list`, as a whole process."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "gitmlog", "-q", "runs", "list", *arguments], cwd=root, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begin


def median(work: Callable[[], float]) -> float:
    """Of several rounds."""
    return statistics.median(work() for _ in range(ROUNDS))


def rebuild(root: Path) -> float:
    """The seconds of a list whose index must be made anew."""
    (root / ".git/gitmlog/runs.db").unlink(missing_ok=True)
    return listing(root)


def loosen(root: Path) -> None:
    """Every tag in a file of its own, as thousands of runs in a row leave them."""
    lines = (root / ".git/packed-refs").read_text().splitlines()
    tags = [line.split() for line in lines if " refs/tags/run/" in line]
    (root / ".git/refs/tags/run").mkdir(parents=True, exist_ok=True)
    for oid, ref in tags:
        (root / ".git" / ref).write_text(f"{oid}\n")
    (root / ".git/packed-refs").write_text("\n".join(line for line in lines if " refs/tags/run/" not in line) + "\n")


def another(root: Path, record: RunRecord, number: int) -> float:
    """The seconds of a list after one more run."""
    started = record.started + timedelta(days=1, seconds=number)
    fresh = RunRecord(**{**vars(record), "id": f"{started:%Y%m%d-%H%M%S}-new-run", "started": started})
    git = ["git", "-C", str(root), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    message = format_tag(fresh).encode()
    subprocess.run([*git, "tag", "-a", "--cleanup=verbatim", "-F", "-", fresh.tag, "refs/heads/run"], input=message, check=True)
    return listing(root)


PEER = """
import json, logging, statistics, sys, time, uuid
logging.disable(logging.WARNING)
import mlflow
from mlflow.store.tracking.dbmodels import models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
url, source, folder, rounds = sys.argv[1:]
store = SqlAlchemyStore(url, folder)
experiment = store.create_experiment("bench")
rows = [(uuid.uuid4().hex, json.loads(line)) for line in open(source)]
def facts(name, part):
    return [(uid, row["started"], key, value) for uid, row in part for key, value in row[name].items()]
with store.engine.begin() as db:
    for start in range(0, len(rows), 1000):
        part = rows[start:start + 1000]
        db.execute(models.SqlRun.__table__.insert(), [dict(
            run_uuid=uid, name=row["name"], source_type="LOCAL", source_name="", entry_point_name="", user_id="ada",
            status=row["status"], start_time=row["started"], end_time=row["started"] + 90500, source_version="",
            lifecycle_stage="active", artifact_uri="file:///nowhere/" + uid, experiment_id=int(experiment)) for uid, row in part])
        db.execute(models.SqlParam.__table__.insert(), [
            dict(run_uuid=uid, key=key, value=str(value)) for uid, _, key, value in facts("params", part)])
        metrics = [dict(run_uuid=uid, key=key, value=value, timestamp=time, step=99, is_nan=False)
                   for uid, time, key, value in facts("metrics", part)]
        db.execute(models.SqlMetric.__table__.insert(), metrics)
        db.execute(models.SqlLatestMetric.__table__.insert(), metrics)
mlflow.set_tracking_uri(url)
def seconds(**how):
    def once():
        begin = time.perf_counter()
        found = mlflow.search_runs([experiment], **how)
        return time.perf_counter() - begin, len(found)
    once()
    took = [once() for _ in range(int(rounds))]
    return statistics.median(each for each, _ in took), took[0][1]
where = "metrics.acc > 0.9 and params.optimizer = 'adam'"  # MLflow compares parameters as texts only
for name, how in (("50 newest", dict(max_results=50)), ("50 newest of a condition", dict(max_results=50, filter_string=where)),
                  ("50 best", dict(max_results=50, order_by=["metrics.acc DESC"])), ("all", dict(max_results=50000))):
    print("RESULT", name, *seconds(**how), sep="|", flush=True)
"""


def peer(venv: Path, folder: Path, made: list[RunRecord]) -> dict[str, float]:
    """The seconds of MLflow's `search_runs`; its store is filled in bulk, through its own table classes."""
    source = folder / "runs.jsonl"
    with open(source, "w", encoding="utf-8") as out:
        for each in made:
            facts = {"name": each.name, "status": each.status, "started": int(each.started.timestamp() * 1000)}
            facts |= {"params": dict(each.params), "metrics": {key: value.last for key, value in each.metrics.items()}}
            out.write(json.dumps(facts) + "\n")
    store = [f"sqlite:///{folder / 'mlflow.db'}", str(source), str(folder)]
    return results([str(venv / "bin/python"), "-W", "ignore", "-c", PEER, *store])


INSIDE = """
import statistics, sys, time
from pathlib import Path
from gitmlog.ops.runs.find import search
from gitmlog.repo.workspace import Workspace
def seconds(*how):
    def once():
        begin = time.perf_counter()
        found = search(Workspace.open(Path(sys.argv[1])), *how)
        return time.perf_counter() - begin, len(found.runs)
    once()
    took = [once() for _ in range(int(sys.argv[-1]))]
    return statistics.median(each for each, _ in took), took[0][1]
where = "metrics.acc > 0.9 and params.optimizer = 'adam'"
for name, how in (("50 newest", (None, None, 50)), ("50 newest of a condition", (where, None, 50)),
                  ("50 best", (None, "-metrics.acc", 50)), ("all", (None, None, None))):
    print("RESULT", name, *seconds(*how), sep="|", flush=True)
"""


def inside(root: Path) -> dict[str, float]:
    """The seconds of the same questions within a Python process, as MLflow's are measured."""
    return results([sys.executable, "-c", INSIDE, str(root)])


def results(command: list[str]) -> dict[str, float]:
    """What such a process measured."""
    done = subprocess.run([*command, str(ROUNDS)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split("|") for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return {words[1]: float(words[2]) for words in lines}


def whole_processes(root: Path, made: list[RunRecord]) -> dict[str, float]:
    """The seconds of commands."""
    found = {"index made anew (goal 10)": statistics.median(rebuild(root) for _ in range(3))}
    settle()
    listing(root)
    found["list (goal 0.5)"] = median(lambda: listing(root))
    found["list --where (goal 0.5)"] = median(lambda: listing(root, "--where", WHERE))
    found["list --sort (goal 0.5)"] = median(lambda: listing(root, "--sort", SORT))
    found["list --json, all of them"] = median(lambda: listing(root, "--json"))
    return found


def after_changes(root: Path, made: list[RunRecord]) -> dict[str, float]:
    """The seconds of a list that follows one more run."""
    found = {"list after one more run": median(lambda: another(root, made[-1], next(_NUMBERS)))}
    loosen(root)
    settle()
    listing(root)
    found["the same, no tag packed"] = median(lambda: another(root, made[-1], next(_NUMBERS)))
    return found


def settle() -> None:
    """Wait until the refs are no longer those of this moment, which would be read a second time."""
    time.sleep(0.1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--peers", type=Path, metavar="VENV", help="a virtual environment with mlflow")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "repository"
        made = list(records(options.runs))
        make_repository(root, made)
        print(f"{len(made):,} runs of 20 parameters and 10 metrics, median of {ROUNDS}, seconds\n\nwhole processes")
        for work, took in whole_processes(root, made).items():
            print(f"  {work:32} {took:8.3f}")
        mine = inside(root)
        peers = peer(options.peers, folder, made) if options.peers else {}
        print("\nwithin a process: search_runs" + ("" if peers else " (no peer)"))
        for work, took in mine.items():
            other = f"   mlflow {peers[work]:8.3f}   {peers[work] / took:6.1f} x" if peers else ""
            print(f"  {work:32} {took:8.3f}{other}")
        print("\nwhole processes, after a change")
        for work, took in after_changes(root, made).items():
            print(f"  {work:32} {took:8.3f}")


_NUMBERS = iter(range(1_000_000))

if __name__ == "__main__":
    main()
