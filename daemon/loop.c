/* SPDX-License-Identifier: MIT */
/*
 * The event loop; see loop.h. libuv's callbacks only note what is due; the work is done once per
 * iteration, after its poll. The kernel's TCP on the other side of the TAP answers within our
 * writev(2): after frames went out, the TAP is looked at again before sleeping.
 */
#include "daemon/loop.h"

#include "daemon/log.h"
#include "daemon/stats.h"
#include "daemon/workers.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Rounds with work of one wake-up; then libuv has its turn (signals). */
#define ROUNDS    16
#define LOOKS     1000 /* and of those that only look */
#define SLOW_MS   1000
#define PAUSED_MS 50

uint64_t loop_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- the core's deadline -----------------------------------------------------------------------
 */

/* The timer is only ever moved to an earlier time: firing too early costs less than re-arming for
 * each segment. */
static void arm(struct loop *l)
{
    uint64_t at = stack_next_deadline(l->stack);
    struct itimerspec t = {0};

    if (l->stopping && !l->ended && l->stop_at < at)
        at = l->stop_at;
    if (at >= l->armed)
        return;
    l->armed = at;
    t.it_value.tv_sec = (time_t)(at / 1000000);
    t.it_value.tv_nsec = (long)(at % 1000000) * 1000 + 1; /* all zero would disarm it */
    if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &t, NULL) < 0)
        l->armed = UINT64_MAX;
}

/* --- rounds ------------------------------------------------------------------------------------
 */

/* Callbacks of libuv that touch what a request may touch too. */
static void enter(struct loop *l)
{
    if (l->worker)
        worker_enter(l->worker);
}

static void leave(struct loop *l)
{
    if (l->worker)
        worker_leave(l->worker);
}

/* Returns the frames that others have read for us. */
static unsigned input(struct loop *l, uint64_t now)
{
    unsigned handed = l->worker ? worker_input(l->worker, now) : 0;

    if (l->timer_due) {
        uint64_t times;
        l->timer_due = false;
        l->armed = UINT64_MAX;
        (void)!read(l->timer_fd, &times, sizeof(times));
    }
    if (l->device_due)
        l->device_due = device_input(l->device, l->stack, now);
    if (l->poller_due)
        l->poller_due = poller_run(l->poller);
    return handed;
}

static void tell_programs(struct loop *l, struct sock *(*next)(struct stack *, uint32_t *))
{
    struct sock *sock;
    uint32_t events;

    while ((sock = next(l->stack, &events)) != NULL)
        stream_event(l->streams, sock, events);
}

/* Who waits for bytes or an answer does not wait for the frames of this round. Who waits for room
 * can: waking him first would only keep the device waiting. */
static void output(struct loop *l, uint64_t now)
{
    tell_programs(l, stack_next_news);
    stack_run(l->stack, now);
    device_flush(l->device);
    tell_programs(l, stack_next_event);
}

/* That is for the first worker. */
static void end_captures_round(struct loop *l)
{
    if (l->control)
        captures_round(l->device->captures);
    else if (captures_have_news(l->device->captures))
        worker_poke(l->worker->all->list[0]);
}

/* Returns whether there is more to do right away. */
static bool one_round(struct loop *l)
{
    uint64_t now = loop_now(), before = l->device->frames + l->poller->events;
    unsigned rings, handed;
    bool ready;

    l->streams->now = now;
    l->device->sent = false;
    stack_keep_bursts_short(l->stack, captures_any(l->device->captures));
    handed = input(l, now);
    if (l->control)
        control_answers(l->control);
    ready = streams_run(l->streams);
    rings = ringports_run(l->streams);
    output(l, now);
    end_captures_round(l);
    poller_bury(l->poller);
    stats_add(STAT_loop_rounds, 1);
    /* Telling programs made the core do something, or streams asked for another turn. */
    ready |= !TAILQ_EMPTY(&l->streams->ready) || stack_next_deadline(l->stack) <= now;
    l->device_due |= l->device->sent;
    if (rings || handed || l->device->frames + l->poller->events != before)
        spin_useful(&l->spin, now);
    return ready || handed || l->device_due || l->poller_due;
}

/* Rounds until there is nothing more to do, some of them only to look. True: there is more, but it
 * is libuv's turn. */
