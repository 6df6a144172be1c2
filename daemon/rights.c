/* SPDX-License-Identifier: MIT */
/* The policy table; see rights.h. It is small and read from the front. */
#include "daemon/rights.h"

#include "daemon/number.h"
#include "ipc/scope.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
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

static bool find_id(const char *name, bool of_group, uint32_t *id)
{
    struct passwd *pw = NULL;
    struct group *gr = NULL;
    char *end;

    if (isdigit((unsigned char)*name)) {
        errno = 0;
        unsigned long v = strtoul(name, &end, 10);
        *id = (uint32_t)v;
        return !errno && !*end && v < UINT32_MAX;
    }
    if (of_group)
        gr = getgrnam(name); // cppcheck-suppress getgrnamCalled ; there is one thread yet
    else
        pw = getpwnam(name); // cppcheck-suppress getpwnamCalled ; there is one thread yet
    if (gr)
        *id = gr->gr_gid;
    else if (pw)
        *id = pw->pw_uid;
    return gr || pw;
}

/* The section, made at its first line, at the end of the table. */
static struct rights *section_of(struct rights **table, const char *name, bool of_group)
{
    struct rights **at = table, *r;
    uint32_t id;

    for (; *at; at = &(*at)->next)
        if ((*at)->of_group == of_group && !strcmp((*at)->name, name))
            return *at;
    if (strlen(name) >= sizeof(r->name) || !find_id(name, of_group, &id))
        return NULL;
    r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->of_group = of_group;
    r->id = id;
    memcpy(r->name, name, strlen(name) + 1);
    *at = r;
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

static int set_connections(struct rights *r, const char *value)
{
    uint64_t v;

    if (!number_parse(value, false, UINT32_MAX / 2, &v) || v == 0)
        return -EINVAL;
    r->connections = (uint32_t)v;
    return 0;
}

static int set_memory(struct rights *r, const char *value)
{
    return number_parse(value, true, UINT64_MAX, &r->memory) && r->memory >= NUMBER_MEMORY_MIN
               ? 0
               : -EINVAL;
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

static const struct {
    const char *name;
    int (*set)(struct rights *r, const char *value);
} settings[] = {
#define RIGHT(name, argument, help) {#name, set_##name},
#include "daemon/rights.def"
#undef RIGHT
};

/* 1: there is none of this name. */
static int set(struct rights *r, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (!strcmp(name, settings[i].name))
            return settings[i].set(r, value);
    return 1;
}

int rights_set(struct rights **table, const char *section, const char *name, const char *value,
               char *error, size_t room)
{
    bool of_group;
    const char *owner = owner_of(section, &of_group);
    struct rights *r = owner ? section_of(table, owner, of_group) : NULL;
    int rc;

    if (!r)
        return fail(error, room, "[%.100s]: no such %s", section, of_group ? "group" : "user");
    rc = set(r, name, value);
    if (rc > 0)
        return fail(error, room, "unknown setting %.50s in [%.100s]", name, section);
    return rc < 0 ? fail(error, room, "%.20s: malformed: %.100s", name, value) : 0;
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
        if (!r->of_group && r->id == uid)
            return r;
        for (size_t i = 0; i < n_groups && r->of_group && !by_group; i++)
            if (r->id == groups[i])
                by_group = r;
    }
    return by_group;
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
