/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdlib.h>
#include <string.h>

#include "loader/kernel_edge.h"
#include "loader/loader.h"
#include "softsgx/softsgx.h"

struct mode_word {
    const char *word;
    enum loader_mode mode;
};

static int mode_of(const char *name, const char *value, const struct mode_word *words, size_t count,
                   enum loader_mode *ret, struct error **err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(value, words[i].word) == 0) {
            *ret = words[i].mode;
            return 0;
        }
    }
    return error_set(err, EINVAL, "%s=%s: use auto, hw or %s", name, value, words[count - 1].word);
}

int loader_mode_from_env(enum loader_mode *ret, struct error **err)
{
    static const struct mode_word nacre[] = {
        {"auto", LOADER_MODE_AUTO}, {"hw", LOADER_MODE_HW}, {"soft", LOADER_MODE_SOFT}};
    static const struct mode_word scone[] = {{"auto", LOADER_MODE_AUTO}, {"AUTO", LOADER_MODE_AUTO},
                                             {"hw", LOADER_MODE_HW},     {"HW", LOADER_MODE_HW},
                                             {"SIM", LOADER_MODE_SOFT},  {"sim", LOADER_MODE_SOFT}};
    const char *value = getenv("NACRE_MODE");

    if (value != NULL && value[0] != '\0') {
        return mode_of("NACRE_MODE", value, nacre, ARRAY_COUNT(nacre), ret, err);
    }
    value = getenv("SCONE_MODE");
    if (value != NULL && value[0] != '\0') {
        return mode_of("SCONE_MODE", value, scone, ARRAY_COUNT(scone), ret, err);
    }
    *ret = LOADER_MODE_AUTO;
    return 0;
}

int loader_backend_for(enum loader_mode mode, const struct sgx_backend **ret, struct error **err)
{
    const struct sgx_backend *b = &sgx_backend_kernel;
    int r;

    if (mode == LOADER_MODE_SOFT) {
        b = &sgx_backend_soft;
    }
    r = b->probe(err);
    if (r < 0 && mode == LOADER_MODE_AUTO) {
        if (err != NULL) {
            *err = error_free(*err);
        }
        b = &sgx_backend_soft;
        r = b->probe(err);
    }
    if (r < 0) {
        error_wrap(err, "%s",
                   mode == LOADER_MODE_HW ? "hardware mode (it never falls back)"
                                          : "software mode");
        return r;
    }
    *ret = b;
    return 0;
}
