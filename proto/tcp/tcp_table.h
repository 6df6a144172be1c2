/* SPDX-License-Identifier: MIT */
/* TCP's part of the stack: tables, pools, keys, tunables. */
#ifndef TS_PROTO_TCP_TCP_TABLE_H
#define TS_PROTO_TCP_TCP_TABLE_H

#include "proto/base/account.h"
#include "proto/base/hash.h"
#include "proto/base/list.h"
#include "proto/base/pool.h"
#include "proto/base/siphash.h"

#include <stdint.h>

struct tcp_tunables {
#define TCP_TUNABLE(name, sysctl, def, min, max, unit, help) int64_t name;
#include "proto/tcp/tunables.def"
#undef TCP_TUNABLE
};

#define TCP_PORT_TABLE 256 /**< RFC 6056 algorithm 4: size of the table of offsets */

struct tcp_table {
    struct tcp_tunables tunables;
    struct hash_table by_id;     /**< all of struct tcb.id_node, by id */
    struct hash_table conns;     /**< struct tcp_conn: full connections, requests, TIME-WAIT */
    struct hash_table listeners; /**< struct sock.listen_node, by local port */
    struct hash_table binds;     /**< struct bind_bucket, by local port */
    struct hash_table accounts;  /**< struct account.node, by owner: those with a limit */
    struct account common;       /**< of all others */
    struct pool account_pool;
    struct pool tcb_pool, sock_pool, segment_pool, range_pool, request_pool, timewait_pool,
        listener_pool, bind_pool, call_pool, bbr_pool, accecn_pool, chrono_pool;
    struct siphash_key demux_key, isn_key, ts_key, port_key, cookie_key[2];
    uint32_t port_offsets[TCP_PORT_TABLE];
    struct list timewaits;  /**< struct tcp_timewait.age_link, oldest first */
    uint64_t windows_grown; /**< sum of tcb.window_grown, at most stack_config.window_budget */
    size_t window_sweep;    /**< where in by_id an idle one is looked for next */
    uint32_t n_tcbs, n_orphans, n_requests, n_timewait;
};

struct stack;
int tcp_init(struct stack *st);
void tcp_destroy(struct stack *st);

/** `bytes` of connection `owner` went into, or have left, the device's queue (small queues, send
 * path step 14). */
void tcp_device_queued(struct stack *st, uint64_t owner, uint32_t bytes);
void tcp_transmitted(struct stack *st, uint64_t owner, uint32_t bytes);

#endif
