"""A bare repository on a server, whose hook is the real one, and somebody who pushes to it by the real git."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import gitmlog
from tests.conftest import Done, Sandbox
from tests.runs import git

SOURCE = Path(gitmlog.__file__).parent.parent


def install(repository: Path, name: str = "pre-receive") -> None:
    """The two lines that a hook comes to."""
    arguments = ' "$@"' if name == "update" else ""
    command = f"PYTHONPATH={shlex.quote(str(SOURCE))} exec {shlex.quote(sys.executable)} -P -m gitmlog hook {name}{arguments}"
    hook = repository / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{command}\n")
    hook.chmod(0o755)


@dataclass(frozen=True)
class Hub:
    """The server's repository, and a clone."""

    path: Path
    box: Sandbox
    store: Path

    def refs(self) -> dict[str, str]:
        """All refs on the server."""
        lines = self.box.git("for-each-ref", "--format=%(refname) %(objectname)", cwd=self.path).splitlines()
        return dict(line.split() for line in lines)

    def push(self, *arguments: str) -> Done:
        """git push, without gitmlog."""
        return self.box.run("git", "push", "origin", *arguments)

    def takes(self, *arguments: str) -> str:
        """The push is taken."""
        done = self.push(*arguments)
        assert done.code == 0, done
        assert "remote: error" not in done.err
        return done.err

    def refuses(self, *arguments: str, words: tuple[str, ...]) -> str:
        """The push is refused, each of these words is said, there is a way out, and no ref moves."""
        before = self.refs()
        done = self.push(*arguments)
        said = " ".join(done.err.split("remote: ")).replace("        \n", "\n")
        assert done.code == 1, done
        assert "Traceback" not in done.err, done
        assert "remote: error: " in done.err, done
        assert "remote: hint: " in done.err, done
        for word in words:
            assert word in said, (word, done.err)
        assert self.refs() == before
        return said

    def policy(self, text: str, signers: str | None = None) -> None:
        """Commit a policy, and push it."""
        self.box.write(".gitmlog/policy.toml", f"version = 1\n{text}")
        if signers is not None:
            self.box.write(".gitmlog/allowed_signers", signers)
        self.box.commit("policy")
        self.takes("main")


def make_hub(box: Sandbox, folder: Path, *, remote: bool = True) -> Hub:
    """A hub that `box` has as origin; it knows its remote unless told not to; `main` has one ordinary commit."""
    hub = Hub(folder / "hub.git", box, folder / "store")
    subprocess.run(["git", "init", "-q", "--bare", str(hub.path)], check=True)
    box.git("remote", "add", "origin", str(hub.path))
    box.write("README", "hello\n")
    box.commit("first")
    hub.takes("main")
    install(hub.path)
    if remote:
        hub.store.mkdir()
        assert box.here("config", "remote.origin.url", str(hub.store), cwd=hub.path).code == 0
        assert box.here("config", "remote.origin.url", str(hub.store)).code == 0
    return hub


def tree(box: Sandbox, *entries: tuple[str, str | bytes, str]) -> str:
    """A tree of git's with these entries (mode, name, object), in this order, whatever git would say to them."""
    raw = b"".join(
        mode.encode() + b" " + (name.encode() if isinstance(name, str) else name) + b"\0" + bytes.fromhex(oid)
        for mode, name, oid in entries
    )
    return git(box, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=raw)


def blob(box: Sandbox, data: bytes = b"x\n") -> str:
    """A blob."""
    return git(box, "hash-object", "-w", "--stdin", data=data)


def commit(box: Sandbox, top: str, *parents: str) -> str:
    """A commit of a tree."""
    return git(box, "commit-tree", top, *(part for parent in parents for part in ("-p", parent)), "-m", "made")
