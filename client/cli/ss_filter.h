/* SPDX-License-Identifier: MIT */
/*
 * The filters of ss(8), in its words:
 *
 *   state established state close-wait            exclude time-wait
 *   sport = :80   dport >= :1024   sport = :http  src 10.0.0.0/8   dst 10.77.0.1:443   dst [::1]
 *   ( dport = :80 or dport = :443 ) and not dst 10.0.0.0/8
 *
 * and three of our own: user NAME or UID, pid N, name PROGRAM (with * and ?). Terms without a word
 * between them are joined by and, which binds tighter than or; states in a row are alternatives, as
 * in ss.
 */
#ifndef TS_CLIENT_CLI_SS_FILTER_H
#define TS_CLIENT_CLI_SS_FILTER_H

#include "client/cli/ss.h"

/** Parse words, joined by spaces. 0 and *out (NULL: there are none), or -1 with what is wrong. */
int ss_filter_parse(int n, char *const words[], struct ss_filter **out, char *error, size_t room);
void ss_filter_free(struct ss_filter *f);

bool ss_filter_match(const struct ss_filter *f, const struct ss_socket *s);

/** Does it say itself which states are meant? */
bool ss_filter_has_states(const struct ss_filter *f);
/** Does it ask for holders? */
bool ss_filter_has_holders(const struct ss_filter *f);

#endif
