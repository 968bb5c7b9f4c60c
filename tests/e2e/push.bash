# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # status, output and stderr are those of bats; LAB_... the lab's
#
# push - what the tests of certpush share
#
# Each test gets a tree of lineages, a state directory and a configuration of its own. Files whose tests
# push start one sshd with a staging directory of its own; odd servers are added by the tests themselves.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# shellcheck source=tests/e2e/make_pair.bash
. "$TOP/tests/e2e/make_pair.bash"
# shellcheck source-path=SCRIPTDIR source=common.bash
. "$TOP/tests/e2e/common.bash"

# What setup-mailcow-host lets the push key ask for, without and with clearing away.
WRITE_ONLY=open,write,close,fsync,rename,mkdir
REQUESTS=$WRITE_ONLY,remove,rmdir
GENERATION_FORM='20[0-9]{6}T[0-9]{6}Z-[0-9a-f]{16}'

# --- once for each file ---

push_setup_file() {
	local settings
	bats_require_minimum_version 1.5.0
	PROGRAM=$(realpath "${CERTSYNC_BUILD:-$TOP/build}/certpush")
	[ -x "$PROGRAM" ] || {
		echo "there is no $PROGRAM: run make" >&2
		return 1
	}
	export PROGRAM
	settings=$("$TOP/tests/lab/lab" env)
	eval "$settings"
	"$TOP/tests/lab/lab" status >/dev/null || {
		echo 'the lab is not running: tests/lab/lab up' >&2
		return 1
	}
	unset JOURNAL_STREAM NOTIFY_SOCKET INVOCATION_ID
	# In the lab, as the user certsync has to get there.
	PUSH_HOME=$(mktemp -d "$LAB/home/certsync/e2e.XXXXXX")
	export PUSH_HOME STAGING=$PUSH_HOME/incoming
	OWNER_ID=$(stat -c %u "$LAB_INCOMING")
	export OWNER_ID
	chmod 0755 "$PUSH_HOME"
	make_push_material
}

push_teardown_file() {
	[ -z "${PUSH_HOME:-}" ] || {
		stop_sshd "$BATS_FILE_TMPDIR/main"
		rm -rf "$PUSH_HOME"
	}
}

# Pairs and SSH keys that many tests use, made once for all of them.
make_push_material() {
	local type
	export PAIRS=$BATS_RUN_TMPDIR/push-pairs
	export AUTHORITY=$PAIRS/authority KEYS=$PAIRS/ssh
	[ ! -e "$PAIRS/complete" ] || return 0
	make_authority "$AUTHORITY"
	make_pair "$PAIRS/old" from='5 days ago' to='85 days'
	make_pair "$PAIRS/mail" from='3 days ago' key=ec:P-384
	make_pair "$PAIRS/newer" from='1 day ago' to='40 days' key=rsa:2048
	make_pair "$PAIRS/other" from='1 hour ago' names=DNS:cloud.example.com
	make_pair "$PAIRS/expired" from='90 days ago' to='1 day ago'
	make_pair "$PAIRS/future" from='1 day' to='90 days'
	make_pair "$PAIRS/wildcard" from='2 days ago' 'names=DNS:*.example.org,DNS:example.org' key=ED25519
	mkdir "$KEYS"
	for type in ed25519 ecdsa rsa; do
		ssh-keygen -q -t "$type" -N '' -C test -f "$KEYS/ssh_host_${type}_key"
	done
	ssh-keygen -q -t ed25519 -N '' -C test -f "$KEYS/stranger"
	touch "$PAIRS/complete"
}

# What most files need; one that needs more has its own.
setup_file() {
	push_setup_file
	run_sshd "$BATS_FILE_TMPDIR/main"
}

teardown_file() {
	push_teardown_file
}

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
}

teardown() {
	push_teardown
}

# --- for each test ---

push_setup() {
	LIVE=$BATS_TEST_TMPDIR/letsencrypt/live
	ARCHIVE=$BATS_TEST_TMPDIR/letsencrypt/archive
	STATE=$BATS_TEST_TMPDIR/state
	CONF=$BATS_TEST_TMPDIR/push.conf
	KNOWN_HOSTS=$BATS_TEST_TMPDIR/known_hosts
	TRACE=$BATS_TEST_TMPDIR/trace
	STARTED=()
	SERVERS=()
	JOB=
	mkdir -p "$LIVE" "$ARCHIVE" "$STATE"
	rm -rf "$STAGING"
	make_staging "$STAGING"
	PORT=1
	[ ! -e "$BATS_FILE_TMPDIR/main/port" ] || read -r PORT <"$BATS_FILE_TMPDIR/main/port"
	know_host 127.0.0.1 "$PORT" ed25519
	declare -gA SETTING=(
		[source.hostname]=mail.example.org
		[source.live_dir]=$LIVE
		[target.host]=127.0.0.1
		[target.port]=$PORT
		[target.identity]=$LAB_IDENTITY
		[target.known_hosts]=$KNOWN_HOSTS
		[state.dir]=$STATE
		[verify.verify]=off
	)
	configure
}

