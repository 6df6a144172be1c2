/* SPDX-License-Identifier: MIT */
/* The manual page of the configuration is that of the code: its keys, their arguments, ranges and
 * defaults. */
#include "daemon/config.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE "docs/man/tapstackd.conf.5"
#define MOST 64

struct entry {
    char key[64], argument[64], text[4096];
    bool of_rights;
};

static struct entry page[MOST];
static size_t n_page;

/* Without roff's escapes of hyphens. */
static void plain(char *out, size_t room, const char *from, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n && len + 1 < room; i++)
        if (from[i] != '\\' || i + 1 == n || from[i + 1] != '-')
            out[len++] = from[i];
    out[len] = '\0';
}

/* ".BI max\-sockets " = N"" */
static struct entry *begin(const char *line, bool of_rights)
{
    const char *key = line + 4, *equals = strstr(line, " \" = "), *end = strrchr(line, '"');
    struct entry *e = &page[n_page];

    assert_true(n_page < MOST);
    assert_non_null(equals);
    assert_true(end > equals + 5);
    plain(e->key, sizeof(e->key), key, (size_t)(equals - key));
    plain(e->argument, sizeof(e->argument), equals + 5, (size_t)(end - equals - 5));
    e->of_rights = of_rights;
    n_page++;
    return e;
}

static void read_page(FILE *f)
{
    enum { NEITHER, SETTINGS, POLICY } section = NEITHER;
    struct entry *e = NULL;
    bool tagged = false;
    char line[1024];

    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, ".SH", 3)) {
            section = strstr(line, "[tapstack]") ? SETTINGS
                      : strstr(line, "[user")    ? POLICY
                                                 : NEITHER;
            e = NULL;
        }
        if (tagged && section != NEITHER)
            e = begin(line, section == POLICY);
        else if (e)
            strncat(e->text, line, sizeof(e->text) - strlen(e->text) - 1);
        tagged = !strcmp(line, ".TP\n");
    }
}

static int load(void **state)
{
    FILE *f = fopen(PAGE, "re");

    (void)state;
    if (!f)
        return -1;
    read_page(f);
    fclose(f);
    return 0;
}

static void the_keys_are_those_of_the_code_in_its_order(void **state)
{
    enum { LIVE, RESTART };
    static const struct {
        const char *key, *argument;
        bool of_rights, restart;
    } code[] = {
#define OPTION(key, id, type, argument, def, least, most, unit, when, help)                        \
    {#key, argument, false, when == RESTART},
#define SWITCH(option, key, value, help)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
#define RIGHT(name, argument, least, most, unit, help) {#name, argument, true, false},
#include "daemon/rights.def"
#undef RIGHT
    };
    size_t n = sizeof(code) / sizeof(code[0]);

    (void)state;
    for (size_t i = 0; i < n && i < n_page; i++) {
        assert_string_equal(page[i].key, code[i].key);
        assert_string_equal(page[i].argument, code[i].argument);
        assert_int_equal(page[i].of_rights, code[i].of_rights);
        assert_int_equal(strstr(page[i].text, "\nNeeds a restart.\n") != NULL, code[i].restart);
    }
    assert_int_equal(n_page, n);
}

static const struct config_origin somewhere = {.source = CONFIG_FROM_COMMAND_LINE};

/* 0, or what the code says to this value on a line of the file. */
static int set(struct config *c, const struct entry *e, const char *value)
{
    char error[CONFIG_ERROR];
    struct rights *r;

    if (!e->of_rights)
        return config_set(c, e->key, value, somewhere, error);
    r = rights_section(&c->rights, "user 7", 1, &names_of_machine, error, sizeof(error));
    return rights_set(r, e->key, value, 1, error, sizeof(error));
}

static int set_number(const struct entry *e, uint64_t n, const char *more)
{
    struct config c;
    char text[64];
    int rc;

    assert_int_equal(config_init(&c), 0);
    snprintf(text, sizeof(text), "%" PRIu64 "%s", n, more);
    rc = set(&c, e, text);
    config_free(&c);
    return rc;
}

static void the_ranges_are_those_of_the_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_page; i++) {
        const struct entry *e = &page[i];
        bool number = !strcmp(e->argument, "N") || !strcmp(e->argument, "BYTES") ||
                      !strcmp(e->argument, "US");
        const char *range = strstr(e->text, "From ");
        uint64_t from, to;

        assert_int_equal(number, range != NULL);
        if (!number)
            continue;
        assert_int_equal(sscanf(range, "From %" SCNu64 " to %" SCNu64 ".", &from, &to), 2);
        print_message("%s: %" PRIu64 " to %" PRIu64 "\n", e->key, from, to);
        assert_int_equal(set_number(e, from, ""), 0);
        assert_int_equal(set_number(e, to, ""), 0);
        if (from > 0)
            assert_true(set_number(e, from - 1, "") < 0);
        assert_true(to < UINT64_MAX ? set_number(e, to + 1, "") < 0 : set_number(e, to, "0") < 0);
        assert_int_equal(set_number(e, 1, "M") == 0, !strcmp(e->argument, "BYTES"));
    }
}

/* Where the page has a value and not a sentence, it is the one that holds. */
static void the_defaults_are_those_of_the_code(void **state)
{
    size_t values = 0;

    (void)state;
    for (size_t i = 0; i < n_page; i++) {
        const char *text = strstr(page[i].text, "Default: ");
        char value[128], is[CONFIG_VALUE];
        struct config c;

        assert_true(text || strstr(page[i].text, "Must be given."));
        if (!text || sscanf(text, "Default: \\fB%127[^\\]\\fR.", value) != 1)
            continue;
        print_message("%s: %s\n", page[i].key, value);
        assert_int_equal(config_init(&c), 0);
        config_format(&c, (enum config_key_id)config_find(page[i].key), is);
        assert_string_equal(is, value);
        config_free(&c);
        values++;
    }
    assert_true(values >= 4);
}

static void what_must_be_given_is_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_page; i++) {
        bool must = strstr(page[i].text, "Must be given.") != NULL;
        struct faults faults = {0};
        char error[CONFIG_ERROR];
        struct config c;

        assert_int_equal(config_init(&c), 0);
        if (strcmp(page[i].key, "tap") != 0)
            assert_int_equal(config_set(&c, "tap", "ts0", somewhere, error), 0);
        if (strcmp(page[i].key, "address") != 0)
            assert_int_equal(config_set(&c, "address", "10.0.0.1/24", somewhere, error), 0);
        config_check(&c, &faults);
        assert_int_equal(faults.count, must ? 1 : 0);
        faults_free(&faults);
        config_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keys_are_those_of_the_code_in_its_order),
        cmocka_unit_test(the_ranges_are_those_of_the_code),
        cmocka_unit_test(the_defaults_are_those_of_the_code),
        cmocka_unit_test(what_must_be_given_is_asked_for),
    };

    return cmocka_run_group_tests(tests, load, NULL);
}
