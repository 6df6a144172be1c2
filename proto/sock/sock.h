/* SPDX-License-Identifier: MIT */
/*
 * Socket semantics, as pure calls.
 *
 * A sock is what a descriptor refers to. Calls never block: they return a count or 0, or a negative
 * errno value
 * (-EAGAIN where a blocking call would wait; proto/sock/wait.h builds blocking calls on top, in
 * virtual time). errno values are those of socket(7), tcp(7) and the section 2 pages.
 */
#ifndef TS_PROTO_SOCK_SOCK_H
#define TS_PROTO_SOCK_SOCK_H

#include "proto/ip/addr.h"
#include "proto/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45 /**< Linux 6.15 */
#endif

struct stack;
struct sock;

/* What stack_next_event() reports. */
#define SOCK_EV_READABLE  (1u << 0) /**< bytes, or the peer's FIN, can be taken */
#define SOCK_EV_WRITABLE  (1u << 1) /**< send space appeared after a refused or short send */
#define SOCK_EV_CONNECTED (1u << 2) /**< an active open ended well */
#define SOCK_EV_ACCEPT    (1u << 3) /**< a listener has a connection to take */
#define SOCK_EV_ERROR     (1u << 4) /**< the connection died: sock_error() says why */
#define SOCK_EV_URGENT    (1u << 6) /**< the urgent byte is here (POLLPRI) */
#define SOCK_EV_ACKED     (1u << 7) /**< sock_acked() has moved since sock_want_acked() */
/** Of these, those that only say that there is room again. */
#define SOCK_EV_ROOM (SOCK_EV_WRITABLE | SOCK_EV_ACKED)
#define SOCK_EV_CLOSED                                                                             \
    (1u << 5) /**< both directions ended well and everything was acknowledged                      \
               */

/** States of RFC 9293 §3.3.2, in Linux's numbering (tcp_info.tcpi_state); list in
 * proto/tcp/states.def. */
enum tcp_state {
    TCPS_NONE,
#define TCP_STATE(name, text, rfc) TCPS_##name,
#include "proto/tcp/states.def"
#undef TCP_STATE
    TCPS_COUNT
};
/** "ESTAB", "SYN-SENT", … as ss(8) writes them. */
const char *tcp_state_name(unsigned state);

/** Linux's struct tcp_info, field by field (include/uapi/linux/tcp.h, 6.12); a test holds it
 * against the header. */
struct sock_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options, wscales, delivery_flags;
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t total_rto_time;
};

/** Why the connection did not send, one count for each reason of send-path step 14
 * (proto/tcp/stops.def). */
enum tcp_stop {
#define TCP_STOP(name, help) TCP_STOP_##name,
#include "proto/tcp/stops.def"
#undef TCP_STOP
    TCP_STOP_COUNT
};
const char *tcp_stop_name(unsigned stop);

/** Where a connection's bytes lie, and who pays for it; all in bytes. */
struct sock_memory {
    uint32_t sndbuf, rcvbuf;             /**< SO_SNDBUF, SO_RCVBUF: what may be used */
    uint32_t send_extents, recv_extents; /**< what the two streams hold of the stack's memory */
    uint32_t out_of_order;
    uint64_t account_used, account_limit; /**< of its owner, all connections; 0: no limit */
};
/** What a sender waits for while something is unacknowledged (proto/tcp/chronos.def); NONE: nothing
 * is. */
enum tcp_chrono {
    TCP_CHRONO_NONE,
#define TCP_CHRONO(name, help) TCP_CHRONO_##name,
#include "proto/tcp/chronos.def"
#undef TCP_CHRONO
    TCP_CHRONO_COUNT
};
/** "cwnd", …; "idle" for NONE. */
const char *tcp_chrono_name(unsigned chrono);

struct sock_info {
    uint8_t state;   /**< enum tcp_state */
    bool has_handle; /**< a program's descriptor refers to it (false: orphan, half open, TIME-WAIT)
                      */
    struct ip_endpoint local, remote;
    uint32_t recv_queue; /**< bytes (listener: connections) not yet taken by the program */
    uint32_t send_queue; /**< bytes not yet acknowledged (listener: the backlog) */
    uint64_t id;         /**< of this connection in this stack; never reused */
    void *user;          /**< what sock_set_user() left, NULL without a handle */
    uint64_t timer_us;   /**< time until the next timer, 0 for none */
    const char *timer;   /**< its name as ss(8) writes it: "on", "keepalive", "timewait", "persist";
                            NULL for none */
    bool dual;           /**< an unbound address that stands for IPv4 and IPv6 */
    const char *congestion; /**< the algorithm as TCP_CONGESTION names it; NULL: none */
    struct sock_memory memory;
    struct sock_tcp_info tcp;
    uint64_t stops[TCP_STOP_COUNT];
    uint64_t age_us;                   /**< since it was established; 0: it was not */
    uint64_t waited[TCP_CHRONO_COUNT]; /**< microseconds; those of NONE are not counted */
    uint64_t reader_us;                /**< while what the program had not read took half of the
                                          window, microseconds */
    uint64_t max_window;               /**< the largest that the peer has offered, bytes */
    uint32_t rcvbuf;                   /**< half of it is window at most */
    uint32_t sndbuf; /**< bytes that the program may have written and not yet acknowledged */
    bool nodelay, sndbuf_fixed, rcvbuf_fixed; /**< TCP_NODELAY; SO_SNDBUF, SO_RCVBUF were set */
    bool slow_start;
    char algorithm[16]; /**< of congestion control */
};

