#!/usr/bin/env bats
# What somebody can do who has stolen the push key, on a mailcow host as setup-mailcow-host left it, in both its
# forms. The attempts are in stolen_key.py. With STOLEN_KEY_FULL=1 as `make torture` runs it: more of the same.

load hosts.bash

MAIL=192.0.2.20
NPM_KEY=etc/certsync/mailcow_certsync
INCOMING=/home/certsync/incoming
AUTHORIZED_KEYS=/home/certsync/.ssh/authorized_keys
SSHD_DROPIN=/etc/ssh/sshd_config.d/50-certsync.conf

# Each of these is one that the key must not have, and setup-mailcow-host looks for.
BEYOND='read posix-rename'
LOGINS=40
FILL_MIB=24
if [ -n "${STOLEN_KEY_FULL:-}" ]; then
	BEYOND="$BEYOND setstat fsetstat lsetstat opendir stat lstat realpath readlink symlink hardlink copy-data remove rmdir statvfs"
	LOGINS=2000
	FILL_MIB=1024
fi
# More than that at once is more than the user may have.
AT_ONCE=40

setup_file() {
	boot_without_lab
	mail sh -c 'mkdir -p /var/lib/mailcow-cert-deploy; umask 077
		for file in cert key; do echo $file >/opt/mailcow-dockerized/data/assets/ssl/$file.pem; done'
	# for what an unrestricted key does: see stolen_key.py
	mail sh -c "printf '%s\n' 'Subsystem shell /bin/sh' 'Subsystem control internal-sftp -d $INCOMING' \
		>/etc/ssh/sshd_config.d/subsystems.conf"
	restart_sshd
	pair
	ssh-keygen -q -t ed25519 -N '' -C control -f "$BATS_FILE_TMPDIR/control"
	cp "$(hosts root npm)/$NPM_KEY" "$BATS_FILE_TMPDIR/stolen"
}

teardown_file() {
	hosts down
}

# row NAME ATTEMPTS SURVIVED: for the table of `make torture`.
row() { printf '%s\t%d\t%d\t%d\n' "$1" "$2" "$3" "$SECONDS" >>"${TORTURE_TABLE:-/dev/null}"; }

uid() { mail id -u certsync; }
# With the key KEY, from the NPM host's network.
attack() { STOLEN_KEY_UID=$(uid) hosts net npm python3 "$BATS_TEST_DIRNAME/stolen_key.py" $MAIL "$@"; }
stolen() { attack "$BATS_FILE_TMPDIR/stolen" "$@"; }

# A generation that certpush has pushed; prints its name.
pushed() {
	mail find $INCOMING -mindepth 1 -delete
	npm certpush --force >&2
	mail ls $INCOMING
}

# What must not change: all that is not the user's to write, and what was pushed.
untouched() {
	mail sh -euc 'find /etc /home /opt /root /usr/local /var/lib/mailcow-cert-deploy /var/spool -path "$1/.*" -prune -o \
			-path "$1" -o -printf "%p %y %m %U:%G %l\n" -type f -exec sha256sum {} +
		find /tmp /var/tmp /dev/shm /dev/mqueue /run/lock /run/user -printf "%p %y %m %U:%G %l\n"' sh $INCOMING
}

# Whatever the thief has left in staging is for its owner alone.
private() { [ -z "$(mail find $INCOMING -perm /077 -print)" ]; }

show() { sed 's/^/# /' >&3; }

