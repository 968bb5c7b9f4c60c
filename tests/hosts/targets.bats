#!/usr/bin/env bats
# More mail hosts than one: a cold standby that is fed beside the first, with the real services for when it takes over;
# and fifty targets on one NPM host. In this order: each test finds the hosts as the one before has left them.

# shellcheck disable=SC2046 # lists of names are split
# shellcheck disable=SC2154 # status and output are those of bats

export HOSTS='npm mail standby' LAB_HOST=standby
load hosts.bash
load lab.bash

PUSH=mailcow-cert-push DEPLOY=mailcow-cert-deploy
TARGETS=50
# The one of them that cannot be pushed to.
BROKEN=t07

standby() { hosts exec standby "$@"; }

setup_file() {
	boot
	make_mailcow
	lab_is_up
	use_engine standby
}

teardown_file() {
	all_down
}

# for_standby HOST TEXT: the command for that host that has the text in it, and a standby
for_standby() { documented standby "$2" | sed -n "s/^$1 //p"; }

installed() { # HOST DIRECTORY: the fingerprint
	hosts exec "$1" openssl x509 -noout -fingerprint -sha256 -in "$2/data/assets/ssl/cert.pem" | cut -d= -f2
}
on_mail() { [ "$(installed mail /opt/mailcow-dockerized)" = "$1" ]; }
on_standby() { [ "$(installed standby /mnt/lab/mailcow)" = "$1" ]; }

# Nothing is under way, and what failed may be started again.
settled() {
	[[ $(show npm ActiveState $PUSH.service)$(show npm ActiveState $PUSH@standby.service) =~ ^(inactive|failed)+$ ]] &&
		[[ $(show mail ActiveState $DEPLOY.service)$(show standby ActiveState $DEPLOY.service) =~ ^(inactive|failed)+$ ]]
}

engine() { standby env DOCKER_HOST=unix:///mnt/lab/engine/docker.sock docker "$@"; }

@test "a standby is paired by the commands of the handbook, beside the first mail host" {
	local command fingerprint
	run npm setup-npm-host mail.example.org --live-dir /mnt/lab/npm/letsencrypt/live
	[ "$status" = 0 ]
	run mail sh -c "$(printed)"
	[ "$status" = 0 ]
	run npm sh -c "$(printed)"
	[ "$status" = 0 ]

	command=$(for_standby npm '--host')
	[ "$command" = 'setup-npm-host mail.example.org --target standby --host standby.example.org' ]
	run npm sh -c "$command"
	[ "$status" = 0 ]
	typed npm "$command"
	[[ "$(printed)" == "setup-mailcow-host '$(npm cat /etc/certsync/mailcow_certsync.pub)@standby'" ]]
	# it is a standby, which the person knows and the command does not
	[[ "$(for_standby standby setup-mailcow-host)" == "setup-mailcow-host --standby 'ssh-ed25519 AAAA... mailcow-cert-push@standby'" ]]
	command="$(printed | sed 's/setup-mailcow-host/& --standby/') --root /mnt/lab/mailcow"
	run standby sh -c "$command"
	[ "$status" = 0 ]
	typed standby "$(for_standby standby setup-mailcow-host)"
	fingerprint=$(standby ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2)
	[ "$(printed)" = "$(for_standby npm --confirm | sed "s|SHA256:\.\.\.|$fingerprint|")" ]
	command=$(printed)
	run npm sh -c "$command"
	[ "$status" = 0 ]
	typed npm "$(for_standby npm --confirm)"
	[[ $output == *"sudo systemctl start $PUSH@standby.service"* ]]
	for what in enabled active; do
		are npm $what {$PUSH,$PUSH@standby}.{timer,path} {$PUSH-check,$PUSH-check@standby}.timer
	done
	run npm systemd-analyze verify --man=no $PUSH@standby.service $PUSH@standby.timer $PUSH@standby.path
	[ -z "$output" ]
	npm systemd-analyze security --no-pager --threshold=10 $PUSH@standby.service

	# again: nothing is changed, but for what is said
	run npm sh -c "$command"
	[ "$status" = 0 ]
	[[ $output != *write* && $output != *enable* && $output != *add* ]]
}

@test "another mail host than that in push.conf is told of --target" {
	run npm setup-npm-host mail.example.org --host standby.example.org
	[ "$status" = 1 ]
	[[ $output == *'or give --target NAME for one more mailcow host' ]]
	run npm setup-npm-host mail.example.org --target ../standby
	[ "$status" = 1 ]
	[[ $output == *'--target ../standby: this is no name for settings and units' ]]
	run npm setup-npm-host mail.example.org --target ''
	[ "$status" = 1 ]
	[ "$output" = 'setup-npm-host: --target needs a name' ]
	# with this one systemd could not start what tells of a check's success
	run npm setup-npm-host mail.example.org --dry-run --target "$(printf '%0197d' 0)"
	[ "$status" = 1 ]
	[[ $output == *'this name is too long for units; give one of at most 196 characters' ]]
}

@test "a renewal is pushed to both, and installed on a standby whose services do not run" {
	local fingerprint
	engine stop -t 1 $(engine ps -q) >/dev/null
	lab renew
	fingerprint=$(source_fingerprint)
	await on_mail "$fingerprint"
	await on_standby "$fingerprint"
	await settled
	[ "$(show npm Result $PUSH.service)/$(show npm Result $PUSH@standby.service)" = success/success ]
	[ "$(show standby Result $DEPLOY.service)" = success ]
	standby journalctl -q -o cat -u $DEPLOY.service | grep -qF "deployed $fingerprint for mail.example.org"
	# each remembers for itself
	[ "$(npm cat /var/lib/private/$PUSH/last_fp)" = "$(npm cat /var/lib/private/$PUSH@standby/last_fp)" ]
	run standby certdeploy check
	[ "$status" = 0 ]
	[[ ${lines[0]} == "CERTDEPLOY OK - $fingerprint is installed, "* ]]
	run standby certdeploy --force
	[ "$status" = 0 ]
	[[ $output == *"$fingerprint is installed, and there is no service to reload"* ]]
	# and without Docker at all
	undo='standby mv /usr/bin/docker.away /usr/bin/docker'
	standby mv /usr/bin/docker /usr/bin/docker.away
	standby systemctl start $DEPLOY.service
}

@test "what fails at one mail host does not touch the other" {
	local command fingerprint
	undo="npm sed -i '/^host_key/d' /etc/certsync/push.d/standby.conf"
	npm sed -i '/^host = /a host_key = SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' /etc/certsync/push.d/standby.conf
	lab renew
	fingerprint=$(source_fingerprint)
	await on_mail "$fingerprint"
	await settled
	[ "$(show npm Result $PUSH.service)/$(show npm Result $PUSH@standby.service)" = success/exit-code ]
	npm journalctl -q -o cat -u $PUSH@standby.service | grep -q 'the ssh-ed25519 key SHA256'
	run on_standby "$fingerprint"
	[ "$status" != 0 ]
	# and is made good by the next run
	eval "$undo"
	undo=
	npm systemctl start $PUSH@standby.service
	await on_standby "$fingerprint"
	# by hand it is the same
	command=$(for_standby npm certpush)
	run npm sh -c "$command"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'nothing to do'* ]]
	typed npm "$command"
}

