/* SPDX-License-Identifier: MIT */
/*
 * What kind of program a file is, and where it is found.
 */
#include "client/lib/program.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/ts-program-XXXXXX";

static const char *file(const char *name, const void *text, size_t n, mode_t mode)
{
    static char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

/* A head that this machine's programs have. */
static bool own_head(Elf64_Ehdr *head)
{
    Elf64_Ehdr self;
    int fd = open("/proc/self/exe", O_RDONLY);

    assert_int_equal(read(fd, &self, sizeof(self)), sizeof(self));
    close(fd);
    memcpy(head->e_ident, self.e_ident, sizeof(self.e_ident));
    head->e_machine = self.e_machine;
    return self.e_ident[EI_CLASS] == ELFCLASS64;
}

static void elf_files_are_told_apart(void **state)
{
    struct note {
        Elf64_Nhdr head;
        char name[4], id[4];
    };
    struct image {
        Elf64_Ehdr head;
        Elf64_Phdr ph[2];
        struct note note;
    } elf = {.head = {.e_type = ET_EXEC,
                      .e_phoff = sizeof(Elf64_Ehdr),
                      .e_phentsize = sizeof(Elf64_Phdr),
                      .e_phnum = 2}};

    (void)state;
    if (!own_head(&elf.head))
        skip();
    assert_int_equal(program_kind(file("static", &elf, sizeof(elf), 0755)), PROGRAM_STATIC);
    elf.ph[1].p_type = PT_INTERP;
    assert_int_equal(program_kind(file("dynamic", &elf, sizeof(elf), 0755)), PROGRAM_DYNAMIC);
    assert_int_equal(program_kind(file("cut", &elf, sizeof(elf.head) + 100, 0755)),
                     PROGRAM_UNKNOWN);
    /* Go's, although it has an interpreter: the name of its note */
    elf.note = (struct note){{4, 4, 4}, "Go\0\0", {1, 2, 3, 4}};
    elf.ph[0] = (Elf64_Phdr){
        .p_type = PT_NOTE, .p_offset = offsetof(struct image, note), .p_filesz = sizeof(elf.note)};
    assert_int_equal(program_kind(file("go", &elf, sizeof(elf), 0755)), PROGRAM_STATIC);
    memcpy(elf.note.name, "GNU", 4);
    assert_int_equal(program_kind(file("gnu", &elf, sizeof(elf), 0755)), PROGRAM_DYNAMIC);
    elf.note.head.n_namesz = 0xffffffff;
    assert_int_equal(program_kind(file("odd", &elf, sizeof(elf), 0755)), PROGRAM_DYNAMIC);
    elf.head.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(program_kind(file("foreign", &elf, sizeof(elf), 0755)), PROGRAM_FOREIGN);
#ifdef __x86_64__
    elf.head.e_machine = EM_386;
    assert_int_equal(program_kind(file("compat", &elf, sizeof(elf), 0755)), PROGRAM_COMPAT);
    elf.head.e_machine = EM_X86_64;
#endif
    elf.head.e_phnum = 0xffff;
    elf.head.e_ident[EI_CLASS] = ELFCLASS64;
    assert_int_equal(program_kind(file("many", &elf, sizeof(elf), 0755)), PROGRAM_UNKNOWN);
    assert_int_equal(program_kind("/proc/self/exe"), PROGRAM_DYNAMIC);
    assert_int_equal(program_kind("/bin/sh"), PROGRAM_DYNAMIC);
}

/* `-ldflags=-buildid=` leaves no note: the section tells, also when symbols are stripped. */
static void gos_programs_without_a_note_are_known(void **state)
{
    static const char names[] = "\0.text\0.go.buildinfo\0.shstrtab";
    struct image {
        Elf64_Ehdr head;
        Elf64_Phdr ph;
        Elf64_Shdr sh[3];
        char names[sizeof(names)];
    } elf = {.head = {.e_type = ET_DYN,
                      .e_phoff = offsetof(struct image, ph),
                      .e_phentsize = sizeof(Elf64_Phdr),
                      .e_phnum = 1,
                      .e_shoff = offsetof(struct image, sh),
                      .e_shentsize = sizeof(Elf64_Shdr),
                      .e_shnum = 3,
                      .e_shstrndx = 2},
             .ph = {.p_type = PT_INTERP},
             .sh = {{.sh_type = SHT_PROGBITS, .sh_name = 1},
                    {.sh_type = SHT_PROGBITS, .sh_name = 7},
                    {.sh_type = SHT_STRTAB,
                     .sh_name = 21,
                     .sh_offset = offsetof(struct image, names),
                     .sh_size = sizeof(names)}}};

    (void)state;
    if (!own_head(&elf.head))
        skip();
    memcpy(elf.names, names, sizeof(names));
    assert_int_equal(program_kind(file("go", &elf, sizeof(elf), 0755)), PROGRAM_STATIC);
    elf.sh[1].sh_name = 8; /* "go.buildinfo" */
    assert_int_equal(program_kind(file("other", &elf, sizeof(elf), 0755)), PROGRAM_DYNAMIC);
    elf.sh[1].sh_name = 0xffffff;
    assert_int_equal(program_kind(file("far", &elf, sizeof(elf), 0755)), PROGRAM_DYNAMIC);
    elf.sh[1].sh_name = 7;
    elf.head.e_shstrndx = 3;
    assert_int_equal(program_kind(file("none", &elf, sizeof(elf), 0755)), PROGRAM_DYNAMIC);
    elf.head.e_shstrndx = 2;
    elf.head.e_shoff = (uint64_t)-8;
    assert_int_equal(program_kind(file("outside", &elf, sizeof(elf), 0755)), PROGRAM_DYNAMIC);
}

static void a_script_is_what_its_interpreter_is(void **state)
{
    char text[256];
    int n;

    (void)state;
    assert_int_equal(program_kind(file("s1", "#! /bin/sh -e\n", 14, 0755)), PROGRAM_DYNAMIC);
    n = snprintf(text, sizeof(text), "#!%s/static\n", dir);
    assert_int_equal(program_kind(file("s2", text, (size_t)n, 0755)), PROGRAM_STATIC);
    n = snprintf(text, sizeof(text), "#!%s/loop\n", dir);
    assert_int_equal(program_kind(file("loop", text, (size_t)n, 0755)), PROGRAM_UNKNOWN);
    assert_int_equal(program_kind(file("text", "hello\n", 6, 0755)), PROGRAM_UNKNOWN);
    assert_int_equal(program_kind(file("empty", "", 0, 0755)), PROGRAM_UNKNOWN);
    assert_int_equal(program_kind("/"), PROGRAM_UNKNOWN);
    assert_int_equal(program_kind("/nowhere"), PROGRAM_UNKNOWN);
    assert_int_equal(program_kind("/dev/null"), PROGRAM_UNKNOWN);
}

static void a_program_is_found_as_execvp_does(void **state)
{
    char path[128], wanted[128], small[8];

    (void)state;
    file("plain", "#!/bin/sh\n", 10, 0644);
    snprintf(path, sizeof(path), "/nowhere:%s", dir);
    setenv("PATH", path, 1);
    assert_true(program_find("static", path, sizeof(path)));
    snprintf(wanted, sizeof(wanted), "%s/static", dir);
    assert_string_equal(path, wanted);
    assert_false(program_find("plain", path, sizeof(path)));
    assert_false(program_find("nonesuch", path, sizeof(path)));
    assert_false(program_find("", path, sizeof(path)));
    assert_false(program_find("static", small, sizeof(small)));
    assert_true(program_find("./x", path, sizeof(path)));
    assert_string_equal(path, "./x");
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "/bin/rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elf_files_are_told_apart),
        cmocka_unit_test(gos_programs_without_a_note_are_known),
        cmocka_unit_test(a_script_is_what_its_interpreter_is),
        cmocka_unit_test(a_program_is_found_as_execvp_does),
    };
    return cmocka_run_group_tests_name("program", tests, make_dir, remove_dir);
}
