/* SPDX-License-Identifier: MIT */
/*
 * Scripts against the kernel; see differences.h. Each is played in a process of its own, several at
 * a time: they mostly wait. Real time is rough, so a script that fails is played again, alone,
 * before it counts.
 */
#include "tests/pkt/differences.h"
#include "tests/pkt/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 12
#define RETRIES 2
#define TEXT    4096

struct verdict {
    bool skipped, kernel_passed, virtual_passed;
    char reason[512]; /**< of the script */
    char failure[TEXT], virtual_failure[TEXT];
};

struct job {
    pid_t pid;
    int fd, index;
};

static void keep(char *to, size_t room, const char *path, const struct outcome *o)
{
    FILE *f = fmemopen(to, room, "w");

    if (!f)
        return;
    report_failure(f, "", path, o);
    fclose(f);
    to[room - 1] = 0;
}

static struct script *load(struct arena *a, const char *path, struct outcome *o)
{
    const char *error;
    char *source = script_read(path);
    struct script *s = script_parse(a, path, source, &error);

    free(source);
    if (!s)
        *o = (struct outcome){.reason = error, .printed = ""};
    return s;
}

/* --- one script in a process of its own
 * -------------------------------------------------------------------- */

static void child(const char *path, int fd)
{
    static struct verdict v;
    struct arena a = {0};
    struct target *t = kernel_new(&a);
    struct outcome o;
    struct script *s = load(&a, path, &o);

    if (s)
        runner_play(t, s, &o);
    v.kernel_passed = o.passed;
    if (!o.passed)
        keep(v.failure, sizeof(v.failure), path, &o);
    _exit(write(fd, &v, sizeof(v)) != sizeof(v));
}

static bool start(struct job *j, const char *path, int index)
{
    int pipe_fd[2];

    if (pipe(pipe_fd) != 0)
        return false;
    fflush(NULL);
    j->pid = fork();
    if (j->pid < 0)
        return false;
    if (!j->pid) {
        close(pipe_fd[0]);
        child(path, pipe_fd[1]);
    }
    close(pipe_fd[1]);
    j->fd = pipe_fd[0];
    j->index = index;
    return true;
}

static bool read_verdict(int fd, struct verdict *v)
{
    size_t done = 0;
    ssize_t n;

    while (done < sizeof(*v) && (n = read(fd, (char *)v + done, sizeof(*v) - done)) > 0)
        done += (size_t)n;
    return done == sizeof(*v);
}

static void collect(struct job *j, struct verdict *v)
{
    static struct verdict got;
    int status;

    if (read_verdict(j->fd, &got)) {
        v->kernel_passed = got.kernel_passed;
        memcpy(v->failure, got.failure, sizeof(v->failure));
    } else {
        snprintf(v->failure, sizeof(v->failure), "the runner died\n");
    }
    close(j->fd);
    waitpid(j->pid, &status, 0);
}

static void collect_any(struct job *jobs, int *n, struct verdict *all)
{
    siginfo_t info;

    /* the oldest one that has ended; the pipe holds its verdict */
    if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0)
        return;
    for (int i = 0; i < *n; i++) {
        if (jobs[i].pid == info.si_pid) {
            collect(&jobs[i], &all[jobs[i].index]);
            jobs[i] = jobs[--*n];
            return;
        }
    }
}

static void play_kernel(const struct script_list *list, struct verdict *all)
{
    struct job jobs[AT_ONCE];
    int n = 0;

    for (int i = 0; i < list->n; i++) {
        if (all[i].skipped)
            continue;
        while (n == AT_ONCE)
            collect_any(jobs, &n, all);
        if (start(&jobs[n], list->path[i], i))
            n++;
    }
    while (n)
        collect_any(jobs, &n, all);
    for (int again = 0; again < RETRIES; again++) {
        for (int i = 0; i < list->n; i++) {
            if (all[i].skipped || all[i].kernel_passed || !start(&jobs[0], list->path[i], i))
                continue;
            collect(&jobs[0], &all[i]);
        }
    }
}

/* --- both
 * --------------------------------------------------------------------------------------------------
 */

static void play_virtual(const struct script_list *list, struct verdict *all)
{
    struct arena a = {0};
    struct target *t = virtual_new(&a);

    for (int i = 0; i < list->n; i++) {
        struct verdict *v = &all[i];
        struct outcome o;
        struct script *s;

        arena_reset(&a);
        s = load(&a, list->path[i], &o);
        if (s) {
            v->skipped = s->virtual_only != NULL;
            snprintf(v->reason, sizeof(v->reason), "%s",
                     s->virtual_only     ? s->virtual_only
                     : s->kernel_differs ? s->kernel_differs
                                         : "");
            runner_play(t, s, &o);
        }
        v->virtual_passed = o.passed;
        if (!o.passed)
            keep(v->virtual_failure, sizeof(v->virtual_failure), list->path[i], &o);
    }
    virtual_free(t);
    arena_free(&a);
}

