/* SPDX-License-Identifier: MIT */
/* Descriptors whose release blocks hold up those of the same user, and nobody else's. */
#include "daemon/reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define unused   __attribute__((unused))
#define PATIENCE 30000 /* ms for what must come, also on a busy machine */

static int listener = -1, peer = -1;

/* A TCP socket whose last close(2) waits for its peer, who does not read: a minute, or until we
 * close that. */
static int lingering_socket(void)
{
    static char block[1 << 20];
    struct linger a_minute = {1, 60};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    (void)connect(fd, (struct sockaddr *)&a, sizeof(a));
    peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    while (send(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(fcntl(fd, F_SETFL, O_RDWR), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &a_minute, sizeof(a_minute)), 0);
    return fd;
}

/* Was the other end of this pipe closed within so many milliseconds? */
static bool closed_within(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1 && (p.revents & POLLHUP);
}

/* close(2) takes the number away first, and then waits. */
static void wait_until_it_closes(int fd)
{
    struct timespec t = {0, 1000000};

    while (fcntl(fd, F_GETFD) >= 0)
        nanosleep(&t, NULL);
}

static void a_user_whose_descriptor_blocks_holds_up_only_his_own(void **state unused)
{
    struct reaper *r;
    int own[2], other[2], lingering;

    if (getenv("TAPSTACK_TEST_VALGRIND")) /* one thread at a time */
        skip();
    assert_int_equal(reaper_new(&r), 0);
    assert_int_equal(pipe(own), 0);
    assert_int_equal(pipe(other), 0);
    lingering = lingering_socket();
    reaper_close(r, lingering, 7);
    wait_until_it_closes(lingering);
    reaper_close(r, own[1], 7);
    reaper_close(r, other[1], 8);
    assert_true(closed_within(other[0], PATIENCE));
    assert_false(closed_within(own[0], 100));
    assert_int_equal(reaper_waiting_of(r, 7), 2);
    assert_int_equal(reaper_waiting_of(r, 8), 0);
    assert_int_equal(reaper_waiting(r), 2);
    close(peer);
    close(listener);
    assert_true(closed_within(own[0], PATIENCE)); /* then comes his next one */
    reaper_free(r);
    close(own[0]);
    close(other[0]);
}

static void what_does_not_block_is_closed_whoever_brought_it(void **state unused)
{
    struct reaper *r;
    int pipes[400][2];

    assert_int_equal(reaper_new(&r), 0);
    for (int i = 0; i < 400; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        reaper_close(r, pipes[i][1], (uid_t)(i % 3));
    }
    for (int i = 0; i < 400; i++) {
        assert_true(closed_within(pipes[i][0], PATIENCE));
        close(pipes[i][0]);
    }
    reaper_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_whose_descriptor_blocks_holds_up_only_his_own),
        cmocka_unit_test(what_does_not_block_is_closed_whoever_brought_it),
    };
    return cmocka_run_group_tests_name("reaper", tests, NULL, NULL);
}
