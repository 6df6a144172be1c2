/* SPDX-License-Identifier: MIT */
/*
 * What kind of program a file is: can the shim be loaded into it?
 */
#ifndef TS_CLIENT_LIB_PROGRAM_H
#define TS_CLIENT_LIB_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum program_kind {
    PROGRAM_UNKNOWN,    /**< not readable, or nothing that we know: execve(2) will say */
    PROGRAM_DYNAMIC,    /**< has an interpreter, which loads the shim */
    PROGRAM_STATIC,     /**< has none, or (Go) makes its system calls without the C library */
    PROGRAM_COMPAT,     /**< for this machine with 32 bits: nothing of ours can be loaded into it */
    PROGRAM_FOREIGN,    /**< for another machine or word size than ours */
    PROGRAM_PRIVILEGED, /**< gains rights when it is executed: the loader ignores the shim */
};

/** The environment variable that names the `tapstack` tool, for the shim. */
#define RUN_TOOL_ENV "TAPSTACK_RUN"

/** Of the file at this path; a script (#!) is what its interpreter is. Safe after vfork and in
 * signal handlers; errno is preserved. */
enum program_kind program_kind(const char *path);

/** Where execvp(3) would find it: a copy of name when it has a slash. Returns false when it is
 * nowhere, or does not fit. errno is preserved. */
bool program_find(const char *name, char *out, size_t room);

#endif
