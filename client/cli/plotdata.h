/* SPDX-License-Identifier: MIT */
/*
 * What is drawn of one direction of a connection: data as it was sent, what was acknowledged and
 * offered, and estimates that follow from both. Filled from a trace (plot_trace.c), which knows the
 * congestion window and the round trip, or from a capture (plot_pcap.c), where flight and round
 * trip are estimated here: by what was sent and not acknowledged, and by the first transmissions'
 * ACKs.
 */
#ifndef TS_CLIENT_CLI_PLOTDATA_H
#define TS_CLIENT_CLI_PLOTDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plot_point {
    double t, y; /**< seconds since the flow's begin */
};

struct plot_series {
    struct plot_point *at;
    size_t n, room;
};

/** Bytes [from, to) of the stream at one moment. */
struct plot_span {
    double t;
    uint64_t from, to;
    bool again; /**< sent before */
};

struct plot_spans {
    struct plot_span *at;
    size_t n, room;
};

/** First transmissions that have no ACK yet, for the round trip. */
#define PLOT_PENDING 4096

struct plot_flow {
    struct plot_spans data, sacked;
    struct plot_series acked, edge, cwnd, flight, rtt;
    bool knows_rtt, knows_flight; /**< told, not estimated */
    bool begun, acked_once;
    uint32_t base;      /**< sequence number of the first byte, as on the wire */
    uint64_t high, una; /**< stream offsets: end of what was sent, of what was acknowledged */
    uint64_t bytes, bytes_again;
    double last;        /**< time of the last event */
    size_t lost_memory; /**< what could not be kept */
    struct {
        uint64_t end;
        double t;
    } pending[PLOT_PENDING];
    size_t first_pending, n_pending;
};

void plot_flow_init(struct plot_flow *f);
void plot_flow_free(struct plot_flow *f);

/** The first sequence number; what is told before the first call to this or data is ignored. */
void plot_flow_base(struct plot_flow *f, uint32_t seq);
/** So many bytes from `seq` are sent; again: known to be a retransmission (found out otherwise). */
void plot_flow_data(struct plot_flow *f, double t, uint32_t seq, uint32_t len, bool again);
/** They are acknowledged up to `ack`, and may go up to ack + window (negative: not known). */
void plot_flow_ack(struct plot_flow *f, double t, uint32_t ack, int64_t window);
void plot_flow_sack(struct plot_flow *f, double t, uint32_t from, uint32_t to);
void plot_flow_cwnd(struct plot_flow *f, double t, double bytes);
void plot_flow_rtt(struct plot_flow *f, double t, double ms);
void plot_flow_flight(struct plot_flow *f, double t, double bytes);

/** Bits a second that were acknowledged, in n bins over the time until `seconds`. */
void plot_flow_throughput(const struct plot_flow *f, double seconds, double *out, unsigned n);

/** The largest value, 0 when empty. */
double plot_series_most(const struct plot_series *s);

#endif
