"""Which system calls are left to a confined process: the tables, and nothing but the tables.

Two filters lie on top of each other. The zygote's is put on before its first key, and lets it fork, reap and
kill its children and put on one filter more. The worker's is put on after the fork, and takes all that away.
A caller, which has no keys and asks an agent, has the worker's calls and those that reach a Unix socket.

What is not named gets EPERM in a strict filter, so that a C library's new attempt is an error and not the
end of the service; a file is "not permitted", which Python's tracebacks and time zones take for an answer; a
number above the last one known here "does not exist", which makes the C library fall back. What no part of
this program ever calls, and an attacker would, ends the process.
"""

from __future__ import annotations

import errno
from enum import Enum, auto

from kit.core.frozen import frozen
from kit.core.sandbox.plan import Level

# linux/seccomp.h
ALLOW, KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, EACCES, ENOTTY = (_ERRNO | number for number in (errno.EPERM, errno.EACCES, errno.ENOTTY))
ENOSYS = _ERRNO | errno.ENOSYS
# mseal. What came later is not judged by its name.
LAST_KNOWN = 462


class Role(Enum):
    ZYGOTE = auto()
    WORKER = auto()
    CALLER = auto()


class Relation(Enum):
    """What a check asks of an argument's lower 32 bits, or in NULL's case of all 64."""

    ONE_OF = auto()
    NONE_OF = auto()
    WITHOUT = auto()  # has none of these bits
    WITH = auto()  # has some of these bits
    NULL = auto()


@frozen
class Check:
    argument: int
    relation: Relation
    values: tuple[int, ...] = ()


@frozen
class Rule:
    """The verdict on these calls; where a check does not hold, the other one, or None for the next rule's."""

    names: tuple[str, ...]
    verdict: int
    checks: tuple[Check, ...] = ()
    otherwise: int | None = EPERM


@frozen
class Family:
    """The process that puts the filter on, and the one that it must not signal."""

    pid: int
    parent: int


@frozen
class Policy:
    """Rules, of which the first that decides on a call counts, and the verdict on all other calls."""

    rules: tuple[Rule, ...]
    default: int


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SERVING = _names("""
    read write readv writev recvfrom recvmsg sendmsg recvmmsg sendmmsg accept accept4 shutdown close
    close_range getsockopt getsockname getpeername
    epoll_wait epoll_pwait epoll_pwait2 epoll_ctl poll ppoll select pselect6
    futex futex_waitv set_robust_list rseq membarrier sched_yield restart_syscall
    brk munmap mremap madvise
    getrandom clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time
    getpid gettid getppid getuid geteuid getgid getegid getresuid getresgid getcpu sched_getaffinity getrusage
    times uname
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sigaltstack
    fstat lseek exit exit_group wait4 waitid
""")

# A worker makes its epoll before its own filter; a key's file is read by its descriptor.
_FORKING = _names(
    "fork pipe pipe2 epoll_create1 pread64 preadv preadv2 set_tid_address capget mlock mlock2 mlockall"
)

# To whom is decided by which sockets there can be.
_CALLING = _names("connect")

_FILES = _names("""
    open openat openat2 stat lstat statx access faccessat faccessat2 readlink readlinkat getcwd
""")

_DEADLY = _names("""
    execve execveat ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp
    bpf perf_event_open userfaultfd keyctl add_key request_key
    io_uring_setup io_uring_enter io_uring_register
    init_module finit_module delete_module kexec_load kexec_file_load reboot
    mount umount2 pivot_root move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
    setns unshare chroot open_by_handle_at name_to_handle_at
    swapon swapoff acct quotactl quotactl_fd iopl ioperm modify_ldt personality
    uselib nfsservctl vmsplice remap_file_pages
    settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname syslog vhangup
""")

# For a compatible filter: of no use to what serves, of some use to what took it over.
_DENIED = _names("""
    creat link linkat symlink symlinkat unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir mknod
    mknodat chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat truncate ftruncate fallocate
    utime utimes futimesat utimensat chdir fchdir getdents getdents64 flock sync syncfs fsync fdatasync
    setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    removexattr lremovexattr fremovexattr statfs fstatfs statmount listmount
    inotify_init inotify_init1 inotify_add_watch fanotify_init fanotify_mark lookup_dcookie
    sendfile splice tee copy_file_range io_setup io_submit io_destroy io_getevents io_pgetevents io_cancel
    socket socketpair connect bind listen setsockopt
    setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset setsid setpgid
    rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal process_mrelease
    vfork memfd_create memfd_secret map_shadow_stack pkey_alloc pkey_free pkey_mprotect
    shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl semget semop semtimedop semctl
    mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
    setrlimit setpriority ioprio_set sched_setaffinity sched_setparam sched_setscheduler sched_setattr
    mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages munlock munlockall
    landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_set_self_attr mseal cachestat
    timer_create timer_settime signalfd signalfd4 eventfd timerfd_create dup2 dup3
""")

