/* SPDX-License-Identifier: MIT */
/* socket(2), bind(2), and what a socket is called in each of its states. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *made(int domain, int type, int protocol)
{
    int fd = socket(domain, type, protocol);

    if (fd < 0)
        return er(-1);
    close(fd);
    return "a socket";
}

static void fresh(void)
{
    struct stat st;
    char byte;
    int fd = tcp();

    say("fresh flags", "%d %d", fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), fcntl(fd, F_GETFD));
    say("fresh stat", "%s", fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? "a socket" : "?");
    say("fresh lseek", "%s", er(lseek(fd, 0, SEEK_CUR)));
    say("fresh pread", "%s", er(pread(fd, &byte, 1, 0)));
    say("fresh poll", "%s", mask(fd, ALL));
    say("fresh read", "%s", GUARDED(read(fd, &byte, 1)));
    say("fresh recv", "%s", GUARDED(recv(fd, &byte, 1, 0)));
    say("fresh recv MSG_DONTWAIT", "%s", er(recv(fd, &byte, 1, MSG_DONTWAIT)));
    say("fresh recv MSG_PEEK", "%s", er(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT)));
    say("fresh getpeername", "%s", remote_name(fd, 0));
    say("fresh getsockname", "%s", local_name(fd, 0));
    say("fresh SO_ERROR", "%d", pending_error(fd));
    say("fresh FIONREAD", "%s", queue(fd, FIONREAD));
    say("fresh accept", "%s", GUARDED(accept(fd, NULL, NULL)));
    close(fd);
    fd = tcp();
    say("fresh write", "%s", er(write(fd, "x", 1)));
    close(fd);
    fd = tcp();
    say("fresh send", "%s", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    close(fd);
    fd = tcp();
    say("fresh shutdown", "%s", er(shutdown(fd, SHUT_WR)));
    say("fresh shutdown bad how", "%s", er(shutdown(fd, 7)));
    close(fd);
}

void group_create(void)
{
    int fd;

    say("tcp", "%s", made(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    say("tcp by 0", "%s", made(AF_INET, SOCK_STREAM, 0));
    say("stream with UDP", "%s", made(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    say("stream with 200", "%s", made(AF_INET, SOCK_STREAM, 200));
    say("stream with -1", "%s", made(AF_INET, SOCK_STREAM, -1));
    say("datagram with TCP", "%s", made(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
    say("seqpacket", "%s", made(AF_INET, SOCK_SEQPACKET, 0));
    say("no type", "%s", made(AF_INET, 0, 0));
    say("bad flag", "%s", made(AF_INET, SOCK_STREAM | 0x10000, 0));
    say("no family", "%s", made(77, SOCK_STREAM, 0));
    say("udp", "%s", made(AF_INET, SOCK_DGRAM, 0));
    say("unix", "%s", made(AF_UNIX, SOCK_STREAM, 0));
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    say("both flags", "%d %d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK), fcntl(fd, F_GETFD));
    say("F_SETFL blocking", "%s", er(fcntl(fd, F_SETFL, 0)));
    say("blocking again", "%d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    int on = 1;
    ioctl(fd, FIONBIO, &on);
    say("FIONBIO", "%d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    say("close", "%s", er(close(fd)));
    say("close twice", "%s", er(close(fd)));
    say("bind closed", "%s", er(bind_to(fd, us, 0)));
    say("connect closed", "%s", er(connect_to(fd, peer, 9)));
    say("listen closed", "%s", er(listen(fd, 1)));
    say("getsockname closed", "%s", local_name(fd, 0));
    fd = open("/dev/null", O_RDWR);
    say("bind no socket", "%s", er(bind_to(fd, us, 0)));
    say("connect no socket", "%s", er(connect_to(fd, peer, 9)));
    say("listen no socket", "%s", er(listen(fd, 1)));
    say("accept no socket", "%s", er(accept(fd, NULL, NULL)));
    say("getsockopt no socket", "%s", er(get_int(fd, SOL_SOCKET, SO_TYPE)));
    close(fd);
    fresh();
}

/* --- bind --------------------------------------------------------------------------------------
 */

