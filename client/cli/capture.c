/* SPDX-License-Identifier: MIT */
/*
 * `tapstack capture`: the daemon's frames, live. The filter is compiled here by libpcap, and run by
 * the daemon after it has checked it; frames come by a ring in shared memory
 * (client/cli/capture_reader.h), so a slow reader loses frames but never holds the daemon up.
 */
#include "client/cli/capture_reader.h"
#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"
#include "client/cli/savefile.h"
#include "ipc/codec.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    struct savefile_options to;
    uint32_t direction, ring;
    uint64_t count; /* 0: no end */
    bool dump;
    char filter[4096];
};

static void usage(FILE *to)
{
    fprintf(to,
            "Usage: tapstack [--socket PATH] capture [OPTION]... [FILTER]\n"
            "\n"
            "Write the frames that pass between the daemon and its interface, with nanoseconds, "
            "until\n"
            "interrupted. FILTER is libpcap's (pcap-filter(7)), as in: tcp port 80 and host "
            "10.0.0.1\n"
            "\n");
    cli_options_help(to, "capture");
    fprintf(to, "\n"
                "Live: tapstack capture | wireshark -k -i -      tapstack capture | tcpdump -r -\n"
                "For root, the daemon's user, and whom its configuration names (capture = yes).\n");
}

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "tapstack capture: %s: %s\n", what, why);
    return -1;
}

/* --- the filter --------------------------------------------------------------------------------
 */

_Static_assert(sizeof(struct wire_filter) == sizeof(struct bpf_insn), "the same instruction");

static int take_program(const struct bpf_program *p, struct wire_capture *want)
{
    if (p->bf_len > WIRE_FILTER_MAX) {
        fprintf(stderr, "tapstack capture: the filter: %u instructions, %d are the most\n",
                p->bf_len, WIRE_FILTER_MAX);
        return -1;
    }
    want->count = p->bf_len;
    memcpy(want->filter, p->bf_insns, p->bf_len * sizeof(want->filter[0]));
    return 0;
}

static int compile(const struct settings *s, struct wire_capture *want)
{
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, CAPTURE_SNAPLEN);
    struct bpf_program program;
    int r = -1;

    if (!pcap)
        return complain("the filter", "out of memory");
    if (pcap_compile(pcap, &program, s->filter, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        complain("the filter", pcap_geterr(pcap));
    } else {
        r = take_program(&program, want);
        if (s->dump && r == 0)
            bpf_dump(&program, 1);
        pcap_freecode(&program);
    }
    pcap_close(pcap);
    return r;
}

/* --- capturing ---------------------------------------------------------------------------------
 */

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
    (void)sig;
    stopped = 1;
}

/* Signals come only while we wait; `waiting` is the mask for that. */
static void catch_signals(sigset_t *waiting)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction act = {.sa_handler = stop};
    sigset_t ours;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
        sigaction(ending[i], &act, NULL);
        sigaddset(&ours, ending[i]);
    }
    sigprocmask(SIG_BLOCK, &ours, waiting);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
        sigdelset(waiting, ending[i]);
}

static bool signal_waits(void)
{
    sigset_t pending;

    return stopped || (sigpending(&pending) == 0 &&
                       (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
                        sigismember(&pending, SIGHUP)));
}

struct capture {
    const struct settings *settings;
    struct capture_reader reader;
    struct savefile to;
    uint64_t written;
};

static int write_failed(const struct capture *c)
{
    /* whoever read our pipe has had enough: no fault */
    if (errno == EPIPE && !strcmp(c->to.options.path, "-"))
        return 1;
    return complain(c->to.name, strerror(errno));
}

