/* SPDX-License-Identifier: MIT */
/*
 * stdio: a program that knows its connection only by FILE: fdopen, fprintf, fgets, fread, fwrite.
 *
 *   stdio serve ADDRESS PORT   one connection; each line is answered with its number and its length
 *   stdio answer               the same, with standard input and output (as inetd starts it)
 *   stdio accept               the same, when standard input is the listener (inetd's "wait")
 *   stdio talk ADDRESS PORT    asks, and checks all that is answered
 *
 * The line "bytes N" is followed by N bytes, which come back after the last one has arrived.
 */
#include "tests/net/pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE    1024
#define BATCHES 100
#define FEW     10
#define BATCH   20
#define BYTES   3000000

/* stdio cuts its writes as it likes; each would wait for the ACK of the one before. */
static int no_delay(int fd)
{
    int on = 1;

    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* ---- who answers ---- */

static int bytes_back(FILE *in, FILE *out, size_t n)
{
    char *data = malloc(n);
    bool done = data && fread(data, 1, n, in) == n && fwrite(data, 1, n, out) == n;

    free(data);
    return done ? 0 : -1;
}

/* An answer waits in `out` until there is no more to read at once: only then it is flushed. */
static int answer(FILE *in, FILE *out)
{
    char line[LINE];
    size_t n = 0, bytes;

    while (fgets(line, sizeof(line), in)) {
        if (sscanf(line, "bytes %zu", &bytes) == 1) {
            if (bytes_back(in, out, bytes) < 0)
                return -1;
        } else if (fprintf(out, "%zu: %zu %s", ++n, strlen(line), line) < 0) {
            return -1;
        }
        if (strstr(line, "?\n") || strstr(line, "bytes"))
            fflush(out);
    }
    return ferror(in) || fclose(out) != 0 ? -1 : 0;
}

/* ---- who asks ---- */

static size_t asked;

/* A line of a length that varies; the last of a batch ends in a question mark. */
static void question(char line[LINE], int i, bool last)
{
    int n = snprintf(line, LINE, "line %d ", i);

    for (int end = n + i * 37 % 800; n < end; n++)
        line[n] = (char)('a' + (i + n) % 26);
    strcpy(line + n, last ? "?\n" : "\n");
}

static int expect(FILE *in, const char *line)
{
    char want[LINE + 32], got[LINE + 32];

    snprintf(want, sizeof(want), "%zu: %zu %s", ++asked, strlen(line), line);
    if (fgets(got, sizeof(got), in) && strcmp(got, want) == 0)
        return 0;
    fprintf(stderr, "stdio: wanted %sgot %s", want, feof(in) ? "the end\n" : got);
    return -1;
}

static int batch(FILE *in, FILE *out, int first, int n)
{
    char line[LINE];

    for (int i = first; i < first + n; i++) {
        question(line, i, i == first + n - 1);
        if (fprintf(out, "%s", line) < 0)
            return -1;
    }
    if (fflush(out) != 0)
        return -1;
    for (int i = first; i < first + n; i++) {
        question(line, i, i == first + n - 1);
        if (expect(in, line) < 0)
            return -1;
    }
    return 0;
}

static int batches(FILE *in, FILE *out, int n)
{
    for (int i = 0; i < n; i++) {
        if (batch(in, out, i * BATCH, BATCH) < 0)
            return -1;
    }
    return 0;
}

static int bytes(FILE *in, FILE *out)
{
    static uint8_t got[BYTES];

    fprintf(out, "bytes %d\n", BYTES);
    for (size_t done = 0, n; done < BYTES; done += n) {
        const uint8_t *data;

        n = BYTES - done;
        data = pattern_at(done, &n);
        if (fwrite(data, 1, n, out) != n)
            return -1;
    }
    if (fflush(out) != 0 || fread(got, 1, BYTES, in) != BYTES)
        return -1;
    return pattern_differs(0, got, BYTES) < 0 ? 0 : -1;
}

/* One stream for both directions: legal with a positioning in between, which no socket can do. */
static int both_ways(int fd)
{
    FILE *both = fdopen(dup(fd), "r+");
    int r = both ? 0 : -1;

    for (int i = 0; i < FEW && r == 0; i++) {
        r = batch(both, both, i, 1);
        if (fseek(both, 0, SEEK_CUR) == 0 || errno != ESPIPE)
            r = -1;
    }
    return both && fclose(both) == 0 ? r : -1;
}

/* After the end of what we say comes the end of what is answered, and not an error. */
static int ends(FILE *in, FILE *out)
{
    char line[LINE];

    if (shutdown(fileno(out), SHUT_WR) < 0 || fclose(out) != 0)
        return -1;
    if (fgets(line, sizeof(line), in) || !feof(in) || ferror(in))
        return -1;
    return fclose(in);
}

static int step(const char *what, int r)
{
    if (r < 0)
        fprintf(stderr, "stdio: %s: failed (%s)\n", what, strerror(errno));
    return r;
}

static int talk(int fd)
{
    FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");

    if (!in || !out)
        return step("fdopen", -1);
    if (step("buffered", batches(in, out, BATCHES)) < 0 || step("bytes", bytes(in, out)) < 0)
        return -1;
    if (setvbuf(out, NULL, _IOLBF, 0) != 0 || step("by lines", batches(in, out, FEW)) < 0)
        return -1;
    if (setvbuf(out, NULL, _IONBF, 0) != 0 || step("unbuffered", batches(in, out, FEW)) < 0)
        return -1;
    if (step("one stream for both", both_ways(fd)) < 0)
        return -1;
    return step("the end", ends(in, out));
}

/* ---- connections ---- */

static int address(char **argv, struct sockaddr_in *sin)
{
    *sin = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    return inet_pton(AF_INET, argv[0], &sin->sin_addr) == 1 ? 0 : -1;
}

static int serve_one(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0 || no_delay(fd) < 0)
        return step("accept", -1);
    return step("answering", answer(fdopen(fd, "r"), fdopen(dup(fd), "w")));
}

static int serve(char **argv)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in sin;

    if (fd < 0 || address(argv, &sin) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(fd, 1) < 0)
        return step("listening", -1);
    fprintf(stderr, "listening\n");
    return serve_one(fd);
}

static int ask(char **argv)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in sin;

    if (fd < 0 || address(argv, &sin) < 0 || no_delay(fd) < 0 ||
        connect(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
        return step("connecting", -1);
    return talk(fd);
}

int main(int argc, char **argv)
{
    pattern_init();
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv + 2) < 0;
    if (argc == 4 && strcmp(argv[1], "talk") == 0)
        return ask(argv + 2) < 0;
    if (argc == 2 && strcmp(argv[1], "answer") == 0)
        return step("answering", no_delay(STDIN_FILENO) < 0 ? -1 : answer(stdin, stdout)) < 0;
    if (argc == 2 && strcmp(argv[1], "accept") == 0)
        return serve_one(STDIN_FILENO) < 0;
    fprintf(stderr, "usage: stdio serve|talk ADDRESS PORT | stdio answer|accept\n");
    return 2;
}
