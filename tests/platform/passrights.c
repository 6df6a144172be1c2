/* SPDX-License-Identifier: MIT */
/*
 * SO_PASSRIGHTS = 0 (Linux 6.16 and later) on the receiving end makes its peer's SCM_RIGHTS
 * messages fail with EPERM at the sender, so that no foreign descriptor ever gets into a data pair.
 * Where the kernel has it not, these tests skip: reads then take a control buffer.
 */
#include "tests/platform/platform.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static bool have_option(void)
{
    int value = 1, fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    int r = setsockopt(fds[0], SOL_SOCKET, SO_PASSRIGHTS, &value, sizeof(value));
    close(fds[0]);
    close(fds[1]);
    return r == 0;
}

#define need_option()                                                                              \
    do {                                                                                           \
        if (!have_option())                                                                        \
            skip();                                                                                \
    } while (0)

static void rights_are_accepted_by_default(void **state unused)
{
    need_option();
    struct pair s = stream_pair();
    int fd = s.d;
    assert_int_equal(get_int(s.d, SO_PASSRIGHTS), 1);
    assert_int_equal(send_fds(s.p, "x", 1, &fd, 1), 0);
    assert_int_equal(drain(s.d), 1);
    close_pair(s);
}

static void without_passrights_the_senders_sendmsg_gives_eperm(void **state unused)
{
    need_option();
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    for (int i = 0; i < 3; i++) {
        struct pair s = pair_of_type(types[i]);
        int fd = s.d;
        set_int(s.d, SO_PASSRIGHTS, 0);
        assert_int_equal(get_int(s.d, SO_PASSRIGHTS), 0);
        assert_int_equal(send_fds(s.p, "x", 1, &fd, 1), -EPERM);
        assert_false(poll_mask(s.d) & POLLIN); /* nothing of it was queued */
        put(s.p, "plain data goes", 15);
        assert_int_equal(drain(s.d), 15);
        close_pair(s);
    }
}

static void the_other_direction_still_passes_rights(void **state unused)
{
    need_option();
    struct pair s = stream_pair();
    int fd = s.d;
    set_int(s.d, SO_PASSRIGHTS, 0);
    assert_int_equal(send_fds(s.d, "x", 1, &fd, 1), 0);
    assert_int_equal(drain(s.p), 1);
    close_pair(s);
}

static void the_sender_cannot_switch_it_back_on(void **state unused)
{
    need_option();
    struct pair s = stream_pair();
    int fd = s.d;
    set_int(s.d, SO_PASSRIGHTS, 0);
    set_int(s.p, SO_PASSRIGHTS, 1);
    assert_int_equal(send_fds(s.p, "x", 1, &fd, 1), -EPERM);
    close_pair(s);
}

static void rights_queued_before_the_switch_are_still_delivered(void **state unused)
{
    need_option();
    struct pair s = stream_pair();
    int fd = s.d, got, flags;
    size_t count;
    char c;
    assert_int_equal(send_fds(s.p, "x", 1, &fd, 1), 0);
    set_int(s.d, SO_PASSRIGHTS, 0);
    assert_int_equal(receive_fds(s.d, &c, 1, &got, 1, &count, &flags), 1);
    note("queued before the switch: %zu descriptor(s) arrive", count);
    assert_int_equal(count, 1); /* so it is switched before the other end is given away */
    close(got);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights_are_accepted_by_default),
        cmocka_unit_test(without_passrights_the_senders_sendmsg_gives_eperm),
        cmocka_unit_test(the_other_direction_still_passes_rights),
        cmocka_unit_test(the_sender_cannot_switch_it_back_on),
        cmocka_unit_test(rights_queued_before_the_switch_are_still_delivered),
    };
    return cmocka_run_group_tests_name("passrights", tests, NULL, NULL);
}
