# shellcheck shell=bash
# shellcheck disable=SC2154 # PAIRS is made by push.bash
#
# served - for files of tests of certpush, after push: an sshd that takes what is pushed, and the real dovecot, which
# serves the mail host's pair

setup_file() {
	push_setup_file
	run_sshd "$BATS_FILE_TMPDIR/main"
	keep_served
	serve "$PAIRS/mail"
}

teardown_file() {
	serve_kept
	push_teardown_file
}
