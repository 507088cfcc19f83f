"""The snapshot of a run is the tree that `git add --all && git write-tree` gives, and leaves the user's index alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitmlog.core.errors import RefusedError
from gitmlog.git import snapshot
from gitmlog.git.repository import GitRepo
from gitmlog.git.snapshot import Snapshot, take_snapshot
from tests.conftest import Sandbox
from tests.nobody import as_nobody

LIMIT = 1 << 20
FILES = {"a": "a\n", "d/x": "x\n", "d/y": "y\n", "run.sh": "echo\n", "ign/t": "tracked\n"}


def take(root: Path, leave_out: Callable[[str], str | None] = lambda path: None) -> Snapshot:
    return take_snapshot(GitRepo.discover(root), LIMIT, leave_out)


def git(root: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, env={**os.environ, **(env or {})}, check=False)
    assert done.returncode == 0, (arguments, done)
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def wanted(root: Path) -> str:
    """What git itself makes of the working tree, in a copy of the index."""
    copy = root / ".git/index-of-test"
    if (root / ".git/index").exists():
        shutil.copy2(root / ".git/index", copy)
    try:
        git(root, "add", "--all", env={"GIT_INDEX_FILE": str(copy)})
        return git(root, "write-tree", env={"GIT_INDEX_FILE": str(copy)})
    finally:
        copy.unlink()


def check(root: Path) -> Snapshot:
    """Taken first, so that git's own objects do not stand in for missing ones."""
    index = root / ".git/index"
    before = index.read_bytes() if index.exists() else None
    taken = take(root)
    assert git(root, "ls-tree", "-r", "-z", taken.tree) == git(root, "ls-tree", "-r", "-z", wanted(root))
    assert (index.read_bytes() if index.exists() else None) == before
    return taken


@pytest.fixture
def repo(sandbox: Sandbox) -> Sandbox:
    for name, text in FILES.items():
        sandbox.write(name, text)
    sandbox.commit("first")
    return sandbox


def changed(box: Sandbox) -> None:
    box.write("a", "changed\n")
    box.write("new/deep/file", "new\n")
    box.write(' a\nb "q" ', "odd name")
    Path(os.fsdecode(os.fsencode(box.root) + b"/caf\xe9")).write_text("no UTF-8")


def deleted(box: Sandbox) -> None:
    (box.root / "a").unlink()
    shutil.rmtree(box.root / "d")


def renamed(box: Sandbox) -> None:
    os.rename(box.root / "a", box.root / "b")
    box.git("mv", "d", "e")


def modes(box: Sandbox) -> None:
    (box.root / "run.sh").chmod(0o755)
    os.symlink("nowhere", box.root / "dangling")
    os.symlink("d", box.root / "to-folder")
    (box.root / "a").unlink()
    os.symlink("d/x", box.root / "a")


def file_becomes_folder(box: Sandbox) -> None:
    (box.root / "a").unlink()
    box.write("a/b/c", "deeper")


def file_becomes_empty_folder(box: Sandbox) -> None:
    (box.root / "a").unlink()
    (box.root / "a").mkdir()


def file_becomes_ignored_folder(box: Sandbox) -> None:
    file_becomes_folder(box)
    box.write(".gitignore", "a/\n")


def folder_becomes_file(box: Sandbox) -> None:
    shutil.rmtree(box.root / "d")
    box.write("d", "a file now")


def folder_becomes_link(box: Sandbox) -> None:
    """The files can still be seen through the link."""
    os.rename(box.root / "d", box.root / "zz")
    os.symlink("zz", box.root / "d")


def staged_then_changed(box: Sandbox) -> None:
    box.write("a", "staged\n")
    box.write("n", "staged\n")
    box.git("add", "-A")
    box.write("a", FILES["a"])
    box.write("n", "changed again\n")


def staged_then_deleted(box: Sandbox) -> None:
    box.write("n", "staged\n")
    box.git("add", "-A")
    (box.root / "n").unlink()


def unstaged(box: Sandbox) -> None:
    box.git("rm", "-q", "--cached", "a")


def unstaged_and_ignored(box: Sandbox) -> None:
    """The usual way to take a file out of git and keep it."""
    unstaged(box)
    box.write(".gitignore", "/a\n")


