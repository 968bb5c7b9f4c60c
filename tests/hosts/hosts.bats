#!/usr/bin/env bats
# Two hosts as an administrator has them, paired by the three commands that the README shows, and the
# units as systemd really runs them. Needs root; see the script "hosts" beside this file. On the mail host's
# network, a lab (tests/lab) of our own has certbot's tree, the Docker engine and the mail services.

load hosts.bash
load lab.bash
TREE='etc home opt root srv usr/local var/lib/mailcow-cert-push var/lib/mailcow-cert-deploy var/lib/private'

# Everything that matters of a host's files: kind, mode, owner, content, and when a file was written.
snapshot() {
	(
		cd "$(hosts root "$1")" || exit
		for dir in $TREE; do
			[ -d "$dir" ] || continue
			find "$dir" \( -type f -printf '%p %m %U:%G %T@\n' -exec sha256sum {} + \) -o -printf '%p %y %m %U:%G %l\n'
		done
	) | sort
}

# Two snapshots that are the same: whatever differs is shown.
same() { diff <(echo "$1") <(echo "$2"); }

setup_file() {
	# the lab is wanted by the last tests only
	boot
	leave_to_timers
	make_ca
	issue npm-1 60 DNS:www.example.org
	make_mailcow
}

teardown_file() {
	all_down
}

# --- what is shipped ------------------------------------------------------------------------------------

@test "the units pass systemd-analyze verify without a word" {
	for host in npm mail; do
		run hosts exec $host systemd-analyze verify --man=no mailcow-cert-push.service mailcow-cert-push.timer mailcow-cert-push.path \
			mailcow-cert-deploy.service mailcow-cert-deploy.timer mailcow-cert-deploy.path \
			mailcow-cert-push-check.service mailcow-cert-push-check.timer mailcow-cert-check.service mailcow-cert-check.timer \
			certsync-notify@x.service
		[ "$status" = 0 ]
		[ -z "$output" ]
	done
}

@test "the services are exposed to no more than is documented" {
	for which in 'npm mailcow-cert-push.service 10' 'mail mailcow-cert-deploy.service 20' \
		'npm mailcow-cert-push-check.service 10' 'mail mailcow-cert-check.service 20'; do
		# shellcheck disable=SC2086
		set -- $which
		hosts exec "$1" systemd-analyze security --no-pager --threshold="$3" "$2"
		# a threshold is something that can be missed
		run hosts exec "$1" systemd-analyze security --no-pager --threshold=5 "$2"
		[ "$status" != 0 ]
	done
}

@test "nothing is enabled by make install" {
	run npm systemctl is-enabled mailcow-cert-push.timer mailcow-cert-push.path mailcow-cert-push-check.timer
	[ "$output" = $'disabled\ndisabled\ndisabled' ]
	run mail systemctl is-enabled mailcow-cert-deploy.timer mailcow-cert-deploy.path mailcow-cert-check.timer
	[ "$output" = $'disabled\ndisabled\ndisabled' ]
}

# --- the first command ----------------------------------------------------------------------------------

@test "only root can set a host up" {
	run npm setpriv --reuid=65534 --regid=65534 --clear-groups setup-npm-host mail.example.org
	[ "$status" = 1 ]
	[ "$output" = 'setup-npm-host: this must be run as root; use sudo' ]
}

@test "a mistake on the command line is named" {
	for command in 'npm setup-npm-host mail.example.org' 'mail setup-mailcow-host'; do
		# shellcheck disable=SC2086
		run hosts exec $command --taget more
		[ "$status" = 64 ]
		[[ $output == setup-*": unknown option --taget; 'setup-"*" --help' shows how it is used" ]]
	done
}

@test "a missing certpush is told with the command that installs it" {
	undo='npm mv /usr/local/sbin/certpush.away /usr/local/sbin/certpush'
	npm mv /usr/local/sbin/certpush /usr/local/sbin/certpush.away
	run first
	[ "$status" = 1 ]
	[[ $output == *"certpush is not installed; run 'make && sudo make install'"* ]]
}

@test "a host without a certificate tree is told how to name one" {
	undo='npm mv /etc/nginx/letsencrypt.away /etc/nginx/letsencrypt'
	npm mv /etc/nginx/letsencrypt /etc/nginx/letsencrypt.away
	run first
	[ "$status" = 1 ]
	[[ $output == *'no certificate tree of Nginx Proxy Manager found here;'*'--live-dir DIR' ]]
}

@test "the tree that is mounted in the container of Nginx Proxy Manager is found" {
	undo='npm mv /srv/npm/letsencrypt /etc/nginx/letsencrypt; npm rm -r /usr/local/bin/docker /srv/npm
		npm rm -r /etc/certsync /etc/systemd/system/mailcow-cert-push.service.d /etc/systemd/system/mailcow-cert-push.path.d
		npm systemctl daemon-reload'
	npm sh -c 'mkdir /srv/npm; mv /etc/nginx/letsencrypt /srv/npm/
		printf "%s\n" "#!/bin/sh" "case \$1 in ps) echo 4711 ;; inspect) echo /srv/npm/letsencrypt; echo ;; esac" \
			>/usr/local/bin/docker; chmod 755 /usr/local/bin/docker'
	run first
	[ "$status" = 0 ]
	run npm sed -n 's/^live_dir = //p' /etc/certsync/push.conf
	[ "$output" = /srv/npm/letsencrypt/live ]
	[[ $(show npm BindReadOnlyPaths mailcow-cert-push.service) == *'/srv/npm/letsencrypt/live:'*'/srv/npm/letsencrypt/archive:'* ]]
	run npm sed -n '/^PathChanged/p' /etc/systemd/system/mailcow-cert-push.path.d/50-places.conf
	[ "$output" = $'PathChanged=\nPathChanged=/srv/npm/letsencrypt/live\nPathChanged=/srv/npm/letsencrypt/renewal' ]
}

@test "the first command with --dry-run changes nothing and says what it would do" {
	before=$(snapshot npm)
	run first --dry-run
	[ "$status" = 0 ]
	[[ $output == *'would write /etc/certsync/push.conf'* ]]
	[[ $output == *'would make the SSH key /etc/certsync/mailcow_certsync'* ]]
	same "$before" "$(snapshot npm)"
}

@test "the first command makes key and configuration and prints the second" {
	run first
	[ "$status" = 0 ]
	printed >"$BATS_FILE_TMPDIR/second"
	grep -qx "setup-mailcow-host 'ssh-ed25519 AAAA[^ ]* mailcow-cert-push'" "$BATS_FILE_TMPDIR/second"
	run npm stat -c '%U %a' /etc/certsync/mailcow_certsync
	[ "$output" = 'root 600' ]
	run npm systemctl is-enabled mailcow-cert-push.timer
	[ "$output" = disabled ]
}

@test "a key that others can read is refused, not used" {
	undo='npm chmod 600 /etc/certsync/mailcow_certsync'
	npm chmod 644 /etc/certsync/mailcow_certsync
	run first
	[ "$status" = 1 ]
	[[ $output == *'/etc/certsync/mailcow_certsync can be read by others; remove it'* ]]
}

@test "a configuration that the service could not read is told" {
	undo='npm chmod 644 /etc/certsync/push.conf; npm chmod 755 /etc/certsync'
	npm chmod 600 /etc/certsync/push.conf
	run first
	[ "$status" = 1 ]
	[[ $output == *"/etc/certsync/push.conf can be read by root only"*"run 'chmod a+rX /etc/certsync/push.conf'" ]]
	npm sh -c 'chmod a+rX /etc/certsync/push.conf; chmod 700 /etc/certsync'
	run first
	[ "$status" = 1 ]
	[[ $output == *"run 'chmod a+rX /etc/certsync'" ]]
}

