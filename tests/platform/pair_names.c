/* SPDX-License-Identifier: MIT */
/*
 * Both ends of a connected pair can be bound to abstract names that spell addresses. getsockname
 * and getpeername then give them to any holder, without a round trip, and go on doing so after the
 * other end's holder died. Abstract names are unique within a network namespace, so they carry a
 * serial.
 */
#include "tests/platform/platform.h"

struct name {
    struct sockaddr_un un;
    socklen_t len;
};

static struct name spell(const char *text, int serial)
{
    struct name n = {.un.sun_family = AF_UNIX};
    int len = snprintf(n.un.sun_path + 1, sizeof(n.un.sun_path) - 1, "platform/%d/%d/%s", getpid(),
                       serial, text);
    n.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    return n;
}

static int name_end(int fd, struct name n)
{
    return bind(fd, (struct sockaddr *)&n.un, n.len) ? -errno : 0;
}

static bool is_named(int fd, struct name n, bool peer)
{
    struct name got = {0};
    got.len = sizeof(got.un);
    int r = peer ? getpeername(fd, (struct sockaddr *)&got.un, &got.len)
                 : getsockname(fd, (struct sockaddr *)&got.un, &got.len);
    return r == 0 && got.len == n.len && memcmp(&got.un, &n.un, n.len) == 0;
}

static struct pair named_pair(struct name *local, struct name *remote)
{
    static int serial;
    struct pair s = stream_pair();
    *local = spell("10.0.0.1:1000", ++serial);
    *remote = spell("[fe80::1]:80", serial);
    assert_int_equal(name_end(s.p, *local), 0);
    assert_int_equal(name_end(s.d, *remote), 0);
    return s;
}

static void both_ends_of_a_connected_pair_can_be_named(void **state unused)
{
    struct name local, remote;
    struct pair s = named_pair(&local, &remote);
    assert_true(is_named(s.p, local, false));
    assert_true(is_named(s.p, remote, true));
    assert_true(is_named(s.d, remote, false));
    assert_true(is_named(s.d, local, true));
    put(s.p, "still connected", 15);
    assert_int_equal(readable_bytes(s.d), 15);
    close_pair(s);
}

static void an_unnamed_end_has_a_family_and_no_more(void **state unused)
{
    struct pair s = stream_pair();
    struct sockaddr_un un;
    socklen_t len = sizeof(un);
    assert_int_equal(getsockname(s.p, (struct sockaddr *)&un, &len), 0);
    assert_int_equal(len, sizeof(sa_family_t));
    assert_int_equal(un.sun_family, AF_UNIX);
    close_pair(s);
}

static void names_are_the_same_from_a_process_that_was_passed_the_descriptor(void **state unused)
{
    struct name local, remote;
    struct pair control = stream_pair();
    pid_t pid = fork();
    if (pid == 0) { /* forked before the pair exists: it holds nothing but what it receives */
        struct name expected[2];
        size_t count;
        int fd, flags;
        close(control.d);
        fcntl(control.p, F_SETFL, 0);
        child_check(receive_fds(control.p, expected, sizeof(expected), &fd, 1, &count, &flags) ==
                    sizeof(expected));
        child_check(count == 1);
        child_check(is_named(fd, expected[0], false) && is_named(fd, expected[1], true));
        _exit(0);
    }
    struct pair s = named_pair(&local, &remote);
    struct name both[2] = {local, remote};
    assert_int_equal(send_fds(control.d, both, sizeof(both), &s.p, 1), 0);
    assert_int_equal(reap(pid), 0);
    close_pair(s);
    close_pair(control);
}

static void names_stay_after_the_holder_of_the_other_end_was_killed(void **state unused)
{
    struct name local, remote;
    struct pair s = named_pair(&local, &remote);
    put(s.p, "m", 1);
    pid_t pid = fork();
    if (pid == 0) {
        close(s.p);
        pause();
        _exit(0);
    }
    close(s.d);
    kill(pid, SIGKILL);
    assert_int_equal(reap(pid), 128 + SIGKILL);
    assert_true(poll_mask(s.p) & POLLHUP);
    assert_true(is_named(s.p, local, false));
    assert_true(is_named(s.p, remote, true));
    assert_int_equal(get_int(s.p, SO_ERROR), ECONNRESET);
    assert_true(is_named(s.p, remote, true));
    close(s.p);
}

