namespace Vivarium.Emulator.Generators;

/// <summary>The kinds that every table may use, with their size in a structure (0: not a structure's member).</summary>
internal static class Kinds
{
    private static readonly Dictionary<string, int> Sizes = new()
    {
        ["int"] = 4, ["uint"] = 4, ["long"] = 8, ["ulong"] = 8, ["short"] = 2, ["ushort"] = 2, ["byte"] = 1, ["char"] = 1,
        ["hex"] = 8, ["hex32"] = 4, ["size"] = 8, ["off"] = 8, ["addr"] = 8, ["limit"] = 8,
        ["fd"] = 4, ["dirfd"] = 4, ["pid"] = 4, ["uid"] = 4, ["gid"] = 4, ["mode"] = 4, ["mode64"] = 8, ["dev"] = 8, ["signal"] = 4,
        ["sigset"] = 8, ["ipc_key"] = 4, ["epoll_data"] = 8,
        ["path"] = 0, ["str"] = 0, ["bytes"] = 0, ["bytes_all"] = 0, ["argv"] = 0, ["envp"] = 0, ["hidden"] = 0, ["none"] = 0,
        ["fd_set"] = 0, ["cpu_set"] = 0, ["sockaddr"] = 0, ["option"] = 0, ["dirents"] = 0, ["dirents_old"] = 0, ["wait_status"] = 4,
        ["creat_mode"] = 0, ["socket_protocol"] = 0, ["socket_option"] = 0, ["ioctl_argument"] = 0, ["fcntl_argument"] = 0,
        ["fcntl_result"] = 0, ["prctl_argument"] = 0, ["arch_prctl_argument"] = 0, ["clone_parent_tid"] = 0, ["clone_child_tid"] = 0,
        ["clone_tls"] = 0, ["futex_value"] = 0, ["futex_timeout"] = 0, ["futex_address2"] = 0, ["futex_value3"] = 0,
    };

    public static bool IsKnown(string kind) => Sizes.ContainsKey(kind);

    public static int SizeOf(string kind) => Sizes[kind];
}
