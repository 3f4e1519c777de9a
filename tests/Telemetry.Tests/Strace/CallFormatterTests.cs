using Vivarium.Emulator.Kernel;
using Xunit;

namespace Vivarium.Telemetry.Tests.Strace;

/// <summary>Lines as strace 6.1 writes them for the same calls.</summary>
public sealed class CallFormatterTests
{
    private const ulong Here = unchecked((ulong)-100);

    /// <summary>Four flags are in other places there (arch/arm64/include/uapi/asm/fcntl.h): in registers, in memory and in results.</summary>
    [Fact]
    public void Open_flags_have_the_names_of_the_callers_processor()
    {
        using var guest = new Guest { Architecture = Emulator.Cpu.Architecture.Arm64 };
        ulong path = guest.Put("/tmp");
        Assert.Equal("openat(AT_FDCWD, \"/tmp\", O_RDONLY|O_CLOEXEC|O_DIRECTORY) = 3", guest.Line("openat", 3, Here, path, 0x84000));
        Assert.Equal("openat(AT_FDCWD, \"/tmp\", O_RDONLY|O_DIRECT|O_LARGEFILE|O_NOFOLLOW) = 3", guest.Line("openat", 3, Here, path, 0x38000));
        Assert.Equal("openat(AT_FDCWD, \"/tmp\", O_RDWR|O_TMPFILE, 0600) = 3", guest.Line("openat", 3, Here, path, 0x404002, 0x180));
        ulong how = guest.Put(0x4000L, 0, 0);
        Assert.Equal("openat2(AT_FDCWD, \"/tmp\", {flags=O_RDONLY|O_DIRECTORY, resolve=0}, 24) = 3", guest.Line("openat2", 3, Here, path, how, 24));
        Assert.Equal("fcntl(3, F_GETFL) = 0x24000 (flags O_RDONLY|O_LARGEFILE|O_DIRECTORY)", guest.Line("fcntl", 0x24000, 3, 3));
        Assert.Equal("fcntl(3, F_SETFL, O_RDONLY|O_DIRECT) = 0", guest.Line("fcntl", 0, 3, 4, 0x10000));
        using var other = new Guest { Architecture = Emulator.Cpu.Architecture.RiscV64 };
        Assert.Equal("fcntl(3, F_SETFL, O_RDONLY|O_DIRECTORY) = 0", other.Line("fcntl", 0, 3, 4, 0x10000));
    }

    [Fact]
    public void Files()
    {
        using var guest = new Guest();
        ulong path = guest.Put("/etc/ld.so.cache");
        Assert.Equal("openat(AT_FDCWD, \"/etc/ld.so.cache\", O_RDONLY|O_CLOEXEC) = 3", guest.Line("openat", 3, Here, path, 0x80000));
        Assert.Equal("openat(AT_FDCWD, \"/etc/ld.so.cache\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 3", guest.Line("openat", 3, Here, path, 0x241, 0x1A4));
        Assert.Equal("open(\"/etc/ld.so.cache\", O_RDWR|O_SYNC) = 3", guest.Line("open", 3, path, 0x101002));
        Assert.Equal("open(\"/etc/ld.so.cache\", O_RDONLY|O_DIRECTORY|0x2000000) = 3", guest.Line("open", 3, path, 0x2010000));
        Assert.Equal("access(\"/etc/ld.so.cache\", R_OK) = -1 ENOENT (No such file or directory)", guest.Fail("access", Errno.ENOENT, path, 4));
        Assert.Equal("access(\"/etc/ld.so.cache\", F_OK) = 0", guest.Line("access", 0, path, 0));
        Assert.Equal("access(NULL, R_OK|W_OK) = -1 EFAULT (Bad address)", guest.Fail("access", Errno.EFAULT, 0, 6));
        Assert.Equal("access(0x5, X_OK) = -1 EFAULT (Bad address)", guest.Fail("access", Errno.EFAULT, 5, 1));
        Assert.Equal("lseek(3, -5, SEEK_END) = 11", guest.Line("lseek", 11, 3, unchecked((ulong)-5), 2));
        Assert.Equal("lseek(3, 0, 0x7 /* SEEK_??? */) = -1 EINVAL (Invalid argument)", guest.Fail("lseek", Errno.EINVAL, 3, 0, 7));
        Assert.Equal("umask(022) = 0", guest.Line("umask", 0, 18));
        Assert.Equal("umask(000) = 022", guest.Line("umask", 18, 0));
        Assert.Equal("mkdir(\"/etc/ld.so.cache\", 0755) = 0", guest.Line("mkdir", 0, path, 0x1ED));
        Assert.Equal("fchown(3, 0, -1) = 0", guest.Line("fchown", 0, 3, 0, uint.MaxValue));
    }

