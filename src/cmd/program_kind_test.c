#include "cmd/program_kind.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#ifdef __aarch64__
#define OWN EM_AARCH64
#else
#define OWN EM_X86_64
#endif

/* Three program headers and a note behind them. */
struct image {
	Elf64_Ehdr head;
	Elf64_Phdr entries[3];
	struct {
		uint32_t name_n, desc_n, type;
		char name[4];
	} note;
};

static struct image made(uint32_t second)
{
	struct image i = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_DYN,
			  .e_machine = OWN,
			  .e_phoff = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 3 },
		.note = { 4, 0, 4, "Go" },
	};

	i.entries[0].p_type = PT_LOAD;
	i.entries[1].p_type = second;
	i.entries[2].p_type = PT_LOAD;
	for (size_t n = 0; n < 3; n++) {
		i.entries[n].p_offset = offsetof(struct image, note);
		i.entries[n].p_filesz = sizeof(i.note);
	}
	return i;
}

static enum program_kind kind(const struct image *i)
{
	return program_kind(bytes_of(i, sizeof(*i)));
}

static void tells_the_loader_s_programs_from_those_without(void **state)
{
	struct image dynamic = made(PT_INTERP), fixed = made(PT_NULL);

	(void)state;
	assert_int_equal(kind(&dynamic), PROGRAM_DYNAMIC);
	assert_int_equal(kind(&fixed), PROGRAM_STATIC);
	fixed.head.e_type = ET_EXEC;
	assert_int_equal(kind(&fixed), PROGRAM_STATIC);
}

static void knows_go_by_its_note_with_a_loader_or_without(void **state)
{
	struct image go = made(PT_NOTE);

	(void)state;
	assert_int_equal(kind(&go), PROGRAM_GO);
	go.entries[0].p_type = PT_INTERP;
	assert_int_equal(kind(&go), PROGRAM_GO);
	go.note.type = 1;
	assert_int_equal(kind(&go), PROGRAM_DYNAMIC);
	go = made(PT_NOTE);
	go.note.name[0] = 'N';
	assert_int_equal(kind(&go), PROGRAM_STATIC);
}

static void knows_what_another_machine_runs(void **state)
{
	struct image i = made(PT_INTERP);

	(void)state;
	i.head.e_machine = EM_386;
	assert_int_equal(kind(&i), PROGRAM_FOREIGN);
	i = made(PT_INTERP);
	i.head.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(kind(&i), PROGRAM_FOREIGN);
}

static void says_nothing_of_what_is_no_program(void **state)
{
	static const char script[200] = "#!/bin/sh\n";
	struct image i = made(PT_INTERP);

	(void)state;
	assert_int_equal(program_kind(bytes_of(script, sizeof(script))), PROGRAM_OTHER);
	i.head.e_type = ET_REL;
	assert_int_equal(kind(&i), PROGRAM_OTHER);
	i = made(PT_INTERP);
	i.head.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(kind(&i), PROGRAM_OTHER);
	i = made(PT_INTERP);
	i.head.e_phentsize = 55;
	assert_int_equal(kind(&i), PROGRAM_OTHER);
	i = made(PT_INTERP);
	i.head.e_phoff = UINT64_MAX;
	assert_int_equal(kind(&i), PROGRAM_OTHER);
	i = made(PT_INTERP);
	i.head.e_phnum = 0xffff;
	assert_int_equal(kind(&i), PROGRAM_OTHER);
}

static void a_note_that_lies_elsewhere_is_none(void **state)
{
	struct image i = made(PT_NOTE);

	(void)state;
	i.entries[1].p_offset = UINT64_MAX;
	i.entries[1].p_filesz = UINT64_MAX;
	assert_int_equal(kind(&i), PROGRAM_STATIC);
	i.entries[1].p_offset = sizeof(i) - 3;
	assert_int_equal(kind(&i), PROGRAM_STATIC);
}

static void a_program_cut_short_anywhere_is_none(void **state)
{
	struct image i = made(PT_INTERP);

	(void)state;
	for (size_t n = 0; n < offsetof(struct image, note); n++)
		assert_int_equal(program_kind(bytes_of(&i, n)), PROGRAM_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_loader_s_programs_from_those_without),
		cmocka_unit_test(knows_go_by_its_note_with_a_loader_or_without),
		cmocka_unit_test(knows_what_another_machine_runs),
		cmocka_unit_test(says_nothing_of_what_is_no_program),
		cmocka_unit_test(a_note_that_lies_elsewhere_is_none),
		cmocka_unit_test(a_program_cut_short_anywhere_is_none),
	};

	return cmocka_run_group_tests_name("cmd/program_kind", tests, NULL, NULL);
}
