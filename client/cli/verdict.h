/* SPDX-License-Identifier: MIT */
/*
 * What holds a connection back, in words: a function from figures to statements. It asks nobody and
 * keeps nothing, so each verdict has a test with made figures.
 */
#ifndef TS_CLIENT_CLI_VERDICT_H
#define TS_CLIENT_CLI_VERDICT_H

#include "ipc/wire.h"

#include <stdbool.h>

enum verdict_kind {
#define VERDICT(name, chrono, text) VERDICT_##name,
#include "client/cli/verdicts.def"
#undef VERDICT
    VERDICT_COUNT
};

/** Statements at most. */
#define VERDICT_MOST 24

/** What was counted over a time, and how things stood at its end. */
struct figures {
    double seconds;                     /**< of established connection that are looked at */
    double share[VERDICT_recovery + 1]; /**< of that time, 0 to 1; program: with idle */
    double idle, reader;
    double sent, acked, received, retrans; /**< bytes */
    double packets, packets_again;         /**< data packets sent; again */
    unsigned timeouts, reordered, dsacks, marked;
    double rtt_ms, rttvar_ms, min_rtt_ms, rcv_rtt_ms;
    double rate_out, rate_in;            /**< bytes a second over the time; in: received */
    double delivery, pacing, max_pacing; /**< bytes a second; max_pacing 0: none */
    double cwnd, ssthresh;               /**< bytes; ssthresh 0: never cut */
    double snd_wnd, max_window;          /**< of the peer */
    double rcv_wnd;                      /**< ours */
    unsigned mss, pmtu, reordering;
    uint32_t send_queue, unsent, recv_queue, sndbuf, rcvbuf;
    bool nodelay, sndbuf_fixed, rcvbuf_fixed, slow_start, ecn, ecn_seen, established;
    char algorithm[17];
    uint64_t stops[WIRE_STOPS]; /**< by the daemon's order of stop_names */
    char stop_names[WIRE_STOPS][17];
};

/** `before` NULL: over its whole life. */
void figures_of(const struct wire_figures *before, const struct wire_figures *after, double seconds,
                struct figures *out);

struct verdict {
    enum verdict_kind kind;
    double share; /**< of the time; negative: none is said */
    char says[240];
    char counters[240]; /**< what it is taken from */
    char helps[280];    /**< what would help, "": nothing is said */
};

/**
 * The statements, what held it back most first, the path's last. Returns how many; there is always
 * at least one.
 */
unsigned verdicts_of(const struct figures *f, struct verdict out[VERDICT_MOST]);

/** "cwnd", "the congestion window". */
const char *verdict_name(enum verdict_kind kind);
const char *verdict_title(enum verdict_kind kind);

#endif
