#!/usr/bin/env bats
# Algorithms and the push key: what is offered, what is refused, and how it is said.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
	KEY=$BATS_TEST_TMPDIR/key
	configure "target.identity=$KEY"
	install -m 0600 "$LAB_IDENTITY" "$KEY"
}

libssh2_has() { # VERSION
	dpkg --compare-versions "$(pkg-config --modversion libssh2)" ge "$1"
}

# The first that certpush offers.
best_cipher() {
	if libssh2_has 1.11.1; then echo aes256-gcm@openssh.com; else echo aes256-ctr; fi
}

# offers OPTION KIND THEIRS OURS: a server with this alone is refused, and both sides are named
offers() {
	# With AES-GCM no MAC is used, whichever is agreed on.
	start_sshd -o "$1" -o Ciphers=aes256-ctr
	certpush
	refused 76 "127.0.0.1 port $PORT: $2: the server has $3" "we have $4" \
		"Enable one of the algorithms named here in the server's sshd_config"
}

# --- algorithms ---

@test "a server that offers only chacha20-poly1305: 76, and what each side has" {
	offers Ciphers=chacha20-poly1305@openssh.com cipher chacha20-poly1305@openssh.com "$(best_cipher)"
}

@test "a server that offers only CBC: 76, and what each side has" {
	offers Ciphers=aes256-cbc,aes128-cbc cipher aes256-cbc,aes128-cbc "$(best_cipher)"
}

@test "a server that offers only AES-GCM: used where libssh2 has it, otherwise 76 and what each side has" {
	if libssh2_has 1.11.1; then
		start_sshd -o Ciphers=aes256-gcm@openssh.com
		certpush
		expect 0
		return
	fi
	offers Ciphers=aes256-gcm@openssh.com cipher aes256-gcm@openssh.com aes256-ctr
}

@test "a server that offers only ETM MACs: used where libssh2 has them, otherwise 76 and what each side has" {
	if libssh2_has 1.11.0; then
		start_sshd -o MACs=hmac-sha2-256-etm@openssh.com -o Ciphers=aes256-ctr
		certpush
		expect 0
		return
	fi
	offers MACs=hmac-sha2-256-etm@openssh.com MAC hmac-sha2-256-etm@openssh.com hmac-sha2-256
}

@test "a server that offers only SHA-1 MACs: 76, and what each side has" {
	offers MACs=hmac-sha1 MAC hmac-sha1 hmac-sha2-256
}

@test "a server whose keys sign with SHA-1 only: 76, and what each side has" {
	know_host 127.0.0.1 "$PORT" rsa
	offers HostKeyAlgorithms=ssh-rsa 'host key' ssh-rsa ssh-ed25519
}

@test "a server that offers only a SHA-1 key exchange: 76, and what each side has" {
	offers KexAlgorithms=diffie-hellman-group14-sha1 'key exchange' diffie-hellman-group14-sha1 curve25519-sha256
}

@test "a server that offers only DH group 1: 76, and what each side has" {
	offers KexAlgorithms=diffie-hellman-group1-sha1 'key exchange' diffie-hellman-group1-sha1 curve25519-sha256
}

@test "a server that offers nothing in common in several ways: 76, and all of them are named" {
	start_sshd -o Ciphers=aes256-cbc -o MACs=hmac-sha1 -o KexAlgorithms=diffie-hellman-group1-sha1
	certpush
	refused 76 'key exchange: the server has diffie-hellman-group1-sha1' '; cipher: the server has aes256-cbc' \
		'; MAC: the server has hmac-sha1'
}

@test "the least that is sound is enough: ECDH on P-256, AES-CTR, HMAC-SHA-2" {
	start_sshd -o Ciphers=aes128-ctr -o MACs=hmac-sha2-512 -o KexAlgorithms=ecdh-sha2-nistp256
	certpush
	expect 0
	pushed "$PAIRS/mail"
}

@test "diffie-hellman-group14-sha256 is enough" {
	start_sshd -o KexAlgorithms=diffie-hellman-group14-sha256
	certpush
	expect 0
	pushed "$PAIRS/mail"
}

# --- the identity file ---

# unusable STATUS TEXT...: told about the file before anything is sent
unusable() {
	local wanted=$1
	shift
	traced -e trace=network --
	refused "$wanted" "certpush: error: $KEY: " "$@"
	! grep -F AF_INET "$TRACE" || return 1
}

@test "the identity does not exist: 78, its path" {
	rm "$KEY"
	unusable 78 'there is no such SSH key' 'setup-npm-host'
}

@test "the identity can be read by the group, or by others: 78, its path and mode, chmod 600 and what else" {
	local mode
	for mode in 0640 0604 0620 0610; do
		chmod "$mode" "$KEY"
		unusable 78 "has mode $mode" "Run 'chmod 600' on it; if others may have read it, make a new key"
	done
}

@test "the identity belongs to another user: 78, its path and whose it is" {
	chown "$OWNER_ID" "$KEY"
	unusable 78 "belongs to another user (uid $OWNER_ID)"
}

