#!/usr/bin/env bats
# The lab's DNS keeps what its README says, for what the other tests conclude from it.

setup_file() {
	DNS_DIR=$(mktemp -d /var/tmp/lab-dns.XXXXXX)
	DNS_PORT=$((${LAB_PORT_BASE:-20000} + 2300))
	export DNS_DIR DNS_PORT
	dns up "$DNS_PORT" 3>&-
}

teardown_file() {
	dns down
}

setup() {
	dns zone <<<'mail A 192.0.2.25'
	dns flush
}

dns() {
	local command=$1
	shift
	"$BATS_TEST_DIRNAME/../lab/dns" "$command" "$DNS_DIR" "$@"
}

# What the resolver says of NAME TYPE: its status and flags, and the answer's records.
asked() {
	dig @127.0.0.1 -p $((DNS_PORT + 1)) +time=5 +tries=1 "$@" |
		sed -E 's/.*status: ([A-Z]+),.*/\1/; t; s/^;; flags: ([a-z ]*);.*/ \1 /; t; /^(;|$)/d'
}

@test 'an answer from the signed zone is authenticated, and so is that a name is not there' {
	run asked mail.example.org A
	[[ $output == *NOERROR*' ad '*192.0.2.25 ]]
	run asked nothing.example.org A
	[[ $output == *NXDOMAIN*' ad '* ]]
}

@test 'one more resolver answers on port 53, and has a cache of its own' {
	local address=127.$((DNS_PORT / 256)).$((DNS_PORT % 256)).53
	dns resolver "$address"
	run dig @"$address" +time=5 +tries=1 mail.example.org A
	[[ $output == *'flags: qr rd ra ad;'*192.0.2.25* ]]
	dns zone <<<'mail A 192.0.2.26'
	dns flush
	run dig @"$address" +short +time=5 +tries=1 mail.example.org A
	[ "$output" = 192.0.2.25 ]
	run asked mail.example.org A
	[[ $output == *192.0.2.26 ]]
}

@test 'an answer from an unsigned zone is not authenticated' {
	run asked insecure.example TXT
	[[ $output == *NOERROR*'"not signed"' ]]
	[[ $output != *' ad '* ]]
}

@test 'a bogus zone and a broken one fail, the bogus one only where it is validated' {
	run asked bogus.example TXT
	[[ $output == SERVFAIL* ]]
	run asked +cdflag bogus.example TXT
	[[ $output == NOERROR*'too long ago"' ]]
	run asked broken.example TXT
	[[ $output == SERVFAIL* ]]
	run asked +cdflag broken.example TXT
	[[ $output == SERVFAIL* ]]
}

@test 'the signed zone goes bogus, and is mended' {
	dns expire
	dns flush
	run asked mail.example.org A
	[[ $output == SERVFAIL* ]]
	dns zone <<<'mail A 192.0.2.26'
	dns flush
	run asked mail.example.org A
	[[ $output == *' ad '*192.0.2.26 ]]
}

@test 'the resolver keeps what it had for as long as its TTL says, or until it is flushed' {
	run asked mail.example.org A
	[[ $output == *192.0.2.25 ]]
	dns zone <<<'mail A 192.0.2.26'
	run asked mail.example.org A
	[[ $output == *192.0.2.25 ]]
	dns flush
	run asked mail.example.org A
	[[ $output == *192.0.2.26 ]]
}

@test 'an alias leads into the zone of somebody else, and to an address there is a name' {
	dns zone <<<'key CNAME theirs.example.net.'
	dns zone example.net <<<'theirs TXT "found"'
	dns zone 2.0.192.in-addr.arpa <<<'25 PTR mail.example.org.'
	run asked key.example.org TXT
	[[ $output == *'"found"' ]]
	run asked -x 192.0.2.25
	[[ $output == *mail.example.org. ]]
}

@test 'a zone that was not there is added, and one that was broken is mended' {
	dns zone fresh.example <<<'@ TXT "fresh"'
	run asked fresh.example TXT
	[[ $output == *'"fresh"' ]]
	dns zone broken.example <<<'@ TXT "mended"'
	run asked broken.example TXT
	[[ $output == *'"mended"' ]]
}

@test 'a long answer is truncated by UDP, and whole by TCP' {
	local number
	for number in {1..200}; do
		printf '_25._tcp.mail TLSA 3 1 1 %064x\n' "$number"
	done >"$BATS_TEST_TMPDIR/records"
	dns zone "$BATS_TEST_TMPDIR/records"
	run asked +ignore _25._tcp.mail.example.org TLSA
	[[ ${lines[1]} == *' tc '* ]]
	run asked _25._tcp.mail.example.org TLSA
	[[ ${lines[1]} != *' tc '* ]]
	[ "$(grep -c TLSA <<<"$output")" -eq 200 ]
}

@test 'a server that is stalled does not answer, and goes on where it was stopped' {
	local server
	for server in nsd unbound; do
		dns stall "$server"
		run dig @127.0.0.1 -p $((DNS_PORT + 1)) +time=1 +tries=1 +short "$server.example.org" A
		[ "$status" -eq 9 ]
		dns resume "$server"
		dns flush
		run asked mail.example.org A
		[[ $output == *192.0.2.25 ]]
	done
}

@test 'records that are no records are refused, and what was there stays' {
	run dns zone <<<'mail A not-an-address'
	[ "$status" -eq 1 ]
	[[ $output == *example.org* ]]
	run asked mail.example.org A
	[[ $output == *192.0.2.25 ]]
}

@test 'up again changes nothing, and starts anew what was half dead' {
	dns up "$DNS_PORT" 3>&-
	run asked mail.example.org A
	[[ $output == *192.0.2.25 ]]
	kill -KILL "$(cut -d' ' -f1 "$DNS_DIR/nsd.record")"
	dns up "$DNS_PORT" 3>&-
	run asked example.org SOA
	[[ $output == *' ad '* ]]
}
