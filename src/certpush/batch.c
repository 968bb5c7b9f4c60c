#include <string.h>

#include "batch.h"

/* Draft 02, 3 */
enum {
	MESSAGE_INIT = 1,
	MESSAGE_VERSION = 2,
	MESSAGE_OPEN = 3,
	MESSAGE_CLOSE = 4,
	MESSAGE_WRITE = 6,
	MESSAGE_REMOVE = 13,
	MESSAGE_MKDIR = 14,
	MESSAGE_RMDIR = 15,
	MESSAGE_RENAME = 18,
	MESSAGE_STATUS = 101,
	MESSAGE_HANDLE = 102,
	MESSAGE_EXTENDED = 200,
};

#define VERSION  3
#define ROOM_MIN 4096

/* 6.3 and 5 */
#define OPEN_WRITE       0x02U
#define OPEN_CREATE      0x08U
#define OPEN_EXCLUSIVE   0x20U
#define ATTR_PERMISSIONS 0x04U

/* --- bytes of a request --- */

/* A key may be among them: what is left behind is overwritten. */
static bool make_room(struct batch *batch, size_t len)
{
	struct bytes larger;

	if (len <= batch->out.len - batch->used)
		return true;
	larger = bytes_new(2 * batch->out.len + len + ROOM_MIN);
	if (!larger.data)
		return false;
	if (batch->used)
		memcpy(larger.data, batch->out.data, batch->used);
	bytes_clear(&batch->out);
	batch->out = larger;
	return true;
}

static void add(struct batch *batch, const void *data, size_t len)
{
	if (batch->out_of_memory || !make_room(batch, len)) {
		batch->out_of_memory = true;
		return;
	}
	memcpy(batch->out.data + batch->used, data, len);
	batch->used += len;
}

static void add_byte(struct batch *batch, uint8_t value)
{
	add(batch, &value, 1);
}

static void encode(uint32_t value, char to[static 4])
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(value >> (24 - 8 * i));
}

static void add_uint32(struct batch *batch, uint32_t value)
{
	char encoded[4];

	encode(value, encoded);
	add(batch, encoded, sizeof(encoded));
}

static void add_data(struct batch *batch, const void *data, size_t len)
{
	add_uint32(batch, (uint32_t)len);
	add(batch, data, len);
}

static void add_text(struct batch *batch, const char *text)
{
	add_data(batch, text, strlen(text));
}

static void add_handle(struct batch *batch, const struct sftp_handle *handle)
{
	add_data(batch, handle->data, handle->len);
}

static void add_mode(struct batch *batch, uint32_t mode)
{
	add_uint32(batch, ATTR_PERMISSIONS);
	add_uint32(batch, mode);
}

/* --- requests --- */

struct batch batch_new(uint32_t first)
{
	return (struct batch){ .next_number = first };
}

void batch_clear(struct batch *batch)
{
	bytes_clear(&batch->out);
	*batch = (struct batch){ .count = 0 };
}

static struct batch_request *new_request(struct batch *batch, const char *stage)
{
	struct batch_request *request = &batch->requests[batch->count++];

	*request = (struct batch_request){ .stage = stage, .first = batch->next_number };
	return request;
}

/* Begin a message of ${request}, whose length end_message fills in. */
static void begin_message(struct batch *batch, struct batch_request *request, uint8_t message)
{
	batch->message_at = batch->used;
	add_uint32(batch, 0);
	add_byte(batch, message);
	add_uint32(batch, batch->next_number++);
	request->count++;
}

static void end_message(struct batch *batch)
{
	if (!batch->out_of_memory)
		encode((uint32_t)(batch->used - batch->message_at - 4),
		       batch->out.data + batch->message_at);
}

/* Begin a request that is one message. */
static struct batch_request *begin_request(struct batch *batch, const char *stage, uint8_t message)
{
	struct batch_request *request = new_request(batch, stage);

	begin_message(batch, request, message);
	return request;
}

struct batch_request *batch_mkdir(struct batch *batch, const char *stage, const char *path,
				  uint32_t mode)
{
	struct batch_request *request = begin_request(batch, stage, MESSAGE_MKDIR);

	add_text(batch, path);
	add_mode(batch, mode);
	end_message(batch);
	return request;
}

struct batch_request *batch_create(struct batch *batch, const char *stage, const char *path,
				   uint32_t mode)
{
	struct batch_request *request = begin_request(batch, stage, MESSAGE_OPEN);

	request->opens = true;
	add_text(batch, path);
	add_uint32(batch, OPEN_WRITE | OPEN_CREATE | OPEN_EXCLUSIVE);
	add_mode(batch, mode);
	end_message(batch);
	return request;
}

