/* SPDX-License-Identifier: MIT */
/* One term of a filter of `tapstack ss`: what it asks about, and with what it compares. */
#ifndef TS_CLIENT_CLI_SS_TERMS_H
#define TS_CLIENT_CLI_SS_TERMS_H

#include "client/cli/ss.h"

enum ss_what {
    SS_TERM_STATE,
    SS_TERM_SPORT,
    SS_TERM_DPORT,
    SS_TERM_SRC,
    SS_TERM_DST,
    SS_TERM_USER,
    SS_TERM_PID,
    SS_TERM_NAME
};

enum ss_compare { SS_EQ, SS_NE, SS_LT, SS_LE, SS_GT, SS_GE };

struct ss_term {
    enum ss_what what;
    enum ss_compare how;
    uint32_t states; /**< bits by Linux's numbers */
    uint32_t number; /**< port, user or process */
    uint8_t addr[16], bits;
    bool has_port;
    char name[64];
};

/** Add a state, or one of ss's names for several, to the set. False: there is none of that name. */
bool ss_term_state(const char *word, uint32_t *states);

/** Read the value of a term that is no state. NULL, or what it should have been: "port", … */
const char *ss_term_value(struct ss_term *t, const char *word);

bool ss_term_match(const struct ss_term *t, const struct ss_socket *s);

#endif