push_teardown() {
	local pid dir
	[ -z "$JOB" ] || kill -KILL "$JOB" 2>/dev/null || true
	for pid in "${SERVERS[@]}"; do
		kill -CONT "$pid" 2>/dev/null || true
		kill "$pid" 2>/dev/null || true
	done
	for dir in "${STARTED[@]}"; do
		stop_sshd "$dir"
	done
	[[ $(</proc/self/mountinfo) != *" $STAGING "* ]] || umount "$STAGING"
	nothing_secret_said
}

make_staging() { # DIR
	install -d -m 0700 -o "$OWNER_ID" -g "$OWNER_ID" "$1"
}

# use_archive DIR: the private keys are there
use_archive() {
	ARCHIVE=$1
}

# configure [SECTION.KEY=VALUE...]: the configuration, with these settings changed; a value of - leaves it out
configure() {
	local setting section key
	for setting; do
		SETTING[${setting%%=*}]=${setting#*=}
	done
	for section in source target limits state verify monitoring; do
		echo "[$section]"
		for key in "${!SETTING[@]}"; do
			[ "${key%%.*}" != "$section" ] || [ "${SETTING[$key]}" = - ] ||
				echo "${key#*.} = ${SETTING[$key]}"
		done
	done >"$CONF"
}

# --- lineages, as certbot keeps them: live/NAME/*.pem are links into archive/NAME/ ---

# put_text FROM TO: by the shell itself, as most tests do it several times, and a process takes much longer
put_text() {
	local text
	[ -r "$1" ] || return
	IFS= read -rd '' text <"$1" || true
	printf %s "$text" >"$2"
}

# archive NAME NUMBER PAIR
archive() {
	mkdir -p "$ARCHIVE/$1"
	put_text "$3/leaf.pem" "$ARCHIVE/$1/cert$2.pem"
	put_text "$AUTHORITY/issuer.pem" "$ARCHIVE/$1/chain$2.pem"
	put_text "$3/fullchain.pem" "$ARCHIVE/$1/fullchain$2.pem"
	install -m 0600 "$3/privkey.pem" "$ARCHIVE/$1/privkey$2.pem"
}

# link_part NAME NUMBER PART: as certbot does it, there is a moment without the link
link_part() {
	[ ! -L "$LIVE/$1/$3.pem" ] || rm "$LIVE/$1/$3.pem"
	ln -s "../../archive/$1/$3$2.pem" "$LIVE/$1/$3.pem"
}

# lineage NAME PAIR
lineage() {
	local part
	mkdir -p "$LIVE/$1"
	archive "$1" 1 "$2"
	for part in cert privkey chain fullchain; do
		link_part "$1" 1 "$part"
	done
}

# --- SSH servers ---

# know_host HOST PORT TYPE [FILE-WITH-PUBLIC-KEY]: add the line that ssh would write to known_hosts
know_host() {
	local name=$1 type key
	[ "$2" = 22 ] || name="[$1]:$2"
	read -r type key _ <"${4:-$KEYS/ssh_host_$3_key.pub}"
	echo "$name $type $key" >>"$KNOWN_HOSTS"
}

# What ssh-keygen calls the fingerprint of a host key.
key_fingerprint() { # TYPE
	ssh-keygen -lf "$KEYS/ssh_host_$1_key.pub" | cut -d' ' -f2
}

free_port() {
	local port
	while :; do
		port=$((LAB_PORT_BASE + 2200 + RANDOM % 800))
		[ -n "$(ss -Hltn "sport = :$port")" ] || break
	done
	echo "$port"
}

# run_sshd DIR [-o OPTION=VALUE...]: the first value of an option counts
run_sshd() {
	local dir=$1 port
	shift
	port=$(free_port)
	mkdir -p "$dir"
	compgen -G "$dir/ssh_host_*_key" >/dev/null || cp -p "$KEYS"/ssh_host_* "$dir/"
	echo "$port" >"$dir/port"
	"$TOP/tests/lab/lab" sshd start "$dir" "$port" "$@" \
		-o "ForceCommand=internal-sftp -p$REQUESTS -u0077 -d$STAGING" >&2 3>&- 4>&-
}

stop_sshd() { # DIR
	[ ! -d "$1" ] || "$TOP/tests/lab/lab" sshd stop "$1"
}

# start_sshd [-o OPTION=VALUE...]: an sshd for this test only, which it then talks to
start_sshd() {
	local dir
	dir=$(mktemp -d "$BATS_TEST_TMPDIR/sshd.XXXXXX")
	STARTED+=("$dir")
	run_sshd "$dir" "$@"
	use_port "$(cat "$dir/port")"
}

# forcing COMMAND: as start_sshd, with this forced command
forcing() {
	start_sshd -o "ForceCommand=$1"
}

use_port() {
	PORT=$1
	know_host 127.0.0.1 "$PORT" ed25519
	configure "target.port=$PORT"
}

# odd_server MODE [ARGUMENT...]: see push_server.py
odd_server() {
	local file
	file=$(mktemp -u "$BATS_TEST_TMPDIR/port.XXXXXX")
	python3 "$TOP/tests/e2e/push_server.py" "$file" "$@" >&2 3>&- 4>&- &
	SERVERS+=($!)
	await test -s "$file"
	use_port "$(cat "$file")"
}

# with_fault FAULT: from now on the main sshd's SFTP server meets it; strace(1), -e inject=
with_fault() {
	local system_call=${1%%:*}
	strace -f -o "$BATS_TEST_TMPDIR/fault" -e "trace=$system_call" -e "inject=$1" \
		-p "$(cat "$BATS_FILE_TMPDIR/main/sshd.pid")" 2>"$BATS_TEST_TMPDIR/fault.log" 3>&- 4>&- &
	SERVERS+=($!)
	await grep -q attached "$BATS_TEST_TMPDIR/fault.log"
}

# --- running it ---

# The limit is only there to end a test that would not end by itself.
certpush() {
	run timeout -k 5 180 "$PROGRAM" -c "$CONF" "$@"
}

# certpush_within TEXT SETTING=MILLISECONDS...: certpush with limits within which it comes as far as to say TEXT; they are
# longer on a slow machine
certpush_within() {
	local text=$1 limit limits factor
	shift
	for factor in 1 4 16; do
		limits=()
		for limit; do
			limits+=("${limit%=*}=$((${limit#*=} * factor))ms")
		done
		configure "${limits[@]}"
		certpush
		[[ $output != *"$text"* ]] || break
	done
}

# traced [STRACE-OPTION...] -- [OPTION...]: under strace, which writes to $TRACE
traced() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	run timeout -k 5 180 strace -f -qq -o "$TRACE" "${options[@]}" "$PROGRAM" -c "$CONF" "$@"
}

