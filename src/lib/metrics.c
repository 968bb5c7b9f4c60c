#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "certsync/cleanup.h"
#include "certsync/deadline.h"
#include "certsync/file.h"
#include "certsync/journal.h"
#include "certsync/metrics.h"

#define PREVIOUS_BYTES_MAX ((size_t)256 * 1024)
/* Another process of ours holds the lock for the time of a write. */
#define LOCK_WITHIN_MS 5000
#define LOCK_PAUSE_MS  20
#define METRICS_MODE   0644
#define LABELS_BYTES   640 /* a file name, each byte of it escaped, and a program */

/* What the file remembers from one writer to the next. */
struct memory {
	time_t last_run; /* 0: none is known of */
	time_t last_success;
	char outcome[64]; /* of the last run */
	time_t last_check;
	int status; /* of the last check */
};

/* --- recalling --- */

/* The text behind "NAME{LABELS SEPARATOR" at the start of a line; NULL: there is none. */
static const char *find(const char *text, const char *name, const char *labels,
			const char *separator)
{
	char start[128 + LABELS_BYTES];
	size_t len = (size_t)snprintf(start, sizeof(start), "%s{%s%s", name, labels, separator);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, start, len))
			return line + len;
	}
	return NULL;
}

/* What is no number of seconds, or no status, counts as nothing. */
static time_t recall_number(const char *text, const char *name, const char *labels)
{
	const char *value = find(text, name, labels, "} ");
	char *end;
	long long number;

	if (!value)
		return 0;
	errno = 0;
	number = strtoll(value, &end, 10);
	return errno || *end != '\n' || number < 0 ? 0 : (time_t)number;
}

static void recall_outcome(const char *text, const char *labels, char *to, size_t size)
{
	const char *value = find(text, "certsync_last_run_outcome", labels, ",outcome=\"");

	for (int i = 0; value && i < OUTCOME_COUNT; i++) {
		const char *name = outcome_text((enum outcome)i)->name;
		const size_t len = strlen(name);

		if (!strncmp(value, name, len) && value[len] == '"')
			snprintf(to, size, "%s", name);
	}
}

/* Is it what an earlier call has left? */
static bool is_ours(const struct bytes *bytes)
{
	static const char *const starts[] = { "# HELP certsync_", "certsync_" };

	/* Empty, or what a power cut has left of it. */
	if (!bytes->data[0])
		return true;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (!strncmp(bytes->data, starts[i], strlen(starts[i])))
			return true;
	return false;
}

/*
 * Anything but a file of ours stays what it is: a slip of the pen may have named a key or the
 * configuration, and /dev/stdout is a link that others need.
 */
static enum outcome recall(int dirfd, const char *name, const char *labels, struct memory *memory)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	enum outcome outcome = file_read(dirfd, name, FILE_STAGED, PREVIOUS_BYTES_MAX, &bytes);

	if (outcome == OUTCOME_FILE_MISSING)
		return OUTCOME_OK;
	if (outcome_failed(outcome))
		return outcome;
	if (!is_ours(&bytes))
		return outcome_because(OUTCOME_FILE_UNSAFE, "the file there holds something else");
	memory->last_run = recall_number(bytes.data, "certsync_last_run_timestamp_seconds", labels);
	memory->last_success =
		recall_number(bytes.data, "certsync_last_success_timestamp_seconds", labels);
	recall_outcome(bytes.data, labels, memory->outcome, sizeof(memory->outcome));
	memory->last_check =
		recall_number(bytes.data, "certsync_last_check_timestamp_seconds", labels);
	memory->status = (int)recall_number(bytes.data, "certsync_last_check_status", labels);
	return OUTCOME_OK;
}

/* --- the text format --- */

struct writer {
	FILE *to;
	const char *labels;
};

