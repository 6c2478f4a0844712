/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/resolve.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "core/cursor.h"

#define NAME_MAX_BYTES  253u
#define LABEL_MAX       63u
#define SERVERS_MAX     3u
#define SEARCH_MAX      8u
#define FILE_MAX        ((size_t)1 << 20)
#define MESSAGE_MAX     65535u
#define UDP_MESSAGE_MAX 1232u
#define ATTEMPTS        2

#define TYPE_A    1u
#define TYPE_AAAA 28u
#define CLASS_IN  1u

const struct resolve_files resolve_system = {
    .hosts = "/etc/hosts",
    .resolv_conf = "/etc/resolv.conf",
    .dns_port = 53,
    .timeout_ms = 2000,
};

/* ---- text ---- */

static int parse_port(const char *s, uint16_t *ret)
{
    char *end;
    const unsigned long n = strtoul(s, &end, 10);

    if (!isdigit((unsigned char)*s) || *end != '\0' || n == 0 || n > UINT16_MAX) {
        return -EINVAL;
    }
    *ret = (uint16_t)n;
    return 0;
}

int resolve_split(const char *text, uint16_t default_port, char ret_host[static 256],
                  uint16_t *ret_port, struct error **err)
{
    const char *host = text;
    const char *colon = strrchr(text, ':');
    size_t len;

    *ret_port = default_port;
    if (*text == '[') {
        const char *end = strchr(text, ']');

        if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
            return error_set(err, EINVAL, "%s: use [ADDRESS]:PORT", text);
        }
        host = text + 1;
        len = (size_t)(end - host);
        colon = end[1] == ':' ? end + 1 : NULL;
    } else if (colon != NULL && strchr(text, ':') != colon) { /* two colons: IPv6 without port */
        len = strlen(text);
        colon = NULL;
    } else {
        len = colon != NULL ? (size_t)(colon - text) : strlen(text);
    }
    if (colon != NULL && parse_port(colon + 1, ret_port) < 0) {
        return error_set(err, EINVAL, "%s: the port is 1 to 65535", text);
    }
    if (len == 0 || len > NAME_MAX_BYTES + 1) {
        return error_set(err, EINVAL, "%s: there is no host name in it", text);
    }
    memcpy(ret_host, host, len);
    ret_host[len] = '\0';
    return 0;
}

static bool add_address(struct resolve_address *ret, size_t *count, int family, const void *bytes)
{
    struct resolve_address a = {};

    if (*count == RESOLVE_MAX) {
        return false;
    }
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&a.address;

        in->sin_family = AF_INET;
        memcpy(&in->sin_addr, bytes, sizeof(in->sin_addr));
        a.size = sizeof(*in);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.address;

        in6->sin6_family = AF_INET6;
        memcpy(&in6->sin6_addr, bytes, sizeof(in6->sin6_addr));
        a.size = sizeof(*in6);
    }
    for (size_t i = 0; i < *count; i++) {
        if (ret[i].size == a.size && memcmp(&ret[i].address, &a.address, a.size) == 0) {
            return true;
        }
    }
    ret[(*count)++] = a;
    return true;
}

static bool add_number(struct resolve_address *ret, size_t *count, const char *text)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1) {
        return add_address(ret, count, AF_INET, bytes);
    }
    return inet_pton(AF_INET6, text, bytes) == 1 && add_address(ret, count, AF_INET6, bytes);
}

