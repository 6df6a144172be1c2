/* SPDX-License-Identifier: MIT */
/*
 * `tapstack ss`: the daemon's sockets as ss(8) shows the kernel's, with what only this stack can
 * say: how often each reason kept a connection from sending.
 */
#include "client/cli/ss.h"

#include "client/cli/address.h"
#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"
#include "client/cli/ss_filter.h"
#include "client/cli/watch.h"
#include "ipc/codec.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] ss [OPTION]... [FILTER]\n"
                "\n"
                "Show the daemon's TCP sockets, numerically: connections, or\n"
                "\n");
    cli_options_help(to, "ss");
    fprintf(to, "\n"
                "Recv-Q: bytes that the program has not read; of a listener, connections not yet "
                "accepted.\n"
                "Send-Q: bytes that the peer has not acknowledged; of a listener, the backlog.\n"
                "\n"
                "FILTER, as in ss(8), combined by and, or, not, ( ):\n"
                "  state established | exclude time-wait | sport = :80 | dport >= :1024\n"
                "  src 10.0.0.0/8 | dst 10.77.0.1:443 | user www-data | pid 12 | name curl\n");
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void terminate(struct wire_info *w)
{
    w->timer[sizeof(w->timer) - 1] = '\0';
    w->state_name[sizeof(w->state_name) - 1] = '\0';
    w->congestion[sizeof(w->congestion) - 1] = '\0';
    for (int i = 0; i < WIRE_STOPS; i++)
        w->stop_names[i][sizeof(w->stop_names[i]) - 1] = '\0';
}

static void one_more(void *ctx, const void *body)
{
    struct ss_sockets *all = ctx;
    struct ss_socket *s;
    size_t len;

    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 64;

        s = realloc(all->list, room * sizeof(*s));
        if (!s) {
            all->failed = true;
            return;
        }
        all->list = s;
        all->room = room;
    }
    s = &all->list[all->count++];
    memset(s, 0, sizeof(*s));
    memcpy(&s->wire, body, sizeof(s->wire));
    terminate(&s->wire);
    len = s->wire.tcp_info_len < sizeof(s->tcp) ? s->wire.tcp_info_len : sizeof(s->tcp);
    memcpy(&s->tcp, s->wire.tcp_info, len);
    s->holders.inode = s->wire.inode;
}

static bool meant(const struct ss_show *show, const struct ss_socket *s)
{
    bool listening = s->wire.state == SS_LISTEN;

    if (show->listening && !listening)
        return false;
    if (!show->all && !show->listening && listening && !ss_filter_has_states(show->filter))
        return false;
    return !show->filter || ss_filter_match(show->filter, s);
}

static void find_holders(struct ss_sockets *all)
{
    struct holders **of = calloc(all->count + 1, sizeof(struct holders *));

    for (size_t i = 0; of && i < all->count; i++)
        of[i] = &all->list[i].holders;
    if (of)
        holders_find(of, all->count);
    free(of);
}

int ss_fetch(const struct ss_show *show, struct ss_sockets *out)
{
    size_t kept = 0;
    int r;

    *out = (struct ss_sockets){0};
    r = daemon_each("ss", WIRE_OP_LIST, one_more, out);
    if (r == 0 && out->failed) {
        fprintf(stderr, "tapstack ss: out of memory\n");
        r = -1;
    }
    if (r == 0 && (show->processes || ss_filter_has_holders(show->filter)))
        find_holders(out);
    for (size_t i = 0; i < out->count; i++) {
        if (r == 0 && meant(show, &out->list[i]))
            out->list[kept++] = out->list[i];
        else
            holders_release(&out->list[i].holders);
    }
    out->count = kept;
    return r;
}

void ss_release(struct ss_sockets *s)
{
    for (size_t i = 0; i < s->count; i++)
        holders_release(&s->list[i].holders);
    free(s->list);
    *s = (struct ss_sockets){0};
}

/* --- a line ------------------------------------------------------------------------------------
 */

static const char *both_families(const struct wire_addr *a, char out[ADDRESS_TEXT])
{
    if (a->port)
        snprintf(out, ADDRESS_TEXT, "*:%u", a->port);
    else
        strcpy(out, "*:*");
    return out;
}

