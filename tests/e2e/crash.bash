# shellcheck shell=bash
#
# crash - what the tests share that have a program killed, or failed by the kernel, at each of its system calls
#
# A test sets a scene up once, with all that a run changes in the directories scene_is_set is given, and says in four
# functions what a run is and what must be true:
#
#	faulty COMMAND...   the run to which something happens; COMMAND comes before the program
#	normal              one run afterwards
#	unharmed            what must be true after the faulty run, whatever became of it
#	mended              what must be true after the normal one
#
# Every CRASH_EVERY-th call is tried (1: all of them, which takes an hour); each program begins at another one.

CRASH_EVERY=${CRASH_EVERY:-97}
# A guard against hanging, not an assertion.
HANGS_S=100

crash_setup_file() {
	AT_CALL=$(realpath "${CERTSYNC_BUILD:-$TOP/build}")/at_call
	make -s -C "$TOP" B="${AT_CALL%/at_call}" "$AT_CALL"
	export AT_CALL
}

# scene_is_set DIRECTORY...: as they are now, each run begins
scene_is_set() {
	local i
	SCENE=("$@")
	for i in "${!SCENE[@]}"; do
		mkdir -p "$BATS_TEST_TMPDIR/set/$i"
		cp -a "${SCENE[$i]}/." "$BATS_TEST_TMPDIR/set/$i"
	done
}

set_scene() {
	local i
	for i in "${!SCENE[@]}"; do
		# The directory itself stays, as the containers have it mounted.
		find "${SCENE[$i]}" -mindepth 1 -delete
		cp -a "$BATS_TEST_TMPDIR/set/$i/." "${SCENE[$i]}"
	done
}

# How the faulty run ended, as a person and systemd need it: by itself, and with a word if it failed.
ended_well() { # STATUS SIGNALS-ARE-OK
	case $1 in
	0) ;;
	6[4-9] | 7[0-8]) [ -s "$SAID" ] || [ "$2" = kill ] || { echo "status $1 without a word"; return 1; } ;;
	137) [ "$2" = kill ] || { echo 'killed'; return 1; } ;;
	124) echo 'it hung'; return 1 ;;
	*) echo "status $1"; return 1 ;;
	esac
}

# try_one WHAT NUMBER: kill or fail the call of that number; says what went wrong, if anything did.
try_one() {
	local status=0
	set_scene
	faulty timeout -k 5 "$HANGS_S" "$AT_CALL" "$1" "$2" >"$SAID" 2>&1 || status=$?
	# Further down than any call of this run: it went another way.
	[ "$status" -ne 125 ] || return 0
	ended_well "$status" "$1" || return
	unharmed || { echo 'after the run itself'; return 1; }
	status=0
	normal >"$SAID.next" 2>&1 || status=$?
	[ "$status" -eq 0 ] || { echo "the next run ended with $status"; return 1; }
	mended || { echo 'after the next run'; return 1; }
}

# try_all kill|fail NAME: at every CRASH_EVERY-th call; prints how many there were and how many were survived.
try_all() {
	local what=$1 name=$2 begun=$SECONDS total=0 survived=0 number calls as problem call errors
	SAID=$BATS_TEST_TMPDIR/said
	set_scene
	faulty "$AT_CALL" count "$BATS_TEST_TMPDIR/calls" >"$SAID" 2>&1
	mended
	calls=$(wc -l <"$BATS_TEST_TMPDIR/calls")
	[ "$calls" -gt 50 ]
	for ((number = 1 + RANDOM % CRASH_EVERY; number <= calls; number += CRASH_EVERY)); do
		read -r call errors < <(sed -n "${number}p" "$BATS_TEST_TMPDIR/calls")
		[ "$what" = fail ] || errors="kill"
		for as in $errors; do
			total=$((total + 1))
			if problem=$(try_one "$as" "$number" 2>&1); then
				survived=$((survived + 1))
			else
				printf '%s at call %d of %d (%s): %s\n' "$as" "$number" "$calls" "$call" "$problem"
				sed 's/^/    /' "$SAID"
				[ ! -e "$SAID.next" ] || sed 's/^/    next: /' "$SAID.next"
			fi
		done
	done
	printf '%s\t%d\t%d\t%d\n' "$name" "$total" "$survived" $((SECONDS - begun)) | tee -a "${TORTURE_TABLE:-/dev/null}"
	[ "$survived" -eq "$total" ] && [ "$total" -gt 0 ]
}

# No file with a private key can be read by others.
keys_are_kept() { # DIRECTORY...
	local open
	open=$(find "$@" -type f -perm /077 -exec grep -l 'PRIVATE KEY' {} +)
	[ -z "$open" ] || { echo "others can read $open"; return 1; }
}
