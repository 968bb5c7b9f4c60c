/* From `certpush open`, which is root, to a run that is not. In processes of their own. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "handover.h"
#include "identity.h"
#include "lineage.h"
#include "make_pair.h"
#include "open.h"
#include "run_child.h"
#include "scratch.h"

#define NOBODY    65534
#define KEPT_MAX  8
#define FIRST_FD  3  /* where they are handed over */
#define SPARE_FD  50 /* above all that are in use */
#define STATE_MAX 256

static char mail_host[] = "mail.example.org";

/* --- the service manager --- */

struct manager {
	int socket_fd;
	size_t count;
	struct kept {
		char name[64];
		int fd;
	} kept[KEPT_MAX];
};

static bool manager_begin(struct manager *manager)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", scratch);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	manager->socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return !bind(manager->socket_fd, (struct sockaddr *)&address, sizeof(address));
}

static void forget(struct manager *manager, const char *name)
{
	for (size_t i = 0; i < manager->count; i++)
		if (!strcmp(manager->kept[i].name, name))
			manager->kept[i--] = manager->kept[--manager->count];
}

/* Do as sd_pid_notify_with_fds(3) says. */
static void obey(struct manager *manager, const char *state, int fd)
{
	struct kept *kept = &manager->kept[manager->count];
	char name[64];

	if (sscanf(state, "FDSTOREREMOVE=1\nFDNAME=%63s", name) == 1)
		forget(manager, name);
	else if (sscanf(state, "FDSTORE=1\nFDNAME=%63s", kept->name) == 1) {
		kept->fd = fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD);
		manager->count++;
	}
}

static void manager_listen(struct manager *manager)
{
	char state[STATE_MAX], control[CMSG_SPACE(sizeof(int))];
	struct iovec text = { .iov_base = state, .iov_len = sizeof(state) - 1 };

	for (;;) {
		struct msghdr message = { .msg_iov = &text,
					  .msg_iovlen = 1,
					  .msg_control = control,
					  .msg_controllen = sizeof(control) };
		ssize_t got = recvmsg(manager->socket_fd, &message, MSG_DONTWAIT);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		int fd = -1;

		if (got < 0)
			return;
		state[got] = '\0';
		if (header)
			memcpy(&fd, CMSG_DATA(header), sizeof(fd));
		obey(manager, state, fd);
	}
}

/* Make this process the one that is started next, and as another user. */
static bool manager_start(struct manager *manager)
{
	char names[STATE_MAX] = "", pid[16];

	for (size_t i = 0; i < manager->count; i++) {
		dup2(manager->kept[i].fd, FIRST_FD + (int)i);
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? ":" : "",
			 manager->kept[i].name);
	}
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	return !setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY);
}

/* --- the two commands --- */

static int open_all(void)
{
	const struct command_options options = { .conf = scratch_path("push.conf") };

	journal_open("test", JOURNAL_QUIET);
	return open_run(&options);
}

/* What the run has, on standard output. */
static int take_all(void)
{
	_cleanup_(lineage_clear) struct lineage lineage = { .bundle = NULL };
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE, key = BYTES_NONE;
	_cleanup_(bytes_clear) struct bytes identity = BYTES_NONE;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	struct push_conf conf = { .live_dir = scratch,
				  .hostname = mail_host,
				  .lineage = mail_host };
	enum outcome outcome = lineage_find(&conf, time(NULL), &lineage);

	if (!outcome_failed(outcome))
		outcome = lineage_read_pair(&conf, lineage.name, time(NULL), &chain, &key, &bundle);
	if (!outcome_failed(outcome))
		outcome = identity_load(scratch_path("id"), &identity);
	if (outcome_failed(outcome))
		printf("%s: %s", outcome_text(outcome)->name, outcome_reason(outcome));
	else
		printf("%s, %s, SSH key of %zu bytes", lineage.name, bundle_names(bundle),
		       identity.len);
	return 0;
}

static int open_and_take(void *times)
{
	struct manager manager = { .count = 0 };

	if (!manager_begin(&manager))
		return 1;
	for (size_t i = 0; i < *(size_t *)times; i++) {
		if (open_all())
			return 2;
		/* Its socket holds no more than what one of them says. */
		manager_listen(&manager);
	}
	if (manager.count > KEPT_MAX / 2 || !manager_start(&manager))
		return 3;
	return take_all();
}

/* The exit status is that of `certpush open`, what it has handed over is counted. */
static int open_only(void *context)
{
	struct manager manager = { .count = 0 };
	int status;

	(void)context;
	if (!manager_begin(&manager))
		return 1;
	status = open_all();
	manager_listen(&manager);
	printf("%zu", manager.count);
	return status;
}

static int open_without_manager(void *context)
{
	(void)context;
	unsetenv("NOTIFY_SOCKET");
	return open_all();
}

