using System.Buffers.Binary;
using System.Globalization;
using Vivarium.Messages;

namespace Vivarium.Telemetry.Traces;

/// <summary>What the records of other worlds know of a job: where its spans are. Its bytes travel beside what it sends them.</summary>
/// <param name="JobSpan">What the attempt is told under: the job's span, or that of a later attempt.</param>
public readonly record struct TraceIdentity(string TraceId, ulong JobSpan, string Job)
{
    /// <summary>Bytes.</summary>
    public const int Length = 16 + 8 + 16;

    /// <summary>
    /// Numbers that calls which sent something to other worlds have: the first call of each has a span that others can name
    /// (<see cref="Emulator.Kernel.Records.CallRecord.Sent"/>).
    /// </summary>
    public const int NamedCalls = 40;

    public static TraceIdentity Of(JobId job, TraceContext context) => new(context.TraceId, context.RootSpan, job.ToString());

    /// <summary>Null for bytes that are none.</summary>
    public static TraceIdentity? Read(ReadOnlySpan<byte> bytes) => bytes.Length != Length ? null : new TraceIdentity(
        Convert.ToHexStringLower(bytes[..16]), BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]), Convert.ToHexStringLower(bytes[24..]));

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[Length];
        Convert.FromHexString(TraceId).CopyTo(bytes, 0);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), JobSpan);
        Convert.FromHexString(Job).CopyTo(bytes, 24);
        return bytes;
    }

    /// <summary>The span of the first call of a number that sent something.</summary>
    public ulong CallSpan(int sent) => TraceContext.Derive(JobSpan, sent);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"job {Job}");
}
