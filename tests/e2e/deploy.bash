# shellcheck shell=bash
# shellcheck disable=SC2154 # status and output are those of bats; LAB_... and DOCKER_HOST the lab's
#
# deploy - what the tests of certdeploy share
#
# Each test gets a mailcow tree of its own with a good pair installed, an empty staging directory and
# a configuration. The services that are reloaded are the lab's real ones; what they serve comes from
# the lab's own tree, which the tests that look at the wire use (use_lab_tree).

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=make_pair.bash
. "$TOP/tests/e2e/make_pair.bash"
# shellcheck source-path=SCRIPTDIR source=common.bash
. "$TOP/tests/e2e/common.bash"

# --- once for each file ---

# Pairs that many tests use, made once for all of them; in the order in which they were issued.
make_pairs() {
	export PAIRS=$BATS_RUN_TMPDIR/deploy-pairs
	export AUTHORITY=$PAIRS/authority
	[ ! -e "$PAIRS/complete" ] || return 0
	make_authority "$AUTHORITY"
	make_pair "$PAIRS/old" from='5 days ago'
	make_pair "$PAIRS/current" from='4 days ago'
	make_pair "$PAIRS/new" from='3 days ago'
	make_pair "$PAIRS/newer" from='2 days ago'
	make_placeholder "$PAIRS/placeholder"
	touch "$PAIRS/complete"
}

deploy_setup_file() {
	local settings
	PROGRAM=$(realpath "${CERTSYNC_BUILD:-$TOP/build}/certdeploy")
	[ -x "$PROGRAM" ] || {
		echo "there is no $PROGRAM: run make" >&2
		return 1
	}
	export PROGRAM
	settings=$("$TOP/tests/lab/lab" env)
	eval "$settings"
	"$LAB_DOCKER" version >/dev/null || {
		echo 'the lab is not running: tests/lab/lab up' >&2
		return 1
	}
	make_pairs
}

# What most files need; one that needs more has its own.
setup_file() {
	deploy_setup_file
}

setup() {
	deploy_setup
}

# --- for each test ---

deploy_setup() {
	ROOT=$BATS_TEST_TMPDIR/mailcow
	SSL=$ROOT/data/assets/ssl
	STAGING=$BATS_TEST_TMPDIR/incoming
	STATE=$BATS_TEST_TMPDIR/state
	CONF=$BATS_TEST_TMPDIR/deploy.conf
	DOCKER=$LAB_DOCKER
	mkdir -p "$SSL" "$STAGING"
	cp "$LAB_MAILCOW/mailcow.conf" "$ROOT/"
	# The certificates are for this name whatever the lab's is.
	set_variable MAILCOW_HOSTNAME mail.example.org
	put_installed "$PAIRS/current"
	configure
}

# configure [LINE...]: the configuration, with further lines at its end. What is served is looked at only
# where VERIFY=on: most trees here are not the one that the services serve. DNS is asked only where DANE=auto or so.
configure() {
	cat >"$CONF" <<-CONF
		[mailcow]
		root = $ROOT
		docker = $DOCKER
		[staging]
		dir = $STAGING
		[verify]
		verify = ${VERIFY:-off}
		[dane]
		dane = ${DANE:-off}
		[state]
		dir = $STATE
	CONF
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$CONF"
}

