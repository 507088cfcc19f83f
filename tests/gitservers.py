"""git served over HTTP by its own http-backend, and over ssh by the real sshd; each with whatever hooks the repository has."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

ACCEPTS = '#!/bin/sh\ncat >> "$GIT_DIR/pushed"\n'
"""A pre-receive hook that writes down what was pushed, and takes it."""


def bare_repository(path: Path, pre_receive: str = ACCEPTS) -> Path:
    """A repository that others push to, with this hook in place; it keeps the refs of pull requests as the hosts do."""
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", str(path)], check=True)
    for key, value in (
        ("http.receivepack", "true"),
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowReachableSHA1InWant", "true"),
        ("receive.denyNonFastForwards", "true"),
    ):
        subprocess.run(["git", "-C", str(path), "config", key, value], check=True)
    hook = path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(pre_receive)
    hook.chmod(0o755)
    return path


def pushed(path: Path) -> list[str]:
    """The refs that the hook above has seen, in order."""
    file = path / "pushed"
    return [line.split()[2] for line in file.read_text().splitlines()] if file.exists() else []


def _backend() -> str:
    where = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()
    return str(Path(where) / "git-http-backend")


class _Handler(BaseHTTPRequestHandler):
    """CGI (RFC 3875) for one program; bodies with a length or in chunks, plain or gzipped."""

    protocol_version = "HTTP/1.1"
    server: GitServer

    def log_message(self, *arguments: object) -> None:
        return

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Content-Encoding") == "gzip":
            body = zlib.decompress(body, 16 + zlib.MAX_WBITS)
            self.server.gzipped += 1
        self._serve(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.chunked += 1
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        self.server.authorizations.append(self.headers.get("Authorization", ""))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "REMOTE_USER": "contributor",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_PROTOCOL": self.request_version,
            "GATEWAY_INTERFACE": "CGI/1.1",
            **self.server.environment,
        }
        if protocol := self.headers.get("Git-Protocol"):
            env["GIT_PROTOCOL"] = protocol
        done = subprocess.run([_backend()], input=body, capture_output=True, env=env, check=False)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class GitServer(ThreadingHTTPServer):
    """Serves every repository below `root`.

    Attributes:
        gzipped, chunked: requests that came so.
        authorizations: the header of each request.
        environment: what the hooks of the repositories find besides the usual.
    """

    daemon_threads = True

    def __init__(self, root: Path, environment: dict[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.environment = environment or {}
        self.gzipped = 0
        self.chunked = 0
        self.authorizations: list[str] = []

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """A server that answers while this lasts."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def git_http(root: Path, environment: dict[str, str] | None = None) -> Iterator[GitServer]:
    """git's own smart HTTP over the repositories below `root`."""
    if not Path(_backend()).exists():
        from tests.servers import absent

        absent("git-http-backend", "apt-get install git")
    server = GitServer(root, environment)
    with serving(server):
        yield server


def ssh_command(server: object) -> str:
    """What GIT_SSH_COMMAND must be to reach the sshd of tests.servers."""
    found = shutil.which("ssh")
    if found is None:
        from tests.servers import absent

        absent("ssh", "apt-get install openssh-client")
    options = {
        "Port": server.port,  # type: ignore[attr-defined]
        "IdentityFile": server.key_file,  # type: ignore[attr-defined]
        "UserKnownHostsFile": server.known_hosts,  # type: ignore[attr-defined]
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
    }
    return f"ssh -F /dev/null {' '.join(f'-o {name}={value}' for name, value in options.items())}"
