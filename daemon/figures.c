/* SPDX-License-Identifier: MIT */
/* From the core's figures to the wire's; see figures.h. */
#include "daemon/figures.h"

#include <stdio.h>
#include <string.h>

_Static_assert(WIRE_CHRONOS == TCP_CHRONO_COUNT, "ipc/wire.h and proto/tcp/chronos.def agree");

static void memory_to_wire(const struct sock_memory *from, struct wire_memory *out)
{
    *out = (struct wire_memory){.sndbuf = from->sndbuf,
                                .rcvbuf = from->rcvbuf,
                                .send_extents = from->send_extents,
                                .recv_extents = from->recv_extents,
                                .out_of_order = from->out_of_order,
                                .account_used = from->account_used,
                                .account_limit = from->account_limit};
}

void figures_info(const struct sock_info *from, struct wire_info *out)
{
    const char *state = tcp_state_name(from->state);

    memset(out, 0, sizeof(*out));
    out->state = from->state;
    out->has_handle = from->has_handle;
    out->recv_queue = from->recv_queue;
    out->send_queue = from->send_queue;
    out->id = from->id;
    out->timer_us = from->timer_us;
    snprintf(out->timer, sizeof(out->timer), "%s", from->timer ? from->timer : "");
    snprintf(out->state_name, sizeof(out->state_name), "%s", state ? state : "");
    snprintf(out->congestion, sizeof(out->congestion), "%s",
             from->congestion ? from->congestion : "");
    memory_to_wire(&from->memory, &out->memory);
    out->dual = from->dual;
    for (unsigned i = 0; i < WIRE_STOPS; i++) {
        out->stops[i] = from->stops[i];
        snprintf(out->stop_names[i], sizeof(out->stop_names[i]), "%s", tcp_stop_name(i));
    }
    out->tcp_info_len = sizeof(from->tcp);
    memcpy(out->tcp_info, &from->tcp, sizeof(from->tcp));
}

void figures_to_wire(const struct sock_info *from, struct wire_figures *out)
{
    out->age_us = from->age_us;
    for (unsigned i = 0; i < WIRE_CHRONOS; i++) {
        out->waited[i] = from->waited[i];
        snprintf(out->waited_names[i], sizeof(out->waited_names[i]), "%s", tcp_chrono_name(i));
    }
    out->reader_us = from->reader_us;
    out->max_window = from->max_window;
    out->sndbuf = from->sndbuf;
    out->rcvbuf = from->rcvbuf;
    out->rcv_wnd = from->tcp.rcv_wnd;
    out->total_rto = from->tcp.total_rto;
    out->nodelay = from->nodelay;
    out->sndbuf_fixed = from->sndbuf_fixed;
    out->rcvbuf_fixed = from->rcvbuf_fixed;
    out->slow_start = from->slow_start;
    memcpy(out->algorithm, from->algorithm, sizeof(out->algorithm) - 1);
}
