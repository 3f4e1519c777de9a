using System.Buffers.Binary;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>
/// A program of many small blocks that jump to each other at random, directly, on conditions, through registers, by calls and
/// returns, and that rewrite each other now and then; it ends when R15 is 0.
/// </summary>
internal sealed class RandomJumps
{
    private const int BlockSize = 64, Blocks = 4096, Leaves = 16;
    private const int Code = 0x0200_0000, Stack = 0x0300_0000, StackSize = 0x1000;
    private const int Size = (Blocks + Leaves + 1) * BlockSize;

    private readonly FuzzRandom _random;
    private readonly byte[] _image = new byte[Size];
    private int _at;

    public RandomJumps(ulong seed)
    {
        _random = new FuzzRandom(seed);
        for (int i = 0; i < Blocks; i++)
        {
            _at = i * BlockSize;
            WriteBlock();
        }
        for (int i = 0; i < Leaves; i++)
        {
            _at = (Blocks + i) * BlockSize;
            Put(0x48, 0x83, 0xC0, (byte)i, 0xC3); // add rax, i; ret
        }
        _image[End] = 0xCC;
    }

    private static int End => (Blocks + Leaves) * BlockSize;

    private int AnyBlock => _random.Below(Blocks) * BlockSize;

    /// <summary>Runs so many blocks, in turns of random length; the state it ends with, and the code that was left.</summary>
    public static (CpuState State, byte[] Code) Run(IEngine engine, ulong seed, int blocks)
    {
        var program = new RandomJumps(seed);
        using var memory = new AddressSpace(new MemoryAccountant(1 << 24));
        memory.Map(new MapRequest(new GuestAddress(Code), Size, Protection.ReadWrite | Protection.Execute, Placement.Fixed), out _);
        memory.Map(new MapRequest(new GuestAddress(Stack), StackSize, Protection.ReadWrite, Placement.Fixed), out _);
        memory.TryWrite(new GuestAddress(Code), (ReadOnlySpan<byte>)program._image);
        var cpu = new GuestCpu(Architecture.X64);
        cpu.State.Registers[4] = Stack + StackSize;
        cpu.State.Registers[15] = (ulong)blocks;
        cpu.State.Pc = Code;
        var exit = new EngineExit(ExitReason.Budget);
        while (exit.Reason == ExitReason.Budget)
        {
            long budget = program._random.Between(1, 20_000);
            exit = engine.Run(cpu, memory, ref budget);
        }
        Xunit.Assert.Equal(ExitReason.Breakpoint, exit.Reason);
        byte[] code = new byte[Size];
        memory.TryRead(new GuestAddress(Code), code);
        return (cpu.State, code);
    }

    private void WriteBlock()
    {
        const byte rax = 0xC0;
        Put(0x48, 0x05); // add rax, imm32
        Put32((int)_random.Next());
        Put(0x48, 0xC1, rax, (byte)_random.Between(1, 63)); // rol rax, imm8
        Put(0x49, 0xFF, 0xCF, 0x0F, 0x84); // dec r15; jz
        PutTarget(End);
        switch (_random.Below(32))
        {
            case < 10:
                break;
            case < 20:
                Put(0xA8, (byte)(1 << _random.Below(8)), 0x0F, 0x84); // test al, imm8; jz
                PutTarget(AnyBlock);
                break;
            case < 24:
                PutAnyAddress();
                Put(0xFF, 0xE1); // jmp rcx
                return;
            case < 31:
                Put(0xE8); // call
                PutTarget((Blocks + _random.Below(Leaves)) * BlockSize);
                break;
            default:
                PutAnyAddress();
                Put(0x89, 0x41, 0x02); // mov [rcx + 2], eax: the addend of that block
                break;
        }
        Put(0xE9); // jmp
        PutTarget(AnyBlock);
    }

    /// <summary>RCX = the address of the block that EAX chooses.</summary>
    private void PutAnyAddress()
    {
        Put(0x89, 0xC1, 0x81, 0xE1); // mov ecx, eax; and ecx, imm32
        Put32(Blocks - 1);
        Put(0xC1, 0xE1, 6, 0x48, 0x8D, 0x89); // shl ecx, 6; lea rcx, [rcx + disp32]
        Put32(Code);
    }

    private void Put(params ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_image.AsSpan(_at));
        _at += bytes.Length;
    }

    private void Put32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_image.AsSpan(_at), value);
        _at += sizeof(int);
    }

    private void PutTarget(int offset) => Put32(offset - (_at + sizeof(int)));
}
