"""Nothing in a repository may run a command: what git would run, gitmlog does not (DESIGN section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from gitmlog.cli.main import cli
from tests.conftest import Sandbox
from tests.hostile_git import COMMANDS, HOOKS, SWITCHES, Hostile, hostile, run_safely, stage  # noqa: F401 - fixtures

pytestmark = pytest.mark.long

RUN = "20260101-000001-swift-otter"


def _edit(path: str, text: str = "changed") -> Callable[[Hostile], None]:
    return lambda found: (found.box.root / path).write_text(text) and None


def _lose(path: str) -> Callable[[Hostile], None]:
    return lambda found: (found.box.root / path).unlink()


def _lose_cache(found: Hostile) -> None:
    import shutil

    shutil.rmtree(found.box.root / ".git/gitmlog/cache")


@dataclass(frozen=True)
class Row:
    """A call with sensible arguments, what is done before, and the exit codes that it may have."""

    words: tuple[str, ...]
    before: Callable[[Hostile], None] = lambda _: None
    codes: tuple[int, ...] = (0,)


def row(text: str, before: Callable[[Hostile], None] = lambda _: None, *codes: int) -> Row:
    return Row(tuple(text.split()), before, codes or (0,))


ROWS = [
    row("init"),
    row("demo ../demo"),
    row("help"),
    row("help git"),
    row("doctor", lambda _: None, 0, 1, 4),
    row("add m.pt", _edit("m.pt")),
    row("add data new.pt", _edit("new.pt")),
    row("status"),
    row("status --rehash --json", _edit("m.pt")),
    row("checkout", _lose("m.pt")),
    row("checkout --rev HEAD~1 m.pt"),
    row("mv m.pt n.pt"),
    row("rm old.pt"),
    row("rm --cached data"),
    row("cat HEAD~1:m.pt"),
    row("cat train.py"),
    row("get . m.pt -o ../got.pt"),
    row("get ../up.git m.pt -o ../got.pt"),
    row("get ../up.git m.pt -o ../got.pt --rev HEAD~1"),
    row("run -i m.pt -o out.pt -- cp m.pt out.pt"),
    row("runs list --where acc>0.1"),
    row(f"runs show {RUN}"),
    row("runs compare last~1 last"),
    row("runs diff last~1 last"),
    row("runs plot acc"),
    row("runs log last"),
    row("runs artifacts last -o ../results"),
    row("runs export -o ../runs.csv"),
    row("runs recover"),
    row("runs accept last", lambda _: None, 0, 6),
    row(f"runs accept {RUN} --no-checkout", lambda found: found.box.git("reset", "-q", "--soft", "HEAD") and None, 0, 6),
    row(f"runs archive {RUN}"),
    row(f"runs rm {RUN} --force", lambda _: None, 0, 2, 6),
    row("remote"),
    row("remote list"),
    row("remote add second ../second"),
    row("remote add third ../third --local"),
    row("remote default lab"),
    row("remote trust lab"),
    row("remote remove lab"),
    row("push"),
    row("push --all"),
    row("push --runs"),
    row("push --run last --git-remote up"),
    row("fetch", _lose_cache),
    row("fetch --all", _lose_cache),
    row("fetch --runs"),
    row("fetch --runs --git-remote up", lambda found: found.box.git("tag", "-d", "run/20260101-000000-swift-otter") and None),
    row("pull", _lose_cache),
    row("verify"),
    row("verify --remote --all"),
    row("gc"),
    row("gc --prune --grace 0"),
    row("config"),
    row("config core.jobs 2"),
    row("config --shared status.large 1000000"),
    row("init --no-hooks"),
    row("hooks install"),
    row("hooks status"),
    row("hooks uninstall --drivers"),
    row("hook pre-commit", _edit("train.py"), 0, 6),
    row("hook prepare-commit-msg train.py message"),
    row("hook post-checkout feature HEAD 1"),
    row("hook post-commit"),
    row("hook post-merge 0"),
    row("hook post-rewrite rebase"),
    row("hook pre-push up"),
    row("hook pre-receive"),
    row("hook update refs/heads/x HEAD HEAD", lambda _: None, 0, 2, 3, 6),
    row("driver merge m.pt.gitmlog m.pt.gitmlog m.pt.gitmlog 7 m.pt.gitmlog"),
    row("blame m.pt"),
    row("blame data --files"),
    row("bisect --metric acc --below 0.1 HEAD~1 HEAD", lambda _: None, 2, 3),
    row("ci init github"),
    row("ci init gitlab"),
    row("ci report HEAD~1...HEAD"),
    row("ci report feature...HEAD --check-remote -o ../report.md -o ../report.json"),
    row("ci comment --host github --body train.py", lambda _: None, 2),
]


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, (*words, name))
        else:
            yield (*words, name)


def test_every_command_has_a_row() -> None:
    missing = [words for words in commands(cli) if not any(each.words[: len(words)] == words for each in ROWS)]
    assert missing == [], "a new command: say with which arguments it shall prove that it runs nothing"


def test_there_are_enough_of_them() -> None:
    assert len(set(COMMANDS)) >= 40
    assert len(set(HOOKS)) >= 20
    assert len(SWITCHES) >= 20


@pytest.mark.parametrize("each", ROWS, ids=lambda each: " ".join(each.words))
def test_no_command_sets_a_canary_off(hostile: Hostile, each: Row) -> None:  # noqa: F811
    each.before(hostile)
    (hostile.place / "canary/fired").unlink(missing_ok=True)  # what the preparation itself did, by plain git
    done = run_safely(hostile, *each.words)
    assert "Traceback" not in done.stderr, done
    assert done.returncode in each.codes, done
    assert hostile.fired == set(), done
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize(
    "command", ["status", "cat HEAD~1:train.py", "checkout --rev HEAD~1", "push --all", "gc", "ci report HEAD~1"]
)
def test_what_a_partial_clone_lacks_is_brought_by_git_s_own_program(hostile: Hostile, command: str) -> None:  # noqa: F811
    """git fetches it unasked, and would run remote.NAME.uploadpack here: the remote is a folder."""
    up = hostile.place / "up.git"
    hostile.box.run("git", "-C", str(up), "config", "uploadpack.allowFilter", "true", check=True)
    lean = hostile.place / "lean"
    hostile.box.run("git", "clone", "-q", "--filter=blob:none", f"file://{up}", str(lean), cwd=hostile.place, check=True)
    config = (hostile.box.root / ".git/config").read_text()
    (lean / "evil.config").write_text((hostile.box.root / "evil.config").read_text())
    with (lean / ".git/config").open("a") as stream:
        stream.write(config[config.index('[remote "origin"]') :])
    done = run_safely(Hostile(Sandbox(lean), hostile.place), *command.split())
    assert "Traceback" not in done.stderr, done
    assert hostile.fired == set(), done
    if command.startswith("cat"):
        assert done.stdout == "print(1)\n", done


TRANSPORT = {"core.sshCommand", "core.askPass", "core.gitProxy", "credential.helper", "credential.https://x.example.helper"}
"""What gitmlog leaves to the user: to reach a git remote it uses his git as he set it up, for nothing else opens the door there.

