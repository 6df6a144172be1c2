/* SPDX-License-Identifier: MIT */
/* A capture of one side of the emulated link; see relay_pcap.h. */
#include "tests/net/relay_pcap.h"

#include <errno.h>

#define SNAP 128

struct file_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snap, type;
};

struct record_header {
    uint32_t s, ns, kept, len;
};

int relay_pcap_open(struct relay_pcap *p, const char *name)
{
    const struct file_header h = {0xa1b23c4d, 2, 4, 0, 0, SNAP, 1 /* Ethernet */};

    p->file = fopen(name, "we");
    if (!p->file || fwrite(&h, sizeof(h), 1, p->file) != 1)
        return -errno;
    return 0;
}

void relay_pcap_write(struct relay_pcap *p, uint64_t ns, const uint8_t *frame, uint32_t len)
{
    struct record_header h = {(uint32_t)(ns / 1000000000u), (uint32_t)(ns % 1000000000u),
                              len < SNAP ? len : SNAP, len};

    if (!p->file)
        return;
    fwrite(&h, sizeof(h), 1, p->file);
    fwrite(frame, h.kept, 1, p->file);
}

void relay_pcap_close(struct relay_pcap *p)
{
    if (p->file)
        fclose(p->file);
    p->file = NULL;
}
