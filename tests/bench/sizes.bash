# shellcheck shell=bash
# shellcheck disable=SC2154 # set by run and servers
#
# sizes - of the programs, and what they load

# libraries COMMAND...: how many shared libraries are initialised, those that are loaded later included
libraries() {
	LD_DEBUG=files LD_DEBUG_OUTPUT="$scratch/loaded" "$@" >/dev/null
	cat "$scratch"/loaded.* | sed -n 's/.*calling init: //p' | sort -u | grep -c '\.so'
	rm "$scratch"/loaded.*
}

bench_sizes() {
	local program
	"$scratch/other"
	"$bin/certdeploy" -q -c "$scratch/unseen.conf"
	for program in certpush certdeploy; do
		strip -o "$scratch/stripped" "$bin/$program"
		row "$program, size without symbols" KiB "$(calculate "$(stat -c %s "$scratch/stripped") / 1024")" - ''
	done
	row 'certpush, libraries of a run with nothing to do / smallest program' libraries \
		"$(libraries "$bin/certpush" -q -c "$scratch/push.conf")" \
		"$(libraries "$bin/bench/fingerprint" "$LAB_LIVE/$LAB_LINEAGE/fullchain.pem")" ''
	row 'certdeploy, libraries of a run with nothing to do' libraries \
		"$(libraries "$bin/certdeploy" -q -c "$scratch/unseen.conf")" - ''
}
