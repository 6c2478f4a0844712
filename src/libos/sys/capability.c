/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/sys/capability.h"

#include <linux/capability.h>
#include <linux/prctl.h>

#include "libos/lib/strbuf.h"
#include "libos/mm/user.h"
#include "libos/proc/thread_list.h"
#include "libos/sys/syscall.h"

#define BIT(cap) (1ull << (cap))
/* What container engines leave to root. */
#define CONTAINER                                                                                 \
    (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) | \
     BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |           \
     BIT(CAP_NET_RAW) | BIT(CAP_SYS_CHROOT) | BIT(CAP_MKNOD) | BIT(CAP_AUDIT_WRITE) |             \
     BIT(CAP_SETFCAP))

/* Of the current process, made up from its user when it is first asked for. */
static struct capabilities *own(void)
{
    struct process *p = process_current();
    struct capabilities *c = &p->caps;

    if (!c->known) {
        c->bounding = CONTAINER;
        c->permitted = p->euid == 0 || p->uid == 0 || p->suid == 0 ? CONTAINER : 0;
        c->effective = p->euid == 0 ? CONTAINER : 0;
        c->known = true;
    }
    return c;
}

bool capable(int cap)
{
    return (own()->effective & BIT(cap)) != 0;
}

/* capabilities(7), "Effect of user ID changes on capabilities". */
void capability_ids_changed(uint32_t old_uid, uint32_t old_euid, uint32_t old_suid)
{
    const struct process *p = process_current();
    struct capabilities *c = own();
    const bool was_root = old_uid == 0 || old_euid == 0 || old_suid == 0;

    if (was_root && p->uid != 0 && p->euid != 0 && p->suid != 0) {
        if (!c->keep) {
            c->permitted = 0;
            c->effective = 0;
        }
        c->ambient = 0;
    }
    if (old_euid == 0 && p->euid != 0) {
        c->effective = 0;
    } else if (old_euid != 0 && p->euid == 0) {
        c->effective = c->permitted;
    }
}

void capability_exec(void)
{
    const struct process *p = process_current();
    struct capabilities *c = own();

    c->keep = false;
    if (p->uid == 0 || p->euid == 0) {
        c->ambient = 0;
        c->permitted = c->bounding | c->inheritable;
        c->effective = p->euid == 0 ? c->permitted : 0;
    } else {
        c->permitted = c->ambient;
        c->effective = c->ambient;
    }
}

void capability_format(struct strbuf *out)
{
    const struct capabilities *c = own();

    strbuf_printf(out, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n", c->inheritable,
                  c->permitted, c->effective);
    strbuf_printf(out, "CapBnd:\t%016lx\nCapAmb:\t%016lx\n", c->bounding, c->ambient);
}

/* --- prctl --- */

static int64_t ambient(struct capabilities *c, uint64_t what, uint64_t cap)
{
    if (what == PR_CAP_AMBIENT_CLEAR_ALL) {
        c->ambient = 0;
        return cap == 0 ? 0 : -EINVAL;
    }
    if (cap > CAP_LAST_CAP) {
        return -EINVAL;
    }
    switch (what) {
    case PR_CAP_AMBIENT_IS_SET: return (c->ambient & BIT(cap)) != 0;
    case PR_CAP_AMBIENT_LOWER: c->ambient &= ~BIT(cap); return 0;
    case PR_CAP_AMBIENT_RAISE:
        if ((c->permitted & c->inheritable & BIT(cap)) == 0) {
            return -EPERM;
        }
        c->ambient |= BIT(cap);
        return 0;
    default: return -EINVAL;
    }
}

int64_t capability_prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct capabilities *own_caps = own();

    switch (option) {
    case PR_GET_KEEPCAPS: return own_caps->keep;
    case PR_SET_KEEPCAPS:
        if (a > 1) {
            return -EINVAL;
        }
        own_caps->keep = a != 0;
        return 0;
    case PR_CAPBSET_READ: return a > CAP_LAST_CAP ? -EINVAL : (own_caps->bounding & BIT(a)) != 0;
    case PR_CAPBSET_DROP:
        if (!capable(CAP_SETPCAP)) {
            return -EPERM;
        }
        if (a > CAP_LAST_CAP) {
            return -EINVAL;
        }
        own_caps->bounding &= ~BIT(a);
        return 0;
    case PR_CAP_AMBIENT: return (c | d) != 0 ? -EINVAL : ambient(own_caps, a, b);
    default: return -EINVAL;
    }
}

/* --- capget, capset --- */

static bool names_a_thread(int32_t tid)
{
    struct thread *t = thread_find(process_current(), tid);

    if (t != NULL) {
        thread_put(t);
    }
    return t != NULL;
}

/* How many words the caller's version has, 0 when it has none we know (it is then told ours). */
static int check_version(uint64_t user_header, struct __user_cap_header_struct *ret_header,
                         size_t *ret_words)
{
    if (user_get(ret_header, user_header) < 0) {
        return -EFAULT;
    }
    switch (ret_header->version) {
    case _LINUX_CAPABILITY_VERSION_1: *ret_words = 1; return 0;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3: *ret_words = 2; return 0;
    default:
        *ret_words = 0;
        ret_header->version = _LINUX_CAPABILITY_VERSION_3;
        return user_put(user_header, ret_header);
    }
}

SYSCALL_2(capget, uint64_t, user_header, uint64_t, user_data)
{
    const struct capabilities *c = own();
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2];
    size_t words;
    int r = check_version(user_header, &header, &words);

    if (r < 0) {
        return r;
    }
    if (words == 0) {
        return user_data == 0 ? 0 : -EINVAL;
    }
    if (header.pid < 0) {
        return -EINVAL;
    }
    if (header.pid != 0 && !names_a_thread(header.pid)) {
        return -ESRCH;
    }
    for (size_t i = 0; i < words; i++) {
        data[i] =
            (struct __user_cap_data_struct){.effective = (uint32_t)(c->effective >> 32 * i),
                                            .permitted = (uint32_t)(c->permitted >> 32 * i),
                                            .inheritable = (uint32_t)(c->inheritable >> 32 * i)};
    }
    return user_data == 0 ? 0 : user_copy_out(user_data, data, words * sizeof(data[0]));
}

SYSCALL_2(capset, uint64_t, user_header, uint64_t, user_data)
{
    struct capabilities *c = own();
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2] = {0};
    size_t words;
    int r = check_version(user_header, &header, &words);

    if (r < 0 || words == 0) {
        return r < 0 ? r : -EINVAL;
    }
    if (header.pid != 0 && header.pid != thread_current()->tid) {
        return -EPERM;
    }
    if (user_copy_in(data, user_data, words * sizeof(data[0])) < 0) {
        return -EFAULT;
    }
    const uint64_t effective = data[0].effective | (uint64_t)data[1].effective << 32;
    const uint64_t permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    const uint64_t inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;

    if ((!capable(CAP_SETPCAP) && (inheritable & ~(c->inheritable | c->permitted)) != 0) ||
        (inheritable & ~(c->inheritable | c->bounding)) != 0 || (permitted & ~c->permitted) != 0 ||
        (effective & ~permitted) != 0) {
        return -EPERM;
    }
    c->effective = effective;
    c->permitted = permitted;
    c->inheritable = inheritable;
    c->ambient &= permitted & inheritable;
    return 0;
}
