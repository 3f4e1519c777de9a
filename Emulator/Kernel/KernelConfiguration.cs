using System.IO.Compression;
using System.Text;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// What the kernel of a world has, in the words of Linux's build configuration (/proc/config.gz): programs look there before they use a
/// facility. An option is named when what it stands for works here.
/// </summary>
public static class KernelConfiguration
{
    private static readonly string[] Machine = ["64BIT", "X86_64", "X86", "MMU", "SMP", "HIGH_RES_TIMERS", "X86_IOPL_IOPERM"];

    private static readonly string[] Processes =
    [
        "MULTIUSER", "FUTEX", "FUTEX_PI", "EPOLL", "SIGNALFD", "TIMERFD", "EVENTFD", "SHMEM", "USERFAULTFD", "HAVE_ARCH_USERFAULTFD_WP", "HAVE_ARCH_USERFAULTFD_MINOR", "PTE_MARKER_UFFD_WP", "MEMORY_FAILURE", "NUMA", "MIGRATION", "AIO", "IO_URING", "ADVISE_SYSCALLS", "MEMBARRIER", "KCMP", "RSEQ",
        "POSIX_TIMERS", "PRINTK", "BINFMT_ELF", "BINFMT_SCRIPT", "COREDUMP", "ELF_CORE", "SYSVIPC", "POSIX_MQUEUE", "CROSS_MEMORY_ATTACH", "CHECKPOINT_RESTORE", "PERF_EVENTS",
        "SECCOMP", "SECCOMP_FILTER", "KEYS", "SYSCTL", "PROC_SYSCTL", "BPF", "BPF_SYSCALL", "SECURITY", "SECURITY_LANDLOCK", "SECURITYFS", "BSD_PROCESS_ACCT", "BSD_PROCESS_ACCT_V3",
    ];

    private static readonly string[] Spaces = ["NAMESPACES", "UTS_NS", "TIME_NS", "IPC_NS", "USER_NS", "PID_NS", "NET_NS", "CGROUPS"];

    private static readonly string[] Files =
    [
        "FILE_LOCKING", "DNOTIFY", "INOTIFY_USER", "FANOTIFY", "FANOTIFY_ACCESS_PERMISSIONS", "FHANDLE", "PROC_FS", "SYSFS", "TMPFS", "TMPFS_POSIX_ACL",
        "TMPFS_XATTR", "MEMFD_CREATE", "OVERLAY_FS", "DEVTMPFS", "BLOCK", "BLK_DEV", "BLK_DEV_LOOP", "UNIX98_PTYS", "TTY",
    ];

    private static readonly string[] Networks = ["NET", "UNIX", "PACKET", "INET", "IPV6", "IP_MULTICAST", "NETDEVICES", "TUN"];

    private static readonly Lazy<byte[]> Bytes = new(static () => Compress(Text()));

    /// <summary>The text, as gzip compresses it.</summary>
    public static byte[] Compressed => Bytes.Value;

    /// <summary>"CONFIG_NAME=y", a line each.</summary>
    public static string Text()
    {
        StringBuilder text = new();
        foreach ((string title, string[] options) in (ReadOnlySpan<(string, string[])>)[("Machine", Machine), ("Processes", Processes), ("Name spaces", Spaces), ("Files", Files), ("Networks", Networks)])
        {
            text.Append("#\n# ").Append(title).Append("\n#\n");
            foreach (string option in options)
                text.Append("CONFIG_").Append(option).Append("=y\n");
        }
        return text.Append("CONFIG_HZ=100\nCONFIG_PGTABLE_LEVELS=4\nCONFIG_DEFAULT_HOSTNAME=\"vivarium\"\n").ToString();
    }

    private static byte[] Compress(string text)
    {
        using MemoryStream bytes = new();
        using (GZipStream stream = new(bytes, CompressionLevel.Optimal))
            stream.Write(Encoding.ASCII.GetBytes(text));
        return bytes.ToArray();
    }
}
