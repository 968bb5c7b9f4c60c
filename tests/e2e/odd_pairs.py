#!/usr/bin/env python3
"""odd_pairs - certificates that no authority would issue, put together byte by byte

	odd_pairs.py AUTHORITY DIR [KIND...]

makes DIR/KIND/fullchain.pem and privkey.pem of each KIND below, or of those given; the certificates are
issued by AUTHORITY/issuer.pem (make_pair.bash) and, unless that is what is odd, good for mail.example.org.
"""

import base64
import math
import os
import random
import subprocess
import sys
import time

HOST = b"mail.example.org"
ENVIRONMENT = {**os.environ, "SSL_CERT_FILE": "/dev/null"}


def openssl(*arguments, given=None):
	return subprocess.run(["openssl", *arguments], input=given, check=True, env=ENVIRONMENT,
		stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


# --- DER (X.690) ---


def tlv(tag, body):
	length = len(body)
	if length < 128:
		return bytes([tag, length]) + body
	size = (length.bit_length() + 7) // 8
	return bytes([tag, 128 + size]) + length.to_bytes(size, "big") + body


def sequence(*parts):
	return tlv(0x30, b"".join(parts))


def integer(number):
	return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def oid(text):
	first, second, *rest = (int(part) for part in text.split("."))
	body = bytes([first * 40 + second])
	for arc in rest:
		base128 = [arc & 127]
		while arc := arc >> 7:
			base128.append(128 | arc & 127)
		body += bytes(reversed(base128))
	return tlv(0x06, body)


def bits(body):
	return tlv(0x03, b"\0" + body)


UTF8, T61, BMP = 0x0C, 0x14, 0x1E
UTC, GENERALIZED = 0x17, 0x18


def common_name(text, tag=UTF8):
	return sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(tag, text))))


def date(when):
	return tlv(GENERALIZED, time.strftime("%Y%m%d%H%M%SZ", time.gmtime(when)).encode())


def children(der):
	"""What stands in a sequence."""
	def header(at):
		length, begin = der[at + 1], at + 2
		if length & 128:
			size = length & 127
			length, begin = int.from_bytes(der[begin : begin + size], "big"), begin + size
		return begin, begin + length
	at, end = header(0)
	found = []
	while at < end:
		begin, after = header(at)
		found.append(der[begin:after])
		at = after
	return found


def pem(label, der):
	body = base64.encodebytes(der).replace(b"\n", b"")
	lines = [body[at : at + 64] for at in range(0, len(body), 64)]
	return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label, b"\n".join(lines), label)


# --- certificates ---


class Key:
	"""Made by openssl genpkey, or of given encodings."""

	def __init__(self, *arguments, private=None, public=None):
		self.private = private or openssl("genpkey", *arguments)
		self.public = public or openssl("pkey", "-pubout", "-outform", "DER", given=self.private)


def certificate(key, authority, serial=1000, subject=common_name(HOST), names=(HOST,), ca=False,
		not_before=None, not_after=None, sign_as=None):
	algorithm = sequence(oid("1.2.840.10045.4.3.2"))
	constraints = sequence(oid("2.5.29.19"), tlv(0x04, sequence(*([b"\x01\x01\xff"] if ca else []))))
	san = sequence(oid("2.5.29.17"), tlv(0x04, sequence(*(tlv(0x82, name) for name in names))))
	body = sequence(
		tlv(0xA0, integer(2)), integer(serial), algorithm, common_name(b"Test Issuer"),
		sequence(not_before or date(time.time() - 3600), not_after or date(time.time() + 60 * 86400)),
		subject, key.public, tlv(0xA3, sequence(constraints, san)),
	)
	signature = openssl("dgst", "-sha256", "-sign", f"{authority}/issuer.key", given=body)
	return sequence(body, algorithm, bits(signature))


def rsa(primes, e, d=None):
	"""The product of the two halves of ${primes} as a key, its private half right unless ${d} is given."""
	half = len(primes) // 2
	p, q = math.prod(primes[:half]), math.prod(primes[half:])
	order_p, order_q = (math.prod(number - 1 for number in part) for part in (primes[:half], primes[half:]))
	while math.gcd(e, order_p * order_q) > 1:
		e += 2
	n, d = p * q, d or pow(e, -1, order_p * order_q)
	numbers = (0, n, e, d, p, q, d % order_p, d % order_q, pow(q, -1, p))
	return Key(
		private=pem(b"RSA PRIVATE KEY", sequence(*map(integer, numbers))),
		public=sequence(sequence(oid("1.2.840.113549.1.1.1"), b"\x05\0"),
			bits(sequence(integer(n), integer(e)))),
	)


def primes(count, size):
	"""Their product has exactly ${count} * ${size} bits."""
	found = []
	while len(found) < count or math.prod(found).bit_length() != count * size:
		# The last one makes up for what the others lack, a bit more or less.
		found = found[: count - 1]
		lack = count * size - math.prod(found).bit_length() + random.randrange(2)
		room = size if len(found) < count - 1 else lack
		found.append(int(openssl("prime", "-generate", "-bits", str(room))))
	return found


