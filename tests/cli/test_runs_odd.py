"""Runs in repositories in odd states: each is recorded, or refused at its start with what to do; none moves anything."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import gitmlog
from gitmlog.api import process
from gitmlog.ops.runs.begin import Begin, begin
from gitmlog.ops.runs.finish import finish
from gitmlog.repo.workspace import Workspace
from tests.conftest import Sandbox
from tests.nobody import as_nobody

PROGRAM = """
import gitmlog
with gitmlog.start_run(%s) as run:
    gitmlog.log_metric("a", 1.0)
print(run.id if run.is_recorded else run.failure)
"""


REFUSED = """
import gitmlog
try:
    gitmlog.start_run(%s)
except gitmlog.GitmlogError as error:
    print(error.kind, error.message, error.hint)
"""

SAME = """
import gitmlog
with gitmlog.start_run() as run:
    gitmlog.log_text("same", "a.txt")
print(run.id)
"""


@pytest.fixture
def repo(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The current folder is a repository with one commit; no run is left behind."""
    sandbox.write("train.py", "print('training')\n")
    sandbox.commit("first")
    monkeypatch.chdir(sandbox.root)
    monkeypatch.delenv(process.VARIABLE, raising=False)
    yield sandbox
    while gitmlog.active_run() is not None:
        gitmlog.end_run("KILLED")


def state(box: Sandbox, root: Path | None = None) -> tuple[str, ...]:
    """All that a run must not move."""
    gitdir = Path(box.git("rev-parse", "--absolute-git-dir", cwd=root).strip())
    index = (gitdir / "index").read_bytes() if (gitdir / "index").exists() else b""
    branches = box.git("for-each-ref", "refs/heads", "refs/stash", cwd=root)
    return (
        (gitdir / "HEAD").read_text(),
        index.hex(),
        branches,
        box.git("--no-optional-locks", "status", "--porcelain", cwd=root),
    )


def record(box: Sandbox, arguments: str = "", root: Path | None = None, env: dict[str, str] | None = None) -> gitmlog.Run:
    """A run by a process of its own; nothing has moved, and git is content."""
    before = state(box, root)
    done = box.run(sys.executable, "-c", PROGRAM % arguments, cwd=root, env=env)
    assert done.code == 0, done
    assert "Traceback" not in done.err, done
    assert state(box, root) == before
    assert box.git("fsck", "--strict", "--no-dangling", cwd=root) == ""
    run = gitmlog.get_run(done.out.split()[-1], repo=root or box.root)
    assert run.metrics == {"a": 1.0}
    return run


def refused(box: Sandbox, kind: str, arguments: str = "", root: Path | None = None) -> str:
    """A run that does not begin; nothing of it stays. Returns message and hint."""
    before = state(box, root)
    done = box.run(sys.executable, "-c", REFUSED % arguments, cwd=root)
    assert done.code == 0, done
    assert done.out.split()[0] == kind, done
    assert state(box, root) == before
    assert box.git("for-each-ref", "refs/gitmlog", "refs/tags/run/", cwd=root) == ""
    return done.out


def names(box: Sandbox, run: gitmlog.Run, root: Path | None = None) -> set[str]:
    return set(box.git("ls-tree", "-r", "-z", "--name-only", run.tag, cwd=root).rstrip("\0").split("\0"))


# Where HEAD stands


def test_detached_head(repo: Sandbox) -> None:
    repo.git("checkout", "-q", "--detach")
    run = record(repo)
    assert (run.record.code.branch, run.record.code.commit) == ("", repo.git("rev-parse", "HEAD").strip())
    assert repo.git("rev-parse", f"{run.tag}^").strip() == run.record.code.commit


