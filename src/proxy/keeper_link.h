/* A lane's end of the line to the keeper. Requests of the first moments wait for it (some). While
 * the keeper is gone nothing is minted: those who wait are refused at once, and the line is joined
 * again when there is a new one. */
#ifndef PROXY_KEEPER_LINK_H
#define PROXY_KEEPER_LINK_H

#include "proxy/leaf.h"

struct keeper_link;
struct loop;

int keeper_link_new(struct loop *l, struct keeper_link **out, struct err *e) MUST_CHECK;
void keeper_link_free(struct keeper_link *k);
/* Who hears the answers; set before anything is asked. */
void keeper_link_serve(struct keeper_link *k, struct leaf_desk *desk);
struct leaf_minter keeper_link_minter(struct keeper_link *k);
/* A new line: fd is taken, on failure too. */
int keeper_link_join(struct keeper_link *k, int fd, struct err *e) MUST_CHECK;

#endif
