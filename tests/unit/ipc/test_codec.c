/* SPDX-License-Identifier: MIT */
/*
 * Messages and addresses: what wire_decode must refuse, and the sockaddr conversions of bind and
 * getsockname.
 */
#include "ipc/codec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static size_t connect_request(unsigned char *buf)
{
    struct wire_addr to = {.port = 80};
    ssize_t n = wire_encode(buf, WIRE_MAX, WIRE_OP_CONNECT, 7, WIRE_WAIT, 0, &to, sizeof(to));

    assert_int_equal(n, sizeof(struct wire_header) + sizeof(to));
    return (size_t)n;
}

static void a_message_survives_encode_and_decode(void **state)
{
    WIRE_BUFFER(buf);
    struct wire_header hdr;
    const void *body;
    size_t n = connect_request(buf);
    struct wire_addr to;

    (void)state;
    assert_int_equal(wire_decode(buf, n, &hdr, &body), 0);
    assert_int_equal(hdr.op, WIRE_OP_CONNECT);
    assert_int_equal(hdr.id, 7);
    assert_int_equal(hdr.flags, WIRE_WAIT);
    assert_int_equal(hdr.len, sizeof(to));
    memcpy(&to, body, sizeof(to));
    assert_int_equal(to.port, 80);
}

static void a_message_that_does_not_fit_is_not_built(void **state)
{
    WIRE_BUFFER(buf);

    (void)state;
    assert_int_equal(wire_encode(buf, 23, WIRE_OP_HELLO, 1, 0, 0, NULL, 0), -EMSGSIZE);
    assert_int_equal(wire_encode(buf, 24, WIRE_OP_HELLO, 1, 0, 0, NULL, 0), 24);
    assert_int_equal(wire_encode(buf, 27, WIRE_OP_LISTEN, 1, 0, 0, "1234", 4), -EMSGSIZE);
    assert_int_equal(wire_encode(buf, SIZE_MAX, WIRE_OP_LISTEN, 1, 0, 0, buf, WIRE_MAX), -EMSGSIZE);
    assert_int_equal(wire_encode(buf, SIZE_MAX, WIRE_OP_LISTEN, 1, 0, 0, buf, SIZE_MAX), -EMSGSIZE);
}

static void each_byte_missing_or_too_many_is_refused(void **state)
{
    WIRE_BUFFER(buf);
    struct wire_header hdr;
    const void *body;
    size_t n = connect_request(buf);

    (void)state;
    for (size_t len = 0; len <= n + 8; len++) {
        if (len != n)
            assert_int_equal(wire_decode(buf, len, &hdr, &body), -EPROTO);
    }
}

/* One field changed in a good message. */
static int decode_with(size_t offset, uint32_t value, size_t size)
{
    WIRE_BUFFER(buf);
    struct wire_header hdr;
    const void *body;
    size_t n = connect_request(buf);

    memcpy(buf + offset, &value, size);
    return wire_decode(buf, n, &hdr, &body);
}

static void a_header_with_a_wrong_field_is_refused(void **state)
{
    const size_t flags = offsetof(struct wire_header, flags);
    const size_t op = offsetof(struct wire_header, op), error = offsetof(struct wire_header, error);

    (void)state;
    assert_int_equal(decode_with(0, WIRE_MAGIC, 4), 0);
    assert_int_equal(decode_with(0, WIRE_MAGIC + 1, 4), -EPROTO);
    assert_int_equal(decode_with(offsetof(struct wire_header, version), 2, 2), -EPROTO);
    assert_int_equal(decode_with(op, 0, 2), -EPROTO);
    assert_int_equal(decode_with(op, 13, 2), -EPROTO);
    assert_int_equal(decode_with(op, 65535, 2), -EPROTO);
    assert_int_equal(decode_with(op, WIRE_OP_BIND, 2), 0);
    assert_int_equal(decode_with(op, WIRE_OP_LISTEN, 2), -EPROTO);
    assert_int_equal(decode_with(flags, 1u << 31, 4), -EPROTO);
    assert_int_equal(decode_with(flags, WIRE_MORE, 4), -EPROTO);
    assert_int_equal(decode_with(flags, WIRE_NO_REPLY, 4), 0);
    assert_int_equal(decode_with(flags, WIRE_NO_REPLY | WIRE_WAIT, 4), -EPROTO);
    assert_int_equal(decode_with(flags, WIRE_REPLY | WIRE_WAIT, 4), -EPROTO);
    assert_int_equal(decode_with(error, 1, 4), -EPROTO);
    assert_int_equal(decode_with(offsetof(struct wire_header, len), 0, 4), -EPROTO);
    assert_int_equal(decode_with(offsetof(struct wire_header, len), 0xffffffff, 4), -EPROTO);
}

