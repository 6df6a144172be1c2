/* SPDX-License-Identifier: MIT */
/* Congestion control: what an algorithm is (one file each), and the window's keeper around them. */
#ifndef TS_PROTO_TCP_CC_CC_H
#define TS_PROTO_TCP_CC_CC_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_ack_state;

enum ca_state { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

struct tcb;

/** A congestion control algorithm: one file in tcp/cc/. */
struct tcp_cc_ops {
    const char *name; /**< as TCP_CONGESTION names it */
    void (*init)(struct tcb *tp);
    uint32_t (*ssthresh)(struct tcb *tp); /**< new slow start threshold at a loss, in packets */
    void (*cong_avoid)(struct tcb *tp,
                       uint32_t acked); /**< `acked` packets newly delivered while cwnd-limited */
    uint32_t (*undo_cwnd)(
        struct tcb *tp); /**< the window to go back to after a spurious reduction */
    void (*set_state)(struct tcb *tp, enum ca_state state); /**< may be NULL */
};

extern const struct tcp_cc_ops tcp_cc_reno;
/** By name; NULL when there is none. */
const struct tcp_cc_ops *tcp_cc_find(const char *name);

void tcp_cwnd_validate(struct tcb *tp, bool is_cwnd_limited);
void tcp_cwnd_restart_if_idle(struct tcb *tp);
void tcp_cong_control(struct tcb *tp, const struct tcp_ack_state *as);
void tcp_update_pacing_rate(struct tcb *tp);
uint32_t tcp_slow_start(struct tcb *tp, uint32_t acked);
void tcp_cong_avoid_ai(struct tcb *tp, uint32_t w, uint32_t acked);
void tcp_sndbuf_expand(struct tcb *tp);

#endif
