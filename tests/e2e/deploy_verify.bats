#!/usr/bin/env bats
# How certdeploy has the endpoints serve what is installed: what it does about one that does not, and
# when it takes a new pair back. All on the lab's real services.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

bats_require_minimum_version 1.5.0

setup_file() {
	deploy_setup_file
	# A curve that TLS clients do not offer: every service loads it, and no client gets a handshake.
	[ -e "$PAIRS/unusable-too" ] || make_pair "$PAIRS/unusable-too" key=ec:secp256k1 from='1 hour ago'
	[ -e "$PAIRS/unusable" ] || make_pair "$PAIRS/unusable" key=ec:secp256k1 from='1 day ago'
	[ -e "$PAIRS/rsa" ] || make_pair "$PAIRS/rsa" key=rsa:2048 from='2 days ago'
	[ -e "$PAIRS/latest" ] || make_pair "$PAIRS/latest" from='1 hour ago'
}

# Each test begins with the current pair installed and served by all.
setup() {
	export VERIFY=on
	deploy_setup
	use_lab_tree
	put_installed "$PAIRS/current"
	everybody_reloads
}

teardown() {
	if [ -n "${stopped:-}" ]; then
		"$LAB_DOCKER" start "$stopped" >/dev/null
		await is_answering "$stopped_endpoint"
	fi
	if [ -n "${odd_server:-}" ]; then
		kill "$odd_server"
	fi
	find "$LAB_SSL" -mindepth 1 -maxdepth 1 -type d -exec rm -r {} +
	if [ -n "${restart_after:-}" ]; then
		restart_services postfix-mailcow dovecot-mailcow nginx-mailcow
	fi
}

teardown_file() {
	put_lab_tree_back
}

# --- helpers ---

restart_services() { # SERVICE...
	local service
	for service; do
		"$LAB_DOCKER" restart --time 1 "$(container "$service")" >/dev/null
	done
	await all_serve "$(fingerprint "$SSL/cert.pem")"
}

# When a container was started: it changes when it is restarted.
started() { # SERVICE
	"$LAB_DOCKER" inspect --format '{{.State.StartedAt}}' "$(container "$1")"
}

of_pair() { # PAIR
	fingerprint "$PAIRS/$1/leaf.pem"
}

# nginx goes on with a copy of the current pair, which a reload does not change; its start script does.
nginx_keeps_a_copy() {
	local id
	id=$(container nginx-mailcow)
	"$LAB_DOCKER" exec "$id" sh -c '
		mkdir -p /root/copy && cp /etc/ssl/mail/cert.pem /etc/ssl/mail/key.pem /root/copy/ &&
		sed -i "s|/etc/ssl/mail/|/root/copy/|" /etc/nginx/nginx.conf && nginx -s reload'
}

# serve_oddly WHAT: a server in the place of an SMTP one; its port is in $odd_port
serve_oddly() {
	python3 - "$1" "$BATS_TEST_TMPDIR/odd" <<-'PYTHON' 3>&- &
		import os, socket, sys, threading, time
		def silent(c):
		    c.recv(1)
		def slow(c):
		    for byte in b"220 mail.example.org ESMTP" + b"." * 500:
		        c.send(bytes([byte]))
		        time.sleep(1)
		def flood(c):
		    c.sendall(b"220 " + b"x" * (1 << 20))
		def injecting(c):
		    c.sendall(b"220 hello\r\n"); c.recv(999)
		    c.sendall(b"250-hello\r\n250 STARTTLS\r\n"); c.recv(999)
		    c.sendall(b"220 go ahead\r\n250 injected\r\n"); c.recv(999)
		def serve(c):
		    try:
		        globals()[sys.argv[1]](c)
		    except OSError:
		        pass
		    c.close()
		s = socket.create_server(("127.0.0.1", 0))
		with open(sys.argv[2] + ".new", "w") as f:
		    f.write(str(s.getsockname()[1]))
		os.rename(sys.argv[2] + ".new", sys.argv[2])
		while True:
		    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
	PYTHON
	odd_server=$!
	await test -e "$BATS_TEST_TMPDIR/odd"
	odd_port=$(cat "$BATS_TEST_TMPDIR/odd")
}

# --- nothing to do, and what is healed ---

@test "what all endpoints serve is left alone, and docker is not asked" {
	put_generation "$PAIRS/current"
	without_docker certdeploy
	expect 0 "nothing to do: $(of_pair current) is installed, and 9 of 9 endpoints serve it"
	staging_is_empty
}

