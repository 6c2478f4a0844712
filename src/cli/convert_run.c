/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* One conversion as the command lines ask for it: finds what they leave open. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/keyid.h"
#include "base/secret.h"
#include "cli/convert_args.h"
#include "cli/install.h"
#include "cli/print_json.h"
#include "cli/reference.h"
#include "cli/sealed_args.h"
#include "cli/signing_key.h"
#include "convert/convert.h"
#include "convert/session.h"
#include "core/hex.h"
#include "image/leftovers.h"
#include "policy/text.h"
#include "sign/key_file.h"
#include "sign/sigstruct.h"
#include "softsgx/root.h"

#define NAME_MAX_DERIVED 64u
#define PIECE_MAX        ((size_t)256 * 1024)

struct run {
    const char *program;
    struct convert_args *a;
    struct convert_options o;
    struct convert_store store;
    struct secret *master;
    struct evp_pkey_st *key;
    struct progress_line line;
    char *loader, *libos, *agent;
    char *secrets, *injected;
    char *security;
    char *run_cas;
    char *from, *to;
    uint8_t salt[SEALED_SALT_SIZE];
    uint8_t cas_key[32];
    char name[NAME_MAX_DERIVED + 1];
    char namespace[32];
    char full_name[POL_NAME_MAX + 1];
};

static void run_done(struct run *r)
{
    secret_freep(&r->master);
    crypto_key_freep(&r->key);
    convert_store_done(&r->store);
    free(r->loader);
    free(r->libos);
    free(r->agent);
    free(r->secrets);
    free(r->injected);
    free(r->security);
    free(r->run_cas);
    free(r->from);
    free(r->to);
}
#define _cleanup_run_ _cleanup_(run_done)

/* ---- names ---------------------------------------------------------------------------------- */

/* "docker://reg/team/app:1" → "app": the last part of the path, without a tag. */
static void derive_name(const char *to, char *dst, size_t size)
{
    const char *rest = strchr(to, ':');
    const char *slash;
    size_t n = 0;

    rest = rest == NULL ? to : rest + 1;
    if (rest[0] == '[' && strchr(rest, ']') != NULL) { /* containers-storage:[PLACE]NAME */
        rest = strchr(rest, ']') + 1;
    }
    rest += strspn(rest, "/");
    slash = strrchr(rest, '/');
    rest = slash == NULL || slash[1] == '\0' ? rest : slash + 1;
    for (; rest[n] != '\0' && rest[n] != ':' && rest[n] != '@' && n + 1 < size; n++) {
        const bool fine = (rest[n] >= 'a' && rest[n] <= 'z') ||
                          (rest[n] >= 'A' && rest[n] <= 'Z') ||
                          (rest[n] >= '0' && rest[n] <= '9') || strchr("._-~", rest[n]) != NULL;

        dst[n] = fine ? rest[n] : '-';
    }
    dst[n] = '\0';
    if (n == 0 || strcmp(dst, ".") == 0 || strcmp(dst, "..") == 0) {
        (void)snprintf(dst, size, "image");
    }
}

static int choose_names(struct run *r, struct error **err)
{
    uint8_t random[8];
    char hex[17];

    derive_name(r->to, r->name, sizeof(r->name));
    r->o.name = r->a->name != NULL ? r->a->name : r->name;
    r->o.namespace = r->a->namespace;
    if (strchr(r->o.name, '/') != NULL) {
        return error_set(err, EINVAL,
                         "--name '%.100s' holds a '/'; the part before it is the "
                         "--namespace",
                         r->o.name);
    }
    if (r->o.namespace == NULL) {
        if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
            return error_set_errno(err, errno, "reading random bytes");
        }
        hex_encode(hex, random, sizeof(random));
        (void)snprintf(r->namespace, sizeof(r->namespace), "NS-%s", hex);
        r->o.namespace = r->namespace;
        r->a->create_namespace = true; /* nobody else can have made it */
    }
    return session_full_name(r->o.namespace, r->o.name, r->full_name, sizeof(r->full_name), err);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static int pin_from_certificate(const char *path, uint8_t ret[static 32], struct error **err)
{
    _cleanup_free_ uint8_t *pem = NULL;
    struct keyid id;
    size_t size;
    int r = fs_read_file(path, KEYID_PEM_MAX, &pem, &size, err);

    if (r < 0) {
        return r;
    }
    r = keyid_from_certificate_pem((const char *)pem, size, &id);
    if (r < 0) {
        return error_set_errno(err, -r, "%s is not one PEM certificate", path);
    }
    memcpy(ret, id.spki_hash, 32);
    return 0;
}

