/* SPDX-License-Identifier: MIT */
/* A SYN that comes when its listener's program has closed it, before the daemon has seen that. */
#include "tests/unit/daemon/rig.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 90

/* A peer's connect, of which the daemon's poller and streams hear nothing: 0 or its error. */
static int connects(struct rig *r)
{
    struct ip_endpoint to = {.port = PORT};
    struct sock *s;
    int rc;

    assert_int_equal(ip_addr_parse(RIG_ADDRESS, &to.addr), 0);
    assert_int_equal(sock_create(r->stack, false, &s), 0);
    assert_int_equal(sock_connect(s, &to, r->now), -EINPROGRESS);
    for (int i = 0; i < 4; i++)
        stack_run(r->stack, r->now);
    rc = sock_connect(s, &to, r->now);
    sock_abort(s, r->now);
    stack_run(r->stack, r->now);
    return rc;
}

static void a_syn_after_the_close_is_refused(void **state)
{
    struct rig *r = *state;
    int l = rig_listener(r, PORT, 8);

    assert_int_equal(connects(r), 0);
    close(l);
    assert_int_equal(connects(r), -ECONNREFUSED);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void so_it_is_when_the_listener_was_not_emptied(void **state)
{
    struct rig *r = *state;
    int l = rig_listener(r, PORT, 8), c = rig_socket(r);
    struct wire_addr to = rig_address(PORT);

    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, c, &to, sizeof(to), NULL), 0);
    close(l);
    assert_int_equal(connects(r), -ECONNREFUSED);
    rig_run(r);
    rig_expect_reset(c);
    close(c);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void shut(void **state, int how, int result)
{
    struct rig *r = *state;
    int l = rig_listener(r, PORT, 8);

    assert_int_equal(shutdown(l, how), 0);
    assert_int_equal(connects(r), result);
    close(l);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void so_it_is_after_a_shutdown(void **state)
{
    shut(state, SHUT_RD, -ECONNREFUSED);
    shut(state, SHUT_RDWR, -ECONNREFUSED);
}

static void a_shutdown_of_writing_alone_ends_no_listener(void **state)
{
    shut(state, SHUT_WR, 0);
}

static int reuseport_listener(struct rig *r)
{
    struct wire_option o = {.level = SOL_SOCKET, .name = SO_REUSEPORT, .len = 4, .value = {1}};
    struct wire_addr at = rig_address(PORT);
    struct wire_listen backlog = {64};
    int fd = rig_socket(r);

    assert_int_equal(rig_call(r, WIRE_OP_SETSOCKOPT, 0, fd, &o, WIRE_OPTION_HEAD + 4, NULL), 0);
    assert_int_equal(rig_call(r, WIRE_OP_BIND, 0, fd, &at, sizeof(at), NULL), 0);
    assert_int_equal(rig_call(r, WIRE_OP_LISTEN, 0, fd, &backlog, sizeof(backlog), NULL), 0);
    return fd;
}

static void of_a_group_the_others_have_its_share(void **state)
{
    struct rig *r = *state;
    int gone = reuseport_listener(r), stays = reuseport_listener(r);

    close(gone);
    for (int i = 0; i < 16; i++)
        assert_int_equal(connects(r), 0);
    close(stays);
    assert_int_equal(connects(r), -ECONNREFUSED);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_syn_after_the_close_is_refused),
        RIG_TEST(so_it_is_when_the_listener_was_not_emptied),
        RIG_TEST(so_it_is_after_a_shutdown),
        RIG_TEST(a_shutdown_of_writing_alone_ends_no_listener),
        RIG_TEST(of_a_group_the_others_have_its_share),
    };
    return cmocka_run_group_tests_name("stream_listen", tests, NULL, NULL);
}
