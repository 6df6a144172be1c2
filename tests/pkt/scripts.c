/* SPDX-License-Identifier: MIT */
/* The script files; see scripts.h. */
#include "tests/pkt/scripts.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL         "tests/scripts/*.pkt"
#define CONFORMANCE "tests/scripts/conformance/*.pkt"

static void add(struct script_list *list, const char *path)
{
    list->path = realloc(list->path, (size_t)(list->n + 1) * sizeof(*list->path));
    if (!list->path)
        abort();
    list->path[list->n++] = strdup(path);
}

void scripts_find(struct script_list *list, char **named, int n, const char *word)
{
    glob_t all;

    *list = (struct script_list){0};
    for (int i = 0; i < n; i++)
        if (strstr(named[i], word))
            add(list, named[i]);
    if (n || glob(ALL, 0, NULL, &all) != 0)
        return;
    glob(CONFORMANCE, GLOB_APPEND, NULL, &all);
    for (size_t i = 0; i < all.gl_pathc; i++)
        if (strstr(all.gl_pathv[i], word))
            add(list, all.gl_pathv[i]);
    globfree(&all);
}

void scripts_free(struct script_list *list)
{
    for (int i = 0; i < list->n; i++)
        free(list->path[i]);
    free(list->path);
}

char *script_read(const char *path)
{
    size_t n = 0, got;
    char *text = NULL;
    FILE *f = fopen(path, "rb");

    if (!f) {
        fprintf(stderr, "pkt: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    do {
        text = realloc(text, n + 65536 + 1);
        if (!text)
            abort();
        got = fread(text + n, 1, 65536, f);
        n += got;
    } while (got);
    fclose(f);
    text[n] = 0;
    return text;
}

const char *scripts_capture_folder(void)
{
    static char path[256];
    const char *build = getenv("BUILD");

    snprintf(path, sizeof(path), "%s/pkt", build ? build : "build");
    return path;
}
