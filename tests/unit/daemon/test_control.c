/* SPDX-License-Identifier: MIT */
/* The control socket against clients that misbehave (hostile cases 33 to 35), and its long answers.
 */
#include "tests/unit/daemon/rig.h"

#include "daemon/stats.h"
#include "ipc/fdpass.h"
#include "ipc/name.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define unused __attribute__((unused))

static bool disconnected(int client)
{
    struct pollfd p = {.fd = client, .events = POLLIN};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/* The rest of the world still gets its answers. */
static void expect_alive(struct rig *r)
{
    assert_int_equal(rig_call(r, WIRE_OP_HELLO, 0, -1, NULL, 0, NULL), 0);
}

static void send_raw(struct rig *r, int client, const void *data, size_t len)
{
    assert_int_equal(send(client, data, len, MSG_DONTWAIT | MSG_NOSIGNAL), len);
    rig_run(r);
}

static void hostile_33_malformed_requests_end_the_connection(void **state)
{
    struct rig *r = *state;
    struct wire_header good = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .op = WIRE_OP_HELLO};
    struct wire_header bad[8];
    unsigned char large[WIRE_MAX + 100] = {0};

    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].magic++;
    bad[1].version++;
    bad[2].op = 999;
    bad[3].len = 1;
    bad[4].len = UINT32_MAX;
    bad[5].flags = 0x80;
    bad[6].flags = WIRE_REPLY;
    bad[7].error = 5;
    for (int i = 0; i < 8; i++) {
        int client = rig_connect(r);
        send_raw(r, client, &bad[i], sizeof(bad[i]));
        assert_true(disconnected(client));
        close(client);
    }
    for (size_t len = 1; len < sizeof(good); len += 5) {
        int client = rig_connect(r);
        send_raw(r, client, &good, len);
        assert_true(disconnected(client));
        close(client);
    }
    memcpy(large, &good, sizeof(good));
    int client = rig_connect(r);
    send_raw(r, client, large, sizeof(large));
    assert_true(disconnected(client));
    close(client);
    expect_alive(r);
}

static void hostile_33_options_that_lie_about_their_length_are_refused(void **state)
{
    struct rig *r = *state;
    struct wire_option o = {.level = SOL_SOCKET, .name = SO_KEEPALIVE, .len = 200};
    int fd = rig_socket(r), client = rig_connect(r);

    rig_send(r, client, WIRE_OP_SETSOCKOPT, 0, fd, &o, WIRE_OPTION_HEAD + 4);
    rig_run(r);
    assert_true(disconnected(client));
    close(client);
    expect_alive(r);
    close(fd);
}

static void
hostile_34_descriptors_where_none_belong_are_closed_and_the_sender_is_disconnected(void **state)
{
    struct rig *r = *state;
    int client = rig_connect(r), pipefd[2];
    char byte;

    assert_int_equal(pipe(pipefd), 0);
    rig_send(r, client, WIRE_OP_HELLO, 0, pipefd[1], NULL, 0);
    close(pipefd[1]);
    rig_run(r);
    assert_true(disconnected(client));
    assert_int_equal(read(pipefd[0], &byte, 1), 0); /* waits until the reaper has closed it */
    close(pipefd[0]);
    close(client);
    expect_alive(r);
}

static void hostile_34_a_request_without_its_descriptor_is_malformed(void **state)
{
    struct rig *r = *state;
    int client = rig_connect(r);

    rig_send(r, client, WIRE_OP_INFO, 0, -1, NULL, 0);
    rig_run(r);
    assert_true(disconnected(client));
    close(client);
    expect_alive(r);
}

static void hostile_34_a_flood_of_descriptors_is_closed_and_the_sender_is_disconnected(void **state)
{
    struct rig *r = *state;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDPASS_MAX * sizeof(int))] = {0};
    struct wire_header h = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .op = WIRE_OP_OUTQ};
    struct iovec iov = {&h, sizeof(h)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    int client = rig_connect(r), pipefd[2];
    char byte;

    assert_int_equal(pipe(pipefd), 0);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(FDPASS_MAX * sizeof(int));
    for (int i = 0; i < FDPASS_MAX; i++)
        memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &pipefd[1], sizeof(int));
    assert_int_equal(sendmsg(client, &msg, MSG_DONTWAIT), sizeof(h));
    close(pipefd[1]);
    rig_run(r);
    assert_true(disconnected(client));
    assert_int_equal(read(pipefd[0], &byte, 1), 0);
    close(pipefd[0]);
    close(client);
    expect_alive(r);
}

