"""`python -m tests.benchmarks`: measure, print the table, and with --readme put it into the README.

Peers are taken from PATH (and --peers DIR): dvc with dvc-s3, git-lfs, git-annex. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measure import Failed
from tests.benchmarks.rows import PEERS, ROWS, Bench
from tests.benchmarks.table import render, write_readme
from tests.benchmarks.tools import versions
from tests.servers import ACCESS, SECRET


def main() -> None:
    """Measure what was asked for."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="gitmlog-bench-", dir=options.folder))
    bench = Bench(
        folder, _environment(folder, options.peers), options.scale, options.rounds, options.peer_rounds, tuple(options.only)
    )
    try:
        rows = []
        for name in options.rows or ROWS:
            sys.stderr.write(f"{name}\n")
            rows.append(ROWS[name](bench))
            sys.stderr.write(f"{render(rows[-1:], [])}\n")
    except Failed as error:
        sys.stderr.write(f"stopped: {error}\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = render(rows, _about(bench))
    sys.stdout.write(table + "\n")
    if options.readme and rows:
        write_readme(Path(__file__).parents[2] / "README.md", table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which ({', '.join(ROWS)}); all by default")
    parser.add_argument("--peers", metavar="DIR", default="", help="a folder with the peers' programs, put before PATH")
    parser.add_argument("--folder", metavar="DIR", help="where to work (default: the temporary folder); needs 60 GB at scale 1")
    parser.add_argument("--scale", type=float, default=1.0, help="less than 1 for a trial")
    parser.add_argument("--rounds", type=int, default=3, help="how often each takes its turn (the median counts)")
    parser.add_argument("--peer-rounds", type=int, default=3, help="in how many of these rounds the peers take part")
    parser.add_argument(
        "--only", nargs="+", default=PEERS, choices=PEERS, metavar="PEER", help=f"which peers ({', '.join(PEERS)})"
    )
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    return parser.parse_args()


def _environment(folder: Path, peers: str) -> dict[str, str]:
    home = folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "AWS_", "DVC_", "XDG_"))}
    path = os.pathsep.join(filter(None, [str(Path(sys.executable).parent), peers, os.environ.get("PATH", "")]))
    credentials = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
    return {**kept, **credentials, "HOME": str(home), "PATH": path, "DVC_NO_ANALYTICS": "1"}


def _about(bench: Bench) -> list[str]:
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    machine = f"{system}, {os.cpu_count()} cores, Python {platform.python_version()}"
    scale = "" if bench.scale == 1 else f" Trial at scale {bench.scale:g}."
    return [
        f"Median of {bench.rounds} rounds taken in turn (peers: {min(bench.rounds, bench.peer_rounds)}) on {machine}.{scale}",
        "Peers as they are: none of them syncs what it wrote, gitmlog always does.",
        f"{'; '.join(versions(bench.env))}.",
    ]


if __name__ == "__main__":
    main()
