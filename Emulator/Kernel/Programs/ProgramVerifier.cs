using System.Globalization;
using System.Text;
using static Vivarium.Emulator.Kernel.Programs.ProgramCodes;

namespace Vivarium.Emulator.Kernel.Programs;

/// <summary>One way through a program up to an instruction: what registers and the stack hold there.</summary>
internal sealed class VerifierState
{
    public const byte Unset = 0, Data = 1, Spilled = 2;

    public int At;
    public readonly RegisterState[] Registers = new RegisterState[ProgramCodes.Registers];
    public readonly RegisterState[] Slots = new RegisterState[StackSize / 8];
    public readonly byte[] Bytes = new byte[StackSize];

    /// <summary>Records that were begun and not ended.</summary>
    public readonly List<int> Records = [];

    public VerifierState Fork(int at)
    {
        var other = new VerifierState { At = at };
        Registers.CopyTo(other.Registers, 0);
        Slots.CopyTo(other.Slots, 0);
        Bytes.CopyTo(other.Bytes, 0);
        other.Records.AddRange(Records);
        return other;
    }
}

/// <summary>
/// Looks at all ways through a program before it may run (bpf(2)): every register is set before it is read, every access lies inside what its pointer points to, no pointer becomes a
/// number (but as the result of a privileged user's program), every record that was begun is ended, and it ends. What it does not know it refuses. Ways are not joined again: a program with too many of them is too large.
/// </summary>
internal sealed partial class ProgramVerifier(ProgramInstruction[] instructions, Func<int, ProgramMap?> mapOf, bool isPrivileged)
{
    private const int MostSteps = 131_072, MostWaiting = 8192;

    /// <summary>Nothing may be added to pointers beyond it (BPF_MAX_VAR_OFF).</summary>
    private const long MostOffset = 1 << 29;

    private readonly StringBuilder _log = new();
    private readonly Stack<VerifierState> _waiting = new();
    private VerifierState _state = new();
    private Errno _error;
    private int _steps, _identities;

    /// <summary>What it has to say, a line each.</summary>
    public string Log => _log.ToString();

    public Errno Verify()
    {
        if (!HasValidForm())
            return _error;
        _state.Registers[1] = new RegisterState { Kind = RegisterKind.Context };
        _state.Registers[FramePointer] = new RegisterState { Kind = RegisterKind.Stack };
        _waiting.Push(_state);
        while (_error == Errno.None && _waiting.TryPop(out VerifierState? next))
        {
            _state = next;
            while (_error == Errno.None && Step())
            {
            }
        }
        _log.Append(CultureInfo.InvariantCulture, $"processed {_steps} insns (limit {MostSteps}) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n");
        return _error;
    }

    private bool Refuse(Errno error, string why)
    {
        _error = error;
        _log.Append(why).Append('\n');
        return false;
    }

    private bool Refuse(string why) => Refuse(Errno.EACCES, why);

    /// <summary>Known instructions with nothing in fields that they do not use, jumps to instructions, and all of them reached.</summary>
    private bool HasValidForm()
    {
        for (int i = 0; i < instructions.Length; i++)
        {
            ProgramInstruction now = instructions[i];
            bool hasSecond = now.Code == LoadConstant;
            if (now.Destination > FramePointer || (!hasSecond && now.Source > FramePointer))
                return Refuse(Errno.EINVAL, $"R{Math.Max(now.Destination, now.Source)} is invalid");
            if (!IsKnown(now))
                return Refuse(Errno.EINVAL, $"unknown opcode {now.Code:x2}");
            if (!hasSecond)
                continue;
            if (i + 1 == instructions.Length || instructions[i + 1] is not { Code: 0, Registers: 0, Offset: 0 } || now.Offset != 0)
                return Refuse(Errno.EINVAL, "invalid bpf_ld_imm64 insn");
            if (now.Source is not (0 or MapDescriptor or MapValue))
                return Refuse(Errno.EINVAL, "unrecognized bpf_ld_imm64 insn");
            if (now.Source != 0 && mapOf(now.Immediate) is null)
                return Refuse(Errno.EBADF, $"fd {now.Immediate} is not pointing to valid bpf_map");
            if (now.Source == MapDescriptor && instructions[i + 1].Immediate != 0)
                return Refuse(Errno.EINVAL, "unrecognized bpf_ld_imm64 insn");
            i++;
        }
        return IsReachedAll();
    }

