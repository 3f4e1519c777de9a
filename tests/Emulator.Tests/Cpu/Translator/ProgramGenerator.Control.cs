using Iced.Intel;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Branches, loops, calls, strings, the stack, flags, and code that writes itself.</summary>
internal sealed partial class ProgramGenerator
{
    private static readonly Code[] NearConditions = [.. Enum.GetValues<Code>().Where(code => code.IsJccNear() && code.ToString().EndsWith("_64", StringComparison.Ordinal) && code.ToString().Contains("rel32"))];
    private static readonly Code[] ShortConditions = [.. Enum.GetValues<Code>().Where(code => code.IsJccShort() && code.ToString().EndsWith("_64", StringComparison.Ordinal))];

    private void EmitBranch(Code code, int label) => Emit(Instruction.CreateBranch(code, FuzzLayout.Code), label);

    private void EmitSome(int least, int most, int depth)
    {
        var count = _random.Between(least, most);
        for (var i = 0; i < count; i++)
            EmitAny(depth + 1);
    }

    private void EmitForwardBranch(int depth)
    {
        var label = NewLabel();
        EmitBranch(_random.Chance(850) ? _random.Pick<Code>(NearConditions) : Code.Jmp_rel32_64, label);
        EmitSome(0, 5, depth);
        Mark(label);
    }

    private void EmitLoop(int depth)
    {
        if (_random.Chance(250))
        {
            EmitCountedLoop();
            return;
        }

        if (_usedCounters == _counters.Length)
            return;
        var counter = _counters[_usedCounters++];
        Emit(Instruction.Create(Code.Mov_r32_imm32, Half(counter), _random.Between(1, 6)));
        var start = NewLabel();
        Mark(start);
        EmitSome(1, 6, depth);
        if (_random.Chance(500))
            Emit(Instruction.Create(Code.Dec_rm64, Whole(counter)));
        else
            Emit(Instruction.Create(Code.Sub_rm32_imm8, Half(counter), 1));
        EmitBranch(Code.Jne_rel32_64, start);
        _usedCounters--;
    }

    /// <summary>LOOP and JRCXZ, whose reach is short.</summary>
    private void EmitCountedLoop()
    {
        Emit(Instruction.Create(Code.Mov_r32_imm32, Register.ECX, _random.Between(0, 6)));
        var start = NewLabel();
        var end = NewLabel();
        EmitBranch(_random.Chance(500) ? Code.Jrcxz_rel8_64 : Code.Jecxz_rel8_64, end);
        Mark(start);
        _keepsRcx = true;
        EmitSome(1, 5, depth: 2);
        _keepsRcx = false;
        EmitBranch(_random.Pick([Code.Loop_rel8_64_RCX, Code.Loop_rel8_64_ECX, Code.Loope_rel8_64_RCX, Code.Loopne_rel8_64_RCX]), start);
        Mark(end);
    }

    private void EmitCall(int depth)
    {
        var function = NewLabel();
        var after = NewLabel();
        var isBackward = _random.Chance(500);
        var arguments = _random.Below(3);
        if (isBackward)
        {
            EmitBranch(Code.Jmp_rel32_64, after);
            EmitFunction(function, arguments, depth);
            Mark(after);
        }

        for (var i = 0; i < arguments; i++)
            Emit(Instruction.Create(Code.Push_r64, Whole(_random.Below(16))));
        EmitCallOf(function);
        if (isBackward)
            return;
        EmitSome(0, 2, depth);
        EmitBranch(Code.Jmp_rel32_64, after);
        EmitFunction(function, arguments, depth);
        Mark(after);
    }

    private void EmitFunction(int label, int arguments, int depth)
    {
        Mark(label);
        EmitSome(0, 4, depth);
        Emit(arguments > 0 ? Instruction.Create(Code.Retnq_imm16, 8 * arguments) : Instruction.Create(Code.Retnq));
    }

    private void EmitCallOf(int label)
    {
        var register = _random.Pick<int>(_data);
        switch (_random.Below(4))
        {
            case 0:
                EmitAddressOf(register, label);
                Emit(Instruction.Create(Code.Call_rm64, Whole(register)));
                break;
            case 1:
                var place = DataAddress(1);
                EmitAddressOf(register, label);
                Emit(Instruction.Create(Code.Mov_rm64_r64, At(place), Whole(register)));
                Emit(Instruction.Create(Code.Call_rm64, At(place)));
                break;
            default:
                EmitBranch(Code.Call_rel32_64, label);
                break;
        }
    }

