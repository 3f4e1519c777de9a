namespace Vivarium.Emulator.Cpu.Ops;

/// <summary>The micro-op set. One definition of each operation; operands as described per group.</summary>
public enum OpCode : ushort
{
    Nop,

    // ---- integers: 0x001.. --------------------------------------------------------------------------------------
    // Registers number CpuState.Registers. Size is log2 of the operand's bytes; results are zero-extended from it. "Address"
    // is register A + Immediate. Codes named ...Immediate take Immediate in place of register B.

    /// <summary>D = A.</summary>
    Move,

    /// <summary>D = Immediate.</summary>
    MoveImmediate,

    /// <summary>D = the low 1 &lt;&lt; Size bytes of A.</summary>
    ZeroExtend,

    /// <summary>D = the low 1 &lt;&lt; Size bytes of A, sign-extended to 64 bits.</summary>
    SignExtend,

    /// <summary>The low 1 &lt;&lt; Size bytes of D (Size 0 or 1) = A.</summary>
    Insert,

    /// <summary>Bits 8..15 of D = the low byte of A.</summary>
    InsertHigh,

    /// <summary>D = bits 8..15 of A.</summary>
    ExtractHigh,

    /// <summary>D = A + (B &lt;&lt; C) + Immediate, 64 bits.</summary>
    AddressOf,

    /// <summary>D = A + the thread base: Immediate 0 is FS, 1 is GS.</summary>
    AddThreadBase,

    // D = A op B, setting Flags as x86's instructions do (SDM Vol. 2).
    Add,
    AddImmediate,
    Subtract,
    SubtractImmediate,
    And,
    AndImmediate,
    Or,
    OrImmediate,
    Xor,
    XorImmediate,
    AddCarry,
    AddCarryImmediate,
    SubtractBorrow,
    SubtractBorrowImmediate,

    // D = A + 1, A - 1 (carry kept), -A, ~A (no flags).
    Increment,
    Decrement,
    Negate,
    Not,

    // D = A shifted by B or Immediate, masked to 5 bits (6 for Size 3); a count of 0 leaves the flags.
    ShiftLeft,
    ShiftLeftImmediate,
    ShiftRight,
    ShiftRightImmediate,
    ShiftRightArithmetic,
    ShiftRightArithmeticImmediate,
    RotateLeft,
    RotateLeftImmediate,
    RotateRight,
    RotateRightImmediate,
    RotateCarryLeft,
    RotateCarryLeftImmediate,
    RotateCarryRight,
    RotateCarryRightImmediate,

    /// <summary>D = A shifted left, filled from the top of B, by register C.</summary>
    ShiftDoubleLeft,

    /// <summary>D = A shifted right, filled from the bottom of B, by register C.</summary>
    ShiftDoubleRight,

    /// <summary>D = the low half of A × B, signed; carry and overflow say whether it was cut.</summary>
    Multiply,

    /// <summary>D = the low, register C = the high half of A × B. Size 0: D = the 16-bit product.</summary>
    MultiplyWide,
    MultiplyWideSigned,

    /// <summary>C:A divided by B: D = quotient, register C = remainder; exits with DivideError. Size 0: A is the 16-bit dividend.</summary>
    Divide,
    DivideSigned,

    // Bit B (or Immediate) modulo the width, of A, goes to carry; D = A with the bit left, set, cleared, inverted.
    BitTest,
    BitSet,
    BitReset,
    BitComplement,

    /// <summary>D = index of the lowest set bit of A; zero is set and D kept when A is 0.</summary>
    BitScanForward,
    BitScanReverse,
    PopulationCount,
    ByteSwap,

    /// <summary>D = CRC-32C of A (32 bits) with 1 &lt;&lt; Size bytes of B; C = 1: the CRC-32 of IEEE 802.3.</summary>
    Crc32,

    /// <summary>D = condition C holds ? 1 : 0.</summary>
    SetCondition,

    /// <summary>D = condition C holds ? A : B.</summary>
    Select,

    /// <summary>D = the flags register.</summary>
    GetFlags,