.git/config comes with no clone: the user wrote it, or somebody who could hand him a folder (git's own line, too). It counts only
when a git remote of his is named or followed.
"""


@pytest.mark.parametrize("command", ["fetch --runs", "push --runs"])
@pytest.mark.parametrize("url", ["ssh://git@host.invalid/x", "git://127.0.0.1:9/x"])
def test_only_the_way_to_a_git_remote_is_the_user_s(hostile: Hostile, command: str, url: str) -> None:  # noqa: F811
    hostile.git("remote", "set-url", "origin", url)
    (hostile.place / "canary/fired").unlink(missing_ok=True)
    done = run_safely(hostile, *command.split())
    assert done.returncode == 1, done
    assert hostile.fired, "core.sshCommand and core.gitProxy are what reaches a server"
    assert hostile.fired <= TRANSPORT, done


def test_another_repository_is_reached_without_this_one_s_settings(hostile: Hostile) -> None:  # noqa: F811
    """Even on the way to a server: `get` has nothing to do with the folder that it was started in."""
    done = run_safely(hostile, "get", "ssh://git@127.0.0.1:9/x", "m.pt")
    assert done.returncode == 3, done
    assert hostile.fired == set(), done


def test_the_canaries_are_alive(hostile: Hostile) -> None:  # noqa: F811
    """Plain git in the same clone sets them off: else the tests above would prove nothing."""
    (hostile.box.root / "train.py").write_text("print(2)\n")
    for arguments in (
        "status",
        "add train.py",
        "diff --cached",
        "diff --ext-diff HEAD",
        "-c diff.external= log -p --textconv -1",
        "commit -m x",
        "commit -S -m x",
        "fetch origin",
        "push origin HEAD:x",
        "ls-remote ssh://git@host.invalid/x",
        "checkout feature",
        "checkout -f feature",
        "st",
        "interpret-trailers --trailer evil=1 train.py",
        "archive --format=tgz HEAD",
        "submodule update --init",
    ):
        hostile.git(*arguments.split())
    kinds = {name.split("-")[0].split(".")[0] for name in hostile.fired}
    assert kinds >= {"hook", "filter", "diff", "core", "alias", "remote"}, hostile.fired
    assert len(hostile.fired) >= 10, hostile.fired
