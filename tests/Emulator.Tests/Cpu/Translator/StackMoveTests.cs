using Vivarium.Emulator.Cpu;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Pushes, pops and other moves of the stack pointer in a row, near the ends of the stack's memory, so that any of them may be the one that faults.</summary>
public sealed class StackMoveTests
{
    private const int Programs = 2500, States = 8;
    private readonly FuzzRandom _random = new(20261121);
    private readonly List<byte> _code = [];

    [Fact]
    public void EveryFaultFindsTheStackPointerOfItsInstruction()
    {
        using var pair = new EnginePair();
        ulong[] programs = new ulong[Programs];
        for (int i = 0; i < programs.Length; i++)
        {
            _code.Clear();
            for (int left = _random.Between(1, 24); left > 0; left--)
                Add();
            programs[i] = pair.Place(_code.ToArray());
        }
        pair.Load();
        byte[] data = new byte[EnginePair.DataSize];
        foreach (ulong program in programs)
        {
            for (int i = 0; i < States; i++)
            {
                for (int at = 0; at < data.Length; at += _random.Between(1, 200))
                    data[at] = (byte)_random.Next();
                CpuState state = new GuestCpu(Architecture.X64).State;
                for (int register = 0; register < 16; register++)
                    state.Registers[register] = _random.Next();
                state.Registers[4] = pair.Data + (ulong)(_random.Chance(500) ? _random.Below(160) : EnginePair.DataSize - _random.Below(160)) & ~(_random.Chance(800) ? 7ul : 0);
                state.Registers[5] = pair.Data + (ulong)_random.Below(EnginePair.DataSize);
                state.Registers[7] = _random.Chance(100) ? _random.Value() : pair.Data + (ulong)_random.Below(EnginePair.DataSize);
                state.Flags = 0x202 | (_random.Next() & 0x8D5);
                Assert.Null(pair.Compare(state, data, program));
            }
        }
    }

    private void Add()
    {
        byte small = (byte)(8 * _random.Between(-4, 8)), any = (byte)_random.Between(-40, 100);
        byte[] instruction = _random.Below(24) switch
        {
            < 5 => [(byte)(0x50 + _random.Below(8))], // push
            < 9 => [(byte)(0x58 + _random.Below(8))], // pop
            9 => [0x48, 0x83, 0xEC, _random.Chance(800) ? small : any], // sub rsp
            10 => [0x48, 0x83, 0xC4, _random.Chance(800) ? small : any], // add rsp
            11 => [0x48, 0x8D, 0x64, 0x24, _random.Chance(800) ? small : any], // lea rsp, [rsp + n]
            12 => [0x48, 0x89, 0x5C, 0x24, any], // mov [rsp + n], rbx
            13 => [0x48, 0x8B, 0x54, 0x24, any], // mov rdx, [rsp + n]
            14 => [0x48, 0x8B, 0x07], // mov rax, [rdi]
            15 => [0x01, 0x07], // add [rdi], eax
            16 => [0x39, 0xD8, 0x74, 0x00], // cmp eax, ebx; jz to the next
            17 => [0x48, 0x89, 0xE5], // mov rbp, rsp
            18 => [0xC9], // leave
            19 => [0xFF, 0x74, 0x24, any], // push qword [rsp + n]
            20 => [0x8F, 0x44, 0x24, any], // pop qword [rsp + n]
            21 => [0xEB, 0], // jmp to the next
            22 => [0x8D, 0x4C, 0x24, any], // lea ecx, [rsp + n]
            _ => [0x6A, any], // push n
        };
        _code.AddRange(instruction);
    }
}
