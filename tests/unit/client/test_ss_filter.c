/* SPDX-License-Identifier: MIT */
/* The filters of `tapstack ss`: what each one lets through, and what is said of wrong ones. */
#include "client/cli/ss_filter.h"
#include "proto/sock/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct ss_socket web; /* 10.77.0.2:80 <- 10.1.2.3:40000, established, user 0 */

static struct wire_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct wire_addr){.addr = {[10] = 0xff, [11] = 0xff, a, b, c, d}, .port = port};
}

static int setup(void **state)
{
    (void)state;
    web = (struct ss_socket){.wire = {.state = SS_ESTABLISHED,
                                      .has_handle = 1,
                                      .local = v4(10, 77, 0, 2, 80),
                                      .remote = v4(10, 1, 2, 3, 40000)}};
    web.wire.pid = (uint32_t)getpid();
    return 0;
}

static bool passes(const char *filter)
{
    char error[256], *words[] = {(char *)filter};
    struct ss_filter *f;
    bool r;

    if (ss_filter_parse(1, words, &f, error, sizeof(error)) < 0) {
        print_error("%s: %s\n", filter, error);
        fail();
    }
    r = ss_filter_match(f, &web);
    ss_filter_free(f);
    return r;
}

static const char *complaint(const char *filter)
{
    static char error[256];
    char *words[] = {(char *)filter};
    struct ss_filter *f;

    assert_int_equal(ss_filter_parse(1, words, &f, error, sizeof(error)), -1);
    assert_null(f);
    return error;
}

