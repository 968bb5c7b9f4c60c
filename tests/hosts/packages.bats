#!/usr/bin/env bats
# The Debian packages on two hosts, from their installation until nothing is left of them. In this order: each test
# finds the hosts as the one before has left them.

load hosts.bash

CONF=/etc/certsync
PUSH=mailcow-cert-push
DEPLOY=mailcow-cert-deploy
INCOMING=/home/certsync/incoming
# On the hosts; the versions are directories.
DEBS=/mnt/packages
ARCHITECTURE=$(dpkg --print-architecture)
ANYBODYS='/tmp /var/tmp /dev/shm /run/lock'

# make_packages DIRECTORY VERSION: out of the sources in DIRECTORY, for the hosts.
make_packages() {
	local command
	command=$(documented 'here make deb')
	TOP=$1 here "$BATS_RUN_TMPDIR/packages-$2" "${command#here }"
	mkdir -p "$HOSTS_DIR/share/packages/$2/build/deb"
	cp "$BATS_RUN_TMPDIR/packages-$2"/deb/*.deb "$HOSTS_DIR/share/packages/$2/build/deb"
}

# The next version, which has another unit file.
make_next() {
	local next=$BATS_FILE_TMPDIR/next
	mkdir "$next"
	cp -R "$TOP"/{LICENSE,Makefile,README.md,contrib,include,man,src,systemd,tests} "$next"
	sed -i 's/^Description=.*/& (next)/' "$next"/systemd/*.service.in
	sed -i '1s/(.*)/(9.0)/' "$next/contrib/debian/changelog"
	make_packages "$next" next
}

setup_file() {
	hosts down
	rm -rf "$HOSTS_DIR/share/packages"
	{ make_packages "$TOP" first && make_next; } >"$BATS_FILE_TMPDIR/made" 2>&1 3>&- &
	making=$!
	hosts up
	make_ca
	issue npm-5 60 DNS:mail.example.org
	make_mailcow
	wait $making || { cat "$BATS_FILE_TMPDIR/made"; return 1; }
	for host in npm mail; do
		# systemd's own: any timer that is persistent has it make that
		hosts exec $host mkdir -p /var/lib/systemd/timers
		remains $host >"$BATS_FILE_TMPDIR/$host.before"
	done
}

teardown_file() {
	rm -rf "$HOSTS_DIR/share/packages"
	hosts down
}

# apt HOST ARGUMENT...: as a person would, but never asked anything.
apt() { hosts exec "$1" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 "${@:2}" </dev/null 2>&1; }
# install_package HOST PACKAGE first|next
install_package() {
	local file
	file=$(cd "$HOSTS_DIR/share/packages/$3" && ls build/deb/"$2"_*.deb)
	apt "$1" install "$DEBS/$3/$file"
}

# All of a host's files but logs, caches, what mailcow and certbot have, and what dpkg itself keeps; and who may what
# in the directories that are anybody's.
remains() {
	(
		cd "$(hosts root "$1")" || exit
		find . -xdev \( -path ./var/log -o -path ./var/cache -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./opt \
			-o -path ./root -o -path './etc/*-' -o -path ./etc/.pwd.lock -o -path ./var/lib/systemd/random-seed \
			-o -path ./run -o -path ./tmp -o -path './var/tmp/*' \) -prune \
			-o -path './etc/*' -type f -printf '%p %m %U:%G\n' -exec sha256sum {} + \
			-o \( -type f -printf '%p %m %U:%G %s\n' -o -printf '%p %y %m %U:%G %l\n' \)
	) | sort
	# shellcheck disable=SC2086
	hosts exec "$1" getfacl -cp $ANYBODYS
	# a slice that is inactive is there until systemd forgets it
	hosts exec "$1" systemctl --all --no-legend --type=service,timer,path,mount list-units 'mailcow*' '*certsync*'
	hosts exec "$1" systemctl --no-legend list-units '*certsync*'
}

same() { diff <(echo "$1") <(echo "$2"); }
show() { hosts exec "$1" systemctl show --value -p "$2" "$3"; }
is() { [ "$(hosts exec "$1" systemctl "is-$2" "$3")" = "$4" ]; }
generations() { mail ls $INCOMING; }

