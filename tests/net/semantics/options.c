/* SPDX-License-Identifier: MIT */
/* getsockopt(2) and setsockopt(2): what is there at birth, what may be set, what comes back. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static const struct {
    const char *name;
    int level, option;
    int good;      /* may be set to this */
    int bad;       /* may this be set? */
    bool unstable; /* no values are compared */
} ints[] = {
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1, 77, false},
    {"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 1, 77, false},
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1, -1, false},
    {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1, 77, false},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 50000, 1, false},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 50000, 1, false},
    {"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, 100, 0, false},
    {"SO_SNDLOWAT", SOL_SOCKET, SO_SNDLOWAT, 2, 0, false},
    {"SO_TYPE", SOL_SOCKET, SO_TYPE, 1, 2, false},
    {"SO_DOMAIN", SOL_SOCKET, SO_DOMAIN, 1, 2, false},
    {"SO_PROTOCOL", SOL_SOCKET, SO_PROTOCOL, 1, 2, false},
    {"SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, 1, 2, false},
    {"SO_ERROR", SOL_SOCKET, SO_ERROR, 1, 2, false},
    {"SO_INCOMING_NAPI_ID", SOL_SOCKET, SO_INCOMING_NAPI_ID, 1, 2, false},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1, 77, false},
    {"TCP_CORK", IPPROTO_TCP, TCP_CORK, 1, 77, false},
    {"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG, 1000, 40000, false},
    {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 10, 0, false},
    {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 10, 40000, false},
    {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 3, 128, false},
    {"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT, 3, 0, false},
    {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, 30, 1000, false},
    {"TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, 3, -1, false},
    {"TCP_WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP, 20000, 1, false},
    {"TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK, 0, 2, true},
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, -1, false},
    {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384, -1, false},
    {"IP_TOS", IPPROTO_IP, IP_TOS, 0x10, 0xff, false},
    {"IP_TTL", IPPROTO_IP, IP_TTL, 5, 0, false},
    {"IP_MINTTL", IPPROTO_IP, IP_MINTTL, 5, 256, false},
    {"IP_BIND_ADDRESS_NO_PORT", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, 77, false},
    {"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, 99, false},
    {"IP_MTU", IPPROTO_IP, IP_MTU, 1, 2, false},
    {"no SOL_SOCKET option", SOL_SOCKET, 9999, 1, 2, false},
    {"no TCP option", IPPROTO_TCP, 9999, 1, 2, false},
    {"no IP option", IPPROTO_IP, 9999, 1, 2, false},
    {"no level", 9999, 1, 1, 2, false},
    {"IPV6_V6ONLY of AF_INET", IPPROTO_IPV6, IPV6_V6ONLY, 1, 0, false},
    {"IPV6_TCLASS of AF_INET", IPPROTO_IPV6, IPV6_TCLASS, 1, 0, false},
};

static const char *got(int fd, int level, int name)
{
    int value = -7;
    socklen_t len = sizeof(value);

    if (getsockopt(fd, level, name, &value, &len) < 0)
        return er(-1);
    return len == sizeof(value) ? er(value < 0 ? (errno = EDOM, -1) : value) : "another size";
}

static void one_int(size_t i)
{
    int fd = tcp(), level = ints[i].level, name = ints[i].option, value;
    char what[64], byte = 1;
    socklen_t len = 1;

    snprintf(what, sizeof(what), "%s", ints[i].name);
    if (!ints[i].unstable)
        say(what, "%s", got(fd, level, name));
    snprintf(what, sizeof(what), "%s set", ints[i].name);
    const char *result = er(set_int(fd, level, name, ints[i].good));
    const char *back = ints[i].unstable ? "" : got(fd, level, name);
    say(what, "%s %s", result, back);
    snprintf(what, sizeof(what), "%s set to %d", ints[i].name, ints[i].bad);
    result = er(set_int(fd, level, name, ints[i].bad));
    back = ints[i].unstable ? "" : got(fd, level, name);
    say(what, "%s %s", result, back);
    snprintf(what, sizeof(what), "%s one byte", ints[i].name);
    value = 0;
    result = er(setsockopt(fd, level, name, &byte, 1));
    back = er(getsockopt(fd, level, name, &value, &len));
    say(what, "%s %s %u", result, back, len);
    close(fd);
}

static void arguments(void)
{
    int fd = tcp(), value = 1;
    char big[300] = {1};
    socklen_t len = (socklen_t)-1;

    say("set NULL", "%s", er(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, sizeof(value))));
    say("set length 0", "%s", er(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 0)));
    say("set length -1", "%s", er(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, (socklen_t)-1)));
    say("set too long", "%s", er(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, big, sizeof(big))));
    say("get length -1", "%s", er(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len)));
    len = 0;
    say("get length 0", "%s", er(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len)));
    say("get NULL length", "%s", er(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, NULL)));
    len = sizeof(big);
    say("get long", "%s", er(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, big, &len)));
    say("get long length", "%u", len);
    len = 2;
    say("get short", "%s", er(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len)));
    say("get short length", "%u", len);
    close(fd);
}

