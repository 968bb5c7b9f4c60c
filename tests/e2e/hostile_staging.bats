#!/usr/bin/env bats
# Whoever owns the staging directory gains nothing: what is not a pair, looks like one, or changes meanwhile.

# shellcheck disable=SC2030,SC2031,SC2034 # each test is a process of its own, and what it sets is for it alone

load deploy
load hostile

setup_file() {
	deploy_setup_file
	python3 "$TOP/tests/e2e/odd_pairs.py" "$AUTHORITY" "$BATS_FILE_TMPDIR/odd"
}

setup() {
	hostile_setup
	ODD=$BATS_FILE_TMPDIR/odd
}

teardown() {
	[ -z "${LEASE:-}" ] || kill "$LEASE"
	! mountpoint -q "$STAGING" || umount "$STAGING"
	hostile_teardown
}

# --- what is not a file ---

@test "nothing but a file of its own is taken for a chain or a key" {
	local thing file
	for thing in "${ODD_THINGS[@]}"; do
		for file in fullchain.pem privkey.pem; do
			put_generation "$PAIRS/new"
			put_odd "$thing" "$GENERATION/$file"
			harmless 65 "refused: $GENERATION: $file: ${ODD_SAID[$thing]}"
			empty_staging
		done
	done
}

@test "nor as a flat pair" {
	put_flat "$PAIRS/new"
	put_odd link "$STAGING/privkey.pem"
	harmless 65 "refused: $STAGING: privkey.pem: is a symbolic link"
}

@test "nothing but a directory is taken for a generation" {
	local thing
	for thing in "${ODD_THINGS[@]}"; do
		case $thing in *directory) continue ;; esac
		GENERATION=$STAGING/$(generation 10)
		put_odd "$thing" "$GENERATION" "$CANARY/live"
		harmless 65 "refused: $GENERATION: is not a directory of its own"
		empty_staging
	done
}

@test "nothing but a directory is taken for the staging directory" {
	local thing
	for thing in "${ODD_THINGS[@]}"; do
		case $thing in *directory) continue ;; esac
		put_odd "$thing" "$STAGING" "$CANARY/live"
		harmless 66 "$STAGING: "
	done
	# With this at its end, the kernel would follow the link.
	put_generation_elsewhere
	for thing in / //./ /.; do
		configure
		sed -i "s|^dir = $STAGING\$|&$thing|" "$CONF"
		grep -qF "$STAGING$thing" "$CONF"
		harmless 66 "$STAGING: is a symbolic link"
	done
}

put_generation_elsewhere() {
	rm -rf "$STAGING"
	mkdir "$CANARY/incoming"
	cp -a "$CANARY/live" "$CANARY/incoming/$(generation 10)"
	ln -s "$CANARY/incoming" "$STAGING"
	find "$CANARY" -type f -exec touch -a -d '3 days ago' {} +
	CONTENT=$(content)
	find "$CANARY" -type f -exec touch -a -d '3 days ago' {} +
}

@test "a file that another process holds a lease on is not waited for" {
	put_generation "$PAIRS/new"
	python3 -c 'if True:
		import fcntl, os, signal, sys
		signal.signal(signal.SIGIO, signal.SIG_IGN)
		file = os.open(sys.argv[1], os.O_RDWR)
		fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
		print("held", flush=True)
		signal.pause()' "$GENERATION/privkey.pem" >"$BATS_TEST_TMPDIR/lease" 3>&- &
	LEASE=$!
	await grep -q held "$BATS_TEST_TMPDIR/lease"
	harmless 65 "refused: $GENERATION: privkey.pem: is held by another process"
}

# --- names ---

# Whatever a file system takes.
odd_names() {
	printf '%s\0' $'new\nline' $'\e]0;owned\a\e[2J' $'\xff\xfe invalid' "$(printf 'n%.0s' {1..255})" $'\r<3>forged' \
		'-rf' '$(id)' '%s%n'
}

put_odd_names() { # DIRECTORY
	local name
	while IFS= read -r -d '' name; do
		ln -s "$CANARY/secret" "$1/$name"
	done < <(odd_names)
}

