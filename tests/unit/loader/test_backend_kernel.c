/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The kernel backend before fakes of the driver: what it asks, what it makes of answers, and that
 * each failure of each call is reported and leaves nothing behind. Nothing here is hardware.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "core/le.h"
#include "loader/aesm.h"
#include "loader/kernel_edge.h"
#include "loader/loader.h"
#include "unit/loader/small_vdso.h"

#define BASE      0x200000000000ull
#define SIZE      0x100000ull
#define CALLS_MAX 256

static struct {
    unsigned calls;   /* that may fail */
    unsigned fail_at; /* 1: the first; 0: none */
    int fail_with;
    int open_fds;
    int mappings;
    bool no_device;
    bool no_sgx2;
    bool no_vdso;
    uint64_t step; /* bytes a range ioctl does at a time, 0: all */
    int between;   /* what it returns when it stopped early */
    bool overclaim;
    int init_result;
    unsigned ioctls[8];
    struct sgx_enclave_add_pages first_add;
    uint64_t added;
    struct sgx_secs secs;
    struct small_vdso vdso;
    int protect_prot;
    uint64_t protect_at;
    const char *aesm_mode;
} f;

static int maybe_fail(void)
{
    f.calls++;
    return f.calls == f.fail_at ? f.fail_with : 0;
}

static int fake_open(const char *path, int flags)
{
    int r = maybe_fail();

    if (r < 0) {
        return r;
    }
    assert_int_equal(flags, O_RDWR);
    if (f.no_device) {
        return -ENOENT;
    }
    f.open_fds++;
    return strcmp(path, "/dev/sgx_provision") == 0 ? 101 : 100;
}

static void fake_close(int fd)
{
    assert_true(fd == 100 || fd == 101);
    f.open_fds--;
}

/* Moves `done` bytes of the range as the driver does. */
static int do_range(uint64_t length, __u64 *ret_count)
{
    const uint64_t done = f.step != 0 && f.step < length ? f.step : length;

    *ret_count = f.overclaim ? length + 4096 : done;
    return done < length ? f.between : 0;
}

static int fake_ioctl(int fd, unsigned long request, void *argument)
{
    int r = maybe_fail();

    f.ioctls[_IOC_NR(request)]++;
    if (r < 0) {
        if (_IOC_NR(request) == 1) {
            ((struct sgx_enclave_add_pages *)argument)->count = 0;
        }
        return r;
    }
    assert_int_equal(fd, 100);
    switch (request) {
    case SGX_IOC_ENCLAVE_CREATE: {
        const struct sgx_enclave_create *c = argument;

        memcpy(&f.secs, (const void *)(uintptr_t)c->src, sizeof(f.secs));
        return 0;
    }
    case SGX_IOC_ENCLAVE_ADD_PAGES: {
        struct sgx_enclave_add_pages *a = argument;

        if (f.ioctls[1] == 1) {
            f.first_add = *a;
        }
        assert_int_equal(a->src % 4096, 0);
        assert_int_equal(((const struct sgx_secinfo *)(uintptr_t)a->secinfo)->flags,
                         SGX_SECINFO_REG | SGX_SECINFO_R);
        assert_int_equal(a->offset, 0x1000 + f.added);
        r = do_range(a->length, &a->count);
        f.added += a->count;
        return r;
    }
    case SGX_IOC_ENCLAVE_INIT: return f.init_result;
    case SGX_IOC_ENCLAVE_PROVISION:
        assert_int_equal(((const struct sgx_enclave_provision *)argument)->fd, 101);
        return 0;
    case SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS: {
        struct sgx_enclave_restrict_permissions *a = argument;

        a->result = 7;
        return do_range(a->length, &a->count);
    }
    case SGX_IOC_ENCLAVE_MODIFY_TYPES: {
        struct sgx_enclave_modify_types *a = argument;

        a->result = 8;
        return do_range(a->length, &a->count);
    }
    case SGX_IOC_ENCLAVE_REMOVE_PAGES: {
        struct sgx_enclave_remove_pages *a = argument;

        return do_range(a->length, &a->count);
    }
    default: fail_msg("an ioctl the driver does not have: 0x%lx", request);
    }
    return -ENOTTY;
}

