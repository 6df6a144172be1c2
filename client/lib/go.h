/* SPDX-License-Identifier: MIT */
/*
 * Is a program Go's? Those make system calls themselves, also when they are linked dynamically.
 */
#ifndef TS_CLIENT_LIB_GO_H
#define TS_CLIENT_LIB_GO_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>

/** By what Go's linker leaves in every program: its note, which `-buildid=` takes away, or the
 * section .go.buildinfo, which stays when symbols are stripped. Safe after vfork and in signal
 * handlers. */
bool go_linked(int fd, const ElfW(Ehdr) * head, const ElfW(Phdr) * ph, size_t n);

#endif