# --- the second command ---------------------------------------------------------------------------------

@test "a missing mailcow tree is told" {
	run second --root /srv/nowhere
	[ "$status" = 1 ]
	[ "$output" = 'setup-mailcow-host: there is no mailcow in /srv/nowhere (no mailcow.conf); say where it is with --root DIR' ]
}

# make_key TYPE [ARGUMENT...]: prints the public key; the private one is in $BATS_TEST_TMPDIR/key.
make_key() {
	rm -f "$BATS_TEST_TMPDIR"/key*
	ssh-keygen -q -N '' -C somebody -f "$BATS_TEST_TMPDIR/key" -t "$@"
	cat "$BATS_TEST_TMPDIR/key.pub"
}

@test "a public key that is cut off or broken over two lines is refused" {
	key=$(make_key ed25519)
	for cut in "${key:0:60}" "${key:0:40} somebody" 'ssh-ed25519' "ssh-rsa ${key#* }"; do
		run mail setup-mailcow-host "$cut"
		[ "$status" = 1 ]
		[ "$output" = 'setup-mailcow-host: the public key is damaged or cut off; copy the whole command that setup-npm-host printed, quotes and all' ]
	done
	run mail setup-mailcow-host "${key:0:40}"$'\n'"${key:40}"
	[ "$status" = 1 ]
	[[ $output == *': the public key must be one line; copy the whole command'* ]]
	# shellcheck disable=SC2086 # as it comes without quotes
	run mail setup-mailcow-host $key
	[ "$status" = 1 ]
	[[ $output == *': more than one public key; quote the line'* ]]
}

@test "a private key in place of the public one is refused and not repeated" {
	for type in 'ed25519' 'ecdsa -m PEM' 'ecdsa -m PKCS8'; do
		# shellcheck disable=SC2086
		make_key $type >/dev/null
		key=$(cat "$BATS_TEST_TMPDIR/key")
		secret=$(sed -n 2p "$BATS_TEST_TMPDIR/key")
		run mail setup-mailcow-host "$key"
		[ "$status" = 1 ]
		[[ $output == 'setup-mailcow-host: this is a private key, which must not leave the NPM host'* ]]
		[[ $output != *"${secret:0:16}"* ]]
		# shellcheck disable=SC2086
		run mail setup-mailcow-host $key
		[ "$status" = 1 ]
		[[ $output == 'setup-mailcow-host: this is a private key'* ]]
	done
	# without its first line, which is easily missed
	make_key ed25519 >/dev/null
	run mail setup-mailcow-host "$(sed 1d "$BATS_TEST_TMPDIR/key")"
	[[ $output == 'setup-mailcow-host: this is a private key'* ]]
}

@test "a public key with options of its own, and what is none, is refused" {
	run mail setup-mailcow-host "command=\"sh\",no-pty $(make_key ed25519)"
	[ "$status" = 1 ]
	[[ $output == *': the public key has options of its own in front; leave them out'* ]]
	run mail setup-mailcow-host /etc/hostname
	[[ $output == *': /etc/hostname is a file; give the line that is in it, in quotes' ]]
	run mail setup-mailcow-host 'sk-ssh-ed25519@openssh.com AAAA somebody'
	[[ $output == *': certpush cannot use a key of the type sk-ssh-ed25519@openssh.com;'* ]]
	run mail setup-mailcow-host "$(make_key rsa -b 1024)"
	[[ $output == *': the public key is an RSA key of 1024 bits, which is too weak;'* ]]
	make_key ed25519 >/dev/null
	run mail setup-mailcow-host "$(ssh-keygen -e -f "$BATS_TEST_TMPDIR/key.pub")"
	[[ $output == *": this public key is not in OpenSSH's own format; convert it with 'ssh-keygen -i'"* ]]
	run mail setup-mailcow-host mail.example.org
	[ "$status" = 1 ]
	[[ $output == *': this is no public key; copy the whole command that setup-npm-host printed, quotes and all' ]]
}

@test "the second command with --dry-run changes nothing and says what it would do" {
	before=$(snapshot mail)
	run second --dry-run
	[ "$status" = 0 ]
	for what in 'make the user certsync' "write the key's line" 'write /etc/certsync/deploy.conf' \
		'enable mailcow-cert-deploy.timer' 'enable mailcow-cert-deploy.path'; do
		[[ $output == *"would $what"* ]]
	done
	same "$before" "$(snapshot mail)"
	run mail getent passwd certsync
	[ "$status" = 2 ]
}

@test "an sshd that is not running is told" {
	undo=start_sshd
	stop_sshd
	# which the unit of one release or another keeps
	mail rm -rf /run/sshd
	run second
	[ "$status" = 1 ]
	[[ $output == *'sshd does not run here; start it (systemctl start ssh), then run this again' ]]
	mail mkdir /run/sshd
	run second
	[ "$status" = 1 ]
	[[ $output == *'sshd does not answer on '*'; start it (systemctl start ssh), then run this again' ]]
}

@test "an sshd that systemd starts with the first connection is found, and told of when it does not start" {
	undo='mail rm -f /etc/ssh/sshd_config.d/broken.conf; mail systemctl stop ssh.socket; stop_sshd; start_sshd'
	stop_sshd
	mail rm -rf /run/sshd
	mail systemctl start ssh.socket
	run second --dry-run
	echo "$output"
	[ "$status" = 0 ]
	mail sh -c 'systemctl stop ssh.service 2>/dev/null; systemctl start ssh.socket; echo Nonsense yes >/etc/ssh/sshd_config.d/broken.conf'
	mail mkdir -p /run/sshd
	run second --dry-run
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"sshd does not accept its own configuration ("*"); correct it, then run this again" ]]
}

@test "an sshd that lets the key read is noticed, and the key is not authorized" {
	undo='mail rm -f /etc/ssh/sshd_config.d/loose.conf; restart_sshd'
	mail sh -c 'printf "%s\n" "Match User certsync" "ForceCommand internal-sftp -d /home/certsync/incoming" \
		>/etc/ssh/sshd_config.d/loose.conf'
	restart_sshd
	run second
	[ "$status" = 1 ]
	[[ $output == *"this host's sshd does not refuse 'read' to a key"*'the key was not authorized'* ]]
	run mail test -e /home/certsync/.ssh/authorized_keys
	[ "$status" = 1 ]
	run mail systemctl is-enabled mailcow-cert-deploy.timer
	[ "$output" = disabled ]
}

@test "an sshd that does not admit the user is told, with the setting to correct" {
	undo='mail rm -f /etc/ssh/sshd_config.d/allow.conf; restart_sshd'
	mail sh -c 'echo AllowUsers admin >/etc/ssh/sshd_config.d/allow.conf'
	restart_sshd
	run second
	[ "$status" = 1 ]
	[[ $output == *'sshd_config has allowusers admin'*'then run this again' ]]
}