# begin [COMMAND...] -- [OPTION...]: in the background; its pid is $JOB, wait for it with finish
begin() {
	local before=()
	while [ "$1" != -- ]; do
		before+=("$1")
		shift
	done
	shift
	"${before[@]}" "$PROGRAM" -c "$CONF" "$@" >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- 4>&- &
	JOB=$!
}

has_ended() {
	! kill -0 "$JOB" 2>/dev/null
}

finish() {
	await has_ended
	status=0
	wait "$JOB" || status=$?
	JOB=
	output=$(cat "$BATS_TEST_TMPDIR/said")
}

# apart SETUP [OPTION...]: certpush with mounts of its own, in which the shell text SETUP runs first
apart() {
	local setup=$1
	shift
	run timeout -k 5 180 unshare --mount --propagation private sh -euc "$setup"'; exec "$@"' sh \
		"$PROGRAM" -c "$CONF" "$@"
}

# with_hosts FILE [OPTION...]: certpush on a host that resolves names by this file only
with_hosts() {
	local hosts=$1
	shift
	printf 'hosts: files\n' >"$BATS_TEST_TMPDIR/nsswitch.conf"
	printf 'multi on\n' >"$BATS_TEST_TMPDIR/host.conf"
	apart "mount --bind '$hosts' /etc/hosts
		mount --bind '$BATS_TEST_TMPDIR/nsswitch.conf' /etc/nsswitch.conf
		[ ! -e /etc/host.conf ] || mount --bind '$BATS_TEST_TMPDIR/host.conf' /etc/host.conf" "$@"
}

# --- the mail host's own services ---

# serve PAIR: have the lab's dovecot serve it
serve() {
	local container
	install -m 0644 "$1/fullchain.pem" "$LAB_SSL/cert.pem"
	install -m 0600 "$1/privkey.pem" "$LAB_SSL/key.pem"
	container=$("$LAB_DOCKER" ps -q --filter "label=com.docker.compose.project=$LAB_PROJECT" \
		--filter label=com.docker.compose.service=dovecot-mailcow)
	"$LAB_DOCKER" exec "$container" doveadm reload
	await shows "127.0.0.1:$LAB_PORT_IMAPS" "$1"
}

