/* The view of captures for a terminal: one aligned line for each connection when it ends, one for
 * each HTTP exchange when it ends.
 *
 *   time          HH:MM:SS.mmm, of its beginning
 *   number        12 or u1 (a flow of UDP); 12.3 is the third exchange of flow 12
 *
 * and for a connection
 *   client → server      addresses
 *   TLS, ALPN
 *   up, down             bytes of application data that could be read
 *   duration
 *   state                of flow_state_text, and "dark", "partly" when not all could be decrypted
 *   server name, cipher, group, process, what was wrong, why it stayed dark
 *
 * for an exchange: method, status, size, duration, URL, and notes as in text.h. Each function
 * appends whole lines, or fails with ERR_LIMIT or ERR_NOMEM and appends nothing. All text from the
 * network goes through the escaper. */
#ifndef FLOW_CAPTURE_TEXT_H
#define FLOW_CAPTURE_TEXT_H

#include "flow/text.h"

int capture_text_title(struct buf *out, const struct text_options *o, struct err *e) MUST_CHECK;
int capture_text_flow(struct buf *out, const struct text_options *o, const struct flow_info *f,
		      struct err *e) MUST_CHECK;
int capture_text_exchange(struct buf *out, const struct text_options *o, const struct flow_info *f,
			  const struct exchange *x, struct err *e) MUST_CHECK;
/* Nothing unless verbose or body. Plain bytes of a flow only with body. */
int capture_text_message(struct buf *out, const struct text_options *o, const struct flow_info *f,
			 const struct flow_message *m, struct err *e) MUST_CHECK;
/* For --why: number, addresses, server name and the one sentence. Nothing for a flow of which
 * everything could be read. */
int capture_text_why(struct buf *out, const struct text_options *o, const struct flow_info *f,
		     struct err *e) MUST_CHECK;

/* For --group: collects the lines of exchanges and messages until their connection ends, then shows
 * that first and the others below it. When a flow's lines become more than max_flow bytes, or all
 * together more than max_all, what that flow has is shown at once, under its line so far. */
struct capture_group_options {
	const struct text_options *text; /* borrowed until capture_group_free */
	size_t max_flow;		 /* 0: 256 KiB */
	size_t max_all;			 /* 0: 32 MiB */
};
struct capture_group;

int capture_group_new(const struct capture_group_options *o, struct capture_group **out,
		      struct err *e) MUST_CHECK;
void capture_group_free(struct capture_group *g);
int capture_group_exchange(struct capture_group *g, struct buf *out, const struct flow_info *f,
			   const struct exchange *x, struct err *e) MUST_CHECK;
int capture_group_message(struct capture_group *g, struct buf *out, const struct flow_info *f,
			  const struct flow_message *m, struct err *e) MUST_CHECK;
/* The flow ends. show: its own line is wanted; without it, and without lines below it, nothing is
 * written. */
int capture_group_flow(struct capture_group *g, struct buf *out, const struct flow_info *f,
		       bool show, struct err *e) MUST_CHECK;

#endif
