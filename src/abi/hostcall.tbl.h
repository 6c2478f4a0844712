/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Every call the enclave can make to its host, once.
 *
 *   X(number, name, args, description)
 *
 * `args` is how many of hostcall_block.args[] are used, in the order the description gives. Every
 * pointer is into untrusted memory. Results are 0 or positive, or -errno; the host may lie about
 * all of them, so the wrapper in libos/host/ says what it checks. Numbers are part of the enclave
 * ABI: append, never renumber.
 */

/* life */
X(0, exit, 1, "end the process: status")
X(1, log, 3, "one line of text: level, ptr, size")
X(2, report_stats, 2, "counters at exit: ptr, size")
/* files and descriptors of the host */
X(10, openat, 4, "dirfd, path ptr, flags, mode")
X(11, close, 1, "fd")
X(12, read, 3, "fd, ptr, size")
X(13, write, 3, "fd, ptr, size")
X(14, pread, 4, "fd, ptr, size, offset")
X(15, pwrite, 4, "fd, ptr, size, offset")
X(16, fstat, 2, "fd, struct stat ptr")
X(17, fstatat, 4, "dirfd, path ptr, struct stat ptr, flags")
X(18, getdents, 3, "fd, ptr, size")
X(19, lseek, 3, "fd, offset, whence")
X(20, ftruncate, 2, "fd, size")
X(21, fsync, 2, "fd, data only")
X(22, mkdirat, 3, "dirfd, path ptr, mode")
X(23, unlinkat, 3, "dirfd, path ptr, flags")
X(24, renameat, 5, "dirfd, path ptr, dirfd, path ptr, flags")
X(25, linkat, 5, "dirfd, path ptr, dirfd, path ptr, flags")
X(26, symlinkat, 3, "target ptr, dirfd, path ptr")
X(27, readlinkat, 4, "dirfd, path ptr, ptr, size")
X(28, fchmodat, 3, "dirfd, path ptr, mode")
X(29, utimensat, 4, "dirfd, path ptr, struct timespec[2] ptr, flags")
X(30, fallocate, 4, "fd, mode, offset, size")
X(31, map_file, 3, "read-only mapping in untrusted memory: fd, offset, size -> address")
X(32, unmap, 2, "address, size")
X(33, ioctl, 3, "fd, request, ptr")
X(34, fcntl, 3, "fd, command, argument")
X(35, fstatfs, 2, "fd, struct statfs ptr")
/* sockets */
X(50, socket, 3, "family, type, protocol")
X(51, bind, 3, "fd, address ptr, size")
X(52, listen, 2, "fd, backlog")
X(53, accept, 4, "fd, address ptr, size ptr, flags")
X(54, connect, 3, "fd, address ptr, size")
X(55, getsockname, 3, "fd, address ptr, size ptr")
X(56, getpeername, 3, "fd, address ptr, size ptr")
X(57, getsockopt, 5, "fd, level, option, ptr, size ptr")
X(58, setsockopt, 5, "fd, level, option, ptr, size")
X(59, shutdown, 2, "fd, how")
X(60, sendmsg, 3, "fd, struct msghdr ptr, flags")
X(61, recvmsg, 3, "fd, struct msghdr ptr, flags")
X(62, sendto, 6, "fd, ptr, size, flags, address ptr, size")
X(63, recvfrom, 6, "fd, ptr, size, flags, address ptr, size ptr")
X(64, poll, 3, "struct pollfd ptr, count, timeout ns (-1: none)")
X(65, epoll_create, 0, "-> fd")
X(66, epoll_ctl, 4, "epoll fd, operation, fd, struct epoll_event ptr")
X(67, epoll_wait, 4, "epoll fd, struct epoll_event ptr, count, timeout ns (-1: none)")
X(68, eventfd, 2, "initial value, flags -> fd")
X(69, pipe, 2, "int[2] ptr, flags")
X(70, epoll_read, 6, "epoll_wait, then the data of streams: + int32_t sizes ptr, data ptr")
X(71, share_offer, 2,
  "memory for both ends of a unix stream, its descriptor goes to the peer: fd, size -> address")
X(72, share_take, 2, "the memory the peer of a unix stream offered: fd, size -> address")
/* threads and waiting */
X(80, thread_create, 1, "start a host thread that enters at this TCS: address")
X(81, thread_exit, 0, "end this host thread; does not return")
X(82, futex_wait, 3, "untrusted word ptr, expected, timeout ns (-1: none)")
X(83, futex_wake, 2, "untrusted word ptr, count")
X(84, thread_kick, 1, "make the thread of this TCS notice: TCS address")
X(85, yield, 0, "")
X(86, sleep, 1, "ns")
X(87, getcpu, 1, "uint32_t[2] ptr: cpu, node")
X(88, getaffinity, 2, "cpu set ptr, size -> bytes")
/* time */
X(100, clock_gettime, 1, "clock id -> ns")
X(101, set_timer, 2, "this process's wake-up timer: first ns (absolute monotonic), 0 to stop; -")
X(102, times, 2, "struct rusage ptr, who")
/* EDMM: what only the driver may do */
X(110, augment, 2, "hint: offset, size")
X(111, restrict_permissions, 3, "EMODPR: offset, size, SECINFO permissions")
X(112, modify_types, 3, "EMODT: offset, size, page type")
X(113, remove_pages, 2, "after EMODT to TRIM and EACCEPT: offset, size")
X(114, map, 3, "host page permissions: offset, size, PROT_*")
/* attestation */
X(120, quote_target, 1, "struct sgx_targetinfo ptr")
X(121, quote, 3, "struct sgx_report ptr, ptr, size -> size of the quote")
/* processes */
X(130, process_fork, 1,
  "int32_t[2] ptr: a host process with a fresh enclave -> its pid, the stream to that enclave")
/* 131 and 132 were never served */