static int fake_map(uint64_t at, size_t size, int prot, int flags, int fd)
{
    int r = maybe_fail();

    if (r < 0) {
        return r;
    }
    assert_int_equal(prot, PROT_NONE);
    assert_int_equal(at + size, f.secs.size == 0 ? at + size : f.secs.base + f.secs.size);
    if (fd == -1) {
        assert_true((flags & MAP_FIXED_NOREPLACE) != 0);
        f.mappings++;
    } else {
        assert_true((flags & (MAP_SHARED | MAP_FIXED)) == (MAP_SHARED | MAP_FIXED));
    }
    return 0;
}

static int fake_protect(uint64_t at, size_t size, int prot)
{
    f.protect_at = at;
    f.protect_prot = prot;
    return maybe_fail();
}

static int fake_unmap(uint64_t at, size_t size)
{
    f.mappings--;
    return 0;
}

static const uint8_t *fake_vdso(void)
{
    return f.no_vdso ? NULL : (const uint8_t *)&f.vdso;
}

static uint64_t fake_min_addr(void)
{
    return 65536;
}

static bool fake_has_sgx2(void)
{
    return !f.no_sgx2;
}

/* --- a service that answers as AESM does --- */

struct out {
    uint8_t *p;
    size_t n;
};

static void put(struct out *o, uint64_t v)
{
    while (v >= 0x80) {
        o->p[o->n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    o->p[o->n++] = (uint8_t)v;
}

static void put_data(struct out *o, unsigned field, const void *p, size_t size)
{
    put(o, field << 3 | 2);
    put(o, size);
    memcpy(o->p + o->n, p, size);
    o->n += size;
}

static void answer_body(struct out *o, unsigned call)
{
    const bool epid_only = strcmp(f.aesm_mode, "epid") == 0;
    uint8_t data[4 * 256] = {};

    put(o, 1 << 3);
    put(o, strcmp(f.aesm_mode, "refuse") == 0 ? 21 : 0);
    switch (call) {
    case 21:
        put(o, 2 << 3);
        put(o, strcmp(f.aesm_mode, "many") == 0 ? 1000 : 2);
        break;
    case 22:
        data[256 + 154] = epid_only ? 0 : 2;
        put_data(o, 2, data, 512);
        break;
    case 15:
        memset(data, 0x77, 512);
        put_data(o, 2, data, strcmp(f.aesm_mode, "short") == 0 ? 511 : 512);
        put(o, 3 << 3);
        put(o, 32);
        break;
    case 16:
        put(o, 2 << 3);
        put(o, 1000);
        break;
    case 17:
        memset(data, 0x51, sizeof(data));
        put_data(o, 2, data, strcmp(f.aesm_mode, "long") == 0 ? 1001 : 999);
        break;
    default: fail_msg("an AESM call that does not exist: %u", call);
    }
}

static int fake_aesm(const uint8_t *request, size_t size, uint8_t **ret, size_t *ret_size)
{
    struct out body = {.p = malloc(4096)};
    struct out whole = {.p = malloc(4096)};
    unsigned call;
    int r = maybe_fail();

    assert_true(size >= 3);
    call = (unsigned)((request[0] & 0x7f) | (request[0] >= 0x80 ? request[1] << 7 : 0)) >> 3;
    if (r < 0) {
        free(body.p);
        free(whole.p);
        return r;
    }
    answer_body(&body, call);
    if (strcmp(f.aesm_mode, "garbage") == 0) {
        memset(whole.p, 0xff, whole.n = 40);
    } else {
        put_data(&whole, call, body.p, body.n);
    }
    free(body.p);
    *ret = whole.p;
    *ret_size = whole.n;
    return 0;
}

static const struct kernel_edge fake_edge = {
    .open = fake_open,
    .close = fake_close,
    .ioctl = fake_ioctl,
    .map = fake_map,
    .protect = fake_protect,
    .unmap = fake_unmap,
    .vdso = fake_vdso,
    .mmap_min_addr = fake_min_addr,
    .has_sgx2 = fake_has_sgx2,
    .aesm = fake_aesm,
};

static int setup(void **state)
{
    memset(&f, 0, sizeof(f));
    f.aesm_mode = "good";
    f.between = -EAGAIN;
    small_vdso_make(&f.vdso);
    kernel_edge_use(&fake_edge);
    return 0;
}

static int teardown(void **state)
{
    kernel_edge_use(NULL);
    return 0;
}

#define B sgx_backend_kernel

static const struct sgx_secs secs = {
    .size = SIZE,
    .base = BASE,
    .ssa_frame_size = 1,
    .miscselect = 1,
    .attributes = {SGX_FLAGS_MODE64BIT | SGX_FLAGS_PROVISIONKEY, 3},
    .mrenclave = {1},
    .isv_svn = 9};
static _Alignas(4096) uint8_t pages[4 * 4096];

static struct sgx_enclave *created(void)
{
    struct sgx_enclave *e = NULL;

    assert_int_equal(B.create(&secs, &e, NULL), 0);
    return e;
}

static void test_probe_names_what_is_missing(void **state)
{
    _cleanup_error_ struct error *err = NULL;

    assert_int_equal(B.probe(&err), 0);
    f.no_device = true;
    assert_int_equal(B.probe(&err), -ENOENT);
    assert_non_null(strstr(error_text(err), "/dev/sgx_enclave does not exist"));
    f.no_device = false;
    f.fail_at = f.calls + 1;
    f.fail_with = -EACCES;
    assert_int_equal(B.probe(&err), -EACCES);
    assert_non_null(strstr(error_text(err), "permission denied"));
    f.no_sgx2 = true;
    assert_int_equal(B.probe(&err), -EOPNOTSUPP);
    assert_non_null(strstr(error_text(err), "SGX1 only"));
    f.no_sgx2 = false;
    kernel_edge_use(&fake_edge); /* forget the function found */
    f.vdso.symbols[1].st_shndx = SHN_UNDEF;
    assert_int_equal(B.probe(&err), -ENOSYS);
    assert_non_null(strstr(error_text(err), "__vdso_sgx_enter_enclave"));
    f.vdso.eh.e_phnum = 99;
    assert_int_equal(B.probe(&err), -EINVAL);
    f.no_vdso = true;
    assert_int_equal(B.probe(&err), -ENOSYS);
    assert_int_equal(f.open_fds, 0);
}

static void test_create_passes_only_what_the_builder_may_choose(void **state)
{
    struct sgx_enclave *e = created();
    const struct sgx_secs expected = {.size = SIZE,
                                      .base = BASE,
                                      .ssa_frame_size = 1,
                                      .miscselect = 1,
                                      .attributes = secs.attributes};

    assert_memory_equal(&f.secs, &expected, sizeof(expected));
    assert_int_equal(f.mappings, 1);
    B.destroy(e);
    assert_int_equal(f.mappings, 0);
    assert_int_equal(f.open_fds, 0);
}

static void test_create_bad_size_or_base_is_refused(void **state)
{
    struct sgx_secs bad = secs;
    struct sgx_enclave *e;

    bad.size = SIZE + 4096;
    assert_int_equal(B.create(&bad, &e, NULL), -EINVAL);
    bad = secs;
    bad.base += 4096;
    assert_int_equal(B.create(&bad, &e, NULL), -EINVAL);
    bad = secs;
    bad.size = 4096;
    assert_int_equal(B.create(&bad, &e, NULL), -EINVAL);
    assert_int_equal(f.calls, 0);
}

static void test_add_pages_goes_on_where_the_driver_stopped(void **state)
{
    static const int stops[] = {0, -EAGAIN, -EINTR, -EBUSY};

    for (size_t i = 0; i < ARRAY_COUNT(stops); i++) {
        struct sgx_enclave *e;

        setup(state);
        e = created();
        f.step = 4096;
        f.between = stops[i];
        assert_int_equal(B.add_pages(e, 0x1000, pages, sizeof(pages),
                                     SGX_SECINFO_REG | SGX_SECINFO_R, true, NULL),
                         0);
        assert_int_equal(f.ioctls[1], 4);
        assert_int_equal(f.added, sizeof(pages));
        assert_int_equal(f.first_add.flags, SGX_PAGE_MEASURE);
        B.destroy(e);
    }
}

static void test_add_pages_bad_ranges_never_reach_the_driver(void **state)
{
    struct sgx_enclave *e = created();

    assert_int_equal(B.add_pages(e, 1, pages, 4096, 0, true, NULL), -EINVAL);
    assert_int_equal(B.add_pages(e, 0, pages, 100, 0, true, NULL), -EINVAL);
    assert_int_equal(B.add_pages(e, 0, pages + 8, 4096, 0, true, NULL), -EINVAL);
    assert_int_equal(B.add_pages(e, SIZE, pages, 4096, 0, true, NULL), -EINVAL);
    assert_int_equal(B.add_pages(e, UINT64_MAX & ~0xfffull, pages, 8192, 0, true, NULL), -EINVAL);
    assert_int_equal(f.ioctls[1], 0);
    B.destroy(e);
}

static void test_range_a_driver_that_claims_too_much_or_sticks_is_an_error(void **state)
{
    struct sgx_enclave *e = created();

    f.overclaim = true;
    assert_int_equal(B.remove_pages(e, 0, 8192), -EPROTO);
    f.overclaim = false;
    f.step = 1; /* not a page: nothing whole is ever done */
    assert_int_equal(B.remove_pages(e, 0, 8192), -EPROTO);
    B.destroy(e);
}

static int stuck_ioctl(int fd, unsigned long request, void *argument)
{
    ((struct sgx_enclave_remove_pages *)argument)->count = 0;
    f.calls++;
    return -EAGAIN;
}

static void test_range_without_progress_ends(void **state)
{
    struct kernel_edge stuck = fake_edge;
    struct sgx_enclave *e = created();

    stuck.ioctl = stuck_ioctl;
    kernel_edge_use(&stuck);
    assert_int_equal(B.remove_pages(e, 0, 4096), -EAGAIN);
    assert_true(f.calls > 100 && f.calls < 10000);
    kernel_edge_use(&fake_edge);
    B.destroy(e);
}

static void test_edmm_reports_the_leafs_result(void **state)
{
    struct sgx_enclave *e = created();
    uint64_t result = 0;

    f.step = 4096;
    assert_int_equal(B.restrict_permissions(e, 0, 3 * 4096, SGX_SECINFO_R, &result), 0);
    assert_int_equal(result, 7);
    assert_int_equal(f.ioctls[5], 3);
    assert_int_equal(B.modify_types(e, 0, 2 * 4096, SGX_PT_TRIM, &result), 0);
    assert_int_equal(result, 8);
    assert_int_equal(B.remove_pages(e, 0, 2 * 4096), 0);
    assert_int_equal(B.augment(e, 0, 4096), 0);
    f.fail_at = f.calls + 1;
    f.fail_with = -EFAULT;
    assert_int_equal(B.modify_types(e, 0, 4096, SGX_PT_TRIM, NULL), -EFAULT);
    B.destroy(e);
}

static void test_init_tells_refusals_apart(void **state)
{
    static const struct {
        int driver;
        int returned;
        const char *says;
    } cases[] = {
        {0, 0, NULL},
        {-EPERM, -EPERM, "refused the SIGSTRUCT"},
        {-EACCES, -EACCES, "refused the SIGSTRUCT"},
        {4, -EACCES, "SGX error 4"},
        {-ENOMEM, -ENOMEM, "EINIT"},
        {-EINTR, -EINTR, "EINIT"}, /* for ever */
    };
    const struct sgx_sigstruct sigstruct = {};

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_error_ struct error *err = NULL;
        struct sgx_enclave *e;

        setup(state);
        e = created();
        f.init_result = cases[i].driver;
        assert_int_equal(B.init(e, &sigstruct, &err), cases[i].returned);
        if (cases[i].says != NULL) {
            assert_non_null(strstr(error_text(err), cases[i].says));
        }
        assert_int_equal(f.ioctls[3], 1); /* PROVISION, since the attribute asks for it */
        B.destroy(e);
        assert_int_equal(f.open_fds, 0);
    }
}

static void test_map_protects_within_the_enclave_only(void **state)
{
    struct sgx_secs low = secs;
    struct sgx_enclave *e = created();

    assert_int_equal(B.map(e, 0x2000, 0x1000, PROT_READ | PROT_EXEC, NULL), 0);
    assert_int_equal(f.protect_at, BASE + 0x2000);
    assert_int_equal(f.protect_prot, PROT_READ | PROT_EXEC);
    assert_int_equal(B.map(e, SIZE, 0x1000, PROT_READ, NULL), -EINVAL);
    B.destroy(e);
    low.base = 0;
    f.secs.size = 0; /* another enclave */
    assert_int_equal(B.create(&low, &e, NULL), 0);
    assert_int_equal(B.map(e, 0x1000, 0x1000, PROT_READ, NULL), -EINVAL);
    assert_int_equal(B.map(e, 0x10000, 0x1000, PROT_READ, NULL), 0);
    B.destroy(e);
}

/* The whole life of an enclave with the n-th call failing, for all n. */
static int whole_life(struct error **err)
{
    const struct sgx_sigstruct sigstruct = {};
    struct sgx_enclave *e;
    int r = B.create(&secs, &e, err);

    if (r < 0) {
        return r;
    }
    r = B.add_pages(e, 0x1000, pages, sizeof(pages), SGX_SECINFO_REG | SGX_SECINFO_R, true, err);
    if (r == 0) {
        r = B.map(e, 0x1000, sizeof(pages), PROT_READ, err);
    }
    if (r == 0) {
        r = B.init(e, &sigstruct, err);
    }
    if (r == 0) {
        r = B.thread_attach(e, err);
    }
    B.destroy(e);
    return r;
}

static void test_each_call_failing_is_reported_and_leaves_nothing(void **state)
{
    unsigned total;

    assert_int_equal(whole_life(NULL), 0);
    total = f.calls;
    assert_true(total >= 8);
    for (unsigned n = 1; n <= total; n++) {
        _cleanup_error_ struct error *err = NULL;

        setup(state);
        f.fail_at = n;
        f.fail_with = -EIO;
        assert_int_equal(whole_life(&err), -EIO);
        assert_non_null(err);
        assert_int_equal(f.open_fds, 0);
        assert_int_equal(f.mappings, 0);
    }
}

static void test_is_at_aep_wants_the_enclu_and_eresume(void **state)
{
    ucontext_t uc = {};
    greg_t *g = uc.uc_mcontext.gregs;
    struct sgx_enclave *e = created();

    g[REG_RIP] = (greg_t)(f.vdso.code + SMALL_VDSO_ENCLU_AT);
    g[REG_RAX] = ENCLU_ERESUME;
    assert_false(B.is_at_aep(&uc)); /* nobody has entered yet */
    assert_int_equal(B.thread_attach(e, NULL), 0);
    assert_true(B.is_at_aep(&uc));
    assert_true(B.enter_function(e) == (vdso_sgx_enter_enclave_t)(uintptr_t)f.vdso.code);
    g[REG_RAX] = ENCLU_EENTER;
    assert_false(B.is_at_aep(&uc));
    g[REG_RAX] = ENCLU_ERESUME;
    g[REG_RIP]++;
    assert_false(B.is_at_aep(&uc));
    g[REG_RIP] = (greg_t)f.vdso.code - 64;
    assert_false(B.is_at_aep(&uc));
    B.destroy(e);
}

static void test_quote_through_aesm(void **state)
{
    struct sgx_targetinfo target;
    struct sgx_report report = {};
    _cleanup_free_ uint8_t *quote = NULL;
    size_t size;

    assert_int_equal(B.quote_target(&target, NULL), 0);
    assert_int_equal(((uint8_t *)&target)[511], 0x77);
    assert_int_equal(B.quote(&report, &quote, &size, NULL), 0);
    assert_int_equal(size, 999);
    assert_int_equal(quote[998], 0x51);
}

static void test_quote_bad_answers_are_refused(void **state)
{
    static const struct {
        const char *mode;
        bool quote;
        const char *says;
    } cases[] = {
        {"refuse", false, "its error 21"},    {"many", false, "offers 1000"},
        {"epid", false, "no ECDSA"},          {"short", false, "target info is not 512"},
        {"garbage", false, "cannot be read"}, {"long", true, "1001 bytes, up to 1000"},
    };
    struct sgx_report report = {};

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_error_ struct error *err = NULL;
        struct sgx_targetinfo target;
        uint8_t *quote;
        size_t size;
        int r;

        setup(state);
        f.aesm_mode = cases[i].mode;
        r = cases[i].quote ? B.quote(&report, &quote, &size, &err) : B.quote_target(&target, &err);
        assert_true(r < 0);
        if (strstr(error_text(err), cases[i].says) == NULL) {
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].mode, error_text(err),
                     cases[i].says);
        }
    }
}

