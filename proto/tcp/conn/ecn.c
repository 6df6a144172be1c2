/* SPDX-License-Identifier: MIT */
/*
 * Negotiating ECN (RFC 3168 §6.1.1) and AccECN (RFC 9768 §3.1): the three flags of SYN and SYN-ACK.
 *
 *     SYN      000 none   011 ECN    111 (and all others) AccECN
 *     SYN-ACK  000 none   001 ECN    010 011 100 110 AccECN, and the ECN field of the SYN
 *
 * A flag that comes back as it went (111) is a host's that reflects what it does not know. Who has
 * ever said "none" in this handshake, or heard it, marks nothing as ECN-capable; the way in which
 * marks are told, once agreed on, stays.
 */
#include "proto/sock/sock_internal.h"
#include "proto/tcp/conn/request.h"

#define ECN_SYN     (TH_CWR | TH_ECE)
#define ACE_CLASSIC 3 /**< 011: both flags of RFC 3168 */

/* The best that we agree to when asked. */
static uint8_t accepts(const struct stack *st)
{
    switch (st->tcp.tunables.ecn) {
    case 0:
        return TCP_ECN_OFF;
    case 1:
    case 2:
        return TCP_ECN_CLASSIC;
    default:
        return TCP_ECN_ACCURATE;
    }
}

/* What we ask for. */
static uint8_t asks(const struct stack *st)
{
    switch (st->tcp.tunables.ecn) {
    case 1:
    case 4:
        return TCP_ECN_CLASSIC;
    case 3:
        return TCP_ECN_ACCURATE;
    default:
        return TCP_ECN_OFF;
    }
}

/* What a SYN asks for. */
static uint8_t asked_by(const struct stack *st, const struct tcp_seg *seg)
{
    uint8_t ace = tcp_ace(seg->flags);

    if (accepts(st) == TCP_ECN_ACCURATE && ace && ace != ACE_CLASSIC)
        return TCP_ECN_ACCURATE;
    return (seg->flags & ECN_SYN) == ECN_SYN ? TCP_ECN_CLASSIC : TCP_ECN_OFF;
}

/* A SYN is never ECN-capable (RFC 3168 §6.1.1): if it is, the path rewrites the field and its marks
 * mean nothing. Reserved flags say that an experiment knows better (Linux). */
static uint8_t agreed(const struct stack *st, const struct tcp_seg *seg)
{
    uint8_t mode = asked_by(st, seg);

    if (!accepts(st))
        return TCP_ECN_OFF;
    if (mode == TCP_ECN_CLASSIC && (seg->packet->tos & IP_ECN_MASK) && !seg->reserved)
        return TCP_ECN_OFF;
    return mode;
}

/* --- the client
 * --------------------------------------------------------------------------------------------- */

void tcp_ecn_open(struct tcb *tp)
{
    memset(&tp->ecn, 0, sizeof(tp->ecn));
    tcp_accecn_free(tp);
    tp->ecn.asked = asks(tp->st);
}

/* Perhaps it is the flags that are dropped on the way. AccECN is asked for once more (RFC 9768
 * §3.1.4.1). */
static bool gives_up(const struct tcb *tp, const struct segment *syn)
{
    uint32_t patience = tp->ecn.asked == TCP_ECN_ACCURATE;

    return tp->st->tcp.tunables.ecn_fallback && syn->sent_at && tp->total_retrans >= patience;
}

static uint16_t crossing_flags(const struct tcb *tp)
{
    switch (tp->ecn.mode) {
    case TCP_ECN_CLASSIC:
        return TH_ECE;
    case TCP_ECN_ACCURATE:
        return tcp_accecn_handshake_flags(tp->acc->synack_ecn);
    default:
        return 0;
    }
}

uint16_t tcp_ecn_syn_flags(struct tcb *tp, const struct segment *syn)
{
    if (tp->conn.state != TCPS_SYN_SENT)
        return crossing_flags(tp);
    if (!tp->ecn.asked)
        return 0;
    if (gives_up(tp, syn)) {
        tp->ecn.no_ect = true;
        return 0;
    }
    return tp->ecn.asked == TCP_ECN_ACCURATE ? TH_ACE : ECN_SYN;
}

bool tcp_ecn_retry_after_reset(struct tcb *tp)
{
    if (tp->st->tcp.tunables.ecn_fallback < 2 || !tp->ecn.asked || tp->ecn.no_ect)
        return false;
    tp->ecn.asked = TCP_ECN_OFF;
    tp->ecn.no_ect = true;
    return true;
}

static uint8_t answer(const struct tcb *tp, uint8_t ace)
{
    if (tp->ecn.asked == TCP_ECN_CLASSIC)
        return (ace & 3) == 1 ? TCP_ECN_CLASSIC : TCP_ECN_OFF;
    switch (ace) {
    case 0:
    case 7:
        return TCP_ECN_OFF;
    case 1:
    case 5: /* with a nonce that nobody wants any more (RFC 8311 §3) */
        return TCP_ECN_CLASSIC;
    default:
        return TCP_ECN_ACCURATE;
    }
}

/* §3.2.2.3: our SYN was not ECN-capable; if it was when it arrived, marks on this path mean
 * nothing. */
static void check_syn_feedback(struct tcb *tp, uint8_t ace)
{
    uint8_t ecn = tcp_accecn_handshake_ecn(ace);

    if (ecn != IP_ECN_NOT && tp->st->tcp.tunables.ecn_fallback)
        tp->ecn.no_ect = true;
    if (ecn == IP_ECN_CE)
        tp->ecn.syn_ce = true;
}

