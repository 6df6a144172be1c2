/* SPDX-License-Identifier: MIT */
/*
 * Addresses as people read and write them.
 */
#include "client/cli/address.h"

#include "ipc/codec.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *address_text(const struct wire_addr *addr, char out[ADDRESS_TEXT])
{
    char ip[INET6_ADDRSTRLEN], port[8] = "*";

    if (addr->port != 0)
        snprintf(port, sizeof(port), "%u", addr->port);
    if (wire_addr_is_v4(addr)) {
        inet_ntop(AF_INET, addr->addr + 12, ip, sizeof(ip));
        snprintf(out, ADDRESS_TEXT, "%s:%s", ip, port);
    } else {
        inet_ntop(AF_INET6, addr->addr, ip, sizeof(ip));
        snprintf(out, ADDRESS_TEXT, "[%s]:%s", ip, port);
    }
    return out;
}

const char *address_text_of(const struct sockaddr *sa, socklen_t len, char out[ADDRESS_TEXT])
{
    struct wire_addr addr;

    if (wire_addr_from_sockaddr(&addr, sa, len) < 0)
        snprintf(out, ADDRESS_TEXT, "?");
    else
        address_text(&addr, out);
    return out;
}

int address_port(const char *text)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *ai;
    struct sockaddr_in in;
    char *end;
    long n = strtol(text, &end, 10);

    if (*text && !*end)
        return n >= 0 && n <= 65535 ? (int)n : -1;
    if (getaddrinfo(NULL, text, &hints, &ai) != 0)
        return -1;
    memcpy(&in, ai->ai_addr, sizeof(in));
    freeaddrinfo(ai);
    return ntohs(in.sin_port);
}
