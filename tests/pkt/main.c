/* SPDX-License-Identifier: MIT */
/*
 * pkt: play packet scripts (docs/scripts.md) and print TAP, one test a script.
 *
 *   pkt [-k WORD] [-n TIMES] [SCRIPT…]      against the core, in virtual time; without a script,
 * all of tests/scripts/ pkt --kernel [-k WORD] [SCRIPT…]        against the kernel, over a TUN
 * device in a network namespace of its own pkt --differences FILE [SCRIPT…]        against both;
 * FILE becomes the table of differences
 *   --captures leaves a capture of each script that was played, not only of those that failed
 */
#include "tests/pkt/differences.h"
#include "tests/pkt/fail_alloc.h"
#include "tests/pkt/report.h"
#include "tests/pkt/scripts.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    bool kernel, fail_alloc, captures;
    const char *differences, *word;
    int times;
};

static double seconds_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool play(struct target *t, int number, const char *path, const char *source,
                 const struct options *opt)
{
    struct outcome o = {.passed = true};
    const char *error;
    struct script *s = NULL;

    for (int i = 0; i < opt->times && o.passed; i++) {
        arena_reset(t->arena);
        s = script_parse(t->arena, path, source, &error);
        if (s)
            runner_play(t, s, &o);
        else
            o = (struct outcome){.reason = error, .printed = ""};
    }
    report_tap(number, path, &o);
    if ((!o.passed || opt->captures) && s)
        report_capture(t, s, scripts_capture_folder());
    return o.passed;
}

static int play_virtual(const struct script_list *list, const struct options *opt)
{
    struct arena a = {0};
    struct target *t = virtual_new(&a);
    double start = seconds_now(), took;
    int failed = 0;

    printf("1..%d\n", list->n);
    for (int i = 0; i < list->n; i++) {
        char *source = script_read(list->path[i]);

        failed += !play(t, i + 1, list->path[i], source, opt);
        free(source);
    }
    took = seconds_now() - start;
    printf("# %d scripts, %d failed, %.3f s, %.0f scripts/s\n", list->n, failed, took,
           took > 0 ? list->n * opt->times / took : 0);
    virtual_free(t);
    arena_free(&a);
    return failed != 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: pkt [--kernel | --differences FILE | --fail-alloc | --captures] "
                    "[-k WORD] [-n TIMES] [SCRIPT...]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"kernel", no_argument, NULL, 'K'},
                                          {"differences", required_argument, NULL, 'D'},
                                          {"fail-alloc", no_argument, NULL, 'A'},
                                          {"captures", no_argument, NULL, 'C'},
                                          {0}};
    struct options opt = {.word = "", .times = 1};
    const char *name = strrchr(argv[0], '/');
    struct script_list list;
    int o, status;

    while ((o = getopt_long(argc, argv, "k:n:", longs, NULL)) != -1) {
        if (o == 'K')
            opt.kernel = true;
        else if (o == 'D')
            opt.differences = optarg;
        else if (o == 'A')
            opt.fail_alloc = true;
        else if (o == 'C')
            opt.captures = true;
        else if (o == 'k')
            opt.word = optarg;
        else if (o == 'n')
            opt.times = atoi(optarg);
        else
            return usage();
    }
    /* under that name it is a test program of its own */
    if (strcmp(name ? name + 1 : argv[0], "fail_alloc") == 0)
        opt.fail_alloc = true;
    scripts_find(&list, argv + optind, argc - optind, opt.word);
    if (!list.n) {
        printf("1..0 # SKIP no script\n");
        return 1;
    }
    if (opt.differences)
        status = differences_write(&list, opt.differences);
    else if (opt.fail_alloc)
        status = fail_alloc_play(&list) != 0;
    else if (opt.kernel)
        status = differences_kernel_only(&list);
    else
        status = play_virtual(&list, &opt);
    scripts_free(&list);
    return status;
}
