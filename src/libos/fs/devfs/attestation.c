/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/fs/devfs/attestation.h"

#include "core/ct.h"
#include "libos/attest/report.h"
#include "libos/mm/kmem.h"

#define KEY_SIZE 16u

static struct {
    struct mutex lock;
    uint8_t user_report_data[REPORT_DATA_SIZE];
    struct sgx_targetinfo target_info;
    uint8_t key[KEY_SIZE];
    bool have_key;
} g_attestation;

/* What an opening shows. */
struct snapshot {
    size_t size;
    uint8_t data[];
};

static int64_t keep(struct file *f, const void *data, size_t size)
{
    struct snapshot *s = kmalloc(sizeof(*s) + size);

    if (s == NULL) {
        return -ENOMEM;
    }
    s->size = size;
    __builtin_memcpy(s->data, data, size);
    f->priv = s;
    return 0;
}

/* Each of these makes the content of one file, with the lock held. */
typedef int64_t (*make_function)(struct file *f);

static int64_t make_user_report_data(struct file *f)
{
    return keep(f, g_attestation.user_report_data, REPORT_DATA_SIZE);
}

static int64_t make_target_info(struct file *f)
{
    return keep(f, &g_attestation.target_info, sizeof(g_attestation.target_info));
}

static int64_t make_my_target_info(struct file *f)
{
    struct sgx_targetinfo own;
    int r = attest_own_target(&own);

    return r < 0 ? r : keep(f, &own, sizeof(own));
}

static int64_t make_report(struct file *f)
{
    struct sgx_report report;
    int r = attest_report(&g_attestation.target_info, g_attestation.user_report_data, &report);

    return r < 0 ? r : keep(f, &report, sizeof(report));
}

static int64_t make_quote(struct file *f)
{
    uint8_t *quote = NULL;
    size_t size = 0;
    int64_t r = attest_quote(g_attestation.user_report_data, &quote, &size);

    if (r == 0) {
        r = keep(f, quote, size);
        kfree(quote);
    }
    return r;
}

static int64_t make_type(struct file *f)
{
    return keep(f, "dcap", 4);
}

static int64_t make_key(struct file *f)
{
    return g_attestation.have_key ? keep(f, g_attestation.key, KEY_SIZE) : -EACCES;
}

static int64_t make_seal_key(struct file *f, uint16_t policy)
{
    uint8_t key[KEY_SIZE];
    int64_t r = attest_seal_key(policy, key);

    r = r < 0 ? r : keep(f, key, sizeof(key));
    ct_wipe(key, sizeof(key));
    return r;
}

static int64_t make_mrenclave_key(struct file *f)
{
    return make_seal_key(f, SGX_KEYPOLICY_MRENCLAVE);
}

static int64_t make_mrsigner_key(struct file *f)
{
    return make_seal_key(f, SGX_KEYPOLICY_MRSIGNER);
}

static int64_t read_made(struct file *f, struct iter *to, uint64_t *pos, make_function make)
{
    const struct snapshot *s;
    int64_t n = 0;

    mutex_lock(&g_attestation.lock);
    if (f->priv == NULL) {
        n = make(f);
    }
    s = f->priv;
    if (n == 0 && s != NULL && *pos < s->size) {
        const size_t want = MIN(s->size - *pos, to->left);

        n = (int64_t)iter_put(to, s->data + *pos, want);
        n = n == 0 && want > 0 ? -EFAULT : n;
        *pos += n > 0 ? (uint64_t)n : 0;
    }
    mutex_unlock(&g_attestation.lock);
    return n;
}

/* One write from the start is the whole content. */
static int64_t write_whole(struct iter *from, const uint64_t *pos, void *dst, size_t size,
                           bool shorter)
{
    uint8_t data[sizeof(struct sgx_targetinfo)] = {0};
    const size_t n = from->left;

    if (*pos != 0 || n > size || (n < size && !shorter)) {
        return -EINVAL;
    }
    if (iter_take(from, data, n) < n) {
        return -EFAULT;
    }
    mutex_lock(&g_attestation.lock);
    __builtin_memcpy(dst, data, size);
    mutex_unlock(&g_attestation.lock);
    ct_wipe(data, sizeof(data));
    return (int64_t)n;
}

