/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What nacre bench runs natively and in the enclave: an ordinary Linux program that repeats one
 * operation. usage: ops WORK MILLISECONDS [FILE]
 *
 * FILE, for works on files: one that is there, else the program writes one of its own. Works that
 * touch each byte for the first time know how often they can be done and do just that.
 *
 * It finds the count that fills the time, writes "ready\n" and waits for a byte, so that whoever
 * measures can look at its CPU clock; runs the batch; writes "done NANOSECONDS BATCH ALL\n", ALL
 * being every operation since the start; and waits for another byte. With 0 milliseconds it does
 * everything but the batch: what that costs is what starting costs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_SIZE     (1u << 20)
#define BLOCK         4096u
#define MAP_SIZE      (64u << 10)
#define CHUNK         (128u << 10)
#define RANDOM_MAX    16384u
#define COUNT_MAX     (UINT64_C(1) << 32)
#define FILE_TEMPLATE "/tmp/nacre-bench-ops-XXXXXX"

/* musl-gcc sees no headers of the kernel. */
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

struct work {
    const char *name;
    void (*setup)(void); /* may be NULL */
    void (*batch)(uint64_t count);
    uint64_t (*all)(void); /* how often it can be done, once; NULL: any number of times */
};

__attribute__((noreturn)) static void fail(const char *what)
{
    (void)fprintf(stderr, "ops: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0) {
        fail("clock_gettime");
    }
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- calls that need nothing ---- */

static void batch_getpid(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (syscall(SYS_getpid) <= 0) {
            fail("getpid");
        }
    }
}

static void batch_clock(uint64_t count)
{
    uint64_t last = 0;

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t now = now_ns();

        if (now < last) {
            errno = ERANGE;
            fail("the monotonic clock went back");
        }
        last = now;
    }
}

static void batch_mmap(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char *p = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED) {
            fail("mmap");
        }
        *(volatile char *)p = 1;
        if (munmap(p, MAP_SIZE) < 0) {
            fail("munmap");
        }
    }
}

/* ---- a file, given or written by the program itself ---- */

static char g_own[] = FILE_TEMPLATE;
static const char *g_given;
static const char *g_path = g_own;
static uint64_t g_blocks; /* of a file that was given */
static int g_fd;

static void remove_file(void)
{
    (void)unlink(g_own);
}

static void setup_given(void)
{
    struct stat st;

    g_path = g_given;
    g_fd = g_path == NULL ? -1 : open(g_path, O_RDONLY | O_CLOEXEC);
    if (g_fd < 0 || fstat(g_fd, &st) < 0) {
        fail("opening the file");
    }
    g_blocks = (uint64_t)st.st_size / BLOCK;
}

static void setup_file(void)
{
    static char block[BLOCK];

    if (g_given != NULL) {
        setup_given();
        return;
    }
    g_fd = mkstemp(g_own);
    if (g_fd < 0 || atexit(remove_file) != 0) {
        fail(g_own);
    }
    memset(block, 'x', sizeof(block));
    for (unsigned i = 0; i < FILE_SIZE / BLOCK; i++) {
        if (write(g_fd, block, BLOCK) != (ssize_t)BLOCK) {
            fail("write");
        }
    }
}

static void batch_pread(uint64_t count)
{
    static char block[BLOCK];

    for (uint64_t i = 0; i < count; i++) {
        const off_t at = (off_t)(i % (FILE_SIZE / BLOCK)) * (off_t)BLOCK;

        if (pread(g_fd, block, BLOCK, at) != (ssize_t)BLOCK) {
            fail("pread");
        }
    }
}

static void batch_open_close(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const int fd = open(g_path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || close(fd) < 0) {
            fail("open and close");
        }
    }
}

static void batch_stat(uint64_t count)
{
    struct stat st;

    for (uint64_t i = 0; i < count; i++) {
        if (stat(g_path, &st) < 0 || st.st_size < (off_t)FILE_SIZE) {
            fail("stat");
        }
    }
}

/* ---- all of a file ---- */

static char g_chunk[CHUNK];

static uint64_t all_first(void)
{
    return g_blocks * BLOCK / CHUNK;
}

static void batch_first(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (read(g_fd, g_chunk, CHUNK) != (ssize_t)CHUNK) {
            fail("read");
        }
    }
}

/* The second time: that is when the library OS begins to keep what streams by. */
static void setup_second(void)
{
    setup_given();
    batch_first(all_first());
    if (lseek(g_fd, 0, SEEK_SET) != 0) {
        fail("lseek");
    }
}

/* What was read before, and then once more, from the start again and again. */
static void setup_again(void)
{
    setup_second();
    batch_first(all_first());
}

