#include <string.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "make_pair.h"
#include "run_child.h"
#include "scratch.h"
#include "sni.h"

#define HOST "mail.example.org"

static struct pair pair;
static struct sni sni;

/* A pair for ${names} as certdeploy reads one; the caller clears it. */
static struct pair pair_for(const char *names)
{
	struct identity made = make_identity(&(struct make_certificate){ .names = names });
	struct pair new = { .chain = pem_chain(made.certificate, NULL, NULL),
			    .key = pem_key(made.key, KEY_PKCS8) };

	identity_clear(&made);
	assert_int_equal(pair_judge(&new, &(struct judge_rules){ .hostname = "" }), OUTCOME_OK);
	return new;
}

static int begin(void **state)
{
	memset(&sni, 0, sizeof(sni));
	pair = pair_for("DNS:" HOST ",DNS:*.example.org,DNS:example.net");
	return scratch_make(state);
}

static int end(void **state)
{
	sni_clear(&sni);
	pair_clear(&pair);
	return scratch_remove(state);
}

static void put(const char *directory, const char *name, const char *data, size_t len)
{
	char path[512];

	mkdirat(scratch_fd, directory, 0755);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	scratch_write(path, data, len);
}

/* A directory as mailcow serves one, with an old pair for ${domains}. */
static void put_directory(const char *directory, const char *domains)
{
	put(directory, "domains", domains, strlen(domains));
	put(directory, "cert.pem", "old certificate", 15);
	put(directory, "key.pem", "old key", 7);
}

static void find(void)
{
	sni_clear(&sni);
	assert_int_equal(sni_find(scratch_fd, &pair, HOST, &sni), OUTCOME_OK);
}

static struct sni_directory *found(const char *name)
{
	for (size_t i = 0; i < sni.count; i++)
		if (!strcmp(sni.directory[i].name, name))
			return &sni.directory[i];
	fail_msg("%s is not counted", name);
	return NULL;
}

static bool holds(const char *path, const char *data, size_t len)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;

	assert_int_equal(file_read(scratch_fd, path, FILE_OWN, BUNDLE_BYTES_MAX, &bytes),
			 OUTCOME_OK);
	return bytes.len == len && !memcmp(bytes.data, data, len);
}

static bool holds_pair(const char *directory, const struct pair *wanted)
{
	char chain[300], key[300];

	snprintf(chain, sizeof(chain), "%s/cert.pem", directory);
	snprintf(key, sizeof(key), "%s/key.pem", directory);
	return holds(chain, wanted->chain.data, wanted->chain.len) &&
	       holds(key, wanted->key.data, wanted->key.len);
}

static bool holds_old(const char *directory)
{
	const struct pair old = { .chain = { (char[]){ "old certificate" }, 15 },
				  .key = { (char[]){ "old key" }, 7 } };

	return holds_pair(directory, &old);
}

/* --- looking --- */

static void without_directories_there_is_nothing_to_do(void **state)
{
	(void)state;
	scratch_write("cert.pem", "x", 1);
	scratch_write("key.pem", "x", 1);
	scratch_write("domains", HOST, strlen(HOST));
	find();
	assert_int_equal(sni.count, 0);
}

static void one_that_holds_the_pair_is_current(void **state)
{
	(void)state;
	put_directory("one", HOST);
	put("one", "cert.pem", pair.chain.data, pair.chain.len);
	put("one", "key.pem", pair.key.data, pair.key.len);
	find();
	assert_int_equal(sni.count, 1);
	assert_int_equal(found("one")->state, SNI_CURRENT);
	/* Both must be the pair's. */
	put("one", "key.pem", "other", 5);
	find();
	assert_int_equal(found("one")->state, SNI_STALE);
	/* What it holds is served for its names, whatever they are. */
	put_directory("two", "elsewhere.example.com");
	put("two", "cert.pem", pair.chain.data, pair.chain.len);
	put("two", "key.pem", pair.key.data, pair.key.len);
	find();
	assert_int_equal(found("two")->state, SNI_CURRENT);
}

