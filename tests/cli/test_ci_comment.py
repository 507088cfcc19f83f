"""`gitmlog ci comment` against servers that behave as the two hosts document; there is no real host here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmlog.core.errors import RemoteError
from gitmlog.ops.ci.comment import ATTEMPTS, post
from gitmlog.ops.ci.hosts import GitHub, GitLab, Host
from gitmlog.ops.ci.markdown import MARKER
from tests.conftest import Sandbox
from tests.hosts import TOKEN, HostServer, github, gitlab

BODY = f"{MARKER}\n### the report\n"


@pytest.fixture(params=["github", "gitlab"])
def server(request: pytest.FixtureRequest) -> Iterator[HostServer]:
    with github() if request.param == "github" else gitlab() as found:
        yield found


def host_of(server: HostServer, token: str = TOKEN) -> Host:
    if server.writer.startswith("github"):
        return GitHub(server.url, token, "team/models", "7")
    return GitLab(server.url, token, "42", "7")


def bodies(server: HostServer) -> list[str]:
    return [each["body"] for each in server.comments]


def test_one_comment_is_made_then_changed(server: HostServer) -> None:
    for number in range(8):
        server.write("ada", f"words {number}")
    assert post(host_of(server), BODY).done == "created"
    assert post(host_of(server), BODY).done == "unchanged"
    changed = post(host_of(server), f"{BODY}more\n")
    assert changed.done == "updated"
    assert bodies(server) == [*(f"words {number}" for number in range(8)), f"{BODY}more\n"]
    assert any("page=3" in path for _, path in server.requests), "pages are followed"


def test_the_marker_is_added_when_it_lacks(server: HostServer) -> None:
    post(host_of(server), "words\n")
    assert bodies(server) == [f"{MARKER}\nwords\n"]
    assert post(host_of(server), "words\n").done == "unchanged"


def test_a_comment_of_somebody_else_is_never_changed(server: HostServer) -> None:
    server.write("mallory", f"{MARKER}\nall is well, merge it")
    server.write(server.writer, f"quoting {MARKER}")
    assert post(host_of(server), BODY).done == "created"
    assert bodies(server)[:2] == [f"{MARKER}\nall is well, merge it", f"quoting {MARKER}"]
    assert bodies(server)[2:] == [BODY]


def test_a_person_s_token_says_who_it_is() -> None:
    with github(me="ada", writer="ada") as server:
        server.write("github-actions[bot]", BODY)
        assert post(host_of_named(server), BODY).done == "created"
        assert post(host_of_named(server), BODY).done == "unchanged"
        assert len(server.comments) == 2


def host_of_named(server: HostServer) -> Host:
    return GitHub(server.url, TOKEN, "team/models", "7")


def test_comments_of_the_host_itself_and_of_deleted_accounts() -> None:
    with gitlab() as server:
        server.write("project_42_bot", BODY, system=True)
        assert post(host_of(server), BODY).done == "created"
    with github() as server:
        server.write("", BODY)
        assert post(host_of(server), BODY).done == "created"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_host_is_asked_again(server: HostServer, status: int) -> None:
    waits: list[float] = []
    server.trouble = [(status, {"Retry-After": "7"}), (status, {}), (status, {"Retry-After": "99999"})]
    assert post(host_of(server), BODY, pause=waits.append).done == "created"
    assert waits == [7.0, 2.0, 60.0]


def test_a_limit_that_github_calls_forbidden() -> None:
    with github() as server:
        server.trouble = [(403, {"X-RateLimit-Remaining": "0"})]
        assert post(host_of(server), BODY, pause=lambda _: None).done == "created"


def test_an_answer_that_was_lost_makes_no_second_comment(server: HostServer) -> None:
    server.lose = 1
    assert post(host_of(server), BODY, pause=lambda _: None).done == "unchanged"
    assert bodies(server) == [BODY]


def test_it_gives_up_at_last(server: HostServer) -> None:
    waits: list[float] = []
    server.trouble = [(503, {})] * 50
    with pytest.raises(RemoteError) as caught:
        post(host_of(server), BODY, pause=waits.append)
    assert caught.value.kind == "host-unreachable"
    assert len(waits) == ATTEMPTS - 1


def test_nobody_listens() -> None:
    with github() as server:
        host = host_of(server)
    with pytest.raises(RemoteError) as caught:
        post(host, BODY, pause=lambda _: None)
    assert caught.value.kind == "host-unreachable"
    assert TOKEN not in str(caught.value)


def test_the_token_follows_no_redirect_and_no_foreign_page(server: HostServer) -> None:
    with github() as other:
        server.trouble = [(302, {"Location": f"{other.url}/user"})]
        with pytest.raises(RemoteError):
            post(host_of(server), BODY, pause=lambda _: None)
        server.next_page_host = other.url
        for number in range(8):
            server.write("ada", str(number))
        with pytest.raises(RemoteError) as caught:
            post(host_of(server), BODY, pause=lambda _: None)
        assert "another server" in caught.value.message
        assert other.requests == []


def test_a_wrong_token(server: HostServer) -> None:
    with pytest.raises(RemoteError) as caught:
        post(host_of(server, "wrong-token"), BODY)
    assert caught.value.kind == "host-auth"
    assert "wrong-token" not in repr(caught.value) + str(caught.value) + repr(host_of(server, "wrong-token"))
    assert server.comments == []


def test_a_body_that_is_too_long_is_cut() -> None:
    with github() as server:
        body = BODY + "<details><summary>x</summary>\n" + "- é line\n" * 20_000 + "</details>\n"
        assert post(host_of(server), body).done == "created"
        assert "Cut here" in bodies(server)[0]
        assert len(bodies(server)[0].encode()) <= 65_536
        assert bodies(server)[0].count("<details>") == bodies(server)[0].count("</details>")
        assert post(host_of(server), body).done == "unchanged"


# The command


@pytest.fixture
def box(tmp_path: Path) -> Sandbox:
    """No repository: none is needed."""
    (tmp_path / "report.md").write_text(BODY)
    return Sandbox(tmp_path)


def env_of(server: HostServer, kind: str) -> dict[str, str]:
    if kind == "github":
        return {"GITHUB_API_URL": server.url, "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "team/models", "GITMLOG_PR": "7"}
    return {"CI_API_V4_URL": server.url, "GITMLOG_TOKEN": TOKEN, "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "7"}


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_the_command_reads_the_host_s_variables(box: Sandbox, kind: str) -> None:
    with github() if kind == "github" else gitlab() as server:
        out = box.ok("ci", "comment", "--host", kind, "--body", "report.md", env=env_of(server, kind))
        assert out.startswith("created comment 100")
        out = box.ok("ci", "comment", "--host", kind, "--body", "report.md", "--json", env=env_of(server, kind))
        assert json.loads(out)["done"] == "unchanged"
        assert TOKEN not in out


HOSTILE = {
    "GITHUB_REPOSITORY": ["", "team", "../../user", "team/models/issues", "team/mod els", "a/b?x=1"],
    "GITMLOG_PR": ["", "0", "-1", "7/../8", "７", "7\n"],
    "GITHUB_TOKEN": ["", "a b", "a\nX-Evil: 1", "é"],
    "GITHUB_API_URL": ["ftp://x", "file:///etc/passwd", "https://", "https://user:pw@x.example", "http://[x"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in HOSTILE.items() for value in values])
def test_variables_that_cannot_be(box: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with github() as server:
        for key, text in {**env_of(server, "github"), name: value}.items():
            monkeypatch.setenv(key, text)
        error = box.fails("ci", "comment", "--host", "github", "--body", "report.md", code=2, kind="host-variable")
        assert server.requests == []
        if name == "GITHUB_TOKEN" and value:
            assert value not in error["message"]


def test_a_report_that_is_not_there(box: Sandbox) -> None:
    box.fails("ci", "comment", "--host", "github", "--body", "nothing.md", code=3, kind="unreadable")