/* --- life
 * ------------------------------------------------------------------------------------------------
 */

/**
 * Make an unconnected TCP socket. v6: the program asked for AF_INET6.
 * Returns 0 and *out; -ENOMEM, -ENFILE (max_sockets).
 */
int sock_create(struct stack *st, bool v6, struct sock **out);

/** A word of the host's, kept with the socket; children of a listener start with NULL. */
void sock_set_user(struct sock *s, void *user);
void *sock_user(const struct sock *s);
/** Who the socket is for (a user id): SO_REUSEPORT shares a port among sockets of one owner only.
 */
void sock_set_owner(struct sock *s, uint32_t owner);
/**
 * Its memory is on the account of this owner, who may have `limit` bytes (0: nobody in particular
 * pays); children of a listener are on its own from birth. Three quarters of it are for connections
 * and what they are to send, the rest for what their peers were promised. 0; -ENOBUFS: it is used
 * up; -ENOMEM. What the owner has already stays when the limit falls.
 */
int sock_set_quota(struct sock *s, uint32_t owner, uint64_t limit);
/** The same for a socket that is there already, when the rules have changed: it is moved also when
 * it is above the new limit, and then gets no more. 0 or -ENOMEM. */
int sock_change_quota(struct sock *s, uint32_t owner, uint64_t limit);
/** Identity of the socket in its stack, never reused. */
uint64_t sock_id(const struct sock *s);

/**
 * close(2): the handle is gone when it returns. Unread bytes or SO_LINGER 0 send a reset, else a
 * FIN follows what is queued (RFC 9293 §3.10.4, RFC 1122 §4.2.2.13). A listener's queued children
 * are reset. SO_LINGER of n seconds makes no difference: waiting is SOCK_CALL_CLOSE's
 * (proto/sock/wait.h).
 */
void sock_close(struct sock *s, uint64_t now);

/**
 * A fresh socket in `st` with the options of `from`, for the same owner; *local is what the program
 * had chosen of its name (sock_bind() it when `from` has given it up): the wildcard, port 0 when
 * nothing. As sock_create().
 */
int sock_clone(struct sock *from, struct stack *st, struct sock **out, struct ip_endpoint *local);

/** A dead socket of which only options and the last error will be asked: it gives up its port
 * and is not counted or listed any more. */
void sock_retire(struct sock *s);

/** Reset the connection now (RFC 9293 §3.10.5) and drop the handle. */
void sock_abort(struct sock *s, uint64_t now);

/** shutdown(2) with SHUT_RD, SHUT_WR or SHUT_RDWR. -ENOTCONN, -EINVAL. */
int sock_shutdown(struct sock *s, int how, uint64_t now);

/* --- names and connections
 * -------------------------------------------------------------------------------- */

/** bind(2). Port 0 picks one, with IP_BIND_ADDRESS_NO_PORT later. -EINVAL (bound already),
 * -EADDRINUSE, -EADDRNOTAVAIL. */
int sock_bind(struct sock *s, const struct ip_endpoint *local, uint64_t now);

/** listen(2); binds to an ephemeral port when unbound; may be called again to change the backlog.
 * -EINVAL, -EADDRINUSE. */
int sock_listen(struct sock *s, int backlog, uint64_t now);

/**
 * connect(2), never blocking: -EINPROGRESS when the SYN is on its way, then -EALREADY, then 0 once,
 * then -EISCONN. -ENOBUFS (the owner's memory is used up), -ENETUNREACH, -EADDRNOTAVAIL,
 * -EADDRINUSE, -EOPNOTSUPP (listener), -EINVAL, the pending error. A broadcast or multicast
 * destination is -ENETUNREACH, as Linux answers.
 */
int sock_connect(struct sock *s, const struct ip_endpoint *remote, uint64_t now);

/**
 * What a connect() that has ended has still to say, as the next connect() would: 0, a negative
 * errno value, once; 1: nothing.
 */
int sock_connect_result(struct sock *s);

/**
 * Several stacks on one address: do sockets of `other` keep `s`, which is of another stack, from
 * having this name, or listening there?
 */
