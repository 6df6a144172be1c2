/* SPDX-License-Identifier: MIT */
/* The settings; see config.h. The names are a list (config.def), each has one function that checks
 * its value. */
#include "daemon/config.h"

#include "daemon/number.h"
#include "ipc/scope.h"
#include "ipc/wire.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const config_names[] = {
#define OPTION(name, argument, help) #name,
#define SWITCH(option, key, value, help)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
    NULL,
};

void config_init(struct config *c)
{
    memset(c, 0, sizeof(*c));
    c->mtu = 1500;
    c->busy_poll_us = 50;
    c->workers = 1;
    c->offload = true;
    c->socket_mode = 0666;
    snprintf(c->socket, sizeof(c->socket), "%s", WIRE_SOCKET_PATH);
}

static int fail(char error[CONFIG_ERROR], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(char error[CONFIG_ERROR], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error, CONFIG_ERROR, format, args);
    va_end(args);
    return -EINVAL;
}

/* --- values ------------------------------------------------------------------------------------
 */

static int copy_text(char *to, size_t room, const char *value, const char *name, char *error)
{
    if (!*value || strlen(value) >= room)
        return fail(error, "%s must have 1 to %zu characters", name, room - 1);
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

static int set_tap(struct config *c, const char *value, char *error)
{
    /* As the kernel's dev_valid_name, without the patterns that it would fill in ("tap%d"). */
    if (!strcmp(value, ".") || !strcmp(value, "..") || strpbrk(value, "/:% \t\n"))
        return fail(error, "%s is no name for an interface", value);
    return copy_text(c->tap, sizeof(c->tap), value, "tap", error);
}

/* A host's address with its network: "10.77.0.2/24". */
static int parse_host_prefix(const char *value, struct ip_prefix *out, const char *name,
                             char *error)
{
    struct ip_addr broadcast;
    bool v4;

    if (!strchr(value, '/'))
        return fail(error, "%s: a prefix length is missing in %s, e.g. 10.77.0.2/24", name, value);
    if (ip_prefix_parse(value, out) < 0)
        return fail(error, "%s: malformed address %s", name, value);
    v4 = ip_addr_is_v4(&out->addr);
    if (v4 && out->len < IP_V4_PREFIX_BASE + 1)
        return fail(error, "%s: the prefix length of %s is too small", name, value);
    if (ip_addr_is_any(&out->addr) || ip_addr_is_multicast(&out->addr) ||
        ip_addr_is_loopback(&out->addr) || ip_addr_is_limited_broadcast(&out->addr) ||
        (v4 && ip_prefix_broadcast(out, &broadcast) && ip_addr_equal(&broadcast, &out->addr)))
        return fail(error, "%s: no host can have the address %s", name, value);
    return 0;
}

static int set_address(struct config *c, const char *value, char *error)
{
    c->has_address = true;
    return parse_host_prefix(value, &c->address, "address", error);
}

static int set_host_address(struct config *c, const char *value, char *error)
{
    c->has_host_address = true;
    return parse_host_prefix(value, &c->host_address, "host-address", error);
}

static int set_gateway(struct config *c, const char *value, char *error)
{
    c->has_gateway = true;
    if (ip_addr_parse(value, &c->gateway) < 0)
        return fail(error, "gateway: malformed address %s", value);
    return 0;
}

static int set_mac(struct config *c, const char *value, char *error)
{
    unsigned b[6];
    int end = 0;

    if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
               &end) != 6 ||
        end != 17 || value[end])
        return fail(error, "mac: malformed address %s, e.g. 02:00:00:00:00:02", value);
    for (int i = 0; i < 6; i++)
        c->mac[i] = (uint8_t)b[i];
    if ((c->mac[0] & 1) || !(b[0] | b[1] | b[2] | b[3] | b[4] | b[5]))
        return fail(error, "mac: %s is no address of a single host", value);
    c->has_mac = true;
    return 0;
}

static int set_mtu(struct config *c, const char *value, char *error)
{
    uint64_t n;

    if (!number_parse(value, false, CONFIG_MTU_MAX, &n) || n < CONFIG_MTU_MIN)
        return fail(error, "mtu must be %d to %d, not %s", CONFIG_MTU_MIN, CONFIG_MTU_MAX, value);
    c->mtu = (uint32_t)n;
    return 0;
}

static int set_offload(struct config *c, const char *value, char *error)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false",
                                                                                "off", "0"};

    for (size_t i = 0; i < 4; i++) {
        if (!strcasecmp(value, yes[i]) || !strcasecmp(value, no[i])) {
            c->offload = !strcasecmp(value, yes[i]);
            return 0;
        }
    }
    return fail(error, "offload must be yes or no, not %s", value);
}

static int set_memory(struct config *c, const char *value, char *error)
{
    if (!number_parse(value, true, UINT64_MAX, &c->memory) || c->memory < NUMBER_MEMORY_MIN)
        return fail(error, "memory must be a number of bytes from 1M on, not %s", value);
    return 0;
}

static int set_max_sockets(struct config *c, const char *value, char *error)
{
    uint64_t n;

    if (!number_parse(value, false, UINT32_MAX / 2, &n) || n == 0)
        return fail(error, "max-sockets must be a number from 1 on, not %s", value);
    c->max_sockets = (uint32_t)n;
    return 0;
}