@test "the second command prepares the host, proves it, and prints the third" {
	# another key of somebody else, and the line of the script that certsync replaces
	mail sh -c 'umask 077; printf "%s\n" "# kept" "ssh-ed25519 AAAAother somebody@example.org" \
		"command=\"rsync --server\",restrict ssh-ed25519 AAAAold mailcow-cert-push" \
		>/home/certsync/.ssh/authorized_keys'
	run second
	[ "$status" = 0 ]
	[[ $output == *'such a key can upload, and do nothing else'* ]]
	printed >"$BATS_FILE_TMPDIR/third"
	fingerprint=$(mail ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2)
	[ "$(cat "$BATS_FILE_TMPDIR/third")" = "setup-npm-host mail.example.org --confirm $fingerprint" ]
	run mail cat /home/certsync/.ssh/authorized_keys
	[ "${lines[0]}" = '# kept' ]
	[ "${lines[1]}" = 'ssh-ed25519 AAAAother somebody@example.org' ]
	[[ ${lines[2]} == 'restrict,command="internal-sftp -popen,write,'*' mailcow-cert-push' ]]
	[ "${#lines[@]}" = 3 ]
}

@test "the user has no password, no shell, and a home that is not his" {
	run mail getent passwd certsync
	[[ $output == *:/home/certsync:/usr/sbin/nologin ]]
	run mail getent shadow certsync
	[[ $output == 'certsync:*:'* ]]
	run mail stat -c '%n %U:%G %a' /home/certsync /home/certsync/.ssh /home/certsync/.ssh/authorized_keys \
		/home/certsync/incoming
	[ "${lines[0]}" = '/home/certsync root:certsync 750' ]
	[ "${lines[1]}" = '/home/certsync/.ssh root:certsync 750' ]
	[ "${lines[2]}" = '/home/certsync/.ssh/authorized_keys root:certsync 640' ]
	[ "${lines[3]}" = '/home/certsync/incoming certsync:certsync 700' ]
}

# --- the third command ----------------------------------------------------------------------------------

@test "a wrong fingerprint is refused and nothing is changed" {
	before=$(snapshot npm)
	run first --confirm SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
	[ "$status" = 1 ]
	[[ $output == *'shows no SSH key with the fingerprint SHA256:AAAA'*'nothing was changed' ]]
	same "$before" "$(snapshot npm)"
}

@test "a person who does not say yes changes nothing" {
	before=$(snapshot npm)
	run first --confirm <<<no
	[ "$status" = 1 ]
	[[ $output == *'not confirmed; nothing was changed' ]]
	same "$before" "$(snapshot npm)"
}

@test "a port where nobody answers is told, with the firewall to look at" {
	undo='npm mv /root/push.conf /etc/certsync/push.conf'
	npm mv /etc/certsync/push.conf /root/push.conf
	run first --port 2222 --confirm
	[ "$status" = 1 ]
	[[ $output == *'no SSH server answers at mail.example.org port 2222;'*"'ufw allow out 2222/tcp'"* ]]
}

@test "a host name that does not resolve is told" {
	undo='npm mv /root/push.conf /etc/certsync/push.conf'
	npm mv /etc/certsync/push.conf /root/push.conf
	run first --host nowhere.example.org --confirm
	[ "$status" = 1 ]
	[[ $output == *'the name nowhere.example.org cannot be resolved; correct it, or give an address with --host'* ]]
}

@test "a mailcow host that does not know the key is told with the command to run there" {
	undo='mail mv /root/keys /home/certsync/.ssh/authorized_keys; npm rm -f /etc/certsync/known_hosts'
	mail mv /home/certsync/.ssh/authorized_keys /root/keys
	run third
	[ "$status" = 1 ]
	[ "$(printed)" = "$(cat "$BATS_FILE_TMPDIR/second")" ]
	[[ $output == *'does not accept our key for the user certsync: if that host is new or was set up anew, run there'* ]]
	run npm systemctl is-enabled mailcow-cert-push.timer
	[ "$output" = disabled ]
}

@test "without a certificate that covers the mail host the timer is not enabled" {
	run third
	[ "$status" = 1 ]
	[[ $output == *'certpush cannot push yet, for the reason above (status 66)'* ]]
	run npm systemctl is-enabled mailcow-cert-push.timer
	[ "$output" = disabled ]
}

@test "the third command, run again when the certificate is there, completes the pairing" {
	issue npm-5 60 DNS:mail.example.org
	run third
	[ "$status" = 0 ]
	[[ $output == *'Paired with mail.example.org.'* ]]
	[[ ${lines[*]} == *' sudo systemctl start mailcow-cert-push.service '* ]]
	[[ $output == *'The mailcow host deploys it by itself'* ]]
	for what in is-active is-enabled; do
		npm systemctl -q $what mailcow-cert-push.timer
		npm systemctl -q $what mailcow-cert-push.path
		npm systemctl -q $what mailcow-cert-push-check.timer
		mail systemctl -q $what mailcow-cert-check.timer
		mail systemctl -q $what mailcow-cert-deploy.timer
		mail systemctl -q $what mailcow-cert-deploy.path
	done
}

@test "all three commands run again change nothing" {
	npm_before=$(snapshot npm)
	mail_before=$(snapshot mail)
	first
	second
	third
	same "$npm_before" "$(snapshot npm)"
	same "$mail_before" "$(snapshot mail)"
}

@test "the commands run from the source tree as well" {
	for host in npm mail; do
		mkdir "$(hosts root $host)/root/source"
		cp -r "$TOP/contrib" "$TOP/systemd" "$(hosts root $host)/root/source"
	done
	npm_before=$(snapshot npm)
	mail_before=$(snapshot mail)
	npm sh -c "cd /root/source && contrib/setup-npm-host mail.example.org"
	mail sh -c "cd /root/source/contrib && ./$(cat "$BATS_FILE_TMPDIR/second")"
	npm sh -c "cd / && root/source/contrib/$(cat "$BATS_FILE_TMPDIR/third")"
	same "$npm_before" "$(snapshot npm)"
	same "$mail_before" "$(snapshot mail)"
	# where only the program was installed, the rest is taken from beside the script
	undo='mail sh -c "rm /etc/sysusers.d/certsync.conf /etc/tmpfiles.d/certsync.conf
		mv /root/sysusers.conf /usr/local/lib/sysusers.d/certsync.conf
		mv /root/tmpfiles.conf /usr/local/lib/tmpfiles.d/certsync.conf"'
	mail mv /usr/local/lib/sysusers.d/certsync.conf /root/sysusers.conf
	mail mv /usr/local/lib/tmpfiles.d/certsync.conf /root/tmpfiles.conf
	mail sh -c "/root/source/contrib/$(cat "$BATS_FILE_TMPDIR/second")"
	mail cmp /root/sysusers.conf /etc/sysusers.d/certsync.conf
	mail cmp /root/tmpfiles.conf /etc/tmpfiles.d/certsync.conf
}

@test "a changed host key is replaced after a new confirmation, and only that" {
	npm sh -c 'cp -p /etc/certsync/known_hosts /root/known_hosts
		echo "other.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEz1XvKdAHtVzHbGl5zuFVMUWvJvsAlHHwKMyMQR0dJw" \
			>/etc/certsync/known_hosts
		echo "mail.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEz1XvKdAHtVzHbGl5zuFVMUWvJvsAlHHwKMyMQR0dJw" \
			>>/etc/certsync/known_hosts'
	run third
	[ "$status" = 0 ]
	[[ $output == *'replace the key of mail.example.org in /etc/certsync/known_hosts'* ]]
	run npm cat /etc/certsync/known_hosts
	[[ ${lines[0]} == 'other.example.org '* ]]
	[ "${lines[1]}" = "$(npm cat /root/known_hosts)" ]
	[ "${#lines[@]}" = 2 ]
}

