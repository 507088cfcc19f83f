"""Help, guides, specifications and README say what the code does."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gitmlog.cli.main import COMMANDS, cli
from gitmlog.metafile.text import format_metafile, parse_metafile
from gitmlog.metafile.tree import format_tree, parse_tree
from gitmlog.ops.topics import find_page, pages
from gitmlog.remote.urls import parse_url
from gitmlog.repo.config import parse_config
from gitmlog.repo.schema import KEYS, REMOTE_KEYS, find_key
from tests.unit.kinds import SOURCE, sources, used_kinds

ROOT = SOURCE.parent
TEXTS = {page.name + "-" + page.shelf: page.text for page in pages()} | {
    name: (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
}
SHELL = ("console", "sh", "bash")
READERS = {Path("git/plumbing.py"), Path("api/process.py")}


@pytest.fixture(autouse=True)
def no_file_need_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples name files and folders of a user, not of this machine."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: value)


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks of some languages."""
    return [
        body for language, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE) if language in languages
    ]


def page(name: str, shelf: str) -> str:
    return next(each.text for each in pages() if (each.name, each.shelf) == (name, shelf))


def find_command(words: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    """The command that these words call, its context, and its own arguments. Raises click.ClickException."""
    context = cli.make_context("gitmlog", list(words))
    command: click.Command = cli
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, f"no command {name}"
        if isinstance(found, click.Group):
            context = found.make_context(name, rest, parent=context)
        command, words = found, rest
    return command, context, words


def check_line(words: list[str]) -> None:
    """Parse a whole command line without running it."""
    if words in (["--version"], ["--help"]):
        return
    command, context, rest = find_command(words)
    command.make_context(command.name, rest, parent=context)


def check_mention(words: list[str]) -> None:
    """Command and options exist; arguments may be missing, as in "`gitmlog add --rehash`"."""
    if words[0].startswith("-"):
        return
    words = words[: words.index("--")] if "--" in words else words  # what follows is another program's
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, f"no command {words[0]}"
    if isinstance(command, click.Group) and len(words) > 1 and not words[1].startswith("-"):
        command = command.get_command(click.Context(command), words[1])
        assert command is not None, f"no command {words}"
    known = {"--help", "-h"} | {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    unknown = {word.split("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)} - known
    assert not unknown, f"gitmlog {command.name} has no {unknown}"


def shell_parts(line: str) -> Iterator[list[str]]:
    """The commands of a shell line, each as words, without redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    part: list[str] = []
    for word in lexer:
        if set(word) <= set("<>"):
            next(lexer)
        elif set(word) <= set("&|;"):
            yield part
            part = []
        else:
            part.append(word)
    yield part


def documented_lines() -> Iterator[tuple[str, str]]:
    """Every line of a shell block (in console blocks: after "$ ") that runs gitmlog."""
    for name, text in TEXTS.items():
        for block in blocks(text, *SHELL):
            marked = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
            for line in marked or block.splitlines():
                if re.search(r"\bgitmlog\b", line):
                    yield name, line


def commands_of(name: str) -> list[click.Command]:
    """A command, and those below it."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    context = click.Context(command)
    below = command.list_commands(context) if isinstance(command, click.Group) else []
    return [command, *(found for each in below if (found := command.get_command(context, each)))]  # type: ignore[attr-defined]


def example_lines(name: str) -> Iterator[str]:
    """The examples in the help of a command, and of those below it."""
    for each in commands_of(name):
        for line in (each.help or "").splitlines():
            if re.match(r"\s+(git|gitmlog|cd) ", line):
                yield re.split(r"\s{2,}", line.strip())[0]


def backticked(text: str) -> list[str]:
    """What stands in backticks and calls gitmlog."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [" ".join(found.split()) for found in re.findall(r"`(gitmlog [^`]+)`", outside)]


def hints() -> Iterator[tuple[str, str]]:
    """The command lines that the code's own messages name."""
    for path, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            for found in re.findall(r"`(gitmlog [a-z][^`]*)`", text):
                yield path.name, found


@pytest.mark.parametrize("name", TEXTS)
def test_documented_command_lines_are_valid(name: str) -> None:
    for line in (line for where, line in documented_lines() if where == name):
        for words in shell_parts(line):
            if words and words[0] == "gitmlog":
                check_line(words[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_in_the_help_are_valid(name: str) -> None:
    lines = list(example_lines(name))
    assert lines, f"the help of {name} has no example"
    for line in lines:
        for words in shell_parts(line):
            if words and words[0] == "gitmlog":
                check_line(words[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    for each in commands_of(name):
        assert re.search(r"^\s*Examples?:$", each.help or "", re.MULTILINE), each.name
        for option in each.params:
            assert not isinstance(option, click.Option) or option.help, f"{each.name} {option.name}"


@pytest.mark.parametrize("name", TEXTS)
def test_mentioned_commands_and_options_exist(name: str) -> None:
    for mention in backticked(TEXTS[name]):
        for words in shell_parts(mention.replace("[", "").replace("]", "").replace("…", "").replace("'", "")):
            if words and words[0] == "gitmlog":
                check_mention(words[1:])


def test_commands_in_messages_exist() -> None:
    found = list(hints())
    assert len(found) > 20
    for where, hint in found:
        try:
            parts = list(shell_parts(hint.replace("…", "").replace("'", "")))
            for words in parts:
                if words and words[0] == "gitmlog":
                    check_mention(words[1:])
        except AssertionError as error:
            raise AssertionError(f"{where}: {hint}: {error}") from error


def test_help_topics_that_are_mentioned_exist() -> None:
    mentions = [(name, found) for name, text in TEXTS.items() for found in re.findall(r"gitmlog help ([a-z-]+)", text)]
    mentions += [
        (path.name, found)
        for path in SOURCE.rglob("*.py")
        for found in re.findall(r"gitmlog help ([a-z-]+)", path.read_text("utf-8"))
    ]
    missing = {(where, topic) for where, topic in mentions if topic not in COMMANDS and find_page(topic) is None}
    assert not missing


def test_the_readme_sets_up_with_two_commands() -> None:
    readme = TEXTS["README.md"]
    installs = [line for block in blocks(readme, *SHELL) for line in block.splitlines() if "pip" in line]
    assert installs == [
        "python -m pip install . && gitmlog demo",
        "python -m pip install -e '.[test]' && python -m pytest",
    ]
    for marker in ("<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"):
        assert readme.count(marker) == 1


def test_links_between_pages_exist() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXTS[name]):
            assert (ROOT / target).exists(), f"{name}: {target}"


def test_examples_of_metafiles_parse_and_are_canonical() -> None:
    examples = blocks(page("metafile", "spec"), "toml")
    assert len(examples) >= 2
    for example in examples:
        assert format_metafile(parse_metafile(example.encode(), "example")).decode() == example


def test_examples_of_trees_parse_and_are_canonical() -> None:
    examples = blocks(page("tree", "spec"), "tree")
    assert examples
    for example in examples:
        assert format_tree(parse_tree(example.encode(), "example")).decode() == example


def test_examples_of_configuration_parse() -> None:
    examples = blocks(page("config", "spec"), "toml")
    assert examples
    for example in examples:
        parse_config(example.encode(), "example", "shared")


def test_examples_of_urls_and_markers_parse() -> None:
    text = page("remote", "spec")
    urls = [line for block in blocks(text, "url") for line in block.splitlines()]
    assert urls
    for url in urls:
        parse_url(url)
    for marker in blocks(text, "toml"):
        assert tomllib.loads(marker)["version"] == 1


def test_every_toml_block_anywhere_is_toml() -> None:
    for text in TEXTS.values():
        for block in blocks(text, "toml"):
            tomllib.loads(block)


def test_the_configuration_page_lists_the_keys() -> None:
    """Key, type, default and whether it may be committed."""
    lines = [line.split("|") for line in page("config", "spec").splitlines() if re.search(r"\| (yes|no) \|", line)]
    rows = [(cells[1], cells[2], cells[3], cells[4].strip()) for cells in lines]
    listed = {}
    for keys, kind, default, shared in rows:
        first, *others = re.findall(r"`([^`]+)`", keys)
        names = [first, *(first.rpartition(".")[0] + other for other in others)]
        listed |= {name.replace("NAME", "origin"): (kind.strip(), default.strip(" `"), shared == "yes") for name in names}
    assert set(listed) == {*KEYS, *(f"remote.origin.{name}" for name in REMOTE_KEYS)}
    for name, (kind, default, shared) in listed.items():
        key = find_key(name)
        assert key is not None
        assert {str: "string", int: "integer", list: "list of strings"}[key.type] == kind, name
        assert key.shared == shared, name
        if isinstance(key.default, int):
            assert default == str(key.default), name


def test_the_errors_page_lists_the_kinds_and_their_exit_codes() -> None:
    """All that the code uses, and no other."""
    rows = re.findall(r"^\| `([a-z-]+)` \| ([0-9, ]+) \|", page("errors", "guide"), re.MULTILINE)
    listed = {kind: {int(code) for code in codes.split(",")} for kind, codes in rows}
    assert len(listed) == len(rows), "a kind stands twice"
    used = used_kinds()
    open_ended = tuple(kind[:-1] for kind in used if kind.endswith("*"))
    closed = {kind for kind in used if not kind.endswith("*")}
    assert closed - set(listed) == set(), "not listed"
    assert {kind for kind in set(listed) - closed if not kind.startswith(open_ended)} == set(), "listed, but not used"
    for kind in closed:
        assert used[kind] <= listed[kind], kind


def test_only_the_command_line_prints_and_reads_the_environment() -> None:
    """DESIGN section 3. git/plumbing.py hands the environment on to git; a run is handed to child processes by a variable."""
    for path, module in sources():
        place = path.relative_to(SOURCE)
        if place.parts[0] in ("cli", "__main__.py"):
            continue
        for node in ast.walk(module):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            assert called not in ("print", "input"), place
            read = node.attr if isinstance(node, ast.Attribute) else ""
            assert read not in ("environ", "getenv", "putenv") or place in READERS, place
