/* SPDX-License-Identifier: MIT */
/* Series of capture files: their names, sizes and ages; libpcap reads what is in them. */
#include "client/cli/savefile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[100];
static uint64_t now;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ts-savefile-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/f", folder);
    now = 1700000000123456789ull;
    return 0;
}

static int teardown(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* The i-th frame: 100 bytes of i, of 1000 on the wire, a second after the one before. */
static int write_one(struct savefile *s, unsigned i)
{
    struct capture_record r = {
        .ns = now + i * 1000000000ull, .caplen = 100, .len = 1000, .direction = 1 + (i & 1)};
    uint8_t bytes[100];

    memset(bytes, (int)i, sizeof(bytes));
    return savefile_write(s, &r, bytes);
}

static void write_all(struct savefile_options o, unsigned n)
{
    struct savefile s;

    o.interface = "ts0";
    o.filter = "tcp";
    if (!o.path)
        o.path = path;
    if (!o.snaplen)
        o.snaplen = 262144;
    assert_int_equal(savefile_open(&s, &o), 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(write_one(&s, i), 0);
    s.matched = n + 2;
    s.dropped = 2;
    assert_int_equal(savefile_close(&s), 0);
}

/* Frames of the file with this ending, all as write_one() made them, the first being `first`; -1:
 * there is no such file. */
static int holds(const char *ending, unsigned first)
{
    char name[200], error[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *h;
    const u_char *data;
    pcap_t *p;
    int n = 0;

    snprintf(name, sizeof(name), "%s%s", path, ending);
    if (access(name, F_OK) < 0)
        return -1;
    p = pcap_open_offline_with_tstamp_precision(name, PCAP_TSTAMP_PRECISION_NANO, error);
    if (!p)
        fail_msg("%s", error);
    for (; pcap_next_ex(p, &h, &data) == 1; n++) {
        assert_int_equal(h->caplen, 100);
        assert_int_equal(h->len, 1000);
        assert_int_equal(data[0], first + (unsigned)n);
        assert_int_equal(data[99], first + (unsigned)n);
        assert_int_equal(h->ts.tv_sec, 1700000000 + first + (unsigned)n);
        assert_int_equal(h->ts.tv_usec, 123456789); /* nanoseconds */
    }
    assert_string_equal(pcap_geterr(p), "");
    pcap_close(p);
    return n;
}

static void one_file_has_all(void **state)
{
    (void)state;
    write_all((struct savefile_options){.pcapng = false}, 5);
    assert_int_equal(holds("", 0), 5);
    write_all((struct savefile_options){.pcapng = true}, 7);
    assert_int_equal(holds("", 0), 7);
}

static void a_new_file_begins_before_one_is_too_large(void **state)
{
    struct stat st;

    (void)state;
    /* 24 bytes, and 116 for each frame */
    write_all((struct savefile_options){.max_bytes = 24 + 3 * 116}, 8);
    assert_int_equal(holds("", 0), 3);
    assert_int_equal(holds("1", 3), 3);
    assert_int_equal(holds("2", 6), 2);
    assert_int_equal(holds("3", 0), -1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 24 + 3 * 116);
}

static void a_frame_that_is_too_large_has_a_file_of_its_own(void **state)
{
    (void)state;
    write_all((struct savefile_options){.max_bytes = 50}, 2);
    assert_int_equal(holds("", 0), 1);
    assert_int_equal(holds("1", 1), 1);
    assert_int_equal(holds("2", 0), -1);
}

static void a_number_of_files_is_used_again(void **state)
{
    (void)state;
    write_all((struct savefile_options){.max_bytes = 24 + 116, .files = 3}, 5);
    assert_int_equal(holds("0", 3), 1);
    assert_int_equal(holds("1", 4), 1);
    assert_int_equal(holds("2", 2), 1);
    assert_int_equal(holds("3", 0), -1);
    write_all((struct savefile_options){.max_bytes = 24 + 116, .files = 11}, 1);
    assert_int_equal(holds("00", 0), 1);
}

static void a_new_file_begins_when_one_is_too_old(void **state)
{
    (void)state;
    write_all((struct savefile_options){.max_seconds = 3, .pcapng = true}, 7);
    assert_int_equal(holds("", 0), 3);
    assert_int_equal(holds("1", 3), 3);
    assert_int_equal(holds("2", 6), 1);
}

static void names_by_time_end_after_a_number_of_files(void **state)
{
    char pattern[200];
    struct savefile_options o = {.path = pattern, .max_seconds = 2, .files = 2, .snaplen = 100};
    struct savefile s;

    (void)state;
    setenv("TZ", "UTC", 1);
    snprintf(pattern, sizeof(pattern), "%s-%%H%%M%%S", path);
    o.interface = o.filter = "";
    assert_int_equal(savefile_open(&s, &o), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(write_one(&s, i), 0);
    assert_int_equal(write_one(&s, 4), 1); /* that would be the third */
    assert_int_equal(savefile_close(&s), 0);
    assert_int_equal(holds("-221322", 2), 2); /* 1700000002 */
}

static void what_cannot_be_written_is_an_error(void **state)
{
    struct savefile_options o = {.path = "/dev/full", .interface = "", .filter = ""};
    struct savefile s;

    (void)state;
    assert_int_equal(savefile_open(&s, &o), -1);
    assert_int_equal(errno, ENOSPC);
    fclose(s.file);
    o.path = "/nowhere/f";
    assert_int_equal(savefile_open(&s, &o), -1);
    assert_int_equal(errno, ENOENT);
}

#define in_a_folder(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_a_folder(one_file_has_all),
        in_a_folder(a_new_file_begins_before_one_is_too_large),
        in_a_folder(a_frame_that_is_too_large_has_a_file_of_its_own),
        in_a_folder(a_number_of_files_is_used_again),
        in_a_folder(a_new_file_begins_when_one_is_too_old),
        in_a_folder(names_by_time_end_after_a_number_of_files),
        in_a_folder(what_cannot_be_written_is_an_error),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
