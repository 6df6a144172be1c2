/* SPDX-License-Identifier: MIT */
/* The settings in force; see settings.h. */
#include "daemon/settings.h"

#include "daemon/log.h"
#include "daemon/workers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TUNABLE_VALUE 96

/* --- putting in force --------------------------------------------------------------------------
 */

/* In each worker's turn. */
static void each_worker(struct settings *s, void (*what)(struct settings *s, struct streams *all))
{
    struct streams *home = s->control->streams;

    for (unsigned i = 0; i < workers_count(home); i++) {
        struct streams *all = workers_hold(home, i);

        what(s, all);
        workers_release(all);
    }
}

static void set_limits(struct settings *s, struct streams *all)
{
    stack_set_limits(all->stack, s->running.memory, s->running.max_sockets);
    if (all->workers)
        all->workers->list[all->index]->loop.spin.budget_us = s->running.busy_poll_us;
    else
        s->spin->budget_us = s->running.busy_poll_us;
}

static void set_tunables(struct settings *s, struct streams *all)
{
    stack_tunables_apply(all->stack, s->running.tunables);
}

static void put_in_force(struct settings *s)
{
    const struct config *c = &s->running;
    char *except = s->control->hello.except;

    log_set_level((enum log_level)c->log_level);
    each_worker(s, set_limits);
    policy_set_max_sockets(s->policy, c->max_sockets);
    snprintf(except, sizeof(s->control->hello.except), "%s", c->except);
}

void settings_start(struct settings *s)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        config_copy(&s->wanted, &s->running, (enum config_key_id)i);
    each_worker(s, set_tunables);
    s->policy->rights = s->running.rights;
    put_in_force(s);
}

void settings_free(struct settings *s)
{
    config_free(&s->running);
    config_free(&s->given);
}

static bool differs(const struct config *a, const struct config *b, enum config_key_id id,
                    char was[CONFIG_VALUE], char is[CONFIG_VALUE])
{
    config_format(a, id, was);
    config_format(b, id, is);
    return strcmp(was, is) != 0;
}

/* "(default)", "(line 7)", "(tapstack set)" */
static const char *origin_text(const struct config_origin *from, char out[32])
{
    static const char *const words[] = {[CONFIG_FROM_DEFAULT] = "default",
                                        [CONFIG_FROM_COMMAND_LINE] = "command line",
                                        [CONFIG_FROM_SET] = "tapstack set"};

    if (from->source == CONFIG_FROM_FILE)
        snprintf(out, 32, "line %u", from->line);
    else
        snprintf(out, 32, "%s", words[from->source]);
    return out;
}

static void tell_change(struct notices *n, const char *name, const char *was, const char *is,
                        const struct config_origin *before, const struct config_origin *now)
{
    char a[32], b[32];

    notices_add(n, WIRE_NOTICE_CHANGED, "%s = %.400s (%s), was %.400s (%s)", name,
                *is ? is : "nothing", origin_text(now, b), *was ? was : "nothing",
                origin_text(before, a));
}

static void apply_key(struct settings *s, const struct config *next, enum config_key_id id,
                      struct notices *n)
{
    const struct config_key *k = &config_keys[id];
    struct config_origin before = s->running.from[id];
    char was[CONFIG_VALUE], is[CONFIG_VALUE];
    bool changed = differs(&s->running, next, id, was, is);

    config_copy(&s->wanted, next, id);
    if (changed && !k->live) {
        s->running.from[id].old_line = before.source == CONFIG_FROM_FILE;
        notices_add(n, WIRE_NOTICE_RESTART, "%s = %.400s needs a restart; %.400s stays in force",
                    k->name, *is ? is : "nothing", *was ? was : "nothing");
        return;
    }
    config_copy(&s->running, next, id);
    s->running.from[id].reloaded = changed || before.reloaded;
    if (changed)
        tell_change(n, k->name, was, is, &before, &next->from[id]);
}

