# shellcheck shell=bash
# dns - an authoritative server with a signed zone, and a resolver that validates
#
# nsd serves every zone there is, a root of nothing among them, so that a name nobody has made does not exist.
# unbound asks nobody else: no question leaves the machine.

# Those with a key are signed; unbound has the key as its trust anchor. bogus.example is signed, but too long ago;
# broken.example has no records that nsd could serve.
DNS_SIGNED='example.org bogus.example'
DNS_UNSIGNED='. insecure.example example.net example.com 2.0.192.in-addr.arpa 127.in-addr.arpa'
DNS_BROKEN=broken.example

# What is not said of a record itself, in seconds: its TTL, and how long a resolver remembers that there is none.
DNS_TTL=300
DNS_NEGATIVE_TTL=60

dns_load() { # DIR
	[ "$(id -u)" = 0 ] || die 'must be run as root: it makes namespaces'
	# unbound-control puts a Unix socket there, and the names of those are limited to 107 bytes.
	DNS=$(realpath -m -- "$1")
	[ ${#DNS} -le 90 ] || die "too long a path for Unix sockets: $DNS"
	case $DNS in
	/ | *[!A-Za-z0-9/._-]*) die "the directory cannot be $DNS" ;;
	esac
	DNS_PORT=$(cat "$DNS/port" 2>/dev/null) || DNS_PORT=
	# nsd keeps its programs where the path of an ordinary user does not lead.
	PATH=$PATH:/usr/sbin:/sbin
	[ "${command:-}" = up ] || [ -n "$DNS_PORT" ] || [ "${command:-}" = down ] || die "nothing runs in $DNS: run 'dns up' first"
	[ -z "$DNS_PORT" ] || dns_lock
}

# One command at a time; those that are started do not hold it.
dns_lock() {
	exec 8>>"$DNS/lock"
	flock 8
}

dns_ask() { # PORT NAME TYPE
	dig @127.0.0.1 -p "$1" +time=1 +tries=1 +short +norecurse "$2" "$3" 2>/dev/null
}

# The serial that nsd serves of a zone: the third field of its SOA.
dns_serves() { # ZONE SERIAL
	[ "$(dns_ask "$DNS_PORT" "$1" SOA | cut -d' ' -f3)" = "$2" ]
}

dns_answers() {
	dns_serves example.org "$(cat "$DNS/zones/example.org.serial")" && dns_resolves 127.0.0.1 $((DNS_PORT + 1))
}

dns_resolves() { # ADDRESS PORT
	dig @"$1" -p "$2" +time=1 +tries=1 example.org SOA 2>/dev/null | grep -q '^;; flags:.* ad[ ;]'
}

dns_running() {
	process_alive "$DNS/nsd.record" && process_alive "$DNS/unbound.record"
}

# Either way: one that has ended is not waited for.
dns_settled() {
	dns_answers || ! dns_running
}

# A file beside the records, by the name of the zone; that of the root cannot be one of a file.
dns_file() { # ZONE
	if [ "$1" = . ]; then
		echo "$DNS/zones/root"
	else
		echo "$DNS/zones/$1"
	fi
}

dns_compose() { # ZONE SERIAL FILE
	local apex=${1%.}.
	cat <<-ZONE
		\$ORIGIN $apex
		\$TTL $DNS_TTL
		@ SOA ns.lab. hostmaster.lab. $2 3600 600 86400 $DNS_NEGATIVE_TTL
		@ NS ns.lab.
	ZONE
	cat "$3"
}

# RECORDS become the zone that nsd reads. Its serial, a new one, is left in ${serial}.
dns_sign() { # ZONE RECORDS [expired]
	local zone=$1 records=$2 expired=${3-} file key said until='+400 days'
	file=$(dns_file "$zone")
	serial=$(($(cat "$file.serial" 2>/dev/null || echo 0) + 1))
	dns_compose "$zone" "$serial" "$records" >"$file.new"
	said=$(nsd-checkzone "$zone" "$file.new" 2>&1) || die "zone $zone: $said"
	key=$(find "$DNS/keys" -name "K$zone.+*.private")
	if [ -n "$key" ]; then
		# unbound forgives a day.
		[ -z "$expired" ] || until='-3 days'
		# From before now, for a clock that a test sets back.
		said=$(ldns-signzone -i "$(date -u -d '-30 days' +%Y%m%d)" -e "$(date -u -d "$until" +%Y%m%d)" \
			-f "$file.signed" "$file.new" "${key%.private}" 2>&1) || die "zone $zone: $said"
		mv "$file.signed" "$file.new"
	fi
	mv "$file.new" "$file"
	[ "$records" = "$file.records" ] || mv "$records" "$file.records"
	echo "$serial" >"$file.serial"
}

# A resolver that had a zone's old records keeps them as long as their TTL says.
dns_publish() { # ZONE RECORDS [expired]
	local serial said
	dns_sign "$@"
	said=$(timeout 10 nsd-control -c "$DNS/nsd.conf" reload "$1" 2>&1) || die "nsd does not take zone $1: $said"
	wait_for 10 dns_serves "$1" "$serial" || die "nsd does not serve zone $1 as it is now, see $DNS/nsd.log"
}

dns_zone() { # [ZONE] [FILE]
	local zone=example.org file=/dev/stdin records
	# A name of a file has a slash, one of a zone has none.
	case ${1-} in
	*/*) file=$1 ;;
	?*) zone=$1 file=${2:-$file} ;;
	esac
	[ "$zone" = . ] || zone=${zone%.}
	case $zone in
	*[!a-z0-9.-]* | .?*) die "not the name of a zone: $zone" ;;
	esac
	records=$(dns_file "$zone").records
	cat "$file" >"$records.new"
	if ! grep -qxF "  name: \"$zone\"" "$DNS/nsd.conf"; then
		dns_nsd_zone "$zone" >>"$DNS/nsd.conf"
		timeout 10 nsd-control -c "$DNS/nsd.conf" reconfig >/dev/null || die "nsd does not take zone $zone"
	fi
	dns_publish "$zone" "$records.new"
}

dns_expire() { # [ZONE]
	local zone=${1:-example.org}
	compgen -G "$DNS/keys/K$zone.+*.private" >/dev/null || die "zone $zone is not signed"
	dns_publish "$zone" "$(dns_file "$zone").records" expired
}

dns_control() {
	timeout 10 unbound-control -q -c "$DNS/unbound.conf" "$@" || die "unbound cannot be told: $*"
}

dns_flush() {
	dns_control flush_zone .
	dns_control flush_infra all
}

# For programs that know no other port, and for what must not share the other one's cache.
dns_resolver() { # ADDRESS
	local name=unbound-$1
	case $1 in
	127.*) ;;
	*) die "not an address of this machine's own: $1" ;;
	esac
	process_gone "$DNS/$name.record" || return 0
	sed -e "s/^  interface: .*/  interface: $1@53/" -e 's/^  control-enable: yes/  control-enable: no/' \
		-e '/^  control-interface:/d' "$DNS/unbound.conf" >"$DNS/$name.conf"
	process_spawn_apart "$DNS/$name.record" "$DNS/$name.log" : "$DNS/unbound" -d -c "$DNS/$name.conf"
	if ! wait_for 10 dns_resolver_settled "$1" || ! dns_resolves "$1" 53; then
		tail -n 5 "$DNS/$name.log" >&2
		die "no answers on port 53 of $1, see $DNS/$name.log"
	fi
}

# Either way, as above.
dns_resolver_settled() { # ADDRESS
	dns_resolves "$1" 53 || process_gone "$DNS/unbound-$1.record"
}

# dns_signal SIGNAL nsd|unbound: each was made the leader of a session, and of its group, by process_spawn_apart.
dns_signal() {
	local pid
	case $2 in
	nsd | unbound) ;;
	*) die "there is no server $2: there are nsd and unbound" ;;
	esac
	process_alive "$DNS/$2.record" || die "$2 does not run, see $DNS/$2.log"
	pid=$(cut -d' ' -f1 "$DNS/$2.record")
	kill "-$1" -- "-$(ps -o pgid= -p "$pid" | tr -d ' ')"
}

