"""The very steps of the templates, against git's own servers with a pre-receive hook, and the hosts' comments on loopback."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.gitservers import ACCEPTS, GitServer, bare_repository, git_http, pushed, ssh_command
from tests.hosts import TOKEN, HostServer, github, gitlab
from tests.pipelines import Runner, files_below, run_github, run_gitlab
from tests.servers import Ssh, sshd

pytestmark = pytest.mark.long


@pytest.fixture
def http(tmp_path: Path) -> Iterator[GitServer]:
    """A server with one repository, team/models."""
    root = tmp_path / "srv"
    (root / "team").mkdir(parents=True)
    bare_repository(root / "team/models", ACCEPTS)
    (root / "team/models.git").symlink_to("models")
    with git_http(root) as server:
        yield server


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ssh]:
    with sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def upstream(http: GitServer, make_sandbox: object) -> Sandbox:
    """A maintainer's clone: tracked files and both workflows, pushed to main."""
    box: Sandbox = make_sandbox("maintainer")  # type: ignore[operator]
    assert box.here("init").code == 0
    for path, text in (("model.pt", "weights one"), ("data/a.csv", "a"), ("data/b.csv", "b")):
        box.write(path, text)
    assert box.here("add", "--type", "model", "model.pt").code == 0
    assert box.here("add", "data").code == 0
    for host in ("github", "gitlab"):
        assert box.here("ci", "init", host).code == 0
    box.commit("first")
    assert box.here("remote", "add", "lab", "../objects").code == 0
    assert box.here("push").code == 0
    box.git("remote", "add", "origin", f"{http.url}/team/models")
    box.git("push", "-q", "origin", "main")
    return box


def contribute(http: GitServer, place: Path, way: str, ssh: Ssh | None = None, base: str = "main") -> Sandbox:
    """A contributor's clone by HTTP or ssh, on a branch."""
    bare = http.root / "team/models"
    if way == "ssh":
        assert ssh is not None
        url = f"ssh://{ssh.user}@127.0.0.1{bare}"
        options = ["-c", f"core.sshCommand={ssh_command(ssh)}"]
    else:
        url, options = f"{http.url}/team/models", []
    subprocess.run(["git", *options, "clone", "-q", "-b", base, url, str(place)], check=True)
    box = Sandbox(place)
    if way == "ssh":
        assert ssh is not None
        box.git("config", "core.sshCommand", ssh_command(ssh))
    box.git("switch", "-q", "-c", "better")
    return box


def guard(http: GitServer) -> None:
    """From now on the server judges pushes; the hook that was there writes down what was pushed, as before."""
    Sandbox(http.root / "team/models").ok("hooks", "install")


def propose(http: GitServer, box: Sandbox) -> None:
    """Push the branch; the host keeps its end as the head of pull request 7, and of merge request 7."""
    box.git("push", "-q", "origin", "HEAD:better")
    bare = http.root / "team/models"
    for ref in ("refs/pull/7/head", "refs/merge-requests/7/head"):
        box.run("git", "-C", str(bare), "update-ref", ref, "refs/heads/better", check=True)


def change(box: Sandbox) -> None:
    """A better model, and more data."""
    assert box.here("pull").code == 0
    box.write("model.pt", "weights two, which are longer")
    box.write("data/c.csv", "c")
    assert box.here("add", "--type", "model", "model.pt").code == 0
    assert box.here("add", "data").code == 0
    box.commit("better")


def committed(http: GitServer, path: str, base: str = "main") -> bytes:
    """A file as the server has it on the base: the host takes the workflow from there."""
    bare = str(http.root / "team/models")
    return subprocess.run(["git", "-C", bare, "cat-file", "blob", f"{base}:{path}"], check=True, capture_output=True).stdout


def on_github(http: GitServer, api: HostServer, place: Path, base: str = "main") -> tuple[Runner, int]:
    runner = Runner(place, TOKEN)
    env = {"GITHUB_SERVER_URL": http.url, "GITHUB_REPOSITORY": "team/models", "GITHUB_API_URL": api.url}
    contexts = {"github.event.pull_request.base.ref": base, "github.event.pull_request.number": "7"}
    return runner, run_github(runner, committed(http, ".github/workflows/gitmlog.yml", base), contexts, env)