# What a person or the setup scripts have written.
settings() {
	hosts exec "$1" sh -c 'cd /; find etc/certsync etc/systemd/system etc/security/limits.d etc/ssh/sshd_config.d home/certsync/.ssh \
		-printf "%p %m %U:%G %l\n" -type f -exec sha256sum {} + 2>/dev/null | sort'
}

both_are_set() {
	for which in "npm $PUSH.timer" "npm $PUSH-check.timer" "mail $DEPLOY.timer" "mail mailcow-cert-check.timer"; do
		# shellcheck disable=SC2086
		set -- $which
		is "$1" enabled "$2" enabled
		is "$1" active "$2" active
	done
}

# more_is STATE: the timers and the path unit of one more target are
more_is() {
	for unit in $PUSH@more.timer $PUSH@more.path $PUSH-check@more.timer; do
		is npm enabled "$unit" enabled
		is npm active "$unit" "$1"
	done
}

# notifies HOST: what both packages have for the notifier is found under its real name.
notifies() {
	hosts exec "$1" certsync-notify --help >/dev/null
	[ "$(show "$1" LoadState certsync-notify@x.service)" = loaded ]
	[[ $(show "$1" ExecStart certsync-notify@x.service) == *'/usr/sbin/certsync-notify after x'* ]]
	explains "$1"
}

explains() { hosts exec "$1" journalctl --list-catalog | grep -q ' certsync: NOTHING_TO_DO$'; }

# begin HOST UNIT: a run that goes on until end.
begin() {
	hosts exec "$1" sh -euc 'dir=/run/systemd/system/$1.d
		mkdir -p $dir
		printf "[Service]\nExecStart=\nExecStart=/bin/sh -c \"until test -e /etc/certsync/end; do sleep 0.1; done; echo came to its end\"\n" \
			>$dir/test.conf
		echo "BindReadOnlyPaths=/usr/bin /bin" >>$dir/test.conf
		systemctl daemon-reload
		systemctl reset-failed $1 2>/dev/null || :
		systemctl start --no-block $1' sh "$2"
	await is "$1" active "$2" activating
}

end() {
	hosts exec "$1" touch $CONF/end
	await came_to_its_end "$1" "$2"
	# or systemd would go on with what the unit has in the place of the drop-in
	await is "$1" active "$2" inactive
	hosts exec "$1" rm -r $CONF/end "/run/systemd/system/$2.d"
	hosts exec "$1" systemctl daemon-reload
}

# Instead of end: a run that fails.
fail_at_its_end() {
	hosts exec "$1" systemctl kill "$2"
	await not_active "$1" "$2"
	hosts exec "$1" rm -r "/run/systemd/system/$2.d"
}

not_active() { [ "$(hosts exec "$1" systemctl is-active "$2")" != activating ]; }

came_to_its_end() { hosts exec "$1" journalctl -q -o cat -n 1 "_SYSTEMD_UNIT=$2" | grep -qx 'came to its end'; }

# --- installing ------------------------------------------------------------------------------------------------

@test "packages: each is installed on its host, and nothing is enabled or running" {
	local commands
	commands=$(documented 'apt install')
	[ "$(wc -l <<<"$commands")" = 2 ]
	while read -r host command <&9; do
		run hosts exec "$host" sh -c "cd $DEBS/first && $command" </dev/null
		echo "$output"
		[ "$status" = 0 ]
		typed "$host" "$command"
	done 9<<<"$commands"
	for which in "npm $PUSH" "mail $DEPLOY"; do
		# shellcheck disable=SC2086
		set -- $which
		is "$1" enabled "$2.timer" disabled
		is "$1" active "$2.timer" inactive
		is "$1" active "$2.service" inactive
		notifies "$1"
		hosts exec "$1" systemd-analyze verify --man=no "$2.service" "$2.timer"
		hosts exec "$1" gzip -t /usr/share/man/man5/certsync.conf.5.gz
		[ -z "$(hosts exec "$1" dpkg --audit)" ]
	done
}

@test "packages: the user is made on the mailcow host, and on no other" {
	run npm getent passwd certsync
	[ "$status" = 2 ]
	run mail getent passwd certsync
	[[ $output == *:/home/certsync:/usr/sbin/nologin ]]
	[ "$(mail stat -c '%U %a' $INCOMING)" = 'certsync 700' ]
}

