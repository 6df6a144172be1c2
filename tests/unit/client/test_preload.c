/* SPDX-License-Identifier: MIT */
/*
 * `tapstack run` and the shim, with an unmodified program (python3) and the fake daemon: what goes
 * to the daemon, what stays with the kernel, and what people are told when things are missing.
 */
#include "ipc/name.h"
#include "ipc/scope.h"
#include "tests/unit/client/fake_daemon.h"
#include "tests/unit/client/tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int run(struct fake_daemon *d, char *const args[])
{
    char *argv[16] = {"--socket", d->path, "run", "--"};

    for (int i = 0; args[i]; i++)
        argv[4 + i] = args[i];
    return tool_run(argv, "");
}

static void python(struct fake_daemon *d, const char *script)
{
    char text[4096];
    char *args[] = {"python3", "-c", text, NULL};
    int status;

    snprintf(text, sizeof(text),
             "import errno, fcntl, os, select, socket, struct, sys, array, threading\n%s", script);
    status = run(d, args);
    if (status != 0)
        fail_msg("status %d: %s", status, tool_output);
}

static void loopback_stays_with_the_kernel(void **state)
{
    struct fake_daemon *d = *state;

    python(d, "l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
              "l.bind(('127.0.0.1', 0)); l.listen()\n"
              "c = socket.socket(); c.settimeout(5); c.connect(l.getsockname())\n"
              "s, a = l.accept()\n"
              "assert a == c.getsockname() and a[0] == '127.0.0.1'\n"
              "s.sendall(b'hello'); assert c.recv(9) == b'hello'\n"
              "assert c.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET\n"
              "assert not os.get_inheritable(c.fileno()) and not os.get_blocking(c.fileno())\n");
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SOCKET), 2);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_BIND), 0);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_CONNECT), 0);
}

/* Names the daemon's end at CONNECT, sends five bytes, and echoes nothing. */
static bool connect_and_greet(struct fake_daemon *d, const struct fake_request *rq)
{
    struct wire_addr local = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 77, [15] = 2},
                              .port = 4242};
    struct wire_addr remote;
    struct sockaddr_un un;
    socklen_t len;

    if (rq->hdr.op != WIRE_OP_CONNECT)
        return false;
    memcpy(&remote, rq->body, sizeof(remote));
    len = name_build(&un, ((uint64_t)getpid() << 24) + 5, &local, &remote);
    if (bind(d->ends[0], (struct sockaddr *)&un, len) == 0 && write(d->ends[0], "hello", 5) == 5)
        fake_daemon_reply(rq, 0, NULL, 0, -1);
    return true;
}

static void other_connections_are_ours(void **state)
{
    struct fake_daemon *d = *state;
    char buf[16];

    d->hook = connect_and_greet;
    python(d,
           "s = socket.socket(); s.connect(('10.77.0.1', 80))\n"
           "assert s.getpeername() == ('10.77.0.1', 80), s.getpeername()\n"
           "assert s.getsockname() == ('10.77.0.2', 4242), s.getsockname()\n"
           "assert s.family == socket.AF_INET and s.getsockopt(socket.SOL_SOCKET, "
           "socket.SO_DOMAIN) == 2\n"
           "assert socket.socket(fileno=os.dup(s.fileno())).type == socket.SOCK_STREAM\n"
           "try: s.recv(5, socket.MSG_ERRQUEUE); assert False\n"
           "except BlockingIOError: pass\n"
           "assert len(s.recv(2, socket.MSG_TRUNC)) == 2\n"
           "data, who = s.recvfrom(2); assert data == b'll' and not who, (data, who)\n"
           "data, anc, flags, who = s.recvmsg(9, 64); assert data == b'o' and not anc and not who\n"
           "b = array.array('i', [0]); fcntl.ioctl(s, 0x5411, b); assert b[0] == 7\n"
           "fcntl.ioctl(s, 0x894B, b); assert b[0] == 3\n"
           "assert s.sendto(b'abc', ('1.2.3.4', 5)) == 3\n"
           "assert s.send(b'de', socket.MSG_MORE) == 2\n");
    assert_int_equal(read(d->ends[0], buf, sizeof(buf)), 5);
    assert_memory_equal(buf, "abcde", 5);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SEND_MARK), 1);
}

static bool deliver_at_listen(struct fake_daemon *d, const struct fake_request *rq)
{
    struct wire_addr a = {.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 9}, .port = 999};

    if (rq->hdr.op != WIRE_OP_LISTEN || name_mark(rq->fd, NAME_LISTENER) < 0)
        return false;
    d->ends[d->n_ends] = fake_daemon_deliver(d->ends[0], &a, &a);
    d->n_ends++;
    fake_daemon_reply(rq, 0, NULL, 0, -1);
    return true;
}

