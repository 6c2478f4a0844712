/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#define FUSE_USE_VERSION 34

#include "cli/cli.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "cli/sealed_args.h"
#include "image/unseal.h"

/* The image never changes: the kernel may keep everything it was told. */
#define CACHE_SECONDS 86400.0
#define READ_MAX      ((size_t)1 << 20)

struct mount {
    struct sealed_file *file;
    struct erofs fs;
};

static struct mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* FUSE wants 1 for the root; everything else is its nid plus one. */
static fuse_ino_t ino_of(const struct erofs *fs, uint64_t nid)
{
    return nid == fs->root_nid ? FUSE_ROOT_ID : nid + 1;
}

static int inode_of(fuse_req_t req, fuse_ino_t ino, struct erofs_inode *ret)
{
    const struct erofs *fs = &mount_of(req)->fs;

    return erofs_inode_read(fs, ino == FUSE_ROOT_ID ? fs->root_nid : ino - 1, ret);
}

/* A changed block or a contradiction is an I/O error to the reader, and a line for the owner. */
static void reply_error(fuse_req_t req, int r)
{
    if (r == -EBADMSG || r == -EIO) {
        _cleanup_error_ struct error *err = NULL;

        (void)sealed_file_error(mount_of(req)->file, r, &err);
        fprintf(stderr, "nacre mount: %s\n", error_text(err));
        r = -EIO;
    }
    (void)fuse_reply_err(req, -r);
}

