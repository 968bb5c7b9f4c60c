#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# mail-audit on real servers: a zone where all is right, and the same zone with one mistake each time; a mailcow of its
# own beside the lab's, whose postfix sends real mail through another postfix, the relay.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=make_pair.bash
. "$TOP/tests/e2e/make_pair.bash"
# shellcheck source-path=SCRIPTDIR source=common.bash
. "$TOP/tests/e2e/common.bash"

AUDIT=$TOP/contrib/mail-audit

setup_file() {
	local settings
	settings=$("$TOP/tests/lab/lab" env)
	eval "$settings"
	"$LAB_DOCKER" version >/dev/null || {
		echo 'the lab is not running: tests/lab/lab up' >&2
		return 1
	}
	export PORT=$((LAB_PORT_BASE + 2320)) PROJECT=$LAB_PROJECT-audit
	DNS_DIR=$(mktemp -d /var/tmp/audit-dns.XXXXXX)
	export DNS_DIR
	export GOOD=$BATS_FILE_TMPDIR/good ROOT=$BATS_FILE_TMPDIR/mailcow
	make_authority "$BATS_FILE_TMPDIR/authority"
	make_pair "$BATS_FILE_TMPDIR/mail" names=DNS:mail.example.org,DNS:autoconfig.example.org,DNS:autodiscover.example.org
	make_pair "$BATS_FILE_TMPDIR/relay" names=DNS:relay.example.net
	"$TOP/tests/lab/dns" up "$DNS_DIR" "$PORT" 3>&-
	container relay relay.example.net -p "127.0.0.1:$((PORT + 2)):2525" -p "127.0.0.1:$((PORT + 3)):2526"
	container postfix-mailcow mail.example.org -p "127.0.0.1:$((PORT + 4)):25" \
		--add-host "relay.example.net:$("$LAB_DOCKER" inspect -f '{{ .NetworkSettings.Networks.bridge.IPAddress }}' "$PROJECT-relay-1")"
	container nginx-mailcow mail.example.org -p "127.0.0.1:$((PORT + 5)):443"
	await postfix relay postfix -c /opt/postfix/conf status
	await postfix postfix-mailcow postfix -c /opt/postfix/conf status
	postfix relay postconf -c /opt/postfix/conf -M '2525/inet=2525 inet n - n - - smtpd' '2526/inet=2526 inet n - n - - smtpd'
	postfix relay postconf -c /opt/postfix/conf -P 2526/inet/smtpd_tls_security_level=none
	relay_says default_transport=discard
	postfix postfix-mailcow postconf -c /opt/postfix/conf -e "relayhost=[relay.example.net]:2525" smtp_tls_security_level=encrypt \
		smtp_address_preference=ipv4
	postfix postfix-mailcow postfix -c /opt/postfix/conf reload
	await greets $((PORT + 2))
	await greets $((PORT + 3))
	await greets $((PORT + 4))
	await curl -ksS -o /dev/null "https://127.0.0.1:$((PORT + 5))/"
	mkdir "$ROOT"
	cat >"$ROOT/mailcow.conf" <<-CONF
		MAILCOW_HOSTNAME=mail.example.org
		COMPOSE_PROJECT_NAME=$PROJECT
		SMTP_PORT=127.0.0.1:$((PORT + 4))
		HTTPS_BIND=127.0.0.1
		HTTPS_PORT=$((PORT + 5))
	CONF
	good_zones
}

teardown_file() {
	"$TOP/tests/lab/dns" down "$DNS_DIR"
	"$LAB_DOCKER" rm -f "$PROJECT-relay-1" "$PROJECT-postfix-mailcow-1" "$PROJECT-nginx-mailcow-1" >/dev/null
}

