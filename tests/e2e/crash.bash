# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is looked at by the tests
#
# crash - what the tests share that have a program killed, or failed by the kernel, at each of its system calls
#
# A test sets a scene up once, with all that a run changes in the directories scene_is_set is given, and says in
# functions what a run is and what must be true:
#
#	set_stage           what must be done besides when the scene is set again
#	faulty COMMAND...   the run to which something happens; COMMAND comes before the program
#	normal              one run afterwards
#	unharmed STATUS     what must be true after the faulty run, which ended so
#	mended              what must be true after the normal one, and after a faulty one that says that all is well
#
# Every CRASH_EVERY-th call is tried (1: all of them, which takes hours); each test begins at another one, or at number
# CRASH_FIRST, from 0, with which the work can be divided among several labs. A run that waits for something does not
# make the same calls each time: for one that is not made again, the one before it is tried.

CRASH_EVERY=${CRASH_EVERY:-499}
# A guard against hanging, not an assertion.
HANGS_S=100
# What was killed.
KILLED=137

crash_setup_file() {
	local build
	build=$(realpath "${CERTSYNC_BUILD:-$TOP/build}")
	export AT_CALL=$build/at_call CLOCK=$build/clock.so
	make -s -C "$TOP" B="$build" "$AT_CALL" "$CLOCK"
}

# scene_is_set DIRECTORY...: as they are now, each run begins
scene_is_set() {
	local i
	SCENE=("$@")
	rm -rf "$BATS_TEST_TMPDIR/set"
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
	set_stage
}

set_stage() {
	:
}

# Did it end as a person and systemd need it: by itself, and with a word if it failed?
ended_well() { # STATUS WHAT
	case $1 in
	0) ;;
	6[4-9] | 7[0-8])
		# What it cannot write it cannot say.
		grep -Eq '^cert(push|deploy): (error|warning): .' "$SAID" || grep -q '^at_call: .* write(2)$' "$SAID" || {
			echo "status $1 without a word"
			return 1
		}
		;;
	"$KILLED") [ "$2" = kill ] || { echo 'it was killed'; return 1; } ;;
	124) echo 'it hung'; return 1 ;;
	*) echo "it ended with $1"; return 1 ;;
	esac
}

# try_one WHAT CALL: kill at that call or have it fail; says what went wrong, if anything did. 125: there was none.
try_one() {
	local what=$1 call=$2 status=0
	rm -f "$SAID.next"
	set_scene
	faulty timeout -k 5 "$HANGS_S" "$AT_CALL" "$what" "$call" >"$SAID" 2>&1 || status=$?
	[ "$status" -ne 125 ] || return 125
	ended_well "$status" "$what" || return 1
	unharmed "$status" || { echo 'after the run itself'; return 1; }
	[ "$status" -ne 0 ] || mended || { echo 'after the run itself, which says that all is well'; return 1; }
	status=0
	normal >"$SAID.next" 2>&1 || status=$?
	[ "$status" -eq "${NORMAL_STATUS:-0}" ] || { echo "the next run ended with $status"; return 1; }
	mended || { echo 'after the next run'; return 1; }
}

# What posix_spawn(3) does to all signals in a child, one by one, is the same thing: the first one stands for them.
count_calls() { # FILE
	faulty "$AT_CALL" count "$1.all" >"$SAID" 2>&1 || true
	awk '{ process = $1; sub(/\..*/, "", process); now = process " " $2 }
		now != last || $2 != "rt_sigaction"
		{ last = now }' "$1.all" >"$1"
}

# try_all kill|fail NAME: at every CRASH_EVERY-th call; prints how many there were and how many were survived. What was
# not survived is told at once as well: all of them take hours.
try_all() {
	local what=$1 name=$2 begun=$SECONDS total=0 survived=0 missed=0 due=0 line=0
	local points first wanted as problem status call system_call errors
	SAID=$BATS_TEST_TMPDIR/said
	set_scene
	count_calls "$BATS_TEST_TMPDIR/calls"
	normal >"$SAID.next" 2>&1 || true
	mended
	[ "$(wc -l <"$BATS_TEST_TMPDIR/calls")" -gt 50 ]
	# One at the least.
	points=$(awk -v what="$what" '{ n += what == "fail" ? NF - 2 : 1 } END { print n }' "$BATS_TEST_TMPDIR/calls")
	first=${CRASH_FIRST:-$((RANDOM % (CRASH_EVERY < points ? CRASH_EVERY : points)))}
	wanted=$(((points - first + CRASH_EVERY - 1) / CRASH_EVERY))
	while read -r call system_call errors; do
		[ "$what" = fail ] || errors="kill"
		for as in $errors; do
			[ $((line++ % CRASH_EVERY)) -ne "$first" ] || due=$((due + 1))
			[ "$due" -gt 0 ] || continue
			for _ in 1 2 3; do
				status=0
				problem=$(try_one "$as" "$call" 2>&1) || status=$?
				# The run went another way this time, as it does where it waits.
				[ "$status" -eq 125 ] || break
			done
			if [ "$status" -eq 125 ]; then
				missed=$((missed + 1))
				continue
			fi
			due=$((due - 1))
			total=$((total + 1))
			case $status in
			0) survived=$((survived + 1)) ;;
			*)
				{
					printf '%s at call %s (%s): %s\n' "$as" "$call" "$system_call" "$problem"
					sed 's/^/    /' "$SAID"
					[ ! -e "$SAID.next" ] || sed 's/^/    next: /' "$SAID.next"
				} | tee >(sed 's/^/# /' >&3)
				;;
			esac
		done
	done < <(tac "$BATS_TEST_TMPDIR/calls")
	printf '%s\t%d\t%d\t%d\n' "$name" "$total" "$survived" $((SECONDS - begun)) | tee -a "${TORTURE_TABLE:-/dev/null}"
	[ "$missed" -eq 0 ] || echo "$name: $missed calls were not made again"
	[ "$survived" -eq "$total" ] && [ $((4 * total)) -ge $((3 * wanted)) ]
}

# No file with a private key can be read by others.
keys_are_kept() { # DIRECTORY...
	local open
	open=$(find "$@" -type f -perm /077 -exec grep -l 'PRIVATE KEY' {} +)
	[ -z "$open" ] || { echo "others can read $open"; return 1; }
}

# at_time DATE COMMAND...: with a clock that says that time, as date -d takes it
at_time() {
	local shift=$(($(date -d "$1" +%s) - $(date +%s)))
	shift
	LD_PRELOAD=$CLOCK CLOCK_SHIFT=$shift "$@"
}

# many_at_once COMMAND...: ten runs; their exit statuses, sorted, are in $statuses, what they said in $output
many_at_once() {
	local i pids=()
	for i in {1..10}; do
		{
			local status=0
			"$@" >"$BATS_TEST_TMPDIR/said.$i" 2>&1 || status=$?
			echo "$status" >"$BATS_TEST_TMPDIR/status.$i"
		} 3>&- 4>&- &
		pids+=($!)
	done
	wait "${pids[@]}" || true
	statuses=$(sort -n "$BATS_TEST_TMPDIR"/status.* | paste -sd' ')
	output=$(cat "$BATS_TEST_TMPDIR"/said.*)
}
