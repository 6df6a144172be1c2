/* SPDX-License-Identifier: MIT */
/*
 * The control socket is AF_UNIX SOCK_SEQPACKET: messages keep their boundaries, a short buffer cuts
 * one and says so, descriptors ride with a message, SO_PEERCRED tells who connected, a full queue
 * gives EAGAIN and no loss, and a peer's end is seen at once.
 */
#include "tests/platform/platform.h"
#include <sys/stat.h>

static char buf[1 << 18];

/* A listening socket at a path of its own and a client connected to it: d accepted, p the client.
 */
static struct pair connected_pair(char dir[static 32])
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct pair s;
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    strcpy(dir, "/tmp/platform.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(un.sun_path, sizeof(un.sun_path), "%s/sock", dir);
    assert_int_equal(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(listener, 8), 0);
    s.p = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(s.p, (struct sockaddr *)&un, sizeof(un)), 0);
    s.d = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(s.d >= 0);
    close(listener);
    unlink(un.sun_path);
    rmdir(dir);
    return s;
}

static void messages_keep_their_boundaries(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    put(s.p, "one", 3);
    put(s.p, "three", 5);
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 3);
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 5);
    assert_errno(recv(s.d, buf, sizeof(buf), 0), EAGAIN);
    close_pair(s);
}

static void a_short_buffer_cuts_the_message_and_msg_trunc_tells(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    struct iovec v = {buf, 4};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    put(s.p, "0123456789", 10);
    put(s.p, "next", 4);
    assert_int_equal(recvmsg(s.d, &m, 0), 4);
    assert_true(m.msg_flags & MSG_TRUNC);
    assert_int_equal(recvmsg(s.d, &m, 0), 4); /* the rest was dropped */
    assert_memory_equal(buf, "next", 4);
    assert_false(m.msg_flags & MSG_TRUNC);
    put(s.p, "0123456789", 10);
    assert_int_equal(recv(s.d, buf, 4, MSG_PEEK | MSG_TRUNC), 10); /* the real length */
    close_pair(s);
}

static void peercred_tells_who_connected_whoever_sends(void **state unused)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    char dir[32];
    struct pair s = connected_pair(dir);
    assert_int_equal(getsockopt(s.d, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
    assert_int_equal(cred.pid, getpid());
    assert_int_equal(cred.uid, geteuid());
    assert_int_equal(cred.gid, getegid());
    pid_t pid = fork(); /* another process that holds the descriptor is told as the first */
    if (pid == 0) {
        child_check(send(s.p, "from a child", 12, 0) == 12);
        _exit(0);
    }
    assert_int_equal(reap(pid), 0);
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 12);
    assert_int_equal(getsockopt(s.d, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
    assert_int_equal(cred.pid, getpid());
    close_pair(s);
}

static void passcred_tells_who_sent_each_message(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec v = {buf, 64};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct ucred cred;
    set_int(s.d, SO_PASSCRED, 1);
    pid_t pid = fork();
    if (pid == 0) {
        child_check(send(s.p, "x", 1, 0) == 1);
        _exit(0);
    }
    assert_int_equal(reap(pid), 0);
    assert_int_equal(recvmsg(s.d, &m, 0), 1);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    assert_non_null(c);
    assert_int_equal(c->cmsg_type, SCM_CREDENTIALS);
    memcpy(&cred, CMSG_DATA(c), sizeof(cred));
    assert_int_equal(cred.pid, pid);
    close_pair(s);
}

static void a_descriptor_rides_with_its_message(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET), connection = stream_pair();
    int fd, flags;
    size_t count;
    put(s.p, "plain", 5);
    assert_int_equal(send_fds(s.p, "request", 7, &connection.p, 1), 0);
    put(s.p, "plain", 5);
    assert_int_equal(receive_fds(s.d, buf, 64, &fd, 1, &count, &flags), 5);
    assert_int_equal(count, 0);
    assert_int_equal(receive_fds(s.d, buf, 64, &fd, 1, &count, &flags), 7);
    assert_int_equal(count, 1);
    put(fd, "through", 7);
    assert_int_equal(readable_bytes(connection.d), 7);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    assert_int_equal(receive_fds(s.d, buf, 64, &fd, 1, &count, &flags), 5);
    assert_int_equal(count, 0);
    close_pair(connection);
    close_pair(s);
}

static void a_request_about_a_descriptor_survives_its_senders_close(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET), connection = stream_pair();
    int fd, flags;
    size_t count;
    assert_int_equal(send_fds(s.p, "request", 7, &connection.p, 1), 0);
    close(connection.p);
    assert_int_equal(poll_mask(connection.d), POLLOUT);
    assert_int_equal(receive_fds(s.d, buf, 64, &fd, 1, &count, &flags), 7);
    assert_int_equal(poll_mask(connection.d), POLLOUT);
    close(fd); /* only now is the connection closed: the daemon's own close ends it */
    assert_true(poll_mask(connection.d) & POLLHUP);
    close(connection.d);
    close_pair(s);
}

