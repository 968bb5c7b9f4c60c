#!/usr/bin/env bats
# How certdeploy has the services load the pair: the real ones of the lab, asked on the wire, and
# stand-ins for a docker command that fails in ways a real one cannot be made to.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

bats_require_minimum_version 1.5.0

teardown() {
	if [ -n "${stopped:-}" ]; then
		"$LAB_DOCKER" start "$stopped" >/dev/null
	fi
	if [ -n "${broken:-}" ]; then
		"$LAB_DOCKER" exec "$broken" cp /root/nginx.conf /etc/nginx/nginx.conf
	fi
	if [ -n "${extra:-}" ]; then
		"$LAB_DOCKER" rm --force "$extra" >/dev/null
	fi
}

teardown_file() {
	put_lab_tree_back
}

# stand_in: a docker command of the test's own, from standard input; $real is the real one
stand_in() {
	DOCKER=$BATS_TEST_TMPDIR/docker
	{
		printf '#!/bin/bash\ndir=%q real=%q\n' "$BATS_TEST_TMPDIR" "$LAB_DOCKER"
		cat
	} >"$DOCKER"
	chmod 0755 "$DOCKER"
	configure "$@"
}

# the_next_run_completes: what an earlier one could not
the_next_run_completes() {
	DOCKER=$LAB_DOCKER
	configure "$@"
	certdeploy
	expect 0 "all services were reloaded with $(fingerprint "$SSL/cert.pem")"
	nothing_left_over
	staging_is_empty
	without_docker certdeploy
	expect 0 'nothing to do'
}

# --- on the wire ---

@test "the proxy's own lineage, pushed and deployed, is served by all nine endpoints" {
	[ "$LAB_HOSTNAME" = mail.example.org ]
	use_lab_tree
	put_generation "$LAB_LIVE/$LAB_LINEAGE"
	certdeploy
	expect 0 "deployed $(fingerprint "$LAB_LIVE/$LAB_LINEAGE/cert.pem") for $LAB_HOSTNAME"
	cmp "$LAB_LIVE/$LAB_LINEAGE/fullchain.pem" "$SSL/cert.pem"
	cmp "$LAB_LIVE/$LAB_LINEAGE/privkey.pem" "$SSL/key.pem"
	await all_serve "$(fingerprint "$LAB_LIVE/$LAB_LINEAGE/cert.pem")"
}

@test "a stopped container is named, the others are reloaded all the same, and the next run completes" {
	use_lab_tree
	put_generation "$PAIRS/new"
	stopped=$(container dovecot-mailcow)
	"$LAB_DOCKER" stop --time 1 "$stopped" >/dev/null
	certdeploy
	expect 69 'error: dovecot-mailcow: its container is not running (exited)' 'docker compose up -d' \
		'postfix-mailcow: reloaded' 'nginx-mailcow: reloaded' \
		'error: the certificate is installed, but 1 of 3 services did not load it'
	installed_is "$PAIRS/new"
	await all_serve "$(fingerprint "$PAIRS/new/leaf.pem")" SMTP SUBMISSION SMTPS HTTPS
	[ -d "$GENERATION" ]

	"$LAB_DOCKER" start "$stopped" >/dev/null
	await reload_service dovecot-mailcow doveadm who
	the_next_run_completes '[mailcow]' 'hostname = mail.example.org'
	await all_serve "$(fingerprint "$PAIRS/new/leaf.pem")"
}

@test "a reload that fails is told in the command's own words, the others are done, and the next run completes" {
	use_lab_tree
	put_generation "$PAIRS/newer"
	broken=$(container nginx-mailcow)
	"$LAB_DOCKER" exec "$broken" sh -c \
		'cp /etc/nginx/nginx.conf /root/ && echo "no_such_directive on;" >>/etc/nginx/nginx.conf'
	certdeploy
	expect 69 'error: nginx-mailcow: reload failed: exit status 1: ' \
		'unknown directive "no_such_directive" in /etc/nginx/nginx.conf' \
		'postfix-mailcow: reloaded' 'dovecot-mailcow: reloaded' \
		'error: the certificate is installed, but 1 of 3 services did not load it'
	await all_serve "$(fingerprint "$PAIRS/newer/leaf.pem")" SMTP SUBMISSION SMTPS IMAP IMAPS POP3 POP3S SIEVE

	"$LAB_DOCKER" exec "$broken" cp /root/nginx.conf /etc/nginx/nginx.conf
	the_next_run_completes '[mailcow]' 'hostname = mail.example.org'
	await all_serve "$(fingerprint "$PAIRS/newer/leaf.pem")"
}

# --- which containers ---

