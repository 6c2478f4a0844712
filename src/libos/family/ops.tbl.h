/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What a member of the family asks of the owner (family/rpc.h), once.
 *
 *   X(name, least, most, description)
 *
 * `least` and `most` bound the size of the request in bytes: others are refused (-EBADMSG) before
 * the handler sees them. The handler is set with family_serve(FAMILY_OP_name, …); without one the
 * answer is -ENOSYS. Both ends run the same measured code, so numbers may change with every build.
 */

/* the family itself */
X(ping, 0, 131072, "the request comes back")
X(new_member, 0, 0, "a place for a child: struct family_ticket")
X(forget_member, 4, 4, "the child of that ticket will not come")
/* processes (proc/pids.h has the structures) */
X(process_create, 48, 48, "struct pids_new -> pid")
X(process_move, 8, 8, "pid, member: the enclave it lives in from now on")
X(process_abandon, 4, 4, "pid: it never came to be")
X(process_exit, 24, 24, "pid, status, times: its end")
X(process_stopped, 8, 8, "pid, signal: stopped by it, or (0) continued")
X(process_wait, 12, 12, "struct pids_wait -> struct pids_waited")
X(process_kill, 136, 136, "caller, target, siginfo -> 1: the caller too")
X(process_setpgid, 12, 12, "caller, pid, group")
X(process_setsid, 4, 4, "caller -> session")
X(process_set, 16, 16, "pid, property, value")
X(process_rename, 20, 20, "pid, name")
X(process_describe, 4, 4, "pid -> struct pids_info")
X(process_next, 4, 4, "pid -> the next one in use")
