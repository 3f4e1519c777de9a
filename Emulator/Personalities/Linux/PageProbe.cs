using System.Runtime.CompilerServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>
/// In an address space whose pages are somebody's to give (userfaultfd(2)): touches what a call's arguments point to before the call
/// does anything, so that it need not wait in its midst. Memory that the table does not know the size of is met by the handler.
/// </summary>
internal static class PageProbe
{
    /// <summary>True when a page of it is not there yet.</summary>
    public static bool IsHeldUp(CallContext call)
    {
        if (LinuxTable.Describe(call.Number) is not { } shape)
            return false;
        for (int i = 0; i < shape.Arguments.Length; i++)
        {
            ArgumentShape argument = shape.Arguments[i];
            var address = new GuestAddress(call.Arguments[i]);
            if (argument.Direction == Direction.None || argument.Type.Size == 0 || address.IsNull)
                continue;
            ulong count = CountOf(call, shape, i);
            MemoryAccess access = argument.Direction == Direction.In ? MemoryAccess.Read : MemoryAccess.Write;
            bool isVector = argument.Type.Struct is { Name: "iovec" };
            if (isVector ? IsVectorHeldUp(call, address, count, access) : IsHeldUp(call, address, count * (ulong)argument.Type.Size, access))
                return true;
        }
        return false;
    }

    private static ulong CountOf(CallContext call, CallShape shape, int index)
    {
        ArgumentShape argument = shape.Arguments[index];
        switch (argument.CountKind)
        {
            case CountKind.Fixed:
                return (ulong)argument.Count;
            case CountKind.Argument when shape.Arguments[argument.Count].Direction == Direction.None:
                return call.Arguments[argument.Count];
            case CountKind.Argument:
                return call.Memory.TryRead(new GuestAddress(call.Arguments[argument.Count]), out uint pointed) ? pointed : 0;
            // As much as there is room for, which the next argument tells.
            case CountKind.Result when index + 1 < shape.Arguments.Length && shape.Arguments[index + 1].Direction == Direction.None:
                return call.Arguments[index + 1];
            default:
                return 1;
        }
    }

    private static bool IsVectorHeldUp(CallContext call, GuestAddress address, ulong count, MemoryAccess access)
    {
        for (ulong i = 0; i < Math.Min(count, IoVector.MaxCount); i++)
        {
            GuestAddress place = address + (i * (ulong)Unsafe.SizeOf<IoVector>());
            if (!call.Memory.TryRead(place, out IoVector vector))
                return IsHeldUp(call, place, (ulong)Unsafe.SizeOf<IoVector>(), MemoryAccess.Read);
            if (IsHeldUp(call, new GuestAddress(vector.Base), vector.Length, access))
                return true;
        }
        return false;
    }

    private static bool IsHeldUp(CallContext call, GuestAddress address, ulong length, MemoryAccess access)
    {
        for (ulong done = 0; done < length;)
        {
            Span<byte> view = call.Memory.View(address + done, length - done, access);
            if (view.IsEmpty)
                return call.Memory.IsHeldUp;
            done += (ulong)view.Length;
        }
        return false;
    }
}
