/* SPDX-License-Identifier: MIT */
/* The characters of a script; see lexer.h. */
#include "tests/pkt/lexer.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int lex_line(const struct lexer *l, const char *at)
{
    int line = 1;

    for (const char *p = l->start; p < at; p++)
        line += *p == '\n';
    return line;
}

bool lex_error(struct lexer *l, const char *format, ...)
{
    char text[256];
    va_list ap;

    if (l->error)
        return false;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    l->error = arena_printf(l->arena, "line %d: %s", lex_line(l, l->p), text);
    return false;
}

static bool skip_comment(struct lexer *l)
{
    const char *end;

    if (l->p[0] == '#' ? l->p != l->start && l->p[-1] != '\n'
                       : l->p[0] != '/' || (l->p[1] != '/' && l->p[1] != '*'))
        return false;
    if (l->p[1] == '*' && l->p[0] == '/') {
        end = strstr(l->p + 2, "*/");
        l->p = end ? end + 2 : l->p + strlen(l->p);
    } else {
        l->p += strcspn(l->p, "\n");
    }
    return true;
}

void lex_space(struct lexer *l)
{
    do {
        l->p += strspn(l->p, " \t\r\n");
    } while (skip_comment(l));
}

bool lex_accept(struct lexer *l, const char *s)
{
    size_t n = strlen(s);

    lex_space(l);
    if (strncmp(l->p, s, n) != 0)
        return false;
    l->p += n;
    return true;
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

bool lex_keyword(struct lexer *l, const char *s)
{
    size_t n = strlen(s);

    lex_space(l);
    if (strncmp(l->p, s, n) != 0 || word_char(l->p[n]))
        return false;
    l->p += n;
    return true;
}

bool lex_expect(struct lexer *l, const char *s)
{
    if (lex_accept(l, s))
        return true;
    return lex_error(l, "expected '%s' before '%.16s'", s, l->p);
}

size_t lex_word(struct lexer *l, const char **word)
{
    size_t n = 0;

    lex_space(l);
    *word = l->p;
    if (isdigit((unsigned char)*l->p))
        return 0;
    while (word_char(l->p[n]))
        n++;
    l->p += n;
    return n;
}

static int digit_value(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

bool lex_number(struct lexer *l, uint64_t *out)
{
    unsigned base = 10;
    uint64_t v = 0;
    const char *from;

    lex_space(l);
    if (l->p[0] == '0' && (l->p[1] == 'x' || l->p[1] == 'X') && digit_value(l->p[2]) < 16) {
        base = 16;
        l->p += 2;
    }
    for (from = l->p; digit_value(*l->p) < (int)base; l->p++)
        v = v * base + (uint64_t)digit_value(*l->p);
    if (l->p == from)
        return lex_error(l, "expected a number before '%.16s'", l->p);
    *out = v;
    return true;
}

bool lex_number_max(struct lexer *l, uint64_t max, uint64_t *out)
{
    if (!lex_number(l, out))
        return false;
    return *out <= max || lex_error(l, "%" PRIu64 " is more than %" PRIu64, *out, max);
}

bool lex_seconds(struct lexer *l, int64_t *us)
{
    int64_t v = 0, unit = 1000000;
    const char *from;

    lex_space(l);
    for (from = l->p; isdigit((unsigned char)*l->p); l->p++)
        v = v * 10 + (*l->p - '0');
    v *= 1000000;
    /* "0...1" is a range: a point with another one behind it is not a fraction */
    if (l->p[0] == '.' && l->p[1] != '.') {
        for (l->p++; isdigit((unsigned char)*l->p); l->p++) {
            unit /= 10;
            v += (*l->p - '0') * unit;
        }
    }
    if (l->p == from)
        return lex_error(l, "expected a time before '%.16s'", l->p);
    *us = v;
    return true;
}

bool lex_until(struct lexer *l, const char *end, char **out)
{
    const char *e = strstr(l->p, end);

    if (!e)
        return lex_error(l, "no '%s' at the end", end);
    *out = arena_text(l->arena, l->p, (size_t)(e - l->p));
    l->p = e + strlen(end);
    return true;
}
