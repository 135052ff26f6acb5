/* Names, patterns, addresses and base64 from text. What is taken reads the same when it is written
 * and read again; literal addresses are those of inet_pton. */
#include <arpa/inet.h>
#include <assert.h>

#include "wire/base64.h"
#include "wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(struct bytes in)
{
	struct name name, again;
	struct name_pattern p;
	struct err e = { 0 };
	int failed;

	if (name_parse(in, &name, &e) < 0) {
		assert(e.code == ERR_NAME && e.sentence[0]);
		return;
	}
	assert(name.n && name.n <= NAME_MAX_BYTES && strlen(name.text) == name.n);
	assert(name.text[name.n - 1] != '.');
	failed = name_parse(name_bytes(&name), &again, NULL);
	assert(!failed && name_equal(&name, &again));
	failed = name_pattern_parse(name_bytes(&name), &p, NULL);
	assert(!failed && p.kind == NAME_EXACT && name_match(&p, &name) && !name_match(&p, NULL));
}

static void check_pattern(struct bytes in)
{
	struct name_pattern p;
	struct name name, longer;
	char text[NAME_MAX_BYTES + 3] = "x.";
	int failed;

	if (name_pattern_parse(in, &p, NULL) < 0 || p.kind != NAME_SUFFIX)
		return;
	memcpy(text + 2, p.name.text, p.name.n);
	failed = name_parse(name_bytes(&p.name), &name, NULL);
	failed |= name_parse(bytes_of(text, p.name.n + 2), &longer, NULL);
	assert(!failed && !name_match(&p, &name) && name_match(&p, &longer));
}

/* Without brackets and scope our literals are the system's. */
static void check_against_the_system(struct bytes in, bool taken, const struct addr *a)
{
	uint8_t ip[16] = { 0 };
	char text[100] = "";

	if (in.n >= sizeof(text) || bytes_index(in, '[') < in.n || bytes_index(in, '%') < in.n ||
	    bytes_index(in, 0) < in.n)
		return;
	if (in.n)
		memcpy(text, in.p, in.n);
	if (inet_pton(AF_INET, text, ip) == 1) {
		assert(taken && a->family == ADDR_IP4 && memcmp(a->ip, ip, 4) == 0);
	} else if (inet_pton(AF_INET6, text, ip) == 1) {
		assert(taken);
		if (a->family == ADDR_IP6)
			assert(memcmp(a->ip, ip, 16) == 0);
		else
			assert(IN6_IS_ADDR_V4MAPPED((struct in6_addr *)(void *)ip) &&
			       memcmp(a->ip, ip + 12, 4) == 0);
	} else {
		assert(!taken);
	}
}

static void check_addr(struct bytes in)
{
	struct addr a = { 0 }, again;
	struct addr_range range;
	char text[ADDR_TEXT_MAX], system[INET6_ADDRSTRLEN];
	bool taken = addr_parse_ip(in, 7, &a), back;

	check_against_the_system(in, taken, &a);
	if (taken) {
		back = addr_parse_ip(bytes_str(addr_ip_text(&a, text)), 7, &again);
		assert(back && addr_equal(&a, &again));
		/* The C library writes ::1.2.3.4 where we write ::102:304. */
		if (a.family == ADDR_IP6 && !a.scope &&
		    !IN6_IS_ADDR_V4COMPAT((struct in6_addr *)(void *)a.ip))
			assert(strcmp(inet_ntop(AF_INET6, a.ip, system, sizeof(system)), text) ==
			       0);
		back = addr_parse(bytes_str(addr_text(&a, text)), &again, NULL) == 0;
		assert(back && addr_equal(&a, &again));
		(void)addr_kind_text(addr_kind(&a));
	}
	if (addr_range_parse(in, &range, NULL) == 0)
		assert(addr_in_range(&range.base, &range));
}

static void check_host(struct bytes in)
{
	struct host host, again;
	char text[HOST_TEXT_MAX];
	int failed;

	if (host_parse_authority(in, 0, &host, NULL) < 0)
		return;
	failed = host_parse_authority(bytes_str(host_text(&host, text)), 0, &again, NULL);
	assert(!failed && again.kind == host.kind && again.port == host.port);
	if (host.kind == HOST_NAME)
		assert(name_equal(&host.name, &again.name));
	else
		assert(addr_equal(&host.addr, &again.addr));
}

static void check_base64(struct bytes in)
{
	AUTO(buf_fini) struct buf data = buf_init(in.n), text = buf_init(in.n + 4);
	AUTO(buf_fini) struct buf written = buf_init(2 * in.n + 4), back = buf_init(in.n + 4);
	int failed;

	if (base64_parse(in, &data, NULL) == 0) {
		failed = base64_write(buf_bytes(&data), &text, NULL);
		assert(!failed && bytes_equal(buf_bytes(&text), in));
	}
	failed = base64_write(in, &written, NULL);
	failed |= base64_parse(buf_bytes(&written), &back, NULL);
	assert(!failed && bytes_equal(buf_bytes(&back), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_name(in);
	check_pattern(in);
	check_addr(in);
	check_host(in);
	check_base64(in);
	return 0;
}
