/* SPDX-License-Identifier: MIT */
/* Urgent data and SO_RCVLOWAT through plain descriptors: from one program, over TCP, to the other.
 */
#include "tests/unit/daemon/rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int mask_of(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLPRI};

    assert_true(poll(&p, 1, 0) >= 0);
    return p.revents;
}

static int at_mark(int fd)
{
    int n = -1;

    assert_int_equal(ioctl(fd, SIOCATMARK, &n), 0);
    return n;
}

static void put(int fd, const char *text, int flags)
{
    size_t n = strlen(text);

    assert_int_equal(send(fd, text, n, flags | MSG_NOSIGNAL | MSG_DONTWAIT), (ssize_t)n);
}

/* One read gives exactly this. */
static void get(int fd, const char *text)
{
    char got[4096];

    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), (ssize_t)strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void get_urgent(int fd, char byte)
{
    char got;

    assert_int_equal(recv(fd, &got, 1, MSG_OOB), 1);
    assert_int_equal(got, byte);
}

static void get_nothing(int fd)
{
    char got;

    assert_int_equal(recv(fd, &got, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void option(struct rig *r, int fd, int name, int value)
{
    struct wire_option o = {.level = SOL_SOCKET, .name = name, .len = sizeof(value)};

    memcpy(o.value, &value, sizeof(value));
    assert_int_equal(
        rig_call(r, WIRE_OP_SETSOCKOPT, 0, fd, &o, WIRE_OPTION_HEAD + sizeof(value), NULL), 0);
}

static void close_both(struct rig *r, const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
    rig_run(r);
}

/* --- urgent data -------------------------------------------------------------------------------
 */

static void the_last_byte_of_an_oob_send_is_urgent_at_the_peer(void **state)
{
    struct rig *r = *state;
    int fds[2];

    rig_pair(r, fds);
    put(fds[0], "abc", 0);
    put(fds[0], "xyU", MSG_OOB);
    rig_run(r);
    assert_int_equal(mask_of(fds[1]), POLLIN | POLLPRI);
    get_urgent(fds[1], 'U');
    assert_int_equal(mask_of(fds[1]), POLLIN);
    get(fds[1], "abcxy");
    get_nothing(fds[1]);
    close_both(r, fds);
}

static void reads_stop_at_the_mark(void **state)
{
    struct rig *r = *state;
    int fds[2];

    rig_pair(r, fds);
    put(fds[0], "abcU", MSG_OOB);
    put(fds[0], "def", 0);
    rig_run(r);
    assert_int_equal(at_mark(fds[1]), 0);
    get(fds[1], "abc");
    assert_int_equal(at_mark(fds[1]), 1);
    get_urgent(fds[1], 'U');
    get(fds[1], "def");
    assert_int_equal(at_mark(fds[1]), 0);
    close_both(r, fds);
}

static void an_urgent_byte_alone_and_what_follows_later(void **state)
{
    struct rig *r = *state;
    int fds[2];

    rig_pair(r, fds);
    for (int i = 0; i < 5; i++) {
        put(fds[0], "U", MSG_OOB);
        rig_run(r);
        assert_true(mask_of(fds[1]) & POLLPRI);
        get_urgent(fds[1], 'U');
        get_nothing(fds[1]);
        put(fds[0], "abc", 0);
        rig_run(r);
        assert_int_equal(mask_of(fds[1]), POLLIN);
        get(fds[1], "abc");
        put(fds[1], "back", 0);
        rig_run(r);
        get(fds[0], "back");
    }
    close_both(r, fds);
}

static void with_so_oobinline_the_byte_is_in_the_line(void **state)
{
    struct rig *r = *state;
    int fds[2];

    rig_pair(r, fds);
    option(r, fds[1], SO_OOBINLINE, 1);
    put(fds[0], "abcU", MSG_OOB);
    put(fds[0], "def", 0);
    rig_run(r);
    assert_true(mask_of(fds[1]) & POLLPRI);
    get(fds[1], "abc");
    assert_int_equal(at_mark(fds[1]), 1);
    get(fds[1], "Udef");
    close_both(r, fds);
}

static void a_listener_s_so_oobinline_is_its_children_s(void **state)
{
    struct rig *r = *state;
    struct wire_addr to = rig_address(4999);
    int listener = rig_listener(r, 4999, 8), fds[2];

    option(r, listener, SO_OOBINLINE, 1);
    fds[0] = rig_socket(r);
    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, fds[0], &to, sizeof(to), NULL), 0);
    fds[1] = rig_accept(listener, NULL);
    assert_true(fds[1] >= 0);
    put(fds[0], "U", MSG_OOB);
    rig_run(r);
    get(fds[1], "U");
    close(listener);
    close_both(r, fds);
}

static void urgent_bytes_behind_much_data_keep_their_places(void **state)
{
    struct rig *r = *state;
    static char big[30000], got[40000];
    int fds[2], marks = 0;
    size_t total = 0, want = 0;

    rig_pair(r, fds);
    option(r, fds[1], SO_OOBINLINE, 1);
    memset(big, 'a', sizeof(big));
    for (int i = 0; i < 4; i++) {
        size_t n = i == 0 ? 30000 : i == 1 ? 1 : i == 2 ? 4096 : 7;

        assert_int_equal(send(fds[0], big, n, 0), n);
        put(fds[0], "U", MSG_OOB);
        want += n + 1;
        rig_run(r); /* only the newest mark is known to a receiver: one at a time */
        for (ssize_t k; (k = recv(fds[1], got, sizeof(got), MSG_DONTWAIT)) > 0;
             total += (size_t)k) {
            rig_run(r);
            marks += got[0] == 'U';
        }
        assert_int_equal(total, want);
        assert_int_equal(marks, i + 1);
    }
    close_both(r, fds);
}

static void urgent_data_and_a_close_at_once_end_in_order(void **state)
{
    struct rig *r = *state;
    char byte;
    int fds[2];

    rig_pair(r, fds);
    put(fds[0], "abcU", MSG_OOB);
    close(fds[0]);
    rig_run(r);
    get(fds[1], "abc");
    get_urgent(fds[1], 'U');
    assert_int_equal(read(fds[1], &byte, 1), 0);
    close(fds[1]);
    rig_run(r);
}

static void an_end_that_dies_after_urgent_data_is_still_a_reset(void **state)
{
    struct rig *r = *state;
    char byte;
    int fds[2];

    rig_pair(r, fds);
    put(fds[0], "U", MSG_OOB);
    rig_run(r);
    get_urgent(fds[1], 'U');
    streams_abort(&r->streams); /* as if the daemon were killed */
    assert_int_equal(read(fds[0], &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    close_both(r, fds);
}

/* --- SO_RCVLOWAT -------------------------------------------------------------------------------
 */

static void data_is_withheld_until_so_rcvlowat_is_reached(void **state)
{
    struct rig *r = *state;
    int fds[2];

    rig_pair(r, fds);
    option(r, fds[1], SO_RCVLOWAT, 6);
    put(fds[0], "abc", 0);
    rig_run(r);
    assert_int_equal(mask_of(fds[1]), 0);
    put(fds[0], "def", 0);
    rig_run(r);
    assert_int_equal(mask_of(fds[1]), POLLIN);
    get(fds[1], "abcdef");
    put(fds[0], "gh", 0);
    rig_run(r);
    assert_int_equal(mask_of(fds[1]), 0);
    option(r, fds[1], SO_RCVLOWAT, 1); /* it is enough now */
    rig_run(r);
    get(fds[1], "gh");
    close_both(r, fds);
}

static void the_end_of_the_stream_gives_what_was_withheld(void **state)
{
    struct rig *r = *state;
    char byte;
    int fds[2];

    rig_pair(r, fds);
    option(r, fds[1], SO_RCVLOWAT, 100);
    put(fds[0], "abc", 0);
    rig_run(r);
    assert_int_equal(mask_of(fds[1]), 0);
    close(fds[0]);
    rig_run(r);
    get(fds[1], "abc");
    assert_int_equal(read(fds[1], &byte, 1), 0);
    close(fds[1]);
    rig_run(r);
}

static void a_window_that_is_too_small_for_so_rcvlowat_does_not_hang(void **state)
{
    struct rig *r = *state;
    static char big[200000];
    char got[4096];
    size_t total = 0;
    ssize_t n;
    int fds[2];

    rig_pair(r, fds);
    option(r, fds[1], SO_RCVBUF, 8192);
    option(r, fds[1], SO_RCVLOWAT, 1 << 30);
    n = send(fds[0], big, sizeof(big), MSG_DONTWAIT);
    assert_true(n > 0);
    shutdown(fds[0], SHUT_WR);
    for (int i = 0; i < 2000 && total < (size_t)n; i++) {
        ssize_t k = recv(fds[1], got, sizeof(got), MSG_DONTWAIT);

        total += k > 0 ? (size_t)k : 0;
        rig_run(r);
    }
    assert_int_equal(total, n);
    close_both(r, fds);
}

#define test(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_last_byte_of_an_oob_send_is_urgent_at_the_peer),
        test(reads_stop_at_the_mark),
        test(an_urgent_byte_alone_and_what_follows_later),
        test(with_so_oobinline_the_byte_is_in_the_line),
        test(a_listener_s_so_oobinline_is_its_children_s),
        test(urgent_bytes_behind_much_data_keep_their_places),
        test(urgent_data_and_a_close_at_once_end_in_order),
        test(an_end_that_dies_after_urgent_data_is_still_a_reset),
        test(data_is_withheld_until_so_rcvlowat_is_reached),
        test(the_end_of_the_stream_gives_what_was_withheld),
        test(a_window_that_is_too_small_for_so_rcvlowat_does_not_hang),
    };

    return cmocka_run_group_tests_name("stream_urgent", tests, NULL, NULL);
}