    [Fact]
    public void Buffers()
    {
        using var guest = new Guest();
        ulong text = guest.Put("one \"two\"\n\tthree\\\u0001\u00012 and a tail that is long");
        Assert.Equal("""write(1, "one \"two\"\n\tthree\\\1\0012 and a tail "..., 47) = 47""", guest.Line("write", 47, 1, text, 47));
        Assert.Equal("""read(0, "one", 1024) = 3""", guest.Line("read", 3, 0, text, 1024));
        Assert.Equal("""read(0, "", 1024) = 0""", guest.Line("read", 0, 0, text, 1024));
        Assert.Equal($"read(0, 0x{text:x}, 1024) = -1 EAGAIN (Resource temporarily unavailable)", guest.Fail("read", Errno.EAGAIN, 0, text, 1024));
        Assert.Equal("""getrandom("\x6f\x6e", 2, GRND_NONBLOCK) = 2""", guest.Line("getrandom", 2, text, 2, 1));
        ulong vectors = guest.Put((long)text, 3, (long)text + 4, 3);
        Assert.Equal("""writev(1, [{iov_base="one", iov_len=3}, {iov_base="\"tw", iov_len=3}], 2) = 6""", guest.Line("writev", 6, 1, vectors, 2));
        Assert.Equal("""readv(0, [{iov_base="one", iov_len=3}, {iov_base="\"", iov_len=3}], 2) = 4""", guest.Line("readv", 4, 0, vectors, 2));
    }

    [Fact]
    public void Structures()
    {
        using var guest = new Guest();
        byte[] status = new byte[144];
        BitConverter.TryWriteBytes(status.AsSpan(24), 0x81A4);
        BitConverter.TryWriteBytes(status.AsSpan(48), 1234L);
        ulong buffer = guest.PutBytes(status);
        Assert.Equal("fstat(3, {st_mode=S_IFREG|0644, st_size=1234, ...}) = 0", guest.Line("fstat", 0, 3, buffer));
        BitConverter.TryWriteBytes(status.AsSpan(24), 0x2190);
        BitConverter.TryWriteBytes(status.AsSpan(40), 0x8801L);
        guest.Change(buffer, status);
        Assert.Equal("fstat(1, {st_mode=S_IFCHR|0620, st_rdev=makedev(0x88, 0x1), ...}) = 0", guest.Line("fstat", 0, 1, buffer));
        Assert.Equal($"fstat(9, 0x{buffer:x}) = -1 EBADF (Bad file descriptor)", guest.Fail("fstat", Errno.EBADF, 9, buffer));
        ulong time = guest.Put(1L, 500L);
        Assert.Equal($"nanosleep({{tv_sec=1, tv_nsec=500}}, 0x{time:x}) = 0", guest.Line("nanosleep", 0, time, time));
        Assert.Equal("nanosleep({tv_sec=1, tv_nsec=500}, {tv_sec=1, tv_nsec=500}) = -1 EINTR (Interrupted system call)", guest.Fail("nanosleep", Errno.EINTR, time, time));
        Assert.Equal("clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=500}) = 0", guest.Line("clock_gettime", 0, 1, time));
        ulong limits = guest.Put(8388608L, -1L);
        Assert.Equal("prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0", guest.Line("prlimit64", 0, 0, 3, 0, limits));
        Assert.Equal("getrlimit(RLIMIT_STACK, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0", guest.Line("getrlimit", 0, 3, limits));
        ulong pair = guest.Put(3, 4);
        Assert.Equal("pipe2([3, 4], O_CLOEXEC) = 0", guest.Line("pipe2", 0, pair, 0x80000));
    }

