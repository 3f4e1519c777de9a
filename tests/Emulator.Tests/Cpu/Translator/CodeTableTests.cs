using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Translator;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>The translator's own tables: blocks by address, fault maps, links, the jump table.</summary>
public sealed unsafe class CodeTableTests
{
    private static Translation MakeTranslation(CodeDomain domain, ulong pc, nint entry = 0, int length = 0) => new(pc, 1, entry, length, 1, 0) { Domain = domain };

    [Fact]
    public void ADomainFindsWhatWasAddedAndNotRemoved()
    {
        var random = new FuzzRandom(20261121);
        var domain = new CodeDomain(default, default);
        var expected = new Dictionary<ulong, Translation>();
        for (int i = 0; i < 60_000; i++)
        {
            // Close together, so that places are taken.
            ulong pc = 0x40_0000 + (ulong)random.Below(3000);
            Assert.Equal(expected.GetValueOrDefault(pc), domain.Find(pc));
            if (!expected.ContainsKey(pc))
                domain.Add(expected[pc] = MakeTranslation(domain, pc));
            else if (random.Chance(600) && expected.Remove(pc, out Translation? removed))
                domain.Remove(removed);
            else
                domain.Remove(MakeTranslation(domain, pc));
            Assert.Equal(expected.Count, domain.Count);
        }
        for (ulong pc = 0x40_0000; pc < 0x40_0000 + 3000; pc++)
            Assert.Equal(expected.GetValueOrDefault(pc), domain.Find(pc));
    }

