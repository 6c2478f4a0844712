/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "core/hex.h"
#include "loader/loader.h"
#include "sign/key_file.h"
#include "sign/sigstruct.h"

#define ENCLAVE_FILE_MAX ((size_t)256 << 20)
#define DEFAULT_OUT      "enclave.sig"

/* The command line as it was given. */
struct request {
    const char *key, *passphrase_file;
    const char *mrenclave, *enclave, *manifest;
    const char *date, *family_id, *ext_prod_id;
    const char *dump, *import, *signature, *public_key;
    const char *out;
    uint64_t isv_prod_id, isv_svn, swdefined;
    uint64_t attributes, attributes_mask, xfrm, xfrm_mask, misc, misc_mask;
    bool debug, json;
};

static int check_range(uint64_t v, uint64_t max, const char *option, struct error **err)
{
    return v <= max ? 0
                    : error_set(err, EINVAL, "--%s is at most %ju, not %ju", option, (uintmax_t)max,
                                (uintmax_t)v);
}

static int take_hex(const char *text, const char *option, uint8_t *dst, size_t size,
                    struct error **err)
{
    if (text == NULL || hex_decode(dst, size, text, strlen(text)) == 0) {
        return 0;
    }
    return error_set(err, EINVAL, "--%s wants exactly %zu hexadecimal digits, '%s' is not that",
                     option, 2 * size, text);
}

/* SOURCE_DATE_EPOCH, else now: the same inputs can be made to give the same bits. */
static int default_date(uint32_t *ret, struct error **err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t now = time(NULL);
    struct tm tm;
    uint64_t v;

    if (epoch != NULL) {
        if (args_parse_u64(epoch, &v) < 0 || v > 253402300799ull) {
            return error_set(err, EINVAL, "SOURCE_DATE_EPOCH is no number of seconds: '%s'", epoch);
        }
        now = (time_t)v;
    }
    if (gmtime_r(&now, &tm) == NULL ||
        sigstruct_date((unsigned)tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday,
                       ret) < 0) {
        return error_set(err, EINVAL, "the clock shows no date a SIGSTRUCT can hold; give --date");
    }
    return 0;
}

static int take_date(const char *text, uint32_t *ret, struct error **err)
{
    unsigned v[8];
    size_t n = 0;

    if (text == NULL) {
        return default_date(ret, err);
    }
    for (size_t i = 0; text[i] != '\0' && i < 10; i++) {
        if (i == 4 || i == 7) {
            n = text[i] == '-' ? n : SIZE_MAX;
        } else {
            n = text[i] >= '0' && text[i] <= '9' && n < 8 ? n : SIZE_MAX;
        }
        if (n == SIZE_MAX) {
            break;
        }
        if (i != 4 && i != 7) {
            v[n++] = (unsigned)(text[i] - '0');
        }
    }
    if (n != 8 || strlen(text) != 10 ||
        sigstruct_date(v[0] * 1000 + v[1] * 100 + v[2] * 10 + v[3], v[4] * 10 + v[5],
                       v[6] * 10 + v[7], ret) < 0) {
        return error_set(err, EINVAL, "--date wants a day such as 2026-01-31, not '%s'", text);
    }
    return 0;
}

static int measure_enclave(const struct request *q, uint8_t *ret, struct error **err)
{
    _cleanup_free_ uint8_t *elf = NULL;
    _cleanup_free_ uint8_t *manifest = NULL;
    struct loader_image image = {};
    struct loader_measurement m;
    int r = fs_read_file(q->enclave, ENCLAVE_FILE_MAX, &elf, &image.elf_size, err);

    if (r == 0 && q->manifest != NULL) {
        r = fs_read_file(q->manifest, ENCLAVE_FILE_MAX, &manifest, &image.manifest_size, err);
    }
    if (r < 0) {
        return r;
    }
    image.elf = elf;
    image.manifest = manifest;
    r = loader_measure(&image, &m, err);
    if (r < 0) {
        (void)error_wrap(err, "%s", q->enclave);
        return r;
    }
    memcpy(ret, m.mrenclave, sizeof(m.mrenclave));
    return 0;
}

static int fill_params(const struct request *q, struct sigstruct_params *p, struct error **err)
{
    int r = check_range(q->isv_prod_id, UINT16_MAX, "isv-prod-id", err);

    r = r < 0 ? r : check_range(q->isv_svn, UINT16_MAX, "isv-svn", err);
    r = r < 0 ? r : check_range(q->swdefined, UINT32_MAX, "swdefined", err);
    r = r < 0 ? r : check_range(q->misc, UINT32_MAX, "misc", err);
    r = r < 0 ? r : check_range(q->misc_mask, UINT32_MAX, "misc-mask", err);
    r = r < 0 ? r : take_hex(q->mrenclave, "mrenclave", p->mrenclave, 32, err);
    r = r < 0 ? r : take_hex(q->family_id, "isv-family-id", p->isv_family_id, 16, err);
    r = r < 0 ? r : take_hex(q->ext_prod_id, "isv-ext-prod-id", p->isv_ext_prod_id, 16, err);
    r = r < 0 ? r : take_date(q->date, &p->date, err);
    if (r < 0) {
        return r;
    }
    p->isv_prod_id = (uint16_t)q->isv_prod_id;
    p->isv_svn = (uint16_t)q->isv_svn;
    p->swdefined = (uint32_t)q->swdefined;
    p->attributes = (struct sgx_attributes){.flags = q->attributes, .xfrm = q->xfrm};
    p->attribute_mask = (struct sgx_attributes){.flags = q->attributes_mask, .xfrm = q->xfrm_mask};
    p->miscselect = (uint32_t)q->misc;
    p->miscmask = (uint32_t)q->misc_mask;
    if (q->debug) {
        p->attributes.flags |= SGX_FLAGS_DEBUG;
        p->attribute_mask.flags |= SGX_FLAGS_DEBUG;
    }
    return 0;
}