static void hostile_34_a_foreign_descriptor_is_closed_and_its_sender_is_disconnected(void **state)
{
    struct rig *r = *state;
    int foreign[2], client = rig_connect(r), pipefd[2];
    char byte;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, foreign), 0);
    rig_send(r, client, WIRE_OP_OUTQ, 0, foreign[0], NULL, 0);
    close(foreign[0]);
    rig_run(r);
    assert_true(disconnected(client));
    assert_int_equal(read(foreign[1], &byte, 1), 0);
    close(foreign[1]);
    close(client);
    client = rig_connect(r);
    assert_int_equal(pipe(pipefd), 0);
    rig_send(r, client, WIRE_OP_OUTQ, 0, pipefd[1], NULL, 0);
    close(pipefd[1]);
    rig_run(r);
    assert_true(disconnected(client));
    assert_int_equal(read(pipefd[0], &byte, 1), 0);
    close(pipefd[0]);
    close(client);
    expect_alive(r);
}

/* A TCP socket whose last close(2) waits for its peer, who does not read: 2 s of somebody's time.
 */
static int lingering_socket(int *listener, int *peer)
{
    static char block[1 << 20];
    struct linger two_seconds = {1, 2};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    *listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(*listener, 1), 0);
    assert_int_equal(getsockname(*listener, (struct sockaddr *)&a, &len), 0);
    (void)connect(fd, (struct sockaddr *)&a, sizeof(a));
    *peer = accept(*listener, NULL, NULL);
    assert_true(*peer >= 0);
    while (send(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
        ;
    /* O_NONBLOCK would spare the closer the wait. */
    assert_int_equal(fcntl(fd, F_SETFL, O_RDWR), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &two_seconds, sizeof(two_seconds)), 0);
    return fd;
}

static void hostile_34_a_descriptor_whose_release_blocks_blocks_only_the_reaper(void **state)
{
    struct rig *r = *state;

    if (getenv("TAPSTACK_TEST_VALGRIND")) /* one thread at a time */
        skip();
    int listener, peer, client = rig_connect(r);
    int fd = lingering_socket(&listener, &peer);
    struct timespec a, b;

    rig_send(r, client, WIRE_OP_OUTQ, 0, fd, NULL, 0);
    close(fd);
    clock_gettime(CLOCK_MONOTONIC, &a);
    rig_run(r);
    expect_alive(r);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 1000);
    assert_true(disconnected(client));
    close(client);
    close(peer);
    close(listener);
}

static void rights_on_a_pair(struct rig *r)
{
    int fds[2], pipefd[2];
    char byte = 0;

    rig_pair(r, fds);
    assert_int_equal(pipe(pipefd), 0);
    ssize_t n = fdpass_send(fds[0], "x", 1, pipefd[1], MSG_DONTWAIT);
    close(pipefd[1]);
    rig_run(r);
    assert_int_equal(write(fds[0], "y", 1), 1);
    rig_run(r);
    if (n == 1) {
        assert_int_equal(read(fds[1], &byte, 1), 1);
        assert_int_equal(byte, 'x');
    }
    assert_int_equal(read(fds[1], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(read(pipefd[0], &byte, 1), 0);
    close(pipefd[0]);
    close(fds[0]);
    close(fds[1]);
}

static void hostile_34_descriptors_on_a_data_pair_are_refused_or_closed(void **state)
{
    rights_on_a_pair(*state);
}

static void hostile_34_without_so_passrights_the_reaper_closes_them(void **state)
{
    struct rig *r = *state;

    r->streams.rights_refused = false; /* as on Linux before 6.16 */
    rights_on_a_pair(r);
}

static void
hostile_34_without_so_passrights_a_closed_connection_releases_nothing_itself(void **state)
{
    struct rig *r = *state;

    if (getenv("TAPSTACK_TEST_VALGRIND"))
        skip();
    int fd, listener, peer, lingering = lingering_socket(&listener, &peer);
    struct timespec a, b;
    char byte;

    r->streams.rights_refused = false;
    fd = rig_socket(r);
    assert_int_equal(fdpass_send(fd, "abc", 3, lingering, MSG_DONTWAIT), 3);
    assert_int_equal(fdpass_send(fd, "d", 1, lingering, MSG_DONTWAIT), 1);
    close(lingering);
    clock_gettime(CLOCK_MONOTONIC, &a);
    streams_abort(&r->streams);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 1000);
    /* Still a reset, once the reaper comes to it: it waits for the lingering socket first. */
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    close(peer);
    close(listener);
}

static void a_descriptor_of_a_dead_daemon_is_answered_not_punished(void **state)
{
    struct rig *r = *state, *before = rig_new(0);
    int fd = rig_socket(before);

    rig_free(before);
    struct wire_option o = {.level = SOL_SOCKET, .name = SO_ERROR, .len = sizeof(int)};
    assert_int_equal(rig_call(r, WIRE_OP_GETSOCKOPT, 0, fd, &o, WIRE_OPTION_HEAD, NULL), ESTALE);
    struct wire_addr to = rig_address(80);
    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, 0, fd, &to, sizeof(to), NULL), ESTALE);
    close(fd);
}

