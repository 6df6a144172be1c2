/* SPDX-License-Identifier: MIT */
/* The configuration file: every fault with its line and reason, where values come from, the command
 * line over it. */
#include "daemon/config_file.h"
#include "daemon/example.h"
#include "daemon/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define unused __attribute__((unused))

/* What is below has these three lines in front. */
#define HEAD "[tapstack]\ntap = ts7\naddress = 10.1.0.2/16\n"

static char path[] = "/tmp/tapstack-config-XXXXXX";

static void write_config(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int make_file(void **state unused)
{
    int fd = mkstemp(path);

    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static int remove_file(void **state unused)
{
    return unlink(path);
}

/* Read it as the start does, without a command line. */
static void load(struct config *c, const char *text, struct faults *faults)
{
    *faults = (struct faults){0};
    assert_int_equal(config_init(c), 0);
    config_file_parse(c, text, strlen(text), faults);
    config_check(c, faults);
    faults_sort(faults);
}

static void each_kind_of_fault_has_its_line_and_reason(void **state unused)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *why;
    } cases[] = {
        {HEAD "colour = red\n", 4, "unknown setting colour"},
        {HEAD "mtu = 5\n", 4, "mtu must be 576 to 65521 bytes, not 5"},
        {HEAD "mtu = 9000\n\nmtu = 9000\n", 6, "mtu is set in line 4 already"},
        {HEAD "mtu = x\n", 4, "not x"},
        {HEAD "rto-min = 10.0.0.0/8\n", 4, "not of the form A/LEN TIME"},
        {HEAD "rto-min = 10.0.0.0/8 50\n", 4, "not of the form A/LEN TIME"},
        {HEAD "rto-min = 10.0.0.0/33 50ms\n", 4, "10.0.0.0/33 50ms"},
        {HEAD "rto-min = 10.0.0.1/8 50ms\n", 4, "bits behind its prefix: 10.0.0.1/8"},
        {HEAD "rto-min = 10.0.0.0/8 0ms\n", 4, "must be 1us to 1000ms, not 10.0.0.0/8 0ms"},
        {HEAD "rto-min = 10.0.0.0/8 2s\n", 4, "must be 1us to 1000ms, not 10.0.0.0/8 2s"},
        {HEAD "rto-min = 10.0.0.0/8 1ms, 10.0.0.0/8 2ms\n", 4, "there already: 10.0.0.0/8 2ms"},
        {HEAD "rto-min = 10.0.0.0/8 1ms\nrto-min = 10.0.0.0/8 2ms\n", 5, "there already"},
        {HEAD "rto-min = 10.0.0.0/8 1ms,\n", 4, "not of the form"},
        {HEAD "what is this\n", 4, "neither"},
        {HEAD "  what is this\n", 4, "neither"},
        {HEAD "mtu =\n", 4, "not "},
        {HEAD "[other]\nanything = goes\n", 4, "unknown section [other]"},
        {HEAD "[other\n", 4, "] is missing"},
        {HEAD "[user root] memory = 1M\n", 4, "behind ]"},
        {"mtu = 9000\n" HEAD, 1, "outside of a section"},
        {HEAD "gateway = 10.2.0.1\n", 4, "not in our network"},
        {HEAD "host-address = 10.2.0.1/16\n", 4, "different networks"},
        {HEAD "user = nobody-of-this-name\n", 4, "no user nobody-of-this-name"},
        {HEAD "socket-group = none-of-this-name\n", 4, "no group none-of-this-name"},
        {HEAD "[user nobody-of-this-name]\n", 4, "no such user"},
        {HEAD "[group nobody-of-this-name]\nbind = :80\n", 4, "no such group"},
        {HEAD "[user 0]\nmemory = 2M\n[user root]\nmemory = 3M\n", 6,
         "[user root] is [user 0] of line 4 under another name"},
        {HEAD "[user 7]\nbind = 10.0.0.1:\n", 5, "bind: malformed"},
        {HEAD "[user 7]\nmemory = 1\n", 5, "memory: malformed, out of range"},
        {HEAD "[user 7]\nmemory = 2M\nmemory = 2M\n", 6, "set in line 5 already"},
        {HEAD "[user 7]\ncolour = red\n", 5, "unknown setting colour in [user 7]"},
        {HEAD "memory = 8M\n[user 7]\nmemory = 9M\n", 6, "above memory of the daemon"},
        {HEAD "max-sockets = 8\n[user 7]\nconnections = 9\n", 6, "above max-sockets"},
        {HEAD "[sysctl]\ntcp_colour = 1\n", 5, "unknown setting tcp_colour in [sysctl]"},
        {HEAD "[sysctl]\ntcp_sack = 2\n", 5, "tcp_sack must be 0 to 1, not 2"},
        {HEAD "[sysctl]\ntcp_sack = on\n", 5, "not a value that it takes: on"},
        {HEAD "[sysctl]\ntcp_congestion_control = vegas\n", 5, "not a value that it takes: vegas"},
        {HEAD "[sysctl]\ntcp_available_congestion_control = reno\n", 5, "only be read"},
        {HEAD "[sysctl]\ntcp_rmem_max = 99999\nnet.ipv4.tcp_rmem = 4096 5000 99999\n", 6,
         "net.ipv4.tcp_rmem is set in line 5 already"},
        {HEAD "[sysctl]\nip_local_port_range_max = 100\n", 5, "min is above"},
        {HEAD "[sysctl]\ntcp_uto_min = 50\ntcp_uto_max = 20\n", 6, "tcp_uto_min is above"},
    };
    struct faults faults;
    struct config c;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load(&c, cases[i].text, &faults);
        if (faults.count != 1)
            fail_msg("case %zu: %zu faults", i, faults.count);
        assert_int_equal(faults.list[0].line, cases[i].line);
        if (!strstr(faults.list[0].text, cases[i].why))
            fail_msg("case %zu: %s", i, faults.list[0].text);
        faults_free(&faults);
        config_free(&c);
    }
}