    /// <summary>Images are read by threads that hold no lock while others change them.</summary>
    [Fact]
    public void AReaderThatIsOvertakenFindsNothingWrong()
    {
        var random = new FuzzRandom(20261122);
        var domain = new CodeDomain(default, default);
        var there = new Dictionary<ulong, Translation>();
        bool isOver = false;
        long found = 0, wrong = 0;
        var reader = new Thread(() =>
        {
            for (ulong i = 0; !Volatile.Read(ref isOver) || i < 10_000; i++)
            {
                ulong pc = 0x40_0000 + (i % 400);
                if (domain.Find(pc) is not { } translation)
                    continue;
                found++;
                wrong += translation.Pc == pc ? 0 : 1;
            }
        });
        reader.Start();
        for (int i = 0; i < 300_000; i++)
        {
            ulong pc = 0x40_0000 + (ulong)random.Below(400);
            if (there.Remove(pc, out Translation? removed))
                domain.Remove(removed);
            else
                domain.Add(there[pc] = MakeTranslation(domain, pc));
        }
        Volatile.Write(ref isOver, true);
        reader.Join();
        Assert.True(found > 0);
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void AFaultMapTellsEachPlace()
    {
        var random = new FuzzRandom(20261121);
        byte* code = (byte*)NativeMemory.Alloc(1 << 20);
        for (int round = 0; round < 300; round++)
        {
            var instructions = new InstructionStart[random.Between(1, 64)];
            ulong pc = random.Next();
            for (int i = 0; i < instructions.Length; i++)
                instructions[i] = new InstructionStart(i, i == 0 ? pc : instructions[i - 1].Pc + (ulong)random.Between(1, 15));
            ulong end = instructions[^1].Pc + 15;
            var starts = new CodeStart[random.Between(1, 300)];
            bool moves = random.Chance(50), waits = random.Chance(50);
            for (int i = 0; i < starts.Length; i++)
            {
                int instruction = random.Below(instructions.Length + 1);
                starts[i] = new CodeStart(
                    (i == 0 ? random.Below(50) : starts[i - 1].Offset) + (random.Chance(50) ? random.Below(3000) : random.Between(1, 30)),
                    instruction,
                    random.Between(instruction, instructions.Length),
                    (Rebasing)random.Below(4),
                    waits ? (uint)random.Next() : 0,
                    waits ? (byte)random.Below(32) : (byte)0,
                    moves ? FaultMap.StackUnit * random.Between(-128, 127) : 0);
            }
            int length = starts[^1].Offset + 100;
            byte* mapEnd = FaultMap.Write(code + length, instructions, end, starts, new RoundsMap([], 1, 0));
            Assert.True(mapEnd - (code + length) <= FaultMap.SizeLimit(instructions.Length, starts.Length));
            Translation translation = MakeTranslation(new CodeDomain(default, default), pc, (nint)code, length);
            for (int offset = 0; offset < length; offset++)
                Assert.Equal(Expected(instructions, end, starts, offset), FaultMap.Find(translation, (nint)code + offset));
        }
        NativeMemory.Free(code);
    }

    private static FaultMap.Place Expected(InstructionStart[] instructions, ulong end, CodeStart[] starts, int offset)
    {
        int found = Array.FindLastIndex(starts, start => start.Offset <= offset);
        if (found < 0)
            return new FaultMap.Place(instructions[0].Pc, 0, Rebasing.None, IsInstruction: false);
        CodeStart start = starts[found];
        bool isInstruction = start.Instruction < instructions.Length;
        return new FaultMap.Place(isInstruction ? instructions[start.Instruction].Pc : end, start.PaidTo - start.Instruction, start.Rebasing, isInstruction, start.Narrow, start.FlagsIn, start.StackMove);
    }

    [Fact]
    public void IncomingLinksAreAListThatAnyOfThemCanLeave()
    {
        var random = new FuzzRandom(20261121);
        var links = new LinkTable();
        var domain = new CodeDomain(default, default);
        Translation[] blocks = [.. Enumerable.Range(0, 20).Select(i => MakeTranslation(domain, (ulong)i))];
        int[] numbers = [.. Enumerable.Range(0, 3000).Select(_ => links.Take(1))];
        Assert.Equal(numbers.Length, numbers.Distinct().Count());
        var expected = new Dictionary<int, Translation>();
        foreach (int number in numbers)
            links[number] = new Link { Next = LinkTable.None, Previous = LinkTable.None };
        for (int i = 0; i < 20_000; i++)
        {
            int number = random.Pick<int>(numbers);
            if (expected.Remove(number))
                links.Disconnect(number);
            else
                links.Connect(number, expected[number] = random.Pick<Translation>(blocks));
        }
        foreach (Translation block in blocks)
        {
            var found = new List<int>();
            for (int number = block.Incoming; number != LinkTable.None; number = links[number].Next)
                found.Add(number);
            Assert.Equal(expected.Where(pair => pair.Value == block).Select(pair => pair.Key).Order(), found.Order());
        }
        links.Release(numbers[5], 1);
        Assert.Equal(numbers[5], links.Take(1));
    }

    [Fact]
    public void AJumpTableKeepsTheLatestAndForgetsARange()
    {
        const nint miss = 2, spent = 3, empty = 1;
        var random = new FuzzRandom(20261121);
        using var memory = new AddressSpace(new MemoryAccountant(1 << 24));
        GateContext* context = stackalloc GateContext[1];
        using var table = new JumpTable(memory, context, new Gate.LookUp(0, miss, spent, empty), variant: 0);
        Assert.True(table.TryPlace());
        nint* first = (nint*)(memory.WindowBase + JumpTable.FirstAt(0));
        for (int i = 0; i < 200_000; i++)
        {
            ulong pc = (ulong)random.Below(1 << 18);
            table.Remember(pc, (nint)pc + 1000);
            Assert.Equal((nint)pc + 1000, Find(context, pc));
            int place = (int)((pc & context->FirstMask) >> 1);
            Assert.Equal(place == 0 ? spent : (nint)pc + 1000, first[place]);
        }
        int known = Enumerable.Range(0, 1 << 18).Count(pc => Find(context, (ulong)pc) is { } code && code == pc + 1000);
        Assert.InRange(known, 50_000, 1 << 16);
        table.RemoveBetween(1000 + 5000, 1000 + 200_000);
        Assert.Equal(0, Enumerable.Range(5000, 195_000).Count(pc => Find(context, (ulong)pc) is not null));
        Assert.DoesNotContain(Enumerable.Range(0, (int)(context->FirstMask >> 1) + 1), place => first[place] is > 6000 and < 200_900);
        Assert.Contains(Enumerable.Range(0, 5000), pc => Find(context, (ulong)pc) is not null);
        table.Clear();
        Assert.All(Enumerable.Range(0, (int)(context->FirstMask >> 1) + 1), place => Assert.Equal(place == 0 ? spent : miss, first[place]));
        Assert.Equal(0, Enumerable.Range(0, 1 << 18).Count(pc => Find(context, (ulong)pc) is not null));
    }

    /// <summary>As translated code looks it up.</summary>
    private static nint? Find(GateContext* context, ulong pc)
    {
        nint* entry = (nint*)(context->JumpTable + ((nint)((pc & context->JumpMask) >> 1) * JumpTable.EntrySize));
        for (int way = 0; way < JumpTable.Ways; way++, entry += 2)
        {
            if ((ulong)entry[0] + pc == 0)
                return entry[1];
        }
        return null;
    }
}
