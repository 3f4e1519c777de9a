namespace Vivarium.Emulator.Personalities.Tables;

/// <summary>
/// What a value of a call or a structure means; the words of the <c>.abi</c> tables, in Pascal case. A name that a table
/// declares is <see cref="Set"/> or <see cref="Struct"/>.
/// </summary>
public enum ValueKind : byte
{
    /// <summary>Signed decimal numbers of 4, 8 and 2 bytes.</summary>
    Int, Long, Short,

    /// <summary>Unsigned decimal numbers of 4, 8, 2 and 1 bytes.</summary>
    Uint, Ulong, Ushort, Byte,

    /// <summary>Characters; as an array, a string that ends at the first NUL.</summary>
    Char,

    /// <summary>Numbers without decimal meaning, 8 and 4 bytes.</summary>
    Hex, Hex32,

    /// <summary>A count of bytes; a signed file offset; an address that is not followed; a resource limit.</summary>
    Size, Off, Addr, Limit,

    /// <summary>Descriptors; a directory's may be AT_FDCWD.</summary>
    Fd, Dirfd,

    /// <summary>Identities.</summary>
    Pid, Uid, Gid, IpcKey,

    /// <summary>Permission bits, in octal; 8 bytes in open_how.</summary>
    Mode, Mode64,

    /// <summary>Permission bits that count only when the flags before them create a file.</summary>
    CreatMode,

    Dev, Signal, Sigset, EpollData,

    /// <summary>NUL-terminated names and strings.</summary>
    Path, Str,

    /// <summary>A buffer, cut when it is long; <see cref="BytesAll"/> is shown as hexadecimal escapes.</summary>
    Bytes, BytesAll,

    /// <summary>Vectors of strings that a null pointer ends.</summary>
    Argv, Envp,

    /// <summary>Structures whose layout is not a list of members.</summary>
    FdSet, CpuSet, Sockaddr, Option, Dirents, DirentsOld, WaitStatus,

    /// <summary>Values whose meaning depends on another argument of the same call.</summary>
    SocketProtocol, SocketOption, IoctlArgument, FcntlArgument, FcntlResult, PrctlArgument, ArchPrctlArgument,
    CloneParentTid, CloneChildTid, CloneTls, FutexValue, FutexTimeout, FutexAddress2, FutexValue3,

    /// <summary>An argument that listings leave out.</summary>
    Hidden,

    /// <summary>The result of a call that does not return.</summary>
    None,

    Set,
    Struct,
}
