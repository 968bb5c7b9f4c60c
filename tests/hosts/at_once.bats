#!/usr/bin/env bats
# From the end of a renewal to nine endpoints without any timer: the path units on two hosts, with certbot's real tree
# and real mail services. tests/bench/at_once measures how long it takes.

# shellcheck disable=SC2154 # status and output are those of bats

load hosts.bash
load lab.bash

INCOMING=/home/certsync/incoming
PUSH=mailcow-cert-push DEPLOY=mailcow-cert-deploy

setup_file() {
	boot
	lab_is_up
	pair_with_lab
	# nothing but the path units is to start anything
	npm systemctl stop $PUSH.timer
	mail systemctl stop $DEPLOY.timer
}

teardown_file() {
	all_down
}

# Each test counts for itself: what is started here in minutes is meant for hours.
setup() {
	await settled
	begin_to_count
}

settled() {
	[[ $(show npm ActiveState $PUSH.service)$(show mail ActiveState $DEPLOY.service) =~ ^(inactive|failed)(inactive|failed)$ ]]
}

# The journal of SERVICE on HOST, from the first line after LINES; "-u" has it with what systemd says of it.
said() { # HOST SERVICE [LINES]
	hosts exec "$1" journalctl --sync
	hosts exec "$1" journalctl -q -o cat -u "$2.service" | tail -n +$((${3:-0} + 1))
}

lines() { said "$@" | wc -l; }
starts() { said "$@" | grep -c '^Starting '; }
has_said() { said "$1" "$2" "$3" | grep -qF -- "$4"; } # HOST SERVICE LINES TEXT

# --- renewals ---

# arrival: prints how long it takes from now until all nine endpoints serve what was renewed, in milliseconds
arrival() {
	local begun=${EPOCHREALTIME/./}
	await served_everywhere "$(source_fingerprint)" >&2
	echo $(((${EPOCHREALTIME/./} - begun) / 1000))
}

@test "renewals by certbot arrive on all nine endpoints, each by one run on each host, and no timer has a part in it" {
	local count=${AT_ONCE_RENEWALS:-2} at_npm at_mail before i
	# What was there before is pushed by the one command that the pairing printed in the end.
	run sed -n 's/^  sudo //p' "$BATS_FILE_TMPDIR/paired"
	[ "$output" = "systemctl start $PUSH.service" ]
	npm sh -c "$output"
	await served_everywhere "$(source_fingerprint)"
	await settled
	at_npm=$(lines npm $PUSH) at_mail=$(lines mail $DEPLOY)
	for ((i = 0; i < count; i++)); do
		before=$(source_fingerprint)
		lab renew
		arrival >>"$BATS_TEST_TMPDIR/took"
		[ "$(source_fingerprint)" != "$before" ]
		await settled
		[ "$(show mail Result $DEPLOY.service)" = success ]
		# for as many renewals as there may be
		begin_to_count
	done
	sort -n "$BATS_TEST_TMPDIR/took" | awk -v ORS= '{ ms[NR] = $1 }
		END { printf "# %d renewals, from the end of certbot renew to nine endpoints: median %.2f s, maximum %.2f s\n",
			NR, (ms[int((NR + 1) / 2)] + ms[int(NR / 2) + 1]) / 2000, ms[NR] / 1000 }' >&3
	[ "$(starts npm $PUSH "$at_npm")" -eq "$count" ]
	[ "$(starts mail $DEPLOY "$at_mail")" -eq "$count" ]
	[ -z "$(mail ls -A $INCOMING)" ]
	npm systemctl is-active $PUSH.timer && return 1
	mail systemctl is-active $DEPLOY.timer && return 1
	:
}

@test "the renewal of another lineage is nothing to push" {
	local at
	at=$(lines npm $PUSH)
	lab renew npm-1
	await has_said npm $PUSH "$at" 'nothing to do'
	[ -z "$(mail ls -A $INCOMING)" ]
}