const char *ss_local(const struct wire_info *w, char out[ADDRESS_TEXT])
{
    return w->dual ? both_families(&w->local, out) : address_text(&w->local, out);
}

const char *ss_peer(const struct wire_info *w, char out[ADDRESS_TEXT])
{
    return w->dual && wire_addr_is_any(&w->remote) ? both_families(&w->remote, out)
                                                   : address_text(&w->remote, out);
}

void ss_print_users(const struct ss_socket *s)
{
    char name[32];

    if (s->holders.count) {
        for (unsigned i = 0; i < s->holders.count; i++) {
            const struct holder *h = &s->holders.list[i];

            printf("%s(\"%s\",pid=%d,fd=%d)", i ? "," : "users:(", h->name, h->pid, h->fd);
        }
        putchar(')');
    } else if (s->wire.has_handle && s->wire.pid) {
        /* perhaps gone by now: what the daemon knows of the one that made it */
        printf("made-by:((\"%s\",pid=%u))", holders_name((int)s->wire.pid, name), s->wire.pid);
    }
}

static void print_socket(const struct ss_show *show, const struct ss_socket *s)
{
    char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];

    printf("%-11s %-8u %-8u %25s %25s", s->wire.state_name, s->wire.recv_queue, s->wire.send_queue,
           ss_local(&s->wire, local), ss_peer(&s->wire, remote));
    if (show->processes) {
        putchar(' ');
        ss_print_users(s);
    }
    ss_print_more(show, s);
}

static int show_json(const struct ss_sockets *all)
{
    json_t *array = json_array();

    for (size_t i = 0; i < all->count; i++)
        json_array_append_new(array, ss_json(&all->list[i]));
    json_dumpf(array, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(array);
    return fflush(stdout) != 0;
}

static int show_once(struct ss_show *show)
{
    struct ss_sockets all;
    int status = 0;

    show->processes |= show->json;
    if (ss_fetch(show, &all) < 0) {
        status = 1;
    } else if (show->json) {
        status = show_json(&all);
    } else {
        if (!show->no_header)
            printf("%-11s %-8s %-8s %25s %25s%s\n", "State", "Recv-Q", "Send-Q",
                   "Local Address:Port", "Peer Address:Port", show->processes ? " Process" : "");
        for (size_t i = 0; i < all.count; i++)
            print_socket(show, &all.list[i]);
        status = fflush(stdout) != 0;
    }
    ss_release(&all);
    return status;
}

/* --- the command -------------------------------------------------------------------------------
 */

static bool set(struct ss_show *show, int c)
{
    switch (c) {
    case 'a':
        show->all = true;
        break;
    case 'l':
        show->listening = true;
        break;
    case 'i':
        show->info = true;
        break;
    case 'm':
        show->memory = true;
        break;
    case 'o':
        show->timer = true;
        break;
    case 'e':
        show->extended = true;
        break;
    case 'p':
        show->processes = true;
        break;
    case 'H':
        show->no_header = true;
        break;
    case 'j':
        show->json = true;
        break;
    case 't': /* these two are what we always do: fingers type them */
    case 'n':
        break;
    case 'W':
        show->watch_us = watch_period(optarg);
        if (!show->watch_us)
            fprintf(stderr, "tapstack ss: --watch takes seconds, 0.1 or more\n");
        return show->watch_us != 0;
    default:
        return false;
    }
    return true;
}

int ss_main(int argc, char **argv)
{
    struct ss_show show = {0};
    char error[256];
    int c, status;

    optind = 0;
    while ((c = cli_getopt("ss", argc, argv)) != -1) {
        if (c == 'h')
            return usage(stdout), 0;
        if (!set(&show, c))
            return cli_wrong_usage("ss");
    }
    if (ss_filter_parse(argc - optind, argv + optind, &show.filter, error, sizeof(error)) < 0) {
        fprintf(stderr, "tapstack ss: the filter: %s\n", error);
        return cli_wrong_usage("ss");
    }
    status = show.watch_us ? ss_watch(&show) : show_once(&show);
    ss_filter_free(show.filter);
    return status;
}
