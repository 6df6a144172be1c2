/* SPDX-License-Identifier: MIT */
/*
 * What a connection is doing, for the shim and the tool.
 */
#ifndef TS_CLIENT_LIB_INFO_H
#define TS_CLIENT_LIB_INFO_H

#include "client/include/tapstack.h"
#include "ipc/wire.h"

/** The wire's description as the library's; strings become terminated whatever came. */
void info_convert(const struct wire_info *wire, struct ts_info *out);

/** SIOCOUTQ and SIOCOUTQNSD. Returns 0 or a negative errno value. */
int info_outq(int fd, struct wire_outq *out);

#endif