def on_gitlab(http: GitServer, api: HostServer, place: Path, *, token: str = TOKEN, base: str = "main") -> tuple[Runner, int]:
    runner = Runner(place, token)
    env = {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_SERVER_URL": http.url,
        "CI_API_V4_URL": api.url,
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_PROJECT_PATH": "team/models",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": base,
        "CI_JOB_TOKEN": "job-secret-0123",
        "CI_REPOSITORY_URL": f"{http.url}/team/models.git",
    }
    given = {**env, **({"GITMLOG_TOKEN": token} if token else {})}
    return runner, run_gitlab(runner, committed(http, ".gitlab/gitmlog.yml", base), given)


def check_report(runner: Runner, *, attention: bool = False) -> dict[str, object]:
    found: dict[str, object] = json.loads((runner.artifacts["gitmlog-report"] / "report.json").read_text())
    assert (found["version"], found["attention"]) == (1, attention)
    assert TOKEN not in runner.log
    return found


@pytest.mark.parametrize("way", ["http", "ssh"])
@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_a_pull_request_gets_one_comment(
    http: GitServer, upstream: Sandbox, ssh: Ssh, tmp_path: Path, way: str, host: str
) -> None:
    guard(http)
    box = contribute(http, tmp_path / "contributor", way, ssh)
    change(box)
    done = box.run("git", "push", "-q", "origin", "HEAD:better")
    assert done.code != 0, "without its objects"
    assert "model.pt" in done.err and "gitmlog push" in done.err
    assert box.here("push").code == 0
    propose(http, box)
    assert pushed(http.root / "team/models") == ["refs/heads/main", "refs/heads/better", "refs/heads/better"]
    with github() if host == "github" else gitlab() as api:
        run = on_github if host == "github" else on_gitlab
        runner, code = run(http, api, tmp_path / "first")
        assert code == 0, runner.log
        assert [each["change"] for each in check_report(runner)["paths"]] == ["changed", "changed"]  # type: ignore[attr-defined]
        (comment,) = api.comments
        assert "`model.pt` 29 B, was 11 B" in comment["body"]
        assert "`data` 3 files, 3 B, was 2 files, 2 B" in comment["body"]
        box.write("model.pt", "weights three")
        assert box.here("add", "--type", "model", "model.pt").code == 0
        box.commit("again")
        assert box.here("push").code == 0
        propose(http, box)
        runner, code = run(http, api, tmp_path / "second")
        assert code == 0, runner.log
        (comment,) = api.comments
        assert "`model.pt` 13 B, was 11 B" in comment["body"]
    assert any(text.startswith("Basic ") for text in http.authorizations), "the fetch bears the job's token"


def test_the_step_that_reads_has_no_token(http: GitServer, upstream: Sandbox, tmp_path: Path) -> None:
    box = contribute(http, tmp_path / "contributor", "http")
    change(box)
    propose(http, box)
    with github() as api:
        runner, code = on_github(http, api, tmp_path / "job")
    assert code == 0, runner.log
    holders = {name for name, env in runner.environments.items() if TOKEN in " ".join(env.values())}
    assert holders == {"Fetch", "Comment"}
    assert not {"model.pt.gitmlog", "data.gitmlog"} & files_below(tmp_path / "job"), "nothing was checked out"
    for file in (tmp_path / "job").rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file


def test_attention_is_told_after_the_comment(http: GitServer, upstream: Sandbox, tmp_path: Path) -> None:
    """A large file, which the clone leaves out, and a metafile that is none."""
    box = contribute(http, tmp_path / "contributor", "http")
    box.write("raw.bin", b"\0" * (11 << 20))
    box.write("bad.gitmlog", "no metafile\n")
    box.commit("oops")
    propose(http, box)
    with github() as api, gitlab() as other:
        for number, (run, server) in enumerate(((on_github, api), (on_gitlab, other))):
            runner, code = run(http, server, tmp_path / f"job{number}")  # type: ignore[operator]
            assert code == 4, runner.log
            found = check_report(runner, attention=True)
            assert [(each["path"], each["exact"]) for each in found["large"]] == [("raw.bin", False)]  # type: ignore[attr-defined]
            assert [each["path"] for each in found["unreadable"]] == ["bad.gitmlog"]  # type: ignore[attr-defined]
            assert "10.5 MB or more" in server.comments[0]["body"]


def test_a_fork_s_pipeline_on_gitlab_has_no_token(http: GitServer, upstream: Sandbox, tmp_path: Path) -> None:
    box = contribute(http, tmp_path / "contributor", "http")
    change(box)
    propose(http, box)
    with gitlab() as api:
        runner, code = on_gitlab(http, api, tmp_path / "job", token="")
        assert code == 0, runner.log
        assert "artifact gitmlog-report only" in runner.log
        assert (api.comments, api.requests) == ([], [])
    check = json.loads((runner.artifacts["gitmlog-report"] / "report.json").read_text())
    assert len(check["paths"]) == 2


