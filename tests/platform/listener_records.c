/* SPDX-License-Identifier: MIT */
/*
 * A listener is a stream pair that carries fixed-size records, each with one descriptor. Shown: a
 * reader gets whole records whoever else reads, never two descriptors' records joined; SIOCOUTQ
 * counts queued records; what happens to a record's descriptor when its receiver has no slot, no
 * control buffer or only peeks; and how many descriptors may be in flight.
 */
#include "tests/platform/platform.h"
#include <grp.h>
#include <sys/resource.h>

#define RECORDS   3000
#define RECEIVERS 3

struct record {
    uint32_t number, check;
    char addresses[56];
};

static struct record make_record(uint32_t number)
{
    struct record r = {.number = number, .check = ~number};
    memset(r.addresses, (int)(number & 0x7f), sizeof(r.addresses));
    return r;
}

static bool whole(const struct record *r)
{
    struct record expected = make_record(r->number);
    return memcmp(r, &expected, sizeof(expected)) == 0;
}

/* Queues one record that carries a fresh descriptor, as an accepted connection would. */
static int queue_record(int via, uint32_t number)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct record r = make_record(number);
    int err = send_fds(via, &r, sizeof(r), &fd, 1);
    close(fd);
    return err;
}

static void receive_until_eof(int from, int report)
{
    struct record r;
    size_t count;
    ssize_t n;
    int fds[4], flags;
    while ((n = receive_fds(from, &r, sizeof(r), fds, 1, &count, &flags)) != 0) {
        child_check(n == (ssize_t)sizeof(r));
        child_check(count == 1 && !(flags & MSG_CTRUNC));
        child_check(whole(&r));
        close(fds[0]);
        child_check(write(report, &r.number, sizeof(r.number)) == sizeof(r.number));
    }
    _exit(0);
}

static void three_processes_receiving_at_once_tear_and_lose_no_record(void **state unused)
{
    struct pair s = stream_pair();
    int report[2];
    pid_t pids[RECEIVERS];
    static unsigned char seen[RECORDS];
    uint32_t number;
    unsigned total = 0;
    assert_int_equal(fcntl(s.p, F_SETFL, 0), 0);
    assert_int_equal(fcntl(s.d, F_SETFL, 0), 0);
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    assert_true(fcntl(report[1], F_SETPIPE_SZ, 1 << 16) > 0);
    for (int i = 0; i < RECEIVERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            close(s.d);
            close(report[0]);
            receive_until_eof(s.p, report[1]);
        }
    }
    close(report[1]);
    for (uint32_t i = 0; i < RECORDS; i++)
        assert_int_equal(queue_record(s.d, i), 0);
    assert_int_equal(shutdown(s.d, SHUT_WR), 0);
    while (read(report[0], &number, sizeof(number)) == sizeof(number)) {
        assert_true(number < RECORDS && !seen[number]);
        seen[number] = 1;
        total++;
    }
    assert_int_equal(total, RECORDS);
    for (int i = 0; i < RECEIVERS; i++)
        assert_int_equal(reap(pids[i]), 0);
    close(report[0]);
    close_pair(s);
}

static void a_large_read_never_joins_records_that_carry_descriptors(void **state unused)
{
    struct pair s = stream_pair();
    struct record r[4];
    int fds[8], flags;
    size_t count;
    assert_int_equal(queue_record(s.d, 1), 0);
    assert_int_equal(queue_record(s.d, 2), 0);
    assert_int_equal(receive_fds(s.p, r, sizeof(r), fds, 8, &count, &flags), sizeof(r[0]));
    assert_int_equal(count, 1);
    close(fds[0]);
    close_pair(s);
}

static void outq_steps_by_a_fixed_amount_per_queued_record(void **state unused)
{
    struct pair s = stream_pair();
    struct record r;
    int fds[4], flags, step;
    size_t count;
    assert_int_equal(queue_record(s.d, 0), 0);
    step = unconsumed(s.d);
    note("a record of %zu bytes with a descriptor: SIOCOUTQ steps by %d", sizeof(r), step);
    for (int i = 2; i <= 100; i++) {
        assert_int_equal(queue_record(s.d, (uint32_t)i), 0);
        assert_int_equal(unconsumed(s.d), i * step);
    }
    for (int i = 99; i >= 0; i--) {
        assert_int_equal(receive_fds(s.p, &r, sizeof(r), fds, 1, &count, &flags), sizeof(r));
        close(fds[0]);
        assert_int_equal(unconsumed(s.d), i * step);
    }
    close_pair(s);
}