@test "a new pair is reported as deployed when all nine endpoints serve it, RSA and ECDSA alike" {
	local pair
	for pair in rsa latest; do
		put_generation "$PAIRS/$pair"
		certdeploy
		expect 0 "deployed $(of_pair $pair) for mail.example.org; 9 of 9 endpoints serve it"
		all_serve "$(of_pair $pair)"
		staging_is_empty
		nothing_left_over
	done
}

@test "a stale service alone is reloaded, and not restarted" {
	local before
	before=$(started nginx-mailcow)
	put_installed "$PAIRS/new"
	reload_service postfix-mailcow postfix reload
	reload_service dovecot-mailcow doveadm reload
	await all_serve "$(of_pair new)" SMTP SUBMISSION SMTPS IMAP IMAPS POP3 POP3S SIEVE
	certdeploy
	expect 0 'nginx-mailcow: reloaded' "$(of_pair new) is served again: 9 of 9 endpoints"
	not_said postfix-mailcow
	not_said dovecot-mailcow
	all_serve "$(of_pair new)"
	[ "$(started nginx-mailcow)" = "$before" ]
}

@test "a service that a reload does not help is restarted, and the log says so" {
	restart_after=yes
	nginx_keeps_a_copy
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 'nginx-mailcow: reloaded' 'warning: nginx-mailcow: restarted' \
		"deployed $(of_pair new) for mail.example.org; 9 of 9 endpoints serve it"
	not_said 'postfix-mailcow: restarted'
	all_serve "$(of_pair new)"
}

@test "a dry run says that a service is behind, and does nothing about it" {
	put_installed "$PAIRS/new"
	certdeploy -n
	expect 0 "dry run: would reload the services, as" "serves $(of_pair current)"
	all_serve "$(of_pair current)" HTTPS
}

@test "reloads that were lost with the engine are made up for by the next run" {
	put_generation "$PAIRS/new"
	without_docker certdeploy
	expect 69 'the certificate is installed, but no service was reloaded'
	installed_is "$PAIRS/new"
	certdeploy
	expect 0 "$(of_pair new)"
	all_serve "$(of_pair new)"
	nothing_left_over
	without_docker certdeploy
	expect 0 'nothing to do'
	staging_is_empty
}

@test "a run that is killed before the reload is completed by the next one" {
	DOCKER=$BATS_TEST_TMPDIR/docker
	# The first exec is the test of the configuration, the reload comes after the pair is in place.
	cat >"$DOCKER" <<-STAND_IN
		#!/bin/bash
		[ "\$1" != exec ] || ! cmp -s "$PAIRS/new/fullchain.pem" "$SSL/cert.pem" || kill -KILL "\$PPID"
		exec "$LAB_DOCKER" "\$@"
	STAND_IN
	chmod 0755 "$DOCKER"
	configure '[mailcow]' 'hostname = mail.example.org'
	put_generation "$PAIRS/new"
	certdeploy
	[ "$status" -eq 137 ]
	installed_is "$PAIRS/new"
	DOCKER=$LAB_DOCKER
	configure '[mailcow]' 'hostname = mail.example.org'
	certdeploy
	expect 0 "$(of_pair new)"
	all_serve "$(of_pair new)"
	nothing_left_over
	staging_is_empty
}

@test "a service that was down before is reported, and nothing is rolled back for it" {
	stopped=$(container dovecot-mailcow) stopped_endpoint=IMAPS
	"$LAB_DOCKER" stop --time 1 "$stopped" >/dev/null
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 'dovecot-mailcow: its container is not running' "4 of 9 endpoints serve $(of_pair new)" 'imaps (127.0.0.1'
	not_said 'rolled back'
	installed_is "$PAIRS/new"
	all_serve "$(of_pair new)" SMTP SUBMISSION SMTPS HTTPS
	staging_is_empty
	without_docker certdeploy
	expect 69 "4 of 9 endpoints serve $(of_pair new)"
	"$LAB_DOCKER" start "$stopped" >/dev/null
	await is_answering IMAPS
	certdeploy
	expect 0 'nothing to do'
}

@test "a service whose configuration was broken before is not blamed on the new pair" {
	restart_after=yes
	"$LAB_DOCKER" exec "$(container nginx-mailcow)" sh -c 'echo nonsense\; >>/etc/nginx/nginx.conf'
	put_generation "$PAIRS/new"
	configure '[mailcow]' 'hostname = mail.example.org' '[verify]' 'settle = 8s'
	certdeploy
	expect 69 'nginx-mailcow: the test of its configuration failed' 'nonsense' "8 of 9 endpoints serve $(of_pair new)" \
		'it is not restarted'
	not_said 'rolled back'
	not_said 'dovecot-mailcow: restarted'
	installed_is "$PAIRS/new"
	all_serve "$(of_pair current)" HTTPS
}

