"""The workflow templates: rules that keep them safe, whatever else is changed in them."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

import gitmlog
from gitmlog.ops.ci.init import HOSTS, HostName, template

GITHUB = yaml.safe_load(template("github", gitmlog.__version__))
GITLAB = yaml.safe_load(template("gitlab", gitmlog.__version__))
ON = GITHUB[True]  # YAML 1.1 reads `on` as a boolean; GitHub does not
STEPS: list[dict[str, Any]] = GITHUB["jobs"]["report"]["steps"]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@pytest.mark.parametrize("host", HOSTS)
def test_it_installs_this_very_version(host: HostName) -> None:
    text = template(host, "1.2.3").decode()
    assert "@VERSION@" not in text
    assert re.findall(r'pip install [^\n]*"(gitmlog[^"]*)"', text) == ["gitmlog==1.2.3"]


def test_the_event_takes_the_workflow_from_the_base() -> None:
    assert set(ON) == {"pull_request_target"}


def test_permissions_are_the_least() -> None:
    assert GITHUB["permissions"] == {}
    assert list(GITHUB["jobs"]) == ["report"]
    assert GITHUB["jobs"]["report"]["permissions"] == {"contents": "read", "pull-requests": "write"}


def test_no_command_holds_an_expression() -> None:
    """`${{ … }}` in `run:` is replaced before the shell reads it: a branch's name would be a command."""
    for step in STEPS:
        assert EXPRESSION.findall(str(step.get("run", ""))) == [], step["name"]
        assert EXPRESSION.findall(str(step.get("name", ""))) == []


def test_only_harmless_facts_of_the_event_are_used() -> None:
    used = set(EXPRESSION.findall(yaml.safe_dump(GITHUB)))
    assert used <= {
        "github.event.pull_request.number",
        "github.event.pull_request.base.ref",
        "github.token",
        "runner.temp",
        "steps.report.outputs.code",
        "!cancelled()",
    }


def test_nothing_is_checked_out() -> None:
    for text in (template("github", "1").decode(), template("gitlab", "1").decode()):
        commands = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        assert not re.search(
            r"actions/checkout|git (checkout|switch|clone|worktree|merge|pull|reset|restore|submodule)", commands
        )
    assert GITLAB["gitmlog"]["variables"] == {"GIT_STRATEGY": "none"}


def test_actions_are_pinned_by_commit_with_their_tag() -> None:
    lines = [line for line in template("github", "1").decode().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: actions/[a-z-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+$", line), line


def test_the_token_is_only_where_it_must_be() -> None:
    holders = [step["name"] for step in STEPS if "github.token" in yaml.safe_dump(step)]
    assert holders == ["Fetch", "Comment"]
    assert "secrets." not in template("github", "1").decode()


def test_python_looks_at_no_folder_of_the_job() -> None:
    """`python -m` would import from the current folder."""
    for text in (template("github", "1").decode(), template("gitlab", "1").decode()):
        assert re.findall(r"python3? (?!-I )", re.sub(r"#.*", "", text)) == []


def test_the_shell_quotes_every_variable() -> None:
    scripts = [step["run"] for step in STEPS if "run" in step] + GITLAB["gitmlog"]["script"]
    for script in scripts:
        plain = re.sub(r'\$\([^"()]*"\$\w+"[^"()]*\)', "", re.sub(r"#.*", "", script))  # "$( … "$X" … )": quoted in itself
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", plain)
        assert re.findall(r"\$[A-Za-z{]\w*", bare) == [], script
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_gitlab_runs_for_merge_requests_alone() -> None:
    assert list(GITLAB) == ["gitmlog"]
    job = GITLAB["gitmlog"]
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    assert job["artifacts"]["when"] == "always"
    reading = next(each for each in job["script"] if "ci report" in each)
    assert "env -u GITMLOG_TOKEN -u CI_JOB_TOKEN -u CI_REPOSITORY_URL" in reading


def test_no_package_index_is_named() -> None:
    for host in HOSTS:
        assert not re.search(r"index-url|pypi", template(host, "1").decode(), re.IGNORECASE)
