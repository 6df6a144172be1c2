/* SPDX-License-Identifier: MIT */
/* The script files: which ones, and their text. */
#ifndef TS_TESTS_PKT_SCRIPTS_H
#define TS_TESTS_PKT_SCRIPTS_H

struct script_list {
    char **path;
    int n;
};

/** Those named, or all of tests/scripts/ in order; only those with `word` in their path. */
void scripts_find(struct script_list *list, char **named, int n, const char *word);
void scripts_free(struct script_list *list);
/** The whole file, to be freed; ends the program when it cannot be read. */
char *script_read(const char *path);
/** Where captures of failed scripts go. */
const char *scripts_capture_folder(void);

#endif
