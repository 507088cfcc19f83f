"""gitmlog runs diff."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gitmlog.cli.columns import cells, cut, harmless, padded, plain, terminal_width
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json, plural
from gitmlog.core.canonical import Plain, lines_of
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.git.treediff import FilePatch
    from gitmlog.ops.runs.find import Found
    from gitmlog.runs.record import RunRecord

_BAR = 30
_META = ("diff --git", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode", "similarity", "rename ")


@click.command("diff")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.argument("paths", nargs=-1, metavar="[PATH]…", type=click.Path(readable=False))
@click.option("--stat", is_flag=True, help="Name the files and count their lines only.")
@json_option
@pass_app
def command(app: App, old: str, new: str, paths: tuple[str, ...], stat: bool, as_json: bool) -> None:
    """Show how the code of run B differs from that of run A, and before it parameters, metrics and data.

    The code is the snapshot, with what was not committed. What is printed can be given to `git apply`.

    \b
    Examples:
      gitmlog runs diff last~1 last
      gitmlog runs diff baseline last --stat
      gitmlog runs diff baseline last train.py
    """
    from gitmlog.ops.runs.codediff import code_patches
    from gitmlog.ops.runs.contents import check_ended
    from gitmlog.ops.runs.find import find

    runs = [find(app.workspace, spec) for spec in (old, new)]
    for run in runs:
        check_ended(run)
    places = [app.workspace.relative(path, app.base) for path in paths]
    patches = code_patches(app.workspace, runs[0], runs[1], places)
    if as_json:
        echo_json(_document(runs, list(patches), stat))
        return
    _say_facts(runs)
    if stat:
        _say_stat(list(patches))
    else:
        for patch in patches:
            _say_patch(patch)


def _document(runs: Sequence[Found], patches: Sequence[FilePatch], stat: bool) -> dict[str, Any]:
    return {
        "old": runs[0].record.id,
        "new": runs[1].record.id,
        "facts": {title: {"old": old, "new": new} for title, old, new in _facts(runs[0].record, runs[1].record)},
        "files": [_file(patch) | ({} if stat else {"patch": patch.text.decode("utf-8", "replace")}) for patch in patches],
    }


def _file(patch: FilePatch) -> dict[str, Any]:
    change = patch.change
    facts = {"path": change.path, "old_path": change.old_path, "kind": change.kind}
    return facts | {"binary": patch.binary, "added": patch.added, "removed": patch.removed}


def _facts(old: RunRecord, new: RunRecord) -> Iterator[tuple[str, list[str], list[str]]]:
    """Title, the lines that only `old` has, those that only `new` has."""
    for title, one, other in (
        ("parameters", old.params, new.params),
        ("metrics", {key: each.last for key, each in old.metrics.items()}, {key: each.last for key, each in new.metrics.items()}),
        ("inputs", _ids(old.inputs), _ids(new.inputs)),
        ("outputs", _ids(old.outputs), _ids(new.outputs)),
    ):
        before, after = _fact_lines(one), _fact_lines(other)
        gone, come = [line for line in before if line not in set(after)], [line for line in after if line not in set(before)]
        if gone or come:
            yield title, gone, come


def _ids(data: Mapping[str, Any]) -> dict[str, str]:
    return {path: (facts.blake3 or facts.git or "")[:12] for path, facts in data.items()}


def _fact_lines(facts: Mapping[str, Plain]) -> list[str]:
    return [plain(line) for line in lines_of(dict(sorted(facts.items())))]


def _say_facts(runs: Sequence[Found]) -> None:
    old, new = (run.record for run in runs)
    for title, gone, come in _facts(old, new):
        echo(click.style(title, bold=True))
        for sign, line in sorted([*(("-", line) for line in gone), *(("+", line) for line in come)], key=_order):
            echo(click.style(f"{sign}{line}", fg="red" if sign == "-" else "green"))
        echo("")


def _order(signed: tuple[str, str]) -> tuple[str, bool]:
    """Old above new, key by key."""
    return signed[1].partition(" = ")[0].strip('"'), signed[0] == "+"


def _say_stat(patches: Sequence[FilePatch]) -> None:
    names = [_name(patch) for patch in patches]
    width = min(max(map(cells, names), default=0), terminal_width() - _BAR - 12)
    most = max((patch.added + patch.removed for patch in patches), default=0)
    scale = min(1.0, _BAR / most) if most else 0.0
    for patch, name in zip(patches, names, strict=True):
        plus, minus = (-(-count * scale // 1) for count in (patch.added, patch.removed))
        signs = (("+" * int(plus), "green"), ("-" * int(minus), "red"))
        bar = "".join(click.style(text, fg=color) for text, color in signs if text)
        count = "binary" if patch.binary else f"{patch.added + patch.removed:>6,}"
        echo(f" {padded(cut(name, width), width)} | {count} {bar}".rstrip())
    added, removed = sum(patch.added for patch in patches), sum(patch.removed for patch in patches)
    echo(
        f" {plural(len(patches), 'file')} changed, {added:,} added, {removed:,} removed (lines)"
        if patches
        else " the code is the same"
    )


def _name(patch: FilePatch) -> str:
    change = patch.change
    moved = change.old_path not in ("", change.path)
    return f"{display(change.old_path)} => {display(change.path)}" if moved else display(change.path)


def _say_patch(patch: FilePatch) -> None:
    """Byte for byte where a program reads it; on a terminal in colour, without what the terminal would obey."""
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(patch.text)
        sys.stdout.buffer.flush()
        return
    in_hunk = False
    for line in patch.text.decode("utf-8", "replace").split("\n")[:-1]:
        in_hunk = in_hunk or line.startswith("@@")
        echo(_styled(harmless(line), in_hunk))


def _styled(line: str, in_hunk: bool) -> str:
    if not in_hunk and line.startswith(_META):
        return click.style(line, bold=True)
    if line.startswith("@@"):
        return click.style(line, fg="cyan")
    return click.style(line, fg={"+": "green", "-": "red"}[line[0]]) if line[:1] in ("+", "-") else line
