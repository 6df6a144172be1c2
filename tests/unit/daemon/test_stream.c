/* SPDX-License-Identifier: MIT */
/* Descriptor ⇄ sock: what a program sees of a connection through its plain descriptor. */
#include "tests/unit/daemon/rig.h"

#include "daemon/stats.h"
#include "ipc/name.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define unused __attribute__((unused))

static int poll_mask(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

    assert_true(poll(&p, 1, 0) >= 0);
    return p.revents;
}

static void expect_text(int fd, const char *text)
{
    char got[64] = "";

    assert_int_equal(read(fd, got, sizeof(got)), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

/* --- birth -------------------------------------------------------------------------------------
 */

static void a_socket_is_marked_as_ours(void **state)
{
    int fd = rig_socket(*state);

    assert_int_equal(name_kind_of(fd), NAME_SOCKET);
    close(fd);
}

static void the_daemons_end_always_has_an_unread_byte_so_its_death_is_a_reset(void **state)
{
    struct rig *r = rig_new(0);
    int fresh = rig_socket(r), fds[2];

    (void)state;
    rig_pair(r, fds);
    assert_int_equal(write(fds[0], "x", 1), 1);
    rig_run(r);
    expect_text(fds[1], "x");
    rig_free(r); /* as if killed: no byte is read any more */
    rig_expect_reset(fresh);
    rig_expect_reset(fds[0]);
    rig_expect_reset(fds[1]);
    close(fresh);
    close(fds[0]);
    close(fds[1]);
}

static void wrong_families_types_and_protocols_are_refused(void **state)
{
    struct wire_socket unix_domain = {AF_UNIX, SOCK_STREAM, 0}, udp = {AF_INET, SOCK_DGRAM, 0},
                       sctp = {AF_INET, SOCK_STREAM, 132};

    assert_int_equal(rig_call(*state, WIRE_OP_SOCKET, 0, -1, &unix_domain, sizeof(udp), NULL),
                     EAFNOSUPPORT);
    assert_int_equal(rig_call(*state, WIRE_OP_SOCKET, 0, -1, &udp, sizeof(udp), NULL),
                     ESOCKTNOSUPPORT);
    assert_int_equal(rig_call(*state, WIRE_OP_SOCKET, 0, -1, &sctp, sizeof(udp), NULL),
                     EPROTONOSUPPORT);
}

static void half_of_all_sockets_are_one_users_quota(void **state unused)
{
    struct rig *r = rig_new(8);
    struct wire_socket body = {AF_INET, SOCK_STREAM, 0};
    int fds[4];

    for (int i = 0; i < 4; i++)
        fds[i] = rig_socket(r);
    assert_int_equal(rig_call(r, WIRE_OP_SOCKET, 0, -1, &body, sizeof(body), NULL), EMFILE);
    close(fds[0]);
    rig_run(r);
    fds[0] = rig_socket(r); /* given back */
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    rig_free(r);
}

/* --- connecting --------------------------------------------------------------------------------
 */

static void a_connect_that_waits_is_answered_when_it_has_ended(void **state)
{
    struct rig *r = *state;
    struct wire_addr to = rig_address(81), nobody = rig_address(82);
    int l = rig_listener(r, 81, 4), ok = rig_socket(r), refused = rig_socket(r);

    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, ok, &to, sizeof(to), NULL), 0);
    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, ok, &to, sizeof(to), NULL), EISCONN);
    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, refused, &nobody, sizeof(to), NULL),
                     ECONNREFUSED);
    assert_int_equal(rig_so_error(r, refused), 0); /* told already */
    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, refused, &to, sizeof(to), NULL),
                     ESTALE);
    close(l);
    close(ok);
    close(refused);
}

static void a_connecting_descriptor_is_not_writable_until_it_is_connected(void **state)
{
    struct rig *r = *state;
    struct wire_addr to = rig_address(83);
    int l = rig_listener(r, 83, 4), fd = rig_socket(r), a;
    struct ip_endpoint e;
    struct stream *s;
    uint64_t cookie;
    socklen_t len = sizeof(cookie);

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
    s = stream_find(&r->streams, cookie);
    assert_non_null(s);
    stream_from_wire(&to, &e);
    assert_int_equal(stream_connect(s, fd, &e, NULL), -EINPROGRESS);
    assert_int_equal(poll_mask(fd), 0);
    rig_run(r);
    assert_int_equal(poll_mask(fd), POLLOUT);
    assert_int_equal(rig_so_error(r, fd), 0);
    assert_int_equal(write(fd, "hello", 5), 5);
    rig_run(r);
    a = rig_accept(l, NULL);
    expect_text(a, "hello"); /* and not one byte of the filling */
    assert_int_equal(read(a, &cookie, 1), -1);
    close(a);
    close(l);
    close(fd);
}

