/* SPDX-License-Identifier: MIT */
/* The test programs' stream; see pattern.h. Twice the period in memory: any offset has one whole
 * period behind it. */
#include "tests/net/pattern.h"

#include <string.h>

static uint8_t table[2 * PATTERN_PERIOD];

void pattern_init(void)
{
    uint64_t x = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < PATTERN_PERIOD; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        table[i] = table[i + PATTERN_PERIOD] = (uint8_t)(x >> 32);
    }
}

const uint8_t *pattern_at(uint64_t offset, size_t *len)
{
    if (*len > PATTERN_PERIOD)
        *len = PATTERN_PERIOD;
    return table + offset % PATTERN_PERIOD;
}

int64_t pattern_differs(uint64_t offset, const uint8_t *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        size_t n = len - done, i = 0;
        const uint8_t *want = pattern_at(offset + done, &n);

        if (memcmp(data + done, want, n) != 0) {
            while (data[done + i] == want[i])
                i++;
            return (int64_t)(done + i);
        }
        done += n;
    }
    return -1;
}
