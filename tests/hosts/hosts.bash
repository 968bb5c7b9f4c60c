# shellcheck shell=bash
# What the tests on two hosts have in common; see the script "hosts" beside this file.

TOP=$BATS_TEST_DIRNAME/../..
export HOSTS_DIR=${HOSTS_DIR:-/var/tmp/certsync-hosts}
# shellcheck source-path=SCRIPTDIR source=../e2e/common.bash
. "$TOP/tests/e2e/common.bash"

hosts() { "$BATS_TEST_DIRNAME/hosts" "$@"; }
npm() { hosts exec npm "$@"; }
mail() { hosts exec mail "$@"; }

# What the units said last, for whoever reads that a test failed.
journals() {
	local host which
	for host in ${HOSTS:-npm mail}; do
		echo "$host:"
		for which in '-p err' '-u mailcow-cert-*'; do
			# shellcheck disable=SC2086
			hosts exec "$host" journalctl -q -o short-precise -n 20 $which | cut -c1-300
		done
	done
}

# A test may stop, hide or add things on a host; the next one finds it as it was.
teardown() {
	[ "${BATS_TEST_COMPLETED:-}" ] || journals
	if [ -n "${undo:-}" ]; then
		eval "$undo"
	fi
}

# shellcheck disable=SC2154 # bats sets ${output}
# The command that the last one printed for the other host, as a person would copy it, without sudo.
printed() { sed -n 's/^  sudo \(setup-.*\)/\1/p' <<<"$output"; }

# stop_sshd, start_sshd: with the socket that starts it where it is Ubuntu's, which learns its ports from a generator.
stop_sshd() { mail sh -c 'systemctl -q is-enabled ssh.socket 2>/dev/null && systemctl stop ssh.socket; systemctl stop ssh'; }
start_sshd() {
	mail sh -c 'systemctl daemon-reload; systemctl reset-failed ssh
		systemctl -q is-enabled ssh.socket 2>/dev/null && systemctl start ssh.socket; systemctl start ssh'
}

# A reload would be over before sshd listens again; and it is not to be counted as one that fails too often.
restart_sshd() {
	stop_sshd
	start_sshd
}

make_ca() {
	npm sh -euc 'umask 077; cd /root
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -subj /CN=TestCA -days 30 \
			-keyout ca.key -out ca.pem 2>/dev/null'
}

# issue DIR DAYS NAMES: a lineage as certbot keeps it, links into archive/, on the npm host.
issue() {
	npm sh -euc '
		umask 077
		tree=/etc/nginx/letsencrypt name=$1 days=$2 names=$3
		mkdir -p $tree/live/$name $tree/archive/$name
		cd $tree/archive/$name
		printf "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\n" "$names" >/root/ext
		openssl ecparam -name secp384r1 -genkey -noout -out key
		openssl pkcs8 -topk8 -nocrypt -in key -out privkey1.pem
		openssl req -new -key privkey1.pem -subj /CN=test -out csr
		openssl x509 -req -in csr -CA /root/ca.pem -CAkey /root/ca.key -CAcreateserial -days $days \
			-extfile /root/ext -out cert1.pem 2>/dev/null
		cp /root/ca.pem chain1.pem
		cat cert1.pem chain1.pem >fullchain1.pem
		rm key csr
		for part in cert chain fullchain privkey; do
			ln -sfn ../../archive/$name/${part}1.pem $tree/live/$name/$part.pem
		done' sh "$@"
}

make_mailcow() {
	mail sh -euc '
		mkdir -p /opt/mailcow-dockerized/data/assets/ssl
		printf "%s\n" MAILCOW_HOSTNAME=mail.example.org SKIP_LETS_ENCRYPT=y COMPOSE_PROJECT_NAME=mailcow \
			>/opt/mailcow-dockerized/mailcow.conf'
}

# In a directory of our own: the checkout may be somebody else's, or be used by him right now.
BUILD=${CERTSYNC_BUILD:-$BATS_RUN_TMPDIR/build}
build() { make -s -j"$(nproc)" -C "$TOP" B="$BUILD" "$@" >/dev/null; }

install_on() {
	build install DESTDIR="$(hosts root "$1")"
	hosts exec "$1" systemctl daemon-reload
}

# The path units watch what nobody changes: for tests that are to find what was pushed, and start each run themselves.
leave_to_timers() {
	local host side
	for which in 'npm push' 'mail deploy'; do
		read -r host side <<<"$which"
		hosts exec "$host" sh -euc 'dir=/run/systemd/system/mailcow-cert-$1.path.d
			mkdir -p $dir /run/unchanged
			printf "%s\n" "[Path]" PathChanged= PathChanged=/run/unchanged >$dir/zz-elsewhere.conf
			systemctl daemon-reload' sh "$side"
	done
}

# are HOST active|enabled UNIT...: each of them is; systemctl itself is content with one.
are() {
	local host=$1 what=$2 unit
	shift 2
	for unit; do
		hosts exec "$host" systemctl -q "is-$what" "$unit" || {
			echo "$unit on $host is not $what"
			return 1
		}
	done
}

# Two hosts without a lab, with what is installed, a mailcow, and a certificate for it.
boot_without_lab() {
	hosts down
	build all &
	hosts up
	wait $!
	install_on npm
	install_on mail
	leave_to_timers
	make_ca
	issue npm-5 60 DNS:mail.example.org
	make_mailcow
}

# By the three commands; the second and the third are kept.
pair() {
	run first
	printed >"$BATS_FILE_TMPDIR/second"
	run second
	printed >"$BATS_FILE_TMPDIR/third"
	third
}

first() { npm setup-npm-host mail.example.org "$@"; }
second() { mail sh -c "$(cat "$BATS_FILE_TMPDIR/second") $*"; }
third() { npm sh -c "$(cat "$BATS_FILE_TMPDIR/third") $*"; }
