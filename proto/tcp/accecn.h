/* SPDX-License-Identifier: MIT */
/* Accurate ECN feedback (RFC 9768): what a connection counts, and the option as it came. */
#ifndef TS_PROTO_TCP_ACCECN_H
#define TS_PROTO_TCP_ACCECN_H

#include <stdbool.h>
#include <stdint.h>

#define ACCECN_FIELDS 3
#define ACCECN_FIRST  5 /**< where the packet counters begin (§3.2.1) */

/** Order 0: ECT(0), CE, ECT(1); order 1: ECT(1), CE, ECT(0) (§3.2.3). */
struct accecn_option {
    bool present, order;
    uint8_t n; /**< whole fields */
    uint32_t field[ACCECN_FIELDS];
};

/** §3.2.1: the counters; of those of packets only the low bits matter. */
struct tcp_accecn {
    uint32_t r_bytes[3];     /**< payload that came with ECT(1), ECT(0), CE: IP_ECN_* - 1 */
    uint32_t s_ceb;          /**< bytes of ours that came with CE, as the peer says */
    uint16_t acked_ewma;     /**< packets that an ACK stands for, times 64 */
    uint8_t r_cep;           /**< packets that came with CE */
    uint8_t s_cep;           /**< … of ours, as the peer says */
    uint8_t cep_unseen;      /**< CE packets of ours since the last option */
    uint8_t pending;         /**< CE packets since our last ACK */
    uint8_t last : 2;        /**< ECN field of the previous packet … */
    uint8_t last_data : 2;   /**< … of the previous one with data */
    uint8_t synack_ecn : 2;  /**< … of the SYN-ACK */
    uint8_t option_owed : 2; /**< so many segments are to carry the option */
    uint8_t changed : 4;     /**< byte counters that ever moved, a bit each */
    bool reflect : 1;        /**< the next bare ACK tells synack_ecn, not the counter (§3.2.2.1) */
    bool heard : 1;          /**< a segment without SYN has come … */
    bool option_ok : 1;      /**< … and an option: it passes */
    bool zeroed : 1;         /**< the field was zero at first: nothing is believed (§3.2.2.4) */
    bool option_zeroed : 1;  /**< the same of the option (§3.2.3.2.4) */
};

#endif
