/* SPDX-License-Identifier: MIT */
/* Taking records out of the ring, and sleeping; see capture_reader.h. */
#include "client/cli/capture_reader.h"

#include "client/lib/control.h"
#include "ipc/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOAD(word)         __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

/* The first message of the pair: the memory file. */
static int receive_file(int pair)
{
    int fds[FDPASS_MAX];
    size_t n_fds = 0;
    char byte;
    ssize_t n = fdpass_recv(pair, &byte, 1, fds, &n_fds, 0, NULL);

    if (n == 1 && n_fds == 1)
        return fds[0];
    fdpass_close(fds, n_fds);
    return n < 0 ? (int)n : -EPROTO;
}

static int map_file(struct capture_reader *r, int file, uint32_t size)
{
    struct stat st;
    void *map;

    if (fstat(file, &st) < 0)
        return -errno;
    if (st.st_size != (off_t)CAPTURE_WORDS_SIZE + size)
        return -EPROTO;
    map =
        mmap(NULL, CAPTURE_WORDS_SIZE + (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        return -errno;
    r->words = map;
    r->bytes = (const uint8_t *)map + CAPTURE_WORDS_SIZE;
    r->size = size;
    return r->words->magic == CAPTURE_MAGIC && r->words->size == size ? 0 : -EPROTO;
}

int capture_reader_open(struct capture_reader *r, const struct wire_capture *want, size_t len)
{
    struct control_request rq = {
        .op = WIRE_OP_CAPTURE, .fd = -1, .body = want, .len = len, .timeout_us = 5 * 1000000};
    struct control_reply rp = {.fd = -1};
    int rc = control_call(&rq, &rp), file;

    *r = (struct capture_reader){.fd = rc ? -1 : rp.fd};
    if (rc)
        return rc;
    r->copy = malloc(CAPTURE_SNAPLEN);
    file = r->copy ? receive_file(r->fd) : -ENOMEM;
    rc = file < 0 ? file : map_file(r, file, want->ring);
    if (file >= 0)
        close(file);
    if (rc < 0)
        capture_reader_close(r);
    return rc;
}

void capture_reader_close(struct capture_reader *r)
{
    if (r->words)
        munmap(r->words, CAPTURE_WORDS_SIZE + (size_t)r->size);
    if (r->fd >= 0)
        close(r->fd);
    free(r->copy);
    *r = (struct capture_reader){.fd = -1};
}

/* n bytes from position `at`: where they lie, or copied together around the end. */
static const void *get(const struct capture_reader *r, uint64_t at, void *copy, uint32_t n)
{
    uint32_t place = (uint32_t)at & (r->size - 1), first = r->size - place;

    if (first >= n)
        return r->bytes + place;
    memcpy(copy, r->bytes + place, first);
    memcpy((char *)copy + first, r->bytes, n - first);
    return copy;
}

int capture_reader_next(struct capture_reader *r, struct capture_record *out, const void **bytes)
{
    uint64_t there;

    STORE(r->words->tail, r->tail); /* the frame of the last call is done with */
    there = LOAD(r->words->head) - r->tail;
    if (there == 0)
        return 0;
    if (there < sizeof(*out) || there > r->size)
        return -EPROTO;
    memcpy(out, get(r, r->tail, &(struct capture_record){0}, sizeof(*out)), sizeof(*out));
    if (out->caplen > CAPTURE_SNAPLEN || capture_record_size(out->caplen) > there)
        return -EPROTO;
    *bytes = get(r, r->tail + sizeof(*out), r->copy, out->caplen);
    r->tail += capture_record_size(out->caplen);
    return 1;
}

int capture_reader_wait(struct capture_reader *r, const sigset_t *mask)
{
    /* of standard output nothing is asked but whether its reader has gone */
    struct pollfd fds[2] = {{.fd = r->fd, .events = POLLIN}, {.fd = STDOUT_FILENO, .events = 0}};
    char bytes[64];
    ssize_t n;

    STORE(r->words->ticket, ++r->ticket);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (LOAD(r->words->head) != r->tail)
        return 0;
    if (ppoll(fds, 2, NULL, mask) < 0)
        return -errno;
    if (fds[1].revents & POLLERR)
        return -EPIPE;
    if (!fds[0].revents)
        return 0;
    n = read(r->fd, bytes, sizeof(bytes));
    return n > 0 ? 0 : -ECONNRESET;
}
