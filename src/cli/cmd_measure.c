/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/hex.h"
#include "loader/loader.h"

#define ELF_MAX  ((size_t)256 << 20)
#define SGXS_MAX ((size_t)1 << 30)

static int measure_elf(const char *path, const char *manifest_path, struct loader_measurement *ret,
                       struct error **err)
{
    _cleanup_free_ uint8_t *elf = NULL;
    _cleanup_free_ uint8_t *manifest = NULL;
    struct loader_image image = {};
    int r = fs_read_file(path, ELF_MAX, &elf, &image.elf_size, err);

    if (r == 0 && manifest_path != NULL) {
        r = fs_read_file(manifest_path, ELF_MAX, &manifest, &image.manifest_size, err);
    }
    if (r < 0) {
        return r;
    }
    image.elf = elf;
    image.manifest = manifest;
    r = loader_measure(&image, ret, err);
    if (r < 0) {
        error_wrap(err, "%s", path);
    }
    return r;
}

static int measure_sgxs(const char *path, struct loader_measurement *ret, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r = fs_read_file(path, SGXS_MAX, &data, &size, err);

    if (r < 0) {
        return r;
    }
    r = loader_measure_sgxs(data, size, ret, err);
    if (r < 0) {
        error_wrap(err, "%s", path);
    }
    return r;
}

int cmd_measure(int argc, char **argv, struct error **err)
{
    const char *manifest = NULL;
    bool sgxs = false;
    bool json = false;
    const struct arg_option options[] = {
        {"manifest", 'm', ARG_STRING, "FILE", "manifest to measure with the enclave", &manifest},
        {"sgxs", 0, ARG_FLAG, NULL, "FILE is a stream of ECREATE/EADD/EEXTEND records", &sgxs},
        {"json", 0, ARG_FLAG, NULL, "print JSON with sizes", &json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre measure",
        .synopsis = "[OPTIONS] FILE",
        .summary = "Print the MRENCLAVE of an enclave, computed without SGX.",
        .options = options,
        .examples = "  nacre measure enclave.elf\n"
                    "  nacre measure --manifest app.manifest enclave.elf\n"
                    "  nacre measure --sgxs other-tool.sgxs --json\n",
        .notes =
            "The measurement depends on the enclave ELF and the manifest alone; base address,\n"
            "memory size, number of threads and log level are launch parameters.",
        .min_args = 1,
        .max_args = 1,
    };
    char hex[2 * LOADER_MEASUREMENT_SIZE + 1];
    struct loader_measurement m;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (sgxs && manifest != NULL) {
        error_set(err, EINVAL, "--manifest does not go with --sgxs: a stream is complete");
        return CLI_USAGE;
    }
    r = sgxs ? measure_sgxs(argv[0], &m, err) : measure_elf(argv[0], manifest, &m, err);
    if (r < 0) {
        return CLI_FAILED;
    }
    hex_encode(hex, m.mrenclave, sizeof(m.mrenclave));
    if (json) {
        printf("{\"mrenclave\": \"%s\", \"measured_bytes\": %ju, \"elrange_bytes\": %ju, "
               "\"ssa_frame_pages\": %u, \"threads\": %u}\n",
               hex, (uintmax_t)m.size, (uintmax_t)m.elrange, m.ssa_frame_pages, m.threads);
    } else {
        printf("%s\n", hex);
    }
    return CLI_OK;
}