def intent_to_add(box: Sandbox) -> None:
    for name in ("n", "m"):
        box.write(name, "new\n")
    box.git("add", "-N", "n", "m")
    (box.root / "m").unlink()


def ignored(box: Sandbox) -> None:
    box.write(".gitignore", "ign/\n*.log\n!keep.log\n")
    for name in ("ign/t", "ign/u", "x.log", "keep.log", "d/y.log"):
        box.write(name, "more\n")
    box.write("ign/forced", "by force\n")
    box.git("add", "-f", "ign/forced")


def line_ends(box: Sandbox) -> None:
    box.write(".gitattributes", "*.txt text\n*.crlf text eol=crlf\n*.bin -text\n*.id ident\n")
    box.commit("attributes")
    box.git("config", "core.autocrlf", "input")
    for name in ("m.txt", "m.crlf", "m.bin", "m.auto", "d/x"):
        box.write(name, "one\r\ntwo\r\n")
    box.write("m.id", "$Id: 1234$\n")


def crlf_was_committed(box: Sandbox) -> None:
    """git does not convert what it has with CRLF."""
    box.write("had", "one\r\ntwo\r\n")
    box.commit("with CRLF")
    box.git("config", "core.autocrlf", "true")
    box.write("had", "one\r\ntwo\r\nthree\r\n")


def no_file_modes(box: Sandbox) -> None:
    box.git("config", "core.filemode", "false")
    (box.root / "run.sh").chmod(0o755)
    box.write("run.sh", "changed\n")


def staged_mode(box: Sandbox) -> None:
    box.git("update-index", "--chmod=+x", "a")


def sparse(box: Sandbox) -> None:
    box.write("d/z", "staged, then left out\n")
    box.git("add", "d/z")
    box.git("commit", "-q", "-m", "more")
    box.git("sparse-checkout", "set", "--no-cone", "/a", "/run.sh")
    assert not (box.root / "d").exists()


def hidden_changes(box: Sandbox) -> None:
    box.git("update-index", "--skip-worktree", "a")
    box.git("update-index", "--assume-unchanged", "run.sh")
    box.write("a", "local\n")
    box.write("run.sh", "local\n")


def unresolved_merge(box: Sandbox) -> None:
    box.git("checkout", "-q", "-b", "other")
    box.write("a", "theirs\n")
    box.git("rm", "-q", "d/x")
    box.commit("theirs")
    box.git("checkout", "-q", "main")
    box.write("a", "ours\n")
    box.write("d/x", "ours\n")
    box.commit("ours")
    assert box.run("git", "merge", "other").code == 1


def nothing(box: Sandbox) -> None:
    """As in HEAD."""


