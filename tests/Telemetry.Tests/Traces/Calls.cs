using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Tests.Traces;

/// <summary>Records as a world might write them.</summary>
internal static class Calls
{
    /// <summary>A random program: some processes with threads, calls in loops and phases, failures, waits, slow ones.</summary>
    public static CallRecord[] Random(int seed, int count)
    {
        var random = new Random(seed);
        var records = new CallRecord[count];
        long now = 1_000_000_000;
        int number = 0, process = 100;
        byte[][] files = [.. Enumerable.Range(0, 20).Select(i => new byte[] { (byte)'/', (byte)(0x80 + i), 0xFF, (byte)i })];
        for (int i = 0; i < count; i++)
        {
            if (random.Next(10) == 0)
                number = random.Next(8) == 0 ? random.Next(5000) : random.Next(12);
            if (random.Next(50) == 0)
                process = 100 + random.Next(6);
            long duration = random.Next(100) == 0 ? random.Next(5_000_000) : random.Next(400);
            now += random.Next(1000);
            bool fails = random.Next(15) == 0, waits = duration > 1000 && random.Next(2) == 0;
            records[i] = new CallRecord
            {
                Sequence = i + 1 + (random.Next(20) == 0 ? random.Next(-5, 5) : 0),
                Start = now,
                End = now + duration,
                Blocked = waits ? duration - random.Next(1000) : 0,
                WokenBy = waits ? random.Next(i + 1) : 0,
                WokenByProcess = waits ? 100 + random.Next(6) : 0,
                Process = process,
                Thread = process + (random.Next(4) == 0 ? 1000 : 0),
                Number = number,
                Result = fails ? 0 : random.NextInt64() >> random.Next(64),
                Outcome = fails ? CallOutcome.Error : random.Next(200) == 0 ? CallOutcome.NoReturn : CallOutcome.Value,
                Error = fails ? (Errno)random.Next(1, 40) : Errno.None,
                Subject = random.Next(3) == 0 ? files[random.Next(files.Length)] : null,
                Data = random.Next(30) == 0 ? [.. Enumerable.Range(0, random.Next(32)).Select(_ => (byte)random.Next(256))] : null,
            };
            for (int argument = 0; argument < CallArguments.Count; argument++)
                records[i].Arguments[argument] = random.Next(3) == 0 ? (ulong)random.NextInt64(long.MinValue, long.MaxValue) : (ulong)random.Next(8);
            records[i].EndsThread = records[i].Outcome == CallOutcome.NoReturn && random.Next(2) == 0;
            now += random.Next(3) == 0 ? duration : 0;
        }
        return records;
    }

    public static CallRecord Of(int number, long start, long duration, long sequence, int process = 100) => new()
    {
        Sequence = sequence,
        Number = number,
        Start = start,
        End = start + duration,
        Process = process,
        Thread = process,
        Outcome = CallOutcome.Value,
    };
}