static struct verdict *play_both(const struct script_list *list)
{
    struct verdict *all = calloc((size_t)list->n, sizeof(*all));

    if (!all)
        abort();
    play_virtual(list, all);
    play_kernel(list, all);
    return all;
}

static void print_lines(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        printf("#   %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

int differences_kernel_only(const struct script_list *list)
{
    struct verdict *all = play_both(list);
    int failed = 0;

    printf("1..%d\n", list->n);
    for (int i = 0; i < list->n; i++) {
        const struct verdict *v = &all[i];
        bool explained = v->skipped || (*v->reason && !v->kernel_passed);
        bool ok = explained || v->kernel_passed;

        failed += !ok;
        printf("%sok %d - %s%s%s\n", ok ? "" : "not ", i + 1, list->path[i],
               explained ? " # SKIP " : "", explained ? v->reason : "");
        if (!ok)
            print_lines(v->failure);
    }
    free(all);
    return failed != 0;
}

/* --- the table
 * --------------------------------------------------------------------------------------------- */

/* The first line of a failure, without the path, fit for a cell. */
static void cell(FILE *f, const char *text)
{
    const char *colon = strstr(text, ".pkt:");
    const char *p = colon ? colon + 5 : text;

    fprintf(f, "line ");
    for (size_t i = 0; p[i] && p[i] != '\n'; i++)
        fprintf(f, p[i] == '|' ? "\\|" : "%c", p[i]);
}

static void row(FILE *f, const char *path, const struct verdict *v, const char *why)
{
    const char *name = strrchr(path, '/');

    fprintf(f, "| [%s](../%s) | %s | ", name ? name + 1 : path, path,
            v->kernel_passed    ? "kernel only"
            : v->virtual_passed ? "tapstack only"
                                : "neither");
    cell(f, v->kernel_passed ? v->virtual_failure : v->failure);
    fprintf(f, " | %s |\n", why);
}

static int differing(FILE *f, const struct script_list *list, const struct verdict *all)
{
    int unexplained = 0;

    for (int i = 0; i < list->n; i++) {
        const struct verdict *v = &all[i];
        bool same = v->virtual_passed && v->kernel_passed;
        bool stale = same && *v->reason && !v->skipped;
        bool explained = *v->reason && v->virtual_passed != v->kernel_passed;

        if (v->skipped || (same && !stale))
            continue;
        if (stale) {
            printf("# %s: says that the kernel differs, but it does not\n", list->path[i]);
        } else {
            row(f, list->path[i], v, explained ? v->reason : "UNEXPLAINED");
            if (!explained) {
                printf("# UNEXPLAINED %s\n", list->path[i]);
                print_lines(v->virtual_passed ? v->failure : v->virtual_failure);
            }
        }
        unexplained += !explained;
    }
    return unexplained;
}

int differences_write(const struct script_list *list, const char *path)
{
    struct verdict *all = play_both(list);
    int skipped = 0, same = 0, unexplained;
    FILE *f = fopen(path, "w");
    struct utsname os;

    if (!f) {
        fprintf(stderr, "pkt: %s: %s\n", path, strerror(errno));
        return 2;
    }
    uname(&os);
    for (int i = 0; i < list->n; i++) {
        skipped += all[i].skipped;
        same += !all[i].skipped && all[i].kernel_passed && all[i].virtual_passed;
    }
    fprintf(f, "# Where Linux and tapstack differ\n\n");
    fprintf(f,
            "Written by `make scripts-kernel`: each script of tests/scripts/ is played against the "
            "core in virtual time\n"
            "and against the kernel (Linux %.4s) over a TUN device in real time. Fast Open is off\n"
            "there and its congestion control is reno, so that both sides offer the same.\n\n",
            os.release);
    fprintf(f, "%d scripts: %d the same on both, %d for virtual time only, %d differ.\n\n", list->n,
            same, skipped, list->n - same - skipped);
    fprintf(f, "| script | passes on | where the other parts from it | why |\n| --- | --- | --- | "
               "--- |\n");
    unexplained = differing(f, list, all);
    fprintf(f, "\nFor virtual time only:\n\n| script | why |\n| --- | --- |\n");
    for (int i = 0; i < list->n; i++)
        if (all[i].skipped)
            fprintf(f, "| %s | %s |\n", strrchr(list->path[i], '/') + 1, all[i].reason);
    fclose(f);
    printf("# %d scripts: %d the same on both, %d for virtual time only, %d unexplained\n", list->n,
           same, skipped, unexplained);
    free(all);
    return unexplained != 0;
}
