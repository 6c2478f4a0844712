/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EREPORT and EGETKEY: operands, what a key depends on and what it does not, and the fuse key. */

#include "unit/softsgx/rig.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cmac.h"
#include "core/ct.h"
#include "softsgx/internal.h"
#include "softsgx/keys.h"

#include "unit/unit.h"

#define REQ    (RIG_BASE + ENC_DATA + 0x3000)
#define OUT    (RIG_BASE + ENC_DATA + 0x4000)
#define RDATA  (RIG_BASE + ENC_DATA + 0x5000)
#define REPORT (RIG_BASE + ENC_DATA + 0x6000)
#define KSS    SGX_FLAGS_KSS

static struct rig_options base_options(void)
{
    return (struct rig_options){
        .base = RIG_BASE,
        .threads = 2,
        .flags = KSS | SGX_FLAGS_PROVISIONKEY,
        .miscselect = SGX_MISC_EXINFO,
        .isv_prod_id = 7,
        .isv_svn = 5,
        .config_svn = 4,
        .config_byte = 0xcc,
    };
}

static struct sgx_keyrequest seal_request(void)
{
    struct sgx_keyrequest q = {
        .key_name = SGX_KEY_SEAL,
        .key_policy = SGX_KEYPOLICY_MRENCLAVE,
        .isv_svn = 5,
        .attribute_mask = {.flags = ~0ull, .xfrm = ~0ull},
        .misc_mask = ~0u,
    };

    memcpy(q.cpu_svn, soft_cpu_svn, sizeof(q.cpu_svn));
    return q;
}

struct key_out {
    struct rig_exit x;
    uint64_t code;
    uint8_t key[16];
};

static struct key_out get_key(struct rig *rig, const struct sgx_keyrequest *q, uint64_t op)
{
    struct enclu_args a = {.rax = ENCLU_EGETKEY, .rbx = REQ, .rcx = OUT};
    static const uint8_t poison[16] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee,
                                       0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
    struct key_out out;

    rig_poke_bytes(rig, REQ, q, sizeof(*q));
    rig_poke_bytes(rig, OUT, poison, sizeof(poison));
    out.x = rig_leaf(rig, op, &a);
    out.code = a.rax;
    if (out.x.function == ENCLU_EEXIT) {
        assert_int_equal((a.rflags & X86_ZF) != 0, a.rax != 0);
        rig_peek_bytes(rig, OUT, out.key, sizeof(out.key));
        if (a.rax != 0) {
            assert_memory_equal(out.key, poison, 16);
        }
    }
    return out;
}

static void key_of(const struct rig_options *o, const struct sgx_keyrequest *q, uint8_t ret[16])
{
    struct key_out out;
    struct rig rig;

    rig_build(&rig, o);
    out = get_key(&rig, q, OP_SLOT);
    assert_int_equal(out.x.function, ENCLU_EEXIT);
    assert_int_equal(out.code, 0);
    memcpy(ret, out.key, 16);
    rig_destroy(&rig);
}

static void test_seal_key_same_for_same_enclave_both_paths(void **state)
{
    struct rig_options o = base_options();
    struct sgx_keyrequest q = seal_request();
    struct key_out slot;
    struct key_out trap;
    uint8_t again[16];
    struct rig rig;

    rig_build(&rig, &o);
    slot = get_key(&rig, &q, OP_SLOT);
    trap = get_key(&rig, &q, OP_ENCLU);
    rig_destroy(&rig);
    assert_int_equal(slot.code, 0);
    assert_memory_equal(slot.key, trap.key, 16);
    key_of(&o, &q, again);
    assert_memory_equal(slot.key, again, 16);
}