static void fill_stat(const struct erofs *fs, const struct erofs_inode *in, struct stat *st)
{
    *st = (struct stat){
        .st_ino = ino_of(fs, in->nid),
        .st_mode = in->mode,
        .st_nlink = in->nlink,
        .st_uid = in->uid,
        .st_gid = in->gid,
        .st_size = (off_t)in->size,
        .st_blksize = EROFS_BLOCK_SIZE,
        .st_blocks = (blkcnt_t)((in->size + 511) / 512),
        .st_rdev = makedev(erofs_rdev_major(in->rdev), erofs_rdev_minor(in->rdev)),
        .st_atim = {in->mtime, in->mtime_nsec},
        .st_mtim = {in->mtime, in->mtime_nsec},
        .st_ctim = {in->mtime, in->mtime_nsec},
    };
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    const struct erofs *fs = &mount_of(req)->fs;
    struct fuse_entry_param e = {.attr_timeout = CACHE_SECONDS, .entry_timeout = CACHE_SECONDS};
    struct erofs_inode dir;
    struct erofs_inode in;
    enum erofs_file_type type;
    uint64_t nid;
    int r = inode_of(req, parent, &dir);

    if (r == 0) {
        r = erofs_lookup(fs, &dir, name, strlen(name), &nid, &type);
    }
    if (r == 0) {
        r = erofs_inode_read(fs, nid, &in);
    }
    if (r == -ENOENT) {
        (void)fuse_reply_entry(req, &e); /* ino 0: absent, and that may be kept too */
        return;
    }
    if (r < 0) {
        reply_error(req, r);
        return;
    }
    e.ino = ino_of(fs, nid);
    fill_stat(fs, &in, &e.attr);
    (void)fuse_reply_entry(req, &e);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct erofs_inode in;
    struct stat st;
    int r = inode_of(req, ino, &in);

    if (r < 0) {
        reply_error(req, r);
        return;
    }
    fill_stat(&mount_of(req)->fs, &in, &st);
    (void)fuse_reply_attr(req, &st, CACHE_SECONDS);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    char target[EROFS_SYMLINK_MAX + 1];
    struct erofs_inode in;
    size_t size = 0;
    int r = inode_of(req, ino, &in);

    if (r == 0) {
        r = erofs_readlink(&mount_of(req)->fs, &in, target, sizeof(target) - 1, &size);
    }
    if (r < 0) {
        reply_error(req, r);
        return;
    }
    target[size] = '\0';
    (void)fuse_reply_readlink(req, target);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    if ((fi->flags & O_ACCMODE) != O_RDONLY) {
        (void)fuse_reply_err(req, EROFS);
        return;
    }
    fi->keep_cache = 1;
    (void)fuse_reply_open(req, fi);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    fi->keep_cache = 1;
    fi->cache_readdir = 1;
    (void)fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
    _cleanup_free_ uint8_t *buf = NULL;
    struct erofs_inode in;
    size_t got = 0;
    int r = inode_of(req, ino, &in);

    size = MIN(size, READ_MAX);
    buf = malloc(size + 1);
    if (r == 0 && buf == NULL) {
        r = -ENOMEM;
    }
    if (r == 0) {
        r = erofs_read(&mount_of(req)->fs, &in, (uint64_t)offset, buf, size, &got);
    }
    if (r < 0) {
        reply_error(req, r);
        return;
    }
    (void)fuse_reply_buf(req, (const char *)buf, got);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       struct fuse_file_info *fi)
{
    const struct erofs *fs = &mount_of(req)->fs;
    _cleanup_free_ char *buf = NULL;
    struct erofs_inode dir;
    struct erofs_entry e;
    uint64_t pos = (uint64_t)offset;
    size_t used = 0;
    int r = inode_of(req, ino, &dir);

    size = MIN(size, READ_MAX);
    buf = malloc(size + 1);
    if (r == 0 && buf == NULL) {
        r = -ENOMEM;
    }
    while (r == 0 && (r = erofs_readdir(fs, &dir, &pos, &e)) > 0) {
        static const mode_t modes[] = {0,       S_IFREG, S_IFDIR,  S_IFCHR,
                                       S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};
        const struct stat st = {.st_ino = ino_of(fs, e.nid), .st_mode = modes[e.type]};
        const size_t need =
            fuse_add_direntry(req, buf + used, size - used, e.name, &st, (off_t)pos);

        r = 0;
        if (need > size - used) {
            break;
        }
        used += need;
    }
    if (r < 0) {
        reply_error(req, r);
        return;
    }
    (void)fuse_reply_buf(req, buf, used);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    _cleanup_free_ uint8_t *buf = malloc(65536);
    struct erofs_inode in;
    size_t got = 0;
    int r = inode_of(req, ino, &in);

    if (r == 0 && buf == NULL) {
        r = -ENOMEM;
    }
    if (r == 0) {
        r = erofs_xattr_get(&mount_of(req)->fs, &in, name, buf, 65536, &got);
    }
    if (r == 0 && size > 0 && got > size) {
        r = -ERANGE;
    }
    if (r < 0) {
        reply_error(req, r);
    } else if (size == 0) {
        (void)fuse_reply_xattr(req, got);
    } else {
        (void)fuse_reply_buf(req, (const char *)buf, got);
    }
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    _cleanup_free_ char *buf = malloc(65536);
    struct erofs_inode in;
    struct erofs_xattr x;
    uint64_t pos = 0;
    size_t used = 0;
    int r = inode_of(req, ino, &in);

    if (r == 0 && buf == NULL) {
        r = -ENOMEM;
    }
    while (r == 0 && (r = erofs_xattr_next(&mount_of(req)->fs, &in, &pos, &x)) > 0) {
        r = used + x.name_size + 1 > 65536 ? -E2BIG : 0;
        if (r == 0) {
            memcpy(buf + used, x.name, x.name_size + 1);
            used += x.name_size + 1;
        }
    }
    if (r == 0 && size > 0 && used > size) {
        r = -ERANGE;
    }
    if (r < 0) {
        reply_error(req, r);
    } else if (size == 0) {
        (void)fuse_reply_xattr(req, used);
    } else {
        (void)fuse_reply_buf(req, buf, used);
    }
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    const struct erofs *fs = &mount_of(req)->fs;
    const struct statvfs st = {
        .f_bsize = EROFS_BLOCK_SIZE,
        .f_frsize = EROFS_BLOCK_SIZE,
        .f_blocks = fs->block_count,
        .f_files = fs->inode_count,
        .f_flag = ST_RDONLY,
        .f_namemax = EROFS_NAME_MAX,
    };

    (void)fuse_reply_statfs(req, &st);
}

