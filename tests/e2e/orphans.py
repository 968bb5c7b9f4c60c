#!/usr/bin/env python3
"""orphans.py COMMAND... - run it, and see whether a process that it started is still there when it ends

Prints how many there are, and ends with 99 then; otherwise with COMMAND's status, 128 and the signal's number if a
signal ended it.
"""

import ctypes
import os
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans become ours, the dead ones too

ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
status = subprocess.run(sys.argv[1:]).returncode
orphans = 0
try:
	while True:
		os.waitpid(-1, 0)
		orphans += 1
except ChildProcessError:
	pass
if orphans:
	print(f"orphans: {orphans} of its processes were still there")
	status = 99
sys.exit(status if status >= 0 else 128 - status)
