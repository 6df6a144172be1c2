/* SPDX-License-Identifier: MIT */
/*
 * Tunables by Linux's sysctl names, read and set at run time (tunables.def). Where Linux sets
 * several numbers at once (tcp_rmem, tcp_wmem, ip_local_port_range) the name of the vector works
 * too: "4096 131072 6291456". A value that is one of several words is kept as its number and read
 * and written as the word (tcp_congestion_control).
 */
#include "proto/stack_internal.h"
#include "proto/tcp/cc/cc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/** A set of them apart from any stack. */
struct stack_tunables {
    struct tcp_tunables v;
};

static const struct tunable {
    const char *name, *unit, *help;
    size_t offset;
    int64_t def, min, max;
} tunables[] = {
#define TCP_TUNABLE(name, sysctl, def, min, max, unit, help)                                       \
    {sysctl, unit, help, offsetof(struct tcp_tunables, name), def, min, max},
#include "proto/tcp/tunables.def"
#undef TCP_TUNABLE
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* NULL: a number that this stack has no use for; it is read and written as Linux's usual value. */
static const struct vector {
    const char *name, *part[3];
    int parts;
} vectors[] = {
    {"tcp_rmem", {NULL, "tcp_rmem_default", "tcp_rmem_max"}, 3},
    {"tcp_wmem", {NULL, "tcp_wmem_default", "tcp_wmem_max"}, 3},
    {"ip_local_port_range", {"ip_local_port_range_min", "ip_local_port_range_max"}, 2},
};

#define MEM_MIN 4096

static const char *algorithm(unsigned i)
{
    const struct tcp_cc_ops *ops = tcp_cc_at(i);

    return ops ? ops->name : NULL;
}

/* The values of these are words: word(0), word(1) … until NULL. */
static const struct worded {
    const char *name, *all; /**< `all`: the tunable that only lists the words */
    const char *(*word)(unsigned i);
} worded[] = {
    {"tcp_congestion_control", "tcp_available_congestion_control", algorithm},
};

static const char *strip(const char *name)
{
    if (!strncmp(name, "net.ipv4.", 9) || !strncmp(name, "net.core.", 9))
        return name + 9;
    return name;
}

static const struct tunable *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(tunables); i++) {
        if (!strcmp(tunables[i].name, name))
            return &tunables[i];
    }
    return NULL;
}

static const struct vector *find_vector(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        if (!strcmp(vectors[i].name, name))
            return &vectors[i];
    }
    return NULL;
}

static const struct worded *find_worded(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(worded); i++) {
        if (!strcmp(worded[i].name, name))
            return &worded[i];
    }
    return NULL;
}

static const struct worded *find_word_list(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(worded); i++) {
        if (!strcmp(worded[i].all, name))
            return &worded[i];
    }
    return NULL;
}

static int64_t *field(struct tcp_tunables *t, const struct tunable *which)
{
    return (int64_t *)(void *)((uint8_t *)t + which->offset);
}

static int64_t value_of(const struct tcp_tunables *t, const struct tunable *which)
{
    return *(const int64_t *)(const void *)((const uint8_t *)t + which->offset);
}

static int parse(const char **text, const struct tunable *t, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(*text, &end, 0);
    if (end == *text)
        return -EINVAL;
    *text = end + strspn(end, " \t");
    return errno == ERANGE || (t && (*out < t->min || *out > t->max)) ? -ERANGE : 0;
}

static int parse_word(const char **text, const struct worded *w, int64_t *out)
{
    size_t len = strcspn(*text, " \t\n");
    const char *word;

    for (unsigned i = 0; (word = w->word(i)); i++) {
        if (strlen(word) == len && !memcmp(word, *text, len)) {
            *out = i;
            *text += len;
            *text += strspn(*text, " \t\n");
            return 0;
        }
    }
    return -EINVAL;
}

/* All numbers are checked before the first one is taken. */
static int set_vector(struct tcp_tunables *now, const struct vector *v, const char *value)
{
    struct tcp_tunables next = *now;

    for (int i = 0; i < v->parts; i++) {
        const struct tunable *t = v->part[i] ? find(v->part[i]) : NULL;
        int64_t n;
        int err = parse(&value, t, &n);

        if (err)
            return err;
        if (t)
            *field(&next, t) = n;
    }
    if (*value)
        return -EINVAL;
    *now = next;
    return 0;
}

static int set(struct tcp_tunables *now, const char *name, const char *value)
{
    const struct vector *v = find_vector(strip(name));
    const struct tunable *t = find(strip(name));
    const struct worded *w = find_worded(strip(name));
    int64_t n;
    int err;

    value += strspn(value, " \t");
    if (v)
        return set_vector(now, v, value);
    if (!t)
        return find_word_list(strip(name)) ? -EACCES : -ENOENT;
    err = w ? parse_word(&value, w, &n) : parse(&value, t, &n);
    if (err || *value)
        return err ? err : -EINVAL;
    *field(now, t) = n;
    return 0;
}

