using Iced.Intel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Blocks;

/// <summary>Guest code as the decoder reads it: given bytes, or those of an address space, copied in small pieces as they are needed.</summary>
internal sealed class CodeBuffer : CodeReader
{
    /// <summary>Most blocks are shorter than this.</summary>
    private const int Piece = 64;

    /// <summary>Longest run of guest bytes looked at for one block.</summary>
    private const int Limit = 1024;

    private readonly byte[] _bytes = new byte[Limit];
    private AddressSpace? _memory;
    private ulong _pc;
    private ulong _end;
    private int _filled;
    private int _at;

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _filled);

    /// <summary>Starts over with code of which there is no more.</summary>
    public void Begin(ReadOnlySpan<byte> code)
    {
        code.CopyTo(_bytes);
        (_memory, _filled, _at) = (null, code.Length, 0);
    }

    /// <summary>Starts over with an address space's code from <paramref name="pc"/> to <paramref name="end"/>.</summary>
    public void Begin(AddressSpace memory, ulong pc, ulong end) => (_memory, _pc, _end, _filled, _at) = (memory, pc, end, 0, 0);

    /// <summary>Lets go of the address space, so that it does not outlive its process here.</summary>
    public void End() => _memory = null;

    /// <summary>The next 16 bits, little endian, or -1.</summary>
    public int ReadHalf()
    {
        int low = ReadByte(), high = ReadByte();
        return low < 0 || high < 0 ? -1 : low | (high << 8);
    }

    public override int ReadByte() => _at < _filled || Fill() ? _bytes[_at++] : -1;

    private bool Fill()
    {
        ulong left = _end - _pc - (ulong)_filled;
        int count = (int)Math.Min((ulong)Math.Min(Piece, Limit - _filled), left);
        if (_memory is null || count == 0)
            return false;
        int fetched = _memory.Fetch(_pc + (ulong)_filled, _bytes.AsSpan(_filled, count), out _);
        _filled += fetched;
        return fetched > 0;
    }
}
