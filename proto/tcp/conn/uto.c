/* SPDX-License-Identifier: MIT */
/*
 * The user timeout option (RFC 5482): how long each side is willing to wait for an acknowledgement.
 *
 * Off unless tcp_uto is set; then an arriving option is ignored. Our value goes out with SYN or
 * SYN-ACK, once more with the first segment after it, and when the program changes it (an ACK takes
 * it along where data fills its segment); nothing depends on its arrival. What the peer says is
 * adopted within tcp_uto_min and tcp_uto_max, unless the program has chosen with TCP_USER_TIMEOUT
 * (§3.1: CHANGEABLE is false then).
 */
#include "proto/tcp/tcp.h"

#define IN_MINUTES 0x8000u /**< the G bit (§3.3) */
#define VALUE_MAX  0x7fffu

/* Never zero, as no timeout is (§3.4). */
static uint16_t encode(uint64_t seconds)
{
    if (seconds <= VALUE_MAX)
        return (uint16_t)seconds;
    seconds = (seconds + 59) / 60;
    return (uint16_t)(IN_MINUTES | (seconds < VALUE_MAX ? seconds : VALUE_MAX));
}

static uint64_t advertised_s(const struct tcb *tp)
{
    if (tp->user_timeout_ms)
        return ((uint64_t)tp->user_timeout_ms + 999) / 1000;
    return (uint64_t)tp->st->tcp.tunables.uto_adv;
}

uint16_t uto_advertise(const struct tcb *tp)
{
    return tp->st->tcp.tunables.uto ? encode(advertised_s(tp)) : 0;
}

void uto_schedule(struct tcb *tp)
{
    tp->uto_pending = tp->st->tcp.tunables.uto;
}

/* §3.1: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)) */
void uto_received(struct tcb *tp, uint16_t option)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint64_t s = (option & VALUE_MAX) * (option & IN_MINUTES ? 60ull : 1ull);

    if (!tun->uto || !s)
        return;
    if (s < advertised_s(tp))
        s = advertised_s(tp);
    if (s < (uint64_t)tun->uto_min)
        s = (uint64_t)tun->uto_min;
    if (s > (uint64_t)tun->uto_max)
        s = (uint64_t)tun->uto_max;
    tp->uto_adopted_ms = (uint32_t)(s * 1000);
}

uint32_t uto_effective_ms(const struct tcb *tp)
{
    return tp->user_timeout_ms ? tp->user_timeout_ms : tp->uto_adopted_ms;
}

/* Who answers behind a closed window keeps the connection (RFC 9293 §3.8.6.1, MUST-37): only what
 * the program chose counts from the beginning all the same, as in Linux. */
uint64_t uto_elapsed(const struct tcb *tp, uint64_t since)
{
    bool closed = !tp->snd_wnd || !tp->packets_out;
    bool answered = tp->packets_out ? tp->last_ack_received >= tp->last_sent : !tp->probes_out;

    if (!closed || tp->user_timeout_ms)
        return tp->st->now - since;
    if (answered)
        return 0;
    return tp->st->now - (tp->last_ack_received > since ? tp->last_ack_received : since);
}
