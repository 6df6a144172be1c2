/* SPDX-License-Identifier: MIT */
/*
 * The configuration file; see config_file.h. libinih takes its lines from a function of ours, which
 * counts them: so each fault has its line. It also looks at what libinih would keep to itself:
 * sections without a setting, lines that are neither section nor setting, lines that are too long.
 * Blanks in front go, so that an indented line is a setting like others and no continuation.
 */
#include "daemon/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLANKS " \t\r\f\v"

enum section { NOWHERE, SETTINGS, SYSCTL, POLICY, UNKNOWN };

struct reading {
    struct config *config;
    struct faults *faults;
    const char *at, *end; /* what is still to be read */
    unsigned line;
    bool expected; /* this line must be a setting */
    bool seen;     /* and libinih has found one in it */
    enum section section;
    struct rights *rights; /* of a section of the policy table; NULL: none could be made */
};

/* --- sections ----------------------------------------------------------------------------------
 */

static void enter(struct reading *r, const char *name)
{
    char error[FAULT_TEXT];

    r->rights = NULL;
    if (!strcmp(name, "tapstack")) {
        r->section = SETTINGS;
    } else if (!strcmp(name, "sysctl")) {
        r->section = SYSCTL;
    } else if (rights_is_section(name)) {
        r->section = POLICY;
        r->rights = rights_section(&r->config->rights, name, r->line, r->config->names, error,
                                   sizeof(error));
        if (*error)
            faults_add(r->faults, r->line, "%s", error);
    } else {
        r->section = UNKNOWN;
        faults_add(r->faults, r->line, "unknown section [%.80s]", name);
    }
}

/* "[name]" and nothing behind it but a comment. */
static void section_line(struct reading *r, const char *line, size_t len)
{
    const char *close = memchr(line, ']', len);
    const char *behind = close ? close + 1 : line + len;
    char name[128];

    behind += strspn(behind, BLANKS);
    if (!close || (behind < line + len && *behind != ';' && *behind != '#')) {
        r->section = UNKNOWN;
        faults_add(r->faults, r->line, close ? "something stands behind ]" : "a ] is missing");
        return;
    }
    snprintf(name, sizeof(name), "%.*s", (int)(close - line - 1), line + 1);
    enter(r, name);
}

/* --- lines -------------------------------------------------------------------------------------
 */

/* Before the next line: was this one anything? */
static void end_of_line(struct reading *r)
{
    if (r->expected && !r->seen)
        faults_add(r->faults, r->line, "neither [SECTION] nor NAME = VALUE");
    r->expected = r->seen = false;
}

