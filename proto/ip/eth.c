/* SPDX-License-Identifier: MIT */
/*
 * Ethernet II framing (RFC 894): which frames are for us, and to whom they go. Our own address and
 * broadcast are accepted; multicast is not, for nothing here joins a group.
 */
#include "proto/ip/ip_internal.h"

#include <string.h>

const uint8_t eth_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void eth_input(struct stack *st, struct frame *f)
{
    bool broadcast;

    COUNT(st, eth_in);
    COUNT_ADD(st, eth_in_bytes, f->len);
    if (f->len < ETH_HEADER) {
        COUNT(st, eth_in_short);
        return;
    }
    broadcast = memcmp(f->data, eth_broadcast, 6) == 0;
    if (!broadcast && memcmp(f->data, st->config.mac, 6) != 0) {
        COUNT(st, eth_in_not_ours);
        return;
    }
    switch (wire_get16(f->data + ETH_TYPE)) {
    case ETH_TYPE_IPV4:
        ipv4_input(st, f, broadcast);
        break;
    case ETH_TYPE_ARP:
        arp_input(st, f->data, f->len, broadcast);
        break;
    default:
        COUNT(st, eth_in_unknown_type);
    }
}

void eth_header(const struct stack *st, const uint8_t dst[6], uint16_t type,
                uint8_t out[ETH_HEADER])
{
    memcpy(out, dst, 6);
    memcpy(out + ETH_SOURCE, st->config.mac, 6);
    wire_put16(out + ETH_TYPE, type);
}

int eth_output(struct stack *st, struct frame *f, const uint8_t header[ETH_HEADER], uint32_t *sent)
{
    memcpy(frame_push(f, ETH_HEADER), header, ETH_HEADER);
    return stack_transmit(st, f, sent);
}
