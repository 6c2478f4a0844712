/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/state_dir.h"
#include "loader/machine.h"

/* What of this machine's state makes its software processor. A container that does not get it makes
 * a processor of its own, whose root no policy names. */
#define SOFT_STATE      "softsgx"
#define CONTAINER_STATE "/var/lib/nacre"

static int soft_volume(char **ret, struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    int r = state_dir_make(SOFT_STATE, &dir, err);

    if (r == 0 && asprintf(ret, "%s:" CONTAINER_STATE "/" SOFT_STATE, dir) < 0) {
        *ret = NULL;
        r = error_set_errno(err, ENOMEM, "looking for devices");
    }
    return r;
}

static void print_json(const char *dev, const char *const *names, size_t count, const char *volume)
{
    printf("{\"mode\": \"%s\", \"devices\": [", count > 0 ? "hw" : "soft");
    for (size_t i = 0; i < count; i++) {
        printf("%s\"%s/%s\"", i > 0 ? ", " : "", dev, names[i]);
    }
    printf(volume == NULL ? "], \"volumes\": []}\n" : "], \"volumes\": [\"%s\"]}\n", volume);
}

static void print_words(const char *dev, const char *const *names, size_t count, const char *volume)
{
    for (size_t i = 0; i < count; i++) {
        printf("%s--device=%s/%s", i > 0 ? " " : "", dev, names[i]);
    }
    if (volume != NULL) {
        printf("--volume=%s", volume);
    }
    printf("\n");
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
        .summary = "Print the docker options that give a container this machine's SGX.",
        .options = options,
        .examples = "  docker run --rm $(nacre device) IMAGE\n",
        .notes =
            "Looks for /dev/sgx_enclave (and /dev/sgx_provision), then /dev/sgx/enclave, then\n"
            "/dev/isgx. Where there is none it prints a volume with the keys of this machine's "
            "software\n"
            "processor, and says on standard error that containers run in software mode.",
    };
    const char *names[MACHINE_DEVICES_MAX];
    _cleanup_free_ char *volume = NULL;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    count = machine_devices(dev, names);
    if (count == 0) {
        fprintf(stderr, "nacre device: no SGX device found: enclaves will run in software mode, "
                        "without isolation from the host\n");
        r = soft_volume(&volume, err);
    } else if (strcmp(names[0], "isgx") == 0) {
        fprintf(stderr, "nacre device: /dev/isgx belongs to a driver without launch control; "
                        "nacre's hardware mode needs the kernel's own (/dev/sgx_enclave)\n");
    }
    if (r == 0) {
        (json ? print_json : print_words)(dev, names, count, volume);
    }
    return r < 0 ? CLI_FAILED : CLI_OK;
}
