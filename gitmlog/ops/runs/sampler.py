"""Processor, memory and GPUs over the time of a run, at a low rate (spec: run.md, system.csv)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from gitmlog.core.atomic import write_all
from gitmlog.ops.runs.machine import find_nvidia_smi, gpu_loads

HEADER = "key,step,time,value\n"
_THIN = 20_000
_PATIENCE = 1.0
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Sampler:
    """A thread that appends a sample to a file: the first at once, then one every `interval` seconds, the last at the end.

    No method raises. A run that takes very long is sampled less and less often, so that the file stays small.
    """

    def __init__(
        self,
        path: Path,
        interval: float,
        *,
        pid: int | None = None,
        variables: Mapping[str, str] | None = None,
        trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self._interval = interval
        self._owner = os.getpid()
        self._pid = pid or self._owner
        self._variables = dict(variables or {})
        self._trouble = trouble
        self._gpus = find_nvidia_smi(self._variables.get("PATH", ""))
        self._guard = threading.Lock()
        self._closed = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="gitmlog-sampler", daemon=True)
            with suppress(RuntimeError):  # the interpreter ends
                self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end; nothing is written after this returns. In a forked child: nothing."""
        if os.getpid() != self._owner or self._thread is None:
            return
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)
        with self._guard:
            self._closed = True

    def _work(self) -> None:
        try:
            self._sample_until_the_end()
        except Exception as error:  # noqa: BLE001 - a run is never stopped by what is only written down
            said = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            if self._trouble is not None:
                with suppress(Exception):
                    self._trouble(f"processor, memory and GPU are recorded no longer: {said}")

    def _sample_until_the_end(self) -> None:
        from gitmlog.ops.runs.load import Load

        load = Load(self._pid)
        step = 0
        while True:
            last = self._ending.is_set()
            values = load.measure(time.monotonic())
            if not last:
                values |= self._gpu_values()
            self._append(values, step, time.time())
            if last:
                return
            step += 1
            self._interval *= 2 if step % _THIN == 0 else 1
            self._ending.wait(self._interval)

    def _gpu_values(self) -> dict[str, float]:
        """Of a driver that does not answer nothing is asked again."""
        if self._gpus is None:
            return {}
        try:
            loads = gpu_loads(self._gpus, self._variables)
        except (OSError, subprocess.SubprocessError):
            self._gpus = None
            return {}
        found = {f"gpu.{each.number}.percent": each.percent for each in loads}
        return found | {f"gpu.{each.number}.memory.bytes": float(each.memory) for each in loads}

    def _append(self, values: Mapping[str, float], step: int, at: float) -> None:
        rows = "".join(f"{key},{step},{at!r},{value!r}\n" for key, value in sorted(values.items()))
        with self._guard:
            if self._closed:
                return
            fd = os.open(self.path, _APPEND, 0o666)
            try:
                write_all(fd, (rows if os.fstat(fd).st_size else HEADER + rows).encode())
            finally:
                os.close(fd)


def by_key(data: bytes) -> bytes:
    """A growing system.csv as it is recorded: key by key, in order of time; a line that was cut is left out."""
    header, *rows = data.decode("utf-8", "replace").splitlines(keepends=True) or [HEADER]
    whole = [row for row in rows if row.endswith("\n") and row.count(",") == 3]
    return "".join([header, *sorted(whole, key=lambda row: row.partition(",")[0])]).encode()
