/* SPDX-License-Identifier: MIT */
/*
 * What fuzz_sequence reads: a header, then steps. The seeds are written with the same names.
 *
 *   header: MTU and the sender's tunables, features and SACK's tunables, switches, room for memory:
 *   one byte each, the upper half of the last one the number of tunables that follow (15: all of
 *   them, in order, without their places)
 *   step: an enum op in the low four bits (the upper four: do not run the stack yet, when all set),
 *   then what the op takes
 */
#ifndef TS_TESTS_FUZZ_OPS_H
#define TS_TESTS_FUZZ_OPS_H

#include "tests/fuzz/input.h"

enum op {
    OP_SEGMENT,  /**< bits and flow, flags, then what the bits ask for */
    OP_ANSWER,   /**< flow: the ACK that the stack hopes for */
    OP_DATA,     /**< flow, length: in order, with ACK */
    OP_CALL,     /**< enum call and slot, then its arguments */
    OP_OPTION,   /**< slot, option, value */
    OP_TIME,     /**< exponent, mantissa: microseconds */
    OP_DEADLINE, /**< count: to the next deadlines */
    OP_DEVICE,   /**< what transmit answers from now on, or to so many frames; ready; sent */
    OP_ICMP,     /**< type, code, mtu */
    OP_RAW,      /**< length, sums fixed or not, offload, bytes: a frame as it is */
    OP_PACKET,   /**< protocol, maybe a fragment's field, length, bytes: behind a good IP header */
    OP_MEMORY,   /**< n: the nth allocation from now fails, or some from there, or all */
    OP_BLOCKING, /**< slot (0x70: close), operation: a call that waits; when one does: a signal */
    OP_WORLD,    /**< deaf, announce, list, shutdown, tunables: place, how, value */
    OP_DELIVER,  /**< flow and how, maybe a mask: packets arrive and are acknowledged */
    OP_SACK,     /**< flow and bits, what the bits ask for, blocks: an ACK that may lie */
    OP_COUNT
};

/* OP_SEGMENT's first byte above the flow. */
#define SEG_BIT_SEQ     0x08 /**< kind and amount follow */
#define SEG_BIT_ACK     0x10 /**< the same */
#define SEG_BIT_LEN     0x20 /**< length, 16 bits */
#define SEG_BIT_OPTIONS 0x40 /**< kind, and maybe bytes */
#define SEG_BIT_MORE    0x80 /**< window, urgent pointer, TOS, offload */

/* OP_DELIVER's first byte above the flow. */
#define DELIVER_MASK   0x08 /**< follows: which of eight are lost */
#define DELIVER_NEWEST 0x10 /**< arrives first */
#define DELIVER_LATER  0x80 /**< those of the mask are only late */
/** Above those, from 0x20 on: an ACK for each, the same at one moment, one for all, none. */
enum deliver_acks { DELIVER_EACH, DELIVER_BATCH, DELIVER_ONE, DELIVER_SILENT };

/* OP_SACK's first byte above the flow. */
#define SACK_BIT_ACK    0x08 /**< number */
#define SACK_BIT_WINDOW 0x10 /**< which stays */
#define SACK_BIT_ECHO   0x20 /**< timestamp */
#define SACK_BIT_FLAGS  0x40 /**< of the header; SYN, RST, ACK there: data, CE, AE */
#define SACK_BIT_TIMES  0x80 /**< the same ACK so often */
/* Its blocks' first byte. */
#define SACK_COUNT  0x03 /**< made up */
#define SACK_TRUE   0x08 /**< true ones come before them */
#define SACK_TURN   0x10 /**< first and last change places */
#define SACK_FORGET 0x20 /**< the receiver gives up what it holds (RFC 2018 §8) */
#define SACK_ACCECN 0x40 /**< before them AccECN's option, with what follows (RFC 9768 §3.2.3) */

/** Where a sequence or acknowledgement number is counted from. */
enum from { FROM_NEXT, FROM_ACKED, FROM_EDGE, FROM_ZERO, FROM_COUNT };

/* The header's first byte above the MTU, and the second above the features. */
#define HEADER_CC(n)      ((n) << 2) /**< cubic, reno, bbr, bbr with ECN */
#define HEADER_NO_RACK    0x10
#define HEADER_NO_PROBE   0x20
#define HEADER_NO_FRTO    0x40
#define HEADER_NO_JOIN    0x80 /**< tcp_retrans_collapse */
#define HEADER_NO_SACK    0x10
#define HEADER_NO_DSACK   0x20
#define HEADER_STATIC     0x40 /**< RACK's window */
#define HEADER_NO_HYSTART 0x80

enum opts { OPTS_NONE, OPTS_SYN, OPTS_TS_OLD, OPTS_SACK, OPTS_BYTES, OPTS_COUNT };

enum call {
    CALL_CONNECT,
    CALL_LISTEN,
    CALL_ACCEPT,
    CALL_SEND,
    CALL_RECV,
    CALL_CLOSE,
    CALL_SHUTDOWN,
    CALL_ABORT,
    CALL_BIND,
    CALL_SPANS_OUT,
    CALL_SPANS_IN,
    CALL_ASK,
    CALL_HELD,
    CALL_CONNECT_SELF,
    CALL_ERROR,
    CALL_OWNER,
    CALL_USAGE,
    CALL_SHARED, /**< share, write, read, give back; then its arguments */
    CALL_COUNT
};

/** OP_OPTION's second byte. */
enum option_place {
#define SOCK_OPTION(level, name, kind, set, get, help) PLACE_##name,
#include "proto/sock/options.def"
#undef SOCK_OPTION
    PLACE_COUNT
};

/** A tunable's place. */
enum tunable_place {
#define TCP_TUNABLE(name, sysctl, def, min, max, unit, help) TUNABLE_##name,
#include "proto/tcp/tunables.def"
#undef TCP_TUNABLE
    TUNABLE_COUNT
};
#define TUNABLE_TEXT 0xf0 /**< places from here on: a name and a text, as a person writes them */

/* OP_OPTION's third byte: the length in the low four bits, 0 for what the option takes. */
#define OPTION_BYTES 0x10 /**< all bytes of the value follow, not only two */
#define OPTION_EDGE  0x20 /**< a number at an edge, or a name that exists */
#define OPTION_ROOM  0x40 /**< of getsockopt: more than enough */
#define OPTION_GET   0x80

/** One step, or a world call, of the input. */
void op_segment(struct input *in);
/** The program's socket in this slot; made when there is none. NULL: no memory. */
struct sock *op_socket(uint8_t slot);
void op_call(struct input *in);
void op_option(struct input *in);
/** One tunable at a place, or at the one that the input names (place: TUNABLE_COUNT). */
void op_tunable(struct input *in, unsigned place);
void op_blocking(struct input *in);
/** CALL_SHARED (shared.c). */
void op_shared(struct sock *s, uint8_t slot, struct input *in);
void op_deliver(struct input *in);
void op_sack(struct input *in);

#endif
