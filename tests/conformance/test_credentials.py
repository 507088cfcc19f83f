"""Where S3's credentials come from, and what is said when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitmlog.remote.errors import remote_error
from tests import servers
from tests.conftest import Sandbox

UNREACHED = """\
Generic S3 error: Error performing GET http://127.0.0.1:9/bucket/gitmlog-remote.toml?sig=x in 523.757718ms, after 4 retries, \
max_retries: 4, retry_timeout: 240s  - HTTP error: error sending request

Debug source:
Generic { source: Os { code: 111, kind: ConnectionRefused, message: "Connection refused" } }"""
MACHINE = "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 4.3ms - "


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    sandbox.write("m", "model")
    assert sandbox.here("add", "m").code == 0
    assert sandbox.here("remote", "add", "origin", f"s3://{servers.BUCKET}/x", "--endpoint", "http://127.0.0.1:9").code == 0
    assert sandbox.here("config", "remote.origin.retries", "1").code == 0
    return sandbox


def test_the_default_profile_is_used_without_configuration(box: Sandbox, tmp_path: Path) -> None:
    home = Path.home()
    (home / ".aws").mkdir()
    (home / ".aws/credentials").write_text("[default]\naws_access_key_id = AK\naws_secret_access_key = SK\n")
    with servers.moto(tmp_path / "server") as port:
        assert box.here("config", "remote.origin.endpoint", f"http://127.0.0.1:{port}").code == 0
        assert "sent 1 object" in box.ok("push")


def test_half_of_the_credentials(box: Sandbox) -> None:
    assert box.here("config", "remote.origin.access_key", "AK").code == 0
    error = box.fails("push", code=1, kind="bad-config")
    assert error["message"] == "remote origin has access_key, and no secret_key"
    assert "remote.origin.secret_key" in error["hint"]


@pytest.mark.parametrize(
    "said",
    [
        MACHINE + "Server returned non-2xx status code: 403 Forbidden: resolve_deny:",
        MACHINE + "HTTP error: error sending request",
        "Generic S3 error: Error performing GET http://169.254.170.2/v2/x in 1s, after 4 retries, max_retries: 4 - HTTP error",
    ],
)
def test_none_at_all(said: str) -> None:
    error = remote_error("origin", OSError(said))
    assert (error.kind, error.message) == ("remote-auth", "no S3 credentials were found for remote origin")
    assert "~/.aws" in error.hint


def test_the_cause_comes_first_and_no_word_is_cut() -> None:
    error = remote_error("origin", OSError(UNREACHED))
    assert error.kind == "remote-unreachable"
    where = "GET http://127.0.0.1:9/bucket/gitmlog-remote.toml"
    assert error.message == f"remote origin cannot be reached (Connection refused: {where})"
    longer = remote_error("origin", OSError("word " * 100)).message
    assert longer.endswith("word …)") and len(longer) < 200