# container SERVICE HOSTNAME OPTION...: one of the lab's image, started as the lab's is
container() {
	local service=$1 name=$2 script=$1
	shift 2
	if [ "$service" = relay ]; then
		script=postfix-mailcow
	fi
	local ssl=$BATS_FILE_TMPDIR/$service
	mkdir -p "$ssl"
	if [ "$service" = relay ]; then
		cp "$ssl/fullchain.pem" "$ssl/cert.pem"
		cp "$ssl/privkey.pem" "$ssl/key.pem"
	else
		cp "$BATS_FILE_TMPDIR/mail/fullchain.pem" "$ssl/cert.pem"
		cp "$BATS_FILE_TMPDIR/mail/privkey.pem" "$ssl/key.pem"
	fi
	"$LAB_DOCKER" run --detach --name "$PROJECT-$service-1" --hostname "${name%%.*}" \
		--label "com.docker.compose.project=$PROJECT" --label "com.docker.compose.service=$service" \
		--env "MAILCOW_HOSTNAME=$name" \
		--env "BRIDGE_NET=$("$LAB_DOCKER" network inspect bridge -f '{{ (index .IPAM.Config 0).Subnet }}')" \
		--volume "$ssl:/etc/ssl/mail:ro" --volume "$LAB/containers:/lab:ro" "$@" lab-mail "/lab/$script" >/dev/null
}

postfix() { # SERVICE COMMAND...
	"$LAB_DOCKER" exec "$PROJECT-$1-1" "${@:2}" >/dev/null 2>&1
}

relay_says() { # SETTING...
	postfix relay postconf -c /opt/postfix/conf -e "$@"
	postfix relay postfix -c /opt/postfix/conf reload
}