CASES = [
    *(changed, deleted, renamed, modes, file_becomes_folder, file_becomes_empty_folder, file_becomes_ignored_folder),
    *(folder_becomes_file, folder_becomes_link, staged_then_changed, staged_then_deleted, unstaged, unstaged_and_ignored),
    *(intent_to_add, ignored, line_ends, crlf_was_committed, no_file_modes, staged_mode, sparse, hidden_changes),
    *(unresolved_merge, nothing),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_as_git_would_commit_it(repo: Sandbox, case: Callable[[Sandbox], None]) -> None:
    case(repo)
    assert check(repo.root).notes == ()


def test_counts(repo: Sandbox) -> None:
    changed(repo)
    (repo.root / "d/x").unlink()
    taken = check(repo.root)
    assert set(taken.changed) == {"a", "d/x"}
    assert len(taken.untracked) == 3
    assert (taken.commit, taken.branch, taken.state) == (git(repo.root, "rev-parse", "HEAD"), "main", "")


def test_an_unborn_branch(sandbox: Sandbox) -> None:
    sandbox.write("a", "a")
    taken = check(sandbox.root)
    assert (taken.commit, taken.branch) == ("", "main")


def test_what_is_left_out_is_not_there_even_if_it_was(repo: Sandbox) -> None:
    """`git rm --cached model` of what a run writes now: the snapshot has no old version of it."""
    repo.git("rm", "-q", "--cached", "a")
    repo.write("new", "new")
    taken = take(repo.root, {"a": "", "new": "for a reason"}.get)
    names = git(repo.root, "ls-tree", "-r", "--name-only", taken.tree).split()
    assert "a" not in names
    assert "new" not in names
    assert taken.notes == ("new is not in the snapshot: for a reason",)


def test_files_that_are_no_files(repo: Sandbox) -> None:
    os.mkfifo(repo.root / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(repo.root)
        try:
            sock.bind("socket")
        finally:
            os.chdir(here)
        assert check(repo.root).notes == ()
    (repo.root / "a").unlink()
    os.mkfifo(repo.root / "a")
    assert "a" not in git(repo.root, "ls-tree", "--name-only", take(repo.root).tree).split()


def test_other_repositories(repo: Sandbox) -> None:
    """Their commits cannot be had from this one: unlike `git add`, no link to them is recorded."""
    for name in ("nested", "empty", "a"):
        (repo.root / name).unlink(missing_ok=True)
        git(repo.root, "init", "-q", name)
    repo.write("nested/f", "f")
    git(repo.root / "nested", "add", "-A")
    git(repo.root / "nested", "commit", "-q", "-m", "theirs")
    taken = take(repo.root)
    names = git(repo.root, "ls-tree", "-r", "--name-only", taken.tree).split()
    assert not {"nested", "nested/f", "empty", "a"} & set(names)
    assert any("nested is another git repository" in note for note in taken.notes)


def test_submodules(repo: Sandbox, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    (other / "f").write_text("f")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "theirs")
    repo.git("submodule", "--quiet", "add", str(other), "sub")
    check(repo.root)
    repo.commit("submodule")
    (repo.root / "sub/f").write_text("dirty")
    check(repo.root)
    git(repo.root / "sub", "commit", "-q", "-a", "-m", "moved on")
    assert check(repo.root).changed == ("sub",)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repo.root), str(clone))
    assert check(clone).changed == ()
    shutil.rmtree(clone / "sub")
    check(clone)


def test_no_command_runs(repo: Sandbox, tmp_path: Path) -> None:
    """Neither filters nor hooks nor file system monitors of the configuration."""
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    script.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "pre-commit", "fsmonitor-watchman", "post-checkout"):
        shutil.copy(script, hooks / name)
    for key in ("core.fsmonitor", "filter.x.clean", "filter.x.process", "filter.x.smudge", "diff.x.textconv", "core.pager"):
        repo.git("config", key, str(script))
    repo.git("config", "core.hooksPath", str(hooks))
    repo.git("config", "filter.x.required", "true")
    repo.write(".gitattributes", "* filter=x diff=x\n")
    repo.write("new", "as it is\n")
    ran.unlink(missing_ok=True)
    taken = take(repo.root)
    assert not ran.exists()
    assert git(repo.root, "cat-file", "blob", f"{taken.tree}:new") == "as it is"


def test_a_large_file_is_refused_before_anything_is_written(repo: Sandbox) -> None:
    with open(repo.write("big.bin", ""), "wb") as stream:
        stream.truncate(LIMIT + 1)
    repo.write("small", "not to be written")
    before = git(repo.root, "count-objects")
    with pytest.raises(RefusedError, match=r"big\.bin has 1,048,577 bytes") as caught:
        take(repo.root)
    assert caught.value.kind == "untracked-large"
    assert git(repo.root, "count-objects") == before


