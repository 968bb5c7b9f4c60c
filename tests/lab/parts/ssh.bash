# shellcheck shell=bash
# ssh - the mail host's sshd, with a user that exists for it alone
#
# sshd needs an account to log in to. It runs in a mount namespace where the lab's own copies of
# the account files lie over those in /etc, so that the machine's are never touched.

# What the pushing side may ask of the SFTP server: enough to put a generation and to clear away
# one that stayed half-done. No read, no directory listing, no attributes, no links.
# OpenSSH 9.2 drops what follows the ninth word of a forced command: options and values attached.
SFTP_REQUESTS=open,write,close,fsync,rename,mkdir,remove,rmdir

ssh_accounts() {
	local id=60000 file
	while getent passwd "$id" >/dev/null || getent group "$id" >/dev/null; do
		id=$((id - 1))
	done
	mkdir -p "$LAB/sshd/etc"
	for file in passwd group shadow; do
		grep -v "^$LAB_SSH_USER:" "/etc/$file" >"$LAB/sshd/etc/$file" || true
		chmod --reference="/etc/$file" "$LAB/sshd/etc/$file"
		chown --reference="/etc/$file" "$LAB/sshd/etc/$file"
	done
	printf '%s:x:%s:%s:certificate drop box:%s:/usr/sbin/nologin\n' \
		"$LAB_SSH_USER" "$id" "$id" "$LAB/home/certsync" >>"$LAB/sshd/etc/passwd"
	printf '%s:x:%s:\n' "$LAB_SSH_USER" "$id" >>"$LAB/sshd/etc/group"
	# '*' is "no password"; '!' would be a locked account, which sshd refuses even with a key.
	printf '%s:*:19000:0:99999:7:::\n' "$LAB_SSH_USER" >>"$LAB/sshd/etc/shadow"

	# sshd's StrictModes looks at every directory from authorized_keys up to the home.
	install -d -m 0755 "$LAB/home" "$LAB/home/certsync"
	install -d -m 0700 -o "$id" -g "$id" "$LAB/home/certsync/.ssh" "$LAB_INCOMING"
	rm -f "$LAB_IDENTITY" "$LAB_IDENTITY.pub"
	ssh-keygen -q -t ed25519 -N '' -C mailcow-cert-push -f "$LAB_IDENTITY"
	printf 'restrict,command="internal-sftp -p%s -u0077 -d%s" %s\n' \
		"$SFTP_REQUESTS" "$LAB_INCOMING" "$(cat "$LAB_IDENTITY.pub")" \
		>"$LAB/home/certsync/.ssh/authorized_keys"
	chown "$id:$id" "$LAB/home/certsync/.ssh/authorized_keys"
	chmod 0600 "$LAB/home/certsync/.ssh/authorized_keys"
}

ssh_configure() { # DIR PORT
	local dir=$1 port=$2 type key
	mkdir -p "$dir"
	if ! compgen -G "$dir/ssh_host_*_key" >/dev/null; then
		for type in ed25519 ecdsa rsa; do
			ssh-keygen -q -t "$type" -N '' -C lab -f "$dir/ssh_host_${type}_key"
		done
	fi
	{
		printf 'Port %s\nListenAddress 127.0.0.1\n' "$port"
		# Also where ::1 can be had.
		[ ! -e /proc/net/if_inet6 ] || ! grep -q ' lo$' /proc/net/if_inet6 || echo 'ListenAddress ::1'
		for key in "$dir"/ssh_host_*_key; do
			printf 'HostKey %s\n' "$key"
		done
		cat <<-CONFIG
			AuthorizedKeysFile .ssh/authorized_keys
			AllowUsers $LAB_SSH_USER
			PermitRootLogin no
			PasswordAuthentication no
			KbdInteractiveAuthentication no
			UsePAM no
			PidFile none
			LogLevel VERBOSE
			# The tests connect many times at once.
			MaxStartups 100
			Subsystem sftp internal-sftp
		CONFIG
		# OpenSSH 9.8 locks an address out that fails too often, as the tests do on purpose.
		if sshd_knows PerSourcePenalties=no "$dir"; then
			echo 'PerSourcePenalties no'
		fi
	} >"$dir/sshd_config"
}

