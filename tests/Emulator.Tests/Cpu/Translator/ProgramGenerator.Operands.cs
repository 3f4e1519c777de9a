using Iced.Intel;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Operands: registers by role, immediates, and memory in every addressing form.</summary>
internal sealed partial class ProgramGenerator
{
    /// <summary>Emits an instruction of a form with random operands; nothing when the form cannot have any.</summary>
    private void EmitForm(InstructionForm form)
    {
        const int Tries = 4;
        for (var i = 0; i < Tries; i++)
        {
            // AH..BH do not go with REX.
            if (TryCreate(form, out var instruction) && StepEncoder.TryEncode(instruction, FuzzLayout.Code, out _))
            {
                Emit(instruction);
                return;
            }
        }
    }

    private bool TryCreate(InstructionForm form, out Instruction instruction)
    {
        instruction = default;
        instruction.Code = form.Code;
        if (_keepsRcx && form.Mnemonic is Mnemonic.Xchg or Mnemonic.Xadd or Mnemonic.Pcmpestri or Mnemonic.Pcmpistri)
            return false;
        var hasMemory = false;
        for (var i = 0; i < form.Operands.Length; i++)
        {
            if (!TrySetOperand(ref instruction, form, i, ref hasMemory))
                return false;
        }

        if (hasMemory && form.CanLock)
            instruction.HasLockPrefix = _random.Chance(300);
        return true;
    }

    private bool TrySetOperand(ref Instruction instruction, InstructionForm form, int index, ref bool hasMemory)
    {
        var kind = form.Operands[index];
        if (IsMemory(kind))
        {
            hasMemory = true;
            SetMemory(ref instruction, form, index, kind == OpCodeOperandKind.mem_offs);
            return true;
        }

        var register = RegisterOf(kind, form.Writes(index), form.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc && hasMemory);
        if (register == Register.None)
            return TrySetImmediate(ref instruction, index, kind, ref hasMemory);
        instruction.SetOpRegister(index, register);
        return true;
    }

    private bool IsMemory(OpCodeOperandKind kind) => kind switch
    {
        OpCodeOperandKind.mem or OpCodeOperandKind.mem_offs or OpCodeOperandKind.r32_reg_mem => true,
        OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem
            or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.mm_or_mem => _random.Chance(450),
        _ => false,
    };

    private Register RegisterOf(OpCodeOperandKind kind, bool isWritten, bool isBitIndex)
    {
        switch (kind)
        {
            case OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r8_opcode:
                return Byte(isWritten);
            case OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r16_opcode or OpCodeOperandKind.r16_rm:
                return Register.AX + Number(isWritten, isBitIndex);
            case OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r32_opcode or OpCodeOperandKind.r32_rm:
                return Register.EAX + Number(isWritten, isBitIndex);
            case OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.r64_opcode or OpCodeOperandKind.r64_rm:
                return Register.RAX + Number(isWritten, isBitIndex);
            case OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm or OpCodeOperandKind.xmm_or_mem:
                return Register.XMM0 + _random.Below(16);
            case OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm or OpCodeOperandKind.mm_or_mem:
                return Register.MM0 + _random.Below(8);
            default:
                return Fixed(kind);
        }
    }

    private Register Fixed(OpCodeOperandKind kind) => kind switch
    {
        OpCodeOperandKind.al => Register.AL,
        OpCodeOperandKind.cl => Register.CL,
        OpCodeOperandKind.ax => Register.AX,
        OpCodeOperandKind.eax => Register.EAX,
        OpCodeOperandKind.rax => Register.RAX,
        OpCodeOperandKind.st0 => Register.ST0,
        OpCodeOperandKind.sti_opcode => Register.ST0 + _random.Below(8),
        _ => Register.None,
    };

    private Register Byte(bool isWritten)
    {
        if (_random.Chance(250) && !(isWritten && _keepsRcx))
            return Register.AH + _random.Below(4);
        var number = Number(isWritten, false);
        return number < 4 ? Register.AL + number : number < 8 ? Register.SPL + (number - 4) : Register.R8L + (number - 8);
    }

