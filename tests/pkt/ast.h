/* SPDX-License-Identifier: MIT */
/* A parsed script: options, then events in order (docs/scripts.md). */
#ifndef TS_TESTS_PKT_AST_H
#define TS_TESTS_PKT_AST_H

#include "tests/pkt/arena.h"
#include "tests/pkt/packet.h"

enum expr_kind {
    EXPR_ANY,    /**< ... */
    EXPR_NUMBER, /**< a number, or names and numbers joined by | */
    EXPR_STRING,
    EXPR_LIST,   /**< [a, b] */
    EXPR_STRUCT, /**< {name=value, value, …} */
    EXPR_CALL,   /**< htons(8080), inet_addr("…") */
};

struct expr {
    enum expr_kind kind;
    int64_t number;
    const char *name; /**< of a field in a struct, or of the function */
    const char *text; /**< EXPR_STRING; EXPR_NUMBER that is one unknown name */
    struct expr *items, *next;
    int n_items;
    const char *function;
};

/** The field of that name, NULL: none. */
const struct expr *expr_field(const struct expr *e, const char *name);
/** The i-th item or argument, NULL: none. */
const struct expr *expr_item(const struct expr *e, int i);

enum time_kind { TIME_NONE, TIME_ABSOLUTE, TIME_RELATIVE, TIME_ANY };

struct when {
    enum time_kind kind;
    bool range;         /**< start~end: happens in between */
    bool blocking;      /**< start...end: a call that begins and ends then */
    int64_t start, end; /**< microseconds */
};

enum event_kind { EVENT_PACKET, EVENT_CALL, EVENT_COMMAND, EVENT_CODE };

struct call_spec {
    const char *name;
    struct expr *args; /**< a list */
    int n_args;
    bool any_result;
    int64_t result;
    int error; /**< expected errno, 0: not said */
};

struct event {
    enum event_kind kind;
    struct when when;
    int line;
    const char *text; /**< as it stands in the script */
    struct pkt_packet *packet;
    struct call_spec call;
    const char *command; /**< of `…` or %{…}% */
    struct event *next;
};

struct script {
    const char *path, *name;
    int64_t tolerance_us, ts_tick_us; /**< 0: not given */
    uint32_t mtu;
    uint32_t local_ip, gateway_ip, remote_ip; /**< host byte order */
    uint32_t remote_isn;
    uint16_t bind_port, connect_port;
    const char *virtual_only, *kernel_differs; /**< reasons, NULL: none */
    struct event *events;
    int n_events;
};

/** Parse a script. Returns it, or NULL with *error set to "line N: …". */
struct script *script_parse(struct arena *a, const char *path, const char *source,
                            const char **error);

#endif