@test "packages: a run before the pairing says what is missing" {
	run npm certpush
	[ "$status" = 78 ]
	[[ $output == *"$CONF/push.conf: hostname in section [source] must be set"* ]]
	run mail certdeploy --dry-run
	[ "$status" = 66 ]
	[[ $output == *'no certificate is staged, and no pair is installed'* ]]
}

@test "packages: a libssh2 that frees memory twice is not let in beside certpush" {
	for version in 1.10.0-3+deb12u1 1.10.0-3+b1; do
		local stub=$BATS_TEST_TMPDIR/libssh2
		mkdir -p "$stub/DEBIAN"
		printf '%s\n' 'Package: libssh2-1' "Version: $version" "Architecture: $ARCHITECTURE" 'Multi-Arch: same' \
			'Maintainer: nobody <nobody@example.org>' 'Description: stub' >"$stub/DEBIAN/control"
		dpkg-deb -b "$stub" "$HOSTS_DIR/share/packages" >/dev/null
		run apt npm -s --allow-downgrades install "$DEBS/libssh2-1_${version}_$ARCHITECTURE.deb"
		echo "$output"
		[ "$status" = 0 ]
		case $version in
		*u1) [[ $output != *'Remv certpush'* ]] ;;
		*) [[ $output == *'Remv certpush'* ]] ;;
		esac
	done
}

@test "packages: the three commands pair the hosts, and fill the configuration files in" {
	run first
	echo "$output"
	[ "$status" = 0 ]
	printed >"$BATS_FILE_TMPDIR/second"
	run second
	echo "$output"
	[ "$status" = 0 ]
	printed >"$BATS_FILE_TMPDIR/third"
	run third
	echo "$output"
	[ "$status" = 0 ]
	both_are_set
	# what the package had in it stands above
	run npm cat $CONF/push.conf
	[ "${lines[0]}" = "$(head -n 1 "$TOP/contrib/debian/etc/push.conf")" ]
	[[ $output == *'hostname = mail.example.org'* ]]
	run mail cat $CONF/deploy.conf
	[ "${lines[0]}" = "$(head -n 1 "$TOP/contrib/debian/etc/deploy.conf")" ]
	[[ $output == *'root = /opt/mailcow-dockerized'* ]]
	npm systemctl start $PUSH.service
	[ "$(generations | wc -l)" = 1 ]
	# there is no docker here, but there is a state then
	run mail systemctl start $DEPLOY.service
	[ "$(show mail ExecMainStatus $DEPLOY.service)" = 69 ]
	mail test -d /var/lib/private/mailcow-cert-deploy
}

@test "packages: one more target is set up beside the first" {
	run first --target more --host mail6.example.org
	[ "$status" = 0 ]
	run mail sh -c "$(printed)"
	[ "$status" = 0 ]
	run npm sh -c "$(printed)"
	echo "$output"
	[ "$status" = 0 ]
	more_is active
	npm systemctl start $PUSH@more.service
	npm test -s /var/lib/private/$PUSH@more/last_fp
}

@test "packages: a failure is told, or the telling fails, and leaves its traces" {
	mail sh -c 'umask 077; printf "%s\n" "[webhook]" "url = http://127.0.0.1:9/" >/etc/certsync/notify.conf'
	run mail systemctl start $DEPLOY.service
	await is mail failed certsync-notify@$DEPLOY.service.service failed
	mail test -s /var/lib/certsync-notify/$DEPLOY.service
}

# --- upgrading and removing -----------------------------------------------------------------------------------

@test "packages: an upgrade keeps the configuration and the timers, and interrupts no run" {
	for which in "npm $PUSH certpush" "mail $DEPLOY certdeploy"; do
		# shellcheck disable=SC2086
		set -- $which
		before=$(settings "$1")
		timer=$(show "$1" ActiveEnterTimestampMonotonic "$2.timer")
		begin "$1" "$2.service"
		pid=$(show "$1" MainPID "$2.service")
		run install_package "$1" "$3" next
		echo "$output"
		[ "$status" = 0 ]
		[ "$(show "$1" MainPID "$2.service")" = "$pid" ]
		end "$1" "$2.service"
		[ "$(hosts exec "$1" dpkg-query -W -f '${Version}' "$3")" = 9.0 ]
		[[ $(show "$1" Description "$2.service") == *' (next)' ]]
		[ "$(show "$1" ActiveEnterTimestampMonotonic "$2.timer")" = "$timer" ]
		same "$before" "$(settings "$1")"
	done
	both_are_set
}

