"""Git objects are written beside a `git gc` that takes empty folders away, and as whoever git says the user is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pygit2
import pytest

from gitmlog.git.durable import patiently, quick_writes, write_blob, write_commit, write_tag, write_tree
from gitmlog.git.identity import Identity
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
