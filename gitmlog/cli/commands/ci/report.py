"""gitmlog ci report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitmlog import __version__
from gitmlog.cli.options import json_option, pass_app, remote_option
from gitmlog.cli.output import App, echo, echo_json
from gitmlog.core.errors import UsageError
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.ci.facts import Report

_ENDINGS = {".md": "md", ".txt": "text", ".json": "json"}


@click.command("report")
@click.argument("range_", metavar="[BASE...HEAD]", default="")
@click.option("--format", "form", type=click.Choice(["text", "md", "json"]), help="How it is written (default text).")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write it there, in the form of its ending: .md, .txt, .json; can be repeated.",
)
@click.option("--check-remote", is_flag=True, help="Ask the remote whether it has the new objects.")
@remote_option
@click.option("--exit-code", is_flag=True, help="Exit with 4 when something needs attention.")
@json_option
@pass_app
def command(
    app: App,
    range_: str,
    form: str | None,
    outputs: tuple[str, ...],
    check_remote: bool,
    remote: str | None,
    exit_code: bool,
    as_json: bool,
) -> int:
    """Say what a branch does to tracked models and data, since it left BASE.

    From git's objects alone: no file is needed in the working tree, none is
    written there. Named are tracked paths, runs, metafiles that cannot be
    read, and large files that went into git itself (config: status.large).
    The settings, and the remote, are those of the base.

    Needs attention: something that cannot be read, an object that the remote
    lacks, a large file in git.

    Markdown fits a comment; JSON has everything (`gitmlog help hosts`).

    \b
    Examples:
      gitmlog ci report
      gitmlog ci report main...feature --check-remote --exit-code
      gitmlog ci report main...HEAD -o report.md -o report.json
    """
    from gitmlog.ops.ci.collect import ReportOptions, report

    if as_json and form not in (None, "json"):
        raise UsageError("--json and --format do not go together", hint="--format json")
    forms = {name: _form(name, form) for name in outputs}
    found = report(app.workspace, ReportOptions(range_, check_remote or remote is not None, remote), progress=app.progress)
    for name, each in forms.items():
        _write(app.base / name, _text(found, each))
    if as_json or (form == "json" and not outputs):
        from gitmlog.ops.ci.document import document

        echo_json(document(found, __version__))
    elif not outputs:
        echo(_text(found, form or "text").rstrip("\n"))
    else:
        from gitmlog.ops.ci.lines import headline

        app.say(headline(found))
    return 4 if exit_code and found.needs_attention else 0


def _form(name: str, form: str | None) -> str:
    found = form or _ENDINGS.get(Path(name).suffix.lower())
    if found is None:
        raise UsageError(f"{display(name)} does not say in which form", kind="bad-format", hint="end it in .md, .txt or .json")
    return found


def _text(report: Report, form: str) -> str:
    if form == "json":
        import json

        from gitmlog.core.shown import escaped
        from gitmlog.ops.ci.document import document

        return escaped(json.dumps(document(report, __version__), ensure_ascii=False, indent=2)) + "\n"
    if form == "md":
        from gitmlog.ops.ci.markdown import markdown

        return markdown(report)
    from gitmlog.ops.ci.text import text

    return text(report)


def _write(path: Path, text: str) -> None:
    from gitmlog.core.atomic import storage_errors, write_atomic

    with storage_errors(f"writing {display(path)}"):
        write_atomic(path, text.encode("utf-8", "replace"))
