"""A clone in which everything that git can be told to run is told to run a canary, in every place that git looks at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, Sandbox
from tests.runs import make_run

HOOKS = """
applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg commit-msg post-commit
pre-rebase post-checkout post-merge pre-push pre-receive update proc-receive post-receive post-update reference-transaction
push-to-checkout pre-auto-gc post-rewrite sendemail-validate fsmonitor-watchman post-index-change
""".split()  # noqa: SIM905 - sixty lines else

COMMANDS = """
core.fsmonitor core.editor core.pager core.sshCommand core.gitProxy core.askPass core.alternateRefsCommand
sequence.editor credential.helper credential.https://x.example.helper
diff.external diff.evil.command diff.evil.textconv merge.evil.driver mergetool.evil.cmd mergetool.evil.path difftool.evil.cmd
filter.evil.clean filter.evil.smudge
gpg.program gpg.openpgp.program gpg.x509.program gpg.ssh.program gpg.ssh.defaultKeyCommand
interactive.diffFilter
pager.log pager.diff pager.show pager.status pager.config pager.tag pager.branch pager.ls-remote pager.cat-file pager.for-each-ref
trailer.evil.command trailer.evil.cmd
uploadpack.packObjectsHook remote.origin.uploadpack remote.origin.receivepack remote.up.uploadpack remote.up.receivepack
guitool.evil.cmd man.evil.cmd man.evil.path browser.evil.cmd browser.evil.path
sendemail.smtpserver sendemail.sendmailCmd sendemail.toCmd sendemail.headerCmd imap.tunnel
tar.tar.command tar.tgz.command instaweb.httpd gc.recentObjectsHook
receive.procReceiveRefs hook.evil.command submodule.evil.update
""".split()  # noqa: SIM905
"""Keys whose value git runs."""

ALIASES = (
    "cat-file",
    "update-index",
    "for-each-ref",
    "update-ref",
    "config",
    "ls-remote",
    "push",
    "fetch",
    "clone",
    "commit",
    "version",
    "st",
    "lg",
)

SWITCHES = {
    "commit.gpgSign": "true",
    "tag.gpgSign": "true",
    "tag.forceSignAnnotated": "true",
    "push.gpgSign": "if-asked",
    "push.recurseSubmodules": "on-demand",
    "fetch.recurseSubmodules": "true",
    "submodule.recurse": "true",
    "submodule.evil.url": "ext::{canary} %S",
    "submodule.evil.active": "true",
    "filter.evil.required": "true",
    "gpg.format": "ssh",
    "user.signingKey": "",
    "merge.tool": "evil",
    "diff.tool": "evil",
    "web.browser": "evil",
    "man.viewer": "evil",
    "help.autocorrect": "immediate",
    "core.pager": "{canary}",
    "color.ui": "always",
    "gc.auto": "1",
    "maintenance.auto": "true",
    "maintenance.strategy": "incremental",
    "protocol.allow": "always",
    "protocol.ext.allow": "always",
    "core.untrackedCache": "true",
    "fetch.writeCommitGraph": "true",
    "hook.evil.event": "pre-commit",
    "hook.evil.enabled": "true",
    "log.showSignature": "true",
    "trailer.evil.ifmissing": "add",
    "trailer.evil.key": "Evil",
}
"""Keys that make git use those."""

ATTRIBUTES = (
    "* filter=evil diff=evil merge=evil ident eol=lf\n*.gitmlog filter=evil diff=evil merge=evil\n.gitmlog/** filter=evil\n"
)
PAYLOAD = "#!/bin/sh\necho {0} >> {1}/fired\n"


@dataclass(frozen=True)
class Hostile:
    """The clone, beside it what it was cloned from, and where canaries are."""

    box: Sandbox
    place: Path

    @property
    def fired(self) -> set[str]:
        """Which canaries were set off."""
        file = self.place / "canary" / "fired"
        return set(file.read_text().split()) if file.exists() else set()

    def git(self, *arguments: str) -> None:
        """The user's own git, which does what its configuration says."""
        subprocess.run(
            ["git", *arguments], cwd=self.box.root, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
        )