static void test_quote_each_exchange_failing_is_reported(void **state)
{
    struct sgx_report report = {};

    for (unsigned n = 1; n <= 4; n++) {
        _cleanup_error_ struct error *err = NULL;
        uint8_t *quote;
        size_t size;

        setup(state);
        f.fail_at = n;
        f.fail_with = -ECONNREFUSED;
        assert_int_equal(B.quote(&report, &quote, &size, &err), -ECONNREFUSED);
        assert_non_null(strstr(error_text(err), "aesmd"));
    }
}

static void test_hw_mode_never_falls_back(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    const struct sgx_backend *b = NULL;

    assert_int_equal(loader_backend_for(LOADER_MODE_HW, &b, &err), 0);
    assert_ptr_equal(b, &sgx_backend_kernel);
    assert_int_equal(loader_backend_for(LOADER_MODE_AUTO, &b, &err), 0);
    assert_ptr_equal(b, &sgx_backend_kernel);
    f.no_device = true;
    assert_int_equal(loader_backend_for(LOADER_MODE_HW, &b, &err), -ENOENT);
    assert_non_null(strstr(error_text(err), "never falls back"));
    assert_int_equal(loader_backend_for(LOADER_MODE_AUTO, &b, &err), 0);
    assert_string_equal(b->name, "soft");
}

