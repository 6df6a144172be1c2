/* SPDX-License-Identifier: MIT */
/* A reload of the configuration file; see reload.h. */
#include "daemon/reload.h"

#include "daemon/config_file.h"
#include "daemon/log.h"
#include "daemon/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell_faults(struct reload *r, struct faults *faults)
{
    char line[PATH_MAX + FAULT_TEXT + 16];

    faults_sort(faults);
    for (size_t i = 0; i < faults->kept; i++) {
        fault_format(&faults->list[i], r->settings->running.path, line, sizeof(line));
        notices_add(&r->notices, WIRE_NOTICE_FAULT, "%s", line);
    }
}

/* Read as at the start: the file, then the command line over it, then do they fit together? */
static bool put_in_force(struct reload *r, const struct names *names, const char *text, size_t len)
{
    struct settings *s = r->settings;
    struct faults faults = {0};
    struct config next;
    bool done;

    if (config_init(&next) < 0) {
        notices_add(&r->notices, WIRE_NOTICE_FAULT, "no memory for a reload");
        return false;
    }
    next.names = names;
    config_file_parse(&next, text, len, &faults);
    options_overlay(&next, &s->given);
    config_check(&next, &faults);
    done = faults.count == 0;
    if (done)
        settings_apply(s, &next, &r->notices);
    else
        tell_faults(r, &faults);
    faults_free(&faults);
    config_free(&next);
    return done;
}

static void finish(struct reload *r, bool done)
{
    r->under_way = false;
    if (done)
        log_info("reload of %s: done", r->settings->running.path);
    else
        log_error("reload of %s: nothing has changed", r->settings->running.path);
    if (r->ended)
        r->ended(r->ctx, done);
}

int reload_begin(struct reload *r)
{
    int rc;

    if (!r->settings->running.path) {
        log_warning("there is nothing to reload: started without --config");
        return -ENOENT;
    }
    if (r->under_way) {
        r->again = true;
        return 0;
    }
    rc = reread_ask(&r->reader);
    if (rc < 0) {
        log_error("cannot read %s again: the process for that is gone", r->settings->running.path);
        return rc;
    }
    r->under_way = true;
    notices_free(&r->notices);
    if (r->begun)
        r->begun(r->ctx);
    return 0;
}

bool reload_ready(struct reload *r)
{
    struct names_list names;
    char *text;
    size_t len;
    bool done = false;
    int rc = reread_take(&r->reader, &names, &text, &len);

    if (rc == 0 || !r->under_way)
        return false;
    if (rc < 0) {
        notices_add(&r->notices, WIRE_NOTICE_FAULT, "cannot read %.500s: %s",
                    r->settings->running.path,
                    r->reader.broken ? "the process for that is gone" : strerror(-rc));
    } else {
        done = put_in_force(r, &names.names, text, len);
        names_list_free(&names);
        free(text);
    }
    finish(r, done);
    if (!r->again)
        return true;
    r->again = false;
    return reload_begin(r) < 0;
}

void reload_free(struct reload *r)
{
    reread_stop(&r->reader);
    notices_free(&r->notices);
}
