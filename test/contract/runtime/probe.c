/* Makes system calls that a container should not, and prints for each its name and the errno it got (0 for success). */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY(name, call)                                     \
  do {                                                      \
    errno = 0;                                              \
    long result = (long)(call);                             \
    printf("%s %d\n", name, result < 0 ? errno : 0);        \
    fflush(stdout);                                         \
  } while (0)

/* clone(2) with flags, and nothing in the child. */
static long try_clone(unsigned long flags) {
  long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid((pid_t)pid, NULL, 0);
  return pid;
}

int main(void) {
  struct clone_args args = {.exit_signal = SIGCHLD};
  TRY("getpid", syscall(SYS_getpid));
  TRY("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
  TRY("socket-unix", socket(AF_UNIX, SOCK_STREAM, 0));
  TRY("socket-vsock", socket(40, SOCK_STREAM, 0));
  TRY("socket-alg", socket(38, SOCK_SEQPACKET, 0));
  TRY("clone-plain", try_clone(0));
  TRY("clone-newuser", try_clone(CLONE_NEWUSER));
  TRY("clone-newns", try_clone(CLONE_NEWNS));
  TRY("clone3", syscall(SYS_clone3, &args, 0));
  TRY("unshare-user", unshare(CLONE_NEWUSER));
  TRY("unshare-mount", unshare(CLONE_NEWNS));
  TRY("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, 0));
  TRY("umount2", syscall(SYS_umount2, "/proc", 2));
  TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  TRY("open_tree", syscall(SYS_open_tree, -100, "/", 1));
  TRY("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
  TRY("setns", syscall(SYS_setns, -1, 0));
  TRY("keyctl", syscall(SYS_keyctl, 0, -3, 0, 0, 0));
  TRY("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -2));
  TRY("request_key", syscall(SYS_request_key, "user", "x", 0, -2));
  TRY("bpf", syscall(SYS_bpf, 0, 0, 0));
  TRY("perf_event_open", syscall(SYS_perf_event_open, 0, 0, -1, -1, 0));
  TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
  TRY("io_uring_setup", syscall(SYS_io_uring_setup, 1, 0));
  TRY("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
  TRY("init_module", syscall(SYS_init_module, 0, 0, 0));
  TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, 0, 0));
  TRY("swapon", syscall(SYS_swapon, "/x", 0));
  TRY("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
  TRY("settimeofday", syscall(SYS_settimeofday, 0, 0));
  TRY("acct", syscall(SYS_acct, "/x"));
  TRY("quotactl", syscall(SYS_quotactl, 0, 0, 0, 0));
  TRY("syslog", syscall(SYS_syslog, 10, 0, 0));
  TRY("vhangup", syscall(SYS_vhangup));
  TRY("personality-query", syscall(SYS_personality, 0xffffffffUL));
  TRY("personality-odd", syscall(SYS_personality, 0x0400000UL));
  TRY("ptrace-self", syscall(SYS_ptrace, 0, 0, 0, 0));
  TRY("chroot", syscall(SYS_chroot, "/"));
  TRY("sethostname", syscall(SYS_sethostname, "x", 1));
  return 0;
}
