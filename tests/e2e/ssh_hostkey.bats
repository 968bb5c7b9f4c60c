#!/usr/bin/env bats
# The mail host's key: known, pinned, unknown, changed, revoked.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
	: >"$KNOWN_HOSTS"
}

# Can the libssh2 at hand sign and verify with RSA and SHA-2?
rsa_is_sound() {
	dpkg --compare-versions "$(pkg-config --modversion libssh2)" ge 1.11.0
}

pushes() {
	certpush "$@"
	expect 0 'pushed '
	pushed "$PAIRS/mail"
}

# --- known ---

@test "known in plain, by address and port" {
	know_host 127.0.0.1 "$PORT" ed25519
	pushes
}

@test "known in a line with several names and a comment" {
	echo "mx.test,[127.0.0.1]:$PORT,[::1]:$PORT $(cat "$KEYS/ssh_host_ed25519_key.pub")" >"$KNOWN_HOSTS"
	pushes
}

@test "known as a hashed name, as ssh-keygen -H makes it" {
	know_host 127.0.0.1 "$PORT" ed25519
	ssh-keygen -q -H -f "$KNOWN_HOSTS"
	rm "$KNOWN_HOSTS.old"
	! grep -F 127.0.0.1 "$KNOWN_HOSTS" || return 1
	pushes
}

@test "known as ssh-keyscan writes it, among other hosts, comments and empty lines" {
	{
		printf '# hosts\n\nother.test %s\n' "$(cut -d' ' -f1,2 "$KEYS/stranger.pub")"
		ssh-keyscan -p "$PORT" -t ed25519 127.0.0.1 2>/dev/null
		printf 'malformed\n'
	} >"$KNOWN_HOSTS"
	pushes
}

@test "only the ecdsa key of a server with several is known: that one is asked for" {
	know_host 127.0.0.1 "$PORT" ecdsa
	pushes -v
	expect 0 ecdsa-sha2-nistp256
}

@test "only the RSA key of a server with several is known: asked for, or said that this libssh2 cannot" {
	know_host 127.0.0.1 "$PORT" rsa
	if rsa_is_sound; then
		pushes
		return
	fi
	certpush
	refused 76 "$KNOWN_HOSTS has only an RSA key of 127.0.0.1 port $PORT" "add the host's ssh-ed25519 key"
}

@test "all keys of the server are known" {
	know_host 127.0.0.1 "$PORT" rsa
	know_host 127.0.0.1 "$PORT" ecdsa
	know_host 127.0.0.1 "$PORT" ed25519
	pushes
}

@test "the same host's key on another port is not this one's" {
	know_host 127.0.0.1 "$((PORT + 1))" ed25519
	certpush
	refused 76 "127.0.0.1 port $PORT shows the ssh-ed25519 key $(key_fingerprint ed25519); $KNOWN_HOSTS has no key of this host"
}

# --- pinned ---

