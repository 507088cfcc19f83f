"""Steps that tests of plain git commands share. They hold with and without hooks that let files follow by themselves."""

from __future__ import annotations

import json

from tests.conftest import Sandbox


def keep(box: Sandbox, text: str, path: str = "m.pt", message: str = "") -> str:
    """A version of a tracked file, committed; the commit's id."""
    box.write(path, text)
    done = box.here("add", path)
    assert done.code == 0, done
    box.git("add", "-A")
    box.git("commit", "-q", "-m", message or f"{path}: {text}")
    return box.git("rev-parse", "HEAD").strip()


def follow(box: Sandbox) -> None:
    """The files follow the metafiles; a hook may have seen to it already."""
    done = box.here("checkout")
    assert done.code == 0, done


def read(box: Sandbox, path: str = "m.pt") -> str:
    return (box.root / path).read_text()


def conditions(box: Sandbox) -> dict[str, set[str]]:
    """What `status` says of each tracked path, but for what is not pushed."""
    done = box.here("status", "--json")
    assert done.code == 0, done
    return {item["path"]: set(item["conditions"]) - {"not-pushed"} for item in json.loads(done.out)["paths"]}


def is_clean(box: Sandbox) -> bool:
    """Neither git nor gitmlog sees a difference."""
    return box.git("status", "--porcelain") == "" and not any(conditions(box).values())
