/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* /proc/self/task and the names of threads. */
#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "app.h"

static int g_tid[3];
static int g_stop;

static int tasks(void)
{
    DIR *d = opendir("/proc/self/task");
    struct dirent *e;
    int n = 0;

    while ((e = readdir(d)) != NULL) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

static void *thread(void *arg)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "worker-%ld", (long)arg);
    prctl(PR_SET_NAME, name);
    g_tid[(long)arg] = (int)syscall(SYS_gettid);
    while (!__atomic_load_n(&g_stop, __ATOMIC_SEQ_CST)) {
        usleep(1000);
    }
    return NULL;
}

static void comm(const char *path)
{
    char buf[32] = "";
    int fd = open(path, O_RDONLY);

    SHOW(read(fd, buf, sizeof(buf) - 1) > 0);
    printf("%s", buf);
    close(fd);
}

int main(void)
{
    pthread_t t[3];
    char path[64];
    char name[16];
    int fd;

    printf("tasks %d\n", tasks());
    for (long i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, thread, (void *)i);
    }
    while (__atomic_load_n(&g_tid[0], __ATOMIC_SEQ_CST) == 0 ||
           __atomic_load_n(&g_tid[1], __ATOMIC_SEQ_CST) == 0 ||
           __atomic_load_n(&g_tid[2], __ATOMIC_SEQ_CST) == 0) {
        usleep(1000);
    }
    printf("tasks %d\n", tasks());
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", g_tid[i]);
        comm(path);
    }
    fd = open(path, O_WRONLY);
    SHOW(write(fd, "a-name-that-is-too-long", 23));
    close(fd);
    comm(path);
    SHOW(pthread_getname_np(t[2], name, sizeof(name)));
    puts(name);
    SHOW(pthread_setname_np(t[1], "set by main"));
    SHOW(pthread_getname_np(t[1], name, sizeof(name)));
    puts(name);
    SHOW(pthread_setname_np(t[1], "0123456789abcdef"));
    comm("/proc/self/comm");
    comm("/proc/thread-self/comm");
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/status", g_tid[0]);
    OK(open(path, O_RDONLY));
    __atomic_store_n(&g_stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    for (int i = 0; i < 1000 && tasks() != 1; i++) {
        usleep(1000);
    }
    printf("tasks %d\n", tasks());
    SHOW(open(path, O_RDONLY));
    return 0;
}