/* By another thread, while a connect that waits does. */
static void what_is_written_while_connecting_is_sent_when_connected(void **state)
{
    struct rig *r = *state;
    struct wire_addr to = rig_address(84);
    int l = rig_listener(r, 84, 4), fd = rig_socket(r), a;
    struct ip_endpoint e;
    uint64_t cookie;
    socklen_t len = sizeof(cookie);

    rig_run(r); /* the edge of its first byte is over */
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
    stream_from_wire(&to, &e);
    assert_int_equal(stream_connect(stream_find(&r->streams, cookie), fd, &e, NULL), -EINPROGRESS);
    assert_int_equal(write(fd, "early", 5), 5);
    rig_run(r);
    a = rig_accept(l, NULL);
    expect_text(a, "early");
    close(a);
    close(l);
    close(fd);
}

static void a_refused_connect_is_an_error_event_and_so_error_tells_which(void **state)
{
    struct rig *r = *state;
    struct wire_addr nobody = rig_address(84);
    int fd = rig_socket(r);

    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, 0, fd, &nobody, sizeof(nobody), NULL),
                     EINPROGRESS);
    rig_run(r);
    assert_true(poll_mask(fd) & POLLERR);
    assert_true(poll_mask(fd) & POLLHUP);
    assert_int_equal(rig_so_error(r, fd), ECONNREFUSED);
    assert_int_equal(rig_so_error(r, fd), 0); /* taken */
    rig_expect_reset(fd);
    close(fd);
}

/* Its socket is kept for another try, which may never come. */
static void a_refused_connect_leaves_nothing_after_a_minute(void **state)
{
    struct rig *r = *state;
    struct wire_addr nobody = rig_address(84);
    struct stack_usage usage;
    int fd = rig_socket(r);

    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, 0, fd, &nobody, sizeof(nobody), NULL),
                     EINPROGRESS);
    rig_run(r);
    close(fd);
    rig_sleep(r, TOMBSTONE_US / 2);
    assert_true(tombstones_expire(&r->streams.tombs, r->now) > r->now);
    stack_usage(r->stack, &usage);
    assert_int_equal(usage.connections, 1);
    rig_sleep(r, TOMBSTONE_US / 2);
    assert_true(tombstones_expire(&r->streams.tombs, r->now) == UINT64_MAX);
    stack_usage(r->stack, &usage);
    assert_int_equal(usage.connections, 0);
}

static void a_program_that_closes_while_connecting_leaves_nothing(void **state)
{
    struct rig *r = *state;
    struct wire_addr to = rig_address(85);
    int fd = rig_socket(r);

    to.addr[15] = 99; /* a neighbour that never answers */
    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, 0, fd, &to, sizeof(to), NULL), EINPROGRESS);
    assert_int_equal(r->streams.count, 1);
    close(fd);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void a_client_that_dies_while_it_waits_for_a_connect_is_forgotten(void **state)
{
    struct rig *r = *state;
    struct wire_addr to = rig_address(86);
    int fd = rig_socket(r), client = rig_connect(r);

    to.addr[15] = 99;
    rig_send(r, client, WIRE_OP_CONNECT, WIRE_WAIT, fd, &to, sizeof(to));
    rig_run(r);
    close(client);
    rig_run(r);
    rig_sleep(r, 10000000); /* the connect fails, and there is nobody to tell */
    rig_expect_reset(fd);
    assert_int_equal(rig_so_error(r, fd), EHOSTUNREACH);
    close(fd);
}

