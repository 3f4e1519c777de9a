using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Rings;

/// <summary>
/// An io_uring instance (io_uring(7)): two rings in memory that the guest maps. The guest writes its ends of them at any time, so what is
/// read there is taken for hostile: only differences of head and tail count, masked.
/// </summary>
public sealed class IoRing : OpenFile
{
    public const uint MostEntries = 32768;
    public const uint MostCompletions = 2 * MostEntries;

    // Offsets in the shared region, as the kernel of this version has them; programs read them from struct io_uring_params.
    private const int SubmissionHead = 0, SubmissionTail = 4, CompletionHead = 8, CompletionTail = 12, SubmissionMask = 16, CompletionMask = 20;
    private const int SubmissionCount = 24, CompletionCount = 28, SubmissionDropped = 32, SubmissionFlags = 36, CompletionFlags = 40;
    private const int CompletionOverflow = 44, CompletionArray = 64;
    private const int CompletionSize = 16, SubmissionSize = 64;

    // IORING_OFF_CQ_RING is the same region (IORING_FEAT_SINGLE_MMAP); IORING_OFF_SQES another.
    private const ulong CompletionOffset = 0x8000000, EntriesOffset = 0x10000000;
    private const uint NeedsWakeUp = 1, HasOverflow = 2;

    private readonly Inode _inode;
    private readonly AnonymousObject _rings;
    private readonly AnonymousObject _entries;
    private readonly uint _submissions;
    private readonly uint _completions;
    private readonly Queue<IoUringCqe> _overflow = new();
    private readonly LinkedList<RingRequest> _pending = new();

    private IoRing(World world, AnonymousObject rings, AnonymousObject entries, uint submissions, uint completions)
        : base(OpenFlags.ReadWrite)
    {
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
        (_rings, _entries, _submissions, _completions) = (rings, entries, submissions, completions);
        Put(SubmissionMask, submissions - 1);
        Put(SubmissionCount, submissions);
        Put(CompletionMask, completions - 1);
        Put(CompletionCount, completions);
    }

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:[io_uring]";

    /// <summary>Files and buffers the guest registered; null entries are free.</summary>
    public OpenFile?[] Files { get; set; } = [];

    public IoVector[] Buffers { get; set; } = [];

    /// <summary>Buffers for requests that choose one, by the number of their group.</summary>
    internal SortedDictionary<ushort, RingBuffers> ProvidedBuffers { get; } = [];

    /// <summary>
    /// The kernel looks for submissions by itself (IORING_SETUP_SQPOLL). Here its thread always sleeps, as after its idle time, and says so:
    /// the guest wakes it with io_uring_enter(2).
    /// </summary>
    public bool Polls
    {
        get => _polls;
        init
        {
            _polls = value;
            if (value)
                Put(SubmissionFlags, NeedsWakeUp);
        }
    }

    private readonly bool _polls;

    /// <summary>Nothing is submitted until it is enabled (IORING_SETUP_R_DISABLED).</summary>
    public bool IsDisabled { get; set; }

    /// <summary>An eventfd told of completions.</summary>
    public EventCounter? Told { get; set; }

    /// <summary>A request that fails before it begins does not end its batch (IORING_SETUP_SUBMIT_ALL).</summary>
    public bool SubmitsAll { get; init; }

    /// <summary>A request with IOSQE_CQE_SKIP_SUCCESS was made.</summary>
    public bool CannotDrain { get; set; }

    /// <summary>Requests that were not completed yet, the oldest first.</summary>
    public LinkedList<RingRequest> Requests => _pending;

    /// <summary>Completions so far.</summary>
    public ulong Completed { get; private set; }

    /// <summary>Raised after each completion, for time-outs that count them.</summary>
    public event Action? OnCompletion;

    private int ArrayOffset => CompletionArray + ((int)_completions * CompletionSize);

    /// <summary>Null when the world has no memory for it.</summary>
    public static IoRing? Create(World world, uint submissions, uint completions, bool submitsAll, bool polls)
    {
        var rings = new AnonymousObject(world.Accountant);
        var entries = new AnonymousObject(world.Accountant);
        if (rings.SetLength(CompletionArray + (completions * (long)CompletionSize) + (submissions * 4L)) && entries.SetLength(submissions * (long)SubmissionSize))
            return new IoRing(world, rings, entries, submissions, completions) { SubmitsAll = submitsAll, Polls = polls };
        rings.Release();
        entries.Release();
        return null;
    }

