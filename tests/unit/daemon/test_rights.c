/* SPDX-License-Identifier: MIT */
/* The policy table: sections, who has which, what they allow, and the quota that they set. */
#include "daemon/config.h"
#include "daemon/policy.h"
#include "daemon/rights.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define unused __attribute__((unused))

static struct rights *table;

static int set(const char *section, const char *name, const char *value)
{
    char error[CONFIG_ERROR] = "";
    struct rights *r = rights_section(&table, section, 1, &names_of_machine, error, sizeof(error));
    int rc = r && !*error ? rights_set(r, name, value, 0, error, sizeof(error)) : -EINVAL;

    assert_int_equal(rc < 0, error[0] != '\0');
    return rc;
}

static int forget(void **state unused)
{
    rights_free(&table);
    return 0;
}

static struct wire_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct wire_addr){
        .addr = {[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d}, .port = port};
}

static bool may_bind(uid_t uid, struct wire_addr a)
{
    return rights_may_bind(rights_find(table, uid, NULL, 0), uid, &a);
}

static bool may_connect(uid_t uid, struct wire_addr a)
{
    return rights_may_connect(rights_find(table, uid, NULL, 0), &a);
}

static void without_a_section_low_ports_are_for_root(void **state unused)
{
    assert_true(may_bind(0, v4(10, 0, 0, 1, 80)));
    assert_false(may_bind(7, v4(10, 0, 0, 1, 80)));
    assert_true(may_bind(7, v4(10, 0, 0, 1, 1024)));
    assert_true(may_bind(7, v4(10, 0, 0, 1, 0)));
    assert_true(may_connect(7, v4(192, 0, 2, 1, 25)));
}

static void a_list_of_bind_gives_and_takes_ports_and_addresses(void **state unused)
{
    assert_int_equal(set("user 7", "bind", "10.0.0.1:80, 10.0.0.1:8000-8999"), 0);
    assert_int_equal(set("user 7", "bind", ":443"), 0);
    assert_true(may_bind(7, v4(10, 0, 0, 1, 80)));
    assert_false(may_bind(7, v4(10, 0, 0, 2, 80)));
    assert_false(may_bind(7, v4(0, 0, 0, 0, 80))); /* the wildcard is every address */
    assert_true(may_bind(7, v4(10, 0, 0, 1, 8999)));
    assert_false(may_bind(7, v4(10, 0, 0, 1, 9000)));
    assert_true(may_bind(7, v4(0, 0, 0, 0, 443)));
    assert_true(may_bind(7, v4(10, 0, 0, 1, 0)));
    assert_false(may_bind(8, v4(10, 0, 0, 1, 80)));
    assert_true(may_connect(7, v4(192, 0, 2, 1, 25)));
}

static void a_list_of_connect_names_all_destinations(void **state unused)
{
    assert_int_equal(set("user 7", "connect", "10.0.0.0/8:80"), 0);
    assert_true(may_connect(7, v4(10, 9, 8, 7, 80)));
    assert_false(may_connect(7, v4(10, 9, 8, 7, 81)));
    assert_false(may_connect(7, v4(11, 9, 8, 7, 80)));
    assert_false(may_bind(7, v4(10, 0, 0, 1, 80)));
    assert_true(may_bind(7, v4(10, 0, 0, 1, 8080)));
    assert_true(may_connect(0, v4(11, 9, 8, 7, 80)));
}

static void a_user_s_section_goes_before_his_groups_and_their_order_counts(void **state unused)
{
    gid_t groups[] = {100, 200};

    assert_int_equal(set("group 200", "connections", "20"), 0);
    assert_int_equal(set("group 100", "connections", "10"), 0);
    assert_int_equal(set("user 7", "connections", "5"), 0);
    assert_int_equal(rights_find(table, 7, groups, 2)->connections, 5);
    assert_int_equal(rights_find(table, 8, groups, 2)->connections, 20);
    assert_int_equal(rights_find(table, 8, groups, 1)->connections, 10);
    assert_null(rights_find(table, 8, groups, 0));
    assert_null(rights_find(table, 200, NULL, 0));
}

static void the_section_of_everybody_holds_where_no_other_says_anything(void **state unused)
{
    assert_int_equal(set("user *", "memory", "8M"), 0);
    assert_int_equal(set("user *", "connect", ":80"), 0);
    assert_int_equal(set("user 7", "connections", "5"), 0);
    assert_int_equal(set("group 9", "memory", "16M"), 0);
    rights_finish(table);
    assert_int_equal(rights_memory(rights_find(table, 8, NULL, 0)), 8 << 20);
    assert_int_equal(rights_memory(rights_find(table, 7, NULL, 0)), 8 << 20);
    assert_int_equal(rights_find(table, 7, NULL, 0)->connections, 5);
    assert_int_equal(rights_find(table, 8, NULL, 0)->connections, 0);
    assert_int_equal(rights_memory(rights_find(table, 8, (gid_t[]){9}, 1)), 16 << 20);
    assert_false(may_connect(7, v4(10, 0, 0, 1, 81)));
    assert_false(may_connect(0, v4(10, 0, 0, 1, 81)));
    assert_true(may_bind(0, v4(10, 0, 0, 1, 80)));
    assert_int_equal(set("group *", "memory", "8M"), -EINVAL);
}

