/* SPDX-License-Identifier: MIT */
/*
 * Marks and names: what a descriptor says about itself, to whoever holds it and after its other end
 * is gone.
 */
#include "ipc/name.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct wire_addr v4(const char *text, uint16_t port)
{
    struct wire_addr a = {.addr = {[10] = 0xff, [11] = 0xff}, .port = port};

    assert_int_equal(inet_pton(AF_INET, text, a.addr + 12), 1);
    return a;
}

static struct wire_addr v6(const char *text, uint16_t port)
{
    struct wire_addr a = {.port = port};

    assert_int_equal(inet_pton(AF_INET6, text, a.addr), 1);
    return a;
}

static void the_mark_says_what_a_descriptor_is(void **state)
{
    int s[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    assert_int_equal(name_kind_of(s[0]), NAME_FOREIGN);
    assert_int_equal(name_mark(s[0], NAME_SOCKET), 0);
    assert_int_equal(name_kind_of(s[0]), NAME_SOCKET);
    assert_false(name_is_v6(s[0]));
    assert_int_equal(name_mark(s[0], NAME_LISTENER), 0);
    assert_int_equal(name_kind_of(s[0]), NAME_LISTENER);
    assert_int_equal(name_mark(s[0], NAME_FOREIGN), -EINVAL);
    assert_int_equal(name_kind_of(s[1]), NAME_FOREIGN);
    close(s[0]);
    close(s[1]);
}

static void the_family_survives_becoming_a_listener(void **state)
{
    int s[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    assert_int_equal(name_mark_family(s[0], NAME_SOCKET, true), 0);
    assert_int_equal(name_kind_of(s[0]), NAME_SOCKET);
    assert_true(name_is_v6(s[0]));
    assert_int_equal(name_mark(s[0], NAME_LISTENER), 0);
    assert_int_equal(name_kind_of(s[0]), NAME_LISTENER);
    assert_true(name_is_v6(s[0]));
    close(s[0]);
    close(s[1]);
}

static void asking_what_is_no_socket_keeps_errno(void **state)
{
    int null = open("/dev/null", O_RDONLY);

    (void)state;
    errno = EXDEV;
    assert_int_equal(name_kind_of(null), NAME_FOREIGN);
    assert_int_equal(name_kind_of(-1), NAME_FOREIGN);
    assert_false(name_is_v6(null));
    assert_int_equal(errno, EXDEV);
    assert_int_equal(name_mark(null, NAME_SOCKET), -ENOTSOCK);
    close(null);
}

static void check_round_trip(uint64_t id, const struct wire_addr *l, const struct wire_addr *r)
{
    struct wire_addr local, remote;
    struct sockaddr_un un;
    socklen_t len = name_build(&un, id, l, r);
    bool has_remote;

    assert_true(len <= sizeof(un));
    assert_int_equal(name_parse(&un, len, &local, &remote, &has_remote), 0);
    assert_memory_equal(&local, l, sizeof(local));
    assert_int_equal(has_remote, r != NULL);
    if (r)
        assert_memory_equal(&remote, r, sizeof(remote));
}

static void names_are_readable_and_parse_back(void **state)
{
    struct wire_addr a = v4("10.77.0.2", 80), b = v6("::1", 65535), any = {0};
    struct sockaddr_un un;
    socklen_t len = name_build(&un, 0x1f, &a, &b);

    (void)state;
    assert_int_equal(un.sun_path[0], 0);
    assert_string_equal(un.sun_path + 1, "ts:1f:10.77.0.2:80>[::1]:65535");
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(un.sun_path + 1));
    check_round_trip(0, &a, NULL);
    check_round_trip(UINT64_MAX, &a, &b);
    check_round_trip(1, &any, NULL);
    check_round_trip(1, &b, &a);
}

static void the_longest_addresses_still_fit(void **state)
{
    struct wire_addr a = v6("2001:db8:1111:2222:3333:4444:5555:6666", 65535);
    struct wire_addr b = v6("fe80:aaaa:bbbb:cccc:dddd:eeee:ffff:1234", 54321);

    (void)state;
    check_round_trip(UINT64_MAX, &a, &b);
    check_round_trip(1, &a, &b);
    check_round_trip(UINT64_MAX, &a, NULL);
}

static int parse(const char *text)
{
    struct wire_addr local, remote;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(text);
    bool has_remote;

    memcpy(un.sun_path + 1, text, n);
    return name_parse(&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n), &local,
                      &remote, &has_remote);
}

