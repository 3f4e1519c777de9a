using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Messages;
using Vivarium.Telemetry.Strace;
using ThreadState = Vivarium.Emulator.Kernel.ThreadState;

namespace Vivarium.Actors.Execution;

/// <summary>
/// Tells what a world's processes are doing, and finds them by the identifiers that the cluster knows them by. For the world's own
/// worker, between two quanta.
/// </summary>
public static class WorldInspector
{
    private const int MostAreas = 4096;
    private const int MostDescriptors = 1024;
    private const ulong LongestArguments = 4096;

    /// <summary>The name of a process in the whole cluster: the same for the same process of the same attempt, whoever asks.</summary>
    public static Guid IdOf(JobId job, Process process)
    {
        Span<byte> bytes = stackalloc byte[28];
        job.Value.TryWriteBytes(bytes);
        BitConverter.TryWriteBytes(bytes[16..], process.Id);
        // A process number may come again, not at the same time.
        BitConverter.TryWriteBytes(bytes[20..], process.StartTime);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(bytes, hash);
        // Version 8: an identifier of a kind of its own (RFC 9562, 5.8).
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }

    /// <summary>The live process of that name; null when there is none.</summary>
    public static Process? Find(World world, JobId job, Guid id)
    {
        foreach (Process process in world.Processes())
        {
            if (!process.IsZombie && IdOf(job, process) == id)
                return process;
        }
        return null;
    }

    /// <summary>The process tree with mappings, descriptors and what each thread waits for, as JSON.</summary>
    public static string Describe(World world, JobId job)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("job", job.ToString());
            json.WriteNumber("worldSeconds", Seconds(world.Clock.Monotonic - WorldClock.UptimeAtStart));
            json.WriteNumber("instructions", world.Instructions);
            json.WriteNumber("memoryBytes", world.Accountant.Used);
            json.WriteStartArray("processes");
            foreach (Process process in world.Processes())
                Write(json, world, job, process);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter json, World world, JobId job, Process process)
    {
        json.WriteStartObject();
        json.WriteString("id", IdOf(job, process));
        json.WriteNumber("pid", process.Id);
        if (process.Parent is { } parent)
            json.WriteString("parent", IdOf(job, parent));
        json.WriteNumber("parentPid", process.ParentId);
        json.WriteNumber("group", process.Group);
        json.WriteNumber("session", process.Session);
        json.WriteNumber("user", process.Credentials.EffectiveUser);
        json.WriteString("name", Encoding.UTF8.GetString(process.IsZombie ? process.LastName : process.MainThread.Name));
        json.WriteString("state", process.IsZombie ? "zombie" : process.IsStopped ? "stopped" : "running");
        json.WriteNumber("ageSeconds", Seconds(world.Clock.Monotonic - process.StartTime));
        json.WriteNumber("instructions", process.Instructions);
        if (!process.IsZombie)
            WriteLive(json, process);
        json.WriteEndObject();
    }

    private static void WriteLive(Utf8JsonWriter json, Process process)
    {
        if (process.Executable is { } executable)
            json.WriteString("executable", Encoding.UTF8.GetString(executable.FullPath()));
        json.WriteString("system", process.Personality.Name);
        json.WriteString("processor", Processors.Name(process.MainThread.Cpu.Architecture));
        json.WriteString("directory", Encoding.UTF8.GetString(process.FileContext.WorkingDirectory.FullPath()));
        json.WriteStartArray("command");
        foreach (string argument in Arguments(process))
            json.WriteStringValue(argument);
        json.WriteEndArray();
        json.WriteStartArray("threads");
        foreach (GuestThread thread in process.Threads)
            Write(json, thread);
        json.WriteEndArray();
        WriteDescriptors(json, process.Files);
        WriteAreas(json, process.Memory);
    }

    private static void Write(Utf8JsonWriter json, GuestThread thread)
    {
        json.WriteStartObject();
        json.WriteNumber("tid", thread.Id);
        json.WriteString("name", Encoding.UTF8.GetString(thread.Name));
        json.WriteString("state", thread.State switch
        {
            ThreadState.Parked => "waiting",
            ThreadState.Stopped => "stopped",
            ThreadState.Traced => "traced",
            ThreadState.Dead => "dead",
            _ => "running",
        });
        json.WriteString("counter", Hex(thread.Cpu.State.Pc));
        if (thread.InCall)
        {
            json.WriteString("call", CallFormatter.Pending(thread));
            if (thread.Call.Deadline is { } deadline and < long.MaxValue)
                json.WriteNumber("deadlineSeconds", Seconds(deadline - thread.Process.World.Clock.Monotonic));
        }
        json.WriteEndObject();
    }

    private static void WriteDescriptors(Utf8JsonWriter json, FileTable files)
    {
        json.WriteStartArray("descriptors");
        for (int number = 0, written = 0; number < files.End && written < MostDescriptors; number++)
        {
            if (files.Get(number) is not { } file)
                continue;
            written++;
            json.WriteStartObject();
            json.WriteNumber("number", number);
            json.WriteString("file", file.Path is { } path ? Encoding.UTF8.GetString(path.FullPath()) : file.Description);
            json.WriteString("access", (file.CanRead ? "r" : "") + (file.CanWrite ? "w" : ""));
            json.WriteBoolean("closeOnExec", files.IsCloseOnExec(number));
            if (file.Path is not null)
                json.WriteNumber("position", file.Position);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteAreas(Utf8JsonWriter json, AddressSpace memory)
    {
        IReadOnlyList<AreaInfo> areas = memory.Areas();
        json.WriteNumber("mappedBytes", memory.MappedBytes);
        json.WriteStartArray("maps");
        for (int i = 0; i < Math.Min(areas.Count, MostAreas); i++)
        {
            AreaInfo area = areas[i];
            json.WriteStartObject();
            json.WriteString("start", Hex(area.Start.Value));
            json.WriteString("end", Hex(area.End.Value));
            json.WriteString("protection", string.Concat(
                area.Protection.HasFlag(Protection.Read) ? "r" : "-",
                area.Protection.HasFlag(Protection.Write) ? "w" : "-",
                area.Protection.HasFlag(Protection.Execute) ? "x" : "-",
                area.Shared ? "s" : "p"));
            json.WriteNumber("offset", area.Offset);
            if (area.Name is { Length: > 0 } name)
                json.WriteString("name", name);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>The program's arguments, from where the guest keeps them.</summary>
    private static string[] Arguments(Process process)
    {
        ProgramLayout layout = process.Layout;
        if (layout.ArgumentEnd <= layout.ArgumentStart)
            return [];
        byte[] bytes = new byte[Math.Min(LongestArguments, layout.ArgumentEnd - layout.ArgumentStart)];
        return process.Memory.TryRead(new GuestAddress(layout.ArgumentStart), bytes)
            ? Encoding.UTF8.GetString(bytes).TrimEnd('\0').Split('\0')
            : [];
    }

    private static double Seconds(long nanoseconds) => nanoseconds / 1e9;

    private static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);
}
