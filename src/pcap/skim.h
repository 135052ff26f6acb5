/* Goes through a pcapng file from the header of one block to that of the next, for who looks for a
 * few blocks in a large file and can step over the rest without reading it. Believes the lengths at
 * the front; a whole block that is worth reading is given to skim_secrets. */
#ifndef PCAP_SKIM_H
#define PCAP_SKIM_H

#include "pcap/capture.h"

#define SKIM_HEADER 12 /* bytes of a block that skim_next wants to see */

struct skim {
	bool begun;
	bool big_endian; /* of the section */
};

struct skim_block {
	uint32_t type;
	uint64_t n;   /* of the whole block: where the next one begins */
	bool secrets; /* of a type and length that skim_secrets may read */
};

/* header: the first SKIM_HEADER bytes of a block, the first one of the file being its first. False
 * when it is none: the file is no pcapng, or damaged. */
bool skim_next(struct skim *s, struct bytes header, struct skim_block *out);
/* The secrets in a whole block; false when it is not good. out borrows. */
bool skim_secrets(const struct skim *s, struct bytes block, struct capture_secrets *out);

#endif
