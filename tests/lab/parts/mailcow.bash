# shellcheck shell=bash
# mailcow - what mailcow's own directory looks like to a program that reads it

mailcow_tree() {
	mkdir -p "$LAB_SSL" "$LAB_MAILCOW/data/conf/dovecot"
	# The pair mailcow begins with until it gets a real one: its subject is the same there.
	openssl req -x509 -newkey rsa:2048 -nodes -days 365 -sha256 \
		-subj "/C=DE/ST=NRW/L=Willich/O=mailcow/OU=mailcow/CN=$LAB_HOSTNAME" \
		-addext "subjectAltName=DNS:$LAB_HOSTNAME" \
		-keyout "$LAB_SSL/key.pem" -out "$LAB_SSL/cert.pem" 2>>"$LOG/mailcow.log"
	chmod 0644 "$LAB_SSL/cert.pem"
	chmod 0600 "$LAB_SSL/key.pem"
	openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 \
		-out "$LAB_SSL/dhparams.pem" 2>>"$LOG/mailcow.log"
	mailcow_conf >"$LAB_MAILCOW/mailcow.conf"
	chmod 0600 "$LAB_MAILCOW/mailcow.conf"
	ln -sfn mailcow.conf "$LAB_MAILCOW/.env"
}

mailcow_conf() {
	cat <<-CONF
		# ------------------------------
		# mailcow web ui configuration
		# ------------------------------
		# example.org is _not_ a valid hostname, use a fqdn here.
		# Default admin user is "admin"
		# Default password is "moohoo"

		MAILCOW_HOSTNAME=$LAB_HOSTNAME

		# Password hash algorithm
		# Only certain password hash algorithm are supported. For a fully list of supported schemes,
		# see https://docs.mailcow.email/models/model-passwd/
		MAILCOW_PASS_SCHEME=BLF-CRYPT

		# ------------------------------
		# SQL database configuration
		# ------------------------------

		DBNAME=mailcow
		DBUSER=mailcow

		# Please use long, random alphanumeric strings (A-Za-z0-9)

		DBPASS=notARealPassword0000000000000
		DBROOT=notARealPassword1111111111111

		# ------------------------------
		# HTTP/S Bindings
		# ------------------------------

		# You should use HTTPS, but in case of SSL offloaded reverse proxies:
		# Might be important: This will also change the binding within the container.
		# If you use a proxy within Docker, point it to the ports you set below.
		# Do _not_ use IP:PORT in HTTP(S)_BIND or HTTP(S)_PORT

		HTTP_PORT=$LAB_PORT_HTTP
		HTTP_BIND=127.0.0.1

		HTTPS_PORT=$LAB_PORT_HTTPS
		HTTPS_BIND=127.0.0.1

		# Redirect HTTP connections to HTTPS - y/n
		HTTP_REDIRECT=n

		# ------------------------------
		# Other bindings
		# ------------------------------
		# You should leave that alone
		# Format: 11.22.33.44:25 or 12.34.56.78:465 etc.

		SMTP_PORT=127.0.0.1:$LAB_PORT_SMTP
		SMTPS_PORT=127.0.0.1:$LAB_PORT_SMTPS
		SUBMISSION_PORT=127.0.0.1:$LAB_PORT_SUBMISSION
		IMAP_PORT=127.0.0.1:$LAB_PORT_IMAP
		IMAPS_PORT=127.0.0.1:$LAB_PORT_IMAPS
		POP_PORT=127.0.0.1:$LAB_PORT_POP3
		POPS_PORT=127.0.0.1:$LAB_PORT_POP3S
		SIEVE_PORT=127.0.0.1:$LAB_PORT_SIEVE
		DOVEADM_PORT=127.0.0.1:$((LAB_PORT_BASE + 1991))
		SQL_PORT=127.0.0.1:$((LAB_PORT_BASE + 1306))
		REDIS_PORT=127.0.0.1:$((LAB_PORT_BASE + 1654))

		# Your timezone
		# See https://en.wikipedia.org/wiki/List_of_tz_database_time_zones for a list of timezones
		# Use the column named 'TZ identifier' + pay attention for the column named 'Notes'

		TZ=Etc/UTC

		# Fixed project name
		# Please use lowercase letters only

		COMPOSE_PROJECT_NAME=$LAB_PROJECT

		# Used Docker Compose version
		# Switch here between native (compose plugin) and standalone
		# For more informations take a look at the mailcow docs regarding the configuration options.
		# Normally this should be untouched but if you decided to use either of those you can switch it manually here.
		# Please be aware that at least one of those variants should be installed on your machine or mailcow will fail.

		DOCKER_COMPOSE_VERSION=native

		# Set this to "allow" to enable the anyone pseudo user. Disabled by default.
		# When enabled, ACL can be created, that apply to "All authenticated users"
		# This should probably only be activated on mail hosts, that are used exclusivly by one organisation.
		# Otherwise a user might share data with too many other users.
		ACL_ANYONE=disallow

		# Garbage collector cleanup
		# Deleted domains and mailboxes are moved to /var/vmail/_garbage/timestamp_sanitizedstring
		# How long should objects remain in the garbage until they are being deleted? (value in minutes)
		# Check interval is hourly

		MAILDIR_GC_TIME=7200

		# Additional SAN for the certificate
		#
		# You can use wildcard records to create specific names for every domain you add to mailcow.
		# Example: Add domains "example.com" and "example.net" to mailcow, change ADDITIONAL_SAN to a value like:
		#ADDITIONAL_SAN=imap.*,smtp.*
		# This will expand the certificate to "imap.example.com", "smtp.example.com", "imap.example.net", "smtp.example.net"
		# plus every domain you add in the future.

		ADDITIONAL_SAN=

		# Obtain certificates for autodiscover.* and autoconfig.* domains.
		# This can be useful to switch off in case you are in a scenario where a reverse proxy already handles those.
		AUTODISCOVER_SAN=y

		# Skip running ACME (acme-mailcow, Let's Encrypt certs) - y/n

		SKIP_LETS_ENCRYPT=y

		# Create seperate certificates for all domains - y/n
		# this will allow adding more than 100 domains, but some email clients will not be able to connect with alternative hostnames
		# see https://doc.dovecot.org/admin_manual/ssl/sni_support

		ENABLE_SSL_SNI=n

		# Skip IPv4 check in ACME container - y/n

		SKIP_IP_CHECK=n

		# Skip HTTP verification in ACME container - y/n

		SKIP_HTTP_VERIFICATION=n

		# Skip ClamAV (clamd-mailcow) anti-virus (Rspamd will auto-detect a missing ClamAV container) - y/n

		SKIP_CLAMD=n

		# Allow admins to log into SOGo as email user (without any password)

		ALLOW_ADMIN_EMAIL_LOGIN=n

		# Enable watchdog (watchdog-mailcow) to restart unhealthy containers

		USE_WATCHDOG=y

		# Send watchdog notifications by mail (sent from watchdog@MAILCOW_HOSTNAME)
		#WATCHDOG_NOTIFY_EMAIL=a@example.com,b@example.com,c@example.com

		# Max log lines per service to keep in Redis logs

		LOG_LINES=9999

		# Internal IPv4 /24 subnet, format n.n.n (expands to n.n.n.0/24)
		# Use private IPv4 addresses only, see https://en.wikipedia.org/wiki/Private_network#Private_IPv4_addresses

		IPV4_NETWORK=$BRIDGE_NET

		# Internal IPv6 subnet in fc00::/7
		# Use private IPv6 addresses only, see https://en.wikipedia.org/wiki/Private_network#Private_IPv6_addresses

		IPV6_NETWORK=fd4d:6169:6c63:6f77::/64

		# Mail-crypt, spamhaus and others left out: nothing that reads certificates wants them.

		# Set this to true to enable the PROXY protocol for nginx, with a trusted upstream
		NGINX_USE_PROXY_PROTOCOL=n
		TRUSTED_PROXIES=
	CONF
}
