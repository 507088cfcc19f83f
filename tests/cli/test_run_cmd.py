"""`gitmlog run`: any program, its output, exit code, parameters, metrics, inputs and outputs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import venv
from pathlib import Path

import pytest

import gitmlog
from gitmlog.core.secrets import Scrubber
from gitmlog.ops.runs.keeper import Keeper
from gitmlog.ops.runs.output import LogFile
from gitmlog.runs.record import RunRecord
from gitmlog.runs.tags import parse_tag
from tests.conftest import Sandbox

PYTHON = sys.executable


@pytest.fixture
def repo(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A repository with one commit."""
    for name in ("GITMLOG_RUN", "GITMLOG_PARAM_LR"):
        monkeypatch.delenv(name, raising=False)
    sandbox.write("train.py", "print('training')\n")
    sandbox.commit("first")
    return sandbox


def records(repo: Sandbox) -> list[RunRecord]:
    """All recorded runs, the oldest first."""
    names = repo.git("tag", "--list", "run/*").split()
    found = [parse_tag(repo.git("tag", "--list", "--format=%(contents)", name), name) for name in names]
    return sorted(found, key=lambda each: each.started)


def record(repo: Sandbox) -> RunRecord:
    """The only run that there is."""
    (found,) = records(repo)
    assert not list((repo.root / ".git/gitmlog/runs").glob("2*")), "the folder of the run is still there"
    return found


def nothing_left(repo: Sandbox) -> None:
    """No run was recorded, and none waits."""
    assert not records(repo)
    assert not list((repo.root / ".git/gitmlog/runs").glob("2*"))
    assert not repo.git("for-each-ref", "refs/gitmlog")


def start(repo: Sandbox, *command: str, **options: object) -> subprocess.Popen[bytes]:
    """A run in the background, in a process group of its own."""
    words = [PYTHON, "-m", "gitmlog", "run", "--", *command]
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        words, cwd=repo.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0, **options
    )


def python(text: str) -> tuple[str, ...]:
    """A program."""
    return (PYTHON, "-c", text)


# Output


def test_metrics_that_git_tracks_are_a_result_and_no_code(sandbox: Sandbox) -> None:
    sandbox.write("train.sh", 'echo "{\\"acc\\": $1}" > metrics.json\n')
    sandbox.write("metrics.json", '{"acc": 0}\n')
    sandbox.commit("code, and the metrics of before")
    for value in ("0.9", "0.5"):
        sandbox.ok("run", "-n", value, "--metrics", "metrics.json", "--", "sh", "train.sh", value)
    first, second = (gitmlog.get_run(name, repo=sandbox.root) for name in ("0.9", "0.5"))
    assert first.record.code.tree == second.record.code.tree
    assert second.record.code.changed == 0
    assert sandbox.git("show", f"{first.tag}:metrics.json") == '{"acc": 0.9}\n'
    assert set(first.outputs) == {"metrics.json"}
    sandbox.ok("runs", "accept", "best:metrics.acc")
    assert (sandbox.root / "metrics.json").read_text() == '{"acc": 0.9}\n'
    sandbox.ok("runs", "accept", "0.5")
    assert (sandbox.root / "metrics.json").read_text() == '{"acc": 0.5}\n'
    sandbox.write("metrics.json", "mine")
    sandbox.git("reset", "-q", "HEAD~1")
    sandbox.fails("runs", "accept", "0.5", code=6, kind="would-overwrite")


def test_output_passes_through_byte_for_byte(repo: Sandbox) -> None:
    text = "import os; os.write(1, bytes(range(256)) * 100); os.write(2, b'\\xff\\xfe err \\x00\\r\\n' * 100)"
    done = subprocess.run(
        [PYTHON, "-m", "gitmlog", "-q", "run", "--", *python(text)], cwd=repo.root, capture_output=True, check=True
    )
    assert done.stdout == bytes(range(256)) * 100
    assert done.stderr == b"\xff\xfe err \x00\r\n" * 100


