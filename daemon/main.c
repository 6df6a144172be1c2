/* SPDX-License-Identifier: MIT */
/*
 * Start and stop. In this order: settings, control socket (one daemon per path, or the service
 * manager's), TAP and the host's side of it, capture, the core, giving up privileges, the event
 * loop. What goes wrong before the loop is one line on stderr and exit status 1; a mistake in the
 * settings is exit status 2.
 */
#include "daemon/activation.h"
#include "daemon/capture_file.h"
#include "daemon/capture_ring.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/netdev/link.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/poller.h"
#include "daemon/policy.h"
#include "daemon/privileges.h"
#include "daemon/reaper.h"
#include "daemon/reload.h"
#include "daemon/settings.h"
#include "daemon/sockfile.h"
#include "daemon/stream.h"
#include "daemon/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define STATUS_ROOM 240

struct daemon {
    struct settings settings;
    struct reload reload;
    struct privileges_user user;
    struct notify notify;
    char status[STATUS_ROOM]; /**< what the service manager shows of us */
    struct sockfile sockfile;
    int control_fd;
    struct worker alone;     /**< with one worker */
    struct workers *workers; /**< with several; NULL: it is alone */
    struct captures captures;
    struct capture_file *capture_file; /* or NULL */
    struct capture_rings capture_rings;
    struct reaper *reaper;
    struct policy policy;
    struct control control;
};

/* Descriptors of each worker: queue and its ring, epoll instances, timer, events, filler. */
#define WORKER_DESCRIPTORS 13

_Static_assert(CONFIG_WORKERS_MAX == WORKERS_MAX, "what may be said is what can be");

static unsigned count(const struct daemon *d)
{
    return d->workers ? d->workers->n : 1;
}

static struct worker *at(struct daemon *d, unsigned i)
{
    return d->workers ? d->workers->list[i] : &d->alone;
}

static int failed(const char *what, int rc)
{
    log_error("%s: %s", what, strerror(-rc));
    return rc;
}

/* As many descriptors as we may have. */
static uint64_t raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    return limit.rlim_cur;
}

/* --- start -------------------------------------------------------------------------------------
 */

static int check_address(const struct config *c)
{
    char name[IFNAMSIZ];

    if (link_has_address(&c->address.addr, name) != 1)
        return 0;
    log_error("address in use: this machine has it on %s", name);
    return -EADDRINUSE;
}

static int open_queues(struct daemon *d, const struct netdev_config *nc)
{
    int rc = 0;

    for (unsigned i = 0; i < count(d) && rc == 0; i++) {
        struct device *dev = &at(d, i)->device;

        dev->ops = &tap_ops;
        dev->captures = &d->captures;
        dev->worker = d->workers ? at(d, i) : NULL;
        rc = dev->ops->open(nc, &dev->dev);
    }
    return rc;
}

static int start_device(struct daemon *d)
{
    const struct config *c = &d->settings.running;
    struct netdev_config nc = {.name = c->tap,
                               .multi_queue = d->workers != NULL,
                               .offload = c->offload,
                               .io_uring = c->io_uring,
                               .mtu = c->mtu,
                               .has_host_address = config_has(c, CONFIG_host_address),
                               .host_address = c->host_address};
    int rc = check_address(c);

    if (rc == 0)
        rc = open_queues(d, &nc);
    if (rc == 0)
        rc = tap_ops.set_up(at(d, 0)->device.dev, &nc);
    if (rc == 0 && c->capture[0])
        rc = capture_file_open(&d->captures, c->capture, &d->capture_file);
    return rc;
}

static bool is_random(void *to, size_t n)
{
    return getrandom(to, n, 0) == (ssize_t)n;
}

static int choose_mac(const struct config *c, uint8_t mac[6])
{
    memcpy(mac, c->mac, 6);
    if (config_has(c, CONFIG_mac))
        return 0;
    if (!is_random(mac, 6))
        return failed("no randomness", -errno);
    mac[0] = (uint8_t)((mac[0] & ~1) | 2); /* locally administered, of one host */
    return 0;
}

static int start_stack(struct daemon *d, struct worker *w, const uint8_t mac[6])
{
    const struct config *c = &d->settings.running;
    struct stack_config sc = {.mtu = c->mtu,
                              .address = c->address,
                              .has_gateway = config_has(c, CONFIG_gateway),
                              .gateway = c->gateway,
                              .features = w->device.ops->features(w->device.dev),
                              .memory_limit = c->memory,
                              .max_sockets = c->max_sockets,
                              .window_budget = (uint64_t)LINK_TXQUEUELEN * c->mtu};
    int rc;

    memcpy(sc.mac, mac, sizeof(sc.mac));
    if (d->workers) {
        sc.steer = d->workers->steer;
        sc.steer.index = w->index;
        sc.common = d->workers->common;
    }
    if (!is_random(sc.seed, sizeof(sc.seed)))
        return failed("no randomness", -errno);
    rc = stack_new(&sc, &device_stack_ops, &w->device, loop_now(), &w->stack);
    explicit_bzero(&sc, sizeof(sc));
    return rc < 0 ? failed("cannot make the stack", rc) : 0;
}

