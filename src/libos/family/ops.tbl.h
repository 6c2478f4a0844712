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
