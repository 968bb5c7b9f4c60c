#!/usr/bin/env python3
"""to_journal - run a command with standard error leading to a journal, and print what it sends there

	unshare --mount to_journal.py COMMAND...

Each record as journald gets it, byte for byte; in mounts of its own, as the journal's socket has a fixed place.
Ends with the command's status.
"""

import os
import socket
import subprocess
import sys
import tempfile

subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
os.makedirs("/run/systemd/journal")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
with tempfile.TemporaryFile() as errors:
	status = os.fstat(errors.fileno())
	ended = subprocess.run(sys.argv[1:], stderr=errors, check=False,
		env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
	errors.seek(0)
	sys.stdout.buffer.write(errors.read())
journal.setblocking(False)
try:
	while True:
		sys.stdout.buffer.write(journal.recv(1 << 20) + b"\n")
except BlockingIOError:
	pass
sys.stdout.flush()
sys.exit(ended.returncode)
