/* SPDX-License-Identifier: MIT */
/*
 * The `tapstack` tool against the fake daemon: output, exit statuses, and what it says when
 * something is wrong.
 */
#include "ipc/fdpass.h"
#include "ipc/name.h"
#include "tests/unit/client/fake_daemon.h"
#include "tests/unit/client/tool.h"

#include <errno.h>
#include <linux/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN(d, input, ...)                                                                         \
    tool_run((char *const[]){"--socket", (d)->path, __VA_ARGS__, NULL}, input)

static void reply_more(const struct fake_request *rq, uint32_t more, const void *body, size_t len)
{
    WIRE_BUFFER(buf);
    ssize_t n =
        wire_encode(buf, sizeof(buf), rq->hdr.op, rq->hdr.id, WIRE_REPLY | more, 0, body, len);

    fdpass_send(rq->conn, buf, (size_t)n, -1, 0);
}

static struct wire_addr v4(uint8_t last, uint16_t port)
{
    return (struct wire_addr){.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 77, [15] = last},
                              .port = port};
}

static bool two_sockets(struct fake_daemon *d, const struct fake_request *rq)
{
    struct tcp_info ti = {.tcpi_rtt = 1500, .tcpi_snd_cwnd = 10, .tcpi_snd_mss = 1448};
    struct wire_info listener = {.state = 10, .state_name = "LISTEN", .local = v4(2, 80)};
    struct wire_info dual = {
        .state = 10, .state_name = "LISTEN", .dual = 1, .local = {.port = 8080}};
    struct wire_info info = {.state = 1,
                             .state_name = "ESTAB",
                             .local = v4(2, 4242),
                             .remote = v4(1, 80),
                             .send_queue = 12345,
                             .stops = {[1] = 17},
                             .stop_names = {"cwnd", "nagle"},
                             .tcp_info_len = sizeof(ti)};

    (void)d;
    if (rq->hdr.op != WIRE_OP_LIST)
        return false;
    listener.remote.addr[10] = listener.remote.addr[11] = 0xff;
    memcpy(info.tcp_info, &ti,
           sizeof(ti) < sizeof(info.tcp_info) ? sizeof(ti) : sizeof(info.tcp_info));
    reply_more(rq, WIRE_MORE, &listener, sizeof(listener));
    reply_more(rq, WIRE_MORE, &dual, sizeof(dual));
    reply_more(rq, 0, &info, sizeof(info));
    return true;
}

static void ss_shows_connections_like_ss(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = two_sockets;
    assert_int_equal(RUN(d, "", "ss", "-tn"), 0);
    assert_non_null(strstr(tool_output, "ESTAB       0        12345"));
    assert_non_null(strstr(tool_output, " 10.77.0.2:4242 "));
    assert_non_null(strstr(tool_output, " 10.77.0.1:80\n"));
    assert_null(strstr(tool_output, "LISTEN"));
    assert_int_equal(RUN(d, "", "ss", "-l"), 0);
    assert_non_null(strstr(tool_output, "LISTEN"));
    assert_non_null(strstr(tool_output, " 0.0.0.0:*\n"));
    assert_non_null(strstr(tool_output, " *:8080                       *:*\n"));
    assert_null(strstr(tool_output, "ESTAB"));
}

static void ss_says_why_a_connection_did_not_send(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = two_sockets;
    assert_int_equal(RUN(d, "", "ss", "-ai"), 0);
    assert_non_null(strstr(tool_output, "did not send because: nagle:17\n"));
    assert_non_null(strstr(tool_output, "rtt:1.5/0 mss:1448"));
}

static void ss_json_has_everything(void **state)
{
    struct fake_daemon *d = *state;
    size_t n;

    d->hook = two_sockets;
    assert_int_equal(RUN(d, "", "ss", "-a", "--json"), 0);
    n = strlen(tool_output);
    assert_ptr_equal(strstr(tool_output, "[\n"), tool_output);
    assert_string_equal(tool_output + n - 3, "\n]\n");
    assert_non_null(strstr(tool_output, "\"state\": \"ESTAB\""));
    assert_non_null(strstr(tool_output, "\"peer\": \"10.77.0.1:80\""));
    assert_non_null(strstr(tool_output, "\"rtt_us\": 1500"));
    assert_non_null(strstr(tool_output, "\"nagle\": 17"));
}