static void bind_arguments(void)
{
    struct sockaddr_in a = address(us, 0);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    int fd = tcp();

    say("bind NULL", "%s", er(bind(fd, NULL, sizeof(a))));
    say("bind short", "%s", er(bind(fd, (struct sockaddr *)&a, 8)));
    say("bind length 0", "%s", er(bind(fd, (struct sockaddr *)&a, 0)));
    say("bind too long", "%s", er(bind(fd, (struct sockaddr *)&a, 4096)));
    say("bind v6 address", "%s", er(bind(fd, (struct sockaddr *)&in6, sizeof(in6))));
    a.sin_family = AF_UNIX;
    say("bind AF_UNIX address", "%s", er(bind(fd, (struct sockaddr *)&a, sizeof(a))));
    a.sin_family = AF_UNSPEC;
    say("bind AF_UNSPEC not any", "%s", er(bind(fd, (struct sockaddr *)&a, sizeof(a))));
    a.sin_addr.s_addr = 0;
    say("bind AF_UNSPEC any", "%s", er(bind(fd, (struct sockaddr *)&a, sizeof(a))));
    close(fd);
    fd = tcp();
    say("bind peer's", "%s", er(bind_to(fd, peer, 0)));
    say("bind broadcast", "%s", er(bind_to(fd, (struct in_addr){INADDR_BROADCAST}, 0)));
    close(fd);
    fd = tcp();
    say("bind multicast", "%s", er(bind_to(fd, (struct in_addr){htonl(0xe0000001)}, 0)));
    close(fd);
    fd = tcp();
    say("bind port 0", "%s", er(bind_to(fd, us, 0)));
    say("bound name", "%s", local_name(fd, local_port(fd)));
    say("bound port", "%s", local_port(fd) >= 32768 ? "ephemeral" : "?");
    say("bind again", "%s", er(bind_to(fd, us, 0)));
    say("bound getpeername", "%s", remote_name(fd, 0));
    say("bound poll", "%s", mask(fd, ALL));
    close(fd);
    fd = tcp();
    say("bind any", "%s", er(bind_to(fd, (struct in_addr){0}, 0)));
    say("any name", "%s", local_name(fd, local_port(fd)));
    close(fd);
    fd = tcp();
    say("bind port 80", "%s", er(bind_to(fd, us, 80)));
    close(fd);
    fd = tcp();
    set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    say("bind no port", "%s", er(bind_to(fd, us, 0)));
    say("no port name", "%s", local_name(fd, 0));
    say("no port bind again", "%s", er(bind_to(fd, us, 0)));
    say("no port listen", "%s", er(listen(fd, 1)));
    say("no port listener", "%s", local_port(fd) >= 32768 ? "ephemeral" : "?");
    close(fd);
}

/* Two sockets, the first bound (and listening, when asked): may the second one have its port? */
static const char *second(int option, int listening, struct in_addr a, struct in_addr b)
{
    int first = tcp(), other = tcp(), on = 1;
    const char *result;

    if (option) {
        setsockopt(first, SOL_SOCKET, option, &on, sizeof(on));
        setsockopt(other, SOL_SOCKET, option, &on, sizeof(on));
    }
    if (bind_to(first, a, 0) < 0 || (listening && listen(first, 1) < 0))
        return "?";
    result = er(bind_to(other, b, local_port(first)));
    close(first);
    close(other);
    return result;
}

static void conflicts(void)
{
    struct in_addr any = {0};
    int first, other, on = 1;

    say("second", "%s", second(0, 0, us, us));
    say("second any", "%s", second(0, 0, us, any));
    say("second specific", "%s", second(0, 0, any, us));
    say("second of a listener", "%s", second(0, 1, us, us));
    say("second REUSEADDR", "%s", second(SO_REUSEADDR, 0, us, us));
    say("second REUSEADDR any", "%s", second(SO_REUSEADDR, 0, us, any));
    say("second REUSEADDR listener", "%s", second(SO_REUSEADDR, 1, us, us));
    say("second REUSEADDR listener any", "%s", second(SO_REUSEADDR, 1, us, any));
    say("second REUSEPORT", "%s", second(SO_REUSEPORT, 0, us, us));
    say("second REUSEPORT listener", "%s", second(SO_REUSEPORT, 1, us, us));
    say("second REUSEPORT listener any", "%s", second(SO_REUSEPORT, 1, us, any));
    first = tcp();
    other = tcp();
    bind_to(first, us, 0);
    setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("REUSEADDR on the second only", "%s", er(bind_to(other, us, local_port(first))));
    setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("REUSEADDR on the first later", "%s", er(bind_to(other, us, local_port(first))));
    say("both listen 1", "%s", er(listen(first, 1)));
    say("both listen 2", "%s", er(listen(other, 1)));
    close(first);
    say("other listens after close", "%s", er(listen(other, 1)));
    close(other);
}