static void names_stay_after_shutdown(void **state unused)
{
    struct name local, remote;
    struct pair s = named_pair(&local, &remote);
    assert_int_equal(shutdown(s.d, SHUT_RDWR), 0);
    assert_true(is_named(s.p, remote, true) && is_named(s.p, local, false));
    close_pair(s);
}

static void a_name_cannot_be_changed(void **state unused)
{
    struct name local, remote;
    struct pair s = named_pair(&local, &remote);
    assert_int_equal(name_end(s.p, spell("another", 0)), -EINVAL);
    assert_true(is_named(s.p, local, false));
    close_pair(s);
}

static void a_name_in_use_is_refused_and_free_again_when_its_end_is_closed(void **state unused)
{
    struct name local, remote;
    struct pair s = named_pair(&local, &remote), t = stream_pair();
    assert_int_equal(name_end(t.d, remote), -EADDRINUSE);
    close(s.d);
    assert_true(is_named(s.p, remote, true)); /* the survivor keeps reading it */
    assert_int_equal(name_end(t.d, remote), 0);
    close(s.p);
    close_pair(t);
}

static void a_name_has_107_free_bytes_and_may_hold_any(void **state unused)
{
    struct pair s = stream_pair();
    struct name n = {.un.sun_family = AF_UNIX, .len = sizeof(struct sockaddr_un)};
    for (size_t i = 1; i < sizeof(n.un.sun_path); i++)
        n.un.sun_path[i] = (char)(i * 37 + getpid());
    assert_int_equal(sizeof(n.un.sun_path), 108);
    assert_int_equal(name_end(s.p, n), 0);
    assert_true(is_named(s.d, n, true));
    close_pair(s);
}

static void a_named_end_cannot_be_connected_to(void **state unused)
{
    struct name local, remote;
    struct pair s = named_pair(&local, &remote);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_errno(connect(fd, (struct sockaddr *)&remote.un, remote.len), ECONNREFUSED);
    close(fd);
    close_pair(s);
}

static void anybody_can_give_such_names_to_another_pair(void **state unused)
{
    /* Hence a name alone proves nothing: the daemon goes by the socket's cookie. */
    struct pair s = stream_pair();
    assert_int_equal(name_end(s.p, spell("10.0.0.1:22", 99)), 0);
    close_pair(s);
}

static void naming_costs_microseconds(void **state unused)
{
    enum { MANY = 500 };
    static struct pair s[MANY];
    for (int i = 0; i < MANY; i++)
        s[i] = stream_pair();
    uint64_t start = now_us();
    for (int i = 0; i < MANY; i++)
        assert_int_equal(name_end(s[i].p, spell("10.0.0.1:1000", 100000 + i)), 0);
    uint64_t took = now_us() - start;
    note("binding an end to an abstract name: %.2f us", (double)took / MANY);
    assert_true(took < MANY * 200);
    for (int i = 0; i < MANY; i++)
        close_pair(s[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_of_a_connected_pair_can_be_named),
        cmocka_unit_test(an_unnamed_end_has_a_family_and_no_more),
        cmocka_unit_test(names_are_the_same_from_a_process_that_was_passed_the_descriptor),
        cmocka_unit_test(names_stay_after_the_holder_of_the_other_end_was_killed),
        cmocka_unit_test(names_stay_after_shutdown),
        cmocka_unit_test(a_name_cannot_be_changed),
        cmocka_unit_test(a_name_in_use_is_refused_and_free_again_when_its_end_is_closed),
        cmocka_unit_test(a_name_has_107_free_bytes_and_may_hold_any),
        cmocka_unit_test(a_named_end_cannot_be_connected_to),
        cmocka_unit_test(anybody_can_give_such_names_to_another_pair),
        cmocka_unit_test(naming_costs_microseconds),
    };
    return cmocka_run_group_tests_name("pair_names", tests, NULL, NULL);
}
