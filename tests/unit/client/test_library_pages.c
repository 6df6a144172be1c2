/* SPDX-License-Identifier: MIT */
/* libtapstack(3) has the functions of the public header, with its prototypes; tapstack-ipc(7) the
 * operations of ipc/ops.def. */
#include "ipc/codec.h"
#include "ipc/name.h"
#include "ipc/ring.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEADER   "client/include/tapstack.h"
#define LIBRARY  "docs/man/libtapstack.3"
#define PROTOCOL "docs/man/tapstack-ipc.7"
#define MOST     64
#define ROOM     65536

static void read_file(const char *path, char text[ROOM])
{
    FILE *f = fopen(path, "re");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, ROOM - 1, f);
    fclose(f);
    assert_true(n > 0 && n < ROOM - 1);
    text[n] = '\0';
}

/* The header without its comments. */
static void drop_comments(char *text)
{
    char *from, *to;

    while ((from = strstr(text, "/*")) != NULL && (to = strstr(from, "*/")) != NULL)
        memmove(from, to + 2, strlen(to + 2) + 1);
}

/* One space where there were several, none before what follows a type or inside parentheses. */
static void normalise(char *out, const char *from, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (!strncmp(from + i, "\\f", 2)) {
            i += 2;
            continue;
        }
        if (!isspace((unsigned char)from[i]))
            out[len++] = from[i];
        else if (len && out[len - 1] != ' ' && out[len - 1] != '(')
            out[len++] = ' ';
    }
    out[len] = '\0';
}

/* Declarations of functions: from the start of a line to the semicolon. */
static size_t of_header(char list[MOST][512])
{
    static char text[ROOM];
    size_t n = 0;

    read_file(HEADER, text);
    drop_comments(text);
    for (char *at = text; (at = strstr(at, "ts_")) != NULL;) {
        char *open = at + strcspn(at, "( ;{},"), *begin = at, *end = strchr(at, ';');

        assert_non_null(end);
        if (*open != '(') {
            at = open;
            continue;
        }
        while (begin > text && begin[-1] != '\n')
            begin--;
        assert_true(n < MOST && end - begin < 400);
        normalise(list[n++], begin, (size_t)(end + 1 - begin));
        at = end;
    }
    return n;
}

static size_t of_page(char list[MOST][512])
{
    static char text[ROOM];
    size_t n = 0;

    read_file(LIBRARY, text);
    for (char *at = text; (at = strstr(at, ".TP\n.B ")) != NULL;) {
        at += strlen(".TP\n.B ");
        assert_true(n < MOST && strcspn(at, "\n") < 400);
        normalise(list[n++], at, strcspn(at, "\n"));
    }
    return n;
}

static void the_functions_are_those_of_the_header(void **state)
{
    static char header[MOST][512], page[MOST][512];
    size_t n_header = of_header(header), n_page = of_page(page);

    (void)state;
    assert_true(n_header > 20);
    for (size_t i = 0; i < n_header; i++) {
        size_t j = 0;

        while (j < n_page && strcmp(header[i], page[j]) != 0)
            j++;
        if (j == n_page)
            fail_msg("%s lacks \"%s\"", LIBRARY, header[i]);
    }
    assert_int_equal(n_header, n_page);
}

/* "EPIPE" … */
static bool names_an_error(const char *at, const char *end)
{
    for (; at + 4 < end; at++) {
        if (at[0] == 'E' && isupper((unsigned char)at[1]) && isupper((unsigned char)at[2]) &&
            isupper((unsigned char)at[3]))
            return true;
    }
    return false;
}

static void each_function_says_how_it_fails(void **state)
{
    static char text[ROOM];
    char *at, *next;

    (void)state;
    read_file(LIBRARY, text);
    for (at = strstr(text, ".TP\n.B "); at; at = next) {
        const char *never = strstr(at, "Never fails"), *end;

        next = strstr(at + 1, ".TP\n");
        end = next ? next : at + strlen(at);
        if (strncmp(at + 7, "void", 4) != 0 && !(never && never < end) && !names_an_error(at, end))
            fail_msg("no errno value: %.60s", at + 7);
    }
}

