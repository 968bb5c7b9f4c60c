# shellcheck shell=bash
# engine - a Docker engine of the lab's own, beside any the machine may have
#
# It runs as a pid namespace of its own with its own mounts and its own /run, so that all it ever
# started and mounted is gone when its first process is. It touches neither the packet filter nor
# IP forwarding: ports are published by Docker's userland proxy alone, and the containers need no
# way out.

engine_docker() {
	"$LAB_DOCKER" "$@"
}

engine_bridge() {
	ip link show "$BRIDGE" >/dev/null 2>&1 || ip link add "$BRIDGE" type bridge
	ip address replace "$BRIDGE_NET.1/24" dev "$BRIDGE"
	ip link set "$BRIDGE" up
}

engine_answers() {
	engine_docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# Either way: there is no point in waiting for a dockerd that has given up.
engine_settled() {
	engine_answers || process_gone "$RUN/engine.pid"
}

engine_start() {
	local dir=$LAB/engine
	engine_bridge
	mkdir -p "$dir"
	# All of it in a file: that of the machine's own engine, /etc/docker/daemon.json, is not read.
	cat >"$dir/daemon.json" <<-JSON
		{
		  "data-root": "$dir/data",
		  "exec-root": "$dir/exec",
		  "pidfile": "$dir/docker.pid",
		  "hosts": ["unix://$LAB_SOCKET"],
		  "bridge": "$BRIDGE",
		  "dns": ["127.0.0.1"],
		  "iptables": false,
		  "ip6tables": false,
		  "ip-forward": false,
		  "ip-masq": false,
		  "userland-proxy": true,
		  "cgroup-parent": "/$CGROUP",
		  "exec-opts": ["native.cgroupdriver=cgroupfs"]
		}
	JSON
	# docker-init reaps what shims and containers leave behind; as first process it takes all with it.
	process_spawn_apart "$RUN/engine.pid" "$LOG/dockerd.log" 'mount -t tmpfs -o mode=0755 lab /run' \
		docker-init -- dockerd --config-file "$dir/daemon.json"
	if ! wait_for 30 engine_settled || ! engine_answers; then
		tail -n 5 "$LOG/dockerd.log" >&2
		die "dockerd does not answer, see $LOG/dockerd.log"
	fi
}

engine_stop() {
	process_stop "$RUN/engine.pid"
	if [ -e "/sys/class/net/$BRIDGE" ]; then
		ip link delete "$BRIDGE"
	fi
	# Control groups outlive their processes.
	local group
	for group in /sys/fs/cgroup/"$CGROUP" /sys/fs/cgroup/*/"$CGROUP"; do
		[ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} +
	done
}
