/* SPDX-License-Identifier: MIT */
/*
 * The settings: from the command line, and from a configuration file (daemon/config_file.h) with
 * the same names. The command line wins. Everything is checked here, and where each value came from
 * is kept beside it.
 */
#ifndef TS_DAEMON_CONFIG_H
#define TS_DAEMON_CONFIG_H

#include "daemon/faults.h"
#include "daemon/names.h"
#include "daemon/number.h"
#include "daemon/rights.h"
#include "daemon/rto_min.h"
#include "ipc/wire.h"
#include "proto/stack.h"

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_MTU_MIN 576
/** What the kernel allows a TAP: 65535 with the Ethernet header. */
#define CONFIG_MTU_MAX 65521
/** Threads that may be asked for. */
#define CONFIG_WORKERS_MAX 64
#define CONFIG_ERROR       FAULT_TEXT
/** Room for the text of any value. */
#define CONFIG_VALUE PATH_MAX
/** Where `--check-config` and the packages look. */
#define CONFIG_PATH "/etc/tapstack/tapstackd.conf"

enum config_key_id {
#define OPTION(key, id, type, argument, def, least, most, unit, when, help) CONFIG_##id,
#define SWITCH(option, key, value, help)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
    CONFIG_KEYS
};

enum config_source {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_COMMAND_LINE,
    CONFIG_FROM_SET /**< `tapstack set` */
};

/** Where a value came from. */
struct config_origin {
    enum config_source source;
    bool reloaded; /**< a reload put it in force */
    bool old_line; /**< `line` is of the file before the last reload */
    unsigned line; /**< of the file */
};

struct config {
    char tap[IFNAMSIZ];
    struct ip_prefix address;
    struct ip_prefix host_address;
    struct ip_addr gateway;
    uint8_t mac[6];
    uint32_t mtu;
    char socket[108];
    char capture[PATH_MAX];
    bool offload;
    bool io_uring;
    char user[64];
    uint64_t memory;
    uint32_t max_sockets;
    uint32_t busy_poll_us;
    uint32_t workers;
    char except[WIRE_EXCEPT_ROOM]; /**< for `tapstack run`, ipc/scope.h */
    char rto_min[RTO_MIN_ROOM];    /**< by destination, daemon/rto_min.h */
    uint32_t socket_mode;
    gid_t socket_group;
    uint32_t log_level; /**< enum log_level */
    struct config_origin from[CONFIG_KEYS];
    struct rights *rights;               /**< the sections [user …] and [group …] */
    struct stack_tunables *tunables;     /**< the section [sysctl] over the defaults */
    struct config_origin *tunables_from; /**< by the tunable's index */
    const struct names *names;           /**< whom the setters ask */
    const char *path;                    /**< of the file, or NULL; not owned */
};

/** One line of config.def. */
struct config_key {
    const char *name, *argument, *fallback, *unit, *help;
    uint64_t least, most; /**< of a number; both 0 for other types */
    bool live;            /**< a reload puts it in force */
    size_t offset, size;  /**< in struct config */
};
extern const struct config_key config_keys[CONFIG_KEYS];

/** All at their defaults. 0 or -ENOMEM. config_free() takes the memory back. */
int config_init(struct config *c);
void config_free(struct config *c);

/** The index of a key, or -1. */
int config_find(const char *name);

/** Was it given, or is it the default that holds? */
static inline bool config_has(const struct config *c, enum config_key_id id)
{
    return c->from[id].source != CONFIG_FROM_DEFAULT;
}

/** One setting. 0, or -EINVAL with a message (without a newline) in `error`: the value stays as it
 * was, but counts as given. */
int config_set(struct config *c, const char *name, const char *value, struct config_origin from,
               char error[CONFIG_ERROR]);

/** The value as text that config_set() takes; "" when there is none. */
void config_format(const struct config *c, enum config_key_id id, char out[CONFIG_VALUE]);

/** Does a second line of the file add to the value, as with a list? Then `out` is both together,
 * for config_set() to judge. */
bool config_adds(const struct config *c, enum config_key_id id, const char *value,
                 char out[CONFIG_VALUE]);

/** Let the value of `from`, with its origin, be that of `to`. */
void config_copy(struct config *to, const struct config *from, enum config_key_id id);

/** Do the settings fit together, and is what must be given there? Adds to the faults. */
void config_check(const struct config *c, struct faults *faults);

#endif
