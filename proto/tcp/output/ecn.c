/* SPDX-License-Identifier: MIT */
/*
 * What goes out: ECT(0) on data that is sent for the first time and on nothing else (RFC 3168
 * §6.1.4 to §6.1.6, RFC 8311 §4.2), CWR on the first such data after a reduction (§6.1.2), ECE
 * while the receiver asks for it, or AccECN's counter in place of the flags (RFC 9768 §3.2.2).
 */
#include "proto/tcp/tcp.h"

static uint16_t accurate_flags(const struct tcb *tp, bool bare)
{
    if (tp->acc->reflect && bare)
        return tcp_accecn_handshake_flags(tp->acc->synack_ecn);
    return tcp_ace_flags(tp->acc->r_cep);
}

uint16_t tcp_ecn_flags(const struct tcb *tp, bool fresh, bool bare)
{
    switch (tp->ecn.mode) {
    case TCP_ECN_CLASSIC:
        return (uint16_t)((tp->ecn.echo ? TH_ECE : 0) | (fresh && tp->ecn.queue_cwr ? TH_CWR : 0));
    case TCP_ECN_ACCURATE:
        return accurate_flags(tp, bare);
    default:
        return 0;
    }
}

uint8_t tcp_ecn_codepoint(const struct tcb *tp, bool fresh)
{
    if (!fresh || !tp->ecn.mode || tp->ecn.no_ect)
        return IP_ECN_NOT;
    return tp->cc->heeds_ecn && !tp->cc->heeds_ecn(tp) ? IP_ECN_NOT : IP_ECN_ECT0;
}

void tcp_ecn_sent(struct tcb *tp, uint16_t flags)
{
    if (tp->ecn.mode == TCP_ECN_ACCURATE)
        tp->acc->reflect = false; /* behind anything else it would look like a counter */
    if (tp->ecn.mode != TCP_ECN_CLASSIC)
        return;
    if (flags & TH_CWR)
        tp->ecn.queue_cwr = false;
    if (flags & TH_ECE)
        COUNT(tp->st, tcp_out_ece);
}
