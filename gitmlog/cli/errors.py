"""The one place where an error becomes a message, a hint and an exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback

import click

from gitmlog import __version__
from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import GitmlogError, UsageError
from gitmlog.core.shown import escaped, harmless

INTERRUPTED = 130


def boundary(command: click.Command, arguments: list[str]) -> int:
    """Run `command`; whatever happens, print what the user needs and return the exit code."""
    try:
        with storage_errors("working"):
            result = command.main(arguments, prog_name="gitmlog", standalone_mode=False)
        if sys.stdout is not None:  # `>&-`
            sys.stdout.flush()
    except GitmlogError as error:
        return _report(error, arguments)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and newer
            click.echo(error.format_message())
            return error.exit_code
        return _report(_usage_error(error), arguments)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted: nothing half-done is visible; run the command again: it goes on file by file")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # python would complain when it flushes at exit
        return 1
    except Exception:  # noqa: BLE001 - the boundary: a bug is shown as one
        return _report_bug(arguments)
    return result if isinstance(result, int) else 0


def _usage_error(error: click.ClickException) -> GitmlogError:
    ctx = getattr(error, "ctx", None)
    hint = f"`{ctx.command_path} --help` shows how" if ctx is not None else ""
    return UsageError(error.format_message().rstrip("."), hint=hint)


def _report(error: GitmlogError, arguments: list[str]) -> int:
    if isinstance(error.__cause__, BrokenPipeError):
        return 1
    if "--json" in arguments:
        body = {"kind": error.kind, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}
        _say(escaped(json.dumps({"error": body}, ensure_ascii=False)))
    else:
        _say(f"error: {error.message}")
        if error.hint:
            _say(f"hint: {error.hint}")
    return error.exit_code


def _report_bug(arguments: list[str]) -> int:
    _say(traceback.format_exc().rstrip())
    python = ".".join(map(str, sys.version_info[:3]))
    _say(f"error: this is a bug in gitmlog {__version__} (Python {python}, {sys.platform}); nothing was acknowledged")
    _say(f"hint: please report the lines above, and the command: gitmlog {' '.join(arguments)}")
    return 1


def _say(text: str) -> None:
    click.echo(harmless(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")), err=True)