static void ss_shows_who_a_filter_means(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = two_sockets;
    assert_int_equal(RUN(d, "", "ss", "dport", "=", ":80", "and", "src", "10.77.0.0/16"), 0);
    assert_non_null(strstr(tool_output, "ESTAB"));
    assert_int_equal(RUN(d, "", "ss", "-H", "dport = :80 and ! src 10.77.0.0/16"), 0);
    assert_string_equal(tool_output, "");
    assert_int_equal(RUN(d, "", "ss", "state listening sport = :8080"), 0);
    assert_null(strstr(tool_output, "10.77.0.2"));
    assert_non_null(strstr(tool_output, "*:8080"));
    assert_int_equal(RUN(d, "", "ss", "sport", "~", "80"), 2);
    assert_non_null(strstr(tool_output, "'~' is no port"));
}

static bool two_counters(struct fake_daemon *d, const struct fake_request *rq)
{
    static const struct wire_counter zero = {.name = "eth_in", .help = "frames received"};
    static const struct wire_counter some = {.value = 99, .name = "eth_out", .help = "frames sent"};

    (void)d;
    if (rq->hdr.op != WIRE_OP_STATS)
        return false;
    reply_more(rq, WIRE_MORE, &zero, sizeof(zero));
    reply_more(rq, 0, &some, sizeof(some));
    return true;
}

static void stats_leaves_out_zeros_unless_asked(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = two_counters;
    assert_int_equal(RUN(d, "", "stats"), 0);
    assert_null(strstr(tool_output, "eth_in"));
    assert_non_null(strstr(tool_output, "eth_out                                  99\n"));
    assert_int_equal(RUN(d, "", "stats", "-av"), 0);
    assert_non_null(strstr(tool_output, "0  frames received\n"));
    assert_int_equal(RUN(d, "", "stats", "--json"), 0);
    assert_string_equal(tool_output, "{\n  \"eth_out\": 99\n}\n");
    assert_int_equal(RUN(d, "", "stats", "-a", "*_in"), 0);
    assert_non_null(strstr(tool_output, "eth_in"));
    assert_null(strstr(tool_output, "eth_out"));
    assert_int_equal(RUN(d, "", "stats", "-a", "th_o"), 0);
    assert_null(strstr(tool_output, "eth_in"));
    assert_non_null(strstr(tool_output, "eth_out"));
    assert_int_equal(RUN(d, "", "stats", "-P", "-j"), 2);
}

/* The daemon's end of the connection, served by a thread: reads all, then answers and ends. */
static void *answer_and_end(void *arg)
{
    struct fake_daemon *d = arg;
    int end = d->ends[d->n_ends - 1];
    char buf[100];
    size_t got = 0;
    ssize_t n;

    while ((n = read(end, buf + got, sizeof(buf) - got)) > 0)
        got += (size_t)n;
    if (write(end, "got: ", 5) == 5 && write(end, buf, got) == (ssize_t)got)
        shutdown(end, SHUT_WR);
    return NULL;
}

static pthread_t helper;

static bool serve_connection(struct fake_daemon *d, const struct fake_request *rq)
{
    if (rq->hdr.op == WIRE_OP_CONNECT && d->step++ == 0)
        return pthread_create(&helper, NULL, answer_and_end, d) != 0;
    return false;
}

static void connect_relays_both_ways_and_half_closes(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = serve_connection;
    assert_int_equal(RUN(d, "question", "connect", "10.77.0.1", "80"), 0);
    assert_string_equal(tool_output, "got: question");
    pthread_join(helper, NULL);
    d->step = 0;
    assert_int_equal(RUN(d, "question", "connect", "-v", "10.77.0.1", "80"), 0);
    pthread_join(helper, NULL);
    assert_non_null(strstr(tool_output, "connected to 10.77.0.1:80"));
    assert_non_null(strstr(tool_output, "sent 8 bytes"));
    assert_non_null(strstr(tool_output, "received 13 bytes"));
}

