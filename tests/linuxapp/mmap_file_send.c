/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Large pieces of mapped files that nobody has touched, written to a socket and to a file: the
 * pages are read while the data is on its way out. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "app.h"

static int listen_any(struct sockaddr_in *ret)
{
    socklen_t size = sizeof(*ret);
    const int s = socket(AF_INET, SOCK_STREAM, 0);

    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(s, (struct sockaddr *)ret, sizeof(*ret)) < 0 || listen(s, 4) < 0 ||
        getsockname(s, (struct sockaddr *)ret, &size) < 0) {
        perror("listen");
        exit(97);
    }
    return s;
}

static uint64_t sum_of(const unsigned char *p, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum = sum * 31 + p[i];
    }
    return sum;
}

/* A large file everybody has, of the directory programs come from. */
static int open_large(size_t *ret_size)
{
    struct stat st;
    const int fd = open("/usr/bin/python3", O_RDONLY);

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (1 << 20)) {
        perror("python3");
        exit(96);
    }
    *ret_size = (size_t)st.st_size;
    return fd;
}

static void *map(int flags, size_t *ret_size)
{
    const int fd = open_large(ret_size);
    void *p = mmap(NULL, *ret_size, PROT_READ, flags, fd, 0);

    close(fd);
    return p;
}

static void reader(const struct sockaddr_in *to, size_t size)
{
    unsigned char *all = malloc(size + 1);
    size_t have = 0;
    ssize_t n;
    const int s = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(s, (const struct sockaddr *)to, sizeof(*to)) < 0) {
        _exit(95);
    }
    while ((n = read(s, all + have, size + 1 - have)) > 0) {
        have += (size_t)n;
    }
    size_t file_size;
    const unsigned char *same = map(MAP_PRIVATE, &file_size);

    _exit(have == size && all[0] == 'h' && sum_of(all + 1, size - 1) == sum_of(same, size - 1) ? 0
                                                                                               : 1);
}

int main(void)
{
    static const int flags[] = {MAP_SHARED, MAP_PRIVATE};
    struct sockaddr_in addr;
    const int l = listen_any(&addr);
    int st;

    for (int i = 0; i < 2; i++) {
        size_t size;
        char *p = map(flags[i], &size);
        struct iovec v[2] = {{.iov_base = "h", .iov_len = 1}, {.iov_base = p, .iov_len = size}};
        const pid_t pid = fork();

        if (pid == 0) {
            reader(&addr, size + 1);
        }
        const int s = accept(l, NULL, NULL);

        while (v[1].iov_len > 0) {
            ssize_t n = writev(s, v, 2);

            if (n < 0) {
                perror("writev");
                break;
            }
            n -= (ssize_t)v[0].iov_len;
            v[0].iov_len = 0;
            v[1].iov_base = (char *)v[1].iov_base + n;
            v[1].iov_len -= (size_t)n;
        }
        close(s);
        waitpid(pid, &st, 0);
        printf("sent, the reader says %d\n", WEXITSTATUS(st));
        munmap(p, size);
    }
    return 0;
}