struct batch_request *batch_write(struct batch *batch, const char *stage,
				  const struct sftp_handle *file, const struct bytes *content)
{
	struct batch_request *request = new_request(batch, stage);
	size_t len;

	for (size_t at = 0; at < content->len; at += len) {
		begin_message(batch, request, MESSAGE_WRITE);
		len = content->len - at < BATCH_WRITE_MAX ? content->len - at : BATCH_WRITE_MAX;
		add_handle(batch, file);
		/* The offset has 64 bits. */
		add_uint32(batch, (uint32_t)((uint64_t)at >> 32));
		add_uint32(batch, (uint32_t)at);
		add_data(batch, content->data + at, len);
		end_message(batch);
	}
	return request;
}

struct batch_request *batch_sync(struct batch *batch, const char *stage,
				 const struct sftp_handle *file)
{
	struct batch_request *request = begin_request(batch, stage, MESSAGE_EXTENDED);

	add_text(batch, "fsync@openssh.com");
	add_handle(batch, file);
	end_message(batch);
	return request;
}

struct batch_request *batch_close(struct batch *batch, const char *stage,
				  const struct sftp_handle *file)
{
	struct batch_request *request = begin_request(batch, stage, MESSAGE_CLOSE);

	add_handle(batch, file);
	end_message(batch);
	return request;
}

struct batch_request *batch_rename(struct batch *batch, const char *stage, const char *from,
				   const char *to)
{
	struct batch_request *request = begin_request(batch, stage, MESSAGE_RENAME);

	add_text(batch, from);
	add_text(batch, to);
	end_message(batch);
	return request;
}

static struct batch_request *about_path(struct batch *batch, const char *stage, uint8_t message,
					const char *path)
{
	struct batch_request *request = begin_request(batch, stage, message);

	add_text(batch, path);
	end_message(batch);
	return request;
}

struct batch_request *batch_remove(struct batch *batch, const char *stage, const char *path)
{
	return about_path(batch, stage, MESSAGE_REMOVE, path);
}

struct batch_request *batch_rmdir(struct batch *batch, const char *stage, const char *path)
{
	return about_path(batch, stage, MESSAGE_RMDIR, path);
}

/* --- answers --- */

static bool is_answered(const struct batch_request *request)
{
	return request->answered == request->count;
}

const struct batch_request *batch_awaited(const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (!is_answered(&batch->requests[i]))
			return &batch->requests[i];
	return NULL;
}

static struct batch_request *find_request(struct batch *batch, uint32_t number)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_request *request = &batch->requests[i];

		if (number - request->first < request->count && !is_answered(request))
			return request;
	}
	return NULL;
}

static bool take_status(struct batch_request *request, struct slice answer)
{
	uint32_t status;

	/* What is opened is answered with a handle. */
	if (!slice_uint32(&answer, &status) || (request->opens && status == SFTP_OK))
		return false;
	if (request->status == SFTP_OK)
		request->status = status;
	return true;
}

static bool take_handle(struct batch_request *request, struct slice answer)
{
	struct slice handle;

	if (!request->opens || !slice_string(&answer, &handle) || !handle.len ||
	    handle.len > BATCH_HANDLE_MAX)
		return false;
	memcpy(request->handle.data, handle.data, handle.len);
	request->handle.len = handle.len;
	return true;
}

bool batch_answer(struct batch *batch, struct slice answer)
{
	struct batch_request *request;
	bool taken = false;
	uint32_t number;
	uint8_t message;

	if (!slice_byte(&answer, &message) || !slice_uint32(&answer, &number))
		return false;
	request = find_request(batch, number);
	if (!request)
		return false;
	if (message == MESSAGE_STATUS)
		taken = take_status(request, answer);
	else if (message == MESSAGE_HANDLE)
		taken = take_handle(request, answer);
	request->answered += taken;
	return taken;
}

/* --- the greeting --- */

void batch_init(char packet[static BATCH_INIT_LEN])
{
	encode(BATCH_INIT_LEN - 4, packet);
	packet[4] = MESSAGE_INIT;
	encode(VERSION, packet + 5);
}

bool batch_init_answer(struct slice answer)
{
	uint32_t version;
	uint8_t message;

	/* Extensions may follow. Nobody has older versions any more, and a newer one is not asked
	 * for.
	 */
	return slice_byte(&answer, &message) && message == MESSAGE_VERSION &&
	       slice_uint32(&answer, &version) && version >= VERSION;
}
