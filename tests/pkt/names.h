/* SPDX-License-Identifier: MIT */
/* The constants of scripts (names.def): from a name to its number, and errno values back to names.
 */
#ifndef TS_TESTS_PKT_NAMES_H
#define TS_TESTS_PKT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The value of the constant with this name of n characters; false: there is none. */
bool name_find(const char *name, size_t n, int64_t *value);
/** "EAGAIN" for EAGAIN; "errno 999" for what is not in the list. */
const char *name_of_errno(int error);

#endif