def test_both_streams_of_one_pipe_keep_their_order(repo: Sandbox) -> None:
    text = "import os\nfor i in range(3000): os.write(1 + i % 2, b'%d\\n' % i)"
    done = subprocess.run(
        [PYTHON, "-m", "gitmlog", "-q", "run", "--", *python(text)],
        cwd=repo.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    assert done.stdout.split() == [b"%d" % i for i in range(3000)]


def test_output_is_kept_without_secrets_but_shown_as_it_is(repo: Sandbox) -> None:
    secret = "hunter2-very-secret"
    done = repo.gitmlog("run", "--", "sh", "-c", 'echo "it is $MY_PASSWORD"; echo oops >&2', env={"MY_PASSWORD": secret})
    assert done.out == f"it is {secret}\n"
    log = repo.here("runs", "log", "last").out
    assert secret not in log
    assert "it is [redacted]\n" in log
    assert "oops\n" in log


def test_the_last_line_names_the_run_unless_quiet(repo: Sandbox) -> None:
    last = repo.gitmlog("run", "--", "true").err.splitlines()[-1]
    assert f"recorded {record(repo).tag}: FINISHED in" in last
    assert repo.gitmlog("-q", "run", "--", "true").err == ""


def test_a_reader_that_goes_away_does_not_stop_the_program(repo: Sandbox) -> None:
    text = "for i in range(200000): print('line', i)\nopen('done', 'w').write('x')"
    line = f'{PYTHON} -m gitmlog -q run -- {PYTHON} -c "{text}" | head -1'
    assert repo.run("sh", "-c", line).out == "line 0\n"
    wait_for(lambda: bool(repo.git("tag", "--list", "run/*")))
    assert (repo.root / "done").exists()
    assert record(repo).status == "FINISHED"
    assert "line 199999" in repo.here("runs", "log", "last").out


def test_a_reader_that_is_slow_gets_everything(repo: Sandbox) -> None:
    """Later than the two seconds that are given to processes left behind."""
    read, write = os.pipe()
    size = 3_000_000
    job = subprocess.Popen(
        [PYTHON, "-m", "gitmlog", "-q", "run", "--", "sh", "-c", f"head -c {size} /dev/zero"], cwd=repo.root, stdout=write
    )
    os.close(write)
    wait_for(lambda: bool(os.stat(read)) and has_run_folder(repo))
    got = len(os.read(read, 1))
    with open(read, "rb", buffering=0) as stream:
        while data := stream.read(1 << 20):
            got += len(data)
    assert job.wait() == 0
    assert got == size


def test_an_output_that_cannot_be_written_is_told(repo: Sandbox) -> None:
    with open("/dev/full", "wb") as full:
        words = [PYTHON, "-m", "gitmlog", "run", "--", "sh", "-c", "echo x; exit 3"]
        done = subprocess.run(words, cwd=repo.root, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3
    assert b"could not be passed on any more: No space left on device" in done.stderr
    assert "could not be passed on" in record(repo).warnings[0]


def test_closed_streams_get_nothing_of_it(repo: Sandbox) -> None:
    """Their numbers may be those of any file that gitmlog opens."""
    line = f"{PYTHON} -m gitmlog run -- sh -c 'echo out; echo err >&2' >&- 2>&-"
    assert repo.run("sh", "-c", line).code == 0
    assert record(repo).status == "FINISHED"
    assert repo.here("runs", "log", "last").out == "out\nerr\n"
    repo.git("fsck", "--strict")


def test_a_non_blocking_output_is_waited_for(repo: Sandbox) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    words = [PYTHON, "-m", "gitmlog", "-q", "run", "--", "sh", "-c", "head -c 1000000 /dev/zero"]
    job = subprocess.Popen(words, cwd=repo.root, stdout=write)
    os.close(write)
    with open(read, "rb") as stream:
        assert len(stream.read()) == 1_000_000
    assert job.wait() == 0
    assert not record(repo).warnings


def test_a_very_long_line(repo: Sandbox) -> None:
    done = repo.gitmlog("-q", "run", "--", *python("print('metric ' + 'x' * 2_000_000); print('metric acc=1')"))
    assert len(done.out) > 2_000_000
    assert record(repo).metrics["acc"].last == 1
    assert list(record(repo).metrics) == ["acc"]


def test_long_output_keeps_both_ends(repo: Sandbox) -> None:
    assert repo.here("config", "runs.log", "200000").code == 0
    text = "import sys\nfor i in range(400000): sys.stdout.write(f'line {i}\\n')\nprint('metric acc=0.5')"
    done = repo.gitmlog("-q", "run", "--", *python(text))
    assert done.out.count("\n") == 400_001
    log = repo.here("runs", "log", "last").out
    assert log.startswith("line 0\nline 1\n")
    assert log.endswith("line 399999\nmetric acc=0.5\n")
    assert "[gitmlog: " in log
    assert len(log) < 300_000
    assert record(repo).metrics["acc"].last == 0.5


@pytest.mark.parametrize("secret", [False, True])
def test_output_faster_than_it_can_be_kept(tmp_path: Path, secret: bool) -> None:
    """The middle is left out before it is looked at, at ends of lines; a private key is not torn."""
    gate = threading.Event()

    class Slow(LogFile):
        def write(self, text: str, source: int = 0) -> None:
            gate.wait(20)
            super().write(text, source)

    limit = 1 << 20
    log = Slow(tmp_path / "log.txt", Scrubber().stream(), limit)
    keeper = Keeper(log, limit)
    take = keeper.taker()
    lines = [b"%07d %s\n" % (number, b"x" * 90) for number in range(60_000)]
    if secret:
        key = [b"-----BEGIN PRIVATE KEY-----\n", *[b"A" * 64 + b"\n"] * 40_000, b"-----END PRIVATE KEY-----\n"]
        lines[20_000:20_000] = key
    data = b"".join(lines)
    feeding = threading.Thread(target=lambda: [take(data[at : at + 65_000]) for at in range(0, len(data), 65_000)])
    feeding.start()
    feeding.join(0.5 if secret else 20)
    assert feeding.is_alive() == secret
    gate.set()
    feeding.join(20)
    keeper.finish()
    log.close()
    kept = (tmp_path / "log.txt").read_bytes()
    assert len(kept) < limit * 1.2
    assert kept.startswith(lines[0] + lines[1])
    assert kept.endswith(lines[-2] + lines[-1])
    assert kept.count(b"[gitmlog: ") == 1
    assert b"A" * 30 not in kept
    if not secret:
        whole = [line for line in kept.splitlines(keepends=True) if line[:1] != b"["]
        assert set(whole) <= set(lines)
        missing = int(re.search(rb"gitmlog: (\d+) bytes", kept)[1])  # type: ignore[index]
        assert 0 <= len(data) - missing - sum(map(len, whole)) < 1000


def test_standard_input_is_the_programs(repo: Sandbox) -> None:
    done = subprocess.run(
        [PYTHON, "-m", "gitmlog", "-q", "run", "--", "cat"],
        cwd=repo.root,
        input=b"\x00\xffhello",
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"\x00\xffhello"


def test_descriptors_of_the_shell_are_the_programs_too(repo: Sandbox) -> None:
    line = f"{PYTHON} -m gitmlog -q run -- cat <(echo from a substitution)"
    assert repo.run("bash", "-c", line).out == "from a substitution\n"


def test_a_program_that_closes_its_output(repo: Sandbox) -> None:
    text = "import os; os.write(1, b'before'); os.close(1); os.close(2); open('after', 'w').write('x')"
    assert repo.gitmlog("-q", "run", "--", *python(text)).out == "before"
    assert (repo.root / "after").exists()


def test_a_process_left_behind_is_not_waited_for(repo: Sandbox) -> None:
    begun = time.monotonic()
    done = repo.gitmlog("-q", "run", "--", "sh", "-c", "sleep 30 & echo $! > pid; echo done")
    os.kill(int((repo.root / "pid").read_text()), signal.SIGKILL)
    assert time.monotonic() - begun < 6
    assert done.out == "done\n"
    assert "left behind" in record(repo).warnings[0]


# Exit codes and signals


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_programs(repo: Sandbox, code: int) -> None:
    assert repo.here("run", "--", "sh", "-c", f"exit {code}").code == code
    assert record(repo).exit == code
    assert record(repo).status == ("FAILED" if code else "FINISHED")


@pytest.mark.parametrize(("name", "status"), [("SEGV", "FAILED"), ("ABRT", "FAILED"), ("KILL", "KILLED"), ("TERM", "KILLED")])
def test_a_program_that_dies_of_a_signal(repo: Sandbox, name: str, status: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    assert repo.here("run", "--", "sh", "-c", f"kill -{name} $$").code == 128 + number
    assert record(repo).status == status
    assert record(repo).exit == -number
    assert record(repo).error == (f"it died of SIG{name}" if status == "FAILED" else "")


def has_run_folder(repo: Sandbox) -> bool:
    """Whether a run goes on."""
    return any((repo.root / ".git/gitmlog/runs").glob("2*/start.json"))


def wait_for(done: object, seconds: float = 20) -> None:
    """Until something is so; there is nothing to be told by."""
    until = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


COUNTS = """
import signal, sys, time
seen = []
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(each, lambda number, _: seen.append(number))
print("ready", flush=True)
until = time.monotonic() + 20
while not seen and time.monotonic() < until:
    time.sleep(0.02)
time.sleep(0.15)
print(*(signal.Signals(each).name for each in seen))
sys.exit({code})
"""


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [("SIGTERM", 1, "KILLED"), ("SIGINT", 0, "FINISHED"), ("SIGHUP", 7, "KILLED"), ("SIGUSR1", 1, "FAILED")],
)
def test_a_signal_to_us_alone_is_passed_on_once(repo: Sandbox, name: str, code: int, status: str) -> None:
    job = start(repo, *python(COUNTS.format(code=code)))
    assert job.stdout.readline() == b"ready\n"
    job.send_signal(signal.Signals[name])
    out, _ = job.communicate(timeout=30)
    assert out.decode() == f"{name}\n"
    assert job.returncode == code
    assert record(repo).status == status


def test_sigterm_kills_and_is_recorded(repo: Sandbox) -> None:
    job = start(repo, "sh", "-c", "echo ready; exec sleep 30")
    assert job.stdout.readline() == b"ready\n"
    job.terminate()
    job.communicate(timeout=30)
    assert job.returncode == 128 + 15
    assert record(repo).status == "KILLED"


def test_what_was_ignored_stays_ignored(repo: Sandbox) -> None:
    """`nohup gitmlog run …`, and jobs in the background of a shell script."""
    show = python("import signal; print(signal.getsignal(signal.SIGHUP).name, signal.getsignal(signal.SIGINT))")
    line = f"trap '' HUP INT; exec {PYTHON} -m gitmlog -q run -- {PYTHON} -c \"{show[2]}\""
    assert repo.run("sh", "-c", line).out == "SIG_IGN 1\n"


def test_the_program_starts_with_the_signals_of_a_shell(repo: Sandbox) -> None:
    text = "print([line for line in open('/proc/self/status') if line[:6] in ('SigIgn', 'SigBlk')])"
    without = repo.run(*python(text)).out
    assert repo.gitmlog("-q", "run", "--", *python(text)).out == without


def test_a_signal_before_the_start_leaves_nothing(repo: Sandbox) -> None:
    job = start(repo, "touch", "ran")
    wait_for(lambda: any((repo.root / ".git/gitmlog/runs").glob("2*")) or job.poll() is not None)
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=30)
    if not (repo.root / "ran").exists():
        assert job.returncode in (130, -2)
        nothing_left(repo)


def test_gitmlog_killed_leaves_a_run_that_can_be_recovered(repo: Sandbox) -> None:
    job = start(repo, "sh", "-c", "echo metric acc=0.5; echo ready; exec sleep 30")
    assert job.stdout.readline() + job.stdout.readline() == b"metric acc=0.5\nready\n"
    (folder,) = (repo.root / ".git/gitmlog/runs").glob("2*")
    wait_for(lambda: (folder / "log.txt").exists() and b"ready" in (folder / "log.txt").read_bytes())
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
    assert repo.here("runs", "recover").code == 0
    assert record(repo).status == "KILLED"
    assert record(repo).metrics["acc"].last == 0.5
    assert "ready" in repo.here("runs", "log", "last").out


# Parameters


def test_parameters_reach_the_program(repo: Sandbox) -> None:
    options = [
        "-p",
        "lr=1e-3",
        "-p",
        "n=007",
        "-p",
        "deep=true",
        "-p",
        "text=a 'b' \"c\" $d",
        "-p",
        "eq=a=b=",
        "-p",
        "opt.kind=x",
    ]
    show = "sorted((key[14:], value) for key, value in os.environ.items() if key[:14] == 'GITMLOG_PARAM_')"
    text = f"import os, sys; print(sys.argv[1:]); print({show})"
    words = ["--lr={lr}", "{n}", "{deep}", "{text}", "{eq}", "<{opt.kind}>", "{{lr}}", "${lr}", "{other}", '{"lr": 1}']
    done = repo.gitmlog("run", *options, "--", *python(text), *words)
    assert done.out.splitlines() == [
        str(["--lr=1e-3", "007", "true", "a 'b' \"c\" $d", "a=b=", "<x>", "{lr}", "${lr}", "{other}", '{"lr": 1}']),
        str(
            [
                *(("DEEP", "true"), ("EQ", "a=b="), ("LR", "1e-3"), ("N", "007"), ("OPT_KIND", "x")),
                ("TEXT", "a 'b' \"c\" $d"),
            ]
        ),
    ]
    assert "{other}" in done.err
    params = {"lr": 0.001, "n": "007", "deep": True, "text": "a 'b' \"c\" $d", "eq": "a=b=", "opt.kind": "x"}
    assert record(repo).params == params
    assert "--lr=1e-3" in record(repo).command


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", 1), ("-7", -7), ("+3", 3), ("0", 0), ("0.5", 0.5), (".5", 0.5), ("1e5", 1e5), ("2.", 2.0), ("-1E-3", -1e-3)),
        *(("true", True), ("false", False), ("True", "True"), ("", ""), (" 1", " 1"), ("1_000", "1_000"), ("0x10", "0x10")),
        *(("9223372036854775807", 2**63 - 1), ("9223372036854775808", "9223372036854775808"), ("1e999", "1e999")),
        *(("inf", float("inf")), ("infinity", "infinity"), ("\u0661", "\u0661"), ("00.5", "00.5"), ("1.2.3", "1.2.3")),
    ],
)
def test_what_a_parameter_is_recorded_as(text: str, value: object) -> None:
    from gitmlog.ops.runs.program import value_of

    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


