/* SPDX-License-Identifier: MIT */
/* A capture to a pcap file, by libpcap; see capture.h. A buffer of 1 MiB keeps it off the fast
 * path's back. */
#include "daemon/capture.h"

#include "daemon/log.h"
#include "daemon/netdev/netdev.h"
#include "daemon/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CAPTURE_SNAPLEN 262144
#define CAPTURE_BUFFER  (1u << 20)

struct capture {
    pthread_mutex_t lock; /* all workers write here */
    pcap_t *pcap;
    pcap_dumper_t *dumper; /* NULL: the capture has ended */
    char *buffer;
    bool dirty;
    char path[256];
    uint8_t copy[NETDEV_FRAME_MAX];
};

static void capture_release(struct capture *c)
{
    if (c->dumper)
        pcap_dump_close(c->dumper);
    if (c->pcap)
        pcap_close(c->pcap);
    pthread_mutex_destroy(&c->lock);
    free(c->buffer);
    free(c);
}

static FILE *open_file(const char *path, char *buffer)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (!file) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (buffer)
        setvbuf(file, buffer, _IOFBF, CAPTURE_BUFFER);
    return file;
}

int capture_open(const char *path, struct capture **out)
{
    struct capture *c = calloc(1, sizeof(*c));
    FILE *file;
    int rc;

    if (!c)
        return -ENOMEM;
    pthread_mutex_init(&c->lock, NULL);
    snprintf(c->path, sizeof(c->path), "%s", path);
    c->buffer = malloc(CAPTURE_BUFFER);
    c->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, CAPTURE_SNAPLEN,
                                                   PCAP_TSTAMP_PRECISION_NANO);
    if (!c->pcap) {
        capture_release(c);
        return -ENOMEM;
    }
    file = open_file(path, c->buffer);
    rc = file ? 0 : -errno;
    if (rc < 0) {
        log_error("cannot write the capture %s: %s", path, strerror(-rc));
        capture_release(c);
        return rc;
    }
    c->dumper = pcap_dump_fopen(c->pcap, file);
    if (!c->dumper || pcap_dump_flush(c->dumper) < 0) {
        log_error("cannot write the capture %s: %s", path, strerror(errno));
        if (!c->dumper)
            fclose(file);
        capture_release(c);
        return -EIO;
    }
    *out = c;
    return 0;
}

void capture_close(struct capture *c)
{
    if (!c)
        return;
    capture_flush(c);
    capture_release(c);
}

static void capture_fail(struct capture *c)
{
    log_error("the capture %s ends here: %s", c->path, strerror(errno));
    pcap_dump_close(c->dumper);
    c->dumper = NULL;
}

/* The frame in one piece, its checksum complete. */
static void flatten(struct capture *c, const struct frame *f)
{
    struct frame whole;

    frame_flatten(f, c->copy);
    if (f->csum != FRAME_CSUM_PARTIAL)
        return;
    frame_init(&whole);
    whole.data = c->copy;
    whole.len = frame_total(f);
    whole.csum = FRAME_CSUM_PARTIAL;
    whole.csum_start = f->csum_start;
    whole.csum_offset = f->csum_offset;
    frame_complete_csum(&whole);
}

static void write_frame(struct capture *c, const struct frame *f)
{
    struct pcap_pkthdr h = {0};
    struct timespec t;

    if (!c->dumper || frame_total(f) > sizeof(c->copy))
        return;
    flatten(c, f);
    clock_gettime(CLOCK_REALTIME, &t);
    h.ts.tv_sec = t.tv_sec;
    h.ts.tv_usec = t.tv_nsec; /* a nanosecond capture: libpcap's own convention */
    h.caplen = h.len = frame_total(f);
    pcap_dump((u_char *)c->dumper, &h, c->copy);
    c->dirty = true;
    stats_add(STAT_capture_frames, 1);
    stats_add(STAT_capture_bytes, h.len);
    if (ferror(pcap_dump_file(c->dumper)))
        capture_fail(c);
}

void capture_frame(struct capture *c, const struct frame *f)
{
    pthread_mutex_lock(&c->lock);
    write_frame(c, f);
    pthread_mutex_unlock(&c->lock);
}

void capture_flush(struct capture *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    if (c->dumper && c->dirty) {
        c->dirty = false;
        if (pcap_dump_flush(c->dumper) < 0)
            capture_fail(c);
    }
    pthread_mutex_unlock(&c->lock);
}