@test "packages: removing one waits for the end of a run, and leaves configuration and state" {
	for which in "npm $PUSH certpush" "mail $DEPLOY certdeploy"; do
		# shellcheck disable=SC2086
		set -- $which
		before=$(settings "$1")
		begin "$1" "$2.service"
		apt "$1" remove "$3" >"$BATS_TEST_TMPDIR/removed" 3>&- &
		await grep -q "$2.service is running; waiting for its end" "$BATS_TEST_TMPDIR/removed"
		is "$1" active "$2.service" activating
		is "$1" active "$2.timer" inactive
		fail_at_its_end "$1" "$2.service"
		wait $!
		same "$before" "$(settings "$1")"
		hosts exec "$1" test -d "/var/lib/private/$2"
		[ -z "$(hosts exec "$1" sh -c "command -v $3")" ]
		run hosts exec "$1" systemctl --no-legend list-units "$2*"
		echo "$output"
		[ -z "$output" ]
	done
	npm test -s /var/lib/private/mailcow-cert-push/last_fp
	npm test -s /var/lib/private/mailcow-cert-push@more/last_fp
	mail id certsync
	[ "$(generations | wc -l)" = 1 ] || mail ls /opt/mailcow-dockerized/data/assets/ssl/cert.pem
}

@test "packages: what was removed is installed again and goes on" {
	install_package npm certpush first
	install_package mail certdeploy first
	both_are_set
	more_is active
	run third
	[ "$status" = 0 ]
	[[ $output == *'nothing to do'* ]]
	npm systemctl start $PUSH.service
}

# --- purging ----------------------------------------------------------------------------------------------------

@test "packages: where both are on one host, purging one leaves the other" {
	for which in 'npm certdeploy certpush' 'mail certpush certdeploy'; do
		# shellcheck disable=SC2086
		set -- $which
		before=$(settings "$1")
		install_package "$1" "$2" first
		hosts exec "$1" test -e "/usr/share/man/man5/$2-certsync.conf.5.gz"
		apt "$1" purge "$2"
		same "$before" "$(settings "$1")"
		[ "$(hosts exec "$1" readlink -f /usr/share/man/man5/certsync.conf.5.gz)" = "/usr/share/man/man5/$3-certsync.conf.5.gz" ]
		hosts exec "$1" "$3" --version
		notifies "$1"
	done
	both_are_set
}

# left HOST: what of a host's files is another than before anything was installed.
left() { diff "$BATS_FILE_TMPDIR/$1.before" <(remains "$1"); }

@test "packages: purging leaves nothing, not even of --chroot and of somebody who is logged in" {
	mail find $INCOMING -mindepth 1 -delete
	second --chroot
	mail mountpoint -q $INCOMING
	npm sh -c 'mkfifo /root/until; ssh -F none -i /etc/certsync/mailcow_certsync -o UserKnownHostsFile=/etc/certsync/known_hosts \
		-s certsync@mail.example.org sftp </root/until >/dev/null 2>&1 & exec 4>/root/until; wait' 3>&- &
	session=$!
	await mail pgrep -u certsync
	mail sh -c 'mkdir /home/certsync/incoming/.x.part; echo x >/home/certsync/incoming/.x.part/privkey.pem'
	run apt mail purge certdeploy
	echo "$output"
	[ "$status" = 0 ]
	wait $session || :
	run apt npm purge certpush
	echo "$output"
	[ "$status" = 0 ]
	for host in npm mail; do
		run left $host
		echo "$output"
		[ "$status" = 0 ]
		run explains $host
		[ "$status" = 1 ]
	done
	run mail getent passwd certsync
	[ "$status" = 2 ]
	[ -z "$(npm systemctl --no-legend --failed list-units)$(mail systemctl --no-legend --failed list-units)" ]
	# sshd is the one that was there
	hosts net npm ssh-keyscan -T "$WITHIN_S" -t ed25519 192.0.2.20 | grep -q ssh-ed25519
}

@test "packages: after that they are installed as for the first time, and purged from there" {
	for which in "npm $PUSH certpush" "mail $DEPLOY certdeploy"; do
		# shellcheck disable=SC2086
		set -- $which
		install_package "$1" "$3" first
		is "$1" enabled "$2.timer" disabled
		apt "$1" purge "$3"
		run left "$1"
		echo "$output"
		[ "$status" = 0 ]
	done
}
