#include "tap/session_part.h"

#include "base/mem.h"
#include "http/zmem.h"

/* DEFLATE within TLS (RFC 3749): one stream for a direction, flushed at the end of each record. */
struct inflater {
	z_stream z;
	bool broken; /* a record is missing, and with it what later ones refer to */
	uint8_t out[RECORD_PLAIN_MAX]; /* RFC 5246, 6.2.2: no more may come of a record */
};

int inflater_new(struct inflater **out)
{
	struct inflater *i = mem_new(sizeof(*i));

	if (!i)
		return -1;
	zmem_init(&i->z);
	if (inflateInit(&i->z) != Z_OK) {
		mem_free(i);
		return -1;
	}
	*out = i;
	return 0;
}

void inflater_free(struct inflater *i)
{
	if (!i)
		return;
	(void)inflateEnd(&i->z);
	mem_wipe(i->out, sizeof(i->out));
	mem_free(i);
}

void inflater_miss(struct inflater *i)
{
	if (i)
		i->broken = true;
}

bool inflater_run(struct inflater *i, struct bytes in, struct bytes *out)
{
	int status;

	if (i->broken)
		return false;
	zmem_input(&i->z, in);
	i->z.next_out = i->out;
	i->z.avail_out = sizeof(i->out);
	status = inflate(&i->z, Z_SYNC_FLUSH);
	i->broken = (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) ||
		    i->z.avail_in;
	*out = bytes_of(i->out, sizeof(i->out) - i->z.avail_out);
	return !i->broken;
}
