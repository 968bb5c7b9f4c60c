#!/usr/bin/env bats
# What is shipped for Prometheus, on what certpush really writes: node_exporter reads it, Prometheus scrapes that, loads
# the rules, and answers each question of the dashboard.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push
load served
load metrics

RULES=$TOP/contrib/prometheus/certsync.rules.yml
DASHBOARD=$TOP/contrib/prometheus/grafana-dashboard.json

setup() {
	push_setup
	METRICS=$BATS_TEST_TMPDIR/collector/certpush.prom
	mkdir "${METRICS%/*}"
	configure verify.verify=on "verify.endpoint=127.0.0.1:$LAB_PORT_IMAPS" "monitoring.metrics=$METRICS"
	lineage npm-5 "$PAIRS/mail"
	pushed_since "$PAIRS/mail" '3 hours ago'
	certpush
	run "$PROGRAM" -c "$CONF" check
}

teardown() {
	[ -z "${servers:-}" ] || kill "${servers[@]}"
	push_teardown
}

# names FILE...: the metrics that they speak of
names() {
	grep -ohE 'certsync_[a-z_]+' "$@" | sort -u
}

# answer PATH: Prometheus's
answer() {
	curl -sf "http://127.0.0.1:$PROMETHEUS/$1" "${@:2}"
}

# result EXPRESSION: of an instant query; fails where there is none
result() {
	local text
	text=$(answer api/v1/query --data-urlencode "query=$1") || return 1
	jq -ec '.data.result | if length > 0 then . else false end' <<<"$text"
}

rules_are_evaluated() {
	local text
	text=$(answer api/v1/rules) || return 1
	jq -e '[.data.groups[].rules[]] | length > 0 and all(.health == "ok")' <<<"$text"
}

start_prometheus() {
	local exporter
	exporter=$(free_port)
	PROMETHEUS=$(free_port)
	sed 's/^  - name: certsync$/&\n    interval: 200ms/' "$RULES" >"$BATS_TEST_TMPDIR/certsync.rules.yml"
	cat >"$BATS_TEST_TMPDIR/prometheus.yml" <<-CONF
		global: { scrape_interval: 200ms, scrape_timeout: 200ms }
		rule_files: [ certsync.rules.yml ]
		scrape_configs:
		  - { job_name: node, static_configs: [ { targets: [ "127.0.0.1:$exporter" ] } ] }
	CONF
	prometheus-node-exporter --collector.disable-defaults --collector.textfile \
		--collector.textfile.directory="${METRICS%/*}" --web.listen-address="127.0.0.1:$exporter" \
		>"$BATS_TEST_TMPDIR/exporter.log" 2>&1 3>&- &
	servers=($!)
	prometheus --config.file="$BATS_TEST_TMPDIR/prometheus.yml" --storage.tsdb.path="$BATS_TEST_TMPDIR/tsdb" \
		--web.listen-address="127.0.0.1:$PROMETHEUS" >"$BATS_TEST_TMPDIR/prometheus.log" 2>&1 3>&- &
	servers+=($!)
	await result certsync_last_run_outcome
}

@test "promtool finds nothing wrong with the rules, and each alert fires when it should and only then" {
	promtool check rules "$RULES"
	promtool test rules "$TOP/tests/prometheus/certsync.test.yml"
	# none is forgotten
	diff <(sed -n 's/.*- alert: //p' "$RULES" | sort) \
		<(grep -A1 'alertname' "$TOP/tests/prometheus/certsync.test.yml" | grep -B1 exp_alerts |
			sed -n 's/.*alertname: //p' | sort -u)
}

@test "the handbook has every metric, and rules and dashboard have no other" {
	diff <(names "$METRICS") <(names "$TOP/man/certsync.7")
	[ -z "$(comm -23 <(names "$RULES" "$DASHBOARD") <(names "$METRICS"))" ]
}

@test "node_exporter reads the file, and the rules and each question of the dashboard find in it what they ask for" {
	local expression count=0
	start_prometheus
	[ "$(result node_textfile_scrape_error | jq -r '.[0].value[1]')" = 0 ]
	while read -r expression; do
		count=$((count + 1))
		result "$expression" || {
			echo "no answer: $expression" >&2
			return 1
		}
	done < <(jq -r '.panels[].targets[].expr' "$DASHBOARD" | sed 's/\$[a-z]*/.*/g')
	[ "$count" -ge "$(jq '.panels | length' "$DASHBOARD")" ]
	await rules_are_evaluated
	[ "$(answer api/v1/alerts | jq '.data.alerts | length')" = 0 ]
	past
	await result 'ALERTS{alertname="CertsyncRunMissing", alertstate="firing", program="certpush"}'
}

@test "the dashboard is one that Grafana can import" {
	jq -e '.title == "certsync" and .schemaVersion >= 36 and (.panels | map(.id) | unique | length) == (.panels | length) and
		all(.panels[]; .type and .title and .gridPos.w > 0 and .datasource.uid == "${datasource}" and
			all(.targets[]; .refId and .expr)) and
		(.templating.list | map(.name)) == ["datasource", "instance", "program"]' "$DASHBOARD"
}
