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
import threading

subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
os.makedirs("/run/systemd/journal")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
records = []


def receive():
	# The empty one is ours, and the last.
	while record := journal.recv(1 << 20):
		records.append(record)


# Read at once: whoever sent the last record waits for that.
reader = threading.Thread(target=receive)
reader.start()
with tempfile.TemporaryFile() as errors:
	status = os.fstat(errors.fileno())
	ended = subprocess.run(sys.argv[1:], stderr=errors, check=False,
		env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
	errors.seek(0)
	sys.stdout.buffer.write(errors.read())
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"", "/run/systemd/journal/socket")
reader.join()
sys.stdout.buffer.write(b"\n".join(records) + b"\n")
sys.stdout.flush()
sys.exit(ended.returncode)
