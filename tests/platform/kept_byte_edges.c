/* SPDX-License-Identifier: MIT */
/*
 * An end whose newest byte always stays unread is always readable, so it is watched edge-triggered:
 * each arrival is an edge of its own although the queue never gets empty, and nothing but an
 * arrival, a shutdown, a close or freed send space makes one. A nested epoll instance carries the
 * edges of many ends to one level-triggered watcher.
 */
#include "tests/platform/platform.h"
#include <sys/epoll.h>

#define ALL_EDGES (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define IN_EDGES  (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET)
#define NO_EVENT  (-1)

static char buf[1 << 16];

static int watch(int fd, uint32_t events)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = events, .data.fd = fd};
    assert_true(ep >= 0);
    assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
    return ep;
}

/* The mask of the next event, or NO_EVENT. */
static int edge(int ep)
{
    struct epoll_event e[4];
    int n = epoll_wait(ep, e, 4, 0);
    assert_true(n == 0 || n == 1);
    return n ? (int)e[0].events : NO_EVENT;
}

/* A pair whose end d holds one kept byte, watched; its first edge is already taken. */
static struct pair kept_pair(uint32_t events, int *ep)
{
    struct pair s = stream_pair();
    put(s.p, "m", 1);
    *ep = watch(s.d, events);
    assert_true(edge(*ep) & EPOLLIN);
    assert_int_equal(edge(*ep), NO_EVENT);
    return s;
}

static void all_but_the_newest_byte_can_be_read_and_it_can_be_peeked(void **state unused)
{
    struct pair s = stream_pair();
    put(s.p, "m", 1);
    put(s.p, "abc", 3);
    put(s.p, "defg", 4);
    assert_int_equal(readable_bytes(s.d), 8);
    assert_int_equal(recv(s.d, buf, 7, 0), 7);
    assert_memory_equal(buf, "mabcdef", 7);
    assert_int_equal(recv(s.d, buf, sizeof(buf), MSG_PEEK), 1);
    assert_int_equal(buf[0], 'g');
    put(s.p, "hi", 2);
    assert_int_equal(readable_bytes(s.d), 3);
    assert_int_equal(recv(s.d, buf, 2, 0), 2);
    assert_memory_equal(buf, "gh", 2);
    assert_int_equal(readable_bytes(s.d), 1);
    close_pair(s);
}

static void each_arrival_is_an_edge_although_the_queue_never_gets_empty(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    for (int i = 0; i < 100; i++) {
        put(s.p, "n", 1);
        assert_int_equal(edge(ep), EPOLLIN);
        assert_int_equal(edge(ep), NO_EVENT);
        if (i % 2) { /* read all but one, or leave them all: the same */
            int n = readable_bytes(s.d);
            assert_int_equal(recv(s.d, buf, (size_t)n - 1, 0), n - 1);
            assert_int_equal(edge(ep), NO_EVENT);
        }
    }
    close(ep);
    close_pair(s);
}

static void arrivals_before_the_wait_are_one_event(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    put(s.p, "n", 1);
    put(s.p, "n", 1);
    assert_int_equal(edge(ep), EPOLLIN);
    assert_int_equal(edge(ep), NO_EVENT);
    close(ep);
    close_pair(s);
}

static void an_arrival_while_an_edge_is_handled_is_a_new_edge(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    put(s.p, "n", 1);
    assert_int_equal(edge(ep), EPOLLIN);
    assert_int_equal(recv(s.d, buf, 1, 0), 1);
    put(s.p, "n", 1);
    assert_int_equal(edge(ep), EPOLLIN);
    close(ep);
    close_pair(s);
}

static void an_empty_write_is_no_edge(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    put(s.p, "", 0);
    assert_int_equal(edge(ep), NO_EVENT);
    close(ep);
    close_pair(s);
}

static void a_nested_epoll_is_readable_until_its_edges_are_collected(void **state unused)
{
    int inner;
    struct pair s = kept_pair(IN_EDGES, &inner);
    int outer = watch(inner, EPOLLIN); /* level-triggered, as libuv watches */
    assert_int_equal(edge(outer), NO_EVENT);
    put(s.p, "n", 1);
    assert_int_equal(edge(outer), EPOLLIN);
    assert_int_equal(edge(outer), EPOLLIN);
    assert_int_equal(poll_mask(inner), POLLIN);
    assert_int_equal(edge(inner), EPOLLIN);
    assert_int_equal(edge(outer), NO_EVENT); /* although bytes are still unread */
    assert_int_equal(poll_mask(inner), 0);
    put(s.p, "n", 1);
    assert_int_equal(edge(outer), EPOLLIN);
    close(outer);
    close(inner);
    close_pair(s);
}

