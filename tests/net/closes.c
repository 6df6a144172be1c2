/* SPDX-License-Identifier: MIT */
/*
 * closes ADDRESS PORT: accepts one connection, closes the listener, says so on the connection, and
 * then keeps its processor busy for a second. Nobody may be accepted any more as soon as it has
 * said so, also when the supervisor that served accept(2) has had no time since.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    int l = socket(AF_INET, SOCK_STREAM, 0), s;
    double start;

    if (argc != 3 || inet_pton(AF_INET, argv[1], &a.sin_addr) != 1) {
        fprintf(stderr, "Usage: closes ADDRESS PORT\n");
        return 2;
    }
    a.sin_port = htons((uint16_t)atoi(argv[2]));
    if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 8) < 0) {
        perror("closes: listen");
        return 1;
    }
    printf("listening\n");
    fflush(stdout);
    s = accept(l, NULL, NULL);
    close(l);
    if (s < 0 || write(s, "closed", 6) != 6)
        return 1;
    for (start = now(); now() - start < 1;) {
    }
    return 0;
}
