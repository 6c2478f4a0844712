/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <libgen.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/alloc.h"

#define FS_READ_STEP ((size_t)64 * 1024)

/* A first buffer that holds all of a file of known size, and one byte to find its end. The pages of
 * a large one are had in one go: a fault each costs more than reading what goes there. */
static size_t first_capacity(int fd, size_t max)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
        (uint64_t)st.st_size > max || (uint64_t)st.st_size > SIZE_MAX / 2) {
        return FS_READ_STEP;
    }
    return MAX((size_t)st.st_size + 2, (size_t)64);
}

int fs_read_file(const char *path, size_t max, uint8_t **ret_data, size_t *ret_size,
                 struct error **err)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    _cleanup_close_ int own_fd = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    const int fd = is_stdin ? STDIN_FILENO : own_fd;
    _cleanup_free_ uint8_t *data = NULL;
    size_t cap = 0;
    size_t size = 0;

    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    for (;;) {
        ssize_t n;

        if (size + 1 >= cap) {
            size_t new_cap = cap == 0 ? first_capacity(fd, max) : cap * 2;
            uint8_t *grown = realloc(data, new_cap);

            if (grown == NULL) {
                return error_set_errno(err, ENOMEM, "reading %s", path);
            }
            data = grown;
            cap = new_cap;
        }
        n = read(fd, data + size, cap - size - 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return error_set_errno(err, errno, "cannot read %s", path);
        }
        if (n == 0) {
            break;
        }
        size += (size_t)n;
        if (size > max) {
            return error_set(err, EFBIG, "%s is larger than the %zu bytes allowed for it", path,
                             max);
        }
    }
    data[size] = '\0';
    *ret_data = TAKE_PTR(data);
    *ret_size = size;
    return 0;
}

int fs_map_file(const char *path, size_t max, struct fs_mapping *ret, struct error **err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    void *p;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        return error_set(err, EINVAL, "%s is %s", path,
                         S_ISREG(st.st_mode) ? "empty" : "not a regular file");
    }
    if ((uint64_t)st.st_size > max) {
        return error_set(err, EFBIG, "%s is larger than the %zu bytes allowed for it", path, max);
    }
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        return error_set_errno(err, errno, "cannot map %s", path);
    }
    *ret = (struct fs_mapping){.data = p, .size = (size_t)st.st_size};
    return 0;
}

void fs_unmap(struct fs_mapping *m)
{
    if (m->data != NULL) {
        (void)munmap((void *)(uintptr_t)m->data, m->size);
        *m = (struct fs_mapping){};
    }
}

static int write_all(int fd, const uint8_t *p, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static void sync_parent(const char *path)
{
    _cleanup_free_ char *copy = strdup(path);
    _cleanup_close_ int dir = -1;

    if (copy == NULL) {
        return;
    }
    dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
        (void)fsync(dir); /* some file systems refuse; the rename itself stands */
    }
}

/* Gives the finished temporary file its name. */
static int publish(const char *tmp, const char *path, bool replace)
{
    if (replace) {
        return rename(tmp, path) < 0 ? -errno : 0;
    }
    if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -errno;
    }
    /* A file system that cannot rename without replacing can usually link. */
    if (link(tmp, path) < 0) {
        return -errno;
    }
    (void)unlink(tmp);
    return 0;
}

/* A device or a pipe is written to: a file put in its place would take it from everybody, and root
 * may do that to /dev/null. 1 when path was such a thing. */
static int write_special(const char *path, const void *data, size_t size, struct error **err)
{
    _cleanup_close_ int fd = -1;
    struct stat st;
    int r;

    if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
        return 0;
    }
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    r = fd < 0 ? -errno : write_all(fd, data, size);
    return r < 0 ? error_set_errno(err, -r, "cannot write %s", path) : 1;
}

static int write_file(const char *path, const void *data, size_t size, unsigned mode, bool replace,
                      struct error **err)
{
    _cleanup_free_ char *tmp = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    if (strcmp(path, "-") == 0) {
        r = write_all(STDOUT_FILENO, data, size);
        return r < 0 ? error_set_errno(err, -r, "cannot write to standard output") : 0;
    }
    r = replace ? write_special(path, data, size, err) : 0;
    if (r != 0) {
        return r < 0 ? r : 0;
    }
    if (asprintf(&tmp, "%s.XXXXXX", path) < 0) {
        tmp = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", path);
    }
    fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot create a file beside %s", path);
    }
    r = fchmod(fd, (mode_t)mode) < 0 ? -errno : write_all(fd, data, size);
    if (r == 0 && fsync(fd) < 0) {
        r = -errno;
    }
    if (r == 0) {
        r = publish(tmp, path, replace);
    }
    if (r < 0) {
        (void)unlink(tmp);
        return error_set_errno(err, -r, "cannot write %s", path);
    }
    sync_parent(path);
    return 0;
}

int fs_write_file_atomic(const char *path, const void *data, size_t size, unsigned mode,
                         struct error **err)
{
    return write_file(path, data, size, mode, /*replace=*/true, err);
}

int fs_write_file_new(const char *path, const void *data, size_t size, unsigned mode,
                      struct error **err)
{
    return write_file(path, data, size, mode, /*replace=*/false, err);
}

int fs_remove_tree(const char *path)
{
    char *const roots[] = {(char *)(uintptr_t)path, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    const FTSENT *e;
    int r = 0;

    if (tree == NULL) {
        return -errno;
    }
    while ((e = fts_read(tree)) != NULL) {
        int failed = 0;

        if (e->fts_info == FTS_D) {
            /* Images have directories that not even their owner may write to. */
            (void)chmod(e->fts_path, 0700);
        } else if (e->fts_info == FTS_ERR || e->fts_info == FTS_NS) {
            failed = e->fts_errno;
        } else if (remove(e->fts_path) < 0) {
            failed = errno;
        }
        if (r == 0 && failed != 0 && failed != ENOENT) {
            r = -failed;
        }
    }
    (void)fts_close(tree);
    return r;
}
