/* SPDX-License-Identifier: MIT */
/*
 * The policy table: what a user, or the members of a group, may bind and connect to, and how many
 * sockets and how much memory each of them may have. Sections of the configuration file, in its
 * order:
 *
 *   [user www-data]                  [group guests]
 *   bind = :80, :443                 connect = 10.0.0.0/8:80
 *   connect = 10.0.0.0/8             connections = 100
 *   memory = 64M                     memory = 4M
 *   capture = yes
 *
 * The first section of a user wins over those of his groups, of which the first one counts. `bind`
 * and `connect` are lists as in ipc/scope.h; without one of them, and for who has no section, the
 * defaults hold: every address, every destination, ports below 1024 for root. A list of `bind`
 * names all ports that may be chosen, also those below 1024; port 0, any free one, is always
 * allowed.
 */
#ifndef TS_DAEMON_RIGHTS_H
#define TS_DAEMON_RIGHTS_H

#include "ipc/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RIGHTS_LIST_ROOM 1024

struct rights {
    struct rights *next;
    bool of_group;
    uint32_t id; /**< of the user or group */
    char name[64];
    bool limits_bind, limits_connect;
    char bind[RIGHTS_LIST_ROOM], connect[RIGHTS_LIST_ROOM];
    uint32_t connections; /**< 0: the default */
    bool capture;         /**< may see the frames of everybody */
    uint64_t memory;      /**< bytes for connections and their buffers; 0: no limit but the whole */
};

/** Is this the name of a section of the table? */
bool rights_is_section(const char *section);

/** One line of a section. 0, or -EINVAL with a message of at most `room` characters. */
int rights_set(struct rights **table, const char *section, const char *name, const char *value,
               char *error, size_t room);
void rights_free(struct rights **table);

/** The section of this user, or the first one of his groups; NULL: the defaults. */
const struct rights *rights_find(const struct rights *table, uid_t uid, const gid_t *groups,
                                 size_t n_groups);

/** What sock_set_quota() needs. `r` may be NULL, here and below. */
uint64_t rights_memory(const struct rights *r);

bool rights_may_bind(const struct rights *r, uid_t uid, const struct wire_addr *a);
bool rights_may_connect(const struct rights *r, const struct wire_addr *a);

#endif