greets() { # PORT
	local line
	{ exec 7<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
	IFS= read -r -t 5 line <&7 || line=
	exec 7>&-
	[[ $line == 220* ]]
}

# key BITS: what a record has of an RSA key, in strings that are short enough
key() {
	openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$1" 2>/dev/null | openssl pkey -pubout -outform DER |
		base64 -w 200 | sed 's/.*/"&"/' | tr '\n' ' '
}

good_zones() {
	mkdir "$GOOD"
	key 512 >"$BATS_FILE_TMPDIR/short"
	key 1024 >"$BATS_FILE_TMPDIR/weak"
	cat >"$GOOD/example.org" <<-ZONE
		@ MX 10 mail
		mail A 192.0.2.25
		autoconfig CNAME mail
		autodiscover CNAME mail
		_autodiscover._tcp SRV 0 1 443 mail
		@ TXT "v=spf1 a mx a:mail.example.org -all"
		@ TXT "some-site-verification=1"
		em1 CNAME return.example.net.
		dkim._domainkey TXT "v=DKIM1; k=rsa; t=s; p=" $(key 2048)
		s1._domainkey CNAME dkim.example.net.
		_dmarc TXT "v=DMARC1; p=reject; rua=mailto:a@reports.example.com,mailto:dmarc@example.org; adkim=r; aspf=r; pct=100"
		_25._tcp.mail TLSA 3 1 1 $(openssl x509 -in "$BATS_FILE_TMPDIR/mail/fullchain.pem" -noout -pubkey |
		openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)
	ZONE
	cat >"$GOOD/example.net" <<-ZONE
		relay A 127.0.0.1
		return TXT "v=spf1 ip4:198.51.100.0/24 include:more.example.net ~all"
		more TXT "v=spf1 ip6:2001:db8::/32 ?all"
		dkim TXT "k=rsa; p=" $(key 2048)
	ZONE
	echo 'example.org._report._dmarc.reports TXT "v=DMARC1"' >"$GOOD/example.com"
	echo '25 PTR mail.example.org.' >"$GOOD/2.0.192.in-addr.arpa"
}

setup() {
	CONF=$BATS_TEST_TMPDIR/audit.conf
	cat >"$CONF" <<-CONF
		# a comment
		[mail]
		domain = example.org ; and one here
		[dkim]
		selectors = dkim s1
		[spf]
		return_path = em1
		[relay]
		host = relay.example.net
		port = $((PORT + 2))
		ca_file = $BATS_FILE_TMPDIR/authority/root.pem
		[dns]
		resolver = 127.0.0.1#$((PORT + 1))
		[mailcow]
		root = $ROOT
		docker = $LAB_DOCKER
	CONF
	local zone
	for zone in "$GOOD"/*; do
		cmp -s "$zone" "$DNS_DIR/zones/${zone##*/}.records" || "$TOP/tests/lab/dns" zone "$DNS_DIR" "${zone##*/}" "$zone"
	done
	"$TOP/tests/lab/dns" flush "$DNS_DIR"
}

# mistake SED [ZONE]: the zone is as it should be but for what sed does to it
mistake() {
	local zone=${2:-example.org}
	sed -E "$1" "$GOOD/$zone" >"$BATS_TEST_TMPDIR/$zone"
	! cmp -s "$GOOD/$zone" "$BATS_TEST_TMPDIR/$zone"
	"$TOP/tests/lab/dns" zone "$DNS_DIR" "$zone" "$BATS_TEST_TMPDIR/$zone"
	"$TOP/tests/lab/dns" flush "$DNS_DIR"
}

# mistake_in_words SED [ZONE]: as mistake, in a record that neither TLS nor the relay has to do with: they are not asked
mistake_in_words() {
	setting audit 'skip = tlsa certificate relay log'
	mistake "$@"
}

# audits LEVEL [CHECK DETAIL ADVICE]: that row is the only one that is not OK, and says so
audits() {
	local levels='OK WARNING CRITICAL UNKNOWN' before
	run "$AUDIT" --config "$CONF" --json
	echo "$output"
	before=${levels%%"$1"*}
	[ "$status" -eq "$(wc -w <<<"$before")" ]
	[ "$(jq -r .status <<<"$output")" = "$1" ]
	if [ $# -eq 1 ]; then
		[ "$(jq '[.checks[] | select(.status != null and .status != "OK")] | length' <<<"$output")" -eq 0 ]
		return
	fi
	[ "$(jq -r '.checks[] | select(.status != null and .status != "OK") | .status + " " + .check' <<<"$output")" = "$1 $2" ]
	jq -r --arg check "$2" '.checks[] | select(.check == $check) | .detail' <<<"$output" | grep -F -- "$3"
	jq -r --arg check "$2" '.checks[] | select(.check == $check) | .advice' <<<"$output" | grep -F -- "$4"
	[ "$(jq -r .summary <<<"$output")" = "$2: $(jq -r --arg check "$2" '.checks[] | select(.check == $check) | .detail' <<<"$output")" ]
}

# setting SECTION LINE: the one of that name takes its place, or joins the others
setting() {
	sed -i -E "/^${2%% *} =/d; s@^\[$1\]@&\n$2@" "$CONF"
	grep -qxF "[$1]" "$CONF" || printf '[%s]\n%s\n' "$1" "$2" >>"$CONF"
}

# send_mail: to somebody out there; returns when postfix has logged what came of it
send_mail() {
	local number
	number=sent$RANDOM$RANDOM
	printf 'Subject: test\n\ntext\n' | "$LAB_DOCKER" exec -i "$PROJECT-postfix-mailcow-1" sendmail -f a@example.org "$number@example.com"
	await logged "$number"
}

logged() {
	"$LAB_DOCKER" logs "$PROJECT-postfix-mailcow-1" 2>&1 | grep -q "smtp.*to=<$1@example.com>.* status="
}

@test 'without any mail in the log, all else is right' {
	run "$AUDIT" -c "$CONF"
	expect 0 'no mail has left this server'
	[[ ${lines[0]} =~ ^'MAIL-AUDIT OK - '[0-9]+' checks of example.org'$ ]]
	[[ ${lines[1]} =~ ^CHECK\ +STATUS\ +DETAIL$ ]]
	grep -qE '^relay log +-  ' <<<"$output"
}

@test 'everything is right, and real mail through the real relay is found in the log' {
	send_mail
	audits OK
	grep -qF 'relay=relay.example.net[' <<<"$output"
	grep -qF 'status=sent (250 ' <<<"$output"
}

@test 'no MX' {
	mistake '/ MX /d'
	audits CRITICAL 'MX example.org' 'there is none' 'example.org. IN MX 10 mail.example.org.'
}

@test 'an MX of somebody else' {
	mistake 's/ MX 10 mail/ MX 10 mx.example.net./'
	audits CRITICAL 'MX example.org' 'mx.example.net and not at mail.example.org' 'IN MX 10 mail.example.org.'
}

@test 'an MX of somebody else beside the right one' {
	mistake 's/^@ MX .*/&\n@ MX 20 old.example.net./'
	audits WARNING 'MX example.org' 'also to old.example.net' 'remove the MX records'
}

@test 'a mail host that is an alias' {
	mistake 's/^mail A .*/mail CNAME there\nthere A 192.0.2.25/; s/^(auto[a-z]+) CNAME mail/\1 A 192.0.2.25/; /TLSA/d'
	setting audit 'skip = tlsa'
	audits CRITICAL 'host mail.example.org' 'alias of there.example.org' 'in the place of the CNAME'
}

@test 'an address without a name' {
	mistake 's/.*//' 2.0.192.in-addr.arpa
	audits WARNING 'PTR 192.0.2.25' 'no name' 'set its reverse name to mail.example.org'
}

@test 'an address with another name, which is worse where there is no relay' {
	mistake 's/mail/host25/' 2.0.192.in-addr.arpa
	audits WARNING 'PTR 192.0.2.25' 'host25.example.org and not mail.example.org' 'set its reverse name'
	sed -i '/^host =/d' "$CONF"
	audits CRITICAL 'PTR 192.0.2.25' 'host25.example.org and not mail.example.org' 'set its reverse name'
}

@test 'no autoconfig' {
	mistake '/^autoconfig/d'
	audits WARNING autoconfig.example.org 'no such name' 'autoconfig.example.org. IN CNAME mail.example.org.'
}

@test 'autodiscover that points elsewhere' {
	mistake 's/^autodiscover CNAME .*/autodiscover CNAME relay.example.net./'
	audits WARNING autodiscover.example.org 'relay.example.net and not at mail.example.org' 'IN CNAME mail.example.org.'
}

@test 'autodiscover that points at a name that is gone' {
	mistake 's/^autodiscover CNAME .*/autodiscover CNAME gone.example.net./'
	audits WARNING autodiscover.example.org 'alias of gone.example.net, which has no address' 'IN CNAME mail.example.org.'
}

@test 'no SRV record' {
	mistake_in_words '/ SRV /d'
	audits WARNING _autodiscover._tcp.example.org 'no SRV record' 'IN SRV 0 1 443 mail.example.org.'
}

@test 'an SRV record with another port' {
	mistake_in_words 's/ SRV 0 1 443/ SRV 0 1 8443/'
	audits WARNING _autodiscover._tcp.example.org '8443 mail.example.org' 'IN SRV 0 1 443 mail.example.org.'
}

@test 'no SPF record' {
	mistake_in_words '/v=spf1/d'
	audits CRITICAL 'SPF example.org' 'there is none' 'v=spf1 a mx -all'
}

@test 'two SPF records' {
	mistake_in_words 's/.*v=spf1.*/&\n@ TXT "v=spf1 include:more.example.net -all"/'
	audits CRITICAL 'SPF example.org' 'more than one' 'merge'
}

@test 'an SPF record that lets everybody send' {
	mistake_in_words 's/-all/+all/'
	audits CRITICAL 'SPF example.org' '+all: anybody' '-all'
}

@test 'an SPF record without an end' {
	mistake_in_words 's/ -all//'
	audits CRITICAL 'SPF example.org' 'does not end in all' '-all'
}

@test 'an SPF record of more than ten lookups, by its includes' {
	mistake_in_words 's/ a mx / include:more.example.net include:more.example.net /'
	mistake_in_words 's/ip6:.* \?all/a mx a:x mx:x exists:%{i}.x -all/' example.net
	run "$AUDIT" -c "$CONF"
	expect 2 'SPF example.org: it takes more than 10 lookups'
	grep -qF 'SPF example.org: remove includes' <<<"$output"
}

@test 'an SPF record with a term that is none' {
	mistake_in_words 's/ a:mail/ ipv4:192.0.2.25 a:mail/'
	audits CRITICAL 'SPF example.org' 'ipv4:192.0.2.25' 'correct or remove ipv4:192.0.2.25'
}

@test 'an SPF record that includes one that is gone' {
	mistake_in_words 's/ a:mail/ include:gone.example.net a:mail/'
	audits CRITICAL 'SPF example.org' 'gone.example.net, which has no SPF record' 'include gone.example.net'
}

@test 'no return path at the relay' {
	mistake_in_words '/^em1/d'
	audits CRITICAL 'SPF em1.example.org' 'no SPF record' 'control panel'
}

@test 'a return path that leads nowhere' {
	mistake_in_words '/^return/d' example.net
	audits CRITICAL 'SPF em1.example.org' 'at return.example.net, of which it is an alias' 'control panel'
}

@test 'no key of DKIM' {
	mistake_in_words '/^dkim/d'
	audits CRITICAL 'DKIM dkim._domainkey.example.org' 'there is no key' 'ARC/DKIM keys'
}

@test 'a key of DKIM that was cut off' {
	mistake_in_words '/^dkim/s/"[^"]*" *$//'
	audits CRITICAL 'DKIM dkim._domainkey.example.org' 'damaged or cut off' 'copy the record'
}

@test 'a key of DKIM that was revoked' {
	mistake_in_words 's/^dkim._domainkey.*/dkim._domainkey TXT "v=DKIM1; p="/'
	audits CRITICAL 'DKIM dkim._domainkey.example.org' 'revoked' 'copy the record'
}

@test 'keys of DKIM that are too short' {
	mistake_in_words "s#^dkim._domainkey.*#dkim._domainkey TXT \"v=DKIM1; p=\" $(<"$BATS_FILE_TMPDIR/weak")#"
	audits WARNING 'DKIM dkim._domainkey.example.org' '1024 bits' '2048 bits'
	mistake_in_words "s#^dkim._domainkey.*#dkim._domainkey TXT \"v=DKIM1; p=\" $(<"$BATS_FILE_TMPDIR/short")#"
	audits CRITICAL 'DKIM dkim._domainkey.example.org' '512 bits' '2048 bits'
}

@test 'a delegation of DKIM that is gone' {
	mistake_in_words '/^s1._domainkey/d'
	audits CRITICAL 'DKIM s1._domainkey.example.org' 'there is no key' 'CNAME'
}

@test 'a delegation of DKIM to a name without a key' {
	mistake_in_words '/^dkim/d' example.net
	audits CRITICAL 'DKIM s1._domainkey.example.org' 'alias of dkim.example.net, which has no key' 'control panel'
}

@test 'a key of DKIM for tests only' {
	mistake_in_words 's/t=s/t=s:y/'
	audits WARNING 'DKIM dkim._domainkey.example.org' 't=y' 'take t=y out'
}

@test 'no DMARC' {
	mistake_in_words '/^_dmarc/d'
	audits CRITICAL 'DMARC example.org' 'there is none' '_dmarc.example.org. IN TXT "v=DMARC1; p=quarantine'
}

@test 'two records of DMARC' {
	mistake_in_words 's/^_dmarc.*/&\n_dmarc TXT "v=DMARC1; p=none"/'
	audits CRITICAL 'DMARC example.org' 'more than one' 'leave one'
}

@test 'a policy of DMARC that is none of the three' {
	mistake_in_words 's/p=reject/p=refuse/'
	audits CRITICAL 'DMARC example.org' 'p cannot be refuse' 'correct the TXT record of _dmarc.example.org'
}

@test 'DMARC without a policy' {
	mistake_in_words 's/p=reject; //'
	audits CRITICAL 'DMARC example.org' 'no policy' '_dmarc.example.org'
}

@test 'a policy of DMARC that lets all in' {
	mistake_in_words 's/p=reject/p=none/'
	audits WARNING 'DMARC example.org' 'the policy is none' 'p=quarantine'
}

@test 'a policy of DMARC for some mail only' {
	mistake_in_words 's/pct=100/pct=20/'
	audits WARNING 'DMARC example.org' '20 of 100' 'remove pct'
}

@test 'DMARC that does not align the return path' {
	mistake_in_words 's/aspf=r/aspf=s/'
	audits WARNING 'DMARC example.org' 'em1.example.org is not aligned' 'aspf=r'
}

@test 'reports of DMARC to somebody who does not take them' {
	mistake_in_words 's/.*//' example.com
	audits WARNING 'DMARC reports to reports.example.com' 'has not said' 'example.org._report._dmarc.reports.example.com. IN TXT "v=DMARC1"'
}

@test 'a TLSA record of another key' {
	mistake 's/(TLSA 3 1 1 ).*/\10000000000000000000000000000000000000000000000000000000000000000/'
	audits CRITICAL 'TLSA _25._tcp.mail.example.org' 'none fits' "TLSA 3 1 1 $(sed -n 's/.*TLSA 3 1 1 //p' "$GOOD/example.org")"
}

@test 'a TLSA record more, as while a key is being changed, is right; so is that of an authority' {
	mistake 's/(.*TLSA 3 1 1 ).*/&\n\10000000000000000000000000000000000000000000000000000000000000000/'
	audits OK
	mistake "s/TLSA .*/TLSA 2 0 1 $(openssl x509 -in "$BATS_FILE_TMPDIR/authority/issuer.pem" -outform DER | sha256sum | cut -d' ' -f1)/"
	audits OK
}

@test 'a TLSA record of a form that mail does not know' {
	mistake 's/(.*TLSA )3 1 1 (.*)/&\n\11 1 1 \2/'
	audits WARNING 'TLSA _25._tcp.mail.example.org' '1 1 1' 'remove that one'
}

@test 'no TLSA record but one of a form that mail does not know' {
	mistake 's/(.*TLSA )3 1 1 (.*)/\11 1 1 \2/'
	audits WARNING 'TLSA _25._tcp.mail.example.org' 'none is of a form that mail knows, such as 1 1 1' 'IN TLSA 3 1 1'
}

@test 'no TLSA record, which can be as it should be' {
	mistake '/TLSA/d'
	audits WARNING 'TLSA _25._tcp.mail.example.org' 'there is none' 'IN TLSA 3 1 1'
	setting audit 'skip = tlsa'
	audits OK
}

@test 'an answer that is not authenticated' {
	# nsd itself does not validate
	setting dns "resolver = 127.0.0.1#$PORT"
	run "$AUDIT" -c "$CONF"
	expect 2 'not authenticated'
	grep -qE '^TLSA _25._tcp.mail.example.org +WARNING ' <<<"$output"
}

@test 'a certificate without the names that mail programs use' {
	sed -i 's/^domain = .*/domain = example.net/; /^return_path/d; s/^selectors.*/selectors = none/' "$CONF"
	run "$AUDIT" -c "$CONF"
	expect 2 'certificate for autodiscover.example.net: add autodiscover.example.net to the names'
	grep -qE '^certificate for autoconfig.example.net +CRITICAL +the one served on 127.0.0.1:[0-9]+ does not cover it' <<<"$output"
	grep -qE '^certificate for mail.example.org +OK ' <<<"$output"
}

@test 'a relay that is not there' {
	setting relay 'host = gone.example.net'
	run "$AUDIT" -c "$CONF"
	expect 2 'relay gone.example.net: there is no such name'
}

@test 'a port that does not answer' {
	setting relay "port = $((PORT + 9))"
	audits CRITICAL "relay port $((PORT + 9))" refused "ufw allow out $((PORT + 9))/tcp"
}

@test 'a relay without STARTTLS' {
	setting relay "port = $((PORT + 3))"
	audits CRITICAL 'relay TLS' 'STARTTLS is not offered' 'STARTTLS'
}

@test 'a relay with a certificate of another name, or of an authority that is not known' {
	mistake 's/^relay .*/&\nsmart A 127.0.0.1/' example.net
	setting relay 'host = smart.example.net'
	setting audit 'skip = log'
	audits CRITICAL 'relay TLS' 'ostname mismatch' 'correct host'
	setting relay 'host = relay.example.net'
	sed -i '/^ca_file/d' "$CONF"
	audits CRITICAL 'relay TLS' 'certificate' 'ca_file'
}

@test 'a relay that refuses the mail' {
	relay_says 'smtpd_recipient_restrictions=check_recipient_access static:{554 not for you}'
	send_mail
	audits CRITICAL 'relay log' 'status=bounced (host relay.example.net' 'what the relay says'
	relay_says 'smtpd_recipient_restrictions='
	send_mail
	audits OK
}

@test 'mail that goes past the relay' {
	mistake 's/^relay .*/&\nsmart A 127.0.0.1/' example.net
	setting relay 'host = smart.example.net'
	setting audit 'skip = relay'
	audits CRITICAL 'relay log' 'past the relay: relay=relay.example.net[' 'as the relayhost of the domain'
}

@test 'what cannot be known is not taken for right' {
	"$TOP/tests/lab/dns" expire "$DNS_DIR"
	"$TOP/tests/lab/dns" flush "$DNS_DIR"
	run "$AUDIT" -c "$CONF"
	"$TOP/tests/lab/dns" zone "$DNS_DIR" <"$GOOD/example.org"
	expect 3 SERVFAIL
	run ! grep -E '^(MX|SPF|DKIM|DMARC|TLSA|autoconfig|autodiscover|_auto|host) ?.* OK ' <<<"$output"
	"$TOP/tests/lab/dns" stall "$DNS_DIR" unbound
	run "$AUDIT" -c "$CONF"
	"$TOP/tests/lab/dns" resume "$DNS_DIR" unbound
	expect 3 'does not answer' 'did not answer before'
	run ! grep -E '^(MX|SPF|DKIM|DMARC|TLSA|autoconfig|autodiscover|_auto|host) ?.* OK ' <<<"$output"
}

@test 'no byte of a record reaches the terminal as it is, and none is obeyed' {
	# shellcheck disable=SC2016 # not to be expanded
	mistake 's/p=reject/p=\\027[31m$(touch ran)`touch ran`%s%n\\010|\\\\/'
	cd "$BATS_TEST_TMPDIR"
	audits CRITICAL 'DMARC example.org' 'p cannot be ?[31m$(touch ran)`touch ran`%s%n?/' '_dmarc.example.org'
	run "$AUDIT" -c "$CONF"
	run ! grep -q '[^ -~]' <<<"$output"
	[ ! -e ran ]
	mistake 's/ MX 10 mail/ MX 10 -f\\032\\036.example.net./'
	audits CRITICAL 'MX example.org' 'and not at mail.example.org' 'IN MX 10'
	mistake 's/ a:mail/ include:-f.example.org\\032include:$(touch${IFS}ran) a:mail/'
	audits UNKNOWN 'SPF example.org' 'no name that can be asked for' 'dig'
	[ ! -e ran ]
}

@test 'what is not set is asked for, and what is set wrong is named with its line' {
	run "$AUDIT" -c "$BATS_TEST_TMPDIR/none"
	expect 3 'does not exist' "'domain = example.org'"
	: >"$CONF"
	run "$AUDIT" -c "$CONF"
	expect 3 'does not say for which domain' "'domain = example.org'"
	printf '[mail]\ndomain = example.org\nhostnam = x\n' >"$CONF"
	run "$AUDIT" -c "$CONF"
	expect 3 "$CONF: line 3: there is no setting hostnam in section [mail]"
	printf '[mail]\ndomain = -f\n' >"$CONF"
	run "$AUDIT" -c "$CONF"
	expect 3 'line 2: -f is no name'
	printf '[audit]\nskip = mx spff\n' >"$CONF"
	run "$AUDIT" -c "$CONF" --json
	expect 3 'line 2: there is no check spff'
	jq -e '.version == 1 and .status == "UNKNOWN"' <<<"$output"
	run "$AUDIT" --bogus
	expect 64 'unknown option --bogus'
}