def test_parameters_that_are_refused(repo: Sandbox) -> None:
    repo.fails("run", "-p", "lr", "true", code=2, kind="usage")
    repo.fails("run", "-p", "=1", "true", code=2, kind="usage")
    assert "twice" in repo.fails("run", "-p", "lr=1", "-p", "lr=1", "true", code=2, kind="usage")["message"]
    repo.fails("run", "-p", "lr=1", "-p", "LR=2", "true", code=2, kind="bad-value")
    repo.fails("run", "-p", " lr=1", "true", code=2, kind="bad-key")
    repo.fails("run", "-p", "a\nb=1", "true", code=2, kind="bad-key")
    repo.fails("run", "-t", "a\nb=1", "true", code=2, kind="bad-key")
    repo.fails("run", "-n", "a\nb", "true", code=2, kind="bad-name")
    nothing_left(repo)


def test_a_secret_parameter_reaches_the_program_and_nothing_else(repo: Sandbox) -> None:
    secret = "Sesame-opens-42"
    done = repo.gitmlog("run", "-p", f"api_key={secret}", "--", "sh", "-c", "echo {api_key}")
    assert done.out == f"{secret}\n"
    assert secret not in repo.git("cat-file", "--batch", "--batch-all-objects", "--unordered")
    assert secret not in repo.here("runs", "log", "last").out
    assert record(repo).params == {"api_key": "[redacted]"}