static void a_server_accepts_ours(void **state)
{
    struct fake_daemon *d = *state;
    char buf[16];

    d->hook = deliver_at_listen;
    python(d, "l = socket.socket(); l.bind(('', 80)); l.listen()\n"
              "assert select.select([l], [], [], 5)[0]\n"
              "s, a = l.accept(); assert a == ('10.0.0.9', 999), a\n"
              "s.sendall(b'served')\n"
              "l.setblocking(False)\n"
              "try: l.accept(); assert False\n"
              "except BlockingIOError: pass\n");
    assert_int_equal(read(d->ends[1], buf, sizeof(buf)), 6);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_BIND), 1);
}

static void what_is_not_tcp_stays_with_the_kernel(void **state)
{
    struct fake_daemon *d = *state;

    python(d, "u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))\n"
              "u.sendto(b'x', u.getsockname()); assert u.recvfrom(9) == (b'x', u.getsockname())\n"
              "a, b = socket.socketpair(); a.sendmsg([b'x']); assert b.recvmsg(5)[0] == b'x'\n"
              "try: socket.socket(proto=262); assert False\n"
              "except OSError as e: assert e.errno == errno.EPROTONOSUPPORT\n");
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SOCKET), 0);
}

static void without_the_daemon_there_is_one_clear_line(void **state)
{
    struct fake_daemon *d = *state;
    char *args[] = {"true", NULL};

    python(d, "os.environ['TAPSTACK_SOCKET'] = '/nonexistent/sock'\n"
              "for i in range(3):\n"
              "  try: socket.socket(); assert False\n"
              "  except OSError as e: assert e.errno == errno.ENETDOWN, e\n");
    assert_string_equal(tool_output,
                        "tapstack: cannot reach the daemon at /nonexistent/sock: No such file or "
                        "directory (is tapstackd running?)\n");
    fake_daemon_halt(d);
    assert_int_equal(run(d, args), 125);
    assert_non_null(strstr(tool_output, "is tapstackd running"));
    fake_daemon_resume(d);
}

static void exit_statuses_are_those_of_env(void **state)
{
    char *missing[] = {"/nonexistent/program", NULL}, *directory[] = {"/tmp", NULL};
    char *failing[] = {"sh", "-c", "exit 7", NULL}, *none[] = {NULL};
    struct fake_daemon *d = *state;

    assert_int_equal(run(d, missing), 127);
    assert_int_equal(run(d, directory), 126);
    assert_int_equal(run(d, failing), 7);
    assert_int_equal(run(d, none), 125);
}

static void the_environment_is_set_for_children(void **state)
{
    char *args[] = {"sh", "-c", "echo $LD_PRELOAD $TAPSTACK_SOCKET", NULL};
    struct fake_daemon *d = *state;

    setenv("LD_PRELOAD", "libc.so.6", 1);
    assert_int_equal(run(d, args), 0);
    unsetenv("LD_PRELOAD");
    assert_non_null(strstr(tool_output, "/libtapstack-preload.so:libc.so.6 "));
    assert_non_null(strstr(tool_output, d->path));
}

/* nginx has an environment of its own by the time it accepts. */
static void a_cleared_environment_keeps_the_stack(void **state)
{
    struct fake_daemon *d = *state;

    setenv(SCOPE_EXCEPT_ENV, "10.99.0.0/16", 1);
    python(d, "os.environ.clear()\n"
              "s = socket.socket()\n"
              "try: s.bind(('10.99.1.2', 0)); assert False\n"
              "except OSError as e: assert e.errno == errno.EADDRNOTAVAIL, e\n"
              "os.environ['TAPSTACK_SOCKET'] = '/nonexistent/sock'\n"
              "def refused():\n"
              "  try: socket.socket(); assert False\n"
              "  except OSError as e: assert e.errno == errno.ENETDOWN, e\n"
              "t = threading.Thread(target=refused); t.start(); t.join()\n");
    unsetenv(SCOPE_EXCEPT_ENV);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_SOCKET), 1);
    assert_int_equal(fake_daemon_count(d, WIRE_OP_BIND), 0);
}

#define with_daemon(name) cmocka_unit_test_setup_teardown(name, fake_daemon_start, fake_daemon_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_daemon(loopback_stays_with_the_kernel),
        with_daemon(other_connections_are_ours),
        with_daemon(a_server_accepts_ours),
        with_daemon(what_is_not_tcp_stays_with_the_kernel),
        with_daemon(without_the_daemon_there_is_one_clear_line),
        with_daemon(exit_statuses_are_those_of_env),
        with_daemon(the_environment_is_set_for_children),
        with_daemon(a_cleared_environment_keeps_the_stack),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
