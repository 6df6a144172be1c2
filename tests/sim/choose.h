/* SPDX-License-Identifier: MIT */
/* Random parameters: links, hosts, programs, peers. The same random numbers give the same choice,
 * whatever the core has. */
#ifndef TS_TESTS_SIM_CHOOSE_H
#define TS_TESTS_SIM_CHOOSE_H

#include "tests/sim/peer.h"
#include "tests/sim/program.h"

/** A path: both directions' links share these. */
struct path {
    uint64_t rate_bps, rtt_us;
    bool clean; /**< nothing is lost, damaged or delayed, but by a full queue */
};

/** 64 kbit/s to 10 Gbit/s, 50 us to 1 s. */
struct path choose_path(struct prng *r);
void choose_host(struct prng *r, struct sim_host_config *c);
/** After choose_host(): a policer's bucket must hold the host's largest frame. */
void choose_link(struct prng *r, struct sim_host_config *c, const struct path *path);
void choose_plan(struct prng *r, struct program_plan *p, uint64_t send);
/** How they end: who shuts down first, who closes at once. */
void choose_ends(struct prng *r, struct program_plan *a, struct program_plan *b);
void choose_peer(struct prng *r, struct peer_plan *p);

/** Tunables of a host (settings.def), and patience for what a bad wire may lose in a row. */
void choose_settings(struct prng *r, struct sim_host *h);

/** "cubic", "bbr", …; NULL behind the last one (algorithms.def). */
const char *algorithm_name(unsigned i);
/** The core has it: TCP_CONGESTION takes it. */
bool algorithm_exists(const char *name);
/** One of those that exist. */
const char *choose_algorithm(struct prng *r);

/** The settings and algorithms that the core does not have, as lines of TAP comment. */
void choose_print_missing(FILE *f);

#endif
