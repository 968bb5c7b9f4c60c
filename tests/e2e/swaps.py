#!/usr/bin/env python3
"""swaps - run certdeploy while somebody exchanges what is staged, as fast as he can

	swaps.py RUNS WITH DIR COMMAND...

WITH is what is put in the place of a file for a moment: link, fifo, other, or all, which takes turns and exchanges
and renames the generation's directory as well.

DIR is laid out as hostile.bash does it: incoming, mailcow/data/assets/ssl, state, canary, secrets; in pairs is what
is exchanged: good, other (of another host), current (what is installed). The one who exchanges is nobody, and
owns incoming. Each run starts with the pair current installed and has to end with that or the good one, and
with one record for each time that it looks. Prints "RUNS runs, N with the good pair, N exchanges"; what went wrong goes to standard error.
"""

import ctypes
import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys

GENERATION = "20260110T030000Z-0123456789abcdef"
SECOND = "20260109T030000Z-0123456789abcdef"
NOBODY = 65534
AT_FDCWD, RENAME_EXCHANGE = -100, 2
CHAIN, KEY = "fullchain.pem", "privkey.pem"
# The run may say that nothing is there, or that the pair is no good, or that no service could be reloaded.
STATUSES = (0, 65, 66, 69)
RUN_SECONDS = 120
PASSES = 3

libc = ctypes.CDLL(None, use_errno=True)


def read(path):
	with open(path, "rb") as file:
		return file.read()


def write(path, content):
	with open(path, "wb") as file:
		file.write(content)


# --- the one who exchanges; in incoming, where he stays ---


def exchange(one, other):
	"""For a moment, mostly: a good pair has to be there most of the time for anything to be taken."""
	exchange_once(one, other)
	exchange_once(one, other)


def exchange_once(one, other):
	if libc.renameat2(AT_FDCWD, one.encode(), AT_FDCWD, other.encode(), RENAME_EXCHANGE):
		raise OSError(ctypes.get_errno(), one)


class Swapper:
	def __init__(self, pairs, canary, kind):
		self.pairs, self.canary, self.kind = pairs, canary, kind
		self.count = 0

	def make(self, path, what, name):
		"""One thing that can stand where a file is expected."""
		if what == "link":
			os.symlink(f"{self.canary}/live/{name}", path)
		elif what == "fifo":
			os.mkfifo(path)
		else:
			write(path, self.pairs[what, name])

	def restore(self):
		"""Whatever is missing of what is exchanged is there again."""
		os.makedirs("pool", exist_ok=True)
		for what in ("good", "other", "link", "fifo"):
			for name in (CHAIN, KEY):
				if not os.path.lexists(f"pool/{what}-{name}"):
					self.make(f"pool/{what}-{name}", what, name)
		for path, what in ((GENERATION, "good"), ("pool/whole", "good"), ("pool/foreign", "other")):
			if not os.path.lexists(path):
				os.mkdir("pool/new")
				for name in (CHAIN, KEY):
					self.make(f"pool/new/{name}", what, name)
				os.rename("pool/new", path)
		for path, target in (("pool/link", f"{self.canary}/live"), ("pool/nothing", "/nonexistent")):
			if not os.path.lexists(path):
				os.symlink(target, path)
		if not os.path.lexists("pool/fifo"):
			os.mkfifo("pool/fifo")

	def swap(self):
		choice = random.random() if self.kind == "all" else 1
		if choice < 0.03:
			os.rename(GENERATION, SECOND)
			os.rename(SECOND, GENERATION)
		elif choice < 0.1:
			exchange("pool/" + random.choice(("whole", "whole", "foreign", "link", "nothing", "fifo")), GENERATION)
		else:
			name = random.choice((CHAIN, KEY))
			kind = random.choice(("good", "other", "link", "fifo")) if self.kind == "all" else self.kind
			exchange(f"pool/{kind}-{name}", f"{GENERATION}/{name}")

	def run(self, report):
		signal.signal(signal.SIGTERM, lambda *_: (os.write(report, b"%d" % self.count), os._exit(0)))
		while True:
			try:
				self.swap()
				self.count += 1
			except OSError as error:
				# certdeploy removed it, or it is a link to what belongs to root.
				if error.errno == errno.ENOENT:
					try:
						self.restore()
					except OSError:
						shutil.rmtree("pool/new", ignore_errors=True)


def start_swapper(directory, pairs, kind):
	"""Its pid, and where it says in the end how often."""
	reads, writes = os.pipe()
	pid = os.fork()
	if pid:
		os.close(writes)
		return pid, reads
	os.chdir(f"{directory}/incoming")
	os.setgroups([])
	os.setresgid(NOBODY, NOBODY, NOBODY)
	os.setresuid(NOBODY, NOBODY, NOBODY)
	Swapper(pairs, f"{directory}/canary", kind).run(writes)


# --- the runs ---


def begin_anew(directory, pairs):
	ssl = f"{directory}/mailcow/data/assets/ssl"
	write(f"{ssl}/cert.pem", pairs["current", CHAIN])
	write(f"{ssl}/key.pem", pairs["current", KEY])
	shutil.rmtree(f"{directory}/state", ignore_errors=True)


def run_once(command):
	with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
			start_new_session=True) as process:
		try:
			said, _ = process.communicate(timeout=RUN_SECONDS)
		except subprocess.TimeoutExpired:
			os.killpg(process.pid, signal.SIGKILL)
			said, _ = process.communicate()
	return process.returncode, said


def complaints(directory, pairs, secrets, status, said):
	ssl = f"{directory}/mailcow/data/assets/ssl"
	installed = read(f"{ssl}/cert.pem"), read(f"{ssl}/key.pem")
	good = [(pairs[what, CHAIN], pairs[what, KEY]) for what in ("current", "good")]
	if status not in STATUSES:
		yield f"ended with {status}"
	if installed not in good:
		yield "what is installed is neither of the two pairs"
	if (os.stat(f"{ssl}/key.pem").st_mode & 0o7777) != 0o600:
		yield "the key has another mode"
	# What comes while it runs is looked at once more, and then left.
	if status == 65 and not 1 <= said.count(b"error: refused: ") <= PASSES:
		yield "there is not one record of an error each time"
	if status and b"error: " not in said:
		yield "it does not say what was wrong"
	if re.search(rb"[^\x20-\x7e\n]", said):
		yield "a control character was printed"
	if any(secret in said for secret in secrets):
		yield "a secret was printed"
	if sorted(os.listdir(ssl)) != ["cert.pem", "key.pem"]:
		yield "something else is in data/assets/ssl"


def main():
	runs, kind, directory, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
	pairs = {(what, name): read(f"{directory}/pairs/{what}/{name}")
		for what in ("good", "other", "current") for name in (CHAIN, KEY)}
	secrets = read(f"{directory}/secrets").split()
	bad = deployed = 0
	swapper, count = start_swapper(directory, pairs, kind)
	try:
		for run in range(runs):
			begin_anew(directory, pairs)
			status, said = run_once(command)
			wrong = list(complaints(directory, pairs, secrets, status, said))
			deployed += read(f"{directory}/mailcow/data/assets/ssl/cert.pem") == pairs["good", CHAIN]
			bad += bool(wrong)
			if wrong:
				print(f"run {run}: {'; '.join(wrong)}: {said!r}", file=sys.stderr)
	finally:
		os.kill(swapper, signal.SIGTERM)
		os.waitpid(swapper, 0)
	print(f"{runs} runs, {bad} bad, {deployed} with the good pair, {os.read(count, 20).decode()} exchanges")
	return 1 if bad else 0


sys.exit(main())
