/* SPDX-License-Identifier: MIT */
/*
 * What Go's linker leaves in a program: a note of its own name, and a section for debug/buildinfo.
 * Either is enough. A file whose headers make no sense is none of Go's.
 */
#include "client/lib/go.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define SECTION      ".go.buildinfo"
#define SECTIONS_MAX 1024

static bool has_note(int fd, const ElfW(Phdr) * ph)
{
    _Alignas(ElfW(Nhdr)) char buf[1024];
    size_t want = ph->p_filesz < sizeof(buf) ? ph->p_filesz : sizeof(buf), at = 0;
    ssize_t n = pread(fd, buf, want, (off_t)ph->p_offset);

    while (n > 0 && at + sizeof(ElfW(Nhdr)) + 4 <= (size_t)n) {
        ElfW(Nhdr) note;
        size_t name, desc;

        memcpy(&note, buf + at, sizeof(note));
        if (note.n_namesz == 4 && memcmp(buf + at + sizeof(note), "Go\0\0", 4) == 0)
            return true;
        name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        desc = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (name > sizeof(buf) || desc > sizeof(buf))
            return false;
        at += sizeof(note) + name + desc;
    }
    return false;
}

static bool read_section(int fd, const ElfW(Ehdr) * head, size_t i, ElfW(Shdr) * out)
{
    uint64_t at = (uint64_t)head->e_shoff + i * sizeof(*out);

    return pread(fd, out, sizeof(*out), (off_t)at) == (ssize_t)sizeof(*out);
}

static bool has_section(int fd, const ElfW(Ehdr) * head)
{
    size_t n = head->e_shnum < SECTIONS_MAX ? head->e_shnum : SECTIONS_MAX;
    ElfW(Shdr) names, one;

    if (head->e_shoff == 0 || head->e_shentsize != sizeof(one) || head->e_shstrndx >= n ||
        !read_section(fd, head, head->e_shstrndx, &names))
        return false;
    for (size_t i = 0; i < n && read_section(fd, head, i, &one); i++) {
        char name[sizeof(SECTION)];
        uint64_t at = (uint64_t)names.sh_offset + one.sh_name;

        if (one.sh_type == SHT_PROGBITS &&
            pread(fd, name, sizeof(name), (off_t)at) == (ssize_t)sizeof(name) &&
            memcmp(name, SECTION, sizeof(name)) == 0)
            return true;
    }
    return false;
}

bool go_linked(int fd, const ElfW(Ehdr) * head, const ElfW(Phdr) * ph, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ph[i].p_type == PT_NOTE && has_note(fd, &ph[i]))
            return true;
    }
    return has_section(fd, head);
}
