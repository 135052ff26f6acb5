/* Reads a capture: pcap (microseconds and nanoseconds, both byte orders) and pcapng (several
 * sections and interfaces, every block that carries packets, secrets, names or processes; the rest
 * is stepped over), one block at a time from bytes that the caller has. A bad block costs itself
 * only. Pure: where the bytes come from, and how many of them are kept, is the caller's business.
 * draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. */
#ifndef PCAP_CAPTURE_H
#define PCAP_CAPTURE_H

#include "base/err.h"

/* A block of pcapng that is longer than this is stepped over and counted as bad; in pcap, where
 * nothing shows that the next record follows, the rest is lost. */
#define CAPTURE_BLOCK_MAX ((size_t)16 * 1024 * 1024)
#define CAPTURE_INTERFACES_MAX 65536 /* of a section; and as many of Apple's process blocks */
#define CAPTURE_LINK_NONE 0x10000    /* no LINKTYPE_…: of an interface that is not described */

enum capture_format { CAPTURE_UNKNOWN, CAPTURE_PCAP, CAPTURE_PCAPNG };

enum capture_kind {
	CAPTURE_HEADER, /* a section header of pcapng, begun anew; pcap's file header, interface is
			       filled with its link */
	CAPTURE_INTERFACE,  /* interface is filled */
	CAPTURE_PACKET,	    /* packet is filled */
	CAPTURE_SECRETS,    /* secrets is filled */
	CAPTURE_PROCESS,    /* process is filled: pid and name of packets to come */
	CAPTURE_STATISTICS, /* statistics is filled */
	CAPTURE_SKIPPED,    /* a block that says nothing to us */
};

struct capture_packet {
	uint64_t number;    /* from 1, over all sections */
	uint32_t interface; /* in its section */
	unsigned link;	    /* LINKTYPE_… of its interface */
	/* Since 1970. Simple Packet Blocks have no time: that of the packet before. */
	int64_t wall_ns;
	struct bytes bytes; /* what was captured */
	uint32_t wire_n;    /* how long it was on the wire; never less than what was captured */
	int64_t pid;	    /* whose socket it belongs to; 0: the file does not say */
};

struct capture_interface {
	uint32_t number;
	unsigned link;
	uint32_t snaplen; /* 0: no limit */
	struct bytes name;
};

struct capture_secrets {
	uint32_t type; /* CAPTURE_SECRETS_TLS: lines of a key log; others are handed out too */
	struct bytes data;
};
#define CAPTURE_SECRETS_TLS 0x544c534bu

struct capture_process {
	int64_t pid;
	struct bytes name; /* or the path, where there is no name; may be empty */
};

struct capture_statistics {
	uint32_t interface;
	uint64_t dropped; /* packets lost on it so far, by the interface or the system */
};

struct capture_item {
	enum capture_kind kind;
	uint32_t block_type; /* of pcapng; 0 for pcap */
	struct bytes raw;    /* the whole block (file header, record) as it is in the file */
	bool big_endian;     /* of the section */
	union {
		struct capture_packet packet;
		struct capture_interface interface;
		struct capture_secrets secrets;
		struct capture_process process;
		struct capture_statistics statistics;
	} u;
};

enum capture_outcome {
	CAPTURE_ITEM, /* item is filled */
	CAPTURE_MORE, /* at least step->need bytes must be shown; 0: this is the end */
	CAPTURE_BAD, /* one block was bad; e says what and where; of item block_type, raw (empty when it
			 was too long) and big_endian are filled */
	CAPTURE_LOST, /* nothing from here on can be read; e says why. At the beginning of the input:
			 it is no capture */
};

struct capture_step {
	struct bytes in; /* the input from where the reader stands; moves on with what was read */
	bool last;	 /* there is none behind in */
	size_t need;	 /* never more than CAPTURE_NEED_MAX */
};
#define CAPTURE_NEED_MAX (CAPTURE_BLOCK_MAX + 64)

struct capture;

int capture_new(struct capture **out, struct err *e) MUST_CHECK;
void capture_free(struct capture *c);
/* Reads one block. A capture that ends in the middle of a block gives CAPTURE_LOST once; after that
 * outcome comes CAPTURE_MORE with need 0, and all that is shown is stepped over. item borrows from
 * step->in. Sentences (ERR_WIRE_DECODE) name block and offset. CAPTURE_LOST may be ERR_NOMEM too.
 * e is not NULL. */
enum capture_outcome capture_next(struct capture *c, struct capture_step *step,
				  struct capture_item *item, struct err *e) MUST_CHECK;
enum capture_format capture_format(const struct capture *c);
uint64_t capture_offset(const struct capture *c); /* in the input: where the reader stands */
uint64_t capture_bad(const struct capture *c);	  /* blocks that were bad so far */

#endif
