/* SPDX-License-Identifier: MIT */
/* The host's side of an interface: RTM_NEWLINK and RTM_NEWADDR by libmnl, each with its
 * acknowledgement awaited. */
#include "daemon/netdev/link.h"

#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINK_MESSAGE 512
/* IFLA_GSO_IPV4_MAX_SIZE: younger than the headers that we are built with. */
#define GSO_IPV4_MAX_SIZE 63

/* Send one request and wait for the kernel's answer. */
static int talk(struct mnl_socket *nl, struct nlmsghdr *request)
{
    char answer[8192];
    unsigned port = mnl_socket_get_portid(nl);
    static unsigned sequence;

    request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    request->nlmsg_seq = ++sequence;
    if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
        int rc = n < 0 ? -1 : mnl_cb_run(answer, (size_t)n, sequence, port, NULL, NULL);
        if (rc < 0)
            return -errno;
        if (rc == MNL_CB_STOP)
            return 0;
    }
}

static int set_link(struct mnl_socket *nl, unsigned index, uint32_t mtu)
{
    char buffer[LINK_MESSAGE];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    struct ifinfomsg *ifi;

    h->nlmsg_type = RTM_NEWLINK;
    ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
    ifi->ifi_family = AF_UNSPEC;
    ifi->ifi_index = (int)index;
    ifi->ifi_flags = ifi->ifi_change = IFF_UP;
    mnl_attr_put_u32(h, IFLA_MTU, mtu);
    mnl_attr_put_u32(h, IFLA_TXQLEN, LINK_TXQUEUELEN);
    return talk(nl, h);
}

static int set_address(struct mnl_socket *nl, unsigned index, const struct ip_prefix *p)
{
    char buffer[LINK_MESSAGE];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    bool v4 = ip_addr_is_v4(&p->addr);
    const void *bytes = v4 ? ip_addr_v4_bytes(&p->addr) : p->addr.b;
    size_t len = v4 ? 4 : 16;
    struct ifaddrmsg *ifa;

    h->nlmsg_type = RTM_NEWADDR;
    h->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
    ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
    ifa->ifa_family = v4 ? AF_INET : AF_INET6;
    ifa->ifa_prefixlen = (uint8_t)(v4 ? p->len - IP_V4_PREFIX_BASE : p->len);
    ifa->ifa_index = index;
    mnl_attr_put(h, IFA_LOCAL, len, bytes);
    mnl_attr_put(h, IFA_ADDRESS, len, bytes);
    return talk(nl, h);
}

static bool disable_ipv6(const char *name)
{
    char path[64 + IFNAMSIZ];
    bool done;
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    done = write(fd, "1", 1) == 1;
    close(fd);
    return done;
}

static int no_link_local(struct mnl_socket *nl, unsigned index)
{
    char buffer[LINK_MESSAGE];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    struct nlattr *families, *inet6;
    struct ifinfomsg *ifi;

    h->nlmsg_type = RTM_NEWLINK;
    ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
    ifi->ifi_family = AF_UNSPEC;
    ifi->ifi_index = (int)index;
    families = mnl_attr_nest_start(h, IFLA_AF_SPEC);
    inet6 = mnl_attr_nest_start(h, AF_INET6);
    mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(h, inet6);
    mnl_attr_nest_end(h, families);
    return talk(nl, h);
}

/* No router solicitations and link-local chatter from the host's side: best effort, the kernel may
 * have no IPv6. Where /proc/sys is read-only (a service's sandbox) it goes without an address
 * there. */
static void quiet_ipv6(struct mnl_socket *nl, unsigned index, const char *name)
{
    int rc = disable_ipv6(name) ? 0 : no_link_local(nl, index);

    if (rc < 0)
        log_debug("IPv6 stays on on %s: %s", name, strerror(-rc));
}

int link_set_up(const char *name, uint32_t mtu, const struct ip_prefix *address)
{
    unsigned index = if_nametoindex(name);
    struct mnl_socket *nl;
    int rc;

    if (!index)
        return -errno;
    nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
        rc = -errno;
        log_error("no rtnetlink socket: %s", strerror(-rc));
        if (nl)
            mnl_socket_close(nl);
        return rc;
    }
    if (!address || ip_addr_is_v4(&address->addr))
        quiet_ipv6(nl, index, name);
    rc = set_link(nl, index, mtu);
    if (rc < 0)
        log_error("cannot bring %s up (MTU %u): %s", name, mtu, strerror(-rc));
    if (rc == 0 && address) {
        rc = set_address(nl, index, address);
        if (rc < 0)
            log_error("cannot set the host's address on %s: %s", name, strerror(-rc));
    }
    mnl_socket_close(nl);
    return rc;
}

static int note_big_ipv4(const struct nlattr *a, void *known)
{
    if (mnl_attr_get_type(a) == GSO_IPV4_MAX_SIZE)
        *(int *)known = 1;
    return MNL_CB_OK;
}

static int link_described(const struct nlmsghdr *h, void *known)
{
    return mnl_attr_parse(h, sizeof(struct ifinfomsg), note_big_ipv4, known);
}

int link_knows_big_ipv4(const char *name)
{
    char buffer[LINK_MESSAGE], answer[16384];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    struct ifinfomsg *ifi;
    int known = 0, rc = 0;
    ssize_t n = 0;

    h->nlmsg_type = RTM_GETLINK;
    h->nlmsg_flags = NLM_F_REQUEST;
    ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
    ifi->ifi_index = (int)if_nametoindex(name);
    if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(nl, h, h->nlmsg_len) < 0 ||
        (n = mnl_socket_recvfrom(nl, answer, sizeof(answer))) < 0 ||
        mnl_cb_run(answer, (size_t)n, 0, 0, link_described, &known) < 0)
        rc = -errno;
    if (nl)
        mnl_socket_close(nl);
    return rc < 0 ? rc : known;
}

static bool same_address(const struct sockaddr *sa, const struct ip_addr *address)
{
    if (!sa)
        return false;
    if (sa->sa_family == AF_INET && ip_addr_is_v4(address)) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        return memcmp(&in.sin_addr, ip_addr_v4_bytes(address), 4) == 0;
    }
    if (sa->sa_family == AF_INET6 && !ip_addr_is_v4(address)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        return memcmp(&in6.sin6_addr, address->b, 16) == 0;
    }
    return false;
}

int link_has_address(const struct ip_addr *address, char name[IFNAMSIZ])
{
    struct ifaddrs *list;
    int found = 0;

    if (getifaddrs(&list) < 0)
        return -errno;
    for (struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
        if (same_address(i->ifa_addr, address)) {
            snprintf(name, IFNAMSIZ, "%s", i->ifa_name);
            found = 1;
        }
    }
    freeifaddrs(list);
    return found;
}
