/* SPDX-License-Identifier: MIT */
/*
 * A filter is a tree of terms (ss_terms.c) under and, or, not; read by recursive descent. See
 * ss_filter.h.
 */
#include "client/cli/ss_filter.h"

#include "client/cli/ss_terms.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64
#define WORD_MAX  256

enum kind { TERM, NOT, AND, OR };

struct ss_filter {
    enum kind kind;
    struct ss_filter *left, *right;
    struct ss_term term;
};

struct parser {
    const char *at;
    char word[WORD_MAX]; /* the one that is next; "" at the end */
    int depth;
    char *error;
    size_t room;
};

/* --- words -------------------------------------------------------------------------------------
 */

static void take(struct parser *p, size_t n)
{
    size_t copied = n < WORD_MAX ? n : WORD_MAX - 1;

    memcpy(p->word, p->at, copied);
    p->word[copied] = '\0';
    p->at += n;
}

static void next(struct parser *p)
{
    p->at += strspn(p->at, " \t\n");
    if (strchr("()", *p->at))
        take(p, *p->at != '\0');
    else if (strchr("!<>=", *p->at))
        take(p, p->at[1] == '=' ? 2 : 1);
    else if (strchr("&|", *p->at))
        take(p, p->at[1] == *p->at ? 2 : 1);
    else
        take(p, strcspn(p->at, " \t\n()!<>=&|"));
}

static bool is_word(const struct parser *p, const char *alternatives)
{
    size_t n = strlen(p->word);

    if (!n)
        return false;
    for (const char *a = alternatives; (a = strstr(a, p->word)) != NULL; a += n)
        if ((a == alternatives || a[-1] == ' ') && (a[n] == ' ' || !a[n]))
            return true;
    return false;
}

static bool took(struct parser *p, const char *alternatives)
{
    if (!is_word(p, alternatives))
        return false;
    next(p);
    return true;
}

