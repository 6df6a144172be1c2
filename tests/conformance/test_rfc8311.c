/* SPDX-License-Identifier: MIT */
/* RFC 8311 §4.1: another answer to CE than to a loss only as an experimental RFC says; here RFC
 * 8511 (ABE). */
#include "tests/unit/tcp/cc/bare.h"

TEST(rfc8311_04_abe_optional)
{
    static const struct tcp_cc_ops *const ops[] = {&tcp_cc_reno, &tcp_cc_cubic};
    static const struct {
        uint32_t loss, abe;
    } want[] = {{500, 800}, {700, 849}}; /* 0.8 for Reno, 0.85 for CUBIC (RFC 8511 §3.1) */

    assert_int_equal(tun.abe, 0);
    for (int i = 0; i < 2; i++) {
        tun.abe = 0; /* the default: as to a loss */
        bare_start(ops[i], 1000, 100 * MS);
        assert_int_equal(ops[i]->ecn_ssthresh(&bare), want[i].loss);
        bare_start(ops[i], 1000, 100 * MS);
        assert_int_equal(ops[i]->ssthresh(&bare), want[i].loss);
        tun.abe = 1;
        bare_start(ops[i], 1000, 100 * MS);
        assert_int_equal(ops[i]->ecn_ssthresh(&bare), want[i].abe);
        bare_start(ops[i], 1000, 100 * MS); /* a loss stays what it is */
        assert_int_equal(ops[i]->ssthresh(&bare), want[i].loss);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc8311_04_abe_optional),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
