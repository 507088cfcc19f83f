"""`gitmlog` and `python -m gitmlog`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. `--version` alone imports nothing, so that scripts can ask it often."""
    if sys.argv[1:] == ["--version"]:
        from gitmlog import __version__

        sys.stdout.write(f"gitmlog {__version__}\n")
        return
    from gitmlog.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
