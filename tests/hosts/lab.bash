# shellcheck shell=bash
# A lab (tests/lab) on the mail host's network, or that of ${LAB_HOST}, for the tests on two hosts that need certbot's tree, the Docker engine
# and the mail services. All hosts see it at /mnt/lab.

# whatever lab the caller has: ours is another one; two of them at once need different port bases
export LAB=$HOSTS_DIR/share/lab LAB_PROJECT=mailcowhosts LAB_PORT_BASE=${HOSTS_PORT_BASE:-27000}
export LAB_HOSTNAME=mail.example.org LAB_LINEAGE=npm-5
# the lab makes its image first where there is none yet
LAB_WITHIN_S=600

lab() { hosts net "${LAB_HOST:-mail}" "$TOP/tests/lab/lab" "$@"; }

show() { hosts exec "$1" systemctl show --value -p "$2" "$3"; }

# The cable of the two hosts leads nowhere else: where the image of the mail services is still to be made,
# out of packages, that is done on the machine's own network.
start_lab() {
	local status=0
	lab up || { "$TOP/tests/lab/lab" up && "$TOP/tests/lab/lab" down && lab up; } || status=$?
	echo "$status" >"$BATS_FILE_TMPDIR/lab.status"
}

lab_is_up() {
	local end=$((SECONDS + LAB_WITHIN_S))
	until [ -s "$BATS_FILE_TMPDIR/lab.status" ]; do
		((SECONDS < end)) || break
		sleep 0.1
	done
	cat "$BATS_FILE_TMPDIR/lab.log"
	[ "$(cat "$BATS_FILE_TMPDIR/lab.status")" = 0 ]
}

# Two hosts, or those in ${HOSTS}, with what is installed, and a lab on its way up: see lab_is_up.
boot() {
	all_down
	build all &
	building=$!
	hosts up
	start_lab </dev/null >"$BATS_FILE_TMPDIR/lab.log" 2>&1 3>&- &
	wait $building
	for host in ${HOSTS:-npm mail}; do
		install_on "$host"
	done
}

all_down() {
	"$TOP/tests/lab/lab" down
	hosts down
}

served_everywhere() { [ "$(lab endpoints | grep -c " $1\$")" = 9 ]; }

source_fingerprint() { openssl x509 -noout -fingerprint -sha256 -in "$LAB/npm/letsencrypt/live/${1:-npm-5}/cert.pem" | cut -d= -f2; }

# Pair the two hosts by the three commands, with the lab's tree of certificates and its mailcow.
# shellcheck disable=SC2034 # printed reads ${output}
pair_with_lab() {
	local output
	output=$(npm setup-npm-host mail.example.org --live-dir /mnt/lab/npm/letsencrypt/live)
	output=$(mail sh -c "$(printed) --root /mnt/lab/mailcow")
	npm sh -c "$(printed)" >"$BATS_FILE_TMPDIR/paired"
	use_engine mail
	mail sh -c 'printf "%s\n" "[staging]" "ca_file = /mnt/lab/acme/root.pem" >>/etc/certsync/deploy.conf'
}

# The lab's Docker engine is that of HOST.
use_engine() { # HOST
	cp "$(command -v /usr/bin/docker || command -v docker)" "$(hosts root "$1")/usr/bin/docker"
	hosts exec "$1" sh -euc 'dir=/etc/systemd/system/mailcow-cert-deploy.service.d
		mkdir -p $dir
		printf "%s\n" "[Service]" "Environment=DOCKER_HOST=unix:///mnt/lab/engine/docker.sock" >$dir/docker.conf
		systemctl daemon-reload'
}

# forget_count HOST UNIT: that of a path unit, unlike a service's, is forgotten with the unit only, of which systemd 257
# remembers all as long as there is one.
forget_count() {
	hosts exec "$1" sh -euc 'file=$(systemctl show --value -p FragmentPath "$1")
		systemctl stop "$1"
		systemctl -q disable "$1"
		mv "$file" /root/unit
		systemctl daemon-reload
		mv /root/unit "$file"
		systemctl daemon-reload
		systemctl -q enable "$1"
		systemctl reset-failed' sh "$2"
}

begin_to_count() {
	local host unit
	for host in ${HOSTS:-npm mail}; do
		unit=mailcow-cert-deploy.path
		[ "$host" != npm ] || unit=mailcow-cert-push.path
		forget_count "$host" "$unit"
		hosts exec "$host" systemctl start "$unit"
	done
}
