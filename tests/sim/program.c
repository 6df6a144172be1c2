/* SPDX-License-Identifier: MIT */
/* See program.h. */
#include "tests/sim/program.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TABLE (1u << 20)

/* --- the streams
 * --------------------------------------------------------------------------------------------- */

void program_bytes(uint64_t stream, uint64_t offset, uint8_t *out, size_t n)
{
    static uint8_t *table;
    /* an odd stride between streams, and a period that no buffer size shares */
    uint64_t at = (offset + stream * 0x9e3779b1ull) % (TABLE - 3);

    if (!table) {
        struct prng prng = {42};

        table = malloc(TABLE);
        if (!table)
            abort();
        for (uint32_t i = 0; i < TABLE; i++)
            table[i] = (uint8_t)prng_next(&prng);
    }
    while (n) {
        size_t take = TABLE - 3 - at < n ? TABLE - 3 - (size_t)at : n;

        memcpy(out, table + at, take);
        out += take;
        n -= take;
        at = 0;
    }
}

static void compare(struct program *p, const uint8_t *got, size_t n)
{
    uint8_t want[4096];

    while (n) {
        size_t take = n < sizeof(want) ? n : sizeof(want);

        program_bytes(p->stream_in, p->received, want, take);
        if (memcmp(want, got, take) != 0) {
            sim_fail(p->host->sim, "host %u: wrong bytes at offset %llu", p->host->index,
                     (unsigned long long)p->received);
            return;
        }
        p->received += take;
        got += take;
        n -= take;
    }
    if (!p->first_at)
        p->first_at = p->host->sim->now;
    p->last_at = p->host->sim->now;
    if (p->received > p->expect)
        sim_fail(p->host->sim, "host %u received more than was sent", p->host->index);
}

/* --- life
 * ----------------------------------------------------------------------------------------------------
 */

static void go_on(struct program *p);

static void end(struct program *p, int error)
{
    p->error = error;
    p->closed = true;
    p->closed_at = p->host->sim->now;
    p->held = 0;
    sock_close(p->s, p->host->sim->now);
    p->s = NULL;
    sim_touch(p->host);
}

static void write_timer(void *arg)
{
    struct program *p = arg;

    p->write_timer = false;
    if (!p->closed)
        go_on(p);
}

static void read_timer(void *arg)
{
    struct program *p = arg;

    p->read_timer = false;
    if (p->closed)
        return;
    /* the program takes from the second buffer */
    if (p->held) {
        p->held -= p->held < p->plan.read_max ? p->held : p->plan.read_max;
        sock_recv_consume(p->s, 0, p->held, p->host->sim->now);
    }
    go_on(p);
}

/* --- writing
 * --------------------------------------------------------------------------------------------------
 */

static ssize_t write_spans(struct program *p, size_t n, int flags)
{
    struct iovec v[4];
    uint64_t at = p->sent;
    int spans;
    ssize_t got = sock_send_spans(p->s, n, v, &spans);
    size_t left;

    if (got <= 0)
        return got ? got : -EAGAIN;
    left = (size_t)got;
    for (int i = 0; i < spans; i++) {
        program_bytes(p->stream_out, at, v[i].iov_base, v[i].iov_len);
        at += v[i].iov_len;
        left -= v[i].iov_len;
    }
    if (left)
        sim_fail(p->host->sim, "sock_send_spans: the spans do not add up");
    return sock_send_commit(p->s, (size_t)got, flags, p->host->sim->now);
}

static ssize_t write_iov(struct program *p, size_t n, int flags)
{
    uint8_t *buf = malloc(n);
    size_t cut = prng_below(&p->prng, n + 1);
    struct iovec v[3] = {{buf, cut}, {buf, 0}, {buf + cut, n - cut}};
    ssize_t r;

    if (!buf)
        abort();
    program_bytes(p->stream_out, p->sent, buf, n);
    r = sock_sendmsg(p->s, v, 3, flags, p->host->sim->now);
    free(buf);
    return r;
}

static void toggle_cork(struct program *p)
{
    int on;

    if (!p->plan.cork || prng_below(&p->prng, 4))
        return;
    on = p->corked = !p->corked;
    sock_setsockopt(p->s, IPPROTO_TCP, TCP_CORK, &on, sizeof(on), p->host->sim->now);
}

