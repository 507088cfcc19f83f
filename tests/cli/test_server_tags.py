"""The hook pre-receive: tags of runs, versions and stages are never moved, legal, and what they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitmlog.core.paths import display
from tests.conftest import Sandbox
from tests.hub import Hub, make_hub
from tests.runs import FIRST, git, make_run

SECOND = "20260102-000000-calm-fox"
TAG, ARCHIVED = f"refs/tags/run/{FIRST}", f"refs/gitmlog/runs/{FIRST}"


@pytest.fixture
def hub(sandbox: Sandbox, tmp_path: Path) -> Hub:
    return make_hub(sandbox, tmp_path)


def annotate(hub: Hub, *names: str, target: str = "HEAD") -> None:
    for name in names:
        hub.box.git("tag", "-a", "-m", "x", name, target)


def more(hub: Hub) -> str:
    """One more commit on main, there too."""
    readme = hub.box.root / "README"
    readme.write_text(readme.read_text() + "more\n")
    made = hub.box.commit()
    hub.takes("main")
    return made


def run_tag(hub: Hub, name: str, message: str, target: str) -> str:
    """A tag object of any content, under no ref."""
    head = f"object {target}\ntype commit\ntag {name}\ntagger Ada <ada@example.org> 1767225600 +0000\n\n"
    return git(hub.box, "hash-object", "-t", "tag", "-w", "--stdin", "--literally", data=f"{head}{message}".encode())


def message_of(hub: Hub, tag: str) -> str:
    return hub.box.git("cat-file", "tag", tag).split("\n\n", 1)[1]


def test_versions_and_stages(hub: Hub) -> None:
    annotate(hub, "m@v1.0.0", "m#prod#1", "m#dev#1", "vision/m@v1.0.0", "v1.0")
    hub.takes("m@v1.0.0", "m#prod#1", "m#dev#1", "vision/m@v1.0.0", "v1.0")
    more(hub)
    annotate(hub, "m@v1.1.0-rc.1", "m#prod#2")
    hub.takes("--tags")
    annotate(hub, "m#prod#3", "m#prod#4", target="HEAD~1")  # back again
    hub.takes("m#prod#3", "m#prod#4")
    assert sum("#prod#" in ref for ref in hub.refs()) == 4


def test_illegal_names(hub: Hub) -> None:
    names = ["m@created", "m@1.0", "m@v1.0", "m#prod", "m#prod#0", "m#prod#!3", "m.onnx@v1.0.0", "@v1.0.0", "a@b#c", "x#"]
    annotate(hub, *names)
    said = hub.refuses(*(f"refs/tags/{name}" for name in names), words=("NAME@v1.2.0 is a version",))
    for name in names:
        assert f"error: tag {display(name)}: " in said


def test_tags_that_are_not_annotated(hub: Hub) -> None:
    names = ["m@v1.0.0", "m#prod#1", f"run/{FIRST}"]
    for name in names:
        hub.box.git("tag", name)
    words = tuple(f"tag {display(name)}: it is no annotated tag" for name in names)
    hub.refuses(*(f"refs/tags/{name}" for name in names), words=(*words, "git tag -a"))


def test_tags_of_no_commit(hub: Hub) -> None:
    annotate(hub, "m@v1.0.0", "m#prod#1", target="HEAD^{tree}")
    words = ("tag m@v1.0.0: it points to a tree", "tag 'm#prod#1': it points to a tree")
    hub.refuses("refs/tags/m@v1.0.0", "refs/tags/m#prod#1", words=words)


def test_a_tag_of_a_tag(hub: Hub) -> None:
    annotate(hub, "inner")
    annotate(hub, "m@v1.0.0", target="inner")
    hub.refuses("m@v1.0.0", words=("points to a tag",))


def test_a_tag_that_was_copied_to_another_name(hub: Hub) -> None:
    annotate(hub, "m@v1.0.0")
    names = ("m@v2.0.0", "m#prod#7", "n@v1.0.0")
    words = tuple(f"tag {display(name)}: the tag object itself is called m@v1.0.0" for name in names)
    hub.refuses(*(f"refs/tags/m@v1.0.0:refs/tags/{name}" for name in names), words=words)


def test_a_tag_object_with_a_name_without_end(hub: Hub) -> None:
    oid = run_tag(hub, "m" * 100_000, "x\n", hub.refs()["refs/heads/main"])
    assert len(hub.refuses(f"{oid}:refs/tags/m@v1.0.0", words=("it was copied",))) < 2000


def test_never_moved_never_deleted(hub: Hub) -> None:
    names = ("m@v1.0.0", "m#prod#1")
    annotate(hub, *names)
    refs = tuple(f"refs/tags/{name}" for name in names)
    hub.takes(*refs)
    for name in names:
        hub.box.git("tag", "-f", "-a", "-m", "moved", name)
    shown = tuple(f"tag {display(name)}: it is there, and is never " for name in names)
    hub.refuses("--force", *refs, words=(*(f"{each}moved" for each in shown), "administrator"))
    hub.refuses("--delete", *refs, words=(*(f"{each}deleted" for each in shown), "git update-ref -d REF"))


def test_a_deletion_that_lies_about_what_is_there(hub: Hub) -> None:
    """receive-pack deletes whatever is there when it does not know the old object: what the client says proves nothing."""
    annotate(hub, "m@v1.0.0")
    hub.takes("m@v1.0.0")
    line = f"{'1' * 40} {'0' * 40} refs/tags/m@v1.0.0\0report-status delete-refs"
    packet = f"{len(line) + 4:04x}{line}0000".encode()
    done = git(hub.box, "receive-pack", str(hub.path), data=packet)
    assert "pre-receive hook declined" in done
    assert "refs/tags/m@v1.0.0" in hub.refs()


def test_two_versions_of_one_name_on_one_commit(hub: Hub) -> None:
    annotate(hub, "m@v1.0.0", "n@v1.0.0")
    hub.takes("m@v1.0.0", "n@v1.0.0")
    annotate(hub, "m@v1.0.1")
    hub.refuses("m@v1.0.1", words=("tag m@v1.0.1: its commit is tag m@v1.0.0 already", "tag another commit"))
    more(hub)
    annotate(hub, "k@v1.0.0", "k@v2.0.0")
    hub.refuses("k@v1.0.0", "k@v2.0.0", words=("tag k@v1.0.0: its commit is tag k@v2.0.0 already", "k@v2.0.0"))


def test_numbers_of_stages_only_go_up(hub: Hub) -> None:
    annotate(hub, "m#prod#2", "m#prod#1", "n#prod#1", "m#dev#1")
    hub.takes("m#prod#2")
    hub.refuses("m#prod#1", words=("tag 'm#prod#1'", "there is #prod#2 already", "m#prod#3"))
    hub.takes("n#prod#1", "m#dev#1")


def test_legacy_tags_can_go(hub: Hub) -> None:
    for name in ("m@1.0", "m#prod", "run/old"):
        hub.box.git("update-ref", f"refs/tags/{name}", "HEAD", cwd=hub.path)
    hub.takes("--delete", "refs/tags/m@1.0", "refs/tags/m#prod", "refs/tags/run/old")


def test_runs(hub: Hub) -> None:
    make_run(hub.box, metrics={"acc": [(1, 0.5), (2, float("nan"))]}, outputs={"model.bin": b"weights"})
    make_run(hub.box, SECOND)
    assert hub.box.here("push", "--runs").code == 0
    assert TAG in hub.refs()
    hub.box.git("tag", "-f", "-a", "-m", "x", f"run/{FIRST}", f"run/{SECOND}^{{}}")
    hub.refuses("--force", f"run/{FIRST}", words=(FIRST, "never moved", "`gitmlog runs archive`"))
    hub.refuses("--delete", f"run/{FIRST}", words=(FIRST, "never deleted"))


def test_archiving_there_and_back(hub: Hub) -> None:
    make_run(hub.box, outputs={"model.bin": b"weights"})
    make_run(hub.box, SECOND)
    assert hub.box.here("push", "--runs").code == 0
    tag = hub.refs()[TAG]
    assert hub.box.here("runs", "archive", FIRST).code == 0
    done = hub.box.here("push", "--runs")
    assert (done.code, "keeps" in done.err) == (0, False), done
    assert {ref: oid for ref, oid in hub.refs().items() if FIRST in ref} == {ARCHIVED: tag}
    hub.refuses("--delete", ARCHIVED, words=(ARCHIVED, "never deleted"))
    assert hub.box.here("runs", "archive", "--undo", FIRST).code == 0
    assert hub.box.here("push", "--runs").code == 0
    assert {ref: oid for ref, oid in hub.refs().items() if FIRST in ref} == {TAG: tag}


def test_archiving_takes_two_pushes(hub: Hub) -> None:
    made = make_run(hub.box)
    hub.takes(f"run/{FIRST}")
    hub.box.git("update-ref", ARCHIVED, made.tag_object)
    other = run_tag(hub, f"run/{FIRST}", message_of(hub, made.tag_object) + "\n", made.commit)
    hub.refuses(f"{other}:{ARCHIVED}", f":{TAG}", words=("never deleted", "is another run of this id"))
    hub.refuses(f"{ARCHIVED}:{ARCHIVED}", f":{TAG}", words=("never deleted",))  # git may take one, and refuse the other
    hub.takes(f"{ARCHIVED}:{ARCHIVED}")
    hub.takes(f":{TAG}")
    assert ARCHIVED in hub.refs() and TAG not in hub.refs()
    hub.takes(f"{ARCHIVED}:{TAG}")
    hub.refuses(f":{TAG}", f":{ARCHIVED}", words=(TAG.removeprefix("refs/tags/"), "never deleted"))


def test_a_run_under_another_id(hub: Hub) -> None:
    made = make_run(hub.box, SECOND)
    said = f"the tag object itself is called run/{SECOND}"
    words = (f"tag run/{FIRST}: {said}", f"{ARCHIVED}: {said}")
    hub.refuses(f"{made.tag_object}:{TAG}", f"{made.tag_object}:{ARCHIVED}", words=words)


def test_runs_that_are_called_otherwise(hub: Hub) -> None:
    names = ("old", "20260101", f"{FIRST}/x", FIRST.upper())
    annotate(hub, *(f"run/{name}" for name in names))
    words = tuple(f"tag run/{name}: {name} is not the id of a run" for name in names)
    hub.refuses(*(f"run/{name}" for name in names), words=words)


def test_a_message_that_is_no_record(hub: Hub) -> None:
    annotate(hub, f"run/{FIRST}")
    hub.refuses(f"run/{FIRST}", words=(FIRST, "there is no line '--- gitmlog run 1 ---'"))


def test_a_record_that_its_commit_does_not_have(hub: Hub) -> None:
    made = make_run(hub.box)
    message = message_of(hub, made.tag_object)
    for target, changed, word in (
        ("HEAD", message, f"its commit has no .gitmlog/runs/{FIRST}/run.toml"),
        (made.commit, message.replace('user = "ada"', 'user = "eve"'), "is another record"),
    ):
        commit = hub.box.git("rev-parse", target).strip()
        oid = run_tag(hub, f"run/{FIRST}", changed, commit)
        hub.refuses(f"{oid}:{TAG}", words=(FIRST, word))


def test_a_record_of_another_run(hub: Hub) -> None:
    made = make_run(hub.box)
    oid = run_tag(hub, f"run/{SECOND}", message_of(hub, made.tag_object), made.commit)
    hub.refuses(f"{oid}:refs/tags/run/{SECOND}", words=(SECOND, f"it says that it is run/{FIRST}"))


def test_private_refs(hub: Hub) -> None:
    hub.refuses(f"HEAD:refs/gitmlog/live/{FIRST}", words=("refs/gitmlog/live", "private", "`gitmlog push --runs`"))
    for ref in ("refs/tags/run", "refs/gitmlog/runs", "refs/gitmlog/live"):
        hub.refuses(f"HEAD:{ref}", words=(ref, "the name is taken"))
    hub.box.git("update-ref", f"refs/gitmlog/live/{FIRST}", "HEAD", cwd=hub.path)
    hub.takes(f":refs/gitmlog/live/{FIRST}")
