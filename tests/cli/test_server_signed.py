"""The hook pre-receive: signatures and protected stages, with real keys of ssh-keygen and gpg."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmlog.core.paths import display
from tests.conftest import Sandbox
from tests.hub import Hub, make_hub
from tests.runs import FIRST, git, make_run

pytestmark = [pytest.mark.long, pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")]
ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"
PROD = """[stages.prod]
branches = ["main"]
signers = ["ada@example.org"]
"""
NAMES = ("m#prod#1", "m#dev#1", "m@v1.0.0")
ALL = '[tags]\nsigned = ["run", "version", "stage"]\n'


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """A key a person."""
    made = {}
    for name in (ADA, BOB, EVE):
        made[name] = tmp_path / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(made[name])]
        subprocess.run(command, check=True)
    return made


def line(keys: dict[str, Path], name: str, options: str = 'namespaces="git"') -> str:
    return f"{name} {options} {Path(f'{keys[name]}.pub').read_text()}"


@pytest.fixture
def hub(sandbox: Sandbox, tmp_path: Path, keys: dict[str, Path]) -> Hub:
    """Ada and Bob are known; only Ada may put into prod; everything is signed."""
    hub = make_hub(sandbox, tmp_path)
    hub.policy(ALL + PROD, line(keys, ADA) + line(keys, BOB))
    return hub


def sign(hub: Hub, keys: dict[str, Path], who: str, name: str, target: str = "HEAD") -> None:
    options = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={keys[who]}")
    hub.box.git(*options, "tag", "-s", "-m", "x", name, target)


def test_stages_by_those_who_may(hub: Hub, keys: dict[str, Path]) -> None:
    sign(hub, keys, ADA, "m#prod#1")
    hub.takes("m#prod#1")
    sign(hub, keys, BOB, "m#prod#2")
    hub.refuses("m#prod#2", words=("m#prod#2", f"signed by {BOB}, who may not", f"only {ADA} may put into prod"))
    sign(hub, keys, BOB, "m#dev#1")
    hub.takes("m#dev#1")


def test_nobody_knows_the_key(hub: Hub, keys: dict[str, Path]) -> None:
    for name in NAMES:
        sign(hub, keys, EVE, name)
    words = tuple(f"{display(name)}: " for name in NAMES)
    said = hub.refuses(*(f"refs/tags/{name}" for name in NAMES), words=words)
    assert said.count("by nobody in the .gitmlog/allowed_signers") == len(NAMES)


def test_unsigned(hub: Hub) -> None:
    refs = tuple(f"refs/tags/{name}" for name in NAMES)
    words = (*(f"{display(name)}: " for name in NAMES), "sign it (git tag -d, then git tag -s)")
    for message, problem in (("x\n-----BEGIN nothing", "or is not good"), ("x", "it is not signed")):
        for name in NAMES:
            hub.box.git("tag", "-f", "-a", "-m", message, name)
        assert hub.refuses(*refs, words=words).count(problem) == len(NAMES)


def test_ordinary_tags_need_no_signature(hub: Hub) -> None:
    hub.box.git("tag", "-a", "-m", "x", "v1.0")
    hub.takes("v1.0")


def test_a_good_signature_under_another_name(hub: Hub, keys: dict[str, Path]) -> None:
    """git still verifies it."""
    sign(hub, keys, ADA, "m#dev#1")
    hub.takes("m#dev#1")
    hub.refuses("refs/tags/m#dev#1:refs/tags/m#prod#1", words=("m#prod#1", "the tag object itself is called 'm#dev#1'"))


def test_a_signature_on_another_text(hub: Hub, keys: dict[str, Path]) -> None:
    sign(hub, keys, ADA, "m#prod#1")
    text = hub.box.git("cat-file", "tag", "m#prod#1").replace("tag m#prod#1", "tag m#prod#2")
    oid = git(hub.box, "hash-object", "-t", "tag", "-w", "--stdin", data=text.encode())
    hub.refuses(f"{oid}:refs/tags/m#prod#2", words=("m#prod#2", "or is not good"))


def test_a_signature_that_was_made_for_something_else(hub: Hub, keys: dict[str, Path], tmp_path: Path) -> None:
    """By Ada's key, in another namespace than git's."""
    hub.box.git("tag", "-a", "-m", "x", "m#prod#1")
    text = hub.box.git("cat-file", "tag", "m#prod#1")
    (tmp_path / "text").write_text(text)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(keys[ADA]), "-n", "file", str(tmp_path / "text")]
    subprocess.run(command, check=True, capture_output=True)
    text += (tmp_path / "text.sig").read_text()
    oid = git(hub.box, "hash-object", "-t", "tag", "-w", "--stdin", data=text.encode())
    hub.refuses(f"{oid}:refs/tags/m#prod#1", words=("or is not good",))


def test_a_signer_that_the_push_itself_brings(hub: Hub, keys: dict[str, Path]) -> None:
    hub.box.write(".gitmlog/allowed_signers", "".join(line(keys, name) for name in (ADA, BOB, EVE)))
    hub.box.commit("eve")
    sign(hub, keys, EVE, "m@v1.0.0")
    hub.refuses("main", "m@v1.0.0", words=("m@v1.0.0", "by nobody"))
    hub.takes("main")
    hub.takes("m@v1.0.0")


def test_a_policy_that_the_push_itself_brings(hub: Hub) -> None:
    hub.box.write(".gitmlog/policy.toml", "version = 1\n")
    hub.box.commit("free")
    hub.box.git("tag", "-a", "-m", "x", "m#prod#1")
    hub.refuses("main", "m#prod#1", words=("m#prod#1", "not signed"))
    hub.takes("main")
    hub.takes("m#prod#1")


def test_a_key_out_of_its_time(hub: Hub, keys: dict[str, Path]) -> None:
    hub.policy(PROD, line(keys, ADA, 'namespaces="git",valid-before="20200101"'))
    sign(hub, keys, ADA, "m#prod#1")
    hub.refuses("m#prod#1", words=("or is not good",))


def test_keys_of_one_line_for_several_names(hub: Hub, keys: dict[str, Path]) -> None:
    hub.policy(PROD, f"{ADA},root@example.org {Path(f'{keys[ADA]}.pub').read_text()}")
    sign(hub, keys, ADA, "m#prod#1")
    hub.takes("m#prod#1")


def test_a_pattern_is_not_the_names_that_fit_it(hub: Hub, keys: dict[str, Path]) -> None:
    hub.policy(PROD, f"*@example.org {Path(f'{keys[BOB]}.pub').read_text()}")
    sign(hub, keys, BOB, "m#prod#1")
    hub.refuses("m#prod#1", words=("who may not",))


def test_only_commits_of_the_branch(hub: Hub, keys: dict[str, Path]) -> None:
    hub.box.git("checkout", "-q", "-b", "feature")
    hub.box.write("new", "1")
    hub.box.commit()
    sign(hub, keys, ADA, "m#prod#1")
    hub.refuses("feature", "m#prod#1", words=("is not on main", "bring the commit into main first"))
    hub.takes("feature")
    hub.refuses("m#prod#1", words=("is not on main",))
    hub.refuses("feature:main", "m#prod#1", words=("by a push of its own",))
    hub.takes("feature:main")
    hub.takes("m#prod#1")


def test_a_branch_that_the_push_rewinds_does_not_count(hub: Hub, keys: dict[str, Path]) -> None:
    hub.policy('[branches]\nprotected = []\n[stages.prod]\nbranches = ["release/*", "gone"]\n')
    hub.takes("main:refs/heads/release/1")
    hub.box.git("checkout", "-q", "--orphan", "other")
    hub.box.commit("other")
    hub.box.git("tag", "-a", "-m", "x", "m#prod#1")
    hub.refuses("--force", "other:release/1", "m#prod#1", words=("is not on 'release/*', gone",))
    hub.refuses("other:release/2", "m#prod#1", words=("is not on 'release/*', gone",))
    hub.takes("other:release/2")
    hub.takes("m#prod#1")


def test_signed_runs(hub: Hub, keys: dict[str, Path]) -> None:
    made = make_run(hub.box)
    hub.refuses(f"run/{FIRST}", words=(FIRST, "it is not signed"))
    message = hub.box.git("cat-file", "tag", made.tag_object).split("\n\n", 1)[1]
    options = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={keys[BOB]}")
    git(hub.box, *options, "tag", "-f", "-s", "--cleanup=verbatim", "-F", "-", f"run/{FIRST}", made.commit, data=message.encode())
    hub.takes(f"run/{FIRST}")


def test_configuration_chooses_no_program(hub: Hub, keys: dict[str, Path], tmp_path: Path) -> None:
    """Neither of the server's repository nor of its user."""
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho 'Good \"git\" signature for {ADA} with ED25519 key SHA256:x'\n")
    program.chmod(0o755)
    for key in ("gpg.program", "gpg.ssh.program", "gpg.openpgp.program", "gpg.x509.program", "core.fsmonitor", "core.pager"):
        hub.box.git("config", key, str(program), cwd=hub.path)
        subprocess.run(["git", "config", "--global", key, str(program)], check=True)
    (tmp_path / "signers").write_text(line(keys, EVE))
    hub.box.git("config", "gpg.ssh.allowedSignersFile", str(tmp_path / "signers"), cwd=hub.path)
    for kind in ("PGP SIGNATURE", "SSH SIGNATURE", "SIGNED MESSAGE", "PGP MESSAGE"):
        text = f"-----BEGIN {kind}-----\n\nAAAA\n-----END {kind}-----"
        hub.box.git("tag", "-f", "-a", "-m", f"x\n\n{text}", "m#prod#1")
        hub.refuses("m#prod#1", words=("or is not good",))
    subprocess.run(["git", "config", "--global", "--unset", "gpg.ssh.program"], check=True)
    hub.box.git("tag", "-d", "m#prod#1")
    sign(hub, keys, ADA, "m#prod#1")
    hub.takes("m#prod#1")
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def gnupg(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A keyring in a short path: gpg's agent listens on a socket in it."""
    if shutil.which("gpg") is None:
        pytest.skip("no gpg")
    with tempfile.TemporaryDirectory(prefix="gm") as folder:
        monkeypatch.setenv("GNUPGHOME", folder)
        os.chmod(folder, 0o700)
        yield Path(folder)
        subprocess.run(["gpgconf", "--kill", "all"], check=False, capture_output=True)


def gpg_key(name: str) -> str:
    options = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run(["gpg", *options, "--quick-gen-key", name, "ed25519", "sign", "never"], check=True, capture_output=True)
    listed = subprocess.run(["gpg", "--list-keys", "--with-colons", name], check=True, capture_output=True, text=True).stdout
    return next(row.split(":")[9] for row in listed.splitlines() if row.startswith("fpr:"))


def test_keys_of_gpg(hub: Hub, keys: dict[str, Path], gnupg: Path) -> None:
    ada, bob = gpg_key(ADA), gpg_key(BOB)
    rule = f'[tags]\nsigned = ["version", "run"]\n[stages.prod]\nsigners = ["gpg:{ada}"]\n'
    hub.policy(rule, line(keys, ADA))
    hub.box.git("-c", f"user.signingKey={ada}", "tag", "-s", "-m", "x", "m#prod#1")
    hub.takes("m#prod#1")
    hub.box.git("-c", f"user.signingKey={bob}", "tag", "-s", "-m", "x", "m#prod#2")
    hub.refuses("m#prod#2", words=(f"signed by gpg:{bob}, who may not", f"only gpg:{ada}"))
    hub.box.git("-c", f"user.signingKey={bob}", "tag", "-s", "-m", "x", "m@v1.0.0")
    hub.refuses("m@v1.0.0", words=("who may not",))  # a keyring may hold anybody: only those who are named count
    hub.policy(f'[tags]\nsigned = ["version"]\nsigners = ["gpg:{bob}"]\n')
    hub.box.git("-c", f"user.signingKey={bob}", "tag", "-s", "-m", "x", "n@v1.0.0")
    hub.takes("n@v1.0.0")
    subprocess.run(["gpg", "--batch", "--yes", "--delete-secret-and-public-key", bob], check=True, capture_output=True)
    hub.refuses("m@v1.0.0", words=("by nobody",))


def test_allowed_signers_are_read_from_a_file_alone(hub: Hub) -> None:
    hub.box.git("rm", "-q", "--cached", ".gitmlog/allowed_signers")
    (hub.box.root / ".gitmlog/allowed_signers").unlink()
    (hub.box.root / ".gitmlog/allowed_signers").symlink_to("/etc/passwd")
    hub.box.commit("link")
    hub.refuses("main", words=(".gitmlog/allowed_signers is no file", "holds plain files, and this is a symbolic link"))
