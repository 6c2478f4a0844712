/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/convert_args.h"
#include "convert/session.h"

static int check(const struct convert_args *a, struct error **err)
{
    if (a->from == NULL || a->to == NULL) {
        return error_set(err, EINVAL, "--%s is missing", a->from == NULL ? "from" : "to");
    }
    if (a->compress != NULL && strcmp(a->compress, "none") != 0) {
        return error_set(err, ENOTSUP,
                         "--compress %.20s: nothing is compressed inside the seal, because first "
                         "reads would take about three times as long; only 'none' is possible",
                         a->compress);
    }
    if ((a->signature != NULL) != (a->public_key != NULL)) {
        return error_set(err, EINVAL, "--signature and --public-key go together");
    }
    if ((a->signature != NULL) + (a->sign_dump != NULL) + (a->sign_key != NULL) > 1) {
        return error_set(err, EINVAL, "give one of --sign-key, --sign-dump and --signature");
    }
    if ((a->signature != NULL || a->sign_dump != NULL) && a->master == NULL) {
        return error_set(err, EINVAL,
                         "signing elsewhere needs --master-key: only then do both runs of the "
                         "conversion give the same measurement");
    }
    return 0;
}

int cmd_convert(int argc, char **argv, struct error **err)
{
    static struct convert_args a; /* large */
    const struct arg_option options[] = {
        {"from", 'f', ARG_STRING, "IMAGE", "the image to convert", &a.from},
        {"to", 't', ARG_STRING, "IMAGE", "the image to make", &a.to},
        {"name", 'n', ARG_STRING, "NAME", "session name (default: after the image)", &a.name},
        {"namespace", 0, ARG_STRING, "NS", "its namespace (default: a random one)", &a.namespace},
        {"create-namespace", 0, ARG_FLAG, NULL, "create that namespace on CAS first",
         &a.create_namespace},
        {"service-name", 0, ARG_STRING, "NAME", "service in the session (default: service)",
         &a.service_name},
        {"command", 'c', ARG_STRING, "LINE", "instead of ENTRYPOINT and CMD", &a.command},
        {"env", 'e', ARG_LIST, "K=V", "environment besides the image's", &a.env},
        {"binary", 0, ARG_STRING, "PATH", "a program that must be in the image", &a.binary},
        {"dir", 0, ARG_LIST, "DIR",
         "seal only these directories, and the program with its libraries", &a.dirs},
        {"plain", 0, ARG_LIST, "DIR", "leave this directory out of the seal: unprotected",
         &a.plain},
        {"cas", 0, ARG_STRING, "ADDR", "CAS that gets the session ($NACRE_CAS is not asked)",
         &a.cas},
        {"cas-pin", 0, ARG_STRING, "KEY", "the only CAS the enclave talks to ($NACRE_CAS_PIN)",
         &a.cas_pin},
        {"cas-cacert", 0, ARG_STRING, "FILE", "or its certificate ($NACRE_CAS_CACERT)",
         &a.cas_cacert},
        {"run-cas", 0, ARG_STRING, "HOST[:PORT]",
         "where the image looks for its CAS (default: the host of --cas)", &a.run_cas},
        {"identity", 0, ARG_STRING, "FILE", "your key and certificate for CAS ($NACRE_IDENTITY)",
         &a.identity},
        {"no-update", 0, ARG_FLAG, NULL, "fail when CAS has a session of that name", &a.no_update},
        {"template", 0, ARG_STRING, "FILE", "session template (default: --print-template)",
         &a.template_path},
        {"var", 0, ARG_LIST, "NAME=VALUE", "a template variable (default: the environment)",
         &a.vars},
        {"print-template", 0, ARG_FLAG, NULL, "print the built-in template, and do nothing else",
         &a.print_template},
        {"session-out", 's', ARG_STRING, "FILE",
         "where the session goes, mode 0600 (default without --cas: NAME.session.yml)",
         &a.session_out},
        {"force", 0, ARG_FLAG, NULL, "replace an existing session file (kept as FILE.old)",
         &a.force},
        {"allow-softsgx", 0, ARG_FLAG, NULL,
         "policy accepts this machine's software processor: no protection", &a.allow_softsgx},
        {"software-root", 0, ARG_STRING, "FILE", "or the one this root certificate is of",
         &a.software_root},
        {"allow-debug", 0, ARG_FLAG, NULL, "policy accepts debug enclaves: no protection",
         &a.allow_debug},
        {"sign-key", 0, ARG_STRING, "FILE", "key that signs (default: yours, made on first use)",
         &a.sign_key},
        {"passphrase-file", 0, ARG_STRING, "FILE", "its passphrase", &a.passphrase_file},
        {"sign-dump", 0, ARG_STRING, "FILE", "only write what is to be signed elsewhere",
         &a.sign_dump},
        {"signature", 0, ARG_STRING, "FILE", "complete with a signature made elsewhere",
         &a.signature},
        {"public-key", 0, ARG_STRING, "FILE", "the key it verifies under", &a.public_key},
        {"allow-env", 0, ARG_LIST, "NAME", "a variable the host may set", &a.allow_env},
        {"host-path", 0, ARG_LIST, "PATH[:rw]", "a path the host serves, unprotected",
         &a.host_path},
        {"master-key", 0, ARG_STRING, "FILE", "same key and inputs, same bits; default: random",
         &a.master},
        {"salt", 0, ARG_STRING, "HEX", "32 bytes; default: from the master key, or random",
         &a.salt},
        {"max-size", 0, ARG_U64, "BYTES", "refuse images that unpack to more; default 512G",
         &a.max_size},
        {"compress", 0, ARG_STRING, "none",
         "inside the seal nothing is compressed (docs/convert.md)", &a.compress},
        {"loader", 0, ARG_STRING, "FILE", "nacre-loader to put in (default: the installed one)",
         &a.loader},
        {"libos", 0, ARG_STRING, "FILE", "enclave to put in (default: the installed one)",
         &a.libos},
        {"agent", 0, ARG_STRING, "FILE", "agent to put in (default: the installed one)", &a.agent},
        {"json", 0, ARG_FLAG, NULL, "print JSON instead of the session's name", &a.json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre convert",
        .synopsis = "--from IMAGE --to IMAGE [OPTIONS]",
        .summary = "Turn a container image into a confidential one: sealed, measured, signed.",
        .options = options,
        .examples =
            "  nacre convert --from docker://docker.io/library/nginx:1.25 --to oci:nginx-sealed "
            "\\\n"
            "      --cas-pin 4kv6pm...\n"
            "  nacre convert --from docker-daemon:app:1 --to docker-daemon:app-sealed:1 \\\n"
            "      --namespace shop --name app --cas cas.example.org --cas-pin 4kv6pm...\n"
            "  SECRETS=$(cat secrets.yml) INJECTED_FILES=$(cat files.yml) \\\n"
            "      nacre convert --from oci:app --to oci:app-sealed --session-out app.yml\n",
        .notes =
            "Images: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG]; "
            "through\n"
            "skopeo docker://NAME, docker-daemon:NAME:TAG, containers-storage:NAME.\n"
            "Standard output is the session's name, NAMESPACE/SESSION, and nothing else. The\n"
            "session holds the sealing key: it goes to CAS (--cas), or into a file of mode 0600.\n"
            "$SECRETS and $INJECTED_FILES are pieces of it. SOURCE_DATE_EPOCH sets the dates.\n"
            "Neither root, SGX nor a container engine is needed. docs/convert.md says more.",
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (a.print_template) {
        printf("%s", session_template);
        return CLI_OK;
    }
    if (check(&a, err) < 0) {
        return CLI_USAGE;
    }
    return convert_run("nacre convert", &a, err);
}
