/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The processor itself, through Linux's SGX driver: the ioctls of <asm/sgx.h> on /dev/sgx_enclave
 * and the entry function of the vDSO. Written against the UAPI of Linux 6.0 (the first with the
 * EDMM ioctls) and tested with fakes of that edge; not yet run on hardware.
 *
 * The driver works through a range and may stop in between, with -EINTR, -EAGAIN or simply less
 * done than asked: `count` says how far it came, and every range loop below goes on from there.
 */
#include "loader/kernel_edge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/overflow.h"
#include "loader/aesm.h"
#include "loader/vdso.h"

#define DEVICE_ENCLAVE   "/dev/sgx_enclave"
#define DEVICE_PROVISION "/dev/sgx_provision"
#define ENTER_SYMBOL     "__vdso_sgx_enter_enclave"

/* Retries without any progress before the driver is taken to be stuck. */
#define RETRIES_MAX 1000u

struct sgx_enclave {
    int fd;
    uint64_t base;
    uint64_t size;
    uint64_t start; /* of what is mapped: base, or vm.mmap_min_addr when that is higher */
    bool provision;
};

static const struct kernel_edge *g_edge = &kernel_edge_system; /* replaced by tests only */
static uint64_t g_enter;                                       /* address of the vDSO function */

void kernel_edge_use(const struct kernel_edge *edge)
{
    g_edge = edge != NULL ? edge : &kernel_edge_system;
    g_enter = 0;
}

/* --- probing --- */

static int find_enter(struct error **err)
{
    const uint8_t *image = g_edge->vdso();
    uint64_t offset;
    size_t size;
    int r;

    if (g_enter != 0) {
        return 0;
    }
    if (image == NULL) {
        return error_set(err, ENOSYS, "this process has no vDSO (booted with vdso=0?)");
    }
    r = vdso_size(image, &size);
    if (r == 0) {
        r = vdso_find(image, size, ENTER_SYMBOL, &offset);
    }
    if (r == -ENOENT) {
        return error_set(err, ENOSYS,
                         "the kernel's vDSO has no %s: Linux 5.11 or later with CONFIG_X86_SGX is "
                         "needed (6.0 for EDMM)",
                         ENTER_SYMBOL);
    }
    if (r < 0) {
        return error_set(err, EINVAL, "the kernel's vDSO cannot be read as an ELF image");
    }
    g_enter = (uint64_t)image + offset;
    return 0;
}

static int open_device(const char *path, struct error **err)
{
    const int fd = g_edge->open(path, O_RDWR);

    if (fd == -ENOENT) {
        return error_set(err, ENOENT,
                         "%s does not exist: no SGX, SGX off in the firmware, or no driver (in "
                         "docker: pass --device %s)",
                         path, path);
    }
    if (fd == -EACCES || fd == -EPERM) {
        return error_set(err, EACCES,
                         "%s: permission denied (join the group that owns it: sgx or "
                         "sgx_prv)",
                         path);
    }
    if (fd < 0) {
        return error_set_errno(err, -fd, "cannot open %s", path);
    }
    return fd;
}

static int op_probe(struct error **err)
{
    const int fd = open_device(DEVICE_ENCLAVE, err);

    if (fd < 0) {
        return fd;
    }
    g_edge->close(fd);
    if (!g_edge->has_sgx2()) {
        return error_set(err, EOPNOTSUPP,
                         "the processor has SGX1 only: enclaves that grow need SGX2 (EDMM), Ice "
                         "Lake-SP or later");
    }
    return find_enter(err);
}

/* --- building --- */

static void release(struct sgx_enclave *e)
{
    if (e->start != 0 || e->base == 0) {
        (void)g_edge->unmap(e->start, e->base + e->size - e->start);
    }
    g_edge->close(e->fd);
    free(e);
}