static int set_busy_poll(struct config *c, const char *value, char *error)
{
    uint64_t n;

    if (!number_parse(value, false, NUMBER_BUSY_POLL_MAX, &n))
        return fail(error, "busy-poll must be a number of microseconds up to 10000, not %s", value);
    c->busy_poll_us = (uint32_t)n;
    return 0;
}

static int set_workers(struct config *c, const char *value, char *error)
{
    uint64_t n;

    if (!number_parse(value, false, CONFIG_WORKERS_MAX, &n) || n == 0)
        return fail(error, "workers must be 1 to %d, not %s", CONFIG_WORKERS_MAX, value);
    c->workers = (uint32_t)n;
    return 0;
}

static int set_socket(struct config *c, const char *value, char *error)
{
    return copy_text(c->socket, sizeof(c->socket), value, "socket", error);
}

static int set_capture(struct config *c, const char *value, char *error)
{
    return copy_text(c->capture, sizeof(c->capture), value, "capture", error);
}

static int set_socket_mode(struct config *c, const char *value, char *error)
{
    char *end;
    unsigned long mode = strtoul(value, &end, 8);

    if (*value < '0' || *value > '7' || *end || mode > 0777)
        return fail(error, "socket-mode must be octal, e.g. 0660, not %s", value);
    c->socket_mode = (uint32_t)mode;
    return 0;
}

static int set_socket_group(struct config *c, const char *value, char *error)
{
    uint64_t number;
    struct group *gr;

    c->has_socket_group = true;
    if (number_parse(value, false, UINT32_MAX - 1, &number)) {
        c->socket_group = (gid_t)number;
        return 0;
    }
    gr = getgrnam(value); // cppcheck-suppress getgrnamCalled ; there is one thread yet
    if (!gr)
        return fail(error, "socket-group: no group %s", value);
    c->socket_group = gr->gr_gid;
    return 0;
}

static int set_except(struct config *c, const char *value, char *error)
{
    if (!scope_valid(value))
        return fail(error, "except: not of the form A[/LEN][:PORT[-PORT]], ...: %s", value);
    return copy_text(c->except, sizeof(c->except), value, "except", error);
}

static int set_user(struct config *c, const char *value, char *error)
{
    return copy_text(c->user, sizeof(c->user), value, "user", error);
}

/* In the order of config.def. */
static int (*const setters[])(struct config *, const char *, char *) = {
    set_tap,       set_address,     set_host_address, set_gateway, set_mac,    set_mtu,
    set_socket,    set_capture,     set_offload,      set_user,    set_memory, set_max_sockets,
    set_busy_poll, set_workers, set_socket_mode, set_socket_group, set_except,
};
_Static_assert(sizeof(setters) / sizeof(setters[0]) ==
                   sizeof(config_names) / sizeof(config_names[0]) - 1,
               "one setter for each setting");

int config_set(struct config *c, const char *name, const char *value, char error[CONFIG_ERROR])
{
    for (size_t i = 0; config_names[i]; i++)
        if (!strcmp(name, config_names[i]))
            return setters[i](c, value, error);
    return fail(error, "unknown setting %s", name);
}

/* --- the file ----------------------------------------------------------------------------------
 */

struct loading {
    struct config *config;
    char *error;
};

/* libinih: 1 is success. */
static int on_line(void *user, const char *section, const char *name, const char *value)
{
    struct loading *l = user;

    /* libinih goes on after an error, and reports the first line: so is the reason. */
    if (*l->error)
        return 1;
    if (rights_is_section(section))
        return rights_set(&l->config->rights, section, name, value ? value : "", l->error,
                          CONFIG_ERROR) == 0;
    if (strcmp(section, "tapstack") != 0) {
        fail(l->error, "%s is outside of the section [tapstack]", name);
        return 0;
    }
    return config_set(l->config, name, value ? value : "", l->error) == 0;
}

int config_load(struct config *c, const char *path, char error[CONFIG_ERROR])
{
    char reason[CONFIG_ERROR] = "";
    struct loading l = {c, reason};
    int line;

    errno = 0;
    line = ini_parse(path, on_line, &l);
    if (line == 0)
        return 0;
    if (line < 0) {
        int rc = errno ? -errno : -EIO;
        snprintf(error, CONFIG_ERROR, "cannot read %.150s: %s", path, strerror(-rc));
        return rc;
    }
    snprintf(error, CONFIG_ERROR, "%.100s, line %d: %.120s", path, line,
             *reason ? reason : "syntax error");
    return -EINVAL;
}

/* --- together ----------------------------------------------------------------------------------
 */

int config_check(const struct config *c, char error[CONFIG_ERROR])
{
    if (!c->tap[0])
        return fail(error, "--tap NAME is missing");
    if (!c->has_address)
        return fail(error, "--address A/LEN is missing");
    if (c->has_host_address && ip_addr_equal(&c->address.addr, &c->host_address.addr))
        return fail(error, "address in use: --address and --host-address are the same");
    if (c->has_gateway && !ip_prefix_contains(&c->address, &c->gateway))
        return fail(error, "the gateway is not in our network");
    if (c->has_gateway && ip_addr_equal(&c->address.addr, &c->gateway))
        return fail(error, "the gateway is our own address");
    if (!ip_addr_is_v4(&c->address.addr) && c->mtu < 1280)
        return fail(error, "IPv6 needs an MTU of at least 1280");
    return 0;
}
