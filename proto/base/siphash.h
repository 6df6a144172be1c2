/* SPDX-License-Identifier: MIT */
/*
 * SipHash (Aumasson and Bernstein, 2012): a keyed hash of 64 bits that a peer without the key can
 * neither predict nor collide. SipHash-2-4 for secrets (initial sequence numbers, RFC 6528;
 * cookies), SipHash-1-3 for hash tables. The same bytes give the same hash on hosts of either byte
 * order.
 */
#ifndef TS_PROTO_BASE_SIPHASH_H
#define TS_PROTO_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k[2]; /* the 16 bytes of the key as two little-endian words */
};

/* SipHash-2-4 of len bytes at data (may be NULL when len is 0). */
uint64_t siphash24(const struct siphash_key *key, const void *data, size_t len);

/* SipHash-1-3 of len bytes at data (may be NULL when len is 0). */
uint64_t siphash13(const struct siphash_key *key, const void *data, size_t len);

#endif
