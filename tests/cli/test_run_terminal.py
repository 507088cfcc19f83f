"""`gitmlog run` on a terminal: the program behaves as without us, and so do the keys."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gitmlog.runs.record import RunRecord
from gitmlog.runs.tags import parse_tag
from tests.conftest import Sandbox

PYTHON = sys.executable
RUN = (PYTHON, "-m", "gitmlog", "run", "--")
QUIET = (PYTHON, "-m", "gitmlog", "-q", "run", "--")

pytestmark = pytest.mark.skipif(shutil.which("setsid") is None, reason="setsid is not installed: apt-get install util-linux")


class Terminal:
    """A pseudo-terminal, and a program whose controlling terminal it is."""

    def __init__(self, folder: Path, *command: str, stdout: int | None = None) -> None:
        self.fd, inner = os.openpty()
        self.size(24, 80)
        self.seen = b""
        self.job = subprocess.Popen(
            ["setsid", "--ctty", *command],
            cwd=folder,
            stdin=inner,
            stdout=inner if stdout is None else stdout,
            stderr=inner,
            env={**os.environ, "TERM": "xterm", "PS1": "$ "},
        )
        os.close(inner)

    def size(self, rows: int, columns: int) -> None:
        """The user changes the window's size."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.fd, keys)

    def _read(self, seconds: float) -> bytes:
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError as error:
            assert error.errno == errno.EIO
            data = b""
        self.seen += data
        return data

    def until(self, text: str, seconds: float = 20) -> str:
        """Read until `text` was seen; returns what came before, and takes it away."""
        end = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert time.monotonic() < end, f"never saw {text!r} in {self.seen!r}"
            if not self._read(0.2) and self.job.poll() is not None and not self._read(0.2):
                assert text.encode() in self.seen, f"ended without {text!r}: {self.seen!r}"
        before, _, self.seen = self.seen.partition(text.encode())
        return before.decode("utf-8", "replace")

    def rest(self) -> bytes:
        """All until the program ends."""
        while self._read(20):
            pass
        self.job.wait(20)
        return self.seen

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self.fd)
        self.fd = -1

    def close(self) -> None:
        """Whatever happened."""
        if self.job.poll() is None:
            self.job.kill()
        self.job.wait()
        if self.fd >= 0:
            os.close(self.fd)


Open = Callable[..., Terminal]