static int parse_pin(const char *pin, uint8_t ret[static 32], struct error **err)
{
    uint8_t version = KEY_ID_VERSION_KEY;

    if (hex_decode(ret, 32, pin, strlen(pin)) == 0 ||
        (key_id_parse(pin, &version, ret) == 0 && version == KEY_ID_VERSION_KEY)) {
        return 0;
    }
    return error_set(
        err, EINVAL,
        "the pin must be the key that 'nacre cas serve' prints (or 64 hex digits), not "
        "'%.80s'",
        pin);
}

/* The key is measured: without it the enclave could not tell its CAS from any other. */
static int choose_cas_key(struct run *r, struct error **err)
{
    int e;

    if (r->a->cas_pin == NULL && r->a->cas_cacert == NULL) {
        r->a->cas_pin = getenv("NACRE_CAS_PIN");
        r->a->cas_cacert = r->a->cas_pin == NULL ? getenv("NACRE_CAS_CACERT") : NULL;
    }
    if (r->a->cas_pin != NULL) {
        e = parse_pin(r->a->cas_pin, r->cas_key, err);
    } else if (r->a->cas_cacert != NULL) {
        e = pin_from_certificate(r->a->cas_cacert, r->cas_key, err);
    } else {
        return error_set(err, EINVAL,
                         "which CAS may open the image? give --cas-pin KEY (as 'nacre cas serve' "
                         "prints it), or --cas-cacert FILE, or set NACRE_CAS_PIN");
    }
    r->o.cas_key = r->cas_key;
    return e;
}

/* The image asks another port of the same host: there the enclaves get their configuration. */
static int choose_run_cas(struct run *r, struct error **err)
{
    const char *host = r->a->cas != NULL ? r->a->cas : r->a->later_cas;
    const char *end;

    r->o.cas_address = r->a->run_cas;
    if (r->a->run_cas != NULL || host == NULL) {
        return 0;
    }
    host += strncmp(host, "https://", 8) == 0 ? 8 : 0;
    end = host[0] == '[' ? strchr(host, ']') : NULL;
    end = end != NULL ? end + 1 : host + strcspn(host, ":/");
    r->run_cas = strndup(host, (size_t)(end - host));
    r->o.cas_address = r->run_cas;
    return r->run_cas == NULL ? error_set_errno(err, ENOMEM, "starting") : 0;
}

static int choose_sign_key(struct run *r, struct error **err)
{
    _cleanup_secret_ struct secret *passphrase = NULL;
    int e;

    r->o.sign_dump = r->a->sign_dump;
    r->o.signature = r->a->signature;
    r->o.public_key = r->a->public_key;
    if (r->a->sign_dump != NULL || r->a->signature != NULL) {
        return 0;
    }
    if (r->a->sign_key == NULL) {
        return signing_key_default(&r->key, err);
    }
    e = key_file_passphrase(r->a->passphrase_file, &passphrase, err);
    e = e < 0 ? e : key_file_load(r->a->sign_key, passphrase, &r->key, err);
    if (e == 0 && key_file_is_exposed(r->a->sign_key)) {
        fprintf(stderr, "%s: warning: other users can read %s; 'chmod 600' it\n", r->program,
                r->a->sign_key);
    }
    return e;
}

static int choose_sealing(struct run *r, struct error **err)
{
    int e = 0;

    if (r->a->master != NULL) {
        e = sealed_read_key(r->a->master, &r->master, err);
        r->o.master = e == 0 ? r->master->data : NULL;
    }
    if (e == 0 && r->a->salt != NULL) {
        e = sealed_parse_hex32("--salt", r->a->salt, r->salt, err);
        r->o.salt = r->salt;
    }
    return e;
}

