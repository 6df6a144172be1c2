/* SPDX-License-Identifier: MIT */
/* `tapstack config` and `tapstack reload` against the fake daemon. */
#include "ipc/fdpass.h"
#include "tests/unit/client/fake_daemon.h"
#include "tests/unit/client/tool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RUN(d, ...) tool_run((char *const[]){"--socket", (d)->path, __VA_ARGS__, NULL}, "")

static void reply_more(const struct fake_request *rq, uint32_t more, const void *body, size_t len)
{
    WIRE_BUFFER(buf);
    ssize_t n =
        wire_encode(buf, sizeof(buf), rq->hdr.op, rq->hdr.id, WIRE_REPLY | more, 0, body, len);

    fdpass_send(rq->conn, buf, (size_t)n, -1, 0);
}

static bool three_settings(struct fake_daemon *d, const struct fake_request *rq)
{
    static const struct wire_setting all[] = {
        {.section = "tapstack",
         .name = "mtu",
         .argument = "N",
         .unit = "bytes",
         .value = "1500",
         .fallback = "1500",
         .help = "of the interface",
         .least = 576,
         .most = 65521,
         .flags = WIRE_SETTING_PENDING,
         .pending = "9000",
         .pending_source = WIRE_FROM_FILE,
         .pending_line = 9,
         .file = "/etc/ts.conf"},
        {.section = "tapstack", .name = "gateway", .argument = "A", .file = "/etc/ts.conf"},
        {.section = "sysctl",
         .name = "tcp_retries2",
         .value = "8",
         .argument = "N",
         .most = 255,
         .flags = WIRE_SETTING_LIVE | WIRE_SETTING_RELOADED,
         .source = WIRE_FROM_FILE,
         .line = 12,
         .file = "/etc/ts.conf"},
    };

    (void)d;
    if (rq->hdr.op != WIRE_OP_CONFIG)
        return false;
    for (size_t i = 0; i < 3; i++)
        reply_more(rq, i < 2 ? WIRE_MORE : 0, &all[i], sizeof(all[i]));
    return true;
}

static void config_is_written_as_a_file_with_origins(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = three_settings;
    assert_int_equal(RUN(d, "config"), 0);
    assert_string_equal(tool_output,
                        "[tapstack]\n"
                        "mtu = 1500                           ; default\n"
                        "    ; needs a restart: mtu = 9000 ; /etc/ts.conf:9\n"
                        "#gateway = (none)                    ; default\n"
                        "\n[sysctl]\n"
                        "tcp_retries2 = 8                     ; /etc/ts.conf:12 (reload)\n");
    assert_int_equal(RUN(d, "config", "-v", "mtu"), 0);
    assert_non_null(strstr(tool_output, "N, 576 to 65521 bytes, default 1500, needs a restart\n"));
}

static void config_is_filtered_by_name(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = three_settings;
    assert_int_equal(RUN(d, "config", "retries"), 0);
    assert_ptr_equal(strstr(tool_output, "[sysctl]\ntcp_retries2"), tool_output);
    assert_int_equal(RUN(d, "config", "net.ipv4.tcp_*2"), 0);
    assert_non_null(strstr(tool_output, "tcp_retries2"));
    assert_null(strstr(tool_output, "mtu"));
    assert_int_equal(RUN(d, "config", "tapstack"), 0);
    assert_non_null(strstr(tool_output, "gateway"));
    assert_null(strstr(tool_output, "retries2"));
    assert_int_equal(RUN(d, "config", "--changed"), 0);
    assert_non_null(strstr(tool_output, "mtu"));
    assert_null(strstr(tool_output, "gateway"));
    assert_int_equal(RUN(d, "config", "juggle"), 1);
    assert_non_null(strstr(tool_output, "no setting like that"));
}

static void config_is_json_on_demand(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = three_settings;
    assert_int_equal(RUN(d, "config", "--json", "retries2"), 0);
    assert_non_null(strstr(tool_output, "\"value\": \"8\""));
    assert_non_null(strstr(tool_output, "\"source\": \"file\""));
    assert_non_null(strstr(tool_output, "\"line\": 12"));
    assert_non_null(strstr(tool_output, "\"reloaded\": true"));
    assert_non_null(strstr(tool_output, "\"max\": 255"));
    assert_int_equal(RUN(d, "config", "--json", "mtu"), 0);
    assert_non_null(strstr(tool_output, "\"needs_restart\": {"));
    assert_int_equal(RUN(d, "config", "--json", "gateway"), 0);
    assert_non_null(strstr(tool_output, "\"value\": null"));
}

static bool one_fault(struct fake_daemon *d, const struct fake_request *rq)
{
    static const struct wire_notice fault = {.kind = WIRE_NOTICE_FAULT, .text = "ts.conf:3: bad"};

    (void)d;
    if (rq->hdr.op != WIRE_OP_RELOAD)
        return false;
    reply_more(rq, 0, &fault, sizeof(fault));
    return true;
}

static bool one_change(struct fake_daemon *d, const struct fake_request *rq)
{
    static const struct wire_notice change = {.kind = WIRE_NOTICE_CHANGED, .text = "mtu = 9"};
    static const struct wire_notice wait = {.kind = WIRE_NOTICE_RESTART, .text = "tap = ts1"};

    (void)d;
    if (rq->hdr.op != WIRE_OP_RELOAD)
        return false;
    reply_more(rq, WIRE_MORE, &change, sizeof(change));
    reply_more(rq, 0, &wait, sizeof(wait));
    return true;
}

static bool refused(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    if (rq->hdr.op != WIRE_OP_RELOAD)
        return false;
    fake_daemon_reply(rq, EPERM, NULL, 0, -1);
    return true;
}

static void reload_says_what_came_of_it(void **state)
{
    struct fake_daemon *d = *state;

    d->hook = one_change;
    assert_int_equal(RUN(d, "reload"), 0);
    assert_string_equal(tool_output, "mtu = 9\ntap = ts1\n");
    d->hook = one_fault;
    assert_int_equal(RUN(d, "reload"), 1);
    assert_string_equal(tool_output, "ts.conf:3: bad\ntapstack reload: nothing has changed\n");
    d->hook = refused;
    assert_int_equal(RUN(d, "reload"), 1);
    assert_non_null(strstr(tool_output, "only root may"));
}

static void usage_is_explained(void **state)
{
    static char *const commands[] = {"config", "reload"};
    struct fake_daemon *d = *state;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(RUN(d, commands[i], "--help"), 0);
        assert_ptr_equal(strstr(tool_output, "Usage: tapstack"), tool_output);
        assert_int_equal(RUN(d, commands[i], "--nonsense"), 2);
    }
    assert_int_equal(RUN(d, "reload", "now"), 2);
}

#define with_daemon(name) cmocka_unit_test_setup_teardown(name, fake_daemon_start, fake_daemon_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_daemon(config_is_written_as_a_file_with_origins),
        with_daemon(config_is_filtered_by_name),
        with_daemon(config_is_json_on_demand),
        with_daemon(reload_says_what_came_of_it),
        with_daemon(usage_is_explained),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
