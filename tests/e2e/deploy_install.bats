#!/usr/bin/env bats
# How certdeploy puts the pair in its place: modes, owners, links, what is kept of the old pair, and
# what an interruption or a failing disk leaves behind.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

bats_require_minimum_version 1.5.0

teardown() {
	umount "$SSL" 2>/dev/null || true
}

teardown_file() {
	put_lab_tree_back
}

access() { # FILE: mode and owner
	stat -c '%a %u:%g %F' "$1"
}

# --- the files ---

@test "cert.pem gets mode 0644, key.pem 0600, whatever the umask and the staged files' modes are" {
	rm "$SSL/cert.pem" "$SSL/key.pem"
	put_generation "$PAIRS/new"
	chmod 0666 "$GENERATION"/*
	umask 0277
	certdeploy
	expect 0 deployed
	[ "$(access "$SSL/cert.pem")" = '644 0:0 regular file' ]
	[ "$(access "$SSL/key.pem")" = '600 0:0 regular file' ]
}

@test "owner and group are those of the directory" {
	chown 1234:5678 "$SSL"
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 deployed
	[ "$(access "$SSL/cert.pem")" = '644 1234:5678 regular file' ]
	[ "$(access "$SSL/key.pem")" = '600 1234:5678 regular file' ]
}

@test "no file with a key is ever open to others, not for an instant" {
	put_generation "$PAIRS/new"
	umask 0
	traced "$BATS_TEST_TMPDIR/trace" -y -e trace=openat,open,creat,chmod,fchmod,fchmodat,link,linkat,symlink,symlinkat --
	expect 0 deployed
	# Every file is made as new, closed to others, and by this call alone.
	grep 'O_CREAT' "$BATS_TEST_TMPDIR/trace" >"$BATS_TEST_TMPDIR/made"
	[ "$(grep -c '\.key\.pem\.new\|privkey\.pem' "$BATS_TEST_TMPDIR/made")" -eq 2 ]
	run ! grep -v 'O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600) = ' "$BATS_TEST_TMPDIR/made"
	# Only then a mode is given, and only the certificate's is wider.
	[ "$(grep -c 'fchmod(.*\(\.key\.pem\.new\|privkey\.pem\)>, 0600) = 0' "$BATS_TEST_TMPDIR/trace")" -eq 2 ]
	run ! grep 'chmod.*\(key\|previous\).*, 0[0-7]*[1-7][0-7]\?) ' "$BATS_TEST_TMPDIR/trace"
	run ! grep -E '^(chmod|fchmodat|creat|open|link|linkat|symlink|symlinkat)\(.*\.pem' "$BATS_TEST_TMPDIR/trace"
}

@test "symbolic links in the place of the pair are replaced by files, with a notice; their targets are left alone" {
	local before
	cp -a "$PAIRS/current" "$BATS_TEST_TMPDIR/elsewhere"
	ln -sf "$BATS_TEST_TMPDIR/elsewhere/fullchain.pem" "$SSL/cert.pem"
	ln -sf "$BATS_TEST_TMPDIR/elsewhere/privkey.pem" "$SSL/key.pem"
	before=$(snapshot "$BATS_TEST_TMPDIR/elsewhere")
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 'cert.pem is a symbolic link' 'key.pem is a symbolic link' deployed
	[ "$(access "$SSL/cert.pem")" = '644 0:0 regular file' ]
	[ "$(access "$SSL/key.pem")" = '600 0:0 regular file' ]
	installed_is "$PAIRS/new"
	same "$before" "$(snapshot "$BATS_TEST_TMPDIR/elsewhere")"
}

@test "symbolic links to the very pair that is staged are replaced by files" {
	put_flat "$PAIRS/current"
	ln -sf "$STAGING/fullchain.pem" "$SSL/cert.pem"
	ln -sf "$STAGING/privkey.pem" "$SSL/key.pem"
	certdeploy
	expect 0 'cert.pem is a symbolic link' 'key.pem is a symbolic link'
	[ "$(access "$SSL/cert.pem")" = '644 0:0 regular file' ]
	[ "$(access "$SSL/key.pem")" = '600 0:0 regular file' ]
	installed_is "$PAIRS/current"
}

@test "dangling symbolic links in the place of the pair are replaced by files" {
	ln -sf /no/such/file "$SSL/cert.pem"
	ln -sf /no/such/file "$SSL/key.pem"
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 'cert.pem is a symbolic link' deployed
	[ ! -L "$SSL/key.pem" ]
	installed_is "$PAIRS/new"
}

@test "modes that somebody changed are corrected, with a warning" {
	chmod 0644 "$SSL/key.pem"
	chmod 0600 "$SSL/cert.pem"
	without_docker certdeploy
	expect 0 'warning: key.pem had mode 0644, it is 0600 again' 'have a new key and certificate issued' \
		'warning: cert.pem had mode 0600, it is 0644 again' 'nothing to do'
	[ "$(access "$SSL/cert.pem")" = '644 0:0 regular file' ]
	[ "$(access "$SSL/key.pem")" = '600 0:0 regular file' ]
}

@test "whatever else is in the directory is left alone" {
	local before
	mkdir "$SSL/www.example.org"
	cp "$PAIRS/current/privkey.pem" "$SSL/www.example.org/key.pem"
	echo parameters >"$SSL/dhparams.pem"
	before=$(snapshot "$SSL/www.example.org" "$SSL/dhparams.pem")
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 deployed
	same "$before" "$(snapshot "$SSL/www.example.org" "$SSL/dhparams.pem")"
	[ "$(ls -A "$SSL")" = "$(printf '%s\n' cert.pem dhparams.pem key.pem www.example.org)" ]
}

# --- the previous pair ---

@test "the previous pair is kept in the state directory, that one alone, readable by its owner alone" {
	local kept
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 deployed
	put_generation "$PAIRS/newer"
	certdeploy
	expect 0 deployed
	kept=("$STATE"/previous/*)
	[ ${#kept[@]} -eq 1 ]
	cmp "$PAIRS/new/fullchain.pem" "${kept[0]}/fullchain.pem"
	cmp "$PAIRS/new/privkey.pem" "${kept[0]}/privkey.pem"
	[ "$(find "$STATE" -printf '%y %m\n' | sort | uniq -c | xargs)" = '3 d 700 2 f 600' ]
}

@test "an installed pair that does not belong together is not kept as the previous one" {
	cp "$PAIRS/old/privkey.pem" "$SSL/key.pem"
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 deployed
	[ ! -e "$STATE/previous" ]
}

# --- secrets ---

@test "no part of a key is ever said, or handed to another program" {
	local damage
	make_pair "$BATS_TEST_TMPDIR/rsa" key=rsa:2048
	cat "$PAIRS"/{new,current}/privkey.pem "$BATS_TEST_TMPDIR/rsa/privkey.pem" | grep -v -- ----- \
		>"$BATS_TEST_TMPDIR/secrets"
	[ "$(grep -c . "$BATS_TEST_TMPDIR/secrets")" -gt 20 ]
	# shellcheck disable=SC2016 # $ is sed's last line
	for damage in '5,$d' 's/PRIVATE/ENCRYPTED PRIVATE/' 's/^M/N/' '$r '"$PAIRS/new/privkey.pem"; do
		put_generation "$PAIRS/new"
		sed "$damage" "$BATS_TEST_TMPDIR/rsa/privkey.pem" >"$GENERATION/privkey.pem"
		without_docker certdeploy -v
		expect 65 'private key'
		run ! grep -F -f "$BATS_TEST_TMPDIR/secrets" <<<"$output"
		rm -r "$GENERATION"
	done
	put_generation "$PAIRS/new"
	traced "$BATS_TEST_TMPDIR/trace" -f -v -s 100000 -e trace=execve -- -v
	expect 0 deployed
	run ! grep -F -f "$BATS_TEST_TMPDIR/secrets" <<<"$output"
	grep -q postfix "$BATS_TEST_TMPDIR/trace"
	run ! grep -F -f "$BATS_TEST_TMPDIR/secrets" "$BATS_TEST_TMPDIR/trace"
}

@test "before it reads anything, the program gives up core dumps and debuggers" {
	traced "$BATS_TEST_TMPDIR/trace" -e trace=prctl,setrlimit,prlimit64,openat --
	expect 0 'nothing to do'
	sed '/deploy.conf/,$d' "$BATS_TEST_TMPDIR/trace" >"$BATS_TEST_TMPDIR/before"
	grep -q 'RLIMIT_CORE, {rlim_cur=0, rlim_max=0}' "$BATS_TEST_TMPDIR/before"
	grep -q 'PR_SET_DUMPABLE, SUID_DUMP_DISABLE' "$BATS_TEST_TMPDIR/before"
}

# --- interruptions ---

# kill_at SYSCALL N [TEXT]: certdeploy, ended by SIGKILL when it is about to do SYSCALL the Nth time
# (which mentions TEXT)
kill_at() {
	traced "$BATS_TEST_TMPDIR/trace" -e "trace=$1" -e "inject=$1:signal=SIGKILL:when=$2" --
	expect 137
	[ $# -lt 3 ] || tail -n 2 "$BATS_TEST_TMPDIR/trace" | grep -F -- "$3"
}

@test "killed before the first rename: the old pair is whole; the next run completes the new one and has it served" {
	use_lab_tree
	put_generation "$PAIRS/new"
	kill_at renameat 3 '"key.pem"'
	installed_is "$PAIRS/placeholder"
	certdeploy
	expect 0 'an interrupted installation was completed' 'postfix-mailcow: reloaded' \
		'dovecot-mailcow: reloaded' 'nginx-mailcow: reloaded'
	installed_is "$PAIRS/new"
	nothing_left_over
	staging_is_empty
	await all_serve "$(fingerprint "$PAIRS/new/leaf.pem")"
	without_docker certdeploy
	expect 0 'nothing to do'
}

@test "killed between the two renames: the next run completes the pair and has it served" {
	use_lab_tree
	put_generation "$PAIRS/newer"
	kill_at renameat 4 '"cert.pem"'
	cmp "$PAIRS/newer/privkey.pem" "$SSL/key.pem"
	cmp "$PAIRS/placeholder/fullchain.pem" "$SSL/cert.pem"
	certdeploy
	expect 0 'an interrupted installation was completed' 'postfix-mailcow: reloaded' \
		'dovecot-mailcow: reloaded' 'nginx-mailcow: reloaded'
	installed_is "$PAIRS/newer"
	nothing_left_over
	await all_serve "$(fingerprint "$PAIRS/newer/leaf.pem")"
}

@test "killed between the two renames and staging emptied: the next run completes the pair all the same" {
	put_generation "$PAIRS/new"
	kill_at renameat 4 '"cert.pem"'
	rm -r "$GENERATION"
	certdeploy
	expect 0 'an interrupted installation was completed' 'postfix-mailcow: reloaded' \
		"all services were reloaded with $(fingerprint "$PAIRS/new/leaf.pem")"
	installed_is "$PAIRS/new"
	nothing_left_over
}

@test "killed between the two renames, and a newer pair comes: the next run installs that one" {
	put_generation "$PAIRS/new" 10
	kill_at renameat 4 '"cert.pem"'
	put_generation "$PAIRS/newer" 11
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/newer/leaf.pem")"
	installed_is "$PAIRS/newer"
	nothing_left_over
	staging_is_empty
}

@test "a signal between the two renames does not come between them" {
	put_generation "$PAIRS/new"
	traced "$BATS_TEST_TMPDIR/trace" -e trace=renameat -e inject=renameat:signal=SIGTERM:when=3 --
	expect 143
	grep -F '"cert.pem") = 0' "$BATS_TEST_TMPDIR/trace"
	installed_is "$PAIRS/new"
	certdeploy
	expect 0 'all services were reloaded'
	nothing_left_over
	staging_is_empty
}

@test "killed at any change to the disk: the installed pair belongs together but between the renames, and the next run completes the rest" {
	local call n total between=0
	put_generation "$PAIRS/new"
	traced "$BATS_TEST_TMPDIR/calls" -e trace=mkdirat,fsync,renameat,unlinkat --
	expect 0 deployed
	for call in mkdirat fsync renameat unlinkat; do
		total=$(grep -c "^$call(" "$BATS_TEST_TMPDIR/calls")
		[ "$total" -gt 0 ]
		for ((n = 1; n <= total; n++)); do
			rm -rf "$STATE" "${STAGING:?}"/*
			put_installed "$PAIRS/current"
			put_generation "$PAIRS/new"
			kill_at "$call" "$n"
			installed_is "$PAIRS/current" 2>/dev/null || installed_is "$PAIRS/new" 2>/dev/null ||
				between=$((between + 1))
			certdeploy
			expect 0
			installed_is "$PAIRS/new"
			nothing_left_over
			staging_is_empty
			[ "$(find "$STATE" -type d | wc -l)" -le 3 ]
		done
	done
	[ "$between" -eq 1 ]
}

@test "temporaries that no record speaks of are removed, not installed, and links not followed" {
	local before
	before=$(snapshot "$SSL"/*.pem)
	cp "$PAIRS/new/fullchain.pem" "$SSL/.cert.pem.new"
	ln -s "$PAIRS/new/privkey.pem" "$SSL/.key.pem.new"
	without_docker certdeploy
	expect 0 'nothing to do'
	same "$before" "$(snapshot "$SSL"/*.pem)"
	nothing_left_over
	[ -f "$PAIRS/new/privkey.pem" ]
}

@test "temporaries that are not what the record speaks of are removed" {
	put_generation "$PAIRS/new"
	kill_at renameat 3 '"key.pem"'
	rm -r "$GENERATION"
	echo changed >>"$SSL/.key.pem.new"
	echo changed >>"$SSL/.cert.pem.new"
	certdeploy
	expect 0 "all services were reloaded with $(fingerprint "$PAIRS/current/leaf.pem")"
	installed_is "$PAIRS/current"
	nothing_left_over
}

# --- a failing disk ---

# fail_at SYSCALL N ERROR TEXT: certdeploy, whose Nth SYSCALL, which mentions TEXT, fails
fail_at() {
	without_docker traced "$BATS_TEST_TMPDIR/trace" -y -e "trace=$1" -e "inject=$1:error=$3:when=$2" --
	grep INJECTED "$BATS_TEST_TMPDIR/trace" | grep -F -- "$4"
}

@test "the first rename fails: the old pair stays, and the next run completes the new one" {
	put_generation "$PAIRS/new"
	fail_at renameat 3 EIO '"key.pem")'
	expect 73 "$SSL: key.pem: cannot replace: Input/output error" 'free space'
	installed_is "$PAIRS/current"
	certdeploy
	expect 0 'nginx-mailcow: reloaded'
	installed_is "$PAIRS/new"
	nothing_left_over
}

@test "the second rename fails: the old pair is there again, and the next run installs the new one" {
	put_generation "$PAIRS/new"
	fail_at renameat 4 ENOSPC '"cert.pem")'
	expect 73 "$SSL: cert.pem: cannot replace: No space left on device"
	installed_is "$PAIRS/current"
	certdeploy
	expect 0 'nginx-mailcow: reloaded'
	installed_is "$PAIRS/new"
	nothing_left_over
}

@test "a file that cannot be synced: the old pair stays, no temporary does, the pair stays staged" {
	local before
	before=$(snapshot "$SSL"/*.pem)
	put_generation "$PAIRS/new"
	fail_at fsync 2 EIO '.key.pem.new>'
	expect 73 "$SSL: .key.pem.new: cannot sync: Input/output error"
	same "$before" "$(snapshot "$SSL"/*.pem)"
	nothing_left_over
	certdeploy
	expect 0 deployed
	installed_is "$PAIRS/new"
}

@test "the disk is full: says so, the old pair stays, no temporary does" {
	mount -t tmpfs -o size=12k,mode=0755 full "$SSL"
	put_installed "$PAIRS/current"
	put_generation "$PAIRS/new"
	without_docker certdeploy
	expect 73 "$SSL: .key.pem.new: cannot write: No space left on device" 'free space (df)'
	installed_is "$PAIRS/current"
	nothing_left_over
	mount -o remount,size=64k "$SSL"
	certdeploy
	expect 0 deployed
	installed_is "$PAIRS/new"
}

@test "the directory is read-only: says so" {
	put_generation "$PAIRS/new"
	mount --bind "$SSL" "$SSL"
	mount -o remount,bind,ro "$SSL"
	without_docker certdeploy
	expect 73 "$SSL: .cert.pem.new: cannot" 'Read-only file system'
	installed_is "$PAIRS/current"
}

@test "the previous pair cannot be kept: nothing is installed" {
	local before
	put_generation "$PAIRS/new"
	mkdir "$STATE"
	echo text >"$STATE/previous"
	before=$(snapshot "$SSL"/*.pem)
	without_docker certdeploy
	expect 73 'previous: cannot open: Not a directory'
	same "$before" "$(snapshot "$SSL"/*.pem)"
	nothing_left_over
}

# --- one at a time ---

@test "a run while another one is under way: exit 75, nothing is touched" {
	local lock before
	put_generation "$PAIRS/new"
	mkdir "$STATE"
	before=$(snapshot "$SSL" "$STAGING" "$STATE")
	exec {lock}<"$STATE"
	flock "$lock"
	run timeout 10 "$PROGRAM" -c "$CONF"
	expect 75 "error: $STATE: another run is under way" 'Wait for it to end'
	same "$before" "$(snapshot "$SSL" "$STAGING" "$STATE")"
	exec {lock}<&-
	certdeploy
	expect 0 deployed
}

@test "the state directory is made, for its owner alone; one that cannot be made is named" {
	umask 0
	without_docker certdeploy
	expect 0 'nothing to do'
	[ "$(stat -c %a "$STATE")" = 700 ]
	STATE=$BATS_TEST_TMPDIR/missing/state
	configure
	without_docker certdeploy
	expect 73 "error: $STATE: cannot make the state directory: No such file or directory"
}

# --- by force ---

@test "--force installs and reloads again what is installed already" {
	local inode
	put_flat "$PAIRS/current"
	inode=$(stat -c %i "$SSL/key.pem")
	certdeploy --force
	expect 0 deployed 'postfix-mailcow: reloaded'
	[ "$(stat -c %i "$SSL/key.pem")" -ne "$inode" ]
	installed_is "$PAIRS/current"
}

@test "--force does not install what is refused" {
	put_generation "$PAIRS/old"
	without_docker certdeploy -f
	expect 65 "was issued before the installed one"
	installed_is "$PAIRS/current"
}
