/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "loader/machine.h"

static void print_json(const char *dev, const char *const *names, size_t count)
{
    printf("{\"mode\": \"%s\", \"devices\": [", count > 0 ? "hw" : "soft");
    for (size_t i = 0; i < count; i++) {
        printf("%s\"%s/%s\"", i > 0 ? ", " : "", dev, names[i]);
    }
    printf("]}\n");
}

int cmd_device(int argc, char **argv, struct error **err)
{
    const char *dev = "/dev";
    bool json = false;
    const struct arg_option options[] = {
        {"json", 0, ARG_FLAG, NULL, "print JSON", &json},
        {"dev", 0, ARG_STRING, "DIR", "look here instead of /dev", &dev, .hidden = true},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre device",
        .synopsis = "[OPTIONS]",
        .summary = "Print the docker options that give a container this machine's SGX devices.",
        .options = options,
        .examples = "  docker run --rm $(nacre device) IMAGE\n",
        .notes =
            "Looks for /dev/sgx_enclave (and /dev/sgx_provision), then /dev/sgx/enclave, then\n"
            "/dev/isgx. Where there is none it prints nothing, says on standard error that\n"
            "containers run in software mode, and succeeds.",
    };
    const char *names[MACHINE_DEVICES_MAX];
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    count = machine_devices(dev, names);
    if (count == 0) {
        fprintf(stderr, "nacre device: no SGX device found: enclaves will run in software mode, "
                        "without isolation from the host\n");
    } else if (strcmp(names[0], "isgx") == 0) {
        fprintf(stderr, "nacre device: /dev/isgx belongs to a driver without launch control; "
                        "nacre's hardware mode needs the kernel's own (/dev/sgx_enclave)\n");
    }
    if (json) {
        print_json(dev, names, count);
        return CLI_OK;
    }
    for (size_t i = 0; i < count; i++) {
        printf("%s--device=%s/%s", i > 0 ? " " : "", dev, names[i]);
    }
    if (count > 0) {
        printf("\n");
    }
    return CLI_OK;
}