@test "an edited configuration is kept, and an argument that contradicts it is refused" {
	undo='npm cp -p /root/push.conf /etc/certsync/push.conf; mail cp -p /root/deploy.conf /etc/certsync/deploy.conf'
	npm cp -p /etc/certsync/push.conf /root/push.conf
	mail cp -p /etc/certsync/deploy.conf /root/deploy.conf
	npm sh -c 'printf "\n[limits]\nrun_timeout = 90s ; slow line\n" >>/etc/certsync/push.conf'
	mail sh -c 'printf "\n[state]\ndir = /var/lib/mailcow-cert-deploy\n" >>/etc/certsync/deploy.conf'
	sums="$(npm sha256sum /etc/certsync/push.conf) $(mail sha256sum /etc/certsync/deploy.conf)"
	third
	second
	[ "$(npm sha256sum /etc/certsync/push.conf) $(mail sha256sum /etc/certsync/deploy.conf)" = "$sums" ]
	run npm setup-npm-host other.example.org
	[ "$status" = 1 ]
	[[ $output == *'says hostname = mail.example.org, not other.example.org; correct it there in section [source]'* ]]
}

@test "the pairing works by an IPv6 address and another port" {
	undo='npm sh -c "rm -r /etc/certsync; mv /root/certsync /etc/certsync"
		mail rm -f /etc/ssh/sshd_config.d/port.conf; restart_sshd; second >/dev/null'
	npm mv /etc/certsync /root/certsync
	mail sh -c 'printf "%s\n" "Port 2222" "ListenAddress ::" >/etc/ssh/sshd_config.d/port.conf'
	restart_sshd
	run first --host 2001:db8::20 --port 2222
	[ "$status" = 0 ]
	run mail sh -c "$(printed)"
	[ "$status" = 0 ]
	[[ $output == *'proved on ::1 port 2222: '* ]]
	run npm sh -c "$(printed)"
	[ "$status" = 0 ]
	run npm cut -d' ' -f1 /etc/certsync/known_hosts
	[ "$output" = '[2001:db8::20]:2222' ]
	npm certpush
	mail sh -c 'test -e /home/certsync/incoming/*/fullchain.pem && rm -r /home/certsync/incoming/*'
	npm rm /var/lib/mailcow-cert-push/last_fp
}

# --- the timers and the services --------------------------------------------------------------------------

@test "the timers have the schedule of the documentation" {
	run npm systemctl cat mailcow-cert-push.timer
	[[ $output == *'OnCalendar=*-*-* 03,15:00:00'* ]]
	[ "$(show npm RandomizedDelayUSec mailcow-cert-push.timer)" = 5min ]
	[ "$(show npm Persistent mailcow-cert-push.timer)" = yes ]
	[[ $(show npm TimersCalendar mailcow-cert-push.timer) == *'OnCalendar=*-*-* 03,15:00:00 '* ]]
	[ "$(show mail RandomizedDelayUSec mailcow-cert-deploy.timer)" = 3min ]
	[ "$(show mail Persistent mailcow-cert-deploy.timer)" = yes ]
	[[ $(show mail TimersCalendar mailcow-cert-deploy.timer) == *'OnCalendar=*-*-* 03,15:15:00 '* ]]
	run mail systemctl list-timers --full --no-pager '*cert*'
	[[ $output == *' mailcow-cert-deploy.timer '*'mailcow-cert-deploy.service'* ]]
	run npm systemctl list-timers --full --no-pager '*cert*'
	[[ $output =~ \ (03|15):0[0-5]:[0-9][0-9]\ .*\ mailcow-cert-push.timer ]]
}

@test "the push service pushes a generation, and the journal and the status tell" {
	npm systemctl start mailcow-cert-push.service
	run mail ls -A /home/certsync/incoming
	[[ $output =~ ^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}$ ]]
	generation=$output
	run mail sh -c "cd /home/certsync/incoming/$generation && stat -c '%n %U %a' . *"
	[ "${lines[0]}" = '. certsync 700' ]
	[ "${lines[1]}" = 'fullchain.pem certsync 600' ]
	[ "${lines[2]}" = 'privkey.pem certsync 600' ]
	npm journalctl --sync
	run npm journalctl -q -o cat -u mailcow-cert-push.service
	[[ $output == *"$generation"* ]]
	[ -n "$(show npm StatusText mailcow-cert-push.service)" ]
}

@test "the next push finds nothing to do" {
	npm systemctl start mailcow-cert-push.service
	npm journalctl --sync
	run npm journalctl -q -o cat -u mailcow-cert-push.service
	[[ $output == *'nothing to do'* ]]
	run mail ls -A /home/certsync/incoming
	[ "${#lines[@]}" = 1 ]
}

@test "the pushing key can neither read back, nor list, nor get a shell" {
	file=$(mail sh -c 'ls -d /home/certsync/incoming/*/privkey.pem')
	ssh="-F none -i /etc/certsync/mailcow_certsync -o BatchMode=yes -o UserKnownHostsFile=/etc/certsync/known_hosts"
	for batch in "get $file /tmp/stolen" "ls /home/certsync/incoming" "rm $file"; do
		run npm sh -c "echo '$batch' | sftp $ssh -b - certsync@mail.example.org"
		[ "$status" != 0 ]
	done
	run npm sh -c "scp $ssh certsync@mail.example.org:$file /tmp/stolen"
	[ "$status" != 0 ]
	run npm sh -c "scp -O $ssh certsync@mail.example.org:$file /tmp/stolen"
	[ "$status" != 0 ]
	run npm test -e /tmp/stolen
	[ "$status" = 1 ]
	run npm sh -c "ssh $ssh certsync@mail.example.org id"
	[[ $output != *uid=* ]]
	mail test -e "$file"
	# with the same key and another sshd configuration it could: what was refused above was refused by the line
	undo='mail rm -f /etc/ssh/sshd_config.d/loose.conf; restart_sshd; npm rm -f /tmp/stolen'
	mail sh -c 'printf "%s\n" "Match User certsync" "ForceCommand internal-sftp" >/etc/ssh/sshd_config.d/loose.conf'
	restart_sshd
	npm sh -c "echo 'get $file /tmp/stolen' | sftp $ssh -b - certsync@mail.example.org"
	npm test -s /tmp/stolen
}

@test "a new public key replaces our line and no other" {
	undo='second >/dev/null'
	npm sh -c 'rm -f /root/new*; ssh-keygen -q -t ed25519 -N "" -C x -f /root/new'
	key=$(npm cut -d' ' -f1,2 /root/new.pub)
	run mail setup-mailcow-host "$key"
	[ "$status" = 0 ]
	run mail cat /home/certsync/.ssh/authorized_keys
	[ "${lines[1]}" = 'ssh-ed25519 AAAAother somebody@example.org' ]
	[[ ${lines[2]} == *" $key mailcow-cert-push" ]]
	[ "${#lines[@]}" = 3 ]
}

@test "a key of another type that certpush can use is taken" {
	undo='second >/dev/null; npm mv /root/identity /etc/certsync/mailcow_certsync'
	npm mv /etc/certsync/mailcow_certsync /root/identity
	for type in 'ecdsa -b 384' 'ecdsa -b 521'; do
		# shellcheck disable=SC2086
		mail setup-mailcow-host --dry-run "$(make_key $type)"
	done
	for type in 'ecdsa -b 256' 'rsa -b 3072'; do
		# shellcheck disable=SC2086
		key=$(make_key $type)
		install -m 600 "$BATS_TEST_TMPDIR/key" "$(hosts root npm)/etc/certsync/mailcow_certsync"
		run mail setup-mailcow-host "  $key"$'\r'
		[ "$status" = 0 ]
		case $type in rsa*) [[ $output == *'the NPM host needs libssh2 1.11 or newer'* ]] ;; esac
		run first
		if [ "$status" != 0 ]; then
			# only RSA with a library that cannot sign with it as servers want it
			[[ $type == rsa* ]]
			[[ $output == *'is an RSA key, and libssh2 1.10'* ]]
		fi
	done
}