@test "names of any bytes are neither followed, nor printed as they are" {
	put_generation "$PAIRS/new"
	cp "$PAIRS/old/privkey.pem" "$GENERATION/"
	put_odd_names "$STAGING"
	put_odd_names "$GENERATION"
	harmless 65 "refused: $GENERATION: the private key does not belong to"
	without_docker bounded -- -v
	said_cleanly
}

@test "removing what is spent removes nothing that links lead to" {
	local spent outside
	spent=$STAGING/.$(generation 10).spent
	outside=$(status_of "$CANARY")
	mkdir "$spent"
	put_odd_names "$spent"
	mkdir "$spent/"$'\e[2J'
	put_odd_names "$spent/"$'\e[2J'
	ln -s "$CANARY" "$spent/link"
	ln -s "$CANARY" "$STAGING/.$(generation 11).spent"
	mkdir -p "$STAGING/.$(generation 12).spent/1/2/3/4/5/6/7/8/9/"$'\e[2J'
	without_docker bounded --
	expect 73 "$STAGING: .$(generation 12).spent: cannot remove: directories are nested too deep"
	said_cleanly
	[ "$(ls -A "$STAGING")" = ".$(generation 12).spent" ]
	same "$outside" "$(status_of "$CANARY")"
}

# --- what is in the files ---

