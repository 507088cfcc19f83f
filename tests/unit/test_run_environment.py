"""What is recorded without being asked (spec: run.md, environment.toml)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.digest import hash_bytes
from gitmlog.core.errors import DataError
from gitmlog.core.secrets import Scrubber, secret_values
from gitmlog.git.elsewhere import head_of, remote_url
from gitmlog.ops.runs.environment import Wanted, chosen_variables, collect, locks, packages, seeds, without_credentials
from gitmlog.ops.runs.machine import find_nvidia_smi, gpu_loads, gpus
from gitmlog.ops.runs.probe import installed
from gitmlog.ops.topics import pages
from gitmlog.runs.environment import format_environment, parse_environment
from tests.conftest import Sandbox

SMI = """#!/bin/sh
case "$*" in
  *driver_version*) echo 'NVIDIA A100-SXM4-40GB, 40960 MiB, 550.54.14'; echo 'NVIDIA T4, 15360 MiB, 550.54.14';;
  *utilization*) echo '0, 97, 1024'; echo '1, [N/A], 12'; echo 'No devices';;
  *) echo '| NVIDIA-SMI 550.54.14   Driver Version: 550.54.14   CUDA Version: 12.4  |';;
esac
"""


def smi(folder: Path, text: str = SMI) -> Path:
    """A program that answers as nvidia-smi does."""
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(text)
    program.chmod(0o755)
    return program


def wanted(sandbox: Sandbox, **changes: Any) -> Wanted:
    given: dict[str, Any] = {"root": sandbox.root, "gitdir": sandbox.root / ".git", "variables": {}}
    return Wanted(**{**given, **changes})


def test_all_of_it_is_read_back(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write("uv.lock", "x")
    variables = {
        "PATH": str(smi(tmp_path / "bin").parent) + os.pathsep + os.environ["PATH"],
        "OMP_NUM_THREADS": "4",
        "PYTHONHASHSEED": "0",
    }
    collected = collect(wanted(sandbox, variables=variables))
    assert collected.warnings == ()
    found = collected.environment
    assert set(found) >= {"python", "packages", "locks", "system", "gpu", "git", "variables", "seeds"}
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["locks"] == {"uv.lock": hash_bytes(b"x")}
    assert found["gpu"] == {
        "driver": "550.54.14",
        "cuda": "12.4",
        "devices": ["NVIDIA A100-SXM4-40GB, 40960 MiB", "NVIDIA T4, 15360 MiB"],
    }
    assert re.match(r"[0-9.]+", str(found["git"]["version"]))
    assert found["variables"] == {"OMP_NUM_THREADS": "4", "PYTHONHASHSEED": "0"}
    assert found["seeds"]["python"] == 0
    assert isinstance(found["system"]["memory"], int) and found["system"]["threads"] == os.cpu_count()
    text = format_environment(found)
    assert parse_environment(text, "x") == found
    assert format_environment(parse_environment(text, "x")) == text
    assert format_environment(collect(wanted(sandbox, variables=variables)).environment) == text


def test_the_example_of_the_specification_is_canonical() -> None:
    spec = next(page.text for page in pages() if (page.name, page.shelf) == ("run", "spec"))
    example = next(body for body in re.findall(r"^```toml\n(.*?)^```$", spec, re.DOTALL | re.MULTILINE) if "[packages]" in body)
    assert format_environment(parse_environment(example.encode(), "example")).decode() == example


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "x: unknown key"),
        ("[other]\na = 'b'", "other: unknown key"),
        ("[python]\npip = 'x'", "python.pip: unknown key"),
        ("[python]\nversion = 3", "python.version: must be of type str"),
        ("[system]\ncores = true", "system.cores: must be of type int"),
        ("[system]\nmemory = 99999999999999999999", "system.memory: is too large"),
        ("[packages]\nnumpy = 2", "packages.numpy: must be a string"),
        ("[locks]\n'uv.lock' = 'x'", "64 lower-case"),
        ("[gpu]\ndevices = [1]", "gpu.devices: must be an array of strings"),
        ("packages = 1", "packages: must be of type dict"),
        ("[variables]\n' A' = 'x'", "begins or ends with a space"),
        ("[variables]\n\"\\u001b[31m\" = 'x'", "cannot be printed"),
    ],
)
def test_hostile_environments(text: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_environment(f"version = 1\n{text}\n".encode(), "tag x")
    assert caught.value.kind == "bad-run"
    assert said in caught.value.message
    assert caught.value.message.isprintable()


def test_a_newer_environment_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        parse_environment(b"version = 2\n", "x")
    assert caught.value.kind == "newer-version"


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9._ -]{0,20}[a-z]", fullmatch=True), st.text(max_size=50), min_size=1, max_size=5
    )
)
def test_any_text_is_read_back(values: dict[str, str]) -> None:
    readable = {name: value.encode("utf-8", "replace").decode() for name, value in values.items()}
    assert parse_environment(format_environment({"variables": readable}), "x") == {"variables": readable}


def test_secrets_are_in_no_environment(sandbox: Sandbox) -> None:
    variables = {
        "HF_TOKEN": "correct-horse-1",
        "TORCH_HUB_TOKEN": "battery-staple",
        "TORCH_URL": "https://ada:hunter2@example.org/",
        "TORCH_NOTE": "a correct-horse-1",
        "MY_API_KEY": "battery-staple",
        "MY_PLACE": "lab",
        "OTHER": "x",
    }
    sandbox.git("remote", "add", "origin", "https://ada:hunter2@example.org/x.git?token=abc")
    found = collect(
        wanted(sandbox, variables=variables, patterns=("MY_*",), scrubber=Scrubber(secret_values(variables)))
    ).environment
    assert found["variables"] == {
        "TORCH_URL": "https://ada:[redacted]@example.org/",
        "TORCH_NOTE": "a [redacted]",
        "MY_PLACE": "lab",
    }
    text = format_environment(found).decode()
    assert not [
        secret
        for secret in ("hunter2", "correct-horse-1", "battery-staple", "abc")
        if f'"{secret}' in text or f":{secret}" in text
    ]
    assert found["git"]["remote"] == "https://example.org/x.git"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("git@example.org:ada/x.git", "git@example.org:ada/x.git"),
        ("ssh://git:pw@example.org/x", "ssh://git@example.org/x"),
        ("https://ghp_x@example.org/x", "https://example.org/x"),
        ("https://a:b@c@example.org/x@y", "https://example.org/x@y"),
        ("/srv/x.git", "/srv/x.git"),
        ("", ""),
    ],
)
def test_urls_without_credentials(url: str, kept: str) -> None:
    assert without_credentials(url) == kept


def test_which_variables() -> None:
    variables = {
        "SLURM_JOB_NODELIST": "n1",
        "SLURM_JOB_ID": "7",
        "HOSTNAME": "x",
        "HOME": "/x",
        "RANK": "0",
        "TF_VAR_x": "y",
        "PATH": "z",
        "EMPTY": "",
    }
    assert chosen_variables(variables, ()) == {"RANK": "0", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1"}
    assert chosen_variables(variables, ("HO*",)) == chosen_variables(variables, ()) | {"HOME": "/x", "HOSTNAME": "x"}
    assert "EMPTY" not in chosen_variables(variables, ("*",))


@pytest.mark.parametrize(
    ("without", "missing"),
    [("environment", {"python", "packages", "system", "git"}), ("variables", {"variables"}), ("seeds", {"seeds"})],
)
def test_what_is_not_wanted(sandbox: Sandbox, without: str, missing: set[str]) -> None:
    variables = {"RANK": "0", "PYTHONHASHSEED": "1"}
    assert missing <= set(collect(wanted(sandbox, variables=variables)).environment)
    assert not missing & set(collect(wanted(sandbox, variables=variables, without=frozenset([without]))).environment)


def test_what_fails_is_a_warning(sandbox: Sandbox, tmp_path: Path) -> None:
    broken = smi(tmp_path / "bin", "#!/bin/sh\necho no driver >&2\nexit 9\n")
    collected = collect(wanted(sandbox, root=tmp_path / "none", gitdir=tmp_path / "gone", variables={"PATH": str(broken.parent)}))
    assert len(collected.warnings) == 3
    assert [warning.split()[2] for warning in collected.warnings] == ["locks", "gpu", "git"]
    assert {"python", "packages", "system"} <= set(collected.environment)
    assert all(warning.isprintable() for warning in collected.warnings)


def test_nvidia_smi_is_taken_from_absolute_folders_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = smi(tmp_path / "bin")
    monkeypatch.chdir(tmp_path / "bin")
    assert find_nvidia_smi(f".{os.pathsep}{os.pathsep}bin") is None
    assert find_nvidia_smi(f"{os.pathsep}{tmp_path / 'bin'}") == program
    program.chmod(0o644)
    assert find_nvidia_smi(str(tmp_path / "bin")) is None
    assert find_nvidia_smi("") is None


def test_gpus(tmp_path: Path) -> None:
    program = smi(tmp_path / "bin")
    assert gpus(program, {}).cuda == "12.4"
    loads = gpu_loads(program, {})
    assert [(load.number, load.percent, load.memory) for load in loads] == [(0, 97.0, 1 << 30)]


def install(folder: Path, name: str, version: str, origin: dict[str, Any] | None = None) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText\nName: other\n")
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))


def test_packages(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.write("x.py", "")
    commit = sandbox.commit()
    site, second = tmp_path / "site", tmp_path / "second"
    install(site, "Plain_Name", "1.0+cpu")
    install(site, "editable", "2", {"url": sandbox.root.as_uri(), "dir_info": {"editable": True}})
    install(site, "loose", "3", {"url": (tmp_path / "no repo").as_uri(), "dir_info": {"editable": True}})
    install(site, "hub", "4", {"url": "https://example.org/x", "vcs_info": {"vcs": "git", "commit_id": commit}})
    install(site, "odd", "5", {"url": 5, "dir_info": []})
    install(second, "Plain_Name", "0.9")
    monkeypatch.setattr(sys, "path", [str(site), str(second)])
    assert packages(installed()) == {
        "Plain_Name": "1.0+cpu",
        "editable": f"2 (editable, {commit})",
        "loose": "3 (editable)",
        "hub": f"4 (git, {commit})",
        "odd": "5",
    }


def test_four_hundred_packages_take_less_than_half_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(400):
        install(tmp_path / "site", f"package{number}", "1.0")
        with (tmp_path / "site" / f"package{number}-1.0.dist-info" / "METADATA").open("a") as metadata:
            metadata.write("text\n" * 4000)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    begun = time.process_time()
    assert len(packages(installed())) == 400
    assert time.process_time() - begun < 0.5


def test_locks(tmp_path: Path) -> None:
    for name in ("uv.lock", "requirements.txt", "requirements-dev.txt", "pyproject.toml", "other.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "poetry.lock").symlink_to("uv.lock")
    (tmp_path / "environment.yml").mkdir()
    os.mkfifo(tmp_path / "pdm.lock")
    assert locks(tmp_path) == {
        name: hash_bytes(name.encode()) for name in ("requirements-dev.txt", "requirements.txt", "uv.lock")
    }


def test_seeds_of_libraries_that_the_program_imported() -> None:
    code = (
        "import sys\nfrom gitmlog.ops.runs.environment import seeds\nassert seeds({}) == {}\nassert 'numpy' not in sys.modules\n"
        "import numpy as np\nassert seeds({}) == {}, seeds({})\nnp.random.seed(42)\nassert seeds({}) == {'numpy': 42}\n"
        "np.random.rand()\nassert seeds({}) == {}\nnp.random.seed([1, 2])\nassert seeds({}) == {}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_seeds_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    class Torch:
        __spec__ = None

        @staticmethod
        def initial_seed() -> int:
            return (1 << 64) - 1

    monkeypatch.setitem(sys.modules, "torch", Torch)
    assert seeds({"PYTHONHASHSEED": "random"})["torch"] == (1 << 64) - 1
    found = collect(Wanted(Path("/nowhere"), None, {"PYTHONHASHSEED": "random"}, without=frozenset(["environment"]))).environment
    assert found["seeds"]["torch"] == str((1 << 64) - 1)
    assert found["seeds"]["python"] == "random"
    assert parse_environment(format_environment(found), "x") == found


def test_heads_and_remotes(sandbox: Sandbox, tmp_path: Path) -> None:
    assert head_of(tmp_path / "no repository") == ""
    assert head_of(sandbox.root) == ""
    assert remote_url(tmp_path) == ""
    sandbox.write("a/x", "")
    commit = sandbox.commit()
    assert head_of(sandbox.root / "a") == commit
    assert remote_url(sandbox.root / ".git") == ""
    sandbox.git("remote", "add", "only", "https://example.org/only")
    assert remote_url(sandbox.root / ".git") == "https://example.org/only"
    sandbox.git("remote", "add", "origin", "https://example.org/origin")
    assert remote_url(sandbox.root / ".git") == "https://example.org/origin"
    sandbox.git("config", f"branch.{sandbox.git('branch', '--show-current').strip()}.remote", "only")
    assert remote_url(sandbox.root / ".git") == "https://example.org/only"


def test_nothing_that_computes_is_imported() -> None:
    heavy = ["numpy", "torch", "pandas", "matplotlib", "psutil", "pygit2", "rich", "click"]
    code = f"import sys, gitmlog.ops.runs.environment, gitmlog.ops.runs.machine\nassert not set({heavy}) & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_interpreter_is_asked_what_it_has(tmp_path: Path) -> None:
    venv.create(tmp_path / "other", with_pip=False, symlinks=True)
    other = tmp_path / "other/bin/python"
    site = next((tmp_path / "other/lib").glob("python*/site-packages"))
    install(site, "only-there", "7.5")
    found = collect(Wanted(tmp_path, None, dict(os.environ), interpreter=str(other)))
    assert found.warnings == ()
    assert found.environment["packages"] == {"only-there": "7.5"}
    assert found.environment["python"]["prefix"] == str(tmp_path / "other")
    assert found.environment["python"]["virtualenv"] is True


def test_an_interpreter_that_does_not_answer_is_a_warning(tmp_path: Path) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    found = collect(Wanted(tmp_path, None, dict(os.environ), interpreter=str(broken)))
    assert "packages" not in found.environment
    assert found.environment["system"]
    assert len(found.warnings) == 2