dns_stall() {
	dns_signal STOP "$1"
}

dns_resume() {
	dns_signal CONT "$1"
}

dns_nsd_zone() { # ZONE
	printf 'zone:\n  name: "%s"\n  zonefile: "%s"\n' "$1" "$(dns_file "$1")"
}

dns_configure() {
	local zone key
	mkdir -p "$DNS/keys" "$DNS/zones"
	{
		cat <<-CONFIG
			server:
			  ip-address: 127.0.0.1@$DNS_PORT
			  server-count: 1
			  username: ""
			  chroot: ""
			  zonesdir: "$DNS/zones"
			  zonelistfile: "$DNS/zone.list"
			  xfrdfile: ""
			  xfrdir: "$DNS"
			  database: ""
			  pidfile: ""
			  # As a server of somebody else's would: what an alias points at is asked for there.
			  confine-to-zone: yes
			  # Debian's drops what is asked more often than 200 times a second.
			  rrl-ratelimit: 0
			remote-control:
			  control-enable: yes
			  control-interface: "$DNS/nsd.sock"
		CONFIG
		for zone in $DNS_SIGNED $DNS_UNSIGNED $DNS_BROKEN; do
			dns_nsd_zone "$zone"
		done
	} >"$DNS/nsd.conf"
	{
		cat <<-CONFIG
			server:
			  interface: 127.0.0.1@$((DNS_PORT + 1))
			  do-ip6: no
			  num-threads: 1
			  username: ""
			  chroot: ""
			  directory: "$DNS"
			  pidfile: ""
			  use-syslog: no
			  logfile: ""
			  # Nobody but nsd is asked, here.
			  do-not-query-localhost: no
			  module-config: "validator iterator"
			  trust-anchor-signaling: no
			  ede: yes
			  # What is gone is gone when its TTL is over, and not guessed from what is there beside it.
			  prefetch: no
			  serve-expired: no
			  aggressive-nsec: no
			  # A server that was stalled is asked again at once.
			  infra-host-ttl: 1
			  infra-keep-probing: yes
			forward-zone:
			  name: "."
			  forward-addr: 127.0.0.1@$DNS_PORT
			remote-control:
			  control-enable: yes
			  control-use-cert: no
			  control-interface: "$DNS/unbound.sock"
			server:
			  # Answered by unbound itself otherwise.
			  local-zone: "127.in-addr.arpa." nodefault
			  local-zone: "2.0.192.in-addr.arpa." nodefault
		CONFIG
		for zone in $DNS_SIGNED; do
			key=$(cd "$DNS/keys" && ldns-keygen -a ECDSAP256SHA256 -k "$zone")
			printf '  trust-anchor-file: "%s"\n' "$DNS/keys/$key.key"
		done
	} >"$DNS/unbound.conf"
	for zone in $DNS_SIGNED $DNS_UNSIGNED; do
		: >"$(dns_file "$zone").records"
	done
	printf '@ TXT "signed, but too long ago"\n' >"$DNS/zones/bogus.example.records"
	printf '@ TXT "not signed"\n' >"$DNS/zones/insecure.example.records"
	for zone in $DNS_SIGNED $DNS_UNSIGNED; do
		dns_sign "$zone" "$(dns_file "$zone").records"
	done
	dns_sign bogus.example "$DNS/zones/bogus.example.records" expired
}

