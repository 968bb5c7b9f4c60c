# shellcheck shell=bash
# shellcheck disable=SC2034 # most of what is set here is read by the other parts
#
# settings - the lab's parameters and every path, port and name that follows from them

say() {
	printf 'lab: %s\n' "$*"
}

die() {
	printf 'lab: %s\n' "$*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "must be run as root: it makes namespaces, a bridge and containers"
}

# The nine places where mailcow serves its certificate: name, protocol for STARTTLS ('-' for TLS
# from the first byte), the service's own port, and the key in mailcow.conf.
ENDPOINTS='SMTP       smtp  25   SMTP_PORT
SUBMISSION smtp  587  SUBMISSION_PORT
SMTPS      -     465  SMTPS_PORT
IMAP       imap  143  IMAP_PORT
IMAPS      -     993  IMAPS_PORT
POP3       pop3  110  POP_PORT
POP3S      -     995  POPS_PORT
SIEVE      sieve 4190 SIEVE_PORT
HTTPS      -     443  HTTPS_PORT'

# What tells one lab from another; kept in the lab so that 'down' and 'env' need only LAB.
PARAMETERS='LAB_HOSTNAME LAB_PROJECT LAB_PORT_BASE LAB_LINEAGE'

settings_load() {
	LAB=${LAB:-/var/tmp/certsync-lab}
	LAB_CACHE=${LAB_CACHE:-/var/cache/certsync-lab}
	LAB=$(realpath -m -- "$LAB")
	# Docker puts Unix sockets under it, and their names are limited to 107 bytes.
	[ ${#LAB} -le 60 ] || die "LAB is too long a path for Unix sockets: $LAB"
	case $LAB in
	/ | /run | /run/* | *[!A-Za-z0-9/._-]*) die "LAB cannot be $LAB" ;;
	esac

	# What a lab was started with wins over the environment of a later command.
	local name asked recorded
	if [ -f "$LAB/parameters" ]; then
		for name in $PARAMETERS; do
			asked=${!name:-}
			recorded=$(sed -n "s/^$name=//p" "$LAB/parameters")
			if [ -n "$asked" ] && [ "$asked" != "$recorded" ] && [ "${command:-}" = up ]; then
				die "$LAB was started with $name=$recorded, not $asked: run 'lab down' first"
			fi
			printf -v "$name" %s "$recorded"
		done
	fi
	LAB_HOSTNAME=${LAB_HOSTNAME:-mail.example.org}
	LAB_PROJECT=${LAB_PROJECT:-mailcowdockerized}
	LAB_PORT_BASE=${LAB_PORT_BASE:-20000}
	LAB_LINEAGE=${LAB_LINEAGE:-npm-5}

	case $LAB_PORT_BASE in
	'' | *[!0-9]*) die "LAB_PORT_BASE is not a number: $LAB_PORT_BASE" ;;
	esac
	if [ "$LAB_PORT_BASE" -lt 1024 ] || [ "$LAB_PORT_BASE" -gt 60000 ]; then
		die "LAB_PORT_BASE must lie between 1024 and 60000: $LAB_PORT_BASE"
	fi

	LAB_NPM=$LAB/npm
	LAB_LIVE=$LAB_NPM/letsencrypt/live
	LAB_ACME_ROOT=$LAB/acme/root.pem
	LAB_MAILCOW=$LAB/mailcow
	LAB_SSL=$LAB_MAILCOW/data/assets/ssl
	LAB_SSH_HOST=127.0.0.1
	LAB_SSH_PORT=$((LAB_PORT_BASE + 22))
	LAB_SSH_USER=certsync
	LAB_IDENTITY=$LAB_NPM/mailcow_certsync
	LAB_KNOWN_HOSTS=$LAB_NPM/known_hosts
	LAB_HOST_KEY_FP=
	if [ -f "$LAB/sshd/ssh_host_ed25519_key.pub" ]; then
		LAB_HOST_KEY_FP=$(ssh-keygen -lf "$LAB/sshd/ssh_host_ed25519_key.pub" | cut -d' ' -f2)
	fi
	LAB_INCOMING=$LAB/home/certsync/incoming
	LAB_SOCKET=$LAB/engine/docker.sock
	export DOCKER_HOST=unix://$LAB_SOCKET
	LAB_DOCKER=/usr/bin/docker
	[ -x "$LAB_DOCKER" ] || LAB_DOCKER=$(command -v docker || echo docker)

	local port
	while read -r name _ port _; do
		printf -v "LAB_PORT_$name" %s $((LAB_PORT_BASE + port))
	done <<<"$ENDPOINTS"
	LAB_PORT_HTTP=$((LAB_PORT_BASE + 80))
	ACME_PORT=$((LAB_PORT_BASE + 1400))
	ACME_ADMIN_PORT=$((LAB_PORT_BASE + 1500))

	# One /24 of 198.18.0.0/15 (RFC 2544, never a real network) for each 128 port numbers.
	local net=$((LAB_PORT_BASE / 128))
	BRIDGE=certlab$LAB_PORT_BASE
	BRIDGE_NET=198.$((18 + net / 256)).$((net % 256))
	# Labs on other networks may have the same ports.
	CGROUP=certsync-lab-$(printf %s "$LAB" | cksum | cut -d' ' -f1)

	RUN=$LAB/run
	LOG=$LAB/log
}

settings_record() {
	local name
	for name in $PARAMETERS; do
		printf '%s=%s\n' "$name" "${!name}"
	done >"$LAB/parameters"
}

lab_env() {
	local name
	for name in LAB LAB_HOSTNAME LAB_PROJECT LAB_LINEAGE LAB_PORT_BASE LAB_LIVE LAB_MAILCOW \
		LAB_SSL LAB_SSH_HOST LAB_SSH_PORT LAB_SSH_USER LAB_IDENTITY LAB_KNOWN_HOSTS \
		LAB_HOST_KEY_FP LAB_INCOMING DOCKER_HOST LAB_DOCKER LAB_ACME_ROOT LAB_PORT_SMTP \
		LAB_PORT_SUBMISSION LAB_PORT_SMTPS LAB_PORT_IMAP LAB_PORT_IMAPS LAB_PORT_POP3 \
		LAB_PORT_POP3S LAB_PORT_SIEVE LAB_PORT_HTTPS LAB_PORT_HTTP; do
		printf 'export %s=%q\n' "$name" "${!name}"
	done
}
