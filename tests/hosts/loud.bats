#!/usr/bin/env bats
# Failures are told: by each way, as often as is said, and of the daily checks as well; on two hosts, with postfix and an
# HTTP server of our own on the NPM host. In this order: each test finds the hosts as the one before has left them.

# shellcheck disable=SC2034,SC2154 # undo is for teardown; status and output are those of bats

load hosts.bash
load lab.bash

PUSH=mailcow-cert-push
NOTIFY=certsync-notify@$PUSH.service.service
STAMP=/var/lib/certsync-notify/$PUSH.service
CONF=/etc/certsync/notify.conf
SPOOL=/var/mail/admin
SINK_PORT=8080
DAY=86400

setup_file() {
	boot
	lab_is_up
	pair_with_lab
	leave_to_timers
	npm systemctl stop $PUSH.timer $PUSH-check.timer
	mail systemctl stop mailcow-cert-deploy.timer mailcow-cert-check.timer
	npm journalctl --update-catalog
	npm useradd -M admin
	npm sh -c 'rm /etc/systemd/system/postfix.service; systemctl daemon-reload; postconf -e mydestination=npm.example.org \
		inet_interfaces=loopback-only; systemctl start postfix'
	npm systemctl start $PUSH.service
	export SINK=$BATS_FILE_TMPDIR/sink
	mkdir "$SINK"
	start_sink
}

teardown_file() {
	kill "$(cat "$SINK/pid")"
	all_down
}

setup() {
	: >"$SINK/requests"
	rm -f "$SINK/answer" "$SINK/hold" "$SINK/much"
}

start_sink() {
	"$BATS_TEST_DIRNAME/hosts" net npm "$BATS_TEST_DIRNAME/sink.py" $SINK_PORT "$SINK" 3>&- &
	echo $! >"$SINK/pid"
	await hosts net npm bash -c ": </dev/tcp/127.0.0.1/$SINK_PORT" 2>/dev/null
}

# settings LINE...: as the file that is read, which is root's alone.
settings() { printf '%s\n' "$@" | npm sh -c "umask 077; cat >$CONF"; }

all_settings() {
	local at=http://127.0.0.1:$SINK_PORT
	settings '[mail]' 'to = admin@npm.example.org' 'from = certsync@npm.example.org' \
		'[ntfy]' "url = $at/topic" 'token = tk_secretntfy' '[gotify]' "url = $at/gotify/" 'token = secretgotify' \
		'[webhook]' "url = $at/hook?a=b&c=%20" 'token = secrethook' \
		'[ping]' "$PUSH = $at/ping/uuid" "$PUSH-check = $at/ping/check" "$PUSH@more = $at/ping/more"
}

webhook_only() { settings '[webhook]' "url = http://127.0.0.1:$SINK_PORT/hook"; }

break_push() { npm sed -i 's/^hostname = .*/hostname = other.example.org/' /etc/certsync/push.conf; }
mend_push() { npm sed -i 's/^hostname = .*/hostname = mail.example.org/' /etc/certsync/push.conf; }

# run_unit HOST UNIT: to its end, and what tells of it as well.
run_unit() {
	local instance status=0
	hosts exec "$1" systemctl reset-failed
	hosts exec "$1" systemctl start "$2" || status=$?
	for instance in "$2" "ok:$2"; do
		await rested "$1" "certsync-notify@$instance.service"
	done
	return "$status"
}