/* ---- dates ---------------------------------------------------------------------------------- */

static int choose_dates(struct run *r, struct error **err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t now = time(NULL);
    struct tm tm;
    uint64_t v;

    if (epoch != NULL) {
        if (args_parse_u64(epoch, &v) < 0 || v > 077777777777ull) {
            return error_set(err, EINVAL,
                             "SOURCE_DATE_EPOCH is no number of seconds up to 2242: "
                             "'%.40s'",
                             epoch);
        }
        now = (time_t)v;
        r->o.time = (int64_t)v;
    }
    if (gmtime_r(&now, &tm) == NULL ||
        sigstruct_date((unsigned)tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday,
                       &r->o.sign_date) < 0) {
        return error_set(err, EINVAL,
                         "the clock shows no date a SIGSTRUCT can hold; set "
                         "SOURCE_DATE_EPOCH");
    }
    return 0;
}

/* ---- the policy's security section ---------------------------------------------------------- */

static int software_root(struct run *r, char ret_hex[static 65], struct error **err)
{
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ char *path = NULL;
    struct soft_root_info info;
    uint8_t id[32];
    int e = 0;

    if (r->a->software_root == NULL) {
        e = soft_root_open(&root, err);
        if (e < 0) {
            return e;
        }
        soft_root_info(root, &info);
        if (asprintf(&path, "%s/root.pem", info.dir) < 0) {
            path = NULL;
            return error_set_errno(err, ENOMEM, "finding the software root");
        }
    }
    e = pin_from_certificate(path != NULL ? path : r->a->software_root, id, err);
    if (e == 0) {
        hex_encode(ret_hex, id, sizeof(id));
    }
    return e;
}

static int make_security(struct run *r, struct error **err)
{
    const struct convert_args *a = r->a;
    const bool software = a->allow_softsgx || a->software_root != NULL;
    char root[65] = "";
    const char *tolerate = a->allow_tcb ? "hyperthreading, insecure-igpu, outdated-tcb, "
                                          "software-hardening-needed, insecure-configuration"
                                        : "";
    int e = 0;

    if (!software && !a->allow_debug && !a->allow_tcb && !a->no_attestation) {
        return 0;
    }
    if (software) {
        e = software_root(r, root, err);
    }
    if (e == 0 &&
        asprintf(&r->security,
                 "security:\n  attestation:\n    mode: %s\n%s%s%s    tolerate: [%s%s%s]\n",
                 a->no_attestation ? "none"
                 : software        ? "software"
                                   : "hardware",
                 software ? "    software_roots: [" : "", root, software ? "]\n" : "",
                 a->allow_debug ? "debug-mode" : "", a->allow_debug && a->allow_tcb ? ", " : "",
                 tolerate) < 0) {
        r->security = NULL;
        e = error_set_errno(err, ENOMEM, "making the session");
    }
    r->o.security = r->security;
    return e;
}

/* ---- template variables --------------------------------------------------------------------- */

/* A piece is text, or the name of a file with the text. */
static int read_piece(const char *given, char **ret, struct error **err)
{
    uint8_t *data;
    size_t size;
    int e;

    if (given == NULL) {
        return 0;
    }
    if (strchr(given, '\n') == NULL && access(given, R_OK) == 0) {
        e = fs_read_file(given, PIECE_MAX, &data, &size, err);
        *ret = e == 0 ? (char *)data : NULL;
        return e;
    }
    *ret = strdup(given);
    return *ret == NULL ? error_set_errno(err, ENOMEM, "reading the session's pieces") : 0;
}

static const char *get_variable(void *ctx, const char *name, size_t len)
{
    const struct run *r = ctx;
    char word[129];

    for (size_t i = r->a->vars.count; i > 0; i--) {
        const char *v = r->a->vars.values[i - 1];

        if (strncmp(v, name, len) == 0 && v[len] == '=') {
            return v + len + 1;
        }
    }
    if (len >= sizeof(word)) {
        return NULL;
    }
    memcpy(word, name, len);
    word[len] = '\0';
    if (r->secrets != NULL && strcmp(word, "SECRETS") == 0) {
        return r->secrets;
    }
    if (r->injected != NULL && strcmp(word, "INJECTED_FILES") == 0) {
        return r->injected;
    }
    return getenv(word);
}

