/* SPDX-License-Identifier: MIT */
/* The process that reads the configuration file again; see reread.h. */
#include "daemon/reread.h"

#include "daemon/config_file.h"
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/** Names of a file of the largest size are fewer. */
#define NAMES_MAX (4u << 20)

/* --- the process -------------------------------------------------------------------------------
 */

static bool send_all(int fd, const void *data, size_t len)
{
    for (const char *at = data; len > 0;) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* Looks up, and remembers what was found. */
struct recorder {
    struct names names; /* first */
    struct names_list *list;
};

static bool find_and_record(const struct names *names, const char *name, bool of_group,
                            uint32_t *id)
{
    const struct recorder *rec = (const struct recorder *)names;

    return names_of_machine.find(&names_of_machine, name, of_group, id) &&
           names_list_add(rec->list, name, of_group, *id);
}

/* Whom the daemon will ask for: exactly those that a reading of the same text asks for. */
static int record_names(const char *text, size_t len, struct names_list *list)
{
    struct recorder rec = {{find_and_record}, list};
    struct faults faults = {0};
    struct config c;

    if (config_init(&c) < 0)
        return -ENOMEM;
    c.names = &rec.names;
    config_file_parse(&c, text, len, &faults); /* the faults are the daemon's to tell */
    faults_free(&faults);
    config_free(&c);
    return list->len > NAMES_MAX ? -EFBIG : 0;
}

static bool answer(int fd, const char *path)
{
    struct reread_head head = {0};
    struct names_list list;
    char *text = NULL;
    size_t len = 0;
    bool sent;

    names_list_init(&list, NULL);
    head.error = config_file_read(path, &text, &len);
    if (head.error == 0)
        head.error = record_names(text, len, &list);
    if (head.error == 0) {
        head.names_len = (uint32_t)list.len;
        head.text_len = (uint32_t)len;
    }
    sent = send_all(fd, &head, sizeof(head)) &&
           (head.error || (send_all(fd, list.text, list.len) && send_all(fd, text, len)));
    names_list_free(&list);
    free(text);
    return sent;
}

/* What a terminal or a service manager sends to all is for the daemon; we end when it does. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGPIPE};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_IGN);
}

/* Nothing but the socket and stderr stays open. */
static int keep_only(int fd)
{
    if (dup2(fd, STDIN_FILENO) < 0)
        return -errno;
    close(STDOUT_FILENO);
    return close_range(STDERR_FILENO + 1, ~0u, 0) < 0 ? -errno : 0;
}

static _Noreturn void serve(int fd, const char *path, const struct privileges_user *user)
{
    ssize_t n;
    char c;

    ignore_signals();
    prctl(PR_SET_NAME, "tapstackd-conf");
    if (keep_only(fd) < 0 || privileges_drop(user) < 0)
        _exit(1);
    if (access(path, R_OK) < 0)
        log_warning("%s cannot be read by the user that the daemon becomes (%s): no reload will "
                    "work",
                    path, strerror(errno));
    do
        n = read(STDIN_FILENO, &c, 1);
    while ((n < 0 && errno == EINTR) || (n > 0 && answer(STDIN_FILENO, path)));
    _exit(0);
}

/* --- the daemon's side -------------------------------------------------------------------------
 */

int reread_start(struct reread *r, const char *path, const struct privileges_user *user)
{
    int fds[2], rc = 0;
    pid_t child;

    *r = (struct reread){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    child = fork();
    if (child == 0)
        serve(fds[1], path, user);
    if (child < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        rc = -errno;
    close(fds[1]);
    if (rc == 0)
        r->fd = fds[0];
    else
        close(fds[0]);
    if (rc < 0)
        log_error("cannot make the process for reloads: %s", strerror(-rc));
    return rc;
}

static void forget(struct reread *r)
{
    free(r->body);
    r->body = NULL;
    r->got = 0;
    r->asked = false;
}

void reread_stop(struct reread *r)
{
    forget(r);
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

int reread_ask(struct reread *r)
{
    if (r->fd < 0 || r->broken)
        return -EPIPE;
    if (r->asked)
        return -EALREADY;
    if (send(r->fd, "r", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
        return -EPIPE;
    r->asked = true;
    return 0;
}

/* Where the next bytes belong, and how many there can be. */
static char *place(struct reread *r, size_t *room)
{
    size_t head = sizeof(r->head), body = (size_t)r->head.names_len + r->head.text_len;

    if (r->got < head) {
        *room = head - r->got;
        return (char *)&r->head + r->got;
    }
    *room = body - (r->got - head);
    return r->body + (r->got - head);
}

/* The head has come: room for what follows. 1 or a negative errno value. */
static int make_room(struct reread *r)
{
    if (r->head.names_len > NAMES_MAX || r->head.text_len > CONFIG_FILE_MAX || r->head.error > 0)
        return -EPROTO;
    r->body = malloc((size_t)r->head.names_len + r->head.text_len + 1);
    return r->body ? 1 : -ENOMEM;
}

static int hand_over(struct reread *r, struct names_list *names, char **text, size_t *len)
{
    char *list = strndup(r->body, r->head.names_len);
    char *copy = malloc((size_t)r->head.text_len + 1);

    if (!list || !copy) {
        free(list);
        free(copy);
        return -ENOMEM;
    }
    memcpy(copy, r->body + r->head.names_len, r->head.text_len);
    copy[r->head.text_len] = '\0';
    names_list_init(names, list);
    *text = copy;
    *len = r->head.text_len;
    return 1;
}

/* 1: bytes came; 0: none for now; negative: the process has gone. */
static int receive(struct reread *r)
{
    size_t room;
    char *at = place(r, &room);
    ssize_t n = room ? recv(r->fd, at, room, MSG_DONTWAIT) : 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0 && room)
        return -EPIPE;
    r->got += (size_t)n;
    return 1;
}

static bool complete(const struct reread *r)
{
    return r->got == sizeof(r->head) + r->head.names_len + r->head.text_len;
}

/* One whole answer: it says that the file cannot be read, or it has the file. */
static int finish(struct reread *r, struct names_list *names, char **text, size_t *len)
{
    int rc = r->head.error ? r->head.error : hand_over(r, names, text, len);

    forget(r);
    return rc;
}

int reread_take(struct reread *r, struct names_list *names, char **text, size_t *len)
{
    int rc = r->asked && !r->broken ? 1 : -EPIPE;

    while (rc == 1) {
        rc = receive(r);
        if (rc == 1 && r->got == sizeof(r->head) && !r->body)
            rc = make_room(r);
        if (rc == 1 && r->got >= sizeof(r->head) && complete(r))
            return finish(r, names, text, len);
    }
    if (rc < 0) {
        forget(r);
        r->broken = true; /* what comes next would be taken for something else */
    }
    return rc;
}
