/* SPDX-License-Identifier: MIT */
/* RFC 9293 3.4.1, 3.4.3: initial sequence numbers, as a peer sees them in SYNs. */
#include "tests/unit/tcp/fixture.h"

/* The ISN of a connection from a fixed port of ours to a port of the peer's, opened now. */
static uint32_t isn(uint16_t our_port, uint16_t peer_port)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", our_port), to = fx_peer_endpoint();
    struct sock *s = fx_socket();
    uint32_t seq;

    to.port = peer_port;
    (void)local;
    assert_int_equal(sock_connect(s, &to, fx.now), -EINPROGRESS);
    run();
    seq = take()->raw_seq;
    close_sock(&s);
    clear();
    return seq;
}
int main(void){ return isn(1,1); }