@test "a lineage whose links certbot has still to exchange is waited for" {
	local tree=$LAB/npm/letsencrypt at number part
	undo='npm sh -c "rm -r /run/systemd/system/mailcow-cert-push.service.d; systemctl daemon-reload"'
	npm sh -c 'dir=/run/systemd/system/mailcow-cert-push.service.d; mkdir -p $dir
		printf "%s\n" "[Service]" ExecStart= "ExecStart=!/usr/local/sbin/certpush -v open" \
			"ExecStart=/usr/local/sbin/certpush -v" >$dir/verbose.conf
		systemctl daemon-reload; systemctl stop mailcow-cert-push.path'
	lab renew
	# The links as they were before that, and then again the last that happens before they are exchanged.
	number=$(readlink "$tree/live/npm-5/fullchain.pem" | sed 's/.*fullchain\([0-9]*\)\.pem/\1/')
	for part in cert privkey chain fullchain; do
		ln -sfn "../../archive/npm-5/$part$((number - 1)).pem" "$tree/live/npm-5/$part.pem"
	done
	npm systemctl start $PUSH.path
	at=$(lines npm $PUSH)
	touch "$tree/archive/npm-5"
	cp -p "$tree/renewal/npm-5.conf" "$tree/renewal/npm-5.conf.new"
	mv "$tree/renewal/npm-5.conf.new" "$tree/renewal/npm-5.conf"
	await has_said npm $PUSH "$at" 'npm-5 is being renewed'
	for part in cert privkey chain fullchain; do
		rm "$tree/live/npm-5/$part.pem"
		ln -s "../../archive/npm-5/$part$number.pem" "$tree/live/npm-5/$part.pem"
	done
	await served_everywhere "$(source_fingerprint)"
	await settled
	[ "$(starts npm $PUSH "$at")" -eq 1 ]
}

@test "a certificate that is deleted and made anew under another npm-N arrives, and so do its renewals" {
	rm -r "$LAB"/npm/letsencrypt/{live,archive}/npm-5 "$LAB/npm/letsencrypt/renewal/npm-5.conf"
	lab issue npm-12 ec:secp384r1 mail.example.org autoconfig.example.org
	await served_everywhere "$(source_fingerprint npm-12)"
	await settled
	lab renew npm-12
	await served_everywhere "$(source_fingerprint npm-12)"
}

# --- what comes to staging ---

stage() { mail sh -euc "cd $INCOMING; $1"; }

@test "a generation that is refused is looked at once, and not over and over" {
	local at
	undo="mail sh -c 'rm -r $INCOMING/*'"
	at=$(lines mail $DEPLOY)
	stage 'mkdir 20260111T030000Z-0123456789abcdef'
	await has_said mail $DEPLOY "$at" 'refused: '
	await settled
	[ "$(show mail ActiveState $DEPLOY.service)" = failed ]
	# as the timer does
	run mail systemctl start $DEPLOY.service
	[ "$status" != 0 ]
	[ "$(starts mail $DEPLOY "$at")" -eq 2 ]
	[ "$(show mail ActiveState $DEPLOY.path)" = active ]
}

@test "a burst of changes is one run" {
	local at
	undo="mail sh -c 'rm -r $INCOMING/*'"
	at=$(lines mail $DEPLOY)
	stage 'mkdir $(seq -f x%g 500)'
	await has_said mail $DEPLOY "$at" 'nothing to do'
	await settled
	# one more if what the test before has left was removed just now
	[ "$(starts mail $DEPLOY "$at")" -le 2 ]
}

is_failed() { [ "$(show "$1" ActiveState "$2")" = failed ]; }

@test "changes without end are some runs, and leave the service to the timer, with which the path unit begins again" {
	local at
	undo='mail systemctl stop changes; mail rm -rf $INCOMING/x'
	at=$(lines mail $DEPLOY)
	mail systemd-run -q --unit=changes --uid=certsync --working-directory=$INCOMING \
		sh -c 'while mkdir x && rmdir x; do sleep 0.01; done'
	await is_failed mail $DEPLOY.path
	await settled
	[ "$(show mail Result $DEPLOY.path)" = trigger-limit-hit ]
	[ "$(starts mail $DEPLOY "$at")" -eq "$(show mail TriggerLimitBurst $DEPLOY.path)" ]
	mail systemctl start $DEPLOY.service
	[ "$(show mail Result $DEPLOY.service)" = success ]
	eval "$undo"
	undo=
	# when the hours are over
	forget_count mail $DEPLOY.path
	mail systemctl start $DEPLOY.service
	[ "$(show mail ActiveState $DEPLOY.path)" = active ]
	at=$(lines mail $DEPLOY)
	# the x of before may have been left
	stage 'mkdir y && rmdir y'
	await has_said mail $DEPLOY "$at" 'nothing to do'
}