static void expect_mode(const char *nacre, const char *scone, int r, enum loader_mode expected)
{
    _cleanup_error_ struct error *err = NULL;
    enum loader_mode mode = LOADER_MODE_AUTO;

    (void)(nacre != NULL ? setenv("NACRE_MODE", nacre, 1) : unsetenv("NACRE_MODE"));
    (void)(scone != NULL ? setenv("SCONE_MODE", scone, 1) : unsetenv("SCONE_MODE"));
    assert_int_equal(loader_mode_from_env(&mode, &err), r);
    if (r == 0) {
        assert_int_equal(mode, expected);
    } else {
        assert_non_null(strstr(error_text(err), nacre != NULL ? nacre : scone));
    }
}

static void test_mode_words(void **state)
{
    expect_mode(NULL, NULL, 0, LOADER_MODE_AUTO);
    expect_mode("", "", 0, LOADER_MODE_AUTO);
    expect_mode("hw", NULL, 0, LOADER_MODE_HW);
    expect_mode("soft", "hw", 0, LOADER_MODE_SOFT);
    expect_mode("auto", "sim", 0, LOADER_MODE_AUTO);
    expect_mode(NULL, "sim", 0, LOADER_MODE_SOFT);
    expect_mode(NULL, "SIM", 0, LOADER_MODE_SOFT);
    expect_mode(NULL, "HW", 0, LOADER_MODE_HW);
    expect_mode("sim", NULL, -EINVAL, 0);
    expect_mode("HW", NULL, -EINVAL, 0);
    expect_mode(NULL, "soft", -EINVAL, 0);
    unsetenv("NACRE_MODE");
    unsetenv("SCONE_MODE");
}

int main(void)
{
#define T(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_probe_names_what_is_missing),
        T(test_create_passes_only_what_the_builder_may_choose),
        T(test_create_bad_size_or_base_is_refused),
        T(test_add_pages_goes_on_where_the_driver_stopped),
        T(test_add_pages_bad_ranges_never_reach_the_driver),
        T(test_range_a_driver_that_claims_too_much_or_sticks_is_an_error),
        T(test_range_without_progress_ends),
        T(test_edmm_reports_the_leafs_result),
        T(test_init_tells_refusals_apart),
        T(test_map_protects_within_the_enclave_only),
        T(test_each_call_failing_is_reported_and_leaves_nothing),
        T(test_is_at_aep_wants_the_enclu_and_eresume),
        T(test_quote_through_aesm),
        T(test_quote_bad_answers_are_refused),
        T(test_quote_each_exchange_failing_is_reported),
        T(test_hw_mode_never_falls_back),
        T(test_mode_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