    [Fact]
    public void Memory()
    {
        using var guest = new Guest();
        Assert.Equal("mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000",
            guest.Line("mmap", 0x7F0000000000, 0, 8192, 3, 0x22, uint.MaxValue, 0));
        Assert.Equal("mmap(0x1000, 4096, PROT_READ, MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, 3, 0x26000) = 0x1000",
            guest.Line("mmap", 0x1000, 0x1000, 4096, 1, 0x812, 3, 0x26000));
        Assert.Equal("mprotect(0x1000, 4096, PROT_NONE) = 0", guest.Line("mprotect", 0, 0x1000, 4096, 0));
        Assert.Equal("brk(NULL) = 0x5000", guest.Line("brk", 0x5000, 0));
        Assert.Equal("madvise(0x1000, 4096, MADV_DONTNEED) = 0", guest.Line("madvise", 0, 0x1000, 4096, 4));
    }

    [Fact]
    public void Signals()
    {
        using var guest = new Guest();
        ulong action = guest.Put(0x401000L, 0x14000000L, 0x402000L, 1L << 16 | 2L);
        Assert.Equal("rt_sigaction(SIGCHLD, {sa_handler=0x401000, sa_mask=[INT CHLD], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x402000}, NULL, 8) = 0",
            guest.Line("rt_sigaction", 0, 17, action, 0, 8));
        ulong none = guest.Put(0L, 0L, 0L, 0L);
        Assert.Equal("rt_sigaction(SIGINT, NULL, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0", guest.Line("rt_sigaction", 0, 2, 0, none, 8));
        ulong most = guest.Put(-1L ^ 0x40100L);
        Assert.Equal("rt_sigprocmask(SIG_BLOCK, ~[KILL STOP], NULL, 8) = 0", guest.Line("rt_sigprocmask", 0, 0, most, 0, 8));
        Assert.Equal("kill(0, SIGTERM) = 0", guest.Line("kill", 0, 0, 15));
        Assert.Equal("tgkill(1, 2, SIGRT_1) = 0", guest.Line("tgkill", 0, 1, 2, 33));
    }

    [Fact]
    public void Processes()
    {
        using var guest = new Guest();
        Assert.Equal("clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f10) = 12",
            guest.Line("clone", 12, 0x1200011, 0, 0, 0x7F10, 0));
        ulong status = guest.Put(0x100);
        Assert.Equal("wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 1}], 0, NULL) = 12", guest.Line("wait4", 12, uint.MaxValue, status, 0, 0));
        Assert.Equal($"wait4(-1, 0x{status:x}, WNOHANG, NULL) = 0", guest.Line("wait4", 0, uint.MaxValue, status, 1, 0));
        ulong name = guest.Put("ls"), option = guest.Put("-l"), variable = guest.Put("A=b");
        ulong arguments = guest.Put((long)name, (long)option, 0L), environment = guest.Put((long)variable, 0L);
        Assert.Equal($"execve(\"ls\", [\"ls\", \"-l\"], 0x{environment:x} /* 1 var */) = 0", guest.Line("execve", 0, name, arguments, environment));
        ulong word = guest.Put(1, 0);
        Assert.Equal($"futex(0x{word:x}, FUTEX_WAKE_PRIVATE, 1) = 0", guest.Line("futex", 0, word, 129, 1));
        Assert.Equal($"futex(0x{word:x}, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 0, NULL, FUTEX_BITSET_MATCH_ANY) = -1 EAGAIN (Resource temporarily unavailable)",
            guest.Fail("futex", Errno.EAGAIN, word, 393, 0, 0, 0, uint.MaxValue));
        Assert.Equal("arch_prctl(ARCH_SET_FS, 0x7f00) = 0", guest.Line("arch_prctl", 0, 0x1002, 0x7F00));
        Assert.Equal("prctl(PR_SET_NAME, \"ls\") = 0", guest.Line("prctl", 0, 15, name, 0, 0, 0));
    }

