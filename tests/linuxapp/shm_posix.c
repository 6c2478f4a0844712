/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* shm_open, sem_open and mq-less POSIX objects under /dev/shm, within one process. */
#include <semaphore.h>
#include <sys/mman.h>

#include "app.h"

int main(void)
{
    char name[32];
    char *a;
    int fd;
    sem_t *s;
    int value = -1;
    struct stat st;

    (void)snprintf(name, sizeof(name), "/nacre-shm-%d", getpid());
    fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    OK(fd);
    OK(shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600));
    SHOW(ftruncate(fd, 10000));
    SHOW(fstat(fd, &st));
    printf("size %ld mode %o\n", (long)st.st_size, st.st_mode & 0777);
    a = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memcpy(a + 5000, "shared", 7);
    OK(msync(a, 10000, MS_SYNC));
    char buf[8] = "";
    SHOW(pread(fd, buf, 6, 5000));
    puts(buf);
    SHOW(shm_unlink(name));
    SHOW(shm_unlink(name));
    puts(a + 5000);
    close(fd);
    munmap(a, 10000);

    (void)snprintf(name, sizeof(name), "/nacre-sem-%d", getpid());
    s = sem_open(name, O_CREAT | O_EXCL, 0600, 2);
    printf("semaphore %d\n", s != SEM_FAILED);
    if (s == SEM_FAILED) {
        return 1;
    }
    SHOW(sem_trywait(s));
    SHOW(sem_trywait(s));
    SHOW(sem_trywait(s));
    SHOW(sem_post(s));
    SHOW(sem_getvalue(s, &value));
    printf("value %d, opened again is the same %d\n", value, sem_open(name, 0) == s);
    SHOW(sem_unlink(name));
    printf("unlinked %d\n", sem_open(name, 0) == SEM_FAILED);
    SHOW(sem_close(s));
    return 0;
}
