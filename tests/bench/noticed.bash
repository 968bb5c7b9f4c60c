# shellcheck shell=bash
# shellcheck disable=SC2154 # set by run and servers
#
# noticed - what clients notice while a renewed certificate is put into use

# As acme.sh's hook for mailcow and mailcow's own documentation have it: the files, and a restart of all three.
restart_script() {
	cat >"$scratch/restart" <<SCRIPT
#!/bin/sh
set -e
install -m 0644 $scratch/incoming/fullchain.pem $LAB_SSL/cert.pem
install -m 0600 $scratch/incoming/privkey.pem $LAB_SSL/key.pem
exec docker restart $LAB_PROJECT-postfix-mailcow-1 $LAB_PROJECT-dovecot-mailcow-1 $LAB_PROJECT-nginx-mailcow-1
SCRIPT
	chmod 755 "$scratch/restart"
}

# disturbance OPTION... COMMAND...: have COMMAND put a renewed certificate into use, and see what clients notice
disturbance() {
	"$lab" renew >/dev/null
	cp -L "$LAB_LIVE/$LAB_LINEAGE"/{fullchain,privkey}.pem "$scratch/incoming"
	"$here/disturbance" "$@" 2>>"$scratch/disturbance.log"
}

# noticed NAMES WHAT: of what was seen in each $scratch/noticed-NAME; NAMES may be a pattern
noticed() {
	local what
	case $2 in
	failed) what='map(.failed) | add' ;;
	outage) what='[.[].endpoints[].outage_ms] | max' ;;
	dropped) what='[.[].sessions[].dropped] | add' ;;
	unsuccessful) what='map(select(.command.status != 0)) | length' ;;
	esac
	# shellcheck disable=SC2086 # a pattern
	jq -s "$what" "$scratch"/noticed-$1
}

each_port() { # COMMAND
	local name
	for name in SMTP SUBMISSION SMTPS IMAP IMAPS POP3 POP3S SIEVE HTTPS; do
		disturbance -p 20 -e "$name" -s 0 -a 3 "$@"
	done
}

# What went wrong for clients while certdeploy ran: the table only counts. Where the machine is busy, they time out.
tell_why() {
	jq -r '(.endpoints + .sessions) | to_entries[] | .key as $who | .value.why[] |
		"bench: \($who): \(sub("^[-0-9.]+ s: "; ""))"' "$scratch"/noticed-[aeg]* | sort | uniq -c
	cat "$scratch/disturbance.log"
}

bench_noticed() {
	local deploy=("$bin/certdeploy" -q -c "$scratch/proved.conf") i
	restart_script
	disturbance -p 200 "${deploy[@]}" >"$scratch/noticed-all"
	# Dovecot starts a process for each connection: more than that is for one port at a time.
	each_port "${deploy[@]}" >"$scratch/noticed-each"
	echo 'shutdown_clients = no' >"$LAB_MAILCOW/data/conf/dovecot/extra.conf"
	docker restart "$LAB_PROJECT-dovecot-mailcow-1" >/dev/null
	for ((i = 0; i < 100; i++)); do
		"$lab" endpoints | grep -q ' -$' || break
	done
	disturbance -p 200 "${deploy[@]}" >"$scratch/noticed-graceful"
	disturbance -p 200 "$scratch/restart" >"$scratch/noticed-restart"
	row 'connects that fail, each port every 200 ms / restart' connects \
		"$(noticed all failed)" "$(noticed restart failed)" 'ours <= 0'
	row 'the same, the longest time in which one port let nobody in' ms \
		"$(noticed all outage)" "$(noticed restart outage)" ''
	row 'connects that fail, one port after the other every 20 ms' connects "$(noticed each failed)" - 'ours <= 0'
	row 'connects that fail, with shutdown_clients = no / restart' connects \
		"$(noticed graceful failed)" "$(noticed restart failed)" 'ours <= 0'
	row 'sessions that are dropped, with shutdown_clients = no / restart' sessions \
		"$(noticed graceful dropped)" "$(noticed restart dropped)" 'ours <= 0'
	row 'sessions that are dropped, as dovecot is / restart' sessions \
		"$(noticed all dropped)" "$(noticed restart dropped)" ''
	row 'runs of certdeploy in all that which did not succeed' runs "$(noticed '[aeg]*' unsuccessful)" - 'ours <= 0'
	tell_why >&2
}
