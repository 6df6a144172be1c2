/* SPDX-License-Identifier: MIT */
/*
 * A packet as a script writes it and as the wire carries it: one struct for both, so that building,
 * decoding, comparing and printing meet in one place. Sequence numbers here are the script's,
 * relative to its own ISNs; flow.h maps them.
 */
#ifndef TS_TESTS_PKT_PACKET_H
#define TS_TESTS_PKT_PACKET_H

#include "tests/pkt/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* TCP header flags (RFC 9293 §3.1, RFC 3168 §6.1). */
#define PKT_FIN 0x01
#define PKT_SYN 0x02
#define PKT_RST 0x04
#define PKT_PSH 0x08
#define PKT_ACK 0x10
#define PKT_URG 0x20
#define PKT_ECE 0x40
#define PKT_CWR 0x80
#define PKT_AE  0x100 /* RFC 9768 §3.1 */

#define PKT_MAX_OPTIONS 20
#define PKT_MAX_PACKET  65535u

enum opt_kind {
    OPT_EOL = 0,
    OPT_NOP = 1,
    OPT_MSS = 2,
    OPT_WSCALE = 3,
    OPT_SACK_OK = 4,
    OPT_SACK = 5,
    OPT_TS = 8,
    OPT_FASTOPEN = 34,
};

struct pkt_option {
    uint8_t kind, len; /**< len: the whole option on the wire, 1 for eol and nop */
    uint8_t n_blocks;
    uint32_t a, b; /**< mss, wscale, or TS val and ecr */
    struct {
        uint32_t start, end;
    } block[4];
    uint8_t raw[40]; /**< the value of any other kind */
};

struct pkt_icmp {
    uint8_t type, code;
    uint16_t mtu;
    bool has_inner; /**< the script gave the TCP header that it quotes */
    uint32_t inner_seq, inner_len;
};

struct pkt_packet {
    bool out; /**< '>' : the stack sends it */
    bool icmp;
    bool has_ports;
    uint16_t local_port, remote_port;
    uint16_t flags;
    uint32_t seq, len; /**< len: payload bytes */
    uint32_t ack;
    bool has_win, has_urg, any_options;
    uint32_t win; /**< as on the wire, unscaled */
    uint16_t urg;
    uint8_t reserved; /**< the three bits between data offset and AE */
    uint8_t n_options;
    struct pkt_option option[PKT_MAX_OPTIONS];
    bool has_ttl, any_ecn, has_ecn, has_tos, bad_csum, has_df;
    uint8_t ttl, tos, ecn; /**< ecn: the two bits; tos: the whole byte */
    bool df;
    struct pkt_icmp ic;
    /* decoded packets only */
    bool csum_wrong;
    const uint8_t *payload;
    uint32_t src, dst; /**< host byte order */
};

struct pkt_addresses {
    uint32_t local, remote; /**< host byte order */
};

/** Offsets between the script's numbers and the wire's: wire = script + offset. */
struct pkt_offsets {
    uint32_t seq, ack; /**< of this packet's own sequence space and of the other side's */
};

/** The byte at offset `off` of a stream, either way: what calls write and what packets carry. */
static inline uint8_t pkt_pattern(uint64_t off)
{
    return (uint8_t)(off ^ (off >> 8) * 7 ^ (off >> 16) * 31);
}

/** Fill n bytes of the pattern from offset off. */
void pkt_fill(uint8_t *out, uint64_t off, uint32_t n);
/** -1 when n bytes are the pattern from offset off, else the first position that differs. */
int64_t pkt_verify(const uint8_t *p, uint64_t off, uint32_t n);

/* build.c */
/** Write the IPv4 packet (TCP or ICMP) for p into out (PKT_MAX_PACKET bytes); returns its length.
 */
uint32_t pkt_build(const struct pkt_packet *p, const struct pkt_addresses *a,
                   const struct pkt_offsets *o, uint8_t *out);
/** The Internet checksum of n bytes, `sum` added; host order. */
uint16_t pkt_checksum(const uint8_t *p, uint32_t n, uint32_t sum);

/* decode.c */
/** Take an IPv4 packet apart; numbers stay the wire's. Returns NULL or what is wrong with it. */
const char *pkt_decode(const uint8_t *ip, uint32_t len, uint32_t local, struct pkt_packet *out);
/** Turn wire numbers into the script's. */
void pkt_to_script(struct pkt_packet *p, const struct pkt_offsets *o);

/* format.c */
/** In the script's notation, as tcpdump would order it. */
char *pkt_format(struct arena *a, const struct pkt_packet *p);

/* compare.c */
struct pkt_tolerance {
    bool check_ts; /**< compare TS val: it was mapped before */
    uint32_t ts_slack;
};
/** NULL when `got` is what `want` asks for, else the fields that differ, as text. */
char *pkt_compare(struct arena *a, const struct pkt_packet *want, const struct pkt_packet *got,
                  const struct pkt_tolerance *t);

#endif