    private void EmitAddressOf(int register, int label) =>
        Emit(Instruction.Create(Code.Lea_r64_m, Whole(register), new MemoryOperand(Register.RIP, (long)FuzzLayout.Code, 8)), label);

    private MemoryOperand At(ulong address) => _random.Chance(500)
        ? new MemoryOperand(Register.None, Register.None, 1, (long)address, 8)
        : new MemoryOperand(Register.RIP, (long)address, 8);

    private void EmitIndirectJump(int depth)
    {
        var label = NewLabel();
        var register = _random.Pick<int>(_data);
        EmitAddressOf(register, label);
        switch (_random.Below(3))
        {
            case 0:
                Emit(Instruction.Create(Code.Jmp_rm64, Whole(register)));
                break;
            case 1:
                Emit(Instruction.Create(Code.Push_r64, Whole(register)));
                Emit(Instruction.Create(Code.Retnq));
                break;
            default:
                var place = DataAddress(1);
                Emit(Instruction.Create(Code.Mov_rm64_r64, At(place), Whole(register)));
                Emit(Instruction.Create(Code.Jmp_rm64, At(place)));
                break;
        }

        EmitSome(0, 2, depth);
        Mark(label);
    }

    // ---- strings -------------------------------------------------------------------------------------------------

    private static readonly Code[] Strings =
    [
        Code.Movsb_m8_m8, Code.Movsw_m16_m16, Code.Movsd_m32_m32, Code.Movsq_m64_m64, Code.Stosb_m8_AL, Code.Stosw_m16_AX, Code.Stosd_m32_EAX, Code.Stosq_m64_RAX,
        Code.Lodsb_AL_m8, Code.Lodsw_AX_m16, Code.Lodsd_EAX_m32, Code.Lodsq_RAX_m64, Code.Scasb_AL_m8, Code.Scasw_AX_m16, Code.Scasd_EAX_m32, Code.Scasq_RAX_m64,
        Code.Cmpsb_m8_m8, Code.Cmpsw_m16_m16, Code.Cmpsd_m32_m32, Code.Cmpsq_m64_m64,
    ];

    private void EmitString()
    {
        if (_random.Chance(200))
            Emit(Instruction.Create(_random.Chance(400) ? Code.Std : Code.Cld));
        var isWild = _random.Chance(_wildness);
        Emit(Instruction.Create(Code.Lea_r64_m, Register.RSI, At(isWild && _random.Chance(500) ? (uint)WildAddress() : DataAddress(1))));
        Emit(Instruction.Create(Code.Lea_r64_m, Register.RDI, At(isWild && _random.Chance(500) ? (uint)WildAddress() : DataAddress(1))));
        Emit(Instruction.Create(Code.Mov_r32_imm32, Register.ECX, _random.Below(_random.Pick([3, 20, 200]))));
        EmitStringInstruction();
        if (_random.Chance(300))
            EmitStringInstruction();
    }

    private void EmitStringInstruction()
    {
        Instruction instruction = default;
        instruction.Code = _random.Pick<Code>(Strings);
        var info = instruction.Code.ToOpCode();
        for (var i = 0; i < info.OpCount; i++)
            SetStringOperand(ref instruction, i, info.GetOpKind(i));
        if (_random.Chance(600))
            instruction.HasRepPrefix = true;
        else if (instruction.Mnemonic is >= Mnemonic.Scasb and <= Mnemonic.Scasw or Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsq && _random.Chance(500))
            instruction.HasRepnePrefix = true;
        if (_random.Chance(50))
            instruction.SegmentPrefix = Register.GS;
        Emit(instruction);
    }

    private static void SetStringOperand(ref Instruction instruction, int index, OpCodeOperandKind kind)
    {
        switch (kind)
        {
            case OpCodeOperandKind.es_rDI: instruction.SetOpKind(index, OpKind.MemoryESRDI); break;
            case OpCodeOperandKind.seg_rSI: instruction.SetOpKind(index, OpKind.MemorySegRSI); break;
            case OpCodeOperandKind.al: instruction.SetOpRegister(index, Register.AL); break;
            case OpCodeOperandKind.ax: instruction.SetOpRegister(index, Register.AX); break;
            case OpCodeOperandKind.eax: instruction.SetOpRegister(index, Register.EAX); break;
            default: instruction.SetOpRegister(index, Register.RAX); break;
        }
    }

