#!/usr/bin/env python3
"""secrets - look for the bytes of private keys where they must not be

	secrets.py exits KEY... -- COMMAND...	in the memory of COMMAND's processes at their exit, and in the
						arguments and environments of all that they start
	secrets.py trace KEY... -- FILE...	in what strace -f -yy wrote, but for what was read from and
						written to files of keys, pipes and sockets between processes
	secrets.py files KEY... -- FILE...	in other files

KEY is a private key in PEM form, or OpenSSH's. It is looked for as text and in binary, also in the byte order
of OpenSSL's big numbers, and in pieces: what is left of a key that was overwritten in part is found as well.
Prints what was found, one place a line, and ends with 1 then; exits ends with COMMAND's own status otherwise,
128 and the signal's number if a signal ended it.
"""

import base64
import ctypes
import os
import re
import signal
import subprocess
import sys

# --- the secret parts of a key ---

# So many random bytes are found nowhere by chance.
PIECE = 8
TEXT_PIECE = 16


def pem_body(text):
	body = re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END", text, re.S)
	return re.sub(rb"\s", b"", body.group(1))


def hexadecimal(name, described):
	"""The value of a field in the output of openssl pkey -text."""
	found = re.search(rb"^%s:[^\n]*\n((?: +[0-9a-f:]+\n)+)" % name, described, re.M)
	return bytes.fromhex(re.sub(rb"[\s:]", b"", found.group(1)).decode()).lstrip(b"\0") if found else None