@test "a pinned key is found among the server's, whatever its type; known_hosts is not needed" {
	local type
	for type in ed25519 ecdsa rsa; do
		[ "$type" != rsa ] || rsa_is_sound || continue
		rm -rf "${STAGING:?}"/* "$STATE/last_fp"
		configure "target.host_key=$(key_fingerprint "$type")" target.known_hosts=/nowhere
		pushes
	done
}

@test "an RSA key is pinned: found, or said that this libssh2 cannot verify it" {
	configure "target.host_key=$(key_fingerprint rsa)"
	if rsa_is_sound; then
		pushes
		return
	fi
	certpush
	refused 76 "pinned is $(key_fingerprint rsa) (an RSA key cannot be pinned with this libssh2)"
}

@test "a pin with base64 padding is the same pin" {
	configure "target.host_key=$(key_fingerprint ed25519)="
	pushes
}

@test "another key is pinned: 76, what the server shows, what is pinned, and what to do; known_hosts does not help" {
	know_host 127.0.0.1 "$PORT" ed25519
	configure "target.host_key=$(ssh-keygen -lf "$KEYS/stranger.pub" | cut -d' ' -f2)"
	certpush
	refused 76 "127.0.0.1 port $PORT shows the ssh-ed25519 key $(key_fingerprint ed25519)" \
		"the ecdsa-sha2-nistp256 key $(key_fingerprint ecdsa)" "pinned is ${SETTING[target.host_key]}" \
		'setup-npm-host MAILHOST' 'somebody may be in between'
}

# --- unknown ---

# unknown: 76 with the very fingerprint that ssh-keygen prints on the host
unknown() {
	certpush
	refused 76 'certpush: error: ' "$KNOWN_HOSTS" "127.0.0.1 port $PORT" "$(key_fingerprint ed25519)" \
		'Compare the fingerprint with the one that ssh-keygen -l prints on the mail host'
}

@test "no key of the host is known: 76, and the fingerprint as ssh-keygen -l prints it" {
	echo "other.test $(cut -d' ' -f1,2 "$KEYS/ssh_host_ed25519_key.pub")" >"$KNOWN_HOSTS"
	unknown
}

@test "there is no known_hosts: 76, that it does not exist, and the fingerprint" {
	rm "$KNOWN_HOSTS"
	unknown
	expect 76 'does not exist'
}

@test "an unknown host gets neither the key's signature nor a byte of the certificate" {
	start_sshd
	: >"$KNOWN_HOSTS"
	certpush
	[ "$status" -eq 76 ]
	! grep -E 'Accepted|Postponed|Failed publickey' "${STARTED[0]}/sshd.log" || return 1
}

# --- changed ---

@test "another key of that type is known: 76, the fingerprint seen, the file, and both explanations" {
	know_host 127.0.0.1 "$PORT" ed25519 "$KEYS/stranger.pub"
	certpush
	refused 76 "127.0.0.1 port $PORT shows the ssh-ed25519 key $(key_fingerprint ed25519), but $KNOWN_HOSTS has another one" \
		'If the host was rebuilt' 'setup-npm-host MAILHOST' 'somebody may be in between'
}

@test "another key is known under a hashed name: 76" {
	know_host 127.0.0.1 "$PORT" ed25519 "$KEYS/stranger.pub"
	ssh-keygen -q -H -f "$KNOWN_HOSTS"
	certpush
	refused 76 "shows the ssh-ed25519 key $(key_fingerprint ed25519), but $KNOWN_HOSTS has another one"
}

@test "the server has no key of the type that is known: 76, and what each side has" {
	local dir=$BATS_TEST_TMPDIR/sshd
	mkdir "$dir"
	cp -p "$KEYS"/ssh_host_ecdsa* "$dir/"
	run_sshd "$dir"
	STARTED+=("$dir")
	use_port "$(cat "$dir/port")"
	certpush
	refused 76 "127.0.0.1 port $PORT" 'host key: the server has ecdsa-sha2-nistp256, we have ssh-ed25519'
}

# --- markers ---

@test "a revoked key is refused although it is known as well: 76, its fingerprint, and that it is revoked" {
	know_host 127.0.0.1 "$PORT" ed25519
	echo "@revoked * $(cut -d' ' -f1,2 "$KEYS/ssh_host_ed25519_key.pub")" >>"$KNOWN_HOSTS"
	certpush
	refused 76 "127.0.0.1 port $PORT shows the ssh-ed25519 key $(key_fingerprint ed25519), which $KNOWN_HOSTS says is revoked"
}

@test "another revoked key does no harm" {
	know_host 127.0.0.1 "$PORT" ed25519
	echo "@revoked * $(cut -d' ' -f1,2 "$KEYS/stranger.pub")" >>"$KNOWN_HOSTS"
	pushes
}

@test "a @cert-authority line is left out with a warning that names file and line, and does not make the host known" {
	echo "@cert-authority * $(cut -d' ' -f1,2 "$KEYS/ssh_host_ed25519_key.pub")" >"$KNOWN_HOSTS"
	certpush
	refused 76 "certpush: warning: $KNOWN_HOSTS:1: a line with the marker @cert-authority is left out" \
		"Give the host's own key in a plain line, or pin it with host_key in push.conf"
	know_host 127.0.0.1 "$PORT" ed25519
	pushes
	expect 0 "$KNOWN_HOSTS:1: a line with the marker @cert-authority is left out"
	[ "$(grep -c 'warning:' <<<"$output")" -eq 1 ]
}