    // ---- stack and flags -----------------------------------------------------------------------------------------

    private void EmitStackPointer()
    {
        var amount = 8 * _random.Between(-8, 8);
        switch (_random.Below(_wildness > 0 ? 8 : 5))
        {
            case 0: Emit(Instruction.Create(Code.Add_rm64_imm8, Register.RSP, amount)); break;
            case 1: Emit(Instruction.Create(Code.Lea_r64_m, Register.RSP, new MemoryOperand(Register.RSP, amount, 8))); break;
            case 2: Emit(Instruction.Create(Code.And_rm64_imm8, Register.RSP, -16)); break;
            case 3: Emit(Instruction.Create(Code.Lea_r64_m, Register.RSP, At(FuzzLayout.Stack + 0x800))); break;
            case 4: Emit(Instruction.Create(Code.Mov_r64_rm64, Register.RSP, Whole(_random.Pick<int>(_pointers)))); break;
            case 5: Emit(Instruction.Create(Code.Xchg_rm64_r64, Register.RSP, Whole(_random.Below(16)))); break;
            case 6: Emit(Instruction.Create(Code.Mov_r64_imm64, Register.RSP, WildAddress())); break;
            default: Emit(Instruction.Create(Code.Add_rm64_imm32, Register.RSP, (int)_random.Value())); break;
        }
    }

    private void EmitFrame(int depth)
    {
        // Silicon also checks that the new top of the stack can be written, which we leave to the next access.
        Emit(Instruction.Create(Code.Enterq_imm16_imm8, _isForSilicon ? 0 : 8 * _random.Below(8), 0));
        EmitSome(0, 3, depth);
        Emit(Instruction.Create(Code.Leaveq));
    }

    private void EmitFlags()
    {
        switch (_random.Below(8))
        {
            case 0:
                Emit(Instruction.Create(Code.Pushfq));
                Emit(Instruction.Create(Code.Pop_r64, Whole(_random.Pick<int>(_data[3..]))));
                break;
            case 1:
                // DF and the arithmetic flags only: TF would trap, AC fault on unaligned accesses.
                Emit(Instruction.Create(Code.Pushq_imm32, (int)(_random.Next() & 0xCD5)));
                Emit(Instruction.Create(Code.Popfq));
                break;
            case 2: Emit(Instruction.Create(Code.Std)); break;
            case 3: Emit(Instruction.Create(Code.Cld)); break;
            case 4: Emit(Instruction.Create(Code.Lahf)); break;
            case 5: Emit(Instruction.Create(Code.Sahf)); break;
            case 6: Emit(Instruction.Create(Code.Cmc)); break;
            default: Emit(Instruction.Create(_random.Chance(500) ? Code.Stc : Code.Clc)); break;
        }
    }

    private void EmitFloat()
    {
        if (_hasX87)
            EmitForm(_random.Chance(500) ? _random.Pick<InstructionForm>(InstructionForm.X87) : _random.Pick<InstructionForm>(InstructionForm.Mmx));
        else if (_vectors > 0)
            EmitControlWord();
    }

    private void EmitControlWord()
    {
        var place = DataAddress(1);
        var control = 0x1F80 | (_random.Next() & 0xE07F);
        Emit(Instruction.Create(Code.Mov_rm32_imm32, At(place), (uint)control));
        Emit(Instruction.Create(Code.Ldmxcsr_m32, At(place)));
        if (_random.Chance(300))
            Emit(Instruction.Create(Code.Stmxcsr_m32, At(place)));
    }

    // ---- what is meant to go wrong -------------------------------------------------------------------------------

    /// <summary>An access through a register that holds an address of some edge.</summary>
    private void EmitWild()
    {
        if (!_random.Chance(_wildness * 3))
            return;
        var register = _random.Pick<int>(_data);
        if (register == Rcx && _keepsRcx)
            return;
        Emit(Instruction.Create(Code.Mov_r64_imm64, Whole(register), WildAddress()));
        var memory = new MemoryOperand(Whole(register), _random.Between(-32, 32), 8);
        switch (_random.Below(6))
        {
            case 0: Emit(Instruction.Create(Code.Mov_r64_rm64, Register.RAX, memory)); break;
            case 1: Emit(Instruction.Create(Code.Mov_rm32_r32, memory, Register.EDX)); break;
            case 2: Emit(Instruction.Create(Code.Add_rm16_r16, memory, Register.DX)); break;
            case 3: Emit(Instruction.Create(Code.Inc_rm8, memory)); break;
            case 4: Emit(Instruction.Create(Code.Movups_xmm_xmmm128, Register.XMM1, memory)); break;
            default: Emit(Instruction.Create(Code.Push_rm64, memory)); break;
        }
    }

