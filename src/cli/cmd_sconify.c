/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* sconify_image: the command line of SCONE's converter, over nacre's conversion. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/convert_args.h"

#define PROGRAM "sconify_image"

enum what { NOTED, REFUSED };

static const struct {
    const char *name;
    enum arg_kind kind;
    enum what what;
    const char *text;
} foreign[] = {
#define X(name, kind, what, text) {name, ARG_##kind, what, text},
#include "cli/sconify.tbl.h"
#undef X
};

#define FOREIGN_COUNT ARRAY_COUNT(foreign)

/* Where the values of foreign options go: that one was given is all that counts. */
struct foreign_values {
    bool flags[FOREIGN_COUNT];
    const char *strings[FOREIGN_COUNT];
    struct arg_list lists[FOREIGN_COUNT];
};

struct more_args {
    const char *sign; /* an older name of scone-signer */
    struct arg_list plain_files;
    bool no_upload;
};

static void add_foreign(struct arg_option *dst, struct foreign_values *v)
{
    for (size_t i = 0; i < FOREIGN_COUNT; i++) {
        void *dest = foreign[i].kind == ARG_FLAG   ? (void *)&v->flags[i]
                     : foreign[i].kind == ARG_LIST ? (void *)&v->lists[i]
                                                   : (void *)&v->strings[i];
        const char letter = strcmp(foreign[i].name, "verbose") == 0 ? 'v'
                            : strcmp(foreign[i].name, "debug") == 0 ? 'x'
                                                                    : '\0';

        dst[i] = (struct arg_option){.name = foreign[i].name,
                                     .letter = letter,
                                     .kind = foreign[i].kind,
                                     .value = foreign[i].kind == ARG_FLAG ? NULL : "VALUE",
                                     .help = foreign[i].text != NULL ? foreign[i].text : "ignored",
                                     .dest = dest,
                                     .hidden = true};
    }
    dst[FOREIGN_COUNT] = (struct arg_option){0};
}

static int judge_foreign(const struct foreign_values *v, struct error **err)
{
    for (size_t i = 0; i < FOREIGN_COUNT; i++) {
        if (!v->flags[i] && v->strings[i] == NULL && v->lists[i].count == 0) {
            continue;
        }
        if (foreign[i].what == REFUSED) {
            return error_set(err, ENOTSUP, "--%s: %s", foreign[i].name, foreign[i].text);
        }
        if (foreign[i].text != NULL) {
            fprintf(stderr, PROGRAM ": note: --%s has no meaning here: %s\n", foreign[i].name,
                    foreign[i].text);
        }
    }
    return 0;
}

static int settle(struct convert_args *a, const struct more_args *m, struct error **err)
{
    if (a->from == NULL || a->to == NULL || a->binary == NULL) {
        return error_set(err, EINVAL, "--%s= is missing",
                         a->from == NULL ? "from"
                         : a->to == NULL ? "to"
                                         : "binary");
    }
    for (size_t i = 0; i < m->plain_files.count; i++) {
        if (a->plain.count == ARG_LIST_MAX) {
            return error_set(err, EINVAL, "too many --plain and --plain-file");
        }
        a->plain.values[a->plain.count++] = m->plain_files.values[i];
    }
    if (a->dirs.count > 0 && a->plain.count > 0) {
        fprintf(stderr, PROGRAM ": note: with --dir all else is unprotected already; --plain takes "
                                "directories out of those of --dir\n");
    }
    a->sign_key = a->sign_key != NULL ? a->sign_key : m->sign;
    if (m->no_upload && a->cas != NULL) {
        a->later_cas = a->cas;
        a->cas = NULL;
    }
    a->scone_names = true;
    return 0;
}