@test "a standby that takes over serves at nine endpoints what was kept up to date" {
	local command
	await settled
	engine start $(engine ps -aq) >/dev/null
	await served_everywhere "$(source_fingerprint)"
	for command in "sed " "systemctl " "certdeploy check"; do
		command=$(for_standby standby "$command")
		[ -n "$command" ]
		run standby sh -c "$command"
		echo "$command: $output"
		[ "$status" = 0 ]
		typed standby "$command"
	done
	[[ $output == 'CERTDEPLOY OK - 9 of 9 endpoints serve '* ]]
	# from now on it is one like any other
	begin_to_count
	lab renew
	await served_everywhere "$(source_fingerprint)"
}

all_pushed() { [ "$(mail sh -c 'ls -d /home/certsync/incoming/t*/20*' | wc -l)" = $((TARGETS - 1)) ]; }
none_runs() { ! npm systemctl -q is-active "$PUSH@t*.service" && ! npm systemctl list-jobs | grep -q "$PUSH@t"; }
# names [BEFORE [AFTER]]: of all targets, as one list
names() { seq -f "${1:-}t%02.0f${2:-}" "$TARGETS"; }

@test "fifty targets are pushed to side by side, and one that cannot be reached keeps none of them up" {
	local begun
	# They are directories of one host here, whose sshd would turn so many at once away.
	mail sh -c 'echo MaxStartups 200 >/etc/ssh/sshd_config.d/many.conf'
	restart_sshd
	mail systemctl stop $DEPLOY.path $DEPLOY.timer
	npm sh -euc 'cd /etc/certsync/push.d
		for name; do
			sed "s|^\[target\]|&\nstaging = $name|" ../push.conf >$name.conf
			dropin=/etc/systemd/system/mailcow-cert-push@$name
			for kind in service path; do
				cp -R /etc/systemd/system/mailcow-cert-push@standby.$kind.d $dropin.$kind.d
			done
		done
		sed -i "s/^staging.*/host_key = SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/" '$BROKEN'.conf
		systemctl daemon-reload' sh $(names)
	mail sh -euc 'cd /home/certsync/incoming; for name; do install -d -o certsync -g certsync $name; done' sh $(names)
	npm systemctl start $(names $PUSH@ .path)
	begun=${EPOCHREALTIME/./}
	lab renew
	await all_pushed || { npm systemctl list-units --no-legend --all "$PUSH@t*.service"; mail sh -c 'ls -d /home/certsync/incoming/*/*'; false; }
	await none_runs
	echo "# $TARGETS targets: $(((${EPOCHREALTIME/./} - begun) / 1000)) ms from certbot's renewal to the last of them" >&3
	[ "$(npm systemctl list-units --no-legend --failed "$PUSH@t*.service" | wc -l)" = 1 ]
	npm systemctl is-failed $PUSH@$BROKEN.service
	# one state each
	[ "$(npm sh -c "cat /var/lib/private/$PUSH@t*/last_fp" | sort | uniq -c | awk '{ print $1 }')" = $((TARGETS - 1)) ]
	# and nothing to do for any of them afterwards
	npm systemctl stop $(names $PUSH@ .path)
	begun=${EPOCHREALTIME/./}
	run npm systemctl start $(names $PUSH@ .service)
	echo "# and $(((${EPOCHREALTIME/./} - begun) / 1000)) ms for all of them to find nothing to do" >&3
	npm journalctl --sync
	[ "$(npm journalctl -q -o cat -u "$PUSH@t*.service" | grep -c 'nothing to do')" -ge $((TARGETS - 1)) ]
	all_pushed
}