    private static bool IsKnown(ProgramInstruction now)
    {
        bool hasNoSource = now.Source == 0, hasNoOffset = now.Offset == 0, hasNoImmediate = now.Immediate == 0;
        switch (now.Class)
        {
            case Alu32 or Alu64 when now.Operation == SwapBytes:
                return now.Class == Alu32 && hasNoSource && hasNoOffset && now.Immediate is 16 or 32 or 64;
            case Alu32 or Alu64 when now.Operation == Negate:
                return now.Code is 0x84 or 0x87 && hasNoSource && hasNoOffset && hasNoImmediate;
            case Alu32 or Alu64:
                int width = now.Class == Alu64 ? 64 : 32;
                bool isShift = now.Operation is ShiftLeft or ShiftRight or ShiftArithmetic;
                return now.Operation <= ShiftArithmetic && hasNoOffset && (now.TakesRegister ? hasNoImmediate : hasNoSource)
                    && (now.TakesRegister || ((now.Operation is not (Divide or Modulo) || !hasNoImmediate) && (!isShift || (uint)now.Immediate < width)));
            case Jump or Jump32 when now.Operation is Call or Exit or Always:
                return now.Class == Jump && !now.TakesRegister && (now.Operation switch
                {
                    Call => hasNoSource && hasNoOffset && now.Destination == 0,
                    Exit => hasNoSource && hasNoOffset && hasNoImmediate && now.Destination == 0,
                    _ => hasNoSource && hasNoImmediate && now.Destination == 0,
                });
            case Jump or Jump32:
                return now.Operation <= SignedLessOrEqual && (now.TakesRegister ? hasNoImmediate : hasNoSource);
            case Load when now.Code == LoadConstant:
                return true;
            case Load:
                return now.Mode is Absolute or Indirect && now.Width != 8 && hasNoOffset && now.Destination == 0 && (now.Mode == Indirect || hasNoSource);
            case LoadMemory:
                return now.Mode == InMemory && hasNoImmediate;
            case Store:
                return now.Mode == InMemory && hasNoSource;
            default:
                return (now.Mode == InMemory && hasNoImmediate) || (now.Mode == Atomic && now.Width >= 4
                    && (now.Immediate is Exchange or CompareExchange || (now.Immediate & ~Fetch) is Add or And or Or or Xor));
        }
    }

    private bool IsReachedAll()
    {
        var isReached = new bool[instructions.Length];
        var waiting = new Stack<int>();
        waiting.Push(0);
        while (waiting.TryPop(out int at))
        {
            if (at < 0 || at >= instructions.Length)
                return Refuse(Errno.EINVAL, $"jump out of range to {at}");
            if (isReached[at])
                continue;
            isReached[at] = true;
            ProgramInstruction now = instructions[at];
            bool isJump = now.Class is Jump or Jump32;
            if (now.Code == LoadConstant)
                isReached[at + 1] = true;
            if (isJump && now.Operation == Exit)
                continue;
            bool branches = isJump && now.Operation != Call;
            if (branches && now.Offset < 0 && !isPrivileged)
                return Refuse(Errno.EINVAL, $"back-edge from insn {at} to {at + 1 + now.Offset}");
            if (branches)
                waiting.Push(at + 1 + now.Offset);
            if (!branches || now.Operation != Always)
                waiting.Push(at + (now.Code == LoadConstant ? 2 : 1));
        }
        for (int i = 0; i < instructions.Length; i++)
        {
            if (!isReached[i])
                return Refuse(Errno.EINVAL, $"unreachable insn {i}");
            // The second half of a constant is no instruction.
            if (instructions[i].Class is Jump or Jump32 && instructions[i].Operation is not (Call or Exit) && i + 1 + instructions[i].Offset is var target and > 0
                && instructions[target - 1].Code == LoadConstant && !IsSecond(target - 1))
                return Refuse(Errno.EINVAL, $"jump into the middle of ldimm64 insn {target}");
        }
        return true;
    }

    private bool IsSecond(int at)
    {
        int before = 0;
        while (at - 1 - before >= 0 && instructions[at - 1 - before].Code == LoadConstant)
            before++;
        return before % 2 != 0;
    }

    /// <summary>One instruction; false when this way is at its end.</summary>
    private bool Step()
    {
        if (++_steps > MostSteps)
            return Refuse(Errno.E2BIG, $"BPF program is too large. Processed {_steps} insn");
        ProgramInstruction now = instructions[_state.At];
        bool goesOn = now.Class switch
        {
            Alu32 or Alu64 => Calculate(now),
            Jump or Jump32 => Branch(now),
            Load => now.Code == LoadConstant ? LoadsConstant(now) : LoadsPacket(now),
            LoadMemory => Loads(now),
            _ => Stores(now),
        };
        if (goesOn && now.Class is not (Jump or Jump32))
            _state.At += now.Code == LoadConstant ? 2 : 1;
        return goesOn;
    }

    private bool IsReadable(int register)
    {
        return _state.Registers[register].Kind != RegisterKind.Unset || Refuse($"R{register} !read_ok");
    }

    private bool IsWritable(int register) => register != FramePointer || Refuse("frame pointer is read only");

