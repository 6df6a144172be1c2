/* SPDX-License-Identifier: MIT */
/*
 * The sizes of bodies are a table made from ops.def: an operation without a line in it does not
 * compile.
 */
#include "ipc/codec.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

struct body_sizes {
    const char *name;
    bool takes_fd;
    size_t request_min, request_max;
    size_t reply_min, reply_max;
    bool reply_may_be_empty;
    bool brings_fd;
};

/* request min, request max, reply min, reply max, may the reply be empty as well; a descriptor in
 * it */
#define FIXED(type)       sizeof(type), sizeof(type)
#define NOTHING           0, 0
#define OPTION            WIRE_OPTION_HEAD, sizeof(struct wire_option)
#define CAPTURE           WIRE_CAPTURE_HEAD, sizeof(struct wire_capture)
#define SIZES_HELLO       NOTHING, FIXED(struct wire_hello), false, false
#define SIZES_SOCKET      FIXED(struct wire_socket), NOTHING, false, true
#define SIZES_BIND        FIXED(struct wire_addr), NOTHING, false, false
#define SIZES_LISTEN      FIXED(struct wire_listen), NOTHING, false, false
#define SIZES_CONNECT     FIXED(struct wire_addr), NOTHING, false, false
#define SIZES_GETSOCKOPT  OPTION, OPTION, false, false
#define SIZES_SETSOCKOPT  OPTION, NOTHING, false, false
#define SIZES_SEND_MARK   FIXED(struct wire_mark), NOTHING, false, false
#define SIZES_OUTQ        NOTHING, FIXED(struct wire_outq), false, false
#define SIZES_INFO        NOTHING, FIXED(struct wire_info), false, false
#define SIZES_LIST        NOTHING, FIXED(struct wire_info), true, false
#define SIZES_TUNABLE_GET FIXED(struct wire_tunable), FIXED(struct wire_tunable), false, false
#define SIZES_TUNABLE_SET FIXED(struct wire_tunable), FIXED(struct wire_tunable), false, false
#define SIZES_RENEW       NOTHING, NOTHING, false, true
#define SIZES_RING_ATTACH FIXED(struct wire_ring), NOTHING, false, true
#define SIZES_RING_BELL   NOTHING, NOTHING, false, true
#define SIZES_FIGURES     FIXED(struct wire_id), FIXED(struct wire_figures), false, false
#define SIZES_TRACE       FIXED(struct wire_trace), NOTHING, false, true
#define SIZES_STATS       NOTHING, FIXED(struct wire_counter), true, false
#define SIZES_CONFIG      NOTHING, FIXED(struct wire_setting), true, false
#define SIZES_RELOAD      NOTHING, FIXED(struct wire_notice), true, false
#define SIZES_CAPTURE     CAPTURE, NOTHING, false, true

static const struct body_sizes sizes[] = {
#define WIRE_OP(name, number, fd, help) [number] = {#name, fd, SIZES_##name},
#include "ipc/ops.def"
#undef WIRE_OP
};

_Static_assert(sizeof(struct wire_header) == 24, "the header is the protocol");
_Static_assert(sizeof(struct wire_header) + sizeof(struct wire_info) <= WIRE_MAX, "fits");
_Static_assert(sizeof(struct wire_header) + sizeof(struct wire_setting) <= WIRE_MAX, "fits");
_Static_assert(sizeof(struct wire_header) + sizeof(struct wire_capture) <= WIRE_MAX, "fits");
_Static_assert(sizeof(struct wire_header) + sizeof(struct wire_figures) <= WIRE_MAX, "fits");

static const struct body_sizes *lookup(uint16_t op)
{
    return op < sizeof(sizes) / sizeof(sizes[0]) && sizes[op].name ? &sizes[op] : NULL;
}

const char *wire_op_name(uint16_t op)
{
    const struct body_sizes *s = lookup(op);
    return s ? s->name : NULL;
}

bool wire_op_brings_fd(uint16_t op)
{
    const struct body_sizes *s = lookup(op);
    return s && s->brings_fd;
}

bool wire_op_takes_fd(uint16_t op)
{
    const struct body_sizes *s = lookup(op);
    return s && s->takes_fd;
}

bool wire_body_ok(uint16_t op, bool is_reply, size_t len)
{
    const struct body_sizes *s = lookup(op);

    if (!s)
        return false;
    if (!is_reply)
        return len >= s->request_min && len <= s->request_max;
    return (len >= s->reply_min && len <= s->reply_max) || (len == 0 && s->reply_may_be_empty);
}

ssize_t wire_encode(void *buf, size_t cap, uint16_t op, uint32_t id, uint32_t flags, int32_t error,
                    const void *body, size_t len)
{
    struct wire_header hdr = {
        .magic = WIRE_MAGIC,
        .version = WIRE_VERSION,
        .op = op,
        .id = id,
        .flags = flags,
        .error = error,
        .len = (uint32_t)len,
    };

    if (cap > WIRE_MAX)
        cap = WIRE_MAX;
    if (cap < sizeof(hdr) || len > cap - sizeof(hdr))
        return -EMSGSIZE;
    memcpy(buf, &hdr, sizeof(hdr));
    if (len > 0)
        memcpy((char *)buf + sizeof(hdr), body, len);
    return (ssize_t)(sizeof(hdr) + len);
}