static void batch_again(uint64_t count)
{
    const uint64_t chunks = all_first();

    for (uint64_t i = 0; i < count; i++) {
        if (pread(g_fd, g_chunk, CHUNK, (off_t)(i % chunks * CHUNK)) != (ssize_t)CHUNK) {
            fail("pread");
        }
    }
}

static uint64_t all_random(void)
{
    return g_blocks < RANDOM_MAX ? g_blocks : RANDOM_MAX;
}

/* Every block at most once, in an order nobody guesses: steps of a number that has no factor in
 * common with the count, about its golden section. */
static void batch_random(uint64_t count)
{
    uint64_t step = g_blocks * 618 / 1000 | 1;
    uint64_t at = 0;

    for (uint64_t a = step, b = g_blocks; b != 0 || a != 1;) {
        if (b == 0) { /* gcd above 1: another step */
            step += 2;
            a = step;
            b = g_blocks;
            continue;
        }
        const uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (pread(g_fd, g_chunk, BLOCK, (off_t)(at * BLOCK)) != (ssize_t)BLOCK) {
            fail("pread");
        }
        at = (at + step) % g_blocks;
    }
}

/* ---- events and sockets of one thread ---- */

static int g_pair[2];
static int g_epoll;

static void setup_epoll(void)
{
    struct epoll_event e = {.events = EPOLLIN};

    g_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (g_fd < 0 || g_epoll < 0 || epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_fd, &e) < 0) {
        fail("eventfd and epoll");
    }
}

static void batch_epoll(uint64_t count)
{
    struct epoll_event e;
    uint64_t value = 1;

    for (uint64_t i = 0; i < count; i++) {
        if (write(g_fd, &value, sizeof(value)) != (ssize_t)sizeof(value) ||
            epoll_wait(g_epoll, &e, 1, -1) != 1 ||
            read(g_fd, &value, sizeof(value)) != (ssize_t)sizeof(value) || value != 1) {
            fail("write, epoll_wait, read");
        }
    }
}

static void setup_socketpair(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, g_pair) < 0) {
        fail("socketpair");
    }
}

static void batch_socketpair(uint64_t count)
{
    char message[64] = "ping";

    for (uint64_t i = 0; i < count; i++) {
        if (write(g_pair[0], message, sizeof(message)) != (ssize_t)sizeof(message) ||
            read(g_pair[1], message, sizeof(message)) != (ssize_t)sizeof(message)) {
            fail("socketpair write and read");
        }
    }
}

/* ---- two threads ---- */

static void *echo(void *arg)
{
    char byte;

    while (read(g_pair[1], &byte, 1) == 1) {
        if (write(g_pair[1], &byte, 1) != 1) {
            fail("echo");
        }
    }
    return NULL;
}

static void start_thread(void *(*function)(void *))
{
    pthread_t thread;

    errno = pthread_create(&thread, NULL, function, NULL);
    if (errno != 0) {
        fail("pthread_create");
    }
}

static void setup_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const int one = 1;
    const int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l < 0 || g_pair[0] < 0 || bind(l, (struct sockaddr *)&address, size) < 0 ||
        listen(l, 1) < 0 || getsockname(l, (struct sockaddr *)&address, &size) < 0 ||
        connect(g_pair[0], (struct sockaddr *)&address, size) < 0) {
        fail("connecting over TCP");
    }
    g_pair[1] = accept(l, NULL, NULL);
    if (g_pair[1] < 0 || close(l) < 0 ||
        setsockopt(g_pair[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
        setsockopt(g_pair[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0) {
        fail("accepting over TCP");
    }
    start_thread(echo);
}

static void batch_round_trip(uint64_t count)
{
    char byte = 'x';

    for (uint64_t i = 0; i < count; i++) {
        if (write(g_pair[0], &byte, 1) != 1 || read(g_pair[0], &byte, 1) != 1) {
            fail("round trip");
        }
    }
}

/* Even: the main thread's turn. */
static _Atomic uint32_t g_turn;

static void wait_while(uint32_t value)
{
    while (atomic_load(&g_turn) == value) {
        if (syscall(SYS_futex, &g_turn, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0) < 0 &&
            errno != EAGAIN && errno != EINTR) {
            fail("futex wait");
        }
    }
}

static void pass_turn(void)
{
    atomic_fetch_add(&g_turn, 1);
    if (syscall(SYS_futex, &g_turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) < 0) {
        fail("futex wake");
    }
}

static void *futex_partner(void *arg)
{
    uint32_t turn = atomic_load(&g_turn);

    while (turn != UINT32_MAX) {
        if (turn % 2 == 0) {
            wait_while(turn);
        } else {
            pass_turn();
        }
        turn = atomic_load(&g_turn);
    }
    return NULL;
}

static void setup_futex(void)
{
    start_thread(futex_partner);
}

static void batch_futex(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const uint32_t turn = atomic_load(&g_turn);

        pass_turn();
        wait_while(turn + 1);
    }
}

static void *nothing(void *arg)
{
    return arg;
}

static void batch_thread(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        pthread_t thread;

        errno = pthread_create(&thread, NULL, nothing, NULL);
        if (errno != 0) {
            fail("pthread_create");
        }
        errno = pthread_join(thread, NULL);
        if (errno != 0) {
            fail("pthread_join");
        }
    }
}

/* Memory of the process that forks: written once, with nothing in it that could be left out. */
static void fill(size_t size)
{
    volatile uint64_t *p = malloc(size);

    if (p == NULL) {
        fail("memory");
    }
    for (size_t i = 0; i < size / sizeof(*p); i++) {
        p[i] = (i + 1) * 0x9e3779b97f4a7c15u;
    }
}

static void setup_fork_30m(void)
{
    fill((size_t)30 << 20);
}

static void setup_fork_1g(void)
{
    fill((size_t)1 << 30);
}

static void reap(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || status != 0) {
        fail("waiting for the child");
    }
}

