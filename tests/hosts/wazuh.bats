#!/usr/bin/env bats
# Wazuh's rules and decoder on the journals of two hosts that have pushed, deployed and failed, with a lab for the
# certificates and the services. In this order: the first test makes the records.

# shellcheck disable=SC2154 # status and output are those of bats

load hosts.bash
load lab.bash

PUSH=mailcow-cert-push DEPLOY=mailcow-cert-deploy

setup_file() {
	boot
	leave_to_timers
	lab_is_up
	pair_with_lab
}

teardown_file() {
	all_down
}

wazuh() { "$BATS_TEST_DIRNAME/wazuh.py" "$1" "$TOP/contrib/wazuh/certsync_decoders.xml" "$BATS_RUN_TMPDIR/build/wazuh/certsync_rules.xml" "${@:2}"; }

push() { npm systemctl start $PUSH.service || npm systemctl reset-failed; }
deploy() { mail systemctl start $DEPLOY.service || mail systemctl reset-failed; }

# answers FORM HOST [ARGUMENT...]: what the rules say of that host's journal
answers() {
	local form=$1
	hosts exec "$2" journalctl --sync
	# as far as Wazuh keeps its filter
	hosts exec "$2" journalctl -q -o "${form/syslog/short}" "${@:3}" SYSLOG_IDENTIFIER=certpush + SYSLOG_IDENTIFIER=certdeploy \
		+ UNIT=$PUSH.service + UNIT=$DEPLOY.service | wazuh records "$form"
}

@test "each outcome has a rule of its own in both forms" {
	run wazuh table "$TOP/include/certsync/outcome_table.h"
	[ "$status" = 0 ]
	echo "# $output" >&3
	# the decoders are several documents in one file, as Wazuh's own are
	{ echo '<all>'; cat "$TOP/contrib/wazuh/certsync_decoders.xml"; echo '</all>'; } | xmllint --noout -
	xmllint --noout "$BATS_RUN_TMPDIR/build/wazuh/certsync_rules.xml"
}

@test "records of real runs hit the rule of their outcome, as JSON and as lines of syslog" {
	local host form outcome
	deploy # a certificate is installed that the lab put there
	push
	deploy
	push
	deploy
	mail sh -c 'mkdir /home/certsync/incoming/20260111T030000Z-0123456789abcdef'
	deploy
	mail sh -c 'rm -r /home/certsync/incoming/*; sed -i "s/^SKIP_LETS_ENCRYPT=.*/SKIP_LETS_ENCRYPT=n/" /mnt/lab/mailcow/mailcow.conf'
	deploy
	mail chmod 644 /mnt/lab/mailcow/data/assets/ssl/key.pem
	deploy
	lab renew
	push
	mail mv /usr/bin/docker /usr/bin/docker.away
	deploy
	npm sh -c 'mv /etc/certsync/known_hosts /etc/certsync/known_hosts.away; rm /var/lib/mailcow-cert-push/last_fp'
	push
	npm sh -c 'sed "s| AAAA.*| $(cut -d" " -f2 /etc/certsync/mailcow_certsync.pub)|" /etc/certsync/known_hosts.away >/etc/certsync/known_hosts'
	push
	npm sh -c 'echo nonsense >>/etc/certsync/push.conf'
	push
	for host in npm mail; do
		for form in json syslog; do
			answers $form $host >"$BATS_FILE_TMPDIR/$host.$form"
			cat "$BATS_FILE_TMPDIR/$host.$form"
		done
	done
	for outcome in PUSHED NOTHING_TO_DO HOST_KEY_UNKNOWN HOST_KEY_CHANGED CONF_INVALID; do
		grep -q "^[0-9]* [0-9]* $outcome " "$BATS_FILE_TMPDIR/npm.json"
	done
	for outcome in DEPLOYED NOTHING_TO_DO ACME_ENABLED MODE_CORRECTED DOCKER_MISSING; do
		grep -q "^[0-9]* [0-9]* $outcome " "$BATS_FILE_TMPDIR/mail.json"
	done
	# Line by line the same outcome, with the same level, is found in the text alone.
	for host in npm mail; do
		[ "$(wc -l <"$BATS_FILE_TMPDIR/$host.json")" -gt 10 ]
		diff <(awk '$3 != "-" { print $2, $3 }' "$BATS_FILE_TMPDIR/$host.json") \
			<(awk '$3 != "-" { print $2, $3 }' "$BATS_FILE_TMPDIR/$host.syslog")
		# and none of certsync's own is left to the fall-backs
		run grep -E '^(118001|118011|-) ' "$BATS_FILE_TMPDIR/$host.json" "$BATS_FILE_TMPDIR/$host.syslog"
		[ "$status" = 1 ]
	done
}

@test "a run that fails is an alert of level 10 by systemd's own line, whatever the program said" {
	local host form count
	for host in npm mail; do
		for form in json syslog; do
			count=$(grep -cE "^(118004|118013) 10 - mailcow-cert-(push|deploy)[.]service: Failed with result 'exit-code'" \
				"$BATS_FILE_TMPDIR/$host.$form")
			[ "$count" -ge 2 ]
			[ "$(grep -cE '^(118003 5|118012 6) - .*: Main process exited, code=exited, status=' "$BATS_FILE_TMPDIR/$host.$form")" = "$count" ]
		done
	done
	# what it says of a run that went well is none
	run grep -hE ': (Deactivated successfully|Consumed)' "$BATS_FILE_TMPDIR"/*.json
	[ "$status" = 0 ]
	run grep -vE '^118002 0 ' <<<"$output"
	[ "$status" = 1 ]
}

@test "a line of the scripts that were there before is an alert, too" {
	run wazuh records syslog <<<'May  4 03:15:01 mail certdeploy[7]: ERROR: cert and key do not match'
	[ "$status" = 0 ]
	[[ $output == '118011 7 - ERROR: '* ]]
}