/* One change of the request at a time, and the key is another. */
static void test_seal_key_depends_on_the_request(void **state)
{
    struct rig_options o = base_options();
    struct sgx_keyrequest q[12];
    uint8_t key[ARRAY_COUNT(q)][16];
    struct rig rig;

    for (size_t i = 0; i < ARRAY_COUNT(q); i++) {
        q[i] = seal_request();
    }
    q[1].key_policy = SGX_KEYPOLICY_MRSIGNER;
    q[2].key_policy = SGX_KEYPOLICY_MRENCLAVE | SGX_KEYPOLICY_MRSIGNER;
    q[3].key_policy |= SGX_KEYPOLICY_NOISVPRODID;
    q[4].key_policy |= SGX_KEYPOLICY_CONFIGID;
    q[5].key_policy |= SGX_KEYPOLICY_ISVFAMILYID;
    q[6].isv_svn = 4;
    q[7].cpu_svn[3] = 0;
    q[8].key_id[31] = 1;
    q[9].attribute_mask.flags = ~(uint64_t)SGX_FLAGS_KSS;
    q[10].misc_mask = 0;
    q[11].key_name = SGX_KEY_PROVISION_SEAL;
    rig_build(&rig, &o);
    for (size_t i = 0; i < ARRAY_COUNT(q); i++) {
        struct key_out out = get_key(&rig, &q[i], OP_SLOT);

        assert_int_equal(out.code, 0);
        memcpy(key[i], out.key, 16);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(key[i], key[j], 16);
        }
    }
    rig_destroy(&rig);
}

static void expect_same(const struct rig_options *a, const struct rig_options *b,
                        const struct sgx_keyrequest *q, bool same)
{
    uint8_t ka[16];
    uint8_t kb[16];

    key_of(a, q, ka);
    key_of(b, q, kb);
    assert_int_equal(ct_equal(ka, kb, 16), same);
}

static void test_seal_key_depends_on_the_enclave_by_policy(void **state)
{
    struct rig_options o = base_options();
    struct rig_options other;
    struct sgx_keyrequest q = seal_request();

    other = o;
    other.data_byte = 1; /* another MRENCLAVE */
    expect_same(&o, &other, &q, false);
    q.key_policy = SGX_KEYPOLICY_MRSIGNER;
    expect_same(&o, &other, &q, true);
    other = o;
    other.key = 1; /* another signer */
    expect_same(&o, &other, &q, false);
    q.key_policy = SGX_KEYPOLICY_MRENCLAVE;
    expect_same(&o, &other, &q, true);
    other = o;
    other.isv_prod_id = 8;
    expect_same(&o, &other, &q, false);
    q.key_policy |= SGX_KEYPOLICY_NOISVPRODID;
    expect_same(&o, &other, &q, true);
    other = o;
    other.config_byte = 0xcd;
    expect_same(&o, &other, &q, true);
    q.key_policy |= SGX_KEYPOLICY_CONFIGID;
    expect_same(&o, &other, &q, false);
    other = o;
    other.isv_svn = 9; /* newer code reaches the keys of older code */
    expect_same(&o, &other, &q, true);
    /* DEBUG separates whatever the mask says. */
    other = o;
    other.flags |= SGX_FLAGS_DEBUG;
    q.attribute_mask.flags = 0;
    expect_same(&o, &other, &q, false);
}

static void expect_code(struct rig *rig, const struct sgx_keyrequest *q, uint64_t code)
{
    assert_int_equal(get_key(rig, q, OP_SLOT).code, code);
    assert_int_equal(get_key(rig, q, OP_ENCLU).code, code);
}

static void test_egetkey_error_codes(void **state)
{
    struct rig_options o = base_options();
    struct sgx_keyrequest q;
    struct rig rig;

    rig_build(&rig, &o);
    q = seal_request();
    q.isv_svn = 6;
    expect_code(&rig, &q, SGX_INVALID_ISVSVN);
    q = seal_request();
    q.config_svn = 5;
    expect_code(&rig, &q, SGX_INVALID_ISVSVN);
    for (unsigned i = 0; i < 16; i++) {
        q = seal_request();
        q.cpu_svn[i]++;
        expect_code(&rig, &q, SGX_INVALID_CPUSVN);
    }
    q = seal_request();
    q.key_name = 5;
    expect_code(&rig, &q, SGX_INVALID_KEYNAME);
    q.key_name = 0xffff;
    expect_code(&rig, &q, SGX_INVALID_KEYNAME);
    q = seal_request();
    q.key_name = SGX_KEY_EINITTOKEN;
    expect_code(&rig, &q, SGX_INVALID_ATTRIBUTE);
    q.key_name = SGX_KEY_PROVISION;
    expect_code(&rig, &q, SGX_SUCCESS);
    rig_destroy(&rig);

    o.flags = KSS;
    rig_build(&rig, &o);
    expect_code(&rig, &q, SGX_INVALID_ATTRIBUTE);
    q.key_name = SGX_KEY_PROVISION_SEAL;
    expect_code(&rig, &q, SGX_INVALID_ATTRIBUTE);
    rig_destroy(&rig);
}

