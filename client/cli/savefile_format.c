/* SPDX-License-Identifier: MIT */
/*
 * The bytes of pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng) files; see
 * savefile_format.h. Options and packets of pcapng are padded to four bytes.
 */
#include "client/cli/savefile_format.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#ifndef TAPSTACK_VERSION
#define TAPSTACK_VERSION "unknown"
#endif

enum { LINKTYPE_ETHERNET = 1 };
enum { PCAP_MAGIC_NS = 0xa1b23c4d };
enum {
    NG_SECTION = 0x0a0d0d0a,
    NG_ORDER = 0x1a2b3c4d,
    NG_INTERFACE = 1,
    NG_STATS = 5,
    NG_PACKET = 6
};
enum { OPT_END = 0, OPT_COMMENT = 1 };
enum { SHB_USERAPPL = 4 };
enum { IF_NAME = 2, IF_TSRESOL = 9, IF_FILTER = 11 };
enum { EPB_FLAGS = 2, EPB_INBOUND = 1, EPB_OUTBOUND = 2 };
enum { ISB_FILTERACCEPT = 6, ISB_OSDROP = 7 };

#define BLOCK_FRAME 12 /* type, and the length twice */
#define PACKET_HEAD 20 /* interface, time, both lengths */
#define FLAGS_SIZE  12 /* with the end of the options */

/* A pcapng block while it is put together: none of ours but packets is larger. */
struct block {
    uint8_t bytes[1024];
    uint32_t len;
};

static void put32(FILE *f, uint32_t v)
{
    fwrite(&v, sizeof(v), 1, f);
}

static void add(struct block *b, const void *from, uint32_t n)
{
    static const uint8_t zeros[4];
    uint32_t pad = -n & 3;

    if (n + pad > sizeof(b->bytes) - b->len)
        return; /* a filter's text may be that long: left out */
    memcpy(b->bytes + b->len, from, n);
    memcpy(b->bytes + b->len + n, zeros, pad);
    b->len += n + pad;
}

static void add32(struct block *b, uint32_t v)
{
    add(b, &v, sizeof(v));
}

static void add_option(struct block *b, uint16_t code, const void *value, uint32_t n)
{
    uint16_t head[2] = {code, (uint16_t)n};

    if (n + 3 + sizeof(head) + sizeof(head) > sizeof(b->bytes) - b->len)
        return;
    add(b, head, sizeof(head));
    add(b, value, n);
}

static uint64_t put_block(FILE *f, uint32_t type, struct block *b)
{
    add_option(b, OPT_END, "", 0);
    put32(f, type);
    put32(f, b->len + BLOCK_FRAME);
    fwrite(b->bytes, b->len, 1, f);
    put32(f, b->len + BLOCK_FRAME);
    return b->len + BLOCK_FRAME;
}

static uint64_t begin_pcapng(const struct savefile *s)
{
    static const char program[] = "tapstack " TAPSTACK_VERSION;
    struct block section = {.len = 0}, interface = {.len = 0};
    const struct savefile_options *o = &s->options;
    const uint16_t version[2] = {1, 0}, link[2] = {LINKTYPE_ETHERNET, 0};
    const int64_t length = -1; /* of the section: not known */
    const uint8_t nanoseconds = 9;
    char filter[512] = ""; /* its first byte says: libpcap's language */
    uint64_t bytes;

    add32(&section, NG_ORDER);
    add(&section, version, sizeof(version));
    add(&section, &length, sizeof(length));
    add_option(&section, SHB_USERAPPL, program, sizeof(program) - 1);
    bytes = put_block(s->file, NG_SECTION, &section);
    add(&interface, link, sizeof(link));
    add32(&interface, o->snaplen);
    add_option(&interface, IF_NAME, o->interface, (uint32_t)strlen(o->interface));
    add_option(&interface, IF_TSRESOL, &nanoseconds, 1);
    if (o->filter[0] && strlen(o->filter) < sizeof(filter) - 1) {
        strcpy(filter + 1, o->filter);
        add_option(&interface, IF_FILTER, filter, (uint32_t)strlen(o->filter) + 1);
    }
    return bytes + put_block(s->file, NG_INTERFACE, &interface);
}

static uint64_t begin_pcap(const struct savefile *s)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t reserved[2], snaplen, link;
    } head = {PCAP_MAGIC_NS, 2, 4, {0, 0}, s->options.snaplen, LINKTYPE_ETHERNET};

    fwrite(&head, sizeof(head), 1, s->file);
    return sizeof(head);
}

uint64_t format_begin(const struct savefile *s)
{
    return s->options.pcapng ? begin_pcapng(s) : begin_pcap(s);
}

uint64_t format_size(const struct savefile *s, uint32_t caplen)
{
    if (!s->options.pcapng)
        return 16 + (uint64_t)caplen;
    return BLOCK_FRAME + PACKET_HEAD + (((uint64_t)caplen + 3) & ~3ull) + FLAGS_SIZE;
}

static void put_packet_block(FILE *f, const struct capture_record *r, const void *bytes,
                             uint32_t size)
{
    const uint32_t head[5] = {0, (uint32_t)(r->ns >> 32), (uint32_t)r->ns, r->caplen, r->len};
    const uint16_t flags[2] = {EPB_FLAGS, sizeof(uint32_t)};

    put32(f, NG_PACKET);
    put32(f, size);
    fwrite(head, sizeof(head), 1, f);
    fwrite(bytes, 1, r->caplen, f);
    fwrite("\0\0\0", 1, -r->caplen & 3, f);
    fwrite(flags, sizeof(flags), 1, f);
    put32(f, r->direction == CAPTURE_IN ? EPB_INBOUND : EPB_OUTBOUND);
    put32(f, OPT_END);
    put32(f, size);
}

uint64_t format_packet(const struct savefile *s, const struct capture_record *r, const void *bytes)
{
    uint64_t size = format_size(s, r->caplen);

    if (s->options.pcapng) {
        put_packet_block(s->file, r, bytes, (uint32_t)size);
        return size;
    }
    put32(s->file, (uint32_t)(r->ns / 1000000000));
    put32(s->file, (uint32_t)(r->ns % 1000000000));
    put32(s->file, r->caplen);
    put32(s->file, r->len);
    fwrite(bytes, 1, r->caplen, s->file);
    return size;
}

void format_end(const struct savefile *s)
{
    struct block stats = {.len = 0};
    struct timespec now;
    char comment[64];
    uint64_t ns;

    if (!s->options.pcapng)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    add32(&stats, 0);
    add32(&stats, (uint32_t)(ns >> 32));
    add32(&stats, (uint32_t)ns);
    add_option(&stats, ISB_FILTERACCEPT, &s->matched, sizeof(s->matched));
    add_option(&stats, ISB_OSDROP, &s->dropped, sizeof(s->dropped));
    if (s->dropped) {
        snprintf(comment, sizeof(comment), "%" PRIu64 " frames dropped: the ring was full",
                 s->dropped);
        add_option(&stats, OPT_COMMENT, comment, (uint32_t)strlen(comment));
    }
    put_block(s->file, NG_STATS, &stats);
}
