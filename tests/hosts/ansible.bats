#!/usr/bin/env bats
# The playbook on three hosts on which nothing is installed: one that pushes, a mail host with real services (tests/lab)
# and a standby. In this order: each test finds the hosts as the one before has left them.

# shellcheck disable=SC2046 # lists of names are split
# shellcheck disable=SC2154 # status and output are those of bats

export HOSTS='npm mail standby'
load hosts.bash
load lab.bash

PUSH=mailcow-cert-push DEPLOY=mailcow-cert-deploy
TREE='etc home opt root srv usr/local usr/sbin var/lib/mailcow-cert-push var/lib/mailcow-cert-deploy var/lib/private'

setup_file() {
	all_down
	make -s -C "$TOP" B="$BATS_RUN_TMPDIR/packages" deb >"$BATS_FILE_TMPDIR/made" 2>&1 3>&- &
	making=$!
	hosts up
	start_lab </dev/null >"$BATS_FILE_TMPDIR/lab.log" 2>&1 3>&- &
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_FILE_TMPDIR/key"
	for host in $HOSTS; do
		admit "$host"
	done
	hosts exec standby sh -euc 'mkdir -p /opt/mailcow-dockerized/data/assets/ssl
		printf "%s\n" MAILCOW_HOSTNAME=mail.example.org SKIP_LETS_ENCRYPT=y COMPOSE_PROJECT_NAME=mailcow >/opt/mailcow-dockerized/mailcow.conf'
	inventory
	wait $making || { cat "$BATS_FILE_TMPDIR/made"; return 1; }
	lab_is_up
	use_engine mail
}

teardown_file() {
	all_down
}

# What whoever runs Ansible has on each host: a login as root.
admit() {
	hosts exec "$1" install -d -m 700 /root/.ssh
	hosts exec "$1" tee /root/.ssh/authorized_keys <"$BATS_FILE_TMPDIR/key.pub" >/dev/null
}

# The example that is shipped, with the places that this lab has.
inventory() {
	cp -R "$TOP/contrib/ansible" "$BATS_FILE_TMPDIR"
	cp "$TOP/contrib/ansible/inventory.example.yml" "$BATS_FILE_TMPDIR/ansible/inventory.yml"
	cat >"$BATS_FILE_TMPDIR/ansible.cfg" <<-END
		[defaults]
		nocolor = true
		host_key_checking = false
		[ssh_connection]
		pipelining = true
		ssh_args = -o UserKnownHostsFile=/dev/null -o ControlMaster=auto -o ControlPersist=60s
	END
	cat >"$BATS_FILE_TMPDIR/vars.yml" <<-END
		ansible_user: root
		ansible_ssh_private_key_file: $BATS_FILE_TMPDIR/key
		ansible_host: "{{ {'npm': '192.0.2.10', 'mail': '192.0.2.20', 'standby': '192.0.2.30'}[inventory_hostname | split('.') | first] }}"
		certsync_deb_dir: $BATS_RUN_TMPDIR/packages/deb
		certpush_live_dir: /mnt/lab/npm/letsencrypt/live
		certdeploy_root: "{{ '/mnt/lab/mailcow' if inventory_hostname == 'mail.example.org' else '/opt/mailcow-dockerized' }}"
		certdeploy_settings: { staging: { ca_file: /mnt/lab/acme/root.pem } }
	END
}

