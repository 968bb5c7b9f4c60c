/* What becomes of an SNI directory when something goes wrong while it is updated. */
#include <string.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "make_pair.h"
#include "run_child.h"
#include "scratch.h"
#include "sni.h"

#define HOST  "mail.example.org"
#define NAMES "DNS:mail.example.org,DNS:imap.example.org,DNS:*.example.net"

/* The installed pair, and another one for the same names; made once. */
static struct pair pair, other;

static struct pair make_pair(const char *names)
{
	struct identity made = make_identity(&(struct make_certificate){ .names = names });
	struct pair result = { .chain = pem_chain(made.certificate, NULL, NULL),
			       .key = pem_key(made.key, KEY_PKCS8) };

	identity_clear(&made);
	assert_int_equal(pair_judge(&result, &(struct judge_rules){ .hostname = "" }), OUTCOME_OK);
	return result;
}

static int make_pairs(void **state)
{
	if (judge_one_here(state) < 0)
		return -1;
	pair = make_pair(NAMES);
	other = make_pair(NAMES);
	return 0;
}

static int clear_pairs(void **state)
{
	(void)state;
	pair_clear(&pair);
	pair_clear(&other);
	return 0;
}

static void put(const char *directory, const char *name, const struct bytes *bytes)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	scratch_write(path, bytes->data, bytes->len);
}

/* A directory that mailcow serves for ${domains}, with the pair ${held}. */
static void make_directory(const char *name, const char *domains, const struct pair *held)
{
	const struct bytes text = { .data = (char *)domains, .len = strlen(domains) };

	assert_int_equal(mkdirat(scratch_fd, name, 0755), 0);
	put(name, "domains", &text);
	put(name, "cert.pem", &held->chain);
	put(name, "key.pem", &held->key);
}

static bool holds(const char *name, const struct bytes *wanted)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;

	assert_int_equal(file_read(scratch_fd, name, FILE_OWN, BUNDLE_BYTES_MAX, &bytes),
			 OUTCOME_OK);
	return bytes_equal(&bytes, wanted);
}

static mode_t mode_of(const char *name)
{
	struct stat status;

	return fstatat(scratch_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_mode : 0;
}

static void a_directory_that_became_a_link_is_not_written_to(void **state)
{
	_cleanup_(sni_clear) struct sni sni = { .count = 0 };

	(void)state;
	make_directory("stale", HOST, &other);
	assert_int_equal(sni_find(scratch_fd, &pair, HOST, &sni), OUTCOME_OK);
	assert_int_equal(renameat(scratch_fd, "stale", scratch_fd, "moved"), 0);
	assert_int_equal(symlinkat("moved", scratch_fd, "stale"), 0);
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "stale: cannot open");
	assert_true(holds("moved/cert.pem", &other.chain));
	assert_true(holds("moved/key.pem", &other.key));
}

static void temporaries_of_a_killed_run_do_not_stay(void **state)
{
	static const char *const names[] = { "current", "foreign", "stale" };
	_cleanup_(sni_clear) struct sni sni = { .count = 0 };
	char path[64];

	(void)state;
	make_directory("current", HOST, &pair);
	make_directory("foreign", "www.example.com", &other);
	/* As one that was killed between the two renames leaves it. */
	make_directory("stale", HOST, &other);
	put("stale", "key.pem", &pair.key);
	for (size_t i = 0; i < 3; i++) {
		put(names[i], ".cert.pem.new", &pair.chain);
		put(names[i], ".key.pem.new", &pair.key);
	}
	assert_int_equal(sni_find(scratch_fd, &pair, HOST, &sni), OUTCOME_OK);
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/.cert.pem.new", names[i]);
		assert_int_equal(mode_of(path), 0);
		snprintf(path, sizeof(path), "%s/.key.pem.new", names[i]);
		assert_int_equal(mode_of(path), 0);
	}
	assert_true(holds("stale/cert.pem", &pair.chain));
	assert_true(holds("stale/key.pem", &pair.key));
}

