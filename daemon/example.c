/* SPDX-License-Identifier: MIT */
/*
 * The example configuration; see example.h. What must be given stands there with values that work,
 * everything else is a comment with the default.
 */
#include "daemon/example.h"

#include "daemon/config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct {
    enum config_key_id id;
    const char *value;
    bool needed;
} values[] = {
    {CONFIG_tap, "ts0", true},
    {CONFIG_address, "10.77.0.2/24", true},
    {CONFIG_host_address, "10.77.0.1/24", true},
    {CONFIG_gateway, "10.77.0.1", false},
    {CONFIG_mac, "02:00:00:00:00:02", false},
    {CONFIG_capture, "/var/tmp/tapstack.pcap", false},
    {CONFIG_user, "tapstack", false},
    {CONFIG_memory, "1G", false},
    {CONFIG_socket_group, "tapstack", false},
    {CONFIG_except, "192.0.2.0/24, :22", false},
    {CONFIG_rto_min, "10.0.0.0/8 50ms, 192.0.2.0/24 20ms", false},
};

static void print_range(FILE *to, uint64_t least, uint64_t most, const char *unit)
{
    if (most)
        fprintf(to, "; %" PRIu64 " to %" PRIu64 "%s%s", least, most, *unit ? " " : "", unit);
    fputc('\n', to);
}

static void print_key(FILE *to, int id)
{
    const struct config_key *k = &config_keys[id];
    const char *value = k->fallback;
    bool needed = false;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if ((int)values[i].id == id) {
            value = values[i].value;
            needed = values[i].needed;
        }
    }
    fprintf(to, "\n# %s", k->help);
    print_range(to, k->least, k->most, k->unit);
    fprintf(to, "# %s%s\n", k->argument, k->live ? "" : "; a change needs a restart");
    fprintf(to, "%s%s = %s\n", needed ? "" : "#", k->name, value);
}

static void print_tunables(FILE *to)
{
    struct stack_tunable t;

    for (unsigned i = 0; stack_tunable_describe(i, &t); i++) {
        fprintf(to, "\n# %s", t.help);
        print_range(to, (uint64_t)t.min, t.words ? 0 : (uint64_t)t.max, t.unit);
        fprintf(to, "#%s = %s\n", t.name, t.fallback);
    }
}

static void print_rights(FILE *to)
{
    static const char *const examples[RIGHTS] = {
        [RIGHT_bind] = ":80, :443",
        [RIGHT_connect] = "10.0.0.0/8, :443",
        [RIGHT_connections] = "1000",
        [RIGHT_memory] = "256M",
    };

    fputs(
        "\n# The policy: what a user, each member of a group, or everybody else [user *], may do.\n"
        "#[user www-data]\n",
        to);
    for (int i = 0; i < RIGHTS; i++) {
        fprintf(to, "# %s: %s", rights_info[i].argument, rights_info[i].help);
        print_range(to, rights_info[i].least, rights_info[i].most, rights_info[i].unit);
        fprintf(to, "#%s = %s\n", rights_info[i].name, examples[i]);
    }
    fputs("\n#[group guests]\n#connect = 192.0.2.0/24:80\n#connections = 100\n"
          "\n#[user *]\n#memory = 64M\n",
          to);
}

int example_print(FILE *to)
{
    fputs(
        "# tapstackd.conf(5). Lines that begin with # are comments; what they set is the default, "
        "or an\n# example where there is none. tapstackd --check-config names the faults of a "
        "file; SIGHUP, or\n# tapstack reload, puts in force what can change in a running daemon.\n"
        "\n[tapstack]\n",
        to);
    for (int i = 0; i < CONFIG_KEYS; i++)
        print_key(to, i);
    fputs("\n# The tunables of the core, by their sysctl names, as in: tapstack set NAME=VALUE\n"
          "[sysctl]\n",
          to);
    print_tunables(to);
    print_rights(to);
    return fflush(to) == 0 && !ferror(to) ? 0 : -EIO;
}