# play [ARGUMENT...]: the playbook, as the handbook has it run, from a machine on the hosts' network
play() {
	local command
	command=$(documented ansible-playbook) && command=${command#here }
	(
		cd "$BATS_FILE_TMPDIR/ansible" || exit
		export ANSIBLE_CONFIG=$BATS_FILE_TMPDIR/ansible.cfg ANSIBLE_HOME=$BATS_FILE_TMPDIR/home
		hosts net npm bash -c "$command \"\$@\"" bash -e "@$BATS_FILE_TMPDIR/vars.yml" "$@"
	) && typed here "$command"
}

# recap HOST: what Ansible counted there
recap() { sed -n "s/^$1\.example\.org *: //p" <<<"$output"; }

# Everything that matters of a host's files, but for what an SSH session leaves.
snapshot() {
	(
		cd "$(hosts root "$1")" || exit
		for dir in $TREE; do
			[ -d "$dir" ] || continue
			find "$dir" \( -path root/.ansible -o -path root/.cache \) -prune -o \( -type f -printf '%p %m %U:%G %T@\n' -exec sha256sum {} + \) -o \
				-printf '%p %y %m %U:%G %l\n'
		done
	) | sort
}

on_standby() { [ "$(hosts exec standby openssl x509 -noout -fingerprint -sha256 -in /opt/mailcow-dockerized/data/assets/ssl/cert.pem | cut -d= -f2)" = "$1" ]; }
last_fp() { npm cat "/var/lib/private/$PUSH/last_fp"; }
docker_of_lab() { DOCKER_HOST=unix://$LAB/engine/docker.sock docker "$@"; }
settled() { [[ $(show npm ActiveState $PUSH.service)$(show mail ActiveState $DEPLOY.service) =~ ^(inactive|failed)+$ ]]; }

@test "all that the scripts say when they change something is taken for a change, and nothing else" {
	local words expression
	expression=$(sed -n 's/^certsync_changes: //p' "$TOP/contrib/ansible/roles/certpush/vars/main.yml")
	[ "$expression" = "$(sed -n 's/^certsync_changes: //p' "$TOP/contrib/ansible/roles/certdeploy/vars/main.yml")" ]
	words=$(sed -n 's/.*change "\([a-z]*\) .*/\1/p; s/^[^"]*"\(\(limit\|write\) [^"]*\)"$/\1/p' "$TOP"/contrib/setup-*-host | cut -d' ' -f1 | sort -u)
	[ "$(wc -l <<<"$words")" -ge 9 ]
	while read -r word; do
		python3 -c 'import re, sys; sys.exit(not re.search(sys.argv[1], f"said\n{sys.argv[2]} it"))' "$expression" "$word"
	done <<<"$words"
	run python3 -c 'import re, sys; sys.exit(not re.search(sys.argv[1], sys.argv[2]))' "$expression" \
		$'proved on ...\nwould prove on ...\nPaired with ...\nThis host\'s SSH keys:\ndry run: would push ...'
	[ "$status" = 1 ]
}

@test "ansible-lint finds nothing, and the example is an inventory of two mail hosts" {
	cd "$TOP/contrib/ansible"
	HOME=$BATS_TEST_TMPDIR run ansible-lint --offline --profile production
	echo "$output"
	[ "$status" = 0 ]
	run ansible-inventory -i inventory.example.yml --list
	[ "$(jq -c .mailcow.hosts <<<"$output")" = '["mail.example.org","standby.example.org"]' ]
}

@test "a dry run on hosts that have nothing changes nothing" {
	local before
	before=$(for host in $HOSTS; do snapshot "$host"; done)
	run play --check
	echo "$output"
	[ "$status" = 0 ]
	[[ $(recap npm) =~ changed=[1-9] && $(recap mail) =~ changed=[1-9] && $(recap standby) =~ changed=[1-9] ]]
	diff <(echo "$before") <(for host in $HOSTS; do snapshot "$host"; done)
}

@test "the first run installs and pairs all, and what is pushed then is served and kept for the standby" {
	run play
	echo "$output"
	[ "$status" = 0 ]
	are npm active {$PUSH,$PUSH@standby}.{timer,path}
	are mail active $DEPLOY.{timer,path}
	are standby active $DEPLOY.{timer,path}
	lab renew
	await served_everywhere "$(source_fingerprint)"
	await on_standby "$(source_fingerprint)"
}

@test "the second run changes nothing, and a dry run would not either" {
	local mode
	await settled
	for mode in --diff --check; do
		before=$(for host in $HOSTS; do snapshot "$host"; done)
		run play $mode
		echo "$output"
		[ "$status" = 0 ]
		[[ $(recap npm) == *changed=0* && $(recap mail) == *changed=0* && $(recap standby) == *changed=0* ]]
		diff <(echo "$before") <(for host in $HOSTS; do snapshot "$host"; done)
	done
}

@test "a setting that is changed is a change" {
	run play --check --limit npm -e '{"certpush_settings": {"limits": {"connect_timeout": "5s"}}}'
	echo "$output"
	[ "$status" = 0 ]
	[[ $(recap npm) == *changed=2* ]]
}

@test "a mail host that is built anew from nothing has the certificate again after one run, with nothing forced" {
	local fingerprint before old=$BATS_FILE_TMPDIR/old
	# mailcow's own backup has an older pair
	cp -a "$LAB/mailcow/data/assets/ssl" "$old"
	before=$(source_fingerprint)
	lab renew
	fingerprint=$(source_fingerprint)
	await served_everywhere "$fingerprint"
	await settled
	hosts anew mail
	cp -a "$old/." "$LAB/mailcow/data/assets/ssl/"
	docker_of_lab restart -t 1 $(docker_of_lab ps -q) >/dev/null
	await served_everywhere "$before"
	run mail test -e /usr/sbin/certdeploy
	[ "$status" != 0 ]
	[ "$(last_fp)" = "$fingerprint" ]
	# what an administrator does for the new host
	admit mail
	use_engine mail
	run play
	echo "$output"
	[ "$status" = 0 ]
	[[ $(recap mail) =~ changed=[1-9] && $(recap standby) == *changed=0* ]]
	run last_fp
	[ "$status" != 0 ]
	served_everywhere "$before"
	# the timer's next turn
	npm systemctl start $PUSH.service
	await served_everywhere "$fingerprint"
	[ "$(last_fp)" = "$fingerprint" ]
}