# extra_container PROJECT SERVICE ONEOFF: one more nginx, serving the pair of $SSL; its id is in
# $extra. Containers of compose v1 have other names, which must not matter.
extra_container() {
	extra=$("$LAB_DOCKER" run --detach --name "$1_$2_$$" --label "com.docker.compose.project=$1" \
		--label "com.docker.compose.service=$2" --label "com.docker.compose.oneoff=$3" \
		--env MAILCOW_HOSTNAME=mail.example.org --volume "$SSL:/etc/ssl/mail:ro" \
		--volume "$LAB/containers:/lab:ro" lab-mail /lab/nginx-mailcow)
}

served_by_extra() { # FINGERPRINT
	local address
	address=$("$LAB_DOCKER" inspect --format '{{.NetworkSettings.IPAddress}}' "$extra")
	[ "$(SSL_CERT_FILE=/dev/null openssl s_client -connect "$address:443" </dev/null 2>/dev/null |
		fingerprint /dev/stdin 2>/dev/null)" = "$1" ]
}

@test "containers are found by their labels: another project's name, another service's name with its kind" {
	extra_container "other$$" frontend False
	await served_by_extra "$(fingerprint "$PAIRS/current/leaf.pem")"
	set_variable COMPOSE_PROJECT_NAME "other$$"
	configure '[mailcow]' 'services = frontend:nginx'
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 'frontend: reloaded' deployed
	not_said mailcow:
	await served_by_extra "$(fingerprint "$PAIRS/new/leaf.pem")"
}

@test "without COMPOSE_PROJECT_NAME the project has the directory's name, as compose makes it" {
	mv "$ROOT" "$BATS_TEST_TMPDIR/Other.Cow-$$"
	ROOT=$BATS_TEST_TMPDIR/Other.Cow-$$
	SSL=$ROOT/data/assets/ssl
	extra_container "othercow-$$" nginx-mailcow False
	set_variable COMPOSE_PROJECT_NAME
	configure '[mailcow]' 'services = nginx-mailcow'
	put_generation "$PAIRS/new"
	certdeploy -v
	expect 0 "nginx-mailcow: container ${extra:0:12}, running" 'nginx-mailcow: reloaded' deployed
}

@test "a container that 'docker compose run' left is not the service" {
	extra_container "other$$" nginx-mailcow True
	set_variable COMPOSE_PROJECT_NAME "other$$"
	configure '[mailcow]' 'services = nginx-mailcow'
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 'error: nginx-mailcow: there is no container of this service'
}

@test "a service without a container is named, the others are reloaded" {
	configure '[mailcow]' 'services = postfix-mailcow frontend:nginx nginx-mailcow'
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 'error: frontend: there is no container of this service' 'postfix-mailcow: reloaded' \
		'nginx-mailcow: reloaded' '1 of 3 services did not load it'
}

@test "a service of an unknown kind is an error of the configuration that names its line" {
	configure '[mailcow]' 'services = postfix-mailcow frontend'
	put_generation "$PAIRS/new"
	without_docker certdeploy
	expect 78 "$CONF:$(wc -l <"$CONF"): " 'frontend' 'write frontend:postfix, frontend:dovecot or frontend:nginx'
	installed_is "$PAIRS/current"
	configure '[mailcow]' 'services = frontend:apache'
	without_docker certdeploy
	expect 78 "$CONF:$(wc -l <"$CONF"): " 'write frontend:postfix, frontend:dovecot or frontend:nginx'
}

# --- how docker is called ---