static int sign_with_key(const struct request *q, struct sgx_sigstruct *s, struct error **err)
{
    _cleanup_secret_ struct secret *passphrase = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    int r = key_file_passphrase(q->passphrase_file, &passphrase, err);

    r = r < 0 ? r : key_file_load(q->key, passphrase, &key, err);
    if (r < 0) {
        return r;
    }
    if (key_file_is_exposed(q->key)) {
        fprintf(stderr, "nacre sign: warning: other users can read %s; 'chmod 600' it\n", q->key);
    }
    return sigstruct_sign(s, key, err);
}

static int write_sigstruct(const struct request *q, const struct sgx_sigstruct *s,
                           struct error **err)
{
    uint8_t mrsigner[32];
    char hex[65];
    int r = fs_write_file_atomic(q->out, s, sizeof(*s), 0644, err);

    if (r < 0 || strcmp(q->out, "-") == 0) {
        return r;
    }
    if (q->json) {
        r = sigstruct_print_json(s, stdout);
        return r < 0 ? error_set_errno(err, -r, "printing the SIGSTRUCT") : 0;
    }
    hex_encode(hex, s->enclave_hash, sizeof(s->enclave_hash));
    printf("mrenclave %s\n", hex);
    sigstruct_mrsigner(s->modulus, mrsigner);
    hex_encode(hex, mrsigner, sizeof(mrsigner));
    printf("mrsigner  %s\n", hex);
    return 0;
}

static int report_dump(const struct request *q)
{
    if (strcmp(q->dump, "-") != 0) {
        printf("%s: the bytes to be signed; %s.json: what they say\n"
               "Sign with RSA PKCS#1 v1.5 and SHA-256, for example\n"
               "  openssl dgst -sha256 -sign KEY.pem -out %s.sig %s\n"
               "and complete with\n"
               "  nacre sign --import %s --signature %s.sig --public-key PUB.pem --out %s\n",
               q->dump, q->dump, q->dump, q->dump, q->dump, q->dump, q->out);
    }
    return CLI_OK;
}

static int run_build(const struct request *q, struct error **err)
{
    struct sigstruct_params p;
    struct sgx_sigstruct s;
    int r;

    sigstruct_params_default(&p);
    if (fill_params(q, &p, err) < 0) {
        return CLI_USAGE;
    }
    if (q->enclave != NULL && measure_enclave(q, p.mrenclave, err) < 0) {
        return CLI_FAILED;
    }
    if (sigstruct_build(&p, &s, err) < 0) {
        return CLI_USAGE;
    }
    if (q->debug) {
        fprintf(stderr, "nacre sign: warning: a debug enclave; its memory can be read from "
                        "outside and policies refuse it by default\n");
    }
    if (q->dump != NULL) {
        return key_file_dump(q->dump, &s, err) < 0 ? CLI_FAILED : report_dump(q);
    }
    r = sign_with_key(q, &s, err);
    return r < 0 || write_sigstruct(q, &s, err) < 0 ? CLI_FAILED : CLI_OK;
}

static int run_import(const struct request *q, struct error **err)
{
    struct sgx_sigstruct s;
    int r = key_file_import(q->import, q->signature, q->public_key, &s, err);

    if (r == -EBADMSG) {
        return CLI_REFUSED;
    }
    return r < 0 || write_sigstruct(q, &s, err) < 0 ? CLI_FAILED : CLI_OK;
}

/* Which of the three jobs it is, and that nothing of another was given. */
static int check_request(const struct request *q, struct error **err)
{
    const int jobs = (q->key != NULL) + (q->dump != NULL) + (q->import != NULL);

    if (jobs != 1) {
        return error_set(err, EINVAL,
                         "give exactly one of --key (sign here), --dump (write the bytes to be "
                         "signed elsewhere) and --import (complete with a signature)");
    }
    if (q->import != NULL) {
        if (q->signature == NULL || q->public_key == NULL) {
            return error_set(err, EINVAL, "--import needs --signature and --public-key");
        }
        if (q->mrenclave != NULL || q->enclave != NULL) {
            return error_set(err, EINVAL,
                             "--import takes the measurement from the dumped bytes; drop "
                             "--mrenclave and --enclave");
        }
        return 0;
    }
    if (q->signature != NULL || q->public_key != NULL) {
        return error_set(err, EINVAL, "--signature and --public-key go with --import only");
    }
    if ((q->mrenclave != NULL) == (q->enclave != NULL)) {
        return error_set(err, EINVAL, "give one of --enclave FILE and --mrenclave HEX");
    }
    if (q->manifest != NULL && q->enclave == NULL) {
        return error_set(err, EINVAL, "--manifest goes with --enclave");
    }
    return 0;
}

