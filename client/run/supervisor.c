/* SPDX-License-Identifier: MIT */
/*
 * Starting: the program's process forks the supervisor, installs the filter, passes its listener
 * on, and then becomes the program, so its process id is the one that its starter knows.
 *
 * Serving: threads take turns in waiting for a call, so that one is always waiting while the others
 * serve; a call that blocks has its thread for itself.
 */
#include "client/run/supervisor.h"

#include "client/lib/control.h"
#include "client/run/blocked.h"
#include "client/run/filter.h"
#include "client/run/serve.h"
#include "client/run/target.h"
#include "ipc/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDLE_MAX    8
#define STACK_BYTES (256 * 1024)

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* Linux 6.6 */
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* ---- serving ---- */

static int listener;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static atomic_int idle;
static pthread_attr_t attributes;

/* The next call. Ends the supervisor when no process is left. */
static bool next_call(struct target *t)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    int r;

    pthread_mutex_lock(&turn);
    r = poll(&p, 1, -1);
    if (r > 0 && !(p.revents & POLLIN) && (p.revents & (POLLHUP | POLLERR | POLLNVAL)))
        _exit(0);
    r = r > 0 ? target_receive(listener, t) : -1;
    pthread_mutex_unlock(&turn);
    return r == 0;
}

static void *work(void *unused)
{
    pthread_t other;

    (void)unused;
    for (;;) {
        struct target t;

        if (!next_call(&t))
            continue;
        /* Somebody must wait for the next one. */
        if (atomic_fetch_sub(&idle, 1) == 1) {
            atomic_fetch_add(&idle, 1);
            if (pthread_create(&other, &attributes, work, NULL) != 0)
                atomic_fetch_sub(&idle, 1);
        }
        serve(&t);
        if (atomic_fetch_add(&idle, 1) >= IDLE_MAX) {
            atomic_fetch_sub(&idle, 1);
            return NULL;
        }
    }
}

/* ---- starting ---- */

/* Nothing of the program's stays open here: its pipes must end with it. */
static void let_go(int keep)
{
    struct rlimit lim;
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (keep > 3)
        (void)close_range(3, (unsigned)keep - 1, 0);
    (void)close_range((unsigned)keep + 1, ~0u, 0);
    (void)setsid();
    if (chdir("/") < 0)
        return;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
}

/* Signals that are meant for the program and reach its group or its terminal. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP};
    sigset_t none;

    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* It comes with a byte that says how calls wait. */
static int receive_listener(int sock)
{
    int fds[FDPASS_MAX];
    size_t n_fds;
    char byte = 0;

    if (fdpass_recv(sock, &byte, 1, fds, &n_fds, 0, NULL) != 1 || n_fds != 1)
        return -1;
    target_at_once = byte != 'k';
    return fds[0];
}

static void __attribute__((noreturn)) supervise(int sock)
{
    ignore_signals();
    let_go(sock);
    (void)prctl(PR_SET_NAME, "tapstack-run");
    listener = receive_listener(sock);
    if (listener < 0 || blocked_init() < 0)
        _exit(1);
    control_waits = true;
    target_identity_init();
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (write(sock, "r", 1) != 1)
        _exit(1);
    close(sock);
    atomic_store(&idle, 1);
    (void)work(NULL);
    for (;;)
        pause();
}

/* Not the program's child: it would be waited for. */
static int fork_supervisor(int ours, int theirs)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        close(ours);
        pid = fork();
        if (pid == 0)
            supervise(theirs);
        _exit(pid < 0 ? 1 : 0);
    }
    if (pid < 0)
        return -errno;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0 ? 0 : -EAGAIN;
}

static int hand_over(int sock)
{
    char ready;
    int fd = filter_install();
    ssize_t n;

    if (fd < 0)
        return fd;
    n = fdpass_send(sock, filter_waits_killable() ? "k" : "i", 1, fd, 0);
    close(fd);
    if (n == 1)
        n = read(sock, &ready, 1);
    return n == 1 ? 0 : -EPIPE;
}

/* Where only parents may trace (Yama), a supervisor without the right to trace all is of no use. */
static bool may_trace(void)
{
    int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
    char scope = '0';

    if (fd >= 0) {
        if (read(fd, &scope, 1) != 1)
            scope = '0';
        close(fd);
    }
    return scope == '0' || (geteuid() == 0 && scope != '3');
}

int supervisor_start(void)
{
    int pair[2], r;

    if (!may_trace()) {
        fprintf(stderr,
                "tapstack run: the program has to be supervised, and kernel.yama.ptrace_scope "
                "does not let this user: set it to 0, or run as root\n");
        return -EPERM;
    }

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    r = fork_supervisor(pair[0], pair[1]);
    close(pair[1]);
    if (r == 0)
        r = hand_over(pair[0]);
    close(pair[0]);
    if (r == -EBUSY)
        return 0; /* it is supervised already, and so will the program be */
    if (r < 0)
        fprintf(stderr, "tapstack run: cannot supervise the program (seccomp): %s\n", strerror(-r));
    return r;
}
