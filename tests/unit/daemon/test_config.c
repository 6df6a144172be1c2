/* SPDX-License-Identifier: MIT */
/* Settings: their values, as text and back, and whether they fit together. */
#include "daemon/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define unused __attribute__((unused))

static const struct config_origin somewhere = {.source = CONFIG_FROM_COMMAND_LINE};

static int set(const char *name, const char *value)
{
    char error[CONFIG_ERROR] = "";
    struct config c;
    int rc;

    assert_int_equal(config_init(&c), 0);
    rc = config_set(&c, name, value, somewhere, error);
    assert_int_equal(rc < 0, error[0] != '\0');
    config_free(&c);
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
        {"io-uring", "never"},
        {"memory", "10"},
        {"memory", "1T"},
        {"memory", "99999999999999999999"},
        {"max-sockets", "0"},
        {"gateway", "0.0.0.0"},
        {"busy-poll", "10001"},
        {"socket-mode", "0888"},
        {"socket-mode", "1777"},
        {"socket-group", "no-group-of-this-name"},
        {"user", "no-user-of-this-name"},
        {"log-level", "loud"},
        {"except", "10.0.0.0/33"},
        {"rto-min", ""},
        {"rto-min", "10.0.0.0/8 9999999999999999ms"},
        {"rto-min", "10.0.0.0/8 50ms 60ms"},
        {"rto-min", "10.0.0.0/8 50m"},
        {"rto-min", "10.0.0.0/8 -5ms"},
        {"rto-min", "10.0.0.0/8 50ms, fd00::1/64 50ms"},
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
        {"socket-group", "7"},
        {"user", "root"},
        {"log-level", "Warning"},
        {"except", "10.0.0.0/8, :22"},
        {"rto-min", "10.0.0.0/8 50ms"},
        {"rto-min", "0.0.0.0/0 1s,10.0.0.7 1us , fd00::/64\t20ms"},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (set(good[i][0], good[i][1]) != 0)
            fail_msg("%s = %s was refused", good[i][0], good[i][1]);
}

static void a_value_is_written_as_it_is_read(void **state unused)
{
    static const char *const values[][3] = {
        {"memory", "3G", "3G"},
        {"memory", "2048k", "2M"},
        {"memory", "1048577", "1048577"},
        {"address", "10.77.0.2/24", "10.77.0.2/24"},
        {"address", "fd00::2/64", "fd00::2/64"},
        {"gateway", "10.77.0.1", "10.77.0.1"},
        {"mac", "02:0a:FF:00:00:01", "02:0a:ff:00:00:01"},
        {"offload", "Off", "no"},
        {"io-uring", "0", "no"},
        {"io-uring", "True", "yes"},
        {"socket-mode", "600", "0600"},
        {"socket-group", "7", "7"},
        {"log-level", "ERROR", "error"},
        {"tap", "ts0", "ts0"},
    };
    char error[CONFIG_ERROR], text[CONFIG_VALUE];
    struct config c;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_int_equal(config_init(&c), 0);
        assert_int_equal(config_set(&c, values[i][0], values[i][1], somewhere, error), 0);
        config_format(&c, (enum config_key_id)config_find(values[i][0]), text);
        assert_string_equal(text, values[i][2]);
        config_free(&c);
    }
}

static void what_is_not_set_is_the_default_or_nothing(void **state unused)
{
    char text[CONFIG_VALUE];
    struct config c;

    assert_int_equal(config_init(&c), 0);
    for (int i = 0; i < CONFIG_KEYS; i++) {
        config_format(&c, (enum config_key_id)i, text);
        if (i != CONFIG_memory) /* an eighth of the machine's */
            assert_string_equal(text, config_keys[i].fallback);
        assert_false(config_has(&c, (enum config_key_id)i));
    }
    assert_true(c.memory >= 256 << 20);
    config_free(&c);
}

static void what_must_be_given_or_does_not_fit_together_is_told(void **state unused)
{
    static const struct {
        const char *settings[8], *why;
    } cases[] = {
        {{"address", "10.0.0.2/24"}, "--tap"},
        {{"tap", "t"}, "--address"},
        {{"tap", "t", "address", "10.0.0.2/24", "host-address", "10.0.0.2/24"}, "in use"},
        {{"tap", "t", "address", "10.0.0.2/24", "host-address", "10.0.1.1/24"},
         "different networks"},
        {{"tap", "t", "address", "10.0.0.2/24", "host-address", "fd00::1/64"},
         "different networks"},
        {{"tap", "t", "address", "10.0.0.2/24", "gateway", "10.0.1.1"}, "not in our network"},
        {{"tap", "t", "address", "10.0.0.2/24", "gateway", "10.0.0.2"}, "our own"},
        {{"tap", "t", "address", "10.0.0.2/24", "gateway", "10.0.0.255"}, "broadcast"},
        {{"tap", "t", "address", "fd00::2/64", "mtu", "1279"}, "1280"},
        {{"tap", "t", "address", "10.0.0.2/24", "capture", "/x", "socket", "/x"}, "same file"},
    };
    char error[CONFIG_ERROR];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct faults faults = {0};
        struct config c;

        assert_int_equal(config_init(&c), 0);
        for (int k = 0; k < 8 && cases[i].settings[k]; k += 2)
            assert_int_equal(
                config_set(&c, cases[i].settings[k], cases[i].settings[k + 1], somewhere, error),
                0);
        config_check(&c, &faults);
        assert_int_equal(faults.count, 1);
        if (!strstr(faults.list[0].text, cases[i].why))
            fail_msg("case %zu: %s", i, faults.list[0].text);
        faults_free(&faults);
        config_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_out_of_range_or_malformed_are_refused),
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(a_value_is_written_as_it_is_read),
        cmocka_unit_test(what_is_not_set_is_the_default_or_nothing),
        cmocka_unit_test(what_must_be_given_or_does_not_fit_together_is_told),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