/* As fgets(3), for libinih. What is no setting is kept from it. */
static char *next_line(char *out, int room, void *ctx)
{
    struct reading *r = ctx;
    const char *line = r->at, *end;
    size_t len;

    end_of_line(r);
    if (r->at >= r->end || room < 4)
        return NULL;
    r->line++;
    end = memchr(line, '\n', (size_t)(r->end - line));
    if (!end)
        end = r->end;
    r->at = end + 1;
    line += r->line == 1 && end - line >= 3 && !memcmp(line, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (line < end && strchr(BLANKS, *line) && *line)
        line++;
    len = (size_t)(end - line);
    strcpy(out, "\n");
    if (memchr(line, '\0', len)) {
        faults_add(r->faults, r->line, "a NUL byte: this is no text");
    } else if (len > (size_t)room - 3) {
        faults_add(r->faults, r->line, "longer than %d bytes", room - 3);
    } else if (len && *line == '[') {
        section_line(r, line, len);
    } else if (len && *line != '#' && *line != ';') {
        r->expected = true;
        memcpy(out, line, len);
        strcpy(out + len, "\n");
    }
    return out;
}

/* --- settings ----------------------------------------------------------------------------------
 */

static bool once(struct reading *r, const char *name, const struct config_origin *before)
{
    if (before->source != CONFIG_FROM_FILE)
        return true;
    faults_add(r->faults, r->line, "%s is set in line %u already", name, before->line);
    return false;
}

static struct config_origin here(const struct reading *r)
{
    return (struct config_origin){.source = CONFIG_FROM_FILE, .line = r->line};
}

static void set_key(struct reading *r, const char *name, const char *value)
{
    int id = config_find(name);
    char error[CONFIG_ERROR], whole[CONFIG_VALUE];
    struct config_origin from = here(r);

    if (id >= 0 && r->config->from[id].source == CONFIG_FROM_FILE &&
        config_adds(r->config, (enum config_key_id)id, value, whole)) {
        from = r->config->from[id];
        value = whole;
    } else if (id >= 0 && !once(r, name, &r->config->from[id])) {
        return;
    }
    if (config_set(r->config, name, value, from, error) < 0)
        faults_add(r->faults, r->line, "%s", error);
}

static void tunable_fault(struct reading *r, const char *name, const char *value, int rc)
{
    struct stack_tunable t;

    if (rc == -ENOENT)
        faults_add(r->faults, r->line, "unknown setting %.50s in [sysctl]", name);
    else if (rc == -EACCES)
        faults_add(r->faults, r->line, "%.50s can only be read", name);
    else if (rc == -ERANGE && stack_tunable_find(name, &t))
        faults_add(r->faults, r->line, "%.50s must be %lld to %lld%s%s, not %.60s", name,
                   (long long)t.min, (long long)t.max, *t.unit ? " " : "", t.unit, value);
    else
        faults_add(r->faults, r->line, "%.50s: not a value that it takes: %.80s", name, value);
}

static void set_tunable(struct reading *r, const char *name, const char *value)
{
    unsigned part[STACK_TUNABLE_PARTS], n = stack_tunable_parts(name, part);
    struct config_origin *from = r->config->tunables_from;
    int rc;

    for (unsigned i = 0; i < n; i++)
        if (!once(r, name, &from[part[i]]))
            return;
    rc = stack_tunables_set(r->config->tunables, name, value);
    if (rc < 0) {
        tunable_fault(r, name, value, rc);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        from[part[i]] = here(r);
}

/* libinih's: a setting in the line that it got last. 1 is success. */
static int on_setting(void *ctx, const char *section, const char *name, const char *value)
{
    struct reading *r = ctx;
    char error[FAULT_TEXT];

    (void)section; /* cut off by libinih; ours is whole */
    r->seen = true;
    switch (r->section) {
    case NOWHERE:
        faults_add(r->faults, r->line, "%.80s is outside of a section", name);
        break;
    case SETTINGS:
        set_key(r, name, value);
        break;
    case SYSCTL:
        set_tunable(r, name, value);
        break;
    case POLICY:
        if (r->rights && rights_set(r->rights, name, value, r->line, error, sizeof(error)) < 0)
            faults_add(r->faults, r->line, "%s", error);
        break;
    case UNKNOWN:
        break; /* the section's own line was told */
    }
    return 1;
}

void config_file_parse(struct config *c, const char *text, size_t len, struct faults *faults)
{
    struct reading r = {.config = c, .faults = faults, .at = text, .end = text + len};

    if (ini_parse_stream(next_line, &r, on_setting, &r) < 0)
        faults_add(faults, 0, "no memory to read the file");
    end_of_line(&r);
    rights_finish(c->rights);
}

/* --- the file ----------------------------------------------------------------------------------
 */

static int read_all(int fd, char *text, size_t room)
{
    size_t len = 0;

    while (len < room) {
        ssize_t n = read(fd, text + len, room - len);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    return (int)len;
}

int config_file_read(const char *path, char **text, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;
    char *all;

    if (fd < 0)
        return -errno;
    all = malloc(CONFIG_FILE_MAX + 2);
    rc = all ? read_all(fd, all, CONFIG_FILE_MAX + 1) : -ENOMEM;
    close(fd);
    if (rc > (int)CONFIG_FILE_MAX)
        rc = -EFBIG;
    if (rc < 0) {
        free(all);
        return rc;
    }
    all[rc] = '\0';
    *text = all;
    *len = (size_t)rc;
    return 0;
}

bool config_file_load(struct config *c, struct faults *faults)
{
    char *text;
    size_t len;
    int rc = config_file_read(c->path, &text, &len);

    if (rc < 0) {
        faults_add(faults, 0, "cannot read %.150s: %s", c->path, strerror(-rc));
        return false;
    }
    config_file_parse(c, text, len, faults);
    free(text);
    return true;
}
