/* SPDX-License-Identifier: MIT */
/*
 * capture.h as a pcapng file (draft-ietf-opsawg-pcapng): a section header, one interface for each
 * host, enhanced packets with their direction. Times are the simulation's microseconds.
 */
#include "tests/sim/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAP       160u
#define MAX_FRAMES 400000u /**< the newest stay */

struct captured {
    uint64_t at;
    uint32_t len, kept;
    uint8_t interface;
    bool out;
    uint8_t data[SNAP];
};

struct capture {
    struct captured *frames;
    size_t n, room, first;
    unsigned n_interfaces;
};

struct capture *capture_new(unsigned n_interfaces)
{
    struct capture *c = calloc(1, sizeof(*c));

    if (c)
        c->n_interfaces = n_interfaces;
    return c;
}

void capture_free(struct capture *c)
{
    if (!c)
        return;
    free(c->frames);
    free(c);
}

static struct captured *next_frame(struct capture *c)
{
    if (c->n == MAX_FRAMES) {
        struct captured *f = &c->frames[c->first];

        c->first = (c->first + 1) % MAX_FRAMES;
        return f;
    }
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 64;
        struct captured *frames =
            realloc(c->frames, (room > MAX_FRAMES ? MAX_FRAMES : room) * sizeof(*frames));

        if (!frames)
            return NULL;
        c->frames = frames;
        c->room = room > MAX_FRAMES ? MAX_FRAMES : room;
    }
    return &c->frames[c->n++];
}

void capture_add(struct capture *c, unsigned i, bool out, uint64_t now, const uint8_t *data,
                 uint32_t len)
{
    struct captured *f = next_frame(c);

    if (!f)
        return;
    f->at = now;
    f->len = len;
    f->kept = len < SNAP ? len : SNAP;
    f->interface = (uint8_t)i;
    f->out = out;
    memcpy(f->data, data, f->kept);
}

static void put(FILE *f, const void *p, size_t n)
{
    fwrite(p, 1, n, f);
}

static void put32(FILE *f, uint32_t v)
{
    put(f, &v, sizeof(v));
}

static void write_section(FILE *f)
{
    static const uint32_t block[] = {0x0a0d0d0a, 28,         0x1a2b3c4d, 0x00000001,
                                     0xffffffff, 0xffffffff, 28};

    put(f, block, sizeof(block));
}

static void write_interface(FILE *f, unsigned i)
{
    char name[4] = {'h', (char)('0' + i), 0, 0};

    put32(f, 1);
    put32(f, 32);
    put32(f, 1); /* Ethernet */
    put32(f, SNAP);
    put32(f, 2 | 2u << 16); /* if_name, two bytes */
    put(f, name, 4);
    put32(f, 0);
    put32(f, 32);
}

static void write_frame(FILE *f, const struct captured *c)
{
    static const uint8_t zero[4];
    uint32_t pad = (4 - c->kept % 4) % 4, total = 32 + c->kept + pad + 12;

    put32(f, 6);
    put32(f, total);
    put32(f, c->interface);
    put32(f, (uint32_t)(c->at >> 32));
    put32(f, (uint32_t)c->at);
    put32(f, c->kept);
    put32(f, c->len);
    put(f, c->data, c->kept);
    put(f, zero, pad);
    put32(f, 2 | 4u << 16); /* epb_flags */
    put32(f, c->out ? 2 : 1);
    put32(f, 0);
    put32(f, total);
}

int capture_write(const struct capture *c, const char *path)
{
    FILE *f = fopen(path, "wb");

    if (!f)
        return -errno;
    write_section(f);
    for (unsigned i = 0; i < c->n_interfaces; i++)
        write_interface(f, i);
    for (size_t i = 0; i < c->n; i++)
        write_frame(f, &c->frames[(c->first + i) % c->n]);
    return fclose(f) == 0 ? 0 : -errno;
}