static void batch_fork(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const pid_t pid = fork();

        if (pid == 0) {
            _exit(0);
        }
        if (pid < 0) {
            fail("fork");
        }
        reap(pid);
    }
}

static void batch_spawn(uint64_t count)
{
    static char name[] = "true";
    char *const args[] = {name, NULL};
    char *const env[] = {NULL};

    for (uint64_t i = 0; i < count; i++) {
        pid_t pid;

        errno = posix_spawn(&pid, "/bin/true", NULL, NULL, args, env);
        if (errno != 0) {
            fail("posix_spawn");
        }
        reap(pid);
    }
}

/* ---- two processes ---- */

#define PIPE_CHUNK ((size_t)64 << 10)
static char g_piece[PIPE_CHUNK];
static int g_there[2];
static int g_back[2];

/* Runs `body` in a child that ends with its parent (its pipe does). */
static void start_child(void (*body)(void))
{
    if (pipe2(g_there, O_CLOEXEC) < 0 || pipe2(g_back, O_CLOEXEC) < 0) {
        fail("pipe2");
    }
    switch (fork()) {
    case -1: fail("fork");
    case 0:
        (void)close(g_there[1]);
        (void)close(g_back[0]);
        body();
        _exit(0);
    default: break;
    }
    (void)close(g_there[0]);
    (void)close(g_back[1]);
}

static void write_for_ever(void)
{
    while (write(g_back[1], g_piece, sizeof(g_piece)) == (ssize_t)sizeof(g_piece)) {
    }
}

static void setup_pipe_bw(void)
{
    start_child(write_for_ever);
}

static void batch_pipe_bw(uint64_t count)
{
    for (uint64_t left = count * PIPE_CHUNK; left > 0;) {
        const ssize_t n = read(g_back[0], g_piece, left < PIPE_CHUNK ? (size_t)left : PIPE_CHUNK);

        if (n <= 0) {
            fail("read of the pipe");
        }
        left -= (uint64_t)n;
    }
}

static void answer_bytes(void)
{
    char byte;

    while (read(g_there[0], &byte, 1) == 1 && write(g_back[1], &byte, 1) == 1) {
    }
}

static void setup_pipe_pingpong(void)
{
    start_child(answer_bytes);
}

static void batch_pipe_pingpong(uint64_t count)
{
    char byte = 0;

    for (uint64_t i = 0; i < count; i++) {
        if (write(g_there[1], &byte, 1) != 1 || read(g_back[0], &byte, 1) != 1) {
            fail("a byte there and back");
        }
    }
}

/* A small file, by a process that is not the first. */
static void small_file(void)
{
    static const char name[] = "/tmp/nacre-bench-member-file";
    const int fd = open(name, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, g_piece, 100) != 100 || pread(fd, g_piece, 100, 0) != 100 ||
        close(fd) < 0 || unlink(name) < 0) {
        fail("a small file");
    }
}

static void make_files(void)
{
    uint64_t count;

    while (read(g_there[0], &count, sizeof(count)) == (ssize_t)sizeof(count)) {
        for (uint64_t i = 0; i < count; i++) {
            small_file();
        }
        if (write(g_back[1], &count, sizeof(count)) != (ssize_t)sizeof(count)) {
            return;
        }
    }
}

static void setup_child_file(void)
{
    start_child(make_files);
}

static void batch_child_file(uint64_t count)
{
    uint64_t back = 0;

    if (write(g_there[1], &count, sizeof(count)) != (ssize_t)sizeof(count) ||
        read(g_back[0], &back, sizeof(back)) != (ssize_t)sizeof(back) || back != count) {
        fail("files of the child");
    }
}

