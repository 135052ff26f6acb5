/* What the views share: URLs, bodies as people want to see them, words. Only for the views. */
#ifndef FLOW_VIEW_H
#define FLOW_VIEW_H

#include "flow/exchange.h"
#include "flow/mask.h"
#include "flow/put.h"

#define VIEW_BODY_MAX 65536

enum view_form { VIEW_RAW, VIEW_ESCAPED, VIEW_JSON }; /* JSON: without the quotes */

void put_view(struct put *w, struct mask m, enum view_form form);
/* "https://host/path?query", or the authority alone for CONNECT. */
void put_url(struct put *w, const struct exchange *x, bool mask, enum view_form form);
/* The value of a header. */
void put_header_value(struct put *w, const struct flow_header *h, bool mask, enum view_form form);
/* "1.1", "2" */
void put_http_version(struct put *w, const struct exchange *x);
/* host:port, the host in brackets when it is an IPv6 address */
void put_target(struct put *w, const struct flow_info *f, enum view_form form);

/* A body with its content coding undone, as far as it is known and was kept. */
struct view_body {
	struct bytes data; /* in room, or the message's */
	bool cut;	   /* there was more */
	bool coded;	   /* the coding could not be undone */
	struct buf room;
};
void view_body_init(struct view_body *v, const struct message *m, size_t max);
/* The same of a message of gRPC, by grpc-encoding. */
void view_message_init(struct view_body *v, const struct flow_message *m, size_t max);
void view_body_fini(struct view_body *v);
/* Valid UTF-8 that has no control characters but tab, CR and LF. When cut, an incomplete character
 * at the end is taken off *text. */
bool view_is_text(struct bytes *text, bool cut);

/* "12", "u1"; an exchange of a capture: "12.3" */
void put_flow(struct put *w, uint64_t flow);
void put_exchange_name(struct put *w, uint64_t flow, uint64_t index);
/* How a captured flow ended, a fixed word: "complete", "open", "reset", "truncated", "refused", … */
const char *flow_state_text(const struct flow_info *f);
/* How much of it could be read: "plain", "decrypted", "partly", "dark". */
const char *flow_sight_text(const struct flow_info *f);

#define VIEW_REASON_MAX 1024
/* What went wrong in words: what the flow's end said, else the diagnosis, in room. */
struct bytes view_reason(const struct flow_info *f, char *room, size_t size);

const char *ws_opcode_text(unsigned opcode); /* "text", "close"; "message" for 0 */

#endif
