/* SPDX-License-Identifier: MIT */
/*
 * The rules; ipc/scope.h says what they mean. A wildcard that is bound to stands for all
 * addresses: only a rule for all addresses can take it from us (":22"), any rule with its port lets
 * it be ours.
 */
#include "ipc/scope.h"

#include "ipc/codec.h"
#include "ipc/environment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS ", \t"

/* "80", "80-90"; nothing: any. */
static int parse_ports(const char *p, const char *end, struct scope_rule *out)
{
    unsigned long v[2] = {0, 0};
    int n = 0;

    for (; p < end; p++) {
        if (*p == '-' && n == 0 && p[-1] != ':') {
            n = 1;
            continue;
        }
        if (*p < '0' || *p > '9')
            return -EINVAL;
        v[n] = v[n] * 10 + (unsigned long)(*p - '0');
        if (v[n] > 65535)
            return -EINVAL;
    }
    if (n == 0)
        v[1] = v[0];
    if (v[0] == 0 || v[0] > v[1])
        return -EINVAL;
    out->first = (uint16_t)v[0];
    out->last = (uint16_t)v[1];
    return 0;
}

static int parse_address(const char *p, size_t n, struct scope_rule *out)
{
    char text[INET6_ADDRSTRLEN + 4], *slash, *end;
    unsigned long bits;
    int base;

    if (n == 0)
        return 0; /* any address */
    if (n >= sizeof(text))
        return -EINVAL;
    memcpy(text, p, n);
    text[n] = '\0';
    slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    if (inet_pton(AF_INET, text, out->addr + 12) == 1) {
        out->addr[10] = out->addr[11] = 0xff;
        base = 96;
    } else if (inet_pton(AF_INET6, text, out->addr) == 1) {
        base = 0;
    } else {
        return -EINVAL;
    }
    bits = slash ? strtoul(slash, &end, 10) : (unsigned long)(128 - base);
    if (slash && (*slash < '0' || *slash > '9' || *end || bits > (unsigned long)(128 - base)))
        return -EINVAL;
    out->bits = (uint8_t)(bits + (unsigned long)base);
    return 0;
}

int scope_parse(const char *text, size_t n, struct scope_rule *out)
{
    const char *end = text + n, *colon = memrchr(text, ':', n), *close = memrchr(text, ']', n);
    char whole[INET6_ADDRSTRLEN + 8];
    size_t len = 0;

    memset(out, 0, sizeof(*out));
    out->last = 65535;
    if (n == 0 || n >= sizeof(whole))
        return -EINVAL;
    /* Without brackets, two colons are an IPv6 address and no port. */
    if (colon &&
        ((close && colon < close) || (!close && memchr(text, ':', (size_t)(colon - text)))))
        colon = NULL;
    if (colon && parse_ports(colon + 1, end, out) < 0)
        return -EINVAL;
    /* "[fd00::]/8" and "[fd00::/8]" are the same. */
    for (const char *p = text; p < (colon ? colon : end); p++) {
        if (*p != '[' && *p != ']')
            whole[len++] = *p;
    }
    if (len == 0 && !colon)
        return -EINVAL;
    return parse_address(whole, len, out);
}

static bool in_prefix(const struct scope_rule *rule, const uint8_t addr[16])
{
    unsigned whole = rule->bits / 8, rest = rule->bits % 8;

    if (memcmp(rule->addr, addr, whole) != 0)
        return false;
    return rest == 0 || (uint8_t)((rule->addr[whole] ^ addr[whole]) >> (8 - rest)) == 0;
}

/* "0.0.0.0/0", "::/0", or no address at all. */
static bool is_all(const struct scope_rule *rule)
{
    return rule->bits == 0 || (rule->bits == 96 && rule->addr[10] == 0xff);
}

static bool matches(const struct scope_rule *rule, const struct wire_addr *a, bool wildcard,
                    bool may)
{
    if (a->port < rule->first || a->port > rule->last)
        return false;
    if (wildcard)
        return may || is_all(rule);
    return in_prefix(rule, a->addr);
}

/* The next rule of a list; *p moves on. false: no more. Malformed ones match nothing. */
static bool next_rule(const char **p, struct scope_rule *rule, bool *good)
{
    size_t n;

    *p += strspn(*p, SEPARATORS);
    n = strcspn(*p, SEPARATORS);
    if (n == 0)
        return false;
    *good = scope_parse(*p, n, rule) == 0;
    *p += n;
    return true;
}

/* may: for a wildcard, is it enough that the rule holds for some address? */
static bool any_matches(const char *list, const struct wire_addr *a, bool wildcard, bool may)
{
    struct scope_rule rule;
    bool good;

    while (next_rule(&list, &rule, &good)) {
        if (good && matches(&rule, a, wildcard, may))
            return true;
    }
    return false;
}

bool scope_valid(const char *list)
{
    struct scope_rule rule;
    bool good = true;

    while (good && next_rule(&list, &rule, &good)) {
    }
    return good;
}

bool scope_listed(const char *list, const struct wire_addr *a)
{
    return any_matches(list, a, wire_addr_is_any(a), false);
}

bool scope_decide(const char *only, const char *except, const struct wire_addr *a, bool connecting)
{
    bool any = wire_addr_is_any(a);

    if (wire_addr_is_loopback(a) || (connecting && any))
        return false;
    if (only && only[strspn(only, SEPARATORS)] && !any_matches(only, a, any, true))
        return false;
    return !except || !any_matches(except, a, any, false);
}

bool scope_is_kernels(const struct sockaddr *addr, socklen_t len, bool connecting)
{
    struct wire_addr a;

    if (!addr || wire_addr_from_sockaddr(&a, addr, len) < 0)
        return false;
    return !scope_decide(environment_get(SCOPE_ONLY_ENV), environment_get(SCOPE_EXCEPT_ENV), &a,
                         connecting);
}
