#!/usr/bin/env bats
# Which lineage certpush takes, what `certpush list` says, and a pair that is just being renewed.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

setup() {
	push_setup
}

# would_push NAME PAIR: a dry run says so
would_push() {
	certpush --dry-run
	expect 0 "would push $1 ($(fingerprint "$2/leaf.pem"))"
}

# --- finding ---

@test "a tree that cannot be read to its end is an error: what was not seen may be the one to push" {
	lineage npm-5 "$PAIRS/old"
	lineage npm-7 "$PAIRS/mail"
	traced -e trace=getdents64 -e inject=getdents64:error=EIO -- --dry-run
	refused 74 "$LIVE: cannot list: Input/output error"
}

# --- choosing ---

@test "of several lineages that cover the host the one issued last is taken, wherever it stands and whenever it ends" {
	lineage npm-1 "$PAIRS/newer"
	lineage npm-2 "$PAIRS/old"
	lineage npm-3 "$PAIRS/mail"
	would_push npm-1 "$PAIRS/newer"
	rm -rf "${LIVE:?}"/*
	lineage npm-1 "$PAIRS/old"
	lineage npm-2 "$PAIRS/mail"
	lineage npm-3 "$PAIRS/newer"
	would_push npm-3 "$PAIRS/newer"
	rm -rf "${LIVE:?}"/*
	lineage npm-1 "$PAIRS/mail"
	lineage npm-2 "$PAIRS/newer"
	lineage npm-3 "$PAIRS/old"
	would_push npm-2 "$PAIRS/newer"
}

@test "a wildcard covers the host" {
	lineage npm-1 "$PAIRS/other"
	lineage npm-3 "$PAIRS/wildcard"
	would_push npm-3 "$PAIRS/wildcard"
}

@test "a wildcard does not cover a name two labels deeper" {
	lineage npm-3 "$PAIRS/wildcard"
	configure source.hostname=mx.mail.example.org
	certpush --dry-run
	refused 66 'no lineage covers mx.mail.example.org' "certpush list"
}

@test "the name in the subject alone does not cover the host" {
	make_pair "$BATS_TEST_TMPDIR/pair" names=DNS:www.example.org
	lineage npm-1 "$BATS_TEST_TMPDIR/pair"
	certpush --dry-run
	refused 66 "$LIVE: no lineage covers mail.example.org"
}

@test "an expired lineage and one not yet valid are passed over" {
	lineage npm-1 "$PAIRS/expired"
	lineage npm-2 "$PAIRS/old"
	lineage npm-3 "$PAIRS/future"
	would_push npm-2 "$PAIRS/old"
}

@test "a newer lineage that does not cover the host is passed over" {
	lineage npm-1 "$PAIRS/old"
	lineage npm-2 "$PAIRS/other"
	would_push npm-1 "$PAIRS/old"
}

@test "unreadable lineages do not hide a good one" {
	lineage npm-1 "$PAIRS/newer"
	echo 'not a certificate' >"$ARCHIVE/npm-1/fullchain1.pem"
	lineage npm-2 "$PAIRS/newer"
	rm "$ARCHIVE/npm-2/fullchain1.pem"
	touch -d '1 hour ago' "$LIVE/npm-2"
	mkdir -p "$LIVE/npm-3/fullchain.pem" "$LIVE/npm-4"
	touch -d '1 hour ago' "$LIVE/npm-4"
	ln -s nowhere "$LIVE/npm-6"
	mkfifo "$LIVE/npm-7"
	echo 'This directory contains your keys' >"$LIVE/README"
	lineage npm-5 "$PAIRS/old"
	would_push npm-5 "$PAIRS/old"
}

@test "a link that has been dangling for long is not waited for" {
	lineage npm-1 "$PAIRS/newer"
	rm "$ARCHIVE/npm-1/fullchain1.pem"
	touch -d '1 hour ago' "$LIVE/npm-1"
	lineage npm-5 "$PAIRS/mail"
	traced -e trace=openat -- --dry-run
	expect 0 'would push npm-5'
	[ "$(grep -c 'npm-1/fullchain.pem' "$TRACE")" -eq 1 ]
}

@test "no lineage covers the host: 66, the host, the tree and what to do" {
	lineage npm-1 "$PAIRS/other"
	certpush
	refused 66 "error: $LIVE: no lineage covers mail.example.org" \
		"or issue the certificate in Nginx Proxy Manager; 'certpush list' shows what there is"
}

@test "all that cover the host have expired: 65, which one, since when and what to do" {
	lineage npm-1 "$PAIRS/expired"
	lineage npm-2 "$PAIRS/other"
	certpush
	refused 65 'error: lineage npm-1: the certificate expired at 20' 'Renew it in Nginx Proxy Manager'
}

@test "the only one that covers the host is not valid yet: 65, and the clock is the hint" {
	lineage npm-1 "$PAIRS/future"
	certpush
	refused 65 'error: lineage npm-1: the certificate is not valid before 20' timedatectl
}

@test "there is no tree of lineages: 66, and where it was looked for" {
	configure "source.live_dir=$BATS_TEST_TMPDIR/nowhere"
	certpush
	refused 66 "error: live_dir: $BATS_TEST_TMPDIR/nowhere: No such file or directory" 'section [source] of push.conf'
	certpush list
	expect 66 "$BATS_TEST_TMPDIR/nowhere: No such file or directory"
}

# --- a pinned lineage ---

@test "the pinned lineage is taken, although another one is newer" {
	lineage npm-1 "$PAIRS/newer"
	lineage npm-2 "$PAIRS/old"
	configure source.lineage=npm-2
	would_push npm-2 "$PAIRS/old"
}

@test "a pinned lineage that does not cover the host: 78, why, and which one would do" {
	lineage npm-1 "$PAIRS/other"
	lineage npm-2 "$PAIRS/old"
	lineage npm-5 "$PAIRS/mail"
	configure source.lineage=npm-1
	certpush
	refused 78 'lineage npm-1: the certificate does not cover mail.example.org; it is for: cloud.example.com' \
		'; npm-5 would do' 'Correct lineage in push.conf'
}

@test "a pinned lineage that does not cover the host where none does: 78, and that none does" {
	lineage npm-1 "$PAIRS/other"
	lineage npm-2 "$PAIRS/expired"
	configure source.lineage=npm-1
	certpush
	refused 78 'lineage npm-1: the certificate does not cover mail.example.org' \
		'no other lineage' 'Correct lineage in push.conf'
}

@test "a pinned lineage that does not exist: 78, where it was looked for, and which one would do" {
	lineage npm-5 "$PAIRS/mail"
	configure source.lineage=npm-7
	certpush
	refused 78 "there is no lineage npm-7 in $LIVE; npm-5 would do" 'Correct lineage in push.conf'
}

@test "a pinned lineage that has expired: 65, and since when" {
	lineage npm-1 "$PAIRS/expired"
	lineage npm-5 "$PAIRS/mail"
	configure source.lineage=npm-1
	certpush
	refused 65 'lineage npm-1: the certificate expired at 20' 'Renew it in Nginx Proxy Manager'
}

@test "a pinned lineage whose chain is not readable: 65, and its path" {
	lineage npm-1 "$PAIRS/mail"
	echo rubbish >"$ARCHIVE/npm-1/fullchain1.pem"
	configure source.lineage=npm-1
	certpush
	refused 65 "$LIVE: npm-1/fullchain.pem: " 'The file must hold PEM certificates'
}

# --- list ---

several_lineages() {
	lineage npm-10 "$PAIRS/mail"
	lineage npm-2 "$PAIRS/old"
	lineage npm-1 "$PAIRS/other"
	lineage npm-3 "$PAIRS/wildcard"
	lineage npm-4 "$PAIRS/expired"
}

# row NAME: the table's line about it
row() {
	grep -E "^(\*)? +$1 " <<<"$output"
}

@test "list shows every lineage with names, key, end, days left and fingerprint, npm-2 before npm-10, the chosen one marked" {
	local ends days
	several_lineages
	certpush list
	expect 0 LINEAGE NAMES KEY 'NOT AFTER' DAYS SHA-256
	[ "$(sed 1d <<<"$output" | grep -oE 'npm-[0-9]+' | tr '\n' ' ')" = 'npm-1 npm-2 npm-3 npm-4 npm-10 ' ]
	[ "$(grep -c '^\*' <<<"$output")" -eq 1 ]
	row npm-3 | grep -q '^\*'
	ends=$(date -u -d "$(openssl x509 -noout -enddate -in "$PAIRS/wildcard/leaf.pem" | sed 's/.*=//')" +%FT%TZ)
	days=$((($(date -d "$ends" +%s) - $(date +%s)) / 86400))
	row npm-3 | grep -qE " ED25519 +$ends +$days +\*.example.org example.org +$(fingerprint "$PAIRS/wildcard/leaf.pem")$"
	row npm-10 | grep -qE " EC P-384 .* mail.example.org +$(fingerprint "$PAIRS/mail/leaf.pem")$"
	row npm-1 | grep -qE " EC P-256 .* cloud.example.com +$(fingerprint "$PAIRS/other/leaf.pem")$"
	row npm-4 | grep -qE 'Z +-[12] +mail.example.org '
}

@test "list marks the pinned lineage" {
	several_lineages
	configure source.lineage=npm-2
	certpush list
	expect 0
	[ "$(grep -oE '^\* +npm-[0-9]+' <<<"$output")" = '*  npm-2' ]
}

@test "list shows an unreadable lineage with the reason, and the others all the same" {
	several_lineages
	echo rubbish >"$ARCHIVE/npm-1/fullchain1.pem"
	certpush list
	expect 0
	row npm-1 | grep -q 'npm-1/fullchain.pem: '
	row npm-3 | grep -q '^\*'
}

@test "list with none to choose shows the table, says what is wrong below it, and fails" {
	lineage npm-1 "$PAIRS/other"
	lineage npm-2 "$PAIRS/expired"
	certpush list
	expect 65 'lineage npm-2: the certificate expired' 'Renew it'
	row npm-1
	row npm-2
	! grep '^\*' <<<"$output" || return 1
}

@test "list opens no socket, no private key, and changes nothing" {
	local before
	several_lineages
	before=$(snapshot "$BATS_TEST_TMPDIR/letsencrypt" "$STATE")
	traced -e trace=network,openat -- list
	expect 0
	no_socket
	! grep privkey "$TRACE" || return 1
	same "$before" "$(snapshot "$BATS_TEST_TMPDIR/letsencrypt" "$STATE")"
}

@test "list --json prints a document with a version, one object a lineage, the chosen one marked" {
	several_lineages
	lineage npm-20 "$PAIRS/old"
	echo rubbish >"$ARCHIVE/npm-20/fullchain1.pem"
	run --separate-stderr "$PROGRAM" -c "$CONF" list --json
	expect 0
	[ -z "$stderr" ]
	jq -e . >/dev/null <<<"$output"
	[ "$(jq '.version' <<<"$output")" = 1 ]
	[ "$(jq -r '.hostname' <<<"$output")" = mail.example.org ]
	[ "$(jq -r '[.lineages[].lineage] | join(" ")' <<<"$output")" = 'npm-1 npm-2 npm-3 npm-4 npm-10 npm-20' ]
	[ "$(jq -r '.lineages[] | select(.chosen) | .lineage' <<<"$output")" = npm-3 ]
	[ "$(jq -r '.lineages[2].names | join(" ")' <<<"$output")" = '*.example.org example.org' ]
	[ "$(jq -r '.lineages[2].sha256' <<<"$output")" = "$(fingerprint "$PAIRS/wildcard/leaf.pem")" ]
	[ "$(jq -r '.lineages[2].days_left | type' <<<"$output")" = number ]
	[ "$(jq -r '.lineages[3].days_left < 0' <<<"$output")" = true ]
	jq -e '.lineages[5].error | contains("npm-20/fullchain.pem")' >/dev/null <<<"$output"
}

@test "list --json without a lineage prints an empty list, and fails with a message on standard error" {
	run --separate-stderr "$PROGRAM" -c "$CONF" list --json
	[ "$status" -eq 66 ]
	[ "$(jq -c '.lineages' <<<"$output")" = '[]' ]
	grep -q 'no lineage covers mail.example.org' <<<"$stderr"
}

@test "a lineage's name with control characters does not reach the terminal" {
	lineage $'npm-\e[31m' "$PAIRS/mail"
	certpush list
	expect 0 'npm-\x1b[31m'
	not_said $'\e'
	certpush -v --dry-run
	expect 0
	not_said $'\e'
}

# --- in the middle of a renewal ---

# is_waiting TEXT: the run under strace has met this more than once
is_waiting() {
	[ "$(grep -c "$1" "$TRACE" 2>/dev/null)" -gt 2 ]
}

trace_files() {
	begin strace -qq -o "$TRACE" -e trace=openat -- -v
}

@test "links of live/ are followed into archive/" {
	lineage npm-5 "$PAIRS/mail"
	certpush
	expect 0
	pushed "$PAIRS/mail"
}

@test "the link to the chain is missing for a moment: waited for, and the renewed pair is pushed" {
	lineage npm-5 "$PAIRS/old"
	archive npm-5 2 "$PAIRS/newer"
	link_part npm-5 2 privkey
	rm "$LIVE/npm-5/fullchain.pem"
	trace_files
	await is_waiting 'npm-5/fullchain.pem.*ENOENT'
	link_part npm-5 2 fullchain
	finish
	expect 0 "pushed $(fingerprint "$PAIRS/newer/leaf.pem")"
	pushed "$PAIRS/newer"
}

@test "the link of a pinned lineage is missing for a moment: waited for" {
	lineage npm-5 "$PAIRS/mail"
	configure source.lineage=npm-5
	rm "$LIVE/npm-5/fullchain.pem"
	trace_files
	await is_waiting 'npm-5/fullchain.pem.*ENOENT'
	link_part npm-5 1 fullchain
	finish
	expect 0
	pushed "$PAIRS/mail"
}

@test "the link to the private key is missing for a moment: waited for, and the renewed pair is pushed" {
	lineage npm-5 "$PAIRS/old"
	archive npm-5 2 "$PAIRS/newer"
	rm "$LIVE/npm-5/privkey.pem"
	trace_files
	await is_waiting 'npm-5/privkey.pem.*ENOENT'
	link_part npm-5 2 privkey
	link_part npm-5 2 chain
	link_part npm-5 2 fullchain
	finish
	expect 0 'it may be renewed just now'
	pushed "$PAIRS/newer"
}

@test "a new key with the old chain for a moment: waited for, and the renewed pair is pushed and remembered" {
	lineage npm-5 "$PAIRS/old"
	archive npm-5 2 "$PAIRS/newer"
	link_part npm-5 2 cert
	link_part npm-5 2 privkey
	trace_files
	await is_waiting 'npm-5/privkey.pem'
	staging_is_empty
	link_part npm-5 2 chain
	link_part npm-5 2 fullchain
	finish
	expect 0 "pushed $(fingerprint "$PAIRS/newer/leaf.pem")" 'does not belong to the certificate' \
		'it may be renewed just now'
	pushed "$PAIRS/newer"
}

# trace_links: a run whose looks at the links can be seen
trace_links() {
	begin strace -qq -o "$TRACE" -e trace=readlinkat -- -v
}

@test "a renewal whose files are there and whose links are not exchanged yet: waited for, and the new pair is pushed" {
	lineage npm-5 "$PAIRS/old"
	certpush
	pushed "$PAIRS/old"
	rm -r "${STAGING:?}"/*
	archive npm-5 2 "$PAIRS/newer"
	trace_links
	await is_waiting 'npm-5/fullchain1'
	for part in cert privkey chain fullchain; do
		link_part npm-5 2 $part
	done
	finish
	expect 0 "pushed $(fingerprint "$PAIRS/newer/leaf.pem")"
	pushed "$PAIRS/newer"
}

@test "a renewal of which only the key is written yet is waited for" {
	lineage npm-5 "$PAIRS/old"
	install -m 0600 "$PAIRS/newer/privkey.pem" "$ARCHIVE/npm-5/privkey2.pem"
	trace_links
	await is_waiting 'npm-5/fullchain1'
	archive npm-5 2 "$PAIRS/newer"
	for part in cert privkey chain fullchain; do
		link_part npm-5 2 $part
	done
	finish
	expect 0
	pushed "$PAIRS/newer"
}

@test "a new lineage whose chain is still empty is waited for" {
	lineage npm-5 "$PAIRS/old"
	lineage npm-12 "$PAIRS/newer"
	: >"$ARCHIVE/npm-12/fullchain1.pem"
	trace_links
	await is_waiting 'npm-12/fullchain1'
	cp "$PAIRS/newer/fullchain.pem" "$ARCHIVE/npm-12/fullchain1.pem"
	finish
	expect 0
	pushed "$PAIRS/newer"
}

@test "links that are never exchanged are waited for for a few seconds, and then what they lead to is pushed" {
	lineage npm-5 "$PAIRS/mail"
	archive npm-5 2 "$PAIRS/newer"
	trace_links
	finish
	expect 0
	is_waiting 'npm-5/fullchain1'
	pushed "$PAIRS/mail"
}

@test "links that were not exchanged long ago are not waited for" {
	lineage npm-5 "$PAIRS/mail"
	archive npm-5 2 "$PAIRS/newer"
	touch -d '1 hour ago' "$ARCHIVE/npm-5"
	traced -e trace=readlinkat -- --dry-run
	expect 0 "would push npm-5 ($(fingerprint "$PAIRS/mail/leaf.pem"))"
	[ "$(grep -c 'npm-5/fullchain1' "$TRACE")" -eq 1 ]
}

@test "renewals without end while it pushes again and again: whatever is pushed is a pair" {
	local i part name turn
	lineage npm-5 "$PAIRS/mail"
	archive npm-5 2 "$PAIRS/old"
	# Which of the two is the newer one is not to matter.
	touch -d '1 hour ago' "$ARCHIVE/npm-5"
	(
		turn=2
		while :; do
			for part in cert privkey chain fullchain; do
				link_part npm-5 "$turn" "$part"
				sleep 0.01
			done
			turn=$((3 - turn))
			sleep 0.1
		done
	) 3>&- 4>&- &
	SERVERS+=($!)
	for ((i = 0; i < 8; i++)); do
		certpush --force
		expect 0
	done
	[ "$(generations | wc -l)" -eq 8 ]
	for name in $(generations); do
		if cmp -s "$STAGING/$name/fullchain.pem" "$PAIRS/mail/fullchain.pem"; then
			cmp "$STAGING/$name/privkey.pem" "$PAIRS/mail/privkey.pem"
		else
			cmp "$STAGING/$name/fullchain.pem" "$PAIRS/old/fullchain.pem"
			cmp "$STAGING/$name/privkey.pem" "$PAIRS/old/privkey.pem"
		fi
		# The name is made of the certificate that is in it.
		[ "${name#*-}" = "$(fingerprint "$STAGING/$name/fullchain.pem" | tr -d : | tr A-F a-f | cut -c1-16)" ]
	done
}

@test "a key that stays another one's is read again for a few seconds, and then an error: 65" {
	lineage npm-5 "$PAIRS/mail"
	install -m 0600 "$PAIRS/old/privkey.pem" "$ARCHIVE/npm-5/privkey1.pem"
	traced -e trace=openat,network --
	refused 65 'error: lineage npm-5: the private key does not belong to the certificate' \
		"$(fingerprint "$PAIRS/mail/leaf.pem")" 'if the pair is wrong at its source, issue it again'
	is_waiting 'npm-5/privkey.pem'
	no_socket
}

@test "a private key that stays away is looked for for a few seconds, and then an error: 66, and its path" {
	lineage npm-5 "$PAIRS/mail"
	rm "$ARCHIVE/npm-5/privkey1.pem"
	traced -e trace=openat,network --
	refused 66 "error: $LIVE: npm-5/privkey.pem: No such file or directory" 'a link in live/ may point to nothing'
	is_waiting 'npm-5/privkey.pem'
	no_socket
}

# --- pairs that are no good, each with its own message; nothing is sent ---

# bad_pair STATUS TEXT...: the lineage npm-5 is refused before a socket is opened
bad_pair() {
	traced -e trace=network --
	refused "$@"
	! grep -F AF_INET "$TRACE" || return 1
}

@test "an encrypted private key is refused: 65" {
	lineage npm-5 "$PAIRS/newer"
	openssl pkcs8 -topk8 -in "$PAIRS/newer/privkey.pem" -passout pass:secret -out "$ARCHIVE/npm-5/privkey1.pem"
	bad_pair 65 'error: lineage npm-5: ' passphrase 'openssl pkey -in KEY -out PLAINKEY'
}

@test "a key weaker than RSA 2048 is refused: 65" {
	make_pair "$BATS_TEST_TMPDIR/weak" key=rsa:1024
	lineage npm-5 "$BATS_TEST_TMPDIR/weak"
	bad_pair 65 "error: lineage npm-5: the certificate's key (RSA 1024) is weaker than RSA 2048" 'Issue it again'
}

@test "a certification authority's certificate is refused: 65" {
	make_pair "$BATS_TEST_TMPDIR/ca" ca=TRUE
	lineage npm-5 "$BATS_TEST_TMPDIR/ca"
	bad_pair 65 'error: lineage npm-5: ' 'certification authority' "server's own certificate first"
}

@test "a certificate that is not for servers is refused: 65" {
	make_pair "$BATS_TEST_TMPDIR/client" usage=clientAuth
	lineage npm-5 "$BATS_TEST_TMPDIR/client"
	bad_pair 65 'error: lineage npm-5: ' serverAuth 'Issue one whose extended key usage'
}

@test "a chain that is not one is refused: 65" {
	lineage npm-5 "$PAIRS/mail"
	cat "$PAIRS/mail/leaf.pem" "$AUTHORITY/root.pem" >"$ARCHIVE/npm-5/fullchain1.pem"
	bad_pair 65 'error: lineage npm-5: certificate number 1 of the chain was not issued by number 2' \
		'fullchain.pem as certbot writes it'
}

@test "a chain file that also holds the private key is refused: 65" {
	lineage npm-5 "$PAIRS/mail"
	cat "$PAIRS/mail/privkey.pem" >>"$ARCHIVE/npm-5/fullchain1.pem"
	configure source.lineage=npm-5
	bad_pair 65 "$LIVE: npm-5/fullchain.pem: " 'private key' 'Leave only certificates in it'
}

@test "the only lineage for the host has an unusable chain file: what is wrong with it is said, not only that none covers" {
	lineage npm-1 "$PAIRS/other"
	lineage npm-5 "$PAIRS/mail"
	cat "$PAIRS/mail/privkey.pem" >>"$ARCHIVE/npm-5/fullchain1.pem"
	certpush
	[ "$status" -ne 0 ]
	refused "$status" npm-5/fullchain.pem 'private key'
}
