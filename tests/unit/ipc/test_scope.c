/* SPDX-License-Identifier: MIT */
/*
 * Which addresses are ours: rules, lists, wildcards.
 */
#include "ipc/codec.h"
#include "ipc/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct wire_addr address(const char *text, uint16_t port)
{
    struct wire_addr a = {.port = port};

    if (inet_pton(AF_INET, text, a.addr + 12) == 1)
        a.addr[10] = a.addr[11] = 0xff;
    else
        assert_int_equal(inet_pton(AF_INET6, text, a.addr), 1);
    return a;
}

static bool connects(const char *only, const char *except, const char *to, uint16_t port)
{
    struct wire_addr a = address(to, port);

    return scope_decide(only, except, &a, true);
}

static bool binds(const char *only, const char *except, const char *to, uint16_t port)
{
    struct wire_addr a = address(to, port);

    return scope_decide(only, except, &a, false);
}

static bool good(const char *text)
{
    struct scope_rule rule;

    return scope_parse(text, strlen(text), &rule) == 0;
}

static void rules_are_parsed(void **state)
{
    struct scope_rule r;

    (void)state;
    assert_int_equal(scope_parse("10.1.2.0/24:80-90", 17, &r), 0);
    assert_int_equal(r.bits, 120);
    assert_int_equal(r.first, 80);
    assert_int_equal(r.last, 90);
    assert_int_equal(scope_parse("[fd00::]/8:443", 14, &r), 0);
    assert_int_equal(r.bits, 8);
    assert_int_equal(r.first, 443);
    assert_int_equal(r.last, 443);
    assert_true(good("10.1.2.3"));
    assert_true(good("0.0.0.0/0"));
    assert_true(good(":80"));
    assert_true(good("fd00::/8"));
    assert_true(good("fd00::1"));
    assert_true(good("[fd00::1]:80"));
    assert_true(good("[fd00::/8]:80"));
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "10.1.2",
                                      "10.1.2.3/33",
                                      "10.0.0.0/",
                                      "10.0.0.0/x",
                                      "10.0.0.0/-1",
                                      "fd00::/129",
                                      ":",
                                      ":0",
                                      ":65536",
                                      ":80-",
                                      ":-80",
                                      ":90-80",
                                      ":80-90-100",
                                      "10.0.0.1:",
                                      "10.0.0.1:x",
                                      "[]",
                                      "[fd00::1]:99999999999999999999",
                                      "1.2.3.4/24/24"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (good(bad[i]))
            fail_msg("\"%s\" is accepted", bad[i]);
    }
    assert_true(scope_valid(""));
    assert_true(scope_valid("10.0.0.0/8, :80,fd00::/8"));
    assert_false(scope_valid("10.0.0.0/8, x"));
}

static void loopback_is_the_kernels(void **state)
{
    (void)state;
    assert_true(connects(NULL, NULL, "10.0.0.1", 80));
    assert_true(connects("", "", "10.0.0.1", 80));
    assert_false(connects(NULL, NULL, "127.0.0.1", 80));
    assert_false(connects(NULL, NULL, "127.255.0.9", 80));
    assert_false(connects(NULL, NULL, "::1", 80));
    assert_false(connects(NULL, NULL, "0.0.0.0", 80));
    assert_false(connects("127.0.0.0/8", NULL, "127.0.0.1", 80));
    assert_false(binds(NULL, NULL, "127.0.0.1", 80));
    assert_true(binds(NULL, NULL, "0.0.0.0", 80));
    assert_true(binds(NULL, NULL, "::", 80));
}

static void destinations_are_chosen(void **state)
{
    (void)state;
    assert_true(connects("10.0.0.0/8", NULL, "10.255.0.1", 80));
    assert_false(connects("10.0.0.0/8", NULL, "11.0.0.1", 80));
    assert_false(connects(NULL, "10.0.0.0/9", "10.127.0.1", 80));
    assert_true(connects(NULL, "10.0.0.0/9", "10.128.0.1", 80));
    assert_false(connects("10.0.0.0/8", "10.1.0.0/16", "10.1.0.1", 80));
    assert_true(connects("10.0.0.0/8:80", NULL, "10.1.0.1", 80));
    assert_false(connects("10.0.0.0/8:80", NULL, "10.1.0.1", 81));
    assert_false(connects(NULL, ":80-90", "1.2.3.4", 85));
    assert_true(connects(NULL, ":80-90", "1.2.3.4", 91));
    assert_true(connects("1.1.1.1,fd00::/8", NULL, "fd00::5", 1));
    assert_false(connects("::/0", "0.0.0.0/0", "1.2.3.4", 1));
    assert_true(connects("x", NULL, "1.2.3.4", 1) == false);
}

static void a_wildcard_stands_for_all_addresses(void **state)
{
    (void)state;
    assert_true(binds(NULL, "10.0.0.0/8", "0.0.0.0", 80));
    assert_false(binds(NULL, ":80", "0.0.0.0", 80));
    assert_false(binds(NULL, "0.0.0.0/0:80", "0.0.0.0", 80));
    assert_true(binds("10.0.0.0/8", NULL, "0.0.0.0", 80));
    assert_true(binds("10.0.0.0/8:80", NULL, "0.0.0.0", 80));
    assert_false(binds("10.0.0.0/8:80", NULL, "0.0.0.0", 81));
    assert_false(binds("10.0.0.0/8", NULL, "192.168.0.1", 81));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_parsed),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(loopback_is_the_kernels),
        cmocka_unit_test(destinations_are_chosen),
        cmocka_unit_test(a_wildcard_stands_for_all_addresses),
    };
    return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