static void apply_tunables(struct settings *s, struct config *next, struct notices *n)
{
    struct stack_tunables *tunables = s->running.tunables;
    struct config_origin *from = s->running.tunables_from;
    struct stack_tunable t;

    for (unsigned i = 0; stack_tunable_describe(i, &t); i++) {
        struct config_origin *now = &next->tunables_from[i];
        char was[TUNABLE_VALUE], is[TUNABLE_VALUE];

        if (stack_tunable_get(s->stack, t.name, was, sizeof(was)) < 0 ||
            stack_tunables_get(next->tunables, t.name, is, sizeof(is)) < 0)
            continue;
        now->reloaded = strcmp(was, is) != 0 || from[i].reloaded;
        if (strcmp(was, is) != 0)
            tell_change(n, t.name, was, is, &from[i], now);
    }
    s->running.tunables = next->tunables;
    s->running.tunables_from = next->tunables_from;
    each_worker(s, set_tunables);
    next->tunables = tunables;
    next->tunables_from = from;
}

/* --- the policy table --------------------------------------------------------------------------
 */

static const struct rights *of_name(const struct rights *table, const char *section)
{
    while (table && strcmp(table->section, section) != 0)
        table = table->next;
    return table;
}

static bool same(const struct rights *a, const struct rights *b)
{
    char was[RIGHTS_LIST_ROOM], is[RIGHTS_LIST_ROOM];

    for (int i = 0; i < RIGHTS; i++) {
        rights_format(a, (enum rights_key)i, was, sizeof(was));
        rights_format(b, (enum rights_key)i, is, sizeof(is));
        if (strcmp(was, is) != 0)
            return false;
    }
    return a->id == b->id;
}

static void tell_rights(const struct rights *before, const struct rights *now, struct notices *n)
{
    for (const struct rights *r = now; r; r = r->next) {
        const struct rights *was = of_name(before, r->section);

        if (!was || !same(was, r))
            notices_add(n, WIRE_NOTICE_CHANGED, "[%s] %s", r->section,
                        was ? "has changed" : "is new");
    }
    for (const struct rights *r = before; r; r = r->next)
        if (!of_name(now, r->section))
            notices_add(n, WIRE_NOTICE_CHANGED, "[%s] is gone", r->section);
}

static void apply_rights(struct settings *s, struct config *next, struct notices *n)
{
    struct rights *before = s->running.rights;

    tell_rights(before, next->rights, n);
    s->policy->rights = s->running.rights = next->rights;
    control_policy_changed(s->control);
    next->rights = before;
}

void settings_apply(struct settings *s, struct config *next, struct notices *notices)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        apply_key(s, next, (enum config_key_id)i, notices);
    apply_tunables(s, next, notices);
    apply_rights(s, next, notices);
    put_in_force(s);
}

/* --- one by one --------------------------------------------------------------------------------
 */

static int set_key(struct settings *s, enum config_key_id id, const char *value)
{
    struct config_origin from = {.source = CONFIG_FROM_SET};
    struct config next = s->running; /* its pointers stay ours */
    struct faults faults = {0};
    char error[CONFIG_ERROR];

    if (!config_keys[id].live)
        return -EBUSY;
    if (config_set(&next, config_keys[id].name, value, from, error) < 0)
        return config_keys[id].most ? -ERANGE : -EINVAL;
    config_check(&next, &faults);
    if (faults.count) {
        faults_free(&faults);
        return -EINVAL;
    }
    config_copy(&s->running, &next, id);
    put_in_force(s);
    return 0;
}

/* The first one says whether it can be. */
static int set_tunable(struct settings *s, const char *name, const char *value)
{
    struct streams *home = s->control->streams;
    int rc = 0;

    for (unsigned i = 0; i < workers_count(home) && rc == 0; i++) {
        struct streams *all = workers_hold(home, i);

        rc = stack_tunable_set(all->stack, name, value);
        workers_release(all);
    }
    return rc;
}

int settings_set(struct settings *s, const char *name, const char *value)
{
    unsigned part[STACK_TUNABLE_PARTS], n = stack_tunable_parts(name, part);
    int id = config_find(name), rc;

    if (n == 0 && id >= 0)
        return set_key(s, (enum config_key_id)id, value);
    rc = set_tunable(s, name, value);
    for (unsigned i = 0; rc == 0 && i < n; i++)
        s->running.tunables_from[part[i]] = (struct config_origin){.source = CONFIG_FROM_SET};
    return rc;
}

