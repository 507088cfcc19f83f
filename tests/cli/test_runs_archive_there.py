"""Archiving travels: a git remote that has a tag would bring it back with every fetch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.runs import FIRST, make_run

SECOND = "20260102-000000-calm-fox"
TAG, ARCHIVED = f"refs/tags/run/{FIRST}", f"refs/gitmlog/runs/{FIRST}"


@pytest.fixture
def box(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """A run that was pushed."""
    sandbox.write("train.py", "print(1)\n")
    sandbox.commit("first")
    sandbox.git("init", "-q", "--bare", str(tmp_path / "bare.git"))
    sandbox.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    sandbox.git("push", "-q", "-u", "origin", "main")
    make_run(sandbox)
    assert sandbox.here("push", "--runs").code == 0
    return sandbox


def clone(box: Sandbox, tmp_path: Path) -> Sandbox:
    box.git("clone", "-q", str(tmp_path / "bare.git"), str(tmp_path / "other"), cwd=tmp_path)
    return Sandbox(tmp_path / "other")


def there(box: Sandbox) -> list[str]:
    return [line.split("\t")[1] for line in box.git("ls-remote", "--refs", "origin").splitlines() if "/run" in line]


def here(box: Sandbox) -> list[str]:
    return box.git("for-each-ref", "--format=%(refname)", "refs/tags", "refs/gitmlog").split()


def said(box: Sandbox, *arguments: str) -> str:
    done = box.here(*arguments)
    assert done.code == 0, done
    return done.out + done.err


def test_a_tag_that_fetch_brought_back_is_archived_all_the_same(box: Sandbox) -> None:
    assert "gitmlog push --runs archives them there too" in said(box, "runs", "archive", FIRST)
    box.git("fetch", "-q", "--tags")
    assert here(box) == [ARCHIVED, TAG]
    assert "FINISHED*" in said(box, "runs", "list")
    assert '"archived": true' in said(box, "runs", "show", FIRST, "--json")
    assert said(box, "runs", "list", "--where", "archived", "--json").count('"total": 1') == 1
    said(box, "runs", "archive", FIRST)
    assert here(box) == [ARCHIVED]


def test_pushing_archives_there_and_a_colleague_follows(box: Sandbox, tmp_path: Path) -> None:
    other = clone(box, tmp_path)
    said(box, "runs", "archive", FIRST)
    box.git("fetch", "-q", "--tags")
    assert "archived 1 run there" in said(box, "push", "--runs")
    assert (there(box), here(box)) == ([ARCHIVED], [ARCHIVED])
    assert "archived" not in said(box, "push", "--runs")
    box.git("fetch", "-q", "--tags")
    assert here(box) == [ARCHIVED]
    assert "archived" not in said(other, "push", "--runs")
    assert there(box) == [ARCHIVED]
    assert "archived 1 run here, as it is there" in said(other, "fetch", "--runs")
    assert here(other) == [ARCHIVED]


def test_undo_travels_the_same_way(box: Sandbox, tmp_path: Path) -> None:
    other = clone(box, tmp_path)
    said(box, "runs", "archive", FIRST)
    said(box, "push", "--runs")
    said(other, "fetch", "--runs")
    assert "takes them back there too" in said(other, "runs", "archive", "--undo", FIRST)
    said(other, "fetch", "--runs")
    assert here(other) == [TAG]
    assert "took 1 run back from the archive there" in said(other, "push", "--runs")
    assert there(box) == [TAG]
    assert "archived" not in said(box, "push", "--runs")
    assert "took 1 run back from the archive here" in said(box, "fetch", "--runs")
    assert (here(box), there(box)) == ([TAG], [TAG])


def test_what_was_archived_here_alone_stays_so(box: Sandbox) -> None:
    said(box, "runs", "archive", FIRST)
    said(box, "fetch", "--runs")
    assert (here(box), there(box)) == ([ARCHIVED], [TAG])


def test_a_server_that_forbids_to_delete_keeps_both(box: Sandbox, tmp_path: Path) -> None:
    hook = tmp_path / "bare.git/hooks/update"
    hook.write_text('#!/bin/sh\ncase "$3" in *[1-9a-f]*) exit 0;; esac\nexit 1\n')
    hook.chmod(0o755)
    said(box, "runs", "archive", FIRST)
    assert "keeps tags of archived runs" in said(box, "push", "--runs")
    assert there(box) == [ARCHIVED, TAG]
    hook.unlink()
    assert "archived 1 run there" in said(box, "push", "--runs")
    assert there(box) == [ARCHIVED]


def test_a_server_that_refuses_the_archive_loses_nothing(box: Sandbox, tmp_path: Path) -> None:
    hook = tmp_path / "bare.git/hooks/update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/gitmlog/*) exit 1;; esac\n')
    hook.chmod(0o755)
    said(box, "runs", "archive", FIRST)
    box.fails("push", "--runs", code=1, kind="git")
    assert there(box) == [TAG]


def test_rm_says_the_command_that_removes_it_there(box: Sandbox, tmp_path: Path) -> None:
    other = clone(box, tmp_path)
    assert f"git push origin --delete run/{FIRST}" in said(other, "runs", "rm", FIRST)
    said(box, "runs", "archive", FIRST)
    said(box, "push", "--runs")
    text = said(box, "runs", "rm", FIRST)
    command = next(line for line in text.splitlines() if "--delete" in line).partition("still: ")[2]
    assert command == f"git push origin --delete {ARCHIVED}"
    box.git(*command.split()[1:])
    assert there(box) == []


def test_only_the_runs_that_are_meant(box: Sandbox) -> None:
    make_run(box, SECOND)
    said(box, "push", "--runs")
    said(box, "runs", "archive", FIRST, SECOND)
    assert "archived 1 run there" in said(box, "push", "--run", SECOND)
    assert there(box) == [f"refs/gitmlog/runs/{SECOND}", TAG]