static void a_full_queue_gives_eagain_and_loses_nothing(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    int sent = 0, received = 0;
    while (send(s.p, buf, 128, MSG_NOSIGNAL) == 128)
        sent++;
    assert_int_equal(errno, EAGAIN);
    note("messages of 128 bytes queued at the default SO_SNDBUF: %d, SIOCOUTQ %d", sent,
         unconsumed(s.p));
    assert_false(poll_mask(s.p) & POLLOUT);
    while (recv(s.d, buf, sizeof(buf), 0) == 128)
        received++;
    assert_int_equal(received, sent);
    assert_true(poll_mask(s.p) & POLLOUT);
    close_pair(s);
}

static void a_message_larger_than_the_send_buffer_gives_emsgsize(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    set_int(s.p, SO_SNDBUF, 32 * KIB);
    put(s.p, buf, 60 * KIB);
    assert_errno(send(s.p, buf, 64 * KIB, MSG_NOSIGNAL), EMSGSIZE);
    close_pair(s);
}

static void messages_queued_before_a_close_are_read_before_the_end(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    put(s.p, "last words", 10);
    close(s.p);
    assert_int_equal(poll_mask(s.d), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 10);
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 0);
    assert_errno(send(s.d, "x", 1, MSG_NOSIGNAL), EPIPE);
    close(s.d);
}

static void an_unread_request_at_close_gives_the_client_econnreset(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    put(s.p, "request", 7);
    put(s.d, "reply", 5);
    close(s.d);
    ssize_t first = recv(s.p, buf, sizeof(buf), 0);
    int first_errno = errno;
    ssize_t second = recv(s.p, buf, sizeof(buf), 0);
    note("after the close: first recv %zd (errno %d), second recv %zd", first,
         first < 0 ? first_errno : 0, second);
    /* Unlike a stream, a packet socket tells the error before what is queued. */
    assert_int_equal(first, -1);
    assert_int_equal(first_errno, ECONNRESET);
    assert_int_equal(second, 5);
    close(s.p);
}

static void an_empty_message_cannot_be_told_from_the_end(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    put(s.p, "", 0);
    assert_true(poll_mask(s.d) & POLLIN);
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 0);
    assert_errno(recv(s.d, buf, sizeof(buf), 0), EAGAIN); /* it was not the end */
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_boundaries),
        cmocka_unit_test(a_short_buffer_cuts_the_message_and_msg_trunc_tells),
        cmocka_unit_test(peercred_tells_who_connected_whoever_sends),
        cmocka_unit_test(passcred_tells_who_sent_each_message),
        cmocka_unit_test(a_descriptor_rides_with_its_message),
        cmocka_unit_test(a_request_about_a_descriptor_survives_its_senders_close),
        cmocka_unit_test(a_full_queue_gives_eagain_and_loses_nothing),
        cmocka_unit_test(a_message_larger_than_the_send_buffer_gives_emsgsize),
        cmocka_unit_test(messages_queued_before_a_close_are_read_before_the_end),
        cmocka_unit_test(an_unread_request_at_close_gives_the_client_econnreset),
        cmocka_unit_test(an_empty_message_cannot_be_told_from_the_end),
    };
    return cmocka_run_group_tests_name("seqpacket_control", tests, NULL, NULL);
}
