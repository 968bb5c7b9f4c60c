# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # status and output are those of bats, others those of the files that load it
#
# hostile - what the tests share in which the account that owns the staging directory is taken over
#
# Beside staging there is a tree that is root's alone, with a secret, and a pair that is better than the one installed:
# whatever leads there would be followed by its being read, changed or installed. Its files were last read days ago,
# so that even being read shows.

# So much would be too little for a program that reads whatever it is given. It needs some 20 MiB.
MEMORY_MAX=$((160 * 1024 * 1024))
CPU_SECONDS_MAX=30
# A guard against hanging, not an assertion.
HANGS_S=120

hostile_setup() {
	deploy_setup
	CANARY=$BATS_TEST_TMPDIR/canary
	SECRET=canary-$RANDOM$RANDOM$RANDOM
	SAID=$BATS_TEST_TMPDIR/said
	unset JOURNAL_STREAM NOTIFY_SOCKET
	mkdir -p "$CANARY/live" "$CANARY/directory"
	chmod 0700 "$CANARY"
	echo "$SECRET" >"$CANARY/secret"
	echo "$SECRET" >"$CANARY/directory/secret"
	cp "$PAIRS/newer/"{fullchain,privkey}.pem "$CANARY/live/"
	python3 -c 'import os, stat, sys; os.mknod(sys.argv[1], stat.S_IFSOCK | 0o600)' "$BATS_TEST_TMPDIR/socket"
	SECRETS=$BATS_TEST_TMPDIR/secrets
	{
		echo "$SECRET"
		grep -hv -e ----- "$CANARY/live/privkey.pem" "$PAIRS/"{current,new}/privkey.pem
	} >"$SECRETS"
	CONTENT=$(content)
	find "$CANARY" -type f -exec touch -a -d '3 days ago' {} +
	chown -R 65534:65534 "$STAGING"
}

# Nothing of the tree has changed during the whole test.
hostile_teardown() {
	[ "$(content)" = "$CONTENT" ]
}

content() {
	find "$CANARY" -type f -exec sha256sum {} + | sort
}

# All about the files but their content, which no system call changes without changing their times.
status_of() { # DIRECTORY...
	find "$@" -printf '%p %y %i %m %U:%G %n %s %A@ %T@ %C@ %l\n' | sort
}

# bounded [COMMAND...] -- [OPTION...]: certdeploy with limits; COMMAND comes before it
bounded() {
	local before=()
	while [ "$1" != -- ]; do
		before+=("$1")
		shift
	done
	shift
	status=0
	timeout -k 5 "$HANGS_S" prlimit --as="$MEMORY_MAX" --cpu="$CPU_SECONDS_MAX" -- "${before[@]}" \
		"$PROGRAM" -c "$CONF" "$@" >"$SAID" 2>&1 || status=$?
	# The shell takes no '\0'.
	output=$(tr -d '\0' <"$SAID")
}

# Nothing but printable ASCII, and nothing secret.
said_cleanly() {
	if LC_ALL=C grep -qP '[^\x20-\x7e]' "$SAID"; then
		cat -v "$SAID" >&2
		return 1
	fi
	! grep -F -f "$SECRETS" "$SAID" >&2
}

# harmless STATUS TEXT...: with what is staged, a run ends so, with one record of an error; nothing outside was so much
# as read, and what is installed stays
harmless() {
	local outside installed left=0
	outside=$(status_of "$CANARY")
	installed=$(snapshot "$SSL")
	without_docker bounded --
	expect "$@" || left=1
	[ "$(grep -c 'error: ' "$SAID")" -eq 1 ] || left=1
	said_cleanly || left=1
	same "$outside" "$(status_of "$CANARY")" || left=1
	same "$installed" "$(snapshot "$SSL")" || left=1
	nothing_left_over || left=1
	[ "$left" -eq 0 ] || {
		cat -v "$SAID" >&2
		return 1
	}
}

# empty_staging: what odd things there are
empty_staging() {
	find "$STAGING" -mindepth 1 -delete
}

# --- things that are no files ---

# In this order; what certdeploy says of each.
ODD_THINGS=(link relative-link dangling-link loop link-to-zero link-to-process hard-link fifo socket null zero terminal
	kernel-log block directory full-directory sparse)
declare -A ODD_SAID=(
	[link]='is a symbolic link' [relative-link]='is a symbolic link' [dangling-link]='is a symbolic link'
	[loop]='is a symbolic link' [link-to-zero]='is a symbolic link' [link-to-process]='is a symbolic link'
	[hard-link]='has 2 hard links'
	[fifo]='is not a plain file' [socket]='is not a plain file' [null]='is not a plain file'
	[zero]='is not a plain file' [terminal]='is not a plain file' [kernel-log]='is not a plain file'
	[block]='is not a plain file'
	[directory]='is a directory' [full-directory]='is a directory'
	[sparse]='larger than'
)

