using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Vivarium.Emulator.Personalities.Linux;
using Xunit;

namespace Vivarium.Emulator.Tests.Abi;

/// <summary>The structures that handlers read and write, field by field, against the host's C headers.</summary>
public sealed partial class LayoutTests
{
    private const string Library = """
        #define _GNU_SOURCE
        #include <sys/acct.h>
        #include <sys/stat.h>
        #include <sys/time.h>
        #include <sys/resource.h>
        #include <sys/uio.h>
        #include <sys/socket.h>
        #include <sys/statfs.h>
        #include <sys/epoll.h>
        #include <sys/user.h>
        #include <fcntl.h>
        #include <poll.h>
        #include <signal.h>
        #include <linux/aio_abi.h>
        #include <linux/filter.h>
        #include <linux/io_uring.h>
        #include <linux/openat2.h>
        #include <linux/prctl.h>
        #include <linux/quota.h>
        #include <linux/fiemap.h>
        #include <linux/loop.h>
        #include <linux/userfaultfd.h>
        #include <sys/timex.h>

        """;

    /// <summary>The kernel's own, where the C library has others by the same name.</summary>
    private const string Kernel = """
        #include <stddef.h>
        #include <asm/termios.h>
        #include <asm/signal.h>
        #include <asm/sigcontext.h>
        #include <asm/ucontext.h>

        """;

    /// <summary>Of architectures that have none of their own.</summary>
    private const string Generic = """
        #include <stddef.h>
        #include <asm-generic/stat.h>

        """;

