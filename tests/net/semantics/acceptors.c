/* SPDX-License-Identifier: MIT */
/* Several threads in accept(2) at once: who is woken, and by what. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY        16
#define CONNECTIONS 200

static struct crowd {
    pthread_t threads[MANY];
    int n, fd;
    bool once;                 /* one connection for each thread */
    atomic_int got, errors[2]; /* connections; EINVAL, EINTR */
} crowd;

static void *take(void *unused)
{
    sigset_t guard;
    int fd;

    sigemptyset(&guard);
    sigaddset(&guard, SIGALRM); /* is for the main thread */
    pthread_sigmask(SIG_BLOCK, &guard, NULL);
    while ((fd = accept(crowd.fd, NULL, NULL)) >= 0) {
        crowd.got++;
        close(fd);
        if (crowd.once)
            return unused;
    }
    if (errno == EINVAL || errno == EINTR)
        crowd.errors[errno == EINTR]++;
    return unused;
}

/* So many threads, each of which takes one connection, or what comes until there is an error. */
static void gather_for(int l, int n, bool once)
{
    memset(&crowd, 0, sizeof(crowd));
    crowd.fd = l;
    crowd.once = once;
    for (crowd.n = 0; crowd.n < n; crowd.n++)
        pthread_create(&crowd.threads[crowd.n], NULL, take, NULL);
    pause_ms(80);
}

static void gather(int l, int n)
{
    gather_for(l, n, false);
}

static bool crowd_got(int n)
{
    for (int i = 0; i < 600 && crowd.got < n; i++)
        pause_ms(5);
    return crowd.got == n;
}

/* Shuts the listener, which ends all. */
static void disperse(void)
{
    shutdown(crowd.fd, SHUT_RDWR);
    for (int i = 0; i < crowd.n; i++)
        pthread_join(crowd.threads[i], NULL);
    close(crowd.fd);
}

static long switches(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_nvcsw;
}

/* One connection after the other wakes not all who wait. */
static void few_are_woken(void)
{
    int port, l = listener(64, &port);
    long before, each;

    gather(l, MANY);
    before = switches();
    for (int i = 1; i <= CONNECTIONS; i++) {
        peer_do("close %ld", peer_do("connect %d", port));
        crowd_got(i);
    }
    /* the thread that asks the peer waits for it as well: four times or five */
    each = (switches() - before) / CONNECTIONS;
    say("each is accepted", "%d", crowd.got);
    say("each wakes few", "%d", each <= 12);
    if (each > 12)
        say("each wakes", "%ld", each);
    disperse();
    say("shutdown wakes all", "%d", crowd.errors[0]);
}

/* Many at once find as many who wait. */
static void many_are_taken(void)
{
    int port, l = listener(64, &port);

    gather(l, 4);
    for (int i = 0; i < 32; i++)
        peer_do("start %d", port);
    say("32 at once", "%d", crowd_got(32));
    disperse();
}

static void beside_one_that_waits(void)
{
    int port, l = listener(8, &port);
    struct timeval t = {0, 100000};

    gather(l, 1);
    fcntl(l, F_SETFL, O_NONBLOCK);
    say("not blocking, beside one that does", "%s", GUARDED(accept(l, NULL, NULL)));
    fcntl(l, F_SETFL, 0);
    say("EINTR, behind another", "%s", GUARDED(accept(l, NULL, NULL)));
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    say("SO_RCVTIMEO, beside another", "%s", GUARDED(accept(l, NULL, NULL)));
    t.tv_usec = 0;
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    peer_do("connect %d", port);
    say("who waited first has it", "%d", crowd_got(1));
    disperse();
}

static void child_of_one_that_waits(void)
{
    int port, l = listener(8, &port), status = -1;
    pid_t child;

    gather_for(l, 2, true);
    child = fork();
    if (child == 0) {
        alarm(5);
        _exit(accept(l, NULL, NULL) < 0);
    }
    pause_ms(50);
    for (int i = 0; i < 3; i++)
        peer_do("connect %d", port);
    waitpid(child, &status, 0);
    say("a child accepts too", "%d", WIFEXITED(status) && WEXITSTATUS(status) == 0);
    disperse();
}

/* accept(2) is a cancellation point; who is cancelled takes nothing with him. */
static void cancelled(void)
{
    int port, l = listener(8, &port), ended = 0;

    gather(l, 3);
    for (int i = 0; i < 2; i++) {
        struct timespec until;
        void *result = NULL;

        pthread_cancel(crowd.threads[i]);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 2;
        if (pthread_timedjoin_np(crowd.threads[i], &result, &until) == 0)
            ended += result == PTHREAD_CANCELED;
    }
    say("cancelled in accept", "%d", ended);
    crowd.threads[0] = crowd.threads[2];
    crowd.n = 1;
    peer_do("connect %d", port);
    say("the one that is left accepts", "%d", crowd_got(1));
    disperse();
}

/* --- signals -----------------------------------------------------------------------------------
 */

static void nothing(int signum)
{
    (void)signum;
}

static atomic_int by_handler;

static void accept_here(int signum)
{
    int fd = accept(crowd.fd, NULL, NULL);

    (void)signum;
    if (fd >= 0)
        by_handler++;
    close(fd);
}

static void on_signal(void (*handler)(int), int flags)
{
    struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

    sigaction(SIGUSR1, &sa, NULL);
}

static void signals(void)
{
    int port, l = listener(8, &port);

    on_signal(nothing, SA_RESTART);
    gather(l, 3);
    for (int i = 0; i < 3; i++)
        pthread_kill(crowd.threads[i], SIGUSR1);
    pause_ms(50);
    say("SA_RESTART goes on", "%d", (int)crowd.errors[1]);
    for (int i = 0; i < 3; i++)
        peer_do("connect %d", port);
    say("and accepts", "%d", crowd_got(3));
    pause_ms(80);
    on_signal(nothing, 0);
    for (int i = 0; i < 3; i++)
        pthread_kill(crowd.threads[i], SIGUSR1);
    pause_ms(50);
    say("a signal ends each", "%d", (int)crowd.errors[1]);
    disperse();

    l = listener(8, &port);
    on_signal(accept_here, SA_RESTART);
    gather(l, 1);
    pthread_kill(crowd.threads[0], SIGUSR1);
    pause_ms(50);
    peer_do("connect %d", port);
    peer_do("connect %d", port);
    say("a handler that accepts", "%d", crowd_got(1) && by_handler == 1);
    disperse();
}

/* Another listener with the same number: who waits at the first does not count. */
static void another_of_that_number(void)
{
    int port, first = listener(8, &port), other = listener(8, &port), fd;

    gather(first, 1);
    dup2(other, first);
    close(other);
    peer_do("connect %d", port);
    guard_begin();
    fd = accept(first, NULL, NULL);
    say("another listener in its place", "%d", fd >= 0 && !guard_end());
    close(fd);
    close(first);
    /* What becomes of the one that waits is group_threads'. It ends with the process. */
}

void group_acceptors(void)
{
    few_are_woken();
    many_are_taken();
    beside_one_that_waits();
    child_of_one_that_waits();
    signals();
    cancelled();
    another_of_that_number(); /* leaves a thread behind */
}
