using System.Buffers.Binary;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Programs;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>bpf(2): maps, and programs for sockets.</summary>
public static class BpfCalls
{
    private const int AttributeSize = 168;
    private const int MapCreate = 0, MapLookup = 1, MapUpdateElement = 2, MapDelete = 3, MapNext = 4, ProgramLoad = 5, ProgramTest = 10;

    public static CallResult Bpf(CallContext call, int command, GuestAddress attributes, uint size)
    {
        Errno error = Read(call, attributes, size, out byte[] given);
        if (error != Errno.None)
            return error;
        return command switch
        {
            MapCreate => CreateMap(call, given),
            MapLookup or MapUpdateElement or MapDelete or MapNext => ChangeMap(call, command, given),
            ProgramLoad => Load(call, given),
            ProgramTest => Test(call, given, attributes),
            _ => Errno.EINVAL,
        };
    }

    /// <summary>union bpf_attr; what is behind it must be nothing (bpf_check_uarg_tail_zero).</summary>
    private static Errno Read(CallContext call, GuestAddress attributes, uint size, out byte[] given)
    {
        given = [];
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        given = new byte[Math.Max(size, AttributeSize)];
        if (!call.Memory.TryRead(attributes, given.AsSpan(0, (int)size)))
            return Errno.EFAULT;
        return given.AsSpan(AttributeSize).ContainsAnyExcept((byte)0) ? Errno.E2BIG : Errno.None;
    }

    private static uint Word(byte[] given, int at) => BinaryPrimitives.ReadUInt32LittleEndian(given.AsSpan(at));

    private static ulong Long(byte[] given, int at) => BinaryPrimitives.ReadUInt64LittleEndian(given.AsSpan(at));

    /// <summary>A command has no use for what is behind its last field.</summary>
    private static bool EndsAt(byte[] given, int end) => !given.AsSpan(end).ContainsAnyExcept((byte)0);

    private static bool MayDoAll(CallContext call) => call.Thread.Credentials.Has(Capability.Bpf) || call.Thread.Credentials.Has(Capability.Administer);

    /// <summary>kernel.unprivileged_bpf_disabled: others may load programs for sockets while it is 0.</summary>
    private static bool MayUse(CallContext call) => MayDoAll(call) || call.World.Settings.ProgramsForbidden.Value == 0;

    private static CallResult CreateMap(CallContext call, byte[] given)
    {
        const int hash = 1, array = 2, processorHash = 5, processorArray = 6, ring = 27;
        const uint notBefore = 1, onNode = 4, readOnly = 8, writeOnly = 16, mapped = 1024;
        uint type = Word(given, 0), keySize = Word(given, 4), valueSize = Word(given, 8), entries = Word(given, 12), flags = Word(given, 16);
        if (!EndsAt(given, 80) || (Word(given, 20) != 0) || ((flags & onNode) == 0 && Word(given, 24) != 0))
            return Errno.EINVAL;
        if (type is not (hash or array or processorHash or processorArray or ring))
            return Errno.EINVAL;
        if (!MayUse(call) || (type == ring && !MayUse(call)))
            return Errno.EPERM;
        uint known = onNode | readOnly | writeOnly | (type == array ? mapped : type is hash or processorHash ? notBefore : 0);
        if ((flags & ~known) != 0 || (flags & (readOnly | writeOnly)) == (readOnly | writeOnly) || (flags & mapped) != 0 || entries == 0)
            return Errno.EINVAL;
        bool isArray = type is array or processorArray;
        bool isRightSize = type == ring ? keySize == 0 && valueSize == 0 && (entries & (entries - 1)) == 0 && entries % GuestAddress.PageSize == 0
            : valueSize != 0 && (isArray ? keySize == sizeof(uint) : keySize != 0);
        if (!isRightSize)
            return Errno.EINVAL;
        const uint most = 1 << 22;
        if (type != ring && ((ulong)keySize + valueSize >= most))
            return Errno.E2BIG;
        return Make(call, given, isArray, type == ring, (int)keySize, (int)valueSize, entries, flags);
    }