static void outq_steps_for_several_record_sizes(void **state unused)
{
    static const size_t sizes[] = {16, 32, 48, 64, 96, 128, 160, 192, 256, 512};
    char bytes[512] = {0};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct pair s = stream_pair();
        int fd = s.p;
        assert_int_equal(send_fds(s.d, bytes, sizes[i], &fd, 1), 0);
        int one = unconsumed(s.d), n = 1;
        while (send_fds(s.d, bytes, sizes[i], &fd, 1) == 0)
            n++;
        note("record of %zu: step %d, %d fit with SO_SNDBUF reading %d", sizes[i], one, n,
             get_int(s.d, SO_SNDBUF));
        assert_int_equal(unconsumed(s.d), n * one);
        assert_true(one >= (int)sizes[i]);
        assert_int_equal(drain(s.p), sizes[i] * (size_t)n);
        close_pair(s);
    }
}

static void pollin_says_that_a_record_waits(void **state unused)
{
    struct pair s = stream_pair();
    struct record r;
    size_t count;
    int fds[1], flags;
    assert_false(poll_mask(s.p) & POLLIN);
    assert_int_equal(queue_record(s.d, 0), 0);
    assert_true(poll_mask(s.p) & POLLIN);
    assert_int_equal(receive_fds(s.p, &r, sizeof(r), fds, 1, &count, &flags), sizeof(r));
    assert_false(poll_mask(s.p) & POLLIN);
    assert_int_equal(receive_fds(s.p, &r, sizeof(r), fds, 1, &count, &flags), -EAGAIN);
    close(fds[0]);
    close_pair(s);
}

/* Receives one record in a child that has `spare` free descriptor slots. */
static void receive_at_the_limit(int from, int spare)
{
    struct record r;
    size_t count;
    int fds[4], flags, free_fd = dup(from);
    child_check(free_fd >= 0);
    close(free_fd); /* the lowest free slot */
    struct rlimit limit = {(rlim_t)(free_fd + spare), (rlim_t)(free_fd + spare)};
    child_check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    ssize_t n = receive_fds(from, &r, sizeof(r), fds, 1, &count, &flags);
    child_check(n == (ssize_t)sizeof(r) && whole(&r));
    child_check(count == (spare ? 1 : 0));
    child_check(!!(flags & MSG_CTRUNC) == !spare);
    _exit(0);
}

static void at_emfile_the_record_arrives_without_its_descriptor_and_with_ctrunc(void **state unused)
{
    for (int spare = 1; spare >= 0; spare--) {
        struct pair s = stream_pair(), connection = stream_pair();
        struct record r = make_record(7);
        char c;
        assert_int_equal(send_fds(s.d, &r, sizeof(r), &connection.p, 1), 0);
        close(connection.p);
        pid_t pid = fork();
        if (pid == 0)
            receive_at_the_limit(s.p, spare);
        assert_int_equal(reap(pid), 0);
        /* In both cases the connection is gone: read in vain, or closed by the child's exit. */
        assert_int_equal(read(connection.d, &c, 1), 0);
        close(connection.d);
        close_pair(s);
    }
}

