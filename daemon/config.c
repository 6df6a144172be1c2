/* SPDX-License-Identifier: MIT */
/* The settings; see config.h. They are a list (config.def); each has one function that checks its
 * value, and its type one that writes it out. */
#include "daemon/config.h"

#include "daemon/log.h"
#include "ipc/scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RESTART, LIVE };

const struct config_key config_keys[CONFIG_KEYS] = {
#define OPTION(key, id, type, argument, def, least, most, unit, when, help)                        \
    {#key,                                                                                         \
     argument,                                                                                     \
     def,                                                                                          \
     unit,                                                                                         \
     help,                                                                                         \
     least,                                                                                        \
     most,                                                                                         \
     when == LIVE,                                                                                 \
     offsetof(struct config, id),                                                                  \
     sizeof(((struct config *)0)->id)},
#define SWITCH(option, key, value, help)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};

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

/* --- values from text --------------------------------------------------------------------------
 */

static int copy_text(char *to, size_t room, const char *value, const char *name, char *error)
{
    if (!*value || strlen(value) >= room)
        return fail(error, "%s must have 1 to %zu characters", name, room - 1);
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

static int in_range(enum config_key_id id, const char *value, uint64_t *out, char *error)
{
    const struct config_key *k = &config_keys[id];
    bool bytes = !strcmp(k->argument, "BYTES");

    if (number_parse(value, bytes, k->most, out) && *out >= k->least)
        return 0;
    return fail(error, "%s must be %" PRIu64 " to %" PRIu64 "%s%s, not %.80s", k->name, k->least,
                k->most, *k->unit ? " " : "", k->unit, value);
}

static int set_u32(enum config_key_id id, const char *value, uint32_t *out, char *error)
{
    uint64_t n = 0;
    int rc = in_range(id, value, &n, error);

    if (rc == 0)
        *out = (uint32_t)n;
    return rc;
}

static int set_tap(struct config *c, const char *value, char *error)
{
    /* As the kernel's dev_valid_name, without the patterns that it would fill in ("tap%d"). */
    if (!strcmp(value, ".") || !strcmp(value, "..") || strpbrk(value, "/:% \t\n"))
        return fail(error, "%.80s is no name for an interface", value);
    return copy_text(c->tap, sizeof(c->tap), value, "tap", error);
}

/* A host's address with its network: "10.77.0.2/24". */
static int set_host_prefix(const char *value, struct ip_prefix *out, const char *name, char *error)
{
    struct ip_addr broadcast;
    struct ip_prefix p;
    bool v4;

    if (!strchr(value, '/'))
        return fail(error, "%s: a prefix length is missing in %.80s, e.g. 10.77.0.2/24", name,
                    value);
    if (ip_prefix_parse(value, &p) < 0)
        return fail(error, "%s: malformed address %.80s", name, value);
    v4 = ip_addr_is_v4(&p.addr);
    if (v4 && p.len < IP_V4_PREFIX_BASE + 1)
        return fail(error, "%s: the prefix length of %.80s is too small", name, value);
    if (ip_addr_is_any(&p.addr) || ip_addr_is_multicast(&p.addr) || ip_addr_is_loopback(&p.addr) ||
        ip_addr_is_limited_broadcast(&p.addr) ||
        (v4 && ip_prefix_broadcast(&p, &broadcast) && ip_addr_equal(&broadcast, &p.addr)))
        return fail(error, "%s: no host can have the address %.80s", name, value);
    *out = p;
    return 0;
}

static int set_address(struct config *c, const char *value, char *error)
{
    return set_host_prefix(value, &c->address, "address", error);
}

static int set_host_address(struct config *c, const char *value, char *error)
{
    return set_host_prefix(value, &c->host_address, "host-address", error);
}

static int set_gateway(struct config *c, const char *value, char *error)
{
    struct ip_addr a;

    if (ip_addr_parse(value, &a) < 0 || ip_addr_is_any(&a))
        return fail(error, "gateway: malformed address %.80s", value);
    c->gateway = a;
    return 0;
}

static int set_mac(struct config *c, const char *value, char *error)
{
    unsigned b[6];
    int end = 0;

    if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
               &end) != 6 ||
        end != 17 || value[end])
        return fail(error, "mac: malformed address %.80s, e.g. 02:00:00:00:00:02", value);
    if ((b[0] & 1) || !(b[0] | b[1] | b[2] | b[3] | b[4] | b[5]))
        return fail(error, "mac: %s is no address of a single host", value);
    for (int i = 0; i < 6; i++)
        c->mac[i] = (uint8_t)b[i];
    return 0;
}

