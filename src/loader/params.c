/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/run_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where the payload goes while the block is being written. */
struct writer {
    uint8_t *block;
    size_t size; /* used so far */
    int error;
};

static struct boot_strings put_strings(struct writer *w, const char *const *strings, size_t count)
{
    struct boot_strings ret = {.offset = (uint32_t)w->size, .count = (uint32_t)count};

    if (count > BOOT_STRINGS_MAX) {
        w->error = -E2BIG;
        return (struct boot_strings){};
    }
    for (size_t i = 0; i < count; i++) {
        const size_t size = strlen(strings[i]) + 1;

        if (size > BOOT_PARAMS_MAX - w->size) {
            w->error = -E2BIG;
            return (struct boot_strings){};
        }
        memcpy(w->block + w->size, strings[i], size);
        w->size += size;
    }
    ret.size = (uint32_t)w->size - ret.offset;
    return ret;
}

static struct boot_strings put_list(struct writer *w, const char *const *list)
{
    size_t count = 0;

    while (list != NULL && list[count] != NULL) {
        count++;
    }
    return put_strings(w, list, count);
}

static struct boot_strings put_one(struct writer *w, const char *s)
{
    return put_strings(w, &s, s != NULL ? 1 : 0);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts = {};

    (void)clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int params_make(const struct loader_options *options, struct boot_params **ret, struct error **err)
{
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct boot_params *p = mmap(NULL, BOOT_PARAMS_MAX, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct writer w = {.size = sizeof(*p)};

    if (p == MAP_FAILED) {
        return error_set_errno(err, errno, "allocating launch parameters");
    }
    w.block = (uint8_t *)p;
    *p = (struct boot_params){
        .magic = BOOT_PARAMS_MAGIC,
        .version = BOOT_PARAMS_VERSION,
        .header_size = sizeof(*p),
        .flags = options->flags,
        .memory_limit = options->memory_limit,
        .thread_max = options->thread_max,
        .log_level = options->log_level,
        .realtime_ns = clock_ns(CLOCK_REALTIME),
        .monotonic_ns = clock_ns(CLOCK_MONOTONIC),
        .pid = (uint32_t)getpid(),
        .uid = getuid(),
        .gid = getgid(),
        .cpu_count = cpus > 0 ? (uint32_t)cpus : 1,
        .image_fd = -1,
    };
    p->argv = put_list(&w, options->argv);
    p->envp = put_list(&w, options->envp);
    p->cwd = put_one(&w, options->cwd);
    p->hostname = put_one(&w, options->hostname);
    p->image = put_one(&w, options->image_path);
    p->options = put_list(&w, options->options);
    p->size = w.size;
    if (w.error < 0) {
        params_free(p);
        return error_set(err, E2BIG,
                         "arguments and environment are more than %zu KiB or %u strings",
                         BOOT_PARAMS_MAX >> 10, BOOT_STRINGS_MAX);
    }
    *ret = p;
    return 0;
}

void params_free(struct boot_params *p)
{
    if (p != NULL) {
        (void)munmap(p, BOOT_PARAMS_MAX);
    }
}