/* The addresses first, so that nothing else moves in; then the driver's mapping over them. */
static int reserve(struct sgx_enclave *e, struct error **err)
{
    const uint64_t size = e->base + e->size - e->start;
    const int r =
        g_edge->map(e->start, size, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1);

    if (r < 0) {
        return error_set_errno(err, -r,
                               "cannot reserve the enclave's addresses 0x%jx to 0x%jx (something "
                               "is mapped there, or vm.overcommit_memory is 2)",
                               (uintmax_t)e->start, (uintmax_t)(e->base + e->size));
    }
    return 0;
}

static int create_enclave(struct sgx_enclave *e, const struct sgx_secs *secs, struct error **err)
{
    _Alignas(4096) struct sgx_secs page = {
        .size = secs->size,
        .base = secs->base,
        .ssa_frame_size = secs->ssa_frame_size,
        .miscselect = secs->miscselect,
        .attributes = secs->attributes,
    };
    struct sgx_enclave_create create = {.src = (uint64_t)&page};
    int r = g_edge->ioctl(e->fd, SGX_IOC_ENCLAVE_CREATE, &create);

    if (r < 0) {
        return error_set_errno(err, -r,
                               "ECREATE of 0x%jx bytes, attributes 0x%jx, XFRM 0x%jx, MISCSELECT "
                               "0x%x (does the processor have them?)",
                               (uintmax_t)secs->size, (uintmax_t)secs->attributes.flags,
                               (uintmax_t)secs->attributes.xfrm, secs->miscselect);
    }
    r = g_edge->map(e->start, e->base + e->size - e->start, PROT_NONE, MAP_SHARED | MAP_FIXED,
                    e->fd);
    if (r < 0) {
        return error_set_errno(err, -r, "cannot map %s", DEVICE_ENCLAVE);
    }
    return 0;
}

static int op_create(const struct sgx_secs *secs, struct sgx_enclave **ret, struct error **err)
{
    struct sgx_enclave *e;
    uint64_t end;
    int fd;
    int r;

    if (secs->size < 2 * NACRE_PAGE_SIZE || (secs->size & (secs->size - 1)) != 0 ||
        (secs->base & (secs->size - 1)) != 0 || add_overflow(secs->base, secs->size, &end)) {
        return error_set(err, EINVAL,
                         "SECS: size 0x%jx is not a power of two or base 0x%jx not aligned to it",
                         (uintmax_t)secs->size, (uintmax_t)secs->base);
    }
    fd = open_device(DEVICE_ENCLAVE, err);
    if (fd < 0) {
        return fd;
    }
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        g_edge->close(fd);
        return error_set_errno(err, ENOMEM, "creating an enclave");
    }
    e->fd = fd;
    e->base = secs->base;
    e->size = secs->size;
    e->start = MAX(secs->base, page_align_up(g_edge->mmap_min_addr()));
    e->provision = (secs->attributes.flags & SGX_FLAGS_PROVISIONKEY) != 0;
    r = reserve(e, err);
    if (r < 0) {
        g_edge->close(fd);
        free(e);
        return r;
    }
    r = create_enclave(e, secs, err);
    if (r < 0) {
        release(e);
        return r;
    }
    *ret = e;
    return 0;
}

/* One range ioctl until all is done. `count` is where the driver writes how far it came, `offset`
 * and `length` what is left; `src` moves along when not NULL. */
static int run_range(int fd, unsigned long request, void *argument, __u64 *offset, __u64 *length,
                     const __u64 *count, __u64 *src)
{
    unsigned retries = 0;

    while (*length > 0) {
        const int r = g_edge->ioctl(fd, request, argument);
        const uint64_t done = *count;

        if (done > *length || !is_page_aligned(done)) {
            return -EPROTO; /* the driver claims more than it was given */
        }
        *offset += done;
        *length -= done;
        if (src != NULL) {
            *src += done;
        }
        if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY) {
            return r;
        }
        retries = done > 0 ? 0 : retries + 1;
        if (*length > 0 && retries > RETRIES_MAX) {
            return r < 0 ? r : -EIO;
        }
    }
    return 0;
}

