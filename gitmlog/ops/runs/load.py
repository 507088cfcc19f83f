"""How busy a process tree and the machine are: what was seen last is kept here, since psutil's own is the user's."""

from __future__ import annotations

import os
from typing import Any


class Load:
    """Measures one process and its descendants, and the machine; percentages are since the call before."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seconds: dict[tuple[int, float], float] = {}
        self._at = 0.0
        self._machine: tuple[float, float] | None = None

    def measure(self, now: float) -> dict[str, float]:
        """Names and values of system.csv; `now` in seconds of a clock that does not jump. Raises psutil.Error, OSError."""
        import psutil

        memory = psutil.virtual_memory()
        values = self._tree(now) | {"machine.memory.percent": float(memory.percent)}
        times = psutil.cpu_times()
        total = sum(times[: times._fields.index("guest")] if "guest" in times._fields else times)
        idle = times.idle + getattr(times, "iowait", 0.0)
        if self._machine is not None and total > self._machine[0]:
            passed, rested = total - self._machine[0], idle - self._machine[1]
            values["machine.cpu.percent"] = round(min(100.0, max(0.0, 100 * (passed - rested) / passed)), 2)
        self._machine = (total, idle)
        return values

    def _tree(self, now: float) -> dict[str, float]:
        """One that was born since the last call counts whole; one that ended since does not count."""
        seconds: dict[tuple[int, float], float] = {}
        memory = 0
        for process in _processes(self._pid):
            used = _used(process)
            if used is not None:
                seconds[(process.pid, used[0])] = used[1]
                memory += used[2]
        if not seconds:
            return {}
        values = {"memory.bytes": float(memory)}
        if self._at and now > self._at:
            spent = sum(value - self._seconds.get(key, 0.0) for key, value in seconds.items())
            values["cpu.percent"] = round(100 * max(0.0, spent) / (now - self._at), 2)
        self._seconds, self._at = seconds, now
        return values


def _used(process: Any) -> tuple[float, float, int] | None:
    """When it began, its seconds of processor and bytes of memory; None when it is gone or not ours to look at."""
    import psutil

    try:
        with process.oneshot():
            times = process.cpu_times()
            return process.create_time(), times.user + times.system, process.memory_info().rss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _processes(pid: int) -> list[Any]:
    """The process and its descendants. Where the kernel lists children, only those are read, not every process there is."""
    import psutil

    try:
        root = psutil.Process(pid)
        if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    found = [root]
    for process in found:
        for child in _children(process.pid):
            try:
                found.append(psutil.Process(child))
            except psutil.NoSuchProcess:
                continue
    return found


def _children(pid: int) -> list[int]:
    pids: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as stream:
                pids += map(int, stream.read().split())
    except OSError:  # it ended
        pass
    return pids
