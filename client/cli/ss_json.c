/* SPDX-License-Identifier: MIT */
/* A socket as JSON: everything that the daemon says of it. */
#include "client/cli/address.h"
#include "client/cli/ss.h"

#include <string.h>

static void put(json_t *o, const char *name, uint64_t value)
{
    json_object_set_new(o, name, json_integer((json_int_t)value));
}

static json_t *stops(const struct wire_info *w)
{
    json_t *o = json_object();

    for (int i = 0; i < WIRE_STOPS; i++)
        if (w->stop_names[i][0])
            put(o, w->stop_names[i], w->stops[i]);
    return o;
}

static json_t *memory(const struct wire_memory *m)
{
    json_t *o = json_object();

    put(o, "sndbuf", m->sndbuf);
    put(o, "rcvbuf", m->rcvbuf);
    put(o, "send_extents", m->send_extents);
    put(o, "recv_extents", m->recv_extents);
    put(o, "out_of_order", m->out_of_order);
    put(o, "pair_unread", m->pair_unread);
    put(o, "pair_untaken", m->pair_untaken);
    put(o, "account_used", m->account_used);
    put(o, "account_limit", m->account_limit);
    return o;
}

static json_t *holders(const struct holders *h)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < h->count; i++) {
        json_t *o = json_object();

        json_object_set_new(o, "name", json_string(h->list[i].name));
        put(o, "pid", (uint64_t)h->list[i].pid);
        put(o, "fd", (uint64_t)h->list[i].fd);
        json_array_append_new(list, o);
    }
    return list;
}

json_t *ss_json(const struct ss_socket *s)
{
    const struct wire_info *w = &s->wire;
    char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];
    json_t *o = json_object();

    json_object_set_new(o, "state", json_string(w->state_name));
    json_object_set_new(o, "local", json_string(ss_local(w, local)));
    json_object_set_new(o, "peer", json_string(ss_peer(w, remote)));
    put(o, "recv_q", w->recv_queue);
    put(o, "send_q", w->send_queue);
    put(o, "id", w->id);
    put(o, "pid", w->pid);
    put(o, "uid", w->uid);
    put(o, "inode", w->inode);
    json_object_set_new(o, "users", holders(&s->holders));
    json_object_set_new(o, "timer", json_string(w->timer));
    put(o, "timer_us", w->timer_us);
    json_object_set_new(o, "congestion", json_string(w->congestion));
#define FIELD(type, name, json)                                                                    \
    if (json[0])                                                                                   \
        put(o, json, s->tcp.name);
#include "client/cli/tcp_info.def"
#undef FIELD
    put(o, "snd_wscale", s->tcp.wscales & 15);
    put(o, "rcv_wscale", s->tcp.wscales >> 4);
    json_object_set_new(o, "app_limited", json_boolean(s->tcp.delivery_flags & 1));
    json_object_set_new(o, "memory", memory(&w->memory));
    json_object_set_new(o, "stops", stops(w));
    return o;
}