bool sock_conflicts(struct stack *other, const struct sock *s, const struct ip_endpoint *local);
/** Several stacks: a socket in another one with the options, the name and the port of `from`, which
 * is to be closed then. As sock_create(), -EADDRINUSE. */
int sock_duplicate(struct sock *from, struct stack *st, struct sock **out, uint64_t now);
/** Several stacks: the listener `from` in another one of them, which takes the connections there.
 * As sock_create(), -EADDRINUSE. */
int sock_replicate(struct sock *from, struct stack *st, struct sock **out, uint64_t now);
/**
 * Several stacks: in which one this socket would have to be to connect there; -1: anywhere, its
 * port is not chosen yet, or it cannot connect.
 */
int sock_connects_in(const struct sock *s, const struct ip_endpoint *remote);

/** accept(2): 0 and *out, -EAGAIN, -EINVAL (not listening). */
int sock_accept(struct sock *s, struct sock **out, uint64_t now);

/** Connections that were taken with sock_accept() but that no program has received yet: they count
 * as backlog. */
void sock_accept_held(struct sock *s, uint32_t n);

/** Several stacks: what waits for one program in all of them, relaxed atomics. */
struct sock_backlog {
    uint32_t accepted; /**< established, not yet taken with sock_accept(); the stacks count */
    uint32_t held;     /**< taken, not yet received; the host counts */
};
/** From now on this listener counts there, and this is what its backlog limits; NULL: alone again.
 */
void sock_share_backlog(struct sock *s, struct sock_backlog *common);

/** Local address: unspecified before bind. Always 0. */
int sock_getsockname(const struct sock *s, struct ip_endpoint *out);
/** Remote address; -ENOTCONN. */
int sock_getpeername(const struct sock *s, struct ip_endpoint *out);

/* --- data
 * -------------------------------------------------------------------------------------------------
 */

/**
 * sendmsg(2) with MSG_MORE, MSG_EOR, MSG_OOB (the last byte is urgent), MSG_DONTWAIT, MSG_NOSIGNAL
 * understood; other flags -EOPNOTSUPP. Returns bytes accepted (short when the buffer filled up), or
 * -EAGAIN, -EPIPE (raise SIGPIPE unless MSG_NOSIGNAL), -ENOTCONN never (Linux answers EPIPE), or
 * the pending error.
 */
ssize_t sock_sendmsg(struct sock *s, const struct iovec *iov, int iovcnt, int flags, uint64_t now);

/**
 * Where the next bytes to send may be put: up to `want` bytes in up to four spans. Returns the
 * number of bytes that fit now (0: no space, SOCK_EV_WRITABLE will come), or -EPIPE, -EAGAIN (still
 * connecting), or the pending error (kept). The spans stay valid until the next call on this socket
 * or stack_run().
 */
ssize_t sock_send_spans(struct sock *s, size_t want, struct iovec out[4], int *n_spans);

/**
 * A flag of sock_send_commit(), in the place of Linux's MSG_BATCH: the writer is likely to go on at
 * once. Nothing is sent before the next stack_run(); then full segments go, and one behind them
 * that more bytes could fill waits for the run after it (Linux: auto-corking, with the device's
 * queue in the place of the run).
 */
#define SOCK_SEND_BATCH 0x40000

/** The first n bytes of the spans have been filled: they are sent as by sock_sendmsg() with
 * `flags`. Returns n. */
ssize_t sock_send_commit(struct sock *s, size_t n, int flags, uint64_t now);

/** Bytes that could be accepted now (0 when not connected). */
size_t sock_send_space(const struct sock *s);

/**
 * recvmsg(2) with MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, and MSG_OOB: the urgent byte, -EINVAL when
 * there is none, it was taken or SO_OOBINLINE is set, -EAGAIN when it is announced but not here.
 * Other reads stop at the urgent mark, then skip the byte. Returns bytes, 0 at the end of the
 * stream, -EAGAIN, -ENOTCONN, or the pending error (taken, once).
 */
ssize_t sock_recvmsg(struct sock *s, const struct iovec *iov, int iovcnt, int flags, uint64_t now);

/**
 * The bytes that are in order, as up to four spans; returns their number (0: none now). They end at
 * the urgent mark; at the mark (sock_at_mark) they are the urgent byte alone.
 */
size_t sock_recv_spans(const struct sock *s, struct iovec out[4], int *n_spans);

/**
 * n bytes of the spans were moved to the program's own buffer, where `held` bytes in all are still
 * unread. The receive window counts them as unread. Call it again with n = 0 when `held` falls.
 */
void sock_recv_consume(struct sock *s, size_t n, size_t held, uint64_t now);

/** Would the peer be told something if what the program's own buffer holds were read now: is an
 * acknowledgement owed to the reading, or half of the window used? Until then it may be told late.
 */
