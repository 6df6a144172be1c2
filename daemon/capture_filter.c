/* SPDX-License-Identifier: MIT */
/*
 * Checking and running filters; see capture_filter.h. libpcap's own check lets instructions pass
 * that its interpreter does not have, allows jumps backward (a program could run for ever) and does
 * not look whether a word of memory was written before it is read (it would be what our stack
 * held): these three are ours, the last as in Linux's check_load_and_stores().
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

/* All that libpcap's interpreter knows: at anything else it would end the daemon by abort(3), and
 * its own check does not look at each bit. */
static bool is_instruction(uint16_t code)
{
    switch (code) {
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_H | BPF_ABS:
    case BPF_LD | BPF_B | BPF_ABS:
    case BPF_LD | BPF_W | BPF_IND:
    case BPF_LD | BPF_H | BPF_IND:
    case BPF_LD | BPF_B | BPF_IND:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_MSH | BPF_B:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
    case BPF_JMP | BPF_JA:
    case BPF_ALU | BPF_NEG:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
        return true;
    default:
        break;
    }
    switch (code & ~BPF_X) {
    case BPF_JMP | BPF_JEQ:
    case BPF_JMP | BPF_JGT:
    case BPF_JMP | BPF_JGE:
    case BPF_JMP | BPF_JSET:
    case BPF_ALU | BPF_ADD:
    case BPF_ALU | BPF_SUB:
    case BPF_ALU | BPF_MUL:
    case BPF_ALU | BPF_DIV:
    case BPF_ALU | BPF_MOD:
    case BPF_ALU | BPF_AND:
    case BPF_ALU | BPF_OR:
    case BPF_ALU | BPF_XOR:
    case BPF_ALU | BPF_LSH:
    case BPF_ALU | BPF_RSH:
        return true;
    default:
        return false;
    }
}

static bool knows_all(const struct wire_filter *program, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!is_instruction(program[i].code))
            return false;
    return true;
}

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
    f->count = count;
    if (count == 0)
        return 0;
    memcpy(f->program, program, count * sizeof(*program));
    /* the second of them sees to it that places and jumps are within bounds */
    return knows_all(f->program, count) &&
                   bpf_validate((const struct bpf_insn *)f->program, (int)count) &&
                   jumps_forward(f->program, count) && reads_what_it_wrote(f->program, count)
               ? 0
               : -EINVAL;
}

bool capture_filter_pass(const struct capture_filter *f, const uint8_t *frame, uint32_t len)
{
    return f->count == 0 || bpf_filter((const struct bpf_insn *)f->program, frame, len, len) != 0;
}