@test "odd certificates and keys are refused in one plain sentence" {
	local kind text number=0
	while read -r kind text; do
		put_generation "$ODD/$kind"
		harmless 65 "refused: $GENERATION: $text"
		empty_staging
		number=$((number + 1))
	done <<-'KINDS'
		huge-name the certificate does not cover mail.example.org; it is for: www.example.org
		huge-authority the first certificate (CN=AAAAAAAA
		nul-in-name the certificate does not cover mail.example.org; it is for: mail.example.org\x00.example.com
		control-in-name the certificate does not cover mail.example.org; it is for: \x1b]0;owned\x07\x1b[2J\x0d\x0a<3>forged\x20record\x9b31m\xff two\x20words
		control-in-subject the first certificate (CN=
		odd-utf8-subject certificate number 1 is damaged
		bmp-subject the first certificate (CN=mail.
		odd-bmp-subject certificate number 1 is damaged
		utf8-subject the first certificate (CN=
		teletex-subject the first certificate (CN=
		many-names the certificate does not cover mail.example.org; it is for: a00000.example a00001.example
		no-names the certificate does not cover mail.example.org; it is for: no DNS name at all
		year-10000 the certificate's validity is not a date
		no-such-day the certificate's validity is not a date
		no-date the certificate's validity is not a date
		from-9999 the certificate is not valid before 9999-01-01
		rsa-16384 the certificate's key (RSA 16384) is larger than RSA 8192
		rsa-16384-forged the certificate's key (RSA 16384) is larger than RSA 8192
		rsa-huge-exponent the certificate's key (RSA 3072) has a public exponent of more than 64 bits
		rsa-forged the private key does not belong to the certificate
		ec-forged the private key does not belong to the certificate
		ec-explicit the certificate's key (EC P-256) is on a curve that is not named
		dsa the certificate's key (DSA) is of a kind that TLS does not use
	KINDS
	[ "$number" -gt 20 ]
}

@test "odd, but good: as any other" {
	local kind
	for kind in many-and-ours negative-serial huge-serial year-9999; do
		put_generation "$ODD/$kind"
		bounded -- -n
		expect 0 "would install $(fingerprint "$ODD/$kind/leaf.pem")"
		said_cleanly
		empty_staging
	done
}

@test "the journal and a terminal get no control character either" {
	local kind
	put_odd_names "$STAGING"
	for kind in control-in-name control-in-subject bmp-subject utf8-subject nul-in-name; do
		put_generation "$ODD/$kind"
		# shellcheck disable=SC2016
		NO_COLOR=1 without_docker bounded sh -c 'exec script -qefc "$0 $*" /dev/null' -- -v
		# A terminal has carriage returns at the ends of lines.
		sed -i 's/\r$//' "$SAID"
		expect 65 "refused: $GENERATION"
		said_cleanly

		without_docker bounded unshare --mount python3 "$TOP/tests/e2e/to_journal.py" -- -v
		expect 65 "MESSAGE=refused: $GENERATION" 'PRIORITY=3' 'MESSAGE_ID='
		said_cleanly
		empty_staging
	done
}

@test "truncated and concatenated PEM is refused, or is a pair" {
	local bytes size
	size=$(stat -c %s "$PAIRS/new/privkey.pem")
	for bytes in 1 27 28 60 100 $((size - 40)) $((size - 27)) $((size - 2)); do
		put_generation "$PAIRS/new"
		head -c "$bytes" "$PAIRS/new/privkey.pem" >"$GENERATION/privkey.pem"
		harmless 65 "refused: $GENERATION: "
		empty_staging
	done
	size=$(stat -c %s "$PAIRS/new/leaf.pem")
	for bytes in 1 28 60 $((size - 60)) $((size - 27)) $((size - 2)) $((size + 30)) $((size + 200)); do
		put_generation "$PAIRS/new"
		head -c "$bytes" "$PAIRS/new/fullchain.pem" >"$GENERATION/fullchain.pem"
		harmless 65 "refused: $GENERATION: "
		empty_staging
	done
	put_generation "$PAIRS/new"
	cat "$PAIRS/newer/fullchain.pem" >>"$GENERATION/fullchain.pem"
	harmless 65 "refused: $GENERATION: certificate number 2 of the chain was not issued by number 3"
	cat "$PAIRS/newer/privkey.pem" "$PAIRS/new/privkey.pem" >"$GENERATION/privkey.pem"
	cp "$PAIRS/new/fullchain.pem" "$GENERATION/"
	harmless 65 "refused: $GENERATION: the private key does not belong to"
	cat "$PAIRS/new/fullchain.pem" "$CANARY/secret" >"$GENERATION/privkey.pem"
	harmless 65 "refused: $GENERATION: there is no PEM private key in the file"
	{
		cat "$PAIRS/new/leaf.pem"
		for _ in {1..120}; do
			cat "$AUTHORITY/issuer.pem"
		done
	} >"$GENERATION/fullchain.pem"
	cp "$PAIRS/new/privkey.pem" "$GENERATION/"
	harmless 65 "refused: $GENERATION: there are more than 16 certificates"
}

@test "a valid pair for another host, an older one, and one with a weaker key are refused" {
	make_pair "$BATS_TEST_TMPDIR/pair" names=DNS:mail.example.com
	put_generation "$BATS_TEST_TMPDIR/pair"
	harmless 65 "refused: $GENERATION: the certificate does not cover mail.example.org; it is for: mail.example.com"
	empty_staging
	put_generation "$PAIRS/old"
	harmless 65 "refused: $GENERATION: the certificate" 'was issued before the installed one'
	empty_staging
	make_pair "$BATS_TEST_TMPDIR/weak" key=rsa:1024
	put_generation "$BATS_TEST_TMPDIR/weak"
	harmless 65 "refused: $GENERATION: the certificate's key (RSA 1024) is weaker than RSA 2048"
}

# --- many, and while it runs: `make torture` has the full numbers ---

@test "a bit flipped anywhere is refused, or changes nothing" {
	survives_flips der fullchain.pem 13 1
	survives_flips der privkey.pem 3 1
	survives_flips pem fullchain.pem 37 1
	survives_flips pem privkey.pem 7 1
}

@test "a hundred thousand generations" {
	survives_generations 100000
}

@test "what is staged is exchanged while certdeploy runs" {
	survives_swaps 40 all 'runs with exchanges'
}

@test "what is staged is exchanged between two system calls" {
	survives_swaps 15 link 'slow runs, exchanges with links' "${SLOWLY[@]}"
	survives_swaps 15 fifo 'slow runs, exchanges with FIFOs' "${SLOWLY[@]}"
}

@test "a crowd of bad generations, named for the hours to come, does not keep out what is pushed later" {
	local i name
	for i in {1..40}; do
		mkdir "$STAGING/$(date -u -d "+$i minutes" +%Y%m%dT%H%M%SZ)-0123456789abcdef"
	done
	put_generation "$PAIRS/new"
	name=$STAGING/$(date -u +%Y%m%dT%H%M%SZ)-fedcba9876543210
	mv "$GENERATION" "$name"
	certdeploy
	expect 0 'holds 41 generations; only the 32 that arrived last' "deployed $(fingerprint "$PAIRS/new/leaf.pem")"
	[ ! -e "$name" ]
	# What was not looked at then is superseded.
	certdeploy
	expect 0 'nothing to do'
}