int cmd_sconify(int argc, char **argv, struct error **err)
{
    static struct convert_args a; /* large */
    static struct foreign_values v;
    static struct more_args m;
    const struct arg_option own[] = {
        {"from", 0, ARG_STRING, "IMAGE", "native image (required)", &a.from},
        {"to", 0, ARG_STRING, "IMAGE", "confidential image to make (required)", &a.to},
        {"binary", 0, ARG_STRING, "PATH", "program that will run (required)", &a.binary},
        {"name", 0, ARG_STRING, "NAME", "session (default: after --to)", &a.name},
        {"namespace", 0, ARG_STRING, "NS", "namespace (default: a random one)", &a.namespace},
        {"create-namespace", 0, ARG_FLAG, NULL, "create the namespace first", &a.create_namespace},
        {"service-name", 0, ARG_STRING, "NAME", "service (default: service)", &a.service_name},
        {"command", 0, ARG_STRING, "LINE", "command (default: ENTRYPOINT and CMD)", &a.command},
        {"env", 0, ARG_LIST, "K=V", "environment besides the image's", &a.env},
        {"dir", 0, ARG_LIST, "DIR", "encrypt this directory (default: everything)", &a.dirs},
        {"plain", 0, ARG_LIST, "DIR", "leave this directory unencrypted", &a.plain},
        {"plain-file", 0, ARG_LIST, "FILE", "leave this file unencrypted", &m.plain_files},
        {"host-path", 0, ARG_LIST, "PATH", "a path the host serves, unprotected", &a.host_path},
        {"cas", 0, ARG_STRING, "ADDR", "CAS that gets the session", &a.cas},
        {"cas-pin", 0, ARG_STRING, "KEY", "its key ($NACRE_CAS_PIN)", &a.cas_pin},
        {"cas-cacert", 0, ARG_STRING, "FILE", "or its certificate ($NACRE_CAS_CACERT)",
         &a.cas_cacert},
        {"identity", 0, ARG_STRING, "FILE", "your key and certificate for CAS", &a.identity},
        {"template", 0, ARG_STRING, "FILE", "session template", &a.template_path},
        {"session", 0, ARG_STRING, "FILE", "write the session here", &a.session_out},
        {"secrets", 0, ARG_STRING, "FILE", "piece of the session, instead of $SECRETS", &a.secrets},
        {"injectedfiles", 0, ARG_STRING, "FILE", "piece, instead of $INJECTED_FILES", &a.injected},
        {"disable-session-upload", 0, ARG_FLAG, NULL, "write the session, upload nothing",
         &m.no_upload},
        {"disable-update-session-if-exists", 0, ARG_FLAG, NULL, "fail when CAS has it already",
         &a.no_update},
        {"disable-session-security-attestation", 0, ARG_FLAG, NULL,
         "mode: none: anybody who reaches CAS gets the secrets", &a.no_attestation},
        {"allow-debug-mode", 0, ARG_FLAG, NULL, "accept debug enclaves", &a.allow_debug},
        {"allow-tcb-vulnerabilities", 0, ARG_FLAG, NULL, "accept platforms with known weaknesses",
         &a.allow_tcb},
        {"allow-softsgx", 0, ARG_FLAG, NULL, "accept this machine's software processor",
         &a.allow_softsgx},
        {"scone-signer", 0, ARG_STRING, "FILE", "key that signs the enclave", &a.sign_key},
        {"sign", 0, ARG_STRING, "FILE", "an older name of the same", &m.sign},
        {"force", 0, ARG_FLAG, NULL, "overwrite an existing session file", &a.force},
        {"loader", 0, ARG_STRING, "FILE", "nacre-loader to put in", &a.loader, true},
        {"libos", 0, ARG_STRING, "FILE", "enclave to put in", &a.libos, true},
        {"agent", 0, ARG_STRING, "FILE", "agent to put in", &a.agent, true},
    };
    struct arg_option options[ARRAY_COUNT(own) + FOREIGN_COUNT + 1];
    const struct arg_spec spec = {
        .verb = PROGRAM,
        .synopsis = "--from=IMAGE --to=IMAGE --binary=PATH [OPTIONS]",
        .summary = "Turn a container image into a confidential one, with SCONE's options.",
        .options = options,
        .examples =
            "  sconify_image --namespace=$NAMESPACE --name=flask --create-namespace \\\n"
            "      --from=native_flask_restapi_image --to=flask_restapi_image \\\n"
            "      --cas=cas.example.org --dir=/home --dir=/app --binary=/usr/bin/python3\n",
        .notes =
            "The same conversion as 'nacre convert', which has more options. Standard output is\n"
            "NAMESPACE/SESSION. Options of SCONE's tool that mean nothing here are accepted with "
            "a\n"
            "note; those that would change the result and cannot are refused by name.\n"
            "Images without a transport (oci:, docker-daemon: …) are the docker daemon's, or\n"
            "without one OCI layouts in the working directory. CAS must be known by its key\n"
            "(--cas-pin or NACRE_CAS_PIN).",
    };
    static char help[] = "--help";
    char *asked[] = {argv[0], help, NULL};
    size_t count;
    int r;

    memcpy(options, own, sizeof(own));
    add_foreign(options + ARRAY_COUNT(own), &v);
    r = argc < 2 ? args_parse(&spec, 2, asked, &count, err)
                 : args_parse(&spec, argc, argv, &count, err);
    if (r != 0) {
        return cli_args_exit(r);
    }
    if (judge_foreign(&v, err) < 0 || settle(&a, &m, err) < 0) {
        return CLI_USAGE;
    }
    return convert_run(PROGRAM, &a, err);
}