static void names_tell_both_addresses_without_a_round_trip(void **state)
{
    struct rig *r = *state;
    struct wire_addr to = rig_address(87), local, remote;
    struct wire_accept record;
    int l = rig_listener(r, 87, 4), fd = rig_socket(r), a;

    assert_int_equal(name_addresses(fd, &local, &remote), 0);
    assert_int_equal(local.port, 0);
    assert_int_equal(name_kind_of(l), NAME_LISTENER);
    assert_int_equal(name_addresses(l, &local, &remote), 0);
    assert_memory_equal(&local, &to, sizeof(to));
    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, fd, &to, sizeof(to), NULL), 0);
    assert_int_equal(name_addresses(fd, &local, &remote), 1);
    assert_memory_equal(&remote, &to, sizeof(to));
    a = rig_accept(l, &record);
    assert_memory_equal(&record.remote, &local, sizeof(local));
    assert_memory_equal(&record.local, &to, sizeof(to));
    assert_int_equal(name_addresses(a, &local, &remote), 1);
    assert_memory_equal(&local, &to, sizeof(to));
    assert_memory_equal(&remote, &record.remote, sizeof(remote));
    close(a);
    close(l);
    close(fd);
}

/* --- data --------------------------------------------------------------------------------------
 */

/* Write all of data to `from`, read it at `to`, in pieces of the sizes given; compare. */
static void transfer(struct rig *r, int from, int to, size_t total, size_t piece, size_t bite)
{
    unsigned char *sent = malloc(total), *got = malloc(total);
    size_t out = 0, in = 0;
    int idle = 0;

    for (size_t i = 0; i < total; i++)
        sent[i] = (unsigned char)(rand() >> 7);
    while (in < total && idle < 50) {
        ssize_t n =
            out < total ? write(from, sent + out, total - out < piece ? total - out : piece) : 0;
        out += n > 0 ? (size_t)n : 0;
        ssize_t m = read(to, got + in, total - in < bite ? total - in : bite);
        in += m > 0 ? (size_t)m : 0;
        idle = n > 0 || m > 0 ? 0 : idle + 1;
        if (n <= 0 || m <= 0)
            rig_run(r);
    }
    assert_int_equal(in, total);
    assert_memory_equal(sent, got, total);
    free(sent);
    free(got);
}

static void bytes_arrive_in_order_whatever_the_sizes_of_the_writes(void **state)
{
    static const size_t sizes[] = {1, 2, 17, 1460, 4095, 4096, 4097, 65536, 300000};
    int fds[2];

    rig_pair(*state, fds);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t total = sizes[i] < 100 ? 3000 : 1500000;
        transfer(*state, fds[0], fds[1], total, sizes[i], 65536);
        transfer(*state, fds[1], fds[0], total, 65536, sizes[i] < 100 ? 100 : sizes[i]);
    }
    close(fds[0]);
    close(fds[1]);
}

static void one_byte_at_a_time_with_an_answer_each_is_never_late(void **state)
{
    int fds[2];

    rig_pair(*state, fds);
    for (int i = 0; i < 200; i++) {
        char c = (char)i, got = 0;
        assert_int_equal(write(fds[0], &c, 1), 1);
        rig_run(*state);
        assert_int_equal(read(fds[1], &got, 1), 1);
        assert_int_equal(got, c);
    }
    assert_true(poll_mask(fds[0]) & POLLOUT); /* what stays queued does not shut the writer out */
    close(fds[0]);
    close(fds[1]);
}

static void a_reader_that_never_reads_stops_its_sender(void **state)
{
    static char block[65536];
    size_t total = 0;
    int fds[2];

    rig_pair(*state, fds);
    for (int i = 0; i < 200; i++) {
        ssize_t n;
        while ((n = write(fds[0], block, sizeof(block))) > 0)
            total += (size_t)n;
        rig_run(*state);
    }
    assert_true(total < 40 * 1024 * 1024);
    assert_int_equal(write(fds[0], block, 1), -1);
    assert_int_equal(errno, EAGAIN);
    close(fds[0]);
    close(fds[1]);
}

static void outq_counts_what_was_written_and_not_acknowledged(void **state)
{
    struct rig_reply reply;
    struct wire_outq q;
    int fds[2];

    rig_pair(*state, fds);
    assert_int_equal(rig_call(*state, WIRE_OP_OUTQ, 0, fds[0], NULL, 0, &reply), 0);
    memcpy(&q, reply.body, sizeof(q));
    assert_int_equal(q.unacked, 0);
    close(fds[0]);
    close(fds[1]);
}

