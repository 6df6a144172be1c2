/* SPDX-License-Identifier: MIT */
/* The policy table; see rights.h. It is small and read from the front. */
#include "daemon/rights.h"

#include "daemon/number.h"
#include "ipc/scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Ports below it are for user 0, unless a section names them. */
#define FIRST_FREE_PORT 1024

static int fail(char *error, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(char *error, size_t room, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error, room, format, args);
    va_end(args);
    return -EINVAL;
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* "user NAME" or "group NAME": the name, NULL for another section. */
static const char *owner_of(const char *section, bool *of_group)
{
    const char *p;

    *of_group = !strncmp(section, "group ", 6);
    if (!*of_group && strncmp(section, "user ", 5) != 0)
        return NULL;
    p = section + (*of_group ? 6 : 5);
    p += strspn(p, " \t");
    return *p ? p : NULL;
}

bool rights_is_section(const char *section)
{
    bool of_group;

    return owner_of(section, &of_group) != NULL;
}

static struct rights *find_section(struct rights *table, const char *name, bool of_group)
{
    for (struct rights *r = table; r; r = r->next)
        if (r->of_group == of_group && !strcmp(strchr(r->section, ' ') + 1, name))
            return r;
    return NULL;
}

/* Of whom is it? A section that is nobody's keeps an id that nobody has. */
static void identify(struct rights *r, const struct rights *table, const char *name,
                     const struct names *names, char *error, size_t room)
{
    r->id = UINT32_MAX;
    r->everybody = !r->of_group && !strcmp(name, "*");
    if (r->everybody)
        return;
    if (!names_id(names, name, r->of_group, &r->id)) {
        r->id = UINT32_MAX;
        fail(error, room, "[%.72s]: no such %s", r->section, r->of_group ? "group" : "user");
        return;
    }
    for (const struct rights *o = table; o; o = o->next)
        if (o != r && o->of_group == r->of_group && o->id == r->id)
            fail(error, room, "[%.72s] is [%.72s] of line %u under another name", r->section,
                 o->section, o->line);
}

struct rights *rights_section(struct rights **table, const char *section, unsigned line,
                              const struct names *names, char *error, size_t room)
{
    bool of_group;
    const char *name = owner_of(section, &of_group);
    struct rights **at = table, *r = name ? find_section(*table, name, of_group) : NULL;

    *error = '\0';
    if (r)
        return r;
    if (!name || strlen(name) + 7 > sizeof(r->section)) {
        fail(error, room, "[%.80s]: no such %s", section, of_group ? "group" : "user");
        return NULL;
    }
    r = calloc(1, sizeof(*r));
    if (!r) {
        fail(error, room, "[%.80s]: no memory", section);
        return NULL;
    }
    r->of_group = of_group;
    r->line = line;
    snprintf(r->section, sizeof(r->section), "%s %s", of_group ? "group" : "user", name);
    while (*at)
        at = &(*at)->next;
    *at = r;
    identify(r, *table, name, names, error, room);
    return r;
}

/* A second line with the same name adds to the first. */
static int add_list(char list[RIGHTS_LIST_ROOM], bool *limits, const char *value)
{
    size_t have = strlen(list);

    if (!scope_valid(value) || have + strlen(value) + 2 > RIGHTS_LIST_ROOM)
        return -EINVAL;
    *limits = true;
    snprintf(list + have, RIGHTS_LIST_ROOM - have, "%s%s", have ? "," : "", value);
    return 0;
}

const struct rights_info rights_info[RIGHTS] = {
#define RIGHT(name, argument, least, most, unit, help) {#name, argument, unit, help, least, most},
#include "daemon/rights.def"
#undef RIGHT
};

static int in_range(enum rights_key key, const char *value, uint64_t *out)
{
    const struct rights_info *i = &rights_info[key];

    return number_parse(value, !strcmp(i->argument, "BYTES"), i->most, out) && *out >= i->least
               ? 0
               : -EINVAL;
}

static int set_connections(struct rights *r, const char *value)
{
    uint64_t v;
    int rc = in_range(RIGHT_connections, value, &v);

    if (rc == 0)
        r->connections = (uint32_t)v;
    return rc;
}

static int set_memory(struct rights *r, const char *value)
{
    return in_range(RIGHT_memory, value, &r->memory);
}

static int set_bind(struct rights *r, const char *value)
{
    return add_list(r->bind, &r->limits_bind, value);
}

static int set_connect(struct rights *r, const char *value)
{
    return add_list(r->connect, &r->limits_connect, value);
}

static int set_capture(struct rights *r, const char *value)
{
    r->capture = !strcmp(value, "yes");
    return r->capture || !strcmp(value, "no") ? 0 : -EINVAL;
}

static int (*const setters[RIGHTS])(struct rights *r, const char *value) = {
#define RIGHT(name, argument, least, most, unit, help) set_##name,
#include "daemon/rights.def"
#undef RIGHT
};

int rights_set(struct rights *r, const char *name, const char *value, unsigned line, char *error,
               size_t room)
{
    for (int i = 0; i < RIGHTS; i++) {
        if (strcmp(name, rights_info[i].name) != 0)
            continue;
        /* lists add up, numbers do not */
        if (r->lines[i] && i != RIGHT_bind && i != RIGHT_connect)
            return fail(error, room, "%s of [%s] is set in line %u already", name, r->section,
                        r->lines[i]);
        if (setters[i](r, value) < 0)
            return fail(error, room, "%.20s: malformed, out of range or too long: %.100s", name,
                        value);
        if (!r->lines[i])
            r->lines[i] = line;
        return 0;
    }
    return fail(error, room, "unknown setting %.50s in [%s]", name, r->section);
}

static void inherit(struct rights *r, const struct rights *from)
{
    if (!r->limits_bind && from->limits_bind) {
        r->limits_bind = true;
        memcpy(r->bind, from->bind, sizeof(r->bind));
    }
    if (!r->limits_connect && from->limits_connect) {
        r->limits_connect = true;
        memcpy(r->connect, from->connect, sizeof(r->connect));
    }
    if (!r->connections)
        r->connections = from->connections;
    if (!r->memory)
        r->memory = from->memory;
    if (!r->lines[RIGHT_capture])
        r->capture = from->capture;
}

static const struct rights *of_everybody(const struct rights *table)
{
    while (table && !table->everybody)
        table = table->next;
    return table;
}

void rights_finish(struct rights *table)
{
    const struct rights *all = of_everybody(table);

    for (struct rights *r = table; r && all; r = r->next)
        if (r != all)
            inherit(r, all);
}

void rights_format(const struct rights *r, enum rights_key key, char *out, size_t room)
{
    *out = '\0';
    switch (key) {
    case RIGHT_bind:
        snprintf(out, room, "%s", r->bind);
        break;
    case RIGHT_connect:
        snprintf(out, room, "%s", r->connect);
        break;
    case RIGHT_connections:
        if (r->connections)
            snprintf(out, room, "%" PRIu32, r->connections);
        break;
    case RIGHT_memory:
        if (r->memory)
            number_format(r->memory, out, room);
        break;
    case RIGHT_capture:
        if (r->capture || r->lines[RIGHT_capture])
            snprintf(out, room, "%s", r->capture ? "yes" : "no");
        break;
    case RIGHTS:
        break;
    }
}

void rights_free(struct rights **table)
{
    while (*table) {
        struct rights *r = *table;

        *table = r->next;
        free(r);
    }
}

/* --- asking ------------------------------------------------------------------------------------
 */

const struct rights *rights_find(const struct rights *table, uid_t uid, const gid_t *groups,
                                 size_t n_groups)
{
    const struct rights *by_group = NULL;

    for (const struct rights *r = table; r; r = r->next) {
        if (!r->of_group && !r->everybody && r->id == uid)
            return r;
        for (size_t i = 0; i < n_groups && r->of_group && !by_group; i++)
            if (r->id == groups[i])
                by_group = r;
    }
    return by_group ? by_group : of_everybody(table);
}

const struct rights *rights_again(const struct rights *table, uid_t uid,
                                  const struct rights *before)
{
    gid_t group = before ? before->id : 0;

    return rights_find(table, uid, &group, before && before->of_group ? 1 : 0);
}

bool rights_may_bind(const struct rights *r, uid_t uid, const struct wire_addr *a)
{
    if (a->port == 0)
        return true;
    if (r && r->limits_bind)
        return scope_listed(r->bind, a);
    return a->port >= FIRST_FREE_PORT || uid == 0;
}

uint64_t rights_memory(const struct rights *r)
{
    return r ? r->memory : 0;
}

bool rights_may_connect(const struct rights *r, const struct wire_addr *a)
{
    return !r || !r->limits_connect || scope_listed(r->connect, a);
}