static void structures(void)
{
    int fd = tcp();
    struct linger lg = {1, 5};
    struct timeval t = {1, 500000};
    char name[32] = "";
    socklen_t len = sizeof(lg);

    say("SO_LINGER set", "%s", er(setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg))));
    memset(&lg, 0, sizeof(lg));
    getsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, &len);
    say("SO_LINGER", "%d %d %u", lg.l_onoff, lg.l_linger, len);
    say("SO_LINGER short", "%s", er(setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, 4)));
    say("SO_RCVTIMEO set", "%s", er(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t))));
    memset(&t, 0, sizeof(t));
    len = sizeof(t);
    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len);
    say("SO_RCVTIMEO", "%ld %ld %u", (long)t.tv_sec, (long)t.tv_usec, len);
    t.tv_usec = 1000000;
    say("SO_RCVTIMEO EDOM", "%s", er(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t))));
    say("SO_SNDTIMEO short", "%s", er(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, 4)));
    t = (struct timeval){-1, 0};
    say("SO_SNDTIMEO negative", "%s", er(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t))));
    say("TCP_CONGESTION set", "%s", er(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4)));
    len = sizeof(name);
    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len);
    say("TCP_CONGESTION", "%s %u", name, len);
    say("TCP_CONGESTION unknown", "%s",
        er(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8)));
    say("TCP_CONGESTION empty", "%s", er(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0)));
    close(fd);
}

static void info(void)
{
    struct tcp_info i = {0};
    socklen_t len = sizeof(i);
    int h, fd = tcp(), port;

    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len);
    say("TCP_INFO fresh state", "%d", i.tcpi_state);
    close(fd);
    fd = listener(5, &port);
    len = sizeof(i);
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len);
    say("TCP_INFO listener", "%d %u %u", i.tcpi_state, i.tcpi_unacked, i.tcpi_sacked);
    close(fd);
    fd = connected(&h);
    (void)!write(fd, "hello", 5);
    wait_acked(fd);
    peer_do("send %d abc", h);
    wait_bytes(fd, 3);
    len = sizeof(i);
    memset(&i, 0, sizeof(i));
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len);
    say("TCP_INFO length", "%d", len >= offsetof(struct tcp_info, tcpi_delivery_rate));
    say("TCP_INFO state", "%d", i.tcpi_state);
    say("TCP_INFO options", "%#x", i.tcpi_options & 7u);
    say("TCP_INFO mss", "%u %u", i.tcpi_snd_mss, i.tcpi_advmss);
    say("TCP_INFO pmtu", "%u", i.tcpi_pmtu);
    say("TCP_INFO bytes_acked", "%llu", (unsigned long long)i.tcpi_bytes_acked);
    say("TCP_INFO bytes_received", "%llu", (unsigned long long)i.tcpi_bytes_received);
    say("TCP_INFO bytes_sent", "%llu", (unsigned long long)i.tcpi_bytes_sent);
    say("TCP_INFO unacked", "%u", i.tcpi_unacked);
    say("TCP_INFO rtt", "%d", i.tcpi_rtt > 0);
    say("TCP_INFO data segments", "%u %u", i.tcpi_data_segs_in, i.tcpi_data_segs_out);
    len = 8;
    say("TCP_INFO cut", "%s", er(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len)));
    say("TCP_INFO cut length", "%u", len);
    say("TCP_INFO set", "%s", er(setsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, sizeof(i))));
    say("connected TCP_MAXSEG", "%s", got(fd, IPPROTO_TCP, TCP_MAXSEG));
    say("connected IP_MTU", "%s", got(fd, IPPROTO_IP, IP_MTU));
    say("connected IP_TTL set", "%s", er(set_int(fd, IPPROTO_IP, IP_TTL, 33)));
    say("connected IP_TTL", "%s", got(fd, IPPROTO_IP, IP_TTL));
    say("connected SO_REUSEADDR", "%s", er(set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1)));
    close(fd);
    peer_do("close %d", h);
}

/* Identity of the socket, for those who ask. */
static void identity(void)
{
    int fd = tcp(), other = tcp();
    uint64_t a = 0, b = 0;
    socklen_t len = sizeof(a);
    struct ucred cred = {1, 1, 1};

    say("SO_COOKIE", "%s", er(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &a, &len)));
    getsockopt(other, SOL_SOCKET, SO_COOKIE, &b, &len);
    say("SO_COOKIE differs", "%d", a && b && a != b);
    len = sizeof(cred);
    say("SO_PEERCRED", "%s", er(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)));
    say("SO_PEERCRED is", "%d %d", cred.pid, (int)cred.uid);
    close(fd);
    close(other);
}

void group_options(void)
{
    for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
        one_int(i);
    arguments();
    structures();
    info();
    identity();
}