static const struct fuse_lowlevel_ops ops = {
    .lookup = op_lookup,
    .getattr = op_getattr,
    .readlink = op_readlink,
    .open = op_open,
    .read = op_read,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .statfs = op_statfs,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
};

static int serve(struct mount *m, const char *where, bool foreground, bool allow_other,
                 struct error **err)
{
    char program[] = "nacre";
    char flag[] = "-o";
    char options[] = "ro,nodev,nosuid,default_permissions,fsname=nacre,subtype=nseal";
    char options_other[] =
        "ro,nodev,nosuid,default_permissions,fsname=nacre,subtype=nseal,allow_other";
    char *argv[] = {program, flag, allow_other ? options_other : options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), m);
    int r = -EIO;

    if (session == NULL) {
        return error_set(err, EIO, "cannot start a FUSE session");
    }
    if (fuse_set_signal_handlers(session) == 0) {
        if (fuse_session_mount(session, where) < 0) {
            r = error_set(err, EIO,
                          "cannot mount at %s (is there /dev/fuse, and fusermount3 or root?)",
                          where);
        } else {
            r = fuse_daemonize(foreground) < 0 ? -EIO : fuse_session_loop(session);
            fuse_session_unmount(session);
        }
        fuse_remove_signal_handlers(session);
    }
    fuse_session_destroy(session);
    return r < 0 ? r : 0;
}

static int mount_image(const char *file, const char *where, const char *key_path,
                       const uint8_t *root, bool foreground, bool allow_other, struct error **err)
{
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_sealed_file_ struct sealed_file *f = NULL;
    struct mount m = {0};
    int r = sealed_read_key(key_path, &key, err);

    if (r == 0) {
        r = sealed_file_open(file, key->data, root, &f, err);
    }
    if (r == 0) {
        r = sealed_file_erofs(f, &m.fs, err);
    }
    if (r < 0) {
        return r;
    }
    m.file = f;
    return serve(&m, where, foreground, allow_other, err);
}

int cmd_mount(int argc, char **argv, struct error **err)
{
    const char *key_path = NULL;
    const char *root_text = NULL;
    bool foreground = false;
    bool allow_other = false;
    const struct arg_option options[] = {
        {"key", 'k', ARG_STRING, "FILE", "the sealing key", &key_path},
        {"root", 'r', ARG_STRING, "HEX", "the sealed root the image must have", &root_text},
        {"foreground", 0, ARG_FLAG, NULL, "stay in the foreground until unmounted", &foreground},
        {"allow-other", 0, ARG_FLAG, NULL, "let other users look as well", &allow_other},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre mount",
        .synopsis = "--key FILE [OPTIONS] IMAGE MOUNTPOINT",
        .summary = "Show a sealed image as a read-only directory (FUSE).",
        .options = options,
        .examples = "  nacre mount --key app.key app.nseal /mnt/app\n"
                    "  fusermount3 -u /mnt/app\n",
        .notes = "Blocks are decrypted and verified as they are read. A changed block is an I/O\n"
                 "error to the reader and a line on standard error (with --foreground).",
        .min_args = 2,
        .max_args = 2,
    };
    uint8_t root[SEALED_HASH_SIZE];
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (key_path == NULL) {
        (void)error_set(err, EINVAL, "--key is missing");
        return CLI_USAGE;
    }
    if (root_text != NULL && sealed_parse_hex32("--root", root_text, root, err) < 0) {
        return CLI_USAGE;
    }
    r = mount_image(argv[0], argv[1], key_path, root_text == NULL ? NULL : root, foreground,
                    allow_other, err);
    return r < 0 ? sealed_exit(r) : CLI_OK;
}
