"""What a text of git's names: a metafile one object, a run's artifacts.toml several."""

from __future__ import annotations

from collections.abc import Iterator

from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.git.history import is_listing
from gitmlog.metafile.schema import DirectoryFacts, FileFacts, Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.ops.select import Selection
from gitmlog.runs.artifacts import Artifact, parse_artifacts


def listed(path: str, data: bytes) -> Iterator[tuple[Selection, Metafile]]:
    """What the file `path` of a commit names: each object with the path that it belongs to.

    An entry of artifacts.toml is taken as a metafile of its own, beside artifacts.toml.

    Raises:
        DataError: kinds `bad-metafile`, `bad-run` and `newer-version`.
    """
    if not is_listing(path):
        yield Selection(path.removesuffix(METAFILE_SUFFIX)), parse_metafile(data, path)
        return
    folder = path.rpartition("/")[0]
    for each in parse_artifacts(data, path).all:
        yield Selection(f"{folder}/{each.path}"), Metafile(_facts(each))


def _facts(each: Artifact) -> FileFacts | DirectoryFacts:
    name = each.path.rpartition("/")[2]
    if each.files is None:
        return FileFacts(name, each.blake3, each.size)
    return DirectoryFacts(name, each.blake3, each.size, each.files)
