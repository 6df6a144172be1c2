/* SPDX-License-Identifier: MIT */
/* Do the settings fit together? Each contradiction is told at the line of one of the keys. */
#include "daemon/config.h"

#include <stdio.h>
#include <string.h>

static unsigned line_of(const struct config *c, enum config_key_id id)
{
    return c->from[id].source == CONFIG_FROM_FILE ? c->from[id].line : 0;
}

static void check_required(const struct config *c, struct faults *f)
{
    if (!config_has(c, CONFIG_tap))
        faults_add(f, 0, "--tap NAME is missing, and so is tap in [tapstack]");
    if (!config_has(c, CONFIG_address))
        faults_add(f, 0, "--address A/LEN is missing, and so is address in [tapstack]");
}

static void check_host_address(const struct config *c, struct faults *f)
{
    unsigned line = line_of(c, CONFIG_host_address);

    if (ip_addr_equal(&c->address.addr, &c->host_address.addr))
        faults_add(f, line, "address in use: address and host-address are the same");
    else if (!ip_prefix_contains(&c->address, &c->host_address.addr) &&
             !ip_prefix_contains(&c->host_address, &c->address.addr))
        faults_add(f, line, "host-address and address are in different networks");
}

static void check_gateway(const struct config *c, struct faults *f)
{
    unsigned line = line_of(c, CONFIG_gateway);
    struct ip_addr broadcast;

    if (ip_addr_equal(&c->address.addr, &c->gateway))
        faults_add(f, line, "the gateway is our own address");
    else if (!ip_prefix_contains(&c->address, &c->gateway))
        faults_add(f, line, "the gateway is not in our network");
    else if (ip_addr_is_v4(&c->gateway) && ip_prefix_broadcast(&c->address, &broadcast) &&
             ip_addr_equal(&broadcast, &c->gateway))
        faults_add(f, line, "the gateway is the broadcast address of our network");
}

static void check_addresses(const struct config *c, struct faults *f)
{
    /* what was malformed has been told */
    if (ip_addr_is_any(&c->address.addr))
        return;
    if (!ip_addr_is_any(&c->host_address.addr))
        check_host_address(c, f);
    if (!ip_addr_is_any(&c->gateway))
        check_gateway(c, f);
    if (!ip_addr_is_v4(&c->address.addr) && c->mtu < 1280)
        faults_add(f, line_of(c, CONFIG_mtu), "IPv6 needs an MTU of at least 1280");
}

static void check_files(const struct config *c, struct faults *f)
{
    if (c->capture[0] && !strcmp(c->capture, c->socket))
        faults_add(f, line_of(c, CONFIG_capture), "capture and socket are the same file");
}

/* One part cannot be larger than the whole, if both were said. */
static void check_rights(const struct config *c, struct faults *f)
{
    for (const struct rights *r = c->rights; r; r = r->next) {
        if (r->lines[RIGHT_memory] && config_has(c, CONFIG_memory) && r->memory > c->memory)
            faults_add(f, r->lines[RIGHT_memory], "memory of [%s] is above memory of the daemon",
                       r->section);
        if (r->lines[RIGHT_connections] && r->connections > c->max_sockets)
            faults_add(f, r->lines[RIGHT_connections], "connections of [%s] are above max-sockets",
                       r->section);
    }
}

static void check_tunables(const struct config *c, struct faults *f)
{
    const char *conflict = stack_tunables_conflict(c->tunables);
    struct stack_tunable t;
    unsigned line = 0;

    if (!conflict)
        return;
    /* the later one of those that it names */
    for (unsigned i = 0; stack_tunable_describe(i, &t); i++)
        if (c->tunables_from[i].source == CONFIG_FROM_FILE && strstr(conflict, t.name) &&
            c->tunables_from[i].line > line)
            line = c->tunables_from[i].line;
    faults_add(f, line, "%s", conflict);
}

void config_check(const struct config *c, struct faults *faults)
{
    check_required(c, faults);
    check_addresses(c, faults);
    check_files(c, faults);
    check_rights(c, faults);
    check_tunables(c, faults);
}
