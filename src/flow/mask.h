/* What is hidden in logs and shared views: query values, userinfo, credentials and cookies. The
 * shape stays (which parameters, which cookies, which scheme), the values become "***".
 *
 * - A URL: userinfo becomes "***@"; each query parameter keeps its name, "a=1&b=2" becomes
 *   "a=***&b=***"; a parameter without a value may be one itself and becomes "***" ("?dG9rZW4=").
 *   The fragment is treated alike.
 * - Authorization, Proxy-Authorization: the scheme stays, "Bearer ***".
 * - Cookie: "name=***; other=***"; Set-Cookie: "name=***" and its attributes.
 * - Location, Content-Location, Referer, Refresh, Link, Destination, :path, :authority: as URLs.
 * - Wholly hidden: see mask_is_secret(). Bodies are not looked into: a masked view shows none. */
#ifndef FLOW_MASK_H
#define FLOW_MASK_H

#include "base/buf.h"

enum mask_kind { MASK_NONE, MASK_URL, MASK_SCHEME, MASK_COOKIE, MASK_SET_COOKIE, MASK_ALL };

/* Goes over a text whose secrets are hidden, part by part. */
struct mask {
	struct bytes rest;
	enum mask_kind kind;
	unsigned state;
};

/* For a whole URL, its authority, or its path and query. */
struct mask mask_url(struct bytes url);
/* For the value of the header of this name (any case). */
struct mask mask_header(struct bytes name, struct bytes value);
/* Nothing is hidden. */
struct mask mask_none(struct bytes text);
/* The next part: a view into the text, or into "***"; never empty. False at the end. */
bool mask_next(struct mask *m, struct bytes *part);

/* Headers that hold nothing but a secret: X-Api-Key, Api-Key, ApiKey, X-Auth-Token, Private-Token,
 * Ocp-Apim-Subscription-Key, X-Functions-Key, DPoP, X-Amz-Security-Token and the like, and each
 * whose name ends in "-token", "-secret", "-api-key", "-apikey", "-access-key", "-password",
 * "-authorization". */
bool mask_is_secret(struct bytes name);

/* The whole masked text after what is in out. Not escaped. Fails with ERR_LIMIT or ERR_NOMEM; out
 * then is as it was. */
int mask_add(struct buf *out, struct mask m, struct err *e) MUST_CHECK;

#endif