/* In the place of ${name} stands what no file can be renamed over. */
static void block(const char *name)
{
	assert_int_equal(unlinkat(scratch_fd, name, 0), 0);
	assert_int_equal(mkdirat(scratch_fd, name, 0755), 0);
}

static void a_pair_that_cannot_be_put_whole_is_not_put_at_all(void **state)
{
	_cleanup_(sni_clear) struct sni sni = { .count = 0 };

	(void)state;
	make_directory("a", HOST, &other);
	make_directory("b", HOST, &other);
	make_directory("c", HOST, &other);
	assert_int_equal(sni_find(scratch_fd, &pair, HOST, &sni), OUTCOME_OK);
	block("a/cert.pem");
	block("b/key.pem");
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_FILE_WRITE);
	/* The first is named; the others were done all the same. */
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "a: cert.pem: cannot replace");
	assert_true(holds("a/key.pem", &other.key));
	assert_true(holds("b/cert.pem", &other.chain));
	assert_int_equal(mode_of("a/.cert.pem.new"), 0);
	assert_int_equal(mode_of("a/.key.pem.new"), 0);
	assert_int_equal(mode_of("b/.cert.pem.new"), 0);
	assert_int_equal(mode_of("b/.key.pem.new"), 0);
	assert_false(sni.directory[0].updated);
	assert_int_equal(sni.directory[0].state, SNI_STALE);
	assert_int_equal(sni.directory[1].state, SNI_STALE);
	assert_true(holds("c/cert.pem", &pair.chain));
	assert_true(holds("c/key.pem", &pair.key));
}

static void no_room_for_the_pair_leaves_the_old_one(void **state)
{
	_cleanup_(sni_clear) struct sni sni = { .count = 0 };

	(void)state;
	make_directory("stale", HOST, &other);
	assert_int_equal(sni_find(scratch_fd, &pair, HOST, &sni), OUTCOME_OK);
	/* The certificate's temporary cannot be written. */
	assert_int_equal(mkdirat(scratch_fd, "stale/.cert.pem.new", 0755), 0);
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_FILE_WRITE);
	assert_true(holds("stale/cert.pem", &other.chain));
	assert_true(holds("stale/key.pem", &other.key));
	assert_int_equal(mode_of("stale/.key.pem.new"), 0);
}

static void what_was_no_pair_is_not_put_back(void **state)
{
	static char secret[] = "root:$6$secret";
	const struct bytes bytes = { .data = secret, .len = strlen(secret) };
	_cleanup_(sni_clear) struct sni sni = { .count = 0 };

	(void)state;
	make_directory("links", HOST, &other);
	scratch_write("shadow", secret, strlen(secret));
	assert_int_equal(unlinkat(scratch_fd, "links/cert.pem", 0), 0);
	assert_int_equal(symlinkat("../shadow", scratch_fd, "links/cert.pem"), 0);
	make_directory("mixed", HOST, &other);
	put("mixed", "key.pem", &pair.key);
	make_directory("nonsense", HOST, &other);
	put("nonsense", "key.pem", &bytes);
	assert_int_equal(sni_find(scratch_fd, &pair, HOST, &sni), OUTCOME_OK);
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	assert_int_equal(sni_restore(scratch_fd, &sni), OUTCOME_OK);
	assert_int_equal(sni.count, 3);
	for (size_t i = 0; i < sni.count; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/cert.pem", sni.directory[i].name);
		assert_true(holds(path, &pair.chain));
		snprintf(path, sizeof(path), "%s/key.pem", sni.directory[i].name);
		assert_true(holds(path, &pair.key));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_directory_that_became_a_link_is_not_written_to),
		scratch_test(temporaries_of_a_killed_run_do_not_stay),
		scratch_test(a_pair_that_cannot_be_put_whole_is_not_put_at_all),
		scratch_test(no_room_for_the_pair_leaves_the_old_one),
		scratch_test(what_was_no_pair_is_not_put_back),
	};

	return cmocka_run_group_tests(tests, make_pairs, clear_pairs);
}
