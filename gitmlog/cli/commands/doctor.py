"""gitmlog doctor."""

from __future__ import annotations

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json


@click.command("doctor")
@click.option("--remote", is_flag=True, help="Ask the configured remotes too: address, network, credentials.")
@json_option
@pass_app
def command(app: App, remote: bool, as_json: bool) -> int:
    """Check this machine and this repository; says what is wrong and what to do. Works outside a repository too.

    Nothing is changed. Exit code 1: there is a problem (a warning is none).

    \b
    Examples:
      gitmlog doctor
      gitmlog doctor --remote
      gitmlog doctor --json
    """
    from gitmlog.ops.doctor import doctor

    checks = doctor(app.base, app.user_config, remote=remote, progress=app.progress)
    if as_json:
        echo_json(checks)
    else:
        for check in checks:
            echo(f"{check.verdict:8} {check.name}: {check.detail}")
            if check.hint:
                echo(f"{'':8} hint: {check.hint}")
    return 1 if any(check.verdict == "problem" for check in checks) else 0
