"""The hook pre-receive: hostile trees, and policy and branches."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gitmlog.core.paths import display
from tests.conftest import Sandbox
from tests.hub import Hub, blob, commit, install, make_hub, tree
from tests.runs import FIRST, git

pytestmark = pytest.mark.long


@pytest.fixture
def hub(sandbox: Sandbox, tmp_path: Path) -> Hub:
    return make_hub(sandbox, tmp_path)


def refuse(hub: Hub, *tops: tuple[str, tuple[str, ...]]) -> str:
    """One push with two refs for each of these top folders: each has all its words in the answer, and the way out is there."""
    head = hub.box.git("rev-parse", "HEAD").strip()
    made = [commit(hub.box, top, *parents) for top, _ in tops for parents in ((head,), ())]
    words = tuple(word for _, several in tops for word in several)
    refs = (f"{oid}:refs/heads/x{number}" for number, oid in enumerate(made))
    return hub.refuses("--force", *refs, words=(*words, "take it out of every commit"))


def take(hub: Hub, top: str) -> None:
    hub.takes(f"{commit(hub.box, top, hub.box.git('rev-parse', 'HEAD').strip())}:refs/heads/x")


HOSTILE = [".", "..", ".git", ".GIT", ".Git", "git~1", "GIT~1", ".git.", ".git ", ".git...", ".git::$INDEX_ALLOCATION", ".git:x"]
HOSTILE += [".g\u200cit", "\ufeff.git", ".git\\hooks", "a\\.git", "a\\..git\\.GIT", "a/b", "/", "../x"]


def shown(path: str) -> str:
    """As messages have it."""
    return f"error: {display(path)}: "


@pytest.mark.parametrize("folder", ["", "folder/"])
def test_names_that_git_or_a_file_system_obeys(hub: Hub, folder: str) -> None:
    tops = [tree(hub.box, ("100644", name, blob(hub.box))) for name in HOSTILE]
    tops = [tree(hub.box, ("40000", "folder", top)) for top in tops] if folder else tops
    said = refuse(hub, *((top, (shown(folder + name),)) for name, top in zip(HOSTILE, tops, strict=True)))
    assert said.count("error: ") == len(HOSTILE) + 1  # the last one is git's own


def test_a_folder_called_dot_git(hub: Hub) -> None:
    hooks = tree(hub.box, ("40000", "hooks", tree(hub.box, ("100755", "post-checkout", blob(hub.box)))))
    refuse(hub, (tree(hub.box, ("40000", "a", tree(hub.box, ("40000", ".Git", hooks)))), (shown("a/.Git"), "read as .git")))


def test_odd_names_that_are_legal(hub: Hub) -> None:
    names = [b"a b", b"-rf", b"~", b"caf\xe9", b"new\nline", b"\x01", b"tab\t", b"x" * 255, b"back\\slash", b"a:b", b"..."]
    names += [b".gitignore", b".gitmodules", b".gitattributes", b".github", b"git~2", b"aux", b"CON", b"gitmlog", b".gitm"]
    names += ["\u202egpj.exe".encode(), "日本".encode(), b"@", b"#x#", b"git", b".gi", b"x.git"]
    one = blob(hub.box)
    files = [("100644", name, one) for name in sorted(names)]
    take(hub, tree(hub.box, *files, ("120000", "zlink", one), ("160000", "zmod", one)))


def test_odd_folders_that_are_legal(hub: Hub) -> None:
    one = blob(hub.box)
    inner = tree(hub.box, ("100644", "file", one))
    top = tree(hub.box, ("40000", b"caf\xe9\n", inner), ("40000", "folder.gitmlog", inner), ("40000", "sub", tree(
        hub.box, ("40000", ".gitmlog", tree(hub.box, ("120000", "link", one))))))  # fmt: skip
    take(hub, top)


def test_metafiles_that_are_no_plain_files(hub: Hub) -> None:
    one = blob(hub.box)
    kinds = {"120000": "a symbolic link", "100755": "an executable file", "160000": "a submodule"}
    tops = [
        (tree(hub.box, (mode, f"m{mode}.gitmlog", one)), (f"m{mode}.gitmlog: a metafile is a plain file, and this is {what}",))
        for mode, what in kinds.items()
    ]
    refuse(hub, *tops)
    odd = commit(hub.box, tree(hub.box, ("30644", "x", one)))
    assert hub.push(f"{odd}:refs/heads/odd").code == 1  # git itself may find it first
    assert "refs/heads/odd" not in hub.refs()


def test_metafiles_of_what_may_not_be_tracked(hub: Hub) -> None:
    names = ("a.gitmlog.gitmlog", ".git.gitmlog", "..gitmlog", "...gitmlog", "a\\b.gitmlog", "a\nb.gitmlog", "-x.gitmlog")
    one = blob(hub.box)
    refuse(hub, *((tree(hub.box, ("100644", name, one)), (shown(name), "may not track anything")) for name in names))


def test_a_folder_of_gitmlogs_that_is_none(hub: Hub) -> None:
    kinds = {"100644": "a file", "120000": "a symbolic link", "160000": "a submodule"}
    tops = {mode: tree(hub.box, (mode, ".gitmlog", blob(hub.box))) for mode in kinds}
    said = ".gitmlog is gitmlog's own folder, and this is"
    refuse(hub, *((top, (f"error: .gitmlog: {said} {kinds[mode]}",)) for mode, top in tops.items()))
    below = {mode: tree(hub.box, ("40000", "sub", top)) for mode, top in tops.items()}
    refuse(hub, *((top, (f"error: sub/.gitmlog: {said} {kinds[mode]}",)) for mode, top in below.items()))


def test_other_spellings_of_the_folder(hub: Hub) -> None:
    inner = tree(hub.box, ("100644", "f", blob(hub.box)))
    tops = [
        tree(hub.box, (mode, ".GitMLog", inner if mode == "40000" else blob(hub.box))) for mode in ("40000", "100644", "120000")
    ]
    refuse(hub, *((top, (".GitMLog: the name is read as .gitmlog",)) for top in tops))


PLACES = ("config.toml", "runs", f"runs/{FIRST}", f"runs/{FIRST}/artifacts.toml", "a/b/c/d/e/f")


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_links_and_submodules_in_the_folder(hub: Hub, mode: str) -> None:
    tops = []
    for path in PLACES:
        *folders, name = path.split("/")
        made = tree(hub.box, (mode, name, blob(hub.box)))
        for folder in reversed(folders):
            made = tree(hub.box, ("40000", folder, made))
        tops.append((tree(hub.box, ("40000", ".gitmlog", made)), (f".gitmlog/{path}: .gitmlog holds plain files",)))
    refuse(hub, *tops)


def test_runs_that_are_called_otherwise(hub: Hub) -> None:
    tops = []
    for name in ("x", FIRST.upper(), f"{FIRST} ", "20260101"):
        run = tree(hub.box, ("40000", name, tree(hub.box, ("100644", "run.toml", blob(hub.box)))))
        top = tree(hub.box, ("40000", ".gitmlog", tree(hub.box, ("40000", "runs", run))))
        tops.append((top, (shown(f".gitmlog/runs/{name}"), "its name is no id of a run")))
    refuse(hub, *tops)


def test_a_folder_that_came_elsewhere_before(hub: Hub) -> None:
    """Links are harmless there, and the trees are not new when they come to where they count."""
    folder = tree(hub.box, ("120000", "config.toml", blob(hub.box)))
    take(hub, tree(hub.box, ("40000", "harmless", folder)))
    top = tree(hub.box, ("40000", ".gitmlog", folder))
    refuse(hub, (top, (".gitmlog/config.toml: ",)))


def test_the_same_folder_at_a_harmless_place_of_the_push(hub: Hub) -> None:
    """What was looked at where links may be is looked at again where they may not."""
    run = tree(hub.box, ("100644", "artifacts.toml", blob(hub.box, b"version = 1\nnope = 1\n")))
    folder = tree(hub.box, ("40000", "a", run), ("40000", "runs", tree(hub.box, ("40000", FIRST, run))))
    head = hub.box.git("rev-parse", "HEAD").strip()
    made = commit(hub.box, tree(hub.box, ("40000", ".gitmlog", folder)), head)
    hub.refuses(f"{made}:refs/heads/x", words=("artifacts.toml cannot be read",))


def test_hostile_names_that_were_there_before(hub: Hub) -> None:
    (hub.path / "hooks/pre-receive").unlink()
    one = blob(hub.box)
    old = commit(hub.box, tree(hub.box, ("100644", "git~1", one)), hub.box.git("rev-parse", "HEAD").strip())
    hub.takes(f"{old}:refs/heads/x")
    install(hub.path)
    hub.takes(f"{commit(hub.box, tree(hub.box, ('100644', 'git~1', one), ('100644', 'more', one)), old)}:refs/heads/x")
    bad = commit(hub.box, tree(hub.box, ("100644", "git~1", blob(hub.box, b"other"))), old)
    hub.refuses("--force", f"{bad}:refs/heads/x", words=("git~1",))


def test_a_tree_that_is_none(hub: Hub) -> None:
    """git itself may find it first."""
    for data in (b"100644 name", b"100644 name\0short", b"x name\0" + b"x" * 20, b"100644 \0" + b"x" * 20):
        made = git(hub.box, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=data)
        done = hub.box.run("git", "push", "origin", f"{commit(hub.box, made)}:refs/heads/x")
        assert done.code != 0
        assert "refs/heads/x" not in hub.refs()


def test_two_entries_of_one_name(hub: Hub) -> None:
    """Which of them counts?"""
    good, bad = (tree(hub.box, (mode, "config.toml", blob(hub.box))) for mode in ("100644", "120000"))
    tops = [tree(hub.box, ("40000", ".gitmlog", good), ("40000", ".gitmlog", bad))]
    twins = tree(hub.box, ("100644", "run.toml", blob(hub.box)), ("40000", "run.toml", good))
    take(hub, tree(hub.box, ("40000", "harmless", twins)))
    tops.append(tree(hub.box, ("40000", ".gitmlog", tree(hub.box, ("40000", "runs", tree(hub.box, ("40000", FIRST, twins)))))))
    places = ("the top folder (git's tree ", f".gitmlog/runs/{FIRST}: ")
    refuse(hub, *((top, (place, "two entries have one name")) for top, place in zip(tops, places, strict=True)))


def test_a_commit_in_capitals(hub: Hub) -> None:
    """git takes it."""
    folder = tree(hub.box, ("120000", "config.toml", blob(hub.box)))
    take(hub, tree(hub.box, ("40000", "harmless", folder)))
    top = tree(hub.box, ("40000", ".gitmlog", folder))
    text = git(hub.box, "cat-file", "commit", commit(hub.box, top)).replace(top, top.upper())
    oid = git(hub.box, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=f"{text}\n".encode())
    assert hub.push(f"{oid}:refs/heads/capitals").code == 1
    assert "refs/heads/capitals" not in hub.refs()


def test_a_tree_that_names_itself_a_billion_times(hub: Hub) -> None:
    """Each tree is looked at once."""
    made = tree(hub.box, ("100644", "file", blob(hub.box)))
    for _ in range(9):
        made = tree(hub.box, *(("40000", f"d{number}", made) for number in range(10)))
    top = tree(hub.box, ("40000", ".gitmlog", made), ("40000", "x", made))
    started = time.monotonic()
    take(hub, top)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(("name", "depth"), [("d" * 250, 20), ("d", 2100)])
def test_a_tree_that_is_very_deep(hub: Hub, name: str, depth: int) -> None:
    """Without recursion: no stack to overflow."""
    import pygit2

    made, odb = tree(hub.box, ("100644", "file", blob(hub.box))), pygit2.Repository(str(hub.box.root)).odb
    for _ in range(depth):
        made = str(odb.write(pygit2.enums.ObjectType.TREE, f"40000 {name}\0".encode() + bytes.fromhex(made)))
    said = refuse(hub, (tree(hub.box, ("40000", ".gitmlog", made)), ("longer than",)))
    answer = said[said.index("error: ") :]
    assert len(answer) < 2000


def test_protected_branches(hub: Hub) -> None:
    box = hub.box
    box.git("config", "receive.denyDeleteCurrent", "ignore", cwd=hub.path)
    box.write("README", "2\n")
    box.commit()
    hub.takes("main")
    hub.refuses("--force", "main~1:main", words=("branch main is protected", "git pull --rebase origin main"))
    box.git("commit", "-q", "--amend", "-m", "another")
    hub.refuses("--force", "main", words=("branch main is protected", "no fast-forward"))
    hub.refuses("--delete", "main", words=("branch main is protected: it is not deleted",))
    hub.takes("main:refs/heads/release/1", "main~1:refs/heads/feature")
    hub.takes("--force", "main:refs/heads/feature")
    box.git("reset", "-q", "--hard", hub.refs()["refs/heads/main"])
    hub.policy('[branches]\nprotected = ["release/*"]\n')
    hub.refuses("--delete", "release/1", words=("branch release/1 is protected",))
    hub.takes("--force", "main~1:main")


def test_a_policy_that_cannot_be_read_does_not_come_in(hub: Hub) -> None:
    for path, text, word in (
        ("policy.toml", "version = 1\nnope = 1\n", ".gitmlog/policy.toml: nope: unknown key"),
        ("policy.toml", "version = 9\n", "is of version 9"),
        ("config.toml", "nope = 1\n", ".gitmlog/config.toml: nope: unknown key"),
        ("allowed_signers", "x" * (2 << 20), "allowed_signers has 2,097,152 bytes"),
    ):
        hub.box.write(f".gitmlog/{path}", text)
        hub.box.commit("broken")
        hub.refuses("main", words=(word,))
        hub.takes("--force", "main:refs/heads/other")
        hub.box.git("reset", "-q", "--hard", "HEAD~1")


def test_a_policy_that_cannot_be_read_lets_nothing_in(hub: Hub) -> None:
    (hub.path / "hooks/pre-receive").unlink()
    hub.box.write(".gitmlog/policy.toml", "version = 1\nnope = 1\n")
    hub.box.commit("broken")
    hub.takes("main")
    install(hub.path)
    hub.refuses("main:refs/heads/x", words=("nope: unknown key", "its administrator repairs .gitmlog/policy.toml"))


def test_heads_that_lead_nowhere(hub: Hub) -> None:
    hub.box.git("symbolic-ref", "HEAD", "refs/heads/none", cwd=hub.path)
    hub.takes("--delete", "main")
    hub.takes("main")
    (hub.path / "HEAD").write_text(hub.refs()["refs/heads/main"] + "\n")
    hub.takes("main:refs/heads/x")