static int64_t write_user_report_data(struct file *f, struct iter *from, uint64_t *pos,
                                      uint32_t flags)
{
    uint8_t data[REPORT_DATA_SIZE];
    int64_t n = write_whole(from, pos, data, sizeof(data), /*shorter=*/true);

    if (n < 0) {
        return n;
    }
    /* What the library OS itself attests must not be had by asking the application for a quote. */
    if (report_data_reserved(data)) {
        return -EPERM;
    }
    mutex_lock(&g_attestation.lock);
    __builtin_memcpy(g_attestation.user_report_data, data, sizeof(data));
    mutex_unlock(&g_attestation.lock);
    return n;
}

static int64_t write_target_info(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    return write_whole(from, pos, &g_attestation.target_info, sizeof(g_attestation.target_info),
                       /*shorter=*/false);
}

static int64_t write_key(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    int64_t n = write_whole(from, pos, g_attestation.key, KEY_SIZE, /*shorter=*/false);

    if (n > 0) {
        g_attestation.have_key = true;
    }
    return n;
}

static int64_t write_nothing(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    return -EACCES;
}

static int64_t snapshot_seek(struct file *f, int64_t offset, int whence)
{
    const struct snapshot *s = f->priv;
    const int64_t base = whence == 1                ? (int64_t)f->pos
                         : whence == 2 && s != NULL ? (int64_t)s->size
                                                    : 0;
    int64_t to;

    if (whence < 0 || whence > 2 || __builtin_add_overflow(base, offset, &to) || to < 0) {
        return -EINVAL;
    }
    f->pos = (uint64_t)to;
    return to;
}

static void snapshot_release(struct file *f)
{
    struct snapshot *s = f->priv;

    if (s != NULL) {
        ct_wipe(s->data, s->size);
        kfree(s);
    }
}

static uint32_t always_ready(struct file *f, struct poll_table *pt)
{
    return 0x145; /* EV_READ | EV_WRITE, as for other files */
}

#define OPS(what, writer)                                                                      \
    static int64_t read_##what(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags) \
    {                                                                                          \
        return read_made(f, to, pos, make_##what);                                             \
    }                                                                                          \
    static const struct file_ops g_##what##_ops = {                                            \
        .name = "attestation",                                                                 \
        .read = read_##what,                                                                   \
        .write = (writer),                                                                     \
        .seek = snapshot_seek,                                                                 \
        .poll = always_ready,                                                                  \
        .release = snapshot_release,                                                           \
    }

OPS(user_report_data, write_user_report_data);
OPS(target_info, write_target_info);
OPS(my_target_info, write_nothing);
OPS(report, write_nothing);
OPS(quote, write_nothing);
OPS(type, write_nothing);
OPS(key, write_key);
OPS(mrenclave_key, write_nothing);
OPS(mrsigner_key, write_nothing);

static const struct pseudo_entry g_keys[] = {
    {.name = "default", .mode = S_IFREG | 0600, .ops = &g_key_ops},
    {.name = "_sgx_mrenclave", .mode = S_IFREG | 0400, .ops = &g_mrenclave_key_ops},
    {.name = "_sgx_mrsigner", .mode = S_IFREG | 0400, .ops = &g_mrsigner_key_ops},
    {0},
};

const struct pseudo_entry attestation_entries[] = {
    {.name = "attestation_type", .mode = S_IFREG | 0444, .ops = &g_type_ops},
    {.name = "user_report_data", .mode = S_IFREG | 0666, .ops = &g_user_report_data_ops},
    {.name = "target_info", .mode = S_IFREG | 0666, .ops = &g_target_info_ops},
    {.name = "my_target_info", .mode = S_IFREG | 0444, .ops = &g_my_target_info_ops},
    {.name = "report", .mode = S_IFREG | 0444, .ops = &g_report_ops},
    {.name = "quote", .mode = S_IFREG | 0444, .ops = &g_quote_ops},
    {.name = "keys", .mode = S_IFDIR | 0700, .entries = g_keys},
    {0},
};
