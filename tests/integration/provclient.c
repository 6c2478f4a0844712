/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * An agent of tests: asks CAS for the configuration of a service with software evidence of an
 * enclave that never was. Whoever has a machine can make any software evidence; this is that.
 *
 *   provclient PORT SESSION SERVICE [OPTIONS]          one request; prints the status, then the
 * body
 *     --none              evidence of type none
 *     --ask               prints the report data in hex, reads the quote in base64 from stdin
 *     --bind SESSION      evidence bound to another session than the one that is asked for
 *     --mrenclave HEX, --mrsigner HEX, --isvprodid N, --isvsvn N, --debug
 *     --flip FROM:TO:STEP one request for each offset, with that byte of the quote inverted; TO 0
 * is its end. Prints how many answers had which status; fails on a 200
 *     --load CLIENTS:COUNT  COUNT requests from CLIENTS threads; prints one line of JSON. A '%' in
 *                         SESSION becomes a number below --sessions N
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "core/hex.h"
#include "prov.h"

struct options {
    struct prov prov;
    unsigned flip_from, flip_to, flip_step;
    bool flip;
    unsigned clients;
    unsigned count;
};

static int once(const struct options *o)
{
    struct prov_answer a;

    prov_ask(&o->prov, o->prov.session, -1, &a);
    printf("%d\n%s\n", a.status, a.body);
    free(a.text);
    return a.status == 200 ? 0 : 1;
}

/* ---- every byte ----------------------------------------------------------------------------- */

static int flip_bytes(const struct options *o)
{
    unsigned by_status[600] = {0};
    unsigned to = o->flip_to;
    struct prov_answer a;

    if (to == 0) {
        to = (unsigned)prov_quote_size(&o->prov);
    }
    for (unsigned at = o->flip_from; at < to; at += o->flip_step) {
        prov_ask(&o->prov, o->prov.session, (long)at, &a);
        free(a.text);
        by_status[a.status >= 0 && a.status < 600 ? a.status : 0]++;
        if (a.status == 200) {
            printf("accepted with byte %u inverted\n", at);
        }
    }
    for (unsigned i = 0; i < 600; i++) {
        if (by_status[i] > 0) {
            printf("%u %u\n", i, by_status[i]);
        }
    }
    return by_status[200] == 0 ? 0 : 1;
}

/* ---- start ---------------------------------------------------------------------------------- */

static void parse_hex(const char *text, uint8_t ret[static 32])
{
    if (hex_decode(ret, 32, text, strlen(text)) < 0) {
        prov_fail("a measurement has 64 hex digits");
    }
}

static unsigned parse_number(const char *text)
{
    uint64_t n;

    if (args_parse_u64(text, &n) < 0 || n > UINT16_MAX) {
        prov_fail("a number is not one");
    }
    return (unsigned)n;
}

static int take_option(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "--none") == 0) {
        o->prov.none = true;
        return 1;
    }
    if (strcmp(name, "--ask") == 0) {
        o->prov.ask = true;
        return 1;
    }
    if (strcmp(name, "--debug") == 0) {
        o->prov.body.attributes.flags |= SGX_FLAGS_DEBUG;
        return 1;
    }
    if (value == NULL) {
        prov_fail("an option lacks its value");
    }
    if (strcmp(name, "--bind") == 0) {
        o->prov.bind = value;
    } else if (strcmp(name, "--mrenclave") == 0) {
        parse_hex(value, o->prov.body.mrenclave);
    } else if (strcmp(name, "--mrsigner") == 0) {
        parse_hex(value, o->prov.body.mrsigner);
    } else if (strcmp(name, "--isvprodid") == 0) {
        o->prov.body.isv_prod_id = (uint16_t)parse_number(value);
    } else if (strcmp(name, "--isvsvn") == 0) {
        o->prov.body.isv_svn = (uint16_t)parse_number(value);
    } else if (strcmp(name, "--sessions") == 0) {
        o->prov.sessions = parse_number(value);
    } else if (strcmp(name, "--flip") == 0 &&
               sscanf(value, "%u:%u:%u", &o->flip_from, &o->flip_to, &o->flip_step) == 3 &&
               o->flip_step > 0) {
        o->flip = true;
    } else if (strcmp(name, "--load") != 0 || sscanf(value, "%u:%u", &o->clients, &o->count) != 2 ||
               o->clients == 0 || o->clients > PROV_CLIENTS_MAX || o->count == 0) {
        prov_fail("an option is unknown or has a bad value");
    }
    return 2;
}

static int load(const struct options *o)
{
    struct prov_load l;

    prov_load(&o->prov, o->clients, o->count, 0, &l);
    printf("{\"requests\": %u, \"provisioned\": %u, \"busy\": %u, \"per_second\": %.1f, "
           "\"p50_us\": %.0f, \"p99_us\": %.0f}\n",
           l.requests, l.provisioned, l.busy, l.per_second, l.p50_us, l.p99_us);
    return l.provisioned == l.requests ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o = {0};

    if (argc < 4) {
        prov_fail("usage: provclient PORT SESSION SERVICE [OPTIONS]");
    }
    prov_init(&o.prov);
    o.prov.port = (uint16_t)parse_number(argv[1]);
    o.prov.session = argv[2];
    o.prov.service = argv[3];
    for (int i = 4; i < argc;) {
        i += take_option(&o, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
    }
    if (o.flip) {
        return flip_bytes(&o);
    }
    return o.count > 0 ? load(&o) : once(&o);
}