static void at_emfile_the_kernel_closes_the_connection_at_once(void **state unused)
{
    struct pair s = stream_pair(), connection = stream_pair();
    struct record r = make_record(7);
    struct rlimit old, low;
    size_t count;
    int fds[1], flags;
    put(connection.p, "m", 1); /* the marker byte in the daemon's end */
    assert_int_equal(send_fds(s.d, &r, sizeof(r), &connection.p, 1), 0);
    close(connection.p);
    assert_int_equal(poll_mask(connection.d), POLLIN | POLLOUT);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = (struct rlimit){(rlim_t)connection.p, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    ssize_t n = receive_fds(s.p, &r, sizeof(r), fds, 1, &count, &flags);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(n, sizeof(r));
    assert_int_equal(count, 0);
    assert_true(flags & MSG_CTRUNC);
    assert_int_equal(poll_mask(connection.d), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    close(connection.d);
    close_pair(s);
}

static void a_plain_read_takes_the_record_and_closes_its_descriptor(void **state unused)
{
    struct pair s = stream_pair(), connection = stream_pair();
    struct record r = make_record(7);
    assert_int_equal(send_fds(s.d, &r, sizeof(r), &connection.p, 1), 0);
    close(connection.p);
    assert_int_equal(read(s.p, &r, sizeof(r)), sizeof(r));
    assert_true(poll_mask(connection.d) & POLLHUP);
    close(connection.d);
    close_pair(s);
}

static void a_partial_read_takes_the_descriptor_with_the_first_bytes(void **state unused)
{
    struct pair s = stream_pair();
    struct record r;
    size_t count;
    int fds[1], flags;
    assert_int_equal(queue_record(s.d, 7), 0);
    assert_int_equal(receive_fds(s.p, &r, 10, fds, 1, &count, &flags), 10);
    assert_int_equal(count, 1);
    close(fds[0]);
    assert_int_equal(receive_fds(s.p, &r, sizeof(r), fds, 1, &count, &flags), sizeof(r) - 10);
    assert_int_equal(count, 0);
    close_pair(s);
}

static void each_peek_with_room_installs_one_more_copy_of_the_descriptor(void **state unused)
{
    struct pair s = stream_pair();
    int first = -1, again = -1;
    assert_int_equal(queue_record(s.d, 7), 0);
    for (int i = 0; i < 2; i++) {
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct record r;
        struct iovec v = {&r, sizeof(r)};
        struct msghdr m = {.msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        assert_int_equal(recvmsg(s.p, &m, MSG_PEEK), sizeof(r));
        memcpy(i ? &again : &first, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
    }
    assert_true(first >= 0 && again >= 0 && first != again);
    close(first);
    close(again);
    close_pair(s);
}

static void a_closed_listener_closes_the_connections_queued_in_it(void **state unused)
{
    struct pair s = stream_pair(), connection = stream_pair();
    struct record r = make_record(7);
    put(connection.p, "m", 1);
    assert_int_equal(send_fds(s.d, &r, sizeof(r), &connection.p, 1), 0);
    close(connection.p);
    assert_int_equal(poll_mask(connection.d), POLLIN | POLLOUT);
    close(s.p);
    assert_int_equal(poll_mask(connection.d), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    assert_true(poll_mask(s.d) & POLLERR);
    assert_int_equal(get_int(s.d, SO_ERROR), ECONNRESET);
    close(connection.d);
    close(s.d);
}

/* Sends records as an ordinary user with a limit of `limit` descriptors until the kernel refuses.
 */
static void send_until_refused(int via, unsigned limit, int report)
{
    struct rlimit low = {limit, limit};
    unsigned sent = 0;
    int err;
    if (getuid() == 0)
        child_check(setgroups(0, NULL) == 0 && setresgid(64999, 64999, 64999) == 0 &&
                    setresuid(64999, 64999, 64999) == 0);
    child_check(setrlimit(RLIMIT_NOFILE, &low) == 0);
    while ((err = queue_record(via, sent)) == 0)
        sent++;
    child_check(write(report, &sent, sizeof(sent)) == sizeof(sent));
    _exit(err == -ETOOMANYREFS ? 42 : err == -EAGAIN ? 43 : 1);
}

static void descriptors_in_flight_per_user_are_bounded_by_rlimit_nofile(void **state unused)
{
    struct pair s = stream_pair();
    int report[2];
    unsigned sent = 0;
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        send_until_refused(s.d, 40, report[1]);
    assert_int_equal(read(report[0], &sent, sizeof(sent)), sizeof(sent));
    int status = reap(pid);
    note("with RLIMIT_NOFILE 40 an ordinary user's %u descriptors go in flight, then %s", sent,
         status == 42 ? "ETOOMANYREFS" : "EAGAIN");
    assert_int_equal(status, 42);
    assert_in_range(sent, 1, 41);
    close(report[0]);
    close(report[1]);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_processes_receiving_at_once_tear_and_lose_no_record),
        cmocka_unit_test(a_large_read_never_joins_records_that_carry_descriptors),
        cmocka_unit_test(outq_steps_by_a_fixed_amount_per_queued_record),
        cmocka_unit_test(outq_steps_for_several_record_sizes),
        cmocka_unit_test(pollin_says_that_a_record_waits),
        cmocka_unit_test(at_emfile_the_record_arrives_without_its_descriptor_and_with_ctrunc),
        cmocka_unit_test(at_emfile_the_kernel_closes_the_connection_at_once),
        cmocka_unit_test(a_plain_read_takes_the_record_and_closes_its_descriptor),
        cmocka_unit_test(a_partial_read_takes_the_descriptor_with_the_first_bytes),
        cmocka_unit_test(each_peek_with_room_installs_one_more_copy_of_the_descriptor),
        cmocka_unit_test(a_closed_listener_closes_the_connections_queued_in_it),
        cmocka_unit_test(descriptors_in_flight_per_user_are_bounded_by_rlimit_nofile),
    };
    return cmocka_run_group_tests_name("listener_records", tests, NULL, NULL);
}
