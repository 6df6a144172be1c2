/* SPDX-License-Identifier: MIT */
/* Writes docs/goodput.tsv and docs/goodput.md (`make goodput`); all processors measure. */
#include "tests/sim/goodput_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS_MAX 1000

/* Every jobs-th row, into memory that the parent sees. */
static void measure_slice(struct goodput_row *rows, unsigned n, unsigned job, unsigned jobs)
{
    for (unsigned i = job; i < n; i += jobs)
        goodput_measure(&rows[i]);
}

static int measure_all(struct goodput_row *rows, unsigned n)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = cpus > 0 ? (unsigned)cpus : 1;
    int status, bad = 0;

    for (unsigned j = 0; j < jobs; j++) {
        if (fork() == 0) {
            measure_slice(rows, n, j, jobs);
            _exit(0);
        }
    }
    while (wait(&status) > 0)
        bad |= status;
    for (unsigned i = 0; i < n; i++) {
        if (rows[i].result.failure[0]) {
            fprintf(stderr, "row %u: %s\n", i + 1, rows[i].result.failure);
            bad = 1;
        }
    }
    return bad;
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

int main(void)
{
    struct goodput_row *rows = mmap(NULL, ROWS_MAX * sizeof(*rows), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned n = 0;
    char line[256];
    FILE *f;

    if (rows == MAP_FAILED)
        return 1;
    while (n < ROWS_MAX && goodput_row(n, &rows[n]))
        n++;
    if (measure_all(rows, n))
        return 1;
    f = create(GOODPUT_TSV);
    fprintf(f, "%s\n", goodput_header());
    for (unsigned i = 0; i < n; i++) {
        goodput_format(&rows[i], line, sizeof(line));
        fprintf(f, "%s\n", line);
    }
    fclose(f);
    f = create(GOODPUT_MARKDOWN);
    goodput_markdown(rows, n, f);
    fclose(f);
    printf("%u rows in %s and %s\n", n, GOODPUT_TSV, GOODPUT_MARKDOWN);
    return 0;
}
