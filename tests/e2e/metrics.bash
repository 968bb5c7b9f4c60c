# shellcheck shell=bash
# shellcheck disable=SC2154 # the variables are those of push.bash and deploy.bash
#
# metrics - what the tests of the files for Prometheus share

# value NAME: of the one sample of that name; nothing if there is none
value() {
	awk -v n="certsync_$1" 'index($0, n "{") == 1 { print $NF }' "$METRICS"
}

# label NAME LABEL: what that label says of each sample of that name
label() {
	sed -nE "s/^certsync_$1\{.*[{,]$2=\"([^\"]*)\".*/\1/p" "$METRICS"
}

# well_formed: promtool finds nothing to complain of, and the file is for everybody
well_formed() {
	promtool check metrics <"$METRICS"
	[ "$(stat -c %a "$METRICS")" = 644 ]
	[ "$(ls -A "${METRICS%/*}")" = "${METRICS##*/}" ]
}

# ended OUTCOME SINCE: the file tells of a run that came to that, not before SINCE
ended() {
	well_formed
	[ "$(label last_run_outcome outcome)" = "$1" ] || {
		printf 'not %s:\n' "$1" >&2
		cat "$METRICS" >&2
		return 1
	}
	[ "$(value last_run_timestamp_seconds)" -ge "$2" ]
}

# past: what the file says of the last run and the last success happened at 1000
past() {
	sed -Ei 's/^(certsync_last_(run|success)_timestamp_seconds\{.*\}) .*/\1 1000/' "$METRICS"
}

# seconds CERTIFICATE: the end of its validity
seconds() {
	date -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s
}
