using Vivarium.Emulator.Personalities.FreeBsd;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using Xunit;

namespace Vivarium.Emulator.Tests.Abi;

/// <summary>The table's facts against the headers of the machine that the tests run on.</summary>
public sealed class FactsTests
{
    private const string Includes = """
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <sys/types.h>
        #include <sys/stat.h>
        #include <sys/time.h>
        #include <sys/times.h>
        #include <sys/timex.h>
        #include <sys/resource.h>
        #include <sys/uio.h>
        #include <sys/socket.h>
        #include <sys/un.h>
        #include <sys/mman.h>
        #include <sys/epoll.h>
        #include <sys/eventfd.h>
        #include <sys/signalfd.h>
        #include <sys/timerfd.h>
        #include <sys/inotify.h>
        #include <sys/wait.h>
        #include <sys/ioctl.h>
        #include <sys/file.h>
        #include <sys/ipc.h>
        #include <sys/shm.h>
        #include <sys/sem.h>
        #include <sys/msg.h>
        #include <sys/prctl.h>
        #include <sys/personality.h>
        #include <sys/statfs.h>
        #include <sys/statvfs.h>
        #include <sys/sysinfo.h>
        #include <sys/utsname.h>
        #include <sys/xattr.h>
        #include <sys/random.h>
        #include <netinet/in.h>
        #include <netinet/tcp.h>
        #include <asm/prctl.h>
        #include <dirent.h>
        #include <fcntl.h>
        #include <poll.h>
        #include <sched.h>
        #include <signal.h>
        #include <termios.h>
        #include <time.h>
        #include <unistd.h>
        #include <utime.h>
        #include <linux/capability.h>
        #include <linux/close_range.h>
        #include <linux/fiemap.h>
        #include <linux/fs.h>
        #include <linux/futex.h>
        #include <linux/keyctl.h>
        #include <linux/magic.h>
        #include <linux/openat2.h>
        #include <linux/sched.h>
        #include <linux/seccomp.h>
        struct termios2 { char bytes[44]; };

        """;

    /// <summary>The C library has its own mind: O_LARGEFILE is 0 in programs whose off_t is large anyway.</summary>
    private static readonly HashSet<string> LibrarysOwn = ["O_LARGEFILE"];

    [Fact]
    public void Numbers_of_x86_64_are_the_headers()
    {
        Dictionary<string, ulong> headers = HostHeaders.Ask(Includes, Shapes().Select(call => (call.Name, (string?)$"SYS_{call.Name}", $"SYS_{call.Name}")));
        Assert.True(headers.Count > 350, $"the headers define {headers.Count} calls");
        Assert.Empty(Shapes().Where(call => headers.TryGetValue(call.Name, out ulong number) && number != (ulong)call.Number)
            .Select(call => $"{call.Name} is {headers[call.Name]}, not {call.Number}"));
    }

    [Fact]
    public void Numbers_of_arm64_and_riscv64_are_the_generic_headers()
    {
        const string preamble = "#define __ARCH_WANT_RENAMEAT\n#define __ARCH_WANT_SET_GET_RLIMIT\n#define __ARCH_WANT_NEW_STAT\n#define __ARCH_WANT_SYS_CLONE3\n#define __ARCH_WANT_MEMFD_SECRET\n#include <asm-generic/unistd.h>\n";
        Dictionary<string, ulong> headers = HostHeaders.Ask(preamble, Shapes().Select(call => (call.Name, (string?)$"__NR_{call.Name}", $"__NR_{call.Name}")));
        Assert.True(headers.Count > 280, $"the headers define {headers.Count} calls");
        List<string> wrong = [];
        foreach (CallShape call in Shapes())
        {
            int? number = headers.TryGetValue(call.Name, out ulong value) ? (int)value : null;
            if (number is not null && (number != call.Arm64 || (call.RiscV64 is not null && call.RiscV64 != number)))
                wrong.Add($"{call.Name} is {number}, not {call.Arm64} and {call.RiscV64}");
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void Structures_are_the_headers()
    {
        List<(string Key, string? Macro, string Expression)> questions = [];
        foreach (StructShape shape in LinuxStructs.All().Where(shape => shape.CName is not null))
        {
            string type = shape.CName!.EndsWith("_t", StringComparison.Ordinal) ? shape.CName : $"struct {shape.CName}";
            questions.Add((shape.Name, null, $"sizeof({type})"));
            questions.AddRange(shape.Members.Select(member => ($"{shape.Name}.{member.Name}", (string?)null, $"offsetof({type}, {member.Name})")));
        }
        Dictionary<string, ulong> headers = HostHeaders.Ask(Includes, questions);
        List<string> wrong = [];
        foreach (StructShape shape in LinuxStructs.All().Where(shape => shape.CName is not null))
        {
            if (headers[shape.Name] != (ulong)shape.Size)
                wrong.Add($"{shape.Name} has {headers[shape.Name]} bytes, not {shape.Size}");
            wrong.AddRange(shape.Members.Where(member => headers[$"{shape.Name}.{member.Name}"] != (ulong)member.Offset)
                .Select(member => $"{shape.Name}.{member.Name} is at {headers[$"{shape.Name}.{member.Name}"]}, not {member.Offset}"));
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void Values_are_the_headers()
    {
        (string Set, NamedValue Value, int Size)[] values = [.. LinuxSets.All().SelectMany(set => set.Values.Select(value => (set.Name, value, set.Size)))];
        Dictionary<string, ulong> headers = HostHeaders.Ask(Includes, values.Select(item => item.Value.Name).Distinct().Select(name => (name, (string?)name, name)));
        Assert.True(headers.Count > 450, $"the headers define {headers.Count} names");
        List<string> wrong = [];
        foreach ((string set, NamedValue value, int size) in values)
        {
            ulong mask = size == 8 ? ulong.MaxValue : (1UL << (size * 8)) - 1;
            if (headers.TryGetValue(value.Name, out ulong header) && (header & mask) != (value.Value & mask) && !LibrarysOwn.Contains(value.Name))
                wrong.Add($"{set}: {value.Name} is 0x{header:x}, not 0x{value.Value:x}");
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void Each_number_has_a_row_and_each_row_a_number()
    {
        for (int number = 0; number <= 334; number++)
            Assert.NotNull(LinuxTable.Name(number));
        foreach (CallShape call in Shapes())
        {
            Assert.Equal(call.Name, LinuxTable.Name(call.Number));
            Assert.Equal(call.Number < 4096 ? call.Number : -1, LinuxTable.FromX64(call.Number));
            if (call.Arm64 is { } arm)
                Assert.Equal(call.Number, LinuxTable.FromArm64(arm));
            if (call.RiscV64 is { } riscv)
                Assert.Equal(call.Number, LinuxTable.FromRiscV64(riscv));
        }
        Assert.Null(LinuxTable.Name(-1));
        Assert.Null(LinuxTable.Describe(400));
        Assert.Equal(-1, LinuxTable.FromArm64(int.MaxValue));
        Assert.Equal(-1, LinuxTable.FromX64(int.MinValue));
        // What x32 programs call, and what is another system's in records.
        Assert.Equal(-1, LinuxTable.FromX64(0x40000000));
        Assert.Equal(-1, LinuxTable.FromX64(FreeBsdTable.Base + 4));
        Assert.False(LinuxTable.IsImplemented(int.MinValue));
    }

    private static IEnumerable<CallShape> Shapes() => LinuxTable.Numbers.ToArray().Select(number => LinuxTable.Describe(number)!);
}
