/* SPDX-License-Identifier: MIT */
/* A script: `--option=value` lines, then events, each with its time. The notation is that of
 * docs/scripts.md. */
#include "tests/pkt/parse.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LOCAL   0xc0a80001u /* 192.168.0.1 */
#define DEFAULT_GATEWAY 0xc0a80002u /* 192.168.0.2 */
#define DEFAULT_REMOTE  0xc0000201u /* 192.0.2.1 */

/* --- options
 * -----------------------------------------------------------------------------------------------
 */

static bool parse_address(struct lexer *l, const char *text, uint32_t *out)
{
    struct in_addr a;

    if (inet_pton(AF_INET, text, &a) != 1)
        return lex_error(l, "not an IPv4 address: %s", text);
    *out = ntohl(a.s_addr);
    return true;
}

static bool set_number(struct lexer *l, struct script *s, const char *name, uint64_t v)
{
    if (strcmp(name, "tolerance_usecs") == 0)
        s->tolerance_us = (int64_t)v;
    else if (strcmp(name, "tcp_ts_tick_usecs") == 0)
        s->ts_tick_us = (int64_t)v;
    else if (strcmp(name, "mtu") == 0)
        s->mtu = (uint32_t)v;
    else if (strcmp(name, "mss") == 0)
        s->mtu = (uint32_t)v + 40;
    else if (strcmp(name, "bind_port") == 0)
        s->bind_port = (uint16_t)v;
    else if (strcmp(name, "connect_port") == 0)
        s->connect_port = (uint16_t)v;
    else if (strcmp(name, "remote_isn") == 0)
        s->remote_isn = (uint32_t)v;
    else
        return lex_error(l, "unknown option --%s", name);
    if (s->mtu < 576 || s->mtu > 65535)
        return lex_error(l, "MTU %u is not in 576..65535", s->mtu);
    return true;
}

static bool set_option(struct lexer *l, struct script *s, const char *name, const char *value)
{
    char *end;
    uint64_t v;

    if (strcmp(name, "local_ip") == 0)
        return parse_address(l, value, &s->local_ip);
    if (strcmp(name, "gateway_ip") == 0)
        return parse_address(l, value, &s->gateway_ip);
    if (strcmp(name, "remote_ip") == 0)
        return parse_address(l, value, &s->remote_ip);
    if (strcmp(name, "ip_version") == 0)
        return strcmp(value, "ipv4") == 0 || lex_error(l, "only ipv4 so far");
    if (strcmp(name, "virtual_only") == 0) {
        s->virtual_only = value;
        return true;
    }
    if (strcmp(name, "kernel_differs") == 0) {
        s->kernel_differs = value;
        return true;
    }
    v = strtoull(value, &end, 0);
    if (end == value || *end)
        return lex_error(l, "--%s=%s: not a number", name, value);
    return set_number(l, s, name, v);
}

static bool parse_option(struct lexer *l, struct script *s)
{
    const char *word, *name, *end;
    size_t n = lex_word(l, &word);

    if (!n || *l->p != '=')
        return lex_error(l, "expected --option=value");
    name = arena_text(l->arena, word, n);
    l->p++;
    /* a reason is a sentence, up to the end of the line */
    n = strcspn(l->p, "\n");
    end = l->p + n;
    while (n && strchr(" \t\r", l->p[n - 1]))
        n--;
    word = arena_text(l->arena, l->p, n);
    if (!set_option(l, s, name, word))
        return false;
    l->p = end;
    return true;
}

/* --- times
 * -------------------------------------------------------------------------------------------------
 */

static bool parse_when(struct lexer *l, struct when *w)
{
    lex_space(l);
    if (*l->p == '`') {
        w->kind = TIME_NONE;
        return true;
    }
    if (lex_accept(l, "*")) {
        w->kind = TIME_ANY;
        return true;
    }
    w->kind = lex_accept(l, "+") ? TIME_RELATIVE : TIME_ABSOLUTE;
    if (!lex_seconds(l, &w->start))
        return false;
    w->end = w->start;
    if (lex_accept(l, "..."))
        w->blocking = true;
    else if (lex_accept(l, "~"))
        w->range = true;
    else
        return true;
    /* both ends count from the same moment, with or without a plus sign on the second */
    lex_accept(l, "+");
    if (!lex_seconds(l, &w->end))
        return false;
    return w->end >= w->start || lex_error(l, "the time range ends before it begins");
}

/* --- events
 * ------------------------------------------------------------------------------------------------
 */

static bool parse_body(struct lexer *l, struct event *e)
{
    char *text;

    if (lex_accept(l, "<") || lex_accept(l, ">")) {
        e->kind = EVENT_PACKET;
        return parse_packet(l, l->p[-1] == '>', &e->packet);
    }
    if (lex_accept(l, "`")) {
        e->kind = EVENT_COMMAND;
        if (!lex_until(l, "`", &text))
            return false;
        e->command = text;
        return true;
    }
    if (lex_accept(l, "%{")) {
        e->kind = EVENT_CODE;
        if (!lex_until(l, "}%", &text))
            return false;
        e->command = text;
        return true;
    }
    e->kind = EVENT_CALL;
    return parse_call(l, &e->call);
}

static bool check_event(struct lexer *l, const struct event *e)
{
    bool out = e->kind == EVENT_PACKET && e->packet->out;

    if (e->when.blocking && e->kind != EVENT_CALL)
        return lex_error(l, "only a call can take time");
    if ((e->when.range || e->when.kind == TIME_ANY) && !out && e->kind != EVENT_CODE)
        return lex_error(l, "only a sent packet may come at an uncertain time");
    return true;
}

static bool parse_event(struct lexer *l, struct script *s, struct event ***tail)
{
    struct event *e = arena_alloc(l->arena, sizeof(*e));
    const char *from = l->p, *end;

    e->line = lex_line(l, from);
    /* %{ may stand without a time, as in packetdrill's own scripts */
    if (strncmp(l->p, "%{", 2) != 0 && !parse_when(l, &e->when))
        return false;
    if (!parse_body(l, e) || !check_event(l, e))
        return false;
    lex_accept(l, ";");
    for (end = l->p; end > from && strchr(" \t\r\n;", end[-1]);)
        end--;
    e->text = arena_text(l->arena, from, (size_t)(end - from));
    **tail = e;
    *tail = &e->next;
    s->n_events++;
    return true;
}

struct script *script_parse(struct arena *a, const char *path, const char *source,
                            const char **error)
{
    struct lexer l = {.start = source, .p = source, .arena = a};
    struct script *s = arena_alloc(a, sizeof(*s));
    struct event **tail = &s->events;
    const char *slash = strrchr(path, '/'), *dot;

    s->path = path;
    s->name = slash ? slash + 1 : path;
    dot = strrchr(s->name, '.');
    s->name = arena_text(a, s->name, dot ? (size_t)(dot - s->name) : strlen(s->name));
    s->mtu = 1500;
    s->local_ip = DEFAULT_LOCAL;
    s->gateway_ip = DEFAULT_GATEWAY;
    s->remote_ip = DEFAULT_REMOTE;
    s->bind_port = s->connect_port = 8080;
    while (lex_accept(&l, "--"))
        if (!parse_option(&l, s))
            break;
    for (lex_space(&l); !l.error && *l.p; lex_space(&l))
        if (!parse_event(&l, s, &tail))
            break;
    if (!l.error && !s->events)
        lex_error(&l, "the script says nothing");
    *error = l.error;
    return l.error ? NULL : s;
}