/* All that is there. 0: there is no more for now; 1: the end; -1: said on stderr. */
static int take_frames(struct capture *c)
{
    const struct settings *s = c->settings;
    struct capture_record record;
    const void *bytes;
    int r;

    while ((r = capture_reader_next(&c->reader, &record, &bytes)) == 1) {
        c->to.matched = c->reader.words->matched;
        c->to.dropped = c->reader.words->dropped;
        r = savefile_write(&c->to, &record, bytes);
        if (r != 0)
            return r < 0 ? write_failed(c) : 1;
        if (++c->written == s->count || (c->written % 1024 == 0 && signal_waits()))
            return 1;
    }
    if (r < 0)
        return complain("the ring", strerror(-r));
    return savefile_flush(&c->to) < 0 ? write_failed(c) : 0;
}

static int run(struct capture *c)
{
    sigset_t waiting;
    int r, w = 0;

    catch_signals(&waiting);
    do {
        r = take_frames(c);
        if (r == 0 && !stopped && w == 0)
            w = capture_reader_wait(&c->reader, &waiting);
        else if (r == 0)
            break;
    } while (r == 0);
    if (w == -ECONNRESET && r == 0)
        r = complain("the daemon", "it has ended, or ended the capture");
    return r;
}

static void summary(const struct capture *c)
{
    fprintf(stderr,
            "%" PRIu64 " frames captured\n%" PRIu64 " frames received by filter\n%" PRIu64
            " frames dropped by the daemon (the ring was full)\n",
            c->written, c->reader.words->matched, c->reader.words->dropped);
}

static int begin(struct capture *c, const struct wire_capture *want)
{
    size_t len = WIRE_CAPTURE_HEAD + want->count * sizeof(want->filter[0]);
    int r = capture_reader_open(&c->reader, want, len);

    if (r == EPERM)
        return complain("the daemon refuses", "only root, the user who started it, and whom its "
                                              "configuration names (capture = yes) may capture");
    if (r > 0)
        return complain("the daemon refuses", strerror(r));
    if (r < 0) {
        daemon_complain("capture", -r);
        return -1;
    }
    return 0;
}

static int capture(struct settings *s, const struct wire_capture *want)
{
    struct capture c = {.settings = s};
    struct wire_hello hello = {0};
    int r;

    if (daemon_check("capture", &hello) < 0 || begin(&c, want) < 0)
        return -1;
    hello.interface[sizeof(hello.interface) - 1] = '\0';
    s->to.interface = hello.interface;
    s->to.filter = s->filter;
    r = savefile_open(&c.to, &s->to);
    if (r < 0) {
        r = write_failed(&c);
    } else {
        fprintf(stderr, "tapstack capture: listening on %s, snapshot length %u bytes\n",
                hello.interface, s->to.snaplen);
        r = run(&c);
        c.to.matched = c.reader.words->matched;
        c.to.dropped = c.reader.words->dropped;
        if (savefile_close(&c.to) < 0 && r == 0)
            r = write_failed(&c);
        summary(&c);
    }
    if (c.to.file)
        fclose(c.to.file);
    capture_reader_close(&c.reader);
    return r < 0 ? -1 : 0;
}

/* --- the command -------------------------------------------------------------------------------
 */

/* "12": millions of bytes, as in tcpdump(8); "64K", "1M", "2G": of 1024. 0: malformed. */
static uint64_t size_of(const char *text)
{
    static const char units[] = "KMG";
    char digits[16] = "";
    const char *unit;
    size_t n = strspn(text, "0123456789");
    int64_t v;

    if (n == 0 || n >= sizeof(digits))
        return 0;
    memcpy(digits, text, n);
    v = cli_number(digits, 1, 1000000000);
    if (v < 0)
        return 0;
    if (!text[n])
        return (uint64_t)v * 1000000;
    unit = text[n + 1] ? NULL : strchr(units, text[n] & ~0x20);
    return unit && *unit ? (uint64_t)v << (10 * (unit - units + 1)) : 0;
}

static bool set_direction(struct settings *s, const char *text)
{
    s->direction = !strcmp(text, "in")      ? CAPTURE_IN
                   : !strcmp(text, "out")   ? CAPTURE_OUT
                   : !strcmp(text, "inout") ? CAPTURE_IN | CAPTURE_OUT
                                            : 0;
    return s->direction != 0;
}

