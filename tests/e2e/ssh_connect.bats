#!/usr/bin/env bats
# Reaching the mail host: addresses and names, and everything a network can do wrong until SSH is agreed on.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
	HOSTS=$BATS_TEST_TMPDIR/hosts
	HINT='ufw allow out 22/tcp'
}

# known NAME: reached by this name, whose key is known
known() {
	know_host "$1" "$PORT" ed25519
	configure "target.host=$1"
}

listens() { # ADDRESS PORT
	[ -n "$(ss -Hltn "src [$1]:$2")" ]
}

# --- addresses ---

@test "an IPv4 address" {
	certpush -v
	expect 0 "connected to 127.0.0.1 port $PORT"
	pushed "$PAIRS/mail"
}

@test "an IPv6 address" {
	listens ::1 "$PORT" || skip 'this machine has no ::1'
	known ::1
	certpush -v
	expect 0 "connected to ::1 port $PORT"
	pushed "$PAIRS/mail"
}

# 127.0.0.1 is tried before all other addresses of 127.0.0.0/8: it is the nearest.

@test "a name with several addresses of which the first ones are dead: each is tried in turn" {
	odd_server relay "$PORT" 127.0.0.66
	printf '%s mx.test\n' 127.0.0.65 127.0.0.66 127.0.0.1 >"$HOSTS"
	known mx.test
	with_hosts "$HOSTS" -v
	expect 0 "connected to 127.0.0.66 port $PORT"
	pushed "$PAIRS/mail"
}

@test "a name with an IPv6 address where nobody listens, and an IPv4 one: both are tried" {
	odd_server relay "$PORT" 127.0.0.1
	printf '%s mx.test\n' ::1 127.0.0.1 >"$HOSTS"
	known mx.test
	with_hosts "$HOSTS" -v
	expect 0 "connected to 127.0.0.1 port $PORT"
	pushed "$PAIRS/mail"
}

@test "a name with an address that does not answer, and one that does: connect_timeout holds for each" {
	odd_server relay "$PORT" 127.0.0.66
	odd_server full 127.0.0.1 "$PORT"
	printf '%s mx.test\n' 127.0.0.66 127.0.0.1 >"$HOSTS"
	known mx.test
	configure limits.connect_timeout=1s
	with_hosts "$HOSTS" -v
	expect 0 "connected to 127.0.0.66 port $PORT"
	pushed "$PAIRS/mail"
}

@test "a name in upper case is the same host" {
	printf '127.0.0.1 mx.test\n' >"$HOSTS"
	know_host mx.test "$PORT" ed25519
	configure target.host=MX.Test
	with_hosts "$HOSTS"
	expect 0
	pushed "$PAIRS/mail"
}

@test "port 22 needs no port in known_hosts" {
	configure target.port=-
	echo "127.0.0.1 $(cut -d' ' -f1,2 "$KEYS/ssh_host_ed25519_key.pub")" >"$KNOWN_HOSTS"
	certpush --dry-run
	expect 0 'to certsync@127.0.0.1 port 22'
}

# --- no connection ---

@test "a name that does not exist: 75, the name, and where it is set" {
	: >"$HOSTS"
	known nowhere.test
	with_hosts "$HOSTS"
	refused 75 'certpush: error: nowhere.test: Name or service not known' 'Check host in section [target] of push.conf' DNS
}

@test "a name server that does not answer: 75, the name, and run_timeout holds" {
	local port=$PORT
	odd_server dns 127.0.0.68
	PORT=$port
	configure "target.port=$port" limits.run_timeout=1s
	known mx.example.org
	printf 'nameserver 127.0.0.68\noptions timeout:20\n' >"$BATS_TEST_TMPDIR/resolv.conf"
	printf 'hosts: dns\n' >"$BATS_TEST_TMPDIR/nsswitch.conf"
	apart "mount --bind '$BATS_TEST_TMPDIR/resolv.conf' /etc/resolv.conf
		mount --bind '$BATS_TEST_TMPDIR/nsswitch.conf' /etc/nsswitch.conf"
	refused 75 'mx.example.org: no answer from the resolver' 'raise the limits in section [limits] of push.conf'
}