def test_words_that_are_not_text(repo: Sandbox) -> None:
    words = [PYTHON, "-m", "gitmlog", "-q", "run", "-p", b"name=\xff\xfe", "--", "printf", "%s", b"\xfd{name}"]
    done = subprocess.run(words, cwd=repo.root, capture_output=True, check=False)
    assert done.stdout == b"\xfd\xff\xfe", done
    assert record(repo).status == "FINISHED"


# Inputs and outputs


def test_inputs_and_outputs(repo: Sandbox) -> None:
    repo.write("data/a.bin", b"a")
    repo.write("data/b.bin", b"b")
    assert repo.here("add", "data").code == 0
    repo.commit("data")
    words = ["-i", "data", "-i", "train.py", "-o", "model.bin", "-o", "out", "-o", "never"]
    assert repo.here("run", *words, "--", "sh", "-c", "cat data/* > model.bin; mkdir out; echo 1 > out/1").code == 0
    found = record(repo)
    assert found.inputs["data"].files == 2
    assert found.inputs["train.py"].git
    assert found.outputs["model.bin"].size == 2
    assert found.outputs["out"].files == 1
    assert found.warnings == ("output never is not recorded: it is not there",)


def test_paths_that_are_refused_before_the_program_starts(repo: Sandbox) -> None:
    repo.write("loose.bin", b"x")
    repo.write(".gitignore", "loose.bin\n")
    cases = [("-i", "nowhere", 3, "no-path"), ("-i", "loose.bin", 6, "not-kept"), ("-i", "/etc/passwd", 6, "outside-repository")]
    cases += [("-o", "../elsewhere", 6, "outside-repository"), ("-o", ".git/config", 6, "outside-repository")]
    cases += [("--metrics", "metrics.txt", 5, "bad-metrics-file"), ("-o", "bad\nname", 6, "bad-name")]
    for option, path, code, kind in cases:
        repo.fails("run", option, path, "--", "touch", "ran", code=code, kind=kind)
    assert not (repo.root / "ran").exists()
    nothing_left(repo)