static bool rounds(struct loop *l)
{
    bool more = true;

    for (int i = 0, looks = 0; i < ROUNDS && more; i++) {
        if (l->worker && i > 0 && worker_is_wanted(l->worker))
            return true;
        more = one_round(l);
        while (!more && !l->stopping && spin_again(&l->spin, loop_now())) {
            if (looks++ == LOOKS || (l->worker && worker_is_wanted(l->worker)))
                return true;
            l->device_due = l->poller_due = true;
            more = one_round(l);
        }
        more = more || ringports_sleep(l->streams);
    }
    return more;
}

static void watch_device(struct loop *l);
static void slow_event(uv_timer_t *h);

/* The first worker, which has the signals, waits for the others. */
static void end(struct loop *l)
{
    l->ended = true;
    if (!l->worker || l->worker->index != 0 || workers_done(l->worker->all))
        uv_stop(&l->uv);
}

static void stop_when_drained(struct loop *l)
{
    struct stack_usage usage;
    uint64_t now = l->streams->now;

    if (!l->stopping)
        return;
    if (l->ended) {
        end(l);
        return;
    }
    if (l->streams->count == 0 && !l->drained) {
        l->drained = true;
        stack_shutdown(l->stack, now);
    }
    stack_usage(l->stack, &usage);
    if (l->drained && usage.connections == 0) {
        end(l);
    } else if (now >= l->stop_at) {
        log_warning("%u connections did not end in time", usage.connections);
        streams_abort(l->streams);
        stack_run(l->stack, now);
        end(l);
    }
}

static uint64_t memory_needed(const struct loop *l)
{
    struct stack_usage usage;

    stack_usage(l->stack, &usage);
    return usage.memory_used - usage.memory_kept;
}

static void rest_event(uv_timer_t *h)
{
    struct loop *l = h->data;
    uint64_t used;

    enter(l);
    used = memory_needed(l);
    if (trim_due(&l->trim, used)) {
        stack_give_back(l->stack);
        trim_now(&l->trim, used);
    }
    leave(l);
}

/* At most once in a second, however many there are. */
static void stones_event(uv_timer_t *h)
{
    struct loop *l = h->data;
    uint64_t now = loop_now(), next;

    enter(l);
    next = tombstones_expire(&l->streams->tombs, now);
    leave(l);
    if (next != UINT64_MAX)
        uv_timer_start(h, stones_event, (next - now) / 1000 + SLOW_MS, 0);
}

/* The sign of life comes from the end of a round: a loop that does not get there, or whose core
 * leaves its deadlines behind, gives none. */
static void watchdog_event(uv_timer_t *h)
{
    struct loop *l = h->data;

    l->sign_due = l->timer_due = true;
}

/* The earliest of all workers. One that stands still does not let itself be held, and so keeps us
 * from giving the sign as well. */
static uint64_t next_deadline(struct loop *l)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < workers_count(l->streams); i++) {
        struct streams *all = workers_hold(l->streams, i);
        uint64_t at = stack_next_deadline(all->stack);

        next = at < next ? at : next;
        workers_release(all);
    }
    return next;
}

static void sign_of_life(struct loop *l)
{
    if (l->sign_due)
        (void)notify_alive(l->notify, 0, loop_now(), next_deadline(l));
    l->sign_due = false;
}

static void on_busy(uv_idle_t *h)
{
    (void)h;
}

/* It is over when the memory is needed again. */
static void start_rest(struct loop *l)
{
    bool due = trim_due(&l->trim, memory_needed(l));

    if (!due)
        uv_timer_stop(&l->rest);
    else if (!uv_is_active((uv_handle_t *)&l->rest))
        uv_timer_start(&l->rest, rest_event, TRIM_REST_MS, 0);
}

/* Some of libuv's timers run only while there is something for them to do. */
static void start_timers(struct loop *l)
{
    if (l->control && (l->control->paused || l->control->held) &&
        uv_timer_get_due_in(&l->slow) > PAUSED_MS)
        uv_timer_start(&l->slow, l->slow.timer_cb, PAUSED_MS, SLOW_MS);
    start_rest(l);
    if (l->streams->tombs.count > 0 && !uv_is_active((uv_handle_t *)&l->stones))
        uv_timer_start(&l->stones, stones_event, TOMBSTONE_US / 1000, 0);
    if (!TAILQ_EMPTY(&l->streams->resting) && !uv_is_active((uv_handle_t *)&l->slow))
        uv_timer_start(&l->slow, slow_event, SLOW_MS, SLOW_MS);
}

static bool must_quit(const struct loop *l)
{
    return l->worker && __atomic_load_n(&l->worker->all->quit, __ATOMIC_RELAXED);
}

