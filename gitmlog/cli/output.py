"""Text, JSON and progress."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitmlog.core.progress import SILENT, Progress, Task, Unit
from gitmlog.core.shown import escaped, harmless
from gitmlog.core.sizes import human_size as human_size  # noqa: PLC0414 - handed on
from gitmlog.core.sizes import plural as plural  # noqa: PLC0414 - handed on

if TYPE_CHECKING:
    from gitmlog.repo.server import Server
    from gitmlog.repo.workspace import Workspace

_PATIENCE = 0.5
_PLAIN_EVERY = 5.0


@dataclass
class App:
    """What every command is given: where it works and how it talks."""

    folder: str | None = None
    quiet: bool = False

    @cached_property
    def base(self) -> Path:
        """The folder that paths are relative to."""
        return Path(os.path.abspath(self.folder or os.getcwd()))

    @cached_property
    def user_config(self) -> Path:
        """The user's own configuration file (XDG base directory specification)."""
        home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        return Path(home) / "gitmlog" / "config.toml"

    @cached_property
    def workspace(self) -> Workspace:
        """The repository of `base`."""
        from gitmlog.repo.workspace import Workspace

        opened = Workspace.open(self.base, self.user_config)
        _check_named(opened)
        return opened

    @cached_property
    def server(self) -> Server:
        """The repository of `base`, which may be bare."""
        from gitmlog.repo.server import Server

        return Server.open(self.base, self.user_config)

    @cached_property
    def progress(self) -> Progress:
        """Bars on a terminal, plain lines elsewhere, nothing when quiet."""
        return SILENT if self.quiet else Reporter(terminal=sys.stderr.isatty())

    def close(self) -> None:
        """The command is over."""
        if "workspace" in self.__dict__:
            self.workspace.close()

    def say(self, text: str) -> None:
        """Print a line of a result that nobody asked for by name: not when quiet."""
        if not self.quiet:
            echo(text)

    def note(self, text: str) -> None:
        """Print a remark to stderr."""
        if not self.quiet:
            echo(f"note: {harmless(text)}", err=True)


def _check_named(ws: Workspace) -> None:
    """Refuse to work in another repository than the one that GIT_DIR names, as it does in hooks and for a bare working tree.

    Raises:
        GitError: kind `other-repository`.
    """
    named = os.environ.get("GIT_DIR")
    if named and Path(os.path.abspath(named)).resolve() != ws.git.gitdir:
        from gitmlog.core.errors import GitError
        from gitmlog.core.paths import display

        message = f"GIT_DIR names {display(named)}, which is not the repository of {display(ws.root)}"
        hint = "unset GIT_DIR and GIT_WORK_TREE; a working tree that is apart from its repository is not supported"
        raise GitError(message, kind="other-repository", hint=hint)


def echo(text: str, *, err: bool = False) -> None:
    """Print a line; names that are not UTF-8 are shown with replacement characters."""
    click.echo(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), err=err)


def echo_json(value: Any) -> None:
    """Print one JSON document: dataclasses as objects, paths as strings."""
    echo(escaped(json.dumps(value, default=_plain, ensure_ascii=False, indent=2)))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"no JSON for {type(value)}")


def there(count: int) -> str:
    """ "1 was", "2 were"."""
    return f"{count:,} {'was' if count == 1 else 'were'}"


class Reporter:
    """Progress on stderr; work that is done within half a second is not worth a line."""

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal

    @contextmanager
    def task(self, label: str, total: int | None, unit: Unit = "files") -> Iterator[Task]:
        """See gitmlog.core.progress."""
        bar: _Line = _Bar(label, total, unit) if self._terminal else _Line(label, total, unit)
        try:
            yield bar
        finally:
            bar.end()

    def note(self, message: str) -> None:
        """See gitmlog.core.progress."""
        echo(f"note: {harmless(message)}", err=True)


class _Line:
    """A plain line every few seconds."""

    def __init__(self, label: str, total: int | None, unit: Unit) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._done = 0
        self._guard = threading.Lock()
        self._next = time.monotonic() + _PLAIN_EVERY

    def advance(self, amount: int = 1) -> None:
        with self._guard:
            self._done += amount
            if time.monotonic() >= self._next:
                self._show()

    def _show(self) -> None:
        self._next = time.monotonic() + _PLAIN_EVERY
        of = f" of {self._amount(self._total)}" if self._total else ""
        echo(f"{self._label}: {self._amount(self._done)}{of}", err=True)

    def _amount(self, count: int) -> str:
        return human_size(count) if self._unit == "bytes" else f"{count:,}"

    def end(self) -> None:
        """The work is over."""


class _Bar(_Line):
    """A bar by rich, which is imported only when the work takes long enough to be worth it."""

    def __init__(self, label: str, total: int | None, unit: Unit) -> None:
        super().__init__(label, total, unit)
        self._next = time.monotonic() + _PATIENCE
        self._bar: Any = None

    def _show(self) -> None:
        if self._bar is None:
            self._start()
        self._bar.update(0, completed=self._done)
        self._next = time.monotonic() + 0.1

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        counts = [DownloadColumn(), TransferSpeedColumn()] if self._unit == "bytes" else [MofNCompleteColumn()]
        columns = (TextColumn("{task.description}"), BarColumn(), *counts, TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.add_task(self._label.replace("[", "\\["), total=self._total)
        self._bar.start()

    def end(self) -> None:
        """The work is over: the bar goes."""
        if self._bar is not None:
            self._bar.stop()
