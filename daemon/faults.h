/* SPDX-License-Identifier: MIT */
/* What is wrong with a configuration: a list of lines and reasons, all of them. */
#ifndef TS_DAEMON_FAULTS_H
#define TS_DAEMON_FAULTS_H

#include <stddef.h>

/** Room for a reason. */
#define FAULT_TEXT 256
/** More than these are only counted. */
#define FAULTS_MOST 200

struct fault {
    unsigned line; /**< of the file; 0: of the command line, or of the whole */
    char text[FAULT_TEXT];
};

struct faults {
    struct fault *list;
    size_t count; /**< of all */
    size_t kept;  /**< of those in the list */
};

void faults_add(struct faults *f, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** By line; those that were found later stay behind others of the same line. */
void faults_sort(struct faults *f);
void faults_free(struct faults *f);

/** "FILE:LINE: reason", or "reason" alone without a line. */
void fault_format(const struct fault *f, const char *path, char *out, size_t room);

#endif
