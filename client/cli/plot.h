/* SPDX-License-Identifier: MIT */
/* `tapstack plot`: where a plot's data comes from, and how it becomes a picture. */
#ifndef TS_CLIENT_CLI_PLOT_H
#define TS_CLIENT_CLI_PLOT_H

#include "client/cli/plotdata.h"
#include "client/cli/traceview.h"

#include <stdio.h>

struct plot {
    struct plot_flow flow;
    char title[160]; /**< who sends to whom */
    char note[200];  /**< what the picture cannot show, or estimates */
};

/** One event of a trace; out: what we send, in: what the peer does. Begin with zeroed memory. */
struct plot_trace {
    struct plot_flow out, in;
    bool begun;
    uint64_t first_ns;
    double mss;
};
void plot_trace_event(struct plot_trace *p, const struct traceview *v,
                      const struct tracefile_slot *s);

/**
 * The connection of a capture (pcap, pcapng) that carries the most bytes, of those with this port
 * (0: all), in the direction that does. 0 or -1; `who` complains on stderr.
 */
int plot_pcap(const char *who, const char *path, uint16_t port, struct plot *out);

/** Write it. 0 or -1 (ferror). */
int plot_draw(const struct plot *p, FILE *to);

#endif