@test "nobody listens: 75, host, port and reason, and the hint about a firewall" {
	use_port "$(free_port)"
	certpush
	refused 75 "certpush: error: 127.0.0.1 port $PORT: 127.0.0.1: Connection refused" 'Check that sshd listens there' \
		"$HINT"
}

@test "nobody listens on any address of a name: 75, and what became of each" {
	use_port "$(free_port)"
	printf '%s mx.test\n' 127.0.0.66 127.0.0.1 >"$HOSTS"
	known mx.test
	with_hosts "$HOSTS"
	refused 75 "mx.test port $PORT: " '127.0.0.66: Connection refused' '127.0.0.1: Connection refused' "$HINT"
}

@test "packets vanish on the way: 75, connect_timeout holds, and the hint about a firewall" {
	odd_server full 127.0.0.67 "$(free_port)"
	known 127.0.0.67
	configure limits.connect_timeout=500ms
	certpush
	refused 75 "127.0.0.67 port $PORT: 127.0.0.67: Connection timed out" "$HINT"
}

@test "packets vanish on the way: run_timeout holds as well" {
	odd_server full 127.0.0.67 "$(free_port)"
	known 127.0.0.67
	configure limits.run_timeout=500ms limits.connect_timeout=1h
	certpush
	refused 75 "127.0.0.67 port $PORT: " 'timed out'
}

@test "a local firewall rejects the connection: 75, and the hint about it" {
	traced -e trace=connect -e inject=connect:error=EPERM --
	refused 75 "127.0.0.1 port $PORT: 127.0.0.1: Operation not permitted" "$HINT"
}

# --- servers that hang: each limit, at each stage ---

# hangs STAGE-IN-WORDS: 75 within the limit
hangs() {
	certpush
	refused 75 "127.0.0.1 port $PORT: the time was up while $1" 'raise the limits in section [limits] of push.conf'
}

@test "a server that accepts and says nothing: 75, handshake_timeout holds" {
	odd_server silent
	configure limits.handshake_timeout=400ms
	hangs 'shaking hands'
}

@test "a server that accepts and says nothing: 75, run_timeout holds" {
	odd_server silent
	configure limits.handshake_timeout=1h limits.run_timeout=400ms
	hangs 'shaking hands'
}

@test "an sshd that is stopped: 75, handshake_timeout holds" {
	start_sshd
	SERVERS+=("$(cat "${STARTED[0]}/sshd.pid")")
	kill -STOP "${SERVERS[0]}"
	configure limits.handshake_timeout=400ms
	hangs 'shaking hands'
}

@test "a server that hangs after its banner: 75, handshake_timeout holds" {
	odd_server freeze banner "$PORT"
	configure limits.handshake_timeout=400ms
	hangs 'shaking hands'
}

@test "a server that hangs in the key exchange: 75, handshake_timeout holds" {
	odd_server freeze kexinit "$PORT"
	configure limits.handshake_timeout=400ms
	hangs 'shaking hands'
}

@test "a server that hangs after the key exchange: 75, handshake_timeout holds" {
	odd_server freeze newkeys "$PORT"
	configure limits.handshake_timeout=600ms
	hangs 'shaking hands'
}

# slow_login [OPTION...]: an sshd that takes half a minute to look up the key
slow_login() {
	start_sshd -o 'AuthorizedKeysCommand=/usr/bin/sleep 30' -o AuthorizedKeysCommandUser=root "$@"
	install -m 0600 "$KEYS/stranger" "$BATS_TEST_TMPDIR/key"
	configure "target.identity=$BATS_TEST_TMPDIR/key"
}

