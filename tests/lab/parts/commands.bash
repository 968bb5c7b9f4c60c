# shellcheck shell=bash
# commands - up, down, status

lab_lock() {
	need_root
	mkdir -p "$LAB_CACHE"
	exec 8>"$LAB_CACHE/$(printf %s "$LAB" | tr / _).lock"
	flock 8
}

# A container that is just being restarted gets a few seconds.
lab_healthy() {
	process_alive "$RUN/pebble.pid" && process_alive "$LAB/sshd/sshd.record" &&
		process_alive "$RUN/engine.pid" && [ -f "$RUN/complete" ] && wait_for 5 endpoints_served
}

lab_check_tools() {
	local tool missing=()
	for tool in pebble certbot dockerd docker-init "$LAB_DOCKER" debootstrap /usr/sbin/sshd \
		ssh-keygen openssl ip unshare flock python3; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	[ ${#missing[@]} -eq 0 ] || die "missing: ${missing[*]} (run tests/packages lab)"
}

# A stranger on one of the ports would be taken for a part of the lab.
lab_check_ports() {
	local port ours=" $LAB_SSH_PORT $ACME_PORT $ACME_ADMIN_PORT $LAB_PORT_HTTP " taken=()
	while read -r _ _ port _; do
		ours+="$((LAB_PORT_BASE + port)) "
	done <<<"$ENDPOINTS"
	while read -r port; do
		case $ours in *" $port "*) taken+=("$port") ;; esac
	done < <(ss -Hltn | awk '{ print $4 }' | sed 's/.*://' | sort -u)
	[ ${#taken[@]} -eq 0 ] || die "in use already: port ${taken[*]} (another LAB_PORT_BASE?)"
}

lab_up() {
	lab_lock
	if lab_healthy; then
		say "already running in $LAB"
		return
	fi
	lab_check_tools
	if [ -e "$LAB" ]; then
		say 'clearing away what an earlier run left'
		lab_clear
	fi
	lab_check_ports
	local began=$SECONDS jobs=() job failed=
	install -d -m 0755 "$LAB"
	mkdir -p "$RUN" "$LOG" "$LAB_NPM"
	settings_record
	image_make
	mailcow_tree

	# The three hosts have nothing to do with each other yet: all at once.
	(
		acme_start
		acme_first_lineages
	) &
	jobs+=($!)
	ssh_start &
	jobs+=($!)
	(
		engine_start
		containers_start
	) &
	jobs+=($!)
	for job in "${jobs[@]}"; do
		wait "$job" || failed=1
	done
	[ -z "$failed" ] || die "not everything started; logs are in $LOG"

	if ! wait_for 60 endpoints_served; then
		lab_container_logs
		die "not serving TLS after 60 s: $(endpoints_silent); see $LOG/*-mailcow.log"
	fi
	touch "$RUN/complete"
	say "up in $((SECONDS - began)) s: $LAB"
}

lab_container_logs() {
	local service
	for service in postfix-mailcow dovecot-mailcow nginx-mailcow; do
		engine_docker logs "$LAB_PROJECT-$service-1" >"$LOG/$service.log" 2>&1 || true
	done
}

# Everything but the lock, also of a lab that is only half there.
lab_clear() {
	# LAB comes from outside: never clear away a directory that is not a lab.
	[ -f "$LAB/parameters" ] || rmdir "$LAB" 2>/dev/null || die "$LAB is there, but is not a lab"
	[ -e "$LAB" ] || return 0
	ssh_stop
	engine_stop
	process_stop "$RUN/pebble.pid"
	# What a test has mounted here and left.
	local point
	while read -r point; do
		umount "$point" || die "cannot unmount $point"
	done < <(awk -v lab="$LAB/" 'index($5, lab) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
	# The mark that this is a lab goes last, so that a clearing that was cut short can be taken up.
	find "$LAB" -xdev -mindepth 1 ! -path "$LAB/parameters" -delete
	rm -f "$LAB/parameters"
	rmdir "$LAB"
}

lab_down() {
	lab_lock
	if [ ! -e "$LAB" ]; then
		say 'not running'
	else
		lab_clear
		say 'down'
	fi
}

lab_status() {
	[ -d "$LAB" ] || {
		say "nothing at $LAB"
		return 1
	}
	local name record state
	printf '%-22s %s\n' "lab" "$LAB"
	for record in "$RUN/pebble.pid" "$RUN/engine.pid" "$RUN"/sshd/*; do
		[ -f "$record" ] || continue
		name=$(basename "$record" .pid)
		case $record in */sshd/*) name=sshd:$name ;; esac
		state=down
		if process_alive "$record"; then
			state="pid $(cut -d' ' -f1 "$record")"
		fi
		printf '%-22s %s\n' "$name" "$state"
	done
	engine_docker ps --all --format '{{printf "%-40s" .Names}} {{.Status}}' 2>/dev/null || true
	endpoints_ask | sort | while read -r name port fingerprint; do
		printf '%-11s %6s  %s\n' "$name" "$port" "$fingerprint"
	done
}