/* Flags and error, by direction. */
static bool direction_ok(const struct wire_header *hdr)
{
    if (hdr->flags & WIRE_REPLY) {
        if (hdr->flags & ~(WIRE_REPLY | WIRE_MORE))
            return false;
        return hdr->error == 0 || (hdr->error > 0 && hdr->error < 4096 && hdr->len == 0);
    }
    if (hdr->flags & ~(WIRE_NO_REPLY | WIRE_WAIT))
        return false;
    /* An answer that is awaited and not wanted is a contradiction. */
    if ((hdr->flags & WIRE_NO_REPLY) && (hdr->flags & WIRE_WAIT))
        return false;
    return hdr->error == 0;
}

int wire_decode(const void *buf, size_t len, struct wire_header *hdr, const void **body)
{
    if (len < sizeof(*hdr) || len > WIRE_MAX)
        return -EPROTO;
    memcpy(hdr, buf, sizeof(*hdr));
    if (hdr->magic != WIRE_MAGIC || hdr->version != WIRE_VERSION)
        return -EPROTO;
    if (hdr->len != len - sizeof(*hdr) || !lookup(hdr->op) || !direction_ok(hdr))
        return -EPROTO;
    if (hdr->error == 0 && !wire_body_ok(hdr->op, hdr->flags & WIRE_REPLY, hdr->len))
        return -EPROTO;
    *body = (const char *)buf + sizeof(*hdr);
    return 0;
}

int wire_option_get(const void *body, size_t len, bool with_value, struct wire_option *out)
{
    if (len < WIRE_OPTION_HEAD || len > sizeof(*out))
        return -EPROTO;
    memset(out, 0, sizeof(*out));
    memcpy(out, body, len);
    if (with_value)
        return out->len <= len - WIRE_OPTION_HEAD ? 0 : -EPROTO;
    /* Room wanted: more than any option has is no reason to refuse. */
    if (out->len > sizeof(out->value))
        out->len = sizeof(out->value);
    return 0;
}

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool wire_addr_is_v4(const struct wire_addr *addr)
{
    return memcmp(addr->addr, mapped, sizeof(mapped)) == 0;
}

bool wire_addr_is_loopback(const struct wire_addr *addr)
{
    static const uint8_t one[16] = {[15] = 1};

    if (wire_addr_is_v4(addr))
        return addr->addr[12] == 127;
    return memcmp(addr->addr, one, sizeof(one)) == 0;
}

bool wire_addr_is_any(const struct wire_addr *addr)
{
    static const uint8_t zero[16];

    if (wire_addr_is_v4(addr))
        return memcmp(addr->addr + 12, zero, 4) == 0;
    return memcmp(addr->addr, zero, sizeof(zero)) == 0;
}

/* What RFC 2133 had: without sin6_scope_id. Linux still takes it. */
#define SIN6_LEN_MIN offsetof(struct sockaddr_in6, sin6_scope_id)

int wire_addr_from_sockaddr(struct wire_addr *out, const struct sockaddr *sa, socklen_t len)
{
    sa_family_t family;

    memset(out, 0, sizeof(*out));
    if (len < sizeof(family) || len > sizeof(struct sockaddr_storage))
        return -EINVAL;
    memcpy(&family, (const char *)sa + offsetof(struct sockaddr, sa_family), sizeof(family));
    if (family == AF_INET) {
        struct sockaddr_in in;

        if (len < sizeof(in))
            return -EINVAL;
        memcpy(&in, sa, sizeof(in));
        memcpy(out->addr, mapped, sizeof(mapped));
        memcpy(out->addr + 12, &in.sin_addr, 4);
        out->port = ntohs(in.sin_port);
        return 0;
    }
    if (family == AF_INET6) {
        struct sockaddr_in6 in6 = {0};

        if (len < SIN6_LEN_MIN)
            return -EINVAL;
        memcpy(&in6, sa, SIN6_LEN_MIN);
        memcpy(out->addr, &in6.sin6_addr, 16);
        out->port = ntohs(in6.sin6_port);
        return 0;
    }
    return -EAFNOSUPPORT;
}

int wire_addr_to_sockaddr(const struct wire_addr *addr, int family, struct sockaddr *out,
                          socklen_t *len)
{
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } full;
    socklen_t size;

    memset(&full, 0, sizeof(full));
    if ((int)*len < 0)
        return -EINVAL;
    if (family == AF_INET) {
        if (!wire_addr_is_v4(addr) && !wire_addr_is_any(addr))
            return -EAFNOSUPPORT;
        full.in.sin_family = AF_INET;
        full.in.sin_port = htons(addr->port);
        memcpy(&full.in.sin_addr, addr->addr + 12, 4);
        size = sizeof(full.in);
    } else {
        full.in6.sin6_family = AF_INET6;
        full.in6.sin6_port = htons(addr->port);
        memcpy(&full.in6.sin6_addr, addr->addr, 16);
        size = sizeof(full.in6);
    }
    if (*len > 0)
        memcpy(out, &full, *len < size ? *len : size);
    *len = size;
    return 0;
}
