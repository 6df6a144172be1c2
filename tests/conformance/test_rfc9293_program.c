/* SPDX-License-Identifier: MIT */
/* RFC 9293 §3.8.5, §3.9.1: what programs may ask for, and what ours do. */
#include "tests/unit/tcp/fixture.h"

#include <glob.h>
#include <stdio.h>

/* Nothing is sent to an address that is no host's. 0.0.0.0 means this host, as everywhere under
 * Unix. */
TEST(rfc9293_must_46_open_bad_remote_rejected)
{
    static const char *const bad[] = {"255.255.255.255", "10.0.0.255", "224.0.0.1",
                                      "239.255.255.255"};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ip_endpoint e = fx_endpoint(bad[i], 80);
        struct sock *s = fx_socket();
        int err = sock_connect(s, &e, fx.now);

        assert_true(err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EINVAL);
        run();
        close_sock(&s);
    }
    fx.s = fx_socket();
    assert_true(sock_connect(fx.s, &(struct ip_endpoint){fx_peer_endpoint().addr, 0}, fx.now) < 0);
    advance(10 * SEC);
    expect_none();
    connecting();
    expect(SYN, 0, 0, 0);
}

static unsigned mentions(const char *path, const char *word)
{
    unsigned n = 0;
    char line[4096];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        /* a table of flags' names uses none of them */
        n += strstr(line, word) != NULL && !strstr(line, "{MSG_OOB, \"MSG_OOB\"}");
    fclose(f);
    return n;
}

/* Our own programs, the tool and the launcher, use no urgent data (tests run at the root of the
 * sources). */
TEST(rfc9293_shld_13_no_new_urgent_apps)
{
    static const char *const folders[] = {"client/cli/*.c", "client/run/*.c"};
    unsigned files = 0;

    for (unsigned i = 0; i < 2; i++) {
        glob_t g;

        if (glob(folders[i], 0, NULL, &g) != 0)
            continue;
        for (size_t k = 0; k < g.gl_pathc; k++, files++)
            assert_int_equal(mentions(g.gl_pathv[k], "MSG_OOB"), 0);
        globfree(&g);
    }
    assert_true(files > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_must_46_open_bad_remote_rejected),
        T(rfc9293_shld_13_no_new_urgent_apps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
