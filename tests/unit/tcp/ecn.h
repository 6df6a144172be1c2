/* SPDX-License-Identifier: MIT */
/* Connections that use ECN, for the tests of the files called ecn.c and accecn.c. */
#ifndef TS_TESTS_UNIT_TCP_ECN_H
#define TS_TESTS_UNIT_TCP_ECN_H

#include "tests/unit/tcp/fixture.h"

enum { NOT_ECT = IP_ECN_NOT, ECT1 = IP_ECN_ECT1, ECT0 = IP_ECN_ECT0, CE = IP_ECN_CE };

#define ecn_of(g) ((g)->tos & IP_ECN_MASK)
/** AE, CWR, ECE of a recorded segment as a number. */
#define ace_of(g) (((g)->reserved & 1) << 2 | !!((g)->flags & CWR) << 1 | !!((g)->flags & ECE))
/** The same as flags of peer(). */
#define ACE(n) (((n)&4 ? AE : 0) | ((n)&2 ? CWR : 0) | ((n)&1 ? ECE : 0))

/** The peer's SYN with these flags, our SYN-ACK (recorded, taken), its ACK with those, accept(). */
static inline void ecn_handshake(uint16_t syn, uint16_t ack)
{
    if (!fx.lst)
        listening(16);
    fx.c->our_port = FX_PORT;
    peer(SYN | syn, 0, 0, 0);
    fx.c->iss = take()->raw_seq;
    peer(ACK | ack, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    clear();
}

/** RFC 3168 agreed on. */
static inline void classic(void)
{
    ecn_handshake(ECE | CWR, 0);
    assert_int_equal(tp->ecn.mode, TCP_ECN_CLASSIC);
}

/** AccECN agreed on, the path clean. */
static inline void accurate(void)
{
    tun.ecn = 3;
    ecn_handshake(AE | CWR | ECE, ACE(2));
    assert_int_equal(tp->ecn.mode, TCP_ECN_ACCURATE);
}

#endif