static const char *conflict(const struct tcp_tunables *t)
{
    if (t->port_min > t->port_max)
        return "ip_local_port_range_min is above ip_local_port_range_max";
    if (t->uto_min > t->uto_max)
        return "tcp_uto_min is above tcp_uto_max";
    return NULL;
}

int stack_tunable_set(struct stack *st, const char *name, const char *value)
{
    struct tcp_tunables next = st->tcp.tunables;
    int err = set(&next, name, value);

    if (err)
        return err;
    if (conflict(&next))
        return -ERANGE;
    st->tcp.tunables = next;
    return 0;
}

static int get_vector(const struct tcp_tunables *from, const struct vector *v, char *out,
                      size_t room)
{
    int used = 0;

    for (int i = 0; i < v->parts; i++) {
        const struct tunable *t = v->part[i] ? find(v->part[i]) : NULL;
        int64_t n = t ? value_of(from, t) : MEM_MIN;

        used += snprintf(out + used, room > (size_t)used ? room - (size_t)used : 0, "%s%lld",
                         i ? " " : "", (long long)n);
    }
    return (size_t)used < room ? 0 : -ERANGE;
}

static int get_word_list(const struct worded *w, char *out, size_t room)
{
    const char *word;
    size_t used = 0;

    for (unsigned i = 0; (word = w->word(i)); i++)
        used +=
            (size_t)snprintf(out + used, room > used ? room - used : 0, "%s%s", i ? " " : "", word);
    return used < room ? 0 : -ERANGE;
}

static int get_word(const struct worded *w, int64_t n, char *out, size_t room)
{
    return (size_t)snprintf(out, room, "%s", w->word((unsigned)n)) < room ? 0 : -ERANGE;
}

static int get(const struct tcp_tunables *from, const char *name, char *out, size_t room)
{
    const struct vector *v = find_vector(strip(name));
    const struct tunable *t = find(strip(name));
    const struct worded *w = find_worded(strip(name)), *list = find_word_list(strip(name));

    if (v)
        return get_vector(from, v, out, room);
    if (list)
        return get_word_list(list, out, room);
    if (!t)
        return -ENOENT;
    if (w)
        return get_word(w, value_of(from, t), out, room);
    return (size_t)snprintf(out, room, "%lld", (long long)value_of(from, t)) < room ? 0 : -ERANGE;
}

int stack_tunable_get(struct stack *st, const char *name, char *out, size_t room)
{
    return get(&st->tcp.tunables, name, out, room);
}

bool stack_tunable_describe(unsigned i, struct stack_tunable *out)
{
    const struct worded *w;

    if (i >= COUNT_OF(tunables))
        return false;
    w = find_worded(tunables[i].name);
    *out = (struct stack_tunable){.name = tunables[i].name,
                                  .unit = tunables[i].unit,
                                  .help = tunables[i].help,
                                  .min = tunables[i].min,
                                  .max = tunables[i].max,
                                  .words = w != NULL};
    if (w)
        (void)get_word(w, tunables[i].def, out->fallback, sizeof(out->fallback));
    else
        snprintf(out->fallback, sizeof(out->fallback), "%lld", (long long)tunables[i].def);
    return true;
}

bool stack_tunable_find(const char *name, struct stack_tunable *out)
{
    const struct tunable *t = find(strip(name));

    return t && stack_tunable_describe((unsigned)(t - tunables), out);
}

unsigned stack_tunable_parts(const char *name, unsigned out[STACK_TUNABLE_PARTS])
{
    const struct vector *v = find_vector(strip(name));
    const struct tunable *t = find(strip(name));
    unsigned n = 0;

    if (t)
        out[n++] = (unsigned)(t - tunables);
    for (int i = 0; v && i < v->parts; i++)
        if (v->part[i])
            out[n++] = (unsigned)(find(v->part[i]) - tunables);
    return n;
}

/* --- a set of them -----------------------------------------------------------------------------
 */

struct stack_tunables *stack_tunables_new(void)
{
    struct stack_tunables *t = calloc(1, sizeof(*t));

    for (size_t i = 0; t && i < COUNT_OF(tunables); i++)
        *field(&t->v, &tunables[i]) = tunables[i].def;
    return t;
}

void stack_tunables_free(struct stack_tunables *t)
{
    free(t);
}

int stack_tunables_set(struct stack_tunables *t, const char *name, const char *value)
{
    return set(&t->v, name, value);
}

int stack_tunables_get(const struct stack_tunables *t, const char *name, char *out, size_t room)
{
    return get(&t->v, name, out, room);
}

const char *stack_tunables_conflict(const struct stack_tunables *t)
{
    return conflict(&t->v);
}

void stack_tunables_apply(struct stack *st, const struct stack_tunables *t)
{
    st->tcp.tunables = t->v;
}