    private static CallResult Make(CallContext call, byte[] given, bool isArray, bool isRing, int keySize, int valueSize, uint entries, uint flags)
    {
        const uint readOnly = 8, writeOnly = 16;
        const ulong mostCharged = 1ul << 30;
        Errno error = CheckName(given.AsSpan(28, 16));
        if (error != Errno.None)
            return error;
        // A hash's elements are paid for as if all were there.
        ulong charge = isRing ? 0 : (ulong)(isArray ? (valueSize + 7) & ~7 : valueSize + keySize + 64) * entries;
        if (charge > mostCharged || (charge != 0 && !call.World.Accountant.TryCharge(charge)))
            return Errno.ENOMEM;
        ProgramMap? map = isRing ? RingMap.TryMake(call.World, entries) : isArray ? new ArrayMap(valueSize, entries) : new HashMap(keySize, valueSize, entries);
        if (map is null)
            return Errno.ENOMEM;
        map.Charged = charge;
        var mode = (flags & readOnly) != 0 ? OpenFlags.Read : (flags & writeOnly) != 0 ? OpenFlags.Write : OpenFlags.ReadWrite;
        call.World.JoinMap(map);
        return PipeCalls.Install(call, new MapFile(call.World, map, mode), closeOnExec: true);
    }

    /// <summary>Letters, digits, '_' and '.', and an end.</summary>
    private static Errno CheckName(ReadOnlySpan<byte> name)
    {
        int end = name.IndexOf((byte)0);
        if (end < 0)
            return Errno.EINVAL;
        foreach (byte letter in name[..end])
        {
            if (!char.IsAsciiLetterOrDigit((char)letter) && letter is not ((byte)'_' or (byte)'.'))
                return Errno.EINVAL;
        }
        return name[end..].ContainsAnyExcept((byte)0) ? Errno.EINVAL : Errno.None;
    }

    private static CallResult ChangeMap(CallContext call, int command, byte[] given)
    {
        if (!MayUse(call))
            return Errno.EPERM;
        if (!EndsAt(given, command is MapLookup or MapUpdateElement ? 32 : command == MapNext ? 24 : 16))
            return Errno.EINVAL;
        ulong flags = Long(given, 24);
        if (command == MapLookup && flags != 0)
            return Errno.EINVAL;
        if (call.File((int)Word(given, 0)) is not { } file)
            return Errno.EBADF;
        if (file is not MapFile { Map: var map })
            return Errno.EINVAL;
        if (command is MapUpdateElement or MapDelete ? !file.CanWrite : !file.CanRead)
            return Errno.EPERM;
        if (!map.HasElements)
            return Errno.EOPNOTSUPP;
        byte[] key = new byte[map.KeySize];
        var keyAt = new GuestAddress(Long(given, 8));
        if (command == MapNext)
            return Next(call, map, keyAt, key, new GuestAddress(Long(given, 16)));
        if (!call.Memory.TryRead(keyAt, key))
            return Errno.EFAULT;
        if (command == MapDelete)
            return map.Delete(key);
        byte[] value = new byte[map.ValueSize];
        var valueAt = new GuestAddress(Long(given, 16));
        if (command == MapUpdateElement)
            return !call.Memory.TryRead(valueAt, value) ? Errno.EFAULT : flags > (ulong)MapUpdate.IfPresent ? Errno.EINVAL : map.Update(key, value, (MapUpdate)flags);
        if (!map.TryFind(key, out byte[] store, out int offset))
            return Errno.ENOENT;
        return call.Memory.TryWrite(valueAt, store.AsSpan(offset, map.ValueSize)) ? 0 : Errno.EFAULT;
    }

    private static CallResult Next(CallContext call, ProgramMap map, GuestAddress keyAt, byte[] key, GuestAddress nextAt)
    {
        if (!keyAt.IsNull && !call.Memory.TryRead(keyAt, key))
            return Errno.EFAULT;
        byte[] next = new byte[map.KeySize];
        Errno error = map.Next(keyAt.IsNull ? [] : key, next);
        return error != Errno.None ? error : call.Memory.TryWrite(nextAt, next) ? 0 : Errno.EFAULT;
    }

