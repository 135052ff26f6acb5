/* /etc/hosts is written by others: any text makes a table in which every name found has addresses. */
#include "net/hosts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct addr found[4];
	struct hosts *h;
	struct hosts_found four = { .addrs = found, .max = ARRAY_LEN(found) }, six = four;

	if (hosts_new(&h, NULL) < 0)
		return 0;
	check(hosts_parse(h, text, NULL) == 0);
	hosts_sort(h);
	/* The last word of the text, as a name to ask for. */
	size_t from = size;
	while (from && data[from - 1] > ' ' && data[from - 1] != '#')
		from--;
	struct bytes name = bytes_slice(text, from, size);
	hosts_find(h, name, ADDR_IP4, &four);
	check(four.count <= four.max && (!four.count || four.known));
	for (size_t i = 0; i < four.count; i++)
		check(found[i].family == ADDR_IP4 && found[i].port == 0);
	hosts_find(h, name, ADDR_IP6, &six);
	check(six.known == four.known && (!six.known || four.count || six.count));
	hosts_free(h);
	return 0;
}