/* One call of write. True: go on. */
static bool write_once(struct program *p)
{
    uint64_t left = p->plan.send - p->sent;
    uint64_t n = prng_between(&p->prng, p->plan.write_min, p->plan.write_max);
    int flags = 0;
    ssize_t r;

    if (n > left)
        n = left;
    if (prng_chance(&p->prng, p->plan.more_ppm))
        flags |= MSG_MORE;
    else if (prng_chance(&p->prng, p->plan.eor_ppm))
        flags |= MSG_EOR;
    toggle_cork(p);
    r = prng_chance(&p->prng, p->plan.spans_ppm) ? write_spans(p, n, flags)
                                                 : write_iov(p, n, flags);
    sim_touch(p->host);
    if (r == -EAGAIN)
        return false;
    if (r <= 0) {
        if (r == 0)
            sim_fail(p->host->sim, "a write of %llu bytes returned 0", (unsigned long long)n);
        end(p, (int)-r);
        return false;
    }
    p->sent += (uint64_t)r;
    if (!p->plan.write_gap_us)
        return (uint64_t)r == n;
    p->write_timer = true;
    sim_at(p->host->sim, p->host->sim->now + p->plan.write_gap_us, write_timer, p);
    return false;
}

static void finish_writing(struct program *p)
{
    int err;

    if (p->shut || p->sent < p->plan.send || p->closed)
        return;
    if (p->plan.close == CLOSE_AFTER && !p->eof)
        return;
    p->shut = true;
    if (p->plan.close == CLOSE_AT_ONCE) {
        end(p, 0);
        return;
    }
    err = sock_shutdown(p->s, SHUT_WR, p->host->sim->now);
    if (err)
        sim_fail(p->host->sim, "shutdown: %s", strerror(-err));
    sim_touch(p->host);
}

/* --- reading
 * --------------------------------------------------------------------------------------------------
 */

static void pause_reading(struct program *p, uint64_t us)
{
    p->read_timer = true;
    sim_at(p->host->sim, p->host->sim->now + us, read_timer, p);
}

/* As the daemon: spans out of the stream, into a pair of limited size. */
static bool read_pair(struct program *p)
{
    struct iovec v[4];
    int n;
    size_t have = sock_recv_spans(p->s, v, &n), take = p->plan.pair_bytes - p->held, done = 0;

    if (take > have)
        take = have;
    for (int i = 0; i < n && done < take; i++) {
        size_t part = v[i].iov_len < take - done ? v[i].iov_len : take - done;

        compare(p, v[i].iov_base, part);
        done += part;
    }
    if (done) {
        p->held += (uint32_t)done;
        sock_recv_consume(p->s, done, p->held, p->host->sim->now);
        sim_touch(p->host);
    }
    if (p->held && !p->read_timer)
        pause_reading(p, p->plan.read_gap_us ? p->plan.read_gap_us : 10);
    if (sock_recv_eof(p->s) && !p->held)
        p->eof = true;
    return false;
}

/* … or out of the frames, past the stream: sometimes, and sometimes a part. */
static size_t take_at_once(struct sim_user *u, const struct iovec *iov, int n_iov, size_t *held)
{
    struct program *p = (struct program *)u;
    size_t room, done = 0;

    if (!p->plan.pair || !p->connected || p->closed || prng_below(&p->prng, 3) == 0)
        return 0;
    room = p->plan.pair_bytes - p->held;
    if (room && prng_below(&p->prng, 3) == 0)
        room = prng_below(&p->prng, room);
    for (int i = 0; i < n_iov && done < room; i++) {
        size_t part = iov[i].iov_len < room - done ? iov[i].iov_len : room - done;

        compare(p, iov[i].iov_base, part);
        done += part;
    }
    p->held += (uint32_t)done;
    *held = p->held;
    return done;
}

static bool read_plain(struct program *p)
{
    uint8_t buf[65536];
    uint64_t n =
        prng_between(&p->prng, 1, p->plan.read_max < sizeof(buf) ? p->plan.read_max : sizeof(buf));
    struct iovec v = {buf, n};
    ssize_t r = sock_recvmsg(p->s, &v, 1, 0, p->host->sim->now);

    if (r == -EAGAIN)
        return false;
    sim_touch(p->host);
    if (r == 0) {
        p->eof = true;
        return false;
    }
    if (r < 0) {
        end(p, (int)-r);
        return false;
    }
    compare(p, buf, (size_t)r);
    if (!p->plan.read_gap_us)
        return true;
    pause_reading(p, p->plan.read_gap_us);
    return false;
}

/* --- all together
 * -----------------------------------------------------------------------------------------------
 */

static void go_on(struct program *p)
{
    int error = sock_error(p->s, false);

    if (!p->connected)
        return;
    while (!p->closed && !p->write_timer && p->sent < p->plan.send && !p->host->sim->failure[0]) {
        if (!write_once(p))
            break;
    }
    if (!p->closed)
        finish_writing(p);
    while (!p->closed && !p->eof && (!p->read_timer || p->plan.pair) && !p->host->sim->failure[0]) {
        if (!(p->plan.pair ? read_pair(p) : read_plain(p)))
            break;
    }
    if (!p->closed)
        finish_writing(p);
    if (!p->closed && p->shut && p->eof) {
        if (p->received != p->expect && !p->host->sim->failure[0])
            sim_fail(p->host->sim, "host %u: end of stream after %llu of %llu bytes",
                     p->host->index, (unsigned long long)p->received,
                     (unsigned long long)p->expect);
        end(p, error && p->received != p->expect ? error : 0);
    }
}