def hostile_files(canary: Path) -> dict[str, str]:
    """What runs when somebody checks out, installs, tests or imports what the pull request brings."""
    touch = f"touch {shlex.quote(str(canary))}"
    python = f"open({str(canary)!r}, 'w').close()\n"
    workflow = f"on: pull_request_target\njobs:\n  x:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {touch}\n"
    return {
        ".gitattributes": "* filter=evil diff=evil merge=evil text eol=crlf\n",
        ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "{touch}"\n\tupdate = !{touch}\n',
        ".gitconfig": f'[core]\n\tfsmonitor = {touch}\n\tsshCommand = {touch}\n[filter "evil"]\n\tsmudge = {touch}\n',
        "hooks/post-checkout": f"#!/bin/sh\n{touch}\n",
        "sitecustomize.py": python,
        "usercustomize.py": python,
        "conftest.py": python,
        "setup.py": python,
        "gitmlog/__init__.py": python,
        "gitmlog/__main__.py": python,
        "pip/__init__.py": python,
        "pip/__main__.py": python,
        "yaml.py": python,
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n',
        "Makefile": f"all:\n\t{touch}\n",
        ".envrc": f"{touch}\n",
        ".gitmlog/config.toml": '[remote.evil]\nurl = "ssh://evil.example/x"\n',
        ".github/workflows/gitmlog.yml": workflow,
        ".gitlab/gitmlog.yml": f"gitmlog:\n  script: [{touch}]\n",
        f"$({touch})`{touch}`.gitmlog".replace("/", "∕"): "no metafile\n",
        "-rf.gitmlog": "no metafile\n",
    }


def test_nothing_of_a_hostile_pull_request_runs(http: GitServer, upstream: Sandbox, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    box = contribute(http, tmp_path / "contributor", "http")
    for path, text in hostile_files(canary).items():
        box.write(path, text).chmod(0o755)
    box.git("add", "-A", "-f")
    box.git("commit", "-q", "-m", f"$(touch {canary})")
    propose(http, box)
    with github() as api, gitlab() as other:
        for number, (run, server) in enumerate(((on_github, api), (on_gitlab, other))):
            runner, code = run(http, server, tmp_path / f"job{number}")  # type: ignore[operator]
            assert code == 4, runner.log
            check_report(runner, attention=True)
            assert not {"sitecustomize.py", "Makefile", "__main__.py"} & files_below(tmp_path / f"job{number}")
            assert len(server.comments) == 1
            assert "addresses of remotes" in server.comments[0]["body"]
    assert not canary.exists()


def test_a_base_branch_with_a_hostile_name(http: GitServer, upstream: Sandbox, tmp_path: Path) -> None:
    """Who may push branches chooses their names; the shell never sees one but in quotes."""
    base = 'x";touch${IFS}canary;"$(touch${IFS}canary)`touch${IFS}canary`'
    upstream.git("push", "-q", "origin", f"main:refs/heads/{base}")
    box = contribute(http, tmp_path / "contributor", "http", base=base)
    change(box)
    propose(http, box)
    with github() as api, gitlab() as other:
        for number, (run, server) in enumerate(((on_github, api), (on_gitlab, other))):
            runner, code = run(http, server, tmp_path / f"job{number}", base=base)  # type: ignore[operator]
            assert code == 0, runner.log
            assert len(server.comments) == 1
    assert "canary" not in files_below(tmp_path / "job0") | files_below(tmp_path / "job1")


def test_git_over_http_takes_bodies_in_every_form(http: GitServer, upstream: Sandbox, tmp_path: Path) -> None:
    """The server of these tests is fit for pushes of any size: in chunks, and gzipped."""
    box = contribute(http, tmp_path / "contributor", "http")
    import random

    box.write("noise.bin", random.Random(1).randbytes(3 << 20))
    box.commit("larger than http.postBuffer")
    propose(http, box)
    assert http.chunked >= 1
    for number in range(400):
        box.git("tag", f"t{number}")
    box.git("push", "-q", "origin", "--tags")
    subprocess.run(["git", "clone", "-q", f"{http.url}/team/models", str(tmp_path / "again")], check=True)
    assert http.gzipped >= 1
    assert "refs/tags/t399" in pushed(http.root / "team/models")
