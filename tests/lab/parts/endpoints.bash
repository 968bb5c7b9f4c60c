# shellcheck shell=bash
# endpoints - who serves which certificate

# endpoint_leaf STARTTLS PORT: the certificate served there, as PEM
endpoint_leaf() {
	local starttls=()
	[ "$1" = - ] || starttls=(-starttls "$1")
	timeout 5 openssl s_client -connect "127.0.0.1:$2" -servername "$LAB_HOSTNAME" \
		"${starttls[@]}" </dev/null 2>/dev/null | openssl x509 2>/dev/null
}

# One line for each endpoint, NAME PORT FINGERPRINT; '-' for the fingerprint of one that is silent.
endpoints_ask() {
	local name starttls port
	while read -r name starttls port _; do
		(
			port=$((LAB_PORT_BASE + port))
			leaf=$(endpoint_leaf "$starttls" "$port") || leaf=
			fingerprint=-
			if [ -n "$leaf" ]; then
				fingerprint=$(openssl x509 -noout -fingerprint -sha256 <<<"$leaf")
			fi
			printf '%s %s %s\n' "$name" "$port" "${fingerprint#*=}"
		) &
	done <<<"$ENDPOINTS"
	wait
}

endpoints_silent() {
	endpoints_ask | awk '$3 == "-" { print $1 " (port " $2 ")" }' | sort | paste -sd,
}

endpoints_served() {
	[ -z "$(endpoints_silent)" ]
}
