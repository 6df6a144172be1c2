/* SPDX-License-Identifier: MIT */
/*
 * Checking and running filters; see capture_filter.h. libpcap's own check knows each instruction,
 * but allows jumps backward (a program could run for ever) and does not look whether a word of
 * memory was written before it is read (it would be what our stack held): these two are ours, the
 * second as in Linux's check_load_and_stores().
 */
#include "daemon/capture_filter.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(struct wire_filter) == sizeof(struct bpf_insn) &&
                   offsetof(struct wire_filter, k) == offsetof(struct bpf_insn, k) &&
                   offsetof(struct wire_filter, jt) == offsetof(struct bpf_insn, jt),
               "the same instruction");

static bool jumps_forward(const struct wire_filter *program, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (program[i].code == (BPF_JMP | BPF_JA) && program[i].k >= n - i - 1)
            return false;
    return true;
}

/* Behind a jump only those words count that are written on all ways that lead there. */
static bool reads_what_it_wrote(const struct wire_filter *program, uint32_t n)
{
    uint16_t at[WIRE_FILTER_MAX], written = 0;

    memset(at, 0xff, sizeof(at));
    for (uint32_t i = 0; i < n; i++) {
        const struct wire_filter *p = &program[i];
        uint16_t code = p->code;

        written &= at[i];
        if (code == BPF_ST || code == BPF_STX) {
            written |= (uint16_t)(1u << p->k);
        } else if (code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM)) {
            if (!(written & (1u << p->k)))
                return false;
        } else if (code == (BPF_JMP | BPF_JA)) {
            at[i + 1 + p->k] &= written;
            written = 0xffff; /* nobody comes by here to the next one */
        } else if (BPF_CLASS(code) == BPF_JMP) {
            at[i + 1 + p->jt] &= written;
            at[i + 1 + p->jf] &= written;
            written = 0xffff;
        }
    }
    return true;
}

int capture_filter_set(struct capture_filter *f, const struct wire_filter *program, uint32_t count)
{
    if (count > WIRE_FILTER_MAX)
        return -EINVAL;
    memcpy(f->program, program, count * sizeof(*program));
    f->count = count;
    if (count == 0)
        return 0;
    /* the first of them sees to it that places and jumps are within bounds */
    return bpf_validate((const struct bpf_insn *)f->program, (int)count) &&
                   jumps_forward(f->program, count) && reads_what_it_wrote(f->program, count)
               ? 0
               : -EINVAL;
}

bool capture_filter_pass(const struct capture_filter *f, const uint8_t *frame, uint32_t len)
{
    return f->count == 0 || bpf_filter((const struct bpf_insn *)f->program, frame, len, len) != 0;
}
