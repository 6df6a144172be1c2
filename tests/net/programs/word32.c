/* SPDX-License-Identifier: MIT */
/*
 * word32 HTTP-ADDRESS PORT [ring]: a 32-bit program without any library. It fetches /file and
 * writes it to its standard output; by socketcall(2), as old C libraries do, and then anew by the
 * later calls of their own, comparing. Then both ends of a connection are its own. The exit status
 * is the number of the step that went wrong. `ring`: what io_uring_setup(2) says, as the status.
 */
#define NULL ((void *)0)

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define AF_INET      2
#define SOCK_STREAM  1
#define SOL_SOCKET   1
#define SO_KEEPALIVE 9
#define SO_RCVTIMEO  20
#define EINPROGRESS  115

enum { EXIT = 1, READ = 3, WRITE = 4, SOCKETCALL = 102, IO_URING_SETUP = 425 };
/* socketcall(2)'s numbers */
enum {
    SOCKET = 1,
    BIND,
    CONNECT,
    LISTEN,
    ACCEPT,
    GETSOCKNAME,
    GETPEERNAME,
    SETSOCKOPT = 14,
    GETSOCKOPT,
    ACCEPT4 = 18
};

struct name {
    u16 family, port;
    u8 address[4], zero[8];
};

static int later; /* by the calls of their own */

static int call(int nr, long a, long b, long c, long d, long e)
{
    int r;

    __asm__ volatile("int $0x80"
                     : "=a"(r)
                     : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return r;
}

static int later_number(int which)
{
    static const short numbers[] = {[SOCKET] = 359,     [BIND] = 361,        [CONNECT] = 362,
                                    [LISTEN] = 363,     [GETSOCKNAME] = 367, [GETPEERNAME] = 368,
                                    [SETSOCKOPT] = 366, [GETSOCKOPT] = 365,  [ACCEPT4] = 364};

    return numbers[which];
}

static int sock(int which, long a, long b, long c, long d, long e)
{
    long args[] = {a, b, c, d, e};

    if (later)
        return call(later_number(which == ACCEPT ? ACCEPT4 : which), a, b, c,
                    which == ACCEPT ? 0 : d, e);
    return call(SOCKETCALL, which, (long)args, 0, 0, 0);
}

static void quit(int status)
{
    call(EXIT, status, 0, 0, 0, 0);
    for (;;) {
    }
}

static void need(int good, int step)
{
    if (!good)
        quit(later ? step + 100 : step);
}

static u32 number(const char **text)
{
    u32 n = 0;

    for (; **text >= '0' && **text <= '9'; ++*text)
        n = 10 * n + (u32)(**text - '0');
    return n;
}

static struct name name_of(const char *address, u32 port)
{
    struct name n = {.family = AF_INET, .port = (u16)(port << 8 | port >> 8)};

    for (int i = 0; i < 4; i++, address++)
        n.address[i] = (u8)number(&address);
    return n;
}

static u8 buf[65536];

/* Behind the header; a sum of the bytes. */
static u32 body(int fd, int show)
{
    static const char end[] = "\r\n\r\n";
    u32 sum = 0;
    int n, at = 0;

    while ((n = call(READ, fd, (long)buf, sizeof(buf), 0, 0)) > 0) {
        int i = 0;

        for (; at < 4 && i < n; i++)
            at = buf[i] == end[at] ? at + 1 : buf[i] == '\r';
        if (show && i < n)
            need(call(WRITE, 1, (long)(buf + i), n - i, 0, 0) == n - i, 1);
        for (; i < n; i++)
            sum = sum * 31 + buf[i];
    }
    need(n == 0, 2);
    return sum;
}

static u32 fetch(const struct name *server, int show)
{
    static const char ask[] = "GET /file HTTP/1.0\r\n\r\n";
    int fd = sock(SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0), on = 1, time[2] = {20, 0}, len = 4;
    struct name n;
    u32 sum;

    need(fd >= 0, 3);
    need(sock(SETSOCKOPT, fd, SOL_SOCKET, SO_KEEPALIVE, (long)&on, sizeof(on)) == 0, 4);
    need(sock(SETSOCKOPT, fd, SOL_SOCKET, SO_RCVTIMEO, (long)time, sizeof(time)) == 0, 5);
    on = 0;
    need(sock(GETSOCKOPT, fd, SOL_SOCKET, SO_KEEPALIVE, (long)&on, (long)&len) == 0 && on == 1, 6);
    need(sock(CONNECT, fd, (long)server, sizeof(*server), 0, 0) == 0, 7);
    len = sizeof(n);
    need(sock(GETPEERNAME, fd, (long)&n, (long)&len, 0, 0) == 0 && n.port == server->port, 8);
    need(call(WRITE, fd, (long)ask, sizeof(ask) - 1, 0, 0) == sizeof(ask) - 1, 9);
    sum = body(fd, show);
    return sum;
}

static void both_ends(const struct name *server)
{
    struct name n = {.family = AF_INET};
    int l = sock(SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0),
        fd = sock(SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0);
    int len = sizeof(n), got;
    u8 byte = 0;

    (void)server;
    need(sock(BIND, l, (long)&n, sizeof(n), 0, 0) == 0, 10);
    need(sock(LISTEN, l, 4, 0, 0, 0) == 0, 11);
    need(sock(GETSOCKNAME, l, (long)&n, (long)&len, 0, 0) == 0 && n.port && len == 16, 12);
    n.address[0] = 10, n.address[1] = 77, n.address[3] = 2;
    need(sock(CONNECT, fd, (long)&n, sizeof(n), 0, 0) == 0, 13);
    len = sizeof(n);
    got = sock(ACCEPT, l, (long)&n, (long)&len, 0, 0);
    need(got >= 0 && n.family == AF_INET && n.address[3] == 2, 14);
    need(call(WRITE, fd, (long)"x", 1, 0, 0) == 1, 15);
    need(call(READ, got, (long)&byte, 1, 0, 0) == 1 && byte == 'x', 16);
    need(sock(CONNECT, fd, 8, sizeof(n), 0, 0) == -14, 17); /* EFAULT */
    need(sock(SOCKET, 1, SOCK_STREAM, 0, 0, 0) >= 0, 18);   /* AF_UNIX: the kernel's */
}

__attribute__((used)) static void run(int argc, const char **argv)
{
    struct name server;
    u32 sum;

    if (argc > 3)
        quit(-call(IO_URING_SETUP, 4, (long)buf, 0, 0, 0));
    need(argc == 3, 90);
    server = name_of(argv[1], number(&argv[2]));
    sum = fetch(&server, 1);
    both_ends(&server);
    later = 1;
    need(fetch(&server, 0) == sum, 19);
    both_ends(&server);
    quit(0);
}

__asm__(".globl _start\n_start:\n\txor %ebp,%ebp\n\tmov (%esp),%eax\n\tlea 4(%esp),%edx\n\tand "
        "$-16,%esp\n"
        "\tsub $8,%esp\n\tpush %edx\n\tpush %eax\n\tcall run\n");