static void hostile_35_a_client_that_never_reads_is_disconnected(void **state)
{
    struct rig *r = *state;
    int client = rig_connect(r);
    struct wire_header h = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .op = WIRE_OP_HELLO};
    bool gone = false;

    for (int i = 0; i < 100000 && !gone; i++) {
        if (send(client, &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            gone = errno == EPIPE || errno == ECONNRESET;
            rig_run(r);
        }
    }
    assert_true(gone);
    close(client);
    expect_alive(r);
}

static void hostile_35_clients_of_one_user_are_bounded(void **state)
{
    struct rig *r = *state;
    int clients[40];

    r->policy.max_user_clients = 20; /* with the rig's own */
    for (int i = 0; i < 40; i++) {
        clients[i] = rig_connect(r);
        rig_run(r);
    }
    assert_false(disconnected(clients[18]));
    assert_true(disconnected(clients[20]));
    for (int i = 0; i < 40; i++)
        close(clients[i]);
    rig_run(r);
    int again = rig_connect(r);
    rig_run(r);
    assert_false(disconnected(again));
    close(again);
}

static void hostile_35_one_client_with_many_requests_does_not_hold_up_the_others(void **state)
{
    struct rig *r = *state;
    int flood = rig_connect(r), polite = rig_connect(r);
    struct rig_reply reply;

    for (int i = 0; i < 3 * CONTROL_TURN; i++)
        rig_send(r, flood, WIRE_OP_HELLO, 0, -1, NULL, 0);
    rig_send(r, polite, WIRE_OP_HELLO, 0, -1, NULL, 0);
    poller_run(&r->poller); /* accepts both */
    poller_run(&r->poller); /* one turn each */
    rig_receive(polite, &reply);
    assert_int_equal(reply.error, 0);
    close(flood);
    close(polite);
}

static int binds(uid_t uid, uint16_t port)
{
    struct policy_owner o = {.uid = uid};
    struct wire_addr a = {.port = port};

    return policy_bind(&o, &a);
}

static void ports_below_1024_are_for_root(void **state unused)
{
    assert_int_equal(binds(0, 80), 0);
    assert_int_equal(binds(1000, 80), -EACCES);
    assert_int_equal(binds(1000, 1023), -EACCES);
    assert_int_equal(binds(1000, 1024), 0);
    assert_int_equal(binds(1000, 0), 0);
}

/* --- long answers ------------------------------------------------------------------------------
 */

/* Collect all replies of a long answer; returns how many, -1 if it did not end. */
static int collect(struct rig *r, int client, void (*each)(const struct rig_reply *, void *),
                   void *ctx)
{
    struct rig_reply reply;
    int n = 0;

    for (int idle = 0; idle < 3;) {
        rig_receive(client, &reply);
        if (reply.error < 0) {
            idle++;
            rig_run(r);
            continue;
        }
        idle = 0;
        n += reply.header.len > 0;
        if (each && reply.header.len)
            each(&reply, ctx);
        if (!(reply.header.flags & WIRE_MORE))
            return n;
    }
    return -1;
}

static void count_listeners(const struct rig_reply *reply, void *ctx)
{
    struct wire_info info;

    assert_int_equal(reply->header.len, sizeof(info));
    memcpy(&info, reply->body, sizeof(info));
    if (info.state != 10)
        return;
    ++*(int *)ctx;
    assert_int_equal(info.uid, getuid());
    assert_int_equal(info.pid, getpid());
    assert_string_equal(info.state_name, "LISTEN");
}

static void list_describes_every_connection_even_to_a_slow_reader(void **state)
{
    enum { N = 300 };
    struct rig *r = *state;
    int fds[N], listeners = 0, client = rig_connect(r);

    for (int i = 0; i < N; i++)
        fds[i] = rig_listener(r, (uint16_t)(6000 + i), 1);
    rig_send(r, client, WIRE_OP_LIST, 0, -1, NULL, 0);
    rig_send(r, client, WIRE_OP_HELLO, 0, -1, NULL, 0); /* waits for its turn */
    rig_run(r);
    assert_int_equal(collect(r, client, count_listeners, &listeners), N);
    assert_int_equal(listeners, N);
    rig_run(r);
    struct rig_reply reply;
    rig_receive(client, &reply);
    assert_int_equal(reply.header.op, WIRE_OP_HELLO);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    close(client);
}