static int op_add_pages(struct sgx_enclave *e, uint64_t offset, const void *src, size_t size,
                        uint64_t secinfo_flags, bool measure, struct error **err)
{
    struct sgx_secinfo secinfo = {.flags = secinfo_flags};
    struct sgx_enclave_add_pages add = {
        .src = (uint64_t)src,
        .offset = offset,
        .length = size,
        .secinfo = (uint64_t)&secinfo,
        .flags = measure ? SGX_PAGE_MEASURE : 0,
    };
    int r;

    if (!is_page_aligned(offset) || !is_page_aligned(size) || !is_page_aligned((uint64_t)src) ||
        !range_within(offset, size, 0, e->size)) {
        return error_set(err, EINVAL, "pages 0x%jx + 0x%zx are not whole or not in the enclave",
                         (uintmax_t)offset, size);
    }
    r = run_range(e->fd, SGX_IOC_ENCLAVE_ADD_PAGES, &add, &add.offset, &add.length, &add.count,
                  &add.src);
    if (r < 0) {
        return error_set_errno(err, -r, "EADD at offset 0x%jx%s", (uintmax_t)add.offset,
                               r == -ENOMEM ? " (is the EPC full?)" : "");
    }
    return 0;
}

static int op_hint_slots(struct sgx_enclave *e, const uint64_t *offsets, size_t count,
                         struct error **err)
{
    return 0; /* ENCLU is an instruction here */
}

static int allow_provision(struct sgx_enclave *e, struct error **err)
{
    struct sgx_enclave_provision provision;
    const int fd = open_device(DEVICE_PROVISION, err);
    int r;

    if (fd < 0) {
        return fd;
    }
    provision.fd = (uint64_t)fd;
    r = g_edge->ioctl(e->fd, SGX_IOC_ENCLAVE_PROVISION, &provision);
    g_edge->close(fd);
    if (r < 0) {
        return error_set_errno(err, -r, "asking for the PROVISIONKEY attribute");
    }
    return 0;
}

static int op_init(struct sgx_enclave *e, const struct sgx_sigstruct *sigstruct, struct error **err)
{
    struct sgx_enclave_init init = {.sigstruct = (uint64_t)sigstruct};
    unsigned retries = 0;
    int r = e->provision ? allow_provision(e, err) : 0;

    if (r < 0) {
        return r;
    }
    do {
        r = g_edge->ioctl(e->fd, SGX_IOC_ENCLAVE_INIT, &init);
    } while ((r == -EINTR || r == -EAGAIN || r == -EBUSY) && ++retries <= RETRIES_MAX);
    if (r > 0) {
        return error_set(err, EACCES, "EINIT refused the enclave with SGX error %d", r);
    }
    if (r == -EPERM || r == -EACCES) {
        return error_set(err, -r,
                         "EINIT refused the SIGSTRUCT: measurement, signature or attributes do not "
                         "fit, or the processor's launch control is locked (see the kernel log)");
    }
    if (r < 0) {
        return error_set_errno(err, -r, "EINIT");
    }
    return 0;
}

static int op_map(struct sgx_enclave *e, uint64_t offset, size_t size, int prot, struct error **err)
{
    uint64_t at;
    int r;

    if (!range_within(offset, size, 0, e->size)) {
        return error_set(err, EINVAL, "range 0x%jx + 0x%zx is not in the enclave",
                         (uintmax_t)offset, size);
    }
    at = e->base + offset;
    if (at < e->start) {
        return error_set(err, EINVAL, "address 0x%jx is below vm.mmap_min_addr", (uintmax_t)at);
    }
    r = g_edge->protect(at, size, prot);
    if (r < 0) {
        return error_set_errno(err, -r, "host permissions %d of offset 0x%jx", prot,
                               (uintmax_t)offset);
    }
    return 0;
}

/* --- EDMM --- */

static int op_augment(struct sgx_enclave *e, uint64_t offset, size_t size)
{
    return 0; /* the driver EAUGs when the page is touched, EACCEPT included */
}

