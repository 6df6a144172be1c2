/* SPDX-License-Identifier: MIT */
/*
 * Executing a program into which we cannot be loaded: a static one is started by `tapstack run
 * --seccomp` instead, which keeps the process id, so that it stays on the stack. Everything else
 * goes to the real call. Nothing here allocates: this runs in children of vfork.
 */
/* The fortified inline versions of some of these would stand in our way. */
#undef _FORTIFY_SOURCE

#include "client/lib/program.h"
#include "client/preload/real.h"
#include "client/preload/shim.h"

#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* `tapstack run --seccomp --argv0 NAME -- PATH` and the arguments that follow argv[0]. */
#define EXTRA 6
/* Longer lists go to the real call: the stack is not ours. */
#define ARGS_MAX 16384

static size_t count(char *const argv[])
{
    size_t n = 0;

    while (argv && argv[n])
        n++;
    return n;
}

static void fill(char **out, char *tool, char *path, char *const argv[])
{
    size_t n = 0;

    out[n++] = tool;
    out[n++] = (char *)"run";
    out[n++] = (char *)"--seccomp";
    out[n++] = (char *)"--argv0";
    out[n++] = argv && argv[0] ? argv[0] : path;
    out[n++] = (char *)"--";
    out[n++] = path;
    for (size_t i = 1; argv && argv[0] && argv[i]; i++)
        out[n++] = argv[i];
    out[n] = NULL;
}

static void say_privileged(const char *path)
{
    const char *parts[] = {"tapstack: ", path,
                           " gains rights when it is executed: its TCP stays with the kernel\n"};
    struct iovec iov[3];

    for (int i = 0; i < 3; i++)
        iov[i] = (struct iovec){(void *)parts[i], strlen(parts[i])};
    if (writev(STDERR_FILENO, iov, 3) < 0)
        return; /* stderr is closed */
}

/* In an environment that was made anew without us, a program is to be without us. */
static char *tool_in(char *const envp[])
{
    static const char prefix[] = RUN_TOOL_ENV "=";

    for (size_t i = 0; envp && envp[i]; i++) {
        if (strncmp(envp[i], prefix, sizeof(prefix) - 1) == 0)
            return envp[i] + sizeof(prefix) - 1;
    }
    return NULL;
}

/* The tool, if this program has to go through it. */
static char *tool_for(const char *path, char *const argv[], char *const envp[])
{
    char *tool = tool_in(envp);
    enum program_kind kind;

    if (!tool || !path || count(argv) > ARGS_MAX)
        return NULL;
    kind = program_kind(path);
    if (kind == PROGRAM_PRIVILEGED)
        say_privileged(path);
    return kind == PROGRAM_STATIC || kind == PROGRAM_COMPAT ? tool : NULL;
}

/* Room for the longer list, on the caller's stack. */
#define ROOM(argv) __builtin_alloca((count(argv) + EXTRA + 2) * sizeof(char *))

int execve(const char *path, char *const argv[], char *const envp[])
{
    char *tool = tool_for(path, argv, envp), **list;

    if (!tool)
        return REAL(execve)(path, argv, envp);
    list = ROOM(argv);
    fill(list, tool, (char *)path, argv);
    return REAL(execve)(tool, list, envp);
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

int execvpe(const char *name, char *const argv[], char *const envp[])
{
    char path[PATH_MAX], *tool, **list;

    tool = program_find(name, path, sizeof(path)) ? tool_for(path, argv, envp) : NULL;
    if (!tool)
        return REAL(execvpe)(name, argv, envp);
    list = ROOM(argv);
    fill(list, tool, path, argv);
    return REAL(execve)(tool, list, envp);
}

int execvp(const char *name, char *const argv[])
{
    return execvpe(name, argv, environ);
}

/* The arguments of execl and its like as a vector; `ap` is behind the NULL afterwards. */
#define COLLECT(list, first, ap)                                                                   \
    do {                                                                                           \
        size_t n_ = 1, i_ = 1;                                                                     \
        va_list count_;                                                                            \
        va_start(count_, first);                                                                   \
        while (va_arg(count_, char *))                                                             \
            n_++;                                                                                  \
        va_end(count_);                                                                            \
        (list) = __builtin_alloca((n_ + 1) * sizeof(char *));                                      \
        (list)[0] = (char *)(first);                                                               \
        while (((list)[i_++] = va_arg(ap, char *)) != NULL) {                                      \
        }                                                                                          \
    } while (0)

int execl(const char *path, const char *first, ...)
{
    char **list;
    va_list ap;

    va_start(ap, first);
    COLLECT(list, first, ap);
    va_end(ap);
    return execve(path, list, environ);
}

int execlp(const char *name, const char *first, ...)
{
    char **list;
    va_list ap;

    va_start(ap, first);
    COLLECT(list, first, ap);
    va_end(ap);
    return execvpe(name, list, environ);
}

int execle(const char *path, const char *first, ...)
{
    char **list, *const *envp;
    va_list ap;

    va_start(ap, first);
    COLLECT(list, first, ap);
    envp = va_arg(ap, char *const *);
    va_end(ap);
    return execve(path, list, envp);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    char *tool = tool_for(path, argv, envp), **list;

    if (!tool)
        return REAL(posix_spawn)(pid, path, actions, attributes, argv, envp);
    list = ROOM(argv);
    fill(list, tool, (char *)path, argv);
    return REAL(posix_spawn)(pid, tool, actions, attributes, list, envp);
}

int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    char path[PATH_MAX], *tool, **list;

    tool = program_find(name, path, sizeof(path)) ? tool_for(path, argv, envp) : NULL;
    if (!tool)
        return REAL(posix_spawnp)(pid, name, actions, attributes, argv, envp);
    list = ROOM(argv);
    fill(list, tool, path, argv);
    return REAL(posix_spawn)(pid, tool, actions, attributes, list, envp);
}