static int check_pairs(const struct arg_list *l, const char *option, struct error **err)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strchr(l->values[i], '=') == NULL || l->values[i][0] == '=') {
            return error_set(err, EINVAL, "--%s wants NAME=VALUE, not '%.100s'", option,
                             l->values[i]);
        }
    }
    return 0;
}

/* ---- what the user sees --------------------------------------------------------------------- */

static struct img_progress on_phase(void *ctx, const char *what, uint64_t total)
{
    struct run *r = ctx;

    if (what == NULL) {
        progress_end(&r->line);
        return (struct img_progress){0};
    }
    if (total == 0) {
        if (isatty(STDERR_FILENO) == 1) {
            fprintf(stderr, "\r\033[K%s ...", what);
            fflush(stderr);
        }
        return (struct img_progress){0};
    }
    progress_start(&r->line, what, total);
    return progress_hook(&r->line);
}

static void on_note(void *ctx, const char *text)
{
    const struct run *r = ctx;

    fprintf(stderr, "%s: note: %s\n", r->program, text);
}

static void print_human(const struct run *r, const struct convert_result *res)
{
    char hex[65];
    char files[24];
    char image[24];

    fprintf(stderr, "%s: %" PRIu64 " names, %s of files, sealed into %s: %s\n", r->program,
            res->names, format_bytes(res->file_bytes, files, sizeof(files)),
            format_bytes(res->sealed_size, image, sizeof(image)), r->to);
    if (res->plain_names > 0) {
        fprintf(stderr,
                "  unprotected %" PRIu64 " names stay outside the seal: the host can read and "
                "change them\n",
                res->plain_names);
    }
    hex_encode(hex, res->mrenclave, 32);
    fprintf(stderr, "  mrenclave   %s\n", hex);
    hex_encode(hex, res->mrsigner, 32);
    fprintf(stderr, "  mrsigner    %s\n", hex);
    hex_encode(hex, res->sealed_root, 32);
    fprintf(stderr, "  sealed root %s\n", hex);
    if (r->a->cas != NULL) {
        fprintf(stderr, "  session     on %s\n", r->a->cas);
    }
    if (r->store.path != NULL) {
        fprintf(stderr, "  session     %s (holds the sealing key; keep it secret%s)\n",
                r->store.path, r->a->cas == NULL ? ", create it with 'nacre session create'" : "");
    }
}

static int print_json(const struct run *r, const struct convert_result *res, struct error **err)
{
    char mrenclave[65];
    char mrsigner[65];
    char root[65];
    json_t *j;

    hex_encode(mrenclave, res->mrenclave, 32);
    hex_encode(mrsigner, res->mrsigner, 32);
    hex_encode(root, res->sealed_root, 32);
    j = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s*,s:I,s:I,s:I,s:I}", "session", res->session, "image",
                  r->to, "mrenclave", mrenclave, "mrsigner", mrsigner, "sealed_root", root,
                  "session_file", r->store.path, "names", (json_int_t)res->names, "file_bytes",
                  (json_int_t)res->file_bytes, "sealed_bytes", (json_int_t)res->sealed_size,
                  "unprotected_names", (json_int_t)res->plain_names);
    return cli_print_json(j, err);
}

