/* SPDX-License-Identifier: MIT */
/*
 * Sending, for the shim.
 */
#ifndef TS_CLIENT_LIB_SEND_H
#define TS_CLIENT_LIB_SEND_H

#include <sys/socket.h>
#include <sys/types.h>

/** ts_sendmsg on a descriptor that is known to be ours. */
ssize_t send_message(int fd, const struct msghdr *msg, int flags);

#endif
