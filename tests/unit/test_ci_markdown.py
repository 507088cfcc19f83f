"""The report as Markdown: read by a real parser of CommonMark, with names that want to be links, images, mentions and HTML."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gitmlog.core.digest import ObjectId
from gitmlog.metafile.change import MetafileChange
from gitmlog.metafile.schema import DirectoryFacts, FileFacts, Metafile
from gitmlog.ops.ci.document import document
from gitmlog.ops.ci.facts import FilesChanged, LargeFile, PathChange, RemoteFacts, Report, Unreadable
from gitmlog.ops.ci.markdown import LIMIT, MARKER, code, markdown
from gitmlog.ops.ci.text import text

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HARMLESS_TAGS = {"h3", "p", "ul", "li", "strong", "code", "blockquote", "sub", "details", "summary"}


class Seen(HTMLParser):
    """The tags of a page, the texts in code, and all other text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[object] = []
        self.code: list[str] = []
        self.prose = ""
        self._in_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag == "code":
            self._in_code = True
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self._in_code = False

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.code[-1] += data
        else:
            self.prose += data


def seen(source: str) -> Seen:
    found = Seen()
    found.feed(PARSER.render(source))
    return found


HOSTILE = [
    "@team/everyone",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<img src=x onerror=alert(1)>",
    "</details></code><script>alert(1)</script>",
    "`code`",
    "``` fence",
    "a`b``c```d",
    "`",
    "|cell|cell|",
    "https://evil.example www.evil.example me@evil.example #1 !2 GH-3",
    "&#64;team &lt;b&gt;",
    "**bold** ~~gone~~ _x_",
    "[ref]: https://evil.example",
    "<!-- gitmlog-review -->",
    "\\`x\\`",
    "- item\n# title\n> quote",
    "$`math`$",
    " edges ",
    "a\r\n\r\n<b>",
    "\u202egnp.exe",
]


def file(name: str, size: int = 1, desc: str = "") -> Metafile:
    return Metafile(FileFacts("x", ObjectId(f"{size:064x}"), size), desc=desc)


def report_of(name: str) -> Report:
    change = MetafileChange(name, "changed", file(name), file(name, 2, desc=name))
    renamed = MetafileChange(name, "renamed", file(name), file(name), name)
    folder = Metafile(DirectoryFacts("x", ObjectId("a" * 64), 1, 1))
    files = FilesChanged((name,), (name,), (name,))
    return Report(
        "a" * 40,
        "b" * 40,
        "c" * 40,
        paths=(
            PathChange(change, place="missing"),
            PathChange(renamed),
            PathChange(MetafileChange(name, "changed", folder, folder), files),
        ),
        unreadable=(Unreadable(name, name, "bad-metafile"),),
        large=(LargeFile(name, "d" * 40, 20_000_000, True, False),),
        remote=RemoteFacts("lab"),
        notes=(name,),
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_anything_else(name: str) -> None:
    found = seen(markdown(report_of(name)))
    assert found.tags <= HARMLESS_TAGS
    assert found.attributes == []
    for forbidden in ("@", "http", "www.", "evil", "everyone", "script", "<"):
        assert forbidden not in found.prose, found.prose
    assert markdown(report_of(name)).count(MARKER) == markdown(report_of("x")).count(MARKER) or "gitmlog-review" in name


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=60))
def test_a_code_span_holds_exactly_the_text(name: str) -> None:
    found = seen(f"- {code(name)} and more")
    assert found.tags == {"ul", "li", "code"}
    assert [each.strip(" ") for each in found.code] == [name.strip(" ")]
    assert found.prose.strip() == "and more"


def many(count: int, name: str = "model-{}.safetensors") -> Report:
    paths = tuple(PathChange(MetafileChange(name.format(n), "added", None, file("", n + 1))) for n in range(count))
    return Report("a" * 40, "b" * 40, "c" * 40, paths=paths)


def test_a_long_list_is_folded() -> None:
    source = markdown(many(100))
    assert "<details><summary>and 75 more</summary>" in source
    assert "model-99" in source
    assert "Cut here" not in source


@pytest.mark.parametrize("count", [1_500, 5_000, 50_000])
def test_what_does_not_fit_is_cut_and_says_where_the_rest_is(count: int) -> None:
    source = markdown(many(count, "é" * 30 + "{}"))
    assert 60_000 < len(source.encode()) <= LIMIT
    assert "artifact `gitmlog-report`" in source
    assert source.count("<details>") == source.count("</details>")
    assert source.rstrip().endswith("</sub>")
    assert len(document(many(count), "1")["paths"]) == count


def test_nothing_to_say() -> None:
    source = markdown(Report("a" * 40, "b" * 40, "c" * 40))
    assert source.startswith(f"{MARKER}\n### ✅ gitmlog: No tracked path changes")


@pytest.mark.parametrize("name", HOSTILE)
def test_text_obeys_no_terminal_and_json_is_whole(name: str) -> None:
    shown = text(report_of(name))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    again = json.loads(json.dumps(document(report_of(name), "1")))
    assert again["paths"][0]["path"] == name
    assert again["attention"] is True
