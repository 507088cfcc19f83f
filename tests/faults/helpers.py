"""What the fault tests share: killing a command at one system call, and saying whether a repository is whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from gitmlog.ops.status import Status, status
from gitmlog.repo.workspace import Workspace

GITMLOG = [sys.executable, "-m", "gitmlog"]
IS_ROOT = os.geteuid() == 0
NEEDS_ROOT = not IS_ROOT and not os.environ.get("CI")
"""Mounting wants root. CI has it, and must not skip in silence."""

CHANGING = [
    *("write", "pwrite64", "writev", "copy_file_range", "sendfile", "ftruncate", "truncate", "fsync", "fdatasync", "syncfs"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat"),
    *("rmdir", "chmod", "fchmod", "fchmodat"),
]
"""System calls that change something on a disk; openat is counted only with O_CREAT."""

_LINE = re.compile(r"(\d+) +(\w+)\((.*)")


@dataclass(frozen=True)
class Point:
    """The n-th call of one system call by one thread: where SIGKILL strikes, before the call is carried out."""

    syscall: str
    ordinal: int
    child: bool = False

    def __str__(self) -> str:
        return f"{'git ' if self.child else ''}{self.syscall}#{self.ordinal}"


def environment() -> dict[str, str]:
    """The caller's (hermetic) environment, with no noise in what is counted."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


def call(command: Iterable[str], cwd: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run to the end."""
    env = {**environment(), **more}
    return subprocess.run(list(command), cwd=cwd, env=env, capture_output=True, check=False, timeout=120)


def points_of(command: list[str], cwd: Path, log: Path) -> list[Point]:
    """Run `command` once, whole, and list every call that changes something, in the order they were made."""
    traced = ",".join(["openat", "execve", *CHANGING])
    done = call(
        ["strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={traced}", "-e", "signal=none", "-o", str(log), *command], cwd
    )
    assert done.returncode == 0, done
    seen: Counter[tuple[str, str]] = Counter()
    children: set[str] = set()
    found = []
    for line in log.read_text(errors="replace").splitlines():
        if not (match := _LINE.match(line)):
            continue
        thread, syscall, rest = match.groups()
        if syscall == "execve":
            if '/git"' in rest and "= -1" not in rest:
                children.add(thread)
                seen = Counter({key: count for key, count in seen.items() if key[0] != thread})
            continue
        seen[thread, syscall] += 1
        if syscall != "openat" or "O_CREAT" in rest:
            found.append(Point(syscall, seen[thread, syscall], thread in children))
    return found


def spread(points: list[Point], count: int) -> list[Point]:
    """`count` of them, evenly, the first and the last among them."""
    if count >= len(points):
        return points
    if count == 1:
        return [points[len(points) // 2]]
    return [points[round(index * (len(points) - 1) / (count - 1))] for index in range(count)]


def kill_at(point: Point, command: list[str], cwd: Path, tools: Path) -> bool:
    """Run `command` and kill it at `point`; False when it ended before it came there.

    A point of git's own is reached by a `git` in PATH that is killed itself: gitmlog goes on and has to cope.
    """
    inject = ["-qq", "-e", f"trace={point.syscall}", "-e", f"inject={point.syscall}:signal=SIGKILL:when={point.ordinal}"]
    strace = ["strace", "-f", "-o", "/dev/null", *inject]  # --seccomp-bpf loses the injected signal (strace 6.1)
    if not point.child:
        return call([*strace, *command], cwd).returncode == -9
    mark = tools / "killed"
    mark.unlink(missing_ok=True)
    git = shutil.which("git")
    script = f'#!/bin/sh\n{" ".join(strace)} {git} "$@"\ncode=$?\n[ $code -lt 128 ] || touch {mark}\nexit $code\n'
    (tools / "git").write_text(script)
    (tools / "git").chmod(0o755)
    done = call(command, cwd, PATH=f"{tools}:{os.environ['PATH']}")
    assert done.returncode in (0, 1), done
    assert b"Traceback" not in done.stderr, done
    return mark.exists()


def visible(root: Path) -> set[str]:
    """Every file in the working tree, git's own folder apart."""
    return {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, folders, names in os.walk(root)
        if ".git" not in Path(folder).relative_to(root).parts
        for name in [*names, *(entry for entry in folders if os.path.islink(os.path.join(folder, entry)))]
    }


def objects_in(store: Path) -> Iterator[tuple[str, Path]]:
    """The objects below `store` (a cache or a folder remote), each with its id."""
    for path in (store / "objects").glob("??/*"):
        yield path.parent.name + path.name, path


def assert_store_whole(store: Path) -> None:
    """Everything under an object's name is that object."""
    for oid, path in objects_in(store):
        assert blake3(path.read_bytes()).hexdigest() == oid, f"{path} is not what its name says"


def named_by(texts: Iterable[bytes], store: Path) -> set[str]:
    """The ids that these metafiles name, with those in their trees."""
    named = set()
    for text in texts:
        for oid in re.findall(r'"([0-9a-f]{64})"', text.decode()):
            named.add(oid)
            tree = store / "objects" / oid[:2] / oid[2:]
            if b"[directory]" in text and tree.exists():
                named |= set(re.findall(r"^[-xl] ([0-9a-f]{64}) ", tree.read_text(), re.MULTILINE))
    return named


def metafile_texts(root: Path) -> list[bytes]:
    """Those in the working tree and those in the index."""
    names = call(["git", "ls-files", "-z", "--", "*.gitmlog"], root).stdout.split(b"\0")
    staged = [call(["git", "cat-file", "blob", b":" + name], root).stdout for name in names if name]  # type: ignore[list-item]
    return staged + [path.read_bytes() for path in root.rglob("*.gitmlog") if path.is_file() and ".git" not in path.parts]


def assert_named_is_whole(root: Path) -> None:
    """Whoever sees a metafile, staged or not, can rely on its bytes being in the cache."""
    store = root / ".git/gitmlog/cache"
    missing = named_by(metafile_texts(root), store) - {oid for oid, _ in objects_in(store)}
    assert not missing, f"named, and not in the cache: {missing}"


def assert_git_whole(root: Path) -> None:
    """git finds nothing to complain about, and no lock in its way."""
    done = call(["git", "fsck", "--strict", "--no-dangling", "--no-progress"], root)
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(b"notice:")]  # no commit yet
    assert (done.returncode, said) == (0, []), done
    assert not (root / ".git/index.lock").exists()


def assert_no_traces(root: Path) -> None:
    """No folder of a dead process but, at most, one that it had no time to sign: that goes after a minute."""
    for folder in [*(root / ".git/gitmlog/tmp").glob("*"), *(root / ".git/gitmlog/cache/tmp").glob("*")]:
        assert list(folder.iterdir()) == [], f"left behind: {list(folder.iterdir())}"


def status_of(root: Path) -> Status:
    """`gitmlog status`, in this process."""
    ws = Workspace.open(root)
    try:
        return status(ws, [], root)
    finally:
        ws.state.close()
