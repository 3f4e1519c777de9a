using Xunit;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.HostTrees;
using Vivarium.Emulator.Kernel.Files.Tmpfs;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>
/// Random sequences of file operations, done by the host's kernel in a scratch directory and by our tree: every errno and every
/// result must be the same. Kinds of tree: memory alone, memory over a host directory, a host directory written through.
/// </summary>
public sealed class HostComparisonTests : IDisposable
{
    private const int Operations = 1500;
    private const string Base = "1/2/3/4/5/6";

    private static readonly string[] Names = ["a", "b", "c", "d", "l", "m"];
    private static readonly string[] Targets = ["a", "b/c", ".", "../6/a", "l", "m", "nowhere", "c/", "b/.."];

    private readonly string _scratch = Directory.CreateTempSubdirectory("viv-files-").FullName;

    public void Dispose()
    {
        _image?.Dispose();
        Directory.Delete(_scratch, recursive: true);
    }

    public static TheoryData<string, int> Cases()
    {
        TheoryData<string, int> cases = [];
        int seed = Environment.GetEnvironmentVariable("FILES_SEED") is { } text ? int.Parse(text) : 20261;
        foreach (string tree in (string[])["memory", "overlay", "host", "ext2", "ext4"])
        {
            for (int i = 0; i < 8; i++)
                cases.Add(tree, seed + i);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Operations_do_what_the_host_kernel_does(string tree, int seed)
    {
        HostCalls.SetCreationMask(0x12);
        string native = Path.Combine(_scratch, "native");
        string ours = Path.Combine(_scratch, "ours");
        Directory.CreateDirectory(Path.Combine(native, Base));
        Directory.CreateDirectory(Path.Combine(ours, Base));
        HostCalls host = new(HostCalls.OpenDirectory(Path.Combine(native, Base)));
        HostCalls lower = new(HostCalls.OpenDirectory(Path.Combine(ours, Base)));
        if (tree is "overlay" or "host")
        {
            // The same start for both, so that an overlay has something to lie over.
            Populate(host, new Random(seed));
            Populate(lower, new Random(seed));
        }
        (Vfs vfs, PathEntry directory) = MakeTree(tree, ours);
        VfsCalls calls = new(vfs, directory) { CreationMask = 0x12 };
        Random random = new(seed);
        List<string> log = [];
        int succeeded = 0;
        for (int i = 0; i < Operations; i++)
        {
            (string name, string expected, string actual) = Step(random, host, calls, tree);
            log.Add($"{name} -> {expected}");
            succeeded += expected.StartsWith("None", StringComparison.Ordinal) ? 1 : 0;
            Assert.True(expected == actual, $"seed {seed}, {tree}, step {i}: {name}\nhost {expected}\nours {actual}\n{string.Join('\n', log.TakeLast(30))}");
        }
        // A walk that only fails would compare nothing.
        Assert.InRange(succeeded, Operations / 6, Operations);
        directory.Mount.FileSystem.End();
        _image?.Check($"seed {seed}, {tree}");
    }

    /// <summary>The same as three users, one of them root, with modes and owners that forbid things.</summary>
    [Theory]
    [MemberData(nameof(UserCases))]
    public void Permissions_are_the_host_kernels(string tree, int seed)
    {
        if (!HostCalls.IsRoot)
            return;
        HostCalls.SetCreationMask(0x12);
        new HostCalls(HostCalls.OpenDirectory(_scratch)).ChangeMode(".", 0x1ED);
        string native = Path.Combine(_scratch, "native");
        Directory.CreateDirectory(Path.Combine(native, Base));
        HostCalls host = new(HostCalls.OpenDirectory(Path.Combine(native, Base)));
        (Vfs vfs, PathEntry directory) = MakeTree(tree, _scratch);
        VfsCalls calls = new(vfs, directory) { CreationMask = 0x12 };
        Assert.Equal(host.ChangeMode(".", 0x3FF), calls.ChangeMode(".", 0x3FF));
        uint[] groups = [.. File.ReadLines("/proc/thread-self/status").First(line => line.StartsWith("Groups:", StringComparison.Ordinal))[7..]
            .Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(uint.Parse)];
        Random random = new(seed);
        List<string> log = [];
        try
        {
            for (int i = 0; i < Operations; i++)
            {
                uint user = (uint)(random.Next(5) switch { 0 => 0, < 3 => 1000, _ => 1001 });
                HostCalls.ActAs(user, user);
                calls.Credentials = new FileCredentials(user, user, groups, user == 0 ? FilePrivileges.All : FilePrivileges.None);
                (string name, string expected, string actual) = UserStep(random, host, calls, tree);
                log.Add($"{user}: {name} -> {expected}");
                Assert.True(expected == actual, $"seed {seed}, {tree}, step {i}: {user}: {name}\nhost {expected}\nours {actual}\n{string.Join('\n', log.TakeLast(40))}");
            }
        }
        finally
        {
            HostCalls.ActAs(0, 0);
        }
    }

    public static TheoryData<string, int> UserCases()
    {
        TheoryData<string, int> cases = [];
        foreach (object[] each in Cases())
        {
            if ((string)each[0] == "memory")
                cases.Add("memory", (int)each[1] + 100);
        }
        return cases;
    }

    private static (string Name, string Expected, string Actual) UserStep(Random random, HostCalls host, VfsCalls ours, string tree)
    {
        string path = RandomPath(random);
        uint mode = (uint)(random.Next(3) == 0 ? random.Next(0x1000) : 0x1ED | (random.Next(8) << 9));
        uint user = (uint)(random.Next(3) switch { 0 => 1000, 1 => 1001, _ => -1 });
        uint group = (uint)(random.Next(3) switch { 0 => 1000, 1 => 1001, _ => -1 });
        switch (random.Next(12))
        {
            case 0:
                return ($"chmod {path} {mode:x}", $"{host.ChangeMode(path, mode)}", $"{ours.ChangeMode(path, mode)}");
            case 1:
                return ($"chown {path} {user} {group}", $"{host.ChangeOwner(path, user, group)}", $"{ours.ChangeOwner(path, user, group)}");
            case 2:
                int access = random.Next(8);
                return ($"access {path} {access}", $"{host.Access(path, access)}", $"{ours.Access(path, access)}");
            case 3:
                return ($"mkdir {path} {mode:x}", $"{host.MakeDirectory(path, mode)}", $"{ours.MakeDirectory(path, mode)}");
            default:
                return Step(random, host, ours, tree);
        }
    }

    // The volume of a tree that is one.
    private ExtImage? _image;

    private (Vfs, PathEntry) MakeTree(string tree, string root)
    {
        TestClock clock = new();
        MemoryAccountant accountant = new(1UL << 30);
        MemoryObject NewContent() => new AnonymousObject(accountant);
        FileSystem fileSystem = tree switch
        {
            "memory" => new MemoryFileSystem(clock, 1, NewContent, rootMode: 0x1ED),
            "overlay" => new MemoryFileSystem(clock, 1, NewContent, HostFileSystem.Open(clock, root, readOnly: true, out _)!.Root),
            "ext2" or "ext4" => (_image = new ExtImage(Path.Combine(_scratch, "image"), $"-t {tree} -E root_owner=0:0")).Mount(tree),
            _ => HostFileSystem.Open(clock, root, readOnly: false, out _)!,
        };
        Vfs vfs = new(fileSystem);
        FileCaller caller = new(new FileContext(vfs.Root, vfs.Root), FileCredentials.Root);
        for (int end = 1; end <= Base.Length; end += 2)
            vfs.Make(caller, vfs.Root, System.Text.Encoding.ASCII.GetBytes(Base[..end]), FileKind.Directory, 0x1ED, 0, null, out _);
        Assert.Equal(Errno.None, vfs.Resolve(caller, vfs.Root, System.Text.Encoding.ASCII.GetBytes(Base), WalkFlags.None, out PathEntry? directory));
        return (vfs, directory!);
    }

    private static void Populate(HostCalls host, Random random)
    {
        for (int i = 0; i < 60; i++)
        {
            string path = RandomPath(random);
            _ = random.Next(4) switch
            {
                0 => host.MakeDirectory(path, 0x1ED),
                1 => host.Open(path, 0x41, 0x1A4, $"lower {i}", out _),
                2 => host.Symlink(Pick(random, Targets), path),
                _ => host.Link(RandomPath(random), path, follow: false),
            };
        }
    }

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];

    private static string RandomPath(Random random)
    {
        string path = Pick(random, Names);
        while (random.Next(10) < 4)
            path += "/" + (random.Next(12) switch { 0 => ".", 1 => "..", 2 => "/", _ => Pick(random, Names) });
        return random.Next(60) switch
        {
            < 5 => path + "/",
            5 => path + "/.",
            6 => path + "/..",
            7 => path + "/" + new string('x', 256),
            8 => "",
            9 => ".",
            _ => path,
        };
    }

    private static (string Name, string Expected, string Actual) Step(Random random, HostCalls host, VfsCalls ours, string tree)
    {
        string path = RandomPath(random);
        string other = RandomPath(random);
        uint mode = (uint)random.Next(0x1000);
        string text, mine;
        switch (random.Next(16))
        {
            case 0:
                return ($"mkdir {path} {mode:x}", $"{host.MakeDirectory(path, mode | 0x1C0)}", $"{ours.MakeDirectory(path, mode | 0x1C0)}");
            case 1:
                return ($"unlink {path}", $"{host.Unlink(path)}", $"{ours.Unlink(path)}");
            case 2:
                return ($"rmdir {path}", $"{host.RemoveDirectory(path)}", $"{ours.RemoveDirectory(path)}");
            case 3 or 4:
                uint flags = (uint)Math.Max(0, random.Next(5) - 2);
                return ($"rename {path} {other} {flags}", $"{host.Rename(path, other, flags)}", $"{ours.Rename(path, other, flags)}");
            case 5:
                bool follow = random.Next(2) == 0;
                return ($"link {path} {other} {follow}", $"{host.Link(path, other, follow)}", $"{ours.Link(path, other, follow)}");
            case 6:
                string target = Pick(random, Targets);
                return ($"symlink {target} {path}", $"{host.Symlink(target, path)}", $"{ours.Symlink(target, path)}");
            case 7:
                return ($"readlink {path}", $"{host.ReadLink(path, out text)} {text}", $"{ours.ReadLink(path, out mine)} {mine}");
            case 8 or 9:
                bool through = random.Next(2) == 0;
                return ($"stat {path} {through}", $"{host.Status(path, through, out text)} {text}", $"{ours.Status(path, through, out mine)} {mine}");
            case 10 or 11:
                return ($"list {path}", $"{host.List(path, out text)} {text}", $"{ours.List(path, out mine)} {mine}");
            case 12:
                return ($"chmod {path} {mode:x}", $"{host.ChangeMode(path, mode | 0x1C0)}", $"{ours.ChangeMode(path, mode | 0x1C0)}");
            case 13:
                long length = random.Next(30);
                return ($"truncate {path} {length}", $"{host.Truncate(path, length)}", $"{ours.Truncate(path, length)}");
            default:
                // O_NONBLOCK keeps FIFOs from blocking; O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW at random.
                int open = 0x800 | (random.Next(2) == 0 ? 2 : random.Next(2)) | (random.Next(2) * 0x40) | (random.Next(4) == 0 ? 0x80 : 0)
                    | (random.Next(4) == 0 ? 0x200 : 0) | (random.Next(3) == 0 ? 0x400 : 0) | (random.Next(6) == 0 ? 0x10000 : 0) | (random.Next(4) == 0 ? 0x20000 : 0);
                // O_CREAT with O_DIRECTORY is refused before the tree is asked.
                if ((open & 0x10040) == 0x10040)
                    open &= ~0x10000;
                string data = $"text {random.Next(100)} of {tree}";
                return ($"open {path} {open:x}", $"{host.Open(path, open, mode | 0x180, data, out text)} {text}", $"{ours.Open(path, open, mode | 0x180, data, out mine)} {mine}");
        }
    }
}
