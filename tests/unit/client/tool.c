/* SPDX-License-Identifier: MIT */
/*
 * fork, exec, and both ends of two pipes.
 */
#include "tests/unit/client/tool.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

char tool_output[65536];

/* build/tests/unit/client/test_x → build/tapstack */
static void find(char tool[PATH_MAX])
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    assert_true(n > 0);
    exe[n] = '\0';
    for (int i = 0; i < 4 && strrchr(exe, '/'); i++)
        *strrchr(exe, '/') = '\0';
    snprintf(tool, PATH_MAX, "%.4000s/tapstack", exe);
    if (access(tool, X_OK) < 0)
        skip(); /* built without it */
}

static void become(const char *tool, char *const args[], int in, int out)
{
    char *argv[24] = {(char *)tool};

    for (int i = 0; i < 22 && args[i]; i++)
        argv[1 + i] = args[i];
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    /* Tests set LD_PRELOAD; the sanitizer in our own tool wants to be first there. */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
    execv(tool, argv);
    _exit(99);
}

int tool_run(char *const args[], const char *input)
{
    char tool[PATH_MAX];
    int in[2], out[2], status;
    size_t got = 0;
    ssize_t n;
    pid_t child;

    find(tool);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        become(tool, args, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    if (*input)
        assert_int_equal(write(in[1], input, strlen(input)), strlen(input));
    close(in[1]);
    while ((n = read(out[0], tool_output + got, sizeof(tool_output) - 1 - got)) > 0)
        got += (size_t)n;
    tool_output[got] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}
