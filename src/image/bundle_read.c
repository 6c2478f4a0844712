/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/bundle_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "image/flatten.h"
#include "image/tar.h"

#define BUNDLE_PREFIX    "nacre/"
#define BUNDLE_NAME_MAX  64u
#define BUNDLE_FILES_MAX 64u

static int read_layer(void *ctx, const uint8_t **ret, size_t *ret_size, struct error **err)
{
    return layer_stream_read(ctx, ret, ret_size, err);
}

/* The name below nacre/, NULL for what is elsewhere, "" for the directory itself. */
static const char *bundle_name(const char *path)
{
    while (path[0] == '.' && path[1] == '/') {
        path += 2;
    }
    while (*path == '/') {
        path++;
    }
    if (strcmp(path, "nacre") == 0) {
        return "";
    }
    return strncmp(path, BUNDLE_PREFIX, strlen(BUNDLE_PREFIX)) == 0 ? path + strlen(BUNDLE_PREFIX)
                                                                    : NULL;
}

static bool good_name(const char *name)
{
    const size_t size = strlen(name);

    return size > 0 && size <= BUNDLE_NAME_MAX && name[0] != '.' && strchr(name, '/') == NULL;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int copy_data(struct tar_reader *tar, int fd, const struct tar_entry *e, struct error **err)
{
    const uint8_t *data;
    uint64_t size;
    int r;

    while ((r = tar_data(tar, &data, &size, err)) > 0) {
        if (data == NULL) { /* a hole: the truncate below makes the last one */
            r = lseek(fd, (off_t)size, SEEK_CUR) < 0 ? -errno : 0;
        } else {
            r = write_all(fd, data, (size_t)size);
        }
        if (r < 0) {
            return error_set_errno(err, -r, "writing the bundle");
        }
    }
    if (r == 0 && ftruncate(fd, (off_t)e->size) != 0) {
        return error_set_errno(err, errno, "writing the bundle");
    }
    return r;
}

static int extract_entry(struct tar_reader *tar, int dirfd, const struct tar_entry *e,
                         struct error **err)
{
    const char *name = bundle_name(e->path);
    char text[2 * BUNDLE_NAME_MAX];
    int fd;
    int r;

    if (name == NULL || (e->type == '5' && strchr(name, '/') == NULL && name[0] != '.')) {
        return 0;
    }
    if (e->type != '0' || !good_name(name)) {
        return error_set(err, EBADMSG, "the image has an entry in /nacre that no bundle has: '%s'",
                         img_printable(name, text, sizeof(text)));
    }
    fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                (mode_t)(e->mode & 0755) | 0400);
    if (fd < 0) {
        return error_set_errno(err, errno, "writing '%s' of the bundle", name);
    }
    r = copy_data(tar, fd, e, err);
    if (close(fd) != 0 && r == 0) {
        r = error_set_errno(err, errno, "writing '%s' of the bundle", name);
    }
    return r < 0 ? r : 1;
}

static int extract_layer(const struct img_layer *layer, int dirfd,
                         const struct img_progress *progress, unsigned *ret_files,
                         struct error **err)
{
    struct img_budget budget = img_budget_make(0);
    _cleanup_layer_stream_ struct layer_stream *stream = NULL;
    _cleanup_tar_reader_ struct tar_reader *tar = NULL;
    struct tar_entry *e;
    int r = layer_stream_open(layer, &budget, progress, /*check_diff_id=*/true, &stream, err);

    *ret_files = 0;
    if (r == 0) {
        r = tar_reader_new(read_layer, stream, &tar, err);
    }
    if (r < 0) {
        return r;
    }
    while ((r = tar_next(tar, &e, err)) > 0) {
        r = extract_entry(tar, dirfd, e, err);
        if (r < 0) {
            return r;
        }
        *ret_files += (unsigned)r;
        if (*ret_files > BUNDLE_FILES_MAX) {
            return error_set(err, EBADMSG, "the image has too many files in /nacre for a bundle");
        }
    }
    return r < 0 ? r : layer_stream_finish(stream, err);
}

static int check_complete(int dirfd, struct error **err)
{
    static const char *const needed[] = {IMG_BUNDLE_LOADER, IMG_BUNDLE_ENCLAVE,
                                         IMG_BUNDLE_SIGSTRUCT, IMG_BUNDLE_MANIFEST};

    for (size_t i = 0; i < ARRAY_COUNT(needed); i++) {
        if (faccessat(dirfd, needed[i], R_OK, 0) != 0) {
            return error_set(err, ENOENT,
                             "the image has no /nacre/%s in its top layer: it was not made by "
                             "nacre convert, or something was put on top of it",
                             needed[i]);
        }
    }
    return 0;
}

int img_bundle_extract(const struct img_source *source, const char *dir,
                       const struct img_progress *progress, struct error **err)
{
    unsigned files;
    int dirfd;
    int r;

    if (source->layer_count == 0) {
        return error_set(err, ENOENT, "the image has no layers: it was not made by nacre convert");
    }
    dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0) {
        return error_set_errno(err, errno, "opening %s", dir);
    }
    r = extract_layer(&source->layers[source->layer_count - 1], dirfd, progress, &files, err);
    if (r == 0) {
        r = check_complete(dirfd, err);
    }
    (void)close(dirfd);
    return r;
}