static void states_are_those_of_ss(void **state)
{
    static const struct {
        const char *filter;
        uint32_t states; /* that pass */
    } sets[] = {
        {"state established", 1 << 1},
        {"state listening", 1 << 10},
        {"state syn-sent state close-wait", 1 << 2 | 1 << 8},
        {"state bucket", 1 << 3 | 1 << 6},
        {"state big", 0xffe & ~(1 << 3 | 1 << 6)},
        {"state all", 0xffe},
        {"state connected", 0xffe & ~(1 << 7 | 1 << 10)},
        {"state synchronized", 0xffe & ~(1 << 7 | 1 << 10 | 1 << 2)},
        {"state connected exclude time-wait", 0xffe & ~(1 << 7 | 1 << 10 | 1 << 6)},
        {"exclude established exclude listen", 0xffe & ~(1 << 1 | 1 << 10)},
        {"not state fin-wait-1", 0xffe & ~(1 << 4)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        for (uint8_t s = 1; s < SS_STATES; s++) {
            web.wire.state = s;
            if (passes(sets[i].filter) != (sets[i].states >> s & 1))
                fail_msg("%s: state %u", sets[i].filter, s);
        }
    }
}

static void ports_are_compared(void **state)
{
    (void)state;
    assert_true(passes("sport = :80"));
    assert_true(passes("sport = 80"));
    assert_true(passes("sport :80"));
    assert_true(passes("sport == :http"));
    assert_true(passes("sport eq 80"));
    assert_false(passes("sport != :80"));
    assert_true(passes("dport > :1024"));
    assert_true(passes("dport>=:40000"));
    assert_true(passes("dport le :40000"));
    assert_false(passes("dport < :40000"));
    assert_false(passes("dport gt :40000"));
}

static void addresses_have_a_prefix_and_a_port(void **state)
{
    (void)state;
    assert_true(passes("dst 10.1.2.3"));
    assert_true(passes("dst = 10.0.0.0/8"));
    assert_true(passes("dst 10.1.2.2/31"));
    assert_false(passes("dst 10.1.2.4/31"));
    assert_false(passes("dst 10.1.2.2"));
    assert_true(passes("dst != 11.0.0.0/8"));
    assert_true(passes("dst 10.1.2.3:40000"));
    assert_false(passes("dst 10.1.2.3:40001"));
    assert_true(passes("dst 10.0.0.0/8:40000"));
    assert_true(passes("src :80"));
    assert_true(passes("src *:80"));
    assert_false(passes("src *:81"));
    assert_true(passes("src 10.77.0.2:*"));
    assert_true(passes("dst 0.0.0.0/0"));
    assert_false(passes("dst ::1"));
    web.wire.remote = (struct wire_addr){.addr = {0x20, 1, 0xd, 0xb8, [15] = 7}, .port = 443};
    assert_true(passes("dst 2001:db8::7"));
    assert_true(passes("dst [2001:db8::7]:443"));
    assert_true(passes("dst [2001:db8::]/32:443"));
    assert_true(passes("dst 2001:db8::/32"));
    assert_false(passes("dst [2001:db8::7]:444"));
    assert_false(passes("dst 2001:db9::/32"));
    assert_false(passes("dst 0.0.0.0/0"));
}

static void users_and_processes(void **state)
{
    struct holder list[HOLDERS_MAX] = {{.pid = 12, .fd = 3, .name = "curl"},
                                       {.pid = 13, .fd = 4, .name = "nginx"}};
    char own[64];

    (void)state;
    assert_true(passes("user root"));
    assert_true(passes("user 0"));
    assert_false(passes("user != 0"));
    assert_false(passes("user 12345"));
    web.wire.uid = 12345;
    assert_true(passes("user 12345 and not user root"));
    /* who holds it cannot be seen: the one that made it counts */
    snprintf(own, sizeof(own), "pid %d", getpid());
    assert_true(passes(own));
    assert_true(passes("name test_ss_filter"));
    assert_true(passes("name test_*"));
    web.holders = (struct holders){.inode = 7, .count = 2, .list = list};
    assert_false(passes(own));
    assert_true(passes("pid 13"));
    assert_true(passes("pid != 14"));
    assert_true(passes("name nginx"));
    assert_true(passes("name = c?rl"));
    assert_false(passes("name url"));
}

static void terms_are_combined_as_in_ss(void **state)
{
    (void)state;
    assert_true(passes("sport = :80 dport = :40000"));
    assert_false(passes("sport = :80 dport = :1"));
    assert_true(passes("sport = :80 or dport = :1"));
    assert_true(passes("sport=:1|dport=:40000"));
    assert_true(passes("sport = :1 and dport = :1 or sport = :80"));
    assert_false(passes("sport = :1 and ( dport = :1 or sport = :80 )"));
    assert_true(passes("!(sport = :1) && state established"));
    assert_true(passes("state established ( dport = :40000 or sport = :22 ) not dst 11.0.0.0/8"));
    assert_true(passes("not not sport :80"));
}

static void faults_are_named(void **state)
{
    char deep[1000];

    (void)state;
    assert_string_equal(complaint("state juggling"), "'juggling' is no state");
    assert_string_equal(complaint("sport = :99999"), "':99999' is no port");
    assert_string_equal(complaint("sport ="), "sport needs a value");
    assert_string_equal(complaint("dst 10.0.0.0/33"),
                        "'10.0.0.0/33' is no address to compare with by = or !=");
    assert_non_null(strstr(complaint("dst > 10.0.0.0"), "by = or !="));
    assert_string_equal(complaint("user nobody-of-that-name"),
                        "'nobody-of-that-name' is no user to compare with by = or !=");
    assert_string_equal(complaint("pid curl"), "'curl' is no process to compare with by = or !=");
    assert_string_equal(complaint("( sport = :80"), "a ) is missing");
    assert_string_equal(complaint("sport = :80 )"), "')' is not understood here");
    assert_string_equal(complaint("sport = :80 and"), "the filter ends too early");
    assert_string_equal(complaint("fwmark = 1"), "'fwmark' is not understood here");
    memset(deep, '!', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    assert_string_equal(complaint(deep), "too many levels");
    memset(deep, '(', sizeof(deep) - 1);
    assert_string_equal(complaint(deep), "too many levels");
}

static void what_a_filter_asks_about_is_known(void **state)
{
    static const struct {
        const char *filter;
        bool states, holders;
    } known[] = {
        {"sport = :80", false, false},
        {"sport = :80 or not state listening", true, false},
        {"name curl", false, true},
        {"( pid 1 ) state all", true, true},
    };
    char error[256];

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char *words[] = {(char *)known[i].filter};
        struct ss_filter *f;

        assert_int_equal(ss_filter_parse(1, words, &f, error, sizeof(error)), 0);
        assert_int_equal(ss_filter_has_states(f), known[i].states);
        assert_int_equal(ss_filter_has_holders(f), known[i].holders);
        ss_filter_free(f);
    }
    assert_false(ss_filter_has_states(NULL));
}

/* The two lists of TCP_INFO's fields, the core's and the tool's, are one. */
static void tcp_info_is_what_the_daemon_sends(void **state)
{
    (void)state;
#define FIELD(type, name, json)                                                                    \
    assert_int_equal(offsetof(struct ss_tcp_info, name), offsetof(struct sock_tcp_info, name));
#include "client/cli/tcp_info.def"
#undef FIELD
    assert_int_equal(sizeof(struct ss_tcp_info), sizeof(struct sock_tcp_info));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(states_are_those_of_ss, setup),
        cmocka_unit_test_setup(ports_are_compared, setup),
        cmocka_unit_test_setup(addresses_have_a_prefix_and_a_port, setup),
        cmocka_unit_test_setup(users_and_processes, setup),
        cmocka_unit_test_setup(terms_are_combined_as_in_ss, setup),
        cmocka_unit_test_setup(faults_are_named, setup),
        cmocka_unit_test_setup(what_a_filter_asks_about_is_known, setup),
        cmocka_unit_test(tcp_info_is_what_the_daemon_sends),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
