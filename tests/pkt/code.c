/* SPDX-License-Identifier: MIT */
/* Assertions over TCP_INFO: the part of Python's expressions that scripts use, by recursive
 * descent; see code.h. */
#include "tests/pkt/code.h"
#include "tests/pkt/lexer.h"
#include "tests/pkt/names.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset, size;
} fields[] = {
#define FIELD(name)                                                                                \
    {#name, offsetof(struct sock_tcp_info, name), sizeof(((struct sock_tcp_info *)0)->name)},
#include "tests/pkt/fields.def"
#undef FIELD
};

struct code {
    struct lexer l;
    const struct sock_tcp_info *info;
};

static bool disjunction(struct code *c, int64_t *v);

static bool field_value(const struct sock_tcp_info *info, const char *name, size_t n, int64_t *v)
{
    uint64_t wide = 0;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strncmp(fields[i].name, name, n) != 0 || fields[i].name[n])
            continue;
        memcpy(&wide, (const uint8_t *)info + fields[i].offset,
               fields[i].size); /* little-endian hosts */
        *v = (int64_t)wide;
        return true;
    }
    if (n == 10 && memcmp(name, "snd_wscale", n) == 0)
        return *v = info->wscales & 15, true;
    if (n == 10 && memcmp(name, "rcv_wscale", n) == 0)
        return *v = info->wscales >> 4, true;
    return false;
}

static bool atom(struct code *c, int64_t *v)
{
    const char *word;
    uint64_t number;
    size_t n;

    if (lex_accept(&c->l, "("))
        return disjunction(c, v) && lex_expect(&c->l, ")");
    if (lex_accept(&c->l, "-")) {
        if (!atom(c, v))
            return false;
        *v = -*v;
        return true;
    }
    lex_space(&c->l);
    if (isdigit((unsigned char)*c->l.p)) {
        if (!lex_number(&c->l, &number))
            return false;
        *v = (int64_t)number;
        return true;
    }
    n = lex_word(&c->l, &word);
    if (n > 5 && memcmp(word, "tcpi_", 5) == 0 && field_value(c->info, word + 5, n - 5, v))
        return true;
    if (n && name_find(word, n, v))
        return true;
    return lex_error(&c->l, "unknown name '%.*s'", (int)(n ? n : 8), word);
}

static bool product(struct code *c, int64_t *v)
{
    int64_t w;

    if (!atom(c, v))
        return false;
    for (;;) {
        char op = 0;

        if (lex_accept(&c->l, "*"))
            op = '*';
        else if (lex_accept(&c->l, "/"))
            op = '/';
        else if (lex_accept(&c->l, "%"))
            op = '%';
        else if (lex_accept(&c->l, "&"))
            op = '&';
        else
            return true;
        if (!atom(c, &w))
            return false;
        if ((op == '/' || op == '%') && !w)
            return lex_error(&c->l, "division by zero");
        *v = op == '*' ? *v * w : op == '/' ? *v / w : op == '%' ? *v % w : (*v & w);
    }
}

static bool sum(struct code *c, int64_t *v)
{
    int64_t w;

    if (!product(c, v))
        return false;
    for (;;) {
        bool plus = lex_accept(&c->l, "+");

        if (!plus && !lex_accept(&c->l, "-"))
            return true;
        if (!product(c, &w))
            return false;
        *v += plus ? w : -w;
    }
}

/* Python's chains work: 1 <= tcpi_x <= 3. */
static bool comparison(struct code *c, int64_t *v)
{
    static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
    bool any = false, holds = true;
    int64_t left, right;

    if (!sum(c, &left))
        return false;
    for (size_t i = 0; i < 6; i++) {
        if (!lex_accept(&c->l, ops[i]))
            continue;
        if (!sum(c, &right))
            return false;
        holds = holds && (i == 0   ? left == right
                          : i == 1 ? left != right
                          : i == 2 ? left <= right
                          : i == 3 ? left >= right
                          : i == 4 ? left < right
                                   : left > right);
        any = true;
        left = right;
        i = (size_t)-1;
    }
    *v = any ? holds : left;
    return true;
}

static bool conjunction(struct code *c, int64_t *v)
{
    int64_t w;

    if (!comparison(c, v))
        return false;
    while (lex_keyword(&c->l, "and")) {
        if (!comparison(c, &w))
            return false;
        *v = *v && w;
    }
    return true;
}

static bool disjunction(struct code *c, int64_t *v)
{
    int64_t w;

    if (!conjunction(c, v))
        return false;
    while (lex_keyword(&c->l, "or")) {
        if (!conjunction(c, &w))
            return false;
        *v = *v || w;
    }
    return true;
}

/* After the comma of an assertion: a text, or values to show when it fails. */
static const char *shown(struct code *c)
{
    const char *all = "";
    int64_t v;
    char *text;

    do {
        if (lex_accept(&c->l, "\"")) {
            if (!lex_until(&c->l, "\"", &text))
                return all;
            all = arena_printf(c->l.arena, "%s %s", all, text);
        } else {
            if (!disjunction(c, &v))
                return all;
            all = arena_printf(c->l.arena, "%s %lld", all, (long long)v);
        }
    } while (lex_accept(&c->l, ","));
    return all;
}

/* The numbers behind the names of a failed assertion. */
static const char *explain(struct code *c, const char *from, const char *to)
{
    const char *all = "";
    struct lexer l = {.start = from, .p = from, .arena = c->l.arena};

    while (l.p < to) {
        const char *word;
        size_t n = lex_word(&l, &word);
        int64_t v;

        if (n > 5 && memcmp(word, "tcpi_", 5) == 0 && field_value(c->info, word + 5, n - 5, &v))
            all = arena_printf(c->l.arena, "%s%s%.*s is %lld", all, *all ? ", " : "", (int)n, word,
                               (long long)v);
        if (!n)
            l.p++;
    }
    return all;
}

static const char *run_assert(struct code *c)
{
    const char *from = c->l.p, *to, *extra = "";
    int64_t v;

    if (!disjunction(c, &v))
        return NULL;
    to = c->l.p;
    if (lex_accept(&c->l, ","))
        extra = shown(c);
    if (v || c->l.error)
        return NULL;
    from += strspn(from, " \t\n");
    return arena_printf(c->l.arena, "assertion %.*s does not hold: %s%s", (int)(to - from), from,
                        explain(c, from, to), extra);
}

const char *code_run(struct arena *a, const char *text, const struct sock_tcp_info *info,
                     const char **printed)
{
    struct code c = {.l = {.start = text, .p = text, .arena = a}, .info = info};
    const char *why = NULL;

    *printed = "";
    for (lex_space(&c.l); *c.l.p && !why && !c.l.error; lex_space(&c.l)) {
        if (lex_accept(&c.l, ";"))
            continue;
        if (lex_keyword(&c.l, "assert"))
            why = run_assert(&c);
        else if (lex_keyword(&c.l, "print"))
            *printed = arena_printf(a, "%s%s\n", *printed, shown(&c));
        else
            lex_error(&c.l, "expected assert or print before '%.16s'", c.l.p);
    }
    return c.l.error ? c.l.error : why;
}
