/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Which interfaces there are: getifaddrs, if_nameindex, ioctl and raw netlink, as natively. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "app.h"

static int g_s;
static struct sockaddr_nl g_own;

static void addresses(void)
{
    struct ifaddrs *list = NULL;

    OK(getifaddrs(&list));
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        char text[INET6_ADDRSTRLEN] = "";
        const struct sockaddr_ll *ll = (void *)i->ifa_addr;

        if (i->ifa_addr == NULL) {
            continue;
        }
        if (i->ifa_addr->sa_family == AF_INET) {
            inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, text, sizeof(text));
        } else if (i->ifa_addr->sa_family == AF_INET6) {
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, text,
                      sizeof(text));
        } else if (i->ifa_addr->sa_family == AF_PACKET) {
            (void)snprintf(text, sizeof(text), "link %d, %d bytes", ll->sll_ifindex, ll->sll_halen);
        }
        printf("%s flags %x: %s, mask %d, data %d\n", i->ifa_name, i->ifa_flags, text,
               i->ifa_netmask != NULL, i->ifa_data != NULL);
    }
    freeifaddrs(list);
}

static void names(void)
{
    struct if_nameindex *list = if_nameindex();
    char name[IF_NAMESIZE];

    for (int i = 0; list != NULL && list[i].if_index != 0; i++) {
        printf("%u %s: %d %d\n", list[i].if_index, list[i].if_name,
               if_nametoindex(list[i].if_name) == list[i].if_index,
               if_indextoname(list[i].if_index, name) != NULL &&
                   strcmp(name, list[i].if_name) == 0);
    }
    if_freenameindex(list);
    printf("unknown name %u\n", if_nametoindex("nothing0"));
    printf("unknown index %d\n", if_indextoname(9999, name) == NULL ? errno : 0);
}

static void by_ioctl(int family)
{
    struct ifreq r = {.ifr_name = "lo"};
    struct ifreq all[32];
    struct ifconf c = {.ifc_len = sizeof(all), .ifc_req = all};
    int s = socket(family, SOCK_DGRAM, 0);

    SHOW(ioctl(s, SIOCGIFINDEX, &r));
    printf("index %d\n", r.ifr_ifindex);
    SHOW(ioctl(s, SIOCGIFFLAGS, &r));
    printf("loopback %d up %d\n", (r.ifr_flags & IFF_LOOPBACK) != 0, (r.ifr_flags & IFF_UP) != 0);
    SHOW(ioctl(s, SIOCGIFMTU, &r));
    printf("mtu %d\n", r.ifr_mtu);
    SHOW(ioctl(s, SIOCGIFHWADDR, &r));
    printf("hardware %d\n", r.ifr_hwaddr.sa_family);
    if (family == AF_INET) {
        SHOW(ioctl(s, SIOCGIFADDR, &r));
        printf("%s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
        SHOW(ioctl(s, SIOCGIFNETMASK, &r));
        printf("%s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
        SHOW(ioctl(s, SIOCGIFCONF, &c));
        for (int i = 0; i < c.ifc_len / (int)sizeof(all[0]); i++) {
            printf("%s %s\n", all[i].ifr_name,
                   inet_ntoa(((struct sockaddr_in *)&all[i].ifr_addr)->sin_addr));
        }
    }
    r = (struct ifreq){.ifr_name = "nothing0"};
    SHOW(ioctl(s, SIOCGIFINDEX, &r));
    SHOW(ioctl(s, SIOCGIFINDEX, NULL));
    close(s);
}

static int ask(int type, int flags, int index)
{
    struct {
        struct nlmsghdr h;
        struct ifinfomsg i;
    } q = {.h = {.nlmsg_len = sizeof(q),
                 .nlmsg_type = (unsigned short)type,
                 .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags),
                 .nlmsg_seq = 4711},
           .i.ifi_index = index};

    return (int)send(g_s, &q, sizeof(q), 0);
}

/* Reads until the end of an answer and tells its outline. */
static void answer(void)
{
    char buf[32768] __attribute__((aligned(8)));
    int links = 0;
    int last = 0;

    while (!last) {
        ssize_t n = recv(g_s, buf, sizeof(buf), MSG_DONTWAIT);

        if (n < 0) {
            printf("recv: %s\n", strerrorname_(errno));
            return;
        }
        for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_seq != 4711 || h->nlmsg_pid != g_own.nl_pid) {
                printf("not ours\n");
            }
            if (h->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *e = NLMSG_DATA(h);

                printf("error %d about type %d\n", e->error, e->msg.nlmsg_type);
                last = 1;
            } else if (h->nlmsg_type == NLMSG_DONE) {
                last = 1;
            } else {
                links += h->nlmsg_type == RTM_NEWLINK;
                last |= (h->nlmsg_flags & NLM_F_MULTI) == 0;
            }
        }
    }
    printf("links %d\n", links);
}

static void raw(void)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK};
    socklen_t size = sizeof(g_own);
    char c;

    SHOW((g_s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) >= 0);
    SHOW(bind(g_s, (struct sockaddr *)&a, sizeof(a)));
    SHOW(getsockname(g_s, (struct sockaddr *)&g_own, &size));
    printf("named %d, %u bytes\n", g_own.nl_pid != 0, size);
    SHOW(recv(g_s, &c, 1, MSG_DONTWAIT));
    SHOW(ask(RTM_GETLINK, NLM_F_DUMP, 0));
    answer();
    SHOW(ask(RTM_GETLINK, 0, 1));
    answer();
    SHOW(ask(RTM_GETLINK, 0, 99999));
    answer();
    SHOW(send(g_s, "short", 5, 0));
    a.nl_pid = 1;
    SHOW(bind(g_s, (struct sockaddr *)&a, 4));
    SHOW(listen(g_s, 1));
    SHOW(accept(g_s, NULL, NULL));
    SHOW(shutdown(g_s, SHUT_RD));
    SHOW(socket(AF_NETLINK, SOCK_STREAM, 0));
    close(g_s);
}

int main(void)
{
    addresses();
    names();
    by_ioctl(AF_INET);
    by_ioctl(AF_UNIX);
    raw();
    return 0;
}
