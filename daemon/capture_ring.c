/* SPDX-License-Identifier: MIT */
/*
 * The daemon's side of a client's capture; see capture_ring.h. Our end of the pair is shut for
 * reading before the client has the other one, so nothing, above all no foreign descriptor, can be
 * sent to it; it only tells when the client has gone.
 */
#include "daemon/capture_ring.h"

#include "daemon/capture_filter.h"
#include "daemon/stats.h"
#include "ipc/capture.h"
#include "ipc/codec.h"
#include "ipc/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct capture_ring {
    struct watch watch; /* first */
    struct capture_sink sink;
    struct capture_rings *rings;
    int fd;
    struct capture_words *words;
    uint8_t *bytes;
    uint32_t size, snaplen, direction;
    uint64_t head, tail; /* ours, and what the reader said last */
    uint64_t matched, dropped;
    uint32_t answered; /* the ticket */
    bool broken;       /* the reader's word cannot be true */
    struct capture_filter filter;
};

#define RING_OF(s) ((struct capture_ring *)((char *)(s)-offsetof(struct capture_ring, sink)))

#define LOAD(word)         __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

/* --- frames ------------------------------------------------------------------------------------
 */

/* n bytes from position `at` on, around the end if need be. */
static void put(struct capture_ring *r, uint64_t at, const void *from, uint32_t n)
{
    uint32_t place = (uint32_t)at & (r->size - 1);
    uint32_t first = n < r->size - place ? n : r->size - place;

    memcpy(r->bytes + place, from, first);
    memcpy(r->bytes, (const char *)from + first, n - first);
}

/* Room behind the head; the reader's word is read once, and believed only if it can be. */
static uint64_t room(struct capture_ring *r)
{
    uint64_t tail = LOAD(r->words->tail);

    if (tail < r->tail || tail > r->head) {
        r->broken = true;
        stats_add(STAT_capture_violations, 1);
        return 0;
    }
    r->tail = tail;
    return r->size - (r->head - tail);
}

static void packet(struct capture_sink *s, struct capture_packet *p)
{
    struct capture_ring *r = RING_OF(s);
    struct capture_record record = {.ns = p->ns, .len = p->len, .direction = p->direction};
    uint32_t size;

    if (r->broken || !(r->direction & p->direction) ||
        !capture_filter_pass(&r->filter, p->data, p->len))
        return;
    record.caplen = p->len < r->snaplen ? p->len : r->snaplen;
    size = capture_record_size(record.caplen);
    stats_add(STAT_capture_matched, 1);
    r->matched++;
    if (size > room(r)) {
        stats_add(STAT_capture_dropped, 1);
        r->dropped++;
        STORE(r->words->dropped, r->dropped);
    } else {
        capture_complete(p);
        put(r, r->head, &record, sizeof(record));
        put(r, r->head + sizeof(record), p->data, record.caplen);
        r->head += size;
    }
    STORE(r->words->matched, r->matched);
    STORE(r->words->head, r->head);
}

static void end(struct capture_ring *r);

