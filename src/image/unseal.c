/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/unseal.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "image/flatten.h"
#include "image/out_file.h"

#define COPY_SIZE (256u * 1024)

static int get_block(void *ctx, uint64_t block, const uint8_t **ret)
{
    return sealed_file_get(ctx, block, ret);
}

/* sealed_file keeps a block until its slot is needed again, and the reader holds one at a time. */
static const struct erofs_io sealed_io = {.get = get_block};

/* A block fault has its own message; anything else is a contradiction inside the file system. */
static int fs_error(const struct sealed_file *f, int code, const char *what, struct error **err)
{
    char text[300];

    if (code == -EBADMSG || code == -EIO) {
        return sealed_file_error(f, code, err);
    }
    return error_set_errno(err, -code, "the file system inside the seal, at '%s'",
                           img_printable(what, text, sizeof(text)));
}

int sealed_file_erofs(struct sealed_file *f, struct erofs *fs, struct error **err)
{
    int r = erofs_open(fs, &sealed_io, f, sealed_file_block_count(f));

    return r < 0 ? fs_error(f, r, "superblock", err) : 0;
}

/* Walks a directory tree depth first. */
struct visitor {
    struct sealed_file *f;
    struct erofs fs;
    uint64_t entries;
    int (*enter)(struct visitor *v, void *parent, const struct erofs_entry *e,
                 const struct erofs_inode *in, void **ret_child, struct error **err);
    int (*leave)(struct visitor *v, void *child, const struct erofs_inode *in, struct error **err);
    void (*drop)(void *child); /* releases what enter gave; may be NULL */
};

static bool is_dots(const struct erofs_entry *e)
{
    return strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0;
}

/* Recursion is bounded by IMG_UNPACK_DEPTH_MAX. */
static int visit(struct visitor *v, const struct erofs_inode *dir, void *handle, unsigned depth,
                 struct error **err)
{
    struct erofs_entry e;
    uint64_t pos = 0;
    int r;

    if (depth > IMG_UNPACK_DEPTH_MAX) {
        return error_set(err, EUCLEAN, "directories lie deeper than %u", IMG_UNPACK_DEPTH_MAX);
    }
    while ((r = erofs_readdir(&v->fs, dir, &pos, &e)) > 0) {
        struct erofs_inode in;
        void *child = NULL;

        if (is_dots(&e)) {
            continue;
        }
        if (++v->entries > 2ull * IMG_ENTRIES_MAX) {
            return error_set(err, EUCLEAN, "the image holds more than %u names",
                             2 * IMG_ENTRIES_MAX);
        }
        r = erofs_inode_read(&v->fs, e.nid, &in);
        if (r < 0) {
            return fs_error(v->f, r, e.name, err);
        }
        r = v->enter(v, handle, &e, &in, &child, err);
        if (r == 0 && S_ISDIR(in.mode)) {
            r = visit(v, &in, child, depth + 1, err);
            if (r == 0 && v->leave != NULL) {
                r = v->leave(v, child, &in, err);
            }
        }
        if (v->drop != NULL) {
            v->drop(child);
        }
        if (r < 0) {
            return r;
        }
    }
    return r < 0 ? fs_error(v->f, r, "a directory", err) : 0;
}

struct verify {
    struct visitor v;
    struct img_verify_result res;
};

static int verify_entry(struct visitor *v, void *parent, const struct erofs_entry *e,
                        const struct erofs_inode *in, void **ret_child, struct error **err)
{
    struct verify *w = container_of(v, struct verify, v);
    struct erofs_extent x = {.length = 1};
    struct erofs_xattr attribute;
    uint64_t pos = 0;
    int r;

    while ((r = erofs_xattr_next(&v->fs, in, &pos, &attribute)) > 0) {
    }
    for (uint64_t at = 0; r == 0 && x.length > 0; at += x.length) {
        r = erofs_map(&v->fs, in, at, &x);
    }
    if (r < 0) {
        return fs_error(v->f, r, e->name, err);
    }
    w->res.file_bytes += S_ISREG(in->mode) ? in->size : 0;
    return 0;
}