# The program


def test_programs_that_cannot_be_run(repo: Sandbox) -> None:
    repo.write("plain.sh", "#!/bin/sh\n")
    repo.write("bare.sh", "echo hello\n").chmod(0o755)
    repo.write("lost.sh", "#!/no/such/interpreter\n").chmod(0o755)
    (repo.root / "folder").mkdir()
    hints = {}
    for name in ("no-such-program", "", "./plain.sh", "./bare.sh", "./lost.sh", "./folder", "./none", "bare.sh"):
        hints[name] = repo.fails("run", "--", name, code=3, kind="no-program")["hint"]
    assert hints["./plain.sh"].startswith("chmod +x")
    assert "#!/bin/sh" in hints["./bare.sh"]
    assert hints["bare.sh"] == "it lies in this folder: ./bare.sh"
    nothing_left(repo)


def test_words_after_the_program_are_the_programs(repo: Sandbox) -> None:
    show = python("import sys; print(sys.argv[1:])")
    assert (
        repo.gitmlog("-q", "run", *show, "-n", "x", "--help", "-p", "--", "-o").out == "['-n', 'x', '--help', '-p', '--', '-o']\n"
    )
    assert record(repo).name != "x"
    assert "did you mean" in repo.fails("run", "--nmae", "x", "true", code=2, kind="usage")["message"].lower()
    repo.fails("run", "-n", "x", code=2, kind="usage")


