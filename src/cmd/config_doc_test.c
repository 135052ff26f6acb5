/* doc/oriel.yaml.md is what the tables say. `cmd_config_doc_test --print` writes it anew. */
#include <stdio.h>
#include <string.h>

#include "cmd/config_file.h"

enum { DOC_MAX = 1 << 20 };

static int compare(const struct buf *wanted, const char *path)
{
	static char found[DOC_MAX];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return 1;
	}
	n = fread(found, 1, sizeof(found), f);
	fclose(f);
	if (bytes_equal(bytes_of(found, n), buf_bytes(wanted)))
		return 0;
	fprintf(stderr,
		"%s is not what the tables in src/cmd/config_schema.c say; make it anew:\n"
		"cmd_config_doc_test --print > doc/oriel.yaml.md\n"
		"tools/yaml-manual > man/oriel.yaml.5\n",
		path);
	return 1;
}

int main(int argc, char **argv)
{
	struct buf doc = buf_init(DOC_MAX);
	struct err e;
	int result = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s --print | FILE\n", argv[0]);
		return 2;
	}
	if (config_file_document(&doc, &e) < 0) {
		fprintf(stderr, "%s\n", e.sentence);
		return 1;
	}
	if (strcmp(argv[1], "--print") == 0)
		fwrite(doc.p, 1, doc.n, stdout);
	else
		result = compare(&doc, argv[1]);
	buf_fini(&doc);
	return result;
}
