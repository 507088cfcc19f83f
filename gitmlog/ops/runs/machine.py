"""This machine: its processor, memory and GPUs, asked without importing anything that computes."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 5.0
_MAX_OUTPUT = 1 << 20
_MIB = 1 << 20


@dataclass(frozen=True)
class Gpus:
    """What nvidia-smi tells of this machine: the driver's version, that of CUDA, and the devices, each with its memory."""

    driver: str
    cuda: str
    devices: tuple[str, ...]


@dataclass(frozen=True)
class GpuLoad:
    """One device: percent busy, bytes used."""

    number: int
    percent: float
    memory: int


def cpu_name() -> str:
    """The processor's own name, or ""."""
    import platform

    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() in ("model name", "Hardware", "Model"):
                    return value.strip()
    except OSError:
        pass
    return platform.processor()


def find_nvidia_smi(search: str) -> Path | None:
    """The program nvidia-smi in the folders of PATH (`search`); only absolute ones: what lies in a repository is never run."""
    for folder in search.split(os.pathsep):
        candidate = Path(folder, "nvidia-smi")
        if os.path.isabs(folder) and candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    return None


def _ask(program: Path, arguments: Sequence[str], variables: Mapping[str, str]) -> str:
    """What the program prints. Raises OSError, subprocess.SubprocessError."""
    done = subprocess.run(
        [os.fspath(program), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=_PATIENCE,
        cwd="/",
        env={**variables, "LC_ALL": "C"},
    )
    return done.stdout[:_MAX_OUTPUT].decode("utf-8", "replace")


def gpus(program: Path, variables: Mapping[str, str]) -> Gpus:
    """The GPUs. Raises OSError, subprocess.SubprocessError."""
    rows = _rows(_ask(program, ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"], variables), 3)
    header = re.search(r"CUDA Version:\s*([0-9.]+)", _ask(program, [], variables))
    devices = tuple(f"{name}, {memory}" for name, memory, _ in rows)
    return Gpus(rows[0][2] if rows else "", header[1] if header else "", devices)


def gpu_loads(program: Path, variables: Mapping[str, str]) -> list[GpuLoad]:
    """How busy each GPU is; one that does not tell is left out. Raises OSError, subprocess.SubprocessError."""
    query = ["--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
    loads = []
    for row in _rows(_ask(program, query, variables), 3):
        if all(re.fullmatch(r"[0-9]{1,9}", cell) for cell in row):
            number, percent, memory = map(int, row)
            loads.append(GpuLoad(number, float(percent), memory * _MIB))
    return loads


def _rows(text: str, width: int) -> list[tuple[str, ...]]:
    rows = (tuple(cell.strip() for cell in line.split(",")) for line in text.splitlines())
    return [row for row in rows if len(row) == width]
