# shellcheck shell=bash
# shellcheck disable=SC2154 # set by run, servers and take
#
# deploy - certdeploy with nothing to do, and with a certificate to install

# beyond FILTER COMMAND...: prints how many milliseconds COMMAND takes, how many of them the slowest answer took, which
# FILTER (sed) finds in what it says, and the difference
beyond() {
	local began ended filter=$1
	shift
	began=${EPOCHREALTIME/./}
	"$@" >"$scratch/said" 2>&1 || {
		cat "$scratch/said" >&2
		return 1
	}
	ended=${EPOCHREALTIME/./}
	sed -n "$filter" "$scratch/said" | awk -v took=$((ended - began)) '{ print took / 1000, $1, took / 1000 - $1 }'
}

column() { cut -d' ' -f"$1" "$scratch/$2" | median; }

# What a run takes beyond the slowest answer of that run, which it has to wait for; and what the least takes that
# judges the pair before it asks, as nothing is to be compared with a pair that is no good.
deploy_proved() {
	local i least
	least=("$bin/bench/judge" "$scratch/incoming/fullchain.pem" "$scratch/incoming/privkey.pem" "$LAB_HOSTNAME"
		smtp:"$LAB_PORT_SMTP" smtp:"$LAB_PORT_SUBMISSION" tls:"$LAB_PORT_SMTPS" imap:"$LAB_PORT_IMAP"
		tls:"$LAB_PORT_IMAPS" pop3:"$LAB_PORT_POP3" tls:"$LAB_PORT_POP3S" sieve:"$LAB_PORT_SIEVE"
		tls:"$LAB_PORT_HTTPS")
	rm -f "$scratch/proved" "$scratch/least"
	for ((i = 0; i < runs; i++)); do
		beyond 's/.*asked 9 endpoints in [0-9]* ms; .* took \([0-9]*\) ms.*/\1/p' \
			"$bin/certdeploy" -v -c "$scratch/proved.conf" >>"$scratch/proved"
		beyond p "${least[@]}" >>"$scratch/least"
	done
	# Each run must have said so.
	[ "$(wc -l <"$scratch/proved") $(wc -l <"$scratch/least")" = "$runs $runs" ]
	row 'deploy, nothing to do, nine endpoints asked / slowest' ms "$(column 1 proved)" "$(column 2 proved)" ''
	row 'the same, beyond the slowest' ms "$(column 3 proved)" - 'ours <= 10'
	row 'judged and asked by one unconfined process, beyond the slowest' ms "$(column 3 least)" - ''
}

# What the three reloads take if they are made at once and nothing else is done: nobody is faster who asks docker.
reloads_at_once() {
	cat >"$scratch/reloads" <<SCRIPT
#!/bin/sh
"$LAB_DOCKER" exec $LAB_PROJECT-postfix-mailcow-1 postfix reload &
"$LAB_DOCKER" exec $LAB_PROJECT-dovecot-mailcow-1 doveadm reload &
"$LAB_DOCKER" exec $LAB_PROJECT-nginx-mailcow-1 nginx -s reload &
wait
SCRIPT
	chmod 755 "$scratch/reloads"
}

bench_deploy() {
	local ours proved peer judge reloads
	local script="$here/deploy-script $scratch/incoming $LAB_SSL $LAB_HOSTNAME $LAB_DOCKER $LAB_PROJECT"
	"$scratch/other"
	"$bin/certdeploy" -q -c "$scratch/proved.conf"
	take ours peer judge = "$here/turns" "$runs" "$bin/certdeploy -q -c $scratch/unseen.conf" "$script" \
		"$bin/bench/judge $scratch/incoming/fullchain.pem $scratch/incoming/privkey.pem $LAB_HOSTNAME"
	row 'deploy, nothing to do / script' ms "$ours" "$peer" 'ratio <= 0.25'
	row 'the pair judged, by nobody confined, and nothing else / the same' ms "$judge" "$peer" ''
	deploy_proved
	reloads_at_once
	take ours proved peer reloads = "$here/turns" "$runs" -p "$scratch/other" \
		"$bin/certdeploy -q -c $scratch/unseen.conf" "$bin/certdeploy -q -c $scratch/proved.conf" "$script" \
		"$scratch/reloads"
	row 'deploy, changed and proved / script, not proved' ms "$proved" "$peer" 'ratio <= 0.6'
	row 'deploy, changed, not proved / the same' ms "$ours" "$peer" ''
	row 'three reloads at once, and nothing else / the same' ms "$reloads" "$peer" ''
}
