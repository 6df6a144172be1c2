/* SPDX-License-Identifier: MIT */
/*
 * Segments: ranges of the stream in the write queue, ranges held out of order, and the checked form
 * of what the wire brought.
 */
#ifndef TS_PROTO_TCP_SEGMENT_H
#define TS_PROTO_TCP_SEGMENT_H

#include "proto/base/list.h"
#include "proto/base/rbtree.h"
#include "proto/tcp/accecn.h"

#include <stdbool.h>
#include <stdint.h>

struct packet;

/* Header flags (RFC 9293 §3.1, RFC 3168 §6.1). */
#define TH_FIN 0x01
#define TH_SYN 0x02
#define TH_RST 0x04
#define TH_PSH 0x08
#define TH_ACK 0x10
#define TH_URG 0x20
#define TH_ECE 0x40
#define TH_CWR 0x80
#define TH_AE  0x100 /**< RFC 9768 §3.1; the Nonce Sum of old */

#define TCP_HEADER_LEN      20
#define TCP_TIMESTAMP_SPACE 12 /**< NOP NOP and ten bytes */
#define TCP_SACK_BASE       4  /**< NOP NOP, kind, length */
#define TCP_SACK_BLOCK      8
#define TCP_MAX_SACKS       4

/* --- segments in the write queue --- */

#define SEG_SYN 0x01
#define SEG_FIN 0x02
#define SEG_PSH 0x04
#define SEG_EOR 0x08 /**< MSG_EOR: never grown, never merged */

/* Only loss/scoreboard.c changes these. */
#define SEG_LOST         0x01 /**< counted in lost_out */
#define SEG_RETRANS      0x02 /**< its retransmission is in flight: counted in retrans_out */
#define SEG_EVER_RETRANS 0x04 /**< Karn: no sample from it */
#define SEG_SACKED       0x08 /**< the peer holds it beyond a hole: counted in sacked_out */

/** What loss/rate.c knew when a segment was sent. */
struct segment_rate {
    uint64_t first_sent, delivered_at;
    uint32_t delivered, delivered_ce, lost, in_flight;
    bool app_limited;
};

struct segment {
    struct list link;         /**< in tcb.sendq or tcb.rtxq, in sequence order */
    struct list sent_link;    /**< in tcb.sent_order while it may be in the network (RACK) */
    struct rb_node seq_node;  /**< in tcb.rtx_tree while in rtxq */
    struct rb_node lost_node; /**< in tcb.lost while it waits for its retransmission */
    uint32_t seq, end_seq;
    uint8_t flags;    /**< SEG_SYN … */
    uint8_t marks;    /**< SEG_LOST … */
    uint16_t mss;     /**< payload of each of its packets but the last */
    uint32_t pcount;  /**< packets that it makes */
    uint64_t sent_at; /**< last transmission, 0: never */
    struct segment_rate rate;
};

static inline uint32_t seg_len(const struct segment *seg)
{
    return seg->end_seq - seg->seq - !!(seg->flags & SEG_FIN) - !!(seg->flags & SEG_SYN);
}

/** A range that arrived out of order; its bytes lie at their final offset in the receive stream. */
struct ooo_range {
    struct rb_node node;
    uint32_t seq, end_seq;
};

/** A range of sequence numbers, as a SACK option has them (RFC 2018 §3). */
struct sack_block {
    uint32_t start, end;
};

/* --- parsed input --- */

struct tcp_options {
    bool has_mss, has_wscale, has_ts, sack_ok;
    uint8_t wscale;
    uint16_t mss;
    uint32_t tsval, tsecr;
    uint16_t uto;   /**< user timeout option as it came, 0: none (RFC 5482) */
    uint8_t n_sack; /**< blocks present (RFC 2018) */
    struct sack_block sack[TCP_MAX_SACKS];
    struct accecn_option accecn;
};

/** A checked segment: nothing above tcp/input/parse.c looks at wire bytes. */
struct tcp_seg {
    const struct packet *packet;
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint16_t window; /**< as on the wire, unscaled */
    uint16_t urgent;
    uint16_t flags;   /**< TH_* */
    uint8_t reserved; /**< the header bits that nobody uses */
    struct tcp_options opt;
    const uint8_t *data;
    uint32_t len;     /**< payload bytes */
    uint32_t end_seq; /**< seq + len + SYN + FIN */
    uint32_t header_len;
    uint32_t n_segs; /**< segments that this offloaded frame stands for */
};

#endif