int img_verify(struct sealed_file *f, bool with_key, struct img_verify_result *ret,
               struct error **err)
{
    struct verify w = {.v = {.f = f, .enter = verify_entry}};
    uint8_t block[SEALED_BLOCK_SIZE];
    struct erofs_inode root;
    int r = sealed_file_verify_tree(f);

    for (uint64_t i = 0; r == 0 && with_key && i < sealed_file_block_count(f); i++) {
        r = sealed_file_read_block(f, i, block);
    }
    if (r < 0) {
        return sealed_file_error(f, r, err);
    }
    if (with_key) {
        r = sealed_file_erofs(f, &w.v.fs, err);
        if (r == 0) {
            r = erofs_inode_read(&w.v.fs, w.v.fs.root_nid, &root);
            r = r < 0 ? fs_error(f, r, "/", err) : visit(&w.v, &root, NULL, 0, err);
        }
        w.res.inodes = w.v.fs.inode_count;
    }
    if (r == 0) {
        *ret = w.res;
    }
    return r;
}

int img_unseal_erofs(struct sealed_file *f, const char *path, struct error **err)
{
    _cleanup_img_out_ struct img_out out = IMG_OUT_NONE;
    _cleanup_free_ uint8_t *buf = malloc(COPY_SIZE);
    const uint64_t count = sealed_file_block_count(f);
    int r;

    if (buf == NULL) {
        return error_set_errno(err, ENOMEM, "writing %s", path);
    }
    r = img_out_open(&out, path, count * SEALED_BLOCK_SIZE, 0600, err);
    for (uint64_t i = 0; r == 0 && i < count; i += COPY_SIZE / SEALED_BLOCK_SIZE) {
        const size_t n = (size_t)MIN(count - i, (uint64_t)(COPY_SIZE / SEALED_BLOCK_SIZE));

        for (size_t k = 0; r == 0 && k < n; k++) {
            r = sealed_file_read_block(f, i + k, buf + k * SEALED_BLOCK_SIZE);
        }
        if (r < 0) {
            return sealed_file_error(f, r, err);
        }
        r = img_out_write(&out, i * SEALED_BLOCK_SIZE, buf, n * SEALED_BLOCK_SIZE, err);
    }
    return r == 0 ? img_out_commit(&out, err) : r;
}

/* The first name of a file with several, to link the others to. */
struct first_name {
    uint64_t nid;
    char *path; /* from the top of the unpacked tree */
};

struct dir_handle {
    int fd;
    struct dir_handle *parent;
    char name[EROFS_NAME_MAX + 1];
};

struct unpack {
    struct visitor v;
    struct img_unpack_result res;
    struct dir_handle top;
    void *names; /* tsearch tree of struct first_name */
    uint8_t *buf;
};

static int by_nid(const void *a, const void *b)
{
    const struct first_name *fa = a;
    const struct first_name *fb = b;

    return fa->nid < fb->nid ? -1 : fa->nid > fb->nid;
}

static void free_name(void *p)
{
    struct first_name *n = p;

    free(n->path);
    free(n);
}

static char *path_of(const struct dir_handle *dir, const char *name)
{
    char *path = strdup(name);

    while (path != NULL && dir->parent != NULL) {
        char *longer = NULL;

        if (asprintf(&longer, "%s/%s", dir->name, path) < 0) {
            longer = NULL;
        }
        free(path);
        path = longer;
        dir = dir->parent;
    }
    return path;
}

static int made(int result, const char *name, struct error **err)
{
    char text[300];

    if (result >= 0) {
        return 0;
    }
    return error_set_errno(err, errno, "cannot create '%s'",
                           img_printable(name, text, sizeof(text)));
}

