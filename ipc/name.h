/* SPDX-License-Identifier: MIT */
/*
 * Names and marks: how a descriptor says that it is ours, and which addresses it has, without a
 * round trip.
 *
 * The mark: the program's end of each pair carries SO_MAX_PACING_RATE = NAME_MARK_*, a generic
 * socket option without effect on AF_UNIX, set at birth. It survives dup, fork, exec, SCM_RIGHTS
 * and the daemon's death, and says at once whether a descriptor is a socket or a listener of ours.
 * NAME_MARK_V6 is added on sockets made for AF_INET6 (and what their listeners accept), so that
 * addresses are told in the family that the program expects.
 *
 * The names: abstract AF_UNIX names. The program's end is bound when its local address becomes
 * known (bind, listen), the daemon's end when the connection is established (connect, accept):
 * until then getpeername(2) is ENOTCONN: program's end   "\0ts:<id>:<local>" getsockname(2) of a
 * bound or listening socket daemon's end    "\0ts:<id>:<local>><remote>"   getpeername(2): both
 * addresses of a connection <id> is hexadecimal and unique, <local> and <remote> are "10.77.0.2:80"
 * or "[::1]:80". Where two IPv6 addresses would not fit into sun_path, both are written as 32
 * digits instead: "[20010db8000000000000000000000001]:80".
 */
#ifndef TS_IPC_NAME_H
#define TS_IPC_NAME_H

#include "ipc/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NAME_MARK_SOCKET 0x7461707374636b31ull /* "tapstck1" */
#define NAME_MARK_LISTEN 0x7461707374636b4cull /* "tapstckL" */
/** Added to either mark: no letter of ASCII has this bit. */
#define NAME_MARK_V6 0x80ull
/** Added to a listener's mark when its daemon was found dead: accept(2) makes it anew. */
#define NAME_MARK_DEAD 0x8000ull

/** Added when SO_RCVTIMEO or SO_SNDTIMEO was set: what a listener accepts inherits them. */
#define NAME_MARK_TIMEOUTS 0x800000ull

enum name_kind { NAME_FOREIGN, NAME_SOCKET, NAME_LISTENER };

/** Mark a descriptor as ours, keeping its family and NAME_MARK_TIMEOUTS if it was marked before
 * (else IPv4). Returns 0 or a negative errno value. */
int name_mark(int fd, enum name_kind kind);

/** The same, and say whether it is an AF_INET6 socket. */
int name_mark_family(int fd, enum name_kind kind, bool v6);

/** The mark of one of ours, for more than one question by one getsockopt(2); 0: it is foreign.
 * errno is preserved. */
uint64_t name_mark_of(int fd);
enum name_kind name_mark_kind(uint64_t mark);

/** Whose is this descriptor? One getsockopt(2); NAME_FOREIGN also for what is no socket. errno is
 * preserved. */
enum name_kind name_kind_of(int fd);

/** Was this descriptor of ours made for AF_INET6? false also for foreign ones. errno is preserved.
 */
bool name_is_v6(int fd);

/** Remember with a listener that its daemon is gone, for whoever else holds it; and ask. errno is
 * preserved. */
void name_mark_dead(int fd);
bool name_is_dead(int fd);

/** NAME_MARK_TIMEOUTS. errno is preserved. */
void name_mark_timeouts(int fd);

/** Build the abstract name; remote may be NULL. Returns the length for bind(2). */
socklen_t name_build(struct sockaddr_un *out, uint64_t id, const struct wire_addr *local,
                     const struct wire_addr *remote);

/** Parse what getsockname/getpeername gave. has_remote says whether a remote was there. Returns 0
 * or -EINVAL. */
int name_parse(const struct sockaddr_un *name, socklen_t len, struct wire_addr *local,
               struct wire_addr *remote, bool *has_remote);

/**
 * The addresses of one of our descriptors, from its names alone. *local is all zero (with family v4
 * any) when unbound. Returns 1 when connected (both set), 0 when only local is (perhaps) known, or
 * a negative errno value when fd is no AF_UNIX socket. errno is preserved.
 */
int name_addresses(int fd, struct wire_addr *local, struct wire_addr *remote);

#endif
