using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Loader;
using Vivarium.Messages;
using Vivarium.Telemetry.Strace;

namespace Vivarium.Actors.Execution;

/// <summary>Finds and executes a job's program as a shell would, with one line for people when that fails.</summary>
internal static class ProgramStarter
{
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>Null when the program runs.</summary>
    public static JobResult? Start(World world, GuestThread thread, JobSpec spec, ProgramChoice choice, StraceWriter? listing)
    {
        string name = Encoding.UTF8.GetString(spec.Program);
        Errno error = Find(world, thread, spec, out PathEntry? file, out byte[] path);
        if (error != Errno.None)
            return Fail(name, error, "");
        error = ProgramLoader.Execute(thread, file!, path, spec.Arguments, spec.Environment, out string detail, choice: choice);
        if (error != Errno.None)
            return Fail(name, error, detail);
        listing?.Start(thread, spec.Arguments, path, spec.Environment.Count);
        return null;
    }

    private static JobResult Fail(string name, Errno error, string detail)
    {
        JobFailure failure = error is Errno.ENOENT or Errno.ENOTDIR && detail.Length == 0 ? JobFailure.NotFound : JobFailure.NotExecutable;
        string reason = detail.Length > 0 ? detail : error switch
        {
            Errno.ENOENT or Errno.ENOTDIR => "no such program",
            Errno.EACCES => "permission denied",
            Errno.ELOOP => "too many symbolic links",
            Errno.ENAMETOOLONG => "its name is too long",
            _ => error.ToString(),
        };
        return JobResult.NotStarted(failure, $"cannot run {name}: {reason}");
    }

    private static Errno Find(World world, GuestThread thread, JobSpec spec, out PathEntry? file, out byte[] path)
    {
        path = spec.Program;
        if (path.Length == 0 || path.AsSpan().Contains((byte)'/'))
            return Resolve(world, thread, path, out file);
        Errno result = Errno.ENOENT;
        foreach (string folder in SearchPath(spec.Environment).Split(':'))
        {
            byte[] candidate = [.. Encoding.UTF8.GetBytes(folder.Length == 0 ? "." : folder), (byte)'/', .. spec.Program];
            if (Resolve(world, thread, candidate, out file) != Errno.None || file!.Inode.Kind == FileKind.Directory)
                continue;
            if (Permission.Check(file.Inode, FileAccessKind.Execute, thread.FileCredentials) == Errno.None)
            {
                path = candidate;
                return Errno.None;
            }
            // Found and refused: remembered, while a later folder may have better (execvp(3)).
            result = Errno.EACCES;
        }
        file = null;
        return result;
    }

    private static Errno Resolve(World world, GuestThread thread, byte[] path, out PathEntry? file)
    {
        FileContext context = thread.Process.FileContext;
        return world.Vfs.Resolve(new FileCaller(context, thread.FileCredentials, thread.Call), context.WorkingDirectory, path, WalkFlags.Follow, out file);
    }

    private static string SearchPath(IReadOnlyList<byte[]> environment)
    {
        foreach (byte[] variable in environment)
        {
            if (variable.AsSpan().StartsWith("PATH="u8))
                return Encoding.UTF8.GetString(variable.AsSpan("PATH=".Length));
        }
        return DefaultPath;
    }
}
