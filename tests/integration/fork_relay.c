/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * A hostile host, preloaded into the loader: the stream between the enclaves of a fork goes through
 * a process that does to it what FORK_RELAY says. The first fork is attacked (with "replay" the
 * second), others are left alone.
 *
 *   flip:N  cut:N          the byte at offset N of parent -> child; everything from there on
 *   back-flip:N            child -> parent
 *   drop:K  repeat:K  swap:K   frame K after the handshake, left out, sent twice, after its
 * successor replay                 the second child is sent what the first one got garbage nobody
 * is there but the host, who says something
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HELLO      72u
#define REPORT     432u
#define FRAME_HEAD 24u
#define FRAME_MAX  (256u << 10)

static int g_forks;
static char g_mode[32];
static uint64_t g_number;
static const char *g_file;

static void all(int fd, const void *p, size_t size)
{
    const uint8_t *at = p;

    while (size > 0) {
        const ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

        if (n <= 0) {
            _exit(0);
        }
        at += n;
        size -= (size_t)n;
    }
}

static int exactly(int fd, void *p, size_t size)
{
    return recv(fd, p, size, MSG_WAITALL) == (ssize_t)size;
}

/* Everything goes both ways, with one byte of one direction changed, or the line cut there. */
static void relay_bytes(int parent, int child)
{
    static uint8_t buf[65536];
    struct pollfd fds[2] = {{parent, POLLIN, 0}, {child, POLLIN, 0}};
    uint64_t at[2] = {0, 0};
    const int direction = strcmp(g_mode, "back-flip") == 0;
    FILE *keep = strcmp(g_mode, "record") == 0 ? fopen(g_file, "w") : NULL;

    for (;;) {
        if (poll(fds, 2, -1) < 0) {
            _exit(0);
        }
        for (int i = 0; i < 2; i++) {
            ssize_t n;

            if (fds[i].revents == 0) {
                continue;
            }
            n = recv(fds[i].fd, buf, sizeof(buf), 0);
            if (n <= 0) {
                if (keep != NULL) {
                    fclose(keep);
                }
                _exit(0);
            }
            if (i == direction && g_number >= at[i] && g_number < at[i] + (uint64_t)n) {
                if (strstr(g_mode, "flip") != NULL) {
                    buf[g_number - at[i]] ^= 1;
                } else if (strcmp(g_mode, "cut") == 0) {
                    all(fds[!i].fd, buf, g_number - at[i]);
                    _exit(0);
                }
            }
            if (i == 0 && keep != NULL) {
                fwrite(buf, 1, (size_t)n, keep);
            }
            at[i] += (uint64_t)n;
            all(fds[!i].fd, buf, (size_t)n);
        }
    }
}

static void pass(int from, int to, size_t size)
{
    uint8_t buf[REPORT];

    if (!exactly(from, buf, size)) {
        _exit(0);
    }
    all(to, buf, size);
}

struct frame {
    uint64_t size;
    uint8_t rest[FRAME_MAX];
};

static int next_frame(int fd, struct frame *f)
{
    return exactly(fd, &f->size, 8) && f->size <= FRAME_MAX - FRAME_HEAD &&
           exactly(fd, f->rest, 16 + f->size);
}

static void send_frame(int fd, const struct frame *f)
{
    all(fd, f, 24 + f->size);
}

/* After an honest handshake, frames in another order or number than the parent sent them. */
static void relay_frames(int parent, int child)
{
    static struct frame a;
    static struct frame b;

    pass(child, parent, HELLO);
    pass(parent, child, HELLO);
    pass(parent, child, REPORT);
    pass(child, parent, REPORT);
    for (uint64_t i = 0;; i++) {
        if (!next_frame(parent, &a)) {
            _exit(0);
        }
        if (i != g_number) {
            send_frame(child, &a);
        } else if (strcmp(g_mode, "repeat") == 0) {
            send_frame(child, &a);
            send_frame(child, &a);
        } else if (strcmp(g_mode, "swap") == 0) {
            if (!next_frame(parent, &b)) {
                _exit(0);
            }
            send_frame(child, &b);
            send_frame(child, &a);
        }
    }
}

static void replay(int parent, int child)
{
    static uint8_t buf[65536];
    FILE *f = fopen(g_file, "r");
    size_t n;

    if (f == NULL || !exactly(child, buf, HELLO)) {
        _exit(1);
    }
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0) {
        all(child, buf, n);
    }
    (void)recv(child, buf, sizeof(buf), 0);
    _exit(0);
}

static void garbage(int parent)
{
    uint8_t buf[HELLO + REPORT];

    for (size_t i = 0; i < sizeof(buf); i++) {
        buf[i] = (uint8_t)(i * 37);
    }
    memcpy(buf, "fork\1\0\0\0", 8);
    all(parent, buf, HELLO);
    (void)exactly(parent, buf, HELLO + REPORT);
    memset(buf, 7, sizeof(buf));
    all(parent, buf, REPORT);
    (void)recv(parent, buf, sizeof(buf), 0);
    _exit(0);
}

static void relay(int parent, int child)
{
    if (strcmp(g_mode, "replay") == 0) {
        replay(parent, child);
    } else if (strcmp(g_mode, "garbage") == 0) {
        garbage(parent);
    } else if (strcmp(g_mode, "drop") == 0 || strcmp(g_mode, "repeat") == 0 ||
               strcmp(g_mode, "swap") == 0) {
        relay_frames(parent, child);
    }
    relay_bytes(parent, child);
}

static int choose_mode(void)
{
    const char *what = getenv("FORK_RELAY");
    const char *colon;

    g_file = getenv("FORK_RELAY_FILE");
    if (what == NULL) {
        return 0;
    }
    g_forks++;
    if (strcmp(what, "replay") == 0) {
        snprintf(g_mode, sizeof(g_mode), "%s", g_forks == 1 ? "record" : "replay");
        g_number = UINT64_MAX;
        return g_forks <= 2;
    }
    colon = strchr(what, ':');
    snprintf(g_mode, sizeof(g_mode), "%.*s", colon == NULL ? 31 : (int)(colon - what), what);
    g_number = colon == NULL ? UINT64_MAX : strtoull(colon + 1, NULL, 10);
    return g_forks == 1;
}

int socketpair(int family, int type, int protocol, int sv[2])
{
    int (*real)(int, int, int, int[2]) =
        (int (*)(int, int, int, int[2]))dlsym(RTLD_NEXT, "socketpair");
    int p[2];
    int c[2];

    if (!choose_mode()) {
        return real(family, type, protocol, sv);
    }
    if (real(family, type, protocol, p) < 0 || real(family, type, protocol, c) < 0) {
        return -1;
    }
    if (syscall(SYS_fork) == 0) {
        close(p[0]);
        close(c[0]);
        for (int fd = 3; fd < 256; fd++) {
            if (fd != p[1] && fd != c[1]) {
                close(fd);
            }
        }
        relay(p[1], c[1]);
    }
    close(p[1]);
    close(c[1]);
    sv[0] = p[0];
    sv[1] = c[0];
    return 0;
}