static void the_names_decide_whose_it_is(void **state)
{
	static const struct {
		const char *domains;
		enum sni_state state;
		const char *uncovered;
	} cases[] = {
		{ HOST, SNI_STALE, "" },
		{ HOST "\n", SNI_STALE, "" },
		{ "MAIL.Example.ORG", SNI_STALE, "" },
		{ "example.net " HOST, SNI_STALE, "" },
		{ "\n\n  example.net\r\n\t" HOST "\v\fsmtp.example.org  \n", SNI_STALE, "" },
		{ "*.example.org", SNI_STALE, "" },
		{ "*.EXAMPLE.org", SNI_STALE, "" },
		{ "autodiscover.example.com", SNI_FOREIGN, "autodiscover.example.com" },
		{ "example.net a.example.com b.example.com", SNI_FOREIGN, "a.example.com" },
		{ "example.org", SNI_FOREIGN, "example.org" },
		{ "a.b.example.org", SNI_FOREIGN, "a.b.example.org" },
		{ "*.example.net", SNI_FOREIGN, "*.example.net" },
		{ "*", SNI_FOREIGN, "*" },
		{ "*.mail.example.org", SNI_FOREIGN, "*.mail.example.org" },
		{ "xmail.example.com", SNI_FOREIGN, "xmail.example.com" },
		{ "mail.example.org.", SNI_FOREIGN, "mail.example.org." },
		{ ".example.org", SNI_FOREIGN, ".example.org" },
		{ HOST " a.example.com", SNI_SHADOWING, "a.example.com" },
		{ "a.example.com\nMAIL.example.org\n", SNI_SHADOWING, "a.example.com" },
		{ "a.example.com *.example.org", SNI_SHADOWING, "a.example.com" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_directory("one", cases[i].domains);
		find();
		if (found("one")->state != cases[i].state)
			fail_msg("'%s': state %d", cases[i].domains, (int)found("one")->state);
		assert_string_equal(found("one")->uncovered, cases[i].uncovered);
	}
}

/* The certificate's own wildcard covers the host; that of the directory is another one. */
static void a_wildcard_is_covered_by_the_same_wildcard_only(void **state)
{
	(void)state;
	pair_clear(&pair);
	pair = pair_for("DNS:" HOST ",DNS:a.example.org");
	put_directory("one", "*.example.org");
	put_directory("two", "a.example.org");
	find();
	assert_int_equal(found("one")->state, SNI_SHADOWING);
	assert_string_equal(found("one")->uncovered, "*.example.org");
	assert_int_equal(found("two")->state, SNI_STALE);
}

static void what_mailcow_does_not_serve_is_not_counted(void **state)
{
	static const char *const names[] = { "domains", "cert.pem", "key.pem" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char path[64];

		put_directory("one", HOST);
		snprintf(path, sizeof(path), "one/%s", names[i]);
		assert_int_equal(unlinkat(scratch_fd, path, 0), 0);
		find();
		assert_int_equal(sni.count, 0);
		/* A directory in its place is no file either. */
		assert_int_equal(mkdirat(scratch_fd, path, 0755), 0);
		find();
		assert_int_equal(sni.count, 0);
		assert_int_equal(unlinkat(scratch_fd, path, AT_REMOVEDIR), 0);
	}
	put_directory("backup", HOST);
	put_directory("backup/one", HOST);
	assert_int_equal(unlinkat(scratch_fd, "backup/domains", 0), 0);
	find();
	assert_int_equal(sni.count, 0);
}

static void one_that_names_nothing_is_served_for_nothing(void **state)
{
	(void)state;
	put_directory("one", "");
	put_directory("two", " \n\t\n");
	find();
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	assert_int_equal(sni.count, 0);
	assert_true(holds_old("one"));
	assert_true(holds_old("two"));
}

static void links_are_not_followed(void **state)
{
	(void)state;
	put_directory("backup", "");
	put_directory("backup/elsewhere", HOST);
	assert_int_equal(symlinkat("backup/elsewhere", scratch_fd, "one"), 0);
	assert_int_equal(symlinkat("missing", scratch_fd, "two"), 0);
	find();
	assert_int_equal(sni.count, 0);
}

/* No more can be said of it: it may hold an old pair. */
static void one_that_cannot_be_looked_at_is_named(void **state)
{
	char far[300];

	(void)state;
	put_directory("one", HOST);
	memset(far, 'x', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	assert_int_equal(unlinkat(scratch_fd, "one/cert.pem", 0), 0);
	assert_int_equal(symlinkat(far, scratch_fd, "one/cert.pem"), 0);
	assert_int_equal(sni_find(scratch_fd, &pair, HOST, &sni), OUTCOME_FILE_IO);
	assert_string_equal(outcome_reason(OUTCOME_FILE_IO),
			    "one: cert.pem: cannot stat: File name too long");
}

/* dovecot and postfix pass them by. */
static void a_hidden_one_is_served_by_nginx(void **state)
{
	(void)state;
	put_directory(".hidden", HOST);
	find();
	assert_int_equal(found(".hidden")->state, SNI_STALE);
}

/* --- writing --- */

static void access_is(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat status;

	assert_int_equal(fstatat(scratch_fd, path, &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(status.st_mode, S_IFREG | mode);
	assert_int_equal(status.st_uid, uid);
	assert_int_equal(status.st_gid, gid);
}

static void entries_are(const char *directory, const char *wanted)
{
	char command[256], names[512] = "";
	FILE *stream;

	snprintf(command, sizeof(command), "cd %s/%s && ls -A | tr '\\n' ' '", scratch, directory);
	stream = popen(command, "r");
	assert_non_null(stream);
	assert_non_null(fgets(names, sizeof(names), stream));
	pclose(stream);
	assert_string_equal(names, wanted);
}

static void only_a_stale_one_is_updated(void **state)
{
	(void)state;
	put_directory("stale", HOST "\n");
	put("stale", "ecdsa-cert.pem", "mine", 4);
	put_directory("foreign", "a.example.com");
	put_directory("shadowing", HOST " a.example.com");
	find();
	assert_int_equal(sni.count, 3);
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	assert_true(holds_pair("stale", &pair));
	assert_true(holds_old("foreign"));
	assert_true(holds_old("shadowing"));
	assert_true(holds("stale/domains", HOST "\n", strlen(HOST) + 1));
	assert_true(holds("stale/ecdsa-cert.pem", "mine", 4));
	entries_are("stale", "cert.pem domains ecdsa-cert.pem key.pem ");
	assert_int_equal(found("stale")->state, SNI_CURRENT);
	assert_true(found("stale")->updated);
	assert_false(found("foreign")->updated);
	assert_false(found("shadowing")->updated);
	find();
	assert_int_equal(found("stale")->state, SNI_CURRENT);
}

static void what_is_written_belongs_to_the_directorys_owner(void **state)
{
	const uid_t uid = geteuid() ? geteuid() : 4711;
	const gid_t gid = geteuid() ? getegid() : 4712;

	(void)state;
	put_directory("one", HOST);
	assert_int_equal(fchmodat(scratch_fd, "one/key.pem", 0666, 0), 0);
	assert_int_equal(fchownat(scratch_fd, "one", uid, gid, 0), 0);
	find();
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	access_is("one/cert.pem", 0644, uid, gid);
	access_is("one/key.pem", 0600, uid, gid);
	access_is("one/domains", 0644, geteuid(), getegid());
}

/* The installed pair itself may be what the links lead to. */
static void a_file_that_is_a_link_is_replaced_and_not_what_it_leads_to(void **state)
{
	(void)state;
	put_directory("one", HOST);
	scratch_write("mine.pem", "mine", 4);
	assert_int_equal(unlinkat(scratch_fd, "one/key.pem", 0), 0);
	assert_int_equal(symlinkat("../mine.pem", scratch_fd, "one/key.pem"), 0);
	find();
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	assert_true(holds_pair("one", &pair));
	assert_true(holds("mine.pem", "mine", 4));
	access_is("one/key.pem", 0600, geteuid(), getegid());
}

static void a_restored_one_is_as_it_was(void **state)
{
	_cleanup_(pair_clear) struct pair old = pair_for("DNS:" HOST);

	(void)state;
	put_directory("one", HOST);
	put("one", "cert.pem", old.chain.data, old.chain.len);
	put("one", "key.pem", old.key.data, old.key.len);
	put_directory("two", "a.example.com");
	find();
	/* Nothing was updated. */
	assert_int_equal(sni_restore(scratch_fd, &sni), OUTCOME_OK);
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	put("two", "key.pem", "newer", 5);
	assert_int_equal(sni_restore(scratch_fd, &sni), OUTCOME_OK);
	assert_true(holds_pair("one", &old));
	assert_true(holds("two/key.pem", "newer", 5));
	access_is("one/cert.pem", 0644, geteuid(), getegid());
	access_is("one/key.pem", 0600, geteuid(), getegid());
	entries_are("one", "cert.pem domains key.pem ");
	/* Once. */
	assert_false(found("one")->updated);
	assert_int_equal(found("one")->state, SNI_STALE);
	put("one", "key.pem", "newer", 5);
	assert_int_equal(sni_restore(scratch_fd, &sni), OUTCOME_OK);
	assert_true(holds("one/key.pem", "newer", 5));
}

static void one_that_cannot_be_written_keeps_what_it_had(void **state)
{
	(void)state;
	put_directory("bad", HOST);
	put_directory("good", HOST);
	put("bad/.cert.pem.new", "in the way", "", 0);
	find();
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "bad: .cert.pem.new");
	assert_true(holds_pair("good", &pair));
	assert_true(holds_old("bad"));
	assert_int_equal(found("bad")->state, SNI_STALE);
	assert_false(found("bad")->updated);
	entries_are("bad", ".cert.pem.new cert.pem domains key.pem ");
}

/* --- what should not be there --- */

static void odd_content_does_no_harm(void **state)
{
	static char large[70 * 1024], word[40 * 1024];

	(void)state;
	put_directory("zero", "");
	put("zero", "domains", HOST "\0a.example.com", sizeof(HOST "\0a.example.com") - 1);
	memset(word, 'w', sizeof(word) - 1);
	put_directory("word", word);
	put_directory("bytes", "\x01\xff\xfe%s%n|`");
	find();
	assert_int_equal(sni.count, 3);
	assert_string_equal(found("zero")->uncovered, "");
	assert_int_equal(found("word")->state, SNI_FOREIGN);
	assert_int_equal(strlen(found("word")->uncovered), SNI_NAME_MAX);
	assert_int_equal(found("bytes")->state, SNI_FOREIGN);
	/* One that cannot be read is told, and does not hide the others. */
	memset(large, 'l', sizeof(large) - 1);
	put_directory("large", large);
	sni_clear(&sni);
	assert_int_equal(sni_find(scratch_fd, &pair, HOST, &sni), OUTCOME_FILE_TOO_LARGE);
	assert_contains(outcome_reason(OUTCOME_FILE_TOO_LARGE), "large: domains: larger than");
	assert_int_equal(sni.count, 3);
}

static void files_that_cannot_be_read_are_another_pair(void **state)
{
	static char large[BUNDLE_BYTES_MAX + 1];

	(void)state;
	put_directory("one", HOST);
	put("one", "cert.pem", large, sizeof(large));
	put_directory("two", HOST);
	put("two", "key.pem", "", 0);
	put_directory("three", HOST);
	put("three", "key.pem", large, sizeof(large));
	find();
	assert_int_equal(found("one")->state, SNI_STALE);
	assert_int_equal(found("two")->state, SNI_STALE);
	assert_int_equal(found("three")->state, SNI_STALE);
	/* No half of it is kept. */
	assert_int_equal(found("one")->old.chain.len, 0);
	assert_int_equal(found("three")->old.chain.len, 0);
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	assert_true(holds_pair("one", &pair));
	assert_true(holds_pair("two", &pair));
	/* It is not worth having back. */
	assert_int_equal(sni_restore(scratch_fd, &sni), OUTCOME_OK);
	assert_true(holds_pair("one", &pair));
}

static void the_longest_name_of_a_directory_has_room(void **state)
{
	char name[SNI_NAME_MAX + 1];

	(void)state;
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	put_directory(name, HOST);
	put_directory("a b\n%s", HOST);
	find();
	assert_int_equal(sni.count, 2);
	assert_int_equal(sni_update(scratch_fd, &pair, &sni), OUTCOME_OK);
	assert_true(holds_pair(name, &pair));
	assert_true(holds_pair("a b\n%s", &pair));
}

static void any_number_is_found_in_the_order_of_their_names(void **state)
{
	char name[16];

	(void)state;
	for (int i = 299; i >= 100; i--) {
		snprintf(name, sizeof(name), "d%d", i);
		put_directory(name, HOST);
	}
	find();
	assert_int_equal(sni.count, 200);
	for (int i = 100; i < 300; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		assert_string_equal(sni.directory[i - 100].name, name);
	}
}

#define sni_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		sni_test(without_directories_there_is_nothing_to_do),
		sni_test(one_that_holds_the_pair_is_current),
		sni_test(the_names_decide_whose_it_is),
		sni_test(a_wildcard_is_covered_by_the_same_wildcard_only),
		sni_test(what_mailcow_does_not_serve_is_not_counted),
		sni_test(one_that_names_nothing_is_served_for_nothing),
		sni_test(links_are_not_followed),
		sni_test(one_that_cannot_be_looked_at_is_named),
		sni_test(a_hidden_one_is_served_by_nginx),
		sni_test(only_a_stale_one_is_updated),
		sni_test(what_is_written_belongs_to_the_directorys_owner),
		sni_test(a_file_that_is_a_link_is_replaced_and_not_what_it_leads_to),
		sni_test(a_restored_one_is_as_it_was),
		sni_test(one_that_cannot_be_written_keeps_what_it_had),
		sni_test(odd_content_does_no_harm),
		sni_test(files_that_cannot_be_read_are_another_pair),
		sni_test(the_longest_name_of_a_directory_has_room),
		sni_test(any_number_is_found_in_the_order_of_their_names),
	};

	return cmocka_run_group_tests(tests, judge_one_here, NULL);
}
