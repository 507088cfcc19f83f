"""The repository on a server: its own settings, and those that its branch had before the push."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from gitmlog.git.bare import BareRepo, Quarantine
from gitmlog.repo.config import SHARED_PATH, Config, load_config, parse_config
from gitmlog.repo.pushed import Pushed
from gitmlog.repo.schema import Layer

_MAX_CONFIG = 1 << 20


class Server:
    """A repository that others push to. Opening one writes nothing.

    Attributes:
        git: the repository, with what the push brings.
        home: what gitmlog keeps in it.
        user_config: the configuration file of whoever runs this, or None to read none.
    """

    def __init__(self, git: BareRepo, user_config: Path | None = None) -> None:
        self.git = git
        self.home = git.commondir / "gitmlog"
        self.user_config = user_config

    @classmethod
    def open(cls, start: Path, user_config: Path | None = None, quarantine: Quarantine | None = None) -> Server:
        """The repository that `start` lies in. Raises NotFoundError, GitError."""
        return cls(BareRepo.open(start, quarantine), user_config)

    @property
    def config_files(self) -> dict[Layer, Path]:
        """Where each layer of the configuration is that is a file."""
        files: dict[Layer, Path] = {"local": self.home / "config.toml"}
        return files if self.user_config is None else files | {"user": self.user_config}

    @cached_property
    def config(self) -> Config:
        """The settings; the committed ones are those of HEAD, never of the push. Raises ConfigError, RefusedError."""
        private = load_config(self.config_files)
        data = self.committed(SHARED_PATH, _MAX_CONFIG)
        return private if data is None else Config({**private.layers, "shared": parse_config(data, SHARED_PATH, "shared")})

    def committed(self, path: str, most: int) -> bytes | None:
        """The file at `path` as HEAD has it, before the push; at most `most` bytes. Raises RefusedError, kind `too-large`."""
        head = self.git.head_commit
        return None if head is None else self.git.file_at(head, path, most)

    @cached_property
    def pushed(self) -> Pushed:
        """What the remote was seen to hold."""
        return Pushed(self.home / "pushed.db")

    @property
    def trust_file(self) -> Path:
        """Where the committed address that was used first is remembered."""
        return self.home / "trust.toml"
