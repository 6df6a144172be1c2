/* SPDX-License-Identifier: MIT */
/*
 * semantics --serve PATH US PEER GONE: the peer of one run; $GONE and $DEV say where it may add an
 * address.
 * semantics PATH US PEER GONE [GROUP]...: the checks; see semantics.h. Each group is a process, and
 * all run side by side; one that does not end in time is cut off.
 */
#include "tests/net/semantics/semantics.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 20000

const char *self_path;

static const struct {
    const char *name;
    void (*run)(void);
} groups[] = {
    {"slow", group_slow},           {"create", group_create},
    {"names", group_names},         {"connect", group_connect},
    {"listen", group_listen},       {"data", group_data},
    {"flags", group_flags},         {"ending", group_ending},
    {"reset", group_reset},         {"poll", group_poll},
    {"options", group_options},     {"passing", group_passing},
    {"pointers", group_pointers},   {"threads", group_threads},
    {"uring", group_uring},         {"v6", group_v6},
    {"acceptors", group_acceptors},
};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

struct job {
    pid_t pid;
    FILE *out;
    bool over;
};

static bool wanted(const char *name, char **only)
{
    if (!*only)
        return true;
    for (; *only; only++)
        if (!strcmp(*only, name))
            return true;
    return false;
}

static void start(struct job *job, size_t group, const char *path)
{
    job->out = tmpfile();
    fflush(stdout);
    job->pid = fork();
    if (job->pid)
        return;
    dup2(fileno(job->out), STDOUT_FILENO);
    signal(SIGPIPE, SIG_IGN);
    peer_open(path);
    groups[group].run();
    fflush(stdout);
    _exit(0);
}

static void collect(struct job *jobs)
{
    for (int ms = 0; ms < LIMIT_MS; ms += 10) {
        size_t left = 0;

        for (size_t i = 0; i < GROUPS; i++) {
            if (!jobs[i].over && jobs[i].pid > 0)
                jobs[i].over = waitpid(jobs[i].pid, NULL, WNOHANG) == jobs[i].pid;
            left += jobs[i].pid > 0 && !jobs[i].over;
        }
        if (!left)
            return;
        pause_ms(10);
    }
}

static void show(struct job *job, const char *name)
{
    char line[512];

    if (!job->over) {
        kill(job->pid, SIGKILL);
        waitpid(job->pid, NULL, 0);
    }
    rewind(job->out);
    while (fgets(line, sizeof(line), job->out))
        printf("%s.%s", name, line);
    if (!job->over)
        printf("%s.end\tdid not end\n", name);
}

int main(int argc, char **argv)
{
    struct job jobs[GROUPS] = {0};

    self_path = argv[0];
    if (argc == 3 && !strcmp(argv[1], "--inherited"))
        return inherited_main(atoi(argv[2]));
    if (argc == 6 && !strcmp(argv[1], "--serve")) {
        inet_aton(argv[3], &us);
        inet_aton(argv[4], &peer);
        inet_aton(argv[5], &gone);
        return peer_main(argv[2], peer, us);
    }
    if (argc < 5 || !inet_aton(argv[2], &us) || !inet_aton(argv[3], &peer) ||
        !inet_aton(argv[4], &gone)) {
        fprintf(stderr, "usage: semantics PATH US PEER GONE [GROUP]...\n");
        return 2;
    }
    for (size_t i = 0; i < GROUPS; i++)
        if (wanted(groups[i].name, argv + 5))
            start(&jobs[i], i, argv[1]);
    collect(jobs);
    for (size_t i = 0; i < GROUPS; i++)
        if (jobs[i].pid > 0)
            show(&jobs[i], groups[i].name);
    return 0;
}
