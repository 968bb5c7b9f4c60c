# shellcheck shell=bash
# shellcheck disable=SC2154 # set by run, servers and take
#
# push - certpush with nothing to do, and with a certificate to carry, here and a long way off

push_nothing() {
	local ours peer smallest least
	local command=("$bin/certpush" -q -c "$scratch/push.conf") pinned=("$bin/certpush" -q -c "$scratch/pinned.conf")
	local other=("$bin/bench/fingerprint" "$LAB_LIVE/$LAB_LINEAGE/fullchain.pem")
	# Told which lineage it is, as the others are.
	sed "s/^hostname .*/&\nlineage = $LAB_LINEAGE/" "$scratch/push.conf" >"$scratch/pinned.conf"
	fingerprint "$LAB_LIVE/$LAB_LINEAGE/cert.pem" >"$scratch/last_fp"
	take ours peer smallest = "$here/turns" "$runs" "${command[*]}" \
		"$here/push-script $LAB_LIVE/$LAB_LINEAGE $scratch/last_fp" "${other[*]}"
	row 'push, nothing to do / script' ms "$ours" "$peer" 'ratio <= 0.4'
	row 'smallest program with these libraries / the same' ms "$smallest" "$peer" ''
	least=$(instructions "${other[@]}")
	row 'push, nothing to do, lineage given / smallest program with these libraries' instructions \
		"$(instructions "${pinned[@]}")" "$least" 'ratio <= 1.25'
	row "the same, found among $(find "$LAB_LIVE" -mindepth 1 -type d | wc -l) lineages / that program" instructions \
		"$(instructions "${command[@]}")" "$least" ''
	row 'the same, most memory' MiB "$(peak "${command[@]}")" "$(peak "${other[@]}")" 'ours <= 8'
}

# The programs that carry files, to a port: certpush, rsync, scp, sftp, and sftp that only says good bye
push_programs() { # PORT
	local files="$LAB_LIVE/$LAB_LINEAGE/fullchain.pem $LAB_LIVE/$LAB_LINEAGE/privkey.pem" file
	mkdir -p "$scratch"/in/{rsync,scp,sftp}
	for file in $files; do
		echo "put $file $scratch/in/sftp/"
	done >"$scratch/batch"
	echo bye >"$scratch/bye"
	push_conf "push-$1" "$1"
	programs=(
		"$bin/certpush -q -f -c $scratch/push-$1.conf"
		"rsync -azL -e 'ssh -p $1 $ssh_options' $files root@127.0.0.1:$scratch/in/rsync/"
		"scp -q -P $1 $ssh_options $files root@127.0.0.1:$scratch/in/scp/"
		"sftp -q -b $scratch/batch -P $1 $ssh_options root@127.0.0.1"
		"sftp -q -b $scratch/bye -P $1 $ssh_options root@127.0.0.1"
	)
	# The files are new at the other end each time.
	clear="find $scratch/in -type f -delete"
}

push_changed() {
	local programs clear ours rsync scp sftp faster
	push_programs "$ssh_port"
	take ours rsync scp sftp = "$here/turns" "$runs" -p "$clear" "${programs[@]:0:4}"
	faster=$(calculate "$scp < $sftp ? $scp : $sftp")
	row 'push, changed / rsync -azL' ms "$ours" "$rsync" 'ratio <= 0.6'
	row 'push, changed / the faster of scp and sftp -b' ms "$ours" "$faster" 'ratio <= 0.8'
}

# Wall time in round trips: what a program computes counts as well, as it does for those who wait.
push_far() {
	local programs clear ours rsync scp sftp bye trip=$((2 * LATENCY_MS))
	push_programs "$far_port"
	take ours rsync scp sftp bye = "$here/turns" "$(few)" -p "$clear" "${programs[@]}"
	ours=$(calculate "$ours / $trip")
	row "push, changed, $LATENCY_MS ms away / rsync -azL" "$trip ms" "$ours" "$(calculate "$rsync / $trip")" 'ratio < 1'
	row 'the same / scp' "$trip ms" "$ours" "$(calculate "$scp / $trip")" 'ratio < 1'
	row 'the same / sftp -b' "$trip ms" "$ours" "$(calculate "$sftp / $trip")" 'ratio < 1'
	row 'the same / sftp -b that puts nothing' "$trip ms" "$ours" "$(calculate "$bye / $trip")" ''
}

bench_push() {
	push_nothing
	push_changed
	push_far
}

# Fifty mail hosts: each has its own configuration, state and staging.
bench_targets() {
	local i one all least count=50
	for ((i = 1; i <= count; i++)); do
		push_conf "far-$i" "$far_port"
		push_conf "near-$i"
	done
	take one all = "$here/together" "$(few)" "$count" \
		"$bin/bench/peak $scratch/fifty $bin/certpush -q -f -c $scratch/far-{}.conf"
	row "$count targets at once, $LATENCY_MS ms away / one" ms "$all" "$one" 'ratio <= 3'
	# All the servers are on this machine as well: what they alone take of it.
	echo bye >"$scratch/bye"
	take one least = "$here/together" "$(few)" "$count" \
		"sftp -q -b $scratch/bye -P $far_port $ssh_options root@127.0.0.1"
	row "the same / $count times sftp -b that puts nothing" ms "$all" "$least" ''
	# The memory of the last that ran, which are those of one turn. Pages that they share are counted for each.
	row "the same, most memory of each, in sum" MiB \
		"$(tail -n "$count" "$scratch/fifty" | awk '{ sum += $1 } END { printf "%.1f", sum / 1024 }')" - ''
	take one all = "$here/together" "$(few)" "$count" "$bin/certpush -q -f -c $scratch/near-{}.conf"
	row "$count targets at once, on loopback / one" ms "$all" "$one" ''
}
