"""Logging and recording runs: `python -m tests.benchmarks.runs [--peers VENV] [--readme] [ROW…]`.

Each figure is the median of some rounds; contenders take their turns in one run. Peers (mlflow, tensorboardX, trackio) are
imported in processes of their own, and only their logging calls are timed; calls of slow ones are fewer, and the rate counts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 3
BEGIN, END = "<!-- run-benchmarks:begin -->", "<!-- run-benchmarks:end -->"

LOG = """
import sys, time
count = int(sys.argv[1])
import gitmlog
with gitmlog.start_run() as run:
    begin = time.perf_counter()
    for index in range(count):
        gitmlog.log_metric("loss", 1.0 / (index + 1), step=index)
    run.live.flush()
    print(time.perf_counter() - begin)
assert run.record.metrics["loss"].count == count
"""
MLFLOW = """
import sys, time, os
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
count = int(sys.argv[1])
import mlflow
mlflow.set_tracking_uri({uri})
with mlflow.start_run():
    begin = time.perf_counter()
    for index in range(count):
        mlflow.log_metric("loss", 1.0 / (index + 1), step=index)
    print(time.perf_counter() - begin)
"""
TENSORBOARD = """
import sys, time
count = int(sys.argv[1])
from tensorboardX import SummaryWriter
writer = SummaryWriter("tb")
begin = time.perf_counter()
for index in range(count):
    writer.add_scalar("loss", 1.0 / (index + 1), index)
writer.flush()
print(time.perf_counter() - begin)
writer.close()
"""
TRACKIO = """
import sys, time, os
os.environ["TRACKIO_DIR"] = os.path.abspath("trackio")
count = int(sys.argv[1])
import trackio
trackio.init(project="bench", embed=False)
begin = time.perf_counter()
for index in range(count):
    trackio.log({"loss": 1.0 / (index + 1)}, step=index)
print(time.perf_counter() - begin)
sys.stdout.flush()
os._exit(0)
"""
LOOP = """
import sys, time
import gitmlog
count, logs = 3000, sys.argv[1] == "log"
def step():
    end = time.perf_counter() + 0.001
    x = 0
    while time.perf_counter() < end:
        x += 1
    return x
def loop():
    total = 0
    begin = time.perf_counter()
    for index in range(count):
        total += work()
        if logs:
            gitmlog.log_metrics({"a": 1.0 / (index + 1), "b": index * 0.5, "c": 0.25, "d": 1e-3 * index, "e": 3.0}, step=index)
    return time.perf_counter() - begin
# a fixed amount of work, as long as one millisecond is at the start: it does not shrink when logging takes time
per = max(step() for _ in range(50))
def work():
    x = 0
    for _ in range(per):
        x += 1
        time.perf_counter()
    return x
with gitmlog.start_run():
    time.sleep(1.0)  # the environment is known by now
    loop()
    print(min(loop() for _ in range(5)))
"""
CLOSE = """
import sys, time
import gitmlog
run = gitmlog.start_run()
for index in range(5):
    gitmlog.log_text("artifact %d\\n" % index * 100, "a%d.txt" % index)
gitmlog.log_params({"lr": 0.1, "epochs": 10})
for index in range(100):
    gitmlog.log_metric("loss", 1.0 / (index + 1))
time.sleep(1.0)
begin = time.perf_counter()
gitmlog.end_run()
print(time.perf_counter() - begin)
assert run.is_recorded, run.failure
"""
MANY = """
import sys
import gitmlog
for index in range(int(sys.argv[1])):
    with gitmlog.start_run(params={"process": sys.argv[2], "index": index}) as run:
        gitmlog.log_metric("value", index)
        gitmlog.log_text("x", "x.txt")
    assert run.is_recorded, run.failure
