/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "sign/sigstruct.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "core/ct.h"
#include "core/hex.h"

static const struct {
    uint64_t bit;
    const char *name;
} flag_names[] = {
    {SGX_FLAGS_INIT, "INIT"},
    {SGX_FLAGS_DEBUG, "DEBUG"},
    {SGX_FLAGS_MODE64BIT, "MODE64BIT"},
    {SGX_FLAGS_PROVISIONKEY, "PROVISIONKEY"},
    {SGX_FLAGS_EINITTOKENKEY, "EINITTOKENKEY"},
    {SGX_FLAGS_CET, "CET"},
    {SGX_FLAGS_KSS, "KSS"},
    {SGX_FLAGS_AEXNOTIFY, "AEXNOTIFY"},
};

static const char *vendor_name(uint32_t vendor)
{
    return vendor == SIGSTRUCT_VENDOR_INTEL ? "Intel" : vendor == 0 ? "not Intel" : "invalid";
}

static void print_flags(uint64_t flags, FILE *out)
{
    const char *before = " (";

    for (size_t i = 0; i < ARRAY_COUNT(flag_names); i++) {
        if (flags & flag_names[i].bit) {
            fprintf(out, "%s%s", before, flag_names[i].name);
            before = " ";
        }
    }
    fputs(before[1] == '(' ? "" : ")", out);
}

static void print_hex(FILE *out, const char *label, const uint8_t *data, size_t size)
{
    char hex[2 * 64 + 1];

    hex_encode(hex, data, MIN(size, (size_t)64));
    fprintf(out, "%-18s %s\n", label, hex);
}

int sigstruct_print(const struct sgx_sigstruct *s, FILE *out)
{
    const bool is_signed = !ct_is_zero(s->signature, sizeof(s->signature));
    uint8_t mrsigner[32];

    sigstruct_mrsigner(s->modulus, mrsigner);
    print_hex(out, "mrenclave", s->enclave_hash, sizeof(s->enclave_hash));
    if (is_signed) {
        print_hex(out, "mrsigner", mrsigner, sizeof(mrsigner));
    }
    fprintf(out, "%-18s %u\n", "isv_prod_id", s->isv_prod_id);
    fprintf(out, "%-18s %u\n", "isv_svn", s->isv_svn);
    fprintf(out, "%-18s %04" PRIx32 "-%02" PRIx32 "-%02" PRIx32 "\n", "date", s->date >> 16,
            s->date >> 8 & 0xff, s->date & 0xff);
    fprintf(out, "%-18s 0x%" PRIx32 " (%s)\n", "vendor", s->vendor, vendor_name(s->vendor));
    fprintf(out, "%-18s 0x%016" PRIx64, "attributes.flags", s->attributes.flags);
    print_flags(s->attributes.flags, out);
    fprintf(out, "\n%-18s 0x%016" PRIx64 "\n", "  mask", s->attribute_mask.flags);
    fprintf(out, "%-18s 0x%016" PRIx64 "\n", "attributes.xfrm", s->attributes.xfrm);
    fprintf(out, "%-18s 0x%016" PRIx64 "\n", "  mask", s->attribute_mask.xfrm);
    fprintf(out, "%-18s 0x%08" PRIx32 "%s\n", "miscselect", s->miscselect,
            s->miscselect & SGX_MISC_EXINFO ? " (EXINFO)" : "");
    fprintf(out, "%-18s 0x%08" PRIx32 "\n", "  mask", s->miscmask);
    fprintf(out, "%-18s 0x%02x, mask 0x%02x\n", "cet_attributes", s->cet_attributes,
            s->cet_attributes_mask);
    print_hex(out, "isv_family_id", s->isv_family_id, sizeof(s->isv_family_id));
    print_hex(out, "isv_ext_prod_id", s->isv_ext_prod_id, sizeof(s->isv_ext_prod_id));
    fprintf(out, "%-18s 0x%08" PRIx32 "\n", "swdefined", s->swdefined);
    fprintf(out, "%-18s %s\n", "debug",
            !(s->attribute_mask.flags & SGX_FLAGS_DEBUG) ? "left to the host"
            : s->attributes.flags & SGX_FLAGS_DEBUG      ? "yes: memory is readable by the host"
                                                         : "no");
    fprintf(out, "%-18s %s\n", "signed", is_signed ? "yes" : "no");
    return ferror(out) ? -EIO : 0;
}

