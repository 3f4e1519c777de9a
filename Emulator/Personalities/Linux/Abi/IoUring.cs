using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct io_uring_sqe (linux/io_uring.h), with the names of its unions' common uses.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
public struct IoUringSqe
{
    public const byte FixedFile = 1;
    public const byte Drain = 2;
    public const byte Link = 4;
    public const byte HardLink = 8;
    public const byte Async = 0x10;
    public const byte SelectsBuffer = 0x20;
    public const byte SkipSuccess = 0x40;
    public const byte Known = FixedFile | Drain | Link | HardLink | Async | SelectsBuffer | SkipSuccess;

    [FieldOffset(0)] public byte Opcode;
    [FieldOffset(1)] public byte Flags;
    [FieldOffset(2)] public ushort Priority;
    [FieldOffset(4)] public int Descriptor;

    /// <summary>off, addr2.</summary>
    [FieldOffset(8)] public ulong Offset;
    [FieldOffset(16)] public ulong Address;
    [FieldOffset(24)] public uint Length;

    /// <summary>rw_flags and the other flags of operations.</summary>
    [FieldOffset(28)] public uint OperationFlags;
    [FieldOffset(32)] public ulong UserData;
    [FieldOffset(40)] public ushort BufferIndex;
    [FieldOffset(42)] public ushort Personality;

    /// <summary>splice_fd_in, file_index.</summary>
    [FieldOffset(44)] public int OtherDescriptor;
    [FieldOffset(48)] public ulong Address3;
}

/// <summary>struct io_uring_cqe.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoUringCqe
{
    /// <summary>IORING_CQE_F_MORE: the operation will tell again.</summary>
    public const uint More = 2;

    /// <summary>The number of the buffer that was chosen is in the upper half.</summary>
    public const uint HasBuffer = 1;

    public ulong UserData;
    public int Result;
    public uint Flags;
}

/// <summary>struct io_uring_params, with the offsets of the rings' fields.</summary>
[StructLayout(LayoutKind.Explicit, Size = 120)]
public struct IoUringParams
{
    [FieldOffset(0)] public uint SubmissionEntries;
    [FieldOffset(4)] public uint CompletionEntries;
    [FieldOffset(8)] public uint Flags;
    [FieldOffset(20)] public uint Features;
    [FieldOffset(24)] public uint WorkQueue;
    [FieldOffset(28)] public uint Reserved0;
    [FieldOffset(32)] public ulong Reserved1;
    [FieldOffset(40)] public uint SubmissionHead;
    [FieldOffset(44)] public uint SubmissionTail;
    [FieldOffset(48)] public uint SubmissionMask;
    [FieldOffset(52)] public uint SubmissionCount;
    [FieldOffset(56)] public uint SubmissionFlags;
    [FieldOffset(60)] public uint SubmissionDropped;
    [FieldOffset(64)] public uint SubmissionArray;
    [FieldOffset(80)] public uint CompletionHead;
    [FieldOffset(84)] public uint CompletionTail;
    [FieldOffset(88)] public uint CompletionMask;
    [FieldOffset(92)] public uint CompletionCount;
    [FieldOffset(96)] public uint CompletionOverflow;
    [FieldOffset(100)] public uint CompletionArray;
    [FieldOffset(104)] public uint CompletionFlags;
}
