#!/usr/bin/env bats
# What certdeploy takes from the staging directory, what it refuses, and what it leaves there.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

# --- taking ---

@test "a generation is installed, loaded by the services, and removed" {
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/new/leaf.pem") for mail.example.org" \
		'postfix-mailcow: reloaded' 'dovecot-mailcow: reloaded' 'nginx-mailcow: reloaded'
	installed_is "$PAIRS/new"
	staging_is_empty
	nothing_left_over
}

@test "a flat pair is installed, and left as it is" {
	local before
	put_flat "$PAIRS/new"
	before=$(snapshot "$STAGING")
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/new/leaf.pem")"
	installed_is "$PAIRS/new"
	same "$before" "$(snapshot "$STAGING")"
}

@test "a certificate that is installed already: nothing to do, and no program is run" {
	local before
	put_flat "$PAIRS/current"
	before=$(snapshot "$SSL" "$STAGING")
	traced "$BATS_TEST_TMPDIR/trace" -f -e trace=execve --
	expect 0 "nothing to do: $(fingerprint "$PAIRS/current/leaf.pem") is installed"
	[ "$(grep -c "execve(" "$BATS_TEST_TMPDIR/trace")" -eq 1 ]
	same "$before" "$(snapshot "$SSL" "$STAGING")"
}

@test "the second run after a deploy has nothing to do" {
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 deployed
	without_docker certdeploy
	expect 0 'nothing to do: nothing new is staged' "$(fingerprint "$PAIRS/new/leaf.pem")"
}

@test "a generation pushed a second time is removed, although there is nothing to do" {
	put_generation "$PAIRS/current"
	without_docker certdeploy
	expect 0 'nothing to do'
	staging_is_empty
}

@test "of several good generations the newest is taken, and all of them are removed" {
	put_generation "$PAIRS/old" 10
	put_generation "$PAIRS/new" 11
	put_generation "$PAIRS/newer" 12
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/newer/leaf.pem")"
	installed_is "$PAIRS/newer"
	staging_is_empty
}

@test "the newest good generation is taken where the newest one is bad; that one stays and fails every run until a good one comes" {
	local bad
	put_generation "$PAIRS/new" 10
	put_generation "$PAIRS/new" 11
	put_generation "$PAIRS/newer" 12
	bad=$GENERATION
	cp "$PAIRS/old/privkey.pem" "$bad/privkey.pem"
	certdeploy
	expect 65 "deployed $(fingerprint "$PAIRS/new/leaf.pem")" "refused: $bad: the private key does not belong to"
	installed_is "$PAIRS/new"
	[ "$(ls -A "$STAGING")" = "$(basename "$bad")" ]

	without_docker certdeploy
	expect 65 "refused: $bad: the private key does not belong to"
	without_docker certdeploy
	expect 65 "refused: $bad: the private key does not belong to"
	[ -d "$bad" ]

	put_generation "$PAIRS/newer" 13
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/newer/leaf.pem")"
	staging_is_empty
}

@test "a generation named after a day in the future does not come before those of today" {
	put_generation "$PAIRS/newer" 10
	mv "$GENERATION" "$STAGING/$(date -u +%Y%m%dT%H%M%SZ)-0123456789abcdef"
	put_generation "$PAIRS/new"
	mv "$GENERATION" "$STAGING/99991231T235959Z-0123456789abcdef"
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/newer/leaf.pem")"
	staging_is_empty
}

@test "a bad flat pair fails every run until a good generation comes, and not after that" {
	put_flat "$PAIRS/new"
	install -m 0600 "$PAIRS/old/privkey.pem" "$STAGING/privkey.pem"
	without_docker certdeploy
	expect 65 "refused: $STAGING: the private key does not belong to"
	put_generation "$PAIRS/newer"
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/newer/leaf.pem")"
	without_docker certdeploy
	expect 0 'nothing to do'
	not_said refused
	[ -e "$STAGING/privkey.pem" ]
}

@test "a certificate installed already with another chain file is installed again" {
	cp -a "$PAIRS/current" "$BATS_TEST_TMPDIR/longer"
	cat "$AUTHORITY/root.pem" >>"$BATS_TEST_TMPDIR/longer/fullchain.pem"
	put_generation "$BATS_TEST_TMPDIR/longer"
	certdeploy
	expect 0 deployed
	installed_is "$BATS_TEST_TMPDIR/longer"
}

@test "a damaged installed key is replaced by the staged one of the same certificate" {
	put_flat "$PAIRS/current"
	echo damaged >"$SSL/key.pem"
	certdeploy -v
	expect 0 'no usable pair is installed: there is no PEM private key in the file' deployed
	installed_is "$PAIRS/current"
}

@test "an installed key of another certificate is replaced" {
	put_flat "$PAIRS/current"
	install -m 0600 "$PAIRS/old/privkey.pem" "$SSL/key.pem"
	certdeploy
	expect 0 deployed
	installed_is "$PAIRS/current"
}

@test "the first pair is installed where there is none" {
	rm "$SSL/cert.pem" "$SSL/key.pem"
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 deployed
	installed_is "$PAIRS/new"
}

@test "the newer of a flat pair and a generation is taken" {
	put_flat "$PAIRS/newer"
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/newer/leaf.pem")"
	installed_is "$PAIRS/newer"
	[ "$(find "$STAGING" -mindepth 1 -printf '%f\n' | sort | paste -sd' ')" = 'fullchain.pem privkey.pem' ]
}

# What was left over and what is installed are then of the same second, which must do no harm.
at_the_start_of_a_second() {
	[ "$(date +%1N)" -eq 0 ]
}

@test "a flat pair from before the last deploy does not get in the way of newer generations" {
	await at_the_start_of_a_second
	put_flat "$PAIRS/new"
	put_generation "$PAIRS/newer"
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/newer/leaf.pem")"
	without_docker certdeploy
	expect 0 'nothing to do'
	installed_is "$PAIRS/newer"
}

@test "a flat pair that is just being copied is waited for" {
	install -m 0600 "$PAIRS/new/fullchain.pem" "$STAGING/"
	# The copy goes on once certdeploy has seen that there is no key yet.
	strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=newfstatat "$PROGRAM" -c "$CONF" \
		>"$BATS_TEST_TMPDIR/output" 2>&1 3>&- &
	await grep -q '"privkey.pem".*ENOENT' "$BATS_TEST_TMPDIR/trace"
	install -m 0600 "$PAIRS/new/privkey.pem" "$BATS_TEST_TMPDIR/key"
	mv "$BATS_TEST_TMPDIR/key" "$STAGING/privkey.pem"
	wait $!
	grep -qF "deployed $(fingerprint "$PAIRS/new/leaf.pem")" "$BATS_TEST_TMPDIR/output"
	installed_is "$PAIRS/new"
}

@test "an upload that is under way, and whatever else is in staging, is neither read nor removed" {
	put_generation "$PAIRS/new"
	mkdir "$STAGING/.$(generation 20).part" "$STAGING/notes" "$STAGING/$(generation 21)~"
	echo text >"$STAGING/.$(generation 20).part/fullchain.pem"
	echo text >"$STAGING/notes/fullchain.pem"
	certdeploy
	expect 0 deployed
	rm -r "${STAGING:?}/.$(generation 20).part" "$STAGING/notes" "${STAGING:?}/$(generation 21)~"
	staging_is_empty
}

@test "what stands around the PEM blocks does no harm" {
	cp -a "$PAIRS/new" "$BATS_TEST_TMPDIR/odd"
	{
		printf '\xef\xbb\xbf'
		printf 'subject=mail.example.org\n'
		sed 's/$/\r/' "$PAIRS/new/fullchain.pem"
		printf 'the end'
	} >"$BATS_TEST_TMPDIR/odd/fullchain.pem"
	sed '1i a key' "$PAIRS/new/privkey.pem" | head -c -1 >"$BATS_TEST_TMPDIR/odd/privkey.pem"
	put_generation "$BATS_TEST_TMPDIR/odd"
	certdeploy
	expect 0 deployed
	installed_is "$BATS_TEST_TMPDIR/odd"
}

@test "RSA, P-384, P-521 and Ed25519 keys, in PKCS#8, PKCS#1 and SEC1 form, are taken" {
	local kind dir
	for kind in rsa:2048 ec:P-384 ec:P-521 ED25519; do
		dir=$BATS_TEST_TMPDIR/$kind
		make_pair "$dir" key="$kind"
		put_flat "$dir"
		certdeploy -n
		expect 0 "would install $(fingerprint "$dir/leaf.pem")"
	done
	for kind in rsa:2048 ec:P-384; do
		dir=$BATS_TEST_TMPDIR/$kind
		openssl pkey -traditional -in "$dir/privkey.pem" -out "$dir/old-form"
		mv "$dir/old-form" "$dir/privkey.pem"
		grep -Eq 'BEGIN (RSA|EC) PRIVATE KEY' "$dir/privkey.pem"
		put_flat "$dir"
		certdeploy -n
		expect 0 "would install $(fingerprint "$dir/leaf.pem")"
	done
}

@test "a wildcard certificate covers the host" {
	make_pair "$BATS_TEST_TMPDIR/wild" names='DNS:*.example.org'
	put_generation "$BATS_TEST_TMPDIR/wild"
	certdeploy -n
	expect 0 'would install'
}

# --- nothing there ---

@test "nothing staged and none installed: says so, with the hint about dangling links" {
	rm "$SSL/cert.pem" "$SSL/key.pem"
	without_docker certdeploy
	expect 66 "$STAGING: no certificate is staged, and no pair is installed: cert.pem: No such file or directory" \
		'dangling symbolic link' 'rsync -L'
}

@test "nothing staged and the installed certificate has expired: says so" {
	make_pair "$BATS_TEST_TMPDIR/expired" from='90 days ago' to='1 day ago'
	put_installed "$BATS_TEST_TMPDIR/expired"
	without_docker certdeploy
	expect 66 "$STAGING: no certificate is staged, and the installed one will not do: the certificate expired at"
}

@test "a staging directory that does not exist: its path and setup-mailcow-host are named" {
	rmdir "$STAGING"
	without_docker certdeploy
	expect 66 "error: $STAGING: No such file or directory" 'setup-mailcow-host'
}

@test "a staging directory that is a symbolic link is not followed" {
	mv "$STAGING" "$BATS_TEST_TMPDIR/elsewhere"
	ln -s elsewhere "$STAGING"
	without_docker certdeploy
	expect 66 "error: $STAGING: is a symbolic link"
}

# --- refusing: the certificate ---

@test "refused: the key of another certificate" {
	put_generation "$PAIRS/new"
	cp "$PAIRS/newer/privkey.pem" "$GENERATION/"
	refused 65 "refused: $GENERATION: the private key does not belong to the certificate $(fingerprint "$PAIRS/new/leaf.pem")" \
		'Have chain and key copied together'
}

@test "refused: a certificate for another host" {
	make_pair "$BATS_TEST_TMPDIR/pair" names=DNS:www.example.org,DNS:example.org
	put_generation "$BATS_TEST_TMPDIR/pair"
	refused 65 "refused: $GENERATION: the certificate does not cover mail.example.org; it is for: www.example.org example.org" \
		'Add the name to the certificate in Nginx Proxy Manager'
}

@test "refused: a certificate that names the host only as its common name" {
	make_pair "$BATS_TEST_TMPDIR/pair" names=
	put_generation "$BATS_TEST_TMPDIR/pair"
	refused 65 "$GENERATION: the certificate does not cover mail.example.org; it is for: no DNS name at all"
}

@test "refused: an expired certificate" {
	make_pair "$BATS_TEST_TMPDIR/pair" to='1 hour ago'
	put_generation "$BATS_TEST_TMPDIR/pair"
	refused 65 "refused: $GENERATION: the certificate expired at $(date -u -d '1 hour ago' +%Y-%m-%d)" \
		'Renew it in Nginx Proxy Manager'
}

@test "refused: a certificate that is not valid yet" {
	make_pair "$BATS_TEST_TMPDIR/pair" from='2 days'
	put_generation "$BATS_TEST_TMPDIR/pair"
	refused 65 "refused: $GENERATION: the certificate is not valid before $(date -u -d '2 days' +%Y-%m-%d)" \
		'timedatectl'
}

@test "refused: the certificate of an authority" {
	make_pair "$BATS_TEST_TMPDIR/pair" ca=TRUE
	put_generation "$BATS_TEST_TMPDIR/pair"
	refused 65 "refused: $GENERATION: the first certificate (CN=mail.example.org) is one of a certification authority" \
		"Put the server's own certificate first"
}

@test "refused: a certificate that is not for servers" {
	make_pair "$BATS_TEST_TMPDIR/pair" usage=clientAuth
	put_generation "$BATS_TEST_TMPDIR/pair"
	refused 65 "refused: $GENERATION: the certificate's extended key usage does not have serverAuth"
}

@test "refused: a key that is too weak" {
	make_pair "$BATS_TEST_TMPDIR/pair" key=rsa:1024
	put_generation "$BATS_TEST_TMPDIR/pair"
	refused 65 "refused: $GENERATION: the certificate's key (RSA 1024) is weaker than RSA 2048"
}

@test "refused: an encrypted key" {
	put_generation "$PAIRS/new"
	openssl pkey -aes128 -passout pass:secret -in "$PAIRS/new/privkey.pem" -out "$GENERATION/privkey.pem"
	refused 65 "refused: $GENERATION: the private key is encrypted with a passphrase" 'openssl pkey -in KEY'
}

@test "refused: a chain with a link missing" {
	put_generation "$PAIRS/new"
	cat "$PAIRS/new/leaf.pem" "$AUTHORITY/root.pem" >"$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: certificate number 1 of the chain was not issued by number 2" \
		'use fullchain.pem as certbot writes it'
}

@test "refused: a chain in the wrong order" {
	put_generation "$PAIRS/new"
	cat "$PAIRS/new/leaf.pem" "$AUTHORITY/root.pem" "$AUTHORITY/issuer.pem" >"$GENERATION/fullchain.pem"
	refused 65 "$GENERATION: certificate number 1 of the chain was not issued by number 2"
}

@test "refused: a private key inside the chain file" {
	put_generation "$PAIRS/new"
	cat "$PAIRS/new/privkey.pem" >>"$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: the certificate file also holds a private key"
}

@test "refused: a certificate issued before the installed one" {
	put_generation "$PAIRS/old"
	refused 65 "refused: $GENERATION: the certificate $(fingerprint "$PAIRS/old/leaf.pem") was issued before the installed one"
}

@test "an older certificate of an authority replaces a newer self-signed placeholder" {
	put_installed "$PAIRS/placeholder"
	put_generation "$PAIRS/old"
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/old/leaf.pem")"
	installed_is "$PAIRS/old"
}

@test "an older self-signed certificate does not replace a newer one" {
	make_placeholder "$BATS_TEST_TMPDIR/self"
	put_installed "$PAIRS/placeholder"
	make_pair "$BATS_TEST_TMPDIR/future" from='1 second ago'
	put_installed "$BATS_TEST_TMPDIR/future"
	put_generation "$PAIRS/placeholder"
	refused 65 "$GENERATION: the certificate $(fingerprint "$PAIRS/placeholder/leaf.pem") was issued before the installed one"
}

@test "an older certificate replaces an installed one that will not do any more" {
	make_pair "$BATS_TEST_TMPDIR/pair" to='1 hour ago'
	put_installed "$BATS_TEST_TMPDIR/pair"
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/new/leaf.pem")"
}

@test "with ca_file a chain that ends in one of its roots is taken" {
	configure '[staging]' "ca_file = $AUTHORITY/root.pem"
	put_generation "$PAIRS/new"
	certdeploy
	expect 0 deployed
}

@test "refused with ca_file: a chain that ends in no root of it" {
	make_placeholder "$BATS_TEST_TMPDIR/stranger"
	configure '[staging]' "ca_file = $BATS_TEST_TMPDIR/stranger/leaf.pem"
	put_generation "$PAIRS/new"
	refused 65 "refused: $GENERATION: the chain cannot be verified: unable to get" 'correct ca_file in deploy.conf'
}

@test "a ca_file that does not exist is an error of the configuration" {
	configure '[staging]' "ca_file = $BATS_TEST_TMPDIR/no-such-file"
	put_generation "$PAIRS/new"
	refused 78 "$CONF:$(wc -l <"$CONF"): ca_file: $BATS_TEST_TMPDIR/no-such-file: No such file or directory"
}

@test "refused with ca_file: a file of roots that holds none is named" {
	configure '[staging]' "ca_file = $CONF"
	put_generation "$PAIRS/new"
	refused 65 "there are no roots in $CONF"
}

# --- refusing: the files ---

@test "refused: a chain cut off in the middle of a certificate" {
	put_generation "$PAIRS/new"
	head -c 300 "$PAIRS/new/fullchain.pem" >"$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: certificate number 1 is damaged"
}

@test "refused: a chain cut off in the middle of the issuer's certificate" {
	put_generation "$PAIRS/new"
	head -c -100 "$PAIRS/new/fullchain.pem" >"$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: certificate number 2 is damaged"
}

@test "refused: a key cut off in the middle" {
	put_generation "$PAIRS/new"
	head -c 100 "$PAIRS/new/privkey.pem" >"$GENERATION/privkey.pem"
	refused 65 "refused: $GENERATION: the private key is damaged"
}

@test "refused: an empty chain" {
	put_generation "$PAIRS/new"
	: >"$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: the certificate file is empty"
}

@test "refused: an empty key" {
	put_generation "$PAIRS/new"
	: >"$GENERATION/privkey.pem"
	refused 65 "refused: $GENERATION: the private key file is empty"
}

@test "refused: files that hold something else" {
	put_generation "$PAIRS/new" 10
	echo text >"$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: there is no PEM certificate in the file"
	put_generation "$PAIRS/new" 11
	echo text >"$GENERATION/privkey.pem"
	refused 65 "refused: $GENERATION: there is no PEM private key in the file"
}

@test "refused: a file that is too large" {
	put_generation "$PAIRS/new"
	truncate -s $((256 * 1024 + 1)) "$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: fullchain.pem: larger than"
}

@test "refused: a symbolic link in the place of either file" {
	put_generation "$PAIRS/new" 10
	ln -sf "$PAIRS/new/fullchain.pem" "$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: fullchain.pem: is a symbolic link"
	put_generation "$PAIRS/new" 11
	ln -sf "$PAIRS/new/privkey.pem" "$GENERATION/privkey.pem"
	refused 65 "refused: $GENERATION: privkey.pem: is a symbolic link" 'a link copied from live/'
}

@test "refused: a FIFO, without waiting for a writer" {
	put_generation "$PAIRS/new"
	rm "$GENERATION/privkey.pem"
	mkfifo "$GENERATION/privkey.pem"
	refused 65 "refused: $GENERATION: privkey.pem: is not a plain file"
}

@test "refused: a file with a second name" {
	put_generation "$PAIRS/new"
	ln "$GENERATION/privkey.pem" "$BATS_TEST_TMPDIR/second"
	refused 65 "refused: $GENERATION: privkey.pem: has 2 hard links"
}

@test "refused: a directory in the place of a file" {
	put_generation "$PAIRS/new"
	rm "$GENERATION/fullchain.pem"
	mkdir "$GENERATION/fullchain.pem"
	refused 65 "refused: $GENERATION: fullchain.pem: is a directory"
}

@test "refused: a generation without its key" {
	put_generation "$PAIRS/new"
	rm "$GENERATION/privkey.pem"
	refused 66 "refused: $GENERATION: privkey.pem: No such file or directory"
}

@test "refused: a symbolic link in the place of a generation" {
	cp -a "$PAIRS/new" "$BATS_TEST_TMPDIR/elsewhere"
	GENERATION=$STAGING/$(generation 10)
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$GENERATION"
	refused 65 "refused: $GENERATION: is not a directory of its own"
	[ -f "$BATS_TEST_TMPDIR/elsewhere/privkey.pem" ]
}

@test "refused: a flat pair that does not belong together; it is left as it is" {
	put_flat "$PAIRS/new"
	cp "$PAIRS/newer/privkey.pem" "$STAGING/"
	refused 65 "refused: $STAGING: the private key does not belong to"
}

@test "removing a generation does not follow links out of it" {
	put_generation "$PAIRS/new"
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	touch "$BATS_TEST_TMPDIR/elsewhere/file"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$GENERATION/link"
	certdeploy
	expect 0 deployed
	staging_is_empty
	[ -f "$BATS_TEST_TMPDIR/elsewhere/file" ]
}