static void leaf_faults(struct rig *rig, unsigned leaf, uint64_t rbx, uint64_t rcx, uint64_t rdx,
                        unsigned vector)
{
    static const uint64_t ops[] = {OP_ENCLU, OP_SLOT};

    for (size_t i = 0; i < ARRAY_COUNT(ops); i++) {
        struct enclu_args a = {.rax = leaf, .rbx = rbx, .rcx = rcx, .rdx = rdx};
        struct rig_exit x = rig_leaf(rig, ops[i], &a);

        assert_int_equal(x.function, ENCLU_ERESUME);
        assert_int_equal(x.vector, vector);
        assert_int_equal(rig_enter(rig, 0, OP_SKIP, ops[i] == OP_SLOT ? 5 : 3, 0).function,
                         ENCLU_EEXIT);
        assert_int_equal(rig_resume(rig, 0).function, ENCLU_EEXIT);
    }
}

static void test_egetkey_operands_fault(void **state)
{
    struct rig_options o = base_options();
    struct sgx_keyrequest q = seal_request();
    struct rig rig;

    rig_build(&rig, &o);
    rig_poke_bytes(&rig, REQ, &q, sizeof(q));
    leaf_faults(&rig, ENCLU_EGETKEY, REQ + 256, OUT, 0, X86_GP);
    leaf_faults(&rig, ENCLU_EGETKEY, REQ, OUT + 8, 0, X86_GP);
    leaf_faults(&rig, ENCLU_EGETKEY, 0x200, OUT, 0, X86_GP);
    leaf_faults(&rig, ENCLU_EGETKEY, REQ, 0x200, 0, X86_GP);
    leaf_faults(&rig, ENCLU_EGETKEY, REQ, RIG_BASE + ENC_RODATA, 0, X86_PF);
    leaf_faults(&rig, ENCLU_EGETKEY, RIG_BASE + ENC_DYNAMIC, OUT, 0, X86_PF);
    leaf_faults(&rig, ENCLU_EGETKEY, rig_tcs(&rig, 1), OUT, 0, X86_PF);
    q.key_policy = 1 << 6;
    rig_poke_bytes(&rig, REQ, &q, sizeof(q));
    leaf_faults(&rig, ENCLU_EGETKEY, REQ, OUT, 0, X86_GP);
    q = seal_request();
    q.reserved1 = 1;
    rig_poke_bytes(&rig, REQ, &q, sizeof(q));
    leaf_faults(&rig, ENCLU_EGETKEY, REQ, OUT, 0, X86_GP);
    q = seal_request();
    q.reserved2[433] = 1;
    rig_poke_bytes(&rig, REQ, &q, sizeof(q));
    leaf_faults(&rig, ENCLU_EGETKEY, REQ, OUT, 0, X86_GP);
    rig_destroy(&rig);

    /* KSS policies need KSS. */
    o.flags = 0;
    o.config_svn = 0;
    o.config_byte = 0;
    rig_build(&rig, &o);
    q = seal_request();
    q.key_policy |= SGX_KEYPOLICY_CONFIGID;
    rig_poke_bytes(&rig, REQ, &q, sizeof(q));
    leaf_faults(&rig, ENCLU_EGETKEY, REQ, OUT, 0, X86_GP);
    rig_destroy(&rig);
}

/* --- reports --- */

