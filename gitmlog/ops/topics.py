"""The pages that ship with gitmlog: guides, and the specifications of the formats."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

Shelf = Literal["guide", "spec"]
SHELVES: tuple[Shelf, ...] = ("guide", "spec")


@dataclass(frozen=True)
class Page:
    """One page: its name, which shelf it stands on, its title, and its Markdown text."""

    name: str
    shelf: Shelf
    title: str
    text: str


def pages() -> list[Page]:
    """All pages: guides, then specifications; each by name."""
    return [page for shelf in SHELVES for page in _shelf(shelf)]


def find_page(name: str) -> Page | None:
    """The page `name`; a guide comes before a specification of the same name."""
    return next((page for page in pages() if page.name == name), None)


def _shelf(shelf: Shelf) -> list[Page]:
    folder = files("gitmlog") / "docs" / shelf
    texts = {file.name.removesuffix(".md"): file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".md")}
    return [Page(name, shelf, _title(text), text) for name, text in sorted(texts.items())]


def _title(text: str) -> str:
    return text.splitlines()[0].lstrip("# ")
