/* SPDX-License-Identifier: MIT */
/*
 * Where the control socket is: ts_set_socket_path, else $TAPSTACK_SOCKET, else the default.
 */
#ifndef TS_CLIENT_LIB_PATH_H
#define TS_CLIENT_LIB_PATH_H

/** Room for a path: that of sockaddr_un. */
#define PATH_ROOM 108

/** The path as things stand, padded with zeros. Returns 0 or -ENAMETOOLONG. */
int path_get(char out[PATH_ROOM]);

/** Steps each time the path is set, so that connections to an earlier one are given up. */
unsigned path_generation(void);

#endif
