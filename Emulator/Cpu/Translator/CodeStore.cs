using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Memory for host code: one memory file mapped twice, so that no address is both writable and executable. It is divided into
/// regions, filled one after the other and emptied as a whole (<see cref="CodeCache"/> has the lock). The first half of a region is for
/// code that runs, the second for what seldom does, so that this takes no room in the processor's caches. All stores lie in one reserved
/// range, by which the signal handler knows host code.
/// </summary>
internal sealed unsafe class CodeStore
{
    private const long RangeSize = 1L << 30;
    private const int Alignment = 16;
    private const int PageSize = 4096;

    /// <summary>Bytes that the host is asked for together.</summary>
    private const int PopulatedAtOnce = 16 * PageSize;

    private static readonly Lock RangeLock = new();
    private static readonly nint Range = Reserve();
    private static nint _nextPlace = Range;

    private readonly byte* _writable;
    private readonly nint _executable;
    private readonly int _firstRegion;
    private readonly int _size;
    private int _used;
    private int _usedRarely;

    /// <summary>Up to where in the file the halves of the region that is filled have memory.</summary>
    private int _populated;
    private int _populatedRarely;

    /// <param name="size">Bytes of host code.</param>
    /// <param name="head">Bytes in front of the regions, which stay.</param>
    /// <param name="regions">Into how many regions the rest is divided.</param>
    public CodeStore(int size, int head, int regions)
    {
        (_firstRegion, _size) = (head, size);
        RegionSize = (size - head) / regions & ~(Alignment - 1);
        Regions = regions;
        Begin(0);
        int file = HostMemory.NewFile("translations");
        if (file < 0 || LibC.Truncate(file, size) != 0)
            throw new InvalidOperationException("no memory file for translations");
        nint writable = LibC.Map(0, (nuint)size, LibC.ProtectionRead | LibC.ProtectionWrite, LibC.MapShared, file, 0);
        nint place = TakePlace(size);
        _executable = LibC.Map(place, (nuint)size, LibC.ProtectionRead | LibC.ProtectionExecute, LibC.MapShared | LibC.MapFixed, file, 0);
        if (writable == LibC.Failed || _executable != place)
            throw new InvalidOperationException("cannot map memory for translations");
        _writable = (byte*)writable;
    }

    /// <summary>Sends faults in host code of all stores to a gate's exit; those of other gates are the same code.</summary>
    public static void RedirectFaults(nint exit) => FaultHandler.RedirectCode(Range, (nint)RangeSize, exit);

    public int Regions { get; }

    public int RegionSize { get; }

    public nint RunOffset => _executable - (nint)_writable;

    /// <summary>The writable view of the head.</summary>
    public byte* Head => _writable;

    /// <summary>Where a region's host code begins.</summary>
    public nint StartOf(int region) => _executable + OffsetOf(region);

    /// <summary>The region of an address behind the head.</summary>
    public int RegionOf(nint address) => (int)((address - _executable - _firstRegion) / RegionSize);

    /// <summary>The region that is being filled.</summary>
    public int Region { get; private set; }

    /// <summary>Goes on with a region, from its beginning.</summary>
    public void Begin(int region)
    {
        (Region, _used, _usedRarely) = (region, 0, RegionSize / 2);
        (_populated, _populatedRarely) = (PageOf(OffsetOf(region)), PageOf(OffsetOf(region) + _usedRarely));
    }

    /// <summary>Whether both halves of the region have so many bytes left.</summary>
    public bool HasRoom(int length) => (RegionSize / 2) - _used >= length && RegionSize - _usedRarely >= length;

    /// <summary>The writable place of the next code.</summary>
    public byte* Place => PlaceOf(Region) + _used;

    /// <summary>That of what seldom runs.</summary>
    public byte* RarePlace => PlaceOf(Region) + _usedRarely;

    private byte* PlaceOf(int region) => _writable + OffsetOf(region);

    /// <summary>Takes the bytes that were written.</summary>
    public void Commit(int length, int rareLength)
    {
        _used += length;
        _usedRarely += rareLength;
        Populate(_used, ref _populated);
        Populate(_usedRarely, ref _populatedRarely);
    }

    /// <summary>
    /// Has the host provide memory for the next code in both views before it is written and run: two calls in place of two faults a page. Where the
    /// host has no such advice (Linux before 5.14) there are the faults.
    /// </summary>
    private void Populate(int used, ref int populated)
    {
        if (OffsetOf(Region) + used < populated)
            return;
        nuint length = (nuint)Math.Min(PopulatedAtOnce, _size - populated);
        if (LibC.Advise((nint)_writable + populated, length, LibC.AdvisePopulateWrite) == 0)
            LibC.Advise(_executable + populated, length, LibC.AdvisePopulateRead);
        populated += PopulatedAtOnce;
    }

    private int OffsetOf(int region) => _firstRegion + (region * RegionSize);

    private static int PageOf(int offset) => offset & ~(PageSize - 1);

    /// <summary>Leaves bytes free in front of the next code.</summary>
    public void Align() => _used = (_used + Alignment - 1) & ~(Alignment - 1);

    /// <summary>The writable view of an executable address.</summary>
    public byte* Writable(nint address) => _writable + (address - _executable);

    private static nint Reserve()
    {
        nint range = LibC.Map(0, (nuint)RangeSize, LibC.ProtectionNone, LibC.MapPrivate | LibC.MapAnonymous | LibC.MapNoReserve, -1, 0);
        return range != LibC.Failed ? range : throw new InvalidOperationException("cannot reserve memory for translations");
    }

    private static nint TakePlace(int size)
    {
        lock (RangeLock)
        {
            if (_nextPlace + size > Range + (nint)RangeSize)
                throw new InvalidOperationException("too many code stores");
            nint place = _nextPlace;
            _nextPlace += (size + 4095) & ~4095;
            return place;
        }
    }
}