@test "keys work for the locked account without PAM too" {
	undo='mail rm -f /etc/ssh/sshd_config.d/nopam.conf; restart_sshd'
	mail sh -c 'echo UsePAM no >/etc/ssh/sshd_config.d/nopam.conf'
	restart_sshd
	run second
	[ "$status" = 0 ]
}

# --- a mailcow host that was set up anew ---------------------------------------------------------------------

generations() { mail ls -A /home/certsync/incoming; }

@test "a rebuilt mailcow host is told as such, paired by the same commands, and pushed to again" {
	npm systemctl start mailcow-cert-push.service
	mail sh -euc 'systemctl -q disable --now mailcow-cert-deploy.timer mailcow-cert-deploy.path
		userdel certsync
		rm -r /home/certsync /etc/certsync /etc/ssh/ssh_host_*
		ssh-keygen -A >/dev/null
		systemctl restart ssh'
	run first
	[ "$status" = 1 ]
	shown=$(mail ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2)
	[[ ${lines[*]} == *'setup-npm-host: mail.example.org port 22 shows another SSH key ('*"$shown"*') than the one in /etc/certsync/known_hosts: if that host is new or was set up anew, run there '* ]]
	[ "$(printed)" = "$(cat "$BATS_FILE_TMPDIR/second")" ]
	# the fingerprint of the one that is gone
	run third
	[ "$status" = 1 ]
	[[ $output == *'shows no SSH key with the fingerprint '*'nothing was changed' ]]
	run second
	[ "$status" = 0 ]
	printed >"$BATS_FILE_TMPDIR/third"
	grep -qF -- "$shown" "$BATS_FILE_TMPDIR/third"
	run third
	[ "$status" = 0 ]
	[[ $output == *'remove /var/lib/mailcow-cert-push/last_fp: the next run of mailcow-cert-push.service pushes again'* ]]
	[ -z "$(generations)" ]
	npm systemctl start mailcow-cert-push.service
	[ "$(generations | wc -l)" = 1 ]
	# and that is all
	run third
	[ "$status" = 0 ]
	[[ $output != *last_fp* ]]
}

@test "a rebuilt mailcow host that was given its old SSH keys is pushed to again as well" {
	mail sh -c 'rm -r /home/certsync; userdel certsync'
	run first
	[ "$status" = 1 ]
	[[ $output == *'does not accept our key for the user certsync: if that host is new or was set up anew, run there'* ]]
	[ "$(printed)" = "$(cat "$BATS_FILE_TMPDIR/second")" ]
	second
	third
	[ -z "$(generations)" ]
	npm systemctl start mailcow-cert-push.service
	[ "$(generations | wc -l)" = 1 ]
}

@test "a pinned host key that is not the host's any more is told in the same way" {
	undo='npm mv /root/push.conf /etc/certsync/push.conf'
	npm cp -p /etc/certsync/push.conf /root/push.conf
	npm sh -c "echo 'host_key = $(mail ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2)' >>/etc/certsync/push.conf"
	run first
	[ "$status" = 0 ]
	npm sed -i 's|^host_key = .*|host_key = SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA|' /etc/certsync/push.conf
	run first
	[ "$status" = 1 ]
	[[ $output == *'shows another SSH key ('*') than host_key in /etc/certsync/push.conf: if that host is new'* ]]
	[ "$(printed)" = "$(cat "$BATS_FILE_TMPDIR/second")" ]
}

# --- what the services do when a run fails -------------------------------------------------------------------

# play HOST UNIT COMMAND SETTINGS: let the service run another command; it is unplayed afterwards.
play() {
	undo="unplay $1 $2"
	hosts exec "$1" sh -euc 'dir=/run/systemd/system/$1.d
		mkdir -p $dir
		printf "[Service]\nExecStart=\nExecStart=%s\n%s\nBindReadOnlyPaths=/usr/bin /bin\n" "$2" "$3" >$dir/test.conf
		systemctl daemon-reload
		systemctl reset-failed $1 2>/dev/null || :' sh "$2" "$3" "${4:-}"
}

unplay() {
	hosts exec "$1" sh -euc 'rm -r /run/systemd/system/$1.d; systemctl daemon-reload; systemctl reset-failed $1' sh "$2"
}

runs() {
	hosts exec "$1" journalctl --sync
	hosts exec "$1" journalctl -q -o cat --since "@$3" "_SYSTEMD_UNIT=$2" | grep -c '^ran$'
}

failed_for_good() { [ "$(show "$1" ActiveState "$2")/$(show "$1" SubState "$2")" = failed/failed ]; }

@test "a failure that passes (75) is tried again, as often as the limit permits" {
	for where in 'npm mailcow-cert-push.service' 'mail mailcow-cert-deploy.service'; do
		# shellcheck disable=SC2086
		set -- $where
		since=$(date +%s)
		play "$1" "$2" "/bin/sh -c 'echo ran; exit 75'" RestartSec=50ms
		run hosts exec "$1" systemctl start "$2"
		[ "$status" != 0 ]
		await failed_for_good "$1" "$2"
		[ "$(show "$1" Result "$2")" = exit-code ]
		echo "$1: $(runs "$1" "$2" "$since") of $(show "$1" StartLimitBurst "$2") runs"
		[ "$(runs "$1" "$2" "$since")" = "$(show "$1" StartLimitBurst "$2")" ]
		unplay "$1" "$2"
		undo=
	done
}