# --- rolling back ---

@test "a pair that the services cannot serve is rolled back, and not tried again until another one comes" {
	configure '[mailcow]' 'hostname = mail.example.org' '[verify]' 'settle = 3s'
	put_generation "$PAIRS/unusable" 10
	certdeploy
	expect 69 '0 of 9 endpoints serve' "$(of_pair unusable) was rolled back: $(of_pair current) is installed and served again"
	installed_is "$PAIRS/current"
	all_serve "$(of_pair current)"
	[ -d "$GENERATION" ]

	without_docker certdeploy
	expect 69 'refused: ' "$(of_pair unusable) was rolled back before"
	all_serve "$(of_pair current)"

	certdeploy --force
	expect 69 "$(of_pair unusable) was rolled back"
	all_serve "$(of_pair current)"

	put_generation "$PAIRS/latest" 11
	certdeploy
	expect 0 "deployed $(of_pair latest)"
	staging_is_empty
	nothing_left_over
	[ "$(ls -A "$STATE")" = previous ]
}

@test "two pairs that were rolled back: neither is tried again, until a good one comes" {
	local pair
	put_generation "$PAIRS/unusable-too" 10
	put_generation "$PAIRS/unusable" 11
	# That which was issued last is the first.
	for pair in unusable-too unusable; do
		certdeploy
		expect 69 "$(of_pair "$pair") was rolled back: $(of_pair current) is installed and served again"
	done
	without_docker certdeploy
	expect 69 'refused: ' ' was rolled back before'
	all_serve "$(of_pair current)"

	put_generation "$PAIRS/latest" 12
	certdeploy
	expect 0 "deployed $(of_pair latest)"
	[ "$(ls -A "$STATE")" = previous ]
}

@test "a rollback that was cut off is brought to its end by the next run" {
	put_generation "$PAIRS/unusable"
	DOCKER=$BATS_TEST_TMPDIR/docker
	cat >"$DOCKER" <<-STAND_IN
		#!/bin/bash
		! compgen -G "$STATE/rejected-*" >/dev/null || kill -KILL "\$PPID"
		exec "$LAB_DOCKER" "\$@"
	STAND_IN
	chmod 0755 "$DOCKER"
	configure '[mailcow]' 'hostname = mail.example.org' '[verify]' 'settle = 3s'
	certdeploy
	[ "$status" -eq 137 ]
	DOCKER=$LAB_DOCKER
	configure '[mailcow]' 'hostname = mail.example.org'
	certdeploy
	expect 69 "$(of_pair unusable) was rolled back before"
	installed_is "$PAIRS/current"
	await all_serve "$(of_pair current)"
	[ ! -e "$STATE/pending" ]
}

# --- directories for names of their own ---

# leave_directory PAIR NAME...: as mailcow's own ACME client leaves one, loaded by the services
leave_directory() {
	local pair=$1
	shift
	restart_after=yes
	mkdir "$LAB_SSL/$1"
	install -m 0644 "$pair/fullchain.pem" "$LAB_SSL/$1/cert.pem"
	install -m 0600 "$pair/privkey.pem" "$LAB_SSL/$1/key.pem"
	echo "$*" >"$LAB_SSL/$1/domains"
	"$LAB_DOCKER" restart --time 1 "$(container postfix-mailcow)" "$(container dovecot-mailcow)" >/dev/null
	await is_answering SMTP
	await is_answering SIEVE
}

@test "a left-over directory for the mail host is kept in step, and postfix's map with it" {
	leave_directory "$PAIRS/old" mail.example.org
	all_serve "$(of_pair old)" SMTP IMAPS
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 "$LAB_SSL/mail.example.org has the installed pair now" '9 of 9 endpoints serve it'
	not_said restarted
	all_serve "$(of_pair new)"
	cmp "$LAB_SSL/mail.example.org/cert.pem" "$PAIRS/new/fullchain.pem"
	[ "$(stat -c %a "$LAB_SSL/mail.example.org/key.pem")" = 600 ]
	[ "$(find "$LAB_SSL" -type d | wc -l)" -eq 2 ]
}

@test "a left-over directory that shadows the served pair is found by a run with nothing new" {
	leave_directory "$PAIRS/old" mail.example.org
	certdeploy
	expect 0 "$LAB_SSL/mail.example.org has the installed pair now" "$(of_pair current) is served again: 9 of 9 endpoints"
	all_serve "$(of_pair current)"
}