def test_a_script_is_called_as_it_was_named(repo: Sandbox) -> None:
    repo.write("sub/show.sh", '#!/bin/sh\necho "$0"; pwd; echo "$PWD"\n').chmod(0o755)
    done = repo.gitmlog("-q", "-C", "sub", "run", "--", "./show.sh")
    assert done.out == f"./show.sh\n{repo.root}/sub\n{repo.root}/sub\n"
    assert record(repo).folder == "sub"


def test_in_a_subfolder_paths_are_relative_to_it(repo: Sandbox) -> None:
    repo.write("sub/metrics.json", '{"acc": 0.1}')
    done = repo.gitmlog(
        "-q", "run", "-o", "out.bin", "--metrics", "m.json", "--", "sh", "-c", "echo 1 > out.bin; echo '{\"acc\": 0.9}' > m.json",
        cwd=repo.root / "sub",
    )  # fmt: skip
    assert done.code == 0
    assert record(repo).folder == "sub"
    assert list(record(repo).outputs) == ["sub/out.bin"]
    assert record(repo).metrics["acc"].last == 0.9


def test_outside_a_repository(repo: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    repo.fails("run", "--", "true", code=3, kind="no-repository", cwd=tmp_path / "elsewhere")


# Metrics


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.json", '{"acc": 0.5, "deep": {"loss": 1}}'),
        ("m.yaml", "acc: 0.5\ndeep:\n  loss: 1\n"),
        ("m.toml", "acc = 0.5\n[deep]\nloss = 1\n"),
        ("m.csv", "acc,deep.loss\n0.4,2\n0.5,1\n"),
        ("m.jsonl", '{"acc": 0.4, "deep.loss": 2}\n{"acc": 0.5, "deep.loss": 1}\n'),
    ],
)
def test_metrics_from_a_file(repo: Sandbox, name: str, text: str) -> None:
    assert repo.here("run", "--metrics", name, "--", *python(f"open({name!r}, 'w').write({text!r})")).code == 0
    assert {key: facts.last for key, facts in record(repo).metrics.items()} == {"acc": 0.5, "deep.loss": 1}
    assert record(repo).warnings == ()