# set_variable NAME [VALUE]: in mailcow.conf; without a value the line is removed
set_variable() {
	sed -i "/^$1=/d" "$ROOT/mailcow.conf"
	[ $# -eq 1 ] || echo "$1=$2" >>"$ROOT/mailcow.conf"
}

put_installed() { # PAIR
	install -m 0644 "$1/fullchain.pem" "$SSL/cert.pem"
	install -m 0600 "$1/privkey.pem" "$SSL/key.pem"
}

# generation DAY: the name of a generation that was pushed on that day of the month
generation() {
	printf '202601%02dT030000Z-0123456789abcdef' "$1"
}

# put_generation PAIR [DAY]: as certpush leaves one; its directory is in $GENERATION
put_generation() {
	GENERATION=$STAGING/$(generation "${2:-10}")
	mkdir -m 0700 "$GENERATION"
	install -m 0600 "$1/fullchain.pem" "$1/privkey.pem" "$GENERATION/"
}

# put_flat PAIR: as rsync or scp leave one
put_flat() {
	install -m 0600 "$1/fullchain.pem" "$1/privkey.pem" "$STAGING/"
}

certdeploy() {
	run "$PROGRAM" -c "$CONF" "$@"
}

# Nobody answers there: whatever asked docker fails.
without_docker() {
	DOCKER_HOST=unix://$BATS_TEST_TMPDIR/no-engine.sock "$@"
}

# traced FILE STRACE-OPTION... -- [OPTION...]: certdeploy under strace
traced() {
	local file=$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	run strace -qq -o "$file" "${options[@]}" "$PROGRAM" -c "$CONF" "$@"
}

# --- looking at the result ---

# Everything about the files in these directories but when they were read.
snapshot() {
	find "$@" \( -type f -printf '%p %i %m %U:%G %n %T@ %C@\n' -exec sha256sum {} + \) -o \
		-printf '%p %y %m %U:%G %T@ %l\n' | sort
}

same() { # SNAPSHOT SNAPSHOT
	diff <(echo "$1") <(echo "$2") >&2
}

installed_is() { # PAIR
	cmp "$1/fullchain.pem" "$SSL/cert.pem" >&2 && cmp "$1/privkey.pem" "$SSL/key.pem" >&2
}

# No temporary file, no record of something unfinished.
nothing_left_over() {
	local left
	left=$(find "$SSL" -name '.*.new')
	[ ! -d "$STATE" ] || left+=$(find "$STATE" -name '.*' -o -name pending)
	[ -z "$left" ] || {
		printf 'left over: %s\n' "$left" >&2
		return 1
	}
}

staging_is_empty() {
	local left
	left=$(ls -A "$STAGING")
	[ -z "$left" ] || {
		printf 'still staged: %s\n' "$left" >&2
		return 1
	}
}

# refused STATUS TEXT...: the pair that is staged is turned down, says certdeploy, and all is as before
refused() {
	local before
	before=$(snapshot "$SSL" "$STAGING")
	without_docker certdeploy
	expect "$@"
	same "$before" "$(snapshot "$SSL" "$STAGING")"
	nothing_left_over
}

# --- the wire ---

# use_lab_tree [LINE...]: the tree whose pair the lab's services serve, with mailcow's placeholder installed
use_lab_tree() {
	ROOT=$LAB_MAILCOW
	SSL=$LAB_SSL
	configure '[mailcow]' 'hostname = mail.example.org' "$@"
	if [ ! -e "$BATS_FILE_TMPDIR/lab-ssl" ]; then
		cp -a "$LAB_SSL" "$BATS_FILE_TMPDIR/lab-ssl"
	fi
	put_installed "$PAIRS/placeholder"
}

# For teardown_file: what was installed in the lab's tree before is there again, and served.
put_lab_tree_back() {
	[ -e "$BATS_FILE_TMPDIR/lab-ssl" ] || return 0
	find "$LAB_SSL" -mindepth 1 -delete
	cp -a "$BATS_FILE_TMPDIR/lab-ssl/." "$LAB_SSL/"
	SSL=$LAB_SSL
	everybody_reloads
}

reload_service() { # SERVICE COMMAND...
	"$LAB_DOCKER" exec "$(container "$1")" "${@:2}" >/dev/null 2>&1
}

# Without certdeploy's help.
everybody_reloads() {
	reload_service postfix-mailcow postfix reload
	reload_service dovecot-mailcow doveadm reload
	reload_service nginx-mailcow nginx -s reload
	await all_serve "$(fingerprint "$SSL/cert.pem")"
}

is_answering() { # ENDPOINT
	"$TOP/tests/lab/lab" endpoints | awk -v n="$1" '$1 == n && $3 != "-" { found = 1 } END { exit !found }'
}

# container SERVICE [PROJECT]: its id
container() {
	"$LAB_DOCKER" ps --all --quiet --filter "label=com.docker.compose.project=${2:-$LAB_PROJECT}" \
		--filter "label=com.docker.compose.service=$1"
}

# all_serve FINGERPRINT [ENDPOINT...]: all nine endpoints, or those named, serve that certificate
all_serve() {
	local wanted=$1 name served missing=0
	shift
	[ $# -gt 0 ] || set -- SMTP SUBMISSION SMTPS IMAP IMAPS POP3 POP3S SIEVE HTTPS
	served=$("$TOP/tests/lab/lab" endpoints)
	for name; do
		awk -v n="$name" -v f="$wanted" '$1 == n && $3 == f { found = 1 } END { exit !found }' \
			<<<"$served" || missing=1
	done
	[ "$missing" -eq 0 ]
}
