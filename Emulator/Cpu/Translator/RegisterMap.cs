using System.Runtime.Intrinsics.X86;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Where a guest's registers live while translated code runs: the host's own as far as they go, the frame for the rest. RSP holds
/// the frame, R14 the budget (bits 8 and up) and log2 of the window's size (its low byte); RCX and R15 are scratch.
/// </summary>
internal sealed class RegisterMap
{
    /// <summary>Holds a temporary of the instruction, or an address.</summary>
    public const HostRegister Scratch = HostRegister.R15;

    /// <summary>Free between any two micro-ops. The one register that a jump looks at without touching the flags (JRCXZ), which look-ups live by.</summary>
    public const HostRegister Work = HostRegister.Rcx;

    /// <summary>Free as well where no guest register lives in it (<see cref="HasSpare"/>).</summary>
    public const HostRegister Spare = HostRegister.R13;
    public const HostRegister Budget = HostRegister.R14;
    public const int BudgetShift = 8;

    /// <summary>Guest vectors 0..14 keep their host register; the others are in the frame.</summary>
    public const int PinnedVectors = 15;
    public const int VectorScratch = 15;

    /// <summary>Guest vectors from here on have a host register too where the host has AVX-512 (<see cref="HasFarVectors"/>).</summary>
    public const int FirstFarVector = 16;

    /// <summary>The most guest registers of any architecture.</summary>
    public const int MostRegisters = 64;

    /// <summary>A register that RISC-V does not have, in RAX: a block whose micro-ops have no use for that exchanges it for one that it has.</summary>
    public const byte Nobody = 35;

    private readonly HostRegister[] _hosts;
    private readonly int[] _slots;

    /// <param name="stackPointer">Always has a host register.</param>
    /// <param name="exchangeable">Those that a block may put in the frame in exchange for others.</param>
    /// <param name="vectors">Guest vectors.</param>
    /// <param name="hosts">For each register its host register, or 255.</param>
    private RegisterMap(Architecture architecture, byte stackPointer, int vectors, byte[] exchangeable, ReadOnlySpan<byte> hosts)
    {
        (Architecture, StackPointer, Vectors, Exchangeable) = (architecture, stackPointer, vectors, exchangeable);
        _hosts = new HostRegister[hosts.Length];
        _slots = new int[hosts.Length];
        InFrame = new byte[hosts.Count((byte)HostRegister.None)];
        for (int i = 0, inFrame = 0; i < hosts.Length; i++)
        {
            _hosts[i] = (HostRegister)hosts[i];
            if (_hosts[i] is Scratch or Work or Budget or HostRegister.Rsp)
                throw new InvalidOperationException($"{_hosts[i]} cannot hold a guest register");
            if (_hosts[i] != HostRegister.None)
                continue;
            InFrame[inFrame] = (byte)i;
            _slots[i] = Frame.RegisterAt(inFrame++);
        }
        int accumulator = Array.IndexOf(_hosts, HostRegister.Rax);
        HasAccumulator = accumulator < 0 || accumulator == Nobody;
        HasSpare = Array.IndexOf(_hosts, Spare) < 0;
    }

    /// <summary>
    /// x86-64: ten keep their host register, so that multiplications and divisions need no shuffling; the stack pointer is in R12, RCX
    /// in R13; R8..R11 are in the frame, which compilers take last of all. Those may not be exchanged that instructions use without naming them.
    /// </summary>
    private static readonly RegisterMap X64 = new(Architecture.X64, 4, 16, [3, 5, 6, 7, 12, 13, 14, 15],
        [0, 13, 2, 3, 12, 5, 6, 7, 255, 255, 255, 255, 8, 9, 10, 11]);

    /// <summary>
    /// RISC-V: the stack pointer, a0..a7, s0 and s1, in R13, RDX and so on. RAX is free for micro-ops. Behind the registers come the
    /// reservation's address and value, the rounding mode, and <see cref="Nobody"/>. x0 is in no micro-op.
    /// </summary>
    private static readonly RegisterMap RiscV64 = new(Architecture.RiscV64, 2, 32, [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, Nobody],
        [255, 255, 12, 255, 255, 255, 255, 255, 10, 11, 13, 2, 3, 6, 7, 5, 8, 9, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0]);

    /// <summary>
    /// AArch64: x0..x6, x19 and x20, which functions keep, and the stack pointer. R13 too is free: branches on bits need it. Behind the registers come the
    /// exclusive monitor, TPIDR_EL0, FPCR and FPSR.
    /// </summary>
    private static readonly RegisterMap Arm64 = new(Architecture.Arm64, 31, 32, [1, 2, 3, 4, 5, 6, 19, 20],
        [2, 3, 5, 6, 7, 8, 9, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 10, 11, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 12, 255, 255, 255, 255, 255, 255]);

    public static RegisterMap Of(Architecture architecture) => architecture switch
    {
        Architecture.X64 => X64,
        Architecture.RiscV64 => RiscV64,
        Architecture.Arm64 => Arm64,
        _ => throw new NotSupportedException($"no register map of {architecture}"),
    };

    public Architecture Architecture { get; }

    public byte StackPointer { get; }

    /// <summary>Registers, numbered from 0.</summary>
    public int Count => _hosts.Length;

    public int Vectors { get; }

    public byte[] Exchangeable { get; }

    /// <summary>Those without a host register.</summary>
    public byte[] InFrame { get; }

    /// <summary>RAX holds no guest register: a third scratch register, which is free between any two micro-ops.</summary>
    public bool HasAccumulator { get; }

    /// <summary><see cref="Spare"/> holds none either.</summary>
    public bool HasSpare { get; }

    /// <summary>
    /// Guest vectors 16..31 are in the host registers of these numbers, which only EVEX reaches. For RISC-V, whose scalar instructions all have
    /// that form.
    /// </summary>
    public bool HasFarVectors => Architecture == Architecture.RiscV64 && FarVectors.IsSupported;

    /// <summary>Asked for when the first RISC-V program runs: what asks for AVX-512 is compiled then.</summary>
    private static class FarVectors
    {
        public static readonly bool IsSupported = Avx512F.VL.IsSupported && Avx512DQ.VL.IsSupported;
    }

    /// <summary>Whether a guest vector has a host register, which then has its number.</summary>
    public bool IsPinned(int vector) => vector < PinnedVectors || (vector is >= FirstFarVector and < 2 * FirstFarVector && HasFarVectors);

    /// <summary>The host register of a guest register, or None.</summary>
    public HostRegister Host(int guest) => _hosts[guest];

    /// <summary>The frame slot of a guest register without one.</summary>
    public Operand Slot(int guest) => Operand.Memory(HostRegister.Rsp, _slots[guest]);

    /// <summary>The frame slot of a guest vector without a host register.</summary>
    public static Operand VectorSlot(int guest) => Operand.Memory(HostRegister.Rsp, Frame.VectorAt(guest - PinnedVectors));
}
