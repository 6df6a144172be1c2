/* SPDX-License-Identifier: MIT */
/*
 * Start and stop. In this order: settings, control socket (one daemon per path, or the service
 * manager's), TAP and the host's side of it, capture, the core, giving up privileges, the event
 * loop. What goes wrong before the loop is one line on stderr and exit status 1; a mistake in the
 * settings is exit status 2.
 */
#include "daemon/activation.h"
#include "daemon/capture.h"
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
#include "daemon/sockfile.h"
#include "daemon/stream.h"

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
    struct config config;
    struct privileges_user user;
    struct notify notify;
    struct sockfile sockfile;
    int control_fd;
    struct device device;
    struct stack *stack;
    struct poller poller;
    struct reaper *reaper;
    struct policy policy;
    struct streams streams;
    struct control control;
    struct loop loop;
};

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

static int start_device(struct daemon *d)
{
    const struct config *c = &d->config;
    struct netdev_config nc = {.name = c->tap,
                               .offload = c->offload,
                               .mtu = c->mtu,
                               .has_host_address = c->has_host_address,
                               .host_address = c->host_address};
    int rc = check_address(c);

    if (rc < 0)
        return rc;
    d->device.ops = &tap_ops;
    rc = tap_ops.open(&nc, &d->device.dev);
    if (rc == 0)
        rc = tap_ops.set_up(d->device.dev, &nc);
    if (rc == 0 && c->capture[0])
        rc = capture_open(c->capture, &d->device.capture);
    return rc;
}

/* Many connections with full windows need it; pages that no byte has touched cost nothing. */
static uint64_t default_memory(void)
{
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 8;

    return bytes > 256ull << 20 ? bytes : 256ull << 20;
}

static int start_core(struct daemon *d)
{
    const struct config *c = &d->config;
    struct stack_config sc = {.mtu = c->mtu,
                              .address = c->address,
                              .has_gateway = c->has_gateway,
                              .gateway = c->gateway,
                              .features = d->device.ops->features(d->device.dev),
                              .memory_limit = c->memory ? c->memory : default_memory(),
                              .max_sockets = c->max_sockets,
                              .window_budget = (uint64_t)LINK_TXQUEUELEN * c->mtu};
    int rc;

    memcpy(sc.mac, c->mac, sizeof(sc.mac));
    if (getrandom(sc.seed, sizeof(sc.seed), 0) != (ssize_t)sizeof(sc.seed) ||
        (!c->has_mac && getrandom(sc.mac, sizeof(sc.mac), 0) != (ssize_t)sizeof(sc.mac)))
        return failed("no randomness", -errno);
    if (!c->has_mac)
        sc.mac[0] = (uint8_t)((sc.mac[0] & ~1) | 2); /* locally administered, of one host */
    rc = stack_new(&sc, &device_stack_ops, &d->device, loop_now(), &d->stack);
    explicit_bzero(&sc, sizeof(sc));
    return rc < 0 ? failed("cannot make the stack", rc) : 0;
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

static int start_streams(struct daemon *d)
{
    struct wire_hello hello = hello_of(&d->config);
    int rc = policy_init(&d->policy, d->config.max_sockets, raise_files());

    if (rc < 0)
        return failed("the limit of open files is too low", rc);
    d->policy.rights = d->config.rights;
    rc = reaper_new(&d->reaper);
    if (rc == 0)
        rc = poller_init(&d->poller);
    if (rc == 0)
        rc = streams_init(&d->streams, d->stack, &d->poller, d->reaper, &d->policy);
    if (rc < 0)
        return failed("cannot start", rc);
    rc = control_init(&d->control, d->control_fd, &d->poller, &d->streams, &hello);
    d->control_fd = -1;
    return rc < 0 ? failed("cannot watch the control socket", rc) : 0;
}

static int start_loop(struct daemon *d)
{
    int rc;

    d->loop.stack = d->stack;
    d->loop.spin.budget_us = d->config.busy_poll_us;
    d->loop.device = &d->device;
    d->loop.poller = &d->poller;
    d->loop.streams = &d->streams;
    d->loop.control = &d->control;
    d->loop.sockfile = &d->sockfile;
    d->loop.notify = &d->notify;
    rc = loop_init(&d->loop);
    return rc < 0 ? failed("cannot make the event loop", rc) : 0;
}

/* The service manager's socket, or one of our own. */
static int start_socket(struct daemon *d)
{
    const struct config *c = &d->config;
    gid_t group = c->has_socket_group ? c->socket_group : (gid_t)-1;

    d->control_fd = activation_socket(c->socket);
    if (d->control_fd >= 0) {
        sockfile_adopt(&d->sockfile, d->control_fd);
        return 0;
    }
    if (d->control_fd == -ENOENT)
        d->control_fd = sockfile_claim(&d->sockfile, c->socket);
    if (d->control_fd < 0)
        return d->control_fd;
    return sockfile_permit(&d->sockfile, c->socket_mode, group);
}

static int start(struct daemon *d)
{
    if (notify_open(&d->notify) < 0 || privileges_find_user(d->config.user, &d->user) < 0 ||
        start_socket(d) < 0 || start_device(d) < 0 || start_core(d) < 0)
        return -1;
    if (d->user.change)
        sockfile_give(&d->sockfile, d->user.uid,
                      d->config.has_socket_group ? (gid_t)-1 : d->user.gid);
    /* Capabilities are a thread's own (capabilities(7)): they go before the reaper's thread is
     * made. */
    if (privileges_drop(&d->user) < 0 || start_streams(d) < 0 || start_loop(d) < 0 ||
        sockfile_serve(&d->sockfile) < 0 || privileges_filter() < 0)
        return -1;
    return 0;
}

/* --- stop --------------------------------------------------------------------------------------
 */

static void stop(struct daemon *d)
{
    if (d->loop.live)
        loop_destroy(&d->loop);
    if (d->control.poller)
        control_destroy(&d->control);
    if (d->streams.stack)
        streams_destroy(&d->streams);
    if (d->poller.fd >= 0)
        poller_destroy(&d->poller);
    if (d->control_fd >= 0)
        close(d->control_fd);
    stack_free(d->stack);
    capture_close(d->device.capture);
    if (d->device.dev)
        d->device.ops->close(d->device.dev);
    reaper_free(d->reaper);
    policy_destroy(&d->policy);
    rights_free(&d->config.rights);
    sockfile_remove(&d->sockfile);
    notify_close(&d->notify);
}

static int run(struct daemon *d)
{
    char address[IP_ADDR_TEXT], status[STATUS_ROOM];

    snprintf(status, sizeof(status), "%s on %s, MTU %u%s; serving %s",
             ip_addr_format(&d->config.address.addr, address), d->config.tap, d->config.mtu,
             d->config.offload ? "" : ", no offload", d->config.socket);
    log_info("%s: %s", TAPSTACK_VERSION, status);
    stack_announce(d->stack, loop_now());
    notify_ready(&d->notify, status);
    return loop_run(&d->loop);
}

int main(int argc, char **argv)
{
    static struct daemon d = {
        .control_fd = -1, .poller.fd = -1, .notify.fd = -1, .sockfile = {.fd = -1, .lock = -1}};
    int status = 1;

    log_find_journal();
    switch (options_parse(argc, argv, &d.config)) {
    case OPTIONS_DONE:
        return 0;
    case OPTIONS_WRONG:
        return 2;
    default:
        break;
    }
    log_set_level(d.config.verbose ? LEVEL_DEBUG : LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (start(&d) == 0)
        status = run(&d);
    stop(&d);
    return status;
}