static void what_is_no_name_of_ours_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "ts:",
        "ts::10.0.0.1:80",
        "ts:1",
        "ts:1:",
        "ts:1::80",
        "ts:g:10.0.0.1:80",
        "ts:11112222333344445:10.0.0.1:80",
        "ts:1:10.0.0.1",
        "ts:1:10.0.0.1:",
        "ts:1:10.0.0.1:65536",
        "ts:1:10.0.0.1:-1",
        "ts:1:10.0.0.1:8x",
        "ts:1:10.0.0.1:000080",
        "ts:1:10.0.0.1.:80",
        "ts:1:10.0.0.256:80",
        "ts:1:10.0.0.1:80>",
        "ts:1:10.0.0.1:80>10.0.0.2",
        "ts:1:10.0.0.1:80>10.0.0.2:80>10.0.0.3:80",
        "ts:1:[::1:80",
        "ts:1:[]:80",
        "ts:1:[:::1]:80",
        "ts:1:[0000000000000000000000000000000]:80",
        "ts:1:[0000000000000000000000000000000x]:80",
        "xs:1:10.0.0.1:80",
    };

    (void)state;
    assert_int_equal(parse("ts:1:10.0.0.1:80"), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i]) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void a_path_in_the_file_system_is_no_name_of_ours(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "ts:1:10.0.0.1:80"};
    struct wire_addr local, remote;
    bool has_remote;

    (void)state;
    assert_int_equal(name_parse(&un, sizeof(un), &local, &remote, &has_remote), -EINVAL);
    assert_int_equal(name_parse(&un, 1, &local, &remote, &has_remote), -EINVAL);
    assert_int_equal(name_parse(&un, sizeof(un) + 1, &local, &remote, &has_remote), -EINVAL);
}

static void bind_name(int fd, uint64_t id, const struct wire_addr *l, const struct wire_addr *r)
{
    struct sockaddr_un un;
    socklen_t len = name_build(&un, id, l, r);

    assert_int_equal(bind(fd, (struct sockaddr *)&un, len), 0);
}

static void both_addresses_are_known_also_after_the_other_end_died(void **state)
{
    struct wire_addr l = v4("10.77.0.2", 4242), r = v4("10.77.0.1", 80), local, remote;
    uint64_t id = ((uint64_t)getpid() << 16);
    int s[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    assert_int_equal(name_addresses(s[0], &local, &remote), 0);
    assert_int_equal(local.port, 0);
    bind_name(s[0], id, &l, NULL);
    assert_int_equal(name_addresses(s[0], &local, &remote), 0);
    assert_memory_equal(&local, &l, sizeof(l));
    assert_int_equal(remote.port, 0);
    bind_name(s[1], id, &l, &r);
    assert_int_equal(name_addresses(s[0], &local, &remote), 1);
    assert_memory_equal(&remote, &r, sizeof(r));
    close(s[1]);
    memset(&remote, 0, sizeof(remote));
    assert_int_equal(name_addresses(s[0], &local, &remote), 1);
    assert_memory_equal(&local, &l, sizeof(l));
    assert_memory_equal(&remote, &r, sizeof(r));
    close(s[0]);
}

static void addresses_of_other_things_are_errors_and_keep_errno(void **state)
{
    struct wire_addr local, remote;
    int inet = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    errno = EXDEV;
    assert_int_equal(name_addresses(-1, &local, &remote), -EBADF);
    assert_int_equal(name_addresses(inet, &local, &remote), -ENOTSOCK);
    assert_int_equal(errno, EXDEV);
    close(inet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mark_says_what_a_descriptor_is),
        cmocka_unit_test(the_family_survives_becoming_a_listener),
        cmocka_unit_test(asking_what_is_no_socket_keeps_errno),
        cmocka_unit_test(names_are_readable_and_parse_back),
        cmocka_unit_test(the_longest_addresses_still_fit),
        cmocka_unit_test(what_is_no_name_of_ours_is_refused),
        cmocka_unit_test(a_path_in_the_file_system_is_no_name_of_ours),
        cmocka_unit_test(both_addresses_are_known_also_after_the_other_end_died),
        cmocka_unit_test(addresses_of_other_things_are_errors_and_keep_errno),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
