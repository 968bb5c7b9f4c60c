# shellcheck shell=bash
# shellcheck disable=SC2154 # status and output are those of bats
#
# common - what the tests on real servers share, whatever they test

# What must happen soon is waited for so long; a machine may be slow, and only what never happens takes all of it.
WITHIN_S=180

# documented TEXT...: the commands of README.md and the handbook that have each TEXT in them, one a line: HOST COMMAND
documented() {
	local text lines
	lines=$("$TOP/tests/documented" "$TOP/README.md" "$TOP/man/certsync.7") || return
	for text; do
		lines=$(grep -F -- "$text" <<<"$lines") || return
	done
	awk '!seen[$0]++' <<<"$lines"
}

# typed HOST COMMAND: a command of the documentation, written as there, was run; `make check` looks for each of them.
typed() { printf '%s\n' "$*" >>"${CERTSYNC_TYPED:-/dev/null}"; }

# here BUILD COMMAND: run it where certsync is built, with what was built in BUILD for the tests
here() {
	(cd "$TOP" && env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS B="$1" bash -c "$2") && typed here "$2"
}

# await COMMAND...: until it succeeds, or the test fails. Between two looks it rests as long as a look has taken, a second
# at the most: what is awaited needs the processor as well.
await() {
	local end=$((SECONDS + WITHIN_S)) begun=${EPOCHREALTIME/[.,]/} took pause
	until "$@"; do
		if ((SECONDS >= end)); then
			echo "not within $WITHIN_S s: $*" >&2
			return 1
		fi
		took=$((${EPOCHREALTIME/[.,]/} - begun))
		((took >= 20000)) || took=20000
		((took <= 1000000)) || took=1000000
		printf -v pause '%d.%06d' $((took / 1000000)) $((took % 1000000))
		sleep "$pause"
		begun=${EPOCHREALTIME/[.,]/}
	done
}

# expect STATUS [TEXT...]: the last run ended so and said all of that
expect() {
	local text
	[ "$status" -eq "$1" ] || {
		printf 'exit status %s, expected %s; output:\n%s\n' "$status" "$1" "$output" >&2
		return 1
	}
	shift
	for text; do
		[[ $output == *"$text"* ]] || {
			printf 'not said: %s; output:\n%s\n' "$text" "$output" >&2
			return 1
		}
	done
}

# not_said TEXT: nor did the last run say that
not_said() {
	[[ $output != *"$1"* ]] || {
		printf 'said: %s; output:\n%s\n' "$1" "$output" >&2
		return 1
	}
}
