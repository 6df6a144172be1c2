/* SPDX-License-Identifier: MIT */
/* Files and series of files; see savefile.h. What goes into them is savefile_format.c's. */
#include "client/cli/savefile.h"

#include "client/cli/savefile_format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define BUFFER    (256 * 1024)

static bool is_series(const struct savefile *s)
{
    return s->options.max_bytes || s->options.max_seconds;
}

static int digits(uint32_t n)
{
    int d = 1;

    while (n /= 10)
        d++;
    return d;
}

/* At `ns` since 1970, or now. */
static int name_it(struct savefile *s, uint64_t ns)
{
    const struct savefile_options *o = &s->options;
    time_t t = ns ? (time_t)(ns / SECOND_NS) : time(NULL);
    size_t room = sizeof(s->name);
    struct tm local;
    int n;

    if (is_series(s) && strchr(o->path, '%'))
        n = (int)strftime(s->name, room, o->path, localtime_r(&t, &local));
    else if (is_series(s) && o->files)
        n = snprintf(s->name, room, "%s%0*u", o->path, digits(o->files - 1), s->index % o->files);
    else if (s->index)
        n = snprintf(s->name, room, "%s%u", o->path, s->index);
    else
        n = snprintf(s->name, room, "%s", o->path);
    if (n > 0 && (size_t)n < room)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int open_next(struct savefile *s, uint64_t ns)
{
    int fd;

    if (name_it(s, ns) < 0)
        return -1;
    fd = strcmp(s->name, "-") != 0 ? open(s->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)
                                   : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    s->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!s->file) {
        int error = errno;

        if (fd >= 0)
            close(fd);
        errno = error;
        return -1;
    }
    setvbuf(s->file, NULL, _IOFBF, BUFFER);
    s->began_ns = 0;
    s->bytes = format_begin(s);
    return savefile_flush(s);
}

int savefile_open(struct savefile *s, const struct savefile_options *options)
{
    *s = (struct savefile){.options = *options};
    return open_next(s, 0);
}

static bool is_over(const struct savefile *s, const struct capture_record *r)
{
    const struct savefile_options *o = &s->options;

    if (!s->began_ns)
        return false;
    return (o->max_bytes && s->bytes + format_size(s, r->caplen) > o->max_bytes) ||
           (o->max_seconds && r->ns >= s->began_ns + o->max_seconds * SECOND_NS);
}

int savefile_write(struct savefile *s, const struct capture_record *r, const void *bytes)
{
    if (is_over(s, r)) {
        bool named_by_time = strchr(s->options.path, '%') != NULL;

        if (savefile_close(s) < 0)
            return -1;
        s->index++;
        if (named_by_time && s->options.files && s->index == s->options.files)
            return 1;
        if (open_next(s, r->ns) < 0)
            return -1;
    }
    if (!s->began_ns)
        s->began_ns = r->ns;
    s->bytes += format_packet(s, r, bytes);
    return ferror(s->file) ? -1 : 0;
}

int savefile_flush(struct savefile *s)
{
    return fflush(s->file) != 0 || ferror(s->file) ? -1 : 0;
}

int savefile_close(struct savefile *s)
{
    FILE *file = s->file;
    int r;

    if (!file)
        return 0;
    format_end(s);
    r = savefile_flush(s);
    s->file = NULL;
    return fclose(file) != 0 || r < 0 ? -1 : 0;
}