/* All are gauges: nothing is counted. */
static void begin(struct writer *writer, const char *name, const char *help)
{
	fprintf(writer->to, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void put_label(FILE *to, const char *name, const char *value)
{
	fprintf(to, ",%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", to);
		else {
			if (*value == '"' || *value == '\\')
				fputc('\\', to);
			fputc(*value, to);
		}
	}
	fputc('"', to);
}

struct label {
	const char *name; /* NULL: there is none */
	const char *value;
};

#define LABEL(name, value) ((struct label){ name, value })
#define NO_LABEL           LABEL(NULL, NULL)

/* A sample with up to two labels besides those that all have. */
static void sample(struct writer *writer, const char *name, struct label first, struct label second,
		   intmax_t value)
{
	fprintf(writer->to, "%s{%s", name, writer->labels);
	if (first.name)
		put_label(writer->to, first.name, first.value);
	if (second.name)
		put_label(writer->to, second.name, second.value);
	fprintf(writer->to, "} %jd\n", value);
}

static void put(struct writer *writer, const char *name, const char *help, intmax_t value)
{
	begin(writer, name, help);
	sample(writer, name, NO_LABEL, NO_LABEL, value);
}

static void put_certificate(struct writer *writer, const struct metrics *metrics, time_t now)
{
	static const char info[] = "certsync_certificate_info";

	if (!metrics->fingerprint[0])
		return;
	begin(writer, info, "The certificate that is to be served.");
	sample(writer, info, LABEL("fingerprint", metrics->fingerprint), NO_LABEL, 1);
	put(writer, "certsync_certificate_not_before_timestamp_seconds", "When its validity began.",
	    metrics->not_before);
	put(writer, "certsync_certificate_not_after_timestamp_seconds", "When its validity ends.",
	    metrics->not_after);
	put(writer, "certsync_certificate_remaining_seconds",
	    "How long it was valid still when this file was written.", metrics->not_after - now);
}

static void put_endpoints(struct writer *writer, const struct metrics *metrics)
{
	static const char info[] = "certsync_served_certificate_info";

	if (!metrics->asked)
		return;
	put(writer, "certsync_endpoints", "Endpoints that were asked what they serve.",
	    (intmax_t)metrics->endpoints);
	put(writer, "certsync_endpoints_ok",
	    "Of these, endpoints that serve the certificate that is to be served.",
	    (intmax_t)metrics->endpoints_ok);
	if (metrics->served_count)
		begin(writer, info, "A certificate that an endpoint serves.");
	for (size_t i = 0; i < metrics->served_count; i++)
		sample(writer, info, LABEL("endpoint", metrics->served[i].endpoint),
		       LABEL("fingerprint", metrics->served[i].fingerprint), 1);
}

static void put_memory(struct writer *writer, const struct memory *memory)
{
	static const char outcome[] = "certsync_last_run_outcome";

	if (memory->last_run) {
		put(writer, "certsync_last_run_timestamp_seconds", "When the last run ended.",
		    memory->last_run);
		put(writer, "certsync_last_success_timestamp_seconds",
		    "When the last run that did not fail ended, 0 if none did.",
		    memory->last_success);
	}
	if (memory->outcome[0]) {
		begin(writer, outcome, "What the last run came to.");
		sample(writer, outcome, LABEL("outcome", memory->outcome), NO_LABEL, 1);
	}
	if (memory->last_check) {
		put(writer, "certsync_last_check_timestamp_seconds", "When the last check ended.",
		    memory->last_check);
		put(writer, "certsync_last_check_status",
		    "What it found: 0 ok, 1 warning, 2 critical, 3 unknown.", memory->status);
	}
}

/* The whole text into ${bytes}, which the caller clears. NO_MEMORY. */
static enum outcome compose(const char *labels, const struct metrics *metrics,
			    const struct memory *memory, time_t now, struct bytes *bytes)
{
	struct writer writer = { .to = open_memstream(&bytes->data, &bytes->len),
				 .labels = labels };
	bool failed = !writer.to;

	if (writer.to) {
		put_certificate(&writer, metrics, now);
		put_endpoints(&writer, metrics);
		put_memory(&writer, memory);
		failed = ferror(writer.to);
		failed = fclose(writer.to) != 0 || failed;
	}
	return failed ? outcome_because(OUTCOME_NO_MEMORY, "out of memory") : OUTCOME_OK;
}

/* What all samples have: whose they are. */
static bool put_labels(char labels[static LABELS_BYTES], const char *program, const char *target)
{
	FILE *to = fmemopen(labels, LABELS_BYTES, "w");
	bool whole;

	if (!to)
		return false;
	fprintf(to, "program=\"%s\"", program);
	if (target && target[0])
		put_label(to, "target", target);
	whole = !fflush(to) && ftell(to) < LABELS_BYTES - 1;
	return !fclose(to) && whole;
}

/* --- the file --- */

/* A run and a check that end together would forget one of the two. */
static enum outcome lock(int dirfd)
{
	const deadline end = deadline_in(LOCK_WITHIN_MS);

	while (flock(dirfd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return outcome_because(OUTCOME_FILE_WRITE, "cannot lock: %s",
					       strerror(errno));
		if (!deadline_pause(end, LOCK_PAUSE_MS))
			return outcome_because(OUTCOME_FILE_WRITE,
					       "another process holds a lock on the directory");
	}
	return OUTCOME_OK;
}

/* Open the directory of ${path} into ${fd}, and find the file's ${name} in ${path}. */
static enum outcome open_place(const char *path, int *fd, const char **name)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(string_freep) char *directory = NULL;

	*name = slash ? slash + 1 : path;
	if (!slash)
		directory = strdup(".");
	else
		directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!directory)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	if (!(*name)[0])
		return outcome_because(OUTCOME_FILE_WRITE, "is no file name");
	return file_open_directory(directory, fd);
}