    /// <summary>A register to read is any, one to write mostly has no role.</summary>
    private int Number(bool isWritten, bool isBitIndex)
    {
        if (isBitIndex && _random.Chance(900))
            return _random.Pick<int>(_indices);
        if (!isWritten)
            return _random.Below(16);
        while (true)
        {
            var number = _random.Chance(_wildness == 0 ? 0 : 20) ? _random.Pick<int>([.. _pointers, .. _indices, Rsp]) : _random.Pick<int>(_data);
            if (number != Rcx || !_keepsRcx)
                return number;
        }
    }

    private bool TrySetImmediate(ref Instruction instruction, int index, OpCodeOperandKind kind, ref bool hasMemory)
    {
        if (kind == OpCodeOperandKind.seg_rDI)
        {
            // Which address a faulting MASKMOVDQU reports is the processor's choice.
            if (_wildness > 0 || !_pointers.Contains(Rdi))
                return false;
            instruction.SetOpKind(index, OpKind.MemorySegRDI);
            hasMemory = true;
            return true;
        }

        var small = (ulong)_random.Between(-128, 127);
        var (operand, value) = kind switch
        {
            OpCodeOperandKind.imm8 => (OpKind.Immediate8, small & 0xFF),
            OpCodeOperandKind.imm8_const_1 => (OpKind.Immediate8, 1UL),
            OpCodeOperandKind.imm8sex16 => (OpKind.Immediate8to16, small),
            OpCodeOperandKind.imm8sex32 => (OpKind.Immediate8to32, small),
            OpCodeOperandKind.imm8sex64 => (OpKind.Immediate8to64, small),
            OpCodeOperandKind.imm16 => (OpKind.Immediate16, _random.Value() & 0xFFFF),
            OpCodeOperandKind.imm32 => (OpKind.Immediate32, (uint)_random.Value()),
            OpCodeOperandKind.imm32sex64 => (OpKind.Immediate32to64, (ulong)(int)_random.Value()),
            OpCodeOperandKind.imm64 => (OpKind.Immediate64, _random.Value()),
            _ => (OpKind.Register, 0UL),
        };
        if (operand == OpKind.Register)
            return false;
        instruction.SetOpKind(index, operand);
        instruction.SetImmediate(index, value);
        return true;
    }

    // ---- memory --------------------------------------------------------------------------------------------------

    private void SetMemory(ref Instruction instruction, InstructionForm form, int index, bool isOffset)
    {
        instruction.SetOpKind(index, OpKind.Memory);
        var alignment = form.Code.ToOpCode().MemorySize.GetSize() >= 16 || form.Mnemonic == Mnemonic.Cmpxchg16b ? 16 : 1;
        if (_random.Chance(_wildness) || (alignment == 16 && _random.Chance(20)))
            alignment = 1;
        if (isOffset)
        {
            (instruction.MemoryDisplacement64, instruction.MemoryDisplSize) = (_random.Chance(_wildness) ? WildAddress() : DataAddress(alignment), 8);
            return;
        }

        if (_random.Chance(_wildness))
            SetWildMemory(ref instruction);
        else
            SetTameMemory(ref instruction, alignment, form.Mnemonic == Mnemonic.Lea);
    }

    private ulong DataAddress(int alignment) => FuzzLayout.Data + ((ulong)_random.Below((int)FuzzLayout.DataSize - 64) & (ulong)-alignment);

