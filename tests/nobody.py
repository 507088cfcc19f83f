"""Running a program as another user than root, who may read and write everything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def as_nobody() -> list[str]:
    """What stands before such a command; nothing where this user is not root. Skips where that user cannot run gitmlog."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may read and write everything, and setpriv is not installed: apt-get install util-linux")
    probe = [*_NOBODY, sys.executable, "-c", "import gitmlog.cli.main, pygit2"]
    done = subprocess.run(probe, cwd="/", capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("this checkout, or its Python, lies where no other user may look")
    return _NOBODY