# asm-generic/ioctls.h: FIONBIO FIONCLEX FIOCLEX FIONREAD
_IOCTLS = (0x5421, 0x5450, 0x5451, 0x541B)
# fcntl.h: F_GETFD F_SETFD F_GETFL F_SETFL F_DUPFD_CLOEXEC
_FCNTLS = (1, 2, 3, 4, 1030)
# linux/prctl.h: PR_SET_VMA, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_SET_NAME, PR_GET_NAME
_PRCTLS = (0x53564D41, 3, 39, 15, 16)
# PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_NO_NEW_PRIVS
_FORKING_PRCTLS = (1, 2, 38)
_PR_SET_DUMPABLE = 4
_PROT_EXEC, _AT_EMPTY_PATH = 0x4, 0x1000
# linux/sched.h: CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, and the signal's octet. That
# is what fork(3) gives; without CLONE_VM it makes no thread, and there is no namespace among them.
_FORK_FLAGS = 0x00100000 | 0x00200000 | 0x01000000 | 0xFF
_NEGATIVE = 0x80000000
_AF_UNIX = 1
_SIGNALS = (0, 9, 15)  # is it there, SIGKILL, SIGTERM
_SET_MODE_FILTER, _THREADS_TOO = 1, 1


def policy(role: Role, level: Level, family: Family) -> Policy:
    """The filter's tables for this role; a level of OFF has none."""
    special = {Role.ZYGOTE: _zygote, Role.WORKER: _worker, Role.CALLER: _caller}[role](family)
    more = {Role.ZYGOTE: _FORKING, Role.WORKER: (), Role.CALLER: _CALLING}[role]
    shared = (*special, *_checked(), Rule((*more, *_SERVING), ALLOW), Rule(_DEADLY, KILL))
    if level is Level.STRICT:
        return Policy((*shared, Rule(_FILES, EACCES)), EPERM)
    denied = tuple(name for name in (*_FILES, *_DENIED) if name not in more)
    return Policy((*shared, Rule(denied, EPERM)), ALLOW)


def _checked() -> tuple[Rule, ...]:
    """What both roles may do with some arguments; the busiest first."""
    return (
        # No destination: what is not connected stays so.
        Rule(("sendto",), ALLOW, (Check(4, Relation.NULL),)),
        Rule(("mmap", "mprotect"), ALLOW, (Check(2, Relation.WITHOUT, (_PROT_EXEC,)),)),
        Rule(("fcntl",), ALLOW, (_one_of(1, *_FCNTLS),)),
        Rule(("ioctl",), ALLOW, (_one_of(1, *_IOCTLS),), ENOTTY),
        # fstat(3) of some C libraries. A path beside the flag cannot be seen from here; the chroot is empty.
        Rule(("newfstatat",), ALLOW, (Check(3, Relation.WITH, (_AT_EMPTY_PATH,)),), EACCES),
        # Its arguments lie behind a pointer; the C library falls back to clone.
        Rule(("clone3",), ENOSYS),
    )


def _worker(family: Family) -> tuple[Rule, ...]:
    """One thread, no child, nobody to signal but itself, and no limit to change."""
    return (
        Rule(("prctl",), ALLOW, (_one_of(0, *_PRCTLS),)),
        Rule(("tgkill", "tkill"), ALLOW, (_one_of(0, family.pid),)),
        Rule(("prlimit64",), ALLOW, (_one_of(0, 0), Check(2, Relation.NULL))),
        Rule(("clone", "fork", "vfork", "kill", "seccomp"), EPERM),
    )


def _caller(family: Family) -> tuple[Rule, ...]:
    """A worker that may connect to Unix sockets, of which it can reach those in the file system."""
    return (Rule(("socket",), ALLOW, (_one_of(0, _AF_UNIX),)), *_worker(family))


def _zygote(family: Family) -> tuple[Rule, ...]:
    """It forks, and signals neither a group nor its parent; its limits the kernel lets it lower only."""
    one = (
        Check(0, Relation.NONE_OF, (0, 1, family.parent)),
        Check(0, Relation.WITHOUT, (_NEGATIVE,)),
    )
    return (
        Rule(("clone",), ALLOW, (Check(0, Relation.WITHOUT, (0xFFFFFFFF ^ _FORK_FLAGS,)),)),
        Rule(("kill",), ALLOW, (*one, _one_of(1, *_SIGNALS))),
        Rule(("tgkill", "tkill"), ALLOW, one),
        Rule(("prlimit64",), ALLOW, (_one_of(0, 0),)),
        Rule(("prctl",), ALLOW, (_one_of(0, *_PRCTLS, *_FORKING_PRCTLS),), None),
        Rule(("prctl",), ALLOW, (_one_of(0, _PR_SET_DUMPABLE), _one_of(1, 0))),
        Rule(("seccomp",), ALLOW, (_one_of(0, _SET_MODE_FILTER), _one_of(1, 0, _THREADS_TOO))),
    )


def _one_of(argument: int, *values: int) -> Check:
    return Check(argument, Relation.ONE_OF, values)