    /// <summary>The flags register's bits in Immediate = those of A.</summary>
    SetFlags,

    /// <summary>Flags of A - B when condition C holds; else the arithmetic flags are Immediate.</summary>
    SubtractIf,

    /// <summary>The same of A + B, with carry turned over.</summary>
    AddIf,

    /// <summary>Flips carry.</summary>
    ComplementCarry,

    // Of processors that load and store; no flags. D = A op B.

    /// <summary>The high half of A × B: unsigned, signed, A signed and B unsigned.</summary>
    MultiplyHigh,
    MultiplyHighSigned,
    MultiplyHighSignedUnsigned,

    /// <summary>The quotient; Immediate when B is 0, A when it does not fit.</summary>
    Quotient,
    QuotientSigned,

    /// <summary>The remainder; A when B is 0, 0 when the quotient does not fit.</summary>
    Remainder,
    RemainderSigned,

    /// <summary>A &amp; ~B.</summary>
    AndNot,

    /// <summary>D = the number of zeros above the highest (below the lowest) set bit of A; the width when A is 0.</summary>
    LeadingZeros,

    /// <summary>D = the bits of A in the opposite order.</summary>
    ReverseBits,
    TrailingZeros,

    // Memory at Address.
    Load,
    LoadSigned,

    /// <summary>Stores B.</summary>
    Store,

    /// <summary>Clears the block of 1 &lt;&lt; Size bytes that Address is in.</summary>
    ClearBlock,

    /// <summary>Stores B if memory still holds register C, atomically; else the instruction runs again.</summary>
    StoreIfUnchanged,

    /// <summary>
    /// Stores B if register C is Address and memory still holds register C + 1 (the low 1 &lt;&lt; Size bytes), atomically; register
    /// D = 0 if it was stored, else 1. Address has been aligned. Register C becomes an address that there is none of.
    /// </summary>
    StoreReserved,

    /// <summary>D = what memory held; stores B if that was register C, atomically.</summary>
    CompareExchange,

    /// <summary>A 16-byte compare-exchange (CMPXCHG16B, and CMPXCHG8B with Size 2): registers 0, 2 against memory, 3, 1 in.</summary>
    CompareExchangePair,

    /// <summary>Exits with GeneralProtection (C = 0) or ExitReason C when Address is not a multiple of 1 &lt;&lt; Size.</summary>
    CheckAlignment,

    /// <summary>String instruction Immediate (StringOperation) of Size; C = repeat prefix (1 REP/REPE, 2 REPNE), B = thread base of the source (0 none, 1 FS, 2 GS).</summary>
    String,

    /// <summary>CPUID of registers 0 and 1 (RAX, RCX).</summary>
    CpuId,

    /// <summary>Register D = the time stamp counter (<see cref="GuestCpu.TimeStamp"/>).</summary>
    TimeStamp,

    /// <summary>Exits with GeneralProtection unless the program may use the port in register A's low 16 bits, 1 &lt;&lt; Size bytes wide; with C = 1, unless its I/O privilege level is 3.</summary>
    CheckPort,

    // ---- ends of blocks: 0x100.. ---------------------------------------------------------------------------------

    /// <summary>Goes to Immediate.</summary>
    Jump = 0x100,

    /// <summary>Goes to Immediate when condition C holds, else on behind the block.</summary>
    Branch,

    /// <summary>Goes to Immediate when register A is zero, else on.</summary>
    BranchIfZero,

    /// <summary>Goes to Immediate when register A is not zero, else on.</summary>
    BranchIfNotZero,

    /// <summary>Goes to Immediate when bit C of register A is clear (set), else on.</summary>
    BranchIfBitClear,
    BranchIfBitSet,

    /// <summary>Goes to register A. C: 0 jump, 1 call, 2 return (hints for return prediction).</summary>
    JumpRegister,

    /// <summary>Exits with SystemCall, behind the instruction.</summary>
    SystemCall,

    /// <summary>Exits with ExitReason C; at the instruction, or behind it when Immediate is 1.</summary>
    Trap,

