/* SPDX-License-Identifier: MIT */
/*
 * One random transfer: everything about it comes from its seed. Two cores, or in one case of four a
 * core that sends to a scripted peer, which may throw away, shrink and lie.
 */
#ifndef TS_TESTS_SIM_TRANSFER_H
#define TS_TESTS_SIM_TRANSFER_H

#include "tests/sim/peer.h"
#include "tests/sim/program.h"

struct transfer {
    struct sim sim;
    struct program a, b; /**< a connects to b */
    struct program_server server;
    bool scripted; /**< peer takes the place of b */
    struct peer peer;
    uint64_t ended_at;  /**< when both programs had closed */
    uint32_t later_mtu; /**< the path shrinks to this in the middle; 0: it does not */
    uint64_t shrinks_at;
};

/** Choose the parameters, run, check the end; *out may be looked at, then transfer_free(). True:
 * all is well. */
bool transfer_run(struct transfer *t, uint64_t seed, bool capture);
void transfer_free(struct transfer *t);

/** The parameters, as lines of TAP comment. */
void transfer_describe(const struct transfer *t, FILE *f);

#endif