void tcp_ecn_synack_received(struct tcb *tp, const struct tcp_seg *seg)
{
    uint8_t ace = tcp_ace(seg->flags);

    tp->ecn.mode = tp->ecn.asked ? answer(tp, ace) : TCP_ECN_OFF;
    if (tp->ecn.mode != TCP_ECN_ACCURATE || !tcp_accecn_init(tp))
        return;
    check_syn_feedback(tp, ace);
    tcp_accecn_option(tp, &seg->opt.accecn);
    tp->acc->synack_ecn = seg->packet->tos & IP_ECN_MASK;
    tp->acc->reflect = true;
    if (tp->acc->synack_ecn == IP_ECN_CE)
        tp->acc->r_cep++;
}

/* Each side answers as a listener would (RFC 9768 §3.1.2), but with nothing better than it has
 * asked for. */
void tcp_ecn_crossing_syn(struct tcb *tp, const struct tcp_seg *seg)
{
    uint8_t mode = agreed(tp->st, seg);

    tp->ecn.mode = mode < tp->ecn.asked ? mode : tp->ecn.asked;
    if (tp->ecn.mode != TCP_ECN_ACCURATE || !tcp_accecn_init(tp))
        return;
    tp->acc->synack_ecn = seg->packet->tos & IP_ECN_MASK;
}

/* The other half of the handshake again, in a synchronised state: both its numbers are right. */
static bool is_handshake_again(const struct tcb *tp, const struct tcp_seg *seg)
{
    if (!(seg->flags & TH_SYN) || (seg->flags & TH_RST) || seg->seq != tp->irs)
        return false;
    return tp->passive ? !(seg->flags & TH_ACK) : (seg->flags & TH_ACK) && seg->ack == tp->iss + 1;
}

bool tcp_ecn_handshake_again(struct tcb *tp, const struct tcp_seg *seg)
{
    bool accurate =
        tp->passive ? accepts(tp->st) == TCP_ECN_ACCURATE : tp->ecn.asked == TCP_ECN_ACCURATE;
    uint8_t mode;

    if (!accurate || !tp->ecn.mode || !is_handshake_again(tp, seg))
        return false;
    mode = tp->passive ? asked_by(tp->st, seg) : answer(tp, tcp_ace(seg->flags));
    if (!mode)
        tp->ecn.no_ect = true;
    return mode && mode != tp->ecn.mode;
}

/* --- the server
 * --------------------------------------------------------------------------------------------- */

void tcp_ecn_syn_received(const struct stack *st, struct tcp_request *req,
                          const struct tcp_seg *seg)
{
    req->ecn = agreed(st, seg);
    req->syn_ecn = seg->packet->tos & IP_ECN_MASK;
}

bool tcp_ecn_syn_again(struct tcp_request *req, const struct tcp_seg *seg)
{
    uint8_t mode = asked_by(req->listener->st, seg);

    if (!req->ecn)
        return true;
    if (mode && mode != req->ecn)
        return false;
    if (!mode)
        req->ecn_none = true; /* the client has fallen back */
    req->repeated = true;
    return true;
}

uint16_t tcp_ecn_synack_flags(const struct stack *st, struct tcp_request *req)
{
    /* RFC 9768 §3.2.3.2.2: the second time-out */
    if (req->ecn == TCP_ECN_ACCURATE && req->retries > 1 && st->tcp.tunables.ecn_fallback)
        req->ecn_none = true;
    if (req->ecn_none)
        return 0;
    switch (req->ecn) {
    case TCP_ECN_CLASSIC:
        return TH_ECE;
    case TCP_ECN_ACCURATE:
        return tcp_accecn_handshake_flags(req->syn_ecn);
    default:
        return 0;
    }
}

uint16_t tcp_ecn_request_ack_flags(const struct tcp_request *req)
{
    return req->ecn == TCP_ECN_ACCURATE ? tcp_ace_flags(ACCECN_FIRST) : 0;
}

bool tcp_ecn_synack_option(const struct stack *st, const struct tcp_request *req)
{
    return req->ecn == TCP_ECN_ACCURATE && st->tcp.tunables.ecn_option && !req->retries &&
           !req->repeated && !req->ecn_none;
}

/* A bare ACK: the only segment whose ACE field repeats the SYN-ACK's ECN field (§3.2.2.1). */
static bool is_handshake_ack(const struct tcp_seg *seg)
{
    return !seg->len && !(seg->flags & TH_FIN) && !seg->opt.n_sack;
}

void tcp_ecn_from_cookie(const struct stack *st, struct tcp_request *req, bool ecn_ok,
                         const struct tcp_seg *seg)
{
    /* RFC 9768 §5.1: an AccECN client never sends 000 or 001 here */
    if (accepts(st) == TCP_ECN_ACCURATE && is_handshake_ack(seg) && tcp_ace(seg->flags) > 1)
        req->ecn = TCP_ECN_ACCURATE;
    else if (ecn_ok && accepts(st))
        req->ecn = TCP_ECN_CLASSIC;
}

void tcp_ecn_child(struct tcb *tp, const struct tcp_request *req, const struct tcp_seg *seg)
{
    tp->ecn.mode = req->ecn;
    tp->ecn.no_ect = req->ecn_none;
    if (req->ecn != TCP_ECN_ACCURATE || !tcp_accecn_init(tp))
        return;
    tcp_accecn_first(tp, seg, is_handshake_ack(seg));
    tcp_accecn_option(tp, &seg->opt.accecn);
}
