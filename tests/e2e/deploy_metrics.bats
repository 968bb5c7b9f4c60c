#!/usr/bin/env bats
# What certdeploy tells Prometheus, of real runs and checks on the lab's services.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy
load metrics

setup() {
	export VERIFY=on
	deploy_setup
	METRICS=$BATS_TEST_TMPDIR/collector/certdeploy.prom
	mkdir "${METRICS%/*}"
	use_lab_tree '[monitoring]' "metrics = $METRICS"
	put_installed "$PAIRS/current"
	everybody_reloads
	NOW=$(date +%s)
}

teardown() {
	if [ -n "${stopped:-}" ]; then
		"$LAB_DOCKER" start "$stopped" >/dev/null
		await is_answering HTTPS
	fi
}

teardown_file() {
	put_lab_tree_back
}

# all_nine PAIR: each endpoint is told of once, and serves that
all_nine() {
	[ "$(label served_certificate_info endpoint | sort -u | wc -l)" -eq 9 ]
	[ "$(label served_certificate_info fingerprint | sort | uniq -c | awk '{ print $1, $2 }')" = \
		"9 $(fingerprint "$1/leaf.pem")" ]
}

@test "a deployment: the new certificate, and that all nine endpoints serve it" {
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 deployed
	ended DEPLOYED "$NOW"
	[ "$(value last_success_timestamp_seconds)" = "$(value last_run_timestamp_seconds)" ]
	[ "$(value endpoints) $(value endpoints_ok)" = '9 9' ]
	[ "$(label certificate_info fingerprint)" = "$(fingerprint "$PAIRS/new/leaf.pem")" ]
	[ "$(value certificate_not_after_timestamp_seconds)" = "$(seconds "$PAIRS/new/leaf.pem")" ]
	all_nine "$PAIRS/new"
	label served_certificate_info endpoint | grep -qxF "imaps 127.0.0.1:$LAB_PORT_IMAPS"
}

@test "nothing to do tells the same" {
	certdeploy
	expect 0 'nothing to do'
	ended NOTHING_TO_DO "$NOW"
	[ "$(value endpoints) $(value endpoints_ok)" = '9 9' ]
	all_nine "$PAIRS/current"
}

@test "a refused pair is a failed run: the success before is kept, and what is served is told" {
	certdeploy
	past
	put_generation "$PAIRS/old"
	certdeploy
	expect 65 refused
	ended CERT_OLDER "$NOW"
	[ "$(value last_success_timestamp_seconds)" = 1000 ]
	[ "$(value endpoints) $(value endpoints_ok)" = '9 9' ]
}

@test "an endpoint that is down is not counted as in order" {
	stopped=$(container nginx-mailcow)
	"$LAB_DOCKER" stop --time 1 "$stopped" >/dev/null
	certdeploy
	expect 69
	ended ENDPOINT_DOWN "$NOW"
	[ "$(value endpoints) $(value endpoints_ok)" = '9 8' ]
	[ "$(label served_certificate_info endpoint | wc -l)" -eq 8 ]
}

@test "a check tells that another certificate is served, and keeps what is said of the run" {
	certdeploy
	past
	put_installed "$PAIRS/new"
	run "$PROGRAM" -c "$CONF" check
	expect 2
	well_formed
	[ "$(value last_check_status)" = 2 ]
	[ "$(value last_check_timestamp_seconds)" -ge "$NOW" ]
	[ "$(value last_run_timestamp_seconds) $(label last_run_outcome outcome)" = '1000 NOTHING_TO_DO' ]
	[ "$(value endpoints)" = 9 ]
	[ "$(value endpoints_ok)" -lt 9 ]
	[ "$(label certificate_info fingerprint)" = "$(fingerprint "$PAIRS/new/leaf.pem")" ]
	label served_certificate_info fingerprint | grep -qxF "$(fingerprint "$PAIRS/current/leaf.pem")"
}

@test "a dry run and a run that finds another one under way leave the file alone" {
	certdeploy
	past
	before=$(cat "$METRICS")
	certdeploy -n
	expect 0
	exec 8<"$STATE"
	flock 8
	certdeploy
	expect 75 'another run'
	exec 8<&-
	[ "$(cat "$METRICS")" = "$before" ]
}

@test "a run without a usable configuration writes the file that it was told of" {
	echo nonsense >>"$CONF"
	certdeploy --metrics "$METRICS"
	expect 78
	ended CONF_INVALID "$NOW"
	[ "$(value last_success_timestamp_seconds)" = 0 ]
}

@test "a file that cannot be written is a warning that names it, and the outcome is the same" {
	rmdir "${METRICS%/*}"
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 "warning: the metrics file $METRICS is not written: " 'No such file or directory' deployed
	run "$PROGRAM" -c "$CONF" check
	expect 0 "the metrics file $METRICS is not written"
}