@test "the three services are reloaded side by side" {
	# Each waits for the other two to have begun.
	stand_in <<-'DOCKER'
		if [ "$1" = exec ]; then
			mkdir -p "$dir/begun"
			: >"$dir/begun/$2"
			for ((i = 0; i < 500; i++)); do
				begun=("$dir"/begun/*)
				[ ${#begun[@]} -lt 3 ] || exec "$real" "$@"
				sleep 0.01
			done
			echo 'the others have not begun' >&2
			exit 1
		fi
		exec "$real" "$@"
	DOCKER
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 'postfix-mailcow: reloaded' 'dovecot-mailcow: reloaded' 'nginx-mailcow: reloaded'
}

@test "docker gets a clean environment: of ours only DOCKER_HOST, DOCKER_CONTEXT and DOCKER_CONFIG" {
	stand_in <<-'DOCKER'
		tr '\0' '\n' </proc/$$/environ | sort >"$dir/environment"
		readlink /proc/$$/fd/0 >"$dir/stdin"
		exec "$real" "$@"
	DOCKER
	put_generation "$PAIRS/new"
	DOCKER_CONTEXT='' DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker-config DOCKER_TLS_VERIFY='' SECRET=1 \
		LD_LIBRARY_PATH=/tmp certdeploy <"$CONF"
	expect 0 deployed
	diff "$BATS_TEST_TMPDIR/environment" - <<-ENVIRONMENT
		DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker-config
		DOCKER_CONTEXT=
		DOCKER_HOST=$DOCKER_HOST
		LC_ALL=C
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	ENVIRONMENT
	[ "$(cat "$BATS_TEST_TMPDIR/stdin")" = /dev/null ]
}

# --- docker that fails ---

@test "a docker command that is missing: the pair is installed, exit 69, and the next run reloads" {
	DOCKER=$BATS_TEST_TMPDIR/no-docker
	configure
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 "error: $BATS_TEST_TMPDIR/no-docker: No such file or directory" 'correct docker in section [mailcow]' \
		'error: the certificate is installed, but no service was reloaded' 'the next run reloads the services again'
	installed_is "$PAIRS/new"
	the_next_run_completes
}

@test "a docker command that may not be run is named" {
	stand_in <<<'exit 0'
	chmod 0644 "$DOCKER"
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 "error: $DOCKER: Permission denied"
}

@test "an engine that is down: docker's own words, exit 69, and the next run reloads" {
	put_generation "$PAIRS/new"
	without_docker certdeploy
	expect 69 "error: $DOCKER ps: exit status 1: Cannot connect to the Docker daemon at unix://$BATS_TEST_TMPDIR/no-engine.sock" \
		'systemctl status docker' 'error: the certificate is installed, but no service was reloaded'
	installed_is "$PAIRS/new"
	the_next_run_completes
}

@test "while the services have not loaded the pair, every run fails, also with nothing staged" {
	put_generation "$PAIRS/new"
	without_docker certdeploy
	expect 69
	rm -r "$GENERATION"
	without_docker certdeploy
	expect 69 'Cannot connect to the Docker daemon' 'the certificate is installed, but no service was reloaded'
	the_next_run_completes
}

process_ended() { # FILE WITH PID
	! kill -0 "$(cat "$1")" 2>/dev/null
}

@test "a docker command that hangs is ended with all that it started, at the time limit" {
	stand_in '[limits]' 'docker_timeout = 300ms' <<-'DOCKER'
		sleep 600 3>&- &
		echo $! >"$dir/child"
		echo 'waiting for the engine' >&2
		wait
	DOCKER
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 "error: $DOCKER ps: did not end in time: waiting for the engine" \
		'error: the certificate is installed, but no service was reloaded'
	await process_ended "$BATS_TEST_TMPDIR/child"
	the_next_run_completes
}

@test "a reload that hangs is ended at the time limit; the others are done" {
	local limit
	put_generation "$PAIRS/new"
	# On a slow machine the others need longer.
	for limit in 3s 15s 60s; do
		stand_in '[limits]' "docker_timeout = $limit" <<-'DOCKER'
			if [ "$1" = exec ] && [ "$3" = doveadm ]; then
				exec sleep 600 3>&-
			fi
			exec "$real" "$@"
		DOCKER
		certdeploy
		[[ $output != *'1 of 3 services did not load it'* ]] || break
	done
	expect 69 'error: dovecot-mailcow: reload failed: did not end in time' \
		'postfix-mailcow: reloaded' 'nginx-mailcow: reloaded' '1 of 3 services did not load it'
}

@test "all reloads that fail are told, each with its own words on one line, without control characters" {
	stand_in <<-'DOCKER'
		[ "$1" = exec ] || exec "$real" "$@"
		echo 'output that does not matter'
		printf 'first of %s\n\tsecond\nthird \033[31m\n' "$3" >&2
		exit 3
	DOCKER
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 'error: postfix-mailcow: reload failed: exit status 3: first of sh  second third' \
		'error: dovecot-mailcow: reload failed: exit status 3: first of doveadm  second third' \
		'error: nginx-mailcow: reload failed: exit status 3: first of sh  second third' \
		'3 of 3 services did not load it'
	not_said 'does not matter'
	not_said $'\033'
}

@test "a docker command that is killed, and one that says nothing, are told apart" {
	stand_in <<<'kill -KILL $$'
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 "error: $DOCKER ps: was ended by signal 9"
	stand_in <<<'exit 5'
	certdeploy
	expect 69 "error: $DOCKER ps: exit status 5"
}

@test "a docker command that says very much does not block" {
	stand_in '[limits]' 'docker_timeout = 20s' <<-'DOCKER'
		[ "$1" = exec ] || exec "$real" "$@"
		printf '%03000000d' 1
		printf '%03000000d' 2 >&2
		exit 1
	DOCKER
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 'nginx-mailcow: reload failed: exit status 1: 000'
	[ ${#output} -lt 5000 ]
}

@test "what a docker command leaves running in the background is not waited for" {
	stand_in <<-'DOCKER'
		if [ "$1" = exec ]; then
			sleep 600 3>&- &
			echo $! >>"$dir/children"
		fi
		"$real" "$@"
	DOCKER
	put_generation "$PAIRS/new"
	certdeploy
	# all of them still ran
	xargs -n 1 kill <"$BATS_TEST_TMPDIR/children"
	expect 0 deployed
}
