/* SPDX-License-Identifier: MIT */
/*
 * What the files of the shim share.
 */
#ifndef TS_CLIENT_PRELOAD_SHIM_H
#define TS_CLIENT_PRELOAD_SHIM_H

#include "ipc/name.h"

#include <errno.h>

/** Is it a socket of ours? One system call; no table is kept, so nothing can go stale. */
#define OURS(fd) (name_kind_of(fd) != NAME_FOREIGN)

#endif
