/* SPDX-License-Identifier: MIT */
/*
 * A blocking client: it sends standard input to a peer and prints what comes back. Only the socket
 * and the connection are made by libtapstack; from then on it is a plain descriptor.
 *
 *     cc blocking.c $(pkg-config --cflags --libs tapstack) -o blocking
 *     echo hello | ./blocking 10.77.0.1 7
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <tapstack.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int copy(int from, int to)
{
    char buffer[65536];
    ssize_t n;

    while ((n = read(from, buffer, sizeof(buffer))) > 0) {
        if (write_all(to, buffer, (size_t)n) < 0)
            return -1;
    }
    return n < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct ts_info info;
    int fd;

    if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        fprintf(stderr, "Usage: blocking ADDRESS PORT\n");
        return 2;
    }
    to.sin_port = htons((uint16_t)atoi(argv[2]));
    fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ts_connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("connect");
        return 1;
    }
    if (copy(STDIN_FILENO, fd) < 0) {
        perror("send");
        return 1;
    }
    if (ts_info(fd, &info) == 0)
        fprintf(stderr, "%s: %llu bytes acknowledged so far, round trip %u us\n", info.state_name,
                (unsigned long long)info.bytes_acked, info.rtt_us);
    if (shutdown(fd, SHUT_WR) < 0 || copy(fd, STDOUT_FILENO) < 0) {
        perror("receive");
        return 1;
    }
    return close(fd) < 0;
}