static void marked_bytes_arrive_with_the_others_in_order(void **state)
{
    struct wire_mark more = {.count = 3, .flags = MSG_MORE}, back = {.count = -2};
    int fds[2];

    rig_pair(*state, fds);
    assert_int_equal(write(fds[0], "ab", 2), 2);
    assert_int_equal(rig_call(*state, WIRE_OP_SEND_MARK, 0, fds[0], &more, sizeof(more), NULL), 0);
    assert_int_equal(write(fds[0], "cde", 3), 3);
    assert_int_equal(rig_call(*state, WIRE_OP_SEND_MARK, 0, fds[0], &more, sizeof(more), NULL), 0);
    assert_int_equal(write(fds[0], "f", 1), 1);
    assert_int_equal(rig_call(*state, WIRE_OP_SEND_MARK, 0, fds[0], &back, sizeof(back), NULL), 0);
    assert_int_equal(write(fds[0], "gh", 2), 2);
    rig_run(*state);
    expect_text(fds[1], "abcdefgh");
    close(fds[0]);
    close(fds[1]);
}

static void ranges_of_marks_are_bounded(void **state)
{
    struct wire_mark more = {.count = 1, .flags = MSG_MORE};
    int fds[2];

    rig_pair(*state, fds);
    for (int i = 0; i < STREAM_MARKS; i++)
        assert_int_equal(rig_call(*state, WIRE_OP_SEND_MARK, 0, fds[0], &more, sizeof(more), NULL),
                         0);
    assert_int_equal(rig_call(*state, WIRE_OP_SEND_MARK, 0, fds[0], &more, sizeof(more), NULL),
                     EAGAIN);
    close(fds[0]);
    close(fds[1]);
}

/* --- ends --------------------------------------------------------------------------------------
 */

static void shutdown_of_writing_is_an_end_of_file_and_the_other_direction_lives(void **state)
{
    int fds[2];

    rig_pair(*state, fds);
    assert_int_equal(write(fds[0], "last words", 10), 10);
    assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
    rig_run(*state);
    expect_text(fds[1], "last words");
    rig_expect_eof(fds[1]);
    assert_int_equal(write(fds[1], "answer", 6), 6);
    rig_run(*state);
    expect_text(fds[0], "answer");
    close(fds[1]);
    rig_run(*state);
    rig_expect_eof(fds[0]);
    close(fds[0]);
}