/* The least power of two that holds so many KiB. */
static bool set_ring(struct settings *s, const char *text)
{
    int64_t kib = cli_number(text, CAPTURE_RING_MIN >> 10, CAPTURE_RING_MAX >> 10);

    for (s->ring = CAPTURE_RING_MIN; kib > 0 && s->ring >> 10 < (uint64_t)kib;)
        s->ring <<= 1;
    return kib > 0;
}

static bool set_number(const char *text, int64_t max, uint32_t *out)
{
    int64_t n = cli_number(text, 1, max);

    *out = (uint32_t)n;
    return n > 0;
}

static bool set(struct settings *s, int c)
{
    uint32_t n = 0;
    bool ok = true;

    switch (c) {
    case 'w':
        s->to.path = optarg;
        return true;
    case 'g':
        s->to.pcapng = true;
        return true;
    case 'd':
        s->dump = true;
        return true;
    case 's':
        ok = set_number(optarg, CAPTURE_SNAPLEN, &s->to.snaplen);
        break;
    case 'c':
        ok = set_number(optarg, UINT32_MAX, &n);
        s->count = n;
        break;
    case 'Q':
        ok = set_direction(s, optarg);
        break;
    case 'C':
        s->to.max_bytes = size_of(optarg);
        ok = s->to.max_bytes != 0;
        break;
    case 'G':
        ok = set_number(optarg, 366 * 86400, &s->to.max_seconds);
        break;
    case 'W':
        ok = set_number(optarg, 1000000, &s->to.files);
        break;
    case 'B':
        ok = set_ring(s, optarg);
        break;
    default:
        return false;
    }
    if (!ok)
        fprintf(stderr, "tapstack capture: -%c does not take '%s'\n", c, optarg);
    return ok;
}

static const char *contradiction(const struct settings *s)
{
    bool standard_output = !strcmp(s->to.path, "-");
    bool series = s->to.max_bytes || s->to.max_seconds;

    if (standard_output && series)
        return "-C and -G need a file (-w)";
    if (s->to.files && !series)
        return "-W goes with -C or -G";
    if (standard_output && !s->dump && isatty(STDOUT_FILENO))
        return "standard output is a terminal: -w FILE, or a pipe, as in | tcpdump -r -";
    return NULL;
}

static int join_filter(struct settings *s, char *const words[])
{
    size_t n = 0;

    for (; *words; words++) {
        int more = snprintf(s->filter + n, sizeof(s->filter) - n, "%s%s", n ? " " : "", *words);

        if (more < 0 || (size_t)more >= sizeof(s->filter) - n)
            return complain("the filter", "too long");
        n += (size_t)more;
    }
    return 0;
}

int capture_main(int argc, char **argv)
{
    struct settings s = {.to = {.path = "-", .snaplen = CAPTURE_SNAPLEN},
                         .direction = CAPTURE_IN | CAPTURE_OUT,
                         .ring = 4u << 20};
    struct wire_capture want = {0};
    const char *wrong;
    int c;

    optind = 0;
    while ((c = cli_getopt("capture", argc, argv)) != -1) {
        if (c == 'h')
            return usage(stdout), 0;
        if (!set(&s, c))
            return cli_wrong_usage("capture");
    }
    wrong = contradiction(&s);
    if (wrong) {
        fprintf(stderr, "tapstack capture: %s\n", wrong);
        return cli_wrong_usage("capture");
    }
    if (join_filter(&s, argv + optind) < 0 || ((s.filter[0] || s.dump) && compile(&s, &want) < 0))
        return 2;
    if (s.dump)
        return fflush(stdout) != 0;
    want.snaplen = s.to.snaplen;
    want.ring = s.ring;
    want.direction = s.direction;
    return capture(&s, &want) < 0;
}