static struct sgx_targetinfo target_of(const struct rig *rig)
{
    struct sgx_targetinfo t = {
        .attributes = rig->e->id.attributes,
        .config_svn = rig->e->id.config_svn,
        .miscselect = rig->e->id.miscselect,
    };

    memcpy(t.mrenclave, rig->e->id.mrenclave, 32);
    memcpy(t.config_id, rig->e->id.config_id, 64);
    return t;
}

static struct sgx_report make_report(struct rig *rig, const struct sgx_targetinfo *t, uint64_t op)
{
    struct enclu_args a = {.rax = ENCLU_EREPORT, .rbx = REQ, .rcx = RDATA, .rdx = REPORT};
    struct sgx_report r;
    uint8_t data[64];

    for (unsigned i = 0; i < 64; i++) {
        data[i] = (uint8_t)(i + 1);
    }
    rig_poke_bytes(rig, REQ, t, sizeof(*t));
    rig_poke_bytes(rig, RDATA, data, sizeof(data));
    assert_int_equal(rig_leaf(rig, op, &a).function, ENCLU_EEXIT);
    rig_peek_bytes(rig, REPORT, &r, sizeof(r));
    return r;
}

static void test_ereport_fields(void **state)
{
    struct rig_options o = base_options();
    struct sgx_targetinfo t = {0};
    struct sgx_report r;
    struct sgx_report via_trap;
    struct rig rig;

    rig_build(&rig, &o);
    r = make_report(&rig, &t, OP_SLOT);
    via_trap = make_report(&rig, &t, OP_ENCLU);
    assert_memory_equal(&r, &via_trap, sizeof(r));
    assert_memory_equal(r.body.cpu_svn, soft_cpu_svn, 16);
    assert_int_equal(r.body.miscselect, SGX_MISC_EXINFO);
    assert_int_equal(r.body.attributes.flags, rig.secs.attributes.flags | SGX_FLAGS_INIT);
    assert_int_equal(r.body.attributes.xfrm, rig.secs.attributes.xfrm);
    assert_memory_equal(r.body.mrenclave, rig.mrenclave, 32);
    assert_memory_equal(r.body.mrsigner, rig.e->id.mrsigner, 32);
    assert_false(ct_is_zero(r.body.mrsigner, 32));
    assert_int_equal(r.body.isv_prod_id, 7);
    assert_int_equal(r.body.isv_svn, 5);
    assert_int_equal(r.body.config_svn, 4);
    assert_int_equal(r.body.config_id[63], 0xcc);
    assert_int_equal(r.body.report_data[63], 64);
    rig_destroy(&rig);
}

/* Local attestation: enclave B gets the report key A's report was made with. */
static void test_report_verifies_for_its_target_only(void **state)
{
    struct rig_options o = base_options();
    struct sgx_keyrequest q = {.key_name = SGX_KEY_REPORT};
    struct sgx_targetinfo t;
    struct sgx_targetinfo wrong;
    struct sgx_report r;
    struct key_out k;
    uint8_t mac[16];
    struct rig rig;

    rig_build(&rig, &o);
    t = target_of(&rig);
    r = make_report(&rig, &t, OP_SLOT);
    memcpy(q.key_id, r.key_id, sizeof(q.key_id));
    k = get_key(&rig, &q, OP_SLOT);
    assert_int_equal(k.code, 0);
    cmac_aes128(k.key, &r.body, sizeof(r.body), mac);
    assert_memory_equal(mac, r.mac, 16);
    assert_true(soft_report_verify(&r, &t));
    for (size_t i = 0; i < sizeof(r.body) + sizeof(r.key_id); i++) {
        ((uint8_t *)&r)[i] ^= 1;
        assert_false(soft_report_verify(&r, &t));
        ((uint8_t *)&r)[i] ^= 1;
    }
    for (size_t i = 0; i < 16; i++) {
        r.mac[i] ^= 0x80;
        assert_false(soft_report_verify(&r, &t));
        r.mac[i] ^= 0x80;
    }
    wrong = t;
    wrong.mrenclave[0] ^= 1;
    assert_false(soft_report_verify(&r, &wrong));
    wrong = t;
    wrong.attributes.flags ^= SGX_FLAGS_DEBUG;
    assert_false(soft_report_verify(&r, &wrong));
    wrong = t;
    wrong.miscselect ^= 1;
    assert_false(soft_report_verify(&r, &wrong));
    wrong = t;
    wrong.config_id[5] ^= 1;
    assert_false(soft_report_verify(&r, &wrong));
    wrong = t;
    wrong.config_svn ^= 1;
    assert_false(soft_report_verify(&r, &wrong));
    rig_destroy(&rig);
}

