/* SPDX-License-Identifier: MIT */
/*
 * Addresses: kinds, networks, text. Text goes through inet_pton and inet_ntop, which touch nothing
 * but their arguments; a v4-mapped address is always written as a dotted quad. RFC 4291, RFC 5952,
 * RFC 1122 §3.2.1.3.
 */
#include "proto/ip/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct ip_addr ip_addr_any(bool v6)
{
    if (v6)
        return (struct ip_addr){.w = {0}};
    return ip_addr_v4((const uint8_t[4]){0, 0, 0, 0});
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
    unsigned bytes = p->len / 8, bits = p->len % 8;

    if (p->len > 128 || memcmp(p->addr.b, a->b, bytes) != 0)
        return false;
    return bits == 0 || (p->addr.b[bytes] ^ a->b[bytes]) >> (8 - bits) == 0;
}

char *ip_addr_format(const struct ip_addr *a, char buf[IP_ADDR_TEXT])
{
    if (ip_addr_is_v4(a))
        inet_ntop(AF_INET, ip_addr_v4_bytes(a), buf, IP_ADDR_TEXT);
    else
        inet_ntop(AF_INET6, a->b, buf, IP_ADDR_TEXT);
    return buf;
}

char *ip_endpoint_format(const struct ip_endpoint *e, char buf[IP_ENDPOINT_TEXT])
{
    char text[IP_ADDR_TEXT];
    const char *form = ip_addr_is_v4(&e->addr) ? "%s:%u" : "[%s]:%u";

    snprintf(buf, IP_ENDPOINT_TEXT, form, ip_addr_format(&e->addr, text), e->port);
    return buf;
}

int ip_addr_parse(const char *text, struct ip_addr *out)
{
    uint8_t v4[4];
    struct ip_addr v6;

    if (inet_pton(AF_INET, text, v4) == 1) {
        *out = ip_addr_v4(v4);
        return 0;
    }
    if (inet_pton(AF_INET6, text, v6.b) == 1) {
        *out = v6;
        return 0;
    }
    return -EINVAL;
}

/** A decimal number of one to three digits and nothing else; -1 for anything else. */
static int addr_parse_length(const char *text)
{
    int n = 0;

    if (!*text || strlen(text) > 3)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        n = n * 10 + (*text - '0');
    }
    return n;
}

int ip_prefix_parse(const char *text, struct ip_prefix *out)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    char head[IP_ADDR_TEXT];
    struct ip_prefix p = {.len = 128};
    int len;

    if (n >= sizeof(head))
        return -EINVAL;
    memcpy(head, text, n);
    head[n] = '\0';
    if (ip_addr_parse(head, &p.addr) != 0)
        return -EINVAL;
    if (slash) {
        /* "::ffff:1.2.3.4/120" counts from the first of its 128 bits, "1.2.3.4/24" from the first
         * of its 32. */
        int base = strchr(head, ':') ? 0 : IP_V4_PREFIX_BASE;

        len = addr_parse_length(slash + 1);
        if (len < 0 || len + base > 128)
            return -EINVAL;
        p.len = (uint8_t)(len + base);
    }
    *out = p;
    return 0;
}
