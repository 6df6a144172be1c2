/* SPDX-License-Identifier: MIT */
/*
 * The socket-semantics suite: a program of TCP sockets that says of hundreds of things what it
 * sees, one line each: "name<TAB>value". It runs on the kernel's sockets and under `tapstack run`,
 * and the outputs are compared (tests/net/test_semantics.sh); what differs stands in
 * docs/differences.md. It knows nothing of tapstack.
 *
 * The other side of its connections is peer.c, on kernel sockets in both runs, which does what it
 * is told over a UNIX socket. Addresses, ports and times are never printed, so lines can be equal.
 */
#ifndef TS_TESTS_NET_SEMANTICS_H
#define TS_TESTS_NET_SEMANTICS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* --- what is said ------------------------------------------------------------------------------
 */

/** One check. */
void say(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** A result as text: its number, or the error's name when it is negative (errno is read). */
const char *er(long result);
/** The error's name of a positive value; "0". */
const char *error_name(int error);
/** poll(2) at once, and what it says of these events. */
const char *mask(int fd, int events);
/** The same, after waiting up to 3 s until all of `until` is there. */
const char *mask_when(int fd, int events, int until);
/** Bits of poll or epoll as text: "IN+OUT". */
const char *bits(int events);
/** All that poll can be asked for. */
#define ALL (POLLIN | POLLPRI | POLLOUT | POLLRDHUP)

/** Run what follows with a signal after 400 ms; true when that came (without SA_RESTART). */
void guard_begin(void);
bool guard_end(void);
/** As er(), or "hangs" when the call was interrupted by its guard. */
#define GUARDED(call) (guard_begin(), guarded(call))
const char *guarded(long result);

void pause_ms(int ms);

/* --- addresses ---------------------------------------------------------------------------------
 */

extern struct in_addr us, peer, gone;

struct sockaddr_in address(struct in_addr host, int port);
/** "us:P" when the port is `port`, "us:0", "us:?"; "any", "peer", also of a v4-mapped address. */
const char *name_text(const struct sockaddr_storage *ss, int port);
const char *local_name(int fd, int port);
const char *remote_name(int fd, int port);
int local_port(int fd);

/* --- sockets -----------------------------------------------------------------------------------
 */

int tcp(void);
int tcp_nb(void);
int connect_to(int fd, struct in_addr host, int port);
int bind_to(int fd, struct in_addr host, int port);
/** A listener of ours on a port that the system chooses. */
int listener(int backlog, int *port);
/** A connection that we made, and the peer's handle of it. */
int connected(int *handle);
/** A connection that the peer made, and the peer's handle. */
int accepted(int *handle);
int get_int(int fd, int level, int name);
int set_int(int fd, int level, int name, int value);
int pending_error(int fd);
/** What this ioctl says: FIONREAD, SIOCOUTQ. */
const char *queue(int fd, unsigned long request);
/** Until FIONREAD says that many bytes. */
void wait_bytes(int fd, int n);
/** Until SIOCOUTQ is 0. */
void wait_acked(int fd);

/* --- the peer ----------------------------------------------------------------------------------
 */

/** Connect to the peer's process. */
void peer_open(const char *path);
/** Tell it something; returns its answer, a number; negative: an errno value. */
long peer_do(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The text that came with the last answer. */
extern char peer_text[];
/** Listen there: the handle, and the port. */
int peer_listen(int backlog, int *port);
/** A port where nobody listens. */
int peer_nobody(void);
/** What the peer reads until the connection ends: "5 EOF", "0 ECONNRESET". */
const char *peer_end(int handle);
/** What it reads: at least n bytes, as text. */
const char *peer_recv(int handle, int n);

/** The peer's main(). */
int peer_main(const char *path, struct in_addr its, struct in_addr ours);

/* --- the groups --------------------------------------------------------------------------------
 */

void group_create(void);
void group_names(void);
void group_connect(void);
void group_slow(void);
void group_listen(void);
void group_data(void);
void group_flags(void);
void group_ending(void);
void group_reset(void);
void group_poll(void);
void group_options(void);
void group_passing(void);
void group_pointers(void);
void group_threads(void);
void group_acceptors(void);
void group_uring(void);
void group_v6(void);

/** Run by exec in group_passing: says what it sees of a descriptor. */
int inherited_main(int fd);

extern const char *self_path;

#endif
