/* SPDX-License-Identifier: MIT */
#include "daemon/ringport.h"

#include "daemon/log.h"
#include "daemon/stats.h"
#include "daemon/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/** The first extents: small enough for a cache, large enough for a window. */
#define SEND_SIZE (256u << 10)
#define RECV_SIZE (256u << 10)

static struct log_limit limit;

struct ringport {
    struct watch bell;     /**< first */
    struct stream *stream; /**< NULL: it has ended, the core still has bytes to send */
    struct ring_words *words;
    uint8_t *map;
    int file, bell_fd;
    bool stored;       /**< the core has storage of ours */
    bool open;         /**< what had been written to the descriptor is with the core */
    bool shut;         /**< no more can be written to it */
    bool awake;        /**< on the list of those that are looked at in every round */
    bool resting;      /**< on the list of those that may be idle */
    uint64_t granted;  /**< the program may write below this offset */
    uint64_t shown;    /**< and read below this one */
    uint32_t answered; /**< the last ticket */
    uint32_t room_for; /**< the last ticket that asked for room: what came before it is told */
    uint32_t acks_for; /**< the last ticket that asked for acknowledgements: the core will tell */
    /* our own words, as we have published them: the program can write there */
    struct ring_way ways[2];
    uint32_t state;
    uint64_t tell_at;
    uint64_t rest_since;
    TAILQ_ENTRY(ringport) link;
};

/* --- words -------------------------------------------------------------------------------------
 */

#define LOAD(word)     __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, v) __atomic_store_n(&(word), v, __ATOMIC_RELEASE)
#define FULL_FENCE()   __atomic_thread_fence(__ATOMIC_SEQ_CST)

static struct ring_way *shared_way(struct ringport *r, enum sock_way which)
{
    return which == SOCK_SENDS ? &r->words->send : &r->words->recv;
}

static void publish_layout(struct ringport *r, enum sock_way which)
{
    struct ring_way *way = shared_way(r, which), *own = &r->ways[which];

    own->generation += 2;
    STORE(way->generation, own->generation - 1);
    FULL_FENCE();
    way->boundary = own->boundary;
    way->size[0] = own->size[0];
    way->size[1] = own->size[1];
    STORE(way->limit, own->limit);
    STORE(way->generation, own->generation);
}

/* What has changed about one way. The limit alone needs no new generation while it grows. */
static void publish(struct ringport *r, enum sock_way which, uint64_t limit_now)
{
    struct ring_way *own = &r->ways[which];
    struct sock_extents now;
    bool back = limit_now < own->limit;

    sock_extents(r->stream->sock, which, &now);
    if (!back && now.boundary == own->boundary && now.size[0] == own->size[0] &&
        now.size[1] == own->size[1]) {
        if (limit_now != own->limit)
            STORE(shared_way(r, which)->limit, limit_now);
        own->limit = limit_now;
        return;
    }
    own->boundary = now.boundary;
    own->size[0] = now.size[0];
    own->size[1] = now.size[1];
    own->limit = limit_now;
    publish_layout(r, which);
}

static void set_state(struct ringport *r, uint32_t what, int error)
{
    r->state |= what;
    if (what & RING_ERROR)
        STORE(r->words->error, error);
    STORE(r->words->state, r->state);
}

