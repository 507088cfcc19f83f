"""Processor, memory and GPUs over time (spec: run.md, system.csv): few, cheap, and never in the way."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gitmlog.ops.runs.load import Load
from gitmlog.ops.runs.sampler import Sampler, by_key
from gitmlog.runs.history import parse_history
from tests.unit.test_run_environment import smi


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def wait_for(path: Path, step: int) -> None:
    """Until this step was written; the test's time limit ends it."""
    while not path.exists() or not [row for row in rows(path) if row["step"] == str(step)]:
        threading.Event().wait(0.01)


def test_the_first_sample_comes_at_once_and_the_last_at_the_end(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path / "system.csv", 3600)
    sampler.start()
    sampler.start()
    wait_for(sampler.path, 0)
    sampler.stop()
    sampler.stop()
    found = rows(sampler.path)
    assert [row["key"] for row in found if row["step"] == "0"] == ["machine.memory.percent", "memory.bytes"]
    last = {row["key"]: float(row["value"]) for row in found if row["step"] == "1"}
    assert set(last) >= {"cpu.percent", "memory.bytes", "machine.memory.percent"}
    assert last["memory.bytes"] > 1 << 20 and 0 < last["machine.memory.percent"] < 100
    assert abs(float(found[0]["time"]) - time.time()) < 60
    assert sampler.path.read_text().startswith("key,step,time,value\n")


def test_samples_follow_each_other(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path / "system.csv", 0.01)
    sampler.start()
    wait_for(sampler.path, 3)
    sampler.stop()
    size = sampler.path.stat().st_size
    assert [row["step"] for row in rows(sampler.path) if row["key"] == "memory.bytes"][:4] == ["0", "1", "2", "3"]
    assert sampler.path.stat().st_size == size


def test_gpus_are_asked(tmp_path: Path) -> None:
    variables = {"PATH": str(smi(tmp_path / "bin").parent)}
    sampler = Sampler(tmp_path / "system.csv", 3600, variables=variables)
    sampler.start()
    wait_for(sampler.path, 0)
    sampler.stop()
    found = {row["key"]: float(row["value"]) for row in rows(sampler.path) if row["step"] == "0"}
    assert found["gpu.0.percent"] == 97 and found["gpu.0.memory.bytes"] == 1 << 30


def test_a_driver_that_fails_is_asked_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    program = smi(tmp_path / "bin", f"#!/bin/sh\necho x >> {count}\nexit 9\n")
    sampler = Sampler(tmp_path / "system.csv", 0.01, variables={"PATH": str(program.parent)})
    sampler.start()
    wait_for(sampler.path, 3)
    sampler.stop()
    assert count.read_text() == "x\n"


def test_a_full_disk_is_told_once() -> None:
    told: list[str] = []
    sampler = Sampler(Path("/dev/full"), 0.001, trouble=told.append)
    sampler.start()
    assert sampler._thread is not None
    sampler._thread.join(10)
    assert not sampler._thread.is_alive()
    sampler.stop()
    assert len(told) == 1 and "No space left" in told[0]


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    sampler = Sampler(tmp_path / "system.csv", 3600, pid=child.pid)
    sampler.start()
    wait_for(sampler.path, 0)
    sampler.stop()
    assert {row["key"] for row in rows(sampler.path)} <= {"machine.memory.percent", "machine.cpu.percent"}


def test_stopping_before_starting_and_in_a_child(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path / "system.csv", 3600)
    sampler.stop()
    assert not sampler.path.exists()
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom gitmlog.ops.runs.sampler import Sampler\n"
        "s = Sampler(Path(sys.argv[1]), 3600)\ns.start()\npid = os.fork()\ns.stop()\n"
        "os._exit(0) if pid == 0 else os.waitpid(pid, 0)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(sampler.path)], check=False, timeout=30)
    assert done.returncode == 0
    steps = [row["step"] for row in rows(sampler.path) if row["key"] == "memory.bytes"]
    assert steps in (["0"], ["0", "1"])


def test_what_is_recorded_is_a_history(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path / "system.csv", 0.01)
    sampler.start()
    wait_for(sampler.path, 2)
    sampler.stop()
    data = sampler.path.read_bytes()
    found = parse_history(by_key(data + b"memory.bytes,9,1.0"), "system.csv")
    assert [point.step for point in found["memory.bytes"]][:3] == [0, 1, 2]
    assert sum(map(len, found.values())) == len(data.splitlines()) - 1
    assert by_key(by_key(data)) == by_key(data)
    assert by_key(b"") == b"key,step,time,value\n"


BUSY = "import sys\nprint(flush=True)\nsum(range(10**9)) if len(sys.argv) > 1 else sys.stdin.read()"


def test_children_count(tmp_path: Path) -> None:
    code = f"import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {BUSY!r}, 'busy'])\nchild.wait()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as parent:
        try:
            assert parent.stdout is not None
            parent.stdout.readline()
            load = Load(parent.pid)
            begun = time.monotonic()
            first = load.measure(begun)
            assert "cpu.percent" not in first
            threading.Event().wait(0.3)
            second = load.measure(time.monotonic())
            assert second["cpu.percent"] > 15
            assert second["memory.bytes"] > load.measure(time.monotonic())["memory.bytes"] / 2 > 1 << 20
        finally:
            os.killpg(parent.pid, 9)


def test_a_sample_costs_little() -> None:
    """Less than a thousandth of a core at 15 seconds."""
    load = Load(os.getpid())
    load.measure(time.monotonic())
    begun = time.process_time()
    for _ in range(20):
        load.measure(time.monotonic())
    assert (time.process_time() - begun) / 20 < 15 / 1000


@pytest.mark.parametrize("interval", [1, 15.0])
def test_any_interval(tmp_path: Path, interval: float) -> None:
    sampler = Sampler(tmp_path / "missing" / "system.csv", interval)
    sampler.start()
    sampler.stop()
    assert not sampler.path.exists()