def secret_numbers(path):
	"""What must stay secret: [(name, big-endian bytes)]."""
	with open(path, "rb") as file:
		text = file.read()
	if b"BEGIN OPENSSH" in text:
		blob = base64.b64decode(pem_body(text))
		# The seed of an Ed25519 key stands before the last occurrence of the public key.
		at = blob.index(b"\0\0\0\x0bssh-ed25519\0\0\0 ") + 19
		public = blob[at : at + 32]
		last = blob.rindex(public)
		return [("seed", blob[last - 32 : last])]
	described = subprocess.run(
		["openssl", "pkey", "-in", path, "-noout", "-text"], check=True, capture_output=True,
		env={**os.environ, "SSL_CERT_FILE": "/dev/null"},
	).stdout
	numbers = []
	bits = int(re.search(rb"Private-Key: \((\d+) bit", described)[1])
	for name in (b"priv", b"privateExponent", b"prime1", b"prime2", b"exponent1", b"exponent2", b"coefficient"):
		value = hexadecimal(name, described)
		if value:
			# The number of a curve is as wide as the curve wherever it is written, whatever its first byte.
			if name == b"priv":
				value = value.rjust((bits + 7) // 8, b"\0")
			numbers.append((name.decode(), value))
	return numbers


def pieces(name, value, size):
	# Of long numbers eight pieces, all over them, will do.
	step = max(size, len(value) // 8 // 8 * 8)
	for at in range(0, len(value) - size + 1, step):
		yield f"{name}+{at}", value[at : at + size]


def needles(path):
	"""[(name, bytes)] to look for."""
	found = []
	with open(path, "rb") as file:
		body = pem_body(file.read())
	blob = base64.b64decode(body)
	for name, value in secret_numbers(path):
		found += pieces(f"{name}", value, PIECE)
		# Big numbers are words of 8 bytes, the least one first.
		found += pieces(f"{name}, reversed", value[::-1], PIECE)
		at = blob.find(value)
		begin, end = -(-at * 4 // 3), (at + len(value)) * 4 // 3
		if at >= 0:
			for piece, text in pieces(f"{name}, base64", body[begin:end], TEXT_PIECE):
				# Unless the line of the PEM file ends within it.
				if (begin + int(piece.rsplit("+")[-1])) % 64 <= 64 - TEXT_PIECE:
					found.append((piece, text))
	if len(found) < 8:
		raise SystemExit(f"secrets: {path}: too few secret bytes")
	return [(f"{os.path.basename(path)} {name}", value) for name, value in found]


# --- looking ---


def search(where, data, wanted, report):
	for name, value in wanted:
		at = data.find(value)
		if at >= 0:
			report(f"{where}+{at:#x}: {name}")


def search_files(wanted, paths, report):
	for path in paths:
		with open(path, "rb") as file:
			search(path, file.read(), wanted, report)


ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"f": b"\f", b'"': b'"', b"\\": b"\\"}


def unescape(text):
	"""What strace prints as \\n, \\0 or \\377."""
	return re.sub(rb"\\([0-7]{1,3}|.)",
		lambda m: ESCAPES.get(m[1]) or bytes([int(m[1], 8) & 255]) if m[1] in ESCAPES or m[1].isdigit() else m[0],
		text)


# Files of keys, by name; pipes, and sockets that lead to another process of the same program.
ASIDE = re.compile(rb"^\d+ +\w*(?:read|write|recv|send)\w*\(\d+<(?:[^>]*/(?:\.?key\.pem(?:\.new)?|privkey\d*\.pem)>"
	rb"|pipe:|UNIX-STREAM:)")


def whole_calls(lines):
	"""Calls that were interrupted by another process's line, put together."""
	begun = {}
	for number, line in enumerate(lines, 1):
		pid = line.split(b" ", 1)[0]
		if line.endswith(b" <unfinished ...>"):
			begun[pid] = line[: -len(b" <unfinished ...>")]
			continue
		resumed = re.match(rb"\d+ +<\.\.\. \w+ resumed>", line)
		yield number, begun.pop(pid, b"") + line[resumed.end() :] if resumed else line


def search_traces(keys, wanted, paths, report):
	own = [b"<" + os.path.realpath(key).encode() + b">" for key in keys]
	for path in paths:
		with open(path, "rb") as file:
			lines = file.read().split(b"\n")
		for number, line in whole_calls(lines):
			if ASIDE.match(line) or any(name in line for name in own):
				continue
			text = b"\n".join(unescape(part) for part in re.findall(rb'"((?:[^"\\]|\\.)*)"', line))
			search(f"{path}:{number}: {line[:60].decode(errors='replace')}", text, wanted, report)


def search_memory(pid, program, wanted, report):
	with open(f"/proc/{pid}/maps") as file:
		maps = file.read().splitlines()
	with open(f"/proc/{pid}/mem", "rb", 0) as memory:
		for line in maps:
			fields = line.split(None, 5)
			where = fields[5] if len(fields) > 5 else "anonymous"
			if not fields[1].startswith("r") or where in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
				continue
			# The code and the constants of programs and libraries.
			if "w" not in fields[1] and (".so" in where or where == program):
				continue
			begin, end = (int(x, 16) for x in fields[0].split("-"))
			memory.seek(begin)
			try:
				data = memory.read(end - begin)
			except OSError:
				# OpenSSL's secure heap has guard pages and is not to be dumped; but it can be read.
				continue
			search(f"{where} {begin:#x}", data, wanted, report)


# --- following a command's processes (ptrace(2)) ---

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
TRACEME, CONT, SETOPTIONS, GETEVENTMSG = 0, 7, 0x4200, 0x4201
FORK, VFORK, CLONE, EXEC, EXIT = 1, 2, 3, 4, 6
OPTIONS = sum(1 << event for event in (FORK, VFORK, CLONE, EXEC, EXIT)) | 0x100000  # EXITKILL
WALL = 0x40000000


def proc(pid, name):
	with open(f"/proc/{pid}/{name}", "rb") as file:
		return file.read()


def look_at(pid, event, program, wanted, report):
	who = proc(pid, "comm").decode().strip()
	for name in ("cmdline", "environ"):
		search(f"{who} {name}", proc(pid, name), wanted, report)
	leader = re.search(rb"^Tgid:\s*(\d+)", proc(pid, "status"), re.M).group(1) == b"%d" % pid
	# Of the programs of others, only what they were given is our affair.
	if event == EXIT and leader and os.path.samefile(f"/proc/{pid}/exe", program):
		search_memory(pid, program, wanted, lambda text: report(f"{who} at its exit: {text}"))
		return 1
	return 0


def follow(command, wanted, report):
	program = command[0]
	first = os.fork()
	if not first:
		libc.ptrace(TRACEME, 0, None, None)
		os.kill(os.getpid(), signal.SIGSTOP)
		os.execv(program, command)
	os.waitpid(first, 0)
	libc.ptrace(SETOPTIONS, first, None, OPTIONS)
	libc.ptrace(CONT, first, None, None)
	known, looked, result = {first}, 0, None
	while known:
		pid, status = os.waitpid(-1, WALL)
		if not os.WIFSTOPPED(status):
			known.discard(pid)
			if pid == first:
				result = status
			continue
		event, number = status >> 16, os.WSTOPSIG(status)
		if event in (EXEC, EXIT):
			looked += look_at(pid, event, program, wanted, report)
		# The first stop of a new process is none of a signal.
		passed = 0 if event or (pid not in known and number == signal.SIGSTOP) else number
		known.add(pid)
		libc.ptrace(CONT, pid, None, passed)
	if not looked:
		raise SystemExit("secrets: saw no process end")
	return os.waitstatus_to_exitcode(result)


def main():
	what, rest = sys.argv[1], sys.argv[2:]
	split = rest.index("--")
	keys, rest = rest[:split], rest[split + 1 :]
	wanted = [needle for key in keys for needle in needles(key)]
	found = []
	if what == "exits":
		status = follow(rest, wanted, found.append)
		status = 128 - status if status < 0 else status
	elif what == "trace":
		status = search_traces(keys, wanted, rest, found.append) or 0
	else:
		status = search_files(wanted, rest, found.append) or 0
	for line in found:
		print(f"secret found: {line}", file=sys.stderr)
	return 1 if found else status


sys.exit(main())