static void *complain(struct parser *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void *complain(struct parser *p, const char *format, ...)
{
    va_list args;

    if (p->error[0])
        return NULL; /* the first one counts */
    va_start(args, format);
    vsnprintf(p->error, p->room, format, args);
    va_end(args);
    return NULL;
}

/* --- grammar -----------------------------------------------------------------------------------
 */

static struct ss_filter *node(struct parser *p, enum kind kind, struct ss_filter *left,
                              struct ss_filter *right)
{
    struct ss_filter *f = NULL;

    if (left && (right || kind == NOT))
        f = calloc(1, sizeof(*f));
    if (!f) {
        ss_filter_free(left);
        ss_filter_free(right);
        return complain(p, "out of memory");
    }
    f->kind = kind;
    f->left = left;
    f->right = right;
    return f;
}

/* state X state Y …: one set. */
static bool states(struct parser *p, struct ss_term *t)
{
    t->what = SS_TERM_STATE;
    do {
        if (!ss_term_state(p->word, &t->states))
            return complain(p, "'%s' is no state", p->word);
        next(p);
    } while (took(p, "state"));
    return true;
}

static bool comparison(struct parser *p, enum ss_compare *how)
{
    static const char *const words[] = {
        [SS_EQ] = "= == eq",   [SS_NE] = "!= ne neq", [SS_LT] = "< lt",
        [SS_LE] = "<= le leq", [SS_GT] = "> gt",      [SS_GE] = ">= ge geq"};

    *how = SS_EQ;
    for (int i = SS_EQ; i <= SS_GE; i++) {
        if (took(p, words[i])) {
            *how = (enum ss_compare)i;
            return true;
        }
    }
    return false;
}

static bool term(struct parser *p, struct ss_term *t)
{
    static const char *const keywords[] = {
        [SS_TERM_SPORT] = "sport", [SS_TERM_DPORT] = "dport", [SS_TERM_SRC] = "src",
        [SS_TERM_DST] = "dst",     [SS_TERM_USER] = "user",   [SS_TERM_PID] = "pid",
        [SS_TERM_NAME] = "name"};
    const char *wrong;

    if (took(p, "state"))
        return states(p, t);
    for (int i = SS_TERM_SPORT; i <= SS_TERM_NAME; i++) {
        if (!took(p, keywords[i]))
            continue;
        t->what = (enum ss_what)i;
        comparison(p, &t->how);
        if (!*p->word || is_word(p, "( )"))
            return complain(p, "%s needs a value", keywords[i]);
        wrong = ss_term_value(t, p->word);
        if (wrong)
            return complain(p, "'%s' is no %s", p->word, wrong);
        next(p);
        return true;
    }
    return *p->word ? complain(p, "'%s' is not understood here", p->word)
                    : complain(p, "the filter ends too early");
}

static struct ss_filter *alternatives(struct parser *p);
static struct ss_filter *single(struct parser *p);

static struct ss_filter *any_single(struct parser *p)
{
    struct ss_filter *f;

    if (took(p, "! not"))
        return node(p, NOT, single(p), NULL);
    if (is_word(p, "exclude excl")) {
        next(p);
        f = calloc(1, sizeof(*f));
        if (!f || !states(p, &f->term)) {
            ss_filter_free(f);
            return NULL;
        }
        return node(p, NOT, f, NULL);
    }
    if (took(p, "(")) {
        f = alternatives(p);
        if (f && !took(p, ")")) {
            ss_filter_free(f);
            return complain(p, "a ) is missing");
        }
        return f;
    }
    f = calloc(1, sizeof(*f));
    if (f && term(p, &f->term))
        return f;
    free(f);
    return complain(p, "out of memory");
}

static struct ss_filter *single(struct parser *p)
{
    struct ss_filter *f;

    if (p->depth == DEPTH_MAX)
        return complain(p, "too many levels");
    p->depth++;
    f = any_single(p);
    p->depth--;
    return f;
}

static struct ss_filter *conjunction(struct parser *p)
{
    struct ss_filter *f = single(p);

    while (f && *p->word && !is_word(p, ") | || or")) {
        took(p, "& && and");
        f = node(p, AND, f, single(p));
    }
    return f;
}

static struct ss_filter *alternatives(struct parser *p)
{
    struct ss_filter *f = conjunction(p);

    while (f && took(p, "| || or"))
        f = node(p, OR, f, conjunction(p));
    return f;
}

static char *join(int n, char *const words[])
{
    size_t len = 1;
    char *text;

    for (int i = 0; i < n; i++)
        len += strlen(words[i]) + 1;
    text = calloc(1, len);
    for (int i = 0; text && i < n; i++) {
        strcat(text, words[i]);
        strcat(text, " ");
    }
    return text;
}

int ss_filter_parse(int n, char *const words[], struct ss_filter **out, char *error, size_t room)
{
    char *text = join(n, words);
    struct parser p = {.at = text, .error = error, .room = room};

    *out = NULL;
    error[0] = '\0';
    if (!text) {
        complain(&p, "out of memory");
        return -1;
    }
    next(&p);
    if (*p.word)
        *out = alternatives(&p);
    if (*out && *p.word)
        complain(&p, "'%s' is not understood here", p.word);
    free(text);
    if (!error[0])
        return 0;
    ss_filter_free(*out);
    *out = NULL;
    return -1;
}

void ss_filter_free(struct ss_filter *f)
{
    if (!f)
        return;
    ss_filter_free(f->left);
    ss_filter_free(f->right);
    free(f);
}

/* --- asking ------------------------------------------------------------------------------------
 */

bool ss_filter_match(const struct ss_filter *f, const struct ss_socket *s)
{
    switch (f->kind) {
    case NOT:
        return !ss_filter_match(f->left, s);
    case AND:
        return ss_filter_match(f->left, s) && ss_filter_match(f->right, s);
    case OR:
        return ss_filter_match(f->left, s) || ss_filter_match(f->right, s);
    case TERM:
        break;
    }
    return ss_term_match(&f->term, s);
}

static bool has(const struct ss_filter *f, enum ss_what from, enum ss_what to)
{
    if (!f)
        return false;
    if (f->kind == TERM)
        return f->term.what >= from && f->term.what <= to;
    return has(f->left, from, to) || has(f->right, from, to);
}

bool ss_filter_has_states(const struct ss_filter *f)
{
    return has(f, SS_TERM_STATE, SS_TERM_STATE);
}

bool ss_filter_has_holders(const struct ss_filter *f)
{
    return has(f, SS_TERM_PID, SS_TERM_NAME);
}
