/* SPDX-License-Identifier: MIT */
/*
 * The settings: from the command line, and from a configuration file (INI, section [tapstack]) with
 * the same names. The command line wins. Everything is checked here; messages name the file and
 * line, or the option.
 */
#ifndef TS_DAEMON_CONFIG_H
#define TS_DAEMON_CONFIG_H

#include "daemon/rights.h"
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
#define CONFIG_ERROR   256
#define CONFIG_WORKERS_MAX 64

struct config {
    char tap[IFNAMSIZ];
    struct ip_prefix address;
    bool has_host_address;
    struct ip_prefix host_address;
    bool has_gateway;
    struct ip_addr gateway;
    bool has_mac;
    uint8_t mac[6];
    uint32_t mtu;
    char socket[108];
    char capture[PATH_MAX];
    bool offload;
    char user[64];
    uint64_t memory;
    uint32_t max_sockets;
    uint32_t busy_poll_us;
    uint32_t workers;
    char except[WIRE_EXCEPT_ROOM]; /**< for `tapstack run`, ipc/scope.h */
    bool verbose;
    bool has_address;
    uint32_t socket_mode;
    bool has_socket_group;
    gid_t socket_group;
    struct rights *rights; /**< the sections [user …] and [group …] */
};

void config_init(struct config *c);

/** One setting. 0, or -EINVAL with a message (without a newline) in `error`. */
int config_set(struct config *c, const char *name, const char *value, char error[CONFIG_ERROR]);

/** A configuration file. 0, or a negative errno value with a message that names file and line. */
int config_load(struct config *c, const char *path, char error[CONFIG_ERROR]);

/** Do the settings fit together, and is what must be given there? 0, or -EINVAL with a message. */
int config_check(const struct config *c, char error[CONFIG_ERROR]);

/** The settings' names, NULL at the end. */
extern const char *const config_names[];

#endif
