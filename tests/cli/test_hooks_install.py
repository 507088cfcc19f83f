"""Hooks in their place: installed, chained, shared by worktrees, taken away; and when gitmlog is not there any more."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gitmlog.ops.hooks.scripts import CLIENT, script
from tests.conftest import Sandbox


def hooks(sandbox: Sandbox) -> Path:
    return sandbox.root / ".git/hooks"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def states(sandbox: Sandbox) -> dict[str, str]:
    return {each["name"]: each["state"] for each in json.loads(sandbox.here("hooks", "status", "--json").out)["hooks"]}


def test_init_installs_all_and_may_be_run_again(hooked: Sandbox) -> None:
    for name in CLIENT:
        assert (hooks(hooked) / name).read_bytes() == script(name)
        assert (hooks(hooked) / name).stat().st_mode & stat.S_IXUSR
    before = {path.name: path.read_bytes() for path in hooks(hooked).iterdir()}
    assert hooked.here("init").code == 0
    assert {path.name: path.read_bytes() for path in hooks(hooked).iterdir()} == before
    assert set(states(hooked).values()) == {"installed"}
    assert hooked.git("status", "--porcelain") == ""


def test_scripts_hold_no_path_of_the_machine(hooked: Sandbox) -> None:
    for path in hooks(hooked).glob("*"):
        if b"gitmlog-hook" in path.read_bytes():
            assert os.fsencode(sys.prefix) not in path.read_bytes()
    assert hooked.git("config", "--local", "gitmlog.python").strip() == sys.executable


def test_told_not_to(make_sandbox: Callable[[str], Sandbox]) -> None:
    box = make_sandbox("plain")
    assert box.here("init", "--no-hooks", "--no-drivers").code == 0
    assert set(states(box).values()) == {"absent"}
    assert not (box.root / ".gitattributes").exists()
    assert not (box.root / ".gitmlog").exists()
    assert box.run("git", "config", "--local", "--get-regexp", "gitmlog").out == ""
    assert box.here("hooks", "status", "--exit-code").code == 4


def test_a_hook_that_was_there_is_called_first_and_put_back(make_sandbox: Callable[[str], Sandbox]) -> None:
    box = make_sandbox("repo")
    put(hooks(box) / "pre-commit", 'echo "before $#" >> "$(git rev-parse --git-dir)/calls"')
    put(hooks(box) / "pre-push", 'cat >> "$(git rev-parse --git-dir)/calls"; echo "$1" >> "$(git rev-parse --git-dir)/calls"')
    mine = (hooks(box) / "pre-commit").read_text()
    done = box.here("init")
    assert "the pre-commit hook that was there is called first" in done.err
    box.git("commit", "-q", "-m", "one")
    calls = box.root / ".git/calls"
    assert calls.read_text() == "before 0\n"
    box.git("init", "-q", "--bare", "../bare.git")
    box.git("remote", "add", "origin", "../bare.git")
    box.git("push", "-q", "origin", "main")
    head = box.git("rev-parse", "HEAD").strip()
    assert calls.read_text() == f"before 0\nrefs/heads/main {head} refs/heads/main {'0' * 40}\norigin\n"
    assert box.here("hooks", "uninstall").code == 0
    assert (hooks(box) / "pre-commit").read_text() == mine
    assert not [path for path in hooks(box).iterdir() if b"gitmlog-hook" in path.read_bytes()]
    assert not list(hooks(box).glob("*.before-gitmlog"))


def test_a_hook_that_was_there_can_stop_git(make_sandbox: Callable[[str], Sandbox]) -> None:
    box = make_sandbox("repo")
    put(hooks(box) / "pre-commit", "exit 3")
    box.here("init")
    box.write("a.py", "x")
    box.git("add", "a.py")
    assert box.run("git", "commit", "-m", "one").code != 0
    assert box.run("git", "rev-parse", "HEAD").code != 0


def test_a_hook_that_cannot_be_run_is_not(make_sandbox: Callable[[str], Sandbox]) -> None:
    box = make_sandbox("repo")
    put(hooks(box) / "pre-commit", "exit 3")
    (hooks(box) / "pre-commit").chmod(0o644)
    box.here("init")
    box.git("commit", "-q", "-m", "one")


def test_two_of_others_are_not_lost(hooked: Sandbox) -> None:
    put(hooks(hooked) / "pre-commit.before-gitmlog", "exit 0")
    put(hooks(hooked) / "pre-commit", "exit 0")
    hooked.fails("hooks", "install", code=6, kind="hook-exists")
    assert "gitmlog" not in (hooks(hooked) / "pre-commit").read_text()


def test_an_older_one_is_replaced(hooked: Sandbox) -> None:
    put(hooks(hooked) / "pre-push", "# gitmlog-hook 0\nexit 1")
    assert states(hooked)["pre-push"] == "outdated"
    assert "another version" in hooked.here("hooks", "status").out
    assert hooked.here("doctor").out.count("pre-push") == 1
    hooked.ok("hooks", "install")
    assert states(hooked)["pre-push"] == "installed"
    assert not (hooks(hooked) / "pre-push.before-gitmlog").exists()


def test_hooks_path_outside_is_left_alone_by_init(make_sandbox: Callable[[str], Sandbox], tmp_path: Path) -> None:
    box = make_sandbox("repo")
    box.git("config", "core.hooksPath", str(tmp_path / "of all"))
    done = box.here("init")
    assert "core.hooksPath" in done.err
    assert not (tmp_path / "of all").exists()
    done = box.here("hooks", "install")
    assert "whatever else uses that folder" in done.err
    assert (tmp_path / "of all/pre-commit").read_bytes() == script("pre-commit")
    box.write("m.bin", os.urandom(11_000_000))
    box.git("add", "m.bin")
    assert "gitmlog add m.bin" in box.run("git", "commit", "-m", "raw").err


def test_a_hooks_path_in_the_working_tree(hooked: Sandbox) -> None:
    """As husky has it: relative, and committed."""
    hooked.git("config", "core.hooksPath", ".husky")
    hooked.ok("hooks", "install")
    assert (hooked.root / ".husky/pre-commit").exists()
    (hooked.root / "sub").mkdir()
    hooked.write("m.bin", os.urandom(11_000_000))
    hooked.git("add", "m.bin")
    assert "gitmlog add m.bin" in hooked.run("git", "commit", "-m", "raw", cwd=hooked.root / "sub").err


def test_worktrees_share_them(hooked: Sandbox, tmp_path: Path) -> None:
    hooked.write("m.bin", "one")
    hooked.ok("add", "m.bin")
    hooked.git("commit", "-q", "-m", "one")
    tree = tmp_path / "other tree"
    done = hooked.run("git", "worktree", "add", "-q", "-b", "other", str(tree))
    assert "m.bin: 1 file written" in done.err
    assert (tree / "m.bin").read_text() == "one"
    (tree / "raw.bin").write_bytes(os.urandom(11_000_000))
    hooked.git("add", "raw.bin", cwd=tree)
    assert "gitmlog add raw.bin" in hooked.run("git", "commit", "-m", "raw", cwd=tree).err
    assert json.loads(hooked.here("hooks", "status", "--json", cwd=tree).out)["folder"] == str(hooks(hooked))


def test_pre_commit_keeps_ours(hooked: Sandbox) -> None:
    """Its `install` renames what it finds, and calls it."""
    (hooks(hooked) / "pre-commit").rename(hooks(hooked) / "pre-commit.legacy")
    put(hooks(hooked) / "pre-commit", '"${0%/*}/pre-commit.legacy" "$@" || exit 1')
    assert states(hooked)["pre-commit"] == "called"
    hooked.write("m.bin", os.urandom(11_000_000))
    hooked.git("add", "m.bin")
    assert "gitmlog add m.bin" in hooked.run("git", "commit", "-m", "raw").err
    hooked.ok("hooks", "install")
    assert states(hooked)["pre-commit"] == "called"
    assert hooked.here("hooks", "uninstall").code == 0
    assert not (hooks(hooked) / "pre-commit.legacy").exists()


def gone(sandbox: Sandbox) -> dict[str, str]:
    """As if gitmlog had been uninstalled: its Python is not there, nor is it on PATH."""
    sandbox.git("config", "gitmlog.python", "/nowhere/bin/python")
    kept = [folder for folder in os.environ["PATH"].split(":") if not (Path(folder) / "gitmlog").exists()]
    return {"PATH": ":".join(kept)}


def test_uninstalled_they_say_so_and_git_goes_on(hooked: Sandbox) -> None:
    hooked.write("m.bin", "one")
    hooked.ok("add", "m.bin")
    environment = gone(hooked)
    done = hooked.run("git", "commit", "-q", "-m", "one", env=environment)
    assert done.code == 0
    assert "not installed here (any more)" in done.err
    assert "pre-commit does nothing, git goes on" in done.err
    assert "gitmlog hooks install" in done.err
    done = hooked.run("git", "checkout", "-q", "HEAD~1", env=environment)
    assert (done.code, "post-checkout does nothing" in done.err) == (0, True)


def test_a_python_without_gitmlog_is_as_none(hooked: Sandbox, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "empty")], check=True)
    environment = gone(hooked)
    hooked.git("config", "gitmlog.python", str(tmp_path / "empty/bin/python"))
    hooked.write("m.bin", "one")
    hooked.ok("add", "m.bin")
    done = hooked.run("git", "commit", "-q", "-m", "one", env=environment)
    assert (done.code, "not installed here" in done.err, "Traceback" in done.err) == (0, True, False)


def test_uninstalled_a_push_of_unsent_objects_is_stopped(hooked: Sandbox, tmp_path: Path) -> None:
    hooked.git("init", "-q", "--bare", str(tmp_path / "bare.git"))
    hooked.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    hooked.ok("remote", "add", "origin", str(tmp_path / "store"))
    hooked.write("m.bin", "one")
    hooked.ok("add", "m.bin")
    hooked.git("commit", "-q", "-m", "one")
    environment = gone(hooked)
    done = hooked.run("git", "push", "-q", "origin", "main", env=environment)
    assert done.code != 0
    assert "were not sent" in done.err
    assert "git push --no-verify" in done.err
    assert hooked.git("ls-remote", "origin") == ""
    hooked.ok("push")
    done = hooked.run("git", "push", "-q", "origin", "main", env=environment)
    assert done.code == 0, done
    assert "sent before" in done.err
    hooked.write("code.py", "x")
    hooked.git("add", "code.py")
    hooked.git("commit", "-q", "-m", "code")
    done = hooked.run("git", "push", "-q", "origin", "main", env=environment)
    assert (done.code, done.err) == (0, "")


def test_the_shared_part_is_gone(hooked: Sandbox) -> None:
    (hooks(hooked) / "gitmlog.sh").unlink()
    done = hooked.run("git", "commit", "-q", "--allow-empty", "-m", "one")
    assert done.code == 0
    assert "gitmlog hooks install" in done.err


ODD = {
    "no PATH": {"PATH": ""},
    "a short PATH": {"PATH": "/usr/bin:/bin"},
    "a folder that is not there": {"PATH": "/nowhere"},
    "C": {"LC_ALL": "C"},
    "latin 1": {"LC_ALL": "de_DE.ISO-8859-1", "LANG": "de_DE.ISO-8859-1"},
    "no such locale": {"LC_ALL": "xx_YY.nonsense"},
    "ascii": {"PYTHONIOENCODING": "ascii", "LC_ALL": "POSIX"},
}


@pytest.mark.parametrize("environment", ODD.values(), ids=ODD)
def test_odd_environments(hooked: Sandbox, environment: dict[str, str]) -> None:
    """As graphical clients and cron jobs have them; also no terminal, and no standard input."""
    git = shutil.which("git")
    assert git
    hooked.write("modèle ☃.bin", "one")
    hooked.ok("add", "modèle ☃.bin")
    with open(os.devnull) as nothing:
        command = [git, "commit", "-q", "-m", "ein Modell"]
        done = subprocess.run(
            command,
            check=False,
            cwd=hooked.root,
            env={**os.environ, **environment},
            stdin=nothing,
            capture_output=True,
            start_new_session=True,
        )
    assert done.returncode == 0, done
    assert b"Traceback" not in done.stderr
    message = hooked.git("log", "-1", "--format=%B")
    assert "modèle ☃.bin" in message
    hooked.write("raw ☃.bin", b"\0" * 11_000_000)
    hooked.git("add", "raw ☃.bin")
    command, environment = [git, "commit", "-m", "x"], {**os.environ, **environment}
    done = subprocess.run(command, check=False, cwd=hooked.root, env=environment, capture_output=True)
    assert done.returncode != 0
    assert "raw ☃.bin" in done.stderr.decode("utf-8")


def test_a_folder_with_spaces_and_quotes(tmp_path: Path) -> None:
    root = tmp_path / "a 'folder' with \"quotes\" $HOME"
    root.mkdir()
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    box = Sandbox(root)
    box.ok("init")
    box.write("my model.bin", "one")
    box.ok("add", "my model.bin")
    box.git("commit", "-q", "-m", "one")
    box.write("my model.bin", "two")
    box.ok("add", "my model.bin")
    box.git("commit", "-q", "-m", "two")
    box.git("checkout", "-q", "HEAD~1")
    assert (root / "my model.bin").read_text() == "one"
    assert "my model.bin" in box.git("show", "HEAD")


def test_a_package_of_our_name_in_the_working_tree_is_not_ours(hooked: Sandbox) -> None:
    hooked.write("gitmlog/__init__.py", "open('canary', 'w')")
    hooked.write("gitmlog/__main__.py", "open('canary', 'w')\ndef main(): pass")
    hooked.write("click.py", "open('canary', 'w')")
    hooked.write("sitecustomize.py", "open('canary', 'w')")
    hooked.write("m.bin", "one")
    assert hooked.here("add", "m.bin").code == 0
    hooked.git("add", "-A")
    hooked.git("commit", "-q", "-m", "one")
    hooked.git("checkout", "-q", "HEAD~1")
    assert not (hooked.root / "canary").exists()
    assert not (hooked.root / "m.bin").exists()


@pytest.fixture
def server(hooked: Sandbox, tmp_path: Path) -> Sandbox:
    """A bare repository; `hooked` pushes to it without hooks of its own."""
    bare = tmp_path / "server.git"
    hooked.git("init", "-q", "--bare", "-b", "main", str(bare))
    hooked.git("remote", "add", "origin", str(bare))
    hooked.git("push", "-q", "origin", "main")
    hooked.ok("hooks", "uninstall")
    hooked.write("m.bin", "one")
    hooked.ok("add", "m.bin")
    hooked.git("commit", "-q", "-m", "one")
    return Sandbox(bare)


@pytest.mark.parametrize("options", [[], ["--update"]])
def test_on_a_server(hooked: Sandbox, server: Sandbox, tmp_path: Path, options: list[str]) -> None:
    put(server.root / "hooks/pre-receive", 'cat > "$GIT_DIR/seen"')
    server.ok("hooks", "install", *options)
    name = "update" if options else "pre-receive"
    assert json.loads(server.here("hooks", "status", "--json").out)["hooks"][0]["name"] == name
    server.ok("config", "remote.origin.url", str(tmp_path / "store"))
    done = hooked.run("git", "push", "-q", "origin", "main")
    assert done.code != 0
    assert "remote: error: " in done.err and "m.bin" in done.err and "gitmlog push" in done.err
    assert (server.root / "seen").read_text().endswith(" refs/heads/main\n"), "the hook that was there is called, too"
    hooked.ok("remote", "add", "--local", "origin", str(tmp_path / "store"))
    hooked.ok("push")
    assert hooked.run("git", "push", "-q", "origin", "main").code == 0
    server.ok("hooks", "uninstall")
    assert "seen" in (server.root / "hooks/pre-receive").read_text()


@pytest.mark.parametrize("options", [[], ["--update"]])
def test_uninstalled_a_server_takes_only_what_is_nobody_s(hooked: Sandbox, server: Sandbox, options: list[str]) -> None:
    server.ok("hooks", "install", *options)
    environment = gone(server)
    done = hooked.run("git", "push", "-q", "origin", "main", env=environment)
    assert done.code != 0
    assert "cannot be checked, and is not taken" in done.err
    hooked.git("tag", "-a", "-m", "x", "m@v1.0.0", "HEAD~1")
    assert hooked.run("git", "push", "-q", "origin", "m@v1.0.0", env=environment).code != 0
    hooked.git("checkout", "-q", "-b", "code", "HEAD~1")
    hooked.write("a.py", "x")
    hooked.git("add", "a.py")
    hooked.git("commit", "-q", "-m", "code")
    done = hooked.run("git", "push", "-q", "origin", "code", env=environment)
    assert (done.code, "not installed on this server" in done.err) == (0, True)
