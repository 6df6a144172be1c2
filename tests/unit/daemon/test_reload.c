/* SPDX-License-Identifier: MIT */
/* A reload: what it changes and what not, where values then come from, what a fault does, what
 * becomes of sockets and clients that were there; and the process that reads. */
#include "daemon/config_file.h"
#include "daemon/options.h"
#include "tests/unit/daemon/rig.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define unused __attribute__((unused))
#define HEAD   "[tapstack]\ntap = ts7\naddress = " RIG_ADDRESS "/24\n"

struct fixture {
    struct rig *rig;
    char path[64];
    unsigned begun, ended, done;
};

static void on_begun(void *ctx)
{
    struct fixture *f = ctx;

    f->begun++;
}

static void on_ended(void *ctx, bool done)
{
    struct fixture *f = ctx;

    f->ended++;
    f->done += done;
}

static void write_config(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* As at the start: the file, the command line ("--mtu 1400") over it. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct config_origin typed = {.source = CONFIG_FROM_COMMAND_LINE};
    struct privileges_user nobody = {0};
    char error[CONFIG_ERROR];
    struct settings *s;

    assert_non_null(f);
    strcpy(f->path, "/tmp/tapstack-reload-XXXXXX");
    close(mkstemp(f->path));
    f->rig = rig_new(0);
    s = &f->rig->settings;
    write_config(f, HEAD "max-sockets = 1000\nsocket-mode = 0660\n[sysctl]\ntcp_retries2 = 8\n");
    s->running.path = f->path;
    assert_int_equal(config_set(&s->given, "mtu", "1400", typed, error), 0);
    /* the first reload stands for the start */
    assert_int_equal(reread_start(&f->rig->reload.reader, f->path, &nobody), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    rig_free(f->rig);
    unlink(f->path);
    free(f);
    return 0;
}

static void wait_for_end(struct fixture *f)
{
    struct reload *r = &f->rig->reload;
    struct pollfd p = {.fd = r->reader.fd, .events = POLLIN};

    do
        assert_int_equal(poll(&p, 1, 5000), 1);
    while (!reload_ready(r));
}

static void reload(struct fixture *f)
{
    assert_int_equal(reload_begin(&f->rig->reload), 0);
    wait_for_end(f);
}

static struct wire_setting row(struct fixture *f, const char *name)
{
    struct wire_setting s;

    for (size_t i = 0; settings_row(&f->rig->settings, i, true, &s); i++)
        if (!strcmp(s.name, name))
            return s;
    fail_msg("no setting %s", name);
    return s;
}

static void shows(struct fixture *f, const char *name, const char *value, enum wire_source source,
                  unsigned line, unsigned flags)
{
    struct wire_setting s = row(f, name);

    assert_string_equal(s.value, value);
    assert_int_equal(s.source, source);
    assert_int_equal(s.line, line);
    assert_int_equal(s.flags & ~WIRE_SETTING_LIVE, flags);
}

static bool told(const struct fixture *f, enum wire_notice_kind kind, const char *text)
{
    const struct notices *n = &f->rig->reload.notices;

    for (size_t i = 0; i < n->count; i++)
        if (n->list[i].kind == kind && strstr(n->list[i].text, text))
            return true;
    return false;
}

static void each_value_has_its_origin(void **state)
{
    struct fixture *f = *state;

    shows(f, "max-sockets", "65536", WIRE_FROM_DEFAULT, 0, 0);
    reload(f);
    shows(f, "max-sockets", "1000", WIRE_FROM_FILE, 4, WIRE_SETTING_RELOADED);
    shows(f, "tcp_retries2", "8", WIRE_FROM_FILE, 7, WIRE_SETTING_RELOADED);
    shows(f, "tcp_retries1", "3", WIRE_FROM_DEFAULT, 0, 0);
    assert_int_equal(settings_set(&f->rig->settings, "net.ipv4.tcp_retries1", "2"), 0);
    assert_int_equal(settings_set(&f->rig->settings, "busy-poll", "9"), 0);
    shows(f, "tcp_retries1", "2", WIRE_FROM_SET, 0, 0);
    shows(f, "busy-poll", "9", WIRE_FROM_SET, 0, 0);
    assert_int_equal(f->rig->spin.budget_us, 9);
    assert_true(row(f, "busy-poll").flags & WIRE_SETTING_LIVE);
    assert_false(row(f, "tap").flags & WIRE_SETTING_LIVE);
}

static void what_was_set_at_run_time_ends_with_a_reload(void **state)
{
    struct fixture *f = *state;
    char text[32];

    assert_int_equal(settings_set(&f->rig->settings, "tcp_retries1", "2"), 0);
    assert_int_equal(settings_set(&f->rig->settings, "tcp_retries2", "2"), 0);
    assert_int_equal(settings_set(&f->rig->settings, "busy-poll", "9"), 0);
    reload(f);
    shows(f, "tcp_retries1", "3", WIRE_FROM_DEFAULT, 0, WIRE_SETTING_RELOADED);
    shows(f, "tcp_retries2", "8", WIRE_FROM_FILE, 7, WIRE_SETTING_RELOADED);
    shows(f, "busy-poll", "50", WIRE_FROM_DEFAULT, 0, WIRE_SETTING_RELOADED);
    assert_int_equal(f->rig->spin.budget_us, 50);
    assert_int_equal(stack_tunable_get(f->rig->stack, "tcp_retries2", text, sizeof(text)), 0);
    assert_string_equal(text, "8");
    assert_true(told(f, WIRE_NOTICE_CHANGED, "tcp_retries1 = 3 (default), was 2 (tapstack set)"));
}

static void what_can_change_live_does(void **state)
{
    struct fixture *f = *state;
    struct stack_usage usage;

    write_config(f, HEAD "memory = 64M\nmax-sockets = 10\nbusy-poll = 5\nexcept = :22\n");
    reload(f);
    stack_usage(f->rig->stack, &usage);
    assert_int_equal(usage.memory_limit, 64 << 20);
    assert_int_equal(f->rig->policy.max_user_sockets, 5);
    assert_int_equal(f->rig->spin.budget_us, 5);
    assert_string_equal(f->rig->control.hello.except, ":22");
    write_config(f, HEAD);
    reload(f);
    assert_string_equal(f->rig->control.hello.except, "");
    shows(f, "except", "", WIRE_FROM_DEFAULT, 0, WIRE_SETTING_RELOADED);
    assert_int_equal(f->rig->spin.budget_us, 50);
}

static void what_cannot_waits_for_a_restart_and_is_named(void **state)
{
    struct fixture *f = *state;
    struct wire_setting s;

    reload(f);
    assert_true(told(f, WIRE_NOTICE_RESTART, "socket-mode = 0660 needs a restart"));
    s = row(f, "socket-mode");
    assert_string_equal(s.value, "0666");
    assert_int_equal(s.source, WIRE_FROM_DEFAULT);
    assert_true(s.flags & WIRE_SETTING_PENDING);
    assert_string_equal(s.pending, "0660");
    assert_int_equal(s.pending_source, WIRE_FROM_FILE);
    assert_int_equal(s.pending_line, 5);
    assert_int_equal(f->rig->settings.running.socket_mode, 0666);
    assert_int_equal(settings_set(&f->rig->settings, "socket-mode", "0600"), -EBUSY);
    write_config(f, HEAD);
    reload(f);
    assert_false(row(f, "socket-mode").flags & WIRE_SETTING_PENDING);
}

static void the_command_line_wins_again(void **state)
{
    struct fixture *f = *state;
    struct config_origin typed = {.source = CONFIG_FROM_COMMAND_LINE};
    char error[CONFIG_ERROR];

    assert_int_equal(config_set(&f->rig->settings.given, "busy-poll", "3", typed, error), 0);
    write_config(f, HEAD "busy-poll = 11\n");
    reload(f);
    shows(f, "busy-poll", "3", WIRE_FROM_COMMAND_LINE, 0, WIRE_SETTING_RELOADED);
    assert_int_equal(f->rig->spin.budget_us, 3);
}

static void a_file_with_faults_changes_nothing(void **state)
{
    struct fixture *f = *state;

    reload(f);
    write_config(f, HEAD "max-sockets = 7\nmtu = 1\n[sysctl]\ntcp_retries2 = 9\n"
                         "[user nobody-of-this-name]\nmemory = 2M\n[user 7]\nmemory = 3M\n");
    f->rig->reload.ctx = f;
    f->rig->reload.begun = on_begun;
    f->rig->reload.ended = on_ended;
    reload(f);
    assert_true(told(f, WIRE_NOTICE_FAULT, ":5: mtu must be"));
    assert_true(told(f, WIRE_NOTICE_FAULT, ":8: [user nobody-of-this-name]: no such user"));
    assert_false(told(f, WIRE_NOTICE_CHANGED, ""));
    shows(f, "max-sockets", "1000", WIRE_FROM_FILE, 4, WIRE_SETTING_RELOADED);
    shows(f, "tcp_retries2", "8", WIRE_FROM_FILE, 7, WIRE_SETTING_RELOADED);
    assert_null(f->rig->policy.rights);
    unlink(f->path);
    reload(f);
    assert_true(told(f, WIRE_NOTICE_FAULT, "No such file"));
    shows(f, "max-sockets", "1000", WIRE_FROM_FILE, 4, WIRE_SETTING_RELOADED);
    assert_int_equal(f->begun, 2);
    assert_int_equal(f->ended, 2);
    assert_int_equal(f->done, 0);
}

static int bind_to(struct fixture *f, int fd, uint16_t port)
{
    struct wire_addr a = rig_address(port);

    return rig_call(f->rig, WIRE_OP_BIND, 0, fd, &a, sizeof(a), NULL);
}

static void clients_and_sockets_follow_another_policy(void **state)
{
    struct fixture *f = *state;
    struct wire_socket body = {AF_INET, SOCK_STREAM, 0};
    struct rig_reply reply;
    const struct stream *s;
    int fd = rig_socket(f->rig);
    char text[256];

    s = TAILQ_FIRST(&f->rig->streams.list);
    assert_null(s->owner.rights);
    snprintf(text, sizeof(text), HEAD "[user %u]\nbind = :9000\nconnections = 1\nmemory = 2M\n",
             (unsigned)geteuid());
    write_config(f, text);
    reload(f);
    assert_non_null(s->owner.rights);
    assert_int_equal(bind_to(f, fd, 8000), EACCES);
    assert_int_equal(rig_call(f->rig, WIRE_OP_SOCKET, 0, -1, &body, sizeof(body), &reply), EMFILE);
    write_config(f, HEAD);
    reload(f);
    assert_true(told(f, WIRE_NOTICE_CHANGED, "] is gone"));
    assert_null(s->owner.rights);
    assert_int_equal(bind_to(f, fd, 8000), 0);
    close(fd);
    rig_run(f->rig);
}

static void a_second_one_under_way_comes_right_after(void **state)
{
    struct fixture *f = *state;

    f->rig->reload.ctx = f;
    f->rig->reload.begun = on_begun;
    f->rig->reload.ended = on_ended;
    assert_int_equal(reload_begin(&f->rig->reload), 0);
    assert_int_equal(reload_begin(&f->rig->reload), 0);
    assert_int_equal(reload_begin(&f->rig->reload), 0);
    wait_for_end(f);
    assert_int_equal(f->begun, 2);
    assert_int_equal(f->ended, 2);
    assert_int_equal(f->done, 2);
    assert_false(f->rig->reload.under_way);
}

static void who_asks_gets_what_came_of_it(void **state)
{
    struct fixture *f = *state;
    struct wire_notice n;
    struct rig_reply reply;
    unsigned lines = 0;

    assert_int_equal(rig_call(f->rig, WIRE_OP_RELOAD, 0, -1, NULL, 0, &reply), -1);
    wait_for_end(f);
    dump_reloaded(&f->rig->control, &f->rig->reload.notices);
    do {
        rig_run(f->rig);
        rig_receive(f->rig->client, &reply);
        assert_int_equal(reply.error, 0);
        assert_int_equal(reply.header.len, sizeof(n));
        memcpy(&n, reply.body, sizeof(n));
        assert_true(n.kind == WIRE_NOTICE_CHANGED || n.kind == WIRE_NOTICE_RESTART);
        lines++;
    } while (reply.header.flags & WIRE_MORE);
    assert_int_equal(lines, f->rig->reload.notices.count);
    /* with nothing to say, that is said; the same client may ask again, or leave */
    assert_int_equal(rig_call(f->rig, WIRE_OP_RELOAD, 0, -1, NULL, 0, &reply), -1);
    close(f->rig->client);
    rig_run(f->rig);
    wait_for_end(f);
    dump_reloaded(&f->rig->control, &f->rig->reload.notices);
    f->rig->client = rig_connect(f->rig);
}

static void without_a_file_or_its_reader_there_is_none(void **state)
{
    struct fixture *f = *state;
    struct reload *r = &f->rig->reload;

    f->rig->settings.running.path = NULL;
    assert_int_equal(reload_begin(r), -ENOENT);
    assert_int_equal(rig_call(f->rig, WIRE_OP_RELOAD, 0, -1, NULL, 0, NULL), ENOENT);
    f->rig->settings.running.path = f->path;
    shutdown(r->reader.fd, SHUT_WR); /* the process sees the end, and ends */
    assert_int_equal(reload_begin(r), -EPIPE);
}

static void a_reader_that_dies_is_told(void **state)
{
    struct fixture *f = *state;
    struct reload *r = &f->rig->reload;
    int fds[2];

    reread_stop(&r->reader);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    r->reader.fd = fds[0];
    r->reader.broken = false;
    assert_int_equal(reload_begin(r), 0);
    assert_int_equal(write(fds[1], "half", 4), 4);
    assert_false(reload_ready(r));
    close(fds[1]);
    assert_true(reload_ready(r));
    assert_true(told(f, WIRE_NOTICE_FAULT, "the process for that is gone"));
    assert_false(r->under_way);
    assert_int_equal(reload_begin(r), -EPIPE);
}

static void names_come_with_the_file(void **state unused)
{
    struct names_list list;
    uint32_t id = 0;

    names_list_init(&list, NULL);
    assert_false(names_id(&list.names, "root", false, &id));
    assert_true(names_list_add(&list, "alice", false, 1000));
    assert_true(names_list_add(&list, "alice", true, 27));
    assert_true(names_list_add(&list, "two words", true, 28));
    assert_true(names_id(&list.names, "alice", false, &id) && id == 1000);
    assert_true(names_id(&list.names, "alice", true, &id) && id == 27);
    assert_true(names_id(&list.names, "two words", true, &id) && id == 28);
    assert_true(names_id(&list.names, "4711", true, &id) && id == 4711);
    assert_false(names_id(&list.names, "ali", false, &id));
    assert_false(names_id(&list.names, "two", true, &id));
    names_list_free(&list);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_value_has_its_origin),
        T(what_was_set_at_run_time_ends_with_a_reload),
        T(what_can_change_live_does),
        T(what_cannot_waits_for_a_restart_and_is_named),
        T(the_command_line_wins_again),
        T(a_file_with_faults_changes_nothing),
        T(clients_and_sockets_follow_another_policy),
        T(a_second_one_under_way_comes_right_after),
        T(who_asks_gets_what_came_of_it),
        T(without_a_file_or_its_reader_there_is_none),
        T(a_reader_that_dies_is_told),
        cmocka_unit_test(names_come_with_the_file),
    };

    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
