/* SPDX-License-Identifier: MIT */
/* Packets of a run, and their pcap file; see capture.h. */
#include "tests/pkt/capture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PCAP_MAGIC   0xa1b2c3d4u
#define LINKTYPE_RAW 101

void capture_add(struct target *t, uint64_t at, bool out, const uint8_t *ip, uint32_t len)
{
    struct capture *c = &t->capture;
    struct captured *p;

    if (c->n == c->room) {
        size_t room = c->room ? c->room * 2 : 64;
        struct captured *bigger = arena_alloc(t->arena, room * sizeof(*bigger));

        if (c->n)
            memcpy(bigger, c->packet, c->n * sizeof(*bigger));
        c->packet = bigger;
        c->room = room;
    }
    p = &c->packet[c->n++];
    *p = (struct captured){.at = at, .out = out, .len = len, .ip = arena_alloc(t->arena, len)};
    memcpy(p->ip, ip, len);
}

static bool write_all(FILE *f, const struct capture *c)
{
    struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, accuracy, snaplen, link;
    } head = {PCAP_MAGIC, 2, 4, 0, 0, 65535, LINKTYPE_RAW};

    if (fwrite(&head, sizeof(head), 1, f) != 1)
        return false;
    for (size_t i = 0; i < c->n; i++) {
        const struct captured *p = &c->packet[i];
        uint32_t record[4] = {(uint32_t)(p->at / 1000000), (uint32_t)(p->at % 1000000), p->len,
                              p->len};

        if (fwrite(record, sizeof(record), 1, f) != 1 || fwrite(p->ip, p->len, 1, f) != 1)
            return false;
    }
    return true;
}

int capture_write(const struct capture *c, const char *folder, const char *name)
{
    char path[512];
    FILE *f;
    bool ok;

    snprintf(path, sizeof(path), "%s", folder);
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s.pcap", folder, name);
    f = fopen(path, "wb");
    if (!f)
        return -errno;
    ok = write_all(f, c);
    if (fclose(f) != 0 || !ok)
        return -EIO;
    return 0;
}
