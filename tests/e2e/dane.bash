# shellcheck shell=bash
# shellcheck disable=SC2154 # the lab's variables, and bats' own
#
# dane - what the tests share that have a zone and a resolver: TLSA records as a zone file has them

dane_setup_file() {
	make_pair "$PAIRS/renewed" from='1 day ago' key_of="$PAIRS/current"
	DNS_DIR=$(mktemp -d /var/tmp/dane-dns.XXXXXX)
	DNS_PORT=$((LAB_PORT_BASE + ${1:-2320}))
	CLOCK=$(dirname "$PROGRAM")/clock.so
	export DNS_DIR DNS_PORT CLOCK
	make -s -C "$TOP" B="$(dirname "$PROGRAM")" "$CLOCK"
	dns up "$DNS_PORT"
}

dns() { # COMMAND [ARGUMENT...]
	local command=$1
	shift
	"$TOP/tests/lab/dns" "$command" "$DNS_DIR" "$@" 3>&-
}

# publish [LINE...]: the mail host, and these lines; all that is known already is forgotten
publish() {
	printf '%s\n' 'mail A 192.0.2.25' "$@" | dns zone
	dns flush
}

# Bytes in hexadecimal, without the name that openssl puts in front.
hexadecimal() {
	od -An -v -tx1 | tr -d ' \n'
}

# data_of CERTIFICATE SELECTOR MATCHING: of the record for it
data_of() {
	local digest=(cat)
	case $3 in
	1) digest=(openssl dgst -sha256 -binary) ;;
	2) digest=(openssl dgst -sha512 -binary) ;;
	esac
	if [ "$2" = 1 ]; then
		openssl x509 -noout -pubkey -in "$1" | openssl pkey -pubin -outform DER
	else
		openssl x509 -outform DER -in "$1"
	fi | "${digest[@]}" | hexadecimal
}

# tlsa CERTIFICATE [USAGE SELECTOR MATCHING]: a record for it, without its name
tlsa() {
	local numbers=("${@:2}")
	[ $# -gt 1 ] || numbers=(3 1 1)
	printf 'TLSA %s %s' "${numbers[*]}" "$(data_of "$1" "${numbers[@]:1}")"
}

# at SECONDS COMMAND...: with a clock that is so far ahead
at() {
	local shift=$1
	shift
	LD_PRELOAD=$CLOCK CLOCK_SHIFT=$shift "$@"
}

# held WHAT TEXT...: a run holds the staged pair back, says so, and changes nothing that is installed
held() {
	local before
	before=$(snapshot "$SSL" "$STAGING")
	certdeploy
	expect 75 "$@"
	same "$before" "$(snapshot "$SSL" "$STAGING")"
}

# deployed PAIR: a run installs it
deployed() {
	certdeploy "${@:2}"
	expect 0 'deployed'
	installed_is "$1"
	staging_is_empty
}
