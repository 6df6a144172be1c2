/* SPDX-License-Identifier: MIT */
/* What a listener's other end tells of it, also after that end is closed; and what is no such name.
 */
#include "ipc/memo.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];

static int make_pair(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static int close_pair(void **state)
{
    (void)state;
    close(ends[0]);
    return 0;
}

static size_t place_of(int level, int name)
{
    for (size_t i = 0; i < memo_n_options; i++)
        if (memo_options[i].level == level && memo_options[i].name == name)
            return i;
    fail_msg("no such option");
    return 0;
}

/* Give the daemon's end this name, and close it. */
static void leave(const struct memo *m)
{
    assert_int_equal(bind(ends[1], (const struct sockaddr *)&m->name, m->len), 0);
    close(ends[1]);
}

static void what_was_written_is_read_after_the_end(void **state)
{
    size_t keep = place_of(SOL_SOCKET, SO_KEEPALIVE), cc = place_of(IPPROTO_TCP, TCP_CONGESTION),
           at = 0, len;
    uint8_t value[MEMO_VALUE_MAX];
    struct memo m;
    int one = 1;

    (void)state;
    memo_begin(&m, 0x1234567800000001, -1);
    assert_true(memo_add(&m, keep, &one, sizeof(one)));
    assert_true(memo_add(&m, cc, "reno\0\0\0\0\0\0\0\0\0\0\0\0", 16));
    leave(&m);
    memset(&m, 0x55, sizeof(m));
    errno = EXDEV;
    assert_true(memo_read(ends[0], &m));
    assert_int_equal(errno, EXDEV);
    assert_int_equal(memo_backlog(&m), -1);
    assert_int_equal(memo_next(&m, &at, value, &len), keep);
    assert_int_equal(len, sizeof(one));
    assert_memory_equal(value, &one, sizeof(one));
    assert_int_equal(memo_next(&m, &at, value, &len), cc);
    assert_string_equal((char *)value, "reno");
    assert_int_equal(memo_next(&m, &at, value, &len), -1);
}

static void what_does_not_fit_is_left_out(void **state)
{
    uint8_t value[MEMO_VALUE_MAX + 1] = {0};
    size_t n = 0, at = 0, len;
    struct memo m;

    (void)state;
    memo_begin(&m, 2, 5);
    assert_false(memo_add(&m, 0, value, MEMO_VALUE_MAX + 1));
    while (memo_add(&m, 0, value, 4))
        n++;
    assert_int_equal(n, 15);
    leave(&m);
    assert_true(memo_read(ends[0], &m));
    for (; memo_next(&m, &at, value, &len) == 0; n--)
        assert_int_equal(len, 4);
    assert_int_equal(n, 0);
}

static void a_name_of_another_kind_is_none(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "\0ts:1:10.0.0.1:80"};
    struct memo m = {.name = un, .len = sizeof(un)};

    (void)state;
    assert_false(memo_read(ends[0], &m)); /* not named at all */
    m = (struct memo){.name = un, .len = sizeof(un)};
    leave(&m);
    assert_false(memo_read(ends[0], &m));
    assert_false(memo_read(-1, &m));
}

static void lengths_that_lie_end_it(void **state)
{
    uint8_t value[MEMO_VALUE_MAX];
    size_t at = 0, len, end;
    struct memo m;

    (void)state;
    memo_begin(&m, 3, 5);
    end = m.len - offsetof(struct sockaddr_un, sun_path);
    assert_true(memo_add(&m, 1, "abcd", 4));
    m.name.sun_path[end + 1] = 5; /* beyond the name */
    assert_int_equal(memo_next(&m, &at, value, &len), -1);
    m.name.sun_path[end + 1] = MEMO_VALUE_MAX + 1;
    assert_int_equal(memo_next(&m, &at, value, &len), -1);
    m.name.sun_path[end + 1] = 4;
    m.name.sun_path[end] = (char)memo_n_options;
    assert_int_equal(memo_next(&m, &at, value, &len), -1);
    m.name.sun_path[end] = 1;
    assert_int_equal(memo_next(&m, &at, value, &len), 1);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read_after_the_end, make_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_left_out, make_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_name_of_another_kind_is_none, make_pair, close_pair),
        cmocka_unit_test_setup_teardown(lengths_that_lie_end_it, make_pair, close_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
