/* SPDX-License-Identifier: MIT */
/*
 * Which number a user or a group has. The machine is asked (getpwnam(3)) while the daemon starts;
 * later its system call filter forbids that, and the process that reads the file again sends a list
 * along (daemon/reread.h).
 */
#ifndef TS_DAEMON_NAMES_H
#define TS_DAEMON_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names {
    bool (*find)(const struct names *names, const char *name, bool of_group, uint32_t *id);
};

/** The machine's users and groups. For one thread only. */
extern const struct names names_of_machine;

/** A list of them: "u 1000 alice\ng 27 sudo\n". */
struct names_list {
    struct names names; /**< first */
    char *text;
    size_t len;
};

/** Take over `text`, from malloc(3), NUL-terminated; it is freed with the list. NULL: an empty one.
 */
void names_list_init(struct names_list *list, char *text);
/** One more entry. False: no memory. */
bool names_list_add(struct names_list *list, const char *name, bool of_group, uint32_t id);
void names_list_free(struct names_list *list);

/** A number, or a name that is looked up. False: there is none. */
bool names_id(const struct names *names, const char *name, bool of_group, uint32_t *id);

#endif
