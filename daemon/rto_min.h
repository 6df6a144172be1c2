/* SPDX-License-Identifier: MIT */
/* The setting `rto-min`: smallest time-outs by destination, as text and as rules of the core. */
#ifndef TS_DAEMON_RTO_MIN_H
#define TS_DAEMON_RTO_MIN_H

#include "proto/stack.h"

#include <stddef.h>

/** Room for the text, with its NUL. */
#define RTO_MIN_ROOM 1024

/**
 * Parse "A[/LEN] TIME, …", TIME a decimal number with us, ms or s behind it. Returns how many rules
 * there are, at least one, and fills `out`; or -EINVAL, with the reason (no newline) in `error`.
 */
int rto_min_parse(const char *list, struct metrics_rule out[METRICS_MAX_RULES], char *error,
                  size_t room);

/** Put a list that rto_min_parse() takes, or "" for none, in force. */
void rto_min_apply(struct stack *st, const char *list);

#endif