static void in_another_table_a_group_s_section_is_found_again(void **state unused)
{
    struct rights *before = NULL, *now = NULL;
    char error[CONFIG_ERROR];

    before = rights_section(&before, "group 9", 1, &names_of_machine, error, sizeof(error));
    assert_ptr_equal(rights_again(before, 7, before), before);
    assert_null(rights_again(NULL, 7, before));
    assert_non_null(rights_section(&now, "group 8", 1, &names_of_machine, error, sizeof(error)));
    assert_null(rights_again(now, 7, before));
    assert_non_null(rights_section(&now, "group 9", 2, &names_of_machine, error, sizeof(error)));
    assert_string_equal(rights_again(now, 7, before)->section, "group 9");
    assert_null(rights_again(now, 7, NULL));
    assert_non_null(rights_section(&now, "user 7", 3, &names_of_machine, error, sizeof(error)));
    assert_string_equal(rights_again(now, 7, before)->section, "user 7");
    rights_free(&before);
    rights_free(&now);
}

static void the_memory_of_a_section_has_a_unit(void **state unused)
{
    assert_int_equal(set("user 7", "memory", "64M"), 0);
    assert_int_equal(set("group 9", "memory", "1048576"), 0);
    assert_int_equal(rights_memory(rights_find(table, 7, NULL, 0)), 64 << 20);
    assert_int_equal(rights_memory(rights_find(table, 8, (gid_t[]){9}, 1)), 1 << 20);
    assert_int_equal(rights_memory(rights_find(table, 8, NULL, 0)), 0);
    assert_int_equal(set("user 7", "memory", "1023K"), -EINVAL);
    assert_int_equal(set("user 7", "memory", "lots"), -EINVAL);
}

static void what_is_malformed_or_unknown_is_refused(void **state unused)
{
    assert_int_equal(set("user nobody-of-this-name", "bind", ":80"), -EINVAL);
    assert_int_equal(set("group nobody-of-this-name", "bind", ":80"), -EINVAL);
    assert_int_equal(set("user 7", "bind", "10.0.0.1:"), -EINVAL);
    assert_int_equal(set("user 7", "connect", "10.0.0.0/33"), -EINVAL);
    assert_int_equal(set("user 7", "connections", "0"), -EINVAL);
    assert_int_equal(set("user 7", "connections", "-1"), -EINVAL);
    assert_int_equal(set("user 7", "capture", "maybe"), -EINVAL);
    assert_int_equal(set("user 7", "capture", "yes"), 0);
    assert_true(rights_find(table, 7, NULL, 0)->capture);
    assert_int_equal(set("user 7", "capture", "no"), 0);
    assert_false(rights_find(table, 7, NULL, 0)->capture);
    assert_int_equal(set("user 7", "colour", "red"), -EINVAL);
    assert_false(rights_is_section("users"));
    assert_false(rights_is_section("user "));
    assert_true(rights_is_section("group 7"));
}

static void the_quota_of_a_section_is_each_user_s(void **state unused)
{
    struct policy p;

    assert_int_equal(set("group 100", "connections", "2"), 0);
    assert_int_equal(policy_init(&p, 100, 20000), 0);
    struct policy_owner a = {.uid = 7, .rights = table}, b = {.uid = 8, .rights = table};
    struct policy_owner other = {.uid = 9};
    assert_int_equal(policy_take_socket(&p, &a), 0);
    assert_true(policy_has_room(&p, &a));
    assert_int_equal(policy_take_socket(&p, &a), 0);
    assert_false(policy_has_room(&p, &a));
    assert_int_equal(policy_take_socket(&p, &a), -EMFILE);
    assert_int_equal(policy_take_socket(&p, &b), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(policy_take_socket(&p, &other), 0);
    policy_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(without_a_section_low_ports_are_for_root, forget),
        cmocka_unit_test_teardown(a_list_of_bind_gives_and_takes_ports_and_addresses, forget),
        cmocka_unit_test_teardown(a_list_of_connect_names_all_destinations, forget),
        cmocka_unit_test_teardown(a_user_s_section_goes_before_his_groups_and_their_order_counts,
                                  forget),
        cmocka_unit_test_teardown(the_section_of_everybody_holds_where_no_other_says_anything,
                                  forget),
        cmocka_unit_test(in_another_table_a_group_s_section_is_found_again),
        cmocka_unit_test_teardown(the_memory_of_a_section_has_a_unit, forget),
        cmocka_unit_test_teardown(what_is_malformed_or_unknown_is_refused, forget),
        cmocka_unit_test_teardown(the_quota_of_a_section_is_each_user_s, forget),
    };
    return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
