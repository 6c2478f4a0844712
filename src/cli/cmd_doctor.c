/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <jansson.h>
#include <stdio.h>

#include "loader/loader.h"
#include "loader/machine.h"

#define KERNEL_HONESTY                                                                 \
    "the hardware (kernel) backend has not yet been run on hardware by anyone; it is " \
    "tested against fakes of the driver"

static const char *const group_names[MACHINE_GROUPS_] = {
    [MACHINE_PROCESSOR] = "processor",
    [MACHINE_KERNEL] = "kernel",
    [MACHINE_MEMORY] = "memory",
    [MACHINE_ATTESTATION] = "attestation",
};
static const char *const state_names[] = {
    [MACHINE_YES] = "yes",
    [MACHINE_NO] = "no",
    [MACHINE_INFO] = "info",
};

/* What NACRE_MODE=hw and soft would do here; the reasons are empty when they would run. */
struct verdict {
    bool hw;
    bool soft;
    struct error *hw_reason;
    struct error *soft_reason;
};

static void verdict_free(struct verdict *v)
{
    v->hw_reason = error_free(v->hw_reason);
    v->soft_reason = error_free(v->soft_reason);
}

static struct verdict judge(void)
{
    const struct sgx_backend *b;
    struct verdict v = {};

    v.hw = loader_backend_for(LOADER_MODE_HW, &b, &v.hw_reason) == 0;
    v.soft = loader_backend_for(LOADER_MODE_SOFT, &b, &v.soft_reason) == 0;
    return v;
}

static const char *would_run(const struct verdict *v)
{
    return v->hw ? "hw" : v->soft ? "soft" : "nothing";
}

static int print_json(const struct machine_fact *facts, size_t count, const struct verdict *v,
                      struct error **err)
{
    json_t *root = json_object();
    json_t *list = json_array();
    int r;

    for (size_t i = 0; i < count; i++) {
        json_t *fact = json_pack("{s:s, s:s, s:s, s:s, s:s?}", "id", facts[i].id, "group",
                                 group_names[facts[i].group], "state", state_names[facts[i].state],
                                 "value", facts[i].value, "advice", facts[i].advice);

        (void)json_array_append_new(list, fact);
    }
    (void)json_object_set_new(root, "facts", list);
    (void)json_object_set_new(root, "modes",
                              json_pack("{s:{s:b, s:s?}, s:{s:b, s:s?}}", "hw", "runs", v->hw,
                                        "reason", v->hw ? NULL : error_text(v->hw_reason), "soft",
                                        "runs", v->soft, "reason",
                                        v->soft ? NULL : error_text(v->soft_reason)));
    (void)json_object_set_new(root, "would_run", json_string(would_run(v)));
    (void)json_object_set_new(root, "isolation", json_boolean(v->hw));
    (void)json_object_set_new(root, "note", json_string(KERNEL_HONESTY));
    r = json_dumpf(root, stdout, JSON_INDENT(2));
    json_decref(root);
    if (r != 0) {
        return error_set(err, ENOMEM, "cannot print JSON");
    }
    printf("\n");
    return 0;
}

static void print_text(const struct machine_fact *facts, size_t count, const struct verdict *v)
{
    static const char *const marks[] = {
        [MACHINE_YES] = "+", [MACHINE_NO] = "-", [MACHINE_INFO] = " "};
    int group = -1;

    for (size_t i = 0; i < count; i++) {
        if ((int)facts[i].group != group) {
            group = (int)facts[i].group;
            printf("%s%s\n", i > 0 ? "\n" : "", group_names[group]);
        }
        printf("  %s %-42s %s\n", marks[facts[i].state], facts[i].label, facts[i].value);
        if (facts[i].advice != NULL) {
            printf("      %s\n", facts[i].advice);
        }
    }
    printf("\nwhat would run here\n");
    printf("  %s NACRE_MODE=hw    %s\n", v->hw ? "+" : "-",
           v->hw ? "enclaves run on SGX hardware" : error_text(v->hw_reason));
    printf("  %s NACRE_MODE=soft  %s\n", v->soft ? "+" : "-",
           v->soft ? "enclaves run in software, with no isolation from the host"
                   : error_text(v->soft_reason));
    printf("    NACRE_MODE=auto  %s\n", would_run(v));
    printf("\nNote: %s.\n", KERNEL_HONESTY);
}

int cmd_doctor(int argc, char **argv, struct error **err)
{
    bool json = false;
    const struct arg_option options[] = {
        {"json", 0, ARG_FLAG, NULL, "print JSON", &json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre doctor",
        .synopsis = "[OPTIONS]",
        .summary = "Say what this machine has for enclaves, and what would run.",
        .options = options,
        .examples = "  nacre doctor\n"
                    "  nacre doctor --json | jq -r .would_run\n",
        .notes =
            "Exits 0 when enclaves can run in some mode, 4 when they cannot. '+' is there, '-'\n"
            "is missing with the line below saying what for; much of '-' matters to hardware\n"
            "mode only.",
    };
    struct machine_fact facts[MACHINE_FACTS_MAX];
    _cleanup_(verdict_free) struct verdict v = {};
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    count = machine_facts(facts);
    v = judge();
    if (json) {
        if (print_json(facts, count, &v, err) < 0) {
            return CLI_FAILED;
        }
    } else {
        print_text(facts, count, &v);
    }
    return v.hw || v.soft ? CLI_OK : CLI_UNSUPPORTED;
}