static void a_nested_epoll_with_more_edges_than_were_asked_for_stays_readable(void **state unused)
{
    int inner = epoll_create1(EPOLL_CLOEXEC);
    struct pair s[8];
    struct epoll_event e[8];
    for (int i = 0; i < 8; i++) {
        struct epoll_event add = {.events = IN_EDGES, .data.fd = i};
        s[i] = stream_pair();
        put(s[i].p, "m", 1);
        assert_int_equal(epoll_ctl(inner, EPOLL_CTL_ADD, s[i].d, &add), 0);
    }
    int outer = watch(inner, EPOLLIN);
    assert_int_equal(epoll_wait(inner, e, 5, 0), 5);
    assert_int_equal(edge(outer), EPOLLIN);
    assert_int_equal(epoll_wait(inner, e, 5, 0), 3);
    assert_int_equal(edge(outer), NO_EVENT);
    close(outer);
    close(inner);
    for (int i = 0; i < 8; i++)
        close_pair(s[i]);
}

static void peer_shutdown_of_writing_is_an_edge_with_rdhup(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    assert_int_equal(shutdown(s.p, SHUT_WR), 0);
    assert_int_equal(edge(ep), EPOLLIN | EPOLLRDHUP);
    assert_int_equal(edge(ep), NO_EVENT);
    assert_int_equal(readable_bytes(s.d), 1); /* the kept byte is still there */
    close(ep);
    close_pair(s);
}

static void
peer_shutdown_of_reading_is_an_edge_that_only_an_empty_send_explains(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    assert_int_equal(send(s.d, "", 0, MSG_NOSIGNAL), 0);
    assert_int_equal(shutdown(s.p, SHUT_RD), 0);
    assert_int_equal(edge(ep), EPOLLIN); /* no bit of its own */
    assert_int_equal(edge(ep), NO_EVENT);
    assert_int_equal(poll_mask(s.d), POLLIN | POLLOUT);
    assert_errno(send(s.d, "", 0, MSG_NOSIGNAL), EPIPE);
    assert_errno(send(s.d, "x", 1, MSG_NOSIGNAL), EPIPE);
    put(s.p, "the other direction lives", 25);
    assert_int_equal(edge(ep), EPOLLIN);
    close(ep);
    close_pair(s);
}