/* Wake the reader if it has gone to sleep: once for each ticket. */
static void after_round(struct capture_sink *s)
{
    struct capture_ring *r = RING_OF(s);
    uint32_t ticket;

    if (r->broken) {
        end(r);
        return;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ticket = LOAD(r->words->ticket);
    if (ticket == r->answered || r->head == LOAD(r->words->tail))
        return;
    r->answered = ticket;
    /* a reader who does not take them has enough of them already */
    (void)send(r->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- life --------------------------------------------------------------------------------------
 */

static void release(struct watch *w)
{
    free(w);
}

/* What end() does but for the memory of the record itself, which the poller may still hold. */
static void take_down(struct capture_ring *r)
{
    for (size_t i = 0; i < CAPTURE_RINGS; i++)
        if (r->rings->list[i] == r)
            r->rings->list[i] = NULL;
    if (r->fd >= 0)
        close(r->fd);
    if (r->words)
        munmap(r->words, CAPTURE_WORDS_SIZE + (size_t)r->size);
}

static void end(struct capture_ring *r)
{
    captures_remove(r->rings->all, &r->sink);
    poller_remove(r->rings->poller, r->fd);
    take_down(r);
    poller_retire(r->rings->poller, &r->watch, release);
}

static void gone(struct watch *w, uint32_t events)
{
    (void)events; /* nothing but the end can be heard */
    end((struct capture_ring *)w);
}

/* The memory file, for as long as it is under way to the client; the map stays. */
static int make_file(struct capture_ring *r)
{
    size_t size = CAPTURE_WORDS_SIZE + (size_t)r->size;
    int fd = memfd_create("tapstack-capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *map = MAP_FAILED;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (map == MAP_FAILED) {
        int error = errno;

        close(fd);
        return -error;
    }
    r->words = map;
    r->bytes = (uint8_t *)map + CAPTURE_WORDS_SIZE;
    r->words->magic = CAPTURE_MAGIC;
    r->words->size = r->size;
    return fd;
}

/* Returns the client's end, which holds the memory file, or a negative errno value. */
static int connect_client(struct capture_ring *r)
{
    int fds[2], file = make_file(r);
    ssize_t n;

    if (file < 0)
        return file;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        int error = errno;

        close(file);
        return -error;
    }
    r->fd = fds[0];
    n = shutdown(r->fd, SHUT_RD) < 0 ? -errno : fdpass_send(r->fd, "", 1, file, MSG_DONTWAIT);
    close(file);
    if (n == 1)
        n = poller_add(r->rings->poller, r->fd, 0, &r->watch);
    if (n == 0)
        return fds[1];
    close(fds[1]);
    return (int)n;
}

static int check(const struct wire_capture *want, size_t len)
{
    bool power = want->ring && !(want->ring & (want->ring - 1));

    if (len != WIRE_CAPTURE_HEAD + (size_t)want->count * sizeof(want->filter[0]) || !power ||
        want->ring < CAPTURE_RING_MIN || want->ring > CAPTURE_RING_MAX || !want->direction ||
        (want->direction & ~(CAPTURE_IN | CAPTURE_OUT)) || want->snaplen > CAPTURE_SNAPLEN)
        return -EINVAL;
    return 0;
}

static struct capture_ring *make(struct capture_rings *rings, const struct wire_capture *want,
                                 int *rc)
{
    struct capture_ring *r = calloc(1, sizeof(*r));

    *rc = r ? capture_filter_set(&r->filter, want->filter, want->count) : -ENOMEM;
    if (*rc < 0) {
        free(r);
        return NULL;
    }
    r->watch.ready = gone;
    r->sink.packet = packet;
    r->sink.round = after_round;
    r->rings = rings;
    r->fd = -1;
    r->size = want->ring;
    r->snaplen = want->snaplen ? want->snaplen : CAPTURE_SNAPLEN;
    r->direction = want->direction;
    return r;
}

int capture_ring_begin(struct capture_rings *rings, const struct wire_capture *want, size_t len,
                       int *fd)
{
    struct capture_ring **at = rings->list, *r;
    int rc = check(want, len);

    if (rc < 0)
        return rc;
    while (at < rings->list + CAPTURE_RINGS && *at)
        at++;
    if (at == rings->list + CAPTURE_RINGS)
        return -EBUSY;
    r = make(rings, want, &rc);
    if (!r)
        return rc;
    *fd = connect_client(r);
    rc = *fd < 0 ? *fd : captures_add(rings->all, &r->sink);
    if (rc < 0) {
        if (*fd >= 0) {
            poller_remove(rings->poller, r->fd);
            close(*fd);
        }
        take_down(r);
        free(r);
        return rc;
    }
    *at = r;
    stats_add(STAT_capture_rings, 1);
    return 0;
}

void capture_rings_end(struct capture_rings *rings)
{
    for (size_t i = 0; i < CAPTURE_RINGS; i++)
        if (rings->list[i])
            end(rings->list[i]);
}