static int set_mtu(struct config *c, const char *value, char *error)
{
    return set_u32(CONFIG_mtu, value, &c->mtu, error);
}

static int set_boolean(enum config_key_id key, const char *value, bool *field, char *error)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false",
                                                                                "off", "0"};

    for (size_t i = 0; i < 4; i++) {
        if (!strcasecmp(value, yes[i]) || !strcasecmp(value, no[i])) {
            *field = !strcasecmp(value, yes[i]);
            return 0;
        }
    }
    return fail(error, "%s must be yes or no, not %.80s", config_keys[key].name, value);
}

static int set_offload(struct config *c, const char *value, char *error)
{
    return set_boolean(CONFIG_offload, value, &c->offload, error);
}

static int set_io_uring(struct config *c, const char *value, char *error)
{
    return set_boolean(CONFIG_io_uring, value, &c->io_uring, error);
}

static int set_memory(struct config *c, const char *value, char *error)
{
    uint64_t n = 0;
    int rc = in_range(CONFIG_memory, value, &n, error);

    if (rc == 0)
        c->memory = n;
    return rc;
}

static int set_max_sockets(struct config *c, const char *value, char *error)
{
    return set_u32(CONFIG_max_sockets, value, &c->max_sockets, error);
}

static int set_busy_poll_us(struct config *c, const char *value, char *error)
{
    return set_u32(CONFIG_busy_poll_us, value, &c->busy_poll_us, error);
}

static int set_workers(struct config *c, const char *value, char *error)
{
    return set_u32(CONFIG_workers, value, &c->workers, error);
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
        return fail(error, "socket-mode must be octal, e.g. 0660, not %.80s", value);
    c->socket_mode = (uint32_t)mode;
    return 0;
}

static int set_socket_group(struct config *c, const char *value, char *error)
{
    uint32_t id;

    if (!names_id(c->names, value, true, &id))
        return fail(error, "socket-group: no group %.80s", value);
    c->socket_group = id;
    return 0;
}

static int set_except(struct config *c, const char *value, char *error)
{
    if (!scope_valid(value))
        return fail(error, "except: not of the form A[/LEN][:PORT[-PORT]], ...: %.100s", value);
    return copy_text(c->except, sizeof(c->except), value, "except", error);
}

static int set_rto_min(struct config *c, const char *value, char *error)
{
    struct metrics_rule rules[METRICS_MAX_RULES];
    int n = rto_min_parse(value, rules, error, CONFIG_ERROR);

    return n < 0 ? n : copy_text(c->rto_min, sizeof(c->rto_min), value, "rto-min", error);
}

static int set_user(struct config *c, const char *value, char *error)
{
    uint32_t id;

    if (!c->names->find(c->names, value, false, &id))
        return fail(error, "no user %.80s", value);
    return copy_text(c->user, sizeof(c->user), value, "user", error);
}

static const char *const levels[] = {"error", "warning", "info", "debug"};

static int set_log_level(struct config *c, const char *value, char *error)
{
    for (uint32_t i = 0; i < 4; i++) {
        if (!strcasecmp(value, levels[i])) {
            c->log_level = i;
            return 0;
        }
    }
    return fail(error, "log-level must be error, warning, info or debug, not %.80s", value);
}

static int (*const setters[CONFIG_KEYS])(struct config *, const char *, char *) = {
#define OPTION(key, id, type, argument, def, least, most, unit, when, help) set_##id,
#define SWITCH(option, key, value, help)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};

int config_find(const char *name)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (!strcmp(name, config_keys[i].name))
            return i;
    return -1;
}

int config_set(struct config *c, const char *name, const char *value, struct config_origin from,
               char error[CONFIG_ERROR])
{
    int id = config_find(name);

    if (id < 0)
        return fail(error, "unknown setting %.80s", name);
    c->from[id] = from; /* also of what is malformed: it was given, and must not be given twice */
    return setters[id](c, value, error);
}

