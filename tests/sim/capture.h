/* SPDX-License-Identifier: MIT */
/* A capture of both sides of a simulated wire, in memory until a failing test wants it as a pcapng
 * file. */
#ifndef TS_TESTS_SIM_CAPTURE_H
#define TS_TESTS_SIM_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

struct capture;

struct capture *capture_new(unsigned n_interfaces);
void capture_free(struct capture *c);

/** Note a frame that interface `i` sent (out) or received. Only its beginning is kept. */
void capture_add(struct capture *c, unsigned i, bool out, uint64_t now, const uint8_t *data,
                 uint32_t len);

/** 0, or a negative errno value. */
int capture_write(const struct capture *c, const char *path);

#endif