static void all_faults_are_found_in_the_order_of_the_lines(void **state unused)
{
    static const unsigned lines[] = {0, 2, 4, 6, 7, 8, 10, 11};
    struct faults faults;
    struct config c;

    load(&c,
         "[tapstack]\nmtu = 1\ntap = ts7\n?\n[sysctl]\ntcp_sack = 7\ntcp_what = 1\n[nonsense]\n"
         "x = y\n[user nobody-of-this-name]\nmemory = 1\n",
         &faults);
    assert_int_equal(faults.count, sizeof(lines) / sizeof(lines[0]));
    for (size_t i = 0; i < faults.count; i++)
        assert_int_equal(faults.list[i].line, lines[i]);
    faults_free(&faults);
    config_free(&c);
}

static void a_line_that_is_too_long_is_told_and_not_cut(void **state unused)
{
    char text[600] = HEAD "except = ";
    struct faults faults;
    struct config c;

    memset(text + strlen(text), ' ', 300);
    strcat(text, "10.0.0.0/8\nmtu = 9000\n");
    load(&c, text, &faults);
    assert_int_equal(faults.count, 1);
    assert_int_equal(faults.list[0].line, 4);
    assert_non_null(strstr(faults.list[0].text, "longer than"));
    assert_int_equal(c.from[CONFIG_mtu].line, 5);
    faults_free(&faults);
    config_free(&c);
}

static void a_file_that_is_no_text_is_told(void **state unused)
{
    static const char text[] = HEAD "m\0u = 9000\n";
    struct faults faults = {0};
    struct config c;

    assert_int_equal(config_init(&c), 0);
    config_file_parse(&c, text, sizeof(text) - 1, &faults);
    assert_int_equal(faults.count, 1);
    assert_int_equal(faults.list[0].line, 4);
    faults_free(&faults);
    config_free(&c);
}

static void a_file_sets_what_it_says_and_is_remembered_for_it(void **state unused)
{
    struct faults faults;
    struct config c;
    char text[32];
    unsigned part[STACK_TUNABLE_PARTS];

    load(&c,
         "\xef\xbb\xbf# comment\r\n[tapstack] ; comment\ntap = ts7 ; "
         "comment\r\naddress=10.1.0.2/16\n"
         "   offload = no\n; comment\nmtu: 9000\n[sysctl]\nnet.ipv4.ip_local_port_range_min = "
         "61000\n"
         "ip_local_port_range_max = 62000\ntcp_rmem = 4096 100000 200000\n"
         "tcp_congestion_control = reno",
         &faults);
    for (size_t i = 0; i < faults.kept; i++)
        print_message("%u: %s\n", faults.list[i].line, faults.list[i].text);
    assert_int_equal(faults.count, 0);
    assert_string_equal(c.tap, "ts7");
    assert_false(c.offload);
    assert_int_equal(c.mtu, 9000);
    assert_int_equal(c.from[CONFIG_offload].source, CONFIG_FROM_FILE);
    assert_int_equal(c.from[CONFIG_offload].line, 5);
    assert_int_equal(c.from[CONFIG_busy_poll_us].source, CONFIG_FROM_DEFAULT);
    assert_int_equal(stack_tunable_parts("tcp_rmem", part), 2);
    assert_int_equal(c.tunables_from[part[0]].line, 11);
    assert_int_equal(c.tunables_from[part[1]].line, 11);
    assert_int_equal(stack_tunables_get(c.tunables, "tcp_rmem_max", text, sizeof(text)), 0);
    assert_string_equal(text, "200000");
    assert_int_equal(stack_tunables_get(c.tunables, "tcp_congestion_control", text, sizeof(text)),
                     0);
    assert_string_equal(text, "reno");
    faults_free(&faults);
    config_free(&c);
}