@test "the identity is protected by a passphrase: 78, in either format" {
	ssh-keygen -q -p -N secret -f "$KEY"
	unusable 78 'is protected by a passphrase, which nobody is there to type' 'Make an ed25519 key without a passphrase'
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes128 -pass pass:secret -out "$KEY" 2>/dev/null
	unusable 78 'is protected by a passphrase, which nobody is there to type' 'Make an ed25519 key without a passphrase'
}

@test "the identity is a public key: 78, and to name the private one" {
	install -m 0644 "$KEYS/stranger.pub" "$KEY"
	unusable 78 'is a public key; name the private one, without .pub'
}

@test "the identity is a certificate, a PuTTY key, empty, cut off, rubbish, a directory: each said so" {
	install -m 0600 "$PAIRS/mail/leaf.pem" "$KEY"
	unusable 78 'is a certificate, not an SSH private key'
	echo 'PuTTY-User-Key-File-3: ssh-ed25519' >"$KEY"
	unusable 78 "is in PuTTY's format; convert it with"
	: >"$KEY"
	unusable 78 'is empty'
	head -n 3 "$LAB_IDENTITY" >"$KEY"
	unusable 78 'is cut off: its last line is missing'
	echo rubbish >"$KEY"
	unusable 78 'is not an SSH private key'
	rm "$KEY"
	mkdir -m 0700 "$KEY"
	unusable 65 'is not a plain file'
}

@test "the identity is of a type that libssh2 cannot sign with: 78, and the type" {
	rm "$KEY"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out "$KEY" 2>/dev/null
	unusable 78 'are not supported'
}

# authorize FILE.pub: by a server of its own, which takes this key
authorize() {
	install -m 0644 "$1" "$PUSH_HOME/authorized"
	start_sshd -o "AuthorizedKeysFile=$PUSH_HOME/authorized" -o StrictModes=no
}

@test "an RSA identity: used where libssh2 signs with SHA-2, otherwise 78, its path and why" {
	rm "$KEY"
	ssh-keygen -q -t rsa -b 2048 -N '' -f "$KEY"
	if libssh2_has 1.11.0; then
		authorize "$KEY.pub"
		certpush
		expect 0
		pushed "$PAIRS/mail"
		return
	fi
	unusable 78 'is an RSA key, and libssh2 ' 'signs with RSA only by SHA-1, which servers refuse' 'Make an ed25519 key'
	rm "$KEY" "$KEY.pub"
	ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$KEY"
	unusable 78 'is an RSA key, and libssh2 '
}

@test "identities of the sound types log in" {
	local options
	for options in '-t ed25519' '-t ecdsa -b 256' '-t ecdsa -b 384' '-t ecdsa -b 521'; do
		rm -rf "$KEY" "$KEY.pub" "${STAGING:?}"/* "$STATE/last_fp"
		# shellcheck disable=SC2086
		ssh-keygen -q $options -N '' -f "$KEY"
		authorize "$KEY.pub"
		certpush
		expect 0
		pushed "$PAIRS/mail"
	done
}

@test "an identity that is a symbolic link is followed, and judged by the file it leads to" {
	mv "$KEY" "$KEY.real"
	ln -s key.real "$KEY"
	certpush
	expect 0
	chmod 0640 "$KEY.real"
	certpush --force
	expect 78 "$KEY: has mode 0640"
}

# --- logging in ---

@test "the key is not authorised: 77, user, host, key file, and to run setup-mailcow-host" {
	install -m 0600 "$KEYS/stranger" "$KEY"
	certpush
	refused 77 "certpush: error: certsync@127.0.0.1 port $PORT: the server does not accept the key $KEY" \
		"Check user in push.conf, and run 'setup-npm-host MAILHOST'"
}

@test "the user does not exist there: 77, and the user" {
	configure target.user=nobody-there
	certpush
	refused 77 "nobody-there@127.0.0.1 port $PORT: the server does not accept the key $KEY" 'Check user in push.conf'
}

@test "the server takes other kinds of login only: 77" {
	start_sshd -o PubkeyAuthentication=no -o PasswordAuthentication=yes
	certpush
	refused 77 "certsync@127.0.0.1 port $PORT: " "Check user in push.conf, and run 'setup-npm-host MAILHOST'"
}

@test "the server does not take keys of this type: 77" {
	start_sshd -o PubkeyAcceptedAlgorithms=ecdsa-sha2-nistp256
	certpush
	refused 77 "certsync@127.0.0.1 port $PORT: " "$KEY"
}

@test "a password prompt is never answered, and nothing is asked on the terminal" {
	install -m 0600 "$KEYS/stranger" "$KEY"
	start_sshd -o PasswordAuthentication=yes -o KbdInteractiveAuthentication=yes
	traced -e trace=openat --
	refused 77 'the server does not accept the key'
	! grep /dev/tty "$TRACE" || return 1
}
