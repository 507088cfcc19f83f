"""Hermetic tests: HOME, git's configuration, identity and locale are pinned; nothing outside `tmp_path` is touched."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

with contextlib.suppress(ValueError):  # not the main thread
    # Under nohup, and for what a script starts by &, they are ignored, and children inherit that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)

ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "COLUMNS": "100",
}


@pytest.fixture(autouse=True)
def hermetic(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every test."""
    home = tmp_path_factory.mktemp("home")
    for name in [
        name for name in os.environ if name.startswith(("GIT_", "AWS_", "AZURE_", "GOOGLE_", "XDG_", "GITMLOG_TEST_URL"))
    ]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(home))
    (home / ".gitconfig").write_text('[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n')
    return home


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Sandbox:
    """A real git repository to run real commands in."""

    root: Path

    def run(self, *command: str, cwd: Path | None = None, check: bool = False, env: dict[str, str] | None = None) -> Done:
        """Run any program."""
        done = subprocess.run(
            command, cwd=cwd or self.root, capture_output=True, env={**os.environ, **(env or {})}, check=False, timeout=300
        )
        result = Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
        assert not check or done.returncode == 0, f"{command}: {result}"
        return result

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git; it must succeed."""
        return self.run("git", *arguments, cwd=cwd, check=True).out

    def gitmlog(self, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Done:
        """Run gitmlog in a process of its own."""
        return self.run(sys.executable, "-m", "gitmlog", *arguments, cwd=cwd, env=env)

    def here(self, *arguments: str, cwd: Path | None = None) -> Done:
        """Run gitmlog in this process: thirty times quicker, for tests of what it says and leaves behind."""
        from gitmlog.cli.main import run

        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(["-C", str(cwd or self.root), *arguments])
        texts = [stream.detach().getvalue().decode("utf-8", "replace") for stream in (out, err) if not stream.flush()]
        return Done(code, *texts)

    def ok(self, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
        """Run gitmlog; it must succeed and print no warning of Python's."""
        done = self.gitmlog(*arguments, cwd=cwd, env=env)
        assert done.code == 0, done
        assert "Traceback" not in done.err, done
        assert "Warning" not in done.err, done
        return done.out

    def fails(self, *arguments: str, code: int, kind: str, cwd: Path | None = None) -> dict[str, str]:
        """Run gitmlog with --json; it must fail with this exit code and kind, and say what happened and what to do."""
        done = self.here(*arguments, "--json", cwd=cwd)
        assert "Traceback" not in done.err, done
        error: dict[str, str] = json.loads(done.err.splitlines()[-1])["error"]
        assert (done.code, error["kind"]) == (code, kind), done
        assert error["message"]
        assert error["hint"], f"no hint: {error}"
        return error

    def write(self, path: str, data: bytes | str) -> Path:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
        return file

    def commit(self, message: str = "more") -> str:
        """Commit all; returns the id."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Callable[[str], Sandbox]:
    """Makes repositories."""

    def make(name: str) -> Sandbox:
        root = tmp_path / name
        root.mkdir()
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        return Sandbox(root)

    return make


@pytest.fixture
def sandbox(make_sandbox: Callable[[str], Sandbox]) -> Sandbox:
    """One repository, prepared, in which git calls nothing: what commands do is not what hooks did for them."""
    made = make_sandbox("repo")
    assert made.here("init", "--no-hooks", "--no-drivers").code == 0
    return made


@pytest.fixture
def hooked(make_sandbox: Callable[[str], Sandbox]) -> Sandbox:
    """One repository, prepared as users do: with hooks and drivers; what `init` staged is committed."""
    made = make_sandbox("repo")
    assert made.here("init").code == 0
    made.git("commit", "-q", "-m", "prepare")
    return made