    /// <summary>A structure of ours: C's headers and type, and its members in the order of our fields; '-' where a field is padding.</summary>
    private static readonly Dictionary<string, (string Preamble, string Type, string Members)> Structures = new()
    {
        ["FileTime"] = (Library, "struct timespec", "tv_sec tv_nsec"),
        ["Stat"] = (Library, "struct stat", "st_dev st_ino st_nlink st_mode st_uid st_gid - st_rdev st_size st_blksize st_blocks st_atim st_mtim st_ctim - - -"),
        ["GenericStat"] = (Generic, "struct stat", "st_dev st_ino st_mode st_nlink st_uid st_gid st_rdev - st_size st_blksize - st_blocks st_atime st_mtime st_ctime -"),
        ["AccountRecord"] = (Library, "struct acct_v3", "ac_flag ac_version ac_tty ac_exitcode ac_uid ac_gid ac_pid ac_ppid ac_btime ac_etime ac_utime ac_stime ac_mem ac_io ac_rw ac_minflt ac_majflt ac_swaps ac_comm"),
        ["IfDqBlk"] = (Library, "struct if_dqblk", "dqb_bhardlimit dqb_bsoftlimit dqb_curspace dqb_ihardlimit dqb_isoftlimit dqb_curinodes dqb_btime dqb_itime dqb_valid -"),
        ["IfNextDqBlk"] = (Library, "struct if_nextdqblk", "dqb_bhardlimit dqb_id"),
        ["IfDqInfo"] = (Library, "struct if_dqinfo", "dqi_bgrace dqi_igrace dqi_flags dqi_valid"),
        ["UffdioApi"] = (Library, "struct uffdio_api", "api features ioctls"),
        ["UffdioRange"] = (Library, "struct uffdio_range", "start len"),
        ["UffdioCopy"] = (Library, "struct uffdio_copy", "dst src len mode copy"),
        ["UffdMessage"] = (Library, "struct uffd_msg", "- arg.pagefault.flags arg.pagefault.address arg.pagefault.feat"),
        ["ExtentMap"] = (Library, "struct fiemap", "fm_start fm_length fm_flags fm_mapped_extents fm_extent_count fm_reserved"),
        ["MappedExtent"] = (Library, "struct fiemap_extent", "fe_logical fe_physical fe_length fe_flags"),
        ["LoopInformation"] = (Library, "struct loop_info64", "lo_device lo_inode lo_rdevice lo_offset lo_sizelimit lo_number lo_flags"),
        ["OldLoopInformation"] = (Library, "struct loop_info", "lo_number lo_device lo_inode lo_rdevice lo_offset lo_flags"),
        ["ClockState"] = (Library, "struct timex", "modes offset freq maxerror esterror status constant precision tolerance time.tv_sec time.tv_usec tick tai"),
        ["StatxTime"] = (Library, "struct statx_timestamp", "tv_sec tv_nsec -"),
        ["Statx"] = (Library, "struct statx", "stx_mask stx_blksize stx_attributes stx_nlink stx_uid stx_gid stx_mode stx_ino stx_size stx_blocks stx_attributes_mask "
            + "stx_atime stx_btime stx_ctime stx_mtime stx_rdev_major stx_rdev_minor stx_dev_major stx_dev_minor stx_mnt_id"),
        ["StatFs"] = (Library, "struct statfs", "f_type f_bsize f_blocks f_bfree f_bavail f_files f_ffree f_fsid f_namelen f_frsize f_flags - - - -"),
        ["IoVector"] = (Library, "struct iovec", "iov_base iov_len"),
        ["Termios"] = (Kernel, "struct termios", "c_iflag c_oflag c_cflag c_lflag c_line c_cc"),
        ["Termios2"] = (Kernel, "struct termios2", "c_iflag c_ispeed c_ospeed"),
        ["Termio"] = (Kernel, "struct termio", "c_iflag c_oflag c_cflag c_lflag c_line c_cc -"),
        ["WinSize"] = (Kernel, "struct winsize", "ws_row ws_col ws_xpixel ws_ypixel"),
        ["Flock"] = (Library, "struct flock", "l_type l_whence l_start l_len l_pid"),
        ["PrctlMemoryMap"] = (Library, "struct prctl_mm_map",
            "start_code end_code start_data end_data start_brk brk start_stack arg_start arg_end env_start env_end auxv auxv_size exe_fd"),
        ["OpenHow"] = (Library, "struct open_how", "flags mode resolve"),
        ["SigInfo"] = (Library, "siginfo_t", "si_signo si_errno si_code - si_pid"),
        ["SigAltStack"] = (Library, "stack_t", "ss_sp ss_flags - ss_size"),
        ["SigActionRaw"] = (Kernel, "struct sigaction", "sa_handler sa_flags sa_restorer sa_mask"),
        ["EpollEvent"] = (Library, "struct epoll_event", "events data"),
        ["PollFd"] = (Library, "struct pollfd", "fd events revents"),
        ["ResourceUsage"] = (Library, "struct rusage", "ru_utime.tv_sec ru_utime.tv_usec ru_stime.tv_sec ru_stime.tv_usec ru_maxrss ru_ixrss"),
        ["IoUringSqe"] = (Library, "struct io_uring_sqe", "opcode flags ioprio fd off addr len rw_flags user_data buf_index personality splice_fd_in addr3"),
        ["IoUringCqe"] = (Library, "struct io_uring_cqe", "user_data res flags"),
        ["IoUringParams"] = (Library, "struct io_uring_params", "sq_entries cq_entries flags features wq_fd resv[0] resv[1] "
            + "sq_off.head sq_off.tail sq_off.ring_mask sq_off.ring_entries sq_off.flags sq_off.dropped sq_off.array "
            + "cq_off.head cq_off.tail cq_off.ring_mask cq_off.ring_entries cq_off.overflow cq_off.cqes cq_off.flags"),
        ["ClassicInstruction"] = (Library, "struct sock_filter", "code jt jf k"),
        ["ControlBlock"] = (Library, "struct iocb", "aio_data aio_rw_flags aio_lio_opcode aio_fildes aio_buf aio_nbytes aio_offset aio_reserved2 aio_flags aio_resfd"),
        ["MessageHeader"] = (Library, "struct msghdr", "msg_name msg_namelen - msg_iov msg_iovlen msg_control msg_controllen msg_flags -"),
        ["TraceRegisters"] = (Library, "struct user_regs_struct", "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"),
        ["UContext"] = (Kernel, "struct ucontext", "uc_flags uc_link uc_stack uc_mcontext uc_sigmask"),
        ["SigContext"] = (Kernel, "struct sigcontext", "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags cs err trapno oldmask cr2 fpstate "
            + "reserved1[0] reserved1[1] reserved1[2] reserved1[3] reserved1[4] reserved1[5] reserved1[6] reserved1[7]"),
    };

