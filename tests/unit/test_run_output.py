"""What a program prints passes through unchanged and is kept, without secrets, within a limit, and never in its way."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmlog.core.secrets import REDACTED, Scrubber
from gitmlog.ops.runs.output import HELD, LogFile, Tee, capture
from gitmlog.ops.runs.spool import Spool, join_pieces, pieces_of

SECRET = "correct-horse-battery"


def plain(text: str) -> str:
    return text


def a_log(tmp_path: Path, limit: int = 1 << 20, scrub: Callable[[str], str] | None = None) -> LogFile:
    return LogFile(tmp_path / "log.txt", scrub or Scrubber([SECRET]).stream(), limit)


def kept(log: LogFile) -> str:
    log.close()
    return log.path.read_text() if log.path.exists() else ""


def test_lines_are_kept_as_they_came(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    for text in ("a", "b\n", "", "c\r\n", "10%\r", "20%\r", "\x1b[31mred\x1b[0m\n", "ä\udc80\n", "no end"):
        log.write(text)
    log.flush()
    assert log.path.read_bytes() == "ab\nc\r\n10%\r20%\r\x1b[31mred\x1b[0m\nä?\n".encode()
    assert kept(log).endswith("?\nno end")


@pytest.mark.parametrize("cut", range(1, len(SECRET)))
def test_a_secret_in_two_writes_is_seen_whole(tmp_path: Path, cut: int) -> None:
    log = a_log(tmp_path)
    log.write(f"x {SECRET[:cut]}")
    log.flush()
    log.write(f"{SECRET[cut:]} y")
    log.flush()
    log.write("\n")
    log.flush()
    assert log.path.read_text() == f"x {REDACTED} y\n"


def test_each_source_has_lines_of_its_own(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    log.write(f"out {SECRET[:5]}", 0)
    log.write("warning\n", 1)
    log.flush()
    log.write("half", 1)
    log.write(f"{SECRET[5:]}\n", 0)
    assert kept(log) == f"warning\nout {REDACTED}\nhalf"


def test_a_line_without_end_is_not_held_for_ever(tmp_path: Path) -> None:
    log = a_log(tmp_path, limit=8 << 20, scrub=plain)
    for _ in range(300):
        log.write("words of a long line " * 50)
        log.flush()
    assert log.path.stat().st_size >= 300 * 21 * 50 - HELD
    log.write("x" * (10 * HELD))
    log.flush()
    assert kept(log) == "words of a long line " * 15_000 + "x" * (10 * HELD)


def test_a_private_key_in_the_output(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    for line in ("-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "9w0B", "-----END PRIVATE KEY-----", "after"):
        log.write(line)
        log.write("\n")
        log.flush()
    assert kept(log) == f"{REDACTED}\nafter\n"


def test_above_the_limit_head_and_tail_are_kept(tmp_path: Path) -> None:
    log = a_log(tmp_path, limit=4000, scrub=plain)
    for number in range(10_000):
        log.write(f"line {number}\n")
        if number % 7 == 0:
            log.flush()
            assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4000
    lines = kept(log).splitlines()
    assert log.path.stat().st_size <= 4000 + 100
    assert [file.name for file in tmp_path.iterdir()] == ["log.txt"]
    assert lines[0] == "line 0" and lines[-1] == "line 9999"
    (notice,) = [line for line in lines if line.startswith("[gitmlog: ")]
    whole = sum(len(f"line {number}\n") for number in range(10_000))
    missing = int(notice.split()[1])
    assert missing + log.path.stat().st_size - len(notice) - 1 == whole
    assert all(line.startswith("line ") for line in lines if line != notice)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=40), st.integers(4, 300))
def test_what_is_kept_is_the_beginning_and_the_end(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], limit: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "log.txt"
    spool = Spool(path, limit)
    for part in parts:
        spool.append(part)
    spool.close()
    whole = b"".join(parts)
    if whole:
        join_pieces(path)
        found = path.read_bytes()
        begin, _, end = found.partition(b"[gitmlog: ")
        assert found == whole or (whole.startswith(begin) and whole.endswith(end.partition(b"\n")[2]))
        assert spool.total == len(whole)
        assert len(found) <= limit + 100


def test_joining_is_finished_by_whoever_comes_next(tmp_path: Path) -> None:
    """Killed at each step: the head alone, the pieces, the whole."""
    spool = Spool(path := tmp_path / "log.txt", 400)
    for number in range(200):
        spool.append(f"line {number}\n".encode())
    spool.close()
    (tmp_path / "log.txt.part").write_text("half")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    join_pieces(path)
    whole = path.read_bytes()
    for name, data in before.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "log.txt.whole").write_bytes(whole)
    pieces_of(path)[0].unlink()
    join_pieces(path)
    join_pieces(path)
    assert path.read_bytes() == whole
    assert pieces_of(path) == []


def test_a_full_disk_is_told_once(tmp_path: Path) -> None:
    """/dev/full: every write says that the disk is full."""
    told: list[str] = []
    (tmp_path / "folder").mkdir()
    log = LogFile(Path("/dev/full"), plain, 1000, told.append)
    for _ in range(3):
        log.write("x\n")
        log.flush()
    log.close()
    assert len(told) == 1 and "No space left" in told[0]
    LogFile(tmp_path / "folder", plain, 1000).close()


def test_what_fails_in_here_stays_in_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def broken(text: str) -> str:
        raise ZeroDivisionError(text)

    def worse(text: str) -> None:
        told.append(text)
        raise ZeroDivisionError

    log = LogFile(tmp_path / "log.txt", broken, 1000, worse)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    restore = capture(log)
    print("x")
    log.flush()
    print("y")
    log.flush()
    restore()
    assert stream.getvalue() == "x\ny\n"
    assert len(told) == 1


def streams(monkeypatch: pytest.MonkeyPatch) -> tuple[io.StringIO, io.StringIO]:
    """In the place of sys.stdout and sys.stderr; no fixture, since pytest puts its own there before the test begins."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return out, err