bool sock_awaits_reader(const struct sock *s);

/** The next byte to read is the urgent one, or will be when it is here (SIOCATMARK). */
bool sock_at_mark(const struct sock *s);

/** A reader should wake: SO_RCVLOWAT bytes are here, or no more can come (FIN, a shut window, want
 * of memory). */
bool sock_readable(const struct sock *s);

/** Bytes that a read would return now, up to the urgent mark (SIOCINQ). */
size_t sock_inq(const struct sock *s);

/** True when the peer's FIN was received and every byte before it was consumed. */
bool sock_recv_eof(const struct sock *s);

/** Bytes not yet acknowledged by the peer (SIOCOUTQ). */
size_t sock_unacked(const struct sock *s);

/* --- storage that the host shares with the program (sock/share.c)
 * ----------------------------------------- */

enum sock_way { SOCK_SENDS, SOCK_RECEIVES };

/** Where such a connection's bytes lie, one set of functions for both ways. */
struct sock_storage {
    /** `size` bytes (a power of two, 4 KiB to 16 MiB), aligned to 4096, or NULL. No two of one way
     * have one size at a time. Each belongs to the core until put(). */
    void *(*get)(void *ctx, enum sock_way way, uint32_t size);
    void (*put)(void *ctx, enum sock_way way, void *base, uint32_t size);
    /** Nothing is left and nothing will be asked for; may come long after the handle is gone. */
    void (*done)(void *ctx);
    void *ctx;
};

/**
 * Move both streams into such storage, of at least `least` bytes each way (SOCK_SENDS,
 * SOCK_RECEIVES). From now on the positions below may be used, and an idle connection keeps its
 * storage until sock_give_back(). -EALREADY, -ENOTCONN (not established), -ENOMEM: nothing has
 * changed.
 */
int sock_share(struct sock *s, const struct sock_storage *storage, const uint32_t least[2]);

/** What lies where: offsets of the stream below `boundary` in the extent of size[0], the others in
 * that of size[1], each at offset & (size - 1). Alone, the first has all (boundary: UINT64_MAX). */
struct sock_extents {
    uint64_t boundary;
    uint32_t size[2];
};
void sock_extents(const struct sock *s, enum sock_way way, struct sock_extents *out);

/** The stream offset of the next byte: to be sent; to be read by the program. */
uint64_t sock_position(const struct sock *s, enum sock_way way);
/** Bytes below this offset are here, in order. */
uint64_t sock_arrived(const struct sock *s);
/** Nothing will come behind them: the peer's FIN is here. */
bool sock_peer_closed(const struct sock *s);
/** Bytes below this offset have been acknowledged by the peer. */
uint64_t sock_acked(const struct sock *s);
/** SOCK_EV_ACKED will come, once, when that next moves; only for shared storage. */
void sock_want_acked(struct sock *s);

/**
 * The program may put bytes to send at offsets below the result, which is never less than
 * `granted`, the result of last time (at first: sock_position()). They are sent by
 * sock_send_commit(). When it leaves no room, SOCK_EV_WRITABLE will come.
 */
uint64_t sock_send_grant(struct sock *s, uint64_t granted);

/** sock_send_commit() will take all that was granted; false: the connection is over or shut, as an
 * event says, or want of memory, and SOCK_EV_WRITABLE will come. */
bool sock_send_ready(struct sock *s);

/** Bytes that the peer may have under way or unread with us. */
size_t sock_recv_room(const struct sock *s);

/** Nothing is unread, nothing is unacknowledged. */
bool sock_idle(struct sock *s);
/** Is there any to give back? */
bool sock_holds_storage(const struct sock *s);
/** An idle connection's storage goes back; nothing that was granted may be in use. */
void sock_give_back(struct sock *s);

/* --- state and options
 * ------------------------------------------------------------------------------------ */

/** Readiness in poll(2) bits (POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR, POLLPRI). */
uint32_t sock_poll(const struct sock *s);

/** The pending error as a positive errno value, 0 for none; take: clear it, as getsockopt(SO_ERROR)
 * does. */
int sock_error(struct sock *s, bool take);

/** setsockopt(2): -ENOPROTOOPT for what this stack does not have, -EINVAL, -EDOM. List in
 * proto/sock/options.def. */
int sock_setsockopt(struct sock *s, int level, int name, const void *value, size_t len,
                    uint64_t now);

/** getsockopt(2): *len is room on entry and length on return. */
int sock_getsockopt(struct sock *s, int level, int name, void *value, size_t *len, uint64_t now);

/** A step of the host's, if the socket's connection is traced (proto/trace.h). */
void sock_trace(struct sock *s, enum trace_event event, enum trace_why why, uint32_t a, uint32_t b,
                uint32_t c);

void sock_get_info(struct sock *s, struct sock_info *out, uint64_t now);

#endif