def test_metrics_files_that_are_of_no_use(repo: Sandbox) -> None:
    repo.write("stale.json", '{"acc": 0.5}')
    for name, command in (("none.json", "exit 3"), ("stale.json", "exit 3"), ("broken.json", "echo '{' > broken.json; exit 3")):
        assert repo.here("run", "--metrics", name, "--", "sh", "-c", command).code == 3
    warnings = [each.warnings for each in records(repo)]
    assert warnings[0] == ("metrics file none.json: it is not there",)
    assert warnings[1] == ("metrics file stale.json: it was not written by the run",)
    assert warnings[2][0].startswith("metrics file broken.json:2: not JSON: ")
    assert all(not each.metrics and each.status == "FAILED" for each in records(repo))


def test_metric_lines(repo: Sandbox) -> None:
    text = (
        "metric acc=0.5 step=1\nmetric acc=0.7 step=2\n  metric loss=nan\nno metric x=1\nmetric bad\nmetrics y=1\nmetric last=3"
    )
    assert repo.gitmlog("-q", "run", "--", "printf", "%s", text).out == text
    found = record(repo).metrics
    assert (found["acc"].last, found["acc"].step, found["acc"].count) == (0.7, 2, 2)
    assert sorted(found) == ["acc", "last", "loss"]


# Python programs, and runs within runs


def test_a_python_program_joins(repo: Sandbox) -> None:
    repo.write(
        "train.py",
        "import gitmlog\n"
        "gitmlog.log_metric('early', 1)\n"
        "with gitmlog.start_run('own', params={'lr': 0.1}) as run:\n"
        "    gitmlog.log_metric('acc', 0.5)\n"
        "    print(run.id)\n",
    )
    done = repo.gitmlog("-q", "run", "-p", "seed=1", "--", PYTHON, "train.py")
    found = record(repo)
    assert done.out.strip() == found.id
    assert found.params == {"lr": 0.1, "seed": 1}
    assert sorted(found.metrics) == ["acc", "early"]
    assert found.status == "FINISHED"


