# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # here and scratch are set by run; what is set here is used by what is measured
#
# servers - what the lab does not have: an sshd for all programs, a long way to it, configurations, pairs to deploy

LATENCY_MS=50

# One sshd for all, with a key that may do everything: rsync needs a program at the other end.
start_sshd() {
	local i
	ssh_port=$((LAB_PORT_BASE + 109))
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$scratch/host"
	ssh-keygen -q -t ed25519 -N '' -f "$scratch/identity"
	cp "$scratch/identity.pub" "$scratch/authorized_keys"
	cat >"$scratch/sshd_config" <<CONF
ListenAddress 127.0.0.1:$ssh_port
HostKey $scratch/host
PidFile $scratch/sshd.pid
AuthorizedKeysFile $scratch/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
# Fifty connect at once.
MaxStartups 500
Subsystem sftp internal-sftp
CONF
	/usr/sbin/sshd -f "$scratch/sshd_config" -D 2>"$scratch/sshd.log" &
	started+=($!)
	far_port=$((LAB_PORT_BASE + 108))
	for i in $ssh_port $far_port; do
		printf '[127.0.0.1]:%s %s\n' "$i" "$(cut -d' ' -f1,2 "$scratch/host.pub")"
	done >"$scratch/known_hosts"
	for ((i = 0; i < 100; i++)); do
		ssh-keyscan -p "$ssh_port" 127.0.0.1 >/dev/null 2>&1 && break
	done
	ssh_options="-i $scratch/identity -o UserKnownHostsFile=$scratch/known_hosts -o BatchMode=yes"
}

# The same sshd, $LATENCY_MS away.
start_delay() {
	exec 6< <(exec "$here/delay" "$far_port" "$ssh_port" "$LATENCY_MS")
	started+=($!)
	read -r _ <&6
}

# push_conf NAME [PORT [LIVE_DIR]]: a configuration of certpush, with a state and a staging directory of its own
push_conf() {
	mkdir -p "$scratch/in/$1"
	cat >"$scratch/$1.conf" <<CONF
[source]
live_dir = ${3:-$LAB_LIVE}
hostname = $LAB_HOSTNAME
[target]
host = 127.0.0.1
port = ${2:-$ssh_port}
user = root
identity = $scratch/identity
known_hosts = $scratch/known_hosts
staging = $scratch/in/$1
[state]
dir = $scratch/state-$1
[verify]
verify = off
CONF
}

# deploy_conf NAME [LINE]: a configuration of certdeploy, with a line of section [verify]
deploy_conf() {
	cat >"$scratch/$1.conf" <<CONF
[mailcow]
root = $LAB_MAILCOW
docker = $LAB_DOCKER
[staging]
dir = $scratch/incoming
[dane]
dane = off
[state]
dir = $scratch/deploy-state
[verify]
${2:-}
CONF
}

# Two pairs of the same moment, neither older than the other; $scratch/other stages the one that is not installed.
two_pairs() {
	local name
	for name in one two; do
		make_pair "$scratch/$name" names="DNS:$LAB_HOSTNAME" key=ec:P-384 from='yesterday 00:00'
	done
	cat >"$scratch/other" <<SCRIPT
#!/bin/sh
set -e
other=$scratch/one
! cmp -s $scratch/one/fullchain.pem $LAB_SSL/cert.pem || other=$scratch/two
cp "\$other/fullchain.pem" "\$other/privkey.pem" $scratch/incoming/
SCRIPT
	chmod 755 "$scratch/other"
}
