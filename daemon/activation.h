/* SPDX-License-Identifier: MIT */
/*
 * The control socket from the service manager (sd_listen_fds(3)): it listens already, programs may
 * wait in it, and it outlives us. Its unit says where it is and who may connect.
 */
#ifndef TS_DAEMON_ACTIVATION_H
#define TS_DAEMON_ACTIVATION_H

/** The descriptor that was handed over, non-blocking and close-on-exec. -ENOENT: none was. Another
 * negative errno value, logged: it is not one listening AF_UNIX SOCK_SEQPACKET socket at `path`. */
int activation_socket(const char *path);

#endif
