"""Git objects are written beside a `git gc` that takes empty folders away, and as whoever git says the user is."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitmlog.git.durable import create_ref, delete_ref, patiently, quick_writes, write_blob, write_commit, write_tag, write_tree
from gitmlog.git.identity import Identity, identity
from gitmlog.git.repository import GitRepo
from gitmlog.repo.workspace import Workspace
from tests.conftest import Sandbox

ADA = Identity("Ada", "ada@example.org")


REMOVE = """
import os, sys
names = [os.path.join(sys.argv[1], f"{number:02x}") for number in range(256)]
print("begun", flush=True)
while os.getppid() != 1:
    for name in names:
        try:
            os.rmdir(name)
        except OSError:
            pass
"""


@contextmanager
def folders_vanish(objects: Path) -> Iterator[None]:
    """What `git gc` does to the folders of objects that it has packed, all the time."""
    with subprocess.Popen([sys.executable, "-c", REMOVE, str(objects)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def test_objects_are_written_while_their_folders_vanish(sandbox: Sandbox) -> None:
    repo = Workspace.open(sandbox.root).git
    ids = []
    with folders_vanish(repo.commondir / "objects"), quick_writes(repo):
        for number in range(150):
            blob = write_blob(repo, b"%d" % number)
            tree = write_tree(repo, "", {f"a/{number}": blob})
            commit = write_commit(repo, tree, [], f"{number}\n", ADA, datetime.now(UTC))
            tag = write_tag(repo, f"t{number}", commit, "text\n", ADA, datetime.now(UTC))
            ids += [blob, tree, commit, tag]
    assert all(oid in repo.handle for oid in ids)


def test_what_does_not_pass_is_raised_at_once() -> None:
    import pygit2  # not before: libgit2 looks for the user's configuration once, and that is another user's here

    calls = []

    def fail(error: Exception) -> None:
        calls.append(error)
        raise error

    for error in (
        pygit2.GitError("odd object"),
        OSError("failed to write lockfile: No space left on device"),
        pygit2.AlreadyExistsError("locked already"),
    ):
        with pytest.raises(type(error)):
            patiently(lambda error=error: fail(error))  # type: ignore[misc]
    assert len(calls) == 3
    assert patiently(lambda: 7) == 7


# Who it is


@pytest.fixture
def nameless(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """No variable says who commits."""
    for who in ("AUTHOR", "COMMITTER"):
        for what in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{who}_{what}")
    monkeypatch.delenv("EMAIL", raising=False)
    return sandbox


def who(box: Sandbox) -> tuple[str, str, bool]:
    found = identity(Workspace.open(box.root).git)
    return found.name, found.email, found.fallback


@pytest.mark.parametrize("variable", ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"])
def test_a_configuration_that_a_variable_names(
    nameless: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """libgit2 does not know these: git said Ada, and the run was by root."""
    monkeypatch.delenv("GIT_CONFIG_NOSYSTEM")
    file = tmp_path / "config"
    file.write_text("[user]\n\tname = Ada L.\n\temail = ada@example.org\n[author]\n\tname = Another\n")
    monkeypatch.setenv(variable, str(file))
    said = nameless.git("var", "GIT_COMMITTER_IDENT")
    assert who(nameless) == ("Ada L", "ada@example.org", False)
    assert said.startswith("Ada L")


def test_the_global_file_that_a_variable_names_takes_the_place_of_the_usual(
    nameless: Sandbox, tmp_path: Path, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(hermetic / ".gitconfig", "a") as usual:
        usual.write("[user]\n\tname = Usual\n\temail = usual@example.org\n")
    assert who(nameless) == ("Usual", "usual@example.org", False)
    file = tmp_path / "config"
    file.write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    assert who(nameless) == ("Ada", "ada@example.org", False)
    nameless.git("config", "user.name", "Local")
    assert who(nameless) == ("Local", "ada@example.org", False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    assert who(nameless)[0] == "Local"
    assert who(nameless)[2]


def test_nobody_says_who(nameless: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert who(nameless)[2]
    monkeypatch.setenv("EMAIL", "me@example.org")
    monkeypatch.setenv("PATH", "/nowhere")
    assert who(nameless)[1:] == ("me@example.org", True)


def test_deleting_a_packed_ref_loses_no_other(sandbox: Sandbox) -> None:
    """libgit2 reads packed-refs before it locks it: what another git packed in between would be gone."""
    sandbox.write("a.txt", "a")
    sandbox.commit("first")
    head = sandbox.git("rev-parse", "HEAD").strip()
    opened = GitRepo.discover(sandbox.root)
    names = [f"refs/gitmlog/live/{number}" for number in range(150)]
    for name in names:
        create_ref(opened, name, head)
    sandbox.git("pack-refs", "--all")
    over = threading.Event()
    tags: list[str] = []

    def pack() -> None:
        while not over.is_set():
            tags.append(f"refs/tags/t{len(tags)}")
            (sandbox.root / ".git" / tags[-1]).write_text(f"{head}\n")
            sandbox.run("git", "pack-refs", "--all")

    packing = threading.Thread(target=pack)
    packing.start()
    try:
        for name in names:
            delete_ref(opened, name)
    finally:
        over.set()
        packing.join()
    assert set(sandbox.git("for-each-ref", "--format=%(refname)", "refs/tags").split()) == set(tags)
    assert sandbox.git("for-each-ref", "refs/gitmlog") == ""
