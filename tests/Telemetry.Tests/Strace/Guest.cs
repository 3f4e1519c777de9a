using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Telemetry.Strace;

namespace Vivarium.Telemetry.Tests.Strace;

/// <summary>A page of guest memory with things in it, and calls that use them.</summary>
internal sealed class Guest : IDisposable
{
    private readonly AddressSpace _memory = new(new MemoryAccountant(1 << 26));
    private ulong _next = 0x10000;

    /// <summary>The processor that makes the calls.</summary>
    public Architecture Architecture { get; init; }

    public Guest() => _memory.Map(
        new MapRequest(new GuestAddress(0x10000), 0x10000, Protection.Read | Protection.Write, Placement.Fixed), out _);

    public ulong PutBytes(ReadOnlySpan<byte> bytes)
    {
        ulong address = _next;
        _memory.TryWrite(new GuestAddress(address), bytes);
        _next += ((ulong)bytes.Length + 15) & ~15UL;
        return address;
    }

    public ulong Put(string text) => PutBytes(Encoding.UTF8.GetBytes(text + '\0'));

    public ulong Put(params int[] numbers) => PutBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(numbers.AsSpan()));

    public ulong Put(params long[] numbers) => PutBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(numbers.AsSpan()));

    public void Change(ulong address, ReadOnlySpan<byte> bytes) => _memory.TryWrite(new GuestAddress(address), bytes);

    /// <summary>The line of a call that returned a value, without column and time: <c>read(0, "x", 1) = 1</c>.</summary>
    public string Line(string name, long value, params ulong[] arguments) => Line(name, value, Errno.None, null, arguments);

    public string Fail(string name, Errno error, params ulong[] arguments) => Line(name, 0, error, null, arguments);

    /// <summary>As <see cref="Line(string, long, ulong[])"/>, with what the kernel does in the middle.</summary>
    public string Line(string name, long value, Errno error, Action? kernel, params ulong[] arguments)
    {
        int number = LinuxTable.Numbers.ToArray().First(number => LinuxTable.Name(number) == name);
        var call = new TracedCall(number, CallTables.Describe(number, Architecture), _memory) { Architecture = Architecture };
        call.Begin(arguments);
        CallFormatter.Enter(call);
        kernel?.Invoke();
        call.End(value, error);
        CallFormatter.Leave(call);
        return $"{call.Text} = {CallFormatter.Result(call, error == Errno.None ? CallOutcome.Value : CallOutcome.Error)}";
    }

    public void Dispose() => _memory.Dispose();
}
