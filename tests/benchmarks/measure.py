"""Timing whole processes, with the peak of their memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One run: wall-clock seconds, and the largest resident set of the process or a child it waited for, in bytes."""

    seconds: float
    peak: int


class Failed(Exception):
    """A measured command did not succeed."""


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Sample:
    """Run a command to its end. Raises Failed."""
    with tempfile.NamedTemporaryFile("r") as report:
        launch = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")), report.name, *command]
        done = subprocess.run(launch, cwd=cwd, env=dict(env), capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)} (exit code {done.returncode}): {done.stderr.decode('utf-8', 'replace')[-2000:]}")
        seconds, peak = report.read().split()
    return Sample(float(seconds), int(peak) * 1024)


def median(samples: Sequence[Sample]) -> Sample:
    """The median time and the largest peak."""
    return Sample(statistics.median(sample.seconds for sample in samples), max(sample.peak for sample in samples))