# The matrix, and what is left by it.
all_refused() {
	generation=$(pushed)
	before=$(untouched)
	SECONDS=0
	run stolen "$generation"
	show <<<"$output"
	[ "${#lines[@]}" -gt 100 ]
	[[ ${lines[-1]} =~ ^([0-9]+)\ attempts,\ ([0-9]+)\ refused$ ]]
	row "stolen push key: $1" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
	[ "$status" = 0 ]
	[ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
	diff <(echo "$before") <(untouched)
	private
}

# Where the user could write, with all that is mounted; the mount of a message queue's file system heeds no
# access control list, but none can be made.
writable() {
	mail setpriv --reuid certsync --regid certsync --clear-groups find / \( -path /proc -o -path /sys \) -prune -o \
		\( -type d -o -type f \) -writable -print 2>/dev/null | grep -vx /dev/mqueue
}

# The processes of the user.
processes() { mail sh -c 'grep -ls "^Uid:.$(id -u certsync)	" /proc/[0-9]*/status || :'; }
nobody_there() { [ -z "$(processes)" ]; }

@test "stolen key: every attempt is refused" {
	all_refused 'plain'
}

@test "stolen key: what is refused to it is granted to an unrestricted key on the same host" {
	undo="mail cp -p /root/keys $AUTHORIZED_KEYS; mail usermod -s /usr/sbin/nologin certsync"
	mail cp -p $AUTHORIZED_KEYS /root/keys
	mail sh -c "echo '$(cat "$BATS_FILE_TMPDIR/control.pub")' >>$AUTHORIZED_KEYS; usermod -s /bin/sh certsync"
	generation=$(pushed)
	STOLEN_KEY_CONTROL=1 run attack "$BATS_FILE_TMPDIR/control" "$generation"
	echo "$output"
	[ "$status" = 0 ]
	[ "$(grep -c '^GRANTED \*' <<<"$output")" -gt 35 ]
}

@test "stolen key: the staging directory is all that its user can write" {
	pushed
	run writable
	echo "$output"
	[ "$(grep -vc "^$INCOMING" <<<"$output")" = 0 ]
	grep -qx $INCOMING <<<"$output"
}

@test "stolen key: no systemd that runs the user's units is started by a login" {
	undo='second >/dev/null'
	generation=$(pushed)
	mail test ! -e "/run/user/$(uid)"
	# and otherwise it would
	mail sh -euc 'systemctl -q unmask "user@$1.service"; rm "/etc/systemd/system/user-runtime-dir@$1.service"
		systemctl daemon-reload' sh "$(uid)"
	hold
	mail test -d "/run/user/$(uid)/systemd"
	release
	run second
	[ "$status" = 0 ]
	[[ $output == *'have no systemd of its own started for the user certsync'* ]]
	mail test ! -e "/run/user/$(uid)"
	# where that one was masked as well
	mail sh -euc 'rm "/etc/systemd/system/user-runtime-dir@$1.service"; systemctl -q mask "user-runtime-dir@$1.service"' sh "$(uid)"
	run second
	[ "$status" = 0 ]
	[ "$(mail systemctl show --value -p LoadState "user-runtime-dir@$(uid).service")" = loaded ]
}

# hold [N [WAVE]]: log in and stay until release; what it said is in $BATS_TEST_TMPDIR/held.
hold() {
	mkfifo "$BATS_TEST_TMPDIR/until"
	stolen connections "${1:-1}" "${2:-2}" <"$BATS_TEST_TMPDIR/until" >"$BATS_TEST_TMPDIR/held" 3>&- &
	holder=$!
	exec 5>"$BATS_TEST_TMPDIR/until"
	local end=$((SECONDS + 3600))
	until [ -s "$BATS_TEST_TMPDIR/held" ]; do
		((SECONDS < end)) && kill -0 $holder
		sleep 0.1
	done
}

release() {
	exec 5>&-
	wait $holder
	rm "$BATS_TEST_TMPDIR/until"
}

@test "stolen key: all that a login starts is within the limits of its user" {
	local slice all
	slice=user-$(uid).slice
	hold
	all=$(processes)
	[ "$(wc -l <<<"$all")" -ge 2 ]
	# where systemd has put them, on the one kind of machine and on the other
	# shellcheck disable=SC2086
	run mail grep -hE '^[0-9]+:(name=systemd)?:' ${all//status/cgroup}
	echo "$output"
	[ "$status" = 0 ]
	[ "$(mail systemctl show --value -p TasksMax "$slice")/$(mail systemctl show --value -p MemoryMax "$slice")" = 60/268435456 ]
	release
	[ "$(grep -vc "/$slice/" <<<"$output")" = 0 ]
}

@test "stolen key: $LOGINS logins, and as many at once as it gets, leave the host at work" {
	SECONDS=0
	hold $LOGINS $AT_ONCE
	show <"$BATS_TEST_TMPDIR/held"
	[[ $(cat "$BATS_TEST_TMPDIR/held") =~ ^$LOGINS\ logins,\ ([0-9]+)\ served,\ at\ most\ ([0-9]+)\ at\ once$ ]]
	# two processes each
	[ "${BASH_REMATCH[2]}" -ge 5 ]
	[ "${BASH_REMATCH[2]}" -le 20 ]
	# and where systemd counts them, logins without a process of the user's are counted as well
	[ "$(mail systemctl show --value -p TasksMax "user-$(uid).slice")" = 60 ]
	# others get in
	hosts net npm ssh-keyscan -T "$WITHIN_S" -t ed25519 $MAIL | grep -q ssh-ed25519
	mail true
	[ -n "$(processes)" ]
	# which it cannot write into: a file like any other to SFTP
	# shellcheck disable=SC2046
	[ "$(mail stat -c %U $(processes | sed 's/status$/mem/') | sort -u)" = root ]
	release
	await nobody_there
	row 'stolen push key: logins' $LOGINS $LOGINS
	# and so does the owner of the key, afterwards
	pushed
}

@test "stolen key: the disk can be filled in the plain form, in files of a mebibyte" {
	undo="mail find $INCOMING -mindepth 1 -delete"
	run stolen fill $FILL_MIB
	[ "$status" = 0 ]
	[ "$output" = "$((FILL_MIB * 1024)) KiB" ]
	private
}

# --- the setup looks, and does not believe -------------------------------------------------------------------

# force COMMAND: have sshd force another command on the user than the key's line says.
force() {
	undo='mail rm -f /etc/ssh/sshd_config.d/forced.conf; restart_sshd; second >/dev/null'
	mail sh -c 'printf "%s\n" "Match User certsync" "ForceCommand $1" >/etc/ssh/sshd_config.d/forced.conf
		rm -f $2' sh "$1" $AUTHORIZED_KEYS
	restart_sshd
}

@test "setup: one request more than the key needs is noticed, and the key is not authorized" {
	SECONDS=0
	noticed=0
	for request in $BEYOND; do
		force "internal-sftp -popen,write,close,fsync,rename,mkdir,$request -u0077 -d$INCOMING"
		run second
		echo "$output"
		[ "$status" = 1 ]
		[[ $output == *"this host's sshd does not refuse '$request' to a key"*'the key was not authorized'* ]]
		mail test ! -e $AUTHORIZED_KEYS
		noticed=$((noticed + 1))
	done
	row 'stolen push key: a request too many' "$noticed" "$noticed"
}

@test "setup: a list that this sshd drops, as it is too far behind in the line, is noticed" {
	force "internal-sftp -u 0077 -d $INCOMING -l INFO -f AUTH -e -p open,write,close,fsync,rename,mkdir"
	mail sh -c "umask 077; echo '$(ssh-keygen -y -f "$BATS_FILE_TMPDIR/stolen")' >$AUTHORIZED_KEYS
		chgrp certsync $AUTHORIZED_KEYS; chmod 640 $AUTHORIZED_KEYS"
	generation=$(mail sh -c "install -d -o certsync -m 700 $INCOMING/20261122T030007Z-6699fbd6da62e72e; ls $INCOMING")
	# what this OpenSSH does with it
	run stolen "$generation"
	in_force=$status
	echo "$output" | grep -F 'read back'
	mail rm $AUTHORIZED_KEYS
	run second
	echo "$output"
	[ "$status" = "$in_force" ]
	[ "$status" = 0 ] || [[ $output == *"this host's sshd does not refuse "*': the key was not authorized;'* ]]
}

@test "setup: however often it is run, what watches the staging directory is started again" {
	undo='mail rm -r /run/systemd/system/mailcow-cert-deploy.path.d/few.conf; mail systemctl daemon-reload'
	mail sh -c 'printf "%s\n" "[Unit]" StartLimitIntervalSec=1h StartLimitBurst=1 >/run/systemd/system/mailcow-cert-deploy.path.d/few.conf
		systemctl daemon-reload'
	for _ in 1 2 3; do
		run second
		echo "$output"
		[ "$status" = 0 ]
		[ "$(mail systemctl is-active mailcow-cert-deploy.path)" = active ]
	done
}

@test "setup: a directory for everybody that heeds no access control list is noticed, and --chroot does without" {
	undo="mail umount /var/tmp; mail rm -f $SSHD_DROPIN; restart_sshd; second >/dev/null"
	mail sh -c 'mount -t ramfs none /var/tmp; chmod 1777 /var/tmp'
	run second
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *'a key could write in /var/tmp, too,'*'run this again with --chroot' ]]
	mail sh -c 'test ! -e /var/tmp/certsync-setup-test'
	mail find $INCOMING -mindepth 1 -delete
	run second --chroot
	[ "$status" = 0 ]
}

