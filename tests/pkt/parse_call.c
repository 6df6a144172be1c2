/* SPDX-License-Identifier: MIT */
/*
 * A socket call as strace would write it: name(argument, …) = result ERRNO (note). Arguments are
 * `...`, numbers and names joined by |, strings, [lists], {structs}, and functions such as
 * htons(80).
 */
#include "tests/pkt/names.h"
#include "tests/pkt/parse.h"

#include <ctype.h>
#include <string.h>

const struct expr *expr_field(const struct expr *e, const char *name)
{
    for (const struct expr *i = e ? e->items : NULL; i; i = i->next)
        if (i->name && strcmp(i->name, name) == 0)
            return i;
    return NULL;
}

const struct expr *expr_item(const struct expr *e, int i)
{
    const struct expr *x = e ? e->items : NULL;

    while (x && i-- > 0)
        x = x->next;
    return x;
}

static bool parse_expr(struct lexer *l, struct expr *e);

static bool parse_atom(struct lexer *l, int64_t *value)
{
    bool minus = lex_accept(l, "-");
    const char *word;
    uint64_t v;
    size_t n;

    lex_space(l);
    if (isdigit((unsigned char)*l->p)) {
        if (!lex_number(l, &v))
            return false;
        *value = minus ? -(int64_t)v : (int64_t)v;
        return true;
    }
    n = lex_word(l, &word);
    if (!n)
        return lex_error(l, "expected a value before '%.12s'", l->p);
    if (!name_find(word, n, value))
        return lex_error(l, "unknown name '%.*s'", (int)n, word);
    return true;
}

bool parse_value(struct lexer *l, int64_t *value)
{
    int64_t v;

    if (!parse_atom(l, value))
        return false;
    for (;;) {
        lex_space(l);
        if (l->p[0] != '|' || l->p[1] == '|')
            return true;
        l->p++;
        if (!parse_atom(l, &v))
            return false;
        *value |= v;
    }
}

/* Items up to `close`; in a struct each may be `name=value` or `name(3)=value`. */
static bool parse_items(struct lexer *l, struct expr *e, const char *close)
{
    struct expr **tail = &e->items;

    if (lex_accept(l, close))
        return true;
    do {
        struct expr *x = arena_alloc(l->arena, sizeof(*x));

        if (!parse_expr(l, x))
            return false;
        *tail = x;
        tail = &x->next;
        e->n_items++;
    } while (lex_accept(l, ","));
    return lex_expect(l, close);
}

/* `name=`, `name(…)=`: step over it and return the name. */
static const char *field_name(struct lexer *l)
{
    const char *before = l->p, *word;
    size_t n = lex_word(l, &word);
    const char *close;

    if (n && lex_accept(l, "(")) {
        close = strchr(l->p, ')');
        l->p = close ? close + 1 : l->p;
    }
    if (n && lex_accept(l, "=") && *l->p != '=')
        return arena_text(l->arena, word, n);
    l->p = before;
    return NULL;
}

static bool parse_function(struct lexer *l, struct expr *e)
{
    const char *before = l->p, *word;
    size_t n = lex_word(l, &word);

    if (!n || !lex_accept(l, "(")) {
        l->p = before;
        return false;
    }
    e->kind = EXPR_CALL;
    e->function = arena_text(l->arena, word, n);
    parse_items(l, e, ")");
    return true;
}

static bool parse_expr(struct lexer *l, struct expr *e)
{
    char *text;

    lex_space(l);
    e->name = field_name(l);
    if (lex_accept(l, "...")) {
        e->kind = EXPR_ANY;
        return true;
    }
    if (lex_accept(l, "\"")) {
        e->kind = EXPR_STRING;
        if (!lex_until(l, "\"", &text))
            return false;
        e->text = text;
        return true;
    }
    if (lex_accept(l, "[")) {
        e->kind = EXPR_LIST;
        return parse_items(l, e, "]");
    }
    if (lex_accept(l, "{")) {
        e->kind = EXPR_STRUCT;
        return parse_items(l, e, "}");
    }
    if (parse_function(l, e))
        return !l->error;
    e->kind = EXPR_NUMBER;
    return parse_value(l, &e->number);
}

/* `= -1 EAGAIN (note)` or `= 0x2 (note)` or `= ...` */
static bool parse_result(struct lexer *l, struct call_spec *call)
{
    const char *before, *word;
    int64_t error;
    char *note;
    size_t n;

    if (!lex_expect(l, "="))
        return false;
    if (lex_accept(l, "...")) {
        call->any_result = true;
        return true;
    }
    if (!parse_value(l, &call->result))
        return false;
    lex_space(l);
    before = l->p;
    n = lex_word(l, &word);
    if (n && word[0] == 'E' && name_find(word, n, &error))
        call->error = (int)error;
    else
        l->p = before;
    if (call->result == -1 && !call->error)
        return lex_error(l, "-1 without an errno name");
    return !lex_accept(l, "(") || lex_until(l, ")", &note);
}

bool parse_call(struct lexer *l, struct call_spec *call)
{
    const char *word;
    size_t n = lex_word(l, &word);

    if (!n)
        return lex_error(l, "expected <, >, a call, `command` or %%{ code }%% before '%.12s'",
                         l->p);
    call->name = arena_text(l->arena, word, n);
    call->args = arena_alloc(l->arena, sizeof(*call->args));
    call->args->kind = EXPR_LIST;
    if (!lex_expect(l, "(") || !parse_items(l, call->args, ")"))
        return false;
    call->n_args = call->args->n_items;
    return parse_result(l, call);
}