static void peer_shutdown_of_both_is_an_edge_with_hup(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    assert_int_equal(shutdown(s.p, SHUT_RDWR), 0);
    assert_int_equal(edge(ep), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    assert_int_equal(edge(ep), NO_EVENT);
    close(ep);
    close_pair(s);
}

static void peer_close_with_all_read_is_an_edge_with_hup_and_no_error(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    put(s.d, "data", 4);
    assert_int_equal(read(s.p, buf, sizeof(buf)), 4);
    close(s.p);
    assert_int_equal(edge(ep), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    assert_int_equal(edge(ep), NO_EVENT);
    assert_int_equal(get_int(s.d, SO_ERROR), 0);
    assert_int_equal(read(s.d, buf, sizeof(buf)), 1);
    assert_int_equal(read(s.d, buf, sizeof(buf)), 0);
    close(ep);
    close(s.d);
}

static void peer_close_with_unread_bytes_is_an_edge_with_err_and_econnreset(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    put(s.d, "data", 4);
    assert_int_equal(read(s.p, buf, 3), 3);
    put(s.p, "last words", 10);
    close(s.p);
    assert_int_equal(edge(ep), EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    assert_int_equal(edge(ep), NO_EVENT);
    assert_int_equal(read(s.d, buf, sizeof(buf)), 11); /* what it wrote comes first */
    assert_int_equal(get_int(s.d, SO_ERROR), ECONNRESET);
    assert_int_equal(read(s.d, buf, sizeof(buf)), 0);
    close(ep);
    close(s.d);
}

static void so_error_tells_an_abort_before_what_it_wrote_is_read(void **state unused)
{
    struct pair s = stream_pair();
    put(s.d, "unread", 6);
    put(s.p, "request", 7);
    close(s.p);
    assert_int_equal(get_int(s.d, SO_ERROR), ECONNRESET);
    assert_int_equal(read(s.d, buf, sizeof(buf)), 7);
    assert_int_equal(read(s.d, buf, sizeof(buf)), 0);
    close(s.d);
}

static void without_epollout_a_reading_peer_makes_no_edge(void **state unused)
{
    int ep;
    struct pair s = kept_pair(IN_EDGES, &ep);
    put(s.d, "data", 4);
    assert_int_equal(read(s.p, buf, sizeof(buf)), 4);
    assert_int_equal(edge(ep), NO_EVENT);
    close(ep);
    close_pair(s);
}

static void with_epollout_each_freed_message_is_an_edge_far_from_a_full_buffer(void **state unused)
{
    int ep;
    struct pair s = kept_pair(ALL_EDGES, &ep);
    for (int i = 0; i < 5; i++)
        put(s.d, buf, 100);
    assert_int_equal(edge(ep), NO_EVENT);
    for (int i = 0; i < 5; i++) {
        int before = unconsumed(s.d);
        assert_int_equal(read(s.p, buf, 60), 60);
        assert_int_equal(edge(ep), NO_EVENT); /* part of a message frees nothing */
        assert_int_equal(unconsumed(s.d), before);
        assert_int_equal(read(s.p, buf, 40), 40);
        assert_int_equal(edge(ep), EPOLLIN | EPOLLOUT);
        assert_true(unconsumed(s.d) < before);
    }
    assert_int_equal(unconsumed(s.d), 0);
    assert_int_equal(edge(ep), NO_EVENT);
    close(ep);
    close_pair(s);
}

static void in_a_full_buffer_edges_begin_when_a_quarter_of_sndbuf_is_reached(void **state unused)
{
    int ep, freed = 0, first = 0;
    struct pair s = kept_pair(ALL_EDGES, &ep);
    while (send(s.d, buf, 4096, MSG_NOSIGNAL) == 4096)
        ;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(edge(ep), NO_EVENT);
    int sndbuf = get_int(s.d, SO_SNDBUF), full = unconsumed(s.d);
    while (recv(s.p, buf, 4096, 0) == 4096) {
        freed++;
        if (edge(ep) != NO_EVENT && !first) {
            first = freed;
            note("SO_SNDBUF reads %d, full at %d, first EPOLLOUT edge with %d queued", sndbuf, full,
                 unconsumed(s.d));
            assert_true(unconsumed(s.d) * 4 <= sndbuf);
        } else if (!first) {
            assert_true(unconsumed(s.d) * 4 > sndbuf);
        }
    }
    assert_true(first > 0);
    close(ep);
    close_pair(s);
}

static void outq_read_after_the_epollout_edge_tells_what_was_consumed(void **state unused)
{
    int ep;
    struct pair s = kept_pair(ALL_EDGES, &ep);
    put(s.d, buf, 1000);
    put(s.d, buf, 20000);
    int both = unconsumed(s.d);
    pid_t pid = fork();
    if (pid == 0) {
        child_check(recv(s.p, buf, 1000, 0) == 1000);
        _exit(0);
    }
    struct epoll_event e;
    assert_int_equal(epoll_wait(ep, &e, 1, 2000), 1);
    assert_true(e.events & EPOLLOUT);
    int one = unconsumed(s.d);
    assert_true(one >= 20000 && one <= both - 1000);
    assert_int_equal(reap(pid), 0);
    assert_int_equal(recv(s.p, buf, sizeof(buf), 0), 20000);
    assert_int_equal(edge(ep), EPOLLIN | EPOLLOUT);
    assert_int_equal(unconsumed(s.d), 0);
    close(ep);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_but_the_newest_byte_can_be_read_and_it_can_be_peeked),
        cmocka_unit_test(each_arrival_is_an_edge_although_the_queue_never_gets_empty),
        cmocka_unit_test(arrivals_before_the_wait_are_one_event),
        cmocka_unit_test(an_arrival_while_an_edge_is_handled_is_a_new_edge),
        cmocka_unit_test(an_empty_write_is_no_edge),
        cmocka_unit_test(a_nested_epoll_is_readable_until_its_edges_are_collected),
        cmocka_unit_test(a_nested_epoll_with_more_edges_than_were_asked_for_stays_readable),
        cmocka_unit_test(peer_shutdown_of_writing_is_an_edge_with_rdhup),
        cmocka_unit_test(peer_shutdown_of_reading_is_an_edge_that_only_an_empty_send_explains),
        cmocka_unit_test(peer_shutdown_of_both_is_an_edge_with_hup),
        cmocka_unit_test(peer_close_with_all_read_is_an_edge_with_hup_and_no_error),
        cmocka_unit_test(peer_close_with_unread_bytes_is_an_edge_with_err_and_econnreset),
        cmocka_unit_test(so_error_tells_an_abort_before_what_it_wrote_is_read),
        cmocka_unit_test(without_epollout_a_reading_peer_makes_no_edge),
        cmocka_unit_test(with_epollout_each_freed_message_is_an_edge_far_from_a_full_buffer),
        cmocka_unit_test(in_a_full_buffer_edges_begin_when_a_quarter_of_sndbuf_is_reached),
        cmocka_unit_test(outq_read_after_the_epollout_edge_tells_what_was_consumed),
    };
    return cmocka_run_group_tests_name("kept_byte_edges", tests, NULL, NULL);
}
