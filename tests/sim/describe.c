/* SPDX-License-Identifier: MIT */
/* The parameters of a random transfer, for whoever looks into a failure; see transfer.h. */
#include "tests/sim/transfer.h"

typedef unsigned long long ull;

static void describe_link(const struct link_config *c, FILE *f)
{
    fprintf(f, "#    link: %llu bit/s delay %llu us jitter %llu queue %u mark %u\n",
            (ull)c->rate_bps, (ull)c->delay_us, (ull)c->jitter_us, c->queue_bytes, c->mark_bytes);
    fprintf(f, "#      loss %u dup %u corrupt %u reorder %u/%llu us ack loss %u hold %llu us\n",
            c->loss_ppm, c->dup_ppm, c->corrupt_ppm, c->reorder_ppm, (ull)c->reorder_us,
            c->ack_loss_ppm, (ull)c->ack_hold_us);
    fprintf(f, "#      burst %u/%u loses %u for %llu us, policer %llu bit/s %u bytes\n",
            c->burst.begin_ppm, c->burst.end_ppm, c->burst.loss_ppm, (ull)c->burst.most_us,
            (ull)c->police_bps, c->police_bytes);
}

static void describe_host(const struct sim_host *h, FILE *f)
{
    const struct link *l = &h->out;

    fprintf(f, "#  host %u: mtu %u features %u large %d devq %d/%u refuse %u ppm %llu us\n",
            h->index, h->config.mtu, h->config.features, h->config.large_frames,
            h->config.device_queue, h->config.device_bytes, h->config.refuse_ppm,
            (ull)h->config.refuse_us);
    describe_link(&h->config.out, f);
    fprintf(f, "#      sent %llu lost %llu dropped %llu policed %llu marked %llu\n", (ull)l->sent,
            (ull)l->lost, (ull)l->dropped, (ull)l->policed, (ull)l->marked);
}

static void describe_plan(const struct program *p, FILE *f)
{
    const struct program_plan *l = &p->plan;

    fprintf(f,
            "#  program %u: %s, send %llu by %u..%u gap %llu us more %u eor %u spans %u nodelay %d "
            "cork %d close %d\n",
            p->host->index, l->congestion ? l->congestion : "-", (ull)l->send, l->write_min,
            l->write_max, (ull)l->write_gap_us, l->more_ppm, l->eor_ppm, l->spans_ppm, l->nodelay,
            l->cork, l->close);
    fprintf(f, "#    read %u gap %llu us delay %llu us pair %d/%u sndbuf %d rcvbuf %d\n",
            l->read_max, (ull)l->read_gap_us, (ull)l->read_delay_us, l->pair, l->pair_bytes,
            l->sndbuf, l->rcvbuf);
    fprintf(f, "#    sent %llu received %llu eof %d closed %d error %d\n", (ull)p->sent,
            (ull)p->received, p->eof, p->closed, p->error);
}

static void describe_peer(const struct peer *p, FILE *f)
{
    const struct peer_plan *l = &p->plan;

    fprintf(f, "#  peer: window %u mss %u sack %d timestamps %d wscale %u ack every %u/%llu us\n",
            l->window, l->mss, l->sack, l->timestamps, l->wscale, l->ack_every,
            (ull)l->ack_delay_us);
    fprintf(f, "#    reneges %u ppm (%llu times), shrinks %u ppm for %llu us (%llu times)\n",
            l->renege_ppm, (ull)p->reneged, l->shrink_ppm, (ull)l->shrink_us, (ull)p->shrunk);
    for (unsigned i = 0; i < PEER_LIE_COUNT; i++) {
        if (l->lie_ppm[i])
            fprintf(f, "#    lies: %s %u ppm (%llu times)\n", peer_lie_name(i), l->lie_ppm[i],
                    (ull)p->lies[i]);
    }
    fprintf(f, "#    got %llu, %u ranges out of order, gave away %llu, FIN %d/%d, reset %d\n",
            (ull)p->next, p->n_held, (ull)p->given, p->fin_sent, p->fin_acked, p->reset);
}

void transfer_describe(const struct transfer *t, FILE *f)
{
    for (unsigned i = 0; i < t->sim.n_hosts; i++)
        describe_host(&t->sim.host[i], f);
    fprintf(f, "#  quotas %llu and %llu\n", (ull)t->sim.host[0].config.quota,
            (ull)t->sim.host[1].config.quota);
    fprintf(f, "#  memory limit %llu, path MTU %u from %.6f s on\n",
            (ull)t->sim.host[0].config.memory_limit, t->later_mtu,
            t->later_mtu ? (double)(t->shrinks_at - SIM_START) / 1e6 : 0);
    describe_plan(&t->a, f);
    if (t->scripted)
        describe_peer(&t->peer, f);
    else
        describe_plan(&t->b, f);
    fprintf(f, "#  at %.6f s, %llu steps, %llu packets\n", (double)(t->sim.now - SIM_START) / 1e6,
            (ull)t->sim.steps, (ull)t->sim.packets);
}
