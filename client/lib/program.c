/* SPDX-License-Identifier: MIT */
/*
 * The head of an ELF file, or the first line of a script.
 */
#include "client/lib/program.h"

#include "client/lib/go.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_DEPTH 5 /* the kernel's limit is about that */
#define HEADERS_MAX  64

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_DATA ELFDATA2LSB
#else
#define OUR_DATA ELFDATA2MSB
#endif

#if defined(__x86_64__)
#define OUR_MACHINE    EM_X86_64
#define COMPAT_MACHINE EM_386
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#elif defined(__riscv)
#define OUR_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define OUR_MACHINE EM_PPC64
#elif defined(__s390x__)
#define OUR_MACHINE EM_S390
#elif defined(__i386__)
#define OUR_MACHINE EM_386
#elif defined(__arm__)
#define OUR_MACHINE EM_ARM
#else
#define OUR_MACHINE 0 /* any */
#endif

#ifndef COMPAT_MACHINE
#define COMPAT_MACHINE 0 /* none that is served */
#endif

static enum program_kind of_elf(int fd, const ElfW(Ehdr) * head)
{
    ElfW(Phdr) ph[HEADERS_MAX];
    size_t n = head->e_phnum < HEADERS_MAX ? head->e_phnum : HEADERS_MAX;
    bool dynamic = false;
    ssize_t got;

    if (head->e_ident[EI_CLASS] == ELFCLASS32 && head->e_ident[EI_DATA] == OUR_DATA &&
        COMPAT_MACHINE && head->e_machine == COMPAT_MACHINE) /* it is at the same place there */
        return PROGRAM_COMPAT;
    if (head->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        head->e_ident[EI_DATA] != OUR_DATA || (OUR_MACHINE && head->e_machine != OUR_MACHINE))
        return PROGRAM_FOREIGN;
    if ((head->e_type != ET_EXEC && head->e_type != ET_DYN) || head->e_phentsize != sizeof(ph[0]))
        return PROGRAM_UNKNOWN;
    got = pread(fd, ph, n * sizeof(ph[0]), (off_t)head->e_phoff);
    if (got != (ssize_t)(n * sizeof(ph[0])))
        return PROGRAM_UNKNOWN;
    for (size_t i = 0; i < n; i++)
        dynamic |= ph[i].p_type == PT_INTERP;
    return dynamic && !go_linked(fd, head, ph, n) ? PROGRAM_DYNAMIC : PROGRAM_STATIC;
}

/* Set-user-ID, set-group-ID, capabilities: when they would change something for us. */
static bool gains_rights(int fd, const struct stat *st)
{
    if ((st->st_mode & S_ISUID) && st->st_uid != getuid())
        return true;
    if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st->st_gid != getgid())
        return true;
    return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* "#! /bin/sh -e" */
static bool interpreter(char *line, char out[PATH_MAX])
{
    size_t n;

    line += 2;
    line += strspn(line, " \t");
    n = strcspn(line, " \t\n");
    if (n == 0 || n >= PATH_MAX)
        return false;
    memcpy(out, line, n);
    out[n] = '\0';
    return true;
}

enum program_kind program_kind(const char *path)
{
    enum program_kind kind = PROGRAM_UNKNOWN;
    char script[PATH_MAX];
    int saved = errno;

    for (int depth = 0; path && depth < SCRIPT_DEPTH; depth++) {
        union {
            ElfW(Ehdr) elf;
            char text[256];
        } head;
        struct stat st;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t n;

        path = NULL;
        if (fd < 0)
            break;
        memset(&head, 0, sizeof(head));
        n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, &head, sizeof(head) - 1) : -1;
        if (n >= (ssize_t)sizeof(head.elf) && memcmp(head.text, ELFMAG, SELFMAG) == 0)
            kind = gains_rights(fd, &st) ? PROGRAM_PRIVILEGED : of_elf(fd, &head.elf);
        else if (n > 2 && head.text[0] == '#' && head.text[1] == '!' &&
                 interpreter(head.text, script))
            path = script;
        close(fd);
    }
    errno = saved;
    return kind;
}

static bool join(const char *dir, size_t n, const char *name, char *out, size_t room)
{
    size_t len = strlen(name);

    if (n + 1 + len + 1 > room)
        return false;
    memcpy(out, dir, n);
    if (n > 0)
        out[n++] = '/';
    memcpy(out + n, name, len + 1);
    return true;
}

bool program_find(const char *name, char *out, size_t room)
{
    const char *path = getenv("PATH");
    int saved = errno;
    bool found = false;

    if (!name[0])
        return false;
    if (strchr(name, '/'))
        return join("", 0, name, out, room);
    for (const char *p = path ? path : "/bin:/usr/bin"; !found && p; p = strchr(p, ':')) {
        struct stat st;

        p += *p == ':';
        found = join(p, strcspn(p, ":"), name, out, room) && stat(out, &st) == 0 &&
                S_ISREG(st.st_mode) && access(out, X_OK) == 0;
        if (!*p)
            break;
    }
    errno = saved;
    return found;
}
