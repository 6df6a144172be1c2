/* SPDX-License-Identifier: MIT */
/*
 * A TAP interface: /dev/net/tun, one read(2) or writev(2) per frame.
 * With offload (IFF_VNET_HDR), frames of up to 64 KiB travel both ways with partial checksums and a
 * GSO size in their virtio-net header (Virtual I/O Device 1.2 §5.1.6; the legacy header of ten
 * bytes, native byte order); without, plain frames and no such header (merge.c reads them), many by
 * one system call where there is io_uring (uring.c). The kernel checks what we write; what we read
 * is checked here: the header is from outside.
 */
#include "daemon/log.h"
#include "daemon/netdev/link.h"
#include "daemon/netdev/merge.h"
#include "daemon/netdev/netdev.h"
#include "daemon/netdev/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define TUN_DEVICE      "/dev/net/tun"
#define ETHERNET_HEADER 14
#define VLAN_TAG        4
/* A frame read by a ring is copied once more: of larger ones that costs more than a call. */
#define READ_MOST     6144
#define BUSY_TRIES    25
#define BUSY_PAUSE_NS 20000000

struct netdev {
    int fd;
    bool offload, big; /* … and frames above 64 KiB */
    char name[IFNAMSIZ];
    /* One piece: header and frame. Behind ten bytes of the one and fourteen of Ethernet's, IP's
     * header is aligned. */
    _Alignas(8) uint8_t buffer[sizeof(struct virtio_net_hdr) + NETDEV_FRAME_MAX];
    struct merge merge;  /* without offload */
    struct uring *uring; /* or NULL: one system call a frame */
};

/* --- open --------------------------------------------------------------------------------------
 */

static int open_tun(void)
{
    int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int error = errno;

    if (fd >= 0)
        return fd;
    if (error == ENOENT || error == ENXIO || error == ENODEV)
        log_error("no " TUN_DEVICE ": the kernel's TUN/TAP driver is missing (modprobe tun)");
    else
        log_error("cannot open " TUN_DEVICE ": %s", strerror(error));
    return -error;
}

/* A ring of a daemon that has just ended holds the interface a little longer: the kernel takes
 * rings down in the background, within some tens of milliseconds. */
static int take_interface(int fd, struct ifreq *ifr)
{
    const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
    int rc = ioctl(fd, TUNSETIFF, ifr);

    for (int i = 0; i < BUSY_TRIES && rc < 0 && errno == EBUSY; i++) {
        nanosleep(&pause, NULL);
        rc = ioctl(fd, TUNSETIFF, ifr);
    }
    return rc;
}

static int attach(int fd, const char *name, bool offload, bool multi_queue)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0)};
    int error;

    if (multi_queue)
        ifr.ifr_flags |= IFF_MULTI_QUEUE;
    strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
    if (take_interface(fd, &ifr) == 0)
        return 0;
    error = errno;
    if (error == EBUSY)
        log_error("TAP interface %s is in use by another program", name);
    else if (error == EPERM || error == EACCES)
        log_error("no permission to use TAP interface %s: CAP_NET_ADMIN is needed", name);
    else if (error == EINVAL)
        log_error("interface %s exists and is no TAP interface%s, or its name is not possible",
                  name, multi_queue ? " with several queues (ip tuntap add … multi_queue)" : "");
    else
        log_error("cannot use TAP interface %s: %s", name, strerror(error));
    return -error;
}

/* What the kernel may leave to us in frames that we read. */
static int set_offload(int fd, bool offload)
{
    unsigned long flags = offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
    int size = sizeof(struct virtio_net_hdr);

    if ((offload && ioctl(fd, TUNSETVNETHDRSZ, &size) < 0) || ioctl(fd, TUNSETOFFLOAD, flags) < 0) {
        int error = errno;
        log_error("cannot set the TAP interface's offload: %s", strerror(error));
        return -error;
    }
    return 0;
}

/* Where there is none, all goes on with a system call for each frame. */
static void open_uring(struct netdev *dev, const struct netdev_config *config)
{
    static bool said; /* the queues are opened one after the other */
    uint32_t most = ETHERNET_HEADER + VLAN_TAG + config->mtu;
    int rc;

    if (config->offload || !config->io_uring)
        return;
    rc = uring_open(dev->fd, most, &dev->uring);
    if (rc < 0 && !said)
        log_info("no io_uring, a system call for each frame: %s", strerror(-rc));
    said = said || rc < 0;
    if (most <= READ_MOST)
        dev->merge.uring = dev->uring;
}

static int tap_open(const struct netdev_config *config, struct netdev **out)
{
    struct netdev *dev = calloc(1, sizeof(*dev));
    int rc;

    if (!dev)
        return -ENOMEM;
    dev->offload = config->offload;
    strncpy(dev->name, config->name, sizeof(dev->name) - 1);
    rc = dev->fd = open_tun();
    if (rc >= 0)
        rc = attach(dev->fd, config->name, config->offload, config->multi_queue);
    if (rc >= 0)
        rc = set_offload(dev->fd, config->offload);
    if (rc >= 0) {
        open_uring(dev, config);
        *out = dev;
        return 0;
    }
    if (dev->fd >= 0)
        close(dev->fd);
    free(dev);
    return rc;
}

static int tap_set_up(struct netdev *dev, const struct netdev_config *config)
{
    dev->big = dev->offload && link_knows_big_ipv4(dev->name) == 1;
    return link_set_up(dev->name, config->mtu,
                       config->has_host_address ? &config->host_address : NULL);
}