# --- the stronger form ------------------------------------------------------------------------------------------

@test "setup --chroot: what is staged is not hidden below the new file system" {
	undo="mail find $INCOMING -mindepth 1 -delete"
	mail umount $INCOMING
	pushed
	run second --chroot
	[ "$status" = 1 ]
	[[ $output == *"$INCOMING is not empty, and what is in it would be hidden;"* ]]
	run mail cat $SSHD_DROPIN
	[ "$status" != 0 ]
}

@test "setup --chroot: an sshd that does not read the file is noticed, and nothing is left of it" {
	undo='mail mv /etc/ssh/sshd_config.away /etc/ssh/sshd_config; restart_sshd'
	mail cp -p /etc/ssh/sshd_config /etc/ssh/sshd_config.away
	mail sed -i '/^Include/d' /etc/ssh/sshd_config
	run second --chroot
	[ "$status" = 1 ]
	[[ $output == *"sshd does not heed $SSHD_DROPIN; write 'Include "* ]]
	mail test ! -e $SSHD_DROPIN
}

@test "setup --chroot: proves the same, pushes work as before, and a second run changes nothing" {
	run second --chroot
	[ "$status" = 0 ]
	[[ $output == *'such a key can upload, and do nothing else'* ]]
	[ "$(printed)" = "$(cat "$BATS_FILE_TMPDIR/third")" ]
	[[ $(pushed) =~ ^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}$ ]]
	for again in '' --chroot; do
		run second $again
		[ "$status" = 0 ]
		[[ $output == 'proved on '* ]]
	done
	[ "$(mail sshd -T -C user=certsync,host=x,addr=192.0.2.10 | grep -c '^chrootdirectory /home/certsync$')" = 1 ]
	# and nobody else is shut up in it
	[ "$(mail sshd -T -C user=root,host=x,addr=192.0.2.10 | grep -c '^chrootdirectory none$')" = 1 ]
}