@pytest.fixture
def repo(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A repository with one commit."""
    monkeypatch.delenv("GITMLOG_RUN", raising=False)
    sandbox.write("train.py", "print('training')\n")
    sandbox.commit("first")
    return sandbox


@pytest.fixture
def terminal(repo: Sandbox) -> Iterator[Open]:
    """Opens terminals, and closes them."""
    opened: list[Terminal] = []

    def open_one(*command: str, stdout: int | None = None) -> Terminal:
        opened.append(Terminal(repo.root, *command, stdout=stdout))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def record(repo: Sandbox) -> RunRecord:
    """The only run there is; it is waited for."""
    end = time.monotonic() + 20
    while not (names := repo.git("tag", "--list", "run/*").split()):
        assert time.monotonic() < end, "no run was recorded"
        time.sleep(0.02)
    (name,) = names
    return parse_tag(repo.git("tag", "--list", "--format=%(contents)", name), name)


def program(repo: Sandbox, text: str) -> tuple[str, str]:
    """A Python program."""
    repo.write("../program.py", text)
    return PYTHON, "../program.py"


# What the program sees and the user sees

SHOW = r"""
import os, sys, time
print("tty", [os.isatty(fd) for fd in (0, 1, 2)], os.get_terminal_size(1), os.get_terminal_size(2))
for i in range(200):
    os.write(1 + i % 2, b"%d\n" % i)
for i in range(5):
    os.write(1, b"\r\x1b[32m%3d%%\x1b[0m \xe2\x96\x88" % (i * 25))
os.write(2, b"\n\xff\xfe\x00 not text\r\n\ttab\n")
os.write(1, b"x" * 50_000 + b"\n")
"""


def test_the_terminal_gets_the_same_bytes_as_without_us(repo: Sandbox, terminal: Open) -> None:
    words = program(repo, SHOW)
    without = terminal(*words).rest()
    assert b"tty [True, True, True] os.terminal_size(columns=80, lines=24)" in without
    assert terminal(*QUIET, *words).rest() == without
    assert record(repo).status == "FINISHED"
    log = repo.here("runs", "log", "last").out
    assert "\n0\n1\n2\n" in log


def test_one_stream_on_the_terminal_and_one_in_a_file(repo: Sandbox, terminal: Open, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        text = "import os; os.write(1, str([os.isatty(fd) for fd in (0, 1, 2)]).encode()); os.write(2, b'to the terminal')"
        seen = terminal(*QUIET, *program(repo, text), stdout=out.fileno()).rest()
    assert seen == b"to the terminal"
    assert (tmp_path / "out").read_text() == "[True, False, True]"


def test_another_size_of_the_window(repo: Sandbox, terminal: Open) -> None:
    text = """
import os, signal, sys
sizes = []
signal.signal(signal.SIGWINCH, lambda *_: sizes.append(os.get_terminal_size(1)))
print("ready", flush=True)
while not sizes or sizes[-1].columns != 132:
    signal.pause()
print("size", os.get_terminal_size(2), flush=True)
"""
    window = terminal(*QUIET, *program(repo, text))
    window.until("ready")
    window.size(50, 132)
    window.until("size os.terminal_size(columns=132, lines=50)")


def test_what_is_typed_reaches_the_program(repo: Sandbox, terminal: Open) -> None:
    text = "import getpass; name = input('name? '); word = getpass.getpass('word? '); print('got', name, word)"
    window = terminal(*RUN, *program(repo, text))
    window.until("name? ")
    window.press(b"Ada\n")
    window.until("word? ")
    window.press(b"unseen\n")
    assert "unseen" not in window.until("got Ada unseen")
    window.rest()
    assert record(repo).status == "FINISHED"


def test_the_last_line_begins_a_line(repo: Sandbox, terminal: Open) -> None:
    seen = terminal(*RUN, "printf", "\\r100%%").rest()
    assert re.fullmatch(rb"\r100%\r\nnote: recorded run/\S+: FINISHED in .*\r\n", seen), seen


def test_a_program_that_takes_the_whole_screen(repo: Sandbox, terminal: Open) -> None:
    """ncurses sets the keyboard by its output: each key at once, none shown; afterwards all is as before."""
    text = """
import curses, os, sys, termios
def main(screen):
    screen.addstr(2, 5, "press")
    screen.refresh()
    curses.noecho(); curses.cbreak()
    open("pressed", "w").write(chr(screen.getch()))
before = termios.tcgetattr(0)
curses.wrapper(main)
sys.stdout.flush()
print("line", input("line: "))
"""
    window = terminal(*QUIET, *program(repo, text))
    window.until("press")
    window.press(b"q")
    window.until("line: ")
    assert (repo.root / "pressed").read_text() == "q"
    wait_until(lambda: bool(termios.tcgetattr(window.fd)[3] & termios.ECHO))
    window.press(b"abc\n")
    window.until("abc\r\nline abc\r\n")


def wait_until(done: Callable[[], bool]) -> None:
    """There is nothing to be told by."""
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


# Keys

COUNTS = """
import signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("ready", flush=True)
until = time.monotonic() + 20
while not seen and time.monotonic() < until:
    time.sleep(0.02)
time.sleep(0.2)
print("interrupts:", len(seen))
sys.exit({code})
"""


@pytest.mark.parametrize(("code", "status"), [(0, "FINISHED"), (5, "KILLED")])
def test_ctrl_c_is_one_interrupt(repo: Sandbox, terminal: Open, code: int, status: str) -> None:
    window = terminal(*RUN, *program(repo, COUNTS.format(code=code)))
    window.until("ready")
    window.press(b"\x03")
    window.until("interrupts: 1\r\n")
    window.rest()
    assert window.job.returncode == code
    assert record(repo).status == status


def test_ctrl_c_kills_and_is_recorded(repo: Sandbox, terminal: Open) -> None:
    window = terminal("sh", "-c", f"{PYTHON} -m gitmlog run -- {PYTHON} ../program.py; echo code $?")
    program(repo, "import time; print('metric acc=0.5'); print('ready', flush=True); time.sleep(30)")
    window.until("ready")
    window.press(b"\x03")
    window.until("KILLED in")
    found = record(repo)
    assert (found.status, found.exit, found.metrics["acc"].last) == ("KILLED", -2, 0.5)


def test_the_exit_code_of_ctrl_c(repo: Sandbox, terminal: Open) -> None:
    window = terminal("bash", "-c", f"trap : INT; {' '.join(RUN)} sh -c 'echo ready; exec sleep 30'; echo code $?")
    window.until("ready")
    window.press(b"\x03")
    window.until("code 130")


def test_ctrl_c_ends_a_loop_of_the_shell_too(repo: Sandbox, terminal: Open) -> None:
    window = terminal("bash", "--norc", "-i")
    window.until("$ ")
    window.press(f'for i in 1 2 3; do {" ".join(QUIET)} sh -c "echo got$i; exec sleep 30"; done; echo looped\n'.encode())
    window.until("got1")
    window.press(b"\x03")
    window.until("$ ")
    window.press(b"echo end of test\n")
    assert "looped" not in window.until("\rend of test")
    assert record(repo).status == "KILLED"


def test_ctrl_backslash(repo: Sandbox, terminal: Open) -> None:
    window = terminal(*RUN, "sh", "-c", "ulimit -c 0; echo ready; exec sleep 30")
    window.until("ready")
    window.press(b"\x1c")
    window.rest()
    assert (record(repo).status, record(repo).exit, window.job.returncode) == ("KILLED", -3, 131)


def test_the_window_is_closed(repo: Sandbox, terminal: Open) -> None:
    window = terminal(*RUN, "sh", "-c", "echo ready; exec sleep 30")
    window.until("ready")
    window.hang_up()
    found = record(repo)
    assert (found.status, found.exit) == ("KILLED", -1)


def test_stopped_and_gone_on_with(repo: Sandbox, terminal: Open) -> None:
    text = """
import signal, time, sys
signal.signal(signal.SIGCONT, lambda *_: print("continued", flush=True))
print("ready", flush=True)
for i in range(400):
    time.sleep(0.02)
    if i and signal.getsignal(signal.SIGCONT) is None: break
    if input("say ") == "end": break
print("over")
"""
    window = terminal("bash", "--norc", "-i")
    window.until("$ ")
    window.press(f"{' '.join(QUIET)} {PYTHON} ../program.py\n".encode())
    program(repo, text)
    window.until("ready")
    window.until("say ")
    window.press(b"\x1a")
    window.until("Stopped")
    window.until("$ ")
    window.press(b"fg\n")
    window.until("continued")
    window.press(b"\nend\n")
    window.until("over")
    window.until("$ ")
    assert record(repo).status == "FINISHED"


def test_a_program_that_does_not_stop_keeps_us_going(repo: Sandbox, terminal: Open) -> None:
    text = "import signal; signal.signal(signal.SIGTSTP, signal.SIG_IGN); print('ready', flush=True); print('said', input())"
    window = terminal("bash", "--norc", "-i")
    window.until("$ ")
    window.press(f"{' '.join(QUIET)} {PYTHON} ../program.py\n".encode())
    program(repo, text)
    window.until("ready")
    window.press(b"\x1a")
    window.press(b"hello\n")
    window.until("said hello")
    window.until("$ ")
    assert record(repo).status == "FINISHED"


def test_in_the_background(repo: Sandbox, terminal: Open) -> None:
    window = terminal("bash", "--norc", "-i")
    window.until("$ ")
    window.press(f"{' '.join(QUIET)} sh -c 'echo from''-behind; exit 3' &\n".encode())
    window.until("from-behind")
    window.press(b"wait $!; echo code=$?\n")
    window.until("code=3")
    assert record(repo).exit == 3


# On a real screen


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt-get install tmux")
def test_a_progress_bar_on_a_screen(repo: Sandbox, tmp_path: Path) -> None:
    text = r"""
import sys, time
for i in range(0, 101, 10):
    sys.stderr.write(f"\r\x1b[31m{i:3d}%\x1b[0m |{'#' * (i // 5):20s}|")
    sys.stderr.flush()
print("\ndone", flush=True)
"""
    socket = str(tmp_path / "tmux")
    line = " ".join((*RUN, *program(repo, text)))

    def tmux(*words: str) -> str:
        return subprocess.run(
            ["tmux", "-S", socket, "-f", "/dev/null", *words], check=True, capture_output=True, text=True
        ).stdout

    tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", str(repo.root), "sh", "-c", f"{line}; exec sleep 60")
    try:
        end = time.monotonic() + 20
        while "recorded" not in (screen := tmux("capture-pane", "-p")) and time.monotonic() < end:
            time.sleep(0.05)
        lines = screen.splitlines()
        assert lines[0] == f"100% |{'#' * 20}|", screen
        assert lines[1] == "done", screen
        assert lines[2].startswith("note: recorded run/"), screen
        assert "\x1b[31m100%" in tmux("capture-pane", "-p", "-e")
    finally:
        with suppress(subprocess.CalledProcessError):
            tmux("kill-server")
