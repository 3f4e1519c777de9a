using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// Turns host faults at guest addresses into exceptions that an engine can catch. A stub of machine code stands before the
/// runtime's own handlers of SIGSEGV and SIGBUS: for an address in the arena it notes the address and error code in the
/// window's <see cref="FaultRecord"/> and hands on the signal with address 0, which the runtime raises as a
/// <see cref="NullReferenceException"/>; any other fault passes through untouched.
/// </summary>
internal static unsafe class FaultHandler
{
    private const int SignalSegmentation = 11;
    private const int SignalBus = 7;
    private const int SignalArithmetic = 8;

    // struct sigaction of the C library on x86-64: handler, 128 bytes of mask, flags, restorer.
    private const int ActionSize = 152;

    private const int StubSize = 256;

    /// <summary>Translated code: its start, its size, and where faults in it go on.</summary>
    private static readonly nint* Code = (nint*)NativeMemory.AllocZeroed(3, (nuint)sizeof(nint));

    /// <summary>From now on a fault at a program counter in translated code goes on at <paramref name="exit"/>, with that counter in R15.</summary>
    public static void RedirectCode(nint start, nint size, nint exit)
    {
        Code[0] = start;
        Code[2] = exit;
        Volatile.Write(ref Code[1], size);
    }

    public static void Install(nint arena, ulong arenaSize, nint* recordOfUnit)
    {
        nint code = LibC.Map(0, 4096, LibC.ProtectionRead | LibC.ProtectionWrite, LibC.MapPrivate | LibC.MapAnonymous, -1, 0);
        if (code == LibC.Failed)
            throw new InvalidOperationException("cannot map the fault handler");
        byte* segmentation = stackalloc byte[ActionSize];
        byte* bus = stackalloc byte[ActionSize];
        Query(SignalSegmentation, segmentation);
        Query(SignalBus, bus);
        byte* arithmetic = stackalloc byte[ActionSize];
        Query(SignalArithmetic, arithmetic);
        Emit(new Span<byte>((void*)code, StubSize), arena, arenaSize, recordOfUnit, *(nint*)segmentation);
        Emit(new Span<byte>((void*)(code + StubSize), StubSize), arena, arenaSize, recordOfUnit, *(nint*)bus);
        Emit(new Span<byte>((void*)(code + (2 * StubSize)), StubSize), arena, 0, recordOfUnit, *(nint*)arithmetic);
        if (LibC.Protect(code, 4096, LibC.ProtectionRead | LibC.ProtectionExecute) != 0)
            throw new InvalidOperationException("cannot make the fault handler executable");
        Replace(SignalSegmentation, segmentation, code);
        Replace(SignalBus, bus, code + StubSize);
        Replace(SignalArithmetic, arithmetic, code + (2 * StubSize));
    }

    private static void Query(int signal, byte* action)
    {
        if (LibC.SignalAction(signal, null, action) != 0)
            throw new InvalidOperationException($"sigaction: error {Marshal.GetLastPInvokeError()}");
    }

    /// <summary>Keeps the runtime's mask and flags (alternate stack, SA_SIGINFO) and puts the stub first.</summary>
    private static void Replace(int signal, byte* action, nint handler)
    {
        *(nint*)action = handler;
        if (LibC.SignalAction(signal, action, null) != 0)
            throw new InvalidOperationException($"sigaction: error {Marshal.GetLastPInvokeError()}");
    }