def test_too_many_files_are_refused_before_anything_is_written(repo: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_UNTRACKED", 20)
    for index in range(21):
        repo.write(f"many/{index}", str(index))
    before = git(repo.root, "count-objects")
    with pytest.raises(RefusedError, match="21 files are untracked"):
        take(repo.root)
    assert git(repo.root, "count-objects") == before
    (repo.root / "many/0").unlink()
    check(repo.root)


def test_a_commit_that_is_made_meanwhile(repo: Sandbox) -> None:
    """The tree is that of the commit that the run names as its parent, with what changed since that one."""
    repo.write("a", "changed\n")
    calls = []

    def commit_once(path: str) -> str | None:
        calls.append(path)
        if len(calls) == 1:
            repo.git("add", "a")
            repo.git("commit", "-q", "-m", "meanwhile")
        return None

    repo.write("new", "new\n")
    taken = take(repo.root, commit_once)
    assert taken.commit == git(repo.root, "rev-parse", "HEAD")
    assert taken.changed == ()
    assert taken.tree == wanted(repo.root)


def test_what_may_not_be_read_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As another user than root: a file is left out, files of a closed folder are as in HEAD."""
    command = as_nobody()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        done = subprocess.run(
            [*command, sys.executable, "-c", UNREADABLE, folder],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert done.returncode == 0, done
    notes = done.stdout.splitlines()
    assert [note.split(" (")[0] for note in notes] == [
        "closed/f is in a folder that may not be read: it is as in HEAD",
        "secret could not be read: it is not in the snapshot",
        "closed/f run.py",
    ]


UNREADABLE = """
import os, subprocess, sys
from pathlib import Path
from gitmlog.git.repository import GitRepo
from gitmlog.git.snapshot import take_snapshot

root = Path(sys.argv[1], "repo")
git = lambda *words: subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout
root.mkdir()
git("init", "-q")
for name in ("closed/f", "run.py"):
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(name)
git("add", "-A")
git("commit", "-q", "-m", "first")
(root / "other").mkdir()
(root / "other/f").write_text("untracked, and closed")
(root / "secret").write_text("x")
for name in ("closed", "other", "secret"):
    os.chmod(root / name, 0)
taken = take_snapshot(GitRepo.discover(root), 1 << 20, lambda path: None)
for name in ("closed", "other"):
    os.chmod(root / name, 0o755)
print(*sorted(taken.notes), sep="\\n")
print(*git("ls-tree", "-r", "--name-only", taken.tree).split())
"""

NAMES = st.sampled_from(["a", "b", "B", "c.log", "d", "é", "x y", ".gitignore", "-dash", 'q"uote', "new\nline"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TEXTS = st.sampled_from(["", "one\n", "two\r\nlines\r\n", "*.log\n", "/d\n", "!c.log\nb/\n", "binary\0\n"])
ACTIONS = st.one_of(
    st.tuples(st.just("write"), PATHS, TEXTS),
    st.tuples(st.just("remove"), PATHS, st.just("")),
    st.tuples(st.just("link"), PATHS, st.sampled_from(["a", "d", "nowhere", ".."])),
    st.tuples(st.just("mode"), PATHS, st.sampled_from(["755", "644"])),
    st.tuples(st.just("stage"), PATHS, st.just("")),
    st.tuples(st.just("force"), PATHS, st.just("")),
    st.tuples(st.just("intend"), PATHS, st.just("")),
    st.tuples(st.just("unstage"), PATHS, st.just("")),
)
Action = tuple[str, str, str]


def clear(path: Path) -> None:
    """Nothing is at `path`, and its parents are folders."""
    for parent in reversed(path.parents):
        if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
            parent.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


GIT = {
    "stage": ["add", "--"],
    "force": ["add", "-f", "--"],
    "intend": ["add", "-N", "--"],
    "unstage": ["rm", "-r", "-q", "--cached", "--ignore-unmatch", "--"],
}


def act(root: Path, action: Action) -> None:
    what, path, text = action
    full = root / path
    if what in GIT:
        subprocess.run(["git", *GIT[what], path], cwd=root, capture_output=True, check=False)
    elif what == "mode":
        if full.is_file() and not full.is_symlink() and full.resolve().is_relative_to(root.resolve()):
            full.chmod(int(text, 8))
    else:
        clear(full)
        if what == "write":
            full.write_bytes(text.encode())
        elif what == "link":
            os.symlink(text, full)


def compare(before: list[Action], after: list[Action], folder: Path) -> None:
    root = Path(tempfile.mkdtemp(dir=folder))
    git(root, "init", "-q")
    for action in before:
        act(root, action)
    if before:
        git(root, "add", "-A")
        git(root, "commit", "-q", "--allow-empty", "-m", "first")
    for action in after:
        act(root, action)
    check(root)
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trees")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(ACTIONS, max_size=8), after=st.lists(ACTIONS, max_size=8))
def test_any_tree(folder: Path, before: list[Action], after: list[Action]) -> None:
    compare(before, after, folder)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(ACTIONS, max_size=14), after=st.lists(ACTIONS, max_size=14))
def test_any_tree_at_length(folder: Path, before: list[Action], after: list[Action]) -> None:
    compare(before, after, folder)
