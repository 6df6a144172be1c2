/* SPDX-License-Identifier: MIT */
/*
 * ts_info, and what SIOCOUTQ says. Linux's struct tcp_info grows from version to version: what the
 * daemon did not send reads as zero, what we do not know is not looked at.
 */
#include "client/lib/info.h"

#include "client/lib/control.h"
#include "client/lib/socket.h"

#include <errno.h>
#include <linux/tcp.h>
#include <string.h>

void info_convert(const struct wire_info *wire, struct ts_info *out)
{
    struct tcp_info ti = {0};
    size_t len = wire->tcp_info_len;

    if (len > sizeof(wire->tcp_info))
        len = sizeof(wire->tcp_info);
    memcpy(&ti, wire->tcp_info, len < sizeof(ti) ? len : sizeof(ti));
    memset(out, 0, sizeof(*out));
    out->state = wire->state;
    memcpy(out->state_name, wire->state_name, sizeof(out->state_name) - 1);
    out->recv_queue = wire->recv_queue;
    out->send_queue = wire->send_queue;
    out->rtt_us = ti.tcpi_rtt;
    out->rto_us = ti.tcpi_rto;
    out->cwnd = ti.tcpi_snd_cwnd;
    out->mss = ti.tcpi_snd_mss;
    out->bytes_sent = ti.tcpi_bytes_sent;
    out->bytes_acked = ti.tcpi_bytes_acked;
    out->bytes_received = ti.tcpi_bytes_received;
    out->bytes_retransmitted = ti.tcpi_bytes_retrans;
}

int info_outq(int fd, struct wire_outq *out)
{
    int r = control_ask(WIRE_OP_OUTQ, fd, NULL, 0, out, sizeof(*out));

    return r < 0 ? r : 0;
}

int ts_info(int fd, struct ts_info *out)
{
    struct wire_info wire;
    int r = control_kind(fd);

    if (r >= 0)
        r = control_ask(WIRE_OP_INFO, fd, NULL, 0, &wire, sizeof(wire));
    if (r < 0)
        return socket_return(r);
    info_convert(&wire, out);
    return 0;
}