static int start_core(struct daemon *d)
{
    uint8_t mac[6];
    int rc = choose_mac(&d->settings.running, mac);

    if (rc == 0 && d->workers && !is_random(&d->workers->steer.key, sizeof(d->workers->steer.key)))
        rc = failed("no randomness", -errno);
    for (unsigned i = 0; i < count(d) && rc == 0; i++)
        rc = start_stack(d, at(d, i), mac);
    return rc;
}

static struct wire_hello hello_of(const struct config *c)
{
    struct wire_hello h = {.pid = (uint32_t)getpid(), .mtu = c->mtu, .prefix_len = c->address.len};

    memcpy(h.address.addr, c->address.addr.b, sizeof(h.address.addr));
    snprintf(h.version, sizeof(h.version), "%s", TAPSTACK_VERSION);
    snprintf(h.interface, sizeof(h.interface), "%s", c->tap);
    snprintf(h.except, sizeof(h.except), "%s", c->except);
    return h;
}

static int start_worker_streams(struct daemon *d, struct worker *w)
{
    int rc = poller_init(&w->poller);

    if (rc == 0)
        rc = streams_init(&w->streams, w->stack, &w->poller, d->reaper, &d->policy);
    w->streams.workers = d->workers;
    w->streams.index = w->index;
    w->streams.answer = workers_answer;
    return rc;
}

static int start_streams(struct daemon *d)
{
    const struct config *c = &d->settings.running;
    struct wire_hello hello = hello_of(c);
    int rc = policy_init(&d->policy, c->max_sockets, raise_files());

    if (rc == 0)
        rc = policy_take_spare(&d->policy, (count(d) - 1) * WORKER_DESCRIPTORS);
    if (rc < 0)
        return failed("the limit of open files is too low", rc);
    rc = reaper_new(&d->reaper);
    for (unsigned i = 0; i < count(d) && rc == 0; i++)
        rc = start_worker_streams(d, at(d, i));
    if (rc < 0)
        return failed("cannot start", rc);
    rc = control_init(&d->control, d->control_fd, &at(d, 0)->poller, &at(d, 0)->streams, &hello);
    d->control_fd = -1;
    d->capture_rings = (struct capture_rings){.all = &d->captures, .poller = &at(d, 0)->poller};
    d->control.captures = &d->capture_rings;
    return rc < 0 ? failed("cannot watch the control socket", rc) : 0;
}

static void reload_begun(void *ctx)
{
    const struct daemon *d = ctx;

    notify_reloading(&d->notify, loop_now());
}

/* Ready in any case: with the new settings, or with those of before. */
static void reload_ended(void *ctx, bool done)
{
    const struct daemon *d = ctx;
    char status[STATUS_ROOM + 64];

    snprintf(status, sizeof(status), "%s%s", d->status,
             done ? "" : "; the last reload failed, nothing has changed");
    notify_ready(&d->notify, status);
}

/* From here on what can change live is the settings' to change. */
static void start_settings(struct daemon *d)
{
    d->settings.stack = at(d, 0)->stack;
    d->settings.policy = &d->policy;
    d->settings.control = &d->control;
    d->settings.spin = &at(d, 0)->loop.spin;
    d->reload.settings = &d->settings;
    d->reload.begun = reload_begun;
    d->reload.ended = reload_ended;
    d->reload.ctx = d;
    d->control.settings = &d->settings;
    d->control.reload = &d->reload;
    settings_start(&d->settings);
}

/* The first worker has the control socket and the signals. */
static int start_loop(struct daemon *d, struct worker *w)
{
    w->loop.worker = d->workers ? w : NULL;
    w->loop.stack = w->stack;
    w->loop.device = &w->device;
    w->loop.poller = &w->poller;
    w->loop.streams = &w->streams;
    w->loop.control = w->index == 0 ? &d->control : NULL;
    w->loop.sockfile = w->index == 0 ? &d->sockfile : NULL;
    w->loop.notify = &d->notify;
    w->loop.reload = w->index == 0 ? &d->reload : NULL;
    return loop_init(&w->loop);
}

static int start_loops(struct daemon *d)
{
    int rc = 0;

    for (unsigned i = 0; i < count(d) && rc == 0; i++)
        rc = start_loop(d, at(d, i));
    if (rc == 0 && d->workers)
        rc = workers_start(d->workers);
    return rc < 0 ? failed("cannot make the event loop", rc) : 0;
}

static int start_workers(struct daemon *d)
{
    uint32_t n = d->settings.running.workers;
    int rc = n > 1 ? workers_new(n, &d->workers) : 0;

    return rc < 0 ? failed("cannot start", rc) : 0;
}

