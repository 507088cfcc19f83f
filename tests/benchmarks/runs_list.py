"""Listing many runs: `python -m tests.benchmarks.runs_list [--runs 10000] [--peers VENV]`.

The repository is made by `git fast-import` with real run tags. gitmlog is timed as whole processes, python's start included; MLflow
without its start and its imports, which take longer than all that is measured here, on a SQLite store that holds the same runs.
"""

from __future__ import annotations

import argparse
import os
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
import sys, time, math, statistics, logging, uuid
logging.disable(logging.WARNING)
import json
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.tracking.dbmodels import models as m
import mlflow
url, source = sys.argv[1:3]
store = SqlAlchemyStore(url, sys.argv[3])
experiment = store.create_experiment("bench")
rows = [json.loads(line) for line in open(source)]
with store.engine.begin() as db:
    for start in range(0, len(rows), 1000):
        part = [(uuid.uuid4().hex, row) for row in rows[start:start + 1000]]
        db.execute(m.SqlRun.__table__.insert(), [dict(run_uuid=u, name=r["name"], source_type="LOCAL", source_name="", entry_point_name="",
            user_id="ada", status=r["status"], start_time=r["started"], end_time=r["started"] + 90500, source_version="", lifecycle_stage="active",
            artifact_uri="file:///nowhere/" + u, experiment_id=int(experiment)) for u, r in part])
        db.execute(m.SqlParam.__table__.insert(), [dict(key=k, value=str(v), run_uuid=u) for u, r in part for k, v in r["params"].items()])
        metrics = [dict(key=k, value=v, timestamp=r["started"], step=99, is_nan=False, run_uuid=u) for u, r in part for k, v in r["metrics"].items()]
        db.execute(m.SqlMetric.__table__.insert(), metrics)
        db.execute(m.SqlLatestMetric.__table__.insert(), metrics)
mlflow.set_tracking_uri(url)
def seconds(**how):
    def once():
        begin = time.perf_counter()
        found = mlflow.search_runs([experiment], **how)
        return time.perf_counter() - begin, len(found)
    once()
    took = [once() for _ in range(int(sys.argv[4]))]
    return statistics.median(each for each, _ in took), took[0][1]
where = "metrics.acc > 0.9 and params.optimizer = 'adam'"  # MLflow compares parameters as texts only
for name, how in (("list50", dict(max_results=50)), ("where50", dict(max_results=50, filter_string=where)),
                  ("sort50", dict(max_results=50, order_by=["metrics.acc DESC"])), ("all", dict(max_results=50000))):
    took, count = seconds(**how)
    print("RESULT", name, took, count, flush=True)
"""


def peer(venv: Path, folder: Path, made: list[RunRecord]) -> dict[str, float]:
    """The seconds of MLflow's `search_runs`; its store is filled in bulk, through its own table classes."""
    import json

    source = folder / "runs.jsonl"
    with open(source, "w", encoding="utf-8") as out:
        for each in made:
            facts = {"name": each.name, "status": each.status, "started": int(each.started.timestamp() * 1000)}
            out.write(
                json.dumps({**facts, "params": dict(each.params), "metrics": {k: v.last for k, v in each.metrics.items()}}) + "\n"
            )
    command = [
        str(venv / "bin/python"),
        "-W",
        "ignore",
        "-c",
        PEER,
        f"sqlite:///{folder / 'mlflow.db'}",
        str(source),
        str(folder),
        str(ROUNDS),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return {words[1]: float(words[2]) for words in lines}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--peers", type=Path, help="a virtual environment with mlflow")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "repository"
        made = list(records(options.runs))
        make_repository(root, made)
        print(f"{len(made):,} runs, median of {ROUNDS}, seconds")
        mine = {"rebuild (goal 10)": statistics.median(rebuild(root) for _ in range(3))}
        time.sleep(0.1)  # until the refs are settled: a second look at files that were just written is not the case measured
        listing(root)
        mine["list (goal 0.5)"] = median(lambda: listing(root))
        mine["list --where (goal 0.5)"] = median(lambda: listing(root, "--where", WHERE))
        mine["list --where, as mlflow can"] = median(
            lambda: listing(root, "--where", "metrics.acc > 0.9 and params.optimizer = adam")
        )
        mine["list --sort (goal 0.5)"] = median(lambda: listing(root, "--sort", SORT))
        mine["list --limit 0 --json, all"] = median(lambda: listing(root, "--limit", "0", "--json"))
        loosen(root)
        mine["list after one more run, all tags loose"] = median(lambda: another(root, made[-1], next(_NUMBERS)))
        peers = peer(options.peers, folder, made) if options.peers else {}
        beside = dict(zip(mine, (None, "list50", None, "where50", "sort50", "all"), strict=False))
        for work, took in mine.items():
            other = peers.get(beside.get(work) or "")
            said = f"  mlflow.search_runs {other:8.3f}  {other / took:6.1f} x" if other else ""
            print(f"{work:42} {took:8.3f}{said}")


_NUMBERS = iter(range(1_000_000))

if __name__ == "__main__":
    main()
