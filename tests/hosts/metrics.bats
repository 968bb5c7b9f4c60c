#!/usr/bin/env bats
# The services, in their sandboxes, leave their files for Prometheus where node_exporter looks for them on Debian.

# shellcheck disable=SC2034,SC2154 # undo is for teardown; status and output are those of bats

load hosts.bash

# as Debian's prometheus-node-exporter leaves it
COLLECTOR=/var/lib/prometheus/node-exporter
METRICS=$COLLECTOR/certsync.prom

setup_file() {
	boot_without_lab
	pair
	for host in npm mail; do
		hosts exec $host sh -euc "groupadd --system prometheus; useradd --system -g prometheus prometheus
			install -d -o prometheus -g prometheus /var/lib/prometheus; install -d $COLLECTOR"
	done
	npm sh -c "printf '[monitoring]\nmetrics = $METRICS\n' >>/etc/certsync/push.conf"
	mail sh -c "printf '[monitoring]\nmetrics = $METRICS\n' >>/etc/certsync/deploy.conf"
}

teardown_file() {
	hosts down
}

# outcome HOST: what the file says of the last run, as node_exporter would read it
outcome() {
	hosts exec "$1" setpriv --reuid=prometheus --regid=prometheus --clear-groups cat $METRICS >"$BATS_TEST_TMPDIR/metrics"
	promtool check metrics <"$BATS_TEST_TMPDIR/metrics" >&2
	sed -n 's/^certsync_last_run_outcome{.*outcome="\(.*\)"} 1/\1/p' "$BATS_TEST_TMPDIR/metrics"
}

@test "a service that cannot write there says so, and does its work" {
	npm systemctl start mailcow-cert-push.service
	[ -n "$(mail ls /home/certsync/incoming)" ]
	npm journalctl --sync
	run npm journalctl -q -o cat -u mailcow-cert-push.service
	[[ $output == *"the metrics file $METRICS is not written: "*'see metrics in certsync.conf(5)'* ]]
}

@test "setup-npm-host says how to let it write, and then shows it the place" {
	run first
	[ "$status" = 1 ]
	[[ $output == *"'chgrp prometheus $COLLECTOR && chmod g+w $COLLECTOR'"* ]]
	npm sh -c "chgrp prometheus $COLLECTOR && chmod g+w $COLLECTOR"
	first
	npm systemctl start mailcow-cert-push.service
	[ "$(outcome npm)" = NOTHING_TO_DO ]
	[ "$(npm ls -A $COLLECTOR)" = certsync.prom ]
}

@test "a directory that gives its files its group is as good" {
	npm sh -c "chmod g+s $COLLECTOR; rm $METRICS"
	npm systemctl start mailcow-cert-push.service
	[ "$(outcome npm)" = NOTHING_TO_DO ]
}

@test "runs by hand and of the service replace each other's file" {
	npm certpush --force
	[ "$(outcome npm)" = PUSHED ]
	npm systemctl start mailcow-cert-push.service
	[ "$(outcome npm)" = NOTHING_TO_DO ]
}

@test "without a certificate the command that opens it tells that" {
	undo='npm mv /root/npm-5 /etc/nginx/letsencrypt/live/npm-5'
	npm mv /etc/nginx/letsencrypt/live/npm-5 /root/npm-5
	run npm systemctl start mailcow-cert-push.service
	[ "$status" != 0 ]
	[ "$(outcome npm)" = NO_LINEAGE ]
}

@test "setup-mailcow-host lets the deploy service write there, which tells of a failed run" {
	second
	run mail systemctl start mailcow-cert-deploy.service
	# no mail service and no Docker engine are there
	[ "$status" != 0 ]
	[ "$(outcome mail)" = INCOMPLETE ]
	[ "$(mail ls -A $COLLECTOR)" = certsync.prom ]
}

@test "the daily check writes there as well" {
	run mail systemctl start mailcow-cert-check.service
	[ "$(outcome mail)" = INCOMPLETE ]
	grep -q '^certsync_last_check_status{program="certdeploy"} ' "$BATS_TEST_TMPDIR/metrics"
	mail journalctl --sync
	run mail journalctl -q -o cat -g 'is not written' -u mailcow-cert-check.service
	[ -z "$output" ]
}

@test "setup run again changes nothing, and takes the place away when it is set no more" {
	local at=/etc/systemd/system/mailcow-cert-deploy.service.d/50-mailcow-root.conf
	run second
	[[ $output != *"write $at"* ]]
	mail sed -i '/^metrics/d' /etc/certsync/deploy.conf
	second
	run mail grep -q ReadWritePaths $at /etc/systemd/system/mailcow-cert-check.service.d/50-mailcow-root.conf
	[ "$status" = 1 ]
	npm sed -i '/^metrics/d' /etc/certsync/push.conf
	first
	run npm grep -q BindPaths /etc/systemd/system/mailcow-cert-push.service.d/50-places.conf
	[ "$status" = 1 ]
}

@test "of a mailcow in a home, setup-mailcow-host shows it to the check as well" {
	undo='mail sh -c "mv /root/mailcow /opt/mailcow-dockerized
		sed -i s,^root.*,root\ =\ /opt/mailcow-dockerized, /etc/certsync/deploy.conf"'
	mail sh -c 'mv /opt/mailcow-dockerized /root/mailcow
		sed -i "s,^root.*,root = /root/mailcow," /etc/certsync/deploy.conf'
	second
	mail systemctl start mailcow-cert-check.service || :
	mail journalctl --sync
	run mail journalctl -q -o cat -n 30 -u mailcow-cert-check.service
	[[ $output == *'CERTDEPLOY '*' - '* ]]
	[[ $output != *mailcow.conf*'No such file'* ]]
}