    // ---- vectors: 0x200.. ---------------------------------------------------------------------------------------
    // Registers number CpuState.Vectors, except where an operand is said to be an integer register. Size is a LaneKind
    // unless said otherwise. Lanes are little endian, lane 0 lowest. "Address" is integer register A + Immediate.

    /// <summary>D = the 1 &lt;&lt; Size bytes at Address, upper bytes zero.</summary>
    VectorLoad = 0x200,

    /// <summary>D = B with lane C (of 1 &lt;&lt; Size bytes) replaced from Address.</summary>
    VectorLoadLane,

    /// <summary>Stores the low 1 &lt;&lt; Size bytes of B to Address.</summary>
    VectorStore,

    /// <summary>Stores lane C (of 1 &lt;&lt; Size bytes) of B to Address.</summary>
    VectorStoreLane,

    /// <summary>Stores the bytes of B selected by the top bits of vector C's bytes to Address (MASKMOVDQU); Size is log2 of the bytes looked at.</summary>
    VectorStoreMasked,

    /// <summary>Exits with GeneralProtection when Address is not a multiple of 1 &lt;&lt; Size.</summary>
    VectorCheckAlignment,
    VectorMove,
    VectorZero,

    /// <summary>D = integer register A (1 &lt;&lt; Size bytes), upper bytes zero.</summary>
    VectorFromInteger,

    /// <summary>Integer register D = lane C (of 1 &lt;&lt; Size bytes) of A, zero-extended.</summary>
    VectorToInteger,

    /// <summary>D = A with lane C (of 1 &lt;&lt; Size bytes) replaced by integer register B.</summary>
    VectorInsertInteger,

    /// <summary>D = A with lane C replaced by lane Immediate of B; lanes of 1 &lt;&lt; Size bytes.</summary>
    VectorInsertLane,

    /// <summary>Integer register D = the top bit of each lane of A.</summary>
    VectorMoveMask,

    // D = A op B.
    VectorAnd,

    /// <summary>D = ~A &amp; B.</summary>
    VectorAndNot,
    VectorOr,
    VectorXor,
    VectorAdd,
    VectorSubtract,
    VectorAddSaturateSigned,
    VectorAddSaturateUnsigned,
    VectorSubtractSaturateSigned,
    VectorSubtractSaturateUnsigned,
    VectorMultiplyLow,
    VectorMultiplyHighSigned,
    VectorMultiplyHighUnsigned,

    /// <summary>16-bit lanes: (A × B + 0x4000) >> 15 (PMULHRSW).</summary>
    VectorMultiplyHighRounded,

    /// <summary>64-bit lanes: the product of the low 32-bit halves.</summary>
    VectorMultiplyWideSigned,
    VectorMultiplyWideUnsigned,

    /// <summary>32-bit lanes: the sum of the two products of signed 16-bit lanes (PMADDWD).</summary>
    VectorMultiplyAddPairs,

    /// <summary>16-bit lanes: the saturated sum of two products of A's unsigned and B's signed bytes (PMADDUBSW).</summary>
    VectorMultiplyAddBytes,
    VectorAverage,
    VectorMinSigned,
    VectorMinUnsigned,
    VectorMaxSigned,
    VectorMaxUnsigned,
    VectorCompareEqual,
    VectorCompareGreater,
    VectorInterleaveLow,
    VectorInterleaveHigh,

    /// <summary>Lanes of A then B, halved in width with saturation; Size is the source's kind.</summary>
    VectorPackSigned,
    VectorPackUnsigned,
    VectorHorizontalAdd,
    VectorHorizontalAddSaturate,
    VectorHorizontalSubtract,
    VectorHorizontalSubtractSaturate,

    /// <summary>A negated, zeroed or kept as B is negative, zero or positive (PSIGN).</summary>
    VectorApplySign,

    /// <summary>The sum of the eight absolute differences of unsigned bytes, in each 64-bit lane (PSADBW).</summary>
    VectorSumDifferences,

    /// <summary>Sums of absolute differences of a sliding four bytes of A against four of B, placed by Immediate (MPSADBW).</summary>
    VectorSlidingDifferences,

