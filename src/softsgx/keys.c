/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "softsgx/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/state_dir.h"
#include "core/cmac.h"
#include "core/ct.h"

#define FUSE_FILE  "fuses"
#define FUSE_MAGIC "nacre-softsgx-fuses-1\n"
#define FUSE_BYTES 48u /* provisioning key, seal key, owner epoch */
#define PATH_ROOM  4096

static pthread_mutex_t g_load_lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
    bool loaded;
    uint8_t provision[16];
    uint8_t seal[16];
    uint8_t owner_epoch[16];
    uint8_t report_key_id[32];
} g_fuses;

const uint8_t soft_cpu_svn[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static int write_all(int fd, const uint8_t *p, size_t size)
{
    while (size != 0) {
        ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

/* A complete file appears under the final name or none; the first of several wins. */
static int make_file(const char *path, struct error **err)
{
    uint8_t content[sizeof(FUSE_MAGIC) - 1 + FUSE_BYTES];
    char temp[PATH_ROOM + 16];
    int fd;
    int r;

    memcpy(content, FUSE_MAGIC, sizeof(FUSE_MAGIC) - 1);
    if (getrandom(content + sizeof(FUSE_MAGIC) - 1, FUSE_BYTES, 0) != (ssize_t)FUSE_BYTES) {
        return error_set_errno(err, errno, "no random bytes for softsgx's fuse key");
    }
    /* A random name: process ids come again, and are the same in two containers of one directory.
     */
    (void)snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
    fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot create %s", temp);
    }
    r = write_all(fd, content, sizeof(content));
    ct_wipe(content, sizeof(content));
    if (r == 0 && fsync(fd) < 0) {
        r = -errno;
    }
    (void)close(fd);
    if (r == 0 && link(temp, path) < 0 && errno != EEXIST) {
        r = -errno;
    }
    (void)unlink(temp);
    return r < 0 ? error_set_errno(err, -r, "cannot create %s", path) : 0;
}

static int check_file(int fd, const char *path, struct error **err)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return error_set_errno(err, errno, "%s", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        return error_set(err, EPERM,
                         "%s holds this machine's software fuse key and must be a regular file of "
                         "its user with mode 0600 (it has mode %04o, owner %u)",
                         path, (unsigned)(st.st_mode & 07777), (unsigned)st.st_uid);
    }
    return 0;
}

static int read_file(const char *path, uint8_t ret[static FUSE_BYTES], struct error **err)
{
    uint8_t content[sizeof(FUSE_MAGIC) - 1 + FUSE_BYTES + 1];
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;
    int r;

    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    r = check_file(fd, path, err);
    if (r < 0) {
        return r;
    }
    n = read(fd, content, sizeof(content));
    if (n != (ssize_t)sizeof(content) - 1 ||
        memcmp(content, FUSE_MAGIC, sizeof(FUSE_MAGIC) - 1) != 0) {
        ct_wipe(content, sizeof(content));
        return error_set(err, EBADMSG,
                         "%s is not a softsgx fuse key; restore it, or remove it and lose what "
                         "enclaves on this machine have sealed",
                         path);
    }
    memcpy(ret, content + sizeof(FUSE_MAGIC) - 1, FUSE_BYTES);
    ct_wipe(content, sizeof(content));
    return 0;
}

static int load(struct error **err)
{
    uint8_t bytes[FUSE_BYTES];
    _cleanup_free_ char *dir = NULL;
    char path[PATH_ROOM];
    int r;

    r = state_dir_make("softsgx", &dir, err);
    if (r < 0) {
        return r;
    }
    r = snprintf(path, sizeof(path), "%s/" FUSE_FILE, dir);
    if (r < 0 || r >= PATH_ROOM) {
        return error_set(err, ENAMETOOLONG, "%s is too long a path", dir);
    }
    r = access(path, F_OK) < 0 ? make_file(path, err) : 0;
    if (r == 0) {
        r = read_file(path, bytes, err);
    }
    if (r < 0) {
        return r;
    }
    memcpy(g_fuses.provision, bytes, 16);
    memcpy(g_fuses.seal, bytes + 16, 16);
    memcpy(g_fuses.owner_epoch, bytes + 32, 16);
    ct_wipe(bytes, sizeof(bytes));
    if (getrandom(g_fuses.report_key_id, sizeof(g_fuses.report_key_id), 0) !=
        (ssize_t)sizeof(g_fuses.report_key_id)) {
        return error_set_errno(err, errno, "no random bytes for the report key id");
    }
    __atomic_store_n(&g_fuses.loaded, true, __ATOMIC_RELEASE);
    return 0;
}

int soft_fuse_load(struct error **err)
{
    int r;

    if (__atomic_load_n(&g_fuses.loaded, __ATOMIC_ACQUIRE)) {
        return 0;
    }
    /* One thread makes and reads the file; who waited finds it done, with one report key id. */
    (void)pthread_mutex_lock(&g_load_lock);
    r = g_fuses.loaded ? 0 : load(err);
    (void)pthread_mutex_unlock(&g_load_lock);
    return r;
}

const uint8_t *soft_report_key_id(void)
{
    return g_fuses.report_key_id;
}

void soft_derive_key(const struct soft_key_deps *deps, bool provisioning,
                     uint8_t ret_key[static 16])
{
    struct soft_key_deps d = *deps;

    if (!provisioning) {
        memcpy(d.owner_epoch, g_fuses.owner_epoch, sizeof(d.owner_epoch));
    }
    cmac_aes128(provisioning ? g_fuses.provision : g_fuses.seal, &d, sizeof(d), ret_key);
}

void soft_report_key(const struct sgx_targetinfo *target, const uint8_t key_id[static 32],
                     uint8_t ret_key[static 16])
{
    struct soft_key_deps d = {
        .key_name = SGX_KEY_REPORT,
        .attributes = target->attributes,
        .miscselect = target->miscselect,
        .config_svn = target->config_svn,
    };

    memcpy(d.mrenclave, target->mrenclave, sizeof(d.mrenclave));
    memcpy(d.config_id, target->config_id, sizeof(d.config_id));
    memcpy(d.key_id, key_id, sizeof(d.key_id));
    memcpy(d.cpu_svn, soft_cpu_svn, sizeof(d.cpu_svn));
    soft_derive_key(&d, /*provisioning=*/false, ret_key);
}

bool soft_report_verify(const struct sgx_report *report, const struct sgx_targetinfo *target)
{
    uint8_t key[16];
    uint8_t mac[16];
    bool ok;

    soft_report_key(target, report->key_id, key);
    cmac_aes128(key, &report->body, sizeof(report->body), mac);
    ok = ct_equal(mac, report->mac, sizeof(mac));
    ct_wipe(key, sizeof(key));
    return ok;
}
