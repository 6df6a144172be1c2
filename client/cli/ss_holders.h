/* SPDX-License-Identifier: MIT */
/*
 * Who holds a descriptor: a search of /proc, as ss -p does it. Without privilege only one's own
 * processes can be looked into (proc(5), ptrace access mode); the others' are simply not found.
 */
#ifndef TS_CLIENT_CLI_SS_HOLDERS_H
#define TS_CLIENT_CLI_SS_HOLDERS_H

#include <stddef.h>
#include <stdint.h>

#define HOLDERS_MAX 16 /**< of one socket that are kept */

struct holder {
    int pid, fd;
    char name[32];
};

struct holders {
    uint64_t inode; /**< set by the caller; 0: nobody's */
    unsigned count;
    struct holder *list; /**< HOLDERS_MAX of them, or NULL */
};

/** Find those of all n. Each `holders` is freed by holders_release(). */
void holders_find(struct holders *const of[], size_t n);
void holders_release(struct holders *h);

/** The name of a process; anybody may ask. Returns out, empty when it is gone. */
const char *holders_name(int pid, char out[32]);

#endif