/* Before anything is open that the process for reloads must not have. */
static int start_reader(struct daemon *d)
{
    const char *path = d->settings.running.path;

    return path ? reread_start(&d->reload.reader, path, &d->user) : 0;
}

/* Who may connect to the service manager's socket, its unit says. */
static int adopt_socket(struct daemon *d)
{
    const struct config *c = &d->settings.running;

    if (config_has(c, CONFIG_socket_mode) || config_has(c, CONFIG_socket_group)) {
        log_error(
            "the service manager made the socket: its unit says SocketMode= and SocketGroup=, "
            "not socket-mode and socket-group in the configuration");
        return -EINVAL;
    }
    sockfile_adopt(&d->sockfile, d->control_fd);
    return 0;
}

/* The service manager's, or one of our own. */
static int start_socket(struct daemon *d)
{
    const struct config *c = &d->settings.running;

    d->control_fd = activation_socket(c->socket);
    if (d->control_fd >= 0)
        return adopt_socket(d);
    if (d->control_fd == -ENOENT)
        d->control_fd = sockfile_claim(&d->sockfile, c->socket);
    return d->control_fd < 0 ? -1 : sockfile_permit(&d->sockfile, c->socket_mode, c->socket_group);
}

static int start(struct daemon *d)
{
    gid_t group = d->settings.running.socket_group;

    if (notify_open(&d->notify) < 0 ||
        privileges_find_user(d->settings.running.user, &d->user) < 0 || start_reader(d) < 0 ||
        start_workers(d) < 0 || start_socket(d) < 0 || start_device(d) < 0 || start_core(d) < 0)
        return -1;
    if (d->user.change)
        sockfile_give(&d->sockfile, d->user.uid, group != (gid_t)-1 ? (gid_t)-1 : d->user.gid);
    /* Capabilities are a thread's own (capabilities(7)): they go before the first thread is
     * made. */
    if (privileges_drop(&d->user) < 0 || start_streams(d) < 0)
        return -1;
    start_settings(d);
    if (start_loops(d) < 0 || sockfile_serve(&d->sockfile) < 0 || privileges_filter() < 0)
        return -1;
    return 0;
}

/* --- stop --------------------------------------------------------------------------------------
 */

static void stop_worker(struct daemon *d, struct worker *w)
{
    if (w->loop.live)
        loop_destroy(&w->loop);
    if (w->index == 0 && d->control.poller)
        control_destroy(&d->control);
    if (w->streams.stack)
        streams_destroy(&w->streams);
    if (w->index == 0)
        capture_rings_end(&d->capture_rings);
    if (w->poller.fd >= 0)
        poller_destroy(&w->poller);
    stack_free(w->stack);
    if (w->device.dev)
        w->device.ops->close(w->device.dev);
}

static void stop(struct daemon *d)
{
    if (d->workers)
        workers_quit(d->workers);
    for (unsigned i = 0; i < count(d); i++)
        stop_worker(d, at(d, i));
    if (d->control_fd >= 0)
        close(d->control_fd);
    capture_file_close(d->capture_file);
    captures_destroy(&d->captures);
    reaper_free(d->reaper);
    policy_destroy(&d->policy);
    reload_free(&d->reload);
    sockfile_remove(&d->sockfile);
    notify_close(&d->notify);
    workers_free(d->workers);
}

static int run(struct daemon *d)
{
    const struct config *c = &d->settings.running;
    char address[IP_ADDR_TEXT];

    snprintf(d->status, sizeof(d->status), "%s on %s, MTU %u%s; serving %s",
             ip_addr_format(&c->address.addr, address), c->tap, c->mtu,
             c->offload ? "" : ", no offload", c->socket);
    log_info("%s: %s", TAPSTACK_VERSION, d->status);
    stack_announce(at(d, 0)->stack, loop_now());
    notify_ready(&d->notify, d->status);
    return loop_run(&at(d, 0)->loop);
}

static int start_and_run(struct daemon *d)
{
    int status = 1;

    log_set_level((enum log_level)d->settings.running.log_level);
    captures_init(&d->captures);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (start(d) == 0)
        status = run(d);
    stop(d);
    return status;
}

int main(int argc, char **argv)
{
    static struct daemon d = {.control_fd = -1,
                              .alone.poller.fd = -1,
                              .notify.fd = -1,
                              .sockfile = {.fd = -1, .lock = -1},
                              .reload.reader.fd = -1};
    static const int statuses[] = {[OPTIONS_DONE] = 0, [OPTIONS_WRONG] = 2, [OPTIONS_FAULTS] = 1};
    enum options_result asked;
    int status;

    log_find_journal();
    asked = options_parse(argc, argv, &d.settings.running, &d.settings.given);
    status = asked == OPTIONS_RUN ? start_and_run(&d) : statuses[asked];
    settings_free(&d.settings);
    return status;
}