def test_unborn_branch(sandbox: Sandbox) -> None:
    """Each run is the first commit of its own line; the branch stays unborn."""
    sandbox.write("train.py", "print(1)\n")
    for _ in range(2):
        run = record(sandbox)
        assert run.record.code.commit == ""
        assert sandbox.git("rev-list", "--count", run.tag).strip() == "1"
        assert "train.py" in names(sandbox, run)
    assert sandbox.run("git", "rev-parse", "-q", "--verify", "HEAD").code != 0
    assert len(gitmlog.search_runs(repo=sandbox.root)) == 2


def test_an_orphan_branch(repo: Sandbox) -> None:
    repo.git("checkout", "-q", "--orphan", "other")
    run = record(repo)
    assert (run.record.code.branch, run.record.code.commit) == ("other" if run.record.code.branch else "", "")


def test_a_branch_with_an_odd_name(repo: Sandbox) -> None:
    name = "feature/a=b,\"c\"'d';$(e)&é"
    repo.git("checkout", "-q", "-b", name)
    assert record(repo).record.code.branch == name


def test_merge_with_conflicts_also_in_a_metafile(repo: Sandbox) -> None:
    repo.write("model.pt", "old")
    assert repo.here("add", "--type", "model", "model.pt").code == 0
    repo.commit("model")
    for branch, text in (("other", "theirs"), ("main", "ours")):
        repo.git("checkout", "-q", *(["-b"] if branch == "other" else []), branch)
        repo.write("model.pt", text)
        repo.write("train.py", f"print('{text}')\n")
        assert repo.here("add", "model.pt").code == 0
        repo.commit(text)
    assert repo.run("git", "merge", "other").code == 1
    assert "<<<<<<<" in (repo.root / "model.pt.gitmlog").read_text()
    run = record(repo)
    assert run.record.code.state == "merge"
    assert "<<<<<<<" in repo.git("show", f"{run.tag}:train.py")
    before = state(repo)
    with gitmlog.start_run(outputs=["model.pt"]) as run:
        repo.write("model.pt", "trained on")
        gitmlog.log_output("model.pt")
    assert state(repo) == before
    assert run.outputs["model.pt"].blake3 in repo.git("show", f"{run.tag}:model.pt.gitmlog")
    with pytest.raises(gitmlog.GitmlogError) as caught:
        gitmlog.start_run(inputs=["model.pt"])
    assert caught.value.kind in ("bad-metafile", "conflict"), caught.value
    assert gitmlog.active_run() is None


def test_rebase_and_bisect(repo: Sandbox) -> None:
    first = repo.git("rev-parse", "HEAD").strip()
    repo.git("checkout", "-q", "-b", "other")
    repo.write("train.py", "print('theirs')\n")
    repo.commit("theirs")
    repo.git("checkout", "-q", "main")
    repo.write("train.py", "print('ours')\n")
    last = repo.commit("ours")
    assert repo.run("git", "rebase", "other").code == 1
    assert record(repo).record.code.state == "rebase"
    repo.git("rebase", "--abort")
    repo.write("a", "a")
    last = repo.commit("more")
    repo.git("bisect", "start", last, first)
    assert record(repo).record.code.state == "bisect"


# Where the repository stands


def test_shallow_clone(repo: Sandbox, tmp_path: Path) -> None:
    repo.write("a", "a")
    repo.commit("second")
    clone = tmp_path / "clone"
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.root}", str(clone))
    run = record(repo, root=clone)
    assert repo.git("rev-parse", f"{run.tag}^", cwd=clone) == repo.git("rev-parse", "HEAD", cwd=clone)


def test_partial_clone(repo: Sandbox, tmp_path: Path) -> None:
    """Blobs of other versions are missing, and are not missed."""
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.write("train.py", "print(2)\n")
    repo.commit("second")
    clone = tmp_path / "clone"
    repo.git("clone", "-q", "--filter=blob:none", f"file://{repo.root}", str(clone))
    (clone / "train.py").write_text("print(3)\n")
    run = record(repo, root=clone)
    assert repo.git("show", f"{run.tag}:train.py", cwd=clone) == "print(3)\n"