static int op_restrict_permissions(struct sgx_enclave *e, uint64_t offset, size_t size,
                                   uint64_t secinfo_perm, uint64_t *ret_result)
{
    struct sgx_enclave_restrict_permissions a = {
        .offset = offset, .length = size, .permissions = secinfo_perm};
    const int r = run_range(e->fd, SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, &a, &a.offset, &a.length,
                            &a.count, NULL);

    if (ret_result != NULL) {
        *ret_result = a.result;
    }
    return r;
}

static int op_modify_types(struct sgx_enclave *e, uint64_t offset, size_t size,
                           enum sgx_page_type type, uint64_t *ret_result)
{
    struct sgx_enclave_modify_types a = {.offset = offset, .length = size, .page_type = type};
    const int r =
        run_range(e->fd, SGX_IOC_ENCLAVE_MODIFY_TYPES, &a, &a.offset, &a.length, &a.count, NULL);

    if (ret_result != NULL) {
        *ret_result = a.result;
    }
    return r;
}

static int op_remove_pages(struct sgx_enclave *e, uint64_t offset, size_t size)
{
    struct sgx_enclave_remove_pages a = {.offset = offset, .length = size};

    return run_range(e->fd, SGX_IOC_ENCLAVE_REMOVE_PAGES, &a, &a.offset, &a.length, &a.count, NULL);
}

/* --- running --- */

static int op_thread_attach(struct sgx_enclave *e, struct error **err)
{
    return find_enter(err);
}

static void op_thread_detach(void)
{
}

static vdso_sgx_enter_enclave_t op_enter_function(struct sgx_enclave *e)
{
    return find_enter(NULL) == 0 ? (vdso_sgx_enter_enclave_t)(uintptr_t)g_enter : NULL;
}

static int op_sigaction(int sig, void (*handler)(int, siginfo_t *, void *), int flags,
                        struct error **err)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    if (sigaction(sig, &action, NULL) < 0) {
        return error_set_errno(err, errno, "handling signal %d", sig);
    }
    return 0;
}

/* The AEP is the vDSO's ENCLU, and AEX leaves RAX = ERESUME. An ERESUME the loader asked for that
 * has not begun looks the same, and is the same: an SSA frame waits to be resumed. */
static bool op_is_at_aep(const ucontext_t *uc)
{
    static const uint8_t enclu[3] = {ENCLU_BYTES};
    const uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];

    /* The function is a few hundred bytes: beyond that it is other code. */
    if (g_enter == 0 || rip < g_enter || rip >= g_enter + 512) {
        return false;
    }
    return memcmp((const void *)rip, enclu, sizeof(enclu)) == 0 &&
           uc->uc_mcontext.gregs[REG_RAX] == ENCLU_ERESUME;
}

static int op_quote_target(struct sgx_targetinfo *ret, struct error **err)
{
    return aesm_quote_target(g_edge->aesm, ret, err);
}

static int op_quote(const struct sgx_report *report, uint8_t **ret_quote, size_t *ret_size,
                    struct error **err)
{
    return aesm_quote(g_edge->aesm, report, ret_quote, ret_size, err);
}

static void op_destroy(struct sgx_enclave *e)
{
    if (e != NULL) {
        release(e);
    }
}

const struct sgx_backend sgx_backend_kernel = {
    .name = "kernel",
    .label = "running on SGX hardware through the kernel's driver; this backend has not yet been "
             "run on hardware by its authors: please report what you see",
    .probe = op_probe,
    .create = op_create,
    .add_pages = op_add_pages,
    .hint_slots = op_hint_slots,
    .init = op_init,
    .map = op_map,
    .augment = op_augment,
    .restrict_permissions = op_restrict_permissions,
    .modify_types = op_modify_types,
    .remove_pages = op_remove_pages,
    .thread_attach = op_thread_attach,
    .thread_detach = op_thread_detach,
    .enter_function = op_enter_function,
    .sigaction = op_sigaction,
    .is_at_aep = op_is_at_aep,
    .quote_target = op_quote_target,
    .quote = op_quote,
    .destroy = op_destroy,
};
