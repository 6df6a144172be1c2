/* SPDX-License-Identifier: MIT */
/*
 * What is to be known of a listener when its daemon is gone: its backlog and the options that were
 * set. The daemon's end of the pair has it as its abstract name, which getpeername(2) still tells
 * then:
 *
 *     "\0tl:" id (8 bytes) backlog (4) { option (1) length (1) value }…
 *
 * A name can be given once only, so this is a memory of the time when it was given.
 */
#ifndef TS_IPC_MEMO_H
#define TS_IPC_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/** What is kept, by its place in the list. */
extern const struct memo_option {
    int level, name;
    bool doubled; /**< getsockopt(2) tells twice what setsockopt(2) was given */
} memo_options[];
extern const size_t memo_n_options;

/** Longest value. */
#define MEMO_VALUE_MAX 16

struct memo {
    struct sockaddr_un name;
    socklen_t len;
};

/** Begin a name; `id` makes it one of its kind. */
void memo_begin(struct memo *m, uint64_t id, int backlog);
/** Add an option; false: no room. */
bool memo_add(struct memo *m, size_t option, const void *value, size_t len);

/** The name of the other end of `fd`. false: it has none of this kind. errno is preserved. */
bool memo_read(int fd, struct memo *m);
int memo_backlog(const struct memo *m);
/** The options in turn, *at being 0 at first: the option's place in the list, or -1 at the end. */
int memo_next(const struct memo *m, size_t *at, uint8_t value[MEMO_VALUE_MAX], size_t *len);

#endif
