/* SPDX-License-Identifier: MIT */
/* TCP options of a packet line: `<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>`, `<...>`. */
#include "tests/pkt/parse.h"

#include <ctype.h>
#include <string.h>

static bool parse_sack(struct lexer *l, struct pkt_option *o)
{
    uint64_t start, end;

    o->kind = OPT_SACK;
    lex_space(l);
    while (isdigit((unsigned char)*l->p)) {
        if (o->n_blocks == 4)
            return lex_error(l, "more than four SACK blocks");
        if (!lex_number_max(l, UINT32_MAX, &start) || !lex_expect(l, ":") ||
            !lex_number_max(l, UINT32_MAX, &end))
            return false;
        o->block[o->n_blocks].start = (uint32_t)start;
        o->block[o->n_blocks++].end = (uint32_t)end;
        lex_space(l);
    }
    o->len = (uint8_t)(2 + 8 * o->n_blocks);
    return true;
}

static bool parse_timestamps(struct lexer *l, struct pkt_option *o)
{
    uint64_t val, ecr;

    if (!lex_keyword(l, "val"))
        return lex_error(l, "TS needs 'val N ecr N'");
    if (!lex_number_max(l, UINT32_MAX, &val) || !lex_expect(l, "ecr") ||
        !lex_number_max(l, UINT32_MAX, &ecr))
        return false;
    o->kind = OPT_TS;
    o->len = 10;
    o->a = (uint32_t)val;
    o->b = (uint32_t)ecr;
    return true;
}

/* Hexadecimal digits, two a byte. */
static bool parse_hex(struct lexer *l, struct pkt_option *o)
{
    unsigned n = 0;

    lex_space(l);
    while (isxdigit((unsigned char)l->p[0]) && isxdigit((unsigned char)l->p[1])) {
        char digits[3] = {l->p[0], l->p[1], 0};
        unsigned v = 0;

        for (const char *d = digits; *d; d++)
            v = v * 16 + (unsigned)(isdigit((unsigned char)*d)
                                        ? *d - '0'
                                        : tolower((unsigned char)*d) - 'a' + 10);
        if (n == 38)
            return lex_error(l, "option value too long");
        o->raw[n++] = (uint8_t)v;
        l->p += 2;
    }
    o->len = (uint8_t)(2 + n);
    return true;
}

/* `kind 253 [aabb]`: any option at all; `len N` lies about its length. */
static bool parse_raw(struct lexer *l, struct pkt_option *o)
{
    uint64_t v;

    if (!lex_number_max(l, 255, &v))
        return false;
    o->kind = (uint8_t)v;
    return parse_hex(l, o);
}

static bool parse_number_option(struct lexer *l, struct pkt_option *o, uint8_t kind, uint8_t len,
                                uint64_t max)
{
    uint64_t v;

    if (!lex_number_max(l, max, &v))
        return false;
    o->kind = kind;
    o->len = len;
    o->a = (uint32_t)v;
    return true;
}

static bool parse_option(struct lexer *l, struct pkt_option *o)
{
    o->len = 1;
    if (lex_keyword(l, "nop"))
        o->kind = OPT_NOP;
    else if (lex_keyword(l, "eol"))
        o->kind = OPT_EOL;
    else if (lex_keyword(l, "mss"))
        return parse_number_option(l, o, OPT_MSS, 4, 65535);
    else if (lex_keyword(l, "wscale"))
        return parse_number_option(l, o, OPT_WSCALE, 3, 255);
    else if (lex_keyword(l, "sackOK"))
        o->kind = OPT_SACK_OK, o->len = 2;
    else if (lex_keyword(l, "sack"))
        return parse_sack(l, o);
    else if (lex_keyword(l, "TS"))
        return parse_timestamps(l, o);
    else if (lex_keyword(l, "FO"))
        return o->kind = OPT_FASTOPEN, parse_hex(l, o);
    else if (lex_keyword(l, "kind"))
        return parse_raw(l, o);
    else
        return lex_error(l, "unknown TCP option '%.12s'", l->p);
    return true;
}

bool parse_tcp_options(struct lexer *l, struct pkt_packet *p)
{
    if (!lex_accept(l, "<"))
        return true;
    if (lex_accept(l, "...")) {
        p->any_options = true;
        return lex_expect(l, ">");
    }
    if (lex_accept(l, ">"))
        return true;
    do {
        if (p->n_options == PKT_MAX_OPTIONS)
            return lex_error(l, "too many TCP options");
        if (!parse_option(l, &p->option[p->n_options++]))
            return false;
    } while (lex_accept(l, ","));
    return lex_expect(l, ">");
}
