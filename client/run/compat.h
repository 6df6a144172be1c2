/* SPDX-License-Identifier: MIT */
/*
 * Calls of 32-bit programs (i386 on x86-64): their numbers and socketcall(2), made those of the
 * machine. Structures that are the same in both (addresses, options) are all that is served; data
 * calls are never stopped. On other machines this is empty.
 */
#ifndef TS_CLIENT_RUN_COMPAT_H
#define TS_CLIENT_RUN_COMPAT_H

#include "client/run/target.h"

#include <linux/filter.h>

/** Most instructions of compat_filter(). */
#define COMPAT_CODE_MAX 32

/** What goes before the filter for the machine's own calls. Returns how many instructions. */
size_t compat_filter(struct sock_filter code[COMPAT_CODE_MAX]);

/** Make a call of the other word size one of ours. 0; a negative errno value: its answer;
 * TARGET_CONTINUE: it is the kernel's. */
int64_t compat_translate(struct target *t);

#endif
