"""Waiting for a program: signals reach it as they would without us, and it can be stopped and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from gitmlog.ops.runs.channel import Channel
from gitmlog.ops.runs.live import Tell

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that ask a program to end."""

_PASSED = (*ENDS, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
_KEYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
_FROM_KERNEL = 0x80
_PATIENCE = 0.5
_SETTLE = 0.02


class Waiter:
    """Holds this process's signals from before a program starts until its run is recorded; a context manager.

    Before: one that asks to end, ends us, as soon as nothing of the run would be left. While the program runs: what was sent
    to us alone is passed on; a key on the terminal (Ctrl-C, Ctrl-\\, Ctrl-Z) has reached the program already, since it is in
    our process group. What was ignored when we were started (nohup) stays so, for the program too. After: the recording is
    not disturbed, but by a second Ctrl-C. Outside the main thread signals are left alone.

    Attributes:
        asked: whether the program was asked to end.
        key: whether that was by Ctrl-C on the terminal.
    """

    def __init__(self, tell: Tell) -> None:
        self.asked = False
        self.key = False
        self._tell = tell
        self._before: dict[signal.Signals, Any] = {}
        self._phase = "opening"
        self._mask: set[Any] = set()
        self._strays: list[int] = []
        self._early: list[int] = []
        self._again = False

    def __enter__(self) -> Waiter:
        if threading.current_thread() is threading.main_thread():
            self._hold(ENDS)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hold(self, numbers: tuple[signal.Signals, ...]) -> None:
        for number in numbers:
            if signal.getsignal(number) not in (signal.SIG_IGN, None) and number not in self._before:
                self._before[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._phase == "running":
            self._strays.append(number)
        elif self._phase == "before" or (self._again and number == signal.SIGINT):
            _end_us(number)
        elif self._phase == "opening":
            self._again = True
            self._strays.append(number)
        elif number == signal.SIGINT:
            self._again = True
            self._tell("the run is being recorded; Ctrl-C again leaves that to `gitmlog runs recover`")

    def opened(self) -> None:
        """The run is there, and whoever calls will discard it: a signal that came meanwhile ends us now."""
        self._phase = "before"
        self._again = False
        if self._strays:
            _end_us(self._strays[0])

    def ready(self) -> None:
        """The program is about to be started."""
        self._phase = "running"
        if self._before:
            self._hold(_PASSED)
            self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def started(self) -> None:
        """The program is there: from here on it has every key by itself. At once after the start."""
        if self._before:
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._before)
            self._early, self._strays = self._strays, []

    def wait(self, child: subprocess.Popen[bytes], channel: Channel) -> int:
        """Until it has ended; returns its exit code, -N for signal N. After `started`."""
        if not self._before:
            return child.wait()
        for number in self._early:  # it may not have had them
            self._pass(number, False, child, channel)
            self._note(number, _is_key(number))
        while (code := child.poll()) is None:
            for number, by_key in self._next(_PATIENCE):
                self._pass(number, by_key, child, channel)
            self._stop_too(child)
        for number, by_key in self._next(0):  # the key that ended the program is still on its way to us
            self._note(number, by_key)
        self._phase = "after"
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        return code

    def _next(self, timeout: float) -> Iterator[tuple[int, bool]]:
        """Signals that have come, and whether they are a key's; at least one, when one comes in time."""
        while found := _take(set(self._before), timeout):
            yield found
            timeout = 0
        while self._strays:  # another thread of ours was given it
            number = self._strays.pop(0)
            yield number, _is_key(number)

    def _pass(self, number: int, by_key: bool, child: subprocess.Popen[bytes], channel: Channel) -> None:
        self._note(number, by_key)
        if number in (signal.SIGWINCH, signal.SIGCONT):
            channel.resize()
        if number not in (signal.SIGWINCH, signal.SIGCHLD) and not by_key:
            with suppress(OSError):
                child.send_signal(number)

    def _note(self, number: int, by_key: bool) -> None:
        self.asked = self.asked or number in ENDS
        self.key = self.key or (by_key and number == signal.SIGINT)

    def _stop_too(self, child: subprocess.Popen[bytes]) -> None:
        """Ctrl-Z stopped the program: whoever started us shall see us stopped, and no sooner."""
        with suppress(OSError):
            stopped = os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOHANG)
            if stopped is not None and stopped.si_status == signal.SIGTSTP:
                time.sleep(_SETTLE)  # what it printed before is on its way through us
                os.kill(os.getpid(), signal.SIGSTOP)


def _end_us(number: int) -> NoReturn:
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _take(numbers: set[signal.Signals], timeout: float) -> tuple[int, bool] | None:
    """The next signal, and whether it comes from a key on the terminal; None when none comes in time (seconds)."""
    if hasattr(signal, "sigtimedwait"):
        info = signal.sigtimedwait(numbers, timeout)
        return None if info is None else (info.si_signo, info.si_signo in _KEYS and info.si_code == _FROM_KERNEL)
    if not timeout and not signal.sigpending() & numbers:
        return None
    number = signal.sigwait(numbers)  # macOS does not say where it comes from
    return number, _is_key(number)


def _is_key(number: int) -> bool:
    """Whether a signal was a key's, where nothing says so: when there is a terminal whose keys reach us."""
    if number not in _KEYS:
        return False
    for fd in (0, 1, 2):
        with suppress(OSError):
            return os.tcgetpgrp(fd) == os.getpgrp()
    return False


def signal_name(number: int) -> str:
    """SIGSEGV; `signal 40` where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
