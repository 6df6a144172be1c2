/* SPDX-License-Identifier: MIT */
/*
 * The control protocol: what a program and the daemon say to each other over a SOCK_SEQPACKET UNIX
 * socket.
 *
 * One message is one request or one reply: a fixed header, then a body that the operation names,
 * native byte order (both sides share one machine). Most requests concern a socket and carry that
 * socket's descriptor (SCM_RIGHTS): holding it is the right to use it, there are no ids. A request
 * acts at a stream position: after all bytes that were written to the descriptor before it. Every
 * length is checked before use; a malformed message ends the connection. Documented in
 * tapstack-ipc(7).
 */
#ifndef TS_IPC_WIRE_H
#define TS_IPC_WIRE_H

#include <stdint.h>

#define WIRE_MAGIC   0x74735031u /* "tsP1" */
#define WIRE_VERSION 1
/** The largest message, either way. */
#define WIRE_MAX         4096
#define WIRE_SOCKET_PATH "/run/tapstack/tapstack.sock"
/** The environment variable that names the control socket. */
#define WIRE_SOCKET_ENV "TAPSTACK_SOCKET"

enum wire_op {
#define WIRE_OP(name, number, fd, help) WIRE_OP_##name = number,
#include "ipc/ops.def"
#undef WIRE_OP
};

/* header.flags */
#define WIRE_REPLY    (1u << 0) /**< daemon to program */
#define WIRE_NO_REPLY (1u << 1) /**< request: no answer is wanted; errors are dropped */
#define WIRE_WAIT                                                                                  \
    (1u << 2) /**< request: answer when the operation has ended, not when it has begun */
#define WIRE_MORE (1u << 3) /**< reply: another one with the same id follows */

struct wire_header {
    uint32_t magic;
    uint16_t version;
    uint16_t op;
    uint32_t id; /**< chosen by the program, echoed in the reply */
    uint32_t flags;
    int32_t error; /**< reply: 0 or a positive errno value; request: 0 */
    uint32_t len;  /**< bytes of the body that follows; the message is exactly this long */
};

/** An address as it travels: sixteen bytes, IPv4 v4-mapped; port in host order. */
struct wire_addr {
    uint8_t addr[16];
    uint16_t port;
    uint16_t reserved;
};

#define WIRE_EXCEPT_ROOM 512

struct wire_hello {
    uint32_t pid;
    uint32_t mtu;
    struct wire_addr address;
    uint8_t prefix_len;
    uint8_t reserved[3];
    char version[32];
    char interface[16];
    char except[WIRE_EXCEPT_ROOM]; /**< what the configuration leaves to the kernel (ipc/scope.h) */
};

struct wire_socket {
    int32_t family;   /**< AF_INET or AF_INET6 */
    int32_t type;     /**< SOCK_STREAM with SOCK_NONBLOCK and SOCK_CLOEXEC */
    int32_t protocol; /**< 0 or IPPROTO_TCP */
};

struct wire_listen {
    int32_t backlog;
};

struct wire_option {
    int32_t level, name;
    uint32_t len; /**< get: room wanted; set: bytes of value */
    uint8_t value[256];
};

struct wire_mark {
    int64_t count; /**< bytes; negative: that many of the last mark were not written after all */
    uint32_t flags;
    uint32_t reserved;
};

/** Reasons why a connection did not send: as many as proto/tcp/stops.def has, checked by a static
 * assertion in the daemon. */
#define WIRE_STOPS 10

/** Where a connection's bytes lie, and who pays for them. */
struct wire_memory {
    uint32_t sndbuf, rcvbuf;             /**< what it may have */
    uint32_t send_extents, recv_extents; /**< what it has of the daemon's memory */
    uint32_t out_of_order;               /**< bytes received behind a hole */
    uint32_t pair_unread;                /**< bytes in the descriptor: to the program, */
    uint32_t pair_untaken;               /**< and from it */
    uint32_t reserved;
    uint64_t account_used, account_limit; /**< of its user; no limit: 0 */
};

struct wire_info {
    uint8_t state; /**< Linux's numbering: 1 ESTABLISHED … 10 LISTEN, 11 CLOSING, 12 reserved */
    uint8_t has_handle;
    uint8_t dual; /**< the local address is the wildcard of both families */
    uint8_t reserved[5];
    struct wire_addr local, remote;
    uint32_t recv_queue, send_queue;
    uint64_t id;
    uint64_t timer_us;
    char timer[16];
    char state_name[16];
    uint32_t pid, uid; /**< of the process that made the socket, by SO_PEERCRED */
    uint64_t inode;    /**< of the program's descriptor, as in /proc/PID/fd; 0: it has none */
    char congestion[16];
    struct wire_memory memory;
    uint64_t stops[WIRE_STOPS];
    char stop_names[WIRE_STOPS][16];
    uint32_t tcp_info_len;
    uint8_t tcp_info[320]; /**< Linux's struct tcp_info */
};

