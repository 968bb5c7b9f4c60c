# shellcheck shell=bash
# make_pair - certificates and keys as a test wants them
#
# make_authority DIR makes a root and an issuing authority under it; make_pair then issues
# fullchain.pem and privkey.pem, of which any detail can be wrong.

# The certificates of a whole system would be read by every single call of openssl.
make_pair_openssl() {
	SSL_CERT_FILE=/dev/null openssl "$@" 2>>"$AUTHORITY/log" || {
		tail -n 5 "$AUTHORITY/log" >&2
		return 1
	}
}

make_authority() { # DIR
	export AUTHORITY=$1
	mkdir -p "$AUTHORITY"
	: >"$AUTHORITY/index"
	cat >"$AUTHORITY/ca.conf" <<-CONF
		[ca]
		default_ca = tests
		[tests]
		new_certs_dir = $AUTHORITY
		database = $AUTHORITY/index
		rand_serial = yes
		unique_subject = no
		default_md = sha256
		policy = anything
		[anything]
		commonName = optional
	CONF
	make_pair_openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-subj '/CN=Test Root' -keyout "$AUTHORITY/root.key" -out "$AUTHORITY/root.pem"
	make_pair_openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=Test Issuer' \
		-keyout "$AUTHORITY/issuer.key" -out "$AUTHORITY/issuer.csr"
	make_pair_openssl x509 -req -in "$AUTHORITY/issuer.csr" -CA "$AUTHORITY/root.pem" \
		-CAkey "$AUTHORITY/root.key" -CAcreateserial -days 30 -out "$AUTHORITY/issuer.pem" \
		-extfile <(echo 'basicConstraints=critical,CA:TRUE')
}

# make_key FILE KIND: KIND is ec:CURVE, rsa:BITS, or what genpkey calls it
make_key() {
	case $2 in
	ec:*) make_pair_openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:${2#ec:}" -out "$1" ;;
	rsa:*) make_pair_openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa:}" -out "$1" ;;
	*) make_pair_openssl genpkey -algorithm "$2" -out "$1" ;;
	esac
	chmod 0600 "$1"
}

date_for_openssl() {
	date -u -d "$1" +%Y%m%d%H%M%SZ
}

# make_pair DIR [WHAT=VALUE...]: a pair that is good for mail.example.org since yesterday, but for what the arguments
# say. names: of the SAN; cn: the subject's common name; usage: the extended key usage; ca: TRUE for an authority's;
# from, to: as date -d takes them; key: as make_key takes it; key_of: a pair with the key to use.
make_pair() {
	local dir=$1 names=DNS:mail.example.org usage=serverAuth ca=FALSE key=ec:P-256
	local cn=mail.example.org from='1 day ago' to='60 days' key_of='' setting
	shift
	for setting; do
		local "$setting"
	done
	mkdir -p "$dir"
	if [ -n "$key_of" ]; then
		cp -p "$key_of/privkey.pem" "$dir/"
	else
		make_key "$dir/privkey.pem" "$key"
	fi
	make_pair_openssl req -new -key "$dir/privkey.pem" -subj "/CN=$cn" -out "$dir/csr"
	make_pair_openssl ca -batch -notext -config "$AUTHORITY/ca.conf" -cert "$AUTHORITY/issuer.pem" \
		-keyfile "$AUTHORITY/issuer.key" -in "$dir/csr" -out "$dir/leaf.pem" \
		-startdate "$(date_for_openssl "$from")" -enddate "$(date_for_openssl "$to")" \
		-extfile <(printf 'basicConstraints=CA:%s\n%s%s' "$ca" \
			"${usage:+extendedKeyUsage=$usage$'\n'}" "${names:+subjectAltName=$names$'\n'}")
	cat "$dir/leaf.pem" "$AUTHORITY/issuer.pem" >"$dir/fullchain.pem"
	rm "$dir/csr"
}

# make_placeholder DIR: a self-signed pair of this very moment, as mailcow makes one when it is set up
make_placeholder() {
	mkdir -p "$1"
	make_key "$1/privkey.pem" ec:P-256
	make_pair_openssl req -x509 -new -key "$1/privkey.pem" -days 365 \
		-subj /O=mailcow/CN=mail.example.org -addext subjectAltName=DNS:mail.example.org \
		-addext basicConstraints=CA:FALSE -out "$1/fullchain.pem"
	cp "$1/fullchain.pem" "$1/leaf.pem"
}

# fingerprint FILE: SHA-256 of the first certificate in it, AA:BB:...
fingerprint() {
	SSL_CERT_FILE=/dev/null openssl x509 -noout -fingerprint -sha256 -in "$1" | sed 's/.*=//'
}
