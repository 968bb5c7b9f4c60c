# shellcheck shell=bash
# shellcheck disable=SC2154 # set by run, servers and take
#
# lineages - certpush list, and a run's search for the lineage to push, among up to ten thousand

# lineage_tree COUNT: with a configuration of certpush for which there is nothing to do
lineage_tree() {
	"$here/make-lineages" "$scratch/tree-$1" "$1" "$scratch/covering" "$scratch"/other-*
	push_conf "among-$1" "$ssh_port" "$scratch/tree-$1/live"
	mkdir -m 0700 "$scratch/state-among-$1"
	fingerprint "$scratch/covering/leaf.pem" >"$scratch/state-among-$1/last_fp"
}

bench_lineages() {
	local count i command name commands=() medians ours loop parsed
	local -A taken memory
	make_pair "$scratch/covering" names="DNS:$LAB_HOSTNAME"
	for ((i = 0; i < 10; i++)); do
		make_pair "$scratch/other-$i" names="DNS:site$i.example.net,DNS:www.site$i.example.net" \
			cn="site$i.example.net" key=ec:P-384
	done
	for count in 10 100 1000 10000; do
		lineage_tree "$count"
	done
	for command in list run; do
		for count in 10 1000 10000; do
			commands+=("$bin/certpush -q -c $scratch/among-$count.conf $command")
		done
	done
	for count in 10 100; do
		commands+=("$here/list-script $scratch/tree-$count/live")
	done
	commands+=("$bin/bench/parse $(echo "$scratch"/tree-1000/live/*/cert.pem)")
	take medians = "$here/turns" "$(few)" "${commands[@]}"
	read -r "taken[list10]" "taken[list1000]" "taken[list10000]" "taken[run10]" "taken[run1000]" "taken[run10000]" \
		"taken[loop10]" "taken[loop100]" parsed <<<"$medians"
	loop=$(calculate "1000 * ${taken[loop100]} / 100")
	row 'parsed by OpenSSL, and nothing else, each of 1000 / each in an openssl loop' us "$parsed" "$loop" ''
	for command in list run; do
		name='certpush list'
		[ "$command" = list ] || name='search in a run'
		row "$name, 10 lineages / openssl loop" ms "${taken[${command}10]}" "${taken[loop10]}" ''
		for count in 1000 10000; do
			ours=$(calculate "1000 * ${taken[$command$count]} / $count")
			row "$name, each of $count / each in an openssl loop" us "$ours" "$loop" 'ratio <= 0.03'
		done
		row "$name, each of 10000 / each of 1000" us "$ours" \
			"$(calculate "${taken[${command}1000]}")" 'ratio <= 1.5'
		for count in 10 10000; do
			memory[$count]=$(peak "$bin/certpush" -q -c "$scratch/among-$count.conf" "$command")
		done
		# A list is sorted, and its columns are as wide as the widest: what it prints is kept, 270 bytes a lineage.
		row "$name, most memory: 10000 / 10" MiB "${memory[10000]}" "${memory[10]}" \
			"ratio <= $([ "$command" = list ] && echo 1.5 || echo 1.1)"
	done
}