    /// <summary>What silicon would do otherwise, or not at all for us: system calls, POPF of anything, jumps anywhere.</summary>
    private void EmitForOurselves()
    {
        if (!_random.Chance(200))
            return;
        _isForSilicon = false;
        switch (_random.Below(4))
        {
            case 0: Emit(Instruction.Create(Code.Popfq)); break;
            case 1: Emit(Instruction.Create(Code.Cpuid)); break;
            case 2: Emit(Instruction.Create(Code.Jmp_rm64, Whole(_random.Below(16)))); break;
            default:
                Emit(Instruction.Create(Code.Mov_r64_imm64, Register.RAX, WildAddress()));
                Emit(Instruction.Create(Code.Call_rm64, Register.RAX));
                break;
        }
    }

    /// <summary>Changes the immediate of an instruction that is run soon: MOV r32, imm32 has it in bytes 1 to 4.</summary>
    private void EmitSelfModification(int depth)
    {
        var label = NewLabel();
        var memory = new MemoryOperand(Register.RIP, (long)FuzzLayout.Code, 8);
        var count = _random.Between(1, 2);
        for (var i = 0; i < count; i++)
        {
            var byteNumber = _random.Between(1, 4);
            var change = _random.Below(5) switch
            {
                0 => Instruction.Create(Code.Mov_rm8_imm8, memory, _random.Below(256)),
                1 => Instruction.Create(Code.Add_rm8_r8, memory, Register.DL),
                2 => Instruction.Create(Code.Inc_rm8, memory),
                3 => Instruction.Create(Code.Xadd_rm8_r8, memory, Register.AL),
                _ => Instruction.Create(Code.Setb_rm8, memory),
            };
            Emit(change, label, byteNumber);
        }

        if (_random.Chance(300))
            EmitCopyInto(label);
        EmitSome(0, 3, depth);
        Mark(label);
        Emit(Instruction.Create(Code.Mov_r32_imm32, _random.Pick([Register.EAX, Register.EDX]), (uint)_random.Next()));
    }

    /// <summary>A string instruction writes the immediate.</summary>
    private void EmitCopyInto(int label)
    {
        var count = _random.Between(0, 4);
        Emit(Instruction.Create(Code.Cld));
        Emit(Instruction.Create(Code.Lea_r64_m, Register.RSI, At(DataAddress(1))));
        Emit(Instruction.Create(Code.Lea_r64_m, Register.RDI, new MemoryOperand(Register.RIP, (long)FuzzLayout.Code, 8)), label, 1);
        Emit(Instruction.Create(Code.Mov_r32_imm32, Register.ECX, count));
        Emit(_random.Chance(500) ? Instruction.CreateRepMovsb(64) : Instruction.CreateRepStosb(64));
    }

    /// <summary>Runs an instruction that is hidden in the immediate of another: bytes 2 to 9 of MOV r64, imm64 without REX.B.</summary>
    private void EmitOverlap()
    {
        Instruction hidden = _random.Below(4) switch
        {
            0 => Instruction.Create(Code.Add_rm32_imm8, Register.EDX, _random.Between(-128, 127)),
            1 => Instruction.Create(Code.Cmp_rm64_imm32, Register.RDX, (int)_random.Value()),
            2 => Instruction.Create(Code.Push_r64, Whole(_random.Below(16))),
            _ => Instruction.Create(Code.Mov_r32_imm32, Register.EDX, (uint)_random.Next()),
        };
        StepEncoder.TryEncode(hidden, FuzzLayout.Code, out var bytes);
        const byte Nop = 0x90;
        Span<byte> immediate = stackalloc byte[8];
        immediate.Fill(Nop);
        bytes.CopyTo(immediate);
        var label = NewLabel();
        if (_random.Chance(500))
            Emit(Instruction.CreateBranch(_random.Pick<Code>(NearConditions), FuzzLayout.Code), label, 2);
        else
            Emit(Instruction.CreateBranch(Code.Jmp_rel32_64, FuzzLayout.Code), label, 2);
        EmitSome(0, 2, depth: 2);
        Mark(label);
        Emit(Instruction.Create(Code.Mov_r64_imm64, Register.RAX, BitConverter.ToUInt64(immediate)));
    }
}
