/*
 * The table of everything that can happen. One row: name, exit status (sysexits(3)), priority
 * (syslog(3)), which program meets it, MESSAGE_ID (made once with `systemd-id128 new`, never
 * changed), meaning, what to do.
 */
#ifndef CERTSYNC_OUTCOME_TABLE_H
#define CERTSYNC_OUTCOME_TABLE_H

#include <sysexits.h>
#include <syslog.h>

/* clang-format off */
#define OUTCOME_TABLE(X) \
	X(OK, EX_OK, LOG_DEBUG, OUTCOME_BY_BOTH, "07020404b24e42a1b0654e5797f579ac", \
	  "All went well", \
	  "") \
	X(NOTHING_TO_DO, EX_OK, LOG_INFO, OUTCOME_BY_BOTH, "3215f963ccba49be9db2bd67895543c7", \
	  "Nothing has changed since the last run", \
	  "") \
	X(DRY_RUN, EX_OK, LOG_NOTICE, OUTCOME_BY_BOTH, "70ef237f03b040f28714709f3d357543", \
	  "A dry run says what a run would do and changes nothing", \
	  "") \
	X(PUSHED, EX_OK, LOG_NOTICE, OUTCOME_BY_PUSH, "f4e0e0b9e41e4195b9aad2beb03c295a", \
	  "A new certificate was put into the mail host's staging directory", \
	  "") \
	X(DEPLOYED, EX_OK, LOG_NOTICE, OUTCOME_BY_DEPLOY, "2a9014dbe6e84a7da9ce97f9213f32aa", \
	  "A new certificate was installed and the services were reloaded", \
	  "") \
	X(RELOADED, EX_OK, LOG_INFO, OUTCOME_BY_DEPLOY, "4ac0d53256404e2485fe606f220263bf", \
	  "A service was told to load the installed certificate", \
	  "") \
	X(COMPLETED, EX_OK, LOG_NOTICE, OUTCOME_BY_DEPLOY, "1c8c64b1dbaf48688f0ea6253853420a", \
	  "An installation that an earlier run had begun was brought to its end", \
	  "") \
	X(SYMLINK_REPLACED, EX_OK, LOG_NOTICE, OUTCOME_BY_DEPLOY, "3ac42203dabc43979cf59d062927b241", \
	  "A symbolic link in mailcow's certificate directory was replaced by a real file", \
	  "") \
	X(MODE_CORRECTED, EX_OK, LOG_WARNING, OUTCOME_BY_DEPLOY, "30f79af3ebce456d8ee9cb2b246220e8", \
	  "The mode of an installed file had been changed and was corrected", \
	  "If key.pem could be read by others, have a new key and certificate issued.") \
	X(LINEAGE_SKIPPED, EX_OK, LOG_WARNING, OUTCOME_BY_PUSH, "24c86c16d4c34b6786dacdeede8ed3a7", \
	  "A lineage that cannot be read was passed over", \
	  "See whether it is the mail host's: then have Nginx Proxy Manager renew it; if it is of no more use, delete it there.") \
	X(NOT_ASKED, EX_OK, LOG_NOTICE, OUTCOME_BY_PUSH, "7ddff85741274b1a966487159f6aefb0", \
	  "The mail host could not be asked which certificate it serves", \
	  "If it never can be asked from here, name another endpoint in section [verify] of push.conf, or set verify = off.") \
	X(MARKER_IGNORED, EX_OK, LOG_WARNING, OUTCOME_BY_PUSH, "746fb3a5214f4ba2b9b3995723ec3d70", \
	  "A line of known_hosts has a marker that is not understood", \
	  "Give the host's own key in a plain line, or pin it with host_key in push.conf.") \
	X(ACME_ENABLED, EX_OK, LOG_WARNING, OUTCOME_BY_DEPLOY, "78b13bf334214fbeaf5c87f9e8c26fd3", \
	  "mailcow's own ACME client is not switched off and may replace the certificate", \
	  "Set SKIP_LETS_ENCRYPT=y in mailcow.conf, then run 'docker compose up -d' there.") \
	X(RESTARTED, EX_OK, LOG_WARNING, OUTCOME_BY_DEPLOY, "82f4c7a827c844b6af6cf511770fab13", \
	  "A service was restarted, as a reload was not enough to have it serve the installed certificate", \
	  "Connections to it were interrupted; if this happens at every renewal, report it.") \
	X(SERVED, EX_OK, LOG_INFO, OUTCOME_BY_DEPLOY, "f5bc8784fb9d40c1882ffd94280450a6", \
	  "The endpoints serve the installed certificate", \
	  "") \
	X(ENDPOINT_SKIPPED, EX_OK, LOG_NOTICE, OUTCOME_BY_DEPLOY, "cc6dc0e9b5fa46699fa6da8d0b2df6d6", \
	  "A port that mailcow does not publish is not asked", \
	  "Drop the endpoint with endpoints in section [verify] of deploy.conf if that is meant.") \
	X(SNI_UPDATED, EX_OK, LOG_NOTICE, OUTCOME_BY_DEPLOY, "fbb1b1ab3e2b4a82b84f2828f19838be", \
	  "A directory of certificates for names of their own was brought in step with the new pair", \
	  "") \
	X(SNI_STALE, EX_OK, LOG_WARNING, OUTCOME_BY_DEPLOY, "1763dcea4a664315a960d9dea930bdf2", \
	  "A directory of certificates for names of their own holds another certificate, which is served for them", \
	  "Set sni = update in section [mailcow] of deploy.conf, or remove the directory and restart the containers.") \
	X(STAGING_CROWDED, EX_OK, LOG_WARNING, OUTCOME_BY_DEPLOY, "eedcf1e31c1a4dc99527cb6c735e4913", \
	  "There are more generations in the staging directory than are looked at", \
	  "Find out who put them there; if it was not the NPM host, make a new push key. Remove what is of no use.") \
	X(SERVICE_BROKEN, EX_OK, LOG_WARNING, OUTCOME_BY_DEPLOY, "f2fad13d50b444b781fa7d82646b17bb", \
	  "A service's configuration is broken, and was before this run", \
	  "Correct what its own test complains of.") \
	X(METRICS_UNWRITTEN, EX_OK, LOG_WARNING, OUTCOME_BY_BOTH, "dad165fb1bfb4e22a26fb51b447383ba", \
	  "The file for Prometheus cannot be written", \
	  "Make its directory, and let the service write there: see metrics in certsync.conf(5).") \
	X(USAGE, EX_USAGE, LOG_ERR, OUTCOME_BY_BOTH, "5a3ab2b2d69f4caa8840cd976f24b364", \
	  "The command line is wrong", \
	  "Run the program with --help.") \
	X(CONF_MISSING, EX_CONFIG, LOG_ERR, OUTCOME_BY_BOTH, "b0a7afb737374801a6d4aed0e84a76c4", \
	  "A configuration file does not exist or is none", \
	  "Have setup-npm-host or setup-mailcow-host write it, copy the example from share/doc/certsync/examples, or name another file with -c.") \
	X(CONF_INVALID, EX_CONFIG, LOG_ERR, OUTCOME_BY_BOTH, "15569d1e7b0543f499bfed8f9d806eec", \
	  "A configuration file has an error", \
	  "Correct the line; certsync.conf(5) describes every setting.") \
	X(CERT_UNREADABLE, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "b3309fcc2fc04b2e907eb71218c33c45", \
	  "There is no readable certificate chain", \
	  "The file must hold PEM certificates, the leaf first; have it written anew.") \
	X(CHAIN_HOLDS_KEY, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "978c5b118701485cb9affc9144d01738", \
	  "The certificate chain file also holds a private key, which would become readable by everyone", \
	  "Leave only certificates in it; if others could read the file, have a new key and certificate issued.") \
	X(KEY_UNREADABLE, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "b755833dd65640e4bfb12dccdfeeeb2f", \
	  "There is no readable private key", \
	  "The file must hold one PEM private key, in PKCS#8, SEC1 or PKCS#1 form.") \
	X(KEY_ENCRYPTED, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "65deff5883c94445844b5de5470020ea", \
	  "The private key is encrypted with a passphrase, which a mail server cannot give", \
	  "Decrypt it where it is made: openssl pkey -in KEY -out PLAINKEY.") \
	X(KEY_MISMATCH, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "2131d5338589444e8ac4507da79dbaa3", \
	  "The private key belongs to another certificate", \
	  "Have chain and key copied together; if the pair is wrong at its source, issue it again.") \
	X(KEY_WEAK, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "9584a7d8c4e648a787e7d18f9afc0b4f", \
	  "The certificate's key is too weak", \
	  "Issue it again with an ECDSA key (P-256 or P-384) or an RSA key of 2048 bits or more.") \
	X(KEY_UNSUITABLE, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "f6abb964d55a4076bbb086ce26b40909", \
	  "The certificate's key is of a kind or size that servers do not use", \
	  "Issue it again with an ECDSA key (P-256 or P-384) or an RSA key of 2048 to 4096 bits.") \
	X(CERT_EXPIRED, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "6ddcfdefd1e747fab0c4fdee19e0b4d4", \
	  "The certificate has expired", \
	  "Renew it in Nginx Proxy Manager, and look there for why it was not renewed.") \
	X(CERT_NOT_YET_VALID, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "314b58af468c4e44b7750e4e2b91b1af", \
	  "The certificate is not valid yet", \
	  "Check this host's clock (timedatectl); otherwise wait until the certificate is valid.") \
	X(CERT_IS_CA, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "1be7eb39ab424c7980fcd4a761df92dc", \
	  "The first certificate is one of a certification authority, not of a server", \
	  "Put the server's own certificate first in the file.") \
	X(CERT_NOT_FOR_SERVER, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "8613deb0dedc4e439642d5c6b4b79442", \
	  "The certificate is not meant for servers", \
	  "Issue one whose extended key usage has serverAuth.") \
	X(CERT_WRONG_HOST, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "42220c43fbe2469d90f9b3b23b4dc3bf", \
	  "The certificate does not cover the mail host", \
	  "Add the name to the certificate in Nginx Proxy Manager, or correct hostname in the configuration.") \
	X(CERT_OLDER, EX_DATAERR, LOG_ERR, OUTCOME_BY_DEPLOY, "fad2525fb26c4fd79513366daa930a4f", \
	  "The staged certificate was issued before the installed one", \
	  "Push the current certificate; if you do mean to go back, install the pair by hand.") \
	X(CHAIN_BROKEN, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "1ecc5bc421bd4e1faf3a404e4f24461e", \
	  "A certificate of the chain was not issued by the one that follows it", \
	  "The file must hold the leaf and then its issuers in order; use fullchain.pem as certbot writes it.") \
	X(CHAIN_UNTRUSTED, EX_DATAERR, LOG_ERR, OUTCOME_BY_DEPLOY, "6a9b345358b449b3ad3f670e478963d6", \
	  "The chain does not end in a trusted root", \
	  "Check who issued the certificate, or correct ca_file in deploy.conf.") \
	X(NO_LINEAGE, EX_NOINPUT, LOG_ERR, OUTCOME_BY_PUSH, "dfc8ff7286554582ba9fb9e63fdcacd6", \
	  "No lineage has a valid certificate that covers the mail host", \
	  "Correct live_dir or hostname in section [source] of push.conf and run setup-npm-host again, which shows the service another live_dir, or issue the certificate in Nginx Proxy Manager; 'certpush list' shows what there is.") \
	X(LINEAGE_WRONG, EX_CONFIG, LOG_ERR, OUTCOME_BY_PUSH, "c9281fc97a5c40e5a9560c9b00b8c41b", \
	  "The lineage pinned in the configuration is not one for the mail host", \
	  "Correct lineage in push.conf, or leave it empty to have the lineage found by its names.") \
	X(NOTHING_STAGED, EX_NOINPUT, LOG_ERR, OUTCOME_BY_DEPLOY, "db1f1741c1024ffd909f28e9d9945271", \
	  "No certificate is staged, and none that will do is installed", \
	  "Run 'certpush --force' on the other host. If files were copied by hand, copy what the links in live/ point to (rsync -L, cp -L): a dangling symbolic link is not a certificate.") \
	X(STAGING_MISSING, EX_NOINPUT, LOG_ERR, OUTCOME_BY_DEPLOY, "792d88f2185c470289a6420569859a62", \
	  "The staging directory cannot be opened", \
	  "Run setup-mailcow-host, or correct dir in section [staging] of deploy.conf.") \
	X(FILE_MISSING, EX_NOINPUT, LOG_ERR, OUTCOME_BY_BOTH, "37363356c36c475b9ba2910e96c5c5a0", \
	  "A file does not exist", \
	  "Check the path, and that what it names was copied whole; a link in live/ may point to nothing.") \
	X(FILE_DENIED, EX_NOPERM, LOG_ERR, OUTCOME_BY_BOTH, "5e8df6bcbef44d708546c72c4e6be041", \
	  "A file may not be read or written", \
	  "Run the program as root, or correct the file's owner and mode.") \
	X(FILE_UNSAFE, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "f9bec77977ba4ae990b26206ea02a546", \
	  "Something that should be a plain file is not", \
	  "Remove it and have the file itself written anew (a link copied from live/ points to nothing here: rsync -L, cp -L); if you did not put it there, find out who did.") \
	X(FILE_TOO_LARGE, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "7aefe66b0ee543969e11baf12b78f945", \
	  "A file is larger than it can sensibly be", \
	  "Remove it and have the file written anew.") \
	X(FILE_IO, EX_IOERR, LOG_ERR, OUTCOME_BY_BOTH, "952d6b313965477abed3218c12e88584", \
	  "A file could not be read", \
	  "Look for disk errors with dmesg.") \
	X(FILE_WRITE, EX_CANTCREAT, LOG_ERR, OUTCOME_BY_BOTH, "3c754b94f2d145299915e32da0b83cb0", \
	  "A file could not be written", \
	  "Check that the directory above exists, free space (df) and that the file system is writable; for a run by systemd the directory must be in ReadWritePaths= of the unit.") \
	X(LOCKED, EX_TEMPFAIL, LOG_ERR, OUTCOME_BY_BOTH, "5c3b05447af649b48ca7d8adfc4c6b98", \
	  "Another run is under way", \
	  "Wait for it to end; it holds the lock only as long as it lives.") \
	X(NO_MEMORY, EX_OSERR, LOG_ERR, OUTCOME_BY_BOTH, "7c33d42d6d00415fac5bfc5ac278317a", \
	  "The system is out of memory or descriptors", \
	  "Run again when there is some.") \
	X(SANDBOX_FAILED, EX_OSERR, LOG_ERR, OUTCOME_BY_BOTH, "fbd7245d49c34730980041cecc58ffbe", \
	  "The process that reads what others wrote could not give up its privileges, and did not begin", \
	  "The kernel must have seccomp, and a service that is root the capabilities CAP_SETUID and CAP_SETGID, with which it becomes nobody; see the unit for what it is granted.") \
	X(WORKER_DIED, EX_DATAERR, LOG_ERR, OUTCOME_BY_BOTH, "773a637cb6b84b6190a29aa30646697a", \
	  "The process that reads what others wrote crashed, took too much time or memory, or did what it must not", \
	  "Find out who wrote it: it may be an attack. If it was not, report it with the output of a run with --verbose.") \
	X(IDENTITY_UNUSABLE, EX_CONFIG, LOG_ERR, OUTCOME_BY_PUSH, "e0a31a6792cc463d898ef5e1f02e0601", \
	  "The SSH private key cannot be used", \
	  "Make an ed25519 key without a passphrase with setup-npm-host and pair the hosts again.") \
	X(IDENTITY_EXPOSED, EX_CONFIG, LOG_ERR, OUTCOME_BY_PUSH, "64a25572df134cb59127c6439e6698ca", \
	  "The SSH private key can be read by others", \
	  "Run 'chmod 600' on it; if others may have read it, make a new key and pair the hosts again.") \
	X(HOST_KEY_UNKNOWN, EX_PROTOCOL, LOG_ERR, OUTCOME_BY_PUSH, "4827cdff0ce8493b8d0e668173ac47cf", \
	  "The mail host's SSH key is not known", \
	  "Compare the fingerprint with the one that ssh-keygen -l prints on the mail host; only if they agree, run 'setup-npm-host MAILHOST --confirm FINGERPRINT'.") \
	X(HOST_KEY_CHANGED, EX_PROTOCOL, LOG_ERR, OUTCOME_BY_PUSH, "d8b1e5799fee49b888c41fe3fc2acf52", \
	  "The mail host shows another SSH key than the known one", \
	  "If the host was rebuilt, run 'setup-npm-host MAILHOST', which prints what to run there; otherwise somebody may be in between.") \
	X(NO_COMMON_ALGORITHM, EX_PROTOCOL, LOG_ERR, OUTCOME_BY_PUSH, "fa911c8c99c447949d54e565af9ca7ec", \
	  "The SSH server offers nothing that is both sound and supported here", \
	  "Enable one of the algorithms named here in the server's sshd_config.") \
	X(SSH_PROTOCOL, EX_PROTOCOL, LOG_ERR, OUTCOME_BY_PUSH, "a1b54d71127c435bb530a72a77201281", \
	  "The server does not speak SSH or SFTP as it should", \
	  "Check host and port, and that authorized_keys on the mail host forces internal-sftp; setup-mailcow-host writes the line.") \
	X(AUTH_REFUSED, EX_NOPERM, LOG_ERR, OUTCOME_BY_PUSH, "7d7388508eb348fdb803b46d9bdaaaeb", \
	  "The mail host refused the SSH key", \
	  "Check user in push.conf, and run 'setup-npm-host MAILHOST', which prints what to run there.") \
	X(HOST_UNRESOLVED, EX_TEMPFAIL, LOG_ERR, OUTCOME_BY_PUSH, "1e77d28d7b8e492bbe3c54a0b1afc704", \
	  "The mail host's name could not be resolved", \
	  "Check host in section [target] of push.conf, and this host's DNS.") \
	X(CONNECT_FAILED, EX_TEMPFAIL, LOG_ERR, OUTCOME_BY_PUSH, "4454c80a19454e6f906c79c69d3768a1", \
	  "No connection to the mail host's SSH port", \
	  "Check that sshd listens there and that no firewall on the way is in between: where outbound traffic is denied by default, 'ufw allow out 22/tcp' (or the port in push.conf).") \
	X(CONNECTION_LOST, EX_TEMPFAIL, LOG_ERR, OUTCOME_BY_PUSH, "40290e8acc6149998c83c5c4e14c9620", \
	  "The connection to the mail host broke off", \
	  "Run again; look at sshd's log on the mail host if it stays so.") \
	X(TIMED_OUT, EX_TEMPFAIL, LOG_ERR, OUTCOME_BY_PUSH, "6a5651172e3e4bb4a46648a37486dc00", \
	  "The mail host did not answer in time", \
	  "Run again; if the host is only slow, raise the limits in section [limits] of push.conf.") \
	X(REMOTE_DENIED, EX_NOPERM, LOG_ERR, OUTCOME_BY_PUSH, "614c584255ce43bba80cb15126b8d4d0", \
	  "The mail host does not permit writing to the staging directory", \
	  "Run setup-mailcow-host there: the directory must belong to the user, and the forced command must permit open,write,close,fsync,rename,mkdir.") \
	X(REMOTE_MISSING, EX_CANTCREAT, LOG_ERR, OUTCOME_BY_PUSH, "91d18c2f842440008ecbe8e1e01f7221", \
	  "The staging directory does not exist on the mail host", \
	  "Run setup-mailcow-host there, or correct staging in push.conf.") \
	X(REMOTE_FULL, EX_IOERR, LOG_ERR, OUTCOME_BY_PUSH, "734945b2c54043caabd114fcfc747202", \
	  "The mail host could not store the files", \
	  "Check free space and quota of the staging directory's file system there (df, quota).") \
	X(NOT_PROPAGATED, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_PUSH, "c4f3d444ec1d498dad5b41f87b55ecf5", \
	  "The mail host does not serve the certificate that was pushed", \
	  "On the mail host, see what 'certdeploy check' and 'journalctl -u mailcow-cert-deploy' say, such as that it is held back until its TLSA record is there; each run pushes the certificate again.") \
	X(INTERRUPTED, EX_TEMPFAIL, LOG_WARNING, OUTCOME_BY_PUSH, "9ad702e44dd747b8a3cd05deb24c226a", \
	  "The run was interrupted before the certificate was pushed", \
	  "Run again; nothing was left behind that would be deployed.") \
	X(MAILCOW_MISSING, EX_CONFIG, LOG_ERR, OUTCOME_BY_DEPLOY, "c1a6ab4ddee942088b2845960a2252ff", \
	  "There is no mailcow installation where the configuration says", \
	  "Correct root in section [mailcow] of deploy.conf.") \
	X(MAILCOW_CONF, EX_CONFIG, LOG_ERR, OUTCOME_BY_DEPLOY, "1ecc13f7ed804bd18ed4d89b8d256bcd", \
	  "mailcow.conf does not say what is needed", \
	  "Correct mailcow.conf, or set hostname in section [mailcow] of deploy.conf.") \
	X(DOCKER_MISSING, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "b1f43b4e1fa64dcbb1f9e380d3ae18fd", \
	  "The docker command cannot be run", \
	  "Install it, or correct docker in section [mailcow] of deploy.conf.") \
	X(DOCKER_FAILED, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "1b6628e14391433cb0cbc5084a56c97d", \
	  "The docker command failed", \
	  "Check that the Docker engine runs (systemctl status docker).") \
	X(SERVICE_DOWN, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "cc0f9e251bbc4500a15db1e96806630c", \
	  "A service's container is not running", \
	  "Start it with 'docker compose up -d' in mailcow's directory.") \
	X(RELOAD_FAILED, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "2c4b81d10cbb4fbcb8b9aff15f2d5578", \
	  "A service could not be reloaded", \
	  "See what the command said; 'docker compose restart SERVICE' in mailcow's directory is the way of last resort.") \
	X(INCOMPLETE, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "5625ec8200294d3db225f7e221044f36", \
	  "The certificate is installed, but not every service has loaded it", \
	  "Correct what is said above; the next run reloads the services again.") \
	X(SNI_SHADOWED, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "287b45ac209446cb8c95c079f88b874c", \
	  "A directory of certificates for names of their own shadows the installed pair for the mail host, and cannot be brought in step", \
	  "Have a certificate issued that covers all the names in its file domains, or remove the directory and restart the containers with 'docker compose restart'.") \
	X(DANE_SUPERSEDED, EX_OK, LOG_NOTICE, OUTCOME_BY_DEPLOY, "ad8bb514244d48e8991288d6ae8428a7", \
	  "A TLSA record is of a key that is no longer used", \
	  "Remove it from the zone at the time that is named; the others stay.") \
	X(DANE_HELD, EX_TEMPFAIL, LOG_ERR, OUTCOME_BY_DEPLOY, "b7ebeef3a25b413faab6d8fa7f77f519", \
	  "The staged certificate has a new key that no TLSA record matches, and is held back, as mail servers would refuse it", \
	  "Publish the record that is named, beside those that are there; then run certdeploy, which counts the time from when it first sees it.") \
	X(DANE_WAITING, EX_TEMPFAIL, LOG_WARNING, OUTCOME_BY_DEPLOY, "b1fba9b553114a2f9dbe7cbb8e302e2d", \
	  "The staged certificate is held back until all mail servers can know its new TLSA record", \
	  "Nothing but to leave the old record where it is: the first run after that time installs it.") \
	X(DANE_UNKNOWN, EX_TEMPFAIL, LOG_ERR, OUTCOME_BY_DEPLOY, "45d20de0b66a4a4c883763e88140fdda", \
	  "The staged certificate has a new key and is held back, as the TLSA records cannot be looked up", \
	  "Check DNS on this host, or name another resolver in section [dane] of deploy.conf; where no TLSA record is ever published, dane = off there asks nobody.") \
	X(DANE_OVERRIDDEN, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "2d5c351293c14e319944b9c0536ecce5", \
	  "A new key was installed without its TLSA record, as the certificate before it was about to expire", \
	  "Publish the record that is named now: until then mail servers that look for it do not deliver.") \
	X(RESTART_FAILED, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "94402d3c847c44629d05cbe0f388369b", \
	  "A service's container could not be restarted", \
	  "See what the command said, and look at the container with 'docker compose ps' and 'docker compose logs'.") \
	X(NOT_SERVED, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "b88979308b5e441d9d4119ecad0eda38", \
	  "An endpoint does not serve the installed certificate, although its service was reloaded and restarted", \
	  "See what is said above; compare with certdeploy check, and look at the log of the container.") \
	X(ENDPOINT_DOWN, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "4f3f2915935a4bb999c684584891e12e", \
	  "An endpoint cannot be asked which certificate it serves, and could not before this run", \
	  "Look at its container with 'docker compose ps' and 'docker compose logs'; an endpoint that is not meant to be there is dropped with endpoints in section [verify] of deploy.conf.") \
	X(ROLLED_BACK, EX_UNAVAILABLE, LOG_ERR, OUTCOME_BY_DEPLOY, "807b4ad4eb6b49d497b9af8043ffd14e", \
	  "The services could not serve the new certificate; the previous one was put back", \
	  "See above what the services said of it. The staged pair is tried again when another one is pushed, or with --force.") \
	X(ROLLBACK_FAILED, EX_UNAVAILABLE, LOG_CRIT, OUTCOME_BY_DEPLOY, "f658ca5bdd584d62b89028fb89e45598", \
	  "The services could not serve the new certificate, nor the previous one again", \
	  "Look at the containers now: 'docker compose ps' and 'docker compose logs' in mailcow's directory; 'docker compose restart' loads what is installed.") \
	X(INTERNAL, EX_SOFTWARE, LOG_CRIT, OUTCOME_BY_BOTH, "30832a11fd9b4071a969ab9ff3cd380c", \
	  "The program found itself in a state that cannot be", \
	  "Report it with the output of a run with --verbose.")
/* clang-format on */

#endif