/* --- what there is to open --- */

static void write_pair(const struct make_certificate *spec)
{
	struct identity made = make_identity(spec), other = make_identity(spec);
	struct bytes chain = pem_chain(made.certificate, NULL, NULL);
	struct bytes key = pem_key(made.key, KEY_PKCS8), wrong = pem_key(other.key, KEY_PKCS8);

	scratch_write("npm-5/fullchain.pem", chain.data, chain.len);
	scratch_write("npm-5/privkey.pem", key.data, key.len);
	scratch_write("wrong.pem", wrong.data, wrong.len);
	bytes_clear(&chain);
	bytes_clear(&key);
	bytes_clear(&wrong);
	identity_clear(&made);
	identity_clear(&other);
}

static int begin(void **state)
{
	char text[512];

	if (scratch_make(state) < 0 || mkdirat(scratch_fd, "npm-5", 0700) < 0)
		return -1;
	snprintf(text, sizeof(text),
		 "[source]\nlive_dir = %s\nhostname = %s\n[target]\nidentity = %s/id\n", scratch,
		 mail_host, scratch);
	scratch_write("push.conf", text, strlen(text));
	write_pair(&(struct make_certificate){ .names = "DNS:mail.example.org" });
	snprintf(text, sizeof(text), "ssh-keygen -q -t ed25519 -N '' -f %s/id", scratch);
	return system(text);
}

#define tree_test(test) cmocka_unit_test_setup_teardown(test, begin, scratch_remove)

static void a_run_that_may_read_nothing_has_what_root_has_opened(void **state)
{
	struct child child;
	size_t once = 1;

	(void)state;
	run_child(&child, open_and_take, &once);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.err, "");
	assert_int_equal(strncmp(child.out, "npm-5, mail.example.org, SSH key of ", 36), 0);
}

/* A run that is to be tried again begins with opening again. */
static void what_is_opened_anew_replaces_what_was(void **state)
{
	struct child child;
	size_t thrice = 3;

	(void)state;
	run_child(&child, open_and_take, &thrice);
	assert_int_equal(child.status, 0);
	assert_contains(child.out, "npm-5, mail.example.org");
}

static void that_there_is_no_ssh_key_is_told_by_the_run(void **state)
{
	struct child child;
	size_t once = 1;

	(void)state;
	assert_int_equal(unlinkat(scratch_fd, "id", 0), 0);
	/* So that it gets as far as to see it. */
	assert_int_equal(fchmod(scratch_fd, 0755), 0);
	run_child(&child, open_and_take, &once);
	assert_int_equal(child.status, 0);
	assert_contains(child.out, "IDENTITY_UNUSABLE: ");
}

static void an_ssh_key_that_others_can_read_is_refused_all_the_same(void **state)
{
	struct child child;
	size_t once = 1;

	(void)state;
	assert_int_equal(fchmodat(scratch_fd, "id", 0644, 0), 0);
	run_child(&child, open_and_take, &once);
	assert_int_equal(child.status, 0);
	assert_contains(child.out, "IDENTITY_EXPOSED: ");
}

static void what_is_no_pair_is_not_handed_over(void **state)
{
	struct child child;

	(void)state;
	assert_int_equal(renameat(scratch_fd, "wrong.pem", scratch_fd, "npm-5/privkey.pem"), 0);
	run_child(&child, open_only, NULL);
	assert_int_equal(child.status, outcome_text(OUTCOME_KEY_MISMATCH)->status);
	assert_contains(child.err, "lineage npm-5: ");
	assert_string_equal(child.out, "0");
}

static void without_a_service_manager_there_is_nobody_to_keep_it(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, open_without_manager, NULL);
	assert_int_equal(child.status, outcome_text(OUTCOME_USAGE)->status);
	assert_contains(child.err, "there is no service manager to keep what is opened");
}

static int take_half(void *context)
{
	struct manager manager = { .count = 1, .kept = { { .name = HANDOVER_LINEAGE } } };

	(void)context;
	manager.kept[0].fd = fcntl(open(scratch_path("push.conf"), O_RDONLY), F_DUPFD, SPARE_FD);
	return manager_start(&manager) ? take_all() : 1;
}

static void half_of_it_is_not_enough(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, take_half, NULL);
	assert_int_equal(child.status, 0);
	assert_contains(child.out, "FILE_IO: fullchain.pem: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(a_run_that_may_read_nothing_has_what_root_has_opened),
		tree_test(what_is_opened_anew_replaces_what_was),
		tree_test(that_there_is_no_ssh_key_is_told_by_the_run),
		tree_test(an_ssh_key_that_others_can_read_is_refused_all_the_same),
		tree_test(what_is_no_pair_is_not_handed_over),
		tree_test(without_a_service_manager_there_is_nobody_to_keep_it),
		tree_test(half_of_it_is_not_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