"""


@dataclass(frozen=True)
class Line:
    """A row of the table: the work, what must be reached, what gitmlog did, what the peers did, whether it was reached."""

    work: str
    goal: str
    own: str
    others: str
    reached: bool


class Bench:
    """A folder to work in, and how to call Python there."""

    def __init__(self, folder: Path, peers: Path | None, rounds: int) -> None:
        self.folder = folder
        self.peers = peers
        self.rounds = rounds
        home = folder / "home"
        home.mkdir()
        (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT", "MLFLOW", "XDG_"))}
        self.env = {**kept, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}

    def repository(self, name: str, files: int = 1) -> Path:
        """A repository with a commit of so many files."""
        root = self.folder / name
        root.mkdir()
        self.git(root, "init", "-q")
        for index in range(files):
            path = root / f"d{index % 100}" / f"f{index}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"value = {index}\n")
        self.git(root, "add", "-A")
        self.git(root, "commit", "-q", "-m", "start")
        return root

    def git(self, root: Path, *arguments: str) -> str:
        """Run git; it must succeed."""
        done = subprocess.run(["git", *arguments], cwd=root, env=self.env, capture_output=True, text=True, check=True)
        return done.stdout

    def python(self, text: str, cwd: Path, *arguments: str, peer: bool = False) -> float:
        """Run a program that prints seconds."""
        program = self.folder / "program.py"
        program.write_text(text)
        interpreter = str(self.peers / "bin/python") if peer and self.peers else sys.executable
        done = subprocess.run(
            [interpreter, str(program), *arguments], cwd=cwd, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-3000:])
        return float(done.stdout.split()[-1])


def median_of(rounds: int, contenders: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The median of each, all taking their turn in each round."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            taken[name].append(contenders[name]())
            sys.stderr.write(f"  {number + 1} {name}: {taken[name][-1]:.4f}\n")
    return {name: statistics.median(values) for name, values in taken.items()}


def logging(bench: Bench) -> Line:
    """100,000 log_metric calls."""
    root = bench.repository("logging")
    counts = {"gitmlog": 100_000, "mlflow, files": 1_000, "mlflow, SQLite": 300, "tensorboardX": 10_000, "trackio": 10_000}
    texts = {
        "mlflow, files": MLFLOW.replace("{uri}", "'file:' + os.path.abspath('mlruns')"),
        "mlflow, SQLite": MLFLOW.replace("{uri}", "'sqlite:///mlflow.db'"),
        "tensorboardX": TENSORBOARD,
        "trackio": TRACKIO,
    }
    elsewhere = bench.folder / "peers"
    elsewhere.mkdir()
    contenders: dict[str, Callable[[], float]] = {"gitmlog": lambda: bench.python(LOG, root, str(counts["gitmlog"]))}
    for name, text in texts.items() if bench.peers else ():
        contenders[name] = lambda name=name, text=text: bench.python(text, elsewhere, str(counts[name]), peer=True)  # type: ignore[misc]
    seconds = median_of(bench.rounds, contenders)
    rates = {name: counts[name] / value for name, value in seconds.items()}
    own = rates["gitmlog"]
    others = "<br>".join(f"{name}: {rate:,.0f}/s ({own / rate:,.1f} x)" for name, rate in rates.items() if name != "gitmlog")
    reached = own >= 40_000 and own >= 40 * rates.get("mlflow, files", 0) and own >= 5 * rates.get("tensorboardX", 0)
    goal = ">= 40,000/s; >= 40 x MLflow's file store; >= 5 x tensorboardX"
    return Line("100,000 `log_metric` calls, in the journal within 0.25 s", goal, f"{own:,.0f}/s", others, reached)


def closing(bench: Bench) -> Line:
    """The end of a run in a repository of 10,000 files."""
    root = bench.repository("closing", 10_000)
    numbers = iter(range(1000))

    def plain() -> float:
        number = next(numbers)
        for index in range(5):
            (root / f"artifact{index}.txt").write_text(f"artifact {number} {index}\n" * 100)
        begin = time.perf_counter()
        bench.git(root, "-c", "core.fsync=all", "add", "-A")
        bench.git(root, "-c", "core.fsync=all", "commit", "-q", "-m", "run")
        bench.git(root, "-c", "core.fsync=all", "tag", "-a", "-m", "run", f"plain{number}")
        return time.perf_counter() - begin

    seconds = median_of(max(bench.rounds, 5), {"gitmlog": lambda: bench.python(CLOSE, root), "git": plain})
    above = seconds["gitmlog"] - seconds["git"]
    own = f"{seconds['gitmlog'] * 1000:.0f} ms ({above * 1000:+.0f} ms)"
    others = f"durable git add, commit, tag -a: {seconds['git'] * 1000:.0f} ms"
    return Line("closing a run with 5 small artifacts, 10,000 files", "<= 150 ms above git", own, others, above <= 0.150)


def parallel(bench: Bench) -> Line:
    """Eight processes, 25 runs each, one repository."""
    root = bench.repository("parallel")
    program = bench.folder / "many.py"
    program.write_text(MANY)
    begin = time.perf_counter()
    children = [subprocess.Popen([sys.executable, str(program), "25", str(n)], cwd=root, env=bench.env) for n in range(8)]
    codes = [child.wait() for child in children]
    seconds = time.perf_counter() - begin
    recorded = len(bench.git(root, "tag", "-l", "run/*").split())
    fsck = bench.git(root, "fsck", "--strict", "--no-dangling", "--no-progress")
    locks = [path.name for path in (root / ".git").rglob("*.lock")]
    locks = [name for name in locks if name not in ("products.lock",)]
    reached = recorded == 200 and not fsck and not locks and codes == [0] * 8
    own = f"{recorded} of 200 in {seconds:.1f} s, fsck {fsck or 'clean'}, locks left: {len(locks)}"
    return Line("8 processes x 25 runs at once", "200 of 200, fsck clean, no lock", own, _plain_git(bench), reached)


def _plain_git(bench: Bench) -> str:
    """The same with `git add && git commit`, as a script would."""
    root = bench.repository("plain")
    text = "for i in $(seq 25); do echo $0 $i > r$0-$i.txt; git add . 2>/dev/null && git commit -qm $0-$i 2>/dev/null; done"
    children = [subprocess.Popen(["bash", "-c", text, str(n)], cwd=root, env=bench.env) for n in range(8)]
    for child in children:
        child.wait()
    made = int(bench.git(root, "rev-list", "--count", "HEAD")) - 1
    return f"git add && git commit: {made} of 200"


def loop(bench: Bench) -> Line:
    """Steps of one millisecond that log five metrics each."""
    root = bench.repository("loop")
    contenders = {name: (lambda name=name: bench.python(LOOP, root, name)) for name in ("log", "silent")}  # type: ignore[misc]
    seconds = median_of(max(bench.rounds, 5), contenders)
    slower = seconds["log"] / seconds["silent"] - 1
    return Line(
        "3,000 steps of 1 ms, 5 metrics each",
        "<= 2 % slower",
        f"{slower * 100:+.1f} %",
        "the same loop in a run, silent",
        slower <= 0.02,
    )


def importing(bench: Bench) -> Line:
    """`import gitmlog`, above the start of Python."""
    root = bench.repository("importing")

    def timed(text: str) -> Callable[[], float]:
        def call() -> float:
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", text], cwd=root, env=bench.env, check=True)
            return time.perf_counter() - begin

        return call

    contenders = {
        "gitmlog": timed("import gitmlog"),
        "python": timed("pass"),
        "first": timed("import gitmlog; gitmlog.start_run"),
    }
    if bench.peers:
        peer = str(bench.peers / "bin/python")

        def mlflow() -> float:
            begin = time.perf_counter()
            subprocess.run([peer, "-c", "import mlflow"], cwd=root, env=bench.env, check=True)
            return time.perf_counter() - begin

        contenders["mlflow"] = mlflow
    seconds = median_of(max(bench.rounds, 5), contenders)
    above = seconds["gitmlog"] - seconds["python"]
    others = f"python -c pass: {seconds['python'] * 1000:.0f} ms<br>gitmlog.start_run looked up: {seconds['first'] * 1000:.0f} ms"
    others += f"<br>import mlflow: {seconds['mlflow'] * 1000:.0f} ms" if "mlflow" in seconds else ""
    return Line("`import gitmlog`", "<= 30 ms", f"{above * 1000:.1f} ms above Python's start", others, above <= 0.030)


ROWS: dict[str, Callable[[Bench], Line]] = {
    "logging": logging,
    "closing": closing,
    "parallel": parallel,
    "loop": loop,
    "importing": importing,
}


def render(lines: list[Line]) -> str:
    """Markdown."""
    rows = [
        f"| {line.work} | {line.goal}: {'yes' if line.reached else '**no**'} | {line.own} | {line.others} |" for line in lines
    ]
    return "\n".join(["| work | goal | gitmlog | beside it |", "| --- | --- | --- | --- |", *rows])


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.runs", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which ({', '.join(ROWS)}); all by default")
    parser.add_argument("--peers", type=Path, metavar="VENV", help="a virtual environment with mlflow, tensorboardX and trackio")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gitmlog-bench-"))
    try:
        bench = Bench(folder, options.peers, options.rounds)
        lines = []
        for name in options.rows or ROWS:
            sys.stderr.write(f"{name}\n")
            lines.append(ROWS[name](bench))
            sys.stderr.write(f"{render(lines[-1:])}\n")
        sys.stdout.write(render(lines) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