static void begin(struct program *p)
{
    p->connected = true;
    if (p->plan.read_delay_us)
        pause_reading(p, p->plan.read_delay_us);
}

static void on_event(struct sim_user *u, struct sock *s, uint32_t events)
{
    struct program *p = (struct program *)u;
    int error;

    (void)s;
    if (p->closed)
        return;
    if (events & SOCK_EV_CONNECTED)
        begin(p);
    if (events & SOCK_EV_ERROR) {
        error = sock_error(p->s, true);
        end(p, error ? error : EIO);
        return;
    }
    go_on(p);
}

static void set_options(struct program *p)
{
    int one = 1;
    uint64_t now = p->host->sim->now;
    const char *cc = p->plan.congestion;

    if (cc && sock_setsockopt(p->s, IPPROTO_TCP, TCP_CONGESTION, cc, strlen(cc), now))
        sim_fail(p->host->sim, "there is no %s", cc);
    if (p->plan.nodelay)
        sock_setsockopt(p->s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one), now);
    if (p->plan.sndbuf)
        sock_setsockopt(p->s, SOL_SOCKET, SO_SNDBUF, &p->plan.sndbuf, sizeof(int), now);
    if (p->plan.rcvbuf)
        sock_setsockopt(p->s, SOL_SOCKET, SO_RCVBUF, &p->plan.rcvbuf, sizeof(int), now);
}

void program_init(struct program *p, struct sim_host *h, const struct program_plan *plan,
                  uint64_t seed)
{
    memset(p, 0, sizeof(*p));
    p->user.event = on_event;
    p->user.deliver = take_at_once;
    p->host = h;
    p->plan = *plan;
    p->prng.state = seed;
    if (!p->plan.write_max)
        p->plan.write_min = p->plan.write_max = 16384;
    if (!p->plan.write_min)
        p->plan.write_min = 1;
    if (!p->plan.read_max)
        p->plan.read_max = 65536;
    if (!p->plan.pair_bytes)
        p->plan.pair_bytes = 65536;
}

void program_pair(struct program *p, struct program *q, uint64_t seed)
{
    p->stream_out = q->stream_in = 2 * seed;
    q->stream_out = p->stream_in = 2 * seed + 1;
    p->expect = q->plan.send;
    q->expect = p->plan.send;
}

/* On its owner's account, when the host has quotas. */
static int program_socket(struct sim_host *h, struct sock **out)
{
    int err = sock_create(h->st, false, out);

    if (!err && h->config.quota) {
        err = sock_set_quota(*out, 1, h->config.quota);
        if (err) {
            sock_close(*out, h->sim->now);
            *out = NULL;
        }
    }
    return err;
}

int program_connect(struct program *p, const struct ip_endpoint *remote)
{
    int err = program_socket(p->host, &p->s);

    if (err)
        return err;
    sock_set_user(p->s, &p->user);
    set_options(p);
    err = sock_connect(p->s, remote, p->host->sim->now);
    sim_touch(p->host);
    return err == -EINPROGRESS ? 0 : err;
}

void program_adopt(struct program *p, struct sock *s)
{
    p->s = s;
    sock_set_user(s, &p->user);
    set_options(p);
    begin(p);
    go_on(p);
}

static void on_accept(struct sim_user *u, struct sock *listener, uint32_t events)
{
    struct program_server *sv = (struct program_server *)u;
    struct sock *s;

    (void)events;
    while (sv->next < sv->n && sock_accept(listener, &s, sv->host->sim->now) == 0)
        program_adopt(sv->waiting[sv->next++], s);
}

int program_listen(struct program_server *sv, struct sim_host *h, uint16_t port, int backlog,
                   struct program **waiting, unsigned n)
{
    struct ip_endpoint local = {ip_addr_any(false), port};
    int err;

    *sv = (struct program_server){.user = {on_accept}, .host = h, .waiting = waiting, .n = n};
    err = program_socket(h, &sv->listener);
    if (err)
        return err;
    sock_set_user(sv->listener, &sv->user);
    err = sock_bind(sv->listener, &local, h->sim->now);
    /* the window scale is chosen at the SYN: the listener's buffer is what counts */
    if (!err && n == 1 && waiting[0]->plan.rcvbuf)
        err = sock_setsockopt(sv->listener, SOL_SOCKET, SO_RCVBUF, &waiting[0]->plan.rcvbuf,
                              sizeof(int), h->sim->now);
    if (!err)
        err = sock_listen(sv->listener, backlog, h->sim->now);
    return err;
}

void program_server_close(struct program_server *sv)
{
    if (sv->listener)
        sock_close(sv->listener, sv->host->sim->now);
    sv->listener = NULL;
    sim_touch(sv->host);
}
