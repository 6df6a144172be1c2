/* SPDX-License-Identifier: MIT */
/* Users and groups by name; see names.h. */
#include "daemon/names.h"

#include "daemon/number.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ask_machine(const struct names *names, const char *name, bool of_group, uint32_t *id)
{
    struct passwd *pw = NULL;
    struct group *gr = NULL;

    (void)names;
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

const struct names names_of_machine = {ask_machine};

static bool look_up(const struct names *names, const char *name, bool of_group, uint32_t *id)
{
    const struct names_list *list = (const struct names_list *)names;
    const char *line = list->text, *end;
    size_t len = strlen(name);

    for (; line && *line; line = end + 1) {
        char *at;
        unsigned long v = strtoul(line + 2, &at, 10);

        end = strchrnul(line, '\n');
        if ((*line == 'g') == of_group && (size_t)(end - at) == len + 1 &&
            !memcmp(at + 1, name, len)) {
            *id = (uint32_t)v;
            return true;
        }
        if (!*end)
            break;
    }
    return false;
}

void names_list_init(struct names_list *list, char *text)
{
    *list = (struct names_list){.names = {look_up}, .text = text, .len = text ? strlen(text) : 0};
}

bool names_list_add(struct names_list *list, const char *name, bool of_group, uint32_t id)
{
    size_t more = strlen(name) + 16;
    char *text = realloc(list->text, list->len + more);

    if (!text)
        return false;
    list->text = text;
    list->len += (size_t)snprintf(text + list->len, more, "%c %u %s\n", of_group ? 'g' : 'u',
                                  (unsigned)id, name);
    return true;
}

void names_list_free(struct names_list *list)
{
    free(list->text);
    list->text = NULL;
    list->len = 0;
}

bool names_id(const struct names *names, const char *name, bool of_group, uint32_t *id)
{
    uint64_t number;

    if (number_parse(name, false, UINT32_MAX - 1, &number)) {
        *id = (uint32_t)number;
        return true;
    }
    return names->find(names, name, of_group, id);
}
