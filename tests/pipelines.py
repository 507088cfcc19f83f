"""A code host's runner, as far as the templates need one: steps out of the committed YAML, run by bash as the host would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import gitmlog

ROOT = Path(gitmlog.__file__).parent.parent
PYTHON = """#!/bin/sh
case " $* " in
  *" pip install "*)
    case " $* " in
      *" gitmlog=={version} "*) ;;
      *) echo "not the pinned version: $*" >&2; exit 1 ;;
    esac
    pwd > "{bin}/installed-in"
    printf '#!/bin/sh\\nPYTHONPATH="{root}" exec "{python}" -P -m gitmlog "$@"\\n' > "{bin}/gitmlog"
    chmod +x "{bin}/gitmlog" ;;
  *) exec "{python}" "$@" ;;
esac
"""
"""Python as `setup-python` would give it; the installation by name and version is mapped to this checkout's package."""


@dataclass
class Runner:
    """One machine for one job; everything on it is below `place`.

    Attributes:
        token: what the job may use.
        artifacts: what was uploaded, by name.
        log: what the steps printed.
        environments: the variables that each step was given, by its name.
    """

    place: Path
    token: str
    artifacts: dict[str, Path] = field(default_factory=dict)
    log: str = ""
    environments: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("bin", "temp", "home", "workspace"):
            (self.place / name).mkdir(parents=True)
        text = PYTHON.format(version=gitmlog.__version__, bin=self.place / "bin", root=ROOT, python=sys.executable)
        (self.place / "bin/python").write_text(text)
        (self.place / "bin/python").chmod(0o755)

    def base_environment(self) -> dict[str, str]:
        """What any step has."""
        return {
            "PATH": f"{self.place / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.place / "home"),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.place / "temp"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "CI": "true",
        }

    def bash(self, script: str, env: dict[str, str], *, strict: bool) -> int:
        """Run one script as the host does; returns its exit code."""
        file = self.place / "script.sh"
        file.write_text(script)
        options = ["--noprofile", "--norc", *(["-eo", "pipefail"] if strict else [])]
        done = subprocess.run(
            ["bash", *options, str(file)],
            cwd=self.place / "workspace",
            env={**self.base_environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=120,
        )
        self.log += done.stdout.decode("utf-8", "replace")
        return done.returncode


def run_github(runner: Runner, workflow: bytes, contexts: dict[str, str], env: dict[str, str]) -> int:
    """The steps of the one job; 0, or the exit code of the first that failed. `contexts` are the host's expressions."""
    (job,) = yaml.safe_load(workflow)["jobs"].values()
    contexts = {**contexts, "github.token": runner.token, "runner.temp": str(runner.place / "temp")}
    failed = 0
    for step in job["steps"]:
        condition = str(step.get("if", "")).strip("${} ")
        assert condition in ("", "!cancelled()")
        if failed and not condition:
            continue
        if "uses" in step:
            _use(runner, step, contexts)
            continue
        output = runner.place / "output"
        output.write_text("")
        own = {name: _filled(str(text), contexts) for name, text in step.get("env", {}).items()}
        given = {**env, "RUNNER_TEMP": str(runner.place / "temp"), "GITHUB_OUTPUT": str(output), **own}
        runner.environments[step["name"]] = given
        failed = runner.bash(step["run"], given, strict=True) or failed
        for line in output.read_text().splitlines():
            name, _, text = line.partition("=")
            contexts[f"steps.{step.get('id')}.outputs.{name}"] = text
    return failed


def _use(runner: Runner, step: dict[str, Any], contexts: dict[str, str]) -> None:
    """What each action that the template uses does. Another one: say here what it does."""
    action = step["uses"].partition("@")[0]
    if action == "actions/setup-python":
        assert step["with"]["python-version"]
    elif action == "actions/upload-artifact":
        source = Path(_filled(step["with"]["path"], contexts))
        if source.exists():
            _keep(runner, step["with"]["name"], source)
    else:
        raise AssertionError(f"the template uses {action}")


def _keep(runner: Runner, name: str, source: Path) -> None:
    target = runner.place / "artifacts" / name
    shutil.copytree(source, target)
    runner.artifacts[name] = target


def _filled(text: str, contexts: dict[str, str]) -> str:
    return re.sub(r"\$\{\{\s*([^}]*?)\s*\}\}", lambda found: contexts[found[1]], text)


def run_gitlab(runner: Runner, workflow: bytes, env: dict[str, str]) -> int:
    """The one job: its script is one shell's."""
    (job,) = yaml.safe_load(workflow).values()
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    given = {**env, **job["variables"], "CI_PROJECT_DIR": str(runner.place / "workspace")}
    code = runner.bash("\n".join(["set -eo pipefail", *job["script"]]), given, strict=False)
    for path in job["artifacts"]["paths"]:
        source = runner.place / "workspace" / path
        if source.exists():
            _keep(runner, job["artifacts"]["name"], source)
    return code


def files_below(folder: Path) -> set[str]:
    """The names of all files there."""
    return {name for _, _, names in os.walk(folder) for name in names}