static int decode_reply(uint16_t op, int32_t error, size_t len)
{
    WIRE_BUFFER(buf);
    static const char zeros[WIRE_MAX];
    struct wire_header hdr;
    const void *body;
    ssize_t n = wire_encode(buf, sizeof(buf), op, 1, WIRE_REPLY, error, zeros, len);

    return wire_decode(buf, (size_t)n, &hdr, &body);
}

static void a_reply_with_an_error_has_no_body(void **state)
{
    (void)state;
    assert_int_equal(decode_reply(WIRE_OP_INFO, 0, sizeof(struct wire_info)), 0);
    assert_int_equal(decode_reply(WIRE_OP_INFO, ENOTCONN, 0), 0);
    assert_int_equal(decode_reply(WIRE_OP_INFO, ENOTCONN, sizeof(struct wire_info)), -EPROTO);
    assert_int_equal(decode_reply(WIRE_OP_INFO, 0, 0), -EPROTO);
    assert_int_equal(decode_reply(WIRE_OP_BIND, -1, 0), -EPROTO);
    assert_int_equal(decode_reply(WIRE_OP_BIND, 4096, 0), -EPROTO);
}

static void bodies_have_the_sizes_of_their_operation(void **state)
{
    (void)state;
    assert_true(wire_body_ok(WIRE_OP_HELLO, false, 0));
    assert_false(wire_body_ok(WIRE_OP_HELLO, false, 1));
    assert_true(wire_body_ok(WIRE_OP_HELLO, true, sizeof(struct wire_hello)));
    assert_false(wire_body_ok(WIRE_OP_HELLO, true, 0));
    assert_true(wire_body_ok(WIRE_OP_LIST, true, 0));
    assert_true(wire_body_ok(WIRE_OP_LIST, true, sizeof(struct wire_info)));
    assert_false(wire_body_ok(WIRE_OP_LIST, true, sizeof(struct wire_info) - 1));
    assert_true(wire_body_ok(WIRE_OP_SETSOCKOPT, false, WIRE_OPTION_HEAD));
    assert_true(wire_body_ok(WIRE_OP_SETSOCKOPT, false, sizeof(struct wire_option)));
    assert_false(wire_body_ok(WIRE_OP_SETSOCKOPT, false, WIRE_OPTION_HEAD - 1));
    assert_false(wire_body_ok(WIRE_OP_SETSOCKOPT, false, sizeof(struct wire_option) + 1));
    assert_false(wire_body_ok(99, false, 0));
}

static void operations_have_names_and_know_their_descriptor(void **state)
{
    (void)state;
    assert_string_equal(wire_op_name(WIRE_OP_SOCKET), "SOCKET");
    assert_null(wire_op_name(0));
    assert_null(wire_op_name(1000));
    assert_false(wire_op_takes_fd(WIRE_OP_SOCKET));
    assert_true(wire_op_takes_fd(WIRE_OP_BIND));
    assert_false(wire_op_takes_fd(1000));
}

static void an_option_longer_than_its_message_is_refused(void **state)
{
    struct wire_option in = {.level = 6, .name = 1, .len = 4, .value = {1, 2, 3, 4, 5}}, out;

    (void)state;
    assert_int_equal(wire_option_get(&in, WIRE_OPTION_HEAD + 4, true, &out), 0);
    assert_int_equal(out.value[3], 4);
    assert_int_equal(out.value[4], 0);
    assert_int_equal(wire_option_get(&in, WIRE_OPTION_HEAD + 3, true, &out), -EPROTO);
    in.len = 257;
    assert_int_equal(wire_option_get(&in, sizeof(in), true, &out), -EPROTO);
    in.len = 0xffffffff;
    assert_int_equal(wire_option_get(&in, sizeof(in), true, &out), -EPROTO);
    /* Of a getsockopt, it is only the room. */
    assert_int_equal(wire_option_get(&in, WIRE_OPTION_HEAD, false, &out), 0);
    assert_int_equal(out.len, sizeof(out.value));
}