static void list_of_nothing_is_one_empty_reply(void **state)
{
    struct rig *r = *state;
    struct rig_reply reply;

    assert_int_equal(rig_call(r, WIRE_OP_LIST, 0, -1, NULL, 0, &reply), 0);
    assert_int_equal(reply.header.len, 0);
    assert_false(reply.header.flags & WIRE_MORE);
}

static void check_counter(const struct rig_reply *reply, void *ctx)
{
    struct wire_counter c;

    memcpy(&c, reply->body, sizeof(c));
    assert_true(c.name[0] && c.help[0]);
    if (!strcmp(c.name, "control_requests"))
        *(uint64_t *)ctx = c.value;
}

static void stats_name_and_explain_every_counter(void **state)
{
    struct rig *r = *state;
    uint64_t requests = 0;

    rig_send(r, r->client, WIRE_OP_STATS, 0, -1, NULL, 0);
    rig_run(r);
    assert_true(collect(r, r->client, check_counter, &requests) > (int)CNT_COUNT + (int)STAT_COUNT);
    assert_true(requests > 0);
}

static void stalled_long_answers_make_room_for_new_ones(void **state)
{
    struct rig *r = *state;
    int stalled[4], client;
    enum { N = 1000 };
    int *fds = calloc(N, sizeof(*fds));

    for (int i = 0; i < N; i++)
        fds[i] = rig_listener(r, (uint16_t)(10000 + i), 1);
    for (int i = 0; i < 4; i++) {
        stalled[i] = rig_connect(r);
        rig_send(r, stalled[i], WIRE_OP_LIST, 0, -1, NULL, 0);
    }
    rig_run(r);
    rig_sleep(r, 5000000);
    client = rig_connect(r);
    rig_send(r, client, WIRE_OP_LIST, 0, -1, NULL, 0);
    rig_run(r);
    assert_int_equal(collect(r, client, NULL, NULL), N);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    for (int i = 0; i < 4; i++)
        close(stalled[i]);
    close(client);
    free(fds);
}

static void info_tells_the_state_and_linux_tcp_info(void **state)
{
    struct rig *r = *state;
    struct rig_reply reply;
    struct wire_info info;
    int fds[2];

    rig_pair(r, fds);
    assert_int_equal(rig_call(r, WIRE_OP_INFO, 0, fds[0], NULL, 0, &reply), 0);
    memcpy(&info, reply.body, sizeof(info));
    assert_int_equal(info.state, 1);
    assert_string_equal(info.state_name, "ESTAB");
    assert_int_equal(info.uid, getuid());
    assert_int_equal(info.tcp_info_len, sizeof(struct sock_tcp_info));
    assert_int_equal(info.tcp_info[0], 1);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(hostile_33_malformed_requests_end_the_connection),
        RIG_TEST(hostile_33_options_that_lie_about_their_length_are_refused),
        RIG_TEST(
            hostile_34_descriptors_where_none_belong_are_closed_and_the_sender_is_disconnected),
        RIG_TEST(hostile_34_a_request_without_its_descriptor_is_malformed),
        RIG_TEST(hostile_34_a_flood_of_descriptors_is_closed_and_the_sender_is_disconnected),
        RIG_TEST(hostile_34_a_foreign_descriptor_is_closed_and_its_sender_is_disconnected),
        RIG_TEST(hostile_34_a_descriptor_whose_release_blocks_blocks_only_the_reaper),
        RIG_TEST(hostile_34_descriptors_on_a_data_pair_are_refused_or_closed),
        RIG_TEST(hostile_34_without_so_passrights_the_reaper_closes_them),
        RIG_TEST(hostile_34_without_so_passrights_a_closed_connection_releases_nothing_itself),
        RIG_TEST(a_descriptor_of_a_dead_daemon_is_answered_not_punished),
        RIG_TEST(hostile_35_a_client_that_never_reads_is_disconnected),
        RIG_TEST(hostile_35_clients_of_one_user_are_bounded),
        RIG_TEST(hostile_35_one_client_with_many_requests_does_not_hold_up_the_others),
        cmocka_unit_test(ports_below_1024_are_for_root),
        RIG_TEST(list_describes_every_connection_even_to_a_slow_reader),
        RIG_TEST(list_of_nothing_is_one_empty_reply),
        RIG_TEST(stats_name_and_explain_every_counter),
        RIG_TEST(stalled_long_answers_make_room_for_new_ones),
        RIG_TEST(info_tells_the_state_and_linux_tcp_info),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
