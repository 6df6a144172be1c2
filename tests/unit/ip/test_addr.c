/* SPDX-License-Identifier: MIT */
/* Addresses: kinds, networks, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "proto/ip/addr.h"

static struct ip_addr addr(const char *text)
{
    struct ip_addr a;

    memset(&a, 0x55, sizeof(a));
    assert_int_equal(ip_addr_parse(text, &a), 0);
    return a;
}

static void text_survives_the_round_trip(void **state)
{
    static const char *const texts[] = {
        "0.0.0.0",           "1.2.3.4",         "255.255.255.255",     "::", "::1", "fe80::1",
        "2001:db8::1:0:0:1", "1:2:3:4:5:6:7:8", "2001:db8:0:1:1:1:1:1"};
    char buf[IP_ADDR_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct ip_addr a = addr(texts[i]);

        assert_string_equal(ip_addr_format(&a, buf), texts[i]);
    }
}

static void mapped_text_is_ipv4(void **state)
{
    struct ip_addr a = addr("::ffff:10.1.2.3"), b = addr("10.1.2.3");
    char buf[IP_ADDR_TEXT];

    (void)state;
    assert_true(ip_addr_is_v4(&a));
    assert_true(ip_addr_equal(&a, &b));
    assert_string_equal(ip_addr_format(&a, buf), "10.1.2.3");
}

static void bad_text_is_refused_and_leaves_out_alone(void **state)
{
    static const char *const texts[] = {"",          "1.2.3",  "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ",
                                        "0x1.2.3.4", "::1::2", "12345::",   "host",      ":"};
    struct ip_addr a = addr("9.9.9.9"), same = a;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_int_equal(ip_addr_parse(texts[i], &a), -EINVAL);
    assert_true(ip_addr_equal(&a, &same));
}

static void endpoints_have_brackets_for_ipv6_only(void **state)
{
    struct ip_endpoint e = {.addr = addr("1.2.3.4"), .port = 65535};
    char buf[IP_ENDPOINT_TEXT];

    (void)state;
    assert_string_equal(ip_endpoint_format(&e, buf), "1.2.3.4:65535");
    e.addr = addr("1111:2222:3333:4444:5555:6666:7777:8888");
    assert_string_equal(ip_endpoint_format(&e, buf),
                        "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void kinds_of_address(void **state)
{
    static const struct {
        const char *text;
        bool any, multicast, loopback, broadcast;
    } rows[] = {
        {"0.0.0.0", true, false, false, false},
        {"::", true, false, false, false},
        {"0.0.0.1", false, false, false, false},
        {"224.0.0.1", false, true, false, false},
        {"239.255.255.255", false, true, false, false},
        {"223.255.255.255", false, false, false, false},
        {"240.0.0.1", false, false, false, false},
        {"ff02::1", false, true, false, false},
        {"127.0.0.1", false, false, true, false},
        {"127.255.0.1", false, false, true, false},
        {"::1", false, false, true, false},
        {"255.255.255.255", false, false, false, true},
        {"8.8.8.8", false, false, false, false},
    };
    struct ip_addr v4_any = ip_addr_any(false), v6_any = ip_addr_any(true);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ip_addr a = addr(rows[i].text);

        assert_int_equal(ip_addr_is_any(&a), rows[i].any);
        assert_int_equal(ip_addr_is_multicast(&a), rows[i].multicast);
        assert_int_equal(ip_addr_is_loopback(&a), rows[i].loopback);
        assert_int_equal(ip_addr_is_limited_broadcast(&a), rows[i].broadcast);
    }
    assert_true(ip_addr_is_v4(&v4_any));
    assert_false(ip_addr_is_v4(&v6_any));
}

static void prefixes_are_parsed(void **state)
{
    static const struct {
        const char *text;
        int len; /* -1: refused */
    } rows[] = {{"10.0.0.1/24", 120},  {"10.0.0.1", 128},
                {"10.0.0.1/0", 96},    {"10.0.0.1/32", 128},
                {"10.0.0.1/33", -1},   {"10.0.0.1/", -1},
                {"10.0.0.1/-1", -1},   {"10.0.0.1/ 8", -1},
                {"10.0.0.1/0024", -1}, {"/24", -1},
                {"fe80::1/64", 64},    {"fe80::1/128", 128},
                {"fe80::1/129", -1},   {"::ffff:10.0.0.1/120", 120},
                {"fe80::1", 128},      {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/4", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ip_prefix p = {.len = 77};
        int r = ip_prefix_parse(rows[i].text, &p);

        assert_int_equal(r, rows[i].len < 0 ? -EINVAL : 0);
        assert_int_equal(p.len, rows[i].len < 0 ? 77 : rows[i].len);
    }
}

static void a_prefix_contains_what_agrees_in_its_bits(void **state)
{
    static const struct {
        const char *prefix, *a;
        bool in;
    } rows[] = {
        {"10.0.0.1/24", "10.0.0.255", true},         {"10.0.0.1/24", "10.0.1.0", false},
        {"10.0.0.1/25", "10.0.0.127", true},         {"10.0.0.1/25", "10.0.0.128", false},
        {"10.0.0.1/0", "200.1.1.1", true},           {"10.0.0.1/0", "fe80::1", false},
        {"10.0.0.1/32", "10.0.0.1", true},           {"10.0.0.1/32", "10.0.0.0", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true}, {"2001:db8::/33", "2001:db8:8000::1", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ip_addr a = addr(rows[i].a);
        struct ip_prefix p;

        assert_int_equal(ip_prefix_parse(rows[i].prefix, &p), 0);
        assert_int_equal(ip_prefix_contains(&p, &a), rows[i].in);
    }
}

static void directed_broadcast_needs_more_than_two_hosts(void **state)
{
    static const struct {
        const char *prefix, *broadcast;
    } rows[] = {{"10.0.0.1/24", "10.0.0.255"}, {"10.0.0.9/29", "10.0.0.15"},
                {"10.0.0.1/30", "10.0.0.3"},   {"10.0.0.1/31", NULL},
                {"10.0.0.1/32", NULL},         {"10.0.0.1/0", "255.255.255.255"},
                {"fe80::1/64", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ip_prefix p;
        struct ip_addr out, want;

        assert_int_equal(ip_prefix_parse(rows[i].prefix, &p), 0);
        assert_int_equal(ip_prefix_broadcast(&p, &out), rows[i].broadcast != NULL);
        if (rows[i].broadcast) {
            want = addr(rows[i].broadcast);
            assert_true(ip_addr_equal(&out, &want));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives_the_round_trip),
        cmocka_unit_test(mapped_text_is_ipv4),
        cmocka_unit_test(bad_text_is_refused_and_leaves_out_alone),
        cmocka_unit_test(endpoints_have_brackets_for_ipv6_only),
        cmocka_unit_test(kinds_of_address),
        cmocka_unit_test(prefixes_are_parsed),
        cmocka_unit_test(a_prefix_contains_what_agrees_in_its_bits),
        cmocka_unit_test(directed_broadcast_needs_more_than_two_hosts),
    };
    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