    private void SetTameMemory(ref Instruction instruction, int alignment, bool isAnyAddress)
    {
        var displacement = _random.Between(-300, 300) & -alignment;
        instruction.MemoryDisplSize = 8;
        instruction.MemoryDisplacement64 = (ulong)displacement;
        switch (_random.Below(20))
        {
            case < 9:
                instruction.MemoryBase = Whole(_random.Pick<int>(_pointers));
                break;
            case < 12:
                SetIndexed(ref instruction, alignment, isAnyAddress);
                break;
            case < 14:
                instruction.MemoryBase = Register.RSP;
                instruction.MemoryDisplacement64 = (ulong)(_random.Below(128) & -alignment);
                break;
            case < 16:
                instruction.MemoryBase = Register.RIP;
                instruction.MemoryDisplacement64 = DataAddress(alignment);
                break;
            case < 18:
                instruction.MemoryDisplacement64 = DataAddress(alignment);
                break;
            case < 19:
                instruction.SegmentPrefix = _random.Chance(500) ? Register.FS : Register.GS;
                if (_random.Chance(300) && alignment == 1)
                    instruction.MemoryIndex = Whole(_random.Pick<int>(_indices));
                break;
            default:
                // 32-bit addressing.
                instruction.MemoryDisplSize = 4;
                instruction.MemoryDisplacement64 = (uint)displacement;
                instruction.MemoryBase = Half(_random.Pick<int>(_pointers));
                if (_random.Chance(300) && alignment == 1)
                    instruction.MemoryIndex = Half(_random.Pick<int>(_indices));
                break;
        }
    }

    private void SetIndexed(ref Instruction instruction, int alignment, bool isAnyAddress)
    {
        instruction.MemoryBase = Whole(_random.Pick<int>(_pointers));
        instruction.MemoryIndex = Whole(isAnyAddress ? _random.Pick<int>(_data) : _random.Pick<int>(_indices));
        instruction.MemoryIndexScale = alignment > 1 && _random.Chance(800) ? 8 : 1 << _random.Below(4);
        if (_random.Chance(200))
        {
            instruction.MemoryBase = Register.None;
            instruction.MemoryDisplacement64 = DataAddress(alignment) & ~0xFFFUL | 0x400;
        }
    }

    private void SetWildMemory(ref Instruction instruction)
    {
        instruction.MemoryDisplSize = 8;
        instruction.MemoryDisplacement64 = (ulong)(int)_random.Value();
        switch (_random.Below(6))
        {
            case 0:
                instruction.MemoryBase = Whole(_random.Below(16));
                break;
            case 1:
                instruction.MemoryBase = Whole(_random.Below(16));
                instruction.MemoryIndex = Whole(_random.Pick<int>(_data));
                instruction.MemoryIndexScale = 1 << _random.Below(4);
                break;
            case 2:
                instruction.MemoryDisplacement64 = (ulong)(int)WildAddress();
                break;
            case 3:
                instruction.MemoryBase = Whole(_random.Pick<int>(_pointers));
                break;
            case 4:
                instruction.SegmentPrefix = _random.Chance(500) ? Register.FS : Register.GS;
                if (_random.Chance(500))
                    instruction.MemoryBase = Whole(_random.Below(16));
                break;
            default:
                instruction.MemoryDisplSize = 4;
                instruction.MemoryDisplacement64 &= 0xFFFF_FFFF;
                instruction.MemoryBase = Half(_random.Below(16));
                break;
        }
    }

    /// <summary>An address at an edge: of pages, of the window and its guards, of what is canonical; or any.</summary>
    private ulong WildAddress()
    {
        var edge = _random.Below(12) switch
        {
            0 => FuzzLayout.Data,
            1 or 2 => FuzzLayout.Data + FuzzLayout.DataSize,
            3 => FuzzLayout.ReadOnly + FuzzLayout.Page,
            4 => FuzzLayout.ReadOnly + 0x100,
            5 => FuzzLayout.Stack,
            6 => FuzzLayout.Stack + FuzzLayout.StackSize,
            7 => FuzzLayout.WindowEnd,
            8 => FuzzLayout.WindowEnd + (1UL << _random.Below(32)),
            9 => 1UL << 47,
            10 => 0UL,
            _ => 1UL << _random.Below(64),
        };
        return _random.Chance(100) ? _random.Next() : edge + (ulong)_random.Between(-20, 20);
    }
}
