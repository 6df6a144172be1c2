/* SPDX-License-Identifier: MIT */
/* Windowed minimum and maximum: three samples stand for the window. */
#include "proto/base/minmax.h"

uint32_t minmax_reset(struct minmax *m, uint32_t at, uint32_t value)
{
    m->s[0] = m->s[1] = m->s[2] = (struct minmax_sample){at, value};
    return value;
}

/* The best has grown too old, or a part of the window has passed without a better second or third:
 * then the newest sample stands in, so that the filter never runs dry. */
static uint32_t age(struct minmax *m, uint32_t window, struct minmax_sample now)
{
    uint32_t passed = now.at - m->s[0].at;

    if (passed > window) {
        m->s[0] = m->s[1];
        m->s[1] = m->s[2];
        m->s[2] = now;
        if (now.at - m->s[0].at > window) {
            m->s[0] = m->s[1];
            m->s[1] = m->s[2];
        }
    } else if (m->s[1].at == m->s[0].at && passed > window / 4) {
        m->s[2] = m->s[1] = now;
    } else if (m->s[2].at == m->s[1].at && passed > window / 2) {
        m->s[2] = now;
    }
    return m->s[0].value;
}

uint32_t minmax_running_min(struct minmax *m, uint32_t window, uint32_t at, uint32_t value)
{
    struct minmax_sample now = {at, value};

    if (value <= m->s[0].value || at - m->s[2].at > window)
        return minmax_reset(m, at, value);
    if (value <= m->s[1].value)
        m->s[2] = m->s[1] = now;
    else if (value <= m->s[2].value)
        m->s[2] = now;
    return age(m, window, now);
}

uint32_t minmax_running_max(struct minmax *m, uint32_t window, uint32_t at, uint32_t value)
{
    struct minmax_sample now = {at, value};

    if (value >= m->s[0].value || at - m->s[2].at > window)
        return minmax_reset(m, at, value);
    if (value >= m->s[1].value)
        m->s[2] = m->s[1] = now;
    else if (value >= m->s[2].value)
        m->s[2] = now;
    return age(m, window, now);
}
