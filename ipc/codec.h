/* SPDX-License-Identifier: MIT */
/*
 * Messages of the control socket: written, and checked when they arrive (ipc/wire.h says what they
 * mean).
 *
 * wire_decode is the one gate: what passed it has a known operation, flags that fit its direction,
 * and a body of a size that the operation has. The values inside the body are still the other
 * side's word; wire_option_get checks options. Buffers must be aligned for uint64_t (WIRE_BUFFER),
 * so that bodies can be read in place.
 */
#ifndef TS_IPC_CODEC_H
#define TS_IPC_CODEC_H

#include "ipc/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/** Declare a buffer that holds any message. */
#define WIRE_BUFFER(name) _Alignas(uint64_t) unsigned char name[WIRE_MAX]

/** The bytes of a wire_option before its value. */
#define WIRE_OPTION_HEAD offsetof(struct wire_option, value)
/** Those of a wire_capture before its filter. */
#define WIRE_CAPTURE_HEAD offsetof(struct wire_capture, filter)

/** Build a message; body may be NULL when len is 0. Returns its length, or -EMSGSIZE when it does
 * not fit. */
ssize_t wire_encode(void *buf, size_t cap, uint16_t op, uint32_t id, uint32_t flags, int32_t error,
                    const void *body, size_t len);

/**
 * Check a message. *hdr is a copy, *body points into buf (hdr->len bytes). Returns 0, or -EPROTO
 * for anything that is not exactly a message of this protocol. A reply with an error must have an
 * empty body.
 */
int wire_decode(const void *buf, size_t len, struct wire_header *hdr, const void **body);

/** Does this operation have bodies of this size? (LIST and STATS answer with an empty body when
 * there is nothing.) */
bool wire_body_ok(uint16_t op, bool is_reply, size_t len);

/** "CONNECT", or NULL for no operation of ours. */
const char *wire_op_name(uint16_t op);

/** Does the reply to requests of this kind carry a descriptor? */
bool wire_op_brings_fd(uint16_t op);
/** Must requests of this kind carry exactly one descriptor? */
bool wire_op_takes_fd(uint16_t op);

/**
 * Copy an option out of a body that wire_decode passed; bytes that were not sent read as zero.
 * with_value: the value's bytes must be there (SETSOCKOPT requests, GETSOCKOPT replies). Returns 0,
 * or -EPROTO when opt.len does not fit.
 */
int wire_option_get(const void *body, size_t len, bool with_value, struct wire_option *out);

/**
 * From what a program gave to bind(2) or connect(2); IPv4 becomes v4-mapped, 0.0.0.0
 * ::ffff:0.0.0.0. -EINVAL: too short for its family; -EAFNOSUPPORT: neither AF_INET nor AF_INET6.
 */
int wire_addr_from_sockaddr(struct wire_addr *out, const struct sockaddr *sa, socklen_t len);

/**
 * As getsockname(2) writes it: at most *len bytes are copied, *len becomes the full size. family is
 * the socket's; all zero is its wildcard. -EINVAL: *len negative as an int; -EAFNOSUPPORT: native
 * IPv6 wanted as AF_INET.
 */
int wire_addr_to_sockaddr(const struct wire_addr *addr, int family, struct sockaddr *out,
                          socklen_t *len);

/** Is it an IPv4 address (v4-mapped)? */
bool wire_addr_is_v4(const struct wire_addr *addr);

/** Is it a loopback address: 127/8 or ::1? */
bool wire_addr_is_loopback(const struct wire_addr *addr);

/** Is it a wildcard: ::, or 0.0.0.0? */
bool wire_addr_is_any(const struct wire_addr *addr);

#endif