/* A port whose connection is in TIME-WAIT. */
static void time_wait(void)
{
    int port, l = listener(4, &port), h = (int)peer_do("connect %d", port), on = 1;
    int fd = accept(l, NULL, NULL);

    close(l);
    shutdown(fd, SHUT_WR);
    peer_end(h);
    peer_do("close %d", h);
    mask_when(fd, ALL, POLLHUP);
    close(fd);
    pause_ms(50);
    fd = tcp();
    say("TIME-WAIT's port", "%s", er(bind_to(fd, us, port)));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("TIME-WAIT's port REUSEADDR", "%s", er(bind_to(fd, us, port)));
    say("TIME-WAIT's port listens", "%s", er(listen(fd, 4)));
    close(fd);
}

static void name_arguments(void)
{
    struct sockaddr_storage ss;
    socklen_t len = 4;
    int h, fd = connected(&h);

    memset(&ss, 0xff, sizeof(ss));
    say("getsockname cut", "%s", er(getsockname(fd, (struct sockaddr *)&ss, &len)));
    say("getsockname cut length", "%u", len);
    say("getsockname cut rest", "%d", ((unsigned char *)&ss)[4]);
    len = 0;
    say("getpeername length 0", "%s", er(getpeername(fd, (struct sockaddr *)&ss, &len)));
    say("getpeername length 0 is", "%u", len);
    len = (socklen_t)-1;
    say("getsockname length -1", "%s", er(getsockname(fd, (struct sockaddr *)&ss, &len)));
    say("getsockname NULL length", "%s", er(getsockname(fd, (struct sockaddr *)&ss, NULL)));
    len = sizeof(ss);
    say("getsockname NULL", "%s", er(getsockname(fd, NULL, &len)));
    close(fd);
    peer_do("close %d", h);
}

static void states(void)
{
    int port, l = peer_listen(4, &port), h, fd = tcp();

    connect_to(fd, peer, port);
    h = (int)peer_do("accept %d", l);
    say("connected local", "%s", local_name(fd, local_port(fd)));
    say("connected remote", "%s", remote_name(fd, port));
    shutdown(fd, SHUT_WR);
    say("half closed local", "%s", local_name(fd, local_port(fd)));
    say("half closed remote", "%s", remote_name(fd, port));
    peer_do("close %d", h);
    mask_when(fd, ALL, POLLHUP);
    pause_ms(20);
    say("closed both ways remote", "%s", remote_name(fd, port));
    say("closed both ways local", "%s", local_name(fd, local_port(fd)));
    close(fd);
    fd = tcp();
    bind_to(fd, (struct in_addr){0}, 0);
    connect_to(fd, peer, port);
    say("any bound, connected local", "%s", local_name(fd, local_port(fd)));
    h = (int)peer_do("accept %d", l);
    peer_do("reset %d", h);
    mask_when(fd, ALL, POLLERR);
    say("reset remote", "%s", remote_name(fd, port));
    say("reset local", "%s", local_name(fd, local_port(fd)));
    close(fd);
    fd = tcp_nb();
    connect_to(fd, peer, peer_nobody());
    mask_when(fd, ALL, POLLERR);
    say("refused remote", "%s", remote_name(fd, 0));
    say("refused local", "%.3s", local_name(fd, local_port(fd)));
    close(fd);
    l = listener(4, &port);
    say("listener local", "%s", local_name(l, port));
    say("listener remote", "%s", remote_name(l, 0));
    close(l);
    l = tcp();
    listen(l, 1);
    say("unbound listener local", "%s", local_name(l, local_port(l)));
    close(l);
}

void group_names(void)
{
    bind_arguments();
    conflicts();
    time_wait();
    name_arguments();
    states();
}
