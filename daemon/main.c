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
    struct device device;
    struct capture_file *capture_file; /* or NULL */
    struct capture_rings capture_rings;
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
    const struct config *c = &d->settings.running;
    struct netdev_config nc = {.name = c->tap,
                               .offload = c->offload,
                               .mtu = c->mtu,
                               .has_host_address = config_has(c, CONFIG_host_address),
                               .host_address = c->host_address};
    int rc = check_address(c);

    if (rc < 0)
        return rc;
    d->device.ops = &tap_ops;
    rc = tap_ops.open(&nc, &d->device.dev);
    if (rc == 0)
        rc = tap_ops.set_up(d->device.dev, &nc);
    if (rc == 0 && c->capture[0])
        rc = capture_file_open(&d->device.captures, c->capture, &d->capture_file);
    return rc;
}

static int start_core(struct daemon *d)
{
    const struct config *c = &d->settings.running;
    struct stack_config sc = {.mtu = c->mtu,
                              .address = c->address,
                              .has_gateway = config_has(c, CONFIG_gateway),
                              .gateway = c->gateway,
                              .features = d->device.ops->features(d->device.dev),
                              .memory_limit = c->memory,
                              .max_sockets = c->max_sockets,
                              .window_budget = (uint64_t)LINK_TXQUEUELEN * c->mtu};
    bool has_mac = config_has(c, CONFIG_mac);
    int rc;

    memcpy(sc.mac, c->mac, sizeof(sc.mac));
    if (getrandom(sc.seed, sizeof(sc.seed), 0) != (ssize_t)sizeof(sc.seed) ||
        (!has_mac && getrandom(sc.mac, sizeof(sc.mac), 0) != (ssize_t)sizeof(sc.mac)))
        return failed("no randomness", -errno);
    if (!has_mac)
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
    const struct config *c = &d->settings.running;
    struct wire_hello hello = hello_of(c);
    int rc = policy_init(&d->policy, c->max_sockets, raise_files());

    if (rc < 0)
        return failed("the limit of open files is too low", rc);
    rc = reaper_new(&d->reaper);
    if (rc == 0)
        rc = poller_init(&d->poller);
    if (rc == 0)
        rc = streams_init(&d->streams, d->stack, &d->poller, d->reaper, &d->policy);
    if (rc < 0)
        return failed("cannot start", rc);
    rc = control_init(&d->control, d->control_fd, &d->poller, &d->streams, &hello);
    d->control_fd = -1;
    d->capture_rings = (struct capture_rings){.all = &d->device.captures, .poller = &d->poller};
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
    d->settings.stack = d->stack;
    d->settings.policy = &d->policy;
    d->settings.control = &d->control;
    d->settings.spin = &d->loop.spin;
    d->reload.settings = &d->settings;
    d->reload.begun = reload_begun;
    d->reload.ended = reload_ended;
    d->reload.ctx = d;
    d->control.settings = &d->settings;
    d->control.reload = &d->reload;
    settings_start(&d->settings);
}

static int start_loop(struct daemon *d)
{
    int rc;

    d->loop.stack = d->stack;
    d->loop.device = &d->device;
    d->loop.poller = &d->poller;
    d->loop.streams = &d->streams;
    d->loop.control = &d->control;
    d->loop.sockfile = &d->sockfile;
    d->loop.notify = &d->notify;
    d->loop.reload = &d->reload;
    rc = loop_init(&d->loop);
    return rc < 0 ? failed("cannot make the event loop", rc) : 0;
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
        start_socket(d) < 0 || start_device(d) < 0 || start_core(d) < 0)
        return -1;
    if (d->user.change)
        sockfile_give(&d->sockfile, d->user.uid, group != (gid_t)-1 ? (gid_t)-1 : d->user.gid);
    /* Capabilities are a thread's own (capabilities(7)): they go before the reaper's thread is
     * made. */
    if (privileges_drop(&d->user) < 0 || start_streams(d) < 0)
        return -1;
    start_settings(d);
    if (start_loop(d) < 0 || sockfile_serve(&d->sockfile) < 0 || privileges_filter() < 0)
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
    capture_rings_end(&d->capture_rings);
    if (d->poller.fd >= 0)
        poller_destroy(&d->poller);
    if (d->control_fd >= 0)
        close(d->control_fd);
    stack_free(d->stack);
    capture_file_close(d->capture_file);
    captures_destroy(&d->device.captures);
    if (d->device.dev)
        d->device.ops->close(d->device.dev);
    reaper_free(d->reaper);
    policy_destroy(&d->policy);
    reload_free(&d->reload);
    sockfile_remove(&d->sockfile);
    notify_close(&d->notify);
}

static int run(struct daemon *d)
{
    const struct config *c = &d->settings.running;
    char address[IP_ADDR_TEXT];

    snprintf(d->status, sizeof(d->status), "%s on %s, MTU %u%s; serving %s",
             ip_addr_format(&c->address.addr, address), c->tap, c->mtu,
             c->offload ? "" : ", no offload", c->socket);
    log_info("%s: %s", TAPSTACK_VERSION, d->status);
    stack_announce(d->stack, loop_now());
    notify_ready(&d->notify, d->status);
    return loop_run(&d->loop);
}

static int start_and_run(struct daemon *d)
{
    int status = 1;

    log_set_level((enum log_level)d->settings.running.log_level);
    captures_init(&d->device.captures);
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
                              .poller.fd = -1,
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
