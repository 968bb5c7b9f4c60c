# shellcheck shell=bash
# acme - the Nginx Proxy Manager host: Pebble as the certificate authority and certbot's tree

acme_configure() {
	mkdir -p "$LAB/acme" "$LAB_NPM/letsencrypt" "$LAB_NPM/work" "$LOG/letsencrypt"
	# The certificate of Pebble's own HTTPS interface; it has nothing to do with what it issues.
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
		-subj '/CN=lab directory' -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' \
		-addext 'basicConstraints=critical,CA:TRUE' \
		-keyout "$LAB/acme/directory.key" -out "$LAB/acme/directory.pem" 2>>"$LOG/pebble.log"
	cat >"$LAB/acme/pebble.json" <<-JSON
		{
		  "pebble": {
		    "listenAddress": "127.0.0.1:$ACME_PORT",
		    "managementListenAddress": "127.0.0.1:$ACME_ADMIN_PORT",
		    "certificate": "$LAB/acme/directory.pem",
		    "privateKey": "$LAB/acme/directory.key",
		    "httpPort": 5002,
		    "tlsPort": 5001,
		    "ocspResponderURL": "",
		    "externalAccountBindingRequired": false,
		    "certificateValidityPeriod": $((90 * 24 * 3600))
		  }
		}
	JSON
}

acme_fetch_root() {
	python3 - "$LAB/acme/directory.pem" "https://127.0.0.1:$ACME_ADMIN_PORT/roots/0" \
		"$LAB_ACME_ROOT" <<-'PYTHON' 2>/dev/null
			import ssl, sys, urllib.request
			trust = ssl.create_default_context(cafile=sys.argv[1])
			no_proxy = urllib.request.ProxyHandler({})
			opener = urllib.request.build_opener(no_proxy, urllib.request.HTTPSHandler(context=trust))
			root = opener.open(sys.argv[2], timeout=5).read()
			open(sys.argv[3], "wb").write(root)
		PYTHON
}

acme_start() {
	acme_configure
	# Every challenge counts as passed: the lab has no DNS to prove names with. The other two turn
	# off what Pebble does to annoy clients.
	PEBBLE_VA_ALWAYS_VALID=1 PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 PEBBLE_AUTHZREUSE=100 \
		process_spawn "$RUN/pebble.pid" "$LOG/pebble.log" \
		pebble -config "$LAB/acme/pebble.json"
	wait_for 15 acme_fetch_root || die "Pebble does not answer, see $LOG/pebble.log"
}

# acme_certbot WORD...: certbot with the lab's own directories and authority
acme_certbot() {
	(
		# certbot gives up at once when another one runs; rather wait for it.
		exec 8>"$LAB_NPM/work/lock"
		flock 8
		env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY \
			REQUESTS_CA_BUNDLE="$LAB/acme/directory.pem" \
			certbot "$@" --config-dir "$LAB_NPM/letsencrypt" --work-dir "$LAB_NPM/work" \
			--logs-dir "$LOG/letsencrypt" --server "https://127.0.0.1:$ACME_PORT/dir" \
			--non-interactive </dev/null >>"$LOG/certbot.log" 2>&1
	) || {
		tail -n 15 "$LOG/certbot.log" >&2
		die "certbot failed, see $LOG/certbot.log and $LOG/letsencrypt"
	}
}

acme_clock_beyond() { # SECONDS-SINCE-1970
	[ "$(date +%s)" -gt "$1" ]
}

# Certificates know whole seconds only. Wait until one issued now is newer than LINEAGE's.
acme_wait_until_newer() { # LINEAGE
	local begins
	begins=$(openssl x509 -in "$LAB_LIVE/$1/cert.pem" -noout -startdate)
	begins=$(date -d "${begins#*=}" +%s)
	wait_for 5 acme_clock_beyond "$begins" || die "the clock stands still, or $1 begins in the future"
}

# acme_issue LINEAGE KEY NAME...: one certificate; KEY is rsa:BITS or ec:CURVE
acme_issue() {
	local lineage=$1 key=$2 name words
	shift 2
	words=(certonly --cert-name "$lineage" --manual --manual-auth-hook /bin/true
		--preferred-challenges dns --agree-tos --email admin@example.org --no-eff-email)
	case $key in
	rsa:*) words+=(--key-type rsa --rsa-key-size "${key#rsa:}") ;;
	ec:*) words+=(--key-type ecdsa --elliptic-curve "${key#ec:}") ;;
	*) die "KEY must be rsa:BITS or ec:CURVE, not $key" ;;
	esac
	for name; do
		case $name in
		-*) words+=("$name") ;;
		*) words+=(-d "$name") ;;
		esac
	done
	acme_certbot "${words[@]}"
}

# The lineages an NPM host collects in a few years: the mail host's own, which is EC P-384 as NPM
# asks for, an older one that covers it too, and others that have nothing to do with it.
acme_first_lineages() {
	local domain=${LAB_HOSTNAME#*.}
	acme_issue npm-2 rsa:2048 "$LAB_HOSTNAME" "old.$domain"
	acme_issue npm-1 rsa:2048 www.example.org
	acme_issue npm-3 ec:secp384r1 '*.example.net' example.net
	acme_wait_until_newer npm-2
	acme_issue "$LAB_LINEAGE" ec:secp384r1 "$LAB_HOSTNAME" "autoconfig.$domain"
	acme_issue npm-10 ec:secp256r1 cloud.example.com
}

lab_issue() {
	[ $# -ge 3 ] || die 'usage: lab issue LINEAGE KEY NAME...'
	process_alive "$RUN/pebble.pid" || die 'no lab is running'
	acme_issue "$@" --force-renewal
}

lab_renew() {
	process_alive "$RUN/pebble.pid" || die 'no lab is running'
	local lineage=${1:-$LAB_LINEAGE}
	[ -f "$LAB_NPM/letsencrypt/renewal/$lineage.conf" ] || die "there is no lineage $lineage"
	acme_wait_until_newer "$lineage"
	acme_certbot renew --force-renewal --cert-name "$lineage" --no-random-sleep-on-renew
}
