/* SPDX-License-Identifier: MIT */
/* RFC 5961 §7: how many challenge ACKs a flood of forged segments draws. */
#include "tests/unit/tcp/fixture.h"

/* The RFC's example is ten in five seconds: so many, and no more, at any rate of forged resets and
 * SYNs. */
TEST(rfc5961_09_ack_throttle)
{
    static const uint8_t forged[] = {RST, SYN, RST | ACK};
    unsigned sent = 0;

    passive();
    for (unsigned i = 0; i < 5000; i++) {
        peer(forged[i % 3], 2 + i % 100, 1, 0);
        sent += clear();
        advance(MS);
    }
    assert_in_range(sent, 5, 10);
    /* none of it did harm */
    peer(PSH | ACK, 1, 1, 100);
    expect(ACK, 1, 101, 0);
    assert_int_equal(r(1000), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc5961_09_ack_throttle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