    /// <summary>Shifts lanes by the low 64 bits of B; counts past the lane clear it (or fill with the sign).</summary>
    VectorShiftLeft,
    VectorShiftRight,
    VectorShiftRightArithmetic,

    // The same by Immediate.
    VectorShiftLeftBy,
    VectorShiftRightBy,
    VectorShiftRightArithmeticBy,

    /// <summary>Shifts the whole of A by Immediate bytes.</summary>
    VectorShiftBytesLeft,
    VectorShiftBytesRight,

    /// <summary>The low 16 bytes of A:B (A high) shifted right by Immediate bytes.</summary>
    VectorAlignRight,

    /// <summary>Byte i = byte (B[i] &amp; 15) of A, or 0 when B[i] is negative.</summary>
    VectorShuffleBytes,

    /// <summary>32-bit lanes of A in the order of Immediate's 2-bit fields.</summary>
    VectorShuffle32,
    VectorShuffleLow16,
    VectorShuffleHigh16,

    /// <summary>Lower half of the lanes chosen from A, upper half from B, by Immediate (SHUFPS, SHUFPD).</summary>
    VectorShufflePairs,

    /// <summary>D = A with odd lanes copied from even ones (MOVSLDUP), even from odd (MOVSHDUP: Immediate 1).</summary>
    VectorDuplicate,

    /// <summary>Lane i = bit i of Immediate ? B : A.</summary>
    VectorBlend,

    /// <summary>Lane i = top bit of lane i of vector C ? B : A.</summary>
    VectorBlendVariable,

    // D = op A.
    VectorAbsolute,

    /// <summary>The low lanes of A (kind Size) widened to kind C.</summary>
    VectorSignExtend,
    VectorZeroExtend,

    /// <summary>The smallest 16-bit lane and its index (PHMINPOSUW).</summary>
    VectorMinPosition,

    /// <summary>Flags: zero = (A &amp; B is 0), carry = (~A &amp; B is 0), others clear (PTEST).</summary>
    VectorTest,

    /// <summary>The carry-less product of the 64-bit lanes chosen by bits 0 (A) and 4 (B) of Immediate.</summary>
    VectorMultiplyCarryless,

    /// <summary>SSE4.2 string comparison of A with B under Immediate; integer register D = index. C bit 0: explicit lengths in integer registers 0 (A) and 2 (B), bit 1: 64-bit lengths. Sets all flags.</summary>
    VectorStringIndex,

    /// <summary>The same; vector D = mask.</summary>
    VectorStringMask,

    // ---- floating-point vectors --------------------------------------------------------------------------------
    // Under MXCSR; raise its flags and exit with FloatingPoint, writing nothing, for an unmasked one. C = 1 works on lane 0
    // alone and takes the other lanes of A (of a one-operand operation too, whose source is B); C = 0 on all lanes.
    FloatAdd,
    FloatSubtract,
    FloatMultiply,
    FloatDivide,
    FloatMin,
    FloatMax,

    /// <summary>Lanes of all ones where predicate Immediate (CMPPS: EQ LT LE UNORD NEQ NLT NLE ORD) holds.</summary>
    FloatCompare,

    /// <summary>Sets zero, parity and carry from lane 0 of A and B (COMISS); C = 1: quiet NaNs raise invalid too.</summary>
    FloatCompareFlags,
    FloatHorizontalAdd,
    FloatHorizontalSubtract,

    /// <summary>Subtracts in even lanes, adds in odd ones.</summary>
    FloatAddSubtract,

    /// <summary>Dot product under Immediate's masks (DPPS).</summary>
    FloatDot,

    // D = op B, merging into A when C = 1.
    FloatSquareRoot,
    FloatReciprocal,
    FloatReciprocalSquareRoot,

    /// <summary>Rounds to integral as Immediate says (ROUNDPS: bits 1:0 mode, 2 = MXCSR's, 3 = no inexact).</summary>
    FloatRound,

    /// <summary>Converts the lanes of B from kind Size to the other floating-point kind; fewer lanes come out: the rest is zero.</summary>
    FloatConvert,