static void close_delivers_everything_and_then_an_end_of_file(void **state)
{
    struct rig *r = *state;
    int fds[2];

    rig_pair(r, fds);
    assert_int_equal(write(fds[0], "goodbye", 7), 7);
    close(fds[0]);
    rig_run(r);
    expect_text(fds[1], "goodbye");
    rig_expect_eof(fds[1]);
    close(fds[1]);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void close_with_unread_bytes_is_a_reset_at_the_peer(void **state)
{
    struct rig *r = *state;
    int fds[2];

    rig_pair(r, fds);
    assert_int_equal(write(fds[0], "unread", 6), 6);
    rig_run(r);
    close(fds[1]);
    rig_run(r);
    rig_expect_reset(fds[0]);
    assert_int_equal(rig_so_error(r, fds[0]), ECONNRESET);
    close(fds[0]);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

/* A server's request: read, answered and closed before we look. */
static void what_is_read_answered_and_closed_at_once_ends_in_order(void **state)
{
    struct rig *r = *state;
    uint64_t segments;
    int fds[2];

    rig_pair(r, fds);
    assert_int_equal(write(fds[0], "question", 8), 8);
    rig_run(r);
    expect_text(fds[1], "question");
    assert_int_equal(write(fds[1], "answer", 6), 6);
    segments = stack_counters(r->stack)->v[CNT_tcp_out];
    close(fds[1]);
    rig_run(r);
    expect_text(fds[0], "answer");
    rig_expect_eof(fds[0]);
    assert_int_equal(stack_counters(r->stack)->v[CNT_tcp_out_rst], 0);
    /* the FIN went with the answer: one, its ACK */
    assert_int_equal(stack_counters(r->stack)->v[CNT_tcp_out] - segments, 2);
    close(fds[0]);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void what_came_before_a_reset_is_still_read(void **state)
{
    int fds[2];

    rig_pair(*state, fds);
    assert_int_equal(write(fds[1], "unread", 6), 6);
    assert_int_equal(write(fds[0], "before", 6), 6);
    rig_run(*state);
    close(fds[0]); /* with "unread" in its pair */
    rig_run(*state);
    expect_text(fds[1], "before");
    rig_expect_reset(fds[1]);
    close(fds[1]);
}

static void shutdown_of_reading_discards_what_comes_later(void **state)
{
    static char block[65536];
    size_t total = 0;
    int fds[2];

    rig_pair(*state, fds);
    assert_int_equal(shutdown(fds[1], SHUT_RD), 0);
    for (int i = 0; i < 100; i++) {
        ssize_t n;
        while ((n = write(fds[0], block, sizeof(block))) > 0)
            total += (size_t)n;
        rig_run(*state);
    }
    assert_true(total > 8 * 1024 * 1024); /* the sender does not get stuck */
    assert_int_equal(write(fds[1], "still talking", 13), 13);
    rig_run(*state);
    expect_text(fds[0], "still talking");
    close(fds[0]);
    close(fds[1]);
}

static void a_stopping_daemon_ends_connections_in_order(void **state)
{
    struct rig *r = *state;
    struct stack_usage usage;
    int fds[2];

    rig_pair(r, fds);
    assert_int_equal(write(fds[0], "goodbye", 7), 7);
    rig_run(r);
    expect_text(fds[1], "goodbye");
    streams_stop(&r->streams);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
    rig_expect_reset(fds[0]); /* its connection did not end by its peer's will */
    rig_expect_reset(fds[1]);
    stack_shutdown(r->stack, r->now);
    rig_sleep(r, 3000000);
    stack_usage(r->stack, &usage);
    assert_int_equal(usage.connections, 0);
    close(fds[0]);
    close(fds[1]);
}

/* --- listeners ---------------------------------------------------------------------------------
 */

static int connect_to(struct rig *r, uint16_t port)
{
    struct wire_addr to = rig_address(port);
    int fd = rig_socket(r);

    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, fd, &to, sizeof(to), NULL), 0);
    return fd;
}

static void a_closed_listener_resets_connections_that_nobody_accepted(void **state)
{
    struct rig *r = *state;
    int l = rig_listener(r, 90, 8), accepted, c[2];

    c[0] = connect_to(r, 90);
    accepted = rig_accept(l, NULL);
    assert_true(accepted >= 0);
    c[1] = connect_to(r, 90);
    close(l);
    rig_run(r);
    rig_expect_reset(c[1]);
    assert_int_equal(write(accepted, "alive", 5), 5);
    rig_run(r);
    expect_text(c[0], "alive");
    close(accepted);
    close(c[0]);
    close(c[1]);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void a_listener_that_was_closed_in_order_was_emptied(void **state)
{
    struct rig *r = *state;
    int l = rig_listener(r, 94, 8), c[2], a[2];

    for (int i = 0; i < 2; i++)
        c[i] = connect_to(r, 94);
    for (int i = 0; i < 2; i++)
        a[i] = rig_accept(l, NULL);
    close(l); /* before the daemon has seen that the records were received */
    rig_run(r);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        rig_run(r);
        rig_expect_eof(c[i]);
        close(c[i]);
    }
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void an_accepted_connection_that_closes_at_once_ends_in_order(void **state)
{
    struct rig *r = *state;
    int l = rig_listener(r, 91, 8), c = connect_to(r, 91), a = rig_accept(l, NULL);

    close(a); /* before the daemon has seen that the record was received */
    rig_run(r);
    rig_expect_eof(c);
    close(c);
    close(l);
}

static void bytes_are_there_before_accept(void **state)
{
    struct rig *r = *state;
    int l = rig_listener(r, 92, 8), c = connect_to(r, 92), a;

    assert_int_equal(write(c, "early", 5), 5);
    rig_run(r);
    a = rig_accept(l, NULL);
    expect_text(a, "early");
    close(a);
    close(c);
    close(l);
}

static void a_connection_reset_before_accept_is_accepted_and_says_so(void **state)
{
    struct rig *r = *state;
    struct wire_option o = {.level = SOL_SOCKET, .name = SO_LINGER, .len = 8};
    struct linger now = {1, 0};
    int l = rig_listener(r, 93, 8), c = connect_to(r, 93), a;

    memcpy(o.value, &now, sizeof(now));
    assert_int_equal(rig_call(r, WIRE_OP_SETSOCKOPT, 0, c, &o, WIRE_OPTION_HEAD + 8, NULL), 0);
    close(c);
    rig_run(r);
    a = rig_accept(l, NULL);
    assert_true(a >= 0);
    rig_expect_reset(a);
    close(a);
    close(l);
}

static void many_connections_wait_to_be_accepted_and_none_is_lost(void **state)
{
    enum { N = 100 };
    struct rig *r = *state;
    int l = rig_listener(r, 94, N + 1), c[N];

    for (int i = 0; i < N; i++) {
        c[i] = connect_to(r, 94);
        assert_int_equal(write(c[i], &i, sizeof(i)), sizeof(i));
    }
    for (int i = 0; i < N; i++) {
        int got = -1, a = rig_accept(l, NULL);
        assert_true(a >= 0);
        rig_run(r);
        assert_int_equal(read(a, &got, sizeof(got)), sizeof(got));
        assert_int_equal(got, i);
        close(a);
    }
    assert_int_equal(rig_accept(l, NULL), -1);
    close(l);
    for (int i = 0; i < N; i++)
        close(c[i]);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void connections_without_a_quota_wait_in_the_core(void **state unused)
{
    struct rig *r = rig_new(12); /* six are the user's */
    int l = rig_listener(r, 95, 8), c[3], a[3];

    for (int i = 0; i < 3; i++) /* with the listener: four; two are left for the accepting side */
        c[i] = connect_to(r, 95);
    for (int i = 0; i < 2; i++) {
        a[i] = rig_accept(l, NULL);
        assert_true(a[i] >= 0);
    }
    assert_int_equal(rig_accept(l, NULL), -1);
    close(a[0]);
    rig_run(r);
    a[2] = rig_accept(l, NULL);
    assert_true(a[2] >= 0);
    for (int i = 0; i < 3; i++)
        close(c[i]);
    close(a[1]);
    close(a[2]);
    close(l);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_socket_is_marked_as_ours),
        cmocka_unit_test(the_daemons_end_always_has_an_unread_byte_so_its_death_is_a_reset),
        RIG_TEST(wrong_families_types_and_protocols_are_refused),
        cmocka_unit_test(half_of_all_sockets_are_one_users_quota),
        RIG_TEST(a_connect_that_waits_is_answered_when_it_has_ended),
        RIG_TEST(a_connecting_descriptor_is_not_writable_until_it_is_connected),
        RIG_TEST(what_is_written_while_connecting_is_sent_when_connected),
        RIG_TEST(a_refused_connect_is_an_error_event_and_so_error_tells_which),
        RIG_TEST(a_refused_connect_leaves_nothing_after_a_minute),
        RIG_TEST(a_program_that_closes_while_connecting_leaves_nothing),
        RIG_TEST(a_client_that_dies_while_it_waits_for_a_connect_is_forgotten),
        RIG_TEST(names_tell_both_addresses_without_a_round_trip),
        RIG_TEST(bytes_arrive_in_order_whatever_the_sizes_of_the_writes),
        RIG_TEST(one_byte_at_a_time_with_an_answer_each_is_never_late),
        RIG_TEST(a_reader_that_never_reads_stops_its_sender),
        RIG_TEST(outq_counts_what_was_written_and_not_acknowledged),
        RIG_TEST(marked_bytes_arrive_with_the_others_in_order),
        RIG_TEST(ranges_of_marks_are_bounded),
        RIG_TEST(shutdown_of_writing_is_an_end_of_file_and_the_other_direction_lives),
        RIG_TEST(close_delivers_everything_and_then_an_end_of_file),
        RIG_TEST(close_with_unread_bytes_is_a_reset_at_the_peer),
        RIG_TEST(what_is_read_answered_and_closed_at_once_ends_in_order),
        RIG_TEST(a_listener_that_was_closed_in_order_was_emptied),
        RIG_TEST(what_came_before_a_reset_is_still_read),
        RIG_TEST(shutdown_of_reading_discards_what_comes_later),
        RIG_TEST(a_stopping_daemon_ends_connections_in_order),
        RIG_TEST(a_closed_listener_resets_connections_that_nobody_accepted),
        RIG_TEST(an_accepted_connection_that_closes_at_once_ends_in_order),
        RIG_TEST(bytes_are_there_before_accept),
        RIG_TEST(a_connection_reset_before_accept_is_accepted_and_says_so),
        RIG_TEST(many_connections_wait_to_be_accepted_and_none_is_lost),
        cmocka_unit_test(connections_without_a_quota_wait_in_the_core),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
