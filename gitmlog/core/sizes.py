"""Counts and bytes in words."""

from __future__ import annotations


def human_size(size: int) -> str:
    """Bytes in words: "90.9 MB" (powers of 1000, as disks and `ls --si` have them)."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def plural(count: int, noun: str) -> str:
    """ "1 file", "2 files"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
