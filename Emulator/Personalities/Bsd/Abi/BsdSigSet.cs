using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Personalities.Bsd.Abi;

/// <summary>sigset_t: 128 signals in words of 32.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BsdSigSet
{
    public uint Word0, Word1, Word2, Word3;

    public static BsdSigSet Of(SignalSet set, BsdNumbers numbers)
    {
        UInt128 bits = numbers.FromNeutral(set);
        return new() { Word0 = (uint)bits, Word1 = (uint)(bits >> 32), Word2 = (uint)(bits >> 64), Word3 = (uint)(bits >> 96) };
    }

    public readonly SignalSet ToNeutral(BsdNumbers numbers) => numbers.ToNeutral(new UInt128(Word2 | (ulong)Word3 << 32, Word0 | (ulong)Word1 << 32));
}