void resolve_format(const struct resolve_address *a, char *dst, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";

    if (a->address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a->address;

        (void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        (void)snprintf(dst, size, "%s:%u", text, ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->address;

        (void)inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        (void)snprintf(dst, size, "[%s]:%u", text, ntohs(in6->sin6_port));
    }
}

/* ---- /etc/hosts ---- */

static void look_into_hosts(const char *path, const char *host, struct resolve_address *ret,
                            size_t *count)
{
    _cleanup_free_ uint8_t *data = NULL;
    char *line;
    char *rest;
    size_t size;

    if (fs_read_file(path, FILE_MAX, &data, &size, NULL) < 0) {
        return;
    }
    for (line = strtok_r((char *)data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *words;
        char *address;
        char *name;

        line[strcspn(line, "#")] = '\0';
        address = strtok_r(line, " \t\r", &words);
        while (address != NULL && (name = strtok_r(NULL, " \t\r", &words)) != NULL) {
            if (strcasecmp(name, host) == 0) {
                (void)add_number(ret, count, address);
                break;
            }
        }
    }
}

/* ---- /etc/resolv.conf ---- */

struct dns_config {
    struct resolve_address servers[RESOLVE_MAX];
    size_t server_count;
    char search[SEARCH_MAX][NAME_MAX_BYTES + 1];
    size_t search_count;
    unsigned ndots;
};

static void take_search(struct dns_config *c, char **words)
{
    char *word;

    c->search_count = 0; /* the last line counts */
    while (c->search_count < SEARCH_MAX && (word = strtok_r(NULL, " \t\r", words)) != NULL) {
        if (strlen(word) <= NAME_MAX_BYTES) {
            (void)snprintf(c->search[c->search_count++], NAME_MAX_BYTES + 1, "%s", word);
        }
    }
}

static void read_config(const char *path, struct dns_config *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    char *rest;
    size_t size;

    *ret = (struct dns_config){.ndots = 1};
    if (fs_read_file(path, FILE_MAX, &data, &size, NULL) == 0) {
        for (char *line = strtok_r((char *)data, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest)) {
            char *words;
            char *key = strtok_r(line, " \t\r", &words);
            char *word;

            if (key == NULL || *key == '#' || *key == ';') {
                continue;
            }
            if (strcmp(key, "nameserver") == 0 && ret->server_count < SERVERS_MAX &&
                (word = strtok_r(NULL, " \t\r", &words)) != NULL) {
                word[strcspn(word, "%")] =
                    '\0'; /* a zone: link-local servers are tried as they are */
                (void)add_number(ret->servers, &ret->server_count, word);
            } else if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0) {
                take_search(ret, &words);
            } else if (strcmp(key, "options") == 0) {
                while ((word = strtok_r(NULL, " \t\r", &words)) != NULL) {
                    if (strncmp(word, "ndots:", 6) == 0) {
                        ret->ndots = (unsigned)MIN(strtoul(word + 6, NULL, 10), 15ul);
                    }
                }
            }
        }
    }
    if (ret->server_count == 0) {
        (void)add_number(ret->servers, &ret->server_count, "127.0.0.1");
    }
}

/* ---- DNS messages (RFC 1035 section 4) ---- */

static int put_question(uint8_t *dst, size_t cap, uint16_t id, const char *name, uint16_t type,
                        size_t *ret_size)
{
    uint8_t *p = dst;
    const uint8_t head[12] = {
        (uint8_t)(id >> 8), (uint8_t)id, 0x01 /* recursion, please */, 0, 0, 1};

    if (cap < NAME_MAX_BYTES + 32 || strlen(name) > NAME_MAX_BYTES) {
        return -ENAMETOOLONG;
    }
    memcpy(p, head, sizeof(head));
    p += sizeof(head);
    for (const char *label = name; *label != '\0';) {
        const size_t len = strcspn(label, ".");

        if (len == 0 || len > LABEL_MAX) {
            return -EINVAL;
        }
        *p++ = (uint8_t)len;
        memcpy(p, label, len);
        p += len;
        label += len + (label[len] == '.');
    }
    *p++ = 0;
    *p++ = 0;
    *p++ = (uint8_t)type;
    *p++ = 0;
    *p++ = CLASS_IN;
    *ret_size = (size_t)(p - dst);
    return 0;
}

/* A name ends with an empty label or a pointer; where it points does not matter here. */
static int skip_name(struct cursor *c)
{
    uint8_t len;

    for (unsigned labels = 0; labels <= 128; labels++) {
        if (cursor_u8(c, &len) < 0) {
            return -EBADMSG;
        }
        if (len == 0) {
            return 0;
        }
        if ((len & 0xc0) == 0xc0) {
            return cursor_skip(c, 1);
        }
        if ((len & 0xc0) != 0 || cursor_skip(c, len) < 0) {
            return -EBADMSG;
        }
    }
    return -EBADMSG;
}

/* The question must come back as it was asked, but for the case of its letters. */
static int check_question(struct cursor *c, const char *name, uint16_t type)
{
    uint8_t want[NAME_MAX_BYTES + 64];
    const uint8_t *have;
    size_t size;

    if (put_question(want, sizeof(want), 0, name, type, &size) < 0 ||
        cursor_bytes(c, size - 12, &have) < 0) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < size - 12; i++) {
        if (tolower(have[i]) != tolower(want[12 + i])) {
            return -EBADMSG;
        }
    }
    return 0;
}

static int check_head(struct cursor *c, uint16_t id, uint16_t *ret_answers)
{
    uint16_t have;
    uint16_t flags;
    uint16_t questions;

    if (cursor_u16be(c, &have) < 0 || have != id || cursor_u16be(c, &flags) < 0 ||
        (flags & 0xf800) != 0x8000 || cursor_u16be(c, &questions) < 0 || questions != 1 ||
        cursor_u16be(c, ret_answers) < 0 || cursor_skip(c, 4) < 0) {
        return -EBADMSG;
    }
    if ((flags & 0x0200) != 0) {
        return -EMSGSIZE;
    }
    switch (flags & 0xf) {
    case 0: return 0;
    case 3: return -ENOENT;
    default: return -EREMOTEIO;
    }
}

int resolve_parse_answer(const uint8_t *data, size_t size, uint16_t id, const char *name,
                         uint16_t type, struct resolve_address ret[static RESOLVE_MAX], size_t have)
{
    struct cursor c = cursor_make(data, size);
    const size_t before = have;
    uint16_t answers;
    int r = check_head(&c, id, &answers);

    if (r == 0) {
        r = check_question(&c, name, type);
    }
    if (r < 0) {
        return r;
    }
    for (; answers > 0; answers--) {
        const uint8_t *bytes;
        uint16_t record;
        uint16_t class;
        uint16_t len;

        if (skip_name(&c) < 0 || cursor_u16be(&c, &record) < 0 || cursor_u16be(&c, &class) < 0 ||
            cursor_skip(&c, 4) < 0 || cursor_u16be(&c, &len) < 0 ||
            cursor_bytes(&c, len, &bytes) < 0) {
            return -EBADMSG;
        }
        if (class != CLASS_IN || record != type) {
            continue; /* CNAMEs lead to the addresses that follow */
        }
        if (len != (type == TYPE_A ? 4 : 16)) {
            return -EBADMSG;
        }
        (void)add_address(ret, &have, type == TYPE_A ? AF_INET : AF_INET6, bytes);
    }
    return (int)(have - before);
}

/* ---- asking ---- */

static int open_to(const struct resolve_files *files, const struct resolve_address *server,
                   int type)
{
    struct resolve_address to = *server;
    int fd = socket(to.address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -errno;
    }
    if (to.address.ss_family == AF_INET) {
        ((struct sockaddr_in *)&to.address)->sin_port = htons(files->dns_port);
    } else {
        ((struct sockaddr_in6 *)&to.address)->sin6_port = htons(files->dns_port);
    }
    if (connect(fd, (const struct sockaddr *)&to.address, to.size) < 0 && errno != EINPROGRESS) {
        const int r = -errno;

        (void)close(fd);
        return r;
    }
    return fd;
}

struct question {
    uint16_t id;
    uint16_t type;
    const char *name;
    uint8_t data[NAME_MAX_BYTES + 64];
    size_t size;
};

static int ask_udp(int fd, const struct question *q, int64_t until, struct resolve_address *ret,
                   size_t have)
{
    uint8_t answer[UDP_MESSAGE_MAX];

    if (send(fd, q->data, q->size, MSG_NOSIGNAL) < 0) {
        return -errno;
    }
    for (;;) {
        ssize_t n;
        int r = clock_wait_fd(fd, POLLIN, until);

        if (r < 0) {
            return r;
        }
        n = recv(fd, answer, sizeof(answer), 0);
        if (n < 0) {
            return -errno;
        }
        r = resolve_parse_answer(answer, (size_t)n, q->id, q->name, q->type, ret, have);
        if (r != -EBADMSG) { /* something else came: go on waiting for ours */
            return r;
        }
    }
}

static int transfer(int fd, bool out, uint8_t *data, size_t size, int64_t until)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n;
        int r = clock_wait_fd(fd, out ? POLLOUT : POLLIN, until);

        if (r < 0) {
            return r;
        }
        n = out ? send(fd, data + done, size - done, MSG_NOSIGNAL)
                : recv(fd, data + done, size - done, 0);
        if (n == 0) {
            return -ECONNRESET;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int ask_tcp(const struct resolve_files *files, const struct resolve_address *server,
                   const struct question *q, int64_t until, struct resolve_address *ret,
                   size_t have)
{
    _cleanup_free_ uint8_t *answer = malloc(MESSAGE_MAX);
    uint8_t message[sizeof(q->data) + 2] = {(uint8_t)(q->size >> 8), (uint8_t)q->size};
    uint8_t head[2];
    size_t size;
    int fd = answer == NULL ? -ENOMEM : open_to(files, server, SOCK_STREAM);
    int r;

    if (fd < 0) {
        return fd;
    }
    memcpy(message + 2, q->data, q->size);
    r = transfer(fd, true, message, q->size + 2, until);
    if (r == 0) {
        r = transfer(fd, false, head, sizeof(head), until);
    }
    size = (size_t)head[0] << 8 | head[1];
    if (r == 0) {
        r = transfer(fd, false, answer, size, until);
    }
    (void)close(fd);
    return r < 0 ? r : resolve_parse_answer(answer, size, q->id, q->name, q->type, ret, have);
}

static int ask(const struct resolve_files *files, const struct resolve_address *server,
               const char *name, uint16_t type, struct resolve_address *ret, size_t have)
{
    const int64_t until = clock_ms() + files->timeout_ms;
    struct question q = {.type = type, .name = name};
    int fd;
    int r;

    if (getrandom(&q.id, sizeof(q.id), 0) != (ssize_t)sizeof(q.id)) {
        return -EIO;
    }
    r = put_question(q.data, sizeof(q.data), q.id, name, type, &q.size);
    if (r < 0) {
        return -ENOENT; /* not a name DNS can have */
    }
    fd = open_to(files, server, SOCK_DGRAM);
    if (fd < 0) {
        return fd;
    }
    r = ask_udp(fd, &q, until, ret, have);
    (void)close(fd);
    return r == -EMSGSIZE ? ask_tcp(files, server, &q, until, ret, have) : r;
}

/* Both kinds of address of one full name, from the first server that knows. */
static int ask_name(const struct resolve_files *files, const struct dns_config *c, const char *name,
                    struct resolve_address *ret, size_t *count)
{
    int last = -ETIMEDOUT;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        for (size_t i = 0; i < c->server_count; i++) {
            int a = ask(files, &c->servers[i], name, TYPE_A, ret, *count);
            int aaaa;

            if (a < 0) {
                last = a;
                if (a == -ENOENT) {
                    return a;
                }
                continue;
            }
            *count += (size_t)a;
            aaaa = ask(files, &c->servers[i], name, TYPE_AAAA, ret, *count);
            *count += aaaa > 0 ? (size_t)aaaa : 0;
            return *count > 0 ? 0 : -ENOENT;
        }
    }
    return last;
}

static int ask_dns(const struct resolve_files *files, const char *host, struct resolve_address *ret,
                   size_t *count)
{
    struct dns_config c;
    char name[2 * NAME_MAX_BYTES + 2];
    size_t len = strlen(host);
    unsigned dots = 0;
    int r = -ENOENT;

    read_config(files->resolv_conf, &c);
    for (const char *p = host; *p != '\0'; p++) {
        dots += *p == '.';
    }
    if (host[len - 1] == '.') {
        (void)snprintf(name, sizeof(name), "%.*s", (int)len - 1, host);
        return ask_name(files, &c, name, ret, count);
    }
    if (dots >= c.ndots) {
        r = ask_name(files, &c, host, ret, count);
    }
    for (size_t i = 0; r == -ENOENT && i < c.search_count; i++) {
        (void)snprintf(name, sizeof(name), "%s.%s", host, c.search[i]);
        len = strlen(name);
        name[len - (name[len - 1] == '.')] = '\0';
        r = ask_name(files, &c, name, ret, count);
    }
    if (r == -ENOENT && dots < c.ndots) {
        r = ask_name(files, &c, host, ret, count);
    }
    return r;
}

int resolve_name(const struct resolve_files *files, const char *host, uint16_t port,
                 struct resolve_address ret[static RESOLVE_MAX], struct error **err)
{
    size_t count = 0;
    int r = 0;

    if (!add_number(ret, &count, host)) {
        look_into_hosts(files->hosts, host, ret, &count);
    }
    if (count == 0) {
        r = ask_dns(files, host, ret, &count);
    }
    if (r < 0) {
        return error_set(err, -r, "the name %s cannot be resolved: %s", host,
                         r == -ENOENT      ? "there is no such name"
                         : r == -ETIMEDOUT ? "no name server answered"
                         : r == -EREMOTEIO ? "the name server failed"
                                           : strerror(-r));
    }
    for (size_t i = 0; i < count; i++) {
        if (ret[i].address.ss_family == AF_INET) {
            ((struct sockaddr_in *)&ret[i].address)->sin_port = htons(port);
        } else {
            ((struct sockaddr_in6 *)&ret[i].address)->sin6_port = htons(port);
        }
    }
    return (int)count;
}