/* Each on a page of its own, so that a turn fetches what it changes and nothing else. */
static sem_t *g_turns[2];

static void setup_shared_pingpong(void)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;

    if (p == MAP_FAILED) {
        fail("shared memory");
    }
    g_turns[0] = (sem_t *)(void *)p;
    g_turns[1] = (sem_t *)(void *)(p + 4096);
    if (sem_init(g_turns[0], 1, 0) < 0 || sem_init(g_turns[1], 1, 0) < 0) {
        fail("semaphores");
    }
    pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            if (sem_wait(g_turns[0]) == 0) {
                (void)sem_post(g_turns[1]);
            }
        }
    }
}

static void batch_shared_pingpong(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (sem_post(g_turns[0]) < 0 || sem_wait(g_turns[1]) < 0) {
            fail("semaphores");
        }
    }
}

static const struct work works[] = {
    {"getpid", NULL, batch_getpid},
    {"clock", NULL, batch_clock},
    {"pread-4k", setup_file, batch_pread},
    {"open-close", setup_file, batch_open_close},
    {"stat", setup_file, batch_stat},
    {"first", setup_given, batch_first, all_first},
    {"first-random", setup_given, batch_random, all_random},
    {"second", setup_second, batch_first, all_first},
    {"read-again", setup_again, batch_again},
    {"mmap", NULL, batch_mmap},
    {"futex-pingpong", setup_futex, batch_futex},
    {"epoll", setup_epoll, batch_epoll},
    {"socketpair", setup_socketpair, batch_socketpair},
    {"socket-pingpong", setup_tcp, batch_round_trip},
    {"thread-create", NULL, batch_thread},
    {"fork-30m", setup_fork_30m, batch_fork},
    {"fork-1g", setup_fork_1g, batch_fork},
    {"spawn-true", NULL, batch_spawn},
    {"pipe-bw", setup_pipe_bw, batch_pipe_bw},
    {"pipe-pingpong", setup_pipe_pingpong, batch_pipe_pingpong},
    {"child-file", setup_child_file, batch_child_file},
    {"shared-pingpong", setup_shared_pingpong, batch_shared_pingpong},
};

static uint64_t time_batch(const struct work *w, uint64_t count, uint64_t *io_spent)
{
    const uint64_t start = now_ns();

    w->batch(count);
    *io_spent += count;
    return now_ns() - start;
}

/* A count that takes about `target` nanoseconds; *ret_spent gets the operations done to find it.
 * A batch that takes long is tried again: it may be the machine that was busy elsewhere. */
static uint64_t calibrate(const struct work *w, uint64_t target, uint64_t *ret_spent)
{
    *ret_spent = 0;
    for (uint64_t count = 1;; count *= 2) {
        uint64_t took = time_batch(w, count, ret_spent);

        if (took >= target / 8 && took < target) {
            const uint64_t again = time_batch(w, count, ret_spent);

            took = again < took ? again : took;
        }
        if (took >= target / 8 || count >= COUNT_MAX / 2) {
            count = took == 0 ? count : count * target / took;
            return count == 0 ? 1 : count;
        }
    }
}

/* Says `text` and waits for the answer. */
static void meet(const char *text)
{
    char byte;

    if (write(STDOUT_FILENO, text, strlen(text)) != (ssize_t)strlen(text)) {
        fail("writing to who measures");
    }
    if (read(STDIN_FILENO, &byte, 1) != 1) {
        fail("waiting for who measures");
    }
}

static int measure(const struct work *w, uint64_t target)
{
    uint64_t spent = 0;
    uint64_t count = 0;
    uint64_t start;
    char text[96];

    if (w->setup != NULL) {
        w->setup();
    }
    if (target != 0) {
        count = w->all != NULL ? w->all() : calibrate(w, target, &spent);
    }
    meet("ready\n");
    start = now_ns();
    w->batch(count);
    (void)snprintf(text, sizeof(text), "done %ju %ju %ju\n", (uintmax_t)(now_ns() - start),
                   (uintmax_t)count, (uintmax_t)(count + spent));
    meet(text);
    return 0;
}

int main(int argc, char **argv)
{
    g_given = argc == 4 ? argv[3] : NULL;
    for (size_t i = 0; (argc == 3 || argc == 4) && i < sizeof(works) / sizeof(works[0]); i++) {
        if (strcmp(argv[1], works[i].name) == 0) {
            return measure(&works[i], strtoull(argv[2], NULL, 10) * 1000000u);
        }
    }
    (void)fprintf(stderr, "usage: ops WORK MILLISECONDS [FILE]\n");
    return 2;
}