def build(folder: Path) -> Path:
    """The whole stage: upstream, remote, a harmless clone with objects and runs. Made once, and copied."""
    place = folder / "stage"
    (place / "canary").mkdir(parents=True)
    (place / "home").mkdir()
    (place / "home/.gitconfig").write_text('[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n')
    subprocess.run(["git", "init", "-q", "--bare", str(place / "up.git")], check=True)
    subprocess.run(["git", "init", "-q", str(place / "clone")], check=True, env={**os.environ, **ENVIRONMENT})
    box = Sandbox(place / "clone")
    box.git("symbolic-ref", "HEAD", "refs/heads/main")
    box.git("config", "core.logAllRefUpdates", "true")
    for path, text in (("m.pt", "one"), ("old.pt", "old"), ("data/a", "a"), ("data/b", "b"), ("theirs.pt", "t")):
        box.write(path, text)
    box.write("train.py", "print(1)\n")
    box.ok("init")
    box.ok("add", "m.pt", "old.pt", "data", "theirs.pt")
    box.commit("first")
    box.ok("remote", "add", "lab", "../remote")
    box.git("remote", "add", "origin", str(place / "up.git"))
    box.git("remote", "add", "up", str(place / "up.git"))
    for number, acc in enumerate((0.5, 0.75)):
        make_run(
            box, f"20260101-00000{number}-swift-otter", metrics={"acc": [(0, acc), (1, acc)]}, artifacts={"a.txt": b"x"}, log=b"x"
        )
    box.write("m.pt", "two")
    box.ok("add", "m.pt")
    box.write(".gitattributes", ATTRIBUTES)
    box.write(".gitmodules", '[submodule "evil"]\n\tpath = sub\n\turl = ext::touch% /tmp/evil\n\tupdate = !touch /tmp/evil\n')
    box.commit("second")
    box.ok("push", "--all")
    box.git("push", "-q", "origin", "main", "refs/tags/run/20260101-000000-swift-otter")
    box.git("branch", "-q", "feature", "HEAD~1")
    return place


def spring(place: Path) -> Hostile:
    """Let everything in the clone at `place` run canaries."""
    canaries = place / "canary"
    box = Sandbox(place / "clone")
    gitdir = box.root / ".git"
    own, included = [], []
    for number, key in enumerate(COMMANDS):
        value = f"!{_canary(canaries, key)}" if key == "submodule.evil.update" else _canary(canaries, key)
        (own if number % 2 else included).append((key, value))
    own += [(f"alias.{name}", f"!{_canary(canaries, f'alias.{name}')}") for name in ALIASES]
    own += [(key, value.replace("{canary}", _canary(canaries, key))) for key, value in SWITCHES.items()]
    own += [("core.hooksPath", str(_hooks(canaries, canaries / "hooks"))), ("include.path", "../evil.config")]
    _hooks(canaries, gitdir / "hooks")
    (gitdir / "info").mkdir(exist_ok=True)
    (gitdir / "info/attributes").write_text(ATTRIBUTES)
    (gitdir / "objects/info").mkdir(exist_ok=True)
    (gitdir / "objects/info/alternates").write_text(f"{place / 'up.git/objects'}\n")
    _write(box.root / "evil.config", included)
    with (gitdir / "config").open("a") as stream:
        stream.write(_text(own))
    return Hostile(box, place)


def _canary(folder: Path, name: str) -> str:
    script = folder / name.replace("/", "_").replace(":", "_")
    script.write_text(PAYLOAD.format(name, folder) + ("exec cat\n" if name.startswith("filter") else ""))
    script.chmod(0o755)
    return str(script)


def _hooks(canaries: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name in HOOKS:
        shutil.copy2(_canary(canaries, f"hook-{name}"), folder / name)
    return folder


def _write(path: Path, settings: list[tuple[str, str]]) -> None:
    path.write_text(_text(settings))


def _text(settings: list[tuple[str, str]]) -> str:
    lines = []
    for key, value in settings:
        section, rest = key.split(".", 1)
        middle, _, last = rest.rpartition(".")
        head = f'[{section} "{middle}"]' if middle else f"[{section}]"
        lines.append(f'{head}\n\t{last} = "{value}"\n')
    return "".join(lines)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all tests of a module copy."""
    folder = tmp_path_factory.mktemp("hostile")
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_"))]:
        patch.delenv(name)
    for name, value in {**ENVIRONMENT, "HOME": str(folder / "stage/home")}.items():
        patch.setenv(name, value)
    try:
        return build(folder)
    finally:
        patch.undo()


@pytest.fixture
def hostile(stage: Path, tmp_path: Path) -> Hostile:
    """A fresh copy, with the canaries in place."""
    place = tmp_path / "stage"
    shutil.copytree(stage, place, symlinks=True)
    config = place / "clone/.git/config"
    config.write_text(config.read_text().replace(str(stage), str(place)))
    return spring(place)


def run_safely(hostile: Hostile, *arguments: str) -> subprocess.CompletedProcess[str]:
    """gitmlog in a process of its own, started in the clone."""
    return subprocess.run(
        [sys.executable, "-m", "gitmlog", *arguments],
        cwd=hostile.box.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        stdin=subprocess.DEVNULL,
    )