/** wire_counter.kind */
#define WIRE_COUNTER 0 /**< only goes up */
#define WIRE_GAUGE   1 /**< as it is now */

struct wire_counter {
    uint64_t value;
    uint32_t kind;
    uint32_t reserved;
    char name[48];
    char help[160];
};

/** A tunable, both ways. Strings end with NUL. */
struct wire_tunable {
    uint32_t index;
    uint32_t reserved;
    char name[64]; /**< Linux's sysctl name */
    char value[96];
    char unit[16];
    char help[168];
    int64_t min, max; /**< reply: its range */
};

/** Where a setting came from. */
enum wire_source { WIRE_FROM_DEFAULT, WIRE_FROM_FILE, WIRE_FROM_COMMAND_LINE, WIRE_FROM_SET };

/* wire_setting.flags */
#define WIRE_SETTING_LIVE     (1u << 0) /**< a reload puts it in force */
#define WIRE_SETTING_RELOADED (1u << 1) /**< and one did */
#define WIRE_SETTING_PENDING  (1u << 2) /**< a restart would give it another value */
#define WIRE_SETTING_OLD_LINE (1u << 3) /**< `line` is one of the file before the last reload */

/** CONFIG: one setting. Strings end with NUL; longer ones are cut off. */
struct wire_setting {
    uint32_t flags;
    uint32_t source, line;                 /**< line: of the file */
    uint32_t pending_source, pending_line; /**< of what a restart would put in force */
    uint32_t reserved;
    uint64_t least, most; /**< the range of a number; both 0: no number */
    char section[80];     /**< of the file: "tapstack", "sysctl", "user NAME", "group NAME" */
    char name[64];
    char argument[16]; /**< its type, as the manual writes it */
    char unit[16];
    char value[1100];   /**< in force; "" for none */
    char pending[1100]; /**< with WIRE_SETTING_PENDING */
    char fallback[128]; /**< the default; "": the help says what holds */
    char help[200];
    char file[512]; /**< the configuration file; "": the daemon has none */
};

enum wire_notice_kind { WIRE_NOTICE_FAULT, WIRE_NOTICE_CHANGED, WIRE_NOTICE_RESTART };

/** RELOAD: with a fault nothing has changed. */
struct wire_notice {
    uint32_t kind;
    uint32_t reserved;
    char text[1016];
};

/** What one record of a listener's descriptor says; the connection's descriptor comes with it. */
struct wire_accept {
    uint32_t magic;
    uint32_t reserved;
    struct wire_addr local, remote;
};

/** RING_ATTACH: how large the first extents shall be at least. */
struct wire_ring {
    uint32_t send_size, recv_size; /**< bytes; 0: as the daemon thinks best */
};

/** An instruction of a classic BPF program (bpf(4)). */
struct wire_filter {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};

#define WIRE_FILTER_MAX 480

/** CAPTURE: which frames, and how much of them (ipc/capture.h). */
struct wire_capture {
    uint32_t snaplen;   /**< bytes of each frame; 0: all */
    uint32_t ring;      /**< bytes, a power of two */
    uint32_t direction; /**< CAPTURE_IN and CAPTURE_OUT */
    uint32_t count;     /**< of instructions; 0: all frames. The message ends after them. */
    struct wire_filter filter[WIRE_FILTER_MAX];
};

/** A connection, as INFO and LIST name it. */
struct wire_id {
    uint64_t id;
};

/** What a sender may wait for: as many as proto/tcp/chronos.def has, and nothing. */
#define WIRE_CHRONOS 11

struct wire_figures {
    struct wire_info info;
    uint64_t age_us;               /**< since it was established; 0: it was not */
    uint64_t waited[WIRE_CHRONOS]; /**< microseconds; of the first, "idle", 0 */
    char waited_names[WIRE_CHRONOS][16];
    uint64_t reader_us;  /**< while half of the receive buffer's window was full of unread bytes */
    uint64_t max_window; /**< the largest that the peer has offered */
    uint32_t sndbuf, rcvbuf;
    uint32_t rcv_wnd, total_rto; /**< of struct tcp_info, which older headers lack */
    uint8_t nodelay, sndbuf_fixed, rcvbuf_fixed, slow_start;
    uint32_t reserved;
    char algorithm[16];
};

/** Which connection is to be traced, and into how large a file. */
struct wire_trace {
    uint64_t id; /**< 0: the next one that is opened, by either side, and fits: */
    struct wire_addr local, remote; /**< all zero address: any; port 0: any */
    uint16_t port;                  /**< of either side; 0: any */
    uint16_t reserved[3];
    uint32_t events; /**< that are kept, 0: 65536; at most TRACEFILE_MOST (ipc/tracefile.h) */
    uint32_t reserved2;
};

/** What "SIOCOUTQ" answers. */
struct wire_outq {
    uint64_t unacked; /**< written by the program and not acknowledged by the peer */
    uint64_t unsent;
};

#endif