    public void Describe(ref IoUringParams parameters)
    {
        parameters.SubmissionEntries = _submissions;
        parameters.CompletionEntries = _completions;
        parameters.SubmissionHead = SubmissionHead;
        parameters.SubmissionTail = SubmissionTail;
        parameters.SubmissionMask = SubmissionMask;
        parameters.SubmissionCount = SubmissionCount;
        parameters.SubmissionFlags = SubmissionFlags;
        parameters.SubmissionDropped = SubmissionDropped;
        parameters.SubmissionArray = (uint)ArrayOffset;
        parameters.CompletionHead = CompletionHead;
        parameters.CompletionTail = CompletionTail;
        parameters.CompletionMask = CompletionMask;
        parameters.CompletionCount = CompletionCount;
        parameters.CompletionOverflow = CompletionOverflow;
        parameters.CompletionArray = CompletionArray;
        parameters.CompletionFlags = CompletionFlags;
    }

    public override MemoryObject? MapObject(ref ulong offset)
    {
        switch (offset)
        {
            case 0 or CompletionOffset:
                offset = 0;
                return _rings;
            case EntriesOffset:
                offset = 0;
                return _entries;
            default:
                return null;
        }
    }

    /// <summary>Completions that the guest has not taken yet.</summary>
    public uint Ready => Get(CompletionTail) - Get(CompletionHead);

    public override Readiness Poll() =>
        (Ready != 0 || _overflow.Count > 0 ? Readiness.In : 0) | (Get(SubmissionTail) - Get(SubmissionHead) < _submissions ? Readiness.Out : 0);

    /// <summary>Takes the next submission; false when there is none. Indices out of range are dropped, as the kernel does.</summary>
    public bool TryTake(out IoUringSqe entry)
    {
        entry = default;
        while (true)
        {
            uint head = Get(SubmissionHead);
            uint waiting = Get(SubmissionTail) - head;
            if (waiting == 0 || waiting > _submissions)
                return false;
            uint index = Get(ArrayOffset + (int)((head & (_submissions - 1)) * 4));
            Put(SubmissionHead, head + 1);
            if (index >= _submissions)
            {
                Put(SubmissionDropped, Get(SubmissionDropped) + 1);
                continue;
            }
            Span<byte> bytes = MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref entry, 1));
            _entries.Read(index * SubmissionSize, bytes);
            return true;
        }
    }

    /// <summary>Tells the end of a request, or one of its results; kept aside while the ring is full (IORING_FEAT_NODROP).</summary>
    public void Complete(ulong userData, int result, uint flags)
    {
        var completion = new IoUringCqe { UserData = userData, Result = result, Flags = flags };
        Completed++;
        if (_overflow.Count > 0 || !TryPut(completion))
        {
            _overflow.Enqueue(completion);
            Put(SubmissionFlags, Get(SubmissionFlags) | HasOverflow);
        }
        Source.Pulse(Readiness.In);
        Span<byte> one = [1, 0, 0, 0, 0, 0, 0, 0];
        Told?.Write(one);
        OnCompletion?.Invoke();
    }

    /// <summary>Puts what was kept aside into the ring, as far as there is room.</summary>
    public void Flush()
    {
        while (_overflow.TryPeek(out IoUringCqe completion) && TryPut(completion))
            _overflow.Dequeue();
        if (_overflow.Count == 0)
            Put(SubmissionFlags, Get(SubmissionFlags) & ~HasOverflow);
    }

    private bool TryPut(IoUringCqe completion)
    {
        if (Ready >= _completions)
            return false;
        uint tail = Get(CompletionTail);
        _rings.Write(CompletionArray + ((tail & (_completions - 1)) * CompletionSize), MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref completion, 1)));
        Put(CompletionTail, tail + 1);
        return true;
    }

    /// <summary>Replaces the registered files, letting go of the old ones.</summary>
    public void SetFiles(OpenFile?[] files)
    {
        foreach (OpenFile? file in Files)
            file?.Release();
        Files = files;
    }

    protected override void OnLastClose()
    {
        while (_pending.First is { } first)
            first.Value.Abandon();
        SetFiles([]);
        Told?.Release();
        _rings.Release();
        _entries.Release();
    }

    private uint Get(int offset)
    {
        uint value = 0;
        _rings.Read(offset, MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref value, 1)));
        return value;
    }

    private void Put(int offset, uint value) => _rings.Write(offset, MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref value, 1)));
}
