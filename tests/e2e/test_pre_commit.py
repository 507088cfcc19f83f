"""The hooks by way of the pre-commit framework: the real one, in environments that it makes itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import gitmlog
from tests.conftest import Done, Sandbox

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
SOURCE = Path(gitmlog.__file__).parent.parent
KINDS = ("pre-commit", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push")
IDS = ("gitmlog", "gitmlog-message", *(f"gitmlog-{kind}" for kind in KINDS[2:]))


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps what it installs."""
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture
def call(make_sandbox: Callable[[str], Sandbox], environments: Path) -> Callable[..., Done]:
    """Runs a command in a repository whose pre-commit uses these environments."""
    box = make_sandbox("repo")
    # pip wants the caches and settings of whoever runs the tests, the hooks a PATH without any gitmlog
    home = {"PRE_COMMIT_HOME": str(environments), "PATH": _without_gitmlog(), "GIT_TERMINAL_PROMPT": "0"}

    def run(*command: str, check: bool = True) -> Done:
        return box.run(*command, env=home, check=check)

    run.box = box  # type: ignore[attr-defined]
    return run


def _without_gitmlog() -> str:
    folders = [folder for folder in os.environ["PATH"].split(":") if not (Path(folder) / "gitmlog").exists()]
    return ":".join([*folders, "/usr/bin", "/bin"])


def pre_commit(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pre_commit", *arguments)


def test_the_list_names_every_client_hook() -> None:
    listed = yaml.safe_load((SOURCE / ".pre-commit-hooks.yaml").read_text())
    assert [each["id"] for each in listed] == list(IDS)
    assert [each["stages"] for each in listed] == [[kind] for kind in KINDS]


def test_try_repo(call: Callable[..., Done]) -> None:
    box: Sandbox = call.box  # type: ignore[attr-defined]
    box.write("m.bin", b"\0" * 11_000_000)
    box.git("add", "m.bin")
    done = call(*pre_commit("try-repo", str(SOURCE), "gitmlog", "--verbose"), check=False)
    assert done.code == 1, done
    assert "git rm --cached --quiet -- m.bin && gitmlog add m.bin" in done.out
    box.git("rm", "-q", "--cached", "m.bin")
    box.write("a.py", "x")
    box.git("add", "a.py")
    done = call(*pre_commit("try-repo", str(SOURCE), "gitmlog", "--verbose"))
    assert "Passed" in done.out


def test_a_whole_day(call: Callable[..., Done], tmp_path: Path) -> None:
    box: Sandbox = call.box  # type: ignore[attr-defined]
    rev = Sandbox(SOURCE).git("rev-parse", "HEAD").strip()
    config = {"repos": [{"repo": str(SOURCE), "rev": rev, "hooks": [{"id": each} for each in IDS]}]}
    box.write(".pre-commit-config.yaml", yaml.safe_dump(config))
    box.ok("init", "--no-hooks")
    kinds = [word for kind in KINDS for word in ("-t", kind)]
    call(*pre_commit("install", *kinds))
    box.git("add", "-A")
    call("git", "commit", "-q", "-m", "prepare")
    box.write("m.bin", "one")
    box.ok("add", "m.bin")
    call("git", "commit", "-q", "-m", "first")
    assert box.git("log", "-1", "--format=%b").strip() == "m.bin: added, 3 B"
    call("git", "checkout", "-q", "-b", "other")
    box.write("m.bin", "two")
    box.ok("add", "m.bin")
    call("git", "commit", "-q", "-m", "second")
    call("git", "checkout", "-q", "main")
    assert (box.root / "m.bin").read_text() == "one"
    call("git", "merge", "-q", "--ff-only", "other")
    assert (box.root / "m.bin").read_text() == "two"
    box.git("init", "-q", "--bare", str(tmp_path / "bare.git"))
    box.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    done = call("git", "push", "-q", "origin", "main", check=False)
    assert done.code != 0
    assert "no remote is configured" in done.out + done.err
    box.ok("remote", "add", "--local", "origin", str(tmp_path / "store"))
    call("git", "push", "-q", "origin", "main")
    assert {path.read_text() for path in (tmp_path / "store").rglob("*") if path.is_file()} >= {"one", "two"}
