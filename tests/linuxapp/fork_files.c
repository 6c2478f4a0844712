/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Files of several processes: what one writes the others read, positions, append, names, locks. */

#include <sys/file.h>

#include "app.h"

static char g_text[4096];

static void put(const char *name, const char *text)
{
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

    (void)!write(fd, text, strlen(text));
    (void)close(fd);
}

static void show(const char *name)
{
    int fd = open(name, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, g_text, sizeof(g_text) - 1);

    if (n < 0) {
        printf("%s: errno %d\n", name, errno);
    } else {
        g_text[n] = '\0';
        printf("%s: %s\n", name, g_text);
    }
    (void)fflush(stdout);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void written_by_child(void)
{
    struct stat st;
    pid_t pid = start();

    if (pid == 0) {
        put("child", "hello from the child");
        (void)mkdir("dir", 0755);
        (void)rename("child", "dir/moved");
        (void)symlink("dir/moved", "link");
        (void)link("dir/moved", "hard");
        (void)chmod("hard", 0640);
        _exit(0);
    }
    reap(pid);
    show("child");
    show("link");
    show("hard");
    SHOW(stat("hard", &st));
    printf("mode %o links %lu size %ld\n", st.st_mode, (unsigned long)st.st_nlink,
           (long)st.st_size);
    SHOW(rmdir("dir"));
    pid = start();
    if (pid == 0) {
        show("hard");
        put("hard", "changed");
        show("dir/moved");
        (void)unlink("link");
        _exit(0);
    }
    reap(pid);
    show("dir/moved");
    show("link");
}

static void append(void)
{
    pid_t pids[8];
    size_t lines = 0;
    int bad = 0;
    FILE *f;
    char line[64];

    for (int w = 0; w < 8; w++) {
        pids[w] = start();
        if (pids[w] == 0) {
            int fd = open("log", O_CREAT | O_WRONLY | O_APPEND, 0644);

            for (int i = 0; i < 25; i++) {
                int n = snprintf(line, sizeof(line), "writer %d line %02d\n", w, i);

                if (write(fd, line, (size_t)n) != n) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    for (int w = 0; w < 8; w++) {
        reap(pids[w]);
    }
    f = fopen("log", "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        int w;
        int i;

        lines++;
        bad += sscanf(line, "writer %d line %d\n", &w, &i) != 2 || strlen(line) != 17;
    }
    printf("append: %zu lines, %d bad\n", lines, bad);
}

static void position(void)
{
    char buf[8] = {0};

    put("letters", "abcdefghij");
    int fd = open("letters", O_RDWR);

    SHOW(read(fd, buf, 2));
    pid_t pid = start();

    if (pid == 0) {
        SHOW(read(fd, buf, 3));
        printf("child read %.3s\n", buf);
        (void)fflush(stdout);
        _exit(0);
    }
    reap(pid);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(read(fd, buf, 2));
    printf("parent read %.2s\n", buf);
    pid = start();
    if (pid == 0) {
        (void)lseek(fd, 1, SEEK_SET);
        (void)!write(fd, "XY", 2);
        _exit(0);
    }
    reap(pid);
    SHOW(lseek(fd, 0, SEEK_CUR));
    show("letters");
    (void)close(fd);
}

static void unlinked(void)
{
    int go[2];
    char c;

    put("gone", "still there");
    (void)pipe(go);
    int fd = open("gone", O_RDONLY);
    pid_t pid = start();

    if (pid == 0) {
        (void)close(go[1]);
        (void)!read(go[0], &c, 1);
        ssize_t n = pread(fd, g_text, 100, 0);

        printf("child reads %.*s\n", (int)n, g_text);
        show("gone");
        _exit(0);
    }
    (void)close(go[0]);
    SHOW(unlink("gone"));
    (void)close(fd);
    put("gone", "a new one");
    (void)!write(go[1], "x", 1);
    reap(pid);
    (void)close(go[1]);
}

static void locks(void)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    int up[2];
    int down[2];
    char c;

    put("locked", "0123456789");
    (void)pipe(up);
    (void)pipe(down);
    int fd = open("locked", O_RDWR);

    SHOW(fcntl(fd, F_SETLK, &l));
    pid_t pid = start();

    if (pid == 0) {
        int own = open("locked", O_RDWR);

        l = (struct flock){.l_type = F_WRLCK, .l_len = 1};
        SHOW(fcntl(own, F_SETLK, &l));
        SHOW(fcntl(own, F_GETLK, &l));
        printf("in the way: type %d len %ld, the parent's: %d\n", l.l_type, (long)l.l_len,
               l.l_pid == getppid());
        l = (struct flock){.l_type = F_WRLCK, .l_start = 20, .l_len = 5};
        SHOW(fcntl(own, F_SETLK, &l));
        SHOW(flock(own, LOCK_EX | LOCK_NB));
        (void)fflush(stdout);
        (void)!write(up[1], "x", 1);
        l = (struct flock){.l_type = F_RDLCK, .l_len = 1};
        SHOW(fcntl(own, F_SETLKW, &l));
        (void)fflush(stdout);
        (void)!write(up[1], "x", 1);
        (void)!read(down[0], &c, 1);
        _exit(0);
    }
    (void)!read(up[0], &c, 1);
    l = (struct flock){.l_type = F_RDLCK, .l_start = 22, .l_len = 1};
    SHOW(fcntl(fd, F_SETLK, &l));
    int other = open("locked", O_RDWR);

    SHOW(flock(other, LOCK_SH | LOCK_NB));
    (void)usleep(20000);
    l = (struct flock){.l_type = F_UNLCK, .l_len = 10};
    SHOW(fcntl(fd, F_SETLK, &l));
    (void)!read(up[0], &c, 1);
    (void)fflush(stdout);
    (void)!write(down[1], "x", 1);
    reap(pid);
    SHOW(flock(other, LOCK_EX | LOCK_NB));
    l = (struct flock){.l_type = F_WRLCK};
    SHOW(fcntl(fd, F_SETLK, &l));
    (void)close(fd);
    (void)close(other);
}

/* A child of a child writes, the grandparent reads. */
static void generations(void)
{
    pid_t pid = start();

    if (pid == 0) {
        int fd = open("tree", O_CREAT | O_WRONLY, 0644);

        (void)!write(fd, "child ", 6);
        pid_t grand = start();

        if (grand == 0) {
            (void)!write(fd, "grandchild ", 11);
            put("below", "made two levels down");
            _exit(7);
        }
        reap(grand);
        (void)!write(fd, "child again", 11);
        show("below");
        _exit(0);
    }
    reap(pid);
    show("tree");
    show("below");
}

int main(void)
{
    scratch();
    written_by_child();
    append();
    position();
    unlinked();
    locks();
    generations();
    return 0;
}