static void test_ereport_operands_fault(void **state)
{
    struct rig_options o = base_options();
    struct sgx_targetinfo t = {0};
    struct rig rig;

    rig_build(&rig, &o);
    rig_poke_bytes(&rig, REQ, &t, sizeof(t));
    leaf_faults(&rig, ENCLU_EREPORT, REQ + 256, RDATA, REPORT, X86_GP);
    leaf_faults(&rig, ENCLU_EREPORT, REQ, RDATA + 64, REPORT, X86_GP);
    leaf_faults(&rig, ENCLU_EREPORT, REQ, RDATA, REPORT + 256, X86_GP);
    leaf_faults(&rig, ENCLU_EREPORT, 0x200, RDATA, REPORT, X86_GP);
    leaf_faults(&rig, ENCLU_EREPORT, REQ, 0x200, REPORT, X86_GP);
    leaf_faults(&rig, ENCLU_EREPORT, REQ, RDATA, 0x200, X86_GP);
    leaf_faults(&rig, ENCLU_EREPORT, REQ, RDATA, RIG_BASE + ENC_RODATA, X86_PF);
    leaf_faults(&rig, ENCLU_EREPORT, REQ, RIG_BASE + ENC_DYNAMIC, REPORT, X86_PF);
    t.reserved1 = 1;
    rig_poke_bytes(&rig, REQ, &t, sizeof(t));
    leaf_faults(&rig, ENCLU_EREPORT, REQ, RDATA, REPORT, X86_GP);
    t.reserved1 = 0;
    t.reserved2[7] = 1;
    rig_poke_bytes(&rig, REQ, &t, sizeof(t));
    leaf_faults(&rig, ENCLU_EREPORT, REQ, RDATA, REPORT, X86_GP);
    t.reserved2[7] = 0;
    t.reserved3[383] = 1;
    rig_poke_bytes(&rig, REQ, &t, sizeof(t));
    leaf_faults(&rig, ENCLU_EREPORT, REQ, RDATA, REPORT, X86_GP);
    rig_destroy(&rig);
}

/* --- the fuse file --- */

/* In a child, because a process loads it once. 0 or the positive errno. */
static int run_in_child(const char *dir, const char *what)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        char self[4096];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n > 0) {
            self[n] = '\0';
            (void)setenv("NACRE_STATE_DIR", dir, 1);
            (void)execl(self, self, what, (char *)NULL);
        }
        _exit(99);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int load_in_child(const char *dir)
{
    return run_in_child(dir, "--load-fuses");
}

static void read_fuses(const char *dir, char ret[static 256], size_t *ret_size)
{
    char path[300];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/softsgx/fuses", dir);
    f = fopen(path, "re");
    assert_non_null(f);
    *ret_size = fread(ret, 1, 256, f);
    (void)fclose(f);
}