/* --- values to text ----------------------------------------------------------------------------
 */

static void format_text(const void *field, char *out)
{
    snprintf(out, CONFIG_VALUE, "%s", (const char *)field);
}

static void format_list(const void *field, char *out)
{
    format_text(field, out);
}

static void format_addr(const void *field, char *out)
{
    if (!ip_addr_is_any(field))
        ip_addr_format(field, out);
}

static void format_prefix(const void *field, char *out)
{
    const struct ip_prefix *p = field;
    char address[IP_ADDR_TEXT];

    if (!ip_addr_is_any(&p->addr))
        snprintf(out, CONFIG_VALUE, "%s/%d", ip_addr_format(&p->addr, address),
                 p->len - (ip_addr_is_v4(&p->addr) ? IP_V4_PREFIX_BASE : 0));
}

static void format_mac(const void *field, char *out)
{
    const uint8_t *b = field;

    if (b[0] | b[1] | b[2] | b[3] | b[4] | b[5])
        snprintf(out, CONFIG_VALUE, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
                 b[5]);
}

static void format_number(const void *field, char *out)
{
    snprintf(out, CONFIG_VALUE, "%" PRIu32, *(const uint32_t *)field);
}

static void format_bytes(const void *field, char *out)
{
    number_format(*(const uint64_t *)field, out, CONFIG_VALUE);
}

static void format_boolean(const void *field, char *out)
{
    strcpy(out, *(const bool *)field ? "yes" : "no");
}

static void format_octal(const void *field, char *out)
{
    snprintf(out, CONFIG_VALUE, "%04" PRIo32, *(const uint32_t *)field);
}

static void format_group(const void *field, char *out)
{
    gid_t gid = *(const gid_t *)field;

    if (gid != (gid_t)-1)
        snprintf(out, CONFIG_VALUE, "%u", (unsigned)gid);
}

static void format_level(const void *field, char *out)
{
    strcpy(out, levels[*(const uint32_t *)field]);
}

static void (*const formatters[CONFIG_KEYS])(const void *, char *) = {
#define OPTION(key, id, type, argument, def, least, most, unit, when, help) format_##type,
#define SWITCH(option, key, value, help)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};

void config_format(const struct config *c, enum config_key_id id, char out[CONFIG_VALUE])
{
    out[0] = '\0';
    formatters[id]((const char *)c + config_keys[id].offset, out);
}

bool config_adds(const struct config *c, enum config_key_id id, const char *value,
                 char out[CONFIG_VALUE])
{
    char have[CONFIG_VALUE];

    if (formatters[id] != format_list)
        return false;
    config_format(c, id, have);
    snprintf(out, CONFIG_VALUE, "%.1500s%s%.1500s", have, *have ? ", " : "", value);
    return true;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* Many connections with full windows need it; pages that no byte has touched cost nothing. */
static uint64_t default_memory(void)
{
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 8;

    return bytes > 256ull << 20 ? bytes : 256ull << 20;
}

static unsigned count_tunables(void)
{
    struct stack_tunable t;
    unsigned n = 0;

    while (stack_tunable_describe(n, &t))
        n++;
    return n;
}

int config_init(struct config *c)
{
    char error[CONFIG_ERROR];

    memset(c, 0, sizeof(*c));
    c->names = &names_of_machine;
    c->socket_group = (gid_t)-1;
    c->memory = default_memory();
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (*config_keys[i].fallback && setters[i](c, config_keys[i].fallback, error) < 0)
            return -EINVAL;
    c->tunables = stack_tunables_new();
    c->tunables_from = calloc(count_tunables(), sizeof(*c->tunables_from));
    if (c->tunables && c->tunables_from)
        return 0;
    config_free(c);
    return -ENOMEM;
}

void config_free(struct config *c)
{
    rights_free(&c->rights);
    stack_tunables_free(c->tunables);
    free(c->tunables_from);
    c->tunables = NULL;
    c->tunables_from = NULL;
}

void config_copy(struct config *to, const struct config *from, enum config_key_id id)
{
    const struct config_key *k = &config_keys[id];

    memcpy((char *)to + k->offset, (const char *)from + k->offset, k->size);
    to->from[id] = from->from[id];
}