static void print_dumped(const struct run *r, const struct convert_result *res)
{
    char hex[65];

    hex_encode(hex, res->mrenclave, 32);
    fprintf(stderr,
            "%s: no image was made. %s: the bytes to be signed; %s.json: what they say\n"
            "  mrenclave   %s\n"
            "Sign with RSA PKCS#1 v1.5 and SHA-256, for example\n"
            "  openssl dgst -sha256 -sign KEY.pem -out %s.sig %s\n"
            "and run the same command with --signature %s.sig --public-key PUB.pem, --namespace %s "
            "and the same SOURCE_DATE_EPOCH\n",
            r->program, r->a->sign_dump, r->a->sign_dump, hex, r->a->sign_dump, r->a->sign_dump,
            r->a->sign_dump, r->o.namespace);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static struct convert_texts texts(const struct arg_list *l)
{
    return (struct convert_texts){.count = l->count, .items = l->values};
}

static void take_plain_options(struct run *r)
{
    const struct convert_args *a = r->a;

    r->o.from = r->from;
    r->o.to = r->to;
    r->o.service_name = a->service_name;
    r->o.command = a->command;
    r->o.binary = a->binary;
    r->o.env = texts(&a->env);
    r->o.allow_env = texts(&a->allow_env);
    r->o.host_path = texts(&a->host_path);
    r->o.dirs = texts(&a->dirs);
    r->o.plain = texts(&a->plain);
    r->o.scone_names = a->scone_names;
    r->o.unpacked_max = a->max_size;
    r->o.template_path = a->template_path;
    r->o.get_variable = get_variable;
    r->o.variable_ctx = r;
    r->o.store_session = convert_store_session;
    r->o.store_ctx = &r->store;
    r->o.phase = on_phase;
    r->o.note = on_note;
    r->o.ui_ctx = r;
}

static int prepare(struct run *r, struct error **err)
{
    int e = check_pairs(&r->a->env, "env", err);

    e = e < 0 ? e : reference_complete(r->a->from, /*to_write=*/false, &r->from, err);
    e = e < 0 ? e : reference_complete(r->a->to, /*to_write=*/true, &r->to, err);
    take_plain_options(r);
    e = e < 0 ? e : check_pairs(&r->a->vars, "var", err);
    e = e < 0 ? e : choose_names(r, err);
    e = e < 0 ? e : choose_cas_key(r, err);
    e = e < 0 ? e : choose_run_cas(r, err);
    e = e < 0 ? e : choose_dates(r, err);
    e = e < 0 ? e : read_piece(r->a->secrets, &r->secrets, err);
    e = e < 0 ? e : read_piece(r->a->injected, &r->injected, err);
    e = e < 0 ? e : choose_sealing(r, err);
    return e;
}

static int find_files(struct run *r, struct error **err)
{
    int e = install_find(INSTALL_LOADER, r->a->loader, &r->loader, err);

    e = e < 0 ? e : install_find(INSTALL_LIBOS, r->a->libos, &r->libos, err);
    e = e < 0 ? e : install_find(INSTALL_AGENT, r->a->agent, &r->agent, err);
    r->o.loader = r->loader;
    r->o.libos = r->libos;
    r->o.agent = r->agent;
    return e;
}

int convert_run(const char *program, struct convert_args *a, struct error **err)
{
    _cleanup_run_ struct run r = {.program = program, .a = a};
    struct convert_result res = {0};
    int e = prepare(&r, err);

    if (e < 0) {
        return e == -EINVAL ? CLI_USAGE : CLI_FAILED;
    }
    r.store = (struct convert_store){.a = a, .full_name = r.full_name, .namespace = r.o.namespace};
    e = img_leftovers_on_signals(err);
    e = e < 0 ? e : find_files(&r, err);
    e = e < 0 ? e : choose_sign_key(&r, err);
    r.o.sign_key = r.key;
    e = e < 0 ? e : make_security(&r, err);
    if (e == 0 && a->sign_dump == NULL) {
        e = convert_store_prepare(&r.store, err);
    }
    if (e < 0) {
        return CLI_FAILED;
    }
    e = convert_image(&r.o, &res, err);
    if (e == -EALREADY) {
        print_dumped(&r, &res);
        return CLI_OK;
    }
    if (e < 0) {
        convert_store_undo(&r.store);
        return e == -ENOEXEC ? CLI_FAILED : sealed_exit(e);
    }
    convert_store_keep(&r.store);
    if (a->json) {
        return print_json(&r, &res, err) < 0 ? CLI_FAILED : CLI_OK;
    }
    print_human(&r, &res);
    printf("%s\n", res.session);
    return CLI_OK;
}
