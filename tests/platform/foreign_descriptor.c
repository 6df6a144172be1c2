/* SPDX-License-Identifier: MIT */
/*
 * Foreign descriptors are poison. A TCP socket of the kernel's, with SO_LINGER and data that its
 * peer does not take, blocks for the linger time whoever releases its last reference: by close, by
 * a receive that had no room for it, by closing the queue it waits in. A helper thread can take the
 * blow. One message carries at most 253 descriptors. All traffic stays on the loopback interface.
 */
#include "tests/platform/platform.h"
#include <netinet/in.h>
#include <pthread.h>

#define LINGER_S   1
#define SCM_MAX_FD 253
#define BLOCKED_US (LINGER_S * 900000)
#define QUICK_US   300000

/* A connected TCP socket that blocks on release; *peer is the receiver that does not read. */
static int poisoned_socket(int *peer)
{
    static char bytes[1 << 16];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
    socklen_t len = sizeof(in);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_int(listener, SO_RCVBUF, 4096);
    set_int(fd, SO_SNDBUF, 65536);
    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    *peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(*peer >= 0);
    close(listener);
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    return fd;
}

/* Four ways to release such a socket wait for the same second, each in a thread of its own. */
enum way { BY_CLOSE, BY_NONBLOCKING_CLOSE, BY_READ, BY_QUEUE, WAYS };

static struct victim {
    enum way way;
    int fd, peer;
    struct pair s;
    uint64_t took;
    pthread_t thread;
} victims[WAYS];

static void *release_it(void *arg)
{
    struct victim *v = arg;
    char c;
    uint64_t start = now_us();
    if (v->way == BY_READ)
        (void)!read(v->s.d, &c, 1); /* no control buffer */
    else
        close(v->way == BY_QUEUE ? v->s.d : v->fd);
    v->took = now_us() - start;
    return NULL;
}

static int start_victims(void **state unused)
{
    for (int i = 0; i < WAYS; i++) {
        struct victim *v = &victims[i];
        v->way = (enum way)i;
        v->fd = poisoned_socket(&v->peer);
        v->s = stream_pair();
        if (v->way == BY_NONBLOCKING_CLOSE)
            assert_int_equal(fcntl(v->fd, F_SETFL, O_NONBLOCK), 0);
        if (v->way < BY_READ)
            continue;
        assert_int_equal(send_fds(v->s.p, "x", 1, &v->fd, 1), 0);
        close(v->fd); /* not the last reference any more */
    }
    for (int i = 0; i < WAYS; i++)
        assert_int_equal(pthread_create(&victims[i].thread, NULL, release_it, &victims[i]), 0);
    return 0;
}

static void expect_blocked(enum way way)
{
    struct victim *v = &victims[way];
    assert_int_equal(pthread_join(v->thread, NULL), 0);
    note("with a linger time of %d s it took %u us", LINGER_S, (unsigned)v->took);
    assert_true(v->took >= BLOCKED_US);
    close(v->peer);
    close(v->s.p);
    if (way != BY_QUEUE)
        close(v->s.d);
}

static void closing_a_lingering_foreign_socket_blocks_the_closer(void **state unused)
{
    expect_blocked(BY_CLOSE);
}

static void o_nonblock_does_not_spare_the_closer(void **state unused)
{
    expect_blocked(BY_NONBLOCKING_CLOSE);
}

static void a_read_that_has_no_room_for_it_blocks_the_reader(void **state unused)
{
    expect_blocked(BY_READ);
}

static void closing_an_end_that_has_it_queued_blocks_the_closer(void **state unused)
{
    expect_blocked(BY_QUEUE);
}

static void *close_it(void *arg)
{
    close(*(int *)arg);
    return NULL;
}

static void a_helper_thread_takes_the_blow(void **state unused)
{
    struct pair s = stream_pair();
    int peer, fd = poisoned_socket(&peer), got, flags;
    size_t count;
    char c;
    pthread_t reaper;
    assert_int_equal(send_fds(s.p, "x", 1, &fd, 1), 0);
    close(fd);
    uint64_t start = now_us();
    assert_int_equal(receive_fds(s.d, &c, 1, &got, 1, &count, &flags), 1);
    assert_int_equal(count, 1);
    assert_int_equal(pthread_create(&reaper, NULL, close_it, &got), 0);
    usleep(20000); /* the thread is in close by now */
    for (int i = 0; i < 100; i++) {
        struct pair t = stream_pair(); /* the table of descriptors is not locked meanwhile */
        close_pair(t);
    }
    uint64_t took = now_us() - start;
    note("receiving it and going on took %u us, of which 20000 were sleep", (unsigned)took);
    assert_true(took < QUICK_US);
    assert_int_equal(pthread_join(reaper, NULL), 0);
    assert_true(now_us() - start >= BLOCKED_US);
    close(peer);
    close_pair(s);
}

static void one_message_carries_253_descriptors_and_no_more(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    int fds[256], got[256], flags;
    size_t count;
    char c;
    for (int i = 0; i < 256; i++)
        fds[i] = s.p;
    assert_int_equal(send_fds(s.p, "x", 1, fds, SCM_MAX_FD + 1), -EINVAL);
    assert_int_equal(send_fds(s.p, "x", 1, fds, SCM_MAX_FD), 0);
    assert_int_equal(receive_fds(s.d, &c, 1, got, SCM_MAX_FD, &count, &flags), 1);
    assert_int_equal(count, SCM_MAX_FD);
    assert_false(flags & MSG_CTRUNC);
    for (size_t i = 0; i < count; i++)
        close(got[i]);
    close_pair(s);
}

static void descriptors_beyond_the_room_are_dropped_and_ctrunc_tells(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    int fds[5] = {s.p, s.p, s.p, s.p, s.p}, got[8], flags;
    size_t count;
    char c;
    assert_int_equal(send_fds(s.p, "x", 1, fds, 5), 0);
    assert_int_equal(receive_fds(s.d, &c, 1, got, 3, &count, &flags), 1);
    assert_int_equal(count, 3);
    assert_true(flags & MSG_CTRUNC);
    for (size_t i = 0; i < count; i++)
        close(got[i]);
    close_pair(s);
}

static void room_for_one_by_cmsg_space_receives_two(void **state unused)
{
    /* The padding is used as well: CMSG_LEN, not CMSG_SPACE, says what is meant. */
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    int fds[2] = {s.p, s.p}, got[2];
    char c;
    struct iovec v = {&c, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    assert_int_equal(send_fds(s.p, "x", 1, fds, 2), 0);
    assert_int_equal(recvmsg(s.d, &m, MSG_CMSG_CLOEXEC), 1);
    assert_false(m.msg_flags & MSG_CTRUNC);
    assert_int_equal(CMSG_FIRSTHDR(&m)->cmsg_len, CMSG_LEN(2 * sizeof(int)));
    memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
    close(got[0]);
    close(got[1]);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_a_lingering_foreign_socket_blocks_the_closer),
        cmocka_unit_test(o_nonblock_does_not_spare_the_closer),
        cmocka_unit_test(a_read_that_has_no_room_for_it_blocks_the_reader),
        cmocka_unit_test(closing_an_end_that_has_it_queued_blocks_the_closer),
        cmocka_unit_test(a_helper_thread_takes_the_blow),
        cmocka_unit_test(one_message_carries_253_descriptors_and_no_more),
        cmocka_unit_test(descriptors_beyond_the_room_are_dropped_and_ctrunc_tells),
        cmocka_unit_test(room_for_one_by_cmsg_space_receives_two),
    };
    return cmocka_run_group_tests_name("foreign_descriptor", tests, start_victims, NULL);
}
