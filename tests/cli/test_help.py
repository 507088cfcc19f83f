"""`gitmlog help`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from gitmlog.cli.commands.runs import SECTIONS as RUNS
from gitmlog.cli.main import COMMANDS
from gitmlog.ops.topics import pages
from tests.conftest import Sandbox


def gitmlog(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gitmlog", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


def test_without_a_topic_it_lists_everything() -> None:
    out = gitmlog("help").stdout
    for name in (*COMMANDS, *(page.name for page in pages())):
        assert f"\n  {name} " in out


def test_the_list_is_there_as_json() -> None:
    listed = json.loads(gitmlog("help", "--json").stdout)["topics"]
    assert {(each["topic"], each["kind"]) for each in listed} >= {("add", "command"), ("start", "guide"), ("tree", "spec")}
    assert all(each["title"] for each in listed)


def test_a_page_is_shown_as_it_is_where_no_terminal_is() -> None:
    page = next(page for page in pages() if page.name == "tree")
    assert gitmlog("help", "tree").stdout == page.text


def test_a_command_is_shown_as_its_own_help() -> None:
    assert gitmlog("help", "add").stdout == gitmlog("add", "--help").stdout


@pytest.mark.parametrize("topic", ["config", "remote"])
def test_a_command_and_a_specification_of_one_name_are_both_shown(topic: str) -> None:
    out = gitmlog("help", topic).stdout
    assert out.startswith(f"Usage: gitmlog {topic} ")
    assert ", version 1\n" in out
    both = json.loads(gitmlog("help", topic, "--json").stdout)
    assert both["command"]
    assert both["kind"] == "spec"


def test_every_topic_is_shown() -> None:
    for page in pages():
        assert page.text.startswith("# "), page.name
        assert page.text.endswith("\n"), page.name


@pytest.mark.parametrize("name", ["run", "runs", *(f"runs {each}" for part in RUNS.values() for each in part)])
def test_the_help_of_runs_fits_eighty_columns(name: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = sandbox.here(*name.split(), "--help").out
    assert "Examples:" in text
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_an_unknown_topic_names_what_is_near() -> None:
    done = gitmlog("help", "metafiles")
    assert done.returncode == 3
    assert "`gitmlog help metafile`" in done.stderr
    assert json.loads(gitmlog("help", "nothing-near", "--json").stderr)["error"]["kind"] == "no-topic"


def test_on_a_terminal_it_is_rendered_and_paged() -> None:
    """PAGER is what the user's environment says."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "PAGER": "cat", "TERM": "xterm"}
    command = [sys.executable, "-m", "gitmlog", "help", "exit-codes"]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment) as child:
        os.close(follower)
        shown = b""
        try:
            while piece := os.read(leader, 65536):
                shown += piece
        except OSError:  # the other end closed
            pass
        assert child.wait(60) == 0
    os.close(leader)
    assert b"Exit codes" in shown
    assert b"# Exit codes" not in shown
    assert b"| --- |" not in shown


def test_the_help_of_a_command_below_a_command(sandbox: Sandbox) -> None:
    done = sandbox.here("help", "remote", "add")
    assert done.code == 0
    assert done.out.startswith("Usage: gitmlog remote add ")
    assert sandbox.fails("help", "remote", "nope", code=3, kind="no-topic")
