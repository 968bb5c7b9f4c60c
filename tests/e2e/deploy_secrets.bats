#!/usr/bin/env bats
# No byte of a private key is where it does not belong, during a run of certdeploy and after it.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

setup() {
	deploy_setup
	make_pair "$BATS_TEST_TMPDIR/rsa" key=rsa:2048 from='1 day ago'
	KEYS=("$PAIRS/new/privkey.pem" "$PAIRS/current/privkey.pem" "$BATS_TEST_TMPDIR/rsa/privkey.pem")
	unset JOURNAL_STREAM NOTIFY_SOCKET
}

secrets() { # exits|trace|files WHAT...
	run python3 "$TOP/tests/e2e/secrets.py" "$1" "${KEYS[@]}" -- "${@:2}"
}

# at_exit STATUS TEXT [OPTION...]: a run ends so, and no process of it ends with a key in its memory
at_exit() {
	secrets exits "$PROGRAM" -c "$CONF" "${@:3}"
	not_said 'secret found'
	expect "$1" "$2"
	secrets files <(echo "$output")
	expect 0
}

@test "a key is found wherever it is looked for" {
	local script=$BATS_TEST_TMPDIR/script python key=$PAIRS/new/privkey.pem
	python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
	KEYS=("$key")
	secrets files "$key" "$PAIRS/newer/privkey.pem"
	expect 1 'privkey.pem priv, base64+0'
	[ "$(grep -c 'base64' <<<"$output")" -ge 1 ]
	not_said newer

	openssl pkey -in "$key" -outform DER -out "$script.der"
	secrets files "$script.der"
	expect 1 'privkey.pem priv+0' 'privkey.pem priv+24'

	# Ended without the interpreter's own end, which may use the memory again.
	echo "import os; keep = open('$key', 'rb').read(); os._exit(0)" >"$script"
	secrets exits "$python" "$script"
	expect 1 'at its exit' 'privkey.pem priv, base64+0'
	secrets exits "$python" -c 'import sys' "$(cat "$key")"
	expect 1 'cmdline'
	SECRET=$(cat "$key") secrets exits "$python" -c 'import sys'
	expect 1 'environ'

	strace -f -yy -s 65536 -o "$script.trace" dd status=none if="$key" of="$script.copy"
	secrets trace "$script.trace"
	expect 1 "write(" 'privkey.pem priv, base64+0'
}

@test "a key whose number begins with zeros is found as well" {
	local key=$BATS_TEST_TMPDIR/short
	printf '%s\n' asn1=SEQUENCE:key '[key]' version=INTEGER:1 \
		"number=FORMAT:HEX,OCTETSTRING:0000$(openssl rand -hex 30)" curve=EXPLICIT:0,OID:prime256v1 >"$key.conf"
	openssl asn1parse -genconf "$key.conf" -noout -out "$key.der"
	openssl ec -inform DER -in "$key.der" -out "$key.pem" 2>/dev/null
	openssl ec -in "$key.pem" -outform DER -out "$key.der" 2>/dev/null
	KEYS=("$key.pem")
	secrets files "$key.pem" "$key.der"
	expect 1 'short.pem priv, base64+0' 'short.der+0x7: short.pem priv+0'
}

@test "no process of certdeploy ends with a key in its memory, or gives one to another in arguments or environment" {
	put_generation "$PAIRS/new"
	at_exit 0 'would install' -n
	at_exit 0 deployed -v
	at_exit 0 'nothing to do' -v
	at_exit 0 '' check
	put_generation "$BATS_TEST_TMPDIR/rsa" 11
	at_exit 0 deployed -v
	put_generation "$PAIRS/newer" 12
	cp "$PAIRS/new/privkey.pem" "$GENERATION/"
	at_exit 65 'the private key does not belong to' -v
	head -c 200 "$PAIRS/new/privkey.pem" >"$GENERATION/privkey.pem"
	at_exit 65 'the private key is damaged' -v
	cat "$PAIRS/new/privkey.pem" >>"$GENERATION/fullchain.pem"
	at_exit 65 'also holds a private key' -v
}

@test "a key is read from its files and written to them, and appears in no other system call" {
	local trace=$BATS_TEST_TMPDIR/trace temporary=$BATS_TEST_TMPDIR/temporary written
	mkdir "$temporary"
	put_generation "$PAIRS/new"
	export TMPDIR=$temporary
	traced "$trace" -f -yy -s 65536 -- -v
	expect 0 deployed
	secrets trace "$trace"
	expect 0
	secrets files <(echo "$output")
	expect 0
	# Nothing was written but the pair, the previous one and the state.
	[ -z "$(ls -A "$temporary")" ]
	written=$(sed -nE 's/^.*openat\(.*(O_WRONLY|O_RDWR).*\) = [0-9]+<(.*)>$/\2/p' "$trace" |
		grep -vE "^(/dev/null(<.*)?$|$SSL/|$STATE/|/proc/|/sys/)") || true
	[ -z "$written" ]
}

@test "no core is dumped, whatever the signal and the moment" {
	local dir=$BATS_TEST_TMPDIR/cores trace=$BATS_TEST_TMPDIR/trace signal call
	mkdir "$dir"
	cd "$dir"
	ulimit -c unlimited
	for signal in SEGV ABRT; do
		for call in seccomp:when=1 fsync:when=1 renameat:when=1 unlinkat:when=1; do
			rm -rf "${STATE:?}" "${STAGING:?}"/*
			put_installed "$PAIRS/current"
			put_generation "$PAIRS/new"
			traced "$trace" -f -e "trace=${call%%:*}" -e "inject=${call%%:*}:signal=$signal:${call#*:}" --
			grep -q "killed by SIG$signal" "$trace"
			! grep 'core dumped' "$trace" >&2
			[ -z "$(ls -A "$dir")" ]
		done
	done
}
