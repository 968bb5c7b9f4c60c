/* A server's answers to a batch of SFTP requests: each packet is given as its length in a byte and
 * that many bytes. */
#include "batch.h"
#include "certsync/cleanup.h"
#include "fuzz.h"

static void ask(struct batch *batch)
{
	static const struct sftp_handle handle = { .data = "h", .len = 1 };
	_cleanup_(bytes_clear) struct bytes content = bytes_new(BATCH_WRITE_MAX + 1);

	must(content.data);
	batch_mkdir(batch, "making", "a", 0700);
	batch_create(batch, "creating", "a/b", 0600);
	batch_create(batch, "creating", "a/c", 0600);
	batch_write(batch, "writing", &handle, &content);
	batch_sync(batch, "syncing", &handle);
	batch_close(batch, "closing", &handle);
	must(!batch->out_of_memory);
}

static void check(const struct batch *batch)
{
	bool awaited = false;

	for (size_t i = 0; i < batch->count; i++) {
		const struct batch_request *request = &batch->requests[i];

		must(request->answered <= request->count);
		must(request->handle.len <= BATCH_HANDLE_MAX);
		must(!request->handle.len || (request->opens && request->status == SFTP_OK));
		awaited = awaited || request->answered < request->count;
	}
	must(awaited == (batch_awaited(batch) != NULL));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	_cleanup_(batch_clear) struct batch batch = batch_new(1);
	bool taken = true;

	ask(&batch);
	while (size && taken) {
		const size_t len = data[0] < size ? data[0] : size - 1;
		_cleanup_(bytes_clear) struct bytes packet = fuzz_bytes(data + 1, len);

		batch_init_answer((struct slice){ packet.data, packet.len });
		taken = batch_answer(&batch, (struct slice){ packet.data, packet.len });
		check(&batch);
		data += 1 + len;
		size -= 1 + len;
	}
	return 0;
}