static void tap_close(struct netdev *dev)
{
    if (!dev)
        return;
    uring_close(dev->uring);
    close(dev->fd);
    free(dev);
}

static int tap_fd(const struct netdev *dev)
{
    return dev->fd;
}

static uint32_t tap_features(const struct netdev *dev)
{
    if (!dev->offload)
        return 0;
    return STACK_TX_CSUM | STACK_TX_TSO4 | STACK_TX_TSO6 | (dev->big ? STACK_TX_BIG4 : 0);
}

/* --- read --------------------------------------------------------------------------------------
 */

static bool read_checksum(const struct virtio_net_hdr *h, struct frame *f)
{
    if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        if (h->csum_start < ETHERNET_HEADER ||
            (uint32_t)h->csum_start + h->csum_offset + 2 > f->len)
            return false;
        f->csum = FRAME_CSUM_PARTIAL;
        f->csum_start = h->csum_start;
        f->csum_offset = h->csum_offset;
    } else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
        f->csum = FRAME_CSUM_VALID;
    }
    return true;
}

static bool read_gso(const struct virtio_net_hdr *h, struct frame *f)
{
    switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        f->gso = FRAME_GSO_TCP4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        f->gso = FRAME_GSO_TCP6;
        break;
    default:
        return false;
    }
    f->gso_size = h->gso_size;
    f->ecn = h->gso_type & VIRTIO_NET_HDR_GSO_ECN;
    /* §5.1.6.4.1: segmentation goes with a partial checksum; hdr_len is a hint, but not beyond the
     * end. */
    return h->gso_size > 0 && f->csum == FRAME_CSUM_PARTIAL && h->hdr_len <= f->len;
}

static int tap_read(struct netdev *dev, struct frame *out)
{
    struct virtio_net_hdr h;
    ssize_t n;

    if (!dev->offload)
        return merge_read(&dev->merge, dev->fd, out);
    n = read(dev->fd, dev->buffer, sizeof(dev->buffer));
    if (n < 0) {
        if (errno == EBADFD || errno == ENODEV)
            return -ENODEV;
        return errno == EINTR ? -EAGAIN : -errno;
    }
    frame_init(out);
    if (n < (ssize_t)sizeof(h))
        return -EPROTO;
    memcpy(&h, dev->buffer, sizeof(h));
    out->data = dev->buffer + sizeof(h);
    out->len = (uint32_t)((size_t)n - sizeof(h));
    return read_checksum(&h, out) && read_gso(&h, out) ? 0 : -EPROTO;
}

/* --- write -------------------------------------------------------------------------------------
 */

static struct virtio_net_hdr write_header(const struct frame *f)
{
    struct virtio_net_hdr h = {0};

    if (f->csum == FRAME_CSUM_PARTIAL) {
        h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        h.csum_start = f->csum_start;
        h.csum_offset = f->csum_offset;
    }
    if (f->gso != FRAME_GSO_NONE) {
        h.gso_type = f->gso == FRAME_GSO_TCP4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        if (f->ecn)
            h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        h.gso_size = f->gso_size;
        h.hdr_len = (uint16_t)f->len;
    }
    return h;
}

/* What the core has made a private copy of is one run of bytes. */
static bool one_run(const struct frame *f)
{
    return f->n_spans == 0 || (f->n_spans == 1 && f->spans[0].iov_base == f->data + f->len);
}

static ssize_t write_plain(struct netdev *dev, const struct frame *f)
{
    struct iovec iov[1 + FRAME_SPANS] = {{f->data, f->len}};

    if (one_run(f))
        return write(dev->fd, f->data, frame_total(f));
    for (int i = 0; i < f->n_spans; i++)
        iov[1 + i] = f->spans[i];
    return writev(dev->fd, iov, 1 + f->n_spans);
}

static ssize_t write_offloaded(struct netdev *dev, const struct frame *f)
{
    struct virtio_net_hdr h = write_header(f);
    struct iovec iov[2 + FRAME_SPANS] = {{&h, sizeof(h)}, {f->data, f->len}};

    for (int i = 0; i < f->n_spans; i++)
        iov[2 + i] = f->spans[i];
    return writev(dev->fd, iov, 2 + f->n_spans);
}

/* What netdev_ops.write says for a negative errno value. */
static int write_error(int error)
{
    switch (error) {
    case -EAGAIN:
    case -EINTR:
        return -EAGAIN;
    case -ENOMEM:
    case -ENOBUFS:
        return -ENOBUFS;
    case -EBADFD:
    case -ENODEV:
        return -ENODEV;
    default: /* EIO: the interface is down */
        return error;
    }
}

static int tap_write(struct netdev *dev, const struct frame *f)
{
    ssize_t n;

    if (dev->uring && (f->more || uring_holds(dev->uring)))
        return uring_write(dev->uring, f);
    n = dev->offload ? write_offloaded(dev, f) : write_plain(dev, f);
    return n < 0 ? write_error(-errno) : 0;
}

static void tap_flush(struct netdev *dev, struct netdev_flushed *out)
{
    *out = (struct netdev_flushed){0};
    if (dev->uring)
        uring_flush(dev->uring, out);
    if (out->lost)
        out->why = write_error(out->why);
}

const struct netdev_ops tap_ops = {
    .kind = "tap",
    .open = tap_open,
    .set_up = tap_set_up,
    .close = tap_close,
    .fd = tap_fd,
    .features = tap_features,
    .read = tap_read,
    .write = tap_write,
    .flush = tap_flush,
};