@test "the pauses and the limit fit together, so that the limit is reached" {
	for where in 'npm mailcow-cert-push.service' 'mail mailcow-cert-deploy.service'; do
		# shellcheck disable=SC2086
		set -- $where
		file=$(hosts root "$1")/usr/local/lib/systemd/system/$2
		seconds() { hosts exec "$1" systemd-analyze timespan "$(sed -n "s/^$2=//p" "$3")" | sed -n 's/.*μs: //p'; }
		pause=$(seconds "$1" RestartSec "$file")
		longest=$(seconds "$1" TimeoutStartSec "$file")
		interval=$(seconds "$1" StartLimitIntervalSec "$file")
		burst=$(sed -n 's/^StartLimitBurst=//p' "$file")
		[ "$pause" -gt 0 ]
		[ $((burst * (pause + longest))) -lt "$interval" ]
		# Whatever the path unit is made to do, some starts are left: it may have begun to count at another moment.
		file=${file%.service}.path
		[ "$(seconds "$1" TriggerLimitIntervalSec "$file")" = "$interval" ]
		[ $((2 * $(sed -n 's/^TriggerLimitBurst=//p' "$file") - 1)) -lt "$burst" ]
	done
}

@test "no other failure is tried again" {
	for command in 'exit 1' 'exit 64' 'exit 65' 'exit 66' 'exit 69' 'exit 70' 'exit 71' 'exit 73' 'exit 74' 'exit 76' \
		'exit 77' 'exit 78' 'exit 127' 'kill -KILL $$$$' 'kill -TERM $$$$' 'kill -SEGV $$$$'; do
		# a pause so long that a restart would be seen waiting
		play npm mailcow-cert-push.service "/bin/sh -c '$command'" RestartSec=1h
		run npm systemctl start mailcow-cert-push.service
		[ "$status" != 0 ]
		echo "$command: $(show npm SubState mailcow-cert-push.service)"
		failed_for_good npm mailcow-cert-push.service
	done
	play npm mailcow-cert-push.service /nowhere/certpush RestartSec=1h
	run npm systemctl start mailcow-cert-push.service
	failed_for_good npm mailcow-cert-push.service
	play npm mailcow-cert-push.service '/bin/sleep 60' 'RestartSec=1h
TimeoutStartSec=100ms'
	run npm systemctl start mailcow-cert-push.service
	failed_for_good npm mailcow-cert-push.service
	[ "$(show npm Result mailcow-cert-push.service)" = timeout ]
}

# --- what the services may touch ----------------------------------------------------------------------------

# The deploy service runs COMMAND in its sandbox.
as_deploy() {
	play mail mailcow-cert-deploy.service "/bin/sh -c '$1'"
	mail systemctl start mailcow-cert-deploy.service
}

@test "the deploy service writes mailcow's certificates and its state, empties staging, and nothing else" {
	mail sh -c 'mkdir -p /home/somebody; install -d -o certsync -m 700 /home/certsync/incoming/used'
	as_deploy 'cd /opt/mailcow-dockerized/data/assets/ssl && touch new && mv new new2 && rm new2'
	as_deploy 'touch /var/lib/mailcow-cert-deploy/x && rm /var/lib/mailcow-cert-deploy/x'
	as_deploy 'rmdir /home/certsync/incoming/used'
	as_deploy '! touch /opt/mailcow-dockerized/data/x && ! touch /etc/x && ! touch /usr/x && ! touch /var/lib/x'
	as_deploy '! test -e /home/somebody'
	run mail stat -L -c '%U %a' /var/lib/private /var/lib/mailcow-cert-deploy/..
	[ "$output" = $'root 700\nroot 700' ]
	run mail stat -L -c '%a' /var/lib/mailcow-cert-deploy
	[ "$output" = 700 ]
}

@test "a mailcow elsewhere is writable for the service after setup-mailcow-host --root" {
	undo='unplay mail mailcow-cert-deploy.service
		mail sh -c "rm -r /srv/mailcow /home/mailcow /etc/systemd/system/mailcow-cert-deploy.service.d
			mv /root/deploy.conf /etc/certsync/deploy.conf"; second >/dev/null'
	for root in /srv/mailcow /home/mailcow; do
		mail sh -c "cp -a /opt/mailcow-dockerized $root; mv /etc/certsync/deploy.conf /root/deploy.conf"
		run second --root $root
		[ "$status" = 0 ]
		restore=$undo
		as_deploy "touch $root/data/assets/ssl/new && ! touch $root/new"
		undo=$restore
		run mail test -e $root/data/assets/ssl/new
		[ "$status" = 0 ]
		if [ $root = /srv/mailcow ]; then mail mv /root/deploy.conf /etc/certsync/deploy.conf; fi
	done
}

# The push service runs COMMAND as each of its two does: "!" is the one that opens what is root's.
as_push() {
	play npm mailcow-cert-push.service "${2:-}/bin/sh -c '$1'" "${3:-}"
	npm systemctl start mailcow-cert-push.service
}

@test "the push service writes its state and nothing else" {
	as_push 'touch /var/lib/mailcow-cert-push/x && rm /var/lib/mailcow-cert-push/x'
	for who in '' '!'; do
		as_push '! touch /etc/x && ! touch /x && ! touch /var/x && ! touch /usr/lib/x && ! touch /etc/certsync/x && \
! touch /etc/nginx/letsencrypt/archive/npm-5/x' "$who"
	done
	run npm sh -c 'ls -d /var/lib/private/mailcow-cert-push/* | xargs -n1 basename'
	[ "$output" = last_fp ]
}

@test "the push service that talks to the network can read no secret, not even one that it is shown" {
	others='/etc/shadow /etc/ssh/ssh_host_ed25519_key /root/ca.key'
	ours="/etc/certsync/mailcow_certsync /etc/nginx/letsencrypt/archive/npm-5/privkey1.pem"
	ours+=" /etc/nginx/letsencrypt/live/npm-1/privkey.pem"
	shown='BindReadOnlyPaths=/etc/shadow /etc/ssh /root'
	as_push "test \$\$(id -u) != 0 && for file in $others $ours; do ! cat \$\$file || exit; done" '' "$shown"
	# the other one can, being root; but it is not shown them, and has nothing of root but its files
	as_push "cat $others $ours >/dev/null" '!' "$shown"
	as_push "cat $ours >/dev/null && for file in $others; do ! test -e \$\$file || exit; done" '!'
	for who in '' '!'; do
		as_push "test \$\$(grep -c ^Cap.*:.0000000000000000 /proc/self/status) = 5" "$who"
	done
}

@test "certificates of another user, and in a home directory, are pushed as well" {
	undo='npm sh -c "chown -R 0:0 /home/npm/letsencrypt; mv /home/npm/letsencrypt /etc/nginx/; rm -r /home/npm
		mv /root/push.conf /etc/certsync/; rm -r /etc/systemd/system/mailcow-cert-push.service.d
		rm -r /etc/systemd/system/mailcow-cert-push.path.d; systemctl daemon-reload"'
	npm sh -euc 'mkdir /home/npm; cp -p /etc/certsync/push.conf /root/push.conf
		mv /etc/nginx/letsencrypt /home/npm/; chown -R 4711:4711 /home/npm/letsencrypt
		sed -i "s|^live_dir = .*|live_dir = /home/npm/letsencrypt/live|" /etc/certsync/push.conf
		rm /var/lib/mailcow-cert-push/last_fp'
	run npm systemctl start mailcow-cert-push.service
	[ "$(show npm ExecMainStatus mailcow-cert-push.service)" = 66 ]
	run third
	[ "$status" = 0 ]
	before=$(generations | wc -l)
	npm systemctl start mailcow-cert-push.service
	[ "$(generations | wc -l)" -gt "$before" ]
}

@test "runs by hand and of the service work on the same state" {
	last() { npm stat -c '%U:%G' /var/lib/private/mailcow-cert-push /var/lib/mailcow-cert-push/last_fp | sort -u | wc -l; }
	npm certpush --force
	[ "$(last)" = 1 ]
	npm rm /var/lib/mailcow-cert-push/last_fp
	npm systemctl start mailcow-cert-push.service
	[ "$(last)" = 1 ]
	run npm certpush --dry-run
	[[ $output == *'nothing to do'* ]]
	npm sh -c 'umask 077; mv /var/lib/mailcow-cert-push/last_fp /root/; cat /root/last_fp >/var/lib/mailcow-cert-push/.last_fp.new'
	npm systemctl start mailcow-cert-push.service
	run npm certpush --dry-run
	[[ $output == *'nothing to do'* ]]
	[ "$(last)" = 1 ]
}

@test "the drop box of a host that was rebuilt without it comes back at boot" {
	mail rm -r /home/certsync/incoming
	# what systemd-tmpfiles-setup.service runs, which cannot be started by hand
	mail systemd-tmpfiles --create
	run mail stat -c '%U:%G %a' /home/certsync/incoming
	[ "$output" = 'certsync:certsync 700' ]
}

@test "the user of a host that was rebuilt without it comes back with systemd-sysusers" {
	mail userdel certsync
	# what the service runs, which Debian 13 starts only after an update
	mail systemd-sysusers
	run mail getent passwd certsync
	[[ $output == *:/home/certsync:/usr/sbin/nologin ]]
}

# --- the whole way ------------------------------------------------------------------------------------------------

# record HOST UNIT OUTCOME: what the unit last wrote to the journal about it, as one JSON object.
record() {
	hosts exec "$1" journalctl --sync
	hosts exec "$1" journalctl -q -o json -u "$2" -n 1 "CERTSYNC_OUTCOME=$3" | jq -ce .
}

message_id() { sed -n "s/^\tX($1,.*\"\([0-9a-f]\{32\}\)\".*/\1/p" "$TOP/include/certsync/outcome_table.h"; }

# deploys FINGERPRINT: the push and the deploy service run, and all nine endpoints serve that certificate.
deploys() {
	npm systemctl start mailcow-cert-push.service
	mail systemctl start mailcow-cert-deploy.service
	await served_everywhere "$1"
}

@test "what certbot issued is pushed and deployed into real mail services, all in the services' sandboxes" {
	lab_is_up
	npm sed -i 's|^live_dir = .*|live_dir = /mnt/lab/npm/letsencrypt/live|' /etc/certsync/push.conf
	first
	mail sh -euc 'rm -rf /etc/certsync/deploy.conf /home/certsync/incoming/*'
	second --root /mnt/lab/mailcow
	cp "$(command -v /usr/bin/docker || command -v docker)" "$(hosts root mail)/usr/bin/docker"
	# The lab's endpoints are on the loopback of the machine around: the mail host has one of its own.
	mail sh -euc 'printf "%s\n" "[staging]" "ca_file = /mnt/lab/acme/root.pem" "[verify]" "verify = off" \
			>>/etc/certsync/deploy.conf
		dir=/etc/systemd/system/mailcow-cert-deploy.service.d
		mkdir -p $dir
		printf "%s\n" "[Service]" "Environment=DOCKER_HOST=unix:///mnt/lab/engine/docker.sock" >$dir/docker.conf
		systemctl daemon-reload'
	fingerprint=$(source_fingerprint)
	run served_everywhere "$fingerprint"
	[ "$status" = 1 ]
	deploys "$fingerprint"
	mail journalctl --sync
	run mail journalctl -q -o cat -u mailcow-cert-deploy.service
	for service in postfix-mailcow dovecot-mailcow nginx-mailcow; do
		[[ $output == *"$service: reloaded"* ]]
	done
	[ "$(stat -c '%U %a' "$LAB/mailcow/data/assets/ssl/key.pem")" = 'root 600' ]
	# the key lies around nowhere else
	[ -z "$(generations)" ]
}

@test "the journal's records of both programs have their fields" {
	fingerprint=$(source_fingerprint)
	for which in 'npm mailcow-cert-push.service PUSHED' 'mail mailcow-cert-deploy.service DEPLOYED'; do
		# shellcheck disable=SC2086
		set -- $which
		run record "$1" "$2" "$3"
		echo "$output"
		[ "$status" = 0 ]
		[ "$(jq -r .MESSAGE_ID <<<"$output")" = "$(message_id "$3")" ]
		[ "$(jq -r .PRIORITY <<<"$output")" = 5 ]
		[ "$(jq -r .CERTSYNC_FINGERPRINT <<<"$output")" = "$fingerprint" ]
		[ "$(jq -r .CERTSYNC_HOST <<<"$output")" = mail.example.org ]
		[[ $(jq -r .CERTSYNC_NOT_AFTER <<<"$output") == 20??-??-??T* ]]
		[[ $(jq -r .MESSAGE <<<"$output") == "${3,,} $fingerprint "* ]]
	done
}

@test "systemctl status tells the last result in words" {
	fingerprint=$(source_fingerprint)
	run npm systemctl status --no-pager mailcow-cert-push.service
	[[ $output == *"Status: \"pushed $fingerprint to mail.example.org as "* ]]
	run mail systemctl status --no-pager mailcow-cert-deploy.service
	[[ $output == *"Status: \"deployed $fingerprint for mail.example.org\""* ]]
	npm systemctl start mailcow-cert-push.service
	mail systemctl start mailcow-cert-deploy.service
	run npm systemctl status --no-pager mailcow-cert-push.service
	[[ $output == *'Status: "nothing to do: '* ]]
	run mail systemctl status --no-pager mailcow-cert-deploy.service
	[[ $output == *'Status: "nothing to do: '* ]]
}

@test "a renewal by certbot arrives by the same two services" {
	before=$(source_fingerprint)
	lab renew
	[ "$(source_fingerprint)" != "$before" ]
	deploys "$(source_fingerprint)"
}

@test "a failed run says in the status and in the journal what is to be done" {
	undo='mail sh -c "rm /run/systemd/system/mailcow-cert-deploy.service.d/no-docker.conf; systemctl daemon-reload"'
	mail sh -euc 'dir=/run/systemd/system/mailcow-cert-deploy.service.d
		mkdir -p $dir
		printf "%s\n" "[Service]" "Environment=DOCKER_HOST=unix:///nowhere" >$dir/no-docker.conf
		systemctl daemon-reload'
	lab renew
	npm systemctl start mailcow-cert-push.service
	run mail systemctl start mailcow-cert-deploy.service
	[ "$status" != 0 ]
	[ "$(show mail ExecMainStatus mailcow-cert-deploy.service)" = 69 ]
	run mail systemctl status --no-pager mailcow-cert-deploy.service
	[[ $output == *'Status: "the certificate is installed, but no service was reloaded"'* ]]
	run record mail mailcow-cert-deploy.service DOCKER_FAILED
	[ "$status" = 0 ]
	[ "$(jq -r .PRIORITY <<<"$output")" = 3 ]
	[ -n "$(jq -r '.CERTSYNC_ADVICE // empty' <<<"$output")" ]
	eval "$undo"
	undo=
	# the next run completes it
	mail systemctl start mailcow-cert-deploy.service
	await served_everywhere "$(source_fingerprint)"
}

# --- what is to be typed ---------------------------------------------------------------------------------------

# The commands of the documentation, each once, in its order, with this mailcow's and this tree's places, and what the
# commands before printed in the place of what is left out there. Those of other tests are left to them.
try_commands() {
	local host line command output status print='' bad=0
	while read -r host line <&9; do
		case "$host $line" in
		here* | *standby* | *'apt install'* | *ufw* | *certsync-notify*) continue ;;
		esac
		command=${line//\/etc\/nginx\/letsencrypt/\/mnt\/lab\/npm\/letsencrypt}
		command=${command//ssh-ed25519 AAAA.../$(npm cut -d' ' -f1,2 /etc/certsync/mailcow_certsync.pub)}
		command=${command//SHA256:.../$print}
		before "$command"
		status=0
		case $command in
		*'docker compose'*) output=$(in_mailcow "$command") || status=$? ;;
		*)
			command=${command//\/opt\/mailcow-dockerized/\/mnt\/lab\/mailcow}
			output=$(hosts exec "$host" bash -o pipefail -c "$command" 2>&1 </dev/null) || status=$?
			;;
		esac
		printf '%s: %s\n%s\n' "$host" "$command" "$(tail -n 30 <<<"$output")"
		[ "$status" = 0 ] || { echo "it ended with $status"; bad=1; }
		case $command in setup-mailcow-host*) print=$(printed | sed 's/.*--confirm //') ;; esac
		did "$command" || { echo 'it did something else'; bad=1; }
		typed "$host" "$line"
	done 9< <(documented)
	[ "$bad" = 0 ]
}

# What a command is for.
before() {
	case $1 in
	*'compose restart'*) started_before=$(started) ;;
	*'compose up'*) lab_docker stop -t 1 "$(container postfix)" >/dev/null ;;
	pkill*) mail systemd-run -q --uid=certsync sleep infinity ;;
	esac
}

