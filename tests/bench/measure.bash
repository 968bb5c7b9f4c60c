# shellcheck shell=bash
# shellcheck disable=SC2154 # here, bin, scratch and runs are set by run
#
# measure - take numbers of commands, and note rows for the table

# row WORK UNIT OURS PEER GOAL: PEER may be '-', GOAL empty; see table
row() {
	jq -nc --arg work "$1" --arg unit "$2" --argjson ours "$3" --argjson peer "${4/#-/null}" --arg goal "$5" \
		'$ARGS.named' >>"$scratch/rows"
}

# calculate EXPRESSION: as awk does it
calculate() { awk "BEGIN { printf \"%.3f\", $1 }"; }

# take NAME... = COMMAND...: what COMMAND prints in one line goes into variables
take() {
	local names=() words
	while [ "$1" != = ]; do
		names+=("$1")
		shift
	done
	shift
	words=$("$@") || return
	# shellcheck disable=SC2229 # into those, not into one of that name
	read -r "${names[@]}" <<<"$words"
}

# few: a third of the runs, for what takes seconds
few() { echo $(((runs + 2) / 3)); }

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

# peak COMMAND...: MiB of memory at most, the median of five runs
peak() {
	local i
	rm -f "$scratch/peaks"
	for ((i = 0; i < 5; i++)); do
		"$bin/bench/peak" "$scratch/peaks" "$@" >/dev/null
	done
	calculate "$(median <"$scratch/peaks") / 1024"
}

# instructions COMMAND...: of all its processes, from the first one of the dynamic linker
instructions() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$scratch/callgrind" "$@" >/dev/null
	awk '/Collected :/ { sum += $NF } END { printf "%d", sum }' "$scratch/callgrind"
}
