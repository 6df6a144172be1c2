/* SPDX-License-Identifier: MIT */
/* A ringport's life: its file and storage, how it wakes and rests, what an idle one gives back. */
#include "daemon/ringport_internal.h"
#include "daemon/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/** The first extents: small enough for a cache, large enough for a window. */
#define SEND_SIZE (256u << 10)
#define RECV_SIZE (256u << 10)

/* --- storage -------------------------------------------------------------------------------------
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

/* --- awake, or at rest ---------------------------------------------------------------------------
 */

void ringport_rest(struct ringport *r, bool resting)
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
    ringport_rest(r, false);
    r->awake = true;
    STORE(r->words->sleeps, 0);
    TAILQ_INSERT_TAIL(&r->stream->all->awake, r, link);
}

void ringport_fall_asleep(struct ringport *r)
{
    r->awake = false;
    TAILQ_REMOVE(&r->stream->all->awake, r, link);
    ringport_rest(r, true);
}

static void rung(struct watch *w, uint32_t events)
{
    struct ringport *r = (struct ringport *)w;

    (void)events;
    awaken(r);
    if (ringport_asks_for_acks(r))
        ringport_tell_acked(r->stream);
    r->stream->news = true;
    stream_work(r->stream);
}

/* --- from the first to the last ------------------------------------------------------------------
 */

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
    ringport_publish(r, SOCK_SENDS, r->granted);
    ringport_publish(r, SOCK_RECEIVES, r->shown);
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

void ringport_end(struct stream *s, int error)
{
    if (!(s->ring->state & RING_ERROR))
        ringport_set_state(s->ring, error ? RING_ERROR : RING_EOF, error);
    detach(s->ring);
    s->ring = NULL;
}

/* --- at rest for long ----------------------------------------------------------------------------
 */

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
    ringport_publish(r, SOCK_SENDS, at);
    FULL_FENCE();
    if (LOAD(w->held) != at || LOAD(w->committed) != at) {
        ringport_publish(r, SOCK_SENDS, r->granted);
        ringport_wake(r, RING_FOR_SPACE); /* who has looked meanwhile saw none */
        return false;
    }
    sock_give_back(s->sock);
    r->granted = at;
    stats_add(STAT_rings_given_back, 1);
    ringport_publish(r, SOCK_SENDS, at);
    ringport_publish(r, SOCK_RECEIVES, r->shown);
    return true;
}

/* It has not moved for a while: give its storage back now, or look again later. */
static void rested(struct ringport *r)
{
    struct stream *s = r->stream;

    ringport_rest(r, false);
    if (!s->sock || s->state != STREAM_OPEN || (!s->deaf && !ringport_take_back(r)))
        return;
    if (!give_back(r) && sock_holds_storage(s->sock))
        ringport_rest(r, true);
}

bool ringports_tick(struct streams *all)
{
    struct ringport *r;

    while ((r = TAILQ_FIRST(&all->resting)) != NULL && all->now - r->rest_since >= RINGPORT_IDLE_US)
        rested(r);
    return !TAILQ_EMPTY(&all->resting);
}