# Whether it did what its page says of it.
did() {
	case $1 in
	*'-fingerprint'*) [ "$(sed -n 's/.*Fingerprint=//p' <<<"$output")" = "$(source_fingerprint)" ] ;;
	*'openssl sha256'*) [ "$(uniq <<<"$output" | wc -l)" = 1 ] ;;
	'certdeploy tlsa') [[ $output == *" IN TLSA 3 1 1 $(tlsa)"* ]] ;;
	*--json) [[ $output == *"\"$(tlsa)\""* ]] ;;
	cert*check) [[ $output == CERT*\ OK\ -\ * ]] ;;
	cert*' -n' | cert*--dry-run) [[ $output == *'nothing to do'* ]] ;;
	*list-timers*) [[ $output == *mailcow-cert-*.timer* ]] ;;
	'journalctl -x') [[ $output == *'Defined-By: certsync'* ]] ;;
	'journalctl -o verbose') [[ $output == *CERTSYNC_ADVICE=* ]] ;;
	'journalctl -'*' mailcow-cert-'*) [[ $output == *'nothing to do'* ]] ;;
	'systemd-analyze security'*) [[ $output =~ 'Overall exposure level for mailcow-cert-'(push|deploy)'.service: '[01]\.[0-9]' ' ]] ;;
	*'compose restart'*) [ "$(started)" != "$started_before" ] && await served_everywhere "$(source_fingerprint)" ;;
	*'compose up'*) await served_everywhere "$(source_fingerprint)" ;;
	*'compose ps') [ "$(grep -cE '(postfix|dovecot|nginx)-mailcow.* Up ' <<<"$output")" = 3 ] ;;
	pkill*) await gone certsync ;;
	esac
}