    [Fact]
    public void Descriptors()
    {
        using var guest = new Guest();
        Assert.Equal("fcntl(3, F_GETFD) = 0x1 (flags FD_CLOEXEC)", guest.Line("fcntl", 1, 3, 1, 0));
        Assert.Equal("fcntl(3, F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE)", guest.Line("fcntl", 0x8002, 3, 3, 0));
        Assert.Equal("fcntl(3, F_DUPFD_CLOEXEC, 10) = 10", guest.Line("fcntl", 10, 3, 1030, 10));
        Assert.Equal("fcntl(3, F_SETFD, FD_CLOEXEC) = 0", guest.Line("fcntl", 0, 3, 2, 1));
        ulong size = guest.PutBytes([24, 0, 80, 0, 0, 0, 0, 0]);
        Assert.Equal("ioctl(1, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0", guest.Line("ioctl", 0, 1, 0x5413, size));
        Assert.Equal($"ioctl(1, TCGETS, 0x{size:x}) = -1 ENOTTY (Inappropriate ioctl for device)", guest.Fail("ioctl", Errno.ENOTTY, 1, 0x5401, size));
        ulong polled = guest.PutBytes([3, 0, 0, 0, 1, 0, 0, 0]);
        Assert.Equal("poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN|POLLHUP}])",
            guest.Line("poll", 1, Errno.None, () => guest.Change(polled + 6, [0x11]), polled, 1, uint.MaxValue));
        ulong set = guest.Put(0x18L);
        Assert.Equal("select(5, [3 4], NULL, NULL, NULL) = 1 (in [3])",
            guest.Line("select", 1, Errno.None, () => guest.Change(set, [8]), 5, set, 0, 0, 0));
        ulong poll = guest.PutBytes([1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        Assert.Equal("epoll_ctl(4, EPOLL_CTL_ADD, 3, {events=EPOLLIN, data={u32=7, u64=7}}) = 0", guest.Line("epoll_ctl", 0, 4, 1, 3, poll));
        Assert.Equal("epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}], 8, -1) = 1", guest.Line("epoll_wait", 1, 4, poll, 8, uint.MaxValue));
        Assert.Equal("epoll_wait(4, [], 8, 0) = 0", guest.Line("epoll_wait", 0, 4, poll, 8, 0));
    }

    [Fact]
    public void Sockets()
    {
        using var guest = new Guest();
        Assert.Equal("socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3", guest.Line("socket", 3, 2, 0x80001, 6));
        Assert.Equal("socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0) = 3", guest.Line("socket", 3, 1, 0x80801, 0));
        ulong local = guest.PutBytes([2, 0, 0x1F, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        const string inet = "{sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr(\"127.0.0.1\")}";
        Assert.Equal($"connect(3, {inet}, 16) = 0", guest.Line("connect", 0, 3, local, 16));
        ulong length = guest.Put(128, 0);
        Assert.Equal($"accept(3, {inet}, [128 => 16]) = 4", guest.Line("accept", 4, Errno.None, () => guest.Change(length, [16]), 3, local, length));
        byte[] name = [1, 0, .. "/run/x"u8, 0];
        Assert.Equal("bind(3, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 9) = 0", guest.Line("bind", 0, 3, guest.PutBytes(name), 9));
        byte[] hidden = [1, 0, 0, .. "x"u8];
        Assert.Equal("bind(3, {sa_family=AF_UNIX, sun_path=@\"x\"}, 4) = 0", guest.Line("bind", 0, 3, guest.PutBytes(hidden), 4));
        Assert.Equal("setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0", guest.Line("setsockopt", 0, 3, 1, 2, guest.Put(1, 0), 4));
    }
}
