using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Reports;

/// <summary>All calls about one file or peer that are still recorded. Times are nanoseconds.</summary>
public sealed record FileTotals(string Name, long Count, long Errors, long Time, long Blocked, long Longest);

/// <summary>Calls by file and by peer, from the records.</summary>
public static class FileUsage
{
    private const string Socket = "socket:", Listener = "listen:";

    /// <summary>Those that took longest first.</summary>
    public static (IReadOnlyList<FileTotals> Files, IReadOnlyList<FileTotals> Peers) Of(TraceDocument trace)
    {
        Dictionary<byte[], Totals> totals = new(ByteComparer.Instance);
        foreach (CallSegment segment in trace.Segments)
        {
            var reader = new SegmentReader(segment);
            while (reader.Read())
            {
                ref readonly CallRecord record = ref reader.Current;
                if (record.Subject is { } subject)
                    Add(totals, subject, record);
            }
        }
        FileTotals[] all = [.. totals
            .Select(static pair => new FileTotals(GuestText.Of(pair.Key), pair.Value.Count, pair.Value.Errors, pair.Value.Time, pair.Value.Blocked, pair.Value.Longest))
            .OrderByDescending(static file => file.Time).ThenBy(static file => file.Name, StringComparer.Ordinal)];
        return ([.. all.Where(static file => !IsPeer(file.Name))], [.. all.Where(static file => IsPeer(file.Name))]);
    }

    private static bool IsPeer(string name) => name.StartsWith(Socket, StringComparison.Ordinal) || name.StartsWith(Listener, StringComparison.Ordinal);

    private static void Add(Dictionary<byte[], Totals> totals, byte[] subject, in CallRecord record)
    {
        if (!totals.TryGetValue(subject, out Totals? file))
            totals.Add(subject, file = new Totals());
        file.Count++;
        file.Errors += record.HasFailed ? 1 : 0;
        file.Time += record.Duration;
        file.Blocked += record.Blocked;
        file.Longest = Math.Max(file.Longest, record.Duration);
    }

    private sealed class Totals
    {
        public long Count, Errors, Time, Blocked, Longest;
    }
}