@test "a server that hangs when asked to log in: 75, user and host, handshake_timeout holds" {
	slow_login
	certpush_within 'while authenticating' limits.handshake_timeout=1000
	refused 75 "certsync@127.0.0.1 port $PORT: the time was up while authenticating" 'raise the limits'
}

@test "a server that never stops talking: an error within the limits" {
	odd_server flood
	configure limits.handshake_timeout=2s
	certpush
	[ "$status" -eq 75 ] || [ "$status" -eq 76 ]
	refused "$status" "127.0.0.1 port $PORT: "
}

# --- servers that close the connection, or speak something else ---

@test "a server that closes at once: 75, host and port" {
	odd_server close
	certpush
	refused 75 "127.0.0.1 port $PORT: the server closed the connection while shaking hands" 'Run again'
}

@test "a server that closes after its banner: 75, host and port" {
	odd_server cut banner "$PORT"
	certpush
	refused 75 "127.0.0.1 port $PORT: the " 'while shaking hands' 'Run again'
}

@test "a server that closes in the key exchange: 75, host and port" {
	odd_server cut kexinit "$PORT"
	certpush
	refused 75 "127.0.0.1 port $PORT: the " 'while shaking hands' 'Run again'
}

@test "a server that closes after the key exchange: 75, host and port" {
	odd_server cut newkeys "$PORT"
	certpush
	refused 75 "127.0.0.1 port $PORT: the " 'while shaking hands' 'Run again'
}

@test "a server that closes when asked to log in: 75, user, host and port" {
	local grace
	for grace in 1 5 20; do
		slow_login -o "LoginGraceTime=$grace"
		certpush
		[[ $output != *'while authenticating'* ]] || break
	done
	refused 75 "certsync@127.0.0.1 port $PORT: the server closed the connection while authenticating" 'Run again'
}

@test "a server that has no room for more connections: 75, and its own words" {
	odd_server close 'Exceeded MaxStartups\r\n'
	certpush
	refused 75 "127.0.0.1 port $PORT: the server says \"Exceeded MaxStartups\"" 'Run again'
}

@test "a server of another protocol: 76, what it says, and to check host and port" {
	odd_server say '220 mail.example.org ESMTP Postfix\r\n'
	certpush_within 'instead of speaking SSH' limits.handshake_timeout=400
	refused 76 "127.0.0.1 port $PORT: the server says \"220 mail.example.org ESMTP Postfix\" instead of speaking SSH" \
		'Check host and port'
}

@test "control characters in what a server says do not reach the terminal" {
	odd_server close '\x1b[2J\x07hello\r\n'
	certpush
	refused 76 hello
	not_said $'\e'
	not_said $'\a'
}

@test "a server that greets as SSH and goes on with rubbish: 76" {
	odd_server say 'SSH-2.0-Rubbish\r\n\x00\x00\x00\x01\x00 and so on, and on, and on, and on\r\n'
	certpush_within 'says that it speaks SSH' limits.handshake_timeout=1000
	refused 76 "127.0.0.1 port $PORT: the server says that it speaks SSH, but does not" 'Check host and port'
}

# threads COUNT: the most that a process of the run has
threads() { [ "$(ps -o nlwp= -p "$JOB" --ppid "$JOB" | sort -n | tail -n 1 | tr -d ' ')" = "$1" ]; }

@test "a server that takes its time, whose name had to be looked up" {
	local dir
	start_sshd
	dir=${STARTED[-1]}
	know_host localhost "$PORT" ed25519
	configure target.host=localhost
	kill -STOP "$(cat "$dir/sshd.pid")"
	begin -- -v
	# the C library has a thread for the look-up, and ends it when nothing more is to be looked up for a while
	await threads 2
	thread_ended() { has_ended || threads 1; }
	await thread_ended
	kill -CONT "$(cat "$dir/sshd.pid")"
	finish
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'pushed '*' to localhost as '* ]]
}
