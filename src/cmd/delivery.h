/* What the supervisor gives the worker: the configuration as text and the bytes of all files it
 * needs, since the worker opens none. One blob at the start and one for each reload. */
#ifndef CMD_DELIVERY_H
#define CMD_DELIVERY_H

#include "base/rd.h"
#include "base/wr.h"
#include "wire/addr.h"

#define DELIVERY_MAX ((size_t)128 << 20)
#define DELIVERY_ASSETS_MAX 256
#define DELIVERY_ADDRS_MAX 256
#define DELIVERY_LISTENERS_MAX 128

/* Everything borrowed: when written from the caller, when parsed from the blob. */
struct delivery {
	struct bytes config;	   /* canonical YAML: nothing is left to be found out */
	struct bytes system_roots; /* PEM */
	struct bytes bump_cert;	   /* PEM of the bump root, never its key */
	struct bytes hosts_file;   /* text of /etc/hosts */
	struct bytes settings;	   /* what GET /settings on the admin socket answers */
	struct bytes assets[DELIVERY_ASSETS_MAX]; /* by index of the configuration's assets */
	size_t asset_count;
	struct addr listeners[DELIVERY_ADDRS_MAX]; /* as bound, the admin's behind the proxy's */
	size_t listener_count;
	struct addr own[DELIVERY_ADDRS_MAX];
	size_t own_count;
	uint32_t utc_offset_s; /* of local time, two's complement */
	bool terminal;	       /* standard output is one */
	uint16_t width;	       /* of the terminal */
};

int delivery_write(const struct delivery *d, struct buf *out, struct err *e) MUST_CHECK;
/* Fails with ERR_WIRE_DECODE. */
int delivery_parse(struct bytes b, struct delivery *out, struct err *e) MUST_CHECK;

/* One address, in this and in other messages. A family that is none makes the reader bad. */
void delivery_addr_write(struct wr *w, const struct addr *a);
struct addr delivery_addr_read(struct rd *r);

/* Messages on the channel between supervisor and worker. */
enum worker_message {
	/* supervisor to worker */
	WORKER_SOCKETS = 1, /* descriptors: see struct sockets_header */
	WORKER_SETUP,	    /* a delivery; belongs to the sockets sent before it */
	WORKER_KEEPER, /* the first lane (u8); descriptors: a line to the keeper for each from there on */
	WORKER_DRAIN, /* no more accepting; ends when the last flow has ended */
	WORKER_OWNER, /* the process of a client: flow (u64), pid (u32), name (vec16) */
	WORKER_KEPT,  /* a new configuration was so bad that it was not even sent: counted */
	/* worker to supervisor */
	WORKER_READY,	  /* the setup is in force */
	WORKER_REFUSED,	  /* it is not: a sentence; the one before stays */
	WORKER_ASK_OWNER, /* flow (u64), client and local address */
};

/* Which descriptors come after the listeners', in this order. */
enum socket_extra {
	SOCKETS_ADMIN_UNIX = 1,
	SOCKETS_ADMIN_TCP = 2,
	SOCKETS_KEYLOG = 4,
	SOCKETS_KEYLOG_ENV = 8,
	SOCKETS_HAR = 16,
};
#define SOCKETS_EXTRA_COUNT 5
#define SOCKETS_MAX (DELIVERY_LISTENERS_MAX + SOCKETS_EXTRA_COUNT)
/* The payload of WORKER_SOCKETS, a byte each. All descriptors, listeners' and extras', are one list,
 * which comes in as many messages as it needs. */
struct sockets_header {
	uint8_t listeners;
	uint8_t extras; /* of enum socket_extra */
	uint8_t kept;	/* likewise: not sent, since the worker goes on with those that it has */
	uint8_t first;	/* place in the list of this message's first descriptor */
};

#endif
