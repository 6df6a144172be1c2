/* SPDX-License-Identifier: MIT */
/* What the service manager hears, and what he cannot do to us; he is a datagram socket here. */
#include "daemon/notify.h"
#include "daemon/privileges.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define unused __attribute__((unused))

static char dir[] = "/tmp/tapstack-notify-XXXXXX";
static char path[64];
static int manager;

static int listen_at(const char *text, bool abstract)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    snprintf(un.sun_path + abstract, sizeof(un.sun_path) - 1, "%s", text);
    assert_int_equal(bind(fd, (struct sockaddr *)&un,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text) + 1)),
                     0);
    return fd;
}

static int set_up(void **state unused)
{
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/notify", dir);
    manager = listen_at(path, false);
    return 0;
}

static int tear_down(void **state unused)
{
    close(manager);
    unlink(path);
    return rmdir(dir);
}

static struct notify opened(const char *address, const char *watchdog_usec)
{
    struct notify n;
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("NOTIFY_SOCKET", address, 1);
    if (watchdog_usec) {
        setenv("WATCHDOG_USEC", watchdog_usec, 1);
        setenv("WATCHDOG_PID", pid, 1);
    }
    assert_int_equal(notify_open(&n), 0);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    return n;
}

/* The next message; "" when there is none. */
static const char *heard(int fd)
{
    static char message[512];
    ssize_t n = recv(fd, message, sizeof(message) - 1, 0);

    message[n > 0 ? n : 0] = '\0';
    return message;
}

static void the_manager_is_told_in_his_words(void **state unused)
{
    struct notify n = opened(path, NULL);

    notify_ready(&n, "10.77.0.2 on ts0");
    assert_string_equal(heard(manager), "READY=1\nSTATUS=10.77.0.2 on ts0");
    notify_reloading(&n, 1234567);
    assert_string_equal(heard(manager), "RELOADING=1\nMONOTONIC_USEC=1234567");
    notify_stopping(&n);
    assert_string_equal(heard(manager), "STOPPING=1");
    notify_close(&n);
}

static void an_abstract_address_is_one_too(void **state unused)
{
    char name[32], address[40];
    struct notify n;
    int fd;

    snprintf(name, sizeof(name), "tapstack-notify-%d", (int)getpid());
    snprintf(address, sizeof(address), "@%s", name);
    fd = listen_at(name, true);
    n = opened(address, NULL);
    notify_stopping(&n);
    assert_string_equal(heard(fd), "STOPPING=1");
    notify_close(&n);
    close(fd);
}

static void without_a_manager_nobody_is_told(void **state unused)
{
    struct notify n;

    assert_int_equal(notify_open(&n), 0);
    assert_int_equal(n.fd, -1);
    assert_int_equal(notify_period_ms(&n), 0);
    notify_ready(&n, "to nobody");
    assert_string_equal(heard(manager), "");
}

static void an_address_of_another_kind_is_an_error(void **state unused)
{
    struct notify n;

    setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    assert_int_equal(notify_open(&n), -EAFNOSUPPORT);
    setenv("NOTIFY_SOCKET", "/", 1);
    assert_int_equal(notify_open(&n), -EAFNOSUPPORT);
}

static void he_hears_four_times_in_the_watchdogs_time(void **state unused)
{
    struct notify n = opened(path, "20000000");

    assert_int_equal(notify_period_ms(&n), 5000);
    notify_close(&n);
    n = opened(path, "100");
    assert_int_equal(notify_period_ms(&n), 1);
    notify_close(&n);
    n = opened(path, NULL);
    assert_int_equal(notify_period_ms(&n), 0);
    notify_close(&n);
}

static void another_process_s_watchdog_is_not_ours(void **state unused)
{
    struct notify n;

    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "20000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_open(&n), 0);
    assert_int_equal(notify_period_ms(&n), 0);
    notify_close(&n);
}

static void a_core_that_leaves_a_deadline_behind_gives_no_sign_of_life(void **state unused)
{
    struct notify n = opened(path, "20000000");
    uint64_t now = 1000000000;

    assert_true(notify_alive(&n, 0, now, UINT64_MAX)); /* nothing to wait for */
    assert_string_equal(heard(manager), "WATCHDOG=1");
    assert_true(notify_alive(&n, 0, now, now + 1));
    assert_string_equal(heard(manager), "WATCHDOG=1");
    assert_true(notify_alive(&n, 0, now, now - 5000000)); /* late, as on a busy machine */
    assert_string_equal(heard(manager), "WATCHDOG=1");
    assert_false(notify_alive(&n, 0, now, now - 5000001));
    assert_string_equal(heard(manager), "");
    notify_close(&n);
}

static void every_loop_must_give_its_sign(void **state unused)
{
    struct notify n = opened(path, "20000000");

    n.loops = 3;
    for (int turn = 0; turn < 2; turn++) {
        assert_false(notify_alive(&n, 1, 1000, UINT64_MAX));
        assert_false(notify_alive(&n, 1, 1000, UINT64_MAX)); /* again: not for another one */
        assert_false(notify_alive(&n, 0, 1000, UINT64_MAX));
        assert_string_equal(heard(manager), "");
        assert_true(notify_alive(&n, 2, 1000, UINT64_MAX));
        assert_string_equal(heard(manager), "WATCHDOG=1");
    }
    n.loops = 64;
    for (unsigned i = 0; i < 63; i++)
        assert_false(notify_alive(&n, i, 1000, UINT64_MAX));
    assert_true(notify_alive(&n, 63, 1000, UINT64_MAX));
    assert_string_equal(heard(manager), "WATCHDOG=1");
    notify_close(&n);
}

/* He does not read: his queue fills, we go on. (An alarm would end a program that waits.) */
static void a_manager_that_hangs_does_not_hold_us_up(void **state unused)
{
    struct notify n = opened(path, NULL);
    unsigned got = 0;

    alarm(20);
    for (int i = 0; i < 10000; i++)
        notify_stopping(&n);
    alarm(0);
    while (*heard(manager))
        got++;
    assert_in_range(got, 1, 9999);
    notify_close(&n);
}

/* Sanitizers and valgrind would not live with the filter. */
static void he_is_told_after_the_drop_of_privileges_too(void **state unused)
{
    struct notify n;
    int status;
    pid_t pid;

#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    if (getenv("TAPSTACK_TEST_VALGRIND"))
        skip();
    n = opened(path, NULL);
    pid = fork();
    if (pid == 0) {
        struct privileges_user same = {0};
        if (privileges_drop(&same) < 0 || privileges_filter() < 0)
            _exit(99);
        notify_ready(&n, "in jail");
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(heard(manager), "READY=1\nSTATUS=in jail");
    notify_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_is_told_in_his_words),
        cmocka_unit_test(an_abstract_address_is_one_too),
        cmocka_unit_test(without_a_manager_nobody_is_told),
        cmocka_unit_test(an_address_of_another_kind_is_an_error),
        cmocka_unit_test(he_hears_four_times_in_the_watchdogs_time),
        cmocka_unit_test(another_process_s_watchdog_is_not_ours),
        cmocka_unit_test(a_core_that_leaves_a_deadline_behind_gives_no_sign_of_life),
        cmocka_unit_test(every_loop_must_give_its_sign),
        cmocka_unit_test(a_manager_that_hangs_does_not_hold_us_up),
        cmocka_unit_test(he_is_told_after_the_drop_of_privileges_too),
    };
    return cmocka_run_group_tests_name("notify", tests, set_up, tear_down);
}
