/* SPDX-License-Identifier: MIT */
/* See scene.h. */
#include "tests/sim/scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct scene scene;

void scene_hosts(const struct sim_host_config *a, const struct sim_host_config *b)
{
    if (scene.sim.n_hosts)
        sim_destroy(&scene.sim);
    sim_init(&scene.sim, 1, true);
    scene.a = sim_add_host(&scene.sim, a);
    scene.b = sim_add_host(&scene.sim, b);
}

int scene_setup(void **state)
{
    struct sim_host_config c = {.features = STACK_TX_CSUM | STACK_TX_TSO4,
                                .out = {.rate_bps = 100000000, .delay_us = 10000}};

    (void)state;
    scene_hosts(&c, &c);
    return scene.sim.failure[0] ? -1 : 0;
}

int scene_teardown(void **state)
{
    (void)state;
    sim_destroy(&scene.sim);
    return 0;
}

void scene_fail(const char *what, long long got, const char *file, int line)
{
    const char *path = sim_write_capture(&scene.sim, NULL);

    print_message("# at %.6f s: %s; capture: %s\n", scene_time(), scene.sim.failure,
                  path ? path : "none");
    print_message("# expected: %s (got %lld)\n", what, got);
    _fail(file, line);
    abort();
}

static void watched_event(struct sim_user *u, struct sock *s, uint32_t events)
{
    struct watched *w = (struct watched *)u;

    (void)s;
    w->events |= events;
    w->at = scene.sim.now;
}

void scene_watch(struct watched *w, struct sock *s)
{
    *w = (struct watched){.user = {watched_event}, .s = s};
    sock_set_user(s, &w->user);
}

struct sock *scene_listen(struct sim_host *h, int backlog)
{
    struct ip_endpoint local = {ip_addr_any(false), 80};
    struct sock *s;

    expect_equal(sock_create(h->st, false, &s), 0);
    expect_equal(sock_bind(s, &local, scene.sim.now), 0);
    expect_equal(sock_listen(s, backlog, scene.sim.now), 0);
    return s;
}

struct sock *scene_connect(struct sim_host *from, struct sim_host *to)
{
    struct ip_endpoint remote = sim_endpoint(to, 80);
    struct sock *s;

    expect_equal(sock_create(from->st, false, &s), 0);
    expect_equal(sock_connect(s, &remote, scene.sim.now), -EINPROGRESS);
    sim_touch(from);
    return s;
}

void scene_connection(struct sock **client, struct sock **server)
{
    struct sock *l = scene_listen(scene.b, 8);

    *client = scene_connect(scene.a, scene.b);
    scene_wait(1);
    expect_equal(sock_accept(l, server, scene.sim.now), 0);
    sock_close(l, scene.sim.now);
    expect_equal(scene_state(scene.a, *client), TCPS_ESTABLISHED);
    expect_equal(scene_state(scene.b, *server), TCPS_ESTABLISHED);
}

ssize_t scene_send(struct sim_host *h, struct sock *s, const void *data, size_t n)
{
    struct iovec v = {(void *)(uintptr_t)data, n};

    sim_touch(h);
    return sock_sendmsg(s, &v, 1, 0, scene.sim.now);
}

ssize_t scene_recv(struct sim_host *h, struct sock *s, void *data, size_t n)
{
    struct iovec v = {data, n};

    sim_touch(h);
    return sock_recvmsg(s, &v, 1, 0, scene.sim.now);
}

size_t scene_fill(struct sim_host *h, struct sock *s)
{
    static const uint8_t zeros[10000];
    size_t all = 0;
    ssize_t n;

    while ((n = scene_send(h, s, zeros, sizeof(zeros))) > 0)
        all += (size_t)n;
    expect_equal(n, -EAGAIN);
    return all;
}

size_t scene_drain(struct sim_host *h, struct sock *s)
{
    static uint8_t buf[100000];
    size_t all = 0;
    ssize_t n;

    while ((n = scene_recv(h, s, buf, sizeof(buf))) > 0)
        all += (size_t)n;
    return all;
}

void scene_close(struct sim_host *h, struct sock *s)
{
    sock_close(s, scene.sim.now);
    sim_touch(h);
}

void scene_shutdown(struct sim_host *h, struct sock *s, int how)
{
    expect_equal(sock_shutdown(s, how, scene.sim.now), 0);
    sim_touch(h);
}

unsigned scene_state(struct sim_host *h, struct sock *s)
{
    struct sock_info info;

    (void)h;
    sock_get_info(s, &info, scene.sim.now);
    return info.state;
}

void scene_wait(double seconds)
{
    sim_run_for(&scene.sim, (uint64_t)(seconds * 1e6 + 0.5));
    expect(true);
}

double scene_time(void)
{
    return (double)(scene.sim.now - SIM_START) / 1e6;
}

static bool empty(void *arg)
{
    (void)arg;
    return !*sim_leftovers(scene.a) && !*sim_leftovers(scene.b);
}

void scene_expect_empty(double seconds)
{
    sim_run_until(&scene.sim, empty, NULL, scene.sim.now + (uint64_t)(seconds * 1e6));
    if (*sim_leftovers(scene.a))
        sim_fail(&scene.sim, "host a still holds %s", sim_leftovers(scene.a));
    if (*sim_leftovers(scene.b))
        sim_fail(&scene.sim, "host b still holds %s", sim_leftovers(scene.b));
    expect(empty(NULL));
}

uint64_t scene_count(struct sim_host *h, enum counter c)
{
    return stack_counters(h->st)->v[c];
}

/* --- loss masks --------------------------------------------------------------------------------
 */

static bool drop_masked(struct sim_host *h, const struct wire_packet *p)
{
    struct mask *m = h->filter_ctx;

    if (!p->tcp || (p->flags & m->with) != m->with || (p->flags & m->without) ||
        m->dropped >= m->n || (m->only_empty && p->len))
        return true;
    if (m->dropped < 32)
        m->at[m->dropped] = scene_time();
    m->dropped++;
    return false;
}

void lose(struct sim_host *h, struct mask *m, uint8_t with, uint8_t without, unsigned n)
{
    *m = (struct mask){.with = with, .without = without, .n = n};
    h->filter = drop_masked;
    h->filter_ctx = m;
}

void expect_near(double got, double want, double tolerance)
{
    if (got < want - tolerance || got > want + tolerance)
        sim_fail(&scene.sim, "%.6f s instead of %.6f s", got, want);
    expect(true);
}

void expect_times(const struct mask *m, const double *want, unsigned n)
{
    expect_equal(m->dropped, n);
    for (unsigned i = 0; i < n; i++)
        expect_near(m->at[i] - m->at[0], want[i], 0.05);
}
