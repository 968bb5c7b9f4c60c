#!/usr/bin/env bats
# What certpush tells Prometheus, of real runs and checks.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push
load served
load metrics

setup() {
	push_setup
	ENDPOINT=127.0.0.1:$LAB_PORT_IMAPS
	METRICS=$BATS_TEST_TMPDIR/collector/certpush.prom
	mkdir "${METRICS%/*}"
	configure verify.verify=on "verify.endpoint=$ENDPOINT" "monitoring.metrics=$METRICS"
	lineage npm-5 "$PAIRS/mail"
	FINGERPRINT=$(fingerprint "$PAIRS/mail/leaf.pem")
	NOW=$(date +%s)
}

@test "a push: the certificate, the outcome and the time, and nothing of what was not asked" {
	certpush
	expect 0 'pushed'
	ended PUSHED "$NOW"
	[ "$(value last_success_timestamp_seconds)" = "$(value last_run_timestamp_seconds)" ]
	[ "$(label certificate_info fingerprint)" = "$FINGERPRINT" ]
	[ "$(value certificate_not_after_timestamp_seconds)" = "$(seconds "$PAIRS/mail/leaf.pem")" ]
	[ $(($(value certificate_remaining_seconds) + $(value last_run_timestamp_seconds))) = \
		"$(seconds "$PAIRS/mail/leaf.pem")" ]
	[ -z "$(value endpoints)" ]
}

@test "one of several mail hosts: its name is in each sample, so that their files fit together" {
	local name
	mkdir "$BATS_TEST_TMPDIR/push.d"
	for name in one two; do
		METRICS=$BATS_TEST_TMPDIR/collector/$name.prom
		configure "monitoring.metrics=$METRICS" "state.dir=$BATS_TEST_TMPDIR/$name"
		cp "$CONF" "$BATS_TEST_TMPDIR/push.d/$name.conf"
		CONF=$BATS_TEST_TMPDIR/push.d/$name.conf certpush
		expect 0 pushed
		run ! grep -v "^#\|{program=\"certpush\",target=\"$name\"[,}]" "$METRICS"
	done
}

@test "nothing to do: what the endpoint serves is told" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	certpush
	expect 0 'nothing to do'
	ended NOTHING_TO_DO "$NOW"
	[ "$(value endpoints) $(value endpoints_ok)" = '1 1' ]
	[ "$(label served_certificate_info endpoint)" = "$ENDPOINT" ]
	[ "$(label served_certificate_info fingerprint)" = "$FINGERPRINT" ]
}

@test "another one is served: no endpoint is in order, and the success before is kept" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	certpush
	past
	lineage npm-5 "$PAIRS/newer"
	pushed_since "$PAIRS/newer" '3 hours ago'
	certpush
	expect 69
	ended NOT_PROPAGATED "$NOW"
	[ "$(value last_success_timestamp_seconds)" = 1000 ]
	[ "$(value endpoints) $(value endpoints_ok)" = '1 0' ]
	[ "$(label served_certificate_info fingerprint)" = "$FINGERPRINT" ]
	[ "$(label certificate_info fingerprint)" = "$(fingerprint "$PAIRS/newer/leaf.pem")" ]
}

@test "a run that fails writes the file as well" {
	certpush
	past
	rm -r "$LIVE/npm-5"
	certpush
	expect 66 'no lineage covers mail.example.org'
	ended NO_LINEAGE "$NOW"
	[ "$(value last_success_timestamp_seconds)" = 1000 ]
	[ -z "$(value certificate_not_after_timestamp_seconds)" ]
}

@test "so does one without a usable configuration, if it was told where" {
	printf '[source]\nhostnam = mail.example.org\n' >"$CONF"
	certpush --metrics "$METRICS"
	expect 78
	ended CONF_INVALID "$NOW"
	[ "$(value last_success_timestamp_seconds)" = 0 ]
}

@test "the command that opens the files for the service tells why it could not" {
	rm -r "$LIVE/npm-5"
	certpush open
	expect 66
	ended NO_LINEAGE "$NOW"
}

@test "a dry run and a run that finds another one under way leave the file alone" {
	certpush
	past
	before=$(cat "$METRICS")
	certpush -n
	expect 0
	[ "$(cat "$METRICS")" = "$before" ]
	exec 8<"$STATE"
	flock 8
	certpush
	expect 75 'another run'
	exec 8<&-
	[ "$(cat "$METRICS")" = "$before" ]
}

@test "a check tells its verdict and what is served, and keeps what is said of the run" {
	certpush
	past
	run "$PROGRAM" -c "$CONF" check --critical 30000 --warning 30000
	expect 2
	well_formed
	[ "$(value last_check_status)" = 2 ]
	[ "$(value last_check_timestamp_seconds)" -ge "$NOW" ]
	[ "$(value last_run_timestamp_seconds)" = 1000 ]
	[ "$(label last_run_outcome outcome)" = PUSHED ]
	[ "$(value endpoints) $(value endpoints_ok)" = '1 1' ]
	[ "$(label certificate_info fingerprint)" = "$FINGERPRINT" ]
	certpush
	ended NOTHING_TO_DO "$NOW"
	[ "$(value last_check_status)" = 2 ]
}

@test "--metrics names another file than the configuration" {
	certpush --metrics "${METRICS%/*}/other.prom"
	expect 0
	[ ! -e "$METRICS" ]
	METRICS=${METRICS%/*}/other.prom
	ended PUSHED "$NOW"
}

@test "a file that cannot be written is a warning that names it, and the run goes on" {
	rmdir "${METRICS%/*}"
	certpush
	expect 0 "warning: the metrics file $METRICS is not written: " 'No such file or directory' 'pushed' \
		'see metrics in certsync.conf(5)'
	run "$PROGRAM" -c "$CONF" check
	expect 0 "the metrics file $METRICS is not written"
}

@test "whoever reads it while it is written gets a whole file" {
	local reader
	certpush
	(
		trap 'exit 0' TERM
		while :; do
			text=$(cat "$METRICS")
			[[ $text == *'certsync_last_run_outcome{'*'} 1' ]] || exit 1
		done
	) 3>&- &
	reader=$!
	for _ in {1..30}; do
		certpush
		expect 0
	done
	kill "$reader"
	wait "$reader"
}
