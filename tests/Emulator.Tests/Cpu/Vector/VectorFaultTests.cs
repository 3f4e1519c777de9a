using System.Runtime.Intrinsics;
using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Vector;

/// <summary>Instructions that do not complete leave everything as it was.</summary>
public sealed class VectorFaultTests : IDisposable
{
    private readonly AddressSpace _memory = new(new MemoryAccountant(1 << 24));
    private readonly ulong _page;

    public VectorFaultTests()
    {
        _memory.Map(new MapRequest(default, 8192, Protection.ReadWrite), out var address);
        _page = address.Value;
        _memory.Unmap(new GuestAddress(_page + 4096), 4096);
    }

    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(Code.Movaps_xmm_xmmm128, true)]
    [InlineData(Code.Paddb_xmm_xmmm128, true)]
    [InlineData(Code.Addps_xmm_xmmm128, true)]
    [InlineData(Code.Movntdq_m128_xmm, true)]
    [InlineData(Code.Fxsave_m512byte, true)]
    [InlineData(Code.Movups_xmm_xmmm128, false)]
    [InlineData(Code.Lddqu_xmm_m128, false)]
    [InlineData(Code.Addsd_xmm_xmmm64, false)]
    [InlineData(Code.Pcmpistri_xmm_xmmm128_imm8, false)]
    public void AlignmentMatters(Code code, bool faults)
    {
        var state = Initial();
        Assert.Equal(faults ? ExitReason.GeneralProtection : null, Make(code, _page + 1).Run(ref state, _memory));
        state = Initial();
        Assert.Null(Make(code, _page + 16).Run(ref state, _memory));
    }

    [Theory]
    [InlineData(Code.Movups_xmm_xmmm128)]
    [InlineData(Code.Movups_xmmm128_xmm)]
    [InlineData(Code.Addsd_xmm_xmmm64)]
    [InlineData(Code.Pinsrw_xmm_r32m16_imm8)]
    [InlineData(Code.Cvtsi2sd_xmm_rm32)]
    [InlineData(Code.Movq_mmm64_mm)]
    [InlineData(Code.Paddb_mm_mmm64)]
    [InlineData(Code.Fld_m64fp)]
    [InlineData(Code.Fstp_m80fp)]
    [InlineData(Code.Fadd_m32fp)]
    [InlineData(Code.Frstor_m108byte)]
    [InlineData(Code.Fxrstor_m512byte)]
    public void FaultsBeforeAnythingChanges(Code code)
    {
        var before = Initial();
        var state = before;
        var emulation = Make(code, _page + 4096);
        var exception = Record.Exception(() => emulation.Run(ref state, _memory));
        Assert.NotNull(exception);
        Assert.True(_memory.TakeFault(exception, out var fault));
        Assert.Equal(FaultKind.NotMapped, fault.Kind);
        for (var i = 0; i < 16; i++)
            Assert.Equal(before.Vectors[i], state.Vectors[i]);
        Assert.Equal((before.X87.Status, before.X87.Tags, before.X87.Control), (state.X87.Status, state.X87.Tags, state.X87.Control));
        for (var i = 0; i < 8; i++)
            Assert.Equal(before.X87.Registers[i], state.X87.Registers[i]);
        Assert.Equal((before.Mxcsr, before.Flags), (state.Mxcsr, state.Flags));
    }

    [Fact]
    public void UnmaskedExceptionWritesNothing()
    {
        // Division by zero unmasked.
        var state = Initial();
        state.Mxcsr = 0x1F80 & ~0x200u;
        state.Vectors[0] = Vector128.Create(1.0, 2.0).AsByte();
        state.Vectors[1] = Vector128.Create(3.0, 0.0).AsByte();
        Instruction divide = default;
        divide.Code = Code.Divpd_xmm_xmmm128;
        divide.Op0Register = Register.XMM0;
        divide.Op1Register = Register.XMM1;
        Assert.Equal(ExitReason.FloatingPoint, new FloatEmulation(divide, 0).Run(ref state, _memory));
        Assert.Equal(Vector128.Create(1.0, 2.0).AsByte(), state.Vectors[0]);
        Assert.Equal(0x1F80u & ~0x200u | 4, state.Mxcsr);
    }

    private static CpuState Initial()
    {
        CpuState state = default;
        state.Mxcsr = 0x1F80;
        state.X87.Control = 0x037F;
        state.X87.Top = 3;
        state.X87.Tags = 0x0F;
        for (var i = 0; i < 4; i++)
            state.Vectors[i] = Vector128.Create(1.0 + i, 2.0).AsByte();
        return state;
    }

    private static FloatEmulation Make(Code code, ulong address)
    {
        Assert.True(InstructionForms.TryCreate(code, true, new Random(1), out var instruction), code.ToString());
        var emulation = new FloatEmulation(instruction, address);
        Assert.True(emulation.IsSupported);
        return emulation;
    }
}