    private bool LoadsConstant(ProgramInstruction now)
    {
        if (!IsWritable(now.Destination))
            return false;
        ulong value = (uint)now.Immediate | (ulong)(uint)instructions[_state.At + 1].Immediate << 32;
        if (now.Source == 0)
        {
            _state.Registers[now.Destination] = RegisterState.Of(value);
            return true;
        }
        ProgramMap map = mapOf(now.Immediate)!;
        if (now.Source == MapDescriptor)
        {
            _state.Registers[now.Destination] = new RegisterState { Kind = RegisterKind.Map, Map = map };
            return true;
        }
        uint offset = (uint)instructions[_state.At + 1].Immediate;
        if (map is not ArrayMap { Entries: 1 } || offset >= map.ValueSize)
            return Refuse(Errno.EINVAL, "direct value access not possible");
        _state.Registers[now.Destination] = RegisterState.Of(offset) with { Kind = RegisterKind.MapValue, Map = map };
        return true;
    }

    /// <summary>The old way to read packets: the context is in R6, and beyond the packet the program ends.</summary>
    private bool LoadsPacket(ProgramInstruction now)
    {
        if (_state.Registers[6].Kind != RegisterKind.Context || !_state.Registers[6].IsConstant)
            return Refuse(Errno.EINVAL, "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
        if (_state.Records.Count > 0)
            return Refuse(Errno.EINVAL, "BPF_LD_[ABS|IND] would lead to reference leak");
        if (now.Mode == Indirect && (!IsReadable(now.Source) || (!_state.Registers[now.Source].IsNumber && !Refuse($"R{now.Source} is not a number"))))
            return false;
        ForgetCalled();
        _state.Registers[0] = now.Width switch { 1 => RegisterState.Between(0, byte.MaxValue), 2 => RegisterState.Between(0, ushort.MaxValue), _ => RegisterState.Between(0, uint.MaxValue) };
        return true;
    }

    private void ForgetCalled() => Array.Clear(_state.Registers, 0, 6);

    private bool Calculate(ProgramInstruction now)
    {
        int to = now.Destination, width = now.Class == Alu64 ? 64 : 32;
        if (!IsWritable(to) || (now.TakesRegister && now.Operation != SwapBytes && !IsReadable(now.Source)))
            return false;
        RegisterState two = now.TakesRegister && now.Operation != SwapBytes ? _state.Registers[now.Source] : RegisterState.Of((ulong)now.Immediate);
        if (now.Operation == Move)
        {
            if (width == 32 && !two.IsNumber)
                return Refuse($"R{now.Source} partial copy of pointer");
            _state.Registers[to] = width == 32 ? two.Lower() : two;
            return true;
        }
        if (!IsReadable(to))
            return false;
        RegisterState one = _state.Registers[to];
        if (now.Operation == SwapBytes)
        {
            if (!one.IsNumber)
                return Refuse($"R{to} pointer arithmetic prohibited");
            _state.Registers[to] = one.IsConstant ? RegisterState.Of(ProgramArithmetic.Swap(one.Least, now.Immediate, now.TakesRegister))
                : now.Immediate == 64 ? RegisterState.Any : RegisterState.Between(0, (1ul << now.Immediate) - 1);
            return true;
        }
        if (!one.IsNumber || !two.IsNumber)
            return MovesPointer(now, one, two, width);
        if (width == 32)
            (one, two) = (one.Lower(), two.Lower());
        RegisterState result = RegisterState.Calculate(now.Operation, one, two, width);
        _state.Registers[to] = width == 32 ? result.Lower() : result;
        return true;
    }

    private bool MovesPointer(ProgramInstruction now, in RegisterState one, in RegisterState two, int width)
    {
        int to = now.Destination;
        if (width != 64 || now.Operation is not (Add or Subtract) || one.IsNumber == two.IsNumber || (now.Operation == Subtract && one.IsNumber))
            return Refuse($"R{to} pointer arithmetic with operator prohibited");
        RegisterState pointer = one.IsNumber ? two : one, by = one.IsNumber ? one : two;
        if (pointer.Kind is RegisterKind.MapValueOrNull or RegisterKind.RecordOrNull)
            return Refuse($"R{to} pointer arithmetic on pointer that may be null prohibited, null-check it first");
        if (pointer.Kind is not (RegisterKind.Stack or RegisterKind.MapValue or RegisterKind.Record))
            return Refuse($"R{to} pointer arithmetic prohibited");
        // How much may be added at most is looked at where the pointer is used.
        if (by.LeastSigned is <= -MostOffset or >= MostOffset)
            return Refuse(Errno.EINVAL, $"math between pointer and {(by.IsConstant ? by.LeastSigned.ToString(CultureInfo.InvariantCulture) : "unbounded")} is not allowed");
        RegisterState moved = now.Operation == Add ? RegisterState.Add(pointer, by) : RegisterState.Subtract(pointer, by);
        if (moved.LeastSigned is <= -MostOffset or >= MostOffset)
            return Refuse(Errno.EINVAL, "value makes pointer be out of bounds");
        (moved.Kind, moved.Map, moved.Identity, moved.Length) = (pointer.Kind, pointer.Map, pointer.Identity, pointer.Length);
        _state.Registers[to] = moved;
        return true;
    }
}