typedef void change_fn(struct memory *memory, int result, time_t now);

static enum outcome replace(const char *path, const char *program, const struct metrics *metrics,
			    change_fn *change, int result)
{
	/* A directory may give its files a group, which the services may not change. */
	const struct file_access access = { FILE_ANY_UID, FILE_ANY_GID, METRICS_MODE };
	const time_t now = time(NULL);
	_cleanup_(fd_closep) int dirfd = -1;
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	char labels[LABELS_BYTES];
	struct memory memory = { .outcome = "" };
	const char *name;
	enum outcome outcome = open_place(path, &dirfd, &name);

	if (!outcome_failed(outcome) && !put_labels(labels, program, metrics->target))
		outcome = outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	if (!outcome_failed(outcome))
		outcome = lock(dirfd);
	if (!outcome_failed(outcome))
		outcome = recall(dirfd, name, labels, &memory);
	if (outcome_failed(outcome))
		return outcome;
	change(&memory, result, now);
	outcome = compose(labels, metrics, &memory, now, &bytes);
	return outcome_failed(outcome) ? outcome : file_replace(dirfd, name, &bytes, &access);
}

static void write_file(const char *path, const char *program, const struct metrics *metrics,
		       change_fn *change, int result)
{
	enum outcome outcome;

	if (!path || !path[0])
		return;
	outcome = replace(path, program, metrics, change, result);
	if (outcome_failed(outcome))
		journal_log(OUTCOME_METRICS_UNWRITTEN, "the metrics file %s is not written: %s",
			    path, outcome_reason(outcome));
}

/* --- the interface --- */

void metrics_certificate(struct metrics *metrics, const char *fingerprint, time_t not_before,
			 time_t not_after)
{
	snprintf(metrics->fingerprint, sizeof(metrics->fingerprint), "%s", fingerprint);
	metrics->not_before = not_before;
	metrics->not_after = not_after;
}

void metrics_served(struct metrics *metrics, const char *endpoint, const char *fingerprint)
{
	struct metrics_served *served = &metrics->served[metrics->served_count];

	/* The collector takes no file in which a sample comes twice. */
	for (size_t i = 0; i < metrics->served_count; i++)
		if (!strcmp(metrics->served[i].endpoint, endpoint) &&
		    !strcmp(metrics->served[i].fingerprint, fingerprint))
			return;
	if (metrics->served_count == METRICS_SERVED_MAX)
		return;
	snprintf(served->endpoint, sizeof(served->endpoint), "%s", endpoint);
	snprintf(served->fingerprint, sizeof(served->fingerprint), "%s", fingerprint);
	metrics->served_count++;
}

static void note_run(struct memory *memory, int result, time_t now)
{
	const enum outcome outcome = (enum outcome)result;

	memory->last_run = now;
	if (!outcome_failed(outcome))
		memory->last_success = now;
	snprintf(memory->outcome, sizeof(memory->outcome), "%s", outcome_text(outcome)->name);
}

void metrics_write_run(const char *path, const char *program, const struct metrics *metrics,
		       enum outcome outcome)
{
	write_file(path, program, metrics, note_run, (int)outcome);
}

static void note_check(struct memory *memory, int result, time_t now)
{
	memory->last_check = now;
	memory->status = result;
}

void metrics_write_check(const char *path, const char *program, const struct metrics *metrics,
			 enum verdict_level level)
{
	write_file(path, program, metrics, note_check, (int)level);
}
