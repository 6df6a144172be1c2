/* SPDX-License-Identifier: MIT */
/* tapstack(1) and tapstack-trace(1) are those of the code: each command's options, in their order,
 * and the commands. */
#include "client/cli/options.h"
#include "tests/unit/client/tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MOST 128

static const char *const pages[] = {"docs/man/tapstack.1", "docs/man/tapstack-trace.1"};

struct entry {
    char command[16], option[64];
    bool seen;
};

static struct entry page[MOST], sections[MOST];
static size_t n_page, n_sections;

/* Without roff's fonts and escaped hyphens. */
static void plain(char *out, size_t room, const char *from)
{
    size_t len = 0;

    for (; *from && *from != '\n' && len + 1 < room; from++) {
        if (!strncmp(from, "\\f", 2))
            from += 2;
        else if (*from != '\\' || from[1] != '-')
            out[len++] = *from;
    }
    out[len] = '\0';
}

static void read_page(FILE *f)
{
    char line[1024], command[16] = "";
    bool tagged = false;

    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, ".SH", 3))
            command[0] = '\0';
        if (sscanf(line, ".SS \"tapstack %15[a-z]", command) == 1)
            strcpy(sections[n_sections++].command, command);
        else
            (void)sscanf(line, ".SS %15[a-z]", command);
        if (tagged && command[0] && !strncmp(line, ".B \\-", 5)) {
            assert_true(n_page < MOST);
            strcpy(page[n_page].command, command);
            plain(page[n_page].option, sizeof(page[n_page].option), line + 3);
            n_page++;
        }
        tagged = !strcmp(line, ".TP\n");
    }
}

static int load(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        FILE *f = fopen(pages[i], "re");

        if (!f)
            return -1;
        read_page(f);
        fclose(f);
    }
    return 0;
}

/* The next one of the pages that is of this command. */
static struct entry *next_of(const char *command)
{
    for (size_t i = 0; i < n_page; i++)
        if (!page[i].seen && !strcmp(page[i].command, command))
            return &page[i];
    fail_msg("the pages have no more options of %s", command);
    return NULL;
}

static void the_options_are_those_of_the_code_in_its_order(void **state)
{
    const struct cli_option *o;
    size_t i = 0;
    char text[64];

    (void)state;
    for (; (o = cli_option(i)) != NULL; i++) {
        struct entry *e = next_of(o->command);

        assert_string_equal(e->option, cli_option_text(o, text));
        e->seen = true;
    }
    assert_int_equal(i, n_page);
}

/* Each command of the tool's help has a section, in the same order, and no other has. */
static void the_commands_are_those_of_the_tool(void **state)
{
    const char *at;
    size_t n = 0;

    (void)state;
    assert_int_equal(tool_run((char *const[]){"--help", NULL}, ""), 0);
    at = strstr(tool_output, "Commands:\n");
    assert_non_null(at);
    for (at = strchr(at, '\n') + 1; !strncmp(at, "  ", 2); at = strchr(at, '\n') + 1) {
        char name[16];

        assert_int_equal(sscanf(at, " %15s", name), 1);
        assert_true(n < n_sections);
        assert_string_equal(sections[n++].command, name);
    }
    assert_int_equal(n, n_sections);
}

static void each_option_is_one_of_its_command(void **state)
{
    const struct cli_option *o;
    char text[64];

    (void)state;
    for (size_t i = 0; (o = cli_option(i)) != NULL; i++) {
        char *args[] = {(char *)o->command, "--help", NULL};

        assert_int_equal(tool_run(args, ""), 0);
        assert_non_null(strstr(tool_output, cli_option_text(o, text)));
        assert_non_null(strstr(tool_output, o->help));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_options_are_those_of_the_code_in_its_order),
        cmocka_unit_test(the_commands_are_those_of_the_tool),
        cmocka_unit_test(each_option_is_one_of_its_command),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, load, NULL);
}
