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
X(ping, 0, 131064, "the request comes back")
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
X(process_rename, 256, 256, "struct pids_name")
X(process_describe, 4, 4, "pid -> struct pids_info")
X(process_next, 4, 4, "pid -> the next one in use")
/* shared objects: family/wire.h has the requests, family/home*.c the handlers */
X(clone, 4, 4, "a child gets every handle of its parent, under the same numbers")
X(drop, 8, 8192, "handles given back")
X(file_read, 24, 24, "bytes of an open file")
X(file_write, 24, 131000, "bytes for an open file")
X(file_seek, 16, 16, "the position of an open file")
X(file_poll, 8, 8, "what holds now")
X(file_flags, 8, 8, "F_SETFL")
X(file_pending, 4, 4, "FIONREAD")
X(file_pipe_size, 12, 12, "F_SETPIPE_SZ (a size) and F_GETPIPE_SZ (0)")
X(file_on_inode, 16, 16, "an open file of an inode, with a position of its own")
X(pipe, 4, 4, "a new pipe: two open files")
X(lookup, 5, 259, "a name of a directory")
X(create, 33, 4400, "a new object under a name")
X(tmpfile, 32, 32, "a new file without a name")
X(link, 9, 263, "another name")
X(unlink, 5, 259, "a name goes")
X(rmdir, 5, 259, "an empty directory goes")
X(rename, 18, 526, "a name moves")
X(readdir, 16, 16, "entries of a directory")
X(readlink, 4, 4, "the text of a symbolic link")
X(getattr, 4, 4, "attributes")
X(setattr, 56, 56, "new attributes")
X(read, 16, 16, "bytes of an inode at an offset")
X(write, 24, 131000, "bytes for an inode at an offset, or at its end")
X(fallocate, 24, 24, "room in a file, or a hole")
X(seek_data, 16, 16, "the next data or hole")
X(statfs, 4, 4, "figures of a file system")
X(getxattr, 9, 264, "an extended attribute")
X(listxattr, 8, 8, "names of extended attributes")
X(setxattr, 13, 66000, "sets an extended attribute")
X(removexattr, 5, 260, "removes an extended attribute")
X(lock, 48, 48, "sets, clears or tests a lock of a file")
X(unlock_owner, 24, 24, "an owner's locks go")
X(sock_new, 24, 24, "a unix socket (word: type), or two that are connected (word2: 1)")
X(sock_bind, 24, 152, "an address of its own")
X(sock_connect, 24, 152, "an address to connect to")
X(sock_listen, 24, 24, "word: backlog")
X(sock_accept, 24, 24, "the next connection")
X(sock_name, 24, 24, "word: 1 for the peer's")
X(sock_shutdown, 24, 24, "word: how")
X(sock_get, 24, 24, "word: level, word2: option")
X(sock_set, 24, 4120, "word: level, word2: option, then the value")
X(sock_send, 24, 131000, "a message: struct wire_message, files, address, data")
X(sock_receive, 24, 24, "word: flags, word2: room for data")
X(sock_pending, 24, 24, "word: the ioctl")
X(away, 4, 4, "1: this member makes a child, 0: it is back")
X(touched, 16, 16, "numbers of changed inodes of a lower file system: struct wire_touched")