def dsa():
	"""With the parameters of RFC 5114 2.3, as making some takes long."""
	parameters = openssl("genpkey", "-genparam", "-algorithm", "DHX", "-pkeyopt", "dh_rfc5114:3")
	der = base64.b64decode(b"".join(line for line in parameters.split() if line.isascii() and b"-" not in line
		and line not in (b"BEGIN", b"X9.42", b"DH", b"END", b"PARAMETERS")))
	p, g, q = (int.from_bytes(part, "big") for part in children(der)[:3])
	x = int.from_bytes(os.urandom(40), "big") % (q - 1) + 1
	algorithm = sequence(oid("1.2.840.10040.4.1"), sequence(integer(p), integer(q), integer(g)))
	return Key(
		private=pem(b"PRIVATE KEY", sequence(integer(0), algorithm, tlv(0x04, integer(x)))),
		public=sequence(algorithm, bits(integer(pow(g, x, p)))),
	)


def forged(key):
	"""The public half of ${key} with the private number of another one."""
	point = children(key.public)[1][1:]
	scalar = os.urandom(32)
	private = sequence(integer(1), tlv(0x04, scalar), tlv(0xA1, bits(point)))
	algorithm = sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"))
	return Key(private=pem(b"PRIVATE KEY", sequence(integer(0), algorithm, tlv(0x04, private))), public=key.public)


EC = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
ESCAPE = b"\x1b]0;owned\x07\x1b[2J\r\n<3>forged record\x9b31m\xff"


def kinds():
	"""{kind: function of the EC key that the others share; it returns a key and what is odd}."""
	bmp = "mail.\x1b\u202e\n".encode("utf-16-be")
	return {
		# Names.
		"huge-name": lambda ec: (ec, {"names": (b"www.example.org",), "subject": common_name(b"A" * 100000)}),
		"huge-authority": lambda ec: (ec, {"ca": True, "subject": common_name(b"A" * 100000)}),
		"nul-in-name": lambda ec: (ec, {"names": (HOST + b"\0.example.com",)}),
		"control-in-name": lambda ec: (ec, {"names": (ESCAPE, b"two words")}),
		"control-in-subject": lambda ec: (ec, {"ca": True, "subject": common_name(ESCAPE.decode("latin1").encode())}),
		"odd-utf8-subject": lambda ec: (ec, {"ca": True, "subject": common_name(ESCAPE)}),
		"bmp-subject": lambda ec: (ec, {"ca": True, "subject": common_name(bmp, BMP)}),
		"odd-bmp-subject": lambda ec: (ec, {"ca": True, "subject": common_name(b"\x1b[2J\n", BMP)}),
		"utf8-subject": lambda ec: (ec, {"ca": True, "subject": common_name("\u202e\u009b2J\U0001f4a9".encode())}),
		"teletex-subject": lambda ec: (ec, {"ca": True, "subject": common_name(ESCAPE, T61)}),
		"many-names": lambda ec: (ec, {"names": [b"a%05d.example" % i for i in range(10000)]}),
		"many-and-ours": lambda ec: (ec, {"names": [b"a%05d.example" % i for i in range(9999)] + [HOST]}),
		"no-names": lambda ec: (ec, {"names": ()}),
		# Numbers and dates.
		"negative-serial": lambda ec: (ec, {"serial": -5}),
		"huge-serial": lambda ec: (ec, {"serial": 1 << 80000}),
		"year-9999": lambda ec: (ec, {"not_after": tlv(GENERALIZED, b"99991231235959Z")}),
		"year-10000": lambda ec: (ec, {"not_after": tlv(GENERALIZED, b"100000101000000Z")}),
		"no-such-day": lambda ec: (ec, {"not_after": tlv(GENERALIZED, b"20991131000000Z")}),
		"no-date": lambda ec: (ec, {"not_before": tlv(UTC, ESCAPE)}),
		"from-9999": lambda ec: (ec, {"not_before": tlv(GENERALIZED, b"99990101000000Z"),
			"not_after": tlv(GENERALIZED, b"99991231235959Z")}),
		# Keys.
		"rsa-16384": lambda ec: (rsa(primes(16, 1024), 65537), {}),
		"rsa-16384-forged": lambda ec: (rsa(primes(16, 1024), 65537, d=3), {}),
		"rsa-huge-exponent": lambda ec: (rsa(primes(4, 768), int.from_bytes(os.urandom(380), "big") | 1), {}),
		"rsa-forged": lambda ec: (rsa(primes(2, 1024), 65537, d=12345), {}),
		"ec-forged": lambda ec: (forged(ec), {}),
		"ec-explicit": lambda ec: (Key(*EC, "-pkeyopt", "ec_param_enc:explicit"), {}),
		"dsa": lambda ec: (dsa(), {}),
	}


def main():
	authority, directory, *wanted = sys.argv[1:]
	shared = Key(*EC)
	makers = kinds()
	with open(f"{authority}/issuer.pem", "rb") as file:
		issuer = file.read()
	for kind in wanted or makers:
		key, odd = makers[kind](shared)
		os.makedirs(f"{directory}/{kind}")
		with open(f"{directory}/{kind}/privkey.pem", "wb") as file:
			file.write(key.private)
		leaf = pem(b"CERTIFICATE", certificate(key, authority, **odd))
		for name, text in (("fullchain.pem", leaf + issuer), ("leaf.pem", leaf)):
			with open(f"{directory}/{kind}/{name}", "wb") as file:
				file.write(text)


main()