/* The program waits for one of these: a byte in its descriptor, once for each ticket. */
static void wake(struct ringport *r, uint32_t what)
{
    uint32_t ticket;

    FULL_FENCE();
    ticket = LOAD(r->words->ticket);
    if (ticket == r->answered || !(ticket & what))
        return;
    r->answered = ticket;
    stats_add(STAT_ring_wakeups, 1);
    (void)send(r->stream->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* More may be granted than the program has seen: it asks again for room that came before. */
static void tell_of_room(struct ringport *r)
{
    uint32_t ticket = LOAD(r->words->ticket);
    struct sock *sock = r->stream->sock;

    if (!(ticket & RING_FOR_SPACE) || ticket == r->answered || ticket == r->room_for || !sock)
        return;
    r->room_for = ticket;
    if (r->granted > LOAD(r->words->committed) && (sock_poll(sock) & POLLOUT))
        wake(r, RING_FOR_SPACE);
}

/* Somebody waits for acknowledgements, and we have not looked for how many yet. */
static bool asks_for_acks(const struct ringport *r)
{
    uint32_t ticket = LOAD(r->words->ticket);

    return (ticket & RING_FOR_ACKS) && ticket != r->answered && ticket != r->acks_for &&
           r->stream->sock && r->stream->state == STREAM_OPEN;
}

void ringport_tell_acked(struct stream *s)
{
    struct ringport *r = s->ring;
    uint64_t acked = sock_acked(s->sock);
    uint32_t ticket = LOAD(r->words->ticket);

    if (r->ways[SOCK_SENDS].acked != acked) {
        r->ways[SOCK_SENDS].acked = acked;
        STORE(r->words->send.acked, acked);
    }
    if (!(ticket & RING_FOR_ACKS) || ticket == r->answered)
        return;
    r->acks_for = ticket;
    if (acked >= LOAD(r->words->ack_at))
        wake(r, RING_FOR_ACKS);
    else if (acked < sock_position(s->sock, SOCK_SENDS))
        sock_want_acked(s->sock);
}

static void violation(struct ringport *r)
{
    struct stream *s = r->stream;

    stats_add(STAT_ring_violations, 1);
    log_limited(&limit, LEVEL_WARNING, "user %u wrote nonsense into a ring: connection reset",
                s->owner.uid);
    stream_reset(s);
}

/* --- storage -----------------------------------------------------------------------------------
 */

static void *area(struct ringport *r, enum sock_way way)
{
    return r->map + (way == SOCK_SENDS ? RING_SEND_AREA : RING_RECV_AREA);
}

static void *get(void *ctx, enum sock_way way, uint32_t size)
{
    return (uint8_t *)area(ctx, way) + size;
}

static void put(void *ctx, enum sock_way way, void *base, uint32_t size)
{
    (void)ctx;
    (void)way;
    (void)madvise(base, size, MADV_REMOVE);
}

static void destroy(struct ringport *r)
{
    munmap(r->map, RING_FILE_SIZE);
    free(r);
}

static void done(void *ctx)
{
    struct ringport *r = ctx;

    r->stored = false;
    if (!r->stream)
        destroy(r);
}

/* --- life --------------------------------------------------------------------------------------
 */

static void rest(struct ringport *r, bool resting)
{
    struct ringport_list *list = &r->stream->all->resting;

    if (resting == r->resting)
        return;
    r->resting = resting;
    if (resting) {
        r->rest_since = r->stream->all->now;
        TAILQ_INSERT_TAIL(list, r, link);
    } else {
        TAILQ_REMOVE(list, r, link);
    }
}

static void awaken(struct ringport *r)
{
    if (r->awake)
        return;
    rest(r, false);
    r->awake = true;
    STORE(r->words->sleeps, 0);
    TAILQ_INSERT_TAIL(&r->stream->all->awake, r, link);
}

static void fall_asleep(struct ringport *r)
{
    r->awake = false;
    TAILQ_REMOVE(&r->stream->all->awake, r, link);
    rest(r, true);
}

static void rung(struct watch *w, uint32_t events)
{
    struct ringport *r = (struct ringport *)w;

    (void)events;
    awaken(r);
    if (asks_for_acks(r))
        ringport_tell_acked(r->stream);
    r->stream->news = true;
    stream_work(r->stream);
}

/* A file of its final size, for ever. */
static int make_file(void)
{
    int fd = memfd_create("tapstack-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, RING_FILE_SIZE) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

static struct ringport *make(struct stream *s, int *error)
{
    struct ringport *r = calloc(1, sizeof(*r));

    *error = -ENOMEM;
    if (!r)
        return NULL;
    r->stream = s;
    r->bell.ready = rung;
    r->file = make_file();
    if (r->file < 0) {
        *error = r->file;
        free(r);
        return NULL;
    }
    r->map =
        mmap(NULL, RING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, r->file, 0);
    if (r->map == MAP_FAILED) {
        close(r->file);
        free(r);
        return NULL;
    }
    r->words = (struct ring_words *)r->map;
    r->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *error = r->bell_fd < 0 ? -errno
                            : poller_add(s->all->poller, r->bell_fd, EPOLLIN | EPOLLET, &r->bell);
    if (*error == 0)
        return r;
    if (r->bell_fd >= 0)
        close(r->bell_fd);
    close(r->file);
    destroy(r);
    return NULL;
}

static void release(struct watch *w)
{
    struct ringport *r = (struct ringport *)w;

    r->stream = NULL;
    if (!r->stored)
        destroy(r);
}

static void detach(struct ringport *r)
{
    struct streams *all = r->stream->all;

    if (r->awake)
        TAILQ_REMOVE(&all->awake, r, link);
    if (r->resting)
        TAILQ_REMOVE(&all->resting, r, link);
    r->awake = r->resting = false;
    poller_remove(all->poller, r->bell_fd);
    close(r->bell_fd);
    close(r->file); /* nobody can ask for it any more; the map stays */
    policy_give_ring(all->policy, r->stream->owner.uid);
    poller_retire(all->poller, &r->bell, release);
}

/* The rings begin where the streams are. */
static void begin(struct ringport *r)
{
    struct stream *s = r->stream;
    struct ring_words *w = r->words;

    r->granted = sock_position(s->sock, SOCK_SENDS) + stream_queued(s);
    r->shown = sock_position(s->sock, SOCK_RECEIVES);
    w->magic = RING_MAGIC;
    w->first_send = w->committed = w->held = r->granted;
    w->first_recv = w->consumed = r->shown;
    publish(r, SOCK_SENDS, r->granted);
    publish(r, SOCK_RECEIVES, r->shown);
    STORE(w->send.acked, r->granted);
}

static uint32_t size_for(uint32_t want, uint32_t otherwise)
{
    uint32_t size = RING_EXTENT_MIN;

    if (!want)
        want = otherwise;
    while (size < want && size < RING_EXTENT_MAX)
        size *= 2;
    return size;
}

/* The program has shut down its writing, or closed; the event of that may still be under way. */
static bool is_shut(const struct stream *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};

    return s->hup || s->fin_seen || poll(&p, 1, 0) != 0;
}

int ringport_attach(struct stream *s, const struct wire_ring *want)
{
    const uint32_t least[2] = {size_for(want->send_size, SEND_SIZE),
                               size_for(want->recv_size, RECV_SIZE)};
    struct sock_storage storage = {.get = get, .put = put, .done = done};
    struct ringport *r;
    int rc;

    if (s->ring)
        return 0;
    if (s->state != STREAM_OPEN || is_shut(s))
        return -ENOTCONN;
    rc = policy_take_ring(s->all->policy, s->owner.uid);
    if (rc < 0)
        return rc;
    r = make(s, &rc);
    if (!r) {
        policy_give_ring(s->all->policy, s->owner.uid);
        return rc;
    }
    storage.ctx = r;
    rc = sock_share(s->sock, &storage, least);
    if (rc < 0) {
        detach(r);
        return rc;
    }
    r->stored = true;
    s->ring = r;
    /* a plain write is EPIPE from here on; with the peer's end passed on, our end would be shut
     * both ways, and its hang-up say nothing any more */
    r->shut = !s->eof_done && shutdown(s->fd, SHUT_RD) == 0;
    begin(r);
    awaken(r);
    stats_add(STAT_rings_made, 1);
    s->news = true;
    stream_work(s);
    return s->state == STREAM_ENDED ? -ENOTCONN : 0;
}

int ringport_file(const struct ringport *r)
{
    return r->file;
}

int ringport_bell(const struct ringport *r)
{
    return r->bell_fd;
}

bool ringport_is_alone(const struct ringport *r)
{
    return r->shut && r->open;
}

uint32_t ringport_early(const struct stream *s)
{
    return LOAD(s->ring->words->begun);
}

void ringport_end(struct stream *s, int error)
{
    if (!(s->ring->state & RING_ERROR))
        set_state(s->ring, error ? RING_ERROR : RING_EOF, error);
    detach(s->ring);
    s->ring = NULL;
}

/* --- program → core ----------------------------------------------------------------------------
 */

/* What was written to the descriptor goes first. */
static bool opened(struct ringport *r)
{
    if (!r->open && stream_queued(r->stream) == 0) {
        r->open = true;
        r->granted = sock_position(r->stream->sock, SOCK_SENDS);
    }
    return r->open;
}

/* Bytes that are committed and not with the core; SIZE_MAX: that cannot be. */
static size_t news(const struct ringport *r, uint64_t at)
{
    uint64_t committed = LOAD(r->words->committed);

    if (committed < at || committed > r->granted)
        return SIZE_MAX;
    return (size_t)(committed - at);
}

static bool commit(struct ringport *r, size_t n)
{
    struct stream *s = r->stream;
    int flags = LOAD(r->words->more) ? MSG_MORE : SOCK_SEND_BATCH;

    sock_trace(s->sock, TRACE_ring_commit, TRACE_WHY_none, (uint32_t)n, 0, 0);
    if (sock_send_commit(s->sock, n, flags, s->all->now) != (ssize_t)n) {
        log_error("the core refused bytes that it had made room for: connection reset");
        stream_reset(s);
        return false;
    }
    s->taken += n;
    stats_add(STAT_streams_taken_bytes, n);
    return true;
}

static void grant(struct ringport *r)
{
    struct sock *sock = r->stream->sock;

    r->granted = sock_send_grant(sock, r->granted);
    publish(r, SOCK_SENDS, r->granted);
    if (r->granted > sock_position(sock, SOCK_SENDS) && (sock_poll(sock) & POLLOUT))
        wake(r, RING_FOR_SPACE);
}

void ringport_take(struct stream *s)
{
    struct ringport *r = s->ring;
    size_t n;

    if (s->fin_seen || !opened(r)) /* behind the end there is nothing */
        return;
    s->send_blocked = !sock_send_ready(s->sock);
    if (s->send_blocked) {
        s->news = true; /* the end must wait for what is committed */
        return;
    }
    n = news(r, sock_position(s->sock, SOCK_SENDS));
    if (n == SIZE_MAX) {
        violation(r);
        return;
    }
    if (n > STREAM_TURN) {
        n = STREAM_TURN;
        s->news = true;
        stream_again(s);
    } else {
        if (LOAD(r->words->ask) & RING_SHUT_WR) {
            n = news(r, sock_position(s->sock, SOCK_SENDS)); /* it may have been committed since */
            if (n == SIZE_MAX) {
                violation(r);
                return;
            }
            s->fin_seen = true;
            stream_again(s); /* a request may have been in front of the stream's turn */
        }
    }
    if (n && !commit(r, n))
        return;
    if (!s->fin_seen)
        grant(r);
    ringport_tell_acked(s);
}

/* --- core → program ----------------------------------------------------------------------------
 */

/* False: the stream has ended. */
static bool take_back(struct ringport *r)
{
    struct stream *s = r->stream;
    uint64_t at = sock_position(s->sock, SOCK_RECEIVES), consumed = LOAD(r->words->consumed);

    if (consumed < at || consumed > r->shown) {
        violation(r);
        return false;
    }
    if (consumed > at)
        sock_recv_consume(s->sock, (size_t)(consumed - at), s->held, s->all->now);
    return true;
}

/* Consuming less than a quarter of the window is no news to the peer. */
static void set_tell_at(struct ringport *r)
{
    struct stream *s = r->stream;
    uint64_t at = sock_position(s->sock, SOCK_RECEIVES), tell_at = at, consumed;
    bool lower;

    if (!(r->state & (RING_EOF | RING_ERROR)))
        tell_at = at + sock_recv_room(s->sock) / 4 + 1;
    if (r->tell_at == tell_at)
        return;
    lower = tell_at < r->tell_at;
    r->tell_at = tell_at;
    STORE(r->words->tell_at, tell_at);
    if (!lower)
        return;
    FULL_FENCE(); /* the program may just have come to the new one, and looked at the old one */
    consumed = LOAD(r->words->consumed);
    if (consumed >= tell_at && consumed != at)
        stream_again(s);
}

static void show(struct ringport *r)
{
    struct stream *s = r->stream;
    uint64_t before = r->shown;
    bool eof = sock_peer_closed(s->sock) && !(r->state & RING_EOF);

    r->shown = sock_arrived(s->sock);
    publish(r, SOCK_RECEIVES, r->shown);
    if (eof) {
        s->eof_done = true;
        set_state(r, RING_EOF, 0);
    }
    set_tell_at(r);
    if (r->shown != before) {
        stats_add(STAT_streams_pushed_bytes, r->shown - before);
        sock_trace(s->sock, TRACE_ring_show, TRACE_WHY_none, (uint32_t)(r->shown - before),
                   (uint32_t)sock_inq(s->sock), 0);
    }
    if (eof || (r->shown != before && sock_readable(s->sock)))
        wake(r, RING_FOR_DATA);
}

/* Who sees the error has seen the limit before: it is shown first. */
void ringport_die(struct stream *s, int error)
{
    if (!s->deaf)
        show(s->ring);
    set_state(s->ring, RING_ERROR, error);
    wake(s->ring, RING_FOR_DATA | RING_FOR_SPACE | RING_FOR_ACKS);
}

void ringport_push(struct stream *s)
{
    struct ringport *r = s->ring;

    if (!s->deaf && !take_back(r))
        return;
    if (!s->deaf && (LOAD(r->words->ask) & RING_SHUT_RD) && s->state == STREAM_OPEN) {
        s->deaf = true;
        (void)sock_shutdown(s->sock, SHUT_RD, s->all->now);
    }
    if (s->deaf)
        stream_drop_all(s);
    else
        show(r);
    if (!r->awake) { /* it has storage again, and its time begins anew */
        rest(r, false);
        rest(r, true);
    }
}

/* --- all of them -------------------------------------------------------------------------------
 */

/* Has the program moved a word that matters? */
static bool has_work(const struct ringport *r)
{
    const struct ring_words *w = r->words;
    const struct stream *s = r->stream;
    uint64_t consumed;

    bool takes = s->state == STREAM_OPEN && r->open && !s->send_blocked && !s->fin_seen;

    if (takes &&
        (LOAD(w->committed) != sock_position(s->sock, SOCK_SENDS) || (LOAD(w->ask) & RING_SHUT_WR)))
        return true;
    consumed = LOAD(w->consumed);
    if (consumed >= r->tell_at && consumed != sock_position(s->sock, SOCK_RECEIVES) && !s->deaf)
        return true;
    return s->state == STREAM_OPEN && (LOAD(w->ask) & RING_SHUT_RD) && !s->deaf;
}

unsigned ringports_run(struct streams *all)
{
    struct ringport *r, *next;
    unsigned n = 0;

    for (r = TAILQ_FIRST(&all->awake); r; r = next) {
        next = TAILQ_NEXT(r, link);
        if (!r->awake) /* ended with one before it */
            break;
        if (asks_for_acks(r))
            ringport_tell_acked(r->stream);
        tell_of_room(r);
        if (!r->stream->sock || !has_work(r))
            continue;
        r->stream->news = true;
        stream_work(r->stream);
        n++;
    }
    return n;
}

bool ringports_sleep(struct streams *all)
{
    struct ringport *r, *next;
    bool work = false;

    for (r = TAILQ_FIRST(&all->awake); r; r = next) {
        next = TAILQ_NEXT(r, link);
        STORE(r->words->sleeps, 1);
    }
    FULL_FENCE();
    for (r = TAILQ_FIRST(&all->awake); r; r = next) {
        next = TAILQ_NEXT(r, link);
        if (asks_for_acks(r) || (r->stream->sock && has_work(r))) {
            STORE(r->words->sleeps, 0);
            work = true;
        } else {
            fall_asleep(r);
        }
    }
    return work;
}

/*
 * The storage of an idle ring goes back. What was granted is taken back first; a program that is
 * just about to use it has said so in `held`, or sees that the grant has gone.
 */
static bool give_back(struct ringport *r)
{
    struct stream *s = r->stream;
    uint64_t at = sock_position(s->sock, SOCK_SENDS);
    struct ring_words *w = r->words;

    if (!r->open || !sock_idle(s->sock) || LOAD(w->held) != at)
        return false;
    publish(r, SOCK_SENDS, at);
    FULL_FENCE();
    if (LOAD(w->held) != at || LOAD(w->committed) != at) {
        publish(r, SOCK_SENDS, r->granted);
        wake(r, RING_FOR_SPACE); /* who has looked meanwhile saw none */
        return false;
    }
    sock_give_back(s->sock);
    r->granted = at;
    stats_add(STAT_rings_given_back, 1);
    publish(r, SOCK_SENDS, at);
    publish(r, SOCK_RECEIVES, r->shown);
    return true;
}

/* It has not moved for a while: give its storage back now, or look again later. */
static void rested(struct ringport *r)
{
    struct stream *s = r->stream;

    rest(r, false);
    if (!s->sock || s->state != STREAM_OPEN || (!s->deaf && !take_back(r)))
        return;
    if (!give_back(r) && sock_holds_storage(s->sock))
        rest(r, true);
}

bool ringports_tick(struct streams *all)
{
    struct ringport *r;

    while ((r = TAILQ_FIRST(&all->resting)) != NULL && all->now - r->rest_since >= RINGPORT_IDLE_US)
        rested(r);
    return !TAILQ_EMPTY(&all->resting);
}