    /// <summary>
    /// handler(signal edi, siginfo rsi, ucontext rdx); siginfo's address is at 16; of the registers, at 40 + 8 each, R15 is number 7,
    /// RIP 16, the error code 19.
    /// </summary>
    private static void Emit(Span<byte> stub, nint arena, ulong arenaSize, nint* recordOfUnit, nint next)
    {
        int at = 0;
        Put(stub, ref at, [0x48, 0x8B, 0x82, 0xA8, 0x00, 0x00, 0x00]);          // mov rax, [rdx + 168]
        Put(stub, ref at, [0x48, 0xB9], (ulong)Code);                           // mov rcx, code
        Put(stub, ref at, [0x48, 0x2B, 0x01]);                                  // sub rax, [rcx]
        Put(stub, ref at, [0x48, 0x3B, 0x41, 0x08]);                            // cmp rax, [rcx + 8]
        Put(stub, ref at, [0x73, 0x1A]);                                        // jae elsewhere
        Put(stub, ref at, [0x48, 0x03, 0x01]);                                  // add rax, [rcx]
        Put(stub, ref at, [0x48, 0x89, 0x42, 0x60]);                            // mov [rdx + 96], rax
        Put(stub, ref at, [0x48, 0x8B, 0x41, 0x10]);                            // mov rax, [rcx + 16]
        Put(stub, ref at, [0x48, 0x89, 0x82, 0xA8, 0x00, 0x00, 0x00]);          // mov [rdx + 168], rax
        Put(stub, ref at, [0xC3]);                                              // ret
        stub[25] = (byte)(at - 26);
        Put(stub, ref at, [0x48, 0x8B, 0x46, 0x10]);                            // mov rax, [rsi + 16]
        Put(stub, ref at, [0x48, 0xB9], (ulong)arena);                          // mov rcx, arena
        Put(stub, ref at, [0x48, 0x29, 0xC8]);                                  // sub rax, rcx
        Put(stub, ref at, [0x48, 0xB9], arenaSize);                             // mov rcx, size
        Put(stub, ref at, [0x48, 0x39, 0xC8]);                                  // cmp rax, rcx
        Put(stub, ref at, [0x73, 0x40]);                                        // jae next
        int afterFirstJump = at;
        Put(stub, ref at, [0x48, 0xC1, 0xE8, Arena.UnitShift]);                 // shr rax, 32
        Put(stub, ref at, [0x48, 0xB9], (ulong)recordOfUnit);                   // mov rcx, table
        Put(stub, ref at, [0x48, 0x8B, 0x04, 0xC1]);                            // mov rax, [rcx + rax * 8]
        Put(stub, ref at, [0x48, 0x85, 0xC0]);                                  // test rax, rax
        Put(stub, ref at, [0x74, 0x00]);                                        // jz next
        int afterSecondJump = at;
        Put(stub, ref at, [0x48, 0x8B, 0x4E, 0x10]);                            // mov rcx, [rsi + 16]
        Put(stub, ref at, [0x48, 0x89, 0x08]);                                  // mov [rax], rcx
        Put(stub, ref at, [0x48, 0x8B, 0x8A, 0xC0, 0x00, 0x00, 0x00]);          // mov rcx, [rdx + 192]
        Put(stub, ref at, [0x48, 0x89, 0x48, 0x08]);                            // mov [rax + 8], rcx
        Put(stub, ref at, [0x48, 0xC7, 0x40, 0x10, 1, 0, 0, 0]);                // mov qword [rax + 16], 1
        Put(stub, ref at, [0x48, 0xC7, 0x46, 0x10, 0, 0, 0, 0]);                // mov qword [rsi + 16], 0
        stub[afterFirstJump - 1] = (byte)(at - afterFirstJump);
        stub[afterSecondJump - 1] = (byte)(at - afterSecondJump);
        Put(stub, ref at, [0x48, 0xB8], (ulong)next);                           // mov rax, next
        Put(stub, ref at, [0xFF, 0xE0]);                                        // jmp rax
    }

    private static void Put(Span<byte> stub, ref int at, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(stub[at..]);
        at += bytes.Length;
    }

    private static void Put(Span<byte> stub, ref int at, ReadOnlySpan<byte> bytes, ulong immediate)
    {
        Put(stub, ref at, bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(stub[at..], immediate);
        at += sizeof(ulong);
    }
}