dns_up() { # PORT
	local tool missing=()
	for tool in nsd nsd-control nsd-checkzone ldns-keygen ldns-signzone unbound unbound-control dig ps; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	[ ${#missing[@]} -eq 0 ] || die "missing: ${missing[*]} (run tests/packages lab)"
	case $1 in
	'' | *[!0-9]*) die "not a port: $1" ;;
	esac
	if [ -n "$DNS_PORT" ] && dns_running && dns_answers; then
		[ "$DNS_PORT" = "$1" ] || die "$DNS has port $DNS_PORT, not $1: run 'dns down' first"
		return
	fi
	[ ! -e "$DNS" ] || dns_clear
	mkdir -p "$DNS"
	DNS_PORT=$1
	echo "$DNS_PORT" >"$DNS/port"
	dns_lock
	dns_configure
	# AppArmor's profile of unbound, which goes by its path, would let it read what is in /etc only.
	cp "$(command -v unbound)" "$DNS/unbound"
	process_spawn_apart "$DNS/nsd.record" "$DNS/nsd.log" : nsd -d -c "$DNS/nsd.conf"
	process_spawn_apart "$DNS/unbound.record" "$DNS/unbound.log" : "$DNS/unbound" -d -c "$DNS/unbound.conf"
	if ! wait_for 10 dns_settled || ! dns_running || ! dns_answers; then
		tail -n 5 "$DNS/nsd.log" "$DNS/unbound.log" >&2
		die "no answers on ports $DNS_PORT and $((DNS_PORT + 1)), see $DNS/nsd.log and $DNS/unbound.log"
	fi
}

# Also what an earlier run left half-done.
dns_clear() {
	# The directory comes from outside: never clear away one that is not ours.
	[ -f "$DNS/port" ] || rmdir "$DNS" 2>/dev/null || die "$DNS is there, but is not of 'dns up'"
	[ -e "$DNS" ] || return 0
	local server record
	for server in nsd unbound; do
		# What started it, and was stalled with it, would never see its end.
		! process_alive "$DNS/$server.record" || dns_resume "$server"
	done
	for record in "$DNS"/*.record; do
		process_stop "$record"
	done
	# The mark goes last, so that a clearing that was cut short can be taken up.
	find "$DNS" -xdev -mindepth 1 ! -path "$DNS/port" ! -path "$DNS/lock" -delete
	rm -f "$DNS/lock" "$DNS/port"
	rmdir "$DNS"
}

dns_down() {
	[ ! -e "$DNS" ] || dns_clear
}
