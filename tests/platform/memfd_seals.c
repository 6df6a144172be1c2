/* SPDX-License-Identifier: MIT */
/*
 * Extents shared with programs are memfds sealed against shrinking and growing: then no holder can
 * make the daemon's access to the mapping fault. What the seals do not stop is shown too.
 */
#include "tests/platform/platform.h"
#include <sys/mman.h>

#define BYTES (64 * KIB)

static int sealed_file(void)
{
    int fd = memfd_create("extent", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, BYTES), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    return fd;
}

static char *map_file(int fd)
{
    char *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

static void a_sealed_memfd_can_be_neither_shrunk_nor_grown(void **state unused)
{
    int fd = sealed_file();
    assert_errno(ftruncate(fd, BYTES / 2), EPERM);
    assert_errno(ftruncate(fd, BYTES * 2), EPERM);
    assert_errno(pwrite(fd, "x", 1, BYTES), EPERM);
    assert_errno(fallocate(fd, 0, BYTES, 4096), EPERM);
    assert_int_equal(ftruncate(fd, BYTES), 0);
    close(fd);
}

static void the_seals_can_be_read_and_not_be_taken_off(void **state unused)
{
    int fd = sealed_file();
    assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_errno(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    close(fd);
}

static void a_passed_sealed_memfd_maps_the_same_pages(void **state unused)
{
    struct pair s = pair_of_type(SOCK_SEQPACKET);
    int fd = sealed_file(), got, flags;
    size_t count;
    char c, *ours = map_file(fd);
    pid_t pid = fork();
    if (pid == 0) {
        close(fd);
        fcntl(s.p, F_SETFL, 0);
        child_check(receive_fds(s.p, &c, 1, &got, 1, &count, &flags) == 1 && count == 1);
        char *theirs = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, got, 0);
        child_check(theirs != MAP_FAILED && theirs[100] == 'a');
        theirs[200] = 'b';
        child_check(ftruncate(got, 0) == -1 && errno == EPERM);
        _exit(0);
    }
    ours[100] = 'a';
    assert_int_equal(send_fds(s.d, "x", 1, &fd, 1), 0);
    assert_int_equal(reap(pid), 0);
    assert_int_equal(ours[200], 'b');
    munmap(ours, BYTES);
    close(fd);
    close_pair(s);
}

static void without_the_seal_a_shrunk_file_kills_its_reader(void **state unused)
{
    int fd = memfd_create("unsealed", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, BYTES), 0);
    char *at = map_file(fd);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGBUS, SIG_DFL);
        child_check(ftruncate(fd, 0) == 0);
        _exit(*(volatile char *)at);
    }
    assert_int_equal(reap(pid), 128 + SIGBUS);
    munmap(at, BYTES);
    close(fd);
}

static void a_hole_can_still_be_punched_and_reads_as_zeros(void **state unused)
{
    int fd = sealed_file();
    char *at = map_file(fd);
    memset(at, 'd', BYTES);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BYTES), 0);
    assert_int_equal(at[0], 0); /* no fault, but the data is gone: it is checksummed at device */
    at[0] = 'e';
    assert_int_equal(at[0], 'e');
    munmap(at, BYTES);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_memfd_can_be_neither_shrunk_nor_grown),
        cmocka_unit_test(the_seals_can_be_read_and_not_be_taken_off),
        cmocka_unit_test(a_passed_sealed_memfd_maps_the_same_pages),
        cmocka_unit_test(without_the_seal_a_shrunk_file_kills_its_reader),
        cmocka_unit_test(a_hole_can_still_be_punched_and_reads_as_zeros),
    };
    return cmocka_run_group_tests_name("memfd_seals", tests, NULL, NULL);
}