/* Makes a further name of a file already unpacked. 1 when done, 0 when this is the first. */
static int try_link(struct unpack *u, const struct dir_handle *dir, const struct erofs_entry *e,
                    const struct erofs_inode *in, struct error **err)
{
    struct first_name *key;
    struct first_name **slot;
    int r;

    if (in->nlink < 2 || S_ISDIR(in->mode)) {
        return 0;
    }
    key = malloc(sizeof(*key));
    if (key != NULL) {
        *key = (struct first_name){.nid = in->nid, .path = path_of(dir, e->name)};
    }
    if (key == NULL || key->path == NULL || (slot = tsearch(key, &u->names, by_nid)) == NULL) {
        free(key);
        return error_set_errno(err, ENOMEM, "unpacking");
    }
    if (*slot == key) {
        return 0;
    }
    r = linkat(u->top.fd, (*slot)->path, dir->fd, e->name, 0);
    if (r < 0 && errno == ENOENT) {
        u->res.not_made++; /* the first name is a device that could not be made */
        r = 0;
    }
    r = made(r, e->name, err);
    free_name(key);
    return r < 0 ? r : 1;
}

static int write_extent(struct unpack *u, int fd, uint64_t at, const struct erofs_extent *x,
                        const char *name, struct error **err)
{
    uint64_t done = 0;

    while (done < x->length) {
        const size_t take = (size_t)MIN(x->length - done, (uint64_t)COPY_SIZE);
        size_t put = 0;
        int r = erofs_pread(&u->v.fs, x->image + done, u->buf, take);

        if (r < 0) {
            return fs_error(u->v.f, r, name, err);
        }
        while (put < take) {
            ssize_t n = pwrite(fd, u->buf + put, take - put, (off_t)(at + done + put));

            if (n < 0 && errno != EINTR) {
                return made(-1, name, err);
            }
            put += n < 0 ? 0 : (size_t)n;
        }
        done += take;
    }
    return 0;
}

static int make_file(struct unpack *u, int dir, const char *name, const struct erofs_inode *in,
                     struct error **err)
{
    _cleanup_close_ int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct erofs_extent x = {.length = 1};

    if (fd < 0 || ftruncate(fd, (off_t)in->size) < 0) {
        return made(-1, name, err);
    }
    for (uint64_t at = 0; x.length > 0; at += x.length) {
        int r = erofs_map(&u->v.fs, in, at, &x);

        if (r < 0) {
            return fs_error(u->v.f, r, name, err);
        }
        if (!x.hole) {
            r = write_extent(u, fd, at, &x, name, err);
            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

static int make_node(struct unpack *u, int dir, const char *name, const struct erofs_inode *in,
                     bool *ret_made, struct error **err)
{
    char target[EROFS_SYMLINK_MAX + 1];
    size_t n;
    int r;

    switch (in->mode & S_IFMT) {
    case S_IFREG: return make_file(u, dir, name, in, err);
    case S_IFDIR: return made(mkdirat(dir, name, 0700), name, err);
    case S_IFLNK:
        r = erofs_readlink(&u->v.fs, in, target, sizeof(target) - 1, &n);
        if (r < 0) {
            return fs_error(u->v.f, r, name, err);
        }
        target[n] = '\0';
        return made(symlinkat(target, dir, name), name, err);
    default:
        r = mknodat(dir, name, in->mode & (S_IFMT | 0600),
                    makedev(erofs_rdev_major(in->rdev), erofs_rdev_minor(in->rdev)));
        if (r < 0 && errno == EPERM) {
            *ret_made = false;
            u->res.not_made++;
            return 0;
        }
        return made(r, name, err);
    }
}

/* The l*xattr calls have no *at form: /proc/self/fd names the directory. */
static int set_xattrs(struct unpack *u, int dir, const char *name, const struct erofs_inode *in,
                      struct error **err)
{
    struct erofs_xattr x;
    char path[EROFS_NAME_MAX + 64];
    uint64_t pos = 0;
    int r;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
    while ((r = erofs_xattr_next(&u->v.fs, in, &pos, &x)) > 0) {
        r = erofs_pread(&u->v.fs, x.value, u->buf, x.value_size);
        if (r < 0) {
            break;
        }
        if (lsetxattr(path, x.name, u->buf, x.value_size, 0) < 0) {
            u->res.xattrs_lost++;
        }
    }
    return r < 0 ? fs_error(u->v.f, r, name, err) : 0;
}

/* Owner first: it clears set-id bits and capabilities. Mode and time of directories come last. */
static int set_attributes(struct unpack *u, int dir, const char *name, const struct erofs_inode *in,
                          struct error **err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {.tv_sec = in->mtime, .tv_nsec = (long)in->mtime_nsec}};
    int r;

    if (fchownat(dir, name, in->uid, in->gid, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != EPERM) {
            return made(-1, name, err);
        }
        u->res.not_owned++;
    }
    if (!S_ISLNK(in->mode) && fchmodat(dir, name, in->mode & 07777, 0) < 0) {
        return made(-1, name, err);
    }
    r = set_xattrs(u, dir, name, in, err);
    if (r < 0) {
        return r;
    }
    return made(utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW), name, err);
}

static int unpack_entry(struct visitor *v, void *parent, const struct erofs_entry *e,
                        const struct erofs_inode *in, void **ret_child, struct error **err)
{
    struct unpack *u = container_of(v, struct unpack, v);
    struct dir_handle *dir = parent;
    struct dir_handle *child;
    bool exists = true;
    int r = try_link(u, dir, e, in, err);

    if (r != 0) {
        return r < 0 ? r : 0;
    }
    r = make_node(u, dir->fd, e->name, in, &exists, err);
    if (r < 0 || !exists) {
        return r;
    }
    u->res.entries++;
    if (!S_ISDIR(in->mode)) {
        return set_attributes(u, dir->fd, e->name, in, err);
    }
    child = calloc(1, sizeof(*child));
    if (child == NULL) {
        return error_set_errno(err, ENOMEM, "unpacking");
    }
    child->parent = dir;
    memcpy(child->name, e->name, sizeof(child->name));
    child->fd = openat(dir->fd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child->fd < 0) {
        r = made(-1, e->name, err);
        free(child);
        return r;
    }
    *ret_child = child;
    return 0;
}

static int unpack_leave(struct visitor *v, void *handle, const struct erofs_inode *in,
                        struct error **err)
{
    struct unpack *u = container_of(v, struct unpack, v);
    struct dir_handle *child = handle;