/* What one wake-up is for. True: there is more. */
static bool wake_up(struct loop *l)
{
    bool more;

    l->poked = false;
    stats_add(STAT_loop_wakeups, 1);
    more = rounds(l);
    if (l->device->gone && l->status == 0) {
        log_error("the interface is gone");
        l->status = 1;
        uv_stop(&l->uv);
    }
    if (l->device->blocked)
        watch_device(l);
    start_timers(l);
    stop_when_drained(l);
    sign_of_life(l);
    arm(l);
    if (must_quit(l))
        uv_stop(&l->uv);
    return more;
}

static void work(uv_check_t *h)
{
    struct loop *l = h->data;
    bool more;

    if (!l->device_due && !l->poller_due && !l->timer_due && !l->poked &&
        !uv_is_active((uv_handle_t *)&l->busy))
        return;
    enter(l);
    more = wake_up(l);
    leave(l);
    if (more)
        uv_idle_start(&l->busy, on_busy);
    else
        uv_idle_stop(&l->busy);
}

/* --- what wakes us -----------------------------------------------------------------------------
 */

static void device_event(uv_poll_t *h, int status, int events)
{
    struct loop *l = h->data;

    l->device_due = true;
    enter(l);
    if (status < 0) {
        l->device->gone = true;
    } else if ((events & UV_WRITABLE) && l->device->blocked) {
        l->device->blocked = false;
        device_flush(l->device);
        watch_device(l);
        stack_device_ready(l->stack, loop_now());
    }
    leave(l);
}

static void watch_device(struct loop *l)
{
    int events = UV_READABLE | (l->device->blocked ? UV_WRITABLE : 0);

    uv_poll_start(&l->on_device, events, device_event);
}

static void poller_event(uv_poll_t *h, int status, int events)
{
    struct loop *l = h->data;

    (void)status;
    (void)events;
    l->poller_due = true;
}

static void timer_event(uv_poll_t *h, int status, int events)
{
    struct loop *l = h->data;

    (void)status;
    (void)events;
    l->timer_due = true;
}

/* From another thread: there may be anything. */
static void wake_event(uv_async_t *h)
{
    struct loop *l = h->data;

    l->poked = true;
}

static void slow_event(uv_timer_t *h)
{
    struct loop *l = h->data;
    bool file = l->control && captures_flush(l->device->captures), rings;

    enter(l);
    if (l->control)
        control_tick(l->control);
    l->streams->now = loop_now();
    rings = ringports_tick(l->streams);
    leave(l);
    l->timer_due = true; /* that may have given the core something to send */
    if (l->control && (l->control->paused || l->control->held))
        uv_timer_start(h, slow_event, PAUSED_MS, SLOW_MS);
    else if (!file && !rings)
        uv_timer_stop(h);
}

static void flush_event(uv_signal_t *h, int signum)
{
    struct loop *l = h->data;

    (void)signum;
    (void)captures_flush(l->device->captures);
}

static void hup_event(uv_signal_t *h, int signum)
{
    struct loop *l = h->data;

    (void)signum;
    (void)reload_begin(l->reload);
}

static void reload_event(uv_poll_t *h, int status, int events)
{
    struct loop *l = h->data;

    (void)status;
    (void)events;
    l->streams->now = loop_now();
    if (reload_ready(l->reload))
        dump_reloaded(l->control, &l->reload->notices);
    if (l->reload->reader.broken)
        uv_poll_stop(h);
    l->timer_due = true; /* other limits may let something go on */
}

/* Worker by worker; each goes on by itself. */
static void begin_stop(struct loop *l, bool at_once)
{
    if (at_once) {
        l->stop_at = 0;
        return;
    }
    l->stopping = true;
    l->stop_at = loop_now() + LOOP_STOP_US;
    streams_stop(l->streams);
}

static void stop_event(uv_signal_t *h, int signum)
{
    struct loop *l = h->data;
    bool again = l->stopping;

    log_info("%s%s", strsignal(signum), again ? " again: stopping at once" : ": stopping");
    if (!again) {
        notify_stopping(l->notify);
        control_stop(l->control);
        sockfile_remove(l->sockfile);
    }
    begin_stop(l, again);
    for (unsigned i = 1; i < workers_count(l->streams); i++) {
        struct streams *all = workers_hold(l->streams, i);

        begin_stop(&l->worker->all->list[i]->loop, again);
        workers_release(all);
    }
    uv_idle_start(&l->busy, on_busy);
}

