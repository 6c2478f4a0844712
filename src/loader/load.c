/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loader/build.h"
#include "loader/run_internal.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

uint64_t loader_default_base(void)
{
#ifdef SANITIZED
    return LOADER_BASE_SANITIZED;
#else
    return 0;
#endif
}

/* XCR0: the state the operating system saves, and so the most an enclave may use. */
static uint64_t host_xfrm(void)
{
    uint32_t lo;
    uint32_t hi;

    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (((uint64_t)hi << 32) | lo) & ENCLAVE_XFRM_MAX;
}

/* SECS.ATTRIBUTES: what the SIGSTRUCT pins by its mask; the rest is ours to choose, and none of it
 * enters MRENCLAVE. A machine without AVX-512 must not ask for half of it (35.7.2.1). */
static struct sgx_attributes choose_attributes(const struct sgx_sigstruct *s, bool debug)
{
    struct sgx_attributes a = {.flags = s->attributes.flags & ~SGX_FLAGS_INIT, .xfrm = host_xfrm()};

    if ((a.xfrm & SGX_XFRM_AVX512) != SGX_XFRM_AVX512) {
        a.xfrm &= ~SGX_XFRM_AVX512;
    }
    a.xfrm = (a.xfrm & ~s->attribute_mask.xfrm) | (s->attributes.xfrm & s->attribute_mask.xfrm);
    a.flags |= SGX_FLAGS_MODE64BIT;
    if ((s->attribute_mask.flags & SGX_FLAGS_DEBUG) == 0) {
        a.flags = (a.flags & ~SGX_FLAGS_DEBUG) | (debug ? SGX_FLAGS_DEBUG : 0);
    }
    return a;
}

static int check_base(uint64_t base, struct error **err)
{
    if (base % ENCLAVE_SIZE != 0 || base >= 1ull << 47) {
        return error_set(err, EINVAL, "base 0x%jx is not a multiple of 1 TiB below 128 TiB",
                         (uintmax_t)base);
    }
    return 0;
}

int load_build(struct loader *l, struct error **err)
{
    const struct loader_image *image = &l->image;
    const struct sgx_attributes attributes = choose_attributes(&l->sigstruct, l->debug);
    struct elf_image elf;
    struct layout layout;
    int r = elf_image_parse(image->elf, image->elf_size, &elf, err);

    if (r == 0) {
        r = layout_make(&elf, image->manifest, image->manifest_size, &layout, err);
    }
    if (r < 0) {
        return error_wrap(err, "enclave image"), r;
    }
    l->ssa_frames = elf.config.ssa_frames;
    r = build_pages(l->backend, &layout, l->base, &attributes, l->sigstruct.miscselect, &l->enclave,
                    err);
    if (r == 0) {
        r = build_finish(l->backend, &layout, l->enclave, &l->sigstruct, err);
    }
    layout_free(&layout);
    if (r == 0) {
        l->enter = l->backend->enter_function(l->enclave);
    }
    return r;
}

int loader_load(const struct sgx_backend *backend, const struct loader_image *image,
                const struct sgx_sigstruct *sigstruct, const struct loader_options *options,
                struct loader **ret, struct error **err)
{
    struct loader *l;
    int r = check_base(options->base, err);

    if (r < 0) {
        return r;
    }
    if (backend->label != NULL && !options->quiet) {
        (void)dprintf(STDERR_FILENO, "nacre: %s\n", backend->label);
    }
    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return error_set_errno(err, ENOMEM, "loading the enclave");
    }
    l->backend = backend;
    l->base = options->base;
    l->image = *image;
    l->sigstruct = *sigstruct;
    l->debug = options->debug;
    l->thread_max = options->thread_max;
    l->log_fd = STDERR_FILENO;
    if (options->reports) {
        const int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

        l->log_fd = own < 0 ? STDERR_FILENO : own; /* closed already: nobody wants to read it */
    }
    (void)pthread_mutex_init(&l->lock, NULL);
    r = params_make(options, &l->params, err);
    if (r == 0) {
        r = load_build(l, err);
    }
    if (r == 0) {
        r = signals_install(backend, err);
    }
    if (r < 0) {
        loader_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

struct loader *loader_free(struct loader *l)
{
    if (l == NULL) {
        return NULL;
    }
    if (l->have_timer) {
        (void)timer_delete(l->timer);
    }
    if (l->enclave != NULL) {
        l->backend->destroy(l->enclave);
    }
    if (l->log_fd != STDERR_FILENO) {
        (void)close(l->log_fd);
    }
    threads_free_spare(l);
    params_free(l->params);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
    return NULL;
}