@test "a directory that shadows the mail host and has names the pair does not cover is an error that names it" {
	leave_directory "$PAIRS/old" mail.example.org other.example.net
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 "$LAB_SSL/mail.example.org has another certificate" 'it does not cover other.example.net'
	cmp "$LAB_SSL/mail.example.org/cert.pem" "$PAIRS/old/fullchain.pem"
}

@test "sni = warn says so and sni = ignore does not look" {
	mkdir "$LAB_SSL/mail.example.org"
	cp "$PAIRS/old/fullchain.pem" "$LAB_SSL/mail.example.org/cert.pem"
	cp "$PAIRS/old/privkey.pem" "$LAB_SSL/mail.example.org/key.pem"
	echo mail.example.org >"$LAB_SSL/mail.example.org/domains"
	configure '[mailcow]' 'hostname = mail.example.org' 'sni = warn'
	certdeploy
	expect 0 "warning: $LAB_SSL/mail.example.org has another certificate" 'nothing to do'
	configure '[mailcow]' 'hostname = mail.example.org' 'sni = ignore'
	certdeploy
	expect 0 'nothing to do'
	not_said 'another certificate'
	cmp "$LAB_SSL/mail.example.org/cert.pem" "$PAIRS/old/fullchain.pem"
}

# --- endpoints that misbehave ---

@test "an endpoint that never speaks, speaks a byte a second, floods or injects: the run ends and says which" {
	local odd limit
	declare -A says=(
		[silent]='did not say enough' [slow]='did not say enough'
		[flood]='the server sent a line of more than 4096 bytes'
		[injecting]='the server said more in clear after it accepted STARTTLS'
	)
	for odd in silent slow flood injecting; do
		rm -f "$BATS_TEST_TMPDIR/odd"
		serve_oddly "$odd"
		# On a slow machine the others need longer.
		for limit in 3s 15s 60s; do
			configure '[mailcow]' 'hostname = mail.example.org' '[verify]' "timeout = $limit" \
				"endpoints = odd=smtp://127.0.0.1:$odd_port"
			run timeout 300 "$PROGRAM" -c "$CONF"
			[[ $output != *'9 of 10 endpoints serve'* ]] || break
		done
		expect 69 "9 of 10 endpoints serve $(of_pair current); odd (127.0.0.1 port $odd_port):" "${says[$odd]}"
		kill "$odd_server"
		odd_server=
	done
}

@test "an endpoint where nobody listens is named; one that is switched off is not asked" {
	configure '[mailcow]' 'hostname = mail.example.org' '[verify]' 'endpoints = pop3=127.0.0.1:9'
	certdeploy
	expect 69 '8 of 9 endpoints serve' 'pop3 (127.0.0.1 port 9): Connection refused'
	configure '[mailcow]' 'hostname = mail.example.org' '[verify]' 'endpoints = pop3=off'
	certdeploy
	expect 0 '8 of 8 endpoints serve'
}

@test "a port that mailcow does not publish is skipped with a notice" {
	DOCKER=$BATS_TEST_TMPDIR/docker
	printf '#!/bin/bash\n%q "$@" | sed "s/[^ \t]*->110[^ ]*//"\n' "$LAB_DOCKER" >"$DOCKER"
	chmod 0755 "$DOCKER"
	ROOT=$BATS_TEST_TMPDIR/mailcow
	mkdir -p "$ROOT/data/assets"
	ln -sfn "$LAB_SSL" "$ROOT/data/assets/ssl.link"
	rm -rf "$ROOT/data/assets/ssl"
	ln -sfn "$LAB_SSL" "$ROOT/data/assets/ssl"
	set_variable POP_PORT 127.0.0.1:9
	configure '[mailcow]' 'hostname = mail.example.org'
	certdeploy
	expect 0 'pop3 (127.0.0.1 port 9) is not asked: dovecot-mailcow does not publish it' '8 of 8 endpoints serve it'
}

# --- for people ---

@test "on a terminal the steps are shown as they happen, and the table in the end" {
	put_generation "$PAIRS/new"
	TERM=xterm run script -qec "$(printf '%q ' "$PROGRAM" -c "$CONF")" /dev/null
	expect 0 "installed in $LAB_SSL" 'dovecot-mailcow: reloaded' '9 of 9 endpoints serve' 'ENDPOINT' 'imaps'
	grep -q $'\033\\[1m' <<<"$output"
	NO_COLOR=1 TERM=xterm run script -qec "$(printf '%q ' "$PROGRAM" -c "$CONF")" /dev/null
	expect 0 'nothing to do' 'ENDPOINT'
	not_said $'\033['
}
