#!/usr/bin/env python3
"""flips - have certdeploy judge pairs in which one bit is another

	flips.py der|pem FILE EVERY BITS PAIR INCOMING COMMAND...

The bits are BITS (1 to 8) of each EVERY-th byte of FILE, which is one of PAIR, or of what it encodes: with 1 of
them, it is another one in the next byte. COMMAND is certdeploy -n -v; the pair in INCOMING is put there anew, many of
them at once. One that is not refused must be as good as PAIR: openssl has its key sign for its certificate, and
its chain is that of PAIR. Prints "N flips, N bad, N refused".
"""

import base64
import os
import re
import shutil
import subprocess
import sys

AT_ONCE = 30
BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----\n(.*?)-----END", re.S)
ENVIRONMENT = {**os.environ, "SSL_CERT_FILE": "/dev/null"}


def read(path):
	with open(path, "rb") as file:
		return file.read()


def armour(label, der):
	body = base64.encodebytes(der).replace(b"\n", b"")
	lines = [body[at : at + 64] for at in range(0, len(body), 64)]
	return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label, b"\n".join(lines), label)


def flips(content, every, bits):
	for at in range(0, len(content), every):
		for bit in range(bits):
			changed = content[at] ^ 1 << (at + bit) % 8
			yield at, content[:at] + bytes([changed]) + content[at + 1 :]


def flipped(form, content, every, bits):
	"""All variants."""
	if form == "pem":
		yield from flips(content, every, bits)
		return
	blocks = [(label, base64.b64decode(body)) for label, body in BLOCK.findall(content)]
	for number, (label, der) in enumerate(blocks):
		for at, variant in flips(der, every, bits):
			changed = list(blocks)
			changed[number] = label, variant
			yield f"{number}:{at}", b"".join(armour(*block) for block in changed)


def openssl(*arguments, given=None):
	return subprocess.run(["openssl", *arguments], input=given, env=ENVIRONMENT, capture_output=True, check=False)


def certificates(path):
	return [base64.b64decode(body) for _, body in BLOCK.findall(read(path))]


def is_as_good(generation, pair):
	"""By another program than the one under test."""
	public, signature = f"{generation}/public", f"{generation}/signature"
	with open(public, "wb") as file:
		file.write(openssl("x509", "-in", f"{generation}/fullchain.pem", "-noout", "-pubkey").stdout)
	openssl("dgst", "-sha256", "-sign", f"{generation}/privkey.pem", "-out", signature, given=b"text")
	verified = openssl("dgst", "-sha256", "-verify", public, "-signature", signature, given=b"text")
	listed = openssl("storeutl", "-noout", "-text", "-certs", f"{generation}/fullchain.pem").stdout
	original = openssl("storeutl", "-noout", "-text", "-certs", f"{pair}/fullchain.pem").stdout
	return verified.returncode == 0 and listed == original


def put(incoming, number, pair, name, content):
	generation = f"{incoming}/202601{number % 28 + 1:02d}T03{number // 28:02d}00Z-0123456789abcdef"
	os.mkdir(generation)
	shutil.copy(f"{pair}/fullchain.pem", generation)
	shutil.copy(f"{pair}/privkey.pem", generation)
	with open(f"{generation}/{name}", "wb") as file:
		file.write(content)
	return generation


def run(command):
	ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
		timeout=120, check=False)
	return ended.returncode, ended.stdout


def is_said(said, generation):
	return said.count(generation.encode() + b": ") == 1


def aside(generation, incoming):
	return f"{incoming}/../aside/{os.path.basename(generation)}"


def is_refused_alone(generation, incoming, command):
	os.rename(aside(generation, incoming), generation)
	_, said = run(command)
	os.rename(generation, aside(generation, incoming))
	return is_said(said, generation)


def main():
	form, name, every, bits, pair, incoming, *command = sys.argv[1:]
	variants = list(flipped(form, read(f"{pair}/{name}"), int(every), int(bits)))
	bad = refused = 0
	total = len(variants)
	os.makedirs(f"{incoming}/../aside", exist_ok=True)
	while variants:
		batch, variants = variants[:AT_ONCE], variants[AT_ONCE:]
		made = [(at, put(incoming, number, pair, name, content)) for number, (at, content) in enumerate(batch)]
		status, said = run(command)
		if re.search(rb"[^\x20-\x7e\n]", said) or status not in (0, 65):
			print(f"{name} {at}: {status}: {said!r}", file=sys.stderr)
			bad += 1
		for _, generation in made:
			shutil.move(generation, f"{incoming}/../aside")
		for at, generation in made:
			# What comes after a good one is not spoken of: alone it is.
			if is_said(said, generation) or is_refused_alone(generation, incoming, command):
				refused += 1
			elif not is_as_good(aside(generation, incoming), pair):
				print(f"{form} of {name}, byte {at}: was not refused", file=sys.stderr)
				bad += 1
			shutil.rmtree(aside(generation, incoming))
	print(f"{total} flips, {bad} bad, {refused} refused")
	return 1 if bad else 0


sys.exit(main())