static void test_fuse_file_made_once_private_and_checked(void **state)
{
    char dir[] = "/tmp/nacre-fuses-XXXXXX";
    char deep[300];
    char path[400];
    char first[256];
    char second[256];
    size_t size;
    struct stat st;
    FILE *f;

    assert_non_null(mkdtemp(dir));
    (void)snprintf(deep, sizeof(deep), "%s/a/b", dir);
    (void)snprintf(path, sizeof(path), "%s/softsgx/fuses", deep);
    assert_int_equal(load_in_child(deep), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    read_fuses(deep, first, &size);
    assert_int_equal(load_in_child(deep), 0);
    read_fuses(deep, second, &size);
    assert_memory_equal(first, second, size);
    /* Readable by others: refused. */
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(load_in_child(deep), EPERM);
    assert_int_equal(chmod(path, 0600), 0);
    /* Cut short, or something else: refused, never replaced. */
    assert_int_equal(truncate(path, (off_t)size - 1), 0);
    assert_int_equal(load_in_child(deep), EBADMSG);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(first, 1, size, f), size);
    assert_int_equal(fputc('x', f), 'x');
    assert_int_equal(fclose(f), 0);
    assert_int_equal(load_in_child(deep), EBADMSG);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(load_in_child(deep), ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(load_in_child("/proc/nowhere"), ENOENT);
    (void)snprintf(path, sizeof(path), "%s/softsgx", deep);
    (void)rmdir(path);
    (void)rmdir(deep);
    (void)snprintf(deep, sizeof(deep), "%s/a", dir);
    (void)rmdir(deep);
    (void)rmdir(dir);
}

#define LOADERS 16

static pthread_barrier_t g_start;

static void *load_thread(void *arg)
{
    struct error *err = NULL;
    int r;

    (void)pthread_barrier_wait(&g_start);
    r = soft_fuse_load(&err);
    error_free(err);
    if (r == 0) {
        memcpy(arg, soft_report_key_id(), 32);
    }
    return (void *)(intptr_t)r;
}

/* In a process of its own: all threads load, and all see one report key id. */
static int load_by_threads(void)
{
    static uint8_t ids[LOADERS][32];
    pthread_t threads[LOADERS];
    int bad = 0;

    if (pthread_barrier_init(&g_start, NULL, LOADERS) != 0) {
        return ENOMEM;
    }
    for (size_t i = 0; i < LOADERS; i++) {
        if (pthread_create(&threads[i], NULL, load_thread, ids[i]) != 0) {
            return ENOMEM; /* the others wait for ever; the process ends here */
        }
    }
    for (size_t i = 0; i < LOADERS; i++) {
        void *r;

        (void)pthread_join(threads[i], &r);
        bad = r != NULL ? -(int)(intptr_t)r : bad;
    }
    for (size_t i = 1; i < LOADERS && bad == 0; i++) {
        bad = memcmp(ids[0], ids[i], 32) != 0 ? EUCLEAN : 0;
    }
    (void)pthread_barrier_destroy(&g_start);
    return bad;
}

static void test_fuse_file_made_by_threads_at_once(void **state)
{
    for (int round = 0; round < 20; round++) {
        char dir[] = "/tmp/nacre-fuses-XXXXXX";
        char path[300];

        assert_non_null(mkdtemp(dir));
        assert_int_equal(run_in_child(dir, "--load-fuses-by-threads"), 0);
        (void)snprintf(path, sizeof(path), "%s/softsgx/fuses", dir);
        assert_int_equal(unlink(path), 0);
        (void)snprintf(path, sizeof(path), "%s/softsgx", dir);
        assert_int_equal(rmdir(path), 0); /* no temporary file is left */
        assert_int_equal(rmdir(dir), 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_key_same_for_same_enclave_both_paths),
        cmocka_unit_test(test_seal_key_depends_on_the_request),
        cmocka_unit_test(test_seal_key_depends_on_the_enclave_by_policy),
        cmocka_unit_test(test_egetkey_error_codes),
        cmocka_unit_test(test_egetkey_operands_fault),
        cmocka_unit_test(test_ereport_fields),
        cmocka_unit_test(test_report_verifies_for_its_target_only),
        cmocka_unit_test(test_ereport_operands_fault),
        cmocka_unit_test(test_fuse_file_made_once_private_and_checked),
        cmocka_unit_test(test_fuse_file_made_by_threads_at_once),
    };

    if (argc > 1 && strcmp(argv[1], "--load-fuses") == 0) {
        struct error *err = NULL;
        int r = soft_fuse_load(&err);

        error_free(err);
        return -r;
    }
    if (argc > 1 && strcmp(argv[1], "--load-fuses-by-threads") == 0) {
        return load_by_threads();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