tlsa() {
	openssl x509 -in "$LAB/npm/letsencrypt/live/npm-5/cert.pem" -noout -pubkey |
		openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1
}

lab_docker() { DOCKER_HOST=unix://$LAB/engine/docker.sock docker "$@"; }
container() { lab_docker ps -q -f "label=com.docker.compose.service=$1-mailcow"; }
started() { lab_docker inspect -f '{{.State.StartedAt}}' "$(container dovecot)"; }
gone() { ! mail pgrep -u "$1" >/dev/null; }

# Compose sees the lab's mailcow where the engine does. Like mailcow's own scripts, we take docker-compose where that is
# what the distribution has.
in_mailcow() {
	local command=${1//\/opt\/mailcow-dockerized/$LAB/mailcow}
	docker compose version >/dev/null 2>&1 || command=${command//docker compose/docker-compose}
	(cd "$LAB/mailcow" && DOCKER_HOST=unix://$LAB/engine/docker.sock bash -c "$command" 2>&1 </dev/null)
}

# The lab has started its containers without Compose: make them anew with it. YAML takes JSON.
have_composed() {
	local ids
	ids=$(lab_docker ps -q)
	# shellcheck disable=SC2086 # a list
	lab_docker inspect $ids | jq '{ version: "2.4", services: map({
		key: .Config.Labels["com.docker.compose.service"],
		value: {
			image: .Config.Image, command: .Config.Cmd, hostname: .Config.Hostname, environment: .Config.Env,
			volumes: .HostConfig.Binds, network_mode: "bridge", restart: "always", stop_grace_period: "1s",
			ports: (.HostConfig.PortBindings | to_entries | map("\(.value[0].HostIp):\(.value[0].HostPort):\(.key)"))
		} }) | from_entries }' >"$LAB/mailcow/docker-compose.yml"
	# shellcheck disable=SC2086 # a list
	lab_docker rm -f $ids
	in_mailcow 'docker compose up -d'
	await served_everywhere "$(source_fingerprint)"
}

@test "each command of the README and of the handbook does what they say" {
	undo='mail systemctl stop imaps; mail rm -f /run/docker.sock; npm systemctl reset-failed mailcow-cert-push.service
		mail systemctl reset-failed mailcow-cert-deploy.service'
	npm systemctl reset-failed mailcow-cert-push.service
	mail systemctl reset-failed mailcow-cert-deploy.service
	deploys "$(source_fingerprint)"
	have_composed
	# for who runs certdeploy by hand
	mail ln -s /mnt/lab/engine/docker.sock /run/docker.sock
	# Dovecot is on another port here.
	serve_imaps
	try_commands
}

serve_imaps() {
	mail systemd-run -q --unit=imaps openssl s_server -quiet -accept 993 -cert /mnt/lab/mailcow/data/assets/ssl/cert.pem \
		-key /mnt/lab/mailcow/data/assets/ssl/key.pem
	await npm openssl s_client -connect mail.example.org:993 </dev/null
}

@test "through firewalls that let nothing out or in, the documented rules let a push and its check" {
	undo='mail systemctl stop imaps; npm ufw --force reset; mail ufw --force reset'
	serve_imaps
	npm sh -c 'ufw default reject outgoing; ufw --force enable'
	# what Docker does for mailcow's own ports
	mail sh -c 'ufw default reject incoming; ufw allow 993/tcp; ufw --force enable'
	local host command rules
	rules=$(documented ufw)
	[ "$(wc -l <<<"$rules")" = 2 ]
	while read -r host command <&9; do
		# one is not enough
		run npm certpush --force
		[ "$status" = 75 ]
		hosts exec "$host" sh -c "${command/192.0.2.5/192.0.2.10}"
		typed "$host" "$command"
	done 9<<<"$rules"
	npm certpush --force
	# which has nothing against a port that cannot be asked
	run npm certpush check
	echo "$output"
	[[ ${lines[0]} == 'CERTPUSH OK - '*', served by mail.example.org:993 '* ]]
}

# in_place_of HOST COMMAND: here, where /usr/local is that of the host
in_place_of() {
	# shellcheck disable=SC2016
	TOP=$TOP CERTSYNC_TYPED=${CERTSYNC_TYPED-} unshare --mount bash -euc '. "$TOP/tests/e2e/common.bash"
		mount --bind "$1/usr/local" /usr/local
		here "$2" "$3"' bash "$(hosts root "$1")" "$BATS_RUN_TMPDIR/build" "$2"
}

installed() { (cd "$(hosts root "$1")/usr/local" && find . -type f | sort); }

@test "what was installed from the sources is taken away and installed again as the README has it" {
	local host command disable before
	disable=$(documented 'here systemctl disable')
	for host in npm mail; do
		hosts exec $host bash -c "${disable#here }"
		run hosts exec $host systemctl list-unit-files --no-legend --state=enabled 'mailcow-cert*'
		[ -z "$output" ]
		run hosts exec $host systemctl list-units --no-legend --state=active,activating 'mailcow-cert*'
		[ -z "$output" ]
		before=$(installed $host)
		[ "$(wc -l <<<"$before")" -gt 40 ]
		in_place_of $host "$(documented 'here make uninstall' | cut -d' ' -f2-)"
		[ -z "$(installed $host)" ]
		while read -r _ command <&9; do
			in_place_of $host "$command"
		done 9< <(documented 'here tests/packages'; documented 'here make && make install')
		same "$before" "$(installed $host)"
	done
	typed here "${disable#here }"
	npm certpush --version
	mail certdeploy --version
}