@test "setup --chroot: the deploy service sees what was pushed, and empties it" {
	undo='mail sh -c "rm -r /run/systemd/system/mailcow-cert-deploy.service.d; systemctl daemon-reload"'
	generation=$(pushed)
	mail sh -euc 'dir=/run/systemd/system/mailcow-cert-deploy.service.d
		mkdir -p $dir
		printf "[Service]\nExecStart=\nExecStart=/bin/sh -c \"cat $1/privkey.pem >/dev/null && rm -r $1\"\nBindReadOnlyPaths=/usr/bin /bin\n" >$dir/test.conf
		systemctl daemon-reload
		systemctl start mailcow-cert-deploy.service' sh "$INCOMING/$generation"
	[ -z "$(mail ls -A $INCOMING)" ]
}

@test "stolen key, --chroot: every attempt is refused" {
	all_refused 'chroot'
}

@test "stolen key, --chroot: no more than 16 MiB can be uploaded, and the pushing host is told" {
	undo="mail find $INCOMING -mindepth 1 -delete"
	mail find $INCOMING -mindepth 1 -delete
	run stolen fill $FILL_MIB
	[ "$status" = 0 ]
	[ "${output% KiB}" -gt 15000 ]
	[ "${output% KiB}" -le 16384 ]
	run npm certpush --force
	[ "$status" != 0 ]
	[[ $output == *'its file system is full'* ]]
	eval "$undo"
	pushed
}
