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
 * allowed. The section [user *] holds for everybody without a section, and, in the others, for what
 * they do not name.
 */
#ifndef TS_DAEMON_RIGHTS_H
#define TS_DAEMON_RIGHTS_H

#include "daemon/names.h"
#include "ipc/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RIGHTS_LIST_ROOM 1024

enum rights_key {
#define RIGHT(name, argument, least, most, unit, help) RIGHT_##name,
#include "daemon/rights.def"
#undef RIGHT
    RIGHTS
};

struct rights {
    struct rights *next;
    bool of_group;
    bool everybody;         /**< [user *] */
    uint32_t id;            /**< of the user or group */
    char section[72];       /**< "user NAME" */
    unsigned line;          /**< of the file, where the section begins */
    unsigned lines[RIGHTS]; /**< where its settings stand; 0: it does not have it */
    bool limits_bind, limits_connect;
    char bind[RIGHTS_LIST_ROOM], connect[RIGHTS_LIST_ROOM];
    uint32_t connections; /**< 0: the default */
    bool capture;         /**< may see the frames of everybody */
    uint64_t memory;      /**< bytes for connections and their buffers; 0: no limit but the whole */
};

/** One line of rights.def. */
struct rights_info {
    const char *name, *argument, *unit, *help;
    uint64_t least, most;
};
extern const struct rights_info rights_info[RIGHTS];

/** Is this the name of a section of the table? */
bool rights_is_section(const char *section);

/**
 * The section of this name, made at the end of the table if it is new. `error` has `room`, and is
 * empty unless there is no such user or group, or another section is his; lines can be set all the
 * same. NULL: no memory, or no such section.
 */
struct rights *rights_section(struct rights **table, const char *section, unsigned line,
                              const struct names *names, char *error, size_t room);
/** One line of a section. 0, or -EINVAL with a message of at most `room` characters. */
int rights_set(struct rights *r, const char *name, const char *value, unsigned line, char *error,
               size_t room);
/** The table is complete: what a section does not name comes from [user *]. */
void rights_finish(struct rights *table);
void rights_free(struct rights **table);

/** The value of one setting as rights_set() takes it; "" when it is not set. */
void rights_format(const struct rights *r, enum rights_key key, char *out, size_t room);

/** The section of this user, or the first one of his groups, or that of everybody; NULL: the
 * defaults. */
const struct rights *rights_find(const struct rights *table, uid_t uid, const gid_t *groups,
                                 size_t n_groups);

/** As rights_find() in another table, for who had `before`: his groups are not known any more, the
 * one whose section it was is. */
const struct rights *rights_again(const struct rights *table, uid_t uid,
                                  const struct rights *before);

/** What sock_set_quota() needs. `r` may be NULL, here and below. */
uint64_t rights_memory(const struct rights *r);

bool rights_may_bind(const struct rights *r, uid_t uid, const struct wire_addr *a);
bool rights_may_connect(const struct rights *r, const struct wire_addr *a);

#endif
