# Makes mailcow-cert-push@.service, mailcow-cert-push-check@.service and the like of the units without "@": for one of several mail hosts, %i, with
# its settings in /etc/certsync/push.d/%i.conf and a state of its own.
# One watch each, as the kernel has 128 for root: a new lineage has a file in renewal/ as well.
/PathChanged=.*\/live$/d
s|A new lineage is a directory in live/, and each renewal replaces|A new lineage makes, and each renewal replaces,|
s|^Description=.*|& (%i)|
/^ExecStart=/s|/certpush|& --config /etc/certsync/push.d/%i.conf|
/^StateDirectory=/s|$|@%i|
/^RuntimeDirectory=/s|$|@%i|
/^RootDirectory=/s|$|@%i|
/^WantedBy=/s|mailcow-cert-push|&@%i|
/^#/s/\(mailcow-cert-push\|mailcow-cert-push-check\)\./\1@NAME./g
/^#/s|push\.conf|push.d/NAME.conf|g