    /// <summary>Converts lanes of 32-bit integers of B to floating-point kind Size.</summary>
    FloatFromInteger32,

    /// <summary>Converts lanes of kind Size to 32-bit integers, rounding as MXCSR says; Immediate 1: truncating. The rest is zero.</summary>
    FloatToInteger32,

    /// <summary>D = A with lane 0 (kind Size) converted from integer register B of 1 &lt;&lt; C bytes.</summary>
    FloatFromIntegerRegister,

    /// <summary>Integer register D = lane 0 (kind Size) of B, of 1 &lt;&lt; C bytes; Immediate 1: truncating.</summary>
    FloatToIntegerRegister,

    /// <summary>Loads MXCSR from integer register A; exits with GeneralProtection when reserved bits are set.</summary>
    FloatSetControl,

    /// <summary>Integer register D = MXCSR.</summary>
    FloatGetControl,

    // ---- x87 and MMX: 0x300.. -------------------------------------------------------------------------------------
    // Stack registers are numbered from the top. Memory operands are at Address (integer register A + Immediate), of the kind
    // in Size, an X87Operand. All but the control group first exit with FloatingPoint when an unmasked exception is pending.

    /// <summary>Pushes the operand: memory, or stack register B for X87Operand.Register.</summary>
    X87Load = 0x300,

    /// <summary>Stores the top to memory, or to stack register D; C bit 0 pops, bit 1 truncates (FISTTP).</summary>
    X87Store,

    /// <summary>Stack register D = D op operand, the operand being memory or stack register B; C = X87Arithmetic, bit 7 pops.</summary>
    X87Arithmetic,

    /// <summary>Compares the top with the operand (memory or stack register B). C: bits 1:0 pops, bit 2 quiet (FUCOM), bit 3 into the flags (FCOMI).</summary>
    X87Compare,

    /// <summary>Pushes constant Immediate, numbered as in D9 E8..EE (1, log2 10, log2 e, pi, log10 2, ln 2, 0).</summary>
    X87Constant,

    /// <summary>Exchanges the top with stack register B.</summary>
    X87Exchange,

    /// <summary>The operation on the stack's top that Immediate, an X87Function, names.</summary>
    X87Function,

    /// <summary>Moves stack register B to the top when integer register A is not zero (FCMOVcc).</summary>
    X87MoveConditional,

    /// <summary>Frees stack register B; C = 1 pops too.</summary>
    X87Free,

    /// <summary>Exits with FloatingPoint when an unmasked exception is pending (FWAIT, and EMMS's check).</summary>
    X87Wait,

    /// <summary>The control operation C, an X87Control, on Address; never checks for pending exceptions.</summary>
    X87Control,

    /// <summary>Vector D = MMX register A, zero-extended; checks as X87Wait does, and enters MMX state as MmxWrite does unless C = 1.</summary>
    MmxRead,

    /// <summary>MMX register D = low 64 bits of vector A; the unit goes into MMX state (top 0, all valid, exponent ones).</summary>
    MmxWrite,

    /// <summary>Integer register D = the x87 control word (Immediate 0) or status word (1).</summary>
    X87GetWord,

    // ---- scalar floating point of processors that load and store: 0x400.. ------------------------------------------
    // On lane 0 of vectors, of kind Size (Float32 or Float64); Immediate is a ScalarForm. RISC-V's rules: every NaN that an operation
    // makes is the canonical one; a single has ones above it, and what has not reads as the canonical NaN; exceptions accrue in
    // MXCSR. Exits with InvalidInstruction where the control register has no rounding mode and the operation takes it from there.

    // D = A op B.
    ScalarAdd = 0x400,
    ScalarSubtract,
    ScalarMultiply,
    ScalarDivide,

    /// <summary>D = the root of A.</summary>
    ScalarSquareRoot,

    /// <summary>D = A × B + vector C, rounded once.</summary>
    ScalarMultiplyAdd,

    /// <summary>minimumNumber and maximumNumber of IEEE 754-2019.</summary>
    ScalarMin,
    ScalarMax,