    return set_attributes(u, child->parent->fd, child->name, in, err);
}

static void unpack_drop(void *handle)
{
    struct dir_handle *child = handle;

    if (child != NULL) {
        closep(&child->fd);
        free(child);
    }
}

static int unpack_tree(struct unpack *u, const char *path, struct error **err)
{
    struct erofs_inode root;
    int r = sealed_file_erofs(u->v.f, &u->v.fs, err);

    if (r < 0) {
        return r;
    }
    r = erofs_inode_read(&u->v.fs, u->v.fs.root_nid, &root);
    if (r < 0) {
        return fs_error(u->v.f, r, "/", err);
    }
    u->top.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (u->top.fd < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    r = visit(&u->v, &root, &u->top, 0, err);
    return r == 0 ? set_attributes(u, u->top.fd, ".", &root, err) : r;
}

int img_unseal_dir(struct sealed_file *f, const char *path, struct img_unpack_result *ret,
                   struct error **err)
{
    struct unpack u = {
        .v = {.f = f, .enter = unpack_entry, .leave = unpack_leave, .drop = unpack_drop},
        .top = {.fd = -1}};
    _cleanup_free_ uint8_t *buf = malloc(COPY_SIZE);
    _cleanup_free_ char *tmp = NULL;
    struct stat st;
    int r;

    if (buf == NULL || asprintf(&tmp, "%s.XXXXXX", path) < 0) {
        tmp = NULL;
        return error_set_errno(err, ENOMEM, "unpacking into %s", path);
    }
    if (lstat(path, &st) == 0) {
        return error_set(err, EEXIST, "%s exists already; name a directory to be made", path);
    }
    if (mkdtemp(tmp) == NULL) {
        return error_set_errno(err, errno, "cannot create a directory beside %s", path);
    }
    u.buf = buf;
    r = unpack_tree(&u, tmp, err);
    closep(&u.top.fd);
    tdestroy(u.names, free_name);
    if (r == 0 && rename(tmp, path) < 0) {
        r = error_set_errno(err, errno, "cannot name %s", path);
    }
    if (r < 0) {
        (void)fs_remove_tree(tmp);
        return r;
    }
    *ret = u.res;
    return 0;
}