static void ipv4_travels_mapped(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct wire_addr a;

    (void)state;
    inet_pton(AF_INET, "10.77.0.2", &in.sin_addr);
    assert_int_equal(wire_addr_from_sockaddr(&a, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(a.port, 80);
    assert_true(wire_addr_is_v4(&a));
    assert_memory_equal(a.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x4d\0\x02", 16);
}

static void addresses_too_short_or_of_another_family_are_refused(void **state)
{
    struct sockaddr_storage ss = {.ss_family = AF_INET};
    const struct sockaddr *sa = (struct sockaddr *)&ss;
    struct wire_addr a;

    (void)state;
    assert_int_equal(wire_addr_from_sockaddr(&a, sa, 1), -EINVAL);
    assert_int_equal(wire_addr_from_sockaddr(&a, sa, 15), -EINVAL);
    assert_int_equal(wire_addr_from_sockaddr(&a, sa, (socklen_t)-1), -EINVAL);
    assert_int_equal(wire_addr_from_sockaddr(&a, sa, sizeof(ss)), 0);
    ss.ss_family = AF_INET6;
    assert_int_equal(wire_addr_from_sockaddr(&a, sa, 23), -EINVAL);
    assert_int_equal(wire_addr_from_sockaddr(&a, sa, 24), 0);
    ss.ss_family = AF_UNSPEC;
    assert_int_equal(wire_addr_from_sockaddr(&a, sa, 16), -EAFNOSUPPORT);
    ss.ss_family = AF_UNIX;
    assert_int_equal(wire_addr_from_sockaddr(&a, sa, 16), -EAFNOSUPPORT);
}

static void a_short_buffer_gets_the_beginning_and_learns_the_size(void **state)
{
    struct wire_addr a = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}, .port = 80};
    unsigned char out[32];
    struct sockaddr_in in;
    socklen_t len = 6;

    (void)state;
    memset(out, 0xee, sizeof(out));
    assert_int_equal(wire_addr_to_sockaddr(&a, AF_INET, (struct sockaddr *)out, &len), 0);
    assert_int_equal(len, sizeof(in));
    assert_int_equal(out[3], 80);
    assert_int_equal(out[6], 0xee);
    len = 0;
    assert_int_equal(wire_addr_to_sockaddr(&a, AF_INET, NULL, &len), 0);
    assert_int_equal(len, sizeof(in));
    len = sizeof(out);
    assert_int_equal(wire_addr_to_sockaddr(&a, AF_INET, (struct sockaddr *)out, &len), 0);
    assert_int_equal(len, sizeof(in));
    assert_int_equal(out[sizeof(in)], 0xee);
    len = (socklen_t)-1;
    assert_int_equal(wire_addr_to_sockaddr(&a, AF_INET, (struct sockaddr *)out, &len), -EINVAL);
}

static void the_family_is_the_sockets_own(void **state)
{
    struct wire_addr v4 = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}, .port = 1};
    struct wire_addr v6 = {.addr = {0x20, 1, [15] = 1}, .port = 2}, any = {0};
    struct sockaddr_in6 in6;
    struct sockaddr_in in;
    socklen_t len = sizeof(in6);

    (void)state;
    assert_int_equal(wire_addr_to_sockaddr(&v4, AF_INET6, (struct sockaddr *)&in6, &len), 0);
    assert_int_equal(in6.sin6_family, AF_INET6);
    assert_true(IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr));
    len = sizeof(in);
    assert_int_equal(wire_addr_to_sockaddr(&v6, AF_INET, (struct sockaddr *)&in, &len),
                     -EAFNOSUPPORT);
    assert_int_equal(wire_addr_to_sockaddr(&any, AF_INET, (struct sockaddr *)&in, &len), 0);
    assert_int_equal(in.sin_addr.s_addr, 0);
}

static void loopback_and_wildcards_are_known(void **state)
{
    struct wire_addr a = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [14] = 9}};

    (void)state;
    assert_true(wire_addr_is_loopback(&a));
    a.addr[12] = 128;
    assert_false(wire_addr_is_loopback(&a));
    assert_false(wire_addr_is_any(&a));
    a.addr[12] = a.addr[14] = 0;
    assert_true(wire_addr_is_any(&a));
    memset(&a, 0, sizeof(a));
    assert_true(wire_addr_is_any(&a));
    a.addr[15] = 1;
    assert_true(wire_addr_is_loopback(&a));
    assert_false(wire_addr_is_any(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_survives_encode_and_decode),
        cmocka_unit_test(a_message_that_does_not_fit_is_not_built),
        cmocka_unit_test(each_byte_missing_or_too_many_is_refused),
        cmocka_unit_test(a_header_with_a_wrong_field_is_refused),
        cmocka_unit_test(a_reply_with_an_error_has_no_body),
        cmocka_unit_test(bodies_have_the_sizes_of_their_operation),
        cmocka_unit_test(operations_have_names_and_know_their_descriptor),
        cmocka_unit_test(an_option_longer_than_its_message_is_refused),
        cmocka_unit_test(ipv4_travels_mapped),
        cmocka_unit_test(addresses_too_short_or_of_another_family_are_refused),
        cmocka_unit_test(a_short_buffer_gets_the_beginning_and_learns_the_size),
        cmocka_unit_test(the_family_is_the_sockets_own),
        cmocka_unit_test(loopback_and_wildcards_are_known),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