/* --- showing them ------------------------------------------------------------------------------
 */

static void put_origin(const struct config_origin *from, struct wire_setting *out)
{
    out->source = (uint32_t)from->source; /* one enumeration, twice */
    out->line = from->line;
    if (from->reloaded)
        out->flags |= WIRE_SETTING_RELOADED;
    if (from->old_line)
        out->flags |= WIRE_SETTING_OLD_LINE;
}

_Static_assert((int)CONFIG_FROM_SET == (int)WIRE_FROM_SET &&
                   (int)CONFIG_FROM_FILE == (int)WIRE_FROM_FILE &&
                   (int)CONFIG_FROM_COMMAND_LINE == (int)WIRE_FROM_COMMAND_LINE,
               "the same");

static void put(char *to, size_t room, const char *text)
{
    size_t n = strlen(text);

    if (n >= room)
        n = room - 1;
    memcpy(to, text, n);
    to[n] = '\0';
}

#define PUT(field, text) put(out->field, sizeof(out->field), text)

static void key_row(const struct settings *s, enum config_key_id id, struct wire_setting *out)
{
    const struct config_key *k = &config_keys[id];
    char was[CONFIG_VALUE], is[CONFIG_VALUE];

    PUT(section, "tapstack");
    PUT(name, k->name);
    PUT(argument, k->argument);
    PUT(unit, k->unit);
    PUT(fallback, k->fallback);
    PUT(help, k->help);
    out->least = k->least;
    out->most = k->most;
    out->flags = k->live ? WIRE_SETTING_LIVE : 0;
    put_origin(&s->running.from[id], out);
    if (differs(&s->running, &s->wanted, id, was, is) && !k->live) {
        out->flags |= WIRE_SETTING_PENDING;
        out->pending_source = (uint32_t)s->wanted.from[id].source;
        out->pending_line = s->wanted.from[id].line;
        PUT(pending, is);
    }
    PUT(value, was);
}

static bool tunable_row(const struct settings *s, size_t i, struct wire_setting *out)
{
    struct stack_tunable t;

    if (!stack_tunable_describe((unsigned)i, &t))
        return false;
    PUT(section, "sysctl");
    PUT(name, t.name);
    PUT(argument, t.words ? "WORD" : "N");
    PUT(unit, t.unit);
    PUT(help, t.help);
    PUT(fallback, t.fallback);
    out->least = t.words ? 0 : (uint64_t)t.min;
    out->most = t.words ? 0 : (uint64_t)t.max;
    out->flags = WIRE_SETTING_LIVE;
    put_origin(&s->running.tunables_from[i], out);
    return stack_tunable_get(s->stack, t.name, out->value, sizeof(out->value)) == 0;
}

static bool rights_row(const struct settings *s, size_t i, struct wire_setting *out)
{
    for (const struct rights *r = s->running.rights; r; r = r->next) {
        for (int key = 0; key < RIGHTS; key++) {
            const struct rights_info *info = &rights_info[key];

            if (!r->lines[key] || i-- > 0)
                continue;
            PUT(section, r->section);
            PUT(name, info->name);
            PUT(argument, info->argument);
            PUT(unit, info->unit);
            PUT(help, info->help);
            out->least = info->least;
            out->most = info->most;
            out->flags = WIRE_SETTING_LIVE;
            out->source = WIRE_FROM_FILE;
            out->line = r->lines[key];
            rights_format(r, (enum rights_key)key, out->value, sizeof(out->value));
            return true;
        }
    }
    return false;
}

static size_t count_tunables(void)
{
    struct stack_tunable t;
    size_t n = 0;

    while (stack_tunable_describe((unsigned)n, &t))
        n++;
    return n;
}

bool settings_row(const struct settings *s, size_t i, bool policy, struct wire_setting *out)
{
    size_t tunables = count_tunables();

    memset(out, 0, sizeof(*out));
    if (s->running.path)
        PUT(file, s->running.path);
    if (i < CONFIG_KEYS) {
        key_row(s, (enum config_key_id)i, out);
        return true;
    }
    i -= CONFIG_KEYS;
    if (i < tunables)
        return tunable_row(s, i, out);
    return policy && rights_row(s, i - tunables, out);
}
