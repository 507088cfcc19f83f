"""The report for programs: everything, as plain values for JSON, under a version of its own."""

from __future__ import annotations

from typing import Any

from gitmlog.metafile.change import in_words
from gitmlog.metafile.schema import DirectoryFacts, Metafile
from gitmlog.ops.ci.facts import VERSION, LargeFile, PathChange, Report, RunAdded
from gitmlog.runs.stored import plain


def document(report: Report, writer: str) -> dict[str, Any]:
    """All that is known; `writer` is the version of gitmlog. Keys are only ever added within a version."""
    totals = report.totals
    return {
        "version": VERSION,
        "gitmlog": writer,
        "base": report.base,
        "head": report.head,
        "merge_base": report.merge_base,
        "attention": report.needs_attention,
        "totals": {name: getattr(totals, name) for name in ("added", "removed", "changed", "renamed", "new_bytes")},
        "paths": [_path(each) for each in report.paths],
        "unreadable": [{"path": each.path, "reason": each.reason, "kind": each.kind} for each in report.unreadable],
        "runs": [_run(each) for each in report.runs],
        "large": [_large(each) for each in report.large],
        "large_limit": report.large_limit,
        "remote": {"name": report.remote.name, "not_checked": report.remote.why_not, "missing": list(report.missing)},
        "notes": list(report.notes),
    }


def _path(each: PathChange) -> dict[str, Any]:
    change = each.change
    files = each.files
    return {
        "path": change.path,
        "change": change.kind,
        "old_path": change.old_path,
        "words": in_words(change),
        "old": _metafile(change.old),
        "new": _metafile(change.new),
        "object": each.place,
        "files": {name: list(getattr(files, name)) for name in ("added", "removed", "changed")} if files else None,
    }


def _metafile(metafile: Metafile | None) -> dict[str, Any] | None:
    if metafile is None:
        return None
    facts = metafile.facts
    found: dict[str, Any] = {"blake3": facts.blake3, "size": facts.size, "type": metafile.type, "desc": metafile.desc}
    return found | {"files": facts.files} if isinstance(facts, DirectoryFacts) else found | {"executable": facts.executable}


def _run(each: RunAdded) -> dict[str, Any]:
    return {**plain(each.record), "objects": each.objects, "missing": list(each.missing)}


def _large(each: LargeFile) -> dict[str, Any]:
    return {name: getattr(each, name) for name in ("path", "commit", "size", "exact", "kept")}
