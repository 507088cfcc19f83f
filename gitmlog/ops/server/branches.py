"""Protected branches, and the branch that the policy itself is read from."""

from __future__ import annotations

from gitmlog.core.errors import GitmlogError
from gitmlog.ops.server.push import HEADS, Problem, Problems, Push, Update, named
from gitmlog.registry.policy import MAX_BYTES, POLICY_PATH, SIGNERS_PATH, fits_branch, parse_policy
from gitmlog.repo.config import SHARED_PATH, parse_config


def check_branches(push: Push, problems: Problems) -> None:
    """No protected branch goes or is rewound, and no push locks all others out by settings that cannot be read."""
    head = push.server.git.head_branch
    protected = push.policy.protected if push.policy.protected is not None else (head,) if head else ()
    for update in (each for each in push.updates if each.ref.startswith(HEADS)):
        branch = update.ref.removeprefix(HEADS)
        if fits_branch(protected, branch):
            _check_protected(push, update, branch, problems)
        if branch == head and update.new is not None:
            _check_settings(push, update.new, problems)


def _check_protected(push: Push, update: Update, branch: str, problems: Problems) -> None:
    if update.old is None:
        return
    if update.new is None:
        hint = f"it stays; its administrator can change {POLICY_PATH}, or delete it on the server"
        problems.add(Problem(f"branch {named(branch)} is protected: it is not deleted", hint, kind="protected-branch"))
    elif not push.server.git.is_ancestor(update.old, update.new):
        hint = f"take in what is there, then push again: git pull --rebase origin {named(branch)}"
        message = f"branch {named(branch)} is protected: the push would drop commits that are on it (no fast-forward)"
        problems.add(Problem(message, hint, kind="protected-branch"))


def _check_settings(push: Push, commit: str, problems: Problems) -> None:
    """What is broken on this branch would keep every later push out, the repair too."""
    git = push.server.git
    try:
        if (text := git.file_at(commit, POLICY_PATH, MAX_BYTES)) is not None:
            parse_policy(text)
        if (text := git.file_at(commit, SHARED_PATH, MAX_BYTES)) is not None:
            parse_config(text, SHARED_PATH, "shared")
        git.file_at(commit, SIGNERS_PATH, MAX_BYTES)
    except GitmlogError as error:
        problems.add_error(error)
    for path in (POLICY_PATH, SIGNERS_PATH):
        entry = git.entry_at(commit, path)
        if entry is not None and entry[0] & 0o170000 != 0o100000:
            hint = "commit it as a plain file"
            problems.add(Problem(f"{path} is no file", hint, kind="bad-policy"))