static void a_file_that_cannot_be_read_is_a_fault(void **state unused)
{
    struct config c;
    struct faults faults = {0};

    assert_int_equal(config_init(&c), 0);
    c.path = "/nonexistent";
    config_file_load(&c, &faults);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.list[0].text, "cannot read /nonexistent: No such file or directory");
    faults_free(&faults);
    c.path = "/";
    config_file_load(&c, &faults);
    assert_int_equal(faults.count, 1);
    faults_free(&faults);
    config_free(&c);
}

static enum options_result options(struct config *c, int argc, char **argv)
{
    struct config given;
    enum options_result result = options_parse(argc, argv, c, &given);

    config_free(&given);
    return result;
}

static void the_command_line_wins_over_the_file(void **state unused)
{
    char *argv[] = {"tapstackd", "--mtu", "1400", "--config", path, "--no-offload", "-v", NULL};
    struct config c;

    write_config(HEAD "offload = yes\nmtu=9000\nbusy-poll = 7\n");
    assert_int_equal(options(&c, 7, argv), OPTIONS_RUN);
    assert_int_equal(c.mtu, 1400);
    assert_int_equal(c.from[CONFIG_mtu].source, CONFIG_FROM_COMMAND_LINE);
    assert_false(c.offload);
    assert_string_equal(c.tap, "ts7");
    assert_int_equal(c.busy_poll_us, 7);
    assert_int_equal(c.from[CONFIG_log_level].source, CONFIG_FROM_COMMAND_LINE);
    config_free(&c);
}

static void what_the_command_line_adds_can_be_a_contradiction(void **state unused)
{
    char *argv[] = {"tapstackd", "--gateway", "10.2.0.1", "--config", path, NULL};
    struct config c;

    write_config(HEAD);
    assert_int_equal(options(&c, 5, argv), OPTIONS_WRONG);
    config_free(&c);
}

static void checking_has_a_status_of_its_own(void **state unused)
{
    char *behind[] = {"tapstackd", "--check-config", path, NULL};
    char *by_config[] = {"tapstackd", "--config", path, "--check-config", NULL};
    char *none[] = {"tapstackd", "--check-config", "/nonexistent", NULL};
    char *with_option[] = {"tapstackd", "--tap", "ts1", "--check-config", path, NULL};
    char *too_many[] = {"tapstackd", "--check-config", path, path, NULL};
    struct config c;

    write_config(HEAD);
    assert_int_equal(options(&c, 3, behind), OPTIONS_DONE);
    config_free(&c);
    assert_int_equal(options(&c, 4, by_config), OPTIONS_DONE);
    config_free(&c);
    assert_int_equal(options(&c, 3, none), OPTIONS_FAULTS);
    config_free(&c);
    assert_int_equal(options(&c, 4, too_many), OPTIONS_WRONG);
    config_free(&c);
    write_config("[tapstack]\naddress = 10.1.0.2/16\n");
    assert_int_equal(options(&c, 3, behind), OPTIONS_FAULTS);
    config_free(&c);
    assert_int_equal(options(&c, 5, with_option), OPTIONS_DONE);
    config_free(&c);
}

static void the_example_has_every_setting_and_no_fault(void **state unused)
{
    FILE *f = fopen(path, "w");
    struct stack_tunable t;
    struct faults faults;
    char *text, line[128];
    struct config c;
    size_t len;

    assert_non_null(f);
    assert_int_equal(example_print(f), 0);
    fclose(f);
    assert_int_equal(config_file_read(path, &text, &len), 0);
    load(&c, text, &faults);
    assert_int_equal(faults.count, 0);
    for (int i = 0; i < CONFIG_KEYS; i++) {
        snprintf(line, sizeof(line), "%s = ", config_keys[i].name);
        assert_non_null(strstr(text, line));
    }
    for (unsigned i = 0; stack_tunable_describe(i, &t); i++) {
        snprintf(line, sizeof(line), "\n#%s = %s\n", t.name, t.fallback);
        assert_non_null(strstr(text, line));
    }
    faults_free(&faults);
    config_free(&c);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_fault_has_its_line_and_reason),
        cmocka_unit_test(all_faults_are_found_in_the_order_of_the_lines),
        cmocka_unit_test(a_line_that_is_too_long_is_told_and_not_cut),
        cmocka_unit_test(a_file_that_is_no_text_is_told),
        cmocka_unit_test(a_file_sets_what_it_says_and_is_remembered_for_it),
        cmocka_unit_test(a_file_that_cannot_be_read_is_a_fault),
        cmocka_unit_test(the_command_line_wins_over_the_file),
        cmocka_unit_test(what_the_command_line_adds_can_be_a_contradiction),
        cmocka_unit_test(checking_has_a_status_of_its_own),
        cmocka_unit_test(the_example_has_every_setting_and_no_fault),
    };

    return cmocka_run_group_tests_name("config file", tests, make_file, remove_file);
}