    /// <summary>Integer register D = whether A relates to B; only an equality is quiet.</summary>
    ScalarCompare,

    /// <summary>D = A with a sign made of both.</summary>
    ScalarSignInject,

    /// <summary>Integer register D = one bit for A's class: -infinity, -normal, -subnormal, -0, +0, +subnormal, +normal, +infinity, signalling NaN, quiet NaN.</summary>
    ScalarClassify,

    /// <summary>D of kind C = A.</summary>
    ScalarConvert,

    /// <summary>D = integer register A of 1 &lt;&lt; C bytes.</summary>
    ScalarFromInteger,

    /// <summary>Integer register D of 1 &lt;&lt; C bytes, sign-extended, = A; the nearest one when there is none, the largest for a NaN.</summary>
    ScalarToInteger,

    /// <summary>D = the low 32 bits of A with ones above.</summary>
    ScalarBox,

    /// <summary>Integer register D = the control register of the architecture, or a part of it.</summary>
    ScalarGetControl,

    /// <summary>Sets it to integer register A.</summary>
    ScalarSetControl,

    // ---- AArch64's vectors: 0x500.. ----------------------------------------------------------------------------------
    // Immediate is a NeonForm; lanes above its count come out as zero. Size is a LaneKind, of the narrower lanes where there are two widths.
    // C is a third vector. Floating point follows FPCR and raises FPSR's flags; NaNs and tininess by AArch64's rules.

    /// <summary>D[i] = A[i] op B[i], given C[i].</summary>
    NeonLanes = 0x500,

    /// <summary>The same with lanes of D and C twice as wide.</summary>
    NeonWiden,

    /// <summary>D[i], half as wide, = (A[i] op B[i]) shifted right by the amount; into the upper half of C, or alone.</summary>
    NeonNarrow,

    /// <summary>D = op of neighbours, those of A below those of B.</summary>
    NeonPairs,

    /// <summary>Lane 0 of D = op over all lanes of A.</summary>
    NeonAcross,

    /// <summary>D = the lanes of A and B in another order.</summary>
    NeonPermute,

    /// <summary>Byte i of D, of as many as byte 6 of Immediate says, = byte B[i] of the vectors that its low bytes name, so many as byte 4 says; what is out of range is 0, or with byte 5 set C's.</summary>
    NeonTable,

    /// <summary>D's lanes = lane of A that the amount says.</summary>
    NeonDuplicate,

    /// <summary>D's lanes = integer register A.</summary>
    NeonDuplicateInteger,

    /// <summary>D = Immediate in its lower half, and with C = 1 in its upper half too.</summary>
    NeonImmediate,

    /// <summary>D = the low 1 &lt;&lt; Size bytes of A, zero above.</summary>
    NeonTruncate,

    /// <summary>D's bits = A's where C has ones, else B's.</summary>
    NeonSelectBits,

    /// <summary>D = A when condition C holds, else B; the low 1 &lt;&lt; Size bytes, zero above.</summary>
    NeonSelect,

    /// <summary>The cryptographic operation Immediate, a NeonCipher, of A, B and C.</summary>
    NeonCipher,

    // Floating-point lanes, of kind Size.
    NeonFloat,
    NeonFloatPairs,
    NeonFloatAcross,

    /// <summary>Sets the flags by comparing lane 0 of A and B (C bit 0: quiet NaNs raise invalid too); carry is the inverse of AArch64's. C bit 1: unless the condition in Immediate's low byte holds they are Immediate >> 8.</summary>
    NeonFloatCompare,

    /// <summary>D = lanes of A of kind Size (16 bits: Int16) as kind C; Upper: from or into the upper half (of B); Round: to odd.</summary>
    NeonFloatConvert,

    /// <summary>Integer register D of 1 &lt;&lt; C bytes = lane 0 of A.</summary>
    NeonFloatToInteger,

    /// <summary>Lane 0 of D = integer register A of 1 &lt;&lt; C bytes.</summary>
    NeonFloatFromInteger,
}
