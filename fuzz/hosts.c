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
	bool known;

	if (hosts_new(&h, NULL) < 0)
		return 0;
	check(hosts_parse(h, text, NULL) == 0);
	hosts_sort(h);
	/* The last word of the text, as a name to ask for. */
	size_t from = size;
	while (from && data[from - 1] > ' ' && data[from - 1] != '#')
		from--;
	struct bytes name = bytes_slice(text, from, size);
	size_t four = hosts_find(h, name, ADDR_IP4, found, ARRAY_LEN(found), &known);
	check(four <= ARRAY_LEN(found) && (!four || known));
	for (size_t i = 0; i < four; i++)
		check(found[i].family == ADDR_IP4 && found[i].port == 0);
	size_t six = hosts_find(h, name, ADDR_IP6, found, ARRAY_LEN(found), &known);
	check(!known || four || six);
	hosts_free(h);
	return 0;
}