DIES = """
import gitmlog, os
run = gitmlog.start_run("killed", outputs=["model.pt"])
gitmlog.log_metric("a", 1.0)
open("model.pt", "w").write("of the linked one")
run.live.flush()
os.kill(os.getpid(), 9)
"""


def test_linked_worktree(repo: Sandbox, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    repo.git("worktree", "add", "-q", "-b", "other", str(linked))
    (linked / "new.py").write_text("only here\n")
    run = record(repo, root=linked)
    assert run.record.code.branch == "other"
    assert "new.py" in names(repo, run)
    assert gitmlog.get_run(run.id, repo=repo.root).metrics == {"a": 1.0}


def test_recovered_from_another_worktree(repo: Sandbox, tmp_path: Path) -> None:
    """The outputs are those of the working tree that the run went on in."""
    linked = tmp_path / "linked"
    repo.git("worktree", "add", "-q", "-b", "other", str(linked))
    assert repo.run(sys.executable, "-c", DIES, cwd=linked).code == -9
    repo.write("model.pt", "of the main one: not of this run")
    assert "recorded run/" in repo.here("runs", "recover").out
    run = gitmlog.get_run("killed", repo=repo.root)
    assert run.outputs["model.pt"].size == len("of the linked one")


def test_recovered_when_its_worktree_is_gone(repo: Sandbox, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    repo.git("worktree", "add", "-q", "-b", "other", str(linked))
    assert repo.run(sys.executable, "-c", DIES, cwd=linked).code == -9
    repo.git("worktree", "remove", "--force", str(linked))
    repo.write("model.pt", "of the main one: not of this run")
    assert "recorded run/" in repo.here("runs", "recover").out
    run = gitmlog.get_run("killed", repo=repo.root)
    assert (run.outputs, run.metrics) == ({}, {"a": 1.0})
    assert any("its working tree is not there any more" in text for text in run.record.warnings)


def test_recovered_after_the_repository_was_moved(repo: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert repo.run(sys.executable, "-c", DIES).code == -9
    moved = Sandbox(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    repo.root.rename(moved.root)
    assert "recorded run/" in moved.here("runs", "recover").out
    assert "model.pt" in gitmlog.get_run("killed", repo=moved.root).outputs


def test_submodules(repo: Sandbox, tmp_path: Path) -> None:
    other = tmp_path / "other"
    repo.git("init", "-q", str(other))
    (other / "f").write_text("f\n")
    repo.git("add", "-A", cwd=other)
    repo.git("commit", "-q", "-m", "theirs", cwd=other)
    repo.git("submodule", "--quiet", "add", str(other), "sub")
    repo.commit("submodule")
    sub = repo.root / "sub"
    inside = record(repo, root=sub)
    assert names(repo, inside, sub) >= {"f"}
    (sub / "f").write_text("dirty\n")
    run = record(repo)
    assert repo.git("ls-tree", run.tag, "sub").split()[:3] == ["160000", "commit", repo.git("rev-parse", "HEAD", cwd=sub).strip()]
    repo.git("commit", "-q", "-am", "moved on", cwd=sub)
    run = record(repo)
    assert repo.git("rev-parse", "HEAD", cwd=sub).strip() in repo.git("ls-tree", run.tag, "sub")


def test_two_clones_share_a_cache(repo: Sandbox, tmp_path: Path) -> None:
    clone = Sandbox(tmp_path / "clone")
    repo.git("clone", "-q", str(repo.root), str(clone.root))
    for box in (repo, clone):
        assert box.here("config", "--local", "cache.dir", str(tmp_path / "shared")).code == 0
    texts = {}
    for box in (repo, clone):
        before = state(box)
        texts[box.root] = box.run(sys.executable, "-c", SAME, check=True).out.strip()
        assert state(box) == before
    assert repo.here("gc", "--prune", "--grace", "0", "--unpushed").code == 6
    assert repo.here(
        "gc", "--prune", "--grace", "0", "--unpushed", "--clone", str(clone.root), "--no-other-clones"
    ).code == 0  # fmt: skip
    for root, run_id in texts.items():
        with gitmlog.get_run(run_id, repo=root).open("a.txt") as stream:
            assert stream.read() == b"same"


def test_variables_that_point_elsewhere(repo: Sandbox, tmp_path: Path) -> None:
    """As in a hook of git's, which sets them for its children."""
    other = tmp_path / "elsewhere"
    repo.git("init", "-q", str(other))
    env = {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git/objects"),
    }
    run = record(repo, env=env)
    assert "train.py" in names(repo, run)
    assert not (tmp_path / "index").exists()
    assert not (other / ".git/gitmlog").exists()
    assert repo.git("for-each-ref", cwd=other) == ""


# Who, when


def test_no_identity_at_all(repo: Sandbox, tmp_path: Path) -> None:
    """Said once; no run may fail after hours of training for want of a name."""
    home = tmp_path / "nobody"
    home.mkdir()
    known = ("GIT_AUTHOR_", "GIT_COMMITTER_", "EMAIL")
    env = {**{name: value for name, value in os.environ.items() if not name.startswith(known)}, "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % "'nameless'"], cwd=repo.root, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    assert done.stderr.count("git does not know who commits") == 1, done
    assert len(done.stderr.splitlines()) == 1, done
    run = gitmlog.get_run("nameless", repo=repo.root)
    user = pwd.getpwuid(os.getuid()).pw_name
    assert repo.git("log", "-1", "--format=%an <%ae>", run.tag).strip() == f"{user} <{user}@{socket.gethostname()}>"
    assert any("git does not know who commits" in text for text in run.record.warnings)


def test_an_identity_that_is_hostile(repo: Sandbox) -> None:
    env = {"GIT_COMMITTER_NAME": "A <b>\ntree 1234", "GIT_COMMITTER_EMAIL": "<x>\n@y"}
    run = record(repo, env=env)
    assert repo.git("log", "-1", "--format=%cn|%ce", run.tag).strip() == "A btree 1234|x@y"


def test_the_clock_goes_back(repo: Sandbox) -> None:
    """Ids keep the order of the starts, and `last` is the one that was started last."""
    ws = Workspace.open(repo.root)
    now = datetime.now(UTC)
    ids, warned = [], []
    for moment in (now + timedelta(days=1), now, now - timedelta(days=400)):
        begun = begin(ws, Begin(folder=repo.root), now=moment)
        recorded = finish(ws, begun.folder)
        os.close(begun.owner)
        ids.append(recorded.record.id)
        warned.append(any("clock" in text for text in recorded.record.warnings))
    assert ids == sorted(ids)
    assert warned == [False, True, True]
    last = record(repo)
    assert last.id > ids[-1]
    assert gitmlog.get_run("last", repo=repo.root).id == last.id
    assert any("clock" in text for text in last.record.warnings)
    assert last.record.seconds >= 0


def test_the_newest_start_is_damaged(repo: Sandbox) -> None:
    record(repo)
    (repo.root / ".git/gitmlog/runs/newest").write_bytes(b"\xff\0 no time")
    assert record(repo).status == "FINISHED"


# What stands in the way


def test_a_tag_called_run(repo: Sandbox) -> None:
    """Told at the start, not after hours of training; the hint works."""
    repo.git("tag", "run")
    said = refused(repo, "exists")
    assert "refs/tags/run is there" in said
    repo.git("pack-refs", "--all")
    refused(repo, "exists")
    repo.git("tag", "run-1", "run")
    repo.git("tag", "-d", "run")
    assert record(repo).status == "FINISHED"


@pytest.mark.parametrize(
    "name",
    ["../../etc", "a..b", "x.lock", "-rf", "@{u}", "refs/heads/main", "a~^:?*[\\", "\u202ename", "run/last", "HEAD", "last"],
)
def test_names_that_are_hostile_to_refs(repo: Sandbox, name: str) -> None:
    with gitmlog.start_run("fine") as run:
        pass
    try:
        with gitmlog.start_run(name, tags={name: name}, params={name: name}) as run:
            gitmlog.log_metric(name, 1.0)
    except gitmlog.GitmlogError as error:
        assert error.kind in ("bad-name", "bad-key"), error
        assert gitmlog.active_run() is None
    assert run.is_recorded
    refs = repo.git("for-each-ref", "--format=%(refname)").split()
    assert all(ref == "refs/heads/main" or ref.startswith("refs/tags/run/20") for ref in refs), refs
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_a_large_untracked_file(repo: Sandbox) -> None:
    with open(repo.write("data/huge.bin", ""), "wb") as stream:
        stream.truncate(11 << 20)
    said = refused(repo, "untracked-large")
    assert "data/huge.bin has 11,534,336 bytes" in said
    assert "gitmlog add data/huge.bin" in said
    assert repo.here("add", "data/huge.bin").code == 0
    assert record(repo).status == "FINISHED"


def test_very_many_untracked_files(repo: Sandbox) -> None:
    (repo.root / "many").mkdir()
    for index in range(10_001):
        os.close(os.open(repo.root / f"many/{index}", os.O_CREAT | os.O_WRONLY))
    assert "10,001 files are untracked" in refused(repo, "untracked-large")
    repo.write(".gitignore", "many/\n")
    assert record(repo).status == "FINISHED"


@pytest.fixture
def frozen(repo: Sandbox) -> Iterator[Path]:
    """The repository once more, read-only."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a read-only mount wants root")
    place = Path(tempfile.mkdtemp())
    subprocess.run(["mount", "--bind", str(repo.root), str(place)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


def test_a_read_only_repository(repo: Sandbox, frozen: Path) -> None:
    said = refused(repo, "read-only", root=frozen)
    assert "starting a run" in said
    done = repo.here("runs", "recover", cwd=frozen)
    assert done.code == 0, done


CLOSED = """
import os, subprocess, gitmlog
subprocess.run(["git", "init", "-q", "repo"], check=True)
os.chdir("repo")
subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], check=True)
os.chmod(".git", 0o555)
try:
    gitmlog.start_run()
except gitmlog.GitmlogError as error:
    print(error.kind, error.message)
os.chmod(".git", 0o755)
"""


def test_a_repository_that_may_not_be_written() -> None:
    """As another user than root."""
    nobody = as_nobody()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        env = {**os.environ, "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [*nobody, sys.executable, "-c", CLOSED]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("no-permission no permission while starting a run"), done


# What lies in the working tree


def test_odd_files(repo: Sandbox) -> None:
    os.mkfifo(repo.root / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("socket")
    os.symlink("/etc/passwd", repo.root / "link")
    Path(os.fsdecode(b"caf\xe9.py")).write_text("x")
    repo.write(" name\nwith 'all'\t\"of\" it ", "x")
    repo.git("init", "-q", "nested")
    repo.write("nested/f", "f")
    (repo.root / "empty").mkdir()
    (repo.root / "train.py").unlink()
    repo.write("train.py/now/a/folder.py", "x")
    done = repo.run(sys.executable, "-c", PROGRAM % "'odd'")
    assert done.code == 0, done
    assert done.err.splitlines() == [line for line in done.err.splitlines() if "nested is another git repository" in line]
    run = gitmlog.get_run("odd")
    found = names(repo, run)
    assert {"link", "caf\ufffd.py", " name\nwith 'all'\t\"of\" it ", "train.py/now/a/folder.py"} <= found
    assert not {"fifo", "socket", "nested/f", "train.py"} & found
    assert repo.git("cat-file", "blob", f"{run.tag}:link") == "/etc/passwd"
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_inputs_with_names_that_no_record_can_hold(repo: Sandbox) -> None:
    """Refused at the call: a record that no reader accepts would be a run that nobody sees."""
    odd = ["a\nb", os.fsdecode(b"caf\xe9"), "back\\slash"]
    for name in odd:
        (repo.root / name).write_text("x")
    repo.commit("odd names")
    with gitmlog.start_run() as run:
        for name in [*odd, "."]:
            with pytest.raises(gitmlog.GitmlogError) as caught:
                gitmlog.log_input(name)
            assert caught.value.kind == "bad-name"
    assert gitmlog.get_run(run.id).inputs == {}


DAMAGED = r"""
["metrics", [["good", 1.0, 0, 1.0], ["bad", 1.0, "x", 1.0], [7, 1.0, 0, 1.0], ["bad", null, 0, 1.0], ["good", 2.0, 1, 1e300]]]
["metrics", 7]
["metrics", [["cut", 1.0, 0,
["param", "lr", null]
["param", 7, 1]
["param", "list", [[1], {}]]
["tag", "a\nb", "x"]
["tag", "a", 7]
["artifact", "../x", "0000000000000000000000000000000000000000000000000000000000000000", 1, null, 1.0]
["artifact", "x", "000000000000000000000000000000000000000000000000000000000000000G", 1, null, 1.0]
["artifact", "x", "0000000000000000000000000000000000000000000000000000000000000000", -1, null, 1.0]
["artifact", "x", "0000000000000000000000000000000000000000000000000000000000000000", 1, "x", 1.0]
["input", "x", {"git": "x", "size": 1}, 1.0]
["output", ".git/config", {"git": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "size": 1}, 1.0]
["output", "x", {"git": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "size": 1}, 1e300]
["metafile", "../x.gitmlog", ""]
["blob", "x", "../../x"]
["ignore", true]
["source", 7, [1]]
["expect", "/etc/passwd", []]
["name", "\u001b[31m"]
["end", "FINISHED", "x", 1.0, 1.0]
["unknown"]
[7]
{}
\0\0\0
"""


def test_damaged_lines_of_a_journal(repo: Sandbox) -> None:
    """They are told, and cost themselves alone."""
    assert repo.run(sys.executable, "-c", DIES).code == -9
    (folder,) = (repo.root / ".git/gitmlog/runs").glob("*/")
    (folder / "journal-1-abc.jsonl").write_text(DAMAGED)
    assert "recorded run/" in repo.here("runs", "recover").out
    run = gitmlog.get_run("killed")
    assert (run.status, run.metrics) == ("KILLED", {"a": 1.0, "good": 2.0})
    assert [point.value for point in run.history("good")] == [1.0, 2.0]
    assert (run.params, run.tags, list(run.artifacts), set(run.outputs)) == ({}, {}, [], {"model.pt"})
    assert sum("was not understood" in text for text in run.record.warnings) > 20


def test_secret_files_are_no_code(repo: Sandbox) -> None:
    repo.write(".env", "PASSWORD=hunter2-very-secret\n")
    repo.write("keys/id_rsa", "hunter2-very-secret\n")
    run = record(repo)
    assert not {".env", "keys/id_rsa"} & names(repo, run)
    assert "hunter2" not in repo.git("cat-file", "--batch", "--batch-all-objects", "--unordered")
    assert len([text for text in run.record.warnings if "secrets" in text]) == 2


def test_no_command_of_the_configuration_runs(repo: Sandbox, tmp_path: Path) -> None:
    """Over a whole run: start, input, output, artifact, end."""
    ran, script, hooks = tmp_path / "ran", tmp_path / "script", tmp_path / "hooks"
    script.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    script.chmod(0o755)
    hooks.mkdir()
    for name in (
        "post-index-change",
        "reference-transaction",
        "pre-commit",
        "post-commit",
        "prepare-commit-msg",
        "post-checkout",
    ):
        shutil.copy(script, hooks / name)
    for key in ("core.fsmonitor", "filter.x.clean", "filter.x.process", "filter.x.smudge", "diff.x.textconv", "gpg.program"):
        repo.git("config", key, str(script))
    repo.git("config", "core.hooksPath", str(hooks))
    repo.git("config", "filter.x.required", "true")
    repo.git("config", "commit.gpgSign", "true")
    repo.git("config", "tag.gpgSign", "true")
    repo.write(".gitattributes", "* filter=x diff=x\n")
    ran.unlink(missing_ok=True)
    with gitmlog.start_run(inputs=["train.py"]) as run:
        repo.write("train.py", "changed\n")
        repo.write("out.bin", "output")
        gitmlog.log_output("train.py")
        gitmlog.log_output("out.bin")
        gitmlog.log_artifact("train.py")
    assert run.is_recorded
    assert not ran.exists(), ran.read_text()


def test_logs_of_all_refs(repo: Sandbox) -> None:
    """With reflogs for everything, none of a run that is over is left."""
    repo.git("config", "core.logAllRefUpdates", "always")
    record(repo)
    assert not list((repo.root / ".git/logs/refs").glob("gitmlog/**/20*"))


def test_packed_while_it_goes_on(repo: Sandbox) -> None:
    """`git gc` packs the ref that keeps the snapshot: it goes all the same."""
    repo.write("new.py", "only in the snapshot\n")
    with gitmlog.start_run() as run:
        repo.git("pack-refs", "--all")
        repo.git("gc", "-q", "--prune=now")
        repo.write("new.py", "another\n")
    assert run.is_recorded, run.failure
    assert repo.git("show", f"{run.tag}:new.py") == "only in the snapshot\n"
    assert repo.git("for-each-ref", "refs/gitmlog") == ""


def test_another_git_holds_packed_refs(repo: Sandbox) -> None:
    """The run is recorded; only its folder stays, until `runs recover`."""
    with gitmlog.start_run() as run:
        gitmlog.log_metric("a", 1.0)
        repo.git("pack-refs", "--all")
        lock = repo.write(".git/packed-refs.lock", "")
    assert run.is_recorded, run.failure
    assert gitmlog.get_run("last").metrics == {"a": 1.0}
    lock.unlink()
    assert repo.here("runs", "recover").code == 0
    assert repo.git("for-each-ref", "refs/gitmlog") == ""
    assert len(repo.git("tag").split()) == 1


def test_a_ref_of_no_run(repo: Sandbox) -> None:
    """A `git pack-refs` that had read a ref while it was deleted writes it once more."""
    repo.git("update-ref", "refs/gitmlog/live/20200101-000000-old-fox", "HEAD")
    with gitmlog.start_run() as run:
        assert repo.here("runs", "recover").code == 0
        assert repo.git("for-each-ref", "--format=%(refname)", "refs/gitmlog").split() == [f"refs/gitmlog/live/{run.id}"]
    assert run.is_recorded


PACKING = """
import sys
import gitmlog
for number in range(12):
    with gitmlog.start_run() as run:
        pass
    assert run.is_recorded, run.failure
"""


def test_refs_are_packed_all_the_time(repo: Sandbox) -> None:
    running = [subprocess.Popen([sys.executable, "-c", PACKING], cwd=repo.root, stderr=subprocess.PIPE) for _ in range(3)]
    while any(each.poll() is None for each in running):
        repo.run("git", "pack-refs", "--all", "--prune")
    for each in running:
        _, error = each.communicate(timeout=60)
        assert (each.returncode, error) == (0, b"")
    assert len(repo.git("tag").split()) == 36
    assert repo.here("runs", "recover").code == 0
    assert repo.git("for-each-ref", "refs/gitmlog") == ""
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_a_damaged_folder_does_not_stop_the_others(repo: Sandbox) -> None:
    assert repo.run(sys.executable, "-c", DIES).code == -9
    for name, text in (("20200101-000000-bad-fox", "{"), ("20200101-000001-bad-fox", '{"version": 1}')):
        repo.write(f".git/gitmlog/runs/{name}/start.json", text)
    done = repo.here("runs", "recover")
    assert done.code == 1
    assert "recorded run/" in done.out
    assert done.err.count("could not be recorded") == 2
    assert "Traceback" not in done.err
    with gitmlog.start_run(resume="killed") as run:
        pass
    assert run.record.resumes


def test_a_run_that_is_recorded_but_not_cleared_away_is_not_resumed(repo: Sandbox) -> None:
    """Else what is logged then would be lost: its tag is there already."""
    with gitmlog.start_run("twice") as run:
        gitmlog.log_metric("a", 1.0)
        repo.git("pack-refs", "--all")
        lock = repo.write(".git/packed-refs.lock", "")
    lock.unlink()
    with gitmlog.start_run(resume="twice") as second:
        gitmlog.log_metric("a", 2.0)
    assert second.id != run.id
    assert [point.value for point in second.history("a")] == [1.0, 2.0]


MANY = """
import sys
import gitmlog
for number in range(5):
    with gitmlog.start_run(f"{sys.argv[1]}-{number}") as run:
        gitmlog.log_metric("a", number)
        gitmlog.log_text(f"{sys.argv[1]} {number}", "a.txt")
    assert run.is_recorded, run.failure
"""


def test_many_processes_at_once(repo: Sandbox) -> None:
    before = state(repo)
    running = [
        subprocess.Popen([sys.executable, "-c", MANY, str(number)], cwd=repo.root, stderr=subprocess.PIPE) for number in range(8)
    ]
    for each in running:
        _, error = each.communicate(timeout=120)
        assert each.returncode == 0, error
    assert state(repo) == before
    assert {run.name for run in gitmlog.search_runs()} == {f"{first}-{second}" for first in range(8) for second in range(5)}
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    assert repo.git("for-each-ref", "refs/gitmlog") == ""
    locks = {path.relative_to(repo.root).as_posix() for path in (repo.root / ".git").rglob("*.lock")}
    assert locks <= {".git/gitmlog/runs/products.lock"}


# Secrets

SECRET = "hunter2-very-secret-value"
LEAKY = """
import os, sys
import gitmlog
secret = os.environ["MY_SERVICE_PASSWORD"]
with gitmlog.start_run(params={"db.password": secret, "note": f"with {secret}"}, tags={"how": f"pw={secret}"}) as run:
    print("the password is", secret)
    sys.stderr.write(f"postgres://me:{secret}@db/x\\n")
    gitmlog.set_tag("api_token", secret)
    run.live.warn(f"odd: {secret}")
    run.live.flush()
    KILL
    raise RuntimeError(f"cannot log in with {secret}")
"""


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
def test_secrets_are_nowhere_below_git(repo: Sandbox, killed: bool) -> None:
    """In variables, arguments, output, parameters, tags and exceptions; while the run goes on, and after it."""
    program = LEAKY.replace("KILL", "os.kill(os.getpid(), 9)" if killed else "pass")
    arguments = [f"--password={SECRET}", "--api-key", SECRET, f"https://me:{SECRET}@host/x"]
    done = repo.run(sys.executable, "-c", program, *arguments, env={"MY_SERVICE_PASSWORD": SECRET, "LEAK_TOKEN": SECRET})
    assert done.code == (-9 if killed else 1), done
    assert leaks(repo) == []
    if killed:
        assert repo.here("runs", "recover").code == 0
    assert leaks(repo) == []
    run = gitmlog.get_run("last")
    assert run.params["db.password"] == "[redacted]"
    assert "[redacted]" in run.params["note"]
    assert SECRET not in repo.here("runs", "show", run.id).out


def leaks(repo: Sandbox) -> list[str]:
    """The files below .git that have the secret, and whether an object of git's has."""
    objects = repo.run("git", "cat-file", "--batch", "--batch-all-objects", "--unordered").out
    files = [path for path in (repo.root / ".git").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    return [os.fspath(path) for path in files] + ["an object"] * (SECRET in objects)