# shows ENDPOINT PAIR
shows() {
	[ "$(timeout 5 openssl s_client -connect "$1" -servername mail.example.org </dev/null 2>/dev/null |
		openssl x509 -noout -fingerprint -sha256 2>/dev/null | sed 's/.*=//')" = "$(fingerprint "$2/leaf.pem")" ]
}

# To be called once for each file that has dovecot serve something else.
keep_served() {
	mkdir "$BATS_FILE_TMPDIR/served"
	cp -p "$LAB_SSL/cert.pem" "$BATS_FILE_TMPDIR/served/fullchain.pem"
	cp -p "$LAB_SSL/cert.pem" "$BATS_FILE_TMPDIR/served/leaf.pem"
	cp -p "$LAB_SSL/key.pem" "$BATS_FILE_TMPDIR/served/privkey.pem"
}

serve_kept() {
	[ ! -d "$BATS_FILE_TMPDIR/served" ] || serve "$BATS_FILE_TMPDIR/served"
}

# pushed_since PAIR WHEN: it was pushed then, as date -d takes it
pushed_since() {
	fingerprint "$1/leaf.pem" >"$STATE/last_fp"
	touch -d "$2" "$STATE/last_fp"
}

# In what was traced, the real endpoint was not asked.
not_asked() {
	[ -s "$TRACE" ] && ! grep "htons($LAB_PORT_IMAPS)" "$TRACE" >&2
}

# tls_server OPTION...: one of openssl's, with the options of s_server(1); it is at $ENDPOINT
tls_server() {
	local port
	port=$(free_port)
	openssl s_server -accept "127.0.0.1:$port" -quiet "$@" >/dev/null 2>"$BATS_TEST_TMPDIR/s_server.log" \
		</dev/null 3>&- 4>&- &
	SERVERS+=($!)
	ENDPOINT=127.0.0.1:$port
	await listens "$port"
}

listens() { # PORT
	[ -n "$(ss -Hltn "sport = :$1")" ]
}

# --- looking at the result ---

# refused STATUS TEXT...: the last run failed so; nothing was remembered and nothing is there to be deployed
refused() {
	expect "$@"
	no_generation
	[ ! -e "$STATE/last_fp" ]
}

# What has been pushed, one name a line.
generations() {
	find "$STAGING" -mindepth 1 -maxdepth 1 -not -name '.*' -printf '%f\n' | sort
}

no_generation() {
	local found
	found=$(generations)
	[ -z "$found" ] || {
		printf 'staged: %s\n' "$found" >&2
		return 1
	}
}

staging_is_empty() {
	local left
	left=$(ls -A "$STAGING")
	[ -z "$left" ] || {
		printf 'left in staging: %s\n' "$left" >&2
		return 1
	}
}

# pushed PAIR: there is one generation, which holds that pair, and it is remembered
pushed() {
	local name
	name=$(ls -A "$STAGING")
	[[ $name =~ ^$GENERATION_FORM$ ]] || {
		printf 'in staging: %s; output:\n%s\n' "$name" "$output" >&2
		return 1
	}
	cmp "$STAGING/$name/fullchain.pem" "$1/fullchain.pem" >&2
	cmp "$STAGING/$name/privkey.pem" "$1/privkey.pem" >&2
	diff "$STATE/last_fp" <(fingerprint "$1/leaf.pem") >&2
}

# Everything about the files there but when they were read.
snapshot() {
	find "$@" \( -type f -printf '%p %i %m %U:%G %n %T@ %C@\n' -exec sha256sum {} + \) -o \
		-printf '%p %y %m %U:%G %T@ %l\n' | sort
}

same() { # SNAPSHOT SNAPSHOT
	diff <(echo "$1") <(echo "$2") >&2
}

no_socket() {
	[ -s "$TRACE" ] || {
		echo 'nothing was traced' >&2
		return 1
	}
	! grep -E 'socket\(|connect\(' "$TRACE" >&2
}

# No line of any private key's body is in what was said or in the state directory.
nothing_secret_said() {
	local key line lines=()
	for key in "$LAB_IDENTITY" "$ARCHIVE"/*/privkey*.pem; do
		[ -f "$key" ] || continue
		while read -r line || [ -n "$line" ]; do
			[[ ! $line =~ ^[A-Za-z0-9+/=]{40,}$ ]] || lines+=("$line")
		done <"$key"
	done
	[ ${#lines[@]} -gt 0 ]
	for line in "${lines[@]}"; do
		if [[ ${output:-}${stderr:-} == *"$line"* ]]; then
			echo "said: $line" >&2
			return 1
		fi
	done
	! grep -rF "${lines[@]/#/-e}" "$STATE" >&2
}
