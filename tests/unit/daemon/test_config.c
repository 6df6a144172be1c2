/* SPDX-License-Identifier: MIT */
/* Settings: values, the configuration file, the command line that wins over it. */
#include "daemon/config.h"
#include "daemon/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define unused __attribute__((unused))

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

static int set(const char *name, const char *value)
{
    char error[CONFIG_ERROR] = "";
    struct config c;
    int rc;

    config_init(&c);
    rc = config_set(&c, name, value, error);
    assert_int_equal(rc < 0, error[0] != '\0');
    return rc;
}

static void values_out_of_range_or_malformed_are_refused(void **state unused)
{
    static const char *const bad[][2] = {
        {"tap", ""},
        {"tap", "a-name-too-long-for-it"},
        {"tap", "a/b"},
        {"tap", "tap%d"},
        {"tap", ".."},
        {"address", "10.0.0.1"},
        {"address", "10.0.0.1/33"},
        {"address", "x/24"},
        {"address", "10.0.0.255/24"},
        {"address", "224.0.0.1/24"},
        {"address", "0.0.0.0/24"},
        {"address", "127.0.0.1/8"},
        {"gateway", "10.0.0"},
        {"mac", "02:00"},
        {"mac", "01:00:00:00:00:01"},
        {"mac", "00:00:00:00:00:00"},
        {"mac", "02:00:00:00:00:020"},
        {"mtu", "575"},
        {"mtu", "65522"},
        {"mtu", "1500x"},
        {"mtu", "-1"},
        {"mtu", ""},
        {"offload", "maybe"},
        {"memory", "10"},
        {"memory", "1T"},
        {"memory", "99999999999999999999"},
        {"max-sockets", "0"},
        {"nonsense", "1"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (set(bad[i][0], bad[i][1]) != -EINVAL)
            fail_msg("%s = %s was taken", bad[i][0], bad[i][1]);
}

static void good_values_are_taken(void **state unused)
{
    static const char *const good[][2] = {
        {"tap", "ts0"},
        {"address", "10.77.0.2/24"},
        {"address", "10.77.0.2/32"},
        {"address", "fd00::2/64"},
        {"gateway", "10.77.0.1"},
        {"mac", "02:0a:FF:00:00:01"},
        {"mtu", "576"},
        {"mtu", "65521"},
        {"offload", "Yes"},
        {"memory", "1M"},
        {"memory", "4294967296"},
        {"max-sockets", "1"},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (set(good[i][0], good[i][1]) != 0)
            fail_msg("%s = %s was refused", good[i][0], good[i][1]);
}

static void memory_takes_units(void **state unused)
{
    char error[CONFIG_ERROR];
    struct config c;

    config_init(&c);
    assert_int_equal(config_set(&c, "memory", "3G", error), 0);
    assert_true(c.memory == 3ull << 30);
    assert_int_equal(config_set(&c, "memory", "2048k", error), 0);
    assert_true(c.memory == 2ull << 20);
}

static void a_file_sets_what_it_says(void **state unused)
{
    char error[CONFIG_ERROR];
    struct config c;

    config_init(&c);
    write_config(
        "# comment\n[tapstack]\ntap = ts7\naddress = 10.1.0.2/16\noffload = no\nmtu=9000\n");
    assert_int_equal(config_load(&c, path, error), 0);
    assert_string_equal(c.tap, "ts7");
    assert_false(c.offload);
    assert_int_equal(c.mtu, 9000);
    assert_int_equal(config_check(&c, error), 0);
}

static void a_mistake_in_the_file_is_told_with_its_line(void **state unused)
{
    static const struct {
        const char *text, *line, *why;
    } cases[] = {
        {"[tapstack]\ntap = ts7\ncolour = red\n", "line 3", "colour"},
        {"[tapstack]\nmtu = 5\nmtu = x\n", "line 2", "not 5"},
        {"[other]\ntap = ts7\n", "line 2", "section"},
        {"tap = ts7\n", "line 1", "section"},
    };
    char error[CONFIG_ERROR];
    struct config c;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        config_init(&c);
        write_config(cases[i].text);
        assert_int_equal(config_load(&c, path, error), -EINVAL);
        assert_non_null(strstr(error, path));
        if (!strstr(error, cases[i].line) || !strstr(error, cases[i].why))
            fail_msg("case %zu: %s", i, error);
    }
    assert_int_equal(config_load(&c, "/nonexistent", error), -ENOENT);
}

static void the_command_line_wins_over_the_file(void **state unused)
{
    char *argv[] = {"tapstackd", "--mtu", "1400", "--config", path, "--no-offload", NULL};
    struct config c;

    write_config("[tapstack]\ntap = ts7\naddress = 10.1.0.2/16\noffload = yes\nmtu=9000\n");
    assert_int_equal(options_parse(6, argv, &c), OPTIONS_RUN);
    assert_int_equal(c.mtu, 1400);
    assert_false(c.offload);
    assert_string_equal(c.tap, "ts7");
}

static void what_must_be_given_or_does_not_fit_together_is_told(void **state unused)
{
    static const struct {
        const char *tap, *address, *host, *gateway, *why;
    } cases[] = {
        {NULL, "10.0.0.2/24", NULL, NULL, "--tap"},
        {"t", NULL, NULL, NULL, "--address"},
        {"t", "10.0.0.2/24", "10.0.0.2/24", NULL, "in use"},
        {"t", "10.0.0.2/24", NULL, "10.0.1.1", "gateway"},
        {"t", "10.0.0.2/24", NULL, "10.0.0.2", "gateway"},
    };
    char error[CONFIG_ERROR];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config c;
        config_init(&c);
        if (cases[i].tap)
            assert_int_equal(config_set(&c, "tap", cases[i].tap, error), 0);
        if (cases[i].address)
            assert_int_equal(config_set(&c, "address", cases[i].address, error), 0);
        if (cases[i].host)
            assert_int_equal(config_set(&c, "host-address", cases[i].host, error), 0);
        if (cases[i].gateway)
            assert_int_equal(config_set(&c, "gateway", cases[i].gateway, error), 0);
        assert_int_equal(config_check(&c, error), -EINVAL);
        if (!strstr(error, cases[i].why))
            fail_msg("case %zu: %s", i, error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_out_of_range_or_malformed_are_refused),
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(memory_takes_units),
        cmocka_unit_test(a_file_sets_what_it_says),
        cmocka_unit_test(a_mistake_in_the_file_is_told_with_its_line),
        cmocka_unit_test(the_command_line_wins_over_the_file),
        cmocka_unit_test(what_must_be_given_or_does_not_fit_together_is_told),
    };
    return cmocka_run_group_tests_name("config", tests, make_file, remove_file);
}