/* The section of operations: "name, number" entries. */
struct entry {
    char name[32];
    unsigned number;
    bool takes_fd, brings_fd;
};

static size_t operations(struct entry list[MOST])
{
    static char text[ROOM];
    char *at, *end;
    size_t n = 0;

    read_file(PROTOCOL, text);
    at = strstr(text, ".SH OPERATIONS\n");
    assert_non_null(at);
    end = strstr(at + 1, ".SH ");
    assert_non_null(end);
    *end = '\0';
    while ((at = strstr(at, ".TP\n.BR ")) != NULL) {
        char *next = strstr(at + 1, ".TP\n"), *fd;
        struct entry *e = &list[n++];

        assert_true(n < MOST);
        at += strlen(".TP\n.BR ");
        assert_int_equal(sscanf(at, "%31s \", %u\"", e->name, &e->number), 2);
        fd = strstr(at, "with the socket's descriptor");
        e->takes_fd = fd && (!next || fd < next);
        fd = strstr(at, "with the descriptor of");
        e->brings_fd = fd && (!next || fd < next);
    }
    return n;
}

static void the_operations_are_those_of_the_list(void **state)
{
    static struct entry list[MOST];
    size_t n = operations(list), known = 0;

    (void)state;
    for (uint16_t op = 0; op < 256; op++)
        known += wire_op_name(op) != NULL;
    assert_int_equal(n, known);
    for (size_t i = 0; i < n; i++) {
        uint16_t op = (uint16_t)list[i].number;

        assert_non_null(wire_op_name(op));
        assert_string_equal(list[i].name, wire_op_name(op));
        assert_int_equal(list[i].takes_fd, wire_op_takes_fd(op));
        assert_int_equal(list[i].brings_fd, wire_op_brings_fd(op));
        assert_true(i == 0 || list[i].number > list[i - 1].number);
    }
}

static bool says(const char *text, const char *format, ...)
{
    char wanted[128];
    va_list ap;

    va_start(ap, format);
    vsnprintf(wanted, sizeof(wanted), format, ap);
    va_end(ap);
    return strstr(text, wanted) != NULL;
}

static void the_numbers_of_the_protocol_are_those_of_the_code(void **state)
{
    static char text[ROOM];

    (void)state;
    read_file(PROTOCOL, text);
    assert_true(says(text, "The version is %d.", WIRE_VERSION));
    assert_true(says(text, "at most %d bytes", WIRE_MAX));
    assert_true(says(text, "a header of %zu bytes", sizeof(struct wire_header)));
    assert_true(says(text, "magic;      0x%x", WIRE_MAGIC));
    assert_true(says(text, "records of %zu bytes", sizeof(struct wire_accept)));
    assert_true(says(text, "%zu bytes each", sizeof(struct wire_addr)));
    assert_true(says(text, "0x%llx", NAME_MARK_SOCKET));
    assert_true(says(text, "0x%llx", NAME_MARK_LISTEN));
    assert_true(says(text, "0x%llx ,", NAME_MARK_V6));
    assert_true(says(text, "0x%llx ,", NAME_MARK_DEAD));
    assert_true(says(text, "0x%llx ,", NAME_MARK_TIMEOUTS));
    assert_true(says(text, "WIRE_REPLY \", %u\"", WIRE_REPLY));
    assert_true(says(text, "WIRE_NO_REPLY \", %u\"", WIRE_NO_REPLY));
    assert_true(says(text, "WIRE_WAIT \", %u\"", WIRE_WAIT));
    assert_true(says(text, "WIRE_MORE \", %u\"", WIRE_MORE));
    assert_true(says(text, "memory file of %u MiB", RING_FILE_SIZE >> 20));
    assert_true(says(text, "begin at %u MiB", RING_SEND_AREA >> 20));
    assert_true(says(text, "received at %u MiB", RING_RECV_AREA >> 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_functions_are_those_of_the_header),
        cmocka_unit_test(each_function_says_how_it_fails),
        cmocka_unit_test(the_operations_are_those_of_the_list),
        cmocka_unit_test(the_numbers_of_the_protocol_are_those_of_the_code),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
