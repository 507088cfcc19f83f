"""The hooks themselves: what git gives them, what they say and leave behind."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.hub import Hub, install, make_hub
from tests.runs import git


@pytest.fixture
def hub(sandbox: Sandbox, tmp_path: Path) -> Hub:
    return make_hub(sandbox, tmp_path)


def add(hub: Hub, path: str, *, push: bool = False) -> str:
    hub.box.write(path, path)
    assert hub.box.here("add", path).code == 0
    made = hub.box.commit(path)
    assert not push or hub.box.here("push").code == 0
    return made


def test_all_or_nothing(hub: Hub) -> None:
    """What is wrong with one ref keeps all of a push out; every problem is named."""
    hub.box.git("branch", "good")
    add(hub, "m")
    hub.box.git("tag", "m@1.0")
    said = hub.refuses("good", "main", "m@1.0", words=("m: remote", "tag m@1.0"))
    assert said.count("error: ") >= 2
    hub.refuses("--atomic", "good", "main", words=("m: remote",))
    hub.takes("good")


def test_objects_in_quarantine_are_seen_and_go_with_the_refusal(hub: Hub) -> None:
    made = add(hub, "m")
    hub.refuses("main", words=("m: remote",))
    assert hub.box.run("git", "cat-file", "-e", made, cwd=hub.path).code != 0
    packed = add(hub, "n", push=True)
    hub.box.git("config", "receive.unpackLimit", "1", cwd=hub.path)  # as a pack, not as loose objects
    hub.takes("main")
    assert hub.refs()["refs/heads/main"] == packed


def test_odd_folders(hub: Hub, tmp_path: Path) -> None:
    add(hub, "m")
    path = hub.path
    for name in ("with space.git", "col:on.git", "ünï.git", '"quoted".git'):
        path = path.rename(tmp_path / name)
        hub.box.git("remote", "set-url", "origin", str(path))
        Hub(path, hub.box, hub.store).refuses("main", words=("m: remote",))
    assert hub.box.here("push").code == 0
    Hub(path, hub.box, hub.store).takes("main")


def test_a_repository_with_a_working_tree(make_sandbox: object, hub: Hub, tmp_path: Path) -> None:
    hub.box.git("clone", "-q", str(hub.path), str(tmp_path / "full"))
    full = Hub(tmp_path / "full/.git", hub.box, hub.store)
    install(full.path)
    hub.box.git("remote", "set-url", "origin", str(full.path))
    assert hub.box.here("config", "remote.origin.url", str(hub.store), cwd=full.path.parent).code == 0
    add(hub, "m")
    full.refuses("main:refs/heads/x", words=("m: remote",))
    assert hub.box.here("push").code == 0
    full.takes("main:refs/heads/x")


def test_the_alternates_of_the_server(hub: Hub, tmp_path: Path) -> None:
    """A fork that borrows the objects of another repository."""
    hub.box.git("clone", "-q", "--bare", "--shared", str(hub.path), str(tmp_path / "fork.git"))
    fork = Hub(tmp_path / "fork.git", hub.box, hub.store)
    install(fork.path)
    hub.box.git("remote", "set-url", "origin", str(fork.path))
    assert hub.box.here("config", "remote.origin.url", str(hub.store), cwd=fork.path).code == 0
    add(hub, "m")
    fork.refuses("main", words=("m: remote",))
    assert hub.box.here("push").code == 0
    fork.takes("main")


def test_update_checks_each_ref(hub: Hub) -> None:
    (hub.path / "hooks/pre-receive").unlink()
    install(hub.path, "update")
    hub.box.git("config", "receive.denyDeleteCurrent", "ignore", cwd=hub.path)
    hub.box.git("branch", "good")
    add(hub, "m")
    done = hub.push("good", "main")
    assert done.code == 1
    assert "remote: error: m: remote 'origin' does not have" in done.err
    assert "refs/heads/good" in hub.refs()
    assert hub.box.here("push").code == 0
    hub.takes("main")
    hub.refuses("--force", "main~1:main", words=("branch main is protected",))
    hub.refuses(":main", words=("branch main is protected",))
    hub.box.git("tag", "m@1.0")
    hub.refuses("m@1.0", words=("tag m@1.0",))
    hub.takes(":good")


def call(hub: Hub, *arguments: str, data: bytes = b"", **variables: str) -> tuple[int, str]:
    """The hook as a program, with what git never gives it."""
    command = [*Path(hub.path / "hooks/pre-receive").read_text().split("exec ")[1].split()[:4], "hook", *arguments]
    source = str(Path(__file__).parent.parent.parent)
    environment = {**os.environ, "PYTHONPATH": source, **variables}
    done = subprocess.run(command, input=data, capture_output=True, cwd=hub.path, env=environment, check=False, timeout=60)
    assert b"Traceback" not in done.stderr, done
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


def test_lines_that_git_never_gives(hub: Hub) -> None:
    for data in (b"x\n", b"a b c\n", b"0 0 refs/heads/x\n", b"\xff\xfe \x00 a\n", b"a " * 50_000):
        code, said = call(hub, "pre-receive", data=data)
        assert code == 2
        assert "error: " in said and "hint: " in said


def test_refs_whose_names_are_not_utf8(hub: Hub) -> None:
    head = hub.refs()["refs/heads/main"]
    for name in (b"refs/heads/caf\xe9", b"refs/tags/caf\xe9", "refs/heads/日本".encode()):
        hub.box.run("git", "push", "-q", "origin", os.fsdecode(f"{head}:".encode() + name), check=True)
        hub.box.run("git", "push", "-q", "origin", os.fsdecode(b":" + name), check=True)
    done = hub.box.run("git", "push", "-q", "origin", os.fsdecode(f"{head}:".encode() + b"refs/tags/caf\xe9@v1.0.0"))
    assert done.code == 1
    assert "Traceback" not in done.err and "NAME is letters" in done.err


def test_no_update_at_all(hub: Hub) -> None:
    assert call(hub, "pre-receive") == (0, "")


def test_a_ref_that_is_not_there_may_go(hub: Hub) -> None:
    line = f"{'0' * 40} {'0' * 40} refs/tags/m@v1.0.0\n".encode()
    assert call(hub, "pre-receive", data=line) == (0, "")


def test_an_object_that_is_not_there(hub: Hub) -> None:
    code, said = call(hub, "pre-receive", data=f"{'0' * 40} {'1' * 40} refs/heads/x\n".encode())
    assert code == 6
    assert "error: git rev-list failed" in said


def test_outside_a_repository_and_in_a_namespace(hub: Hub) -> None:
    code, said = call(hub, "pre-receive", GIT_DIR="/")
    assert (code, "no git repository" in said) == (3, True)
    code, said = call(hub, "pre-receive", GIT_NAMESPACE="x")
    assert (code, "namespaces" in said) == (1, True)


def test_settings_in_a_bare_repository(hub: Hub) -> None:
    box = hub.box
    assert box.here("config", "remote.origin.secret_key", "hunter2", cwd=hub.path).code == 0
    listed = box.here("config", cwd=hub.path).out
    assert f"remote.origin.url = {hub.store}  (local)" in listed
    assert "hunter2" not in listed
    assert (hub.path / "gitmlog/config.toml").stat().st_mode & 0o777 == 0o600
    assert box.here("config", "--unset", "remote.origin.secret_key", cwd=hub.path).code == 0
    box.fails("config", "remote.origin.secret_key", code=3, kind="no-key", cwd=hub.path)
    box.fails("config", "core.nope", "1", code=2, kind="unknown-key", cwd=hub.path)
    for arguments in (("--shared", "core.remote", "origin"), ("--shared", "core.remote"), ("--shared", "--list")):
        box.fails("config", *arguments, code=1, kind="bare-repository", cwd=hub.path)
    box.fails("status", code=1, kind="bare-repository", cwd=hub.path)


def test_a_symbolic_branch_is_the_one_that_it_names(hub: Hub) -> None:
    hub.box.git("symbolic-ref", "refs/heads/alias", "refs/heads/main", cwd=hub.path)
    hub.box.git("commit", "-q", "--amend", "-m", "another")
    hub.refuses("--force", "main:alias", words=("branch main is protected",))


def test_a_hundred_commits_take_less_than_two_seconds(hub: Hub) -> None:
    """Each changes a metafile and a file; the figure of the issue holds on any machine that is not ten times slower."""
    for number in range(20):
        hub.box.write(f"data/{number}", str(number))
    assert hub.box.here("add", *(f"data/{number}" for number in range(20))).code == 0
    hub.box.commit()
    texts = [path.read_bytes() for path in sorted((hub.box.root / "data").glob("*.gitmlog"))]
    assert len(texts) == 20
    start = "from refs/heads/main^0\n"
    lines = [
        f"commit refs/heads/many\ncommitter A <a@b> 1767225600 +0000\ndata 1\nx\n{'' if number else start}"
        f"M 100644 inline m{number % 20}.gitmlog\ndata {len(texts[number % 20])}\n{texts[number % 20].decode()}\n"
        f"M 100644 inline src/{number}.py\ndata 1\n{number % 10}\n"
        for number in range(100)
    ]
    git(hub.box, "fast-import", "--quiet", data="".join(lines).encode())
    assert hub.box.here("push").code == 0
    started = time.monotonic()
    hub.takes("many")
    assert time.monotonic() - started < 20


def test_a_ref_of_an_odd_name_locks_nobody_out(hub: Hub) -> None:
    """Ref names may hold what Python takes for the end of a line."""
    hub.box.git("branch", "x\u2028y")
    hub.takes("x\u2028y")
    hub.box.write("code.py", "x")
    hub.box.commit()
    hub.takes("main")
    hub.takes(":x\u2028y")