# put_odd THING PATH [TARGET]: TARGET is what a link leads to
put_odd() {
	local name=${3:-$CANARY/live/$(basename "$2")}
	rm -rf "$2"
	case $1 in
	link) ln -s "$name" "$2" ;;
	relative-link) ln -sr "$name" "$2" ;;
	dangling-link) ln -s /nonexistent/file "$2" ;;
	loop) ln -s "$(basename "$2")" "$2" ;;
	link-to-zero) ln -s /dev/zero "$2" ;;
	link-to-process) ln -s /proc/self/environ "$2" ;;
	hard-link) ln "$CANARY/live/privkey.pem" "$2" ;;
	fifo) mkfifo "$2" ;;
	socket) cp -a "$BATS_TEST_TMPDIR/socket" "$2" ;;
	null) mknod "$2" c 1 3 ;;
	zero) mknod "$2" c 1 5 ;;
	terminal) mknod "$2" c 5 0 ;;
	kernel-log) mknod "$2" c 1 11 ;; # at its end it blocks
	block) mknod "$2" b 7 0 ;;
	directory) mkdir "$2" ;;
	full-directory)
		mkdir "$2"
		ln -s "$CANARY" "$2/link"
		;;
	sparse) truncate -s 10G "$2" ;;
	esac
}

# --- the attacks of which the checks run some and `make torture` all ---

# row NAME ATTEMPTS SURVIVED SECONDS-AT-ITS-BEGIN: for the table
row() {
	printf '%s\t%d\t%d\t%d\n' "$1" "$2" "$3" $((SECONDS - $4)) | tee -a "${TORTURE_TABLE:-/dev/null}"
	[ "$2" -eq "$3" ] && [ "$2" -gt 0 ]
}

# Time for exchanges between a look at a file and its being opened, and before what follows.
SLOWLY=(strace -f -qq -o /dev/null -e 'trace=newfstatat,renameat2,unlinkat'
	-e 'inject=newfstatat,renameat2,unlinkat:delay_exit=2000')

# survives_swaps RUNS WITH NAME [COMMAND...]: COMMAND comes before certdeploy
survives_swaps() {
	local begun=$SECONDS what
	mkdir -p "$BATS_TEST_TMPDIR/pairs"
	make_pair "$BATS_TEST_TMPDIR/pairs/other" names=DNS:www.example.org from='1 day ago'
	cp -aT "$PAIRS/new" "$BATS_TEST_TMPDIR/pairs/good"
	cp -aT "$PAIRS/current" "$BATS_TEST_TMPDIR/pairs/current"
	DOCKER=/bin/false
	configure '[staging]' "ca_file = $AUTHORITY/root.pem"
	what=$(status_of "$CANARY")
	run python3 "$TOP/tests/e2e/swaps.py" "$1" "$2" "$BATS_TEST_TMPDIR" "${@:4}" "$PROGRAM" -c "$CONF"
	echo "$output"
	same "$what" "$(status_of "$CANARY")"
	[[ ${lines[-1]} =~ ^([0-9]+)\ runs,\ ([0-9]+)\ bad,\ ([0-9]+)\ with\ the\ good\ pair,\ ([0-9]+)\ exchanges$ ]]
	# He was at it all the time.
	[ "${BASH_REMATCH[4]}" -gt "$1" ]
	row "$3" "$1" $(($1 - BASH_REMATCH[2])) "$begun"
}

# survives_flips FORM FILE EVERY BITS: see flips.py
survives_flips() {
	local begun=$SECONDS
	configure '[staging]' "ca_file = $AUTHORITY/root.pem"
	run python3 "$TOP/tests/e2e/flips.py" "$@" "$PAIRS/new" "$STAGING" "$PROGRAM" -c "$CONF" -n -v
	echo "$output"
	[[ ${lines[-1]} =~ ^([0-9]+)\ flips,\ ([0-9]+)\ bad,\ ([0-9]+)\ refused$ ]]
	row "bits flipped in $2 ($1)" "${BASH_REMATCH[1]}" $((BASH_REMATCH[1] - BASH_REMATCH[2])) "$begun"
}

# put_generations COUNT: empty ones, pushed one after the other until the end of the 9th
put_generations() {
	python3 -c 'if True:
		import os, sys, time
		os.chdir(sys.argv[1])
		for number in range(int(sys.argv[2])):
			when = time.gmtime(1767999600 - number)
			os.mkdir(time.strftime("%Y%m%dT%H%M%SZ-", when) + "%016x" % number)' "$STAGING" "$1"
}

# survives_generations COUNT: a good one among so many is found, and what is there is refused in few words
survives_generations() {
	local begun=$SECONDS survived=0
	# Disks are slow at that, and slower at removing them.
	mount -t tmpfs -o "mode=0700,uid=65534,gid=65534,nr_inodes=$(($1 + 100))" generations "$STAGING"
	put_generations "$1"
	harmless 66 'refused' 'fullchain.pem: No such file or directory' && survived=$((survived + 1))
	put_generation "$PAIRS/new" 10
	bounded -- -n
	expect 0 "would install $(fingerprint "$PAIRS/new/leaf.pem")" && survived=$((survived + 1))
	row "$1 generations" 2 "$survived" "$begun"
}