    private static CallResult Load(CallContext call, byte[] given)
    {
        const uint forSockets = 1, strictAlignment = 1, anyAlignment = 2;
        const uint mostPrivileged = 1_000_000, most = 4096;
        uint type = Word(given, 0), count = Word(given, 4), flags = Word(given, 44);
        if ((flags & ~(strictAlignment | anyAlignment)) != 0)
            return Errno.EINVAL;
        if (!MayUse(call))
            return Errno.EPERM;
        if (count == 0 || count > (MayDoAll(call) ? mostPrivileged : most))
            return Errno.E2BIG;
        if (type != forSockets)
            return MayDoAll(call) ? Errno.EINVAL : Errno.EPERM;
        Errno error = CheckName(given.AsSpan(48, 16));
        // A buffer for what the verifier says comes with a length and a level, or not at all.
        uint level = Word(given, 24), room = Word(given, 28);
        ulong logAt = Long(given, 32);
        if (error == Errno.None && ((logAt != 0) != (room != 0) || (logAt != 0) != (level != 0) || level > 7 || room > int.MaxValue / 2))
            error = Errno.EINVAL;
        if (error != Errno.None)
            return error;
        byte[] code = new byte[count * (long)ProgramInstruction.Size];
        if (!call.Memory.TryRead(new GuestAddress(Long(given, 8)), code) || !call.Memory.TryRead(new GuestAddress(Long(given, 16)), out byte _))
            return Errno.EFAULT;
        return Verify(call, Decode(code), new GuestAddress(logAt), room);
    }

    private static ProgramInstruction[] Decode(byte[] code)
    {
        var instructions = new ProgramInstruction[code.Length / ProgramInstruction.Size];
        for (int i = 0; i < instructions.Length; i++)
        {
            ReadOnlySpan<byte> one = code.AsSpan(i * ProgramInstruction.Size);
            instructions[i] = new ProgramInstruction(one[0], one[1], BinaryPrimitives.ReadInt16LittleEndian(one[2..]), BinaryPrimitives.ReadInt32LittleEndian(one[4..]));
        }
        return instructions;
    }

    private static CallResult Verify(CallContext call, ProgramInstruction[] instructions, GuestAddress logAt, uint room)
    {
        const byte constant = 0x18;
        Dictionary<int, ProgramMap> maps = [];
        foreach (ProgramInstruction one in instructions)
        {
            if (one.Code == constant && one.Source != 0 && call.File(one.Immediate) is MapFile file)
                maps[one.Immediate] = file.Map;
        }
        Errno error = LoadedProgram.TryLoad(call.World, instructions, maps, MayDoAll(call), out string log, out LoadedProgram? program);
        if (!logAt.IsNull)
        {
            byte[] text = Encoding.ASCII.GetBytes(log + "\0");
            bool fits = text.Length <= room;
            if (!fits)
                (text[room - 1], error) = (0, error == Errno.None ? Errno.ENOSPC : error);
            if (!call.Memory.TryWrite(logAt, text.AsSpan(0, (int)Math.Min((uint)text.Length, room))))
                return Errno.EFAULT;
        }
        if (error != Errno.None)
            return error;
        return PipeCalls.Install(call, new ProgramFile(call.World, program!, OpenFlags.ReadWrite), closeOnExec: true);
    }

    /// <summary>BPF_PROG_TEST_RUN: over a frame, whose header a program on a socket does not see.</summary>
    private static CallResult Test(CallContext call, byte[] given, GuestAddress attributes)
    {
        const int header = 14, resultAt = 4, sizeAt = 12, durationAt = 36;
        const uint most = 4096 - 512;
        if (!EndsAt(given, 80))
            return Errno.EINVAL;
        if (call.File((int)Word(given, 0)) is not { } file)
            return Errno.EBADF;
        if (file is not ProgramFile { Program: var program })
            return Errno.EINVAL;
        uint size = Word(given, 8), room = Word(given, sizeAt);
        if (size is < header or > most || Word(given, 40) != 0 || Word(given, 44) != 0 || Word(given, 64) != 0 || Word(given, 68) != 0)
            return Errno.EINVAL;
        byte[] frame = new byte[size];
        if (!call.Memory.TryRead(new GuestAddress(Long(given, 16)), frame))
            return Errno.EFAULT;
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(header - sizeof(ushort)));
        uint times = Math.Clamp(Word(given, 32), 1, 1000), result = 0;
        for (uint i = 0; i < times; i++)
            result = program.Run(frame.AsSpan(header), new FilterFacts(type, 0, 1, 0, 0));
        frame.AsSpan(0, header).Clear();
        var outAt = new GuestAddress(Long(given, 24));
        Errno error = !outAt.IsNull && room != 0 && room < size ? Errno.ENOSPC : Errno.None;
        if (!outAt.IsNull && !call.Memory.TryWrite(outAt, frame.AsSpan(0, (int)(room == 0 ? size : Math.Min(size, room)))))
            return Errno.EFAULT;
        return call.Memory.TryWrite(attributes + sizeAt, size) && call.Memory.TryWrite(attributes + resultAt, result) && call.Memory.TryWrite(attributes + durationAt, 0u) ? error : Errno.EFAULT;
    }
}
