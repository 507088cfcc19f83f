"""What is recorded beside a run: environment, output, load. Nothing here slows or stops the program."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from gitmlog.core.atomic import read_plain, write_atomic
from gitmlog.core.errors import GitmlogError
from gitmlog.core.secrets import Scrubber
from gitmlog.ops.runs.environment import Wanted, collect, seeds
from gitmlog.ops.runs.folder import MAX_ENVIRONMENT
from gitmlog.ops.runs.live import LiveRun
from gitmlog.ops.runs.output import LogFile, capture
from gitmlog.ops.runs.sampler import Sampler
from gitmlog.repo.workspace import Workspace

_PATIENCE = 10.0
"""Seconds that the end of a run waits for the environment to be known."""


def without(ws: Workspace) -> frozenset[str]:
    """What the configuration says is not recorded."""
    found = ws.config.get("runs.without")
    return frozenset(found) if isinstance(found, list) else frozenset()


def observe(live: LiveRun, variables: Mapping[str, str], scrub: Scrubber, *, capturing: bool, interpreter: str = "") -> None:
    """Begin to record what is around the run; it stops with the run.

    `variables` is the environment; `capturing` keeps what this process prints; `interpreter` is the Python of a program that runs
    on another one than this process.
    """
    left_out = without(live.ws)
    if "output" not in left_out:
        _observe_output(live, scrub, capturing)
    if not left_out >= {"environment", "variables", "seeds"}:
        _observe_environment(live, variables, scrub, left_out, interpreter)
    if "system" not in left_out:
        interval = float(live.ws.config.integer("runs.interval"))
        sampler = Sampler(live.folder.system, interval, variables=variables, trouble=live.trouble_about("the load"))
        sampler.start()
        live.before_end(sampler.stop)


def _observe_output(live: LiveRun, scrub: Scrubber, capturing: bool) -> None:
    log = LogFile(live.folder.log, scrub.stream(), live.ws.config.integer("runs.log"), trouble=live.trouble_about("the output"))
    live.log = log
    live.on_flush(log.flush)
    if capturing:
        live.before_end(capture(log))
    live.before_end(log.close)


def _observe_environment(
    live: LiveRun, variables: Mapping[str, str], scrub: Scrubber, left_out: frozenset[str], interpreter: str
) -> None:
    patterns = live.ws.config.get("runs.variables")
    chosen = tuple(patterns) if isinstance(patterns, list) else ()
    copy = dict(variables)
    wanted = Wanted(live.ws.root, live.ws.git.gitdir, copy, chosen, left_out, scrub, interpreter)
    thread = threading.Thread(target=_collect, args=(live, wanted), name="gitmlog-environment", daemon=True)
    thread.start()

    def wait() -> None:
        thread.join(_PATIENCE)
        if thread.is_alive():
            live.warn(f"the environment is not recorded: it was not known {_PATIENCE:g} s after the end")
        elif "seeds" not in left_out:
            _add_seeds(live, copy)

    live.before_end(wait)


def _collect(live: LiveRun, wanted: Wanted) -> None:
    try:
        found = collect(wanted)
        _write(live, found.environment)
        for text in found.warnings:
            live.warn(text)
    except (OSError, GitmlogError) as error:
        live.trouble("the environment could not be recorded", error)
    except Exception as error:  # noqa: BLE001 - recording what is around a run never breaks it
        live.warn(f"the environment could not be recorded: {type(error).__name__}: {error}")


def _write(live: LiveRun, environment: Mapping[str, Any]) -> None:
    write_atomic(live.folder.environment, json.dumps(environment, ensure_ascii=False).encode("utf-8", "replace"))


def _add_seeds(live: LiveRun, variables: Mapping[str, str]) -> None:
    """A framework that was imported after the start has its seed only now."""
    try:
        found = seeds(variables)
        environment = json.loads(read_plain(live.folder.environment, MAX_ENVIRONMENT))
        known = environment.get("seeds", {})
        if found.keys() - known.keys():
            environment["seeds"] = {**found, **known}
            _write(live, environment)
    except (OSError, ValueError, RecursionError):
        return
