/**
 * kago's default seccomp profile as data: what a container may call, and on which condition.
 * Equal in effect to Docker's (moby/profiles, seccomp/default.json). What is in no list here fails with EPERM; among
 * it io_uring_*, keyctl, add_key, request_key, userfaultfd, kexec_*, swapon, pivot_root.
 */

/** A group of calls with one condition; every part of the condition that is present must hold. */
export interface SyscallGroup {
  /** Names, separated by white space. */
  names: string
  /** One of these capabilities is held. */
  capabilities?: readonly string[]
  /** Node's names for the processors it is for. */
  architectures?: readonly string[]
  /** Oldest kernel, as [major, minor]. */
  kernel?: readonly [number, number]
}

export const allowedCalls: readonly SyscallGroup[] = [
  {
    names: `
    accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown
    clock_adjtime clock_getres clock_gettime clock_nanosleep close close_range connect
    copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
    epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
    exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat
    fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr
    fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat
    get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid
    getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid
    getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
    getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
    io_getevents io_pgetevents io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule
    landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listmount
    listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack
    membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall
    mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap
    mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep
    newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
    pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease
    pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg
    recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall
    riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
    sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select
    semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area
    set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid
    setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr setxattrat shmat shmctl
    shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs statmount
    statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
    timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
    timerfd_settime times tkill truncate umask uname unlink unlinkat uretprobe utime utimensat
    utimes vfork vmsplice wait4 waitid write writev
`,
  },
  // before 4.8 ptrace could be used to slip past the filter
  { names: 'process_vm_readv process_vm_writev ptrace', kernel: [4, 8] },
  { names: 'arch_prctl modify_ldt', architectures: ['x64', 'ia32'] },
  {
    names: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
    architectures: ['arm64', 'arm'],
  },
  { names: 'sync_file_range2 swapcontext', architectures: ['ppc64'] },
  { names: 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr', architectures: ['s390x'] },
  { names: 'riscv_flush_icache', architectures: ['riscv64'] },
  { names: 'open_by_handle_at', capabilities: ['CAP_DAC_READ_SEARCH'] },
  {
    names: `
    clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr mount mount_setattr move_mount open_tree quotactl quotactl_fd setdomainname sethostname setns
    umount umount2 unshare
`,
    capabilities: ['CAP_SYS_ADMIN'],
  },
  { names: 'bpf', capabilities: ['CAP_SYS_ADMIN', 'CAP_BPF'] },
  { names: 'perf_event_open', capabilities: ['CAP_SYS_ADMIN', 'CAP_PERFMON'] },
  { names: 'syslog', capabilities: ['CAP_SYS_ADMIN', 'CAP_SYSLOG'] },
  { names: 'reboot', capabilities: ['CAP_SYS_BOOT'] },
  { names: 'chroot', capabilities: ['CAP_SYS_CHROOT'] },
  { names: 'delete_module init_module finit_module', capabilities: ['CAP_SYS_MODULE'] },
  { names: 'acct', capabilities: ['CAP_SYS_PACCT'] },
  { names: 'kcmp pidfd_getfd process_madvise', capabilities: ['CAP_SYS_PTRACE'] },
  // on a kernel before 4.8 only with the capability
  { names: 'process_vm_readv process_vm_writev ptrace', capabilities: ['CAP_SYS_PTRACE'] },
  { names: 'iopl ioperm', capabilities: ['CAP_SYS_RAWIO'] },
  { names: 'settimeofday stime clock_settime clock_settime64', capabilities: ['CAP_SYS_TIME'] },
  { names: 'vhangup', capabilities: ['CAP_SYS_TTY_CONFIG'] },
  { names: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node', capabilities: ['CAP_SYS_NICE'] },
]

/** Calls that only 32-bit programs make: left out, and so not compiled, unless the filter covers those too. */
export const allowed32BitCalls = `
    _llseek _newselect chown32 clock_adjtime64 clock_getres_time64 clock_gettime64
    clock_nanosleep_time64 fadvise64_64 fchown32 fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64
    futex_time64 getegid32 geteuid32 getgid32 getgroups32 getresgid32 getresuid32 getuid32
    io_pgetevents_time64 ipc lchown32 lstat64 mmap2 mq_timedreceive_time64 mq_timedsend_time64
    ppoll_time64 pselect6_time64 recv recvmmsg_time64 rt_sigtimedwait_time64
    sched_rr_get_interval_time64 semtimedop_time64 send sendfile64 setfsgid32 setfsuid32 setgid32
    setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigprocmask sigreturn
    socketcall stat64 statfs64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64
    truncate64 ugetrlimit utimensat_time64 waitpid
`

/**
 * Address families of socket(2) that are allowed: all below the first number, and those listed.
 * Not among them: DECnet (12), Econet (19), ATM (20), IrDA (23), WANPIPE (25), ISDN (34), CAIF (37), AF_ALG (38: the
 * kernel's crypto, CVE-2026-31431) and AF_VSOCK (40: it reaches the hypervisor past every network namespace).
 */
export const socketFamilies = {
  below: 12,
  also: [13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45],
} as const

/** personality(2) may be asked (0xffffffff) and set to Linux, with or without UNAME26 and randomization off (8). */
export const personalities: readonly number[] = [0x0, 0x0008, 0x20000, 0x20008, 0xffffffff]

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET: clone(2) is allowed with none of them. */
export const namespaceCloneFlags = 0x7e020000
