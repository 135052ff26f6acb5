#include "cmd/program_kind.h"

#include <byteswap.h>
#include <elf.h>

#include "base/rd.h"

#ifdef __aarch64__
#define OWN_MACHINE EM_AARCH64
#else
#define OWN_MACHINE EM_X86_64
#endif

enum { HEADER_SIZE = 64, ENTRY_SIZE = 56, NOTE_GO_BUILD_ID = 4 };

static uint16_t le16(struct rd *r)
{
	return bswap_16(rd_u16(r));
}

static uint32_t le32(struct rd *r)
{
	return bswap_32(rd_u32(r));
}

static uint64_t le64(struct rd *r)
{
	return bswap_64(rd_u64(r));
}

static struct bytes part(struct bytes head, uint64_t at, uint64_t n)
{
	return at < head.n ? bytes_slice(head, (size_t)at, n < head.n ? (size_t)n : head.n)
			   : (struct bytes){ 0 };
}

/* The linker of Go writes one note, its build id. */
static bool is_go_note(struct bytes note)
{
	bool bad = false;
	struct rd r = rd_init(note, &bad);
	uint32_t name_n = le32(&r);

	le32(&r);
	if (le32(&r) != NOTE_GO_BUILD_ID || name_n != 4)
		return false;
	return bytes_equal(rd_take(&r, 4), bytes_of("Go\0", 4)) && !bad;
}

/* The program headers, each 56 bytes. */
static enum program_kind judge(struct bytes head, struct bytes table)
{
	enum program_kind kind = PROGRAM_STATIC;
	bool bad = false;
	struct rd r = rd_init(table, &bad);

	while (rd_rest(&r).n >= ENTRY_SIZE) {
		struct rd entry = rd_init(rd_take(&r, ENTRY_SIZE), &bad);
		uint32_t type = le32(&entry);
		uint64_t at, size;

		le32(&entry); /* flags */
		at = le64(&entry);
		rd_skip(&entry, 16); /* addresses */
		size = le64(&entry);
		if (type == PT_INTERP)
			kind = PROGRAM_DYNAMIC;
		else if (type == PT_NOTE && is_go_note(part(head, at, size)))
			return PROGRAM_GO;
	}
	return kind;
}

enum program_kind program_kind(struct bytes head)
{
	bool bad = false;
	struct rd r = rd_init(head, &bad);
	struct bytes ident = rd_take(&r, EI_NIDENT);
	uint16_t type = le16(&r), machine = le16(&r), entry_size, entries;
	uint64_t at;

	rd_skip(&r, 12); /* version, entry point */
	at = le64(&r);
	rd_skip(&r, 14); /* sections, flags, size of this header */
	entry_size = le16(&r);
	entries = le16(&r);
	if (bad || head.n < HEADER_SIZE ||
	    !bytes_equal(bytes_slice(ident, 0, SELFMAG), bytes_of(ELFMAG, SELFMAG)) ||
	    ident.p[EI_DATA] != ELFDATA2LSB || (type != ET_EXEC && type != ET_DYN))
		return PROGRAM_OTHER;
	if (ident.p[EI_CLASS] != ELFCLASS64 || machine != OWN_MACHINE)
		return PROGRAM_FOREIGN;
	if (entry_size != ENTRY_SIZE || at > head.n || (uint64_t)entries * ENTRY_SIZE > head.n - at)
		return PROGRAM_OTHER;
	return judge(head, part(head, at, (uint64_t)entries * ENTRY_SIZE));
}
