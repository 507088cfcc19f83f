"""Random histories and gc without grace: nothing that anything reaches is ever lost, and in the end nothing else is kept."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gitmlog.core.digest import ObjectId, hash_bytes
from gitmlog.ops.add import add
from gitmlog.ops.checkout import checkout
from gitmlog.ops.gc import GcOptions, gc
from gitmlog.repo.workspace import Workspace

NAMES = st.sampled_from(["a.bin", "b.bin", "data"])
CONTENTS = st.integers(0, 5).map(lambda number: f"content {number}".encode())


class Repository(RuleBasedStateMachine):
    """The model: for each way that git keeps a commit, the metafiles' objects that were there when it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="gitmlog-gc-")).resolve()
        self.now: dict[str, set[ObjectId]] = {}
        self.branches: dict[str, dict[str, set[ObjectId]]] = {}
        self.history: dict[str, set[ObjectId]] = {}
        self.stashes: list[set[ObjectId]] = []
        self.branch = "main"
        self.number = 0

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def git(self, *arguments: str) -> None:
        command = ["git", "-c", "gc.auto=0", *arguments]
        subprocess.run(command, cwd=self.root, check=True, capture_output=True)

    def ws(self) -> Workspace:
        return Workspace.open(self.root)

    @initialize()
    def begin(self) -> None:
        self.git("init", "-q", "-b", "main")
        self.git("config", "core.logAllRefUpdates", "false")
        (self.root / "README").write_text("x")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        self.history["main"] = set()
        self.branches["main"] = {}

    @rule(name=NAMES, data=CONTENTS, more=CONTENTS)
    def add(self, name: str, data: bytes, more: bytes) -> None:
        files = {"one": data, "two": more} if name == "data" else {"": data}
        for part, text in files.items():
            path = self.root / name / part if part else self.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text)
        ws = self.ws()
        done = add(ws, [name], self.root)
        ws.state.close()
        self.now[name] = {done.added[0].oid, *map(hash_bytes, files.values())}

    @rule()
    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "more")
        self.branches[self.branch] = dict(self.now)
        self.history[self.branch] = self.history[self.branch] | set().union(*self.now.values())

    @rule()
    def new_branch(self) -> None:
        self.number += 1
        old, self.branch = self.branch, f"b{self.number}"
        self.git("checkout", "-q", "-b", self.branch)
        self.history[self.branch] = set(self.history[old])
        self.branches[self.branch] = dict(self.branches[old])

    @precondition(lambda self: len(self.branches) > 1)
    @rule(which=st.integers(0, 9))
    def leave_and_delete_branch(self, which: int) -> None:
        old = self.branch
        target = sorted(set(self.branches) - {old})[which % (len(self.branches) - 1)]
        self.git("checkout", "-q", "-f", target)
        self.git("clean", "-q", "-f", "-d")
        self.git("branch", "-q", "-D", old)
        del self.branches[old], self.history[old]
        self.branch, self.now = target, dict(self.branches[target])
        (self.root / ".git/ORIG_HEAD").unlink(missing_ok=True)

    @precondition(lambda self: self.now != self.branches.get(self.branch))
    @rule()
    def stash(self) -> None:
        self.git("add", "-A")
        self.git("stash", "-q")
        self.git("clean", "-q", "-f", "-d")  # .gitignore went into the stash, so `git add -A` would commit the bytes themselves
        self.stashes.append(set().union(*self.now.values()))
        self.now = dict(self.branches[self.branch])
        (self.root / ".git/ORIG_HEAD").unlink(missing_ok=True)

    @precondition(lambda self: self.stashes)
    @rule()
    def drop_stash(self) -> None:
        self.git("stash", "drop", "-q")
        self.stashes.pop()

    @rule(grace=st.sampled_from([0, 1]))
    def collect(self, grace: int) -> None:
        ws = self.ws()
        report = gc(ws, GcOptions(prune=True, grace=grace, unpushed=True))
        ws.state.close()
        assert set(ws.cache) == self.reached(), report
        if grace == 0:
            assert report.trash.objects == 0

    def reached(self) -> set[ObjectId]:
        return set().union(*self.now.values(), *self.history.values(), *self.stashes)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not self.branches:
            return
        cache = self.ws().cache
        for oid in self.reached():
            with cache.open(oid) as stream:
                assert hash_bytes(stream.read()) == oid

    @precondition(lambda self: self.now)
    @rule()
    def check_out(self) -> None:
        ws = self.ws()
        checkout(ws, [], self.root, force=True)
        ws.state.close()


Repository.TestCase.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRepository = Repository.TestCase
