/* SPDX-License-Identifier: MIT */
/*
 * A packet line behind its '<' or '>':
 *   [ip fields] [remote>local] FLAGS seq:end(len) [ack N] [win N] [urg N] [<options>]
 *   icmp TYPE [CODE] [mtu N] [ [seq:end(len)] ]
 */
#include "tests/pkt/parse.h"

#include <ctype.h>
#include <netinet/ip_icmp.h>
#include <string.h>

static const struct {
    const char *name;
    uint8_t value;
} icmp_types[] =
    {
        {"unreachable", ICMP_DEST_UNREACH},
        {"source_quench", ICMP_SOURCE_QUENCH},
        {"redirect", ICMP_REDIRECT},
        {"time_exceeded", ICMP_TIME_EXCEEDED},
        {"parameter_problem", ICMP_PARAMETERPROB},
        {"echo_request", ICMP_ECHO},
        {"echo_reply", ICMP_ECHOREPLY},
},
  icmp_codes[] = {
      {"net_unreachable", 0},
      {"host_unreachable", 1},
      {"protocol_unreachable", 2},
      {"port_unreachable", 3},
      {"frag_needed", 4},
      {"source_route_failed", 5},
      {"net_unknown", 6},
      {"host_unknown", 7},
      {"source_host_isolated", 8},
      {"net_prohibited", 9},
      {"host_prohibited", 10},
      {"net_unreachable_for_tos", 11},
      {"host_unreachable_for_tos", 12},
      {"packet_filtered", 13},
      {"precedence_violation", 14},
      {"precedence_cutoff", 15},
      {"exceeded_in_transit", 0},
      {"exceeded_reassembly", 1},
};

