/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What the owner tells a member, unasked and without an answer (family/rpc.h), once.
 *
 *   X(name, least, most, description)
 *
 * Handlers run on the member's service thread, one at a time and in the order of sending; they must
 * not wait for the owner and not take locks that are held across family_call. Set with
 * family_hear(FAMILY_EVENT_name, …); without a handler the message is dropped.
 */

X(process_signal, 132, 132, "pid, siginfo: it has got this signal")
X(process_child, 4, 4, "pid: something changed with its children")
X(process_ended, 16, 16, "pid, serial: a process that is watched has ended")
X(ping, 0, 131064, "for tests and liveness")
X(ready, 8, 8, "something changed about the object behind a handle")
X(touched, 24, 24, "an inode of a lower file system is about to change: struct wire_touched")