/* --- life --------------------------------------------------------------------------------------
 */

/* And what else the first worker alone has. */
static int init_signals(struct loop *l)
{
    int rc = uv_signal_init(&l->uv, &l->on_term);

    if (rc == 0)
        rc = uv_timer_init(&l->uv, &l->watchdog);

    if (rc == 0)
        rc = uv_signal_init(&l->uv, &l->on_int);
    if (rc == 0)
        rc = uv_signal_init(&l->uv, &l->on_usr1);
    if (rc == 0)
        rc = uv_signal_init(&l->uv, &l->on_hup);
    if (rc == 0 && l->reload->reader.fd >= 0)
        rc = uv_poll_init(&l->uv, &l->on_reload, l->reload->reader.fd);
    l->on_term.data = l->on_int.data = l->on_usr1.data = l->on_hup.data = l->on_reload.data = l;
    l->watchdog.data = l;
    return rc;
}

static int start_signals(struct loop *l)
{
    uint64_t watched_ms = notify_period_ms(l->notify);
    int rc = uv_signal_start(&l->on_term, stop_event, SIGTERM);

    if (rc == 0 && watched_ms)
        rc = uv_timer_start(&l->watchdog, watchdog_event, watched_ms, watched_ms);

    if (rc == 0)
        rc = uv_signal_start(&l->on_int, stop_event, SIGINT);
    if (rc == 0)
        rc = uv_signal_start(&l->on_usr1, flush_event, SIGUSR1);
    if (rc == 0)
        rc = uv_signal_start(&l->on_hup, hup_event, SIGHUP);
    if (rc == 0 && l->reload->reader.fd >= 0)
        rc = uv_poll_start(&l->on_reload, UV_READABLE, reload_event);
    return rc;
}

static int init_handles(struct loop *l)
{
    int rc = uv_poll_init(&l->uv, &l->on_device, l->device->ops->fd(l->device->dev));

    if (rc == 0)
        rc = uv_poll_init(&l->uv, &l->on_poller, l->poller->fd);
    if (rc == 0)
        rc = uv_poll_init(&l->uv, &l->on_timer, l->timer_fd);
    if (rc == 0)
        rc = uv_check_init(&l->uv, &l->after_poll);
    if (rc == 0)
        rc = uv_idle_init(&l->uv, &l->busy);
    if (rc == 0)
        rc = uv_timer_init(&l->uv, &l->slow);
    if (rc == 0)
        rc = uv_timer_init(&l->uv, &l->rest);
    if (rc == 0)
        rc = uv_timer_init(&l->uv, &l->stones);
    if (rc == 0 && l->worker)
        rc = uv_async_init(&l->uv, &l->wake, wake_event);
    if (rc == 0 && l->control)
        rc = init_signals(l);
    l->on_device.data = l->on_poller.data = l->on_timer.data = l->after_poll.data = l;
    l->busy.data = l->slow.data = l->rest.data = l->stones.data = l->wake.data = l;
    return rc;
}

static int start_handles(struct loop *l)
{
    int rc = uv_poll_start(&l->on_device, UV_READABLE, device_event);

    if (rc == 0)
        rc = uv_poll_start(&l->on_poller, UV_READABLE, poller_event);
    if (rc == 0)
        rc = uv_poll_start(&l->on_timer, UV_READABLE, timer_event);
    if (rc == 0)
        rc = uv_check_start(&l->after_poll, work);
    if (rc == 0)
        rc = uv_timer_start(&l->slow, slow_event, SLOW_MS, SLOW_MS);
    if (rc == 0 && l->control)
        rc = start_signals(l);
    return rc;
}

int loop_init(struct loop *l)
{
    int rc;

    l->armed = UINT64_MAX;
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->timer_fd < 0)
        return -errno;
    rc = uv_loop_init(&l->uv);
    if (rc < 0) {
        close(l->timer_fd);
        return rc;
    }
    rc = init_handles(l);
    if (rc == 0)
        rc = start_handles(l);
    if (rc < 0)
        loop_destroy(l);
    l->live = rc == 0;
    return rc;
}

int loop_run(struct loop *l)
{
    /* What start-up left to do: the announcement, timers. */
    l->device_due = l->poller_due = true;
    uv_idle_start(&l->busy, on_busy);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    return l->status;
}

static void close_handle(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

void loop_destroy(struct loop *l)
{
    l->live = false;
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    close(l->timer_fd);
}
