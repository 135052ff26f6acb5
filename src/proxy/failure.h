/* What the client sees when a flow fails: one row for each kind of failure, in the client's own
 * terms. Before the answer to CONNECT or SOCKS it is a status; afterwards what the server did to
 * oriel is done to the client. */
#ifndef PROXY_FAILURE_H
#define PROXY_FAILURE_H

#include "flow/diagnose.h"
#include "wire/alert.h"
#include "wire/socks.h"

enum client_sees {
	SEES_ALERT,	 /* this alert */
	SEES_SAME_ALERT, /* the alert that came from the server, or else this one */
	SEES_RESET,
	SEES_CLOSE, /* an end without a word */
};

struct failure_shown {
	enum client_sees sees;
	enum alert alert;
	unsigned http_status;	/* in answer to CONNECT or a plain request */
	enum socks_reply socks; /* in answer to SOCKS */
};

const struct failure_shown *failure_shown(enum failure f);

#endif