static bool listen_and_serve(struct fake_daemon *d, const struct fake_request *rq)
{
    struct wire_addr local = v4(2, 7), remote = v4(1, 999);
    int end;

    if (rq->hdr.op != WIRE_OP_LISTEN || name_mark(rq->fd, NAME_LISTENER) < 0)
        return false;
    end = fake_daemon_deliver(d->ends[0], &local, &remote);
    d->ends[d->n_ends++] = end;
    fake_daemon_reply(rq, 0, NULL, 0, -1);
    return pthread_create(&helper, NULL, answer_and_end, d) == 0;
}

static void listen_serves_one_connection(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = listen_and_serve;
    assert_int_equal(RUN(d, "hello", "listen", "-v", "7"), 0);
    pthread_join(helper, NULL);
    assert_non_null(strstr(tool_output, "connection from 10.77.0.1:999"));
    assert_non_null(strstr(tool_output, "got: hello"));
}

static bool refuse(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    if (rq->hdr.op != WIRE_OP_CONNECT && rq->hdr.op != WIRE_OP_BIND)
        return false;
    fake_daemon_reply(rq, rq->hdr.op == WIRE_OP_BIND ? EADDRINUSE : ECONNREFUSED, NULL, 0, -1);
    return true;
}

/* The connection breaks with an unread byte in it: a reset. */
static bool reset_at_connect(struct fake_daemon *d, const struct fake_request *rq)
{
    if (rq->hdr.op != WIRE_OP_CONNECT)
        return false;
    fake_daemon_reply(rq, 0, NULL, 0, -1);
    while (read(d->ends[0], &(char){0}, 1) != 1)
        ;
    close(d->ends[0]);
    d->ends[0] = -1;
    return true;
}

static void failures_are_said_and_are_not_zero(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = refuse;
    assert_int_equal(RUN(d, "", "connect", "10.77.0.1", "80"), 1);
    assert_string_equal(tool_output, "tapstack connect: 10.77.0.1:80: Connection refused\n");
    assert_int_equal(RUN(d, "", "listen", "80"), 1);
    assert_string_equal(tool_output, "tapstack listen: port 80: Address already in use\n");
    d->hook = reset_at_connect;
    d->n_ends = 0;
    assert_int_equal(RUN(d, "some bytes", "connect", "10.77.0.1", "80"), 1);
    assert_non_null(strstr(tool_output, "the connection ended: "));
    fake_daemon_halt(d);
    assert_int_equal(RUN(d, "", "ss"), 1);
    assert_non_null(strstr(tool_output, "is tapstackd running"));
    assert_int_equal(RUN(d, "", "connect", "10.77.0.1", "80"), 1);
    assert_non_null(strstr(tool_output, "is tapstackd running"));
    fake_daemon_resume(d);
}

static void usage_is_explained(void **state)
{
    static char *const commands[] = {"run", "connect", "listen", "ss", "stats", "capture"};
    struct fake_daemon *d = *state;

    assert_int_equal(tool_run((char *const[]){"--help", NULL}, ""), 0);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        assert_non_null(strstr(tool_output, commands[i]));
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        assert_int_equal(RUN(d, "", commands[i], "--help"), 0);
        assert_ptr_equal(strstr(tool_output, "Usage: tapstack"), tool_output);
        assert_int_not_equal(RUN(d, "", commands[i], "--nonsense"), 0);
    }
    assert_int_equal(tool_run((char *const[]){"--version", NULL}, ""), 0);
    assert_int_equal(tool_run((char *const[]){NULL}, ""), 2);
    assert_int_equal(tool_run((char *const[]){"nonsense", NULL}, ""), 2);
    assert_int_equal(RUN(d, "", "connect", "10.77.0.1"), 2);
    assert_int_equal(RUN(d, "", "listen", "99999"), 2);
}

#define with_daemon(name) cmocka_unit_test_setup_teardown(name, fake_daemon_start, fake_daemon_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_daemon(ss_shows_connections_like_ss),
        with_daemon(ss_says_why_a_connection_did_not_send),
        with_daemon(ss_json_has_everything),
        with_daemon(ss_shows_who_a_filter_means),
        with_daemon(stats_leaves_out_zeros_unless_asked),
        with_daemon(connect_relays_both_ways_and_half_closes),
        with_daemon(listen_serves_one_connection),
        with_daemon(failures_are_said_and_are_not_zero),
        with_daemon(usage_is_explained),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