    /// <summary>What no header declares, or only those of Linux 6.17 and later.</summary>
    private static readonly string[] Undeclared = ["RtSigFrame", "FrameRecord", "FloatRecord", "SyndromeRecord", "FileAttributes"];

    [Fact]
    public void Structures_of_handlers_are_the_headers()
    {
        List<string> wrong = [];
        foreach (IGrouping<string, KeyValuePair<string, (string Preamble, string Type, string Members)>> group in Structures.GroupBy(pair => pair.Value.Preamble))
        {
            Dictionary<string, ulong> headers = HostHeaders.Ask(group.Key, group.SelectMany(pair => Questions(pair.Key, pair.Value.Type, pair.Value.Members)));
            foreach ((string name, (string _, string _, string members)) in group)
                Compare(name, members.Split(' '), headers, wrong);
        }
        Assert.Empty(wrong);
    }

    /// <summary>A structure with a layout of its own is one that the host can be asked about.</summary>
    [Fact]
    public void Each_structure_is_compared()
    {
        string folder = Path.Combine(Root(), "Emulator", "Personalities", "Linux");
        IEnumerable<string> declared = Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => DeclarationForm().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value);
        Assert.Empty(declared.Except(Structures.Keys).Except(Undeclared));
    }

    private static IEnumerable<(string Key, string? Macro, string Expression)> Questions(string name, string type, string members)
    {
        yield return (name, null, $"sizeof({type})");
        foreach (string member in members.Split(' ').Where(member => member != "-"))
            yield return ($"{name}.{member}", null, $"offsetof({type}, {member})");
    }

    private static void Compare(string name, string[] members, Dictionary<string, ulong> headers, List<string> wrong)
    {
        Type type = typeof(LinuxTable).Assembly.GetTypes().Single(type => type.IsValueType && type.Name == name && type.Namespace is { } space
            && (space.StartsWith("Vivarium.Emulator.Personalities.Linux", StringComparison.Ordinal) || space == "Vivarium.Emulator.Kernel.Programs"));
        int size = (int)Call(nameof(SizeOf), type)!;
        if (headers[name] != (ulong)size)
            wrong.Add($"{name} has {headers[name]} bytes, not {size}");
        FieldInfo[] fields = type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
        if (fields.Length != members.Length)
            wrong.Add($"{name} has the fields {string.Join(' ', fields.Select(field => field.Name))}");
        for (int i = 0; i < Math.Min(fields.Length, members.Length); i++)
        {
            int offset = OffsetOf(type, fields[i]);
            if (members[i] != "-" && headers[$"{name}.{members[i]}"] != (ulong)offset)
                wrong.Add($"{name}.{fields[i].Name}: {members[i]} is at {headers[$"{name}.{members[i]}"]}, not {offset}");
        }
    }

    /// <summary>Where a field's first byte shows up when all its bytes are set.</summary>
    private static int OffsetOf(Type type, FieldInfo field)
    {
        object boxed = RuntimeHelpers.GetUninitializedObject(type);
        field.SetValue(boxed, Call(nameof(Ones), field.FieldType));
        return Array.IndexOf((byte[])Call(nameof(Bytes), type, boxed)!, (byte)0xFF);
    }

    private static object? Call(string method, Type type, params object[] arguments) =>
        typeof(LayoutTests).GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(type).Invoke(null, arguments);

    private static int SizeOf<T>() => Unsafe.SizeOf<T>();

    private static T Ones<T>()
        where T : unmanaged
    {
        T value = default;
        MemoryMarshal.AsBytes(new Span<T>(ref value)).Fill(0xFF);
        return value;
    }

    private static byte[] Bytes<T>(T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Vivarium.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("not inside the repository");
        return folder;
    }

    [GeneratedRegex(@"\[StructLayout[^\]]*\]\s*(?:(?:public|internal|private|readonly|unsafe|record) )*struct (\w+)")]
    private static partial Regex DeclarationForm();
}
