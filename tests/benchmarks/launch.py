"""Runs one command and writes its seconds and its peak of memory (kB) to a file.

A process of its own, and a small one: Linux counts the memory of whoever starts a program (ru_maxrss survives exec) to its peak.
"""

import os
import sys
import time

begin = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - begin
with open(sys.argv[1], "w", encoding="ascii") as out:
    out.write(f"{seconds} {usage.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status))
