/*
 * The messages of SFTP version 3 (draft-ietf-secsh-filexfer-02) that a push needs: requests, put
 * together in batches that are sent at once, and their answers.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certsync/file.h"
#include "slice.h"

#define BATCH_REQUESTS_MAX 8
/* Draft 02, 3 and 6.3: what every server takes, and what a handle may have. */
#define BATCH_WRITE_MAX  32768
#define BATCH_HANDLE_MAX 256
/* None of the answers that we ask for has as much to say. */
#define BATCH_ANSWER_MAX 34000

/* Answers of a server (7), and those of later versions that some give all the same. */
enum sftp_status {
	SFTP_OK = 0,
	SFTP_NO_SUCH_FILE = 2,
	SFTP_PERMISSION_DENIED = 3,
	SFTP_FAILURE = 4,
	SFTP_NO_CONNECTION = 6,
	SFTP_CONNECTION_LOST = 7,
	SFTP_UNSUPPORTED = 8,
	SFTP_NO_SUCH_PATH = 10,
	SFTP_FILE_ALREADY_EXISTS = 11,
	SFTP_WRITE_PROTECT = 12,
	SFTP_NO_SPACE = 14,
	SFTP_QUOTA_EXCEEDED = 15,
};

struct sftp_handle {
	char data[BATCH_HANDLE_MAX];
	size_t len; /* 0: there is none */
};

/* One request, or several of a kind, which are answered when all of them are. */
struct batch_request {
	const char *stage;     /* what is done by it, for messages: "creating the file" */
	uint32_t first, count; /* how they are numbered */
	uint32_t answered;
	bool opens;                /* it is answered with a handle */
	uint32_t status;           /* the first answer that was not SFTP_OK, if there was one */
	struct sftp_handle handle; /* what was opened */
};

struct batch {
	struct batch_request requests[BATCH_REQUESTS_MAX];
	size_t count;
	uint32_t next_number;
	struct bytes out; /* to be sent: its first ${used} bytes */
	size_t used;
	size_t message_at; /* where the message that is being put together begins */
	bool out_of_memory;
};

/* A batch without requests; the first one will be numbered ${first}. To be cleared. */
struct batch batch_new(uint32_t first);
void batch_clear(struct batch *batch);

/*
 * Add a request to ${batch}, of which ${stage} is said if it fails. The result is where its answer
 * will be found; it is the batch's.
 */
struct batch_request *batch_mkdir(struct batch *batch, const char *stage, const char *path,
				  uint32_t mode);
/* A file that is not there yet, to be written. */
struct batch_request *batch_create(struct batch *batch, const char *stage, const char *path,
				   uint32_t mode);
struct batch_request *batch_write(struct batch *batch, const char *stage,
				  const struct sftp_handle *file, const struct bytes *content);
/* fsync@openssh.com (OpenSSH's PROTOCOL, 4.4) */
struct batch_request *batch_sync(struct batch *batch, const char *stage,
				 const struct sftp_handle *file);
struct batch_request *batch_close(struct batch *batch, const char *stage,
				  const struct sftp_handle *file);
struct batch_request *batch_rename(struct batch *batch, const char *stage, const char *from,
				   const char *to);
struct batch_request *batch_remove(struct batch *batch, const char *stage, const char *path);
struct batch_request *batch_rmdir(struct batch *batch, const char *stage, const char *path);

/* The first request that is not answered yet; NULL: all are. */
const struct batch_request *batch_awaited(const struct batch *batch);

/*
 * Take note of ${answer}, a packet without its length. False if it is no answer to any request of
 * ${batch}.
 */
bool batch_answer(struct batch *batch, struct slice answer);

/* SSH_FXP_INIT, with its length; and whether ${answer} is that of a server which speaks version 3.
 */
#define BATCH_INIT_LEN 9
void batch_init(char packet[static BATCH_INIT_LEN]);
bool batch_init_answer(struct slice answer);

#endif