@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        ("raise ValueError('no data')", 1, "ValueError: no data"),
        ("raise SystemExit(3)", 3, ""),
        ("gitmlog.log_param('x', 1); gitmlog.log_param('x', 2)", 1, "UsageError: parameter x"),
    ],
)
def test_how_a_joined_program_ends(repo: Sandbox, body: str, code: int, error: str) -> None:
    done = repo.gitmlog("run", "--", *python(f"import gitmlog\nwith gitmlog.start_run():\n    {body}"))
    assert done.code == code
    found = record(repo)
    assert (found.status, found.exit) == ("FAILED", code)
    assert found.error.startswith(error)
    artifacts = repo.here("runs", "artifacts", "last").out
    assert ("traceback.txt" in artifacts) == bool(error)


def test_an_exception_that_a_program_hides_is_a_failure(repo: Sandbox) -> None:
    text = "import gitmlog\ntry:\n    with gitmlog.start_run():\n        1 / 0\nexcept ZeroDivisionError:\n    pass"
    assert repo.gitmlog("run", "--", *python(text)).code == 0
    assert (record(repo).status, record(repo).exit) == ("FAILED", 0)


def test_a_run_within_a_run_is_its_own(repo: Sandbox) -> None:
    inner = f"{PYTHON} -m gitmlog -q run -p b=2 -- sh -c 'echo $GITMLOG_PARAM_A-$GITMLOG_PARAM_B; echo metric inner=1'"
    done = repo.gitmlog("-q", "run", "-p", "a=1", "--", "sh", "-c", inner)
    assert done.out == "-2\nmetric inner=1\n"
    outer, within = sorted(records(repo), key=lambda each: bool(each.parent))
    assert within.parent == outer.id
    assert within.params == {"b": 2}
    assert outer.params == {"a": 1}


def test_a_run_that_cannot_be_recorded_says_so(repo: Sandbox) -> None:
    """The exit code stays the program's; what was logged stays."""
    block = "rm -rf .git/refs/tags && touch .git/refs/tags; echo metric acc=1; exit 4"
    done = repo.gitmlog("-q", "run", "--", "sh", "-c", block)
    assert done.code == 4
    assert "error: run " in done.err
    assert "gitmlog runs recover" in done.err
    (repo.root / ".git/refs/tags").unlink()
    (repo.root / ".git/refs/tags").mkdir()
    assert repo.here("runs", "recover").code == 0
    assert (record(repo).status, record(repo).exit, record(repo).metrics["acc"].last) == ("FAILED", 4, 1.0)


def test_paths_are_filled_as_the_command_is(sandbox: Sandbox) -> None:
    line = ("sh", "-c", 'echo w > "model-$GITMLOG_PARAM_LR.pt"; echo \'{"acc": 1}\' > "m-$GITMLOG_PARAM_LR.json"')
    sandbox.ok("run", "-p", "lr=0.1", "-o", "model-{lr}.pt", "--metrics", "m-{lr}.json", "--", *line)
    run = gitmlog.get_run("last", repo=sandbox.root)
    assert set(run.outputs) == {"model-0.1.pt"}
    assert run.metrics == {"acc": 1.0}


def test_the_packages_are_those_of_the_programs_own_python(sandbox: Sandbox, tmp_path: Path) -> None:
    venv.create(tmp_path / "other", with_pip=False, symlinks=True)
    other = str(tmp_path / "other/bin/python")
    script = sandbox.write("tool", f"#!{other}\nprint(1)\n")
    script.chmod(0o755)
    lines = (["python3", "-c", "1"], [other, "-c", "1"], ["./tool"], ["sh", "-c", "python -c 1"])
    for line in lines:
        sandbox.ok("run", "--", *line, env={"PATH": f"{tmp_path}/other/bin:{os.environ['PATH']}"})
    for run in gitmlog.search_runs(repo=sandbox.root):
        text = sandbox.git("show", f"{run.tag}:.gitmlog/runs/{run.id}/environment.toml")
        assert f'prefix = "{tmp_path}/other"' in text, run.record.command
        assert "pygit2" not in text
