"""prepare-commit-msg: what happens to models, datasets and runs, below what the user wrote."""

from __future__ import annotations

import re
from pathlib import Path

from gitmlog.core.errors import GitmlogError
from gitmlog.core.paths import METAFILE_SUFFIX, display
from gitmlog.git.staged import StagedChange, staged_changes
from gitmlog.metafile.change import Kind, MetafileChange, in_words, pair_renames
from gitmlog.metafile.schema import Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.repo.workspace import Workspace

_FOLDER = ".gitmlog/runs"
_MOST = 10
_LONGEST = 100
_CUT = f"{'-' * 24} >8 {'-' * 24}"
_RUN = re.compile(rf"{re.escape(_FOLDER)}/([^/]+)/run\.toml")
_TRAILER = re.compile(r"[A-Za-z][A-Za-z0-9-]*: .*|\(cherry picked from commit [0-9a-f]+\)|\s.*")
_ANSWERED = ("CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


def summary(ws: Workspace, index: Path | None = None) -> list[str]:
    """A line for each tracked path and run that the commit changes; at most ten, then how many more. Raises GitError."""
    found = staged_changes(ws.git, index, patterns=[f"*{METAFILE_SUFFIX}", f"{_FOLDER}/*/run.toml"])
    lines = [*_of_metafiles(ws, [each for each in found if each.path.endswith(METAFILE_SUFFIX)]), *_of_runs(ws, found)]
    return lines if len(lines) <= _MOST else [*lines[: _MOST - 1], f"and {len(lines) - _MOST + 1} more"]


def _of_metafiles(ws: Workspace, changes: list[StagedChange]) -> list[str]:
    return [_cut(f"{display(each.path)}: {in_words(each)}") for each in pair_renames(_change(ws, change) for change in changes)]


def _change(ws: Workspace, each: StagedChange) -> MetafileChange:
    kind: Kind = "added" if each.is_new else "removed" if each.is_gone else "changed"
    path = each.path.removesuffix(METAFILE_SUFFIX)
    return MetafileChange(path, kind, _read(ws, each.old, each), _read(ws, each.new, each))


def _read(ws: Workspace, blob: str, change: StagedChange) -> Metafile | None:
    try:
        return parse_metafile(ws.git.blob_of(blob), change.path) if blob else None
    except GitmlogError:
        return None


def _of_runs(ws: Workspace, changes: list[StagedChange]) -> list[str]:
    lines = []
    for each in changes:
        found = _RUN.fullmatch(each.path)
        if found is None or not each.is_new:
            continue
        from gitmlog.runs.record import parse_run

        try:
            record = parse_run(ws.git.blob_of(each.new), each.path)
        except GitmlogError:
            continue
        metrics = "".join(f", {name} {facts.last:.4g}" for name, facts in sorted(record.metrics.items())[:4])
        lines.append(_cut(f"run {record.id}: {record.status}{metrics}"))
    return lines


def _cut(line: str) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in line)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"


def is_replayed(ws: Workspace) -> bool:
    """Whether the message was written before: git picks, reverts or rebases a commit."""
    return any((ws.git.gitdir / name).exists() for name in _ANSWERED)


def with_summary(message: str, lines: list[str], *, as_comment: bool, sign: str = "#") -> str:
    """The message with the summary: a paragraph above the trailers, or comments above git's own, for the user to look at.

    `sign` begins a comment; "" says that none is one. A message that is empty stays so: git shall not commit.
    """
    if not lines or "\n".join(lines) in message:
        return message
    text, comments = _split_comments(message, sign, below_cut=as_comment) if sign else (message, "")
    if as_comment:
        block = "".join(f"{sign}\t{line}\n" for line in lines)
        return f"{text}{sign} Models and data:\n{block}{sign}\n{comments}" if comments else message
    if not text.strip():
        return message
    paragraphs = text.rstrip("\n").split("\n\n")
    trailers = [paragraphs.pop()] if len(paragraphs) > 1 and _are_trailers(paragraphs[-1]) else []
    return "\n\n".join([*paragraphs, "\n".join(lines), *trailers]) + "\n" + comments


def _split_comments(message: str, sign: str, *, below_cut: bool) -> tuple[str, str]:
    """The text, and git's comments. `below_cut`: with `commit.cleanup=scissors` only what stands below its line is a comment."""
    lines = message.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if line.startswith(sign)), len(lines))
    if below_cut:
        start = next((number + 1 for number, line in enumerate(lines) if line.strip() == f"{sign} {_CUT}"), start)
    return "".join(lines[:start]), "".join(lines[start:])


def _are_trailers(paragraph: str) -> bool:
    lines = paragraph.splitlines()
    return bool(lines) and all(_TRAILER.fullmatch(line) for line in lines) and not lines[0][:1].isspace()


def comment_sign(ws: Workspace) -> str:
    """What begins a comment in a message (core.commentChar); "" when git chooses it only afterwards."""
    config = ws.git.handle.config
    sign = config["core.commentchar"] if "core.commentchar" in config else "#"  # noqa: SIM401 - it has no get
    return "" if sign == "auto" else sign or "#"
