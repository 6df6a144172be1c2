/* SPDX-License-Identifier: MIT */
/*
 * Closing an end of an AF_UNIX stream pair that has unread bytes resets the other side: read gives
 * what was delivered, then ECONNRESET once, then 0; write gives EPIPE. With nothing unread it is a
 * clean end of file. So a byte kept unread in the daemon's end makes every death of the daemon, and
 * every reset, an error at the program, and never a clean end.
 */
#include "tests/platform/platform.h"

static char buf[64];

static void expect_reset_once_then_eof(int fd)
{
    assert_errno(read(fd, buf, sizeof(buf)), ECONNRESET);
    assert_int_equal(read(fd, buf, sizeof(buf)), 0);
    assert_int_equal(read(fd, buf, sizeof(buf)), 0);
}

static void unread_bytes_at_close_give_the_peer_econnreset_once_then_eof(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    close(s.d);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    expect_reset_once_then_eof(s.p);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    close(s.p);
}

static void empty_queue_at_close_gives_the_peer_a_clean_eof(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    assert_int_equal(read(s.d, buf, sizeof(buf)), 1);
    close(s.d);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    assert_int_equal(get_int(s.p, SO_ERROR), 0);
    assert_int_equal(read(s.p, buf, sizeof(buf)), 0);
    assert_errno(send(s.p, "y", 1, MSG_NOSIGNAL), EPIPE);
    close(s.p);
}

static void a_peeked_byte_counts_as_unread(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "abc", 3);
    assert_int_equal(read(s.d, buf, 2), 2);
    assert_int_equal(recv(s.d, buf, 8, MSG_PEEK), 1);
    close(s.d);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void data_queued_to_the_survivor_stays_readable_before_the_reset(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    put(s.d, "hello ", 6);
    put(s.d, "world", 5);
    close(s.d);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    assert_int_equal(readable_bytes(s.p), 11);
    assert_int_equal(read(s.p, buf, 4), 4);
    assert_int_equal(read(s.p, buf, sizeof(buf)), 7);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void a_reset_comes_after_data_that_was_delivered_and_read(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    put(s.d, "hello", 5);
    assert_int_equal(read(s.p, buf, sizeof(buf)), 5);
    close(s.d);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void a_reset_comes_after_the_closer_had_half_closed(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    put(s.d, "end", 3);
    assert_int_equal(shutdown(s.d, SHUT_WR), 0);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLRDHUP);
    assert_int_equal(read(s.p, buf, sizeof(buf)), 3);
    assert_int_equal(read(s.p, buf, sizeof(buf)), 0);
    put(s.p, "still open to write", 19);
    close(s.d);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void a_reset_comes_after_the_survivor_had_half_closed(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    assert_int_equal(shutdown(s.p, SHUT_WR), 0);
    assert_int_equal(poll_mask(s.p), POLLOUT);
    close(s.d);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void both_directions_shut_before_the_close_still_give_a_reset(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    assert_int_equal(shutdown(s.p, SHUT_WR), 0);
    assert_int_equal(shutdown(s.d, SHUT_WR), 0);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    close(s.d);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void a_killed_holder_of_unread_bytes_resets_the_peer(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    pid_t pid = fork();
    if (pid == 0) {
        close(s.p);
        pause();
        _exit(0);
    }
    close(s.d);
    assert_int_equal(poll_mask(s.p), POLLOUT); /* the child holds the other end now */
    kill(pid, SIGKILL);
    assert_int_equal(reap(pid), 128 + SIGKILL);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void a_blocked_reader_is_woken_by_the_reset(void **state unused)
{
    struct pair s = stream_pair();
    assert_int_equal(fcntl(s.p, F_SETFL, 0), 0);
    put(s.p, "x", 1);
    pid_t pid = fork();
    if (pid == 0) {
        close(s.p);
        usleep(20000);
        _exit(0);
    }
    close(s.d);
    assert_errno(read(s.p, buf, sizeof(buf)), ECONNRESET);
    assert_int_equal(reap(pid), 0);
    close(s.p);
}

static void the_last_of_several_holders_makes_the_reset(void **state unused)
{
    struct pair s = stream_pair();
    int copy = dup(s.d);
    put(s.p, "x", 1);
    close(s.d);
    assert_int_equal(poll_mask(s.p), POLLOUT);
    close(copy);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void write_after_a_reset_gives_epipe_and_leaves_the_error_for_read(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    close(s.d);
    assert_errno(send(s.p, "y", 1, MSG_NOSIGNAL), EPIPE);
    assert_errno(send(s.p, "y", 1, MSG_NOSIGNAL), EPIPE);
    expect_reset_once_then_eof(s.p);
    close(s.p);
}

static void so_error_takes_the_reset_away_from_read(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    close(s.d);
    assert_int_equal(get_int(s.p, SO_ERROR), ECONNRESET);
    assert_int_equal(get_int(s.p, SO_ERROR), 0);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    assert_int_equal(read(s.p, buf, sizeof(buf)), 0);
    close(s.p);
}

static void a_peek_by_the_survivor_takes_the_reset_as_well(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    close(s.d);
    assert_errno(recv(s.p, buf, 1, MSG_PEEK), ECONNRESET);
    assert_int_equal(read(s.p, buf, 1), 0);
    close(s.p);
}

static void shutdown_of_both_directions_with_unread_bytes_is_no_reset(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "x", 1);
    assert_int_equal(shutdown(s.d, SHUT_RDWR), 0);
    assert_int_equal(poll_mask(s.p), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    assert_int_equal(read(s.p, buf, 1), 0);
    assert_errno(send(s.p, "y", 1, MSG_NOSIGNAL), EPIPE);
    assert_int_equal(read(s.d, buf, 8), 1); /* what was queued stays readable */
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unread_bytes_at_close_give_the_peer_econnreset_once_then_eof),
        cmocka_unit_test(empty_queue_at_close_gives_the_peer_a_clean_eof),
        cmocka_unit_test(a_peeked_byte_counts_as_unread),
        cmocka_unit_test(data_queued_to_the_survivor_stays_readable_before_the_reset),
        cmocka_unit_test(a_reset_comes_after_data_that_was_delivered_and_read),
        cmocka_unit_test(a_reset_comes_after_the_closer_had_half_closed),
        cmocka_unit_test(a_reset_comes_after_the_survivor_had_half_closed),
        cmocka_unit_test(both_directions_shut_before_the_close_still_give_a_reset),
        cmocka_unit_test(a_killed_holder_of_unread_bytes_resets_the_peer),
        cmocka_unit_test(a_blocked_reader_is_woken_by_the_reset),
        cmocka_unit_test(the_last_of_several_holders_makes_the_reset),
        cmocka_unit_test(write_after_a_reset_gives_epipe_and_leaves_the_error_for_read),
        cmocka_unit_test(so_error_takes_the_reset_away_from_read),
        cmocka_unit_test(a_peek_by_the_survivor_takes_the_reset_as_well),
        cmocka_unit_test(shutdown_of_both_directions_with_unread_bytes_is_no_reset),
    };
    return cmocka_run_group_tests_name("reset_on_close", tests, NULL, NULL);
}
