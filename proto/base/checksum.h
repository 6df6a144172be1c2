/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum (RFC 1071; incremental use RFC 1624).
 * A partial sum is a uint32_t that is congruent, modulo 0xffff, to the sum of the 16-bit words as
 * the host loads them: ones' complement addition does not care about byte order (RFC 1071 section 2
 * (B)), so nothing is swapped and the folded value is stored as it is. A partial sum counts its
 * data from an even offset; a piece of odd length ends with a byte of zero, and what follows it at
 * an odd offset is added by csum_combine (or by csum_iov, which does so itself).
 */
#ifndef TS_PROTO_BASE_CHECKSUM_H
#define TS_PROTO_BASE_CHECKSUM_H

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

/*
 * The partial sum of n bytes at p (any alignment), added to `sum` (0, or a partial sum of pieces
 * with an even total length).
 */
uint32_t csum_partial(const void *p, size_t n, uint32_t sum);

/* A sum of 64 bits as a partial one. */
static inline uint32_t csum_fold64(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    return (uint32_t)sum;
}

/* The same as csum_partial of an IPv4 header without options. */
static inline uint32_t csum_ipv4_header(const uint8_t *p)
{
    uint32_t w[5];

    memcpy(w, p, sizeof(w));
    return csum_fold64((uint64_t)w[0] + w[1] + w[2] + w[3] + w[4]);
}

/*
 * Copy n bytes from src to dst (no overlap, any alignment) and return the partial sum of what
 * stands at dst: each byte of src is read once, so a writer to src meanwhile cannot part the two.
 */
uint32_t csum_copy(void *dst, const void *src, size_t n);

/* The partial sum of a (over the first `offset` bytes) and b (over what follows them), offset odd
 * or even. */
uint32_t csum_combine(uint32_t a, uint32_t b, size_t offset);

/* The checksum: the complement of the sum, in network byte order, to be stored by memcpy. */
static inline uint16_t csum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* As csum_partial over the n pieces of iov as one run of bytes; pieces may have odd or no length.
 */
uint32_t csum_iov(const struct iovec *iov, int n, uint32_t sum);

/*
 * The partial sum of the pseudo-header: IPv4 (RFC 9293 section 3.1) with addr_len 4, IPv6 (RFC 8200
 * section 8.1) with addr_len 16. src, dst: addr_len bytes in network order; proto: the upper
 * protocol; len: bytes of its header and payload.
 */
uint32_t csum_pseudo(const uint8_t *src, const uint8_t *dst, size_t addr_len, uint8_t proto,
                     uint32_t len);

/* The same with addr_len 4. IPv4's length has 16 bits; the upper half adds nothing. */
static inline uint32_t csum_pseudo4(const uint8_t *src, const uint8_t *dst, uint8_t proto,
                                    uint32_t len)
{
    uint32_t s, d;

    memcpy(&s, src, 4);
    memcpy(&d, dst, 4);
    return csum_fold64((uint64_t)s + d + htonl(len) + htonl(proto));
}

#endif