sshd_knows() { # OPTION=VALUE DIR
	local keys=("$2"/ssh_host_*_key)
	/usr/sbin/sshd -G -f /dev/null -o "$1" >/dev/null 2>&1 ||
		/usr/sbin/sshd -T -f /dev/null -h "${keys[0]}" -o "$1" >/dev/null 2>&1
}

ssh_answers() { # PORT
	local banner
	# The redirection fails, and says so, while nobody listens.
	{ exec 7<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
	IFS= read -r -t 2 banner <&7 || banner=
	exec 7>&-
	case $banner in SSH-*) ;; *) return 1 ;; esac
}

ssh_listening() { # DIR PORT
	process_alive "$1/sshd.record" && ssh_answers "$2"
}

# Either way: an sshd that refuses its options is not waited for.
ssh_settled() { # DIR PORT
	ssh_listening "$1" "$2" || process_gone "$1/sshd.record"
}

ssh_listen() { # DIR PORT LOG [OPTION...]
	local dir=$1 port=$2 log=$3 file setup
	shift 3
	# /run: sshd wants an empty /run/sshd, which only exists where sshd is run as a service.
	setup='mount -t tmpfs -o mode=0755 lab /run; mkdir -m 0755 /run/sshd'
	for file in passwd group shadow; do
		setup+="; mount --bind '$LAB/sshd/etc/$file' /etc/$file"
	done
	# 'lab down' goes by the record in RUN, also when a test has removed DIR by then.
	mkdir -p "$RUN/sshd"
	process_spawn_apart "$RUN/sshd/$port" "$log" "$setup" \
		/usr/sbin/sshd -D -e -f "$dir/sshd_config" "$@"
	cp "$RUN/sshd/$port" "$dir/sshd.record"
	cut -d' ' -f1 "$dir/sshd.record" >"$dir/sshd.pid"
	if ! wait_for 10 ssh_settled "$dir" "$port" || ! ssh_listening "$dir" "$port"; then
		tail -n 5 "$log" >&2
		process_stop "$RUN/sshd/$port"
		die "sshd does not answer on port $port, see $log"
	fi
}

ssh_start() {
	ssh_accounts
	ssh_configure "$LAB/sshd" "$LAB_SSH_PORT"
	ssh_listen "$LAB/sshd" "$LAB_SSH_PORT" "$LOG/sshd.log"
	local address key
	for address in 127.0.0.1 ::1 localhost; do
		for key in "$LAB"/sshd/ssh_host_*_key.pub; do
			printf '[%s]:%s %s\n' "$address" "$LAB_SSH_PORT" "$(cut -d' ' -f1,2 "$key")"
		done
	done >"$LAB_KNOWN_HOSTS"
}

ssh_extra_start() { # DIR PORT [OPTION...]
	[ $# -ge 2 ] || die 'usage: lab sshd start DIR PORT [sshd options...]'
	need_root
	[ -f "$LAB/sshd/etc/passwd" ] || die 'no lab is running'
	local dir=$1 port=$2
	shift 2
	case $port in '' | *[!0-9]*) die "not a port: $port" ;; esac
	mkdir -p "$dir"
	dir=$(realpath "$dir")
	! process_alive "$dir/sshd.record" || die "an sshd of $dir is running already"
	# A stranger's server on that port would pass for ours.
	! ssh_answers "$port" || die "something answers on port $port already"
	ssh_configure "$dir" "$port"
	ssh_listen "$dir" "$port" "$dir/sshd.log" "$@"
}

ssh_extra_stop() { # DIR
	[ $# -eq 1 ] || die 'usage: lab sshd stop DIR'
	[ -f "$1/sshd.record" ] || return 0
	local copy
	for copy in "$RUN"/sshd/*; do
		! cmp -s "$1/sshd.record" "$copy" || rm -f "$copy"
	done
	process_stop "$1/sshd.record"
	rm -f "$1/sshd.pid"
}

ssh_stop() {
	local record
	for record in "$RUN"/sshd/*; do
		process_stop "$record"
	done
}
