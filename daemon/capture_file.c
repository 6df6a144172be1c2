/* SPDX-License-Identifier: MIT */
/* A capture to a pcap file, by libpcap; see capture_file.h. A buffer of 1 MiB keeps it off the fast
 * path's back. */
#include "daemon/capture_file.h"

#include "daemon/log.h"
#include "daemon/stats.h"
#include "ipc/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPTURE_BUFFER (1u << 20)

struct capture_file {
    struct capture_sink sink; /* first */
    struct captures *all;
    pcap_t *pcap;
    pcap_dumper_t *dumper; /* NULL: the capture has ended */
    char *buffer;
    bool dirty;
    char path[256];
};

static void release(struct capture_file *c)
{
    if (c->dumper)
        pcap_dump_close(c->dumper);
    if (c->pcap)
        pcap_close(c->pcap);
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

static void fail(struct capture_file *c)
{
    log_error("the capture %s ends here: %s", c->path, strerror(errno));
    pcap_dump_close(c->dumper);
    c->dumper = NULL;
}

static void write_packet(struct capture_sink *s, struct capture_packet *p)
{
    struct capture_file *c = (struct capture_file *)s;
    struct pcap_pkthdr h = {.caplen = p->len, .len = p->len};

    if (!c->dumper)
        return;
    capture_complete(p);
    h.ts.tv_sec = (time_t)(p->ns / 1000000000);
    h.ts.tv_usec = (suseconds_t)(p->ns % 1000000000); /* a nanosecond capture: libpcap's own way */
    pcap_dump((u_char *)c->dumper, &h, p->data);
    c->dirty = true;
    stats_add(STAT_capture_frames, 1);
    stats_add(STAT_capture_bytes, h.len);
    if (ferror(pcap_dump_file(c->dumper)))
        fail(c);
}

static void flush(struct capture_sink *s)
{
    struct capture_file *c = (struct capture_file *)s;

    if (!c->dumper || !c->dirty)
        return;
    c->dirty = false;
    if (pcap_dump_flush(c->dumper) < 0)
        fail(c);
}

static int begin(struct capture_file *c)
{
    FILE *file;
    int rc;

    c->buffer = malloc(CAPTURE_BUFFER);
    c->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, CAPTURE_SNAPLEN,
                                                   PCAP_TSTAMP_PRECISION_NANO);
    if (!c->pcap)
        return -ENOMEM;
    file = open_file(c->path, c->buffer);
    if (!file) {
        rc = -errno;
        log_error("cannot write the capture %s: %s", c->path, strerror(-rc));
        return rc;
    }
    c->dumper = pcap_dump_fopen(c->pcap, file);
    if (!c->dumper || pcap_dump_flush(c->dumper) < 0) {
        log_error("cannot write the capture %s: %s", c->path, strerror(errno));
        if (!c->dumper)
            fclose(file);
        return -EIO;
    }
    return captures_add(c->all, &c->sink);
}

int capture_file_open(struct captures *all, const char *path, struct capture_file **out)
{
    struct capture_file *c = calloc(1, sizeof(*c));
    int rc;

    if (!c)
        return -ENOMEM;
    c->all = all;
    c->sink.packet = write_packet;
    c->sink.flush = flush;
    snprintf(c->path, sizeof(c->path), "%s", path);
    rc = begin(c);
    if (rc < 0)
        release(c);
    else
        *out = c;
    return rc;
}

void capture_file_close(struct capture_file *c)
{
    if (!c)
        return;
    flush(&c->sink);
    captures_remove(c->all, &c->sink);
    release(c);
}