# No job is waiting for it either.
rested() {
	local state
	state=$(hosts exec "$1" systemctl show --value -p ActiveState -p Job "$2")
	[[ ${state//$'\n'/} =~ ^(inactive|failed)$ ]]
}

# sent PATH FILTER: of the requests to that path
sent() { jq -r "select(.path == \"$1\") | $2" "$SINK/requests"; }
count() { wc -l <"$SINK/requests"; }
requests_are() { # NUMBER
	[ "$(count)" = "$1" ] || {
		jq -c . "$SINK/requests"
		return 1
	}
}

mails() { npm sh -c "test ! -e $SPOOL || grep -c '^From ' $SPOOL || :"; }
last_mail() { npm sh -c "awk '/^From /{ text = \"\" } { text = text \$0 \"\n\" } END { printf \"%s\", text }' $SPOOL"; }
mails_are() { [ "$(mails)" = "$1" ]; }

# --- the journal ----------------------------------------------------------------------------------------

@test "loud: journalctl -x explains a failed run, and there is an explanation of each outcome" {
	undo=mend_push
	break_push
	run run_unit npm $PUSH.service
	[ "$status" != 0 ]
	run npm journalctl -x -o short -n 30 -u $PUSH.service
	[[ $output == *'Subject: NO_LINEAGE'* ]]
	[[ $output == *'Defined-By: certsync'*'man:certpush(8)'* ]]
	[[ $output == *'A run ends with 66 because of it: there is no certificate.'* ]]
	npm journalctl --list-catalog >"$BATS_TEST_TMPDIR/known"
	# the table's MESSAGE_IDs, of which each is there once
	grep -oE '"[0-9a-f]{32}"' "$TOP/include/certsync/outcome_table.h" | tr -d '"' >"$BATS_TEST_TMPDIR/ids"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ids")" -gt 70 ]
	while read -r id; do
		grep -qE "^$id certsync: [A-Z_]+$" "$BATS_TEST_TMPDIR/known" || {
			echo "$id"
			return 1
		}
	done <"$BATS_TEST_TMPDIR/ids"
}

# --- off, and wrong --------------------------------------------------------------------------------------

@test "loud: without settings nothing is told, and nothing fails but what failed" {
	undo=mend_push
	break_push
	run run_unit npm $PUSH.service
	[ "$status" != 0 ]
	[ "$(show npm ConditionResult $NOTIFY)" = no ]
	[ "$(show npm ActiveState $NOTIFY)" = inactive ]
	install -m 600 "$TOP/contrib/notify.conf" "$(hosts root npm)$CONF"
	run run_unit npm $PUSH.service
	[ "$(show npm ConditionResult $NOTIFY)" = yes ]
	[ "$(show npm Result $NOTIFY)" = success ]
	[ "$(show npm ExecMainStatus $PUSH.service)" = 66 ]
	run npm test -e $STAMP
	[ "$status" = 1 ]
	requests_are 0
}

@test "loud: the example's settings are settings" {
	sed 's/^; //' "$TOP/contrib/notify.conf" >"$(hosts root npm)/root/example.conf"
	run npm sh -c 'chmod 644 /root/example.conf; certsync-notify -c /root/example.conf after ok:x.service'
	[ "$status" = 0 ]
	[[ $output == *"can be read by others"*"run 'chmod 600 /root/example.conf'" ]]
	# by whatever name it is found
	run npm sh -c 'chmod 600 /root/example.conf; ln -s example.conf /root/link.conf
		certsync-notify -c /root/link.conf after ok:x.service'
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "loud: a mistake on the command line is named" {
	run npm certsync-notify --tset
	[ "$status" = 64 ]
	[ "$output" = "certsync-notify: unknown option --tset; 'certsync-notify --help' shows how it is used" ]
	run npm certsync-notify after
	[ "$status" = 64 ]
	[[ $output == *'after needs a unit'* ]]
}

@test "loud: a wrong setting is named with file and line" {
	undo=mend_push
	while IFS='|' read -r line number said; do
		settings '# whom to tell' '[ntfy]' 'url = http://127.0.0.1/topic' "$line"
		run npm certsync-notify --test
		echo "$output"
		[ "$status" = 78 ]
		[ "$output" = "certsync-notify: $CONF:$number: $said" ]
	done <<-'END'
		tokn = x|4|there is no setting tokn in section [ntfy]
		[ntfi]|4|there is no section [ntfi]
		to: admin|4|this is neither a [section] nor a setting with a =
		token = a b|4|a URL or token has no blanks, quotes or backslashes
		url = http://127.0.0.1/other|4|was set before, in line 3
	END
	settings '[ntfy]' 'url = file:///etc/shadow'
	run npm certsync-notify --test
	[ "$output" = "certsync-notify: $CONF:2: this is no URL: it begins with neither http:// nor https://" ]
	settings '[mail]' 'to = -oQ/tmp'
	run npm certsync-notify --test
	[ "$output" = "certsync-notify: $CONF:2: this is no mail address" ]
	settings '[gotify]' 'url = http://127.0.0.1/'
	run npm certsync-notify --test
	[ "$output" = "certsync-notify: $CONF:2: token in section [gotify] must be set as well" ]
	break_push
	run run_unit npm $PUSH.service
	[ "$(show npm ExecMainStatus $NOTIFY)" = 78 ]
	npm journalctl -q -o cat -p err -u $NOTIFY | grep -qF "$CONF:2: token in section [gotify] must be set"
	[ "$(show npm ExecMainStatus $PUSH.service)" = 66 ]
}

# --- what is told ----------------------------------------------------------------------------------------

@test "loud: --test tells each and says what it answered" {
	local command
	all_settings
	command=$(documented certsync-notify)
	run npm sh -c "${command#* }"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'mail: given to /usr/sbin/sendmail for admin@npm.example.org'*'ntfy: accepted (200)'*'gotify: accepted (200)'* ]]
	[[ $output == *'webhook: accepted (200)'*"ping of $PUSH: accepted (200)"* ]]
	requests_are 6
	await mails_are 1
	[[ $(last_mail) == *'Subject: [certsync] test on npm'* ]]
	typed mail "${command#* }"
	echo 401 >"$SINK/answer"
	run npm certsync-notify --test
	[ "$status" = 69 ]
	[[ $output == *'gotify: refused with 401: {"error":"so it is"}'* ]]
	await mails_are 2
}

@test "loud: a failure is told to each, with outcome, reason and advice, exit status and what was logged" {
	break_push
	run run_unit npm $PUSH.service
	[ "$status" != 0 ]
	[ "$(show npm Result $NOTIFY)" = success ]
	requests_are 4
	[ "$(sent /topic .headers.title)" = "$PUSH failed on npm: NO_LINEAGE" ]
	[ "$(sent /topic .headers.authorization)" = 'Bearer tk_secretntfy' ]
	[ "$(sent /topic .headers.priority)" = high ]
	[ "$(sent /gotify/message '.headers["x-gotify-key"]')" = secretgotify ]
	[ "$(sent /gotify/message '.body | fromjson | .title')" = "$PUSH failed on npm: NO_LINEAGE" ]
	local hook='/hook?a=b&c=%20' text
	[ "$(sent "$hook" .headers.authorization)" = 'Bearer secrethook' ]
	[ "$(sent "$hook" '.body | fromjson | [.version, .host, .unit, .status, .outcome, .exit_status] | @csv')" = \
		"1,\"npm\",\"$PUSH.service\",\"failed\",\"NO_LINEAGE\",66" ]
	[[ $(sent "$hook" '.body | fromjson | .reason') == *'no lineage covers other.example.org'* ]]
	[[ $(sent "$hook" '.body | fromjson | .advice') == *'hostname'* ]]
	text=$(sent /topic .body)
	echo "$text"
	[[ $text == "$PUSH.service on npm ended with exit status 66, at "* ]]
	[[ $text == *'no lineage covers other.example.org'*'What to do: '*'What was logged:'*"Failed with result 'exit-code'"* ]]
	[ "$(sent "$hook" '.body | fromjson | .text')" = "$text" ]
	[ "$(sent /ping/uuid/fail .method)" = POST ]
	await mails_are 3
	[[ $(last_mail) == *"Subject: [certsync] $PUSH failed on npm: NO_LINEAGE"* ]]
	[[ $(last_mail) == *'From: certsync@npm.example.org'* ]]
	[[ $(last_mail) == *'no lineage covers other.example.org'* ]]
}

@test "loud: the same failure is told again after a day only; the ping is sent each time" {
	run run_unit npm $PUSH.service
	requests_are 1
	[ "$(sent /ping/uuid/fail .method)" = POST ]
	# as told a day ago
	npm sh -c "read -r since told <$STAMP; echo \$((since - $DAY)) \$((told - $DAY)) >$STAMP"
	run run_unit npm $PUSH.service
	requests_are 5
	[ "$(sent /topic .headers.title)" = "$PUSH still fails on npm: NO_LINEAGE" ]
	[ "$(sent '/hook?a=b&c=%20' '.body | fromjson | .status')" = failing ]
	[[ $(sent /topic .body) == *"It fails since $(date -u -d '1 day ago' +%Y-%m-%d)T"* ]]
	run run_unit npm $PUSH.service
	requests_are 6
	await mails_are 4
}

@test "loud: that it is well again is told once" {
	mend_push
	run_unit npm $PUSH.service
	requests_are 4
	[ "$(sent /topic .headers.title)" = "$PUSH is well again on npm" ]
	[ "$(sent /topic .headers.priority)" = default ]
	[ "$(sent '/hook?a=b&c=%20' '.body | fromjson | .status')" = recovered ]
	[ "$(sent /ping/uuid .method)" = POST ]
	await mails_are 5
	[[ $(last_mail) == *"Subject: [certsync] $PUSH is well again on npm"* ]]
	run_unit npm $PUSH.service
	requests_are 5
	[ -z "$(sent /ping/uuid/fail .method)" ]
	mails_are 5
	run npm test -e $STAMP
	[ "$status" = 1 ]
}

@test "loud: what talks to the network is nobody, and no token is in the list of processes" {
	local pid
	undo='rm -f "$SINK/hold"; mend_push; run_unit npm $PUSH.service'
	break_push
	touch "$SINK/hold"
	run npm systemctl start $PUSH.service
	await requests_are 1
	pid=$(npm pgrep -x curl)
	[ "$(npm awk '/^(Uid|Gid|CapEff|NoNewPrivs):/ { print $2 }' "/proc/$pid/status" | paste -sd' ')" = '65534 65534 0000000000000000 1' ]
	npm sh -c 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\0" "\n"' >"$BATS_TEST_TMPDIR/processes"
	grep -q -- --config "$BATS_TEST_TMPDIR/processes"
	run grep -E 'secret|/topic' "$BATS_TEST_TMPDIR/processes"
	[ "$status" = 1 ]
	run npm journalctl -q -o cat -g secret
	[ -z "$output" ]
}

# --- when telling fails ----------------------------------------------------------------------------------

@test "loud: a notifier that fails leaves the failure as it is, and tells it the next time" {
	webhook_only
	kill "$(cat "$SINK/pid")"
	break_push
	run run_unit npm $PUSH.service
	[ "$(show npm ExecMainStatus $NOTIFY)" = 69 ]
	[ "$(show npm ActiveState $PUSH.service)" = failed ]
	[ "$(show npm ExecMainStatus $PUSH.service)" = 66 ]
	npm journalctl -q -o cat -p err -u $NOTIFY | grep -q '^webhook: not reached: curl: (7)'
	start_sink
	run run_unit npm $PUSH.service
	requests_are 1
	[ "$(sent /hook '.body | fromjson | .status')" = failed ]
	[ "$(show npm Result $NOTIFY)" = success ]
}

@test "loud: where nobody could be told of the recovery, it is told after the next success" {
	echo 500 >"$SINK/answer"
	mend_push
	run_unit npm $PUSH.service
	[ "$(show npm ExecMainStatus "certsync-notify@ok:$PUSH.service.service")" = 69 ]
	rm "$SINK/answer"
	: >"$SINK/requests"
	run_unit npm $PUSH.service
	requests_are 1
	[ "$(sent /hook '.body | fromjson | .status')" = recovered ]
}

@test "loud: a full disk keeps no failure from being told" {
	undo='npm umount /var/lib/certsync-notify; mend_push; run_unit npm $PUSH.service'
	webhook_only
	npm sh -c 'd=/var/lib/certsync-notify; mkdir -p $d; mount -t tmpfs -o size=4k,mode=700 none $d
		head -c 4096 /dev/zero >$d/full'
	break_push
	run run_unit npm $PUSH.service
	requests_are 1
	[ "$(sent /hook '.body | fromjson | .status')" = failed ]
	npm journalctl -q -o cat -p warning -u $NOTIFY | grep -qxF "$STAMP: cannot be written"
}

@test "loud: what is no record of a failure keeps none from being told" {
	undo='mend_push; run_unit npm $PUSH.service'
	webhook_only
	break_push
	for record in junk '1 2 3' ''; do
		npm sh -c "mkdir -p ${STAMP%/*}; echo '$record' >$STAMP"
		: >"$SINK/requests"
		run run_unit npm $PUSH.service
		requests_are 1
		[ "$(sent /hook '.body | fromjson | .status')" = failed ]
	done
}

@test "loud: a server that answers without end is not listened to" {
	webhook_only
	touch "$SINK/much"
	run npm sh -c 'ulimit -v 150000; certsync-notify --test'
	echo "$output"
	[ "$output" = 'webhook: accepted (200)' ]
}

@test "loud: what was logged of a failure is told, however far behind the journal is" {
	local journald=systemd-journal # as much of its name as there is
	undo="npm pkill -CONT -x $journald; npm rm -f /run/systemd/system/behind.service ${STAMP%/*}/behind.service
		npm systemctl daemon-reload"
	webhook_only
	# before systemd says how it ended
	npm sh -c 'printf "%s\n" "[Unit]" "OnFailure=certsync-notify@%n.service" "[Service]" Type=oneshot \
		"ExecStart=sh -c \"pkill -STOP -x $1; exit 3\"" >/run/systemd/system/behind.service
		systemctl daemon-reload' sh $journald
	run npm systemctl start behind.service
	await waits_or_has_told
	npm pkill -CONT -x $journald
	await rested npm certsync-notify@behind.service.service
	requests_are 1
	[[ $(sent /hook '.body | fromjson | .text') == *"Failed with result 'exit-code'"* ]]
}

waits_or_has_told() { npm pgrep -xf 'journalctl --sync' || requests_are 1; }

# --- which failures ----------------------------------------------------------------------------------------

# retrying PAUSE: with nobody at the other end, a run that is tried again after a while, three times in all
retrying() {
	stop_sshd
	npm rm -f /var/lib/private/mailcow-cert-push/last_fp
	npm sh -c 'mkdir -p /run/systemd/system/mailcow-cert-push.service.d
		printf "%s\n" "[Unit]" StartLimitBurst=3 "[Service]" RestartSec=$1 >/run/systemd/system/mailcow-cert-push.service.d/retry.conf
		systemctl daemon-reload; systemctl reset-failed' sh "$1"
}

as_ever() {
	start_sshd
	npm sh -c 'rm -r /run/systemd/system/mailcow-cert-push.service.d; systemctl daemon-reload; systemctl reset-failed'
}

@test "loud: a failure that is tried again is not told, and not taken for a success, before it is final" {
	undo='as_ever; run_unit npm $PUSH.service'
	retrying 1h
	npm systemctl start $PUSH.service || :
	[ "$(show npm SubState $PUSH.service)" = auto-restart ]
	await rested npm $NOTIFY
	run npm test -e $STAMP
	[ "$status" = 1 ]
	requests_are 0
	npm systemctl stop $PUSH.service
	# a failure that was told, for which a success would be an end
	npm sh -c "date '+%s 1' >$STAMP"
	# on Debian 13 each of them is looked into
	retrying 2s
	npm systemctl start $PUSH.service || :
	await is_failed
	await rested npm $NOTIFY
	await rested npm "certsync-notify@$PUSH.path.service"
	# the path unit has failed with it
	[ "$(sent /hook '.body | fromjson | [.unit, .status, .exit_status] | @csv' | sort)" = \
		"\"$PUSH.path\",\"failed\","$'\n'"\"$PUSH.service\",\"failing\",75" ]
	[ "$(show npm NRestarts $PUSH.service)" = 3 ]
}

is_failed() { [ "$(show npm ActiveState $PUSH.service)" = failed ]; }

@test "loud: a path unit that has failed is told, and well again with its service" {
	undo='npm sh -c "rm /run/systemd/system/mailcow-cert-push.path.d/few.conf; systemctl daemon-reload; systemctl reset-failed
		systemctl restart mailcow-cert-push.path"'
	npm sh -c 'printf "%s\n" "[Path]" TriggerLimitBurst=1 >/run/systemd/system/mailcow-cert-push.path.d/few.conf
		systemctl daemon-reload; systemctl restart mailcow-cert-push.path'
	npm touch /run/unchanged/a
	await path_has_started 1
	npm touch /run/unchanged/b
	await requests_are 1
	[ "$(sent /hook '.body | fromjson | .unit')" = $PUSH.path ]
	await rested npm "certsync-notify@$PUSH.path.service"
	run_unit npm $PUSH.service
	[ "$(sent /hook '.body | fromjson | select(.status == "recovered") | .unit')" = $PUSH.path ]
}

path_has_started() { rested npm $PUSH.service && npm journalctl -q -o cat -u $PUSH.path | grep -q .; }

# --- the daily checks ----------------------------------------------------------------------------------------

# in_days HOST UNIT DAYS: the unit as it runs when that many days have passed
in_days() {
	cp "$BUILD/clock.so" "$(hosts root "$1")/usr/lib/clock.so"
	hosts exec "$1" sh -c 'mkdir -p "/run/systemd/system/$1.d"
		printf "%s\n" "[Service]" Environment=LD_PRELOAD=/usr/lib/clock.so "Environment=CLOCK_SHIFT=$(($2 * 86400))" \
			>"/run/systemd/system/$1.d/clock.conf"
		systemctl daemon-reload' sh "$2" "$3"
}

now_again() { hosts exec "$1" sh -c 'rm -rf "/run/systemd/system/$1.d/clock.conf" /usr/lib/clock.so; systemctl daemon-reload' sh "$2"; }

@test "loud: the daily checks are enabled by the pairing, and all is well" {
	build "$BUILD/clock.so"
	npm systemctl is-enabled $PUSH-check.timer
	mail systemctl is-enabled mailcow-cert-check.timer
	mail sh -c 'mkdir /run/systemd/system/mailcow-cert-check.service.d
		printf "%s\n" "[Service]" "Environment=DOCKER_HOST=unix:///mnt/lab/engine/docker.sock" \
			>/run/systemd/system/mailcow-cert-check.service.d/docker.conf; systemctl daemon-reload'
	mail systemctl start mailcow-cert-deploy.service
	await served_everywhere "$(source_fingerprint)"
	run_unit npm $PUSH-check.service || { npm journalctl -o cat -n 40 -u $PUSH-check.service; return 1; }
	run_unit mail mailcow-cert-check.service || { mail journalctl -o cat -n 40 -u mailcow-cert-check.service; return 1; }
	npm journalctl -q -o cat -u $PUSH-check.service | grep -q '^CERTPUSH OK - '
	mail journalctl -q -o cat -u mailcow-cert-check.service | grep -q '^CERTDEPLOY OK - '
}

@test "loud: the check of the NPM host warns 21 days before the end, and raises the alarm 7 days before" {
	undo='now_again npm mailcow-cert-push-check.service'
	in_days npm $PUSH-check.service 68
	run_unit npm $PUSH-check.service
	requests_are 0
	in_days npm $PUSH-check.service 70
	run run_unit npm $PUSH-check.service
	[ "$(show npm ExecMainStatus $PUSH-check.service)" = 1 ]
	requests_are 1
	[ "$(sent /hook '.body | fromjson | .title')" = "$PUSH-check failed on npm: WARNING" ]
	[[ $(sent /hook '.body | fromjson | .reason') == 'days left: 19.'*'; warning below 21.0, critical below 7.0' ]]
	npm rm /var/lib/certsync-notify/$PUSH-check.service
	in_days npm $PUSH-check.service 84
	run run_unit npm $PUSH-check.service
	[ "$(show npm ExecMainStatus $PUSH-check.service)" = 2 ]
	requests_are 2
	[ "$(sent /hook '.body | fromjson | .outcome' | tail -n 1)" = CRITICAL ]
	# a certificate that has ended is no longer opened at all
	in_days npm $PUSH-check.service 91
	run run_unit npm $PUSH-check.service
	[ "$(show npm ActiveState $PUSH-check.service)" = failed ]
}

@test "loud: the check of the mailcow host warns 21 days before the end, and raises the alarm 7 days before" {
	undo='now_again mail mailcow-cert-check.service'
	in_days mail mailcow-cert-check.service 68
	run_unit mail mailcow-cert-check.service
	in_days mail mailcow-cert-check.service 70
	run run_unit mail mailcow-cert-check.service
	[ "$(show mail ExecMainStatus mailcow-cert-check.service)" = 1 ]
	mail journalctl -q -o cat -n 40 -u mailcow-cert-check.service | grep -q '^CERTDEPLOY WARNING - days left: 19\.'
	in_days mail mailcow-cert-check.service 84
	run run_unit mail mailcow-cert-check.service
	[ "$(show mail ExecMainStatus mailcow-cert-check.service)" = 2 ]
	mail journalctl -q -o cat -n 40 -u mailcow-cert-check.service | grep -q '^CERTDEPLOY CRITICAL - days left: 5\.'
}