static void default_request(struct request *q)
{
    struct sigstruct_params p;

    sigstruct_params_default(&p);
    *q = (struct request){
        .out = DEFAULT_OUT,
        .attributes = p.attributes.flags,
        .attributes_mask = p.attribute_mask.flags,
        .xfrm = p.attributes.xfrm,
        .xfrm_mask = p.attribute_mask.xfrm,
        .misc = p.miscselect,
        .misc_mask = p.miscmask,
    };
}

int cmd_sign(int argc, char **argv, struct error **err)
{
    struct request q;
    const struct arg_option options[] = {
        {"enclave", 'e', ARG_STRING, "FILE", "the enclave ELF; its MRENCLAVE is computed",
         &q.enclave},
        {"manifest", 'm', ARG_STRING, "FILE", "manifest measured with --enclave", &q.manifest},
        {"mrenclave", 0, ARG_STRING, "HEX", "the measurement itself, 64 digits", &q.mrenclave},
        {"key", 'k', ARG_STRING, "FILE", "sign with this PEM key ('nacre keygen')", &q.key},
        {"passphrase-file", 0, ARG_STRING, "FILE", "passphrase of the key, first line of FILE",
         &q.passphrase_file},
        {"out", 'o', ARG_STRING, "FILE", "the SIGSTRUCT (default " DEFAULT_OUT ")", &q.out},
        {"isv-prod-id", 0, ARG_U64, "N", "product number, 0..65535 (default 0)", &q.isv_prod_id},
        {"isv-svn", 0, ARG_U64, "N", "security version, 0..65535 (default 0)", &q.isv_svn},
        {"isv-family-id", 0, ARG_STRING, "HEX", "KSS family id, 32 digits", &q.family_id},
        {"isv-ext-prod-id", 0, ARG_STRING, "HEX", "KSS product id, 32 digits", &q.ext_prod_id},
        {"date", 0, ARG_STRING, "YYYY-MM-DD", "default SOURCE_DATE_EPOCH, else today (UTC)",
         &q.date},
        {"debug", 0, ARG_FLAG, NULL, "a debug enclave: memory readable from outside", &q.debug},
        {"attributes", 0, ARG_U64, "N", "ATTRIBUTES.FLAGS (default 0x84: MODE64BIT, KSS)",
         &q.attributes},
        {"attributes-mask", 0, ARG_U64, "N", "flags the host may not change (default all)",
         &q.attributes_mask},
        {"xfrm", 0, ARG_U64, "N", "ATTRIBUTES.XFRM (default 0x3: x87, SSE)", &q.xfrm},
        {"xfrm-mask", 0, ARG_U64, "N", "XFRM bits the host may not change (default 0x3)",
         &q.xfrm_mask},
        {"misc", 0, ARG_U64, "N", "MISCSELECT (default 0x1: EXINFO)", &q.misc},
        {"misc-mask", 0, ARG_U64, "N", "MISCSELECT bits the host may not change (default all)",
         &q.misc_mask},
        {"swdefined", 0, ARG_U64, "N", "32 bits free for the signer (default 0)", &q.swdefined},
        {"dump", 0, ARG_STRING, "FILE", "write the bytes to be signed elsewhere, and FILE.json",
         &q.dump},
        {"import", 0, ARG_STRING, "FILE", "complete dumped bytes with --signature", &q.import},
        {"signature", 0, ARG_STRING, "FILE", "384 raw bytes as OpenSSL writes them", &q.signature},
        {"public-key", 0, ARG_STRING, "FILE", "PEM public key or certificate of the signer",
         &q.public_key},
        {"json", 0, ARG_FLAG, NULL, "print the SIGSTRUCT as JSON", &q.json},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre sign",
        .synopsis = "(--key FILE | --dump FILE | --import FILE …) [OPTIONS]",
        .summary = "Sign an enclave: make its SIGSTRUCT, here or with a key that stays offline.",
        .options = options,
        .examples = "  nacre sign --enclave enclave.elf --key vendor.pem --isv-svn 3\n"
                    "  nacre sign --mrenclave \"$(nacre measure enclave.elf)\" --dump enclave.tbs\n"
                    "  openssl dgst -sha256 -sign vendor.pem -out enclave.tbs.sig enclave.tbs\n"
                    "  nacre sign --import enclave.tbs --signature enclave.tbs.sig \\\n"
                    "      --public-key vendor.pub.pem --out enclave.sig\n",
    };
    size_t count;
    int r;

    default_request(&q);
    r = args_parse(&spec, argc, argv, &count, err);
    if (r != 0) {
        return cli_args_exit(r);
    }
    if (check_request(&q, err) < 0) {
        return CLI_USAGE;
    }
    return q.import != NULL ? run_import(&q, err) : run_build(&q, err);
}
