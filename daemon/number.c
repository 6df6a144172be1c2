/* SPDX-License-Identifier: MIT */
/* Numbers of the configuration; see number.h. */
#include "daemon/number.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool number_parse(const char *text, bool suffixes, uint64_t max, uint64_t *out)
{
    static const char units[] = "KMG";
    const char *unit;
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno)
        return false;
    unit = suffixes && *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        int shift = 10 * (int)(unit - units + 1);
        if (*out > UINT64_MAX >> shift)
            return false;
        *out <<= shift;
        end++;
    }
    return !*end && *out <= max;
}

void number_format(uint64_t n, char *out, size_t room)
{
    static const char *const units[] = {"", "K", "M", "G"};
    int unit = 0;

    for (; unit < 3 && n && n % 1024 == 0; unit++)
        n /= 1024;
    snprintf(out, room, "%" PRIu64 "%s", n, units[unit]);
}