def test_everything_passes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch)
    log = a_log(tmp_path)
    restore = capture(log)
    print("a", SECRET)
    assert sys.stdout.write("abc\n") == 4
    sys.stderr.writelines(["b\n", "c\n"])
    print("d", file=sys.stderr, flush=True)
    assert not sys.stdout.isatty() and sys.stdout.getvalue() == out.getvalue()  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        sys.stdout.write(5)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        sys.stdout.nothing  # type: ignore[attr-defined] # noqa: B018
    restore()
    assert (sys.stdout, sys.stderr) == (out, err)
    print("after")
    assert out.getvalue() == f"a {SECRET}\nabc\nafter\n" and err.getvalue() == "b\nc\nd\n"
    assert kept(log) == f"a {REDACTED}\nabc\nb\nc\nd\n"


def test_installing_and_restoring_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch)
    outer, inner = a_log(tmp_path), LogFile(tmp_path / "inner.txt", plain, 1000)
    restore_outer = capture(outer)
    capture(outer)()
    print("1")
    restore_inner = capture(inner)
    print("2")
    restore_outer()
    restore_outer()
    print("3")
    restore_inner()
    print("4")
    assert (sys.stdout, sys.stderr) == (out, err)
    assert out.getvalue() == "1\n2\n3\n4\n"
    assert kept(outer) == "1\n2\n"
    assert kept(inner) == "2\n3\n"


def test_a_stream_of_somebody_else_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch)
    log = a_log(tmp_path)
    restore = capture(log)
    ours = sys.stdout
    theirs = io.StringIO()
    sys.stdout = theirs
    restore()
    assert sys.stdout is theirs and sys.stderr is err
    ours.write("late\n")
    assert out.getvalue() == "late\n" and kept(log) == ""


def test_no_stream_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    capture(a_log(tmp_path))()
    assert sys.stdout is None


def test_a_tee_is_what_it_stands_before(tmp_path: Path) -> None:
    with open(tmp_path / "x", "w+") as file:
        tee = Tee(file, a_log(tmp_path), 0)
        assert (tee.fileno(), tee.encoding, tee.name, tee.buffer) == (file.fileno(), file.encoding, file.name, file.buffer)
        tee.reconfigure(line_buffering=True)
        assert file.line_buffering
        tee.mode = "other"
        assert file.mode == "other"
        tee.write("a\nb\n")
        tee.seek(0)
        assert list(tee) == ["a\n", "b\n"]
        with tee as same:
            assert same is tee
        assert file.closed


def test_prints_from_several_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = a_log(tmp_path)
    streams(monkeypatch)
    restore = capture(log)
    begin = threading.Barrier(5)

    def work(name: int) -> None:
        begin.wait()
        for number in range(500):
            sys.stdout.write(f"{name} {number}\n")
            if number % 50 == 0:
                log.flush()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    restore()
    lines = kept(log).splitlines()
    assert sorted(lines) == sorted(f"{name} {number}" for name in range(5) for number in range(500))
    for name in range(5):
        assert [line for line in lines if line.startswith(f"{name} ")] == [f"{name} {number}" for number in range(500)]


FORK = """
import os, sys, threading
from pathlib import Path
from gitmlog.ops.runs.output import LogFile, capture
log = LogFile(Path(sys.argv[1]), lambda text: text, 1 << 20)
restore = capture(log)
print("before")
log._guard.acquire() if sys.argv[2] == "locked" else None
taken = threading.Thread(target=log._guard.acquire) if sys.argv[2] == "thread" else None
taken and (taken.start(), taken.join())
if (pid := os.fork()) == 0:
    print("child")
    print("unfinished", end="")
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
if sys.argv[2] == "plain":
    print("parent")
    restore()
    log.close()
"""


@pytest.mark.parametrize("how", ["plain", "locked", "thread"])
def test_forks(tmp_path: Path, how: str) -> None:
    """A child writes into the same log, nothing of its parent's twice; a lock that another thread held stops it not."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path / "log.txt"), how], capture_output=True, check=False, timeout=20
    )
    assert done.returncode == 0, done.stderr
    found = (tmp_path / "log.txt").read_text()
    assert found == ("child\nbefore\nparent\n" if how == "plain" else "child\n")
    assert b"child\n" in done.stdout


def test_a_write_costs_little(tmp_path: Path) -> None:
    import time

    log = a_log(tmp_path, limit=8 << 20)
    tee = Tee(io.StringIO(), log, 0)
    begun = time.process_time()
    for _ in range(50_000):
        tee.write("epoch 1: loss=0.123 acc=0.9\n")
    log.flush()
    assert time.process_time() - begun < 1
    assert os.path.getsize(log.path) == 50_000 * 28


def test_a_write_that_somebody_puts_on_the_stream_is_not_called_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As IPython does, around each line that is typed."""
    below = io.StringIO()
    monkeypatch.setattr(sys, "stdout", below)
    log = LogFile(tmp_path / "log.txt", lambda text: text, 1 << 20)
    restore = capture(log)
    original, seen = sys.stdout.write, []
    sys.stdout.write = lambda text: (seen.append(text), original(text))[1]  # type: ignore[method-assign, assignment]
    print("hello")
    sys.stdout.write = original  # type: ignore[method-assign]
    print("again")
    restore()
    log.close()
    assert sys.stdout is below
    assert "".join(seen) == "hello\n"
    assert below.getvalue() == "hello\nagain\n"
    assert (tmp_path / "log.txt").read_text() == "hello\nagain\n"
