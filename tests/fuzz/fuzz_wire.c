/* SPDX-License-Identifier: MIT */
/* The control protocol's decoder, options, addresses and names: what a client may say to the
 * daemon. */
#include "tests/fuzz/input.h"

#include "ipc/codec.h"
#include "ipc/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

/* An exact copy on the heap, so that reads past it are seen. */
static void *copy_of(const uint8_t *bytes, size_t n)
{
    void *copy = malloc(n ? n : 1);

    expect(copy, "memory");
    memcpy(copy, bytes, n);
    return copy;
}

static void decode(const uint8_t *bytes, size_t n)
{
    WIRE_BUFFER(again);
    void *message = copy_of(bytes, n);
    struct wire_header hdr;
    struct wire_option opt;
    const void *body = NULL;

    if (wire_decode(message, n, &hdr, &body) == 0) {
        expect(hdr.len == n - sizeof(hdr), "the length is the message's");
        expect(wire_op_name(hdr.op) != NULL, "the operation has a name");
        expect(wire_encode(again, sizeof(again), hdr.op, hdr.id, hdr.flags, hdr.error, body,
                           hdr.len) == (ssize_t)n &&
                   memcmp(again, message, n) == 0,
               "what was decoded encodes to the same bytes");
        if (hdr.op == WIRE_OP_GETSOCKOPT || hdr.op == WIRE_OP_SETSOCKOPT) {
            if (wire_option_get(body, hdr.len, hdr.op == WIRE_OP_SETSOCKOPT, &opt) == 0)
                expect(opt.len <= sizeof(opt.value), "an option's value fits");
        }
        wire_op_takes_fd(hdr.op);
    }
    free(message);
}

/* The header is right, the rest is the input's. */
static void decode_body(struct input *in)
{
    WIRE_BUFFER(message);
    uint8_t op = input_u8(in), how = input_u8(in);
    ssize_t n = wire_encode(message, sizeof(message), op % 14, input_u8(in), how & 15,
                            how & 0x80 ? how : 0, in->at, input_left(in));

    if (n > 0)
        decode(message, (size_t)n);
}

static void parse_name(const uint8_t *bytes, size_t n, bool prefixed)
{
    static const char head[] = "\0ts:";
    struct sockaddr_un un = {.sun_family = AF_UNIX}, built;
    struct wire_addr local, remote, local2, remote2;
    bool has_remote = false, has_remote2 = false;
    size_t at = prefixed ? sizeof(head) - 1 : 0;
    socklen_t len;

    memcpy(un.sun_path, head, at);
    if (n > sizeof(un.sun_path) - at)
        n = sizeof(un.sun_path) - at;
    memcpy(un.sun_path + at, bytes, n);
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + at + n);
    if (name_parse(&un, len, &local, &remote, &has_remote) != 0)
        return;
    len = name_build(&built, 0x1234, &local, has_remote ? &remote : NULL);
    expect(len <= sizeof(built), "a name fits");
    expect(name_parse(&built, len, &local2, &remote2, &has_remote2) == 0, "a name that we built");
    expect(has_remote == has_remote2 && memcmp(&local, &local2, sizeof(local)) == 0 &&
               (!has_remote || memcmp(&remote, &remote2, sizeof(remote)) == 0),
           "a name says the same when it is built again");
}

static void addresses(struct input *in)
{
    struct sockaddr_storage out;
    struct wire_addr addr, back;
    socklen_t room = input_u8(in), full = sizeof(out);
    size_t n = input_left(in);
    void *sa = copy_of(in->at, n);
    int family;

    if (wire_addr_from_sockaddr(&addr, sa, (socklen_t)n) == 0) {
        family = wire_addr_is_v4(&addr) ? AF_INET : AF_INET6;
        expect(wire_addr_to_sockaddr(&addr, family, (struct sockaddr *)&out, &full) == 0 &&
                   wire_addr_from_sockaddr(&back, (struct sockaddr *)&out, full) == 0 &&
                   memcmp(&addr, &back, sizeof(addr)) == 0,
               "an address survives the way there and back");
        wire_addr_to_sockaddr(&addr, AF_INET, (struct sockaddr *)&out, &room);
        wire_addr_is_any(&addr);
        wire_addr_is_loopback(&addr);
    }
    free(sa);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};

    switch (input_u8(&in) & 7) {
    case 0:
        decode(in.at, input_left(&in));
        break;
    case 1:
    case 2:
        decode_body(&in);
        break;
    case 3:
        addresses(&in);
        break;
    default:
        parse_name(in.at, input_left(&in), data[0] & 1);
    }
    return 0;
}
