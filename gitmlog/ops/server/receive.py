"""What the hooks pre-receive and update decide (spec: policy.md, What is checked)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from gitmlog.core.errors import GitmlogError
from gitmlog.ops.server.branches import check_branches
from gitmlog.ops.server.folder import check_folders
from gitmlog.ops.server.objects import check_objects
from gitmlog.ops.server.push import Problems, Push, normal_updates
from gitmlog.ops.server.tags import check_tags
from gitmlog.ops.server.trees import NewTrees
from gitmlog.registry.policy import MAX_BYTES, POLICY_PATH, Policy, parse_policy
from gitmlog.repo.server import Server


def receive(server: Server, asked: Iterable[tuple[str, str | None]]) -> Problems:
    """All that is wrong with a push: each ref with the object that it shall name (None: it shall go). No ref is touched.

    What cannot be checked is wrong.
    """
    problems = Problems()
    try:
        policy = _policy(server)
    except GitmlogError as error:
        hint = f"its administrator repairs {POLICY_PATH} there: without the hook, or by git update-ref"
        problems.add_error(error, hint)
        return problems
    refs = server.git.refs([])
    push = Push(server, policy, refs, normal_updates(server, refs, asked))
    for check in (check_branches, check_tags, check_content):
        try:
            check(push, problems)
        except GitmlogError as error:
            problems.add_error(error)
    return problems


def _policy(server: Server) -> Policy:
    data = server.committed(POLICY_PATH, MAX_BYTES)
    return Policy() if data is None else parse_policy(data)


def check_content(push: Push, problems: Problems) -> None:
    """Trees, and the objects that metafiles and listings name. Raises GitError."""
    new = [update.new for update in push.updates if update.new is not None]
    if not new:
        return
    trees = NewTrees(push, problems)
    trees.read(new)
    listings = check_folders(push.server.git, trees.commits, problems)
    check_objects(push.server, chain(trees.metafiles, listings), trees.is_old_metafile, problems)