static int put(json_t *o, const char *key, json_t *value)
{
    return json_object_set_new(o, key, value);
}

static int put_hex(json_t *o, const char *key, const uint8_t *data, size_t size)
{
    char hex[2 * 64 + 1];

    hex_encode(hex, data, MIN(size, (size_t)64));
    return put(o, key, json_string(hex));
}

/* Numbers of 64 bits go as hexadecimal text: JSON readers lose bits above 2^53. */
static int put_u64(json_t *o, const char *key, uint64_t v)
{
    char text[19];

    (void)snprintf(text, sizeof(text), "0x%016" PRIx64, v);
    return put(o, key, json_string(text));
}

static int put_date(json_t *o, uint32_t bcd)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%04" PRIx32 "-%02" PRIx32 "-%02" PRIx32, bcd >> 16,
                   bcd >> 8 & 0xff, bcd & 0xff);
    return put(o, "date", json_string(text));
}

static json_t *flag_list(uint64_t flags)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_COUNT(flag_names); i++) {
        if (flags & flag_names[i].bit) {
            (void)json_array_append_new(list, json_string(flag_names[i].name));
        }
    }
    return list;
}

json_t *sigstruct_json(const struct sgx_sigstruct *s)
{
    const bool is_signed = !ct_is_zero(s->signature, sizeof(s->signature));
    json_t *o = json_object();
    uint8_t mrsigner[32];
    int bad = o == NULL;

    sigstruct_mrsigner(s->modulus, mrsigner);
    bad |= put_hex(o, "mrenclave", s->enclave_hash, sizeof(s->enclave_hash));
    bad |= is_signed ? put_hex(o, "mrsigner", mrsigner, sizeof(mrsigner))
                     : put(o, "mrsigner", json_null());
    bad |= put(o, "isv_prod_id", json_integer(s->isv_prod_id));
    bad |= put(o, "isv_svn", json_integer(s->isv_svn));
    bad |= put_date(o, s->date);
    bad |= put(o, "vendor", json_integer(s->vendor));
    bad |= put_u64(o, "attributes_flags", s->attributes.flags);
    bad |= put_u64(o, "attributes_flags_mask", s->attribute_mask.flags);
    bad |= put(o, "attributes_flag_names", flag_list(s->attributes.flags));
    bad |= put_u64(o, "attributes_xfrm", s->attributes.xfrm);
    bad |= put_u64(o, "attributes_xfrm_mask", s->attribute_mask.xfrm);
    bad |= put(o, "miscselect", json_integer(s->miscselect));
    bad |= put(o, "miscselect_mask", json_integer(s->miscmask));
    bad |= put(o, "cet_attributes", json_integer(s->cet_attributes));
    bad |= put(o, "cet_attributes_mask", json_integer(s->cet_attributes_mask));
    bad |= put_hex(o, "isv_family_id", s->isv_family_id, sizeof(s->isv_family_id));
    bad |= put_hex(o, "isv_ext_prod_id", s->isv_ext_prod_id, sizeof(s->isv_ext_prod_id));
    bad |= put(o, "swdefined", json_integer(s->swdefined));
    bad |= put(o, "debug_allowed",
               json_boolean(!(s->attribute_mask.flags & SGX_FLAGS_DEBUG) ||
                            (s->attributes.flags & SGX_FLAGS_DEBUG)));
    bad |= put(o, "signed", json_boolean(is_signed));
    if (bad != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

int sigstruct_print_json(const struct sgx_sigstruct *s, FILE *out)
{
    json_t *o = sigstruct_json(s);
    int r;

    if (o == NULL) {
        return -ENOMEM;
    }
    r = json_dumpf(o, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF ? 0 : -EIO;
    json_decref(o);
    return r;
}
