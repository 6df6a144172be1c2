/* SPDX-License-Identifier: MIT */
/*
 * Long flows from one core to another through one bottleneck, and what they make of it: goodput,
 * utilisation, retransmissions, fairness. Everything is whole numbers, so that the same core gives
 * the same figures on every machine.
 */
#ifndef TS_TESTS_SIM_FLOWS_H
#define TS_TESTS_SIM_FLOWS_H

#include "tests/sim/link.h"

#define FLOWS_MAX 16

struct flows_config {
    struct link_config forward, back;
    unsigned n;
    const char *algorithm[FLOWS_MAX];
    uint64_t stagger_us; /**< one starts so long after the other */
    uint64_t far_us;     /**< > 0: every second flow's round trip is so much longer */
    uint64_t warm_us;    /**< then nothing is measured … */
    uint64_t measure_us; /**< … and then it is */
    uint64_t seed;
};

struct flows_result {
    uint64_t bytes[FLOWS_MAX]; /**< that the programs received while it was measured */
    uint64_t all_bytes;
    uint64_t goodput_bps;
    uint32_t utilisation_permille; /**< of the time the link was busy */
    uint32_t retrans_ppm;          /**< of the bytes sent were sent again */
    uint32_t jain_permille;        /**< Jain's index: 1000 is equal shares, 1000/n one has all */
    uint64_t steps, packets;
    char failure[256]; /**< "": well */
};

void flows_run(const struct flows_config *config, struct flows_result *out);

/** (sum x)² / (n · sum x²), in thousandths. */
uint32_t flows_jain(const uint64_t *x, unsigned n);

#endif
