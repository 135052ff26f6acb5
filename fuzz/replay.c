/* Feeds every file of a folder to a fuzz target: how the ordinary tests replay a corpus. An empty
 * or missing corpus is a failure, so that no target goes untested. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *dir, const char *name)
{
	static uint8_t data[1 << 20];
	char path[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* An exact copy on the heap, so that AddressSanitizer sees a read past its end. */
	uint8_t *copy = malloc(n ? n : 1);
	if (!copy)
		return -1;
	for (size_t i = 0; i < n; i++)
		copy[i] = data[i];
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	int count = 0;

	if (!d) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay(argv[1], entry->d_name) < 0)
			return 1;
		count++;
	}
	closedir(d);
	printf("%d inputs replayed\n", count);
	return count ? 0 : 1;
}