static bool number_upto(struct lexer *l, uint64_t max, uint32_t *out)
{
    uint64_t v;

    if (!lex_number_max(l, max, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

/* --- [ect0,ttl 64,tos 0x10,badsum]
 * ------------------------------------------------------------------------- */

static bool parse_ecn(struct lexer *l, struct pkt_packet *p)
{
    static const char *const words[] = {"noecn", "ect1", "ect0", "ce"};

    if (lex_keyword(l, "ect01"))
        return p->any_ecn = true;
    for (uint8_t i = 0; i < 4; i++) {
        if (lex_keyword(l, words[i])) {
            p->ecn = i;
            return p->has_ecn = true;
        }
    }
    return false;
}

static bool parse_ip_field(struct lexer *l, struct pkt_packet *p)
{
    uint32_t v;

    if (parse_ecn(l, p))
        return true;
    if (lex_keyword(l, "badsum"))
        return p->bad_csum = true;
    if (lex_keyword(l, "df"))
        return p->has_df = p->df = true;
    if (lex_keyword(l, "nodf"))
        return p->has_df = true;
    if (lex_keyword(l, "ttl")) {
        p->has_ttl = true;
        if (!number_upto(l, 255, &v))
            return false;
        p->ttl = (uint8_t)v;
        return true;
    }
    if (lex_keyword(l, "tos")) {
        p->has_tos = true;
        if (!number_upto(l, 255, &v))
            return false;
        p->tos = (uint8_t)v;
        return true;
    }
    return lex_error(l, "unknown IP field '%.12s'", l->p);
}

static bool parse_ip_fields(struct lexer *l, struct pkt_packet *p)
{
    if (!lex_accept(l, "["))
        return true;
    do {
        if (!parse_ip_field(l, p))
            return false;
    } while (lex_accept(l, ","));
    return lex_expect(l, "]");
}

/* --- TCP
 * ---------------------------------------------------------------------------------------------------
 */

/* `40000>8080`: ports as the packet carries them, source first. */
static bool parse_ports(struct lexer *l, struct pkt_packet *p)
{
    uint32_t src, dst;

    lex_space(l);
    /* "1:1001(1000)" begins with a number too */
    if (!isdigit((unsigned char)*l->p) || l->p[strspn(l->p, "0123456789")] != '>')
        return true;
    if (!number_upto(l, 65535, &src) || !lex_expect(l, ">") || !number_upto(l, 65535, &dst))
        return false;
    p->has_ports = true;
    p->local_port = (uint16_t)(p->out ? src : dst);
    p->remote_port = (uint16_t)(p->out ? dst : src);
    return true;
}

static bool parse_flags(struct lexer *l, struct pkt_packet *p)
{
    static const char letters[] = "FSRP.UEWA";
    const char *found;
    size_t n = 0;

    lex_space(l);
    if (*l->p == '-')
        n = 1;
    else
        for (; l->p[n] && (found = strchr(letters, l->p[n])); n++)
            p->flags |= (uint16_t)(1u << (found - letters));
    if (!n)
        return lex_error(l, "expected TCP flags before '%.12s'", l->p);
    l->p += n;
    return true;
}

static bool parse_range(struct lexer *l, uint32_t *seq, uint32_t *len)
{
    uint32_t end;

    if (!number_upto(l, UINT32_MAX, seq) || !lex_expect(l, ":") ||
        !number_upto(l, UINT32_MAX, &end) || !lex_expect(l, "(") || !number_upto(l, 65495, len) ||
        !lex_expect(l, ")"))
        return false;
    if ((uint32_t)(end - *seq) != *len)
        return lex_error(l, "%u:%u is not %u bytes", *seq, end, *len);
    return true;
}

static bool parse_fields(struct lexer *l, struct pkt_packet *p)
{
    uint32_t v;

    if (lex_keyword(l, "ack")) {
        if (!(p->flags & PKT_ACK))
            return lex_error(l, "'ack' without the flag '.'");
        if (!number_upto(l, UINT32_MAX, &p->ack))
            return false;
    }
    if (lex_keyword(l, "win")) {
        if (!number_upto(l, 65535, &p->win))
            return false;
        p->has_win = true;
    }
    if (lex_keyword(l, "urg")) {
        if (!number_upto(l, 65535, &v))
            return false;
        p->urg = (uint16_t)v;
        p->has_urg = true;
    }
    return true;
}

/* --- ICMP
 * --------------------------------------------------------------------------------------------------
 */

static bool parse_icmp_word(struct lexer *l, struct pkt_icmp *ic)
{
    const char *word;
    size_t n = lex_word(l, &word);

    for (size_t i = 0; i < sizeof(icmp_types) / sizeof(icmp_types[0]); i++) {
        if (strncmp(icmp_types[i].name, word, n) == 0 && !icmp_types[i].name[n]) {
            ic->type = icmp_types[i].value;
            return true;
        }
    }
    return lex_error(l, "unknown ICMP type '%.*s'", (int)n, word);
}

static bool parse_icmp_code(struct lexer *l, struct pkt_icmp *ic)
{
    const char *before = l->p, *word;
    size_t n = lex_word(l, &word);
    uint32_t v;

    for (size_t i = 0; n && i < sizeof(icmp_codes) / sizeof(icmp_codes[0]); i++) {
        if (strncmp(icmp_codes[i].name, word, n) == 0 && !icmp_codes[i].name[n]) {
            ic->code = icmp_codes[i].value;
            return true;
        }
    }
    l->p = before;
    if (!lex_keyword(l, "code"))
        return true;
    if (!number_upto(l, 255, &v))
        return false;
    ic->code = (uint8_t)v;
    return true;
}

static bool parse_icmp(struct lexer *l, struct pkt_packet *p)
{
    uint32_t v;

    p->icmp = true;
    if (!parse_icmp_word(l, &p->ic) || !parse_icmp_code(l, &p->ic))
        return false;
    if (lex_keyword(l, "mtu")) {
        if (!number_upto(l, 65535, &v))
            return false;
        p->ic.mtu = (uint16_t)v;
    }
    if (!lex_accept(l, "["))
        return true;
    p->ic.has_inner = true;
    if (!parse_ports(l, p))
        return false;
    return parse_range(l, &p->ic.inner_seq, &p->ic.inner_len) && lex_expect(l, "]");
}

bool parse_packet(struct lexer *l, bool out, struct pkt_packet **packet)
{
    struct pkt_packet *p = arena_alloc(l->arena, sizeof(*p));

    *packet = p;
    p->out = out;
    if (!parse_ip_fields(l, p))
        return false;
    if (lex_keyword(l, "icmp"))
        return parse_icmp(l, p);
    if (!parse_ports(l, p))
        return false;
    return parse_flags(l, p) && parse_range(l, &p->seq, &p->len) && parse_fields(l, p) &&
           parse_tcp_options(l, p);
}
