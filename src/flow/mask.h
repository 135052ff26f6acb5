/* What is hidden in logs and shared views: query values, userinfo, credentials and cookies. The
 * shape stays (which parameters, which cookies, which scheme), the values become "***".
 *
 * - A URL: userinfo becomes "***@"; each query parameter keeps its name, "a=1&b=2" becomes
 *   "a=***&b=***"; a parameter without "=" is taken for a value. The fragment is treated alike.
 * - Authorization, Proxy-Authorization: the scheme stays, "Bearer ***".
 * - Cookie: "name=***; other=***"; Set-Cookie: "name=***" and its attributes.
 * - Location, Content-Location, Referer, Refresh, Link, Destination, Origin, :path, :authority: as URLs.
 * - Wholly hidden: see mask_is_secret(). */
#ifndef FLOW_MASK_H
#define FLOW_MASK_H

#include "base/buf.h"

/* Goes over a text whose secrets are hidden, part by part. */
struct mask {
	struct bytes rest;
	struct bytes between; /* what comes after the part that was hidden last */
	uint8_t kind, state;
};

/* For a whole URL or only its path and query. */
struct mask mask_url(struct bytes url);
/* For the value of the header of this name (any case). */
struct mask mask_header(struct bytes name, struct bytes value);
/* The next part: a view into the text, or into "***". False at the end. */
bool mask_next(struct mask *m, struct bytes *part);

/* Headers that hold nothing but a secret: X-Api-Key, Api-Key, ApiKey, X-Auth-Token, Private-Token,
 * Ocp-Apim-Subscription-Key, X-Functions-Key, DPoP, X-Amz-Security-Token and the like, and each
 * whose name ends in "-token", "-secret", "-api-key", "-apikey", "-password", "-authorization". */
bool mask_is_secret(struct bytes name);

/* The whole masked text after what is in out. Not escaped. Fails with ERR_LIMIT or ERR_NOMEM. */
int mask_add(struct buf *out, struct mask m, struct err *e) MUST_CHECK;

#endif
