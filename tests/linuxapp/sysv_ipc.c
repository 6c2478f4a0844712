/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* System V shared memory and semaphores, within one process and between several. */

#define PAGE 4096

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static key_t g_key;

static void check(const char *what, int ok)
{
    if (!ok) {
        printf("WRONG: %s (%s)\n", what, strerror(errno));
        fflush(stdout);
    }
}

static int is(long r, int error)
{
    return r == -1 && errno == error;
}

static int reap(pid_t pid)
{
    int status = 0;

    check("waitpid", waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static unsigned long attached(int id)
{
    struct shmid_ds ds;

    check("shmctl", shmctl(id, IPC_STAT, &ds) == 0);
    return ds.shm_nattch;
}

static void memory(void)
{
    const int id = shmget(g_key, 3 * PAGE + 10, IPC_CREAT | IPC_EXCL | 0640);
    struct shmid_ds ds;
    volatile char *p;
    volatile char *q;
    pid_t pid;

    check("shmget", id >= 0);
    check("again", shmget(g_key, 100, 0) == id);
    check("exclusive", is(shmget(g_key, 100, IPC_CREAT | IPC_EXCL), EEXIST));
    check("larger", is(shmget(g_key, 8 * PAGE, 0), EINVAL));
    check("another key", is(shmget(g_key + 1, 100, 0), ENOENT));
    check("nothing", is(shmget(IPC_PRIVATE, 0, 0600), EINVAL));
    check("no such", is((long)shmat(id + 100000, NULL, 0), EINVAL));
    check("odd address", is((long)shmat(id, (void *)0x10001, 0), EINVAL));
    p = shmat(id, NULL, 0);
    check("shmat", p != (void *)-1);
    p[0] = 'a';
    p[3 * PAGE + 9] = 'z';
    pid = fork();
    if (pid == 0) {
        check("inherited", p[0] == 'a');
        q = shmat(shmget(g_key, 0, 0), NULL, 0);
        q[1] = 'b';
        check("both", p[1] == 'b');
        check("shmdt", shmdt((void *)p) == 0 && shmdt((void *)q) == 0);
        check("not twice", is(shmdt((void *)q), EINVAL));
        _exit(0);
    }
    check("child", reap(pid) == 0);
    printf("shared: %c%c, attached %lu\n", p[0], p[1], attached(id));
    q = shmat(id, NULL, SHM_RDONLY);
    printf("to read: %c, attached %lu\n", q[1], attached(id));
    shmdt((void *)q);
    check("IPC_STAT", shmctl(id, IPC_STAT, &ds) == 0);
    printf("size %zu mode %o by me %d now %d\n", ds.shm_segsz, ds.shm_perm.mode,
           ds.shm_cpid == getpid(), (int)ds.shm_nattch);
    ds.shm_perm.mode = 0600;
    check("IPC_SET", shmctl(id, IPC_SET, &ds) == 0 && shmctl(id, IPC_STAT, &ds) == 0);
    printf("mode %o\n", ds.shm_perm.mode);
    check("IPC_RMID", shmctl(id, IPC_RMID, NULL) == 0);
    check("IPC_STAT", shmctl(id, IPC_STAT, &ds) == 0);
    printf("removed: %d, still %c\n", (ds.shm_perm.mode & SHM_DEST) != 0, p[3 * PAGE + 9]);
    check("its name is gone", is(shmget(g_key, 0, 0), ENOENT));
    check("shmdt", shmdt((void *)p) == 0);
    check("gone", is(shmctl(id, IPC_STAT, &ds), EINVAL));
}

/* A child that is killed detaches. */
static void left(void)
{
    const int id = shmget(IPC_PRIVATE, PAGE, 0600);
    volatile char *p = shmat(id, NULL, 0);
    pid_t pid = fork();

    if (pid == 0) {
        p[0] = 1;
        for (;;) {
            pause();
        }
    }
    while (p[0] == 0) {
        usleep(1000);
    }
    kill(pid, SIGKILL);
    check("killed", reap(pid) == 1000 + SIGKILL);
    for (int i = 0; i < 100 && attached(id) != 1; i++) {
        usleep(10000);
    }
    printf("left: %lu\n", attached(id));
    shmctl(id, IPC_RMID, NULL);
    shmdt((void *)p);
}

static int op(int id, int which, int by, int flags)
{
    struct sembuf b = {
        .sem_num = (unsigned short)which, .sem_op = (short)by, .sem_flg = (short)flags};

    return semop(id, &b, 1);
}

static void nothing(int signo)
{
    (void)signo;
}

static void semaphores(void)
{
    const int id = semget(g_key, 3, IPC_CREAT | IPC_EXCL | 0600);
    unsigned short values[3] = {1, 2, 3};
    struct sembuf two[2] = {{0, -1, 0}, {2, -4, IPC_NOWAIT}};
    const struct timespec soon = {.tv_nsec = 20000000};
    const struct itimerval timer = {.it_value = {.tv_usec = 20000}};
    struct sigaction sa = {.sa_handler = nothing};
    struct sembuf one = {1, -9, 0};
    struct semid_ds ds;
    pid_t pid;

    check("semget", id >= 0);
    check("exclusive", is(semget(g_key, 1, IPC_CREAT | IPC_EXCL), EEXIST));
    check("larger", is(semget(g_key, 4, 0), EINVAL));
    check("SETALL", semctl(id, 0, SETALL, (union semun){.array = values}) == 0);
    check("all or nothing", is(semop(id, two, 2), EAGAIN));
    memset(values, 0, sizeof(values));
    check("GETALL", semctl(id, 0, GETALL, (union semun){.array = values}) == 0);
    printf("values: %d %d %d\n", values[0], values[1], values[2]);
    check("too far", is(op(id, 3, 1, 0), EFBIG));
    check("too much", is(op(id, 0, 32767, 0), ERANGE));
    check("SETVAL", is(semctl(id, 0, SETVAL, (union semun){.val = 40000}), ERANGE));
    check("timed out", semtimedop(id, &one, 1, &soon) == -1 && errno == EAGAIN);
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    check("interrupted", is(semop(id, &one, 1), EINTR));
    pid = fork();
    if (pid == 0) {
        check("waits", op(id, 0, -3, 0) == 0);
        check("undone", op(id, 1, -2, SEM_UNDO) == 0);
        _exit(semctl(id, 1, GETVAL) + 5);
    }
    while (semctl(id, 0, GETNCNT) != 1) {
        usleep(1000);
    }
    printf("waiting: %d\n", semctl(id, 0, GETNCNT));
    check("up", op(id, 0, 2, 0) == 0);
    printf("child: %d\n", reap(pid));
    printf("after it: %d %d, by it %d\n", semctl(id, 0, GETVAL), semctl(id, 1, GETVAL),
           semctl(id, 0, GETPID) == pid);
    pid = fork();
    if (pid == 0) {
        _exit(op(id, 2, 0, 0) == 0 ? 0 : 1);
    }
    while (semctl(id, 2, GETZCNT) != 1) {
        usleep(1000);
    }
    check("to zero", op(id, 2, -3, 0) == 0);
    printf("zero: %d\n", reap(pid));
    pid = fork();
    if (pid == 0) {
        _exit(is(op(id, 0, -1, 0), EIDRM) ? 3 : 4);
    }
    while (semctl(id, 0, GETNCNT) != 1) {
        usleep(1000);
    }
    check("IPC_STAT", semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}) == 0);
    printf("nsems %lu\n", ds.sem_nsems);
    check("IPC_RMID", semctl(id, 0, IPC_RMID) == 0);
    printf("removed under it: %d\n", reap(pid));
    check("gone", is(semctl(id, 0, GETVAL), EINVAL));
}

/* A lock of semaphores around plain shared memory. */
static void both(void)
{
    const int sem = semget(IPC_PRIVATE, 1, 0600);
    const int shm = shmget(IPC_PRIVATE, PAGE, 0600);
    volatile long *p = shmat(shm, NULL, 0);
    pid_t kids[4];

    check("SETVAL", semctl(sem, 0, SETVAL, (union semun){.val = 1}) == 0);
    for (int i = 0; i < 4; i++) {
        kids[i] = fork();
        if (kids[i] == 0) {
            for (int k = 0; k < 50; k++) {
                check("lock", op(sem, 0, -1, SEM_UNDO) == 0);
                p[0]++;
                check("unlock", op(sem, 0, 1, SEM_UNDO) == 0);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        check("both", reap(kids[i]) == 0);
    }
    printf("both: %ld\n", p[0]);
    shmctl(shm, IPC_RMID, NULL);
    semctl(sem, 0, IPC_RMID);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    g_key = 0x6e000000 | (getpid() & 0xffff) << 4;
    memory();
    left();
    semaphores();
    both();
    return 0;
}
